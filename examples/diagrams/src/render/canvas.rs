//! Writes SVG elements and keeps the rectangle around them.
//!
//! All text is escaped here. Nothing else writes attributes or character data with text of a caller.

use super::colour::Rgb;
use super::glyphs::{self, Glyph};
use super::lettering::Weight;
use super::limits::DASHED_PX_MAX;
use super::markup::{push_escaped, push_number, push_percent, push_point, push_precise};
use super::plane::{Axes, Point, Rect};

/// How a shape is filled and stroked. Opacities are in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Paint {
    pub fill: Option<(Rgb, u32)>,
    pub stroke: Option<(Rgb, f64)>,
    /// The lengths of dashes and of gaps, in pixels.
    pub dash: Option<(f64, f64)>,
}

/// The horizontal place of a text's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Start,
    Middle,
    End,
}

/// The look of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub weight: Weight,
    pub size_px: f64,
    pub colour: Rgb,
    pub align: Align,
}

/// A place with axes: the transformation of a shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub origin: Point,
    pub axes: Axes,
    pub scale: f64,
}

/// The data of a path, and the rectangle around its points.
#[derive(Debug, Default)]
pub(super) struct Path {
    data: String,
    bounds: Option<Rect>,
}

#[derive(Debug, Default)]
pub(super) struct Canvas {
    out: String,
    bounds: Option<Rect>,
    filled_px: f64,
    dashed_px: f64,
    text_bytes: usize,
}

impl Paint {
    pub(super) fn fill(colour: Rgb) -> Self {
        Self { fill: Some((colour, 100)), ..Self::default() }
    }

    pub(super) fn tint(colour: Rgb, percent: u32) -> Self {
        Self { fill: Some((colour, percent)), ..Self::default() }
    }

    pub(super) fn line(colour: Rgb, width: f64) -> Self {
        Self { stroke: Some((colour, width)), ..Self::default() }
    }

    pub(super) fn edged(self, colour: Rgb, width: f64) -> Self {
        Self { stroke: Some((colour, width)), ..self }
    }
}

impl Path {
    pub(super) fn polygon(points: &[Point]) -> Self {
        let mut path = Self::default();
        for (index, at) in points.iter().enumerate() {
            if index == 0 { path.move_to(*at) } else { path.line_to(*at) }
        }
        path.close();
        path
    }

    pub(super) fn move_to(&mut self, at: Point) {
        self.command('M', &[at]);
    }

    pub(super) fn line_to(&mut self, at: Point) {
        self.command('L', &[at]);
    }

    pub(super) fn curve_to(&mut self, control: Point, at: Point) {
        self.command('Q', &[control, at]);
    }

    /// The lower half of an ellipse, from its left to its right.
    pub(super) fn lower_arc(&mut self, centre: Point, radius: Point) {
        self.arc(radius, centre.plus(radius.x, 0.0));
        self.cover(centre.plus(0.0, radius.y));
    }

    /// The upper half of an ellipse, from its right to its left.
    pub(super) fn upper_arc(&mut self, centre: Point, radius: Point) {
        self.arc(radius, centre.plus(-radius.x, 0.0));
        self.cover(centre.plus(0.0, -radius.y));
    }

    /// A part of an ellipse, counter-clockwise, shorter than a half.
    pub(super) fn short_arc(&mut self, radius: Point, to: Point) {
        self.arc(radius, to);
    }

    pub(super) fn ellipse(centre: Point, radius: Point) -> Self {
        let mut path = Self::default();
        path.move_to(centre.plus(-radius.x, 0.0));
        path.lower_arc(centre, radius);
        path.upper_arc(centre, radius);
        path.close();
        path
    }

    pub(super) fn close(&mut self) {
        self.data.push('Z');
    }

    fn arc(&mut self, radius: Point, to: Point) {
        self.data.push('A');
        push_number(&mut self.data, radius.x);
        self.data.push(' ');
        push_number(&mut self.data, radius.y);
        self.data.push_str(" 0 0 0 ");
        push_point(&mut self.data, to);
        self.cover(to);
    }

    fn command(&mut self, letter: char, points: &[Point]) {
        self.data.push(letter);
        for (index, at) in points.iter().enumerate() {
            if index > 0 {
                self.data.push(' ');
            }
            push_point(&mut self.data, *at);
            self.cover(*at);
        }
    }

    fn cover(&mut self, at: Point) {
        let spot = Rect { x0: at.x, y0: at.y, x1: at.x, y1: at.y };
        self.bounds = Some(self.bounds.map_or(spot, |bounds| bounds.union(spot)));
    }
}

impl Canvas {
    pub(super) fn finish(self) -> (String, Option<Rect>) {
        (self.out, self.bounds)
    }

    /// The sum of the areas of all filled shapes, in square pixels before the picture is reduced.
    pub(super) fn filled_px(&self) -> f64 {
        self.filled_px
    }

    /// The length of all texts.
    pub(super) fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// Includes a rectangle in the picture.
    pub(super) fn cover(&mut self, rect: Rect) {
        self.bounds = Some(self.bounds.map_or(rect, |bounds| bounds.union(rect)));
    }

    pub(super) fn path(&mut self, path: &Path, mut paint: Paint) {
        let Some(bounds) = path.bounds else { return };
        if paint.fill.is_some() {
            self.filled_px += bounds.width() * bounds.height();
        }
        if paint.dash.is_some() {
            self.dashed_px += bounds.width() + bounds.height();
            if self.dashed_px > DASHED_PX_MAX {
                paint.dash = None;
            }
        }
        let half = paint.stroke.map_or(0.0, |(_, width)| width / 2.0);
        self.cover(bounds.grown(half));
        self.out.push_str("<path d=\"");
        self.out.push_str(&path.data);
        self.out.push('"');
        self.paint(paint);
        self.out.push_str("/>");
    }

    pub(super) fn polygon(&mut self, points: &[Point], paint: Paint) {
        self.path(&Path::polygon(points), paint);
    }

    /// Draws a pictogram whose middle is the origin of `frame`.
    pub(super) fn glyph(&mut self, glyph: Glyph, frame: Frame, colour: Rgb) {
        self.out.push_str("<path d=\"");
        self.out.push_str(glyph);
        self.out.push('"');
        let scale = frame.scale / glyphs::SIDE;
        let half = frame.scale / 2.0;
        let Axes { across, down } = frame.axes;
        let origin = frame.origin.plus(-(across.x + down.x) * half, -(across.y + down.y) * half);
        self.transform(Frame { origin, axes: frame.axes, scale });
        self.paint(Paint::line(colour, 1.9));
        self.out.push_str("/>");
    }

    /// Draws one line of text in the axes of `frame`, whose scale is that of the text.
    pub(super) fn text(&mut self, text: &str, frame: Frame, style: Style) {
        self.out.push_str("<text");
        self.transform(frame);
        self.styled(text, style);
    }

    /// Draws one line of text towards the viewer.
    pub(super) fn upright_text(&mut self, text: &str, at: Point, style: Style) {
        self.out.push_str("<text x=\"");
        push_number(&mut self.out, at.x);
        self.out.push_str("\" y=\"");
        push_number(&mut self.out, at.y);
        self.out.push('"');
        self.styled(text, style);
    }

    /// Opens a group whose texts have an outline.
    pub(super) fn open_outlined(&mut self, colour: Rgb, width: f64) {
        self.out.push_str("<g paint-order=\"stroke\" stroke-linejoin=\"round\" stroke=\"");
        colour.push(&mut self.out);
        self.out.push_str("\" stroke-width=\"");
        push_number(&mut self.out, width);
        self.out.push_str("\">");
    }

    pub(super) fn open_faded(&mut self, percent: u32) {
        self.out.push_str("<g opacity=\"");
        push_percent(&mut self.out, percent);
        self.out.push_str("\">");
    }

    /// Opens a link. The caller checked its scheme.
    pub(super) fn open_link(&mut self, link: &str) {
        self.out.push_str("<a target=\"_blank\" rel=\"noopener\" href=\"");
        push_escaped(&mut self.out, link);
        self.out.push_str("\">");
    }

    pub(super) fn close_group(&mut self) {
        self.out.push_str("</g>");
    }

    pub(super) fn close_link(&mut self) {
        self.out.push_str("</a>");
    }

    /// The end of a text element.
    fn styled(&mut self, text: &str, style: Style) {
        self.text_bytes += text.len();
        self.style(style);
        push_escaped(&mut self.out, text);
        self.out.push_str("</text>");
    }

    fn style(&mut self, style: Style) {
        self.out.push_str(" font-size=\"");
        push_number(&mut self.out, style.size_px);
        self.out.push('"');
        if style.weight == Weight::Semibold {
            self.out.push_str(" font-weight=\"600\"");
        }
        match style.align {
            Align::Start => {},
            Align::Middle => self.out.push_str(" text-anchor=\"middle\""),
            Align::End => self.out.push_str(" text-anchor=\"end\""),
        }
        self.out.push_str(" fill=\"");
        style.colour.push(&mut self.out);
        self.out.push_str("\">");
    }

    fn transform(&mut self, frame: Frame) {
        let Frame { origin, axes, scale } = frame;
        self.out.push_str(" transform=\"matrix(");
        for number in [axes.across.x, axes.across.y, axes.down.x, axes.down.y] {
            push_precise(&mut self.out, number * scale);
            self.out.push(' ');
        }
        push_point(&mut self.out, origin);
        self.out.push_str(")\"");
    }

    fn paint(&mut self, paint: Paint) {
        self.out.push_str(" fill=\"");
        match paint.fill {
            Some((colour, percent)) => {
                colour.push(&mut self.out);
                if percent < 100 {
                    self.out.push_str("\" fill-opacity=\"");
                    push_percent(&mut self.out, percent);
                }
            },
            None => self.out.push_str("none"),
        }
        self.out.push('"');
        if let Some((colour, width)) = paint.stroke {
            self.out.push_str(" stroke=\"");
            colour.push(&mut self.out);
            self.out.push_str("\" stroke-width=\"");
            push_number(&mut self.out, width);
            self.out.push('"');
        }
        if let Some((dash, gap)) = paint.dash {
            self.out.push_str(" stroke-dasharray=\"");
            push_number(&mut self.out, dash);
            self.out.push(' ');
            push_number(&mut self.out, gap);
            self.out.push('"');
        }
    }
}
