//! Draws components: bodies with three visible faces in the isometric projection, tiles in the flat one.

use std::f64::consts::FRAC_1_SQRT_2;

use super::blueprint::{Body, Component};
use super::canvas::{Align, Canvas, Frame, Paint, Path, Style};
use super::colour::Rgb;
use super::glyphs::{self, Glyph};
use super::kinds::{Kind, Solid};
use super::lettering::Weight;
use super::plane::{Facing, Point, Rect, UNIT_PX, View, point};
use super::theme::Palette;

/// The distance of a body from the edge of its ground, in grid units.
const INSET: f64 = 0.14;
/// The radius of a bucket's bottom, as a part of that of its top.
const BOTTOM: f64 = 0.72;
/// The half axes of a circle with a radius of one grid unit.
const CIRCLE: Point = point(UNIT_PX * 1.224_744_871_391_589, UNIT_PX * FRAC_1_SQRT_2);

/// Draws components in one projection and one theme.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sculptor<'a> {
    pub view: View,
    pub palette: &'a Palette,
}

/// The colours of a body.
#[derive(Debug, Clone, Copy)]
struct Skin {
    top: Rgb,
    left: Rgb,
    right: Rgb,
    edge: Rgb,
    accent: Rgb,
    mark: Rgb,
}

/// What is drawn on a body.
#[derive(Debug, Clone, Copy)]
enum Mark<'a> {
    Glyph(Glyph),
    Letters(&'a str),
}

impl Sculptor<'_> {
    pub(super) fn draw(self, component: &Component<'_>, canvas: &mut Canvas) {
        if let Some(link) = component.link {
            canvas.open_link(link);
        }
        if component.is_transparent {
            canvas.open_faded(55);
        }
        match component.body {
            Body::Solid(kind) if self.view.is_flat => self.tile(component, kind, canvas),
            Body::Solid(kind) => self.solid(component, kind, canvas),
            Body::Icon(glyph, facing) => self.icon(component, glyph, facing, canvas),
            Body::Picture(facing) => self.picture(component, facing, canvas),
        }
        if component.is_transparent {
            canvas.close_group();
        }
        if component.link.is_some() {
            canvas.close_link();
        }
    }

    /// The shadow of a body on the ground.
    pub(super) fn shadow(self, component: &Component<'_>, canvas: &mut Canvas) {
        let Body::Solid(kind) = component.body else { return };
        let paint = Paint::tint(Rgb::hex(0), self.palette.shadow_percent);
        if self.view.is_flat {
            return;
        }
        let ground = component.ground;
        match kind.solid {
            Solid::Cylinder | Solid::Bucket => {
                let (centre, radius) = round(ground);
                let at = self.view.at(centre.x + 0.12, centre.y + 0.06, 0.0);
                let factor =
                    if kind.solid == Solid::Bucket { radius * BOTTOM } else { radius } + 0.1;
                canvas.path(&Path::ellipse(at, point(CIRCLE.x * factor, CIRCLE.y * factor)), paint);
            },
            Solid::Server | Solid::Cube | Solid::Slab => {
                let rect = ground.grown(-INSET + 0.1);
                let rect = Rect { x0: rect.x0 + 0.1, x1: rect.x1 + 0.1, ..rect };
                canvas.polygon(&rect.corners().map(|at| self.view.at(at.x, at.y, 0.0)), paint);
            },
        }
    }

    fn solid(self, component: &Component<'_>, kind: Kind, canvas: &mut Canvas) {
        let skin = self.skin(component, kind);
        let mark = mark(component, kind);
        match kind.solid {
            Solid::Cylinder => self.cylinder(component, skin, mark, canvas),
            Solid::Bucket => self.bucket(component, skin, mark, canvas),
            Solid::Server | Solid::Cube | Solid::Slab => {
                let ground = component.ground.grown(-INSET);
                self.box_faces(ground, component.height, skin, canvas);
                if kind.solid == Solid::Server {
                    self.slots(ground, component.height, skin, canvas);
                }
                if component.title.is_empty() && component.detail.is_empty() {
                    return;
                }
                let top = ground.grown(-0.24);
                if top.width() > 0.2 && top.height() > 0.2 {
                    let plate = self.rounded(top, component.height, 0.22);
                    canvas.path(&plate, Paint::fill(skin.accent));
                }
                let side = top.width().min(top.height()).clamp(0.0, 1.6);
                let at = ground.centre();
                draw_mark(
                    mark,
                    self.on_top(at, component.height),
                    (side * 0.74, skin.mark),
                    canvas,
                );
            },
        }
    }

    fn box_faces(self, ground: Rect, height: f64, skin: Skin, canvas: &mut Canvas) {
        let at = |x: f64, y: f64, z: f64| self.view.at(x, y, z);
        let Rect { x0, y0, x1, y1 } = ground;
        let left = [at(x0, y1, height), at(x1, y1, height), at(x1, y1, 0.0), at(x0, y1, 0.0)];
        let right = [at(x1, y1, height), at(x1, y0, height), at(x1, y0, 0.0), at(x1, y1, 0.0)];
        let top = ground.corners().map(|corner| at(corner.x, corner.y, height));
        canvas.polygon(&left, Paint::fill(skin.left).edged(skin.edge, 0.8));
        canvas.polygon(&right, Paint::fill(skin.right).edged(skin.edge, 0.8));
        canvas.polygon(&top, Paint::fill(skin.top).edged(skin.edge, 0.8));
    }

    /// Two slots on both visible sides of a box, and a light.
    fn slots(self, ground: Rect, height: f64, skin: Skin, canvas: &mut Canvas) {
        let Rect { x0, y0, x1, y1 } = ground;
        for share in [0.36, 0.66] {
            let z = height * share;
            let mut slots = Path::default();
            slots.move_to(self.view.at(x0 + 0.22, y1, z));
            slots.line_to(self.view.at(x1 - 0.22, y1, z));
            slots.move_to(self.view.at(x1, y1 - 0.22, z));
            slots.line_to(self.view.at(x1, y0 + 0.62, z));
            canvas.path(&slots, Paint::line(skin.edge, 1.6));
            let mut light = Path::default();
            light.move_to(self.view.at(x1, y0 + 0.42, z));
            light.line_to(self.view.at(x1, y0 + 0.24, z));
            canvas.path(&light, Paint::line(skin.accent, 2.6));
        }
    }

    fn cylinder(self, component: &Component<'_>, skin: Skin, mark: Mark<'_>, canvas: &mut Canvas) {
        let (centre, size) = round(component.ground);
        let radius = point(CIRCLE.x * size, CIRCLE.y * size);
        let level = |z: f64| self.view.at(centre.x, centre.y, z);
        let height = component.height;
        canvas.path(
            &wall(level(0.0), radius, level(height), radius),
            Paint::fill(skin.left).edged(skin.edge, 0.8),
        );
        canvas.path(&shade(level(0.0), radius, level(height), radius), Paint::fill(skin.right));
        for share in [0.36, 0.68] {
            let mut band = Path::default();
            let at = level(height * share);
            let inner = point(radius.x - 1.2, radius.y);
            band.move_to(at.plus(-inner.x, 0.0));
            band.lower_arc(at, inner);
            canvas.path(&band, Paint::line(skin.accent, 2.6));
        }
        canvas.path(
            &Path::ellipse(level(height), radius),
            Paint::fill(skin.top).edged(skin.edge, 0.8),
        );
        let disc = point(radius.x * 0.8, radius.y * 0.8);
        canvas.path(&Path::ellipse(level(height), disc), Paint::fill(skin.accent));
        draw_mark(mark, self.on_top(centre, height), (size * 0.98, skin.mark), canvas);
    }

    fn bucket(self, component: &Component<'_>, skin: Skin, mark: Mark<'_>, canvas: &mut Canvas) {
        let (centre, size) = round(component.ground);
        let (upper, lower) = (size, size * BOTTOM);
        let radius = |size: f64| point(CIRCLE.x * size, CIRCLE.y * size);
        let height = component.height;
        let (top, bottom) =
            (self.view.at(centre.x, centre.y, height), self.view.at(centre.x, centre.y, 0.0));
        canvas.path(
            &wall(bottom, radius(lower), top, radius(upper)),
            Paint::fill(skin.left).edged(skin.edge, 0.8),
        );
        canvas.path(&shade(bottom, radius(lower), top, radius(upper)), Paint::fill(skin.right));
        canvas
            .path(&Path::ellipse(top, radius(upper)), Paint::fill(skin.top).edged(skin.edge, 0.8));
        let opening = radius(upper * 0.84);
        canvas.path(&Path::ellipse(top, opening), Paint::fill(skin.accent));
        draw_mark(mark, self.on_top(centre, height), (size * 1.0, skin.mark), canvas);
    }

    fn tile(self, component: &Component<'_>, kind: Kind, canvas: &mut Canvas) {
        let own = component.colours.flat;
        let colour = own.unwrap_or(kind.accent);
        let accent = component.accents.flat.filter(|_| own.is_some());
        let mark_colour =
            accent.map_or_else(|| colour.text_on(), |one| one.visible_on(colour, 230));
        let ground = component.ground.grown(-INSET);
        let edge = colour.mix(self.palette.shade, 28);
        canvas.path(&self.rounded(ground, 0.0, 0.26), Paint::fill(colour).edged(edge, 1.0));
        if component.title.is_empty() && component.detail.is_empty() {
            return;
        }
        let side = ground.width().min(ground.height()).clamp(0.0, 2.0);
        let frame = self.on_top(ground.centre(), 0.0);
        draw_mark(mark(component, kind), frame, (side * 0.58, mark_colour), canvas);
    }

    fn icon(
        self,
        component: &Component<'_>,
        glyph: Option<Glyph>,
        facing: Facing,
        canvas: &mut Canvas,
    ) {
        let size = component.ground.width();
        let colours = (component.colours, component.accents);
        let (own, back) = if self.view.is_flat {
            (colours.0.flat, colours.1.flat)
        } else {
            (colours.0.isometric, colours.1.isometric)
        };
        let at = component.ground.centre();
        let lift = if matches!(facing, Facing::WallX | Facing::WallY) { size / 2.0 } else { 0.0 };
        let origin = self.view.at(at.x, at.y, lift);
        let axes = self.view.axes(facing);
        let frame = Frame { origin, axes, scale: 1.0 };
        let behind = back.unwrap_or(self.palette.background);
        if let Some(back) = back {
            canvas.path(&disc(frame, size * UNIT_PX * 0.42), Paint::fill(back));
        }
        let colour = own.unwrap_or(self.palette.text).visible_on(behind, 230);
        let side = size * if back.is_some() { 0.46 } else { 0.72 };
        let letters = component.abbreviation.as_str();
        let mark = glyph.map_or(Mark::Letters(letters), Mark::Glyph);
        draw_mark(mark, frame, (side, colour), canvas);
    }

    /// A frame with the pictogram of a picture.
    fn picture(self, component: &Component<'_>, facing: Facing, canvas: &mut Canvas) {
        let size = component.ground.width();
        let at = component.ground.centre();
        let lift = if matches!(facing, Facing::WallX | Facing::WallY) { size / 2.0 } else { 0.0 };
        let frame = Frame {
            origin: self.view.at(at.x, at.y, lift),
            axes: self.view.axes(facing),
            scale: 1.0,
        };
        let half = size * UNIT_PX * 0.46;
        let corners = Rect { x0: -half, y0: -half, x1: half, y1: half }.corners();
        let corners = corners.map(|corner| on_axes(frame, corner));
        let paint = Paint::tint(self.palette.detail, 10).edged(self.palette.detail, 1.2);
        canvas.polygon(&corners, Paint { dash: Some((5.0, 4.0)), ..paint });
        draw_mark(Mark::Glyph(glyphs::PICTURE), frame, (size * 0.4, self.palette.detail), canvas);
    }

    fn on_top(self, at: Point, height: f64) -> Frame {
        let axes = self.view.axes(Facing::AlongX);
        Frame { origin: self.view.at(at.x, at.y, height), axes, scale: 1.0 }
    }

    /// A rectangle of the plane with round corners.
    pub(super) fn rounded(self, rect: Rect, height: f64, radius: f64) -> Path {
        let radius = radius.min(rect.width() / 2.0).min(rect.height() / 2.0);
        let at = |x: f64, y: f64| self.view.at(x, y, height);
        let Rect { x0, y0, x1, y1 } = rect;
        let mut path = Path::default();
        path.move_to(at(x0 + radius, y0));
        path.line_to(at(x1 - radius, y0));
        path.curve_to(at(x1, y0), at(x1, y0 + radius));
        path.line_to(at(x1, y1 - radius));
        path.curve_to(at(x1, y1), at(x1 - radius, y1));
        path.line_to(at(x0 + radius, y1));
        path.curve_to(at(x0, y1), at(x0, y1 - radius));
        path.line_to(at(x0, y0 + radius));
        path.curve_to(at(x0, y0), at(x0 + radius, y0));
        path.close();
        path
    }

    fn skin(self, component: &Component<'_>, kind: Kind) -> Skin {
        let own = component.colours.isometric;
        let body = own.unwrap_or(self.palette.body);
        let accent = component.accents.isometric.unwrap_or(kind.accent);
        let shade = self.palette.shade;
        Skin {
            top: body,
            left: body.mix(shade, 13),
            right: body.mix(shade, 26),
            edge: body.mix(shade, 42),
            accent,
            mark: accent.text_on(),
        }
    }
}

/// Draws a pictogram of `side` grid units, or letters.
fn draw_mark(mark: Mark<'_>, frame: Frame, (side, colour): (f64, Rgb), canvas: &mut Canvas) {
    match mark {
        Mark::Glyph(glyph) => {
            canvas.glyph(glyph, Frame { scale: side * UNIT_PX, ..frame }, colour);
        },
        Mark::Letters(letters) => {
            let count = u32::try_from(letters.chars().count().max(2)).unwrap_or(4);
            let size_px = side * UNIT_PX * 1.35 / f64::from(count);
            let origin = on_axes(frame, point(0.0, size_px * 0.36));
            let align = Align::Middle;
            let style = Style { weight: Weight::Semibold, size_px, colour, align };
            canvas.text(letters, Frame { origin, ..frame }, style);
        },
    }
}

fn mark<'a>(component: &'a Component<'_>, kind: Kind) -> Mark<'a> {
    kind.glyph.map_or(Mark::Letters(component.abbreviation.as_str()), Mark::Glyph)
}

/// How much of the ground behind a component its body hides, in grid units, seen along an axis of the plane.
///
/// A box hides as much as it is high. Of a round body, each slice is moved back by its height: the farthest point of
/// the moved circles counts.
pub(super) fn hides(kind: Kind, component: &Component<'_>) -> f64 {
    match kind.solid {
        Solid::Server | Solid::Cube | Solid::Slab => component.height,
        Solid::Cylinder | Solid::Bucket => {
            let (_, radius) = round(component.ground);
            let back = component.height.min(radius * FRAC_1_SQRT_2);
            (back + (radius * radius - back * back).sqrt() - radius - INSET).max(0.0)
        },
    }
}

/// The middle and the radius of a round body.
fn round(ground: Rect) -> (Point, f64) {
    (ground.centre(), ground.width().min(ground.height()) / 2.0 - INSET)
}

/// The visible wall of a round body.
fn wall(bottom: Point, lower: Point, top: Point, upper: Point) -> Path {
    let mut path = Path::default();
    path.move_to(bottom.plus(-lower.x, 0.0));
    path.lower_arc(bottom, lower);
    path.line_to(top.plus(upper.x, 0.0));
    path.upper_arc(top, upper);
    path.close();
    path
}

/// The shaded right part of the wall of a round body.
fn shade(bottom: Point, lower: Point, top: Point, upper: Point) -> Path {
    // A third of the way from the middle to the right: cos 60° is a half, and sin 60° is 0.866.
    let part = |at: Point, radius: Point| at.plus(radius.x * 0.5, radius.y * 0.866_025_4);
    let mut path = Path::default();
    path.move_to(part(bottom, lower));
    path.short_arc(lower, bottom.plus(lower.x, 0.0));
    path.line_to(top.plus(upper.x, 0.0));
    path.line_to(part(top, upper));
    path.close();
    path
}

fn on_axes(frame: Frame, at: Point) -> Point {
    let (across, down) = (frame.axes.across, frame.axes.down);
    frame.origin.plus(across.x * at.x + down.x * at.y, across.y * at.x + down.y * at.y)
}

/// A circle on the axes of a frame, as four curves.
fn disc(frame: Frame, radius: f64) -> Path {
    // The distance of the control points of a circle of eight quadratic curves: tan 22.5°.
    let near = radius * 0.414_213_562;
    let part = radius * FRAC_1_SQRT_2;
    let ring = [
        (point(radius, near), point(part, part)),
        (point(near, radius), point(0.0, radius)),
        (point(-near, radius), point(-part, part)),
        (point(-radius, near), point(-radius, 0.0)),
        (point(-radius, -near), point(-part, -part)),
        (point(-near, -radius), point(0.0, -radius)),
        (point(near, -radius), point(part, -part)),
        (point(radius, -near), point(radius, 0.0)),
    ];
    let mut path = Path::default();
    path.move_to(on_axes(frame, point(radius, 0.0)));
    for (control, end) in ring {
        path.curve_to(on_axes(frame, control), on_axes(frame, end));
    }
    path.close();
    path
}
