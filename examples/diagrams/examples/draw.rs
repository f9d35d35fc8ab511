//! Draws a diagram, or the inventory of an account: `draw diagram.json picture.png [dark] [2d] [grid] [transparent] [a4] [width=1200]`.
//!
//! The end of the picture's name is its format: `svg`, `png`, `pdf` or `xml` for mxGraph.

use std::error::Error;
use std::fs;

use keyhouse_diagrams::Inventory;
use keyhouse_diagrams::layout::{Choices, diagram};
use keyhouse_diagrams::render::{Format, Options, Paper, Projection, Theme, render};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(source), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("usage: draw diagram.json picture.png [dark] [2d] [grid]".into());
    };
    let format = match target.rsplit('.').next() {
        Some("png") => Format::Png,
        Some("pdf") => Format::Pdf,
        Some("xml") => Format::MxGraph,
        _ => Format::Svg,
    };
    let mut options = Options::of(format);
    for argument in arguments {
        match argument.as_str() {
            "dark" => options.theme = Some(Theme::Dark),
            "light" => options.theme = Some(Theme::Light),
            "2d" => options.projection = Some(Projection::Flat),
            "grid" => options.grid = true,
            "transparent" => options.transparent = true,
            "landscape" => options.landscape = true,
            "a4" => options.paper = Some(Paper::A4),
            other => match other.split_once('=') {
                Some(("width", value)) => options.width = Some(value.parse()?),
                Some(("height", value)) => options.height = Some(value.parse()?),
                Some(("scale", value)) => options.scale = value.parse()?,
                _ => return Err(format!("unknown argument: {other}").into()),
            },
        }
    }
    let mut content: serde_json::Value = serde_json::from_slice(&fs::read(source)?)?;
    if content.get("resources").is_some() {
        let inventory: Inventory = serde_json::from_value(content)?;
        content = diagram(&inventory, &Choices::of(&*inventory.region))?;
    }
    let content = content.get("data").unwrap_or(&content);
    fs::write(target, render(content, &options)?)?;
    Ok(())
}
