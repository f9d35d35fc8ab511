//! The order in which components are drawn: what is behind comes first.

use super::plane::{Point, Rect};

/// The places of grounds in the order of drawing.
///
/// A ground is behind another one if it ends before the other one begins on one axis, and not the reverse on the
/// other axis. For grounds that do not overlap this order has no circle: they are convex, and it is the order of
/// their distances along one direction. Grounds that overlap are drawn by their middles.
pub(super) fn order(grounds: &[Rect]) -> Vec<usize> {
    let count = grounds.len();
    let mut before = vec![0_u32; count];
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut by_left: Vec<usize> = (0..count).collect();
    let span = |index: usize| grounds.get(index).map_or((0.0, 0.0), |ground| screen_span(*ground));
    by_left.sort_by(|one, two| span(*one).0.total_cmp(&span(*two).0));
    for (position, &one) in by_left.iter().enumerate() {
        let right = span(one).1;
        let near = by_left.iter().skip(position + 1).take_while(|other| span(**other).0 < right);
        for &other in near {
            let (Some(first), Some(second)) = (grounds.get(one), grounds.get(other)) else {
                continue;
            };
            let pair = if is_behind(*first, *second) {
                (one, other)
            } else if is_behind(*second, *first) {
                (other, one)
            } else {
                continue;
            };
            if let (Some(list), Some(waits)) = (behind.get_mut(pair.0), before.get_mut(pair.1)) {
                list.push(pair.1);
                *waits += 1;
            }
        }
    }
    release(grounds, &behind, before)
}

/// Takes, again and again, the rearmost ground that waits for none.
fn release(grounds: &[Rect], behind: &[Vec<usize>], mut before: Vec<u32>) -> Vec<usize> {
    let mut waiting: Vec<usize> = (0..grounds.len()).collect();
    let nearness = |index: usize| grounds.get(index).map_or(0.0, |ground| sum(ground.centre()));
    waiting.sort_by(|one, two| nearness(*one).total_cmp(&nearness(*two)));
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_free = |index: &usize| before.get(*index).is_none_or(|count| *count == 0);
        let next = waiting.remove(waiting.iter().position(is_free).unwrap_or(0));
        for other in behind.get(next).into_iter().flatten() {
            if let Some(count) = before.get_mut(*other) {
                *count = count.saturating_sub(1);
            }
        }
        order.push(next);
    }
    order
}

fn is_behind(one: Rect, two: Rect) -> bool {
    let ends_before = one.x1 <= two.x0 || one.y1 <= two.y0;
    let begins_after = two.x1 <= one.x0 || two.y1 <= one.y0;
    ends_before && !begins_after
}

/// The left and the right end on the screen, but for a factor.
fn screen_span(ground: Rect) -> (f64, f64) {
    (ground.x0 - ground.y1, ground.x1 - ground.y0)
}

fn sum(at: Point) -> f64 {
    at.x + at.y
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grounds of many sizes that do not overlap: each in its own cell of a grid, in a mixed order.
    fn grounds() -> Vec<Rect> {
        let mut grounds = Vec::new();
        for index in 0_u32..144 {
            let cell = index * 89 % 144;
            let (column, row) = (f64::from(cell % 12), f64::from(cell / 12));
            let (width, depth) = (f64::from(1 + index % 9), f64::from(1 + index % 7));
            grounds.push(Rect::of_size(column * 9.0, row * 7.0, width, depth));
        }
        grounds
    }

    #[test]
    fn every_ground_is_drawn_once() {
        let mut order = order(&grounds());
        order.sort_unstable();
        assert_eq!(order, (0..144).collect::<Vec<usize>>());
    }

    #[test]
    fn a_ground_is_drawn_before_all_that_are_in_front_of_it_and_share_a_column_of_the_screen() {
        let grounds = grounds();
        let order = order(&grounds);
        for (place, one) in order.iter().enumerate() {
            for other in &order[..place] {
                let (front, back) = (grounds[*one], grounds[*other]);
                let (left, right) = (screen_span(front), screen_span(back));
                let shares = left.0 < right.1 && right.0 < left.1;
                assert!(!(shares && is_behind(front, back)), "{front:?} is behind {back:?}");
            }
        }
    }

    #[test]
    fn grounds_that_overlap_are_drawn_by_their_middles() {
        let order = order(&[Rect::of_size(1.0, 1.0, 4.0, 4.0), Rect::of_size(0.0, 0.0, 4.0, 4.0)]);
        assert_eq!(order, [1, 0]);
    }
}
