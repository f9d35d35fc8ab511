//! A list of patterns in the form that checks read. A short list is small; a long list has an index
//! by segment.
//!
//! The index's writer creates a new value for each change of the list.

use std::sync::Arc;

use crate::index::right_query::RightQuery;
use crate::model::permission::{PatternSet, Patterns, set_grants};
use crate::model::segments::SegmentIndex;

/// The most bytes of patterns that are stored in the list itself.
const INLINE_BYTES_MAX: usize = 30;
/// The most patterns that are compared one by one; a longer list has an index.
const SCANNED_PATTERNS_MAX: usize = 8;

/// A list of patterns. A short list is stored inside its owner, which saves a cache miss.
#[derive(Clone, Debug)]
pub struct IndexedList(Form);

#[derive(Clone, Debug)]
enum Form {
    Inline { length: u8, bytes: [u8; INLINE_BYTES_MAX] },
    Boxed(Box<str>),
    Indexed(Arc<Indexed>),
}

#[derive(Debug)]
struct Indexed {
    text: Box<str>,
    segments: SegmentIndex,
}

impl IndexedList {
    pub const EMPTY: Self = Self(Form::Inline { length: 0, bytes: [0; INLINE_BYTES_MAX] });

    pub fn as_set(&self) -> PatternSet<'_> {
        PatternSet::trusted(match &self.0 {
            Form::Inline { length, bytes } => {
                let text = bytes.get(..usize::from(*length)).unwrap_or_default();
                str::from_utf8(text).unwrap_or_default()
            },
            Form::Boxed(text) => text,
            Form::Indexed(indexed) => &indexed.text,
        })
    }

    /// Whether the list grants `query`.
    pub fn holds(&self, query: RightQuery<'_>) -> bool {
        match (&self.0, query) {
            (Form::Indexed(indexed), RightQuery::Permission(permission)) => {
                indexed.segments.grants(&indexed.text, permission)
            },
            (Form::Inline { length, bytes }, RightQuery::Permission(permission)) => {
                let text = bytes.get(..usize::from(*length)).unwrap_or_default();
                set_grants(text, permission)
            },
            _ => query.of(self.as_set()),
        }
    }

    /// The first pattern that grants a permission.
    pub fn granting(&self, permission: &str) -> Option<&str> {
        match &self.0 {
            Form::Indexed(indexed) => indexed.segments.granting(&indexed.text, permission),
            Form::Inline { .. } | Form::Boxed(_) => self.as_set().granting(permission),
        }
    }
}

impl From<PatternSet<'_>> for IndexedList {
    fn from(set: PatternSet<'_>) -> Self {
        let text = set.as_str();
        let mut bytes = [0; INLINE_BYTES_MAX];
        if let (Some(place), Ok(length)) = (bytes.get_mut(..text.len()), text.len().try_into()) {
            place.copy_from_slice(text.as_bytes());
            return Self(Form::Inline { length, bytes });
        }
        let is_long = set.count() > SCANNED_PATTERNS_MAX;
        match is_long.then(|| SegmentIndex::new(set)).flatten() {
            Some(segments) => {
                Self(Form::Indexed(Arc::new(Indexed { text: text.into(), segments })))
            },
            None => Self(Form::Boxed(text.into())),
        }
    }
}

impl From<&Patterns> for IndexedList {
    fn from(patterns: &Patterns) -> Self {
        patterns.as_set().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::permission::PATTERNS_MAX;

    #[test]
    fn a_list_keeps_its_text_and_answers_the_same_in_every_form() {
        assert!(size_of::<IndexedList>() <= 32, "{}", size_of::<IndexedList>());
        let of =
            |count: usize| (0..count).map(|at| format!("a{at}:*")).collect::<Vec<_>>().join(" ");
        let long = "a".repeat(INLINE_BYTES_MAX - 2) + "0:*";
        for text in [
            "",
            "a0:*",
            &long,
            &of(SCANNED_PATTERNS_MAX),
            &of(SCANNED_PATTERNS_MAX + 1),
            &of(PATTERNS_MAX),
        ] {
            let list = IndexedList::from(PatternSet::trusted(text));
            let is_long = list.as_set().count() > SCANNED_PATTERNS_MAX;
            assert_eq!(matches!(list.0, Form::Indexed(_)), is_long, "{text}");
            assert_eq!(list.as_set().as_str(), text);
            for permission in ["a0:b", "a8:b", "a99:b:c", "keyhouse:keys:read"] {
                let granting = list.as_set().granting(permission);
                assert_eq!(list.granting(permission), granting, "{text}");
                assert_eq!(
                    list.holds(RightQuery::Permission(permission)),
                    granting.is_some(),
                    "{text}"
                );
            }
            let covered = list.as_set().texts().next().is_some_and(|first| first == "a0:*");
            assert_eq!(list.holds(RightQuery::Pattern("a0:b:*")), covered, "{text}");
        }
    }
}
