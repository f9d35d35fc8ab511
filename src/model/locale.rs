//! The languages that the page supports.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locale {
    En,
    Fr,
    Es,
}

/// The text is not a language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be en, fr or es")]
pub struct InvalidLocale;

impl Locale {
    pub const ALL: [Self; 3] = [Self::En, Self::Fr, Self::Es];

    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
            Self::Es => "es",
        }
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Locale {
    type Err = InvalidLocale;

    fn from_str(text: &str) -> Result<Self, InvalidLocale> {
        Self::ALL.into_iter().find(|locale| locale.name() == text).ok_or(InvalidLocale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_parsed_from_their_names() {
        for locale in Locale::ALL {
            assert_eq!(locale.to_string().parse(), Ok(locale));
        }
        assert!("EN".parse::<Locale>().is_err());
    }
}
