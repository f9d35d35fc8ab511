//! Draws an SVG as PNG.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, ImageHrefResolver, Tree};

use super::Error;
use super::lettering::{FAMILY, font_database};
use super::limits::{FILLED_PX_MAX, PIXELS_MAX};
use super::picture::Size;

/// Reads an SVG with the fonts of this crate and no others. Neither a file nor an address is opened: the SVG has no
/// element for images, and references of images are not resolved.
pub(super) fn tree(svg: &str) -> Result<Tree, Error> {
    let options = usvg::Options {
        fontdb: font_database(),
        font_family: FAMILY.to_owned(),
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..usvg::Options::default()
    };
    Tree::from_str(svg, &options).map_err(|error| Error::Encoding { detail: error.to_string() })
}

pub(super) fn check(size: Size, filled_px: f64) -> Result<(), Error> {
    let pixels = u64::from(size.width) * u64::from(size.height);
    if pixels > PIXELS_MAX {
        let Size { width, height } = size;
        let detail = format!(
            "{width} x {height} pixels exceed the maximum of {PIXELS_MAX} pixels: set a smaller scale, width or height"
        );
        return Err(Error::TooLarge { detail });
    }
    if filled_px > FILLED_PX_MAX {
        let detail = format!(
            "the elements fill more than {FILLED_PX_MAX} pixels: set a smaller scale, width or height"
        );
        return Err(Error::TooLarge { detail });
    }
    Ok(())
}

pub(super) fn png(svg: &str, size: Size) -> Result<Vec<u8>, Error> {
    let tree = tree(svg)?;
    let mut pixels = Pixmap::new(size.width, size.height)
        .ok_or_else(|| Error::Encoding { detail: "no pixels".to_owned() })?;
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| Error::Encoding { detail: error.to_string() })
}
