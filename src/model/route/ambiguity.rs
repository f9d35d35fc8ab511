//! Ambiguities of paths: parts that programs read differently and that a route may allow.
//!
//! A path that a route allows is still rejected if another reading of it matches a more specific
//! rule: otherwise an upstream with that reading would serve it under the more general rule. A gate
//! never stores two rules that no request can distinguish.

use std::fmt;
use std::str::FromStr;

/// A part of a path that programs read differently. A route may allow such a part if the
/// application behind the route treats it as a part of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// `%2F`: some programs read a slash, others a character of the segment.
    EncodedSlash,
    /// `//`: some programs read one slash, others an empty segment between two.
    DoubleSlash,
    /// `;`: the beginning of parameters for some programs.
    Semicolon,
    /// Bytes of UTF-8 that are not percent-encoded, in the path or the query.
    Utf8,
    /// A dot or a space at a segment's end, which Windows cuts off.
    TrailingDot,
    /// A character that Unicode's compatibility forms, or a code page, turn into a dot or a slash.
    CompatibilityForm,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ambiguities(u8);

/// A path that is rejected because two programs could read it differently, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DoubtfulPath {
    /// A part that no route can allow.
    #[error("the path contains {what}, which is always rejected")]
    Always {
        /// The stable name of the reason.
        reason: &'static str,
        what: &'static str,
    },
    /// The matching route does not allow the ambiguity, or no route matches.
    #[error("the path contains {what}, and no matching route allows {0}", what = .0.what())]
    NotAllowed(Ambiguity),
    /// The matching route allows the ambiguity, but another reading of the path matches a more
    /// specific route.
    #[error("the path matches a more specific route when another program decodes it")]
    OtherRoute,
}

impl DoubtfulPath {
    /// A reason that no route can allow.
    pub fn always(reason: &'static str, what: &'static str) -> Self {
        Self::Always { reason, what }
    }

    /// The stable name of the reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Always { reason, .. } => reason,
            Self::NotAllowed(kind) => kind.name(),
            Self::OtherRoute => "other_route",
        }
    }
}

/// The text is not the name of an ambiguity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be encoded_slash, double_slash, semicolon, utf8, trailing_dot or compatibility_form")]
pub struct InvalidAmbiguity;

impl Ambiguity {
    /// Every kind. If a path holds several kinds, the error names the first kind that is not
    /// allowed.
    pub const ALL: [Self; 6] = [
        Self::EncodedSlash,
        Self::DoubleSlash,
        Self::Utf8,
        Self::TrailingDot,
        Self::CompatibilityForm,
        Self::Semicolon,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::EncodedSlash => "encoded_slash",
            Self::DoubleSlash => "double_slash",
            Self::Semicolon => "semicolon",
            Self::Utf8 => "utf8",
            Self::TrailingDot => "trailing_dot",
            Self::CompatibilityForm => "compatibility_form",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::EncodedSlash => "an encoded slash",
            Self::DoubleSlash => "'//'",
            Self::Semicolon => "';'",
            Self::Utf8 => "a character that is not percent-encoded",
            Self::TrailingDot => "a dot or a space at a segment's end",
            Self::CompatibilityForm => "a compatibility form of '.' or '/'",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::EncodedSlash => 1,
            Self::DoubleSlash => 2,
            Self::Semicolon => 4,
            Self::Utf8 => 8,
            Self::TrailingDot => 16,
            Self::CompatibilityForm => 32,
        }
    }
}

impl Ambiguities {
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Ambiguity> {
        Ambiguity::ALL.into_iter().filter(move |kind| self.0 & kind.bit() != 0)
    }

    /// The ambiguities that are not among the others.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl FromIterator<Ambiguity> for Ambiguities {
    fn from_iter<I: IntoIterator<Item = Ambiguity>>(iter: I) -> Self {
        Self(iter.into_iter().fold(0, |bits, kind| bits | kind.bit()))
    }
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Ambiguity {
    type Err = InvalidAmbiguity;

    fn from_str(text: &str) -> Result<Self, InvalidAmbiguity> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(InvalidAmbiguity)
    }
}
