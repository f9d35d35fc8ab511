//! Permissions, the patterns that grant them, and which pattern covers which.
//!
//! A permission is `resource:action`: two or more segments of `[a-z0-9_-]` joined by `:`. In a
//! pattern, `*` matches one segment, or, as the last segment, one or more.
//!
//! Two realms are protected from wildcards. No wildcard matches `keyhouse:`, Keyhouse's own
//! management: the first segment of a pattern must be `keyhouse` itself. No wildcard in the second
//! segment matches `keyhouse:instance:`, the operators' part: both segments must be literal.
//!
//! An organization's maximum limits protected APIs only. Roles limit management. The default
//! maximum `*` does not match `keyhouse:`, so a maximum that limited management would lock out
//! every user.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// The longest permission or pattern.
pub const PERMISSION_BYTES_MAX: usize = 128;
/// The most segments of a permission or pattern.
pub(super) const SEGMENTS_MAX: usize = 8;
/// The most patterns in one set.
pub const PATTERNS_MAX: usize = 100;
/// The most patterns in one stored set: the stored maximum of a transferred key also names the two
/// protected realms.
pub(super) const STORED_PATTERNS_MAX: usize = PATTERNS_MAX + 2;

/// The first segment of Keyhouse's own permissions.
pub const OWN_REALM: &str = "keyhouse";
const INSTANCE_REALM: &str = "instance";
/// All of [`OWN_REALM`] except the operators' part.
const OWN_ALL: &str = "keyhouse:*";
const INSTANCE_ALL: &str = "keyhouse:instance:*";
const SEPARATOR: char = ' ';

/// A permission, which a protected API requires.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Permission(Box<str>);

/// A pattern of permissions, which is granted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(Box<str>);

/// The text is not a permission, or not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPermission {
    #[error("must be 2 to 8 segments of a-z, 0-9, _ and - joined by ':', such as diagrams:read")]
    Permission,
    #[error(
        "must be '*', or 2 to 8 segments of a-z, 0-9, _ and - or '*' joined by ':', such as diagrams:*"
    )]
    Pattern,
    #[error("must be at most {PATTERNS_MAX} patterns")]
    TooMany,
}

impl Permission {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Permission {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, InvalidPermission> {
        let fits = has_segments(text) && text.split(':').all(is_literal);
        if fits { Ok(Self(text.into())) } else { Err(InvalidPermission::Permission) }
    }
}

impl FromStr for Pattern {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, InvalidPermission> {
        let segments = || text.split(':').all(|segment| segment == "*" || is_literal(segment));
        let fits = text == "*" || (has_segments(text) && segments());
        if fits { Ok(Self(text.into())) } else { Err(InvalidPermission::Pattern) }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern grants a permission.
    pub fn grants(&self, permission: &Permission) -> bool {
        grants(self.0.as_bytes(), &permission.0)
    }

    /// Whether the pattern grants every permission that `wanted` grants.
    pub fn covers(&self, wanted: &Self) -> bool {
        covers(&self.0, &wanted.0)
    }
}

/// A set of granted patterns, stored as one text, since each of a million keys holds one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(Box<str>);

impl Patterns {
    /// The set of these patterns, in their order, without duplicates.
    ///
    /// # Errors
    ///
    /// [`InvalidPermission::TooMany`] over [`PATTERNS_MAX`].
    pub fn new(patterns: &[Pattern]) -> Result<Self, InvalidPermission> {
        let patterns = Self::of_texts(patterns.iter().map(Pattern::as_str));
        if patterns.as_set().count() > PATTERNS_MAX {
            return Err(InvalidPermission::TooMany);
        }
        Ok(patterns)
    }

    /// The set of these texts, which are patterns, in their order, without duplicates.
    pub(super) fn of_texts<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut seen = HashSet::new();
        let mut text = String::new();
        for pattern in texts {
            if seen.insert(pattern) {
                if !text.is_empty() {
                    text.push(SEPARATOR);
                }
                text.push_str(pattern);
            }
        }
        Self(text.into())
    }

    /// The set `*`: every permission outside Keyhouse's own realm.
    pub fn everything() -> Self {
        Self(PatternSet::ALL.0.into())
    }

    /// The permissions that a role allows a key of its holder. The role's patterns for the instance
    /// have no effect: only operators hold those permissions.
    #[must_use]
    pub fn of_holder(held: PatternSet<'_>, operator: bool) -> Self {
        let instance = operator.then_some(INSTANCE_ALL);
        Self::of_texts(held.texts().filter(|pattern| !is_instance(pattern)).chain(instance))
    }

    /// The permissions that an organization's maximum allows its keys. A maximum limits protected
    /// APIs only.
    #[must_use]
    pub fn of_organization(maximum: PatternSet<'_>) -> Self {
        let apis = maximum.texts().filter(|pattern| !is_own(pattern));
        Self::of_texts(apis.chain([OWN_ALL, INSTANCE_ALL]))
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_set(&self) -> PatternSet<'_> {
        PatternSet(&self.0)
    }
}

impl From<PatternSet<'_>> for Patterns {
    fn from(set: PatternSet<'_>) -> Self {
        Self(set.0.into())
    }
}

impl FromStr for Patterns {
    type Err = InvalidPermission;

    /// Parses a stored set: patterns separated by spaces, as [`PatternSet`] prints them.
    fn from_str(text: &str) -> Result<Self, InvalidPermission> {
        let patterns: Result<Vec<Pattern>, _> = text.split_whitespace().map(str::parse).collect();
        let patterns = Self::of_texts(patterns?.iter().map(Pattern::as_str));
        if patterns.as_set().count() > STORED_PATTERNS_MAX {
            return Err(InvalidPermission::TooMany);
        }
        Ok(patterns)
    }
}

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A borrowed set of patterns: patterns separated by single spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternSet<'a>(&'a str);

impl<'a> PatternSet<'a> {
    /// The set `*`: every permission outside Keyhouse's own realm.
    pub const ALL: PatternSet<'static> = PatternSet("*");
    pub const NONE: PatternSet<'static> = PatternSet("");

    /// The set whose text was taken from a [`Patterns`].
    pub const fn trusted(text: &'a str) -> Self {
        Self(text)
    }

    /// The text: patterns separated by single spaces.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether a pattern of the set grants the permission.
    pub fn grants(self, permission: &str) -> bool {
        set_grants(self.0.as_bytes(), permission)
    }

    /// The first pattern that grants the permission.
    pub fn granting(self, permission: &str) -> Option<&'a str> {
        self.texts().find(|pattern| grants(pattern.as_bytes(), permission))
    }

    /// Whether a single pattern of the set grants everything that `wanted` grants. The result is
    /// false if only several patterns together grant it.
    pub fn covers(self, wanted: &str) -> bool {
        self.texts().any(|pattern| covers(pattern, wanted))
    }

    pub fn count(self) -> usize {
        let separators = self.0.bytes().filter(|byte| *byte == b' ').count();
        if self.0.is_empty() { 0 } else { separators + 1 }
    }

    pub fn texts(self) -> impl Iterator<Item = &'a str> {
        self.0.split(SEPARATOR).filter(|text| !text.is_empty())
    }
}

/// Whether a permission or pattern is in Keyhouse's own realm.
pub fn is_own(text: &str) -> bool {
    text.strip_prefix(OWN_REALM).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Whether a permission or pattern is in the operators' realm.
pub fn is_instance(text: &str) -> bool {
    walled_segments(text) == 2
}

fn has_segments(text: &str) -> bool {
    text.len() <= PERMISSION_BYTES_MAX && (2..=SEGMENTS_MAX).contains(&text.split(':').count())
}

fn is_literal(segment: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
    };
    !segment.is_empty() && segment.bytes().all(allowed)
}

/// The number of leading segments that a pattern must contain literally to match this permission.
pub(super) fn walled_segments(text: &str) -> usize {
    if !is_own(text) {
        return 0;
    }
    if text.split(':').nth(1) == Some(INSTANCE_REALM) { 2 } else { 1 }
}

fn spells_out(pattern: &[u8], segments: usize, text: &[u8]) -> bool {
    let leading = |text: &'_ [u8]| {
        let end =
            text.split(|byte| *byte == b':').take(segments).map(|it| it.len() + 1).sum::<usize>();
        end.saturating_sub(1)
    };
    pattern.get(..leading(pattern)) == text.get(..leading(text))
}

/// Whether a pattern of a set grants the permission. `set` is the text of a [`PatternSet`]: a list
/// that is stored as bytes is compared without becoming a text first.
pub fn set_grants(set: &[u8], permission: &str) -> bool {
    let mut patterns = set.split(|byte| *byte == b' ').filter(|pattern| !pattern.is_empty());
    patterns.any(|pattern| grants(pattern, permission))
}

fn grants(pattern: &[u8], permission: &str) -> bool {
    comparisons::count();
    // The common cases come first, for speed. An equal pattern has no wildcard, so it may match a
    // protected realm.
    if pattern == permission.as_bytes() {
        return true;
    }
    if pattern == b"*" {
        return !is_own(permission);
    }
    let walled = walled_segments(permission);
    (walled == 0 || spells_out(pattern, walled, permission.as_bytes()))
        && fits(pattern, permission.as_bytes())
}

/// Whether a pattern matches a permission, regardless of protected realms.
fn fits(mut pattern: &[u8], mut permission: &[u8]) -> bool {
    loop {
        (pattern, permission) = match (pattern, permission) {
            ([], []) | ([b'*'], [_, ..]) => return true,
            ([b'*', rest @ ..], [_, ..]) => {
                let end = permission.iter().position(|byte| *byte == b':');
                let after = permission.split_at(end.unwrap_or(permission.len())).1;
                (rest, after)
            },
            ([one, rest @ ..], [other, others @ ..]) if one == other => (rest, others),
            _ => return false,
        };
    }
}

pub(super) fn covers(held: &str, wanted: &str) -> bool {
    comparisons::count();
    if !spells_out(held.as_bytes(), walled_segments(wanted), wanted.as_bytes()) {
        return false;
    }
    let mut held = held.split(':').peekable();
    let mut wanted = wanted.split(':').peekable();
    while let Some(segment) = held.next() {
        let Some(wish) = wanted.next() else { return false };
        if segment == "*" && held.peek().is_none() {
            return true;
        }
        // A last `*` matches any number of segments, which only another last `*` covers.
        let endless = wish == "*" && wanted.peek().is_none();
        if endless || (segment != "*" && segment != wish) {
            return false;
        }
    }
    wanted.next().is_none()
}

/// Counts comparisons of patterns, and of segments in an index of them, on this thread: for tests
/// that limit the work of a step.
#[cfg(test)]
pub(crate) mod comparisons {
    use std::cell::Cell;

    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }

    pub(in crate::model) fn count() {
        COUNT.set(COUNT.get() + 1);
    }

    /// Returns the number of comparisons that `work` made, and its result.
    pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (usize, T) {
        let before = COUNT.get();
        let result = work();
        (COUNT.get() - before, result)
    }
}

#[cfg(not(test))]
pub(super) mod comparisons {
    pub(in crate::model) const fn count() {}
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Keyhouse's own permissions, written out a second time.
    const OWN: &[&str] = &[
        "keyhouse:keys:read",
        "keyhouse:keys:manage",
        "keyhouse:keys:create",
        "keyhouse:keys:verify",
        "keyhouse:users:read",
        "keyhouse:users:manage",
        "keyhouse:roles:read",
        "keyhouse:roles:manage",
        "keyhouse:teams:read",
        "keyhouse:teams:manage",
        "keyhouse:organization:read",
        "keyhouse:organization:manage",
        "keyhouse:subscription:read",
        "keyhouse:subscription:manage",
        "keyhouse:audit:read",
        "keyhouse:audit:manage",
        "keyhouse:usage:read",
        "keyhouse:usage:manage",
        "keyhouse:instance:manage",
        "keyhouse:instance:verify",
        "keyhouse:instance:import",
    ];

    #[test]
    fn a_full_maximum_with_both_realms_can_be_read_again() {
        let texts: Vec<String> = (0..PATTERNS_MAX).map(|n| format!("a{n}:*")).collect();
        let full: Patterns = texts.join(" ").parse().unwrap();
        for maximum in
            [Patterns::of_organization(full.as_set()), Patterns::of_holder(full.as_set(), true)]
        {
            assert!(maximum.as_set().grants("keyhouse:instance:manage"), "{maximum}");
            assert_eq!(maximum.to_string().parse(), Ok(maximum));
        }
        let role: Patterns = "keyhouse:instance:verify a:*".parse().unwrap();
        assert_eq!(Patterns::of_holder(role.as_set(), false).to_string(), "a:*");
    }

    #[test]
    fn each_pattern_reaches_just_these_own_names() {
        let all_but_instance = OWN.iter().filter(|name| !name.contains("instance")).count();
        for (pattern, reached) in [
            ("*", 0),
            ("*:*", 0),
            ("*:*:*", 0),
            ("*:keys:read", 0),
            ("*:instance:manage", 0),
            ("keys:*", 0),
            ("keyhouse:*", all_but_instance),
            ("keyhouse:*:*", all_but_instance),
            ("keyhouse:*:read", 8),
            ("keyhouse:*:manage", 8),
            ("keyhouse:*:verify", 1),
            ("keyhouse:keys:*", 4),
            ("keyhouse:keys:read", 1),
            ("keyhouse:instance:*", 3),
            ("keyhouse:instance:verify", 1),
            ("keyhouse:*:import", 0),
            ("keyhouse:keys", 0),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            let granted: Vec<_> =
                OWN.iter().filter(|name| pattern.grants(&name.parse().unwrap())).collect();
            assert_eq!(granted.len(), reached, "{pattern} reaches {granted:?}");
            for name in OWN {
                let as_pattern: Pattern = name.parse().unwrap();
                let covered = pattern.covers(&as_pattern);
                assert_eq!(covered, pattern.grants(&name.parse().unwrap()), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn wildcards_stand_for_what_they_say() {
        for (pattern, permission, granted) in [
            ("*", "diagrams:read", true),
            ("*", "a:b:c", true),
            ("diagrams:*", "diagrams:read", true),
            ("diagrams:*", "diagrams:read:all", true),
            ("diagrams:*", "files:read", false),
            ("*:read", "diagrams:read", true),
            ("*:read", "a:b:read", false),
            ("a:*:c", "a:b:c", true),
            ("a:*:c", "a:b:d", false),
            ("a:*:c", "a:c", false),
            ("a:b", "a:b", true),
            ("a:b", "a:b:c", false),
            ("a:b:*", "a:b", false),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(
                pattern.grants(&permission.parse().unwrap()),
                granted,
                "{pattern} {permission}"
            );
        }
    }

    #[test]
    fn shapes_are_kept() {
        for wrong in ["", "a", "a:", ":a", "A:b", "a:b c", "a:*x", "**", "a:b:c:d:e:f:g:h:i", "é:b"]
        {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
            assert!(wrong.parse::<Permission>().is_err(), "{wrong}");
        }
        assert!("a:*".parse::<Permission>().is_err());
        let many: Vec<Pattern> =
            (0..=PATTERNS_MAX).map(|n| format!("a:b{n}").parse().unwrap()).collect();
        assert_eq!(Patterns::new(&many), Err(InvalidPermission::TooMany));
        let twice: Patterns = "a:b a:b c:*".parse().unwrap();
        assert_eq!(twice.to_string(), "a:b c:*");
    }

    fn segment() -> impl Strategy<Value = String> {
        prop_oneof![Just("keyhouse"), Just("instance"), Just("a"), Just("b"), Just("read")]
            .prop_map(str::to_owned)
    }

    pub(crate) fn permission() -> impl Strategy<Value = Permission> {
        proptest::collection::vec(segment(), 2..5)
            .prop_map(|parts| parts.join(":").parse().unwrap())
    }

    pub(in crate::model) fn pattern() -> impl Strategy<Value = Pattern> {
        let segment = prop_oneof![2 => segment(), 1 => Just("*".to_owned())];
        prop_oneof![
            1 => Just("*".parse().unwrap()),
            9 => proptest::collection::vec(segment, 2..5)
                .prop_map(|parts| parts.join(":").parse().unwrap()),
        ]
    }

    pub(crate) fn patterns() -> impl Strategy<Value = Patterns> {
        proptest::collection::vec(pattern(), 0..5).prop_map(|list| Patterns::new(&list).unwrap())
    }

    /// Implements the rule of [`Pattern::grants`] as a slow recursion on lists.
    fn naive(pattern: &[&str], permission: &[&str], whole: &[&str], depth: usize) -> bool {
        let own = whole.first() == Some(&"keyhouse");
        let literal_needed =
            (depth == 0 && own) || (depth == 1 && own && whole.get(1) == Some(&"instance"));
        match (pattern, permission) {
            ([], []) => true,
            ([], _) | (_, []) => false,
            // In a protected realm the last `*` may only follow the literal segments.
            (["*"], [_, ..]) => !literal_needed,
            (["*", rest @ ..], [_, others @ ..]) => {
                !literal_needed && naive(rest, others, whole, depth + 1)
            },
            ([one, rest @ ..], [other, others @ ..]) => {
                one == other && naive(rest, others, whole, depth + 1)
            },
        }
    }

    proptest! {
        #[test]
        fn matching_equals_the_naive_rule(pattern in pattern(), permission in permission()) {
            let parts: Vec<_> = pattern.as_str().split(':').collect();
            let names: Vec<_> = permission.as_str().split(':').collect();
            prop_assert_eq!(pattern.grants(&permission), naive(&parts, &names, &names, 0));
        }

        #[test]
        fn covered_permissions_are_granted(held in pattern(), wanted in pattern(), asked in permission()) {
            if held.covers(&wanted) && wanted.grants(&asked) {
                prop_assert!(held.grants(&asked), "{} covers {} but not {}", held, wanted, asked);
            }
        }

        #[test]
        fn every_pattern_covers_itself(pattern in pattern()) {
            prop_assert!(pattern.covers(&pattern));
        }
    }
}
