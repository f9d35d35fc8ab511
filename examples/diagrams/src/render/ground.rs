//! Draws what lies on the plane: surfaces, grounds of groups, connectors and texts.

use super::blueprint::{Edge, Enclosure, Surface, Text};
use super::canvas::{Align, Canvas, Frame, Paint, Path, Style};
use super::colour::{Colours, Rgb};
use super::enclosures::{Enclosed, TAB_DEPTH};
use super::labels::Crowd;
use super::lettering::{Lettering, Weight};
use super::plane::{Facing, Point, Rect, UNIT_PX, bounds, point};
use super::solids::Sculptor;

/// The font size of a group's name.
const TAB_PX: f64 = 15.5;
/// The radius of the corners of connectors, in grid units.
const BEND: f64 = 0.32;
/// The contrast with the background, in percent, that lines have at least.
const LINE_CONTRAST: u32 = 190;

/// Draws on the plane in one projection and one theme.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surveyor<'a> {
    pub sculptor: Sculptor<'a>,
    pub lettering: &'a Lettering,
}

impl Surveyor<'_> {
    fn own(self, colours: Colours) -> Option<Rgb> {
        if self.sculptor.view.is_flat { colours.flat } else { colours.isometric }
    }

    fn at(self, place: Point) -> Point {
        self.sculptor.view.at(place.x, place.y, 0.0)
    }

    pub(super) fn surface(self, surface: &Surface, canvas: &mut Canvas) {
        let palette = self.sculptor.palette;
        let points: Vec<Point> = surface.points.iter().map(|corner| self.at(*corner)).collect();
        if surface.has_shadow {
            let shadow: Vec<Point> = points.iter().map(|corner| corner.plus(4.0, 6.0)).collect();
            canvas.polygon(&shadow, Paint::tint(Rgb::hex(0), palette.shadow_percent));
        }
        if surface.is_zone {
            let colour = self.own(surface.colours).unwrap_or(palette.detail);
            let line = colour.visible_on(palette.background, LINE_CONTRAST);
            let paint = Paint::tint(line, palette.tint_percent)
                .edged(line.mix(palette.background, 45), 1.2);
            canvas.polygon(&points, paint);
        } else {
            let colour = self.own(surface.colours).unwrap_or(Rgb::hex(0x00e6_e7e8));
            let border = self.own(surface.borders).unwrap_or(palette.background);
            // A light area would outshine everything on a dark background.
            let is_glaring = palette.background.is_dark() && !colour.is_dark();
            let dim = |one: Rgb| if is_glaring { one.mix(palette.background, 80) } else { one };
            canvas.polygon(&points, Paint::fill(dim(colour)).edged(dim(border), 2.0));
        }
        if let Some(around) =
            bounds(surface.points.iter().copied()).filter(|_| !surface.name.is_empty())
        {
            let style = name_style(palette.detail);
            let place = self.name_place(around);
            self.plane_text(&surface.name, place, style, canvas);
        }
    }

    /// The ground of a group with its outline.
    pub(super) fn enclosure(self, enclosed: &Enclosed<'_>, canvas: &mut Canvas) {
        let palette = self.sculptor.palette;
        let colour = self.group_colour(enclosed);
        let (width, dash) = match enclosed.group.enclosure {
            Enclosure::Region => (1.6, Some((2.0, 4.0))),
            Enclosure::Network => (2.0, None),
            Enclosure::Subnet => (1.4, None),
            Enclosure::Scaling => (1.6, Some((8.0, 5.0))),
            Enclosure::Security => (1.4, Some((4.0, 3.0))),
        };
        let percent = match enclosed.group.enclosure {
            Enclosure::Region => palette.tint_percent / 3,
            Enclosure::Network | Enclosure::Subnet => palette.tint_percent,
            Enclosure::Scaling | Enclosure::Security => palette.tint_percent / 2,
        };
        let path = self.sculptor.rounded(enclosed.ground, 0.0, 0.35);
        canvas.path(&path, Paint { dash, ..Paint::tint(colour, percent).edged(colour, width) });
    }

    /// The name of a group, on a tab in its front corner, or at its top if the diagram is flat.
    pub(super) fn tab(self, enclosed: &Enclosed<'_>, canvas: &mut Canvas, crowd: &mut Crowd) {
        let (name, ground) = (enclosed.group.name.as_str(), enclosed.ground);
        let room = ground.width() - 0.5;
        if name.is_empty() || room < 0.8 {
            return;
        }
        let colour = self.group_colour(enclosed);
        let text = self.lettering.fitted(name, Weight::Semibold, TAB_PX, room * UNIT_PX - 16.0);
        let width = self.lettering.width(&text, Weight::Semibold, TAB_PX) / UNIT_PX + 0.56;
        let top = if self.sculptor.view.is_flat { ground.y0 } else { ground.y1 - TAB_DEPTH };
        let tab = Rect::of_size(ground.x0, top, width, TAB_DEPTH);
        canvas.path(&self.sculptor.rounded(tab, 0.0, 0.2), Paint::fill(colour));
        let style = name_style(colour.text_on());
        let at = point(tab.x0 + 0.28, tab.y0 + TAB_DEPTH * 0.5 + TAB_PX * 0.36 / UNIT_PX);
        self.plane_text(&text, (at, width), style, canvas);
        let mut x = tab.x0;
        while x < tab.x1 {
            let piece = Rect { x0: x, x1: (x + 0.5).min(tab.x1), ..tab };
            if let Some(rect) = bounds(piece.corners().map(|corner| self.at(corner))) {
                crowd.take(rect, 3.0);
            }
            x += 0.5;
        }
    }

    /// A connector with round corners and an arrow.
    pub(super) fn connector(self, edge: &Edge, way: &[Point], canvas: &mut Canvas) {
        let palette = self.sculptor.palette;
        let [.., before, tip] = way else { return };
        let own =
            self.own(edge.colours).map(|own| own.visible_on(palette.background, LINE_CONTRAST));
        let colour = own.unwrap_or(palette.line);
        let direction = unit(*before, *tip);
        let long = 0.26 + edge.width_px * 0.055;
        let wide = 0.1 + edge.width_px * 0.032;
        let neck = if edge.has_arrow {
            tip.plus(-direction.x * long * 0.8, -direction.y * long * 0.8)
        } else {
            *tip
        };
        let mut path = Path::default();
        for (index, corner) in way.iter().enumerate() {
            let previous = index.checked_sub(1).and_then(|index| way.get(index));
            match (previous, way.get(index + 1)) {
                (None, _) => path.move_to(self.at(*corner)),
                (Some(_), None) => path.line_to(self.at(neck)),
                (Some(previous), Some(next)) => {
                    let radius = BEND
                        .min(length(*previous, *corner) / 2.0)
                        .min(length(*corner, *next) / 2.0);
                    let (back, on) = (unit(*corner, *previous), unit(*corner, *next));
                    path.line_to(self.at(corner.plus(back.x * radius, back.y * radius)));
                    path.curve_to(
                        self.at(*corner),
                        self.at(corner.plus(on.x * radius, on.y * radius)),
                    );
                },
            }
        }
        let dash = edge.is_dashed.then_some((edge.width_px * 3.5, edge.width_px * 2.5));
        canvas.path(&path, Paint { dash, ..Paint::line(colour, edge.width_px) });
        if edge.has_arrow {
            let base = tip.plus(-direction.x * long, -direction.y * long);
            let (across, along) = (direction.y * wide, direction.x * wide);
            let head = [*tip, base.plus(across, -along), base.plus(-across, along)];
            canvas.polygon(
                &head.map(|corner| self.at(corner)),
                Paint::fill(colour).edged(colour, 0.8),
            );
        }
    }

    /// A free text.
    pub(super) fn text(self, text: &Text, canvas: &mut Canvas) {
        let palette = self.sculptor.palette;
        let size_px = text.size * UNIT_PX;
        let colour =
            self.own(text.colours).unwrap_or(palette.text).visible_on(palette.background, 300);
        let style = Style { weight: Weight::Semibold, size_px, colour, align: Align::Start };
        if text.is_outlined {
            canvas.open_outlined(palette.background, (size_px * 0.2).min(6.0));
        }
        let axes = self.sculptor.view.axes(text.facing);
        let mut origin = self.at(text.at);
        let corner = origin;
        let mut widest = 0.0_f64;
        for line in &text.lines {
            origin = origin.plus(axes.down.x * size_px * 1.2, axes.down.y * size_px * 1.2);
            widest = widest.max(self.lettering.width(line, Weight::Semibold, size_px));
            canvas.text(line, Frame { origin, axes, scale: 1.0 }, style);
        }
        if text.is_outlined {
            canvas.close_group();
        }
        let end = origin.plus(axes.down.x * size_px * 0.3, axes.down.y * size_px * 0.3);
        let across = point(axes.across.x * widest, axes.across.y * widest);
        let corners = [corner, end, corner.plus(across.x, across.y), end.plus(across.x, across.y)];
        if let Some(around) = bounds(corners).filter(|_| !text.lines.is_empty()) {
            canvas.cover(around);
        }
    }

    fn group_colour(self, enclosed: &Enclosed<'_>) -> Rgb {
        let palette = self.sculptor.palette;
        let default = match enclosed.group.enclosure {
            Enclosure::Region => Rgb::hex(0x0064_718c),
            Enclosure::Network => Rgb::hex(0x0003_8fd0),
            Enclosure::Subnet => Rgb::hex(0x002f_9a55),
            Enclosure::Scaling => Rgb::hex(0x00e0_941b),
            Enclosure::Security => Rgb::hex(0x00d2_4545),
        };
        let colour = self.own(enclosed.group.colours).unwrap_or(default);
        colour.visible_on(palette.background, LINE_CONTRAST)
    }

    /// The place of a name in a rectangle and the room for it.
    fn name_place(self, around: Rect) -> (Point, f64) {
        let room = around.width() - 0.6;
        if self.sculptor.view.is_flat {
            return (point(around.x0 + 0.3, around.y0 + 0.55), room);
        }
        (point(around.x0 + 0.3, around.y1 - 0.25), room)
    }

    fn plane_text(self, text: &str, (at, room): (Point, f64), style: Style, canvas: &mut Canvas) {
        let text = self.lettering.fitted(text, style.weight, style.size_px, room * UNIT_PX);
        let axes = self.sculptor.view.axes(Facing::AlongX);
        canvas.text(&text, Frame { origin: self.at(at), axes, scale: 1.0 }, style);
    }
}

fn name_style(colour: Rgb) -> Style {
    Style { weight: Weight::Semibold, size_px: TAB_PX, colour, align: Align::Start }
}

fn length(from: Point, to: Point) -> f64 {
    (from.x - to.x).abs() + (from.y - to.y).abs()
}

/// The direction between two points of a line along an axis.
fn unit(from: Point, to: Point) -> Point {
    let length = length(from, to);
    if length < 1e-9 {
        return point(1.0, 0.0);
    }
    point((to.x - from.x) / length, (to.y - from.y) / length)
}
