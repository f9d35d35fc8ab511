//! Draws an SVG on the page of a PDF file, whose text can be selected and searched.

use krilla::Document;
use krilla::geom::Size as PageSize;
use krilla::page::PageSettings;
use krilla_svg::{SurfaceExt as _, SvgSettings};

use super::limits::PAGE_POINTS_MAX;
use super::picture::{Fonts, Picture, Size};
use super::{Error, Format, Options, Paper, raster};

/// The points of one pixel of CSS.
const POINTS: f64 = 0.75;
/// The drawing on a sheet of paper: its short side in pixels. The page scales it.
const SHEET_PX: f64 = 1_200.0;

/// A page in points.
#[derive(Debug, Clone, Copy)]
struct Page {
    width: f64,
    height: f64,
}

pub(super) fn pdf(picture: &Picture, options: &Options) -> Result<Vec<u8>, Error> {
    let (page, size) = match options.paper {
        Some(paper) => on_paper(turned(sheet(paper), options)),
        None => of_size(picture.size(options)?, options),
    };
    if page.width.max(page.height) > PAGE_POINTS_MAX {
        return Err(Error::TooLarge { detail: format!("a page exceeds {PAGE_POINTS_MAX} points") });
    }
    let svg = picture.svg(size, options, Fonts::Apart);
    write(&svg, page)
}

fn on_paper(page: Page) -> (Page, Size) {
    let factor = SHEET_PX / page.width.min(page.height);
    (page, Size { width: pixels(page.width * factor), height: pixels(page.height * factor) })
}

/// A page of the picture's size, turned if it must be wide.
fn of_size(size: Size, options: &Options) -> (Page, Size) {
    let size = if options.landscape && size.height > size.width {
        Size { width: size.height, height: size.width }
    } else {
        size
    };
    let points = |pixels: u32| f64::from(pixels) * POINTS;
    (Page { width: points(size.width), height: points(size.height) }, size)
}

fn write(svg: &str, page: Page) -> Result<Vec<u8>, Error> {
    let tree = raster::tree(svg)?;
    let failed = |detail: &str| Error::Encoding { detail: detail.to_owned() };
    let (width, height) = (single(page.width), single(page.height));
    let settings = PageSettings::from_wh(width, height).ok_or_else(|| failed("no page"))?;
    let size = PageSize::from_wh(width, height).ok_or_else(|| failed("no page"))?;
    let mut document = Document::new();
    let mut sheet = document.start_page_with(settings);
    let mut surface = sheet.surface();
    surface.draw_svg(&tree, size, SvgSettings::default()).ok_or(Error::Unsupported(Format::Pdf))?;
    surface.finish();
    sheet.finish();
    document.finish().map_err(|error| Error::Encoding { detail: format!("{error:?}") })
}

/// The sizes of paper (ISO 216, ANSI/ASME Y14.1) in points, upright; Ledger is Tabloid on its side.
fn sheet(paper: Paper) -> Page {
    let (width, height) = match paper {
        Paper::Letter => (612.0, 792.0),
        Paper::Legal => (612.0, 1008.0),
        Paper::Tabloid => (792.0, 1224.0),
        Paper::Ledger => (1224.0, 792.0),
        Paper::A0 => (2383.94, 3370.39),
        Paper::A1 => (1683.78, 2383.94),
        Paper::A2 => (1190.55, 1683.78),
        Paper::A3 => (841.89, 1190.55),
        Paper::A4 => (595.28, 841.89),
        Paper::A5 => (419.53, 595.28),
    };
    Page { width, height }
}

fn turned(page: Page, options: &Options) -> Page {
    let is_wide = page.width > page.height;
    if options.landscape && !is_wide {
        return Page { width: page.height, height: page.width };
    }
    page
}

fn pixels(length: f64) -> u32 {
    u32::try_from(super::markup::whole(length)).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "a page has at most 14,400 points")]
fn single(length: f64) -> f32 {
    length as f32
}
