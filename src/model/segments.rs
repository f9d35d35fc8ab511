//! An index of a long list of patterns by their segments.
//!
//! A query of one permission costs one look-up per segment, however many patterns there are.
//!
//! A set of patterns has one bit for each pattern of the list. For each position, the index holds a
//! set for each literal and a set for `*`; for each number of segments, the set of patterns that
//! match it. A permission is granted by the intersection of the sets of its segments and of its
//! length. The literals are slices of the list's own text, which the caller passes to each query.

use std::cmp::Ordering;

use crate::model::permission::{
    PatternSet, SEGMENTS_MAX, STORED_PATTERNS_MAX, comparisons, walled_segments,
};

/// A set of the patterns of one list: one bit for each pattern, in their order.
type Bits = u128;

const _: () = assert!(
    STORED_PATTERNS_MAX <= Bits::BITS as usize,
    "Bits has at least one bit for each pattern"
);

/// The index of one list.
#[derive(Debug)]
pub struct SegmentIndex {
    /// The end of each position's literals in the next two fields.
    ends: [u16; SEGMENTS_MAX],
    /// The literals of all positions, sorted within a position.
    literals: Box<[SegmentRange]>,
    /// For each literal, the patterns that contain it at its position.
    with_literal: Box<[Bits]>,
    /// For each position, the patterns with a wildcard there, or with a last `*` there or before.
    with_wildcard: [Bits; SEGMENTS_MAX],
    /// The patterns that match permissions of one segment, two, and so on.
    of_length: [Bits; SEGMENTS_MAX],
    patterns: Box<[SegmentRange]>,
}

/// A part of the list's text.
#[derive(Clone, Copy, Debug)]
struct SegmentRange {
    from: u16,
    length: u8,
}

impl SegmentRange {
    /// The position of `part` in `text`; `None` if it does not fit into a span.
    fn of(part: &str, text: &str) -> Option<Self> {
        let from = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
        Some(Self { from: from.try_into().ok()?, length: part.len().try_into().ok()? })
    }

    fn of_text(self, text: &str) -> &str {
        let from = usize::from(self.from);
        text.get(from..from + usize::from(self.length)).unwrap_or_default()
    }
}

impl SegmentIndex {
    /// The index of a list; `None` for a list over `STORED_PATTERNS_MAX` patterns.
    pub fn new(list: PatternSet<'_>) -> Option<Self> {
        let mut found: Vec<(usize, &str, Bits)> = Vec::new();
        let mut with_wildcard = [0; SEGMENTS_MAX];
        let mut of_length = [0; SEGMENTS_MAX];
        let mut patterns = Vec::new();
        for (number, pattern) in list.texts().enumerate() {
            let bit: Bits = 1_u128.checked_shl(u32::try_from(number).ok()?)?;
            patterns.push(SegmentRange::of(pattern, list.as_str())?);
            let mut last = 0;
            for (at, segment) in pattern.split(':').enumerate() {
                match segment {
                    "*" => *with_wildcard.get_mut(at)? |= bit,
                    literal => found.push((at, literal, bit)),
                }
                last = at;
            }
            let is_endless = pattern.ends_with('*');
            for at in last..if is_endless { SEGMENTS_MAX } else { last + 1 } {
                *of_length.get_mut(at)? |= bit;
                *with_wildcard.get_mut(at)? |= if is_endless { bit } else { 0 };
            }
        }
        found.sort_unstable();
        found.dedup_by(|next, kept| {
            let is_same = (next.0, next.1) == (kept.0, kept.1);
            kept.2 |= if is_same { next.2 } else { 0 };
            is_same
        });
        let mut ends = [0; SEGMENTS_MAX];
        for (at, end) in ends.iter_mut().enumerate() {
            *end = found.partition_point(|literal| literal.0 <= at).try_into().ok()?;
        }
        let spans = found.iter().map(|(_, literal, _)| SegmentRange::of(literal, list.as_str()));
        Some(Self {
            ends,
            literals: spans.collect::<Option<_>>()?,
            with_literal: found.iter().map(|(_, _, bits)| *bits).collect(),
            with_wildcard,
            of_length,
            patterns: patterns.into(),
        })
    }

    /// Whether a pattern of the list grants the permission. `list` is the list's text.
    pub fn grants(&self, list: &str, permission: &str) -> bool {
        self.granting_bits(list, permission) != 0
    }

    /// The first pattern of the list that grants the permission. `list` is the list's text.
    pub fn granting<'a>(&self, list: &'a str, permission: &str) -> Option<&'a str> {
        let first = self.granting_bits(list, permission).trailing_zeros();
        let pattern = self.patterns.get(usize::try_from(first).ok()?)?;
        Some(pattern.of_text(list))
    }

    fn granting_bits(&self, list: &str, permission: &str) -> Bits {
        let walled = walled_segments(permission);
        let mut granting = Bits::MAX;
        let mut of_length = 0;
        for (at, segment) in permission.split(':').enumerate() {
            let (Some(wild), Some(length)) = (self.with_wildcard.get(at), self.of_length.get(at))
            else {
                return 0;
            };
            // A wildcard does not match a protected segment.
            let wild = if at < walled { 0 } else { *wild };
            granting &= wild | self.with_literal(list, at, segment);
            if granting == 0 {
                return 0;
            }
            of_length = *length;
        }
        granting & of_length
    }

    /// The patterns with this literal at a position.
    fn with_literal(&self, list: &str, at: usize, segment: &str) -> Bits {
        let end = |at: Option<usize>| at.and_then(|at| self.ends.get(at)).map_or(0, |end| *end);
        let (from, to) = (usize::from(end(at.checked_sub(1))), usize::from(end(Some(at))));
        let literals = self.literals.get(from..to).unwrap_or_default();
        let order = |literal: &SegmentRange| -> Ordering {
            comparisons::count();
            literal.of_text(list).cmp(segment)
        };
        let found = literals.binary_search_by(order).ok();
        found.and_then(|found| self.with_literal.get(from + found)).map_or(0, |bits| *bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::permission::tests::{pattern, permission};
    use crate::model::permission::{PATTERNS_MAX, PERMISSION_BYTES_MAX, Pattern, Patterns};

    fn found(list: &Patterns, permission: &str) -> Option<String> {
        let index = SegmentIndex::new(list.as_set()).unwrap();
        let text = list.as_set().as_str();
        let granting = index.granting(text, permission);
        assert_eq!(index.grants(text, permission), granting.is_some());
        granting.map(str::to_owned)
    }

    /// The expected result: the first pattern that grants the permission, found without the index.
    fn expected(list: &Patterns, permission: &str) -> Option<String> {
        let mut texts = list.as_set().texts();
        texts.find(|text| PatternSet::trusted(text).grants(permission)).map(str::to_owned)
    }

    #[test]
    fn the_longest_list_that_is_stored_is_found_in() {
        let deep = |name: usize| {
            let segment = |at: usize| format!("{name:03}segment{at:05}");
            (0..SEGMENTS_MAX).map(segment).collect::<Vec<_>>().join(":")
        };
        let list: Vec<String> = (0..PATTERNS_MAX).map(deep).collect();
        assert!(list.iter().all(|pattern| pattern.len() > PERMISSION_BYTES_MAX - 8));
        let list: Patterns = list.join(" ").parse().unwrap();
        let list = Patterns::of_organization(list.as_set());
        assert_eq!(list.as_set().count(), STORED_PATTERNS_MAX);
        let deepest = deep(PATTERNS_MAX - 1);
        assert_eq!(found(&list, &deepest), Some(deepest));
        assert_eq!(found(&list, "keyhouse:keys:read").as_deref(), Some("keyhouse:*"));
        assert_eq!(
            found(&list, "keyhouse:instance:verify").as_deref(),
            Some("keyhouse:instance:*")
        );
        assert_eq!(found(&list, "diagrams:read"), None);
    }

    fn crossing_segment() -> impl Strategy<Value = &'static str> {
        prop_oneof![8 => Just("*"), 1 => Just("a"), 1 => Just("b"), 1 => Just("keyhouse")]
    }

    /// Patterns of many segments, most of which are wildcards, so that most pairs of patterns
    /// overlap.
    fn crossing() -> impl Strategy<Value = Pattern> {
        proptest::collection::vec(crossing_segment(), 2..=SEGMENTS_MAX)
            .prop_map(|segments| segments.join(":").parse().unwrap())
    }

    fn deep_permission() -> impl Strategy<Value = String> {
        let segment = prop_oneof![Just("a"), Just("b"), Just("c"), Just("keyhouse")];
        proptest::collection::vec(segment, 2..=SEGMENTS_MAX).prop_map(|parts| parts.join(":"))
    }

    proptest! {
        #[test]
        fn the_index_finds_what_asking_each_pattern_finds(
            list in proptest::collection::vec(pattern(), 0..PATTERNS_MAX),
            permissions in proptest::collection::vec(permission(), 20),
        ) {
            let list = Patterns::new(&list).unwrap();
            for permission in permissions {
                let permission = permission.as_str();
                prop_assert_eq!(found(&list, permission), expected(&list, permission));
            }
        }

        #[test]
        fn the_index_finds_the_same_in_lists_that_cross(
            list in proptest::collection::vec(crossing(), 0..PATTERNS_MAX),
            permissions in proptest::collection::vec(deep_permission(), 20),
        ) {
            let list = Patterns::new(&list).unwrap();
            for permission in permissions {
                prop_assert_eq!(found(&list, &permission), expected(&list, &permission));
            }
        }
    }
}
