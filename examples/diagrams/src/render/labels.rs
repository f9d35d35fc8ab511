//! The places of labels: beside their components, where they cover neither other labels nor components.

use super::canvas::Align;
use super::lettering::{Lettering, Weight};
use super::limits::LABEL_STEPS_MAX;
use super::plane::{Point, Rect, point};

pub(super) const TITLE_PX: f64 = 13.5;
pub(super) const DETAIL_PX: f64 = 11.5;
/// The distance of baselines, as a factor of the font size.
const LINE: f64 = 1.24;
/// The width at which a title breaks.
const WIDTH_PX: f64 = 138.0;
/// Each candidate costs a little more than the one before it: this area of overlap, in square pixels.
const PREFERENCE: f64 = 60.0;

#[derive(Debug)]
pub(super) struct Line {
    pub text: String,
    pub weight: Weight,
    pub size_px: f64,
}

/// The lines of a label and the size of the rectangle around them.
#[derive(Debug)]
pub(super) struct Label {
    pub lines: Vec<Line>,
    pub width: f64,
    pub height: f64,
}

/// A place for a label: the middle of its upper side, or an upper corner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub at: Point,
    pub align: Align,
}

/// The rectangles that labels avoid, and the comparisons made.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    taken: Vec<(Rect, f64)>,
    steps: u32,
}

impl Label {
    pub(super) fn of(title: &str, detail: &str, lettering: &Lettering) -> Option<Self> {
        let mut lines = Vec::new();
        if !title.is_empty() {
            for text in lettering.wrapped(title, Weight::Semibold, TITLE_PX, WIDTH_PX) {
                lines.push(Line { text, weight: Weight::Semibold, size_px: TITLE_PX });
            }
        }
        if !detail.is_empty() {
            let text = lettering.fitted(detail, Weight::Regular, DETAIL_PX, WIDTH_PX);
            lines.push(Line { text, weight: Weight::Regular, size_px: DETAIL_PX });
        }
        if lines.is_empty() {
            return None;
        }
        let widths =
            lines.iter().map(|line| lettering.width(&line.text, line.weight, line.size_px));
        let width = widths.fold(0.0, f64::max);
        let height = lines.iter().map(|line| line.size_px * LINE).sum();
        Some(Self { lines, width, height })
    }

    pub(super) fn rect(&self, spot: Spot) -> Rect {
        let left = match spot.align {
            Align::Start => spot.at.x,
            Align::Middle => spot.at.x - self.width / 2.0,
            Align::End => spot.at.x - self.width,
        };
        Rect::of_size(left, spot.at.y, self.width, self.height)
    }

    /// The lines with their baselines.
    pub(super) fn baselines(&self, spot: Spot) -> impl Iterator<Item = (&Line, Point)> {
        let mut top = spot.at.y;
        self.lines.iter().map(move |line| {
            let baseline = top + line.size_px;
            top += line.size_px * LINE;
            (line, point(spot.at.x, baseline))
        })
    }
}

impl Crowd {
    /// Marks a rectangle as taken. Covering it costs `weight` for each square pixel.
    pub(super) fn take(&mut self, rect: Rect, weight: f64) {
        self.taken.push((rect, weight));
    }

    /// The best of a label's places, which is then taken.
    pub(super) fn place(&mut self, label: &Label, spots: &[Spot]) -> Option<Spot> {
        let mut best: Option<(f64, Spot)> = None;
        let mut preference = 0.0;
        for spot in spots {
            if self.steps > LABEL_STEPS_MAX {
                best = best.or(Some((0.0, *spot)));
                break;
            }
            let rect = label.rect(*spot).grown(1.5);
            let covered = self.taken.iter().map(|(other, weight)| rect.overlap(*other) * weight);
            let cost = preference + covered.sum::<f64>();
            let count = u32::try_from(self.taken.len()).unwrap_or(u32::MAX);
            self.steps = self.steps.saturating_add(count);
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, *spot));
            }
            preference += PREFERENCE;
            if best.as_ref().is_some_and(|(least, _)| *least <= preference) {
                break;
            }
        }
        let (_, spot) = best?;
        self.take(label.rect(spot), 4.0);
        Some(spot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_moves_to_the_place_that_is_free() {
        let lettering = Lettering::load().unwrap();
        let label = Label::of("checkout", "m5.large", &lettering).unwrap();
        let spots = [0.0, 100.0, 200.0].map(|x| Spot { at: point(x, 0.0), align: Align::Start });
        let mut crowd = Crowd::default();
        let places: Vec<f64> = (0..3).map(|_| crowd.place(&label, &spots).unwrap().at.x).collect();
        assert_eq!(places, [0.0, 100.0, 200.0]);
    }

    #[test]
    fn after_the_last_step_a_label_takes_its_first_place_without_a_comparison() {
        let lettering = Lettering::load().unwrap();
        let label = Label::of("checkout", "m5.large", &lettering).unwrap();
        let spots = [0.0, 100.0].map(|x| Spot { at: point(x, 0.0), align: Align::Start });
        let mut crowd = Crowd { steps: LABEL_STEPS_MAX + 1, ..Crowd::default() };
        let places: Vec<f64> = (0..2).map(|_| crowd.place(&label, &spots).unwrap().at.x).collect();
        assert_eq!(places, [0.0, 0.0]);
        assert_eq!(crowd.steps, LABEL_STEPS_MAX + 1);
    }
}
