//! Draws a diagram as SVG, PNG, PDF or mxGraph.
//!
//! Drawing is a pure function: it reads no file, no clock and no environment, and the same input gives the same
//! bytes.

mod base64;
mod blueprint;
mod canvas;
mod colour;
mod depth;
mod enclosures;
mod fields;
mod glyphs;
mod ground;
mod kinds;
mod labels;
mod lettering;
pub mod limits;
mod markup;
mod mxgraph;
mod page;
mod picture;
mod plane;
mod raster;
mod routes;
mod solids;
mod theme;

use std::fmt;

use serde_json::Value;

use self::limits::{SCALE_MAX, SCALE_MIN, SIDE_PX_MAX};
use self::picture::{Fonts, Picture};

/// The lists of a diagram whose elements are drawn.
const LISTS: [&str; 8] =
    ["nodes", "edges", "groups", "surfaces", "icons", "text", "images", "connectors"];

/// The format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Svg,
    Png,
    Pdf,
    MxGraph,
}

/// The size of a page of a PDF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    Letter,
    Legal,
    Tabloid,
    Ledger,
    A0,
    A1,
    A2,
    A3,
    A4,
    A5,
}

/// The colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

/// The direction from which a diagram is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    Isometric,
    Flat,
}

/// What a caller chooses for one picture.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one option of the request")]
pub struct Options {
    pub format: Format,
    /// The factor to the original size.
    pub scale: f64,
    /// The exact width in pixels, for SVG, PNG and PDF.
    pub width: Option<u32>,
    /// The exact height in pixels, for SVG, PNG and PDF.
    pub height: Option<u32>,
    /// Whether the grid is drawn.
    pub grid: bool,
    /// Whether the picture has no background.
    pub transparent: bool,
    /// Whether a page is wider than it is high.
    pub landscape: bool,
    pub paper: Option<Paper>,
    /// Replaces the theme of the diagram.
    pub theme: Option<Theme>,
    /// Replaces the projection of the diagram.
    pub projection: Option<Projection>,
}

/// Why a diagram was not drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value of the diagram cannot be drawn. `pointer` is its place (RFC 6901).
    #[error("{pointer}: {detail}")]
    Invalid { pointer: String, detail: String },
    /// The picture or the diagram exceeds a limit of [`limits`].
    #[error("the picture cannot have this size: {detail}")]
    TooLarge { detail: String },
    /// The format cannot hold this diagram.
    #[error("{0} is not available for this diagram")]
    Unsupported(Format),
    /// A library failed to write the file.
    #[error("the picture could not be written: {detail}")]
    Encoding { detail: String },
}

impl Options {
    /// The options of a request that names only a format.
    #[must_use]
    pub fn of(format: Format) -> Self {
        Self {
            format,
            scale: 1.0,
            width: None,
            height: None,
            grid: false,
            transparent: false,
            landscape: false,
            paper: None,
            theme: None,
            projection: None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Pdf => "pdf",
            Self::MxGraph => "mxGraph",
        })
    }
}

/// Draws `diagram`, which is the member `data` of a diagram.
///
/// # Errors
/// Returns what cannot be drawn and why.
pub fn render(diagram: &Value, options: &Options) -> Result<Vec<u8>, Error> {
    check(options)?;
    match options.format {
        Format::MxGraph => mxgraph::write(diagram, options),
        Format::Pdf => page::pdf(&Picture::of(diagram, options)?, options),
        Format::Svg => {
            let picture = Picture::of(diagram, options)?;
            let size = picture.size(options)?;
            Ok(picture.svg(size, options, Fonts::Inside).into_bytes())
        },
        Format::Png => {
            let picture = Picture::of(diagram, options)?;
            let size = picture.size(options)?;
            raster::check(size, picture.filled_px(size))?;
            raster::png(&picture.svg(size, options, Fonts::Apart), size)
        },
    }
}

/// The ids and the grounds (x0, y0, x1, y1) of the components and the groups of a diagram.
#[cfg(test)]
pub(crate) fn grounds(diagram: &Value) -> [Vec<(String, [f64; 4])>; 2] {
    let blueprint = blueprint::Blueprint::read(diagram).unwrap();
    let corners = |rect: plane::Rect| [rect.x0, rect.y0, rect.x1, rect.y1];
    let components = blueprint.components.iter().map(|one| (one.id.clone(), corners(one.ground)));
    let groups = enclosures::enclose(&blueprint, false);
    let groups = groups.iter().map(|one| (one.group.id.clone(), corners(one.ground)));
    [components.collect(), groups.collect()]
}

fn check(options: &Options) -> Result<(), Error> {
    if !(SCALE_MIN..=SCALE_MAX).contains(&options.scale) {
        let detail = format!("scale must be between {SCALE_MIN} and {SCALE_MAX}");
        return Err(Error::TooLarge { detail });
    }
    for (name, side) in [("width", options.width), ("height", options.height)] {
        if side.is_some_and(|side| side == 0 || side > SIDE_PX_MAX) {
            let detail = format!("{name} must be between 1 and {SIDE_PX_MAX} pixels");
            return Err(Error::TooLarge { detail });
        }
    }
    Ok(())
}
