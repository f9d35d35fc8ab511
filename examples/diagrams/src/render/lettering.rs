//! The fonts of a picture and the widths of texts in them.

use std::sync::Arc;

use resvg::usvg::fontdb;
use ttf_parser::Face;

use super::Error;
use super::limits::LINES_MAX;

/// Inter (SIL Open Font License 1.1), reduced to Latin, Greek, Cyrillic and punctuation. See
/// `fonts/README.md`.
const REGULAR: &[u8] = include_bytes!("../../fonts/Inter-Regular.subset.otf");
const SEMIBOLD: &[u8] = include_bytes!("../../fonts/Inter-SemiBold.subset.otf");

/// The family of both fonts.
pub(super) const FAMILY: &str = "Inter";

/// The width of a character that the fonts do not have, in ems. Most such characters are ideographs.
const MISSING_EM: f64 = 1.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Semibold,
}

/// Both fonts, parsed.
#[derive(Debug)]
pub(super) struct Lettering {
    regular: Widths,
    semibold: Widths,
}

/// The width of every character, in ems: a table for ASCII, the font for the others.
#[derive(Debug)]
struct Widths {
    face: Face<'static>,
    ascii: [f64; 128],
}

impl Weight {
    pub(super) fn number(self) -> &'static str {
        match self {
            Self::Regular => "400",
            Self::Semibold => "600",
        }
    }

    pub(super) fn file(self) -> &'static [u8] {
        match self {
            Self::Regular => REGULAR,
            Self::Semibold => SEMIBOLD,
        }
    }
}

impl Lettering {
    pub(super) fn load() -> Result<Self, Error> {
        Ok(Self { regular: Widths::of(REGULAR)?, semibold: Widths::of(SEMIBOLD)? })
    }

    /// The width of a line of text in pixels.
    pub(super) fn width(&self, text: &str, weight: Weight, size_px: f64) -> f64 {
        let widths = match weight {
            Weight::Regular => &self.regular,
            Weight::Semibold => &self.semibold,
        };
        text.chars().map(|letter| widths.em(letter)).sum::<f64>() * size_px
    }

    /// The text, shortened with an ellipsis if it is wider than `width_px`.
    pub(super) fn fitted(&self, text: &str, weight: Weight, size_px: f64, width_px: f64) -> String {
        if self.width(text, weight, size_px) <= width_px {
            return text.to_owned();
        }
        let mut room = width_px - self.width("\u{2026}", weight, size_px);
        let mut out = String::new();
        for letter in text.chars() {
            room -= self.width(letter.encode_utf8(&mut [0; 4]), weight, size_px);
            if room < 0.0 {
                break;
            }
            out.push(letter);
        }
        let mut out = out.trim_end().to_owned();
        out.push('\u{2026}');
        out
    }

    /// The text in at most two lines of `width_px`. Lines break after spaces, hyphens and other
    /// separators of names.
    pub(super) fn wrapped(
        &self,
        text: &str,
        weight: Weight,
        size_px: f64,
        width_px: f64,
    ) -> Vec<String> {
        if self.width(text, weight, size_px) <= width_px {
            return vec![text.to_owned()];
        }
        let is_break = |letter: char| matches!(letter, ' ' | '-' | '_' | '/' | '.' | ':');
        let mut first = "";
        for (at, letter) in text.char_indices().filter(|(_, letter)| is_break(*letter)) {
            let Some(start) = text.get(..at + letter.len_utf8()) else { break };
            if self.width(start.trim_end(), weight, size_px) > width_px {
                break;
            }
            first = start;
        }
        let rest = text.get(first.len()..).unwrap_or_default();
        let rest = self.fitted(rest, weight, size_px, width_px);
        if first.is_empty() { vec![rest] } else { vec![first.trim_end().to_owned(), rest] }
    }
}

impl Widths {
    fn of(file: &'static [u8]) -> Result<Self, Error> {
        let face = Face::parse(file, 0)
            .map_err(|error| Error::Encoding { detail: format!("the font: {error}") })?;
        let mut widths = Self { face, ascii: [0.0; 128] };
        for (code, width) in (0_u8..128).zip(widths.ascii.iter_mut()) {
            *width = em(&widths.face, char::from(code));
        }
        Ok(widths)
    }

    fn em(&self, letter: char) -> f64 {
        let ascii = usize::try_from(u32::from(letter)).ok().and_then(|code| self.ascii.get(code));
        ascii.copied().unwrap_or_else(|| em(&self.face, letter))
    }
}

fn em(face: &Face<'_>, letter: char) -> f64 {
    let width = face.glyph_index(letter).and_then(|glyph| face.glyph_hor_advance(glyph));
    width.map_or(MISSING_EM, |width| f64::from(width) / f64::from(face.units_per_em()))
}

/// The fonts for the libraries that draw text. There are no others, so that a picture is the same on every machine.
pub(super) fn font_database() -> Arc<fontdb::Database> {
    let mut database = fontdb::Database::new();
    database.load_font_data(REGULAR.to_vec());
    database.load_font_data(SEMIBOLD.to_vec());
    database.set_sans_serif_family(FAMILY);
    Arc::new(database)
}

/// The text without line breaks and invisible characters, with single spaces.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(visible).collect();
    words.join(" ").trim().to_owned()
}

/// The lines of a free text without invisible characters.
pub(super) fn lines(text: &str) -> Vec<String> {
    text.lines().take(LINES_MAX).map(|line| visible(&line.replace('\t', "    "))).collect()
}

/// Leaves out control characters, marks that reverse the direction of text, and code points that XML
/// does not allow.
fn visible(text: &str) -> String {
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(letter,
                '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    text.chars().filter(|letter| !is_hidden(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_fits_the_width_it_is_given() {
        let lettering = Lettering::load().unwrap();
        for text in [
            "checkout-service-production-eu-west-1",
            "",
            "WWWWWWWWWWWWWWWWWWWWWW",
            "\u{6f22}\u{5b57}",
        ] {
            for line in lettering.wrapped(text, Weight::Semibold, 13.0, 100.0) {
                assert!(lettering.width(&line, Weight::Semibold, 13.0) <= 100.0, "{line}");
            }
        }
        assert_eq!(
            lettering
                .wrapped("checkout-service-production", Weight::Semibold, 13.0, 130.0)
                .concat(),
            "checkout-service-production"
        );
    }

    #[test]
    fn both_fonts_have_the_letters_of_european_languages() {
        let lettering = Lettering::load().unwrap();
        for widths in [&lettering.regular, &lettering.semibold] {
            for letter in
                "AZaz09\u{e9}\u{df}\u{142}\u{3b1}\u{416}\u{2026}\u{b7}\u{20ac}\u{2192}".chars()
            {
                assert!(widths.face.glyph_index(letter).is_some(), "{letter}");
            }
        }
    }

    #[test]
    fn characters_that_hide_or_reverse_text_are_left_out() {
        assert_eq!(one_line(" a\u{202e}b\u{0}\n\tc\u{200b} "), "ab c");
    }
}
