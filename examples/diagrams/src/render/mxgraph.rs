//! Writes a diagram as mxGraph XML, which diagrams.net opens. Components, groups and connectors can be edited
//! there; both projections are written flat.

use super::blueprint::{Blueprint, Body, Component, Edge, Surface, Text};
use super::colour::Rgb;
use super::enclosures::{Enclosed, enclose};
use super::kinds::{Kind, Solid};
use super::markup::{push_escaped, push_number};
use super::plane::{Rect, UNIT_PX, bounds};
use super::theme::Palette;
use super::{Error, Options};

/// The space left and above the elements.
const MARGIN_PX: f64 = 40.0;

/// Writes cells and numbers them.
#[derive(Debug)]
struct Writer {
    out: String,
    palette: Palette,
    /// The corner of the drawing, in grid units.
    left: f64,
    top: f64,
}

pub(super) fn write(value: &serde_json::Value, options: &Options) -> Result<Vec<u8>, Error> {
    let blueprint = Blueprint::read(value)?;
    let enclosed = enclose(&blueprint, true);
    let palette = Palette::of(options.theme.unwrap_or(blueprint.theme));
    let around = extent(&blueprint, &enclosed);
    let mut writer = Writer { out: String::new(), palette, left: around.x0, top: around.y0 };
    writer.header(options, around);
    for (index, surface) in blueprint.surfaces.iter().enumerate() {
        writer.surface(index, surface);
    }
    for (index, one) in enclosed.iter().enumerate() {
        writer.group(index, one);
    }
    for (index, component) in blueprint.components.iter().enumerate() {
        writer.component(index, component);
    }
    for (index, edge) in blueprint.edges.iter().enumerate() {
        writer.edge(index, edge);
    }
    for (index, text) in blueprint.texts.iter().enumerate() {
        writer.text(index, text);
    }
    writer.out.push_str("</root></mxGraphModel>\n");
    Ok(writer.out.into_bytes())
}

fn extent(blueprint: &Blueprint<'_>, enclosed: &[Enclosed<'_>]) -> Rect {
    let components = blueprint.components.iter().map(|one| one.ground);
    let groups = enclosed.iter().map(|one| one.ground);
    let surfaces = blueprint.surfaces.iter().filter_map(|one| bounds(one.points.iter().copied()));
    let texts = blueprint.texts.iter().map(|one| Rect::of_size(one.at.x, one.at.y, 1.0, 1.0));
    let all = components.chain(groups).chain(surfaces).chain(texts);
    all.reduce(Rect::union).unwrap_or(Rect::of_size(0.0, 0.0, 1.0, 1.0))
}

impl Writer {
    fn header(&mut self, options: &Options, around: Rect) {
        self.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<mxGraphModel grid=\"");
        self.out.push(if options.grid { '1' } else { '0' });
        self.out.push_str("\" gridSize=\"10\" guides=\"1\" tooltips=\"1\" connect=\"1\" arrows=\"1\" fold=\"1\" page=\"0\"");
        for (name, units) in [("pageWidth", around.width()), ("pageHeight", around.height())] {
            self.out.push(' ');
            self.attribute(name, (units * UNIT_PX + 2.0 * MARGIN_PX).ceil());
        }
        if !options.transparent {
            self.out.push_str(" background=\"");
            self.palette.background.push(&mut self.out);
            self.out.push('"');
        }
        self.out.push_str("><root><mxCell id=\"0\"/><mxCell id=\"1\" parent=\"0\"/>");
    }

    fn surface(&mut self, index: usize, surface: &Surface) {
        let Some(around) = bounds(surface.points.iter().copied()) else { return };
        let colour = surface.colours.flat.unwrap_or(self.palette.detail);
        let style = if surface.is_zone {
            "rounded=0;html=0;fillOpacity=8;verticalAlign=top;align=left;spacingLeft=8;"
        } else {
            "rounded=0;html=0;fillOpacity=40;verticalAlign=top;align=left;spacingLeft=8;"
        };
        self.open('s', index, &surface.name, style);
        self.colours(Some(colour), colour, self.palette.text);
        self.geometry(around);
    }

    fn group(&mut self, index: usize, enclosed: &Enclosed<'_>) {
        let palette = self.palette;
        let own = enclosed.group.colours.flat.unwrap_or(palette.line);
        let colour = own.visible_on(palette.background, 190);
        let style = "rounded=1;arcSize=14;absoluteArcSize=1;html=0;fillOpacity=8;strokeWidth=2;verticalAlign=top;align=left;spacingLeft=8;fontStyle=1;";
        self.open('g', index, &enclosed.group.name, style);
        self.colours(Some(colour), colour, colour.visible_on(palette.background, 450));
        self.geometry(enclosed.ground);
    }

    fn component(&mut self, index: usize, component: &Component<'_>) {
        let (shape, colour) = match component.body {
            Body::Solid(kind) => (shape(kind), component.colours.flat.unwrap_or(kind.accent)),
            Body::Icon(..) => ("ellipse;", component.accents.flat.unwrap_or(self.palette.detail)),
            Body::Picture(_) => ("rounded=0;dashed=1;", self.palette.detail),
        };
        let mut label = component.title.clone();
        if !label.is_empty() && !component.detail.is_empty() {
            label.push('\n');
        }
        label.push_str(&component.detail);
        let style = "whiteSpace=wrap;html=0;verticalLabelPosition=bottom;verticalAlign=top;labelWidth=120;fontSize=13;";
        self.open('n', index, &label, &format!("{shape}{style}"));
        self.colours(Some(colour), colour.mix(self.palette.shade, 30), self.palette.text);
        self.geometry(component.ground.grown(-0.14));
    }

    fn edge(&mut self, index: usize, edge: &Edge) {
        self.out.push_str("<mxCell id=\"e");
        self.out.push_str(&index.to_string());
        self.out.push_str("\" value=\"");
        push_escaped(&mut self.out, &edge.label);
        self.out.push_str(
            "\" style=\"edgeStyle=orthogonalEdgeStyle;rounded=1;html=0;endFill=1;endArrow=",
        );
        self.out.push_str(if edge.has_arrow { "block;" } else { "none;" });
        self.out.push_str(if edge.is_dashed { "dashed=1;strokeWidth=" } else { "strokeWidth=" });
        push_number(&mut self.out, edge.width_px);
        self.out.push(';');
        let own = edge.colours.flat.unwrap_or(self.palette.line);
        self.colours(None, own.visible_on(self.palette.background, 190), self.palette.detail);
        self.out.push_str("\" edge=\"1\" parent=\"1\" source=\"n");
        self.out.push_str(&edge.from.to_string());
        self.out.push_str("\" target=\"n");
        self.out.push_str(&edge.to.to_string());
        self.out.push_str("\"><mxGeometry relative=\"1\" as=\"geometry\"/></mxCell>");
    }

    fn text(&mut self, index: usize, text: &Text) {
        let style =
            "text;html=0;align=left;verticalAlign=top;fontStyle=1;overflow=visible;fontSize=";
        let mut style = style.to_owned();
        push_number(&mut style, (text.size * UNIT_PX).round());
        style.push(';');
        self.open('t', index, &text.lines.join("\n"), &style);
        let own = text.colours.flat.unwrap_or(self.palette.text);
        self.colours(None, self.palette.background, own.visible_on(self.palette.background, 300));
        self.geometry(Rect::of_size(text.at.x, text.at.y, 1.0, 1.0));
    }

    fn open(&mut self, letter: char, index: usize, value: &str, style: &str) {
        self.out.push_str("<mxCell id=\"");
        self.out.push(letter);
        self.out.push_str(&index.to_string());
        self.out.push_str("\" value=\"");
        push_escaped(&mut self.out, value);
        self.out.push_str("\" style=\"");
        self.out.push_str(style);
    }

    /// The end of a style. Without a fill, the outline has the colour of a line.
    fn colours(&mut self, fill: Option<Rgb>, stroke: Rgb, font: Rgb) {
        if let Some(fill) = fill {
            self.out.push_str("fillColor=");
            fill.push(&mut self.out);
            self.out.push(';');
        }
        self.out.push_str("strokeColor=");
        stroke.push(&mut self.out);
        self.out.push_str(";fontColor=");
        font.push(&mut self.out);
        self.out.push(';');
    }

    fn geometry(&mut self, rect: Rect) {
        self.out.push_str("\" vertex=\"1\" parent=\"1\"><mxGeometry");
        for (name, pixels) in [
            ("x", (rect.x0 - self.left) * UNIT_PX + MARGIN_PX),
            ("y", (rect.y0 - self.top) * UNIT_PX + MARGIN_PX),
            ("width", rect.width() * UNIT_PX),
            ("height", rect.height() * UNIT_PX),
        ] {
            self.out.push(' ');
            self.attribute(name, pixels);
        }
        self.out.push_str(" as=\"geometry\"/></mxCell>");
    }

    fn attribute(&mut self, name: &str, value: f64) {
        self.out.push_str(name);
        self.out.push_str("=\"");
        push_number(&mut self.out, value);
        self.out.push('"');
    }
}

/// The shape of diagrams.net that is nearest to a body.
fn shape(kind: Kind) -> &'static str {
    match kind.solid {
        Solid::Server | Solid::Cube => "rounded=1;arcSize=12;",
        Solid::Slab => "rounded=1;arcSize=30;",
        Solid::Cylinder => "shape=cylinder3;boundedLbl=0;size=10;",
        Solid::Bucket => {
            "shape=trapezoid;perimeter=trapezoidPerimeter;size=0.12;fixedSize=0;flipV=1;"
        },
    }
}
