//! The languages that Keyhouse speaks.

use std::str::FromStr;

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locale {
    /// English.
    English,
    /// French.
    French,
    /// Spanish.
    Spanish,
}

/// A text that is no language of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be en, fr or es")]
pub struct InvalidLocale;

impl Locale {
    /// The tag (RFC 5646).
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Spanish => "es",
        }
    }
}

impl FromStr for Locale {
    type Err = InvalidLocale;

    fn from_str(text: &str) -> Result<Self, InvalidLocale> {
        let all = [Self::English, Self::French, Self::Spanish];
        all.into_iter().find(|locale| locale.name() == text).ok_or(InvalidLocale)
    }
}
