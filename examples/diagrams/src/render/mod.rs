//! Draws a diagram as SVG, PNG, PDF or mxGraph.
//!
//! Drawing is a pure function: it reads no file, no clock and no environment, and the same input gives the same
//! bytes.

use std::fmt;

use serde_json::Value;

/// The side of a picture without components, in pixels.
const EMPTY_SIDE_PX: u32 = 256;

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
    /// The picture or the diagram exceeds a limit.
    #[error("the picture is too large: {detail}")]
    TooLarge { detail: String },
    /// The format is not implemented for this diagram.
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
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Pdf => "pdf",
            Self::MxGraph => "mxGraph",
        })
    }
}

/// Draws `data`, which is the member `data` of a diagram.
///
/// # Errors
/// Returns what cannot be drawn and why.
pub fn render(data: &Value, options: &Options) -> Result<Vec<u8>, Error> {
    let is_empty =
        LISTS.iter().all(|list| data.get(list).and_then(Value::as_array).is_none_or(Vec::is_empty));
    if options.format != Format::Svg || !is_empty {
        return Err(Error::Unsupported(options.format));
    }
    let (width, height) =
        (options.width.unwrap_or(EMPTY_SIDE_PX), options.height.unwrap_or(EMPTY_SIDE_PX));
    let svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"/>"#
    );
    Ok(svg.into_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_diagram_without_elements_is_an_empty_svg_of_the_requested_size() {
        let options = Options { width: Some(800), ..Options::of(Format::Svg) };
        let svg = render(&json!({"name": "empty", "nodes": []}), &options).unwrap();
        assert!(String::from_utf8(svg).unwrap().contains(r#"width="800" height="256""#));
    }
}
