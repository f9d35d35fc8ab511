//! A query to a set of patterns: whether it grants one permission, or all permissions of a pattern.

use crate::model::permission::PatternSet;

/// The subject of a query to a set of patterns: one permission, or all permissions of a pattern.
#[derive(Clone, Copy, Debug)]
pub enum RightQuery<'a> {
    Permission(&'a str),
    /// All permissions that this pattern matches.
    Pattern(&'a str),
}

impl<'a> RightQuery<'a> {
    /// The text of the permission or pattern.
    pub fn text(self) -> &'a str {
        match self {
            Self::Permission(text) | Self::Pattern(text) => text,
        }
    }

    /// Whether a set of patterns grants the permission, or all permissions of the pattern.
    pub fn of(self, patterns: PatternSet<'_>) -> bool {
        match self {
            Self::Permission(permission) => patterns.grants(permission),
            Self::Pattern(pattern) => patterns.covers(pattern),
        }
    }
}
