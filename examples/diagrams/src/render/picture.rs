//! Composes the layers of a picture, and writes it as SVG.

use serde_json::Value;

use super::blueprint::{Blueprint, Body, Component, Text};
use super::canvas::{Align, Canvas, Style};
use super::enclosures::enclose;
use super::ground::Surveyor;
use super::labels::{Crowd, DETAIL_PX, Label, Spot};
use super::lettering::{FAMILY, Lettering, Weight};
use super::limits::{ORIGINAL_PX_MAX, SIDE_PX_MAX, TEXTS_BYTES_MAX};
use super::markup::{push_escaped, push_number, whole};
use super::plane::{Facing, Point, Rect, UNIT_PX, View, point};
use super::routes::{Ends, Obstacle, route};
use super::solids::Sculptor;
use super::theme::Palette;
use super::{Error, Options, Projection, base64, depth, solids};

/// The space around the elements of a picture.
const MARGIN_PX: f64 = 44.0;
/// The ground of a picture without elements, in pixels.
const EMPTY: Rect = Rect { x0: -128.0, y0: -128.0, x1: 128.0, y1: 128.0 };
/// The lines of the grid in one direction.
const GRID_LINES_MAX: f64 = 200.0;

/// A picture without a size.
#[derive(Debug)]
pub(super) struct Picture {
    title: String,
    body: String,
    bounds: Rect,
    /// The sum of the areas of all filled shapes, in square pixels before the picture is reduced.
    filled_px: f64,
    palette: Palette,
    view: View,
}

/// The size of a picture in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub width: u32,
    pub height: u32,
}

/// Whether an SVG holds its fonts. The libraries that draw it get them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fonts {
    Inside,
    Apart,
}

impl Picture {
    pub(super) fn of(value: &Value, options: &Options) -> Result<Self, Error> {
        let blueprint = Blueprint::read(value)?;
        let lettering = Lettering::load()?;
        let palette = Palette::of(options.theme.unwrap_or(blueprint.theme));
        let projection = options.projection.unwrap_or(blueprint.projection);
        let view = View { is_flat: projection == Projection::Flat };
        let sculptor = Sculptor { view, palette: &palette };
        let surveyor = Surveyor { sculptor, lettering: &lettering };
        let mut canvas = Canvas::default();
        draw(&blueprint, surveyor, &mut canvas);
        if canvas.text_bytes() > TEXTS_BYTES_MAX {
            let detail = format!("more than {TEXTS_BYTES_MAX} bytes of text");
            return Err(Error::TooLarge { detail });
        }
        let filled_px = canvas.filled_px();
        let (body, bounds) = canvas.finish();
        let bounds = bounds.unwrap_or(EMPTY).grown(MARGIN_PX);
        Ok(Self { title: blueprint.title, body, bounds, filled_px, palette, view })
    }

    /// The size in the options. If only one side is set, the other one keeps the proportions.
    pub(super) fn size(&self, options: &Options) -> Result<Size, Error> {
        let (width, height) = (self.bounds.width(), self.bounds.height());
        let (width, height) = match (options.width, options.height) {
            (Some(width), Some(height)) => (f64::from(width), f64::from(height)),
            (Some(chosen), None) => (f64::from(chosen), height * f64::from(chosen) / width),
            (None, Some(chosen)) => (width * f64::from(chosen) / height, f64::from(chosen)),
            (None, None) => {
                let reduced = (ORIGINAL_PX_MAX / width.max(height)).min(1.0);
                (width * reduced * options.scale, height * reduced * options.scale)
            },
        };
        Ok(Size { width: side(width)?, height: side(height)? })
    }

    /// The pixels that all shapes fill in a picture of `size`.
    pub(super) fn filled_px(&self, size: Size) -> f64 {
        let scale = f64::from(size.width) / self.view_box(size).width();
        self.filled_px * scale * scale
    }

    /// The picture as SVG, in the middle of `size`.
    pub(super) fn svg(&self, size: Size, options: &Options, fonts: Fonts) -> String {
        let view_box = self.view_box(size);
        let mut out = String::with_capacity(self.body.len() + 110_000);
        out.push_str("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"");
        push_number(&mut out, f64::from(size.width));
        out.push_str("\" height=\"");
        push_number(&mut out, f64::from(size.height));
        out.push_str("\" viewBox=\"");
        push_rect(&mut out, view_box, " ");
        out.push_str("\" font-family=\"");
        out.push_str(FAMILY);
        out.push_str(", sans-serif\" stroke-linejoin=\"round\" stroke-linecap=\"round\">");
        if !self.title.is_empty() {
            out.push_str("<title>");
            push_escaped(&mut out, &self.title);
            out.push_str("</title>");
        }
        if fonts == Fonts::Inside && self.body.contains("<text") {
            push_fonts(&mut out, &self.body);
        }
        if !options.transparent {
            out.push_str("<rect x=\"");
            push_rect(&mut out, view_box, "\" y=\"");
            out.push_str("\" fill=\"");
            self.palette.background.push(&mut out);
            out.push_str("\"/>");
        }
        if options.grid {
            self.push_grid(&mut out, view_box);
        }
        out.push_str(&self.body);
        out.push_str("</svg>\n");
        out
    }

    /// The part of the drawing that fills `size`.
    fn view_box(&self, size: Size) -> Rect {
        let (width, height) = (f64::from(size.width), f64::from(size.height));
        let scale = (width / self.bounds.width()).min(height / self.bounds.height());
        let (wide, high) = (width / scale, height / scale);
        let centre = self.bounds.centre();
        Rect::of_size(centre.x - wide / 2.0, centre.y - high / 2.0, wide, high)
    }

    fn push_grid(&self, out: &mut String, view_box: Rect) {
        let corners = view_box.corners().map(|corner| self.view.under(corner));
        let Some(plane) = super::plane::bounds(corners) else { return };
        let extent = plane.width().max(plane.height());
        let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
        let step = steps.into_iter().find(|step| extent / step <= GRID_LINES_MAX).unwrap_or(1000.0);
        out.push_str("<path fill=\"none\" stroke-width=\"1\" stroke=\"");
        self.palette.grid.push(out);
        out.push_str("\" d=\"");
        let mut push_line = |from: Point, to: Point| {
            for (letter, end) in [('M', from), ('L', to)] {
                let at = self.view.at(end.x, end.y, 0.0);
                out.push(letter);
                push_number(out, at.x);
                out.push(' ');
                push_number(out, at.y);
            }
        };
        let mut x = (plane.x0 / step).ceil() * step;
        while x <= plane.x1 {
            push_line(point(x, plane.y0), point(x, plane.y1));
            x += step;
        }
        let mut y = (plane.y0 / step).ceil() * step;
        while y <= plane.y1 {
            push_line(point(plane.x0, y), point(plane.x1, y));
            y += step;
        }
        out.push_str("\"/>");
    }
}

/// `x`, `y`, width and height: with spaces, or as attributes if `separator` begins one.
fn push_rect(out: &mut String, rect: Rect, separator: &str) {
    let is_list = separator == " ";
    push_number(out, rect.x0);
    out.push_str(separator);
    push_number(out, rect.y0);
    out.push_str(if is_list { " " } else { "\" width=\"" });
    push_number(out, rect.width());
    out.push_str(if is_list { " " } else { "\" height=\"" });
    push_number(out, rect.height());
}

fn push_fonts(out: &mut String, body: &str) {
    out.push_str("<style>");
    for weight in [Weight::Regular, Weight::Semibold] {
        if weight == Weight::Semibold && !body.contains("font-weight") {
            continue;
        }
        out.push_str("@font-face{font-family:");
        out.push_str(FAMILY);
        out.push_str(";font-weight:");
        out.push_str(weight.number());
        out.push_str(";src:url(data:font/otf;base64,");
        base64::push(out, weight.file());
        out.push_str(") format(\"opentype\")}");
    }
    out.push_str("</style>");
}

fn side(pixels: f64) -> Result<u32, Error> {
    let rounded = u32::try_from(whole(pixels.max(1.0))).unwrap_or(u32::MAX);
    if rounded > SIDE_PX_MAX {
        let detail = format!(
            "a side of {rounded} pixels exceeds the maximum of {SIDE_PX_MAX}: set a smaller scale, width or height"
        );
        return Err(Error::TooLarge { detail });
    }
    Ok(rounded)
}

fn draw(blueprint: &Blueprint<'_>, surveyor: Surveyor<'_>, canvas: &mut Canvas) {
    let sculptor = surveyor.sculptor;
    let mut crowd = Crowd::default();
    for surface in &blueprint.surfaces {
        surveyor.surface(surface, canvas);
    }
    let enclosed = enclose(blueprint, sculptor.view.is_flat);
    for one in &enclosed {
        surveyor.enclosure(one, canvas);
    }
    let ways = ways(blueprint, sculptor.view);
    for (edge, way) in blueprint.edges.iter().zip(&ways) {
        surveyor.connector(edge, way, canvas);
        if let Some(tip) = way.last() {
            let at = sculptor.view.at(tip.x, tip.y, 0.0);
            crowd.take(Rect { x0: at.x, y0: at.y, x1: at.x, y1: at.y }.grown(7.0), 1.5);
        }
    }
    for one in &enclosed {
        surveyor.tab(one, canvas, &mut crowd);
    }
    let is_standing =
        |text: &&Text| matches!(text.facing, Facing::WallX | Facing::WallY | Facing::Screen);
    for text in blueprint.texts.iter().filter(|text| !is_standing(text)) {
        surveyor.text(text, canvas);
    }
    for component in &blueprint.components {
        sculptor.shadow(component, canvas);
    }
    let grounds: Vec<Rect> = blueprint.components.iter().map(|one| one.ground).collect();
    let order = depth::order(&grounds);
    let in_order = || order.iter().filter_map(|place| blueprint.components.get(*place));
    for component in in_order() {
        sculptor.draw(component, canvas);
        cover_ground(component, sculptor.view, canvas, &mut crowd);
    }
    for text in blueprint.texts.iter().filter(is_standing) {
        surveyor.text(text, canvas);
    }
    canvas.open_outlined(sculptor.palette.background, 3.6);
    for component in in_order() {
        let label = Label::of(&component.title, &component.detail, surveyor.lettering);
        if let Some(label) = label {
            let spots = spots(component, sculptor.view, label.height);
            place(&label, &spots, surveyor, canvas, &mut crowd);
        }
    }
    for (edge, way) in blueprint.edges.iter().zip(&ways) {
        if let Some(label) = Label::of("", &edge.label, surveyor.lettering) {
            let spots = line_spots(way, sculptor.view);
            place(&label, &spots, surveyor, canvas, &mut crowd);
        }
    }
    canvas.close_group();
}

fn ways(blueprint: &Blueprint<'_>, view: View) -> Vec<Vec<Point>> {
    let hides = |one: &Component<'_>| match one.body {
        Body::Solid(kind) if !view.is_flat => solids::hides(kind, one),
        Body::Solid(_) | Body::Icon(..) | Body::Picture(_) => 0.0,
    };
    let label = |ground: Rect| {
        if view.is_flat {
            Rect { y0: ground.y1, y1: ground.y1 + 0.8, ..ground }
        } else {
            Rect::of_size(ground.x1 - 0.1, ground.y1 - 0.1, 1.0, 1.0)
        }
    };
    let obstacle = |one: &Component<'_>| Obstacle {
        ground: one.ground,
        hides: hides(one),
        label: label(one.ground),
    };
    let obstacles: Vec<Obstacle> = blueprint.components.iter().map(obstacle).collect();
    let ends = |edge: &super::blueprint::Edge| Ends { from: edge.from, to: edge.to };
    let ends: Vec<Ends> = blueprint.edges.iter().map(ends).collect();
    route(&obstacles, &ends)
}

/// Includes a component in the picture, and keeps labels off it.
fn cover_ground(component: &Component<'_>, view: View, canvas: &mut Canvas, crowd: &mut Crowd) {
    let Rect { x0, y0, x1, y1 } = component.ground;
    let height = component.height;
    let sides =
        [view.at(x0, y0, height), view.at(x1, y1, 0.0), view.at(x0, y1, 0.0), view.at(x1, y0, 0.0)];
    let Some(around) = super::plane::bounds(sides) else { return };
    canvas.cover(around.grown(-4.0));
    if view.is_flat {
        crowd.take(around.grown(-2.0), 1.0);
        return;
    }
    let quarter = (around.width() / 4.0, around.height() / 5.0);
    crowd.take(
        Rect { x0: around.x0 + quarter.0, x1: around.x1 - quarter.0, ..around.grown(-3.0) },
        1.0,
    );
    crowd.take(Rect { y0: around.y0 + quarter.1, y1: around.y1 - quarter.1, ..around }, 1.0);
}

/// The places of a component's label, the best first.
fn spots(component: &Component<'_>, view: View, height: f64) -> Vec<Spot> {
    let ground = component.ground;
    let middle = ground.centre();
    let spot = |at: Point, align: Align| Spot { at, align };
    if view.is_flat {
        let (left, right) = (view.at(ground.x0, middle.y, 0.0), view.at(ground.x1, middle.y, 0.0));
        let up = UNIT_PX * ground.height() / 2.0;
        return vec![
            spot(point(f64::midpoint(left.x, right.x), left.y + up), Align::Middle),
            spot(right.plus(2.0, -height / 2.0), Align::Start),
            spot(left.plus(-2.0, -height / 2.0), Align::End),
            spot(point(f64::midpoint(left.x, right.x), left.y - up - height), Align::Middle),
        ];
    }
    let front = view.at(ground.x1, ground.y1, 0.0);
    let right = view.at(ground.x1, middle.y, 0.0);
    let left = view.at(middle.x, ground.y1, 0.0);
    let back = view.at(ground.x0, ground.y0, component.height);
    vec![
        spot(front.plus(0.0, 1.0), Align::Middle),
        spot(right.plus(2.0, 5.0), Align::Start),
        spot(left.plus(-2.0, 5.0), Align::End),
        spot(front.plus(0.0, 14.0), Align::Middle),
        spot(back.plus(0.0, -height - 2.0), Align::Middle),
    ]
}

/// The places of a connector's label: beside the middle of its longest piece.
fn line_spots(way: &[Point], view: View) -> Vec<Spot> {
    let pieces = way.iter().zip(way.iter().skip(1));
    let length = |(from, to): &(&Point, &Point)| (from.x - to.x).abs() + (from.y - to.y).abs();
    let Some((from, to)) = pieces.max_by(|one, two| length(one).total_cmp(&length(two))) else {
        return Vec::new();
    };
    let at = |share: f64| {
        let (x, y) = (from.x + (to.x - from.x) * share, from.y + (to.y - from.y) * share);
        view.at(x, y, 0.0)
    };
    let offsets =
        [(0.5, 4.0), (0.5, -18.0), (0.35, 4.0), (0.65, 4.0), (0.35, -18.0), (0.65, -18.0)];
    let spot =
        |(share, down): (f64, f64)| Spot { at: at(share).plus(0.0, down), align: Align::Middle };
    offsets.map(spot).to_vec()
}

fn place(
    label: &Label,
    spots: &[Spot],
    surveyor: Surveyor<'_>,
    canvas: &mut Canvas,
    crowd: &mut Crowd,
) {
    let Some(spot) = crowd.place(label, spots) else { return };
    canvas.cover(label.rect(spot));
    let palette = surveyor.sculptor.palette;
    for (line, at) in label.baselines(spot) {
        let is_detail = line.size_px <= DETAIL_PX;
        let colour = if is_detail { palette.detail } else { palette.text };
        let style = Style { weight: line.weight, size_px: line.size_px, colour, align: spot.align };
        canvas.upright_text(&line.text, at, style);
    }
}
