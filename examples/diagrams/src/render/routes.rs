//! The ways of connectors: orthogonal lines on the grid plane, from the middle of a component to the side of
//! another one.
//!
//! For each connector a few ways are compared: straight, with one corner, with two, and around both components.
//! The cost of a way is its length, its corners, the components and lines under it and the lines that it crosses.
//! Lines with a common end may share a way.

use super::limits::ROUTE_STEPS_MAX;
use super::plane::{Point, Rect, point};

/// The cost of a corner, in grid units.
const CORNER: f64 = 1.2;
/// The cost of a component under a line.
const HIT: f64 = 40.0;
/// The cost of another connector's line under a line.
const SHARED: f64 = 7.0;
/// The cost of crossing a line.
const CROSSING: f64 = 0.9;
/// The cost of a label under a line.
const LABEL: f64 = 2.4;
/// The distance of a way around from the components.
const DETOUR: f64 = 1.0;
/// The distance of an arrow's tip from the visible side of a component.
const GAP: f64 = 0.05;

/// What connectors go around.
#[derive(Debug, Clone, Copy)]
pub(super) struct Obstacle {
    pub ground: Rect,
    /// How much of the ground behind the component is hidden, in grid units. Zero in a flat diagram.
    pub hides: f64,
    /// Where the component's label probably is.
    pub label: Rect,
}

/// The ends of a connector: places in the list of obstacles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub from: usize,
    pub to: usize,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    from: Point,
    to: Point,
}

#[derive(Debug)]
struct Router<'a> {
    obstacles: &'a [Obstacle],
    laid: Vec<(Segment, Ends)>,
    steps: u32,
}

/// The way of each connector, from its start to the tip of its arrow. A connector without room has none.
pub(super) fn route(obstacles: &[Obstacle], edges: &[Ends]) -> Vec<Vec<Point>> {
    let mut router = Router { obstacles, laid: Vec::new(), steps: 0 };
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_by(|one, two| {
        let distance = |index: &usize| edges.get(*index).map_or(0.0, |ends| router.distance(*ends));
        distance(one).total_cmp(&distance(two))
    });
    let mut ways = vec![Vec::new(); edges.len()];
    for index in order {
        let (Some(ends), Some(way)) = (edges.get(index), ways.get_mut(index)) else { continue };
        *way = router.lay(*ends);
    }
    ways
}

impl Router<'_> {
    fn distance(&self, ends: Ends) -> f64 {
        let (Some(from), Some(to)) = (self.obstacles.get(ends.from), self.obstacles.get(ends.to))
        else {
            return 0.0;
        };
        let (from, to) = (from.ground.centre(), to.ground.centre());
        (from.x - to.x).abs() + (from.y - to.y).abs()
    }

    fn lay(&mut self, ends: Ends) -> Vec<Point> {
        let (Some(from), Some(to)) = (self.obstacles.get(ends.from), self.obstacles.get(ends.to))
        else {
            return Vec::new();
        };
        let ways = ways(*from, *to);
        let mut priced: Vec<(f64, Vec<Point>)> =
            ways.into_iter().map(|way| (base_cost(&way), way)).collect();
        priced.sort_by(|one, two| one.0.total_cmp(&two.0));
        let mut best: Option<(f64, Vec<Point>)> = None;
        for (base, way) in priced {
            let is_beaten = best.as_ref().is_some_and(|(cost, _)| *cost <= base);
            if is_beaten || (best.is_some() && self.steps > ROUTE_STEPS_MAX) {
                break;
            }
            let cost = base + self.cost(&way, ends);
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, way));
            }
        }
        let way = best.map(|(_, way)| way).unwrap_or_default();
        self.laid.extend(segments(&way).map(|segment| (segment, ends)));
        way
    }

    /// What a way costs beside its length and its corners.
    fn cost(&mut self, way: &[Point], ends: Ends) -> f64 {
        let mut cost = 0.0;
        for segment in segments(way) {
            let cover = segment.cover();
            for (index, obstacle) in self.obstacles.iter().enumerate() {
                let is_end = index == ends.from || index == ends.to;
                if !is_end && cover.overlap(obstacle.ground.grown(0.2)) > 0.0 {
                    cost += HIT;
                }
                if cover.overlap(obstacle.label) > 0.0 {
                    cost += LABEL;
                }
            }
            for (other, other_ends) in &self.laid {
                let is_bundle = ends.from == other_ends.from || ends.to == other_ends.to;
                cost += if is_bundle { 0.0 } else { segment.conflict(*other) };
            }
            let steps = self.obstacles.len() + self.laid.len();
            self.steps = self.steps.saturating_add(u32::try_from(steps).unwrap_or(u32::MAX));
        }
        cost
    }
}

impl Segment {
    fn is_along_x(self) -> bool {
        (self.from.x - self.to.x).abs() > (self.from.y - self.to.y).abs()
    }

    /// The rectangle that the line covers.
    fn cover(self) -> Rect {
        let rect = Rect {
            x0: self.from.x.min(self.to.x),
            y0: self.from.y.min(self.to.y),
            x1: self.from.x.max(self.to.x),
            y1: self.from.y.max(self.to.y),
        };
        rect.grown(0.05)
    }

    fn conflict(self, other: Self) -> f64 {
        let is_parallel = self.is_along_x() == other.is_along_x();
        let room = if is_parallel { 0.35 } else { 0.0 };
        if self.cover().grown(room).overlap(other.cover()) <= 0.0 {
            return 0.0;
        }
        if is_parallel { SHARED } else { CROSSING }
    }
}

fn segments(way: &[Point]) -> impl Iterator<Item = Segment> {
    way.iter().zip(way.iter().skip(1)).map(|(from, to)| Segment { from: *from, to: *to })
}

fn base_cost(way: &[Point]) -> f64 {
    let length: f64 = segments(way)
        .map(|one| (one.from.x - one.to.x).abs() + (one.from.y - one.to.y).abs())
        .sum();
    let corners = u32::try_from(way.len().saturating_sub(2)).unwrap_or(u32::MAX);
    length + CORNER * f64::from(corners)
}

/// All ways from one component to another.
fn ways(from: Obstacle, to: Obstacle) -> Vec<Vec<Point>> {
    let (start, end) = (from.ground.centre(), to.ground.centre());
    let mut found = Vec::with_capacity(22);
    for x in common(from.ground.x0, from.ground.x1, to.ground.x0, to.ground.x1) {
        found.push(vec![point(x, start.y), point(x, end.y)]);
    }
    for y in common(from.ground.y0, from.ground.y1, to.ground.y0, to.ground.y1) {
        found.push(vec![point(start.x, y), point(end.x, y)]);
    }
    found.push(vec![start, point(end.x, start.y), end]);
    found.push(vec![start, point(start.x, end.y), end]);
    let (one, two) = (from.ground, to.ground);
    for x in channels([one.x0, one.x1], [two.x0, two.x1], to.hides) {
        found.push(vec![start, point(x, start.y), point(x, end.y), end]);
    }
    for y in channels([one.y0, one.y1], [two.y0, two.y1], to.hides) {
        found.push(vec![start, point(start.x, y), point(end.x, y), end]);
    }
    found.into_iter().filter_map(|way| ending_at(way, from.ground, to)).collect()
}

/// Positions that two intervals have in common, their middles first.
fn common(from0: f64, from1: f64, to0: f64, to1: f64) -> Vec<f64> {
    let (low, high) = (from0.max(to0) + 0.4, from1.min(to1) - 0.4);
    if low > high {
        return Vec::new();
    }
    let mut found = vec![f64::midpoint(to0, to1), f64::midpoint(from0, from1)];
    found.push(f64::midpoint(low, high));
    found.into_iter().map(|at| at.clamp(low, high)).collect()
}

/// Positions between two intervals, and beside both.
fn channels([from0, from1]: [f64; 2], [to0, to1]: [f64; 2], hides: f64) -> Vec<f64> {
    let mut found = vec![from0.min(to0) - DETOUR - hides, from1.max(to1) + DETOUR];
    let between = if to0 > from1 {
        Some((from1, to0 - hides))
    } else if to1 < from0 {
        Some((to1, from0 - hides))
    } else {
        None
    };
    if let Some((low, high)) = between.filter(|(low, high)| high - low > 0.8) {
        found.push(f64::midpoint(low, high));
        found.extend([low + 0.5, high - 0.3]);
        found.extend([0.25, 0.75].map(|share| low + (high - low) * share));
    }
    found
}

/// The way, ended at the side of its target. None if the target's side is behind its last corner.
fn ending_at(mut way: Vec<Point>, from: Rect, to: Obstacle) -> Option<Vec<Point>> {
    way.dedup_by(|one, two| (one.x - two.x).abs() + (one.y - two.y).abs() < 1e-6);
    let end = way.pop()?;
    let before = *way.last()?;
    let ground = to.ground;
    let is_corner_inside = way.len() > 1 && (inside(from, before) || inside(ground, before));
    if is_corner_inside {
        return None;
    }
    let last = Segment { from: before, to: end };
    let (at, side, far) = if last.is_along_x() {
        if end.x > before.x {
            (before.x, ground.x0 - to.hides - GAP, from.x1)
        } else {
            (before.x, ground.x1 + GAP, from.x0)
        }
    } else if end.y > before.y {
        (before.y, ground.y0 - to.hides - GAP, from.y1)
    } else {
        (before.y, ground.y1 + GAP, from.y0)
    };
    let at = if way.len() == 1 { far } else { at };
    let forward = if last.is_along_x() { end.x > before.x } else { end.y > before.y };
    let room = if forward { side - at } else { at - side };
    // After a corner, the piece with the arrow needs room for both.
    let least = if way.len() > 1 { 0.8 } else { 0.3 };
    if room < least {
        return None;
    }
    way.push(if last.is_along_x() { point(side, end.y) } else { point(end.x, side) });
    Some(way)
}

fn inside(rect: Rect, at: Point) -> bool {
    at.x > rect.x0 && at.x < rect.x1 && at.y > rect.y0 && at.y < rect.y1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn obstacle(x: f64, y: f64) -> Obstacle {
        Obstacle {
            ground: Rect::of_size(x, y, 2.0, 2.0),
            hides: 0.5,
            label: Rect::of_size(x + 2.0, y + 2.0, 0.9, 0.9),
        }
    }

    #[test]
    fn a_free_way_is_straight() {
        let ways = route(&[obstacle(0.0, 0.0), obstacle(8.0, 0.0)], &[Ends { from: 0, to: 1 }]);
        assert_eq!(ways, [vec![point(1.0, 1.0), point(8.0 - 0.5 - GAP, 1.0)]]);
    }

    #[test]
    fn a_way_goes_around_a_component() {
        let obstacles = [obstacle(0.0, 0.0), obstacle(8.0, 0.0), obstacle(4.0, 0.0)];
        let ways = route(&obstacles, &[Ends { from: 0, to: 1 }]);
        let middle = obstacles[2].ground;
        let way = &ways[0];
        assert!(way.len() > 2, "{way:?}");
        assert!(segments(way).all(|segment| segment.cover().overlap(middle) <= 0.0), "{way:?}");
    }

    #[test]
    fn all_lines_are_along_the_axes_of_the_plane() {
        let obstacles: Vec<Obstacle> = (0_u32..30)
            .map(|index| obstacle(f64::from(index * 7 % 23), f64::from(index * 5 % 31)))
            .collect();
        let edges: Vec<Ends> = (0..29).map(|from| Ends { from, to: from + 1 }).collect();
        for way in route(&obstacles, &edges) {
            for one in segments(&way) {
                let (x, y) = (one.from.x - one.to.x, one.from.y - one.to.y);
                assert!(x.abs() < 1e-9 || y.abs() < 1e-9, "{way:?}");
            }
        }
    }
}
