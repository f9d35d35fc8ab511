//! The grid plane of a diagram, and where its points are on the screen.

/// The length of one grid unit on the screen, in pixels at scale 1.
pub(super) const UNIT_PX: f64 = 40.0;
/// The cosine of 30°.
const COS_30: f64 = 0.866_025_403_784_438_6;
/// The sine of 30°.
const SIN_30: f64 = 0.5;

/// A point of the screen in pixels, or of the plane in grid units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub x: f64,
    pub y: f64,
}

/// An upright rectangle of the screen or of the plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub x0: f64,
    pub y0: f64,
    pub x1: f64,
    pub y1: f64,
}

/// A direction on the plane, or on a wall that stands on the plane, along which texts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Facing {
    /// On the ground, along the x axis.
    AlongX,
    /// On the ground, along the y axis, away from the viewer.
    AlongY,
    /// On a wall along the x axis.
    WallX,
    /// On a wall along the y axis.
    WallY,
    /// Towards the viewer.
    Screen,
}

/// How the plane is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub is_flat: bool,
}

/// The first four numbers of an SVG matrix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axes {
    pub across: Point,
    pub down: Point,
}

pub(super) const fn point(x: f64, y: f64) -> Point {
    Point { x, y }
}

impl Point {
    pub(super) fn plus(self, x: f64, y: f64) -> Self {
        point(self.x + x, self.y + y)
    }
}

impl View {
    /// The screen position of a point of the plane, `height` grid units above it.
    pub(super) fn at(self, x: f64, y: f64, height: f64) -> Point {
        if self.is_flat {
            return point(x * UNIT_PX, y * UNIT_PX);
        }
        point((x - y) * COS_30 * UNIT_PX, ((x + y) * SIN_30 - height) * UNIT_PX)
    }

    /// The point of the plane under a point of the screen.
    pub(super) fn under(self, screen: Point) -> Point {
        let (right, down) = (screen.x / UNIT_PX, screen.y / UNIT_PX);
        if self.is_flat {
            return point(right, down);
        }
        let (difference, sum) = (right / COS_30, down / SIN_30);
        point(f64::midpoint(sum, difference), f64::midpoint(sum, -difference))
    }

    /// The matrix that draws upright shapes in a direction. One pixel of the shape is one pixel on the
    /// axes of the plane.
    pub(super) fn axes(self, facing: Facing) -> Axes {
        let upright = Axes { across: point(1.0, 0.0), down: point(0.0, 1.0) };
        if self.is_flat {
            return upright;
        }
        let (x, y) = (point(COS_30, SIN_30), point(-COS_30, SIN_30));
        let away = point(COS_30, -SIN_30);
        match facing {
            Facing::AlongX => Axes { across: x, down: y },
            Facing::AlongY => Axes { across: away, down: x },
            Facing::WallX => Axes { across: x, down: upright.down },
            Facing::WallY => Axes { across: away, down: upright.down },
            Facing::Screen => upright,
        }
    }
}

impl Rect {
    pub(super) fn of_size(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self { x0: x, y0: y, x1: x + width, y1: y + height }
    }

    pub(super) fn grown(self, by: f64) -> Self {
        Self { x0: self.x0 - by, y0: self.y0 - by, x1: self.x1 + by, y1: self.y1 + by }
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
        }
    }

    pub(super) fn width(self) -> f64 {
        self.x1 - self.x0
    }

    pub(super) fn height(self) -> f64 {
        self.y1 - self.y0
    }

    pub(super) fn centre(self) -> Point {
        point(f64::midpoint(self.x0, self.x1), f64::midpoint(self.y0, self.y1))
    }

    /// The area that two rectangles share.
    pub(super) fn overlap(self, other: Self) -> f64 {
        let width = self.x1.min(other.x1) - self.x0.max(other.x0);
        let height = self.y1.min(other.y1) - self.y0.max(other.y0);
        if width <= 0.0 || height <= 0.0 { 0.0 } else { width * height }
    }

    pub(super) fn corners(self) -> [Point; 4] {
        [
            point(self.x0, self.y0),
            point(self.x1, self.y0),
            point(self.x1, self.y1),
            point(self.x0, self.y1),
        ]
    }
}

/// The smallest rectangle around points; none without a point.
pub(super) fn bounds(points: impl IntoIterator<Item = Point>) -> Option<Rect> {
    points.into_iter().map(|at| Rect { x0: at.x, y0: at.y, x1: at.x, y1: at.y }).reduce(Rect::union)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_of_the_screen_is_found_on_the_plane() {
        for is_flat in [false, true] {
            let view = View { is_flat };
            let back = view.under(view.at(3.25, -7.5, 0.0));
            assert!((back.x - 3.25).abs() < 1e-9 && (back.y + 7.5).abs() < 1e-9, "{back:?}");
        }
    }

    #[test]
    fn the_isometric_projection_is_the_stated_one() {
        let at = View { is_flat: false }.at(3.0, 1.0, 0.5);
        assert!((at.x - 2.0 * COS_30 * UNIT_PX).abs() < 1e-9, "{at:?}");
        assert!((at.y - 1.5 * UNIT_PX).abs() < 1e-9, "{at:?}");
    }
}
