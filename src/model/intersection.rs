//! The intersection of several lists of patterns, if it is short.
//!
//! Reports and stored records use the intersection. A check compares the permission with each list
//! instead. The intersection can have as many patterns as the product of the lengths of two lists,
//! so both its length and the work are bounded.

use std::collections::HashSet;

use crate::model::permission::{PATTERNS_MAX, PERMISSION_BYTES_MAX, PatternSet, Patterns, covers};

/// The most comparisons of two patterns for one list.
pub const COMPARISONS_MAX: usize = 4_096;

/// The patterns that grant what `list` and all of `bounds` grant, in the order of `list`; `None` if
/// this takes more than [`PATTERNS_MAX`] patterns or [`COMPARISONS_MAX`] comparisons.
pub fn intersection<'a>(
    list: PatternSet<'a>,
    bounds: impl IntoIterator<Item = PatternSet<'a>>,
) -> Option<Patterns> {
    let mut left = COMPARISONS_MAX;
    let mut current = Patterns::from(list);
    for bound in bounds {
        current = Bound::new(bound).narrowed(current.as_set(), &mut left)?;
    }
    let is_narrower = current.as_set() != list;
    let plain = is_narrower.then(|| without_covered(current.as_set(), &mut left)).flatten();
    Some(plain.unwrap_or(current))
}

/// The list without the patterns that its other patterns cover; `None` if this takes more than
/// `left` comparisons. Intersecting wildcards with a bound can produce covered patterns.
fn without_covered(list: PatternSet<'_>, left: &mut usize) -> Option<Patterns> {
    let wild: Vec<&str> = list.texts().filter(|pattern| pattern.contains('*')).collect();
    let mut kept = Vec::new();
    for pattern in list.texts() {
        let mut is_covered = false;
        for other in wild.iter().filter(|other| **other != pattern) {
            spend(left)?;
            is_covered |= covers(other, pattern);
        }
        if !is_covered {
            kept.push(pattern);
        }
    }
    Some(Patterns::of_texts(kept.into_iter()))
}

/// One bounding list. Patterns that are in both lists are found by their text, so that two long
/// lists of permissions without wildcards need no comparison.
struct Bound<'a> {
    all: Vec<&'a str>,
    wild: Vec<&'a str>,
    texts: HashSet<&'a str>,
}

impl<'a> Bound<'a> {
    fn new(bound: PatternSet<'a>) -> Self {
        let all: Vec<_> = bound.texts().collect();
        let wild = all.iter().copied().filter(|pattern| pattern.contains('*')).collect();
        let texts = all.iter().copied().collect();
        Self { all, wild, texts }
    }

    /// The part of `list` within this bound, with at most `left` comparisons.
    fn narrowed(&self, list: PatternSet<'_>, left: &mut usize) -> Option<Patterns> {
        let mut kept: Vec<String> = Vec::new();
        let mut known: HashSet<String> = HashSet::new();
        for pattern in list.texts() {
            for common in self.common(pattern, left)? {
                if known.insert(common.clone()) {
                    kept.push(common);
                }
                if kept.len() > PATTERNS_MAX {
                    return None;
                }
            }
        }
        Some(Patterns::of_texts(kept.iter().map(String::as_str)))
    }

    /// The intersection of a pattern and this bound.
    fn common(&self, pattern: &str, left: &mut usize) -> Option<Vec<String>> {
        if self.texts.contains(pattern) {
            return Some(vec![pattern.to_owned()]);
        }
        for held in &self.wild {
            spend(left)?;
            if covers(held, pattern) {
                return Some(vec![pattern.to_owned()]);
            }
        }
        let mut common = Vec::new();
        if pattern.contains('*') {
            for held in &self.all {
                spend(left)?;
                // A pattern over the maximum length is dropped: it can match no permission.
                let met = meet(pattern, held).filter(|met| met.len() <= PERMISSION_BYTES_MAX);
                common.extend(met);
            }
        }
        Some(common)
    }
}

/// Subtracts one comparison from `left`; `None` if none is left.
fn spend(left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

/// The pattern that grants what two patterns both grant, if there is one.
fn meet(one: &str, other: &str) -> Option<String> {
    let (mut left, mut right) = (one.split(':').peekable(), other.split(':').peekable());
    let mut common: Vec<&str> = Vec::new();
    loop {
        let (a, b) = match (left.next(), right.next()) {
            (None, None) => break,
            (Some(a), Some(b)) => (a, b),
            (Some(_), None) | (None, Some(_)) => return None,
        };
        // A last `*` matches all remaining segments of the other pattern, including a last `*`.
        if a == "*" && left.peek().is_none() {
            common.push(b);
            common.extend(right);
            break;
        }
        if b == "*" && right.peek().is_none() {
            common.push(a);
            common.extend(left);
            break;
        }
        match (a, b) {
            ("*", name) | (name, "*") => common.push(name),
            (a, b) if a == b => common.push(a),
            _ => return None,
        }
    }
    // A wildcard does not match a protected realm, so it has no intersection with a pattern of that
    // realm.
    let common = common.join(":");
    (covers(one, &common) && covers(other, &common)).then_some(common)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::permission::tests::{pattern, permission};
    use crate::model::permission::{Pattern, comparisons};
    use proptest::prelude::*;

    fn of(lists: &[&str]) -> Option<String> {
        let lists: Vec<Patterns> = lists.iter().map(|list| list.parse().unwrap()).collect();
        let mut sets = lists.iter().map(Patterns::as_set);
        let first = sets.next().unwrap();
        intersection(first, sets).map(|patterns| patterns.to_string())
    }

    #[test]
    fn two_lists_have_in_common_what_both_grant() {
        for (one, other, common) in [
            ("*", "*", "*"),
            ("*", "diagrams:*", "diagrams:*"),
            ("*:read", "diagrams:*", "diagrams:read"),
            ("a:*:c", "a:b:*", "a:b:c"),
            ("a:*", "a:b:*", "a:b:*"),
            ("a:read b:read", "a:* c:*", "a:read"),
            ("a:read", "a:read", "a:read"),
            ("*", "keyhouse:keys:read", ""),
            ("*:*", "keyhouse:*", ""),
            ("keyhouse:*", "keyhouse:instance:verify", ""),
            ("keyhouse:*", "keyhouse:*:read", "keyhouse:*:read"),
            ("a:b", "a:b:c", ""),
            // A pattern that another pattern of the result covers is left out.
            ("* a:b", "diagrams:* a:*", "diagrams:* a:*"),
        ] {
            assert_eq!(of(&[one, other]).as_deref(), Some(common), "{one} and {other}");
            assert_eq!(of(&[other, one]).as_deref(), Some(common), "{other} and {one}");
        }
        // An intersection that is longer than any permission is dropped.
        let (left, right) = (format!("{}:*", "a".repeat(120)), format!("*:{}", "b".repeat(120)));
        assert_eq!(of(&[&left, &right]).as_deref(), Some(""));
    }

    /// Regression: 96 patterns with `*` in seven of eight segments took 4,128 intersections and 66
    /// ms.
    #[test]
    fn lists_that_cross_cost_a_bounded_number_of_comparisons() {
        let crossing = |name: char| {
            let pattern = |at: usize| {
                let mut segments = vec!["*".to_owned(); 8];
                segments[at % 8] = format!("{name}{}", at / 8);
                segments.join(":")
            };
            (0..96).map(pattern).collect::<Vec<_>>().join(" ")
        };
        let (one, other) = (crossing('a'), crossing('b'));
        let (comparisons, met) = comparisons::of(|| of(&[&one, &other]));
        assert_eq!(met, None);
        // Each step is one call of `covers`, or one intersection, which makes two more comparisons.
        assert!(comparisons <= 3 * COMPARISONS_MAX, "{comparisons}");
        let (_, met) = comparisons::of(|| of(&[&one, &one]));
        assert_eq!(met.as_deref(), Some(&*one), "a list is its own maximum");
        // Patterns with nothing in common are compared up to the maximum number of comparisons.
        let apart: Vec<_> = (0..100).map(|at| format!("x:*:y{at}:z")).collect();
        let others: Vec<_> = (0..100).map(|at| format!("x:*:w{at}:z")).collect();
        let (comparisons, met) = comparisons::of(|| of(&[&apart.join(" "), &others.join(" ")]));
        assert_eq!(met, None);
        assert!(comparisons <= 3 * COMPARISONS_MAX, "{comparisons}");
    }

    #[test]
    fn long_lists_of_plain_permissions_are_met_without_comparing() {
        let list = |range: std::ops::Range<usize>| {
            range.map(|at| format!("files:f{at}")).collect::<Vec<_>>().join(" ")
        };
        let (one, other) = (list(0..100), list(50..150));
        let (comparisons, met) = comparisons::of(|| of(&[&one, &other]));
        assert_eq!((comparisons, met), (0, Some(list(50..100))));
    }

    proptest! {
        #[test]
        fn an_intersection_grants_exactly_what_all_lists_grant(
            lists in proptest::collection::vec(proptest::collection::vec(pattern(), 0..5), 1..4),
            asked in permission(),
        ) {
            let sets: Vec<Patterns> =
                lists.iter().map(|list: &Vec<Pattern>| Patterns::new(list).unwrap()).collect();
            let mut rest = sets.iter().map(Patterns::as_set);
            let first = rest.next().unwrap();
            let common = intersection(first, rest).unwrap();
            let by_all = sets.iter().all(|set| set.as_set().grants(asked.as_str()));
            prop_assert_eq!(common.as_set().grants(asked.as_str()), by_all, "{}", common);
        }
    }
}
