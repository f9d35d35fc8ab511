//! The form of texts that people and files provide, and of texts for a terminal.
//!
//! All rules on byte order marks, control characters and invisible characters are in this file.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};
use unicode_security::confusable_detection::skeleton;

/// The number of leading bytes of a file that are searched for NUL, to detect UTF-16 without a byte
/// order mark.
const UTF_16_LOOKED_AT: usize = 64;

/// The bytes are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEncoding {
    #[error("is UTF-16: save it as UTF-8")]
    Utf16,
    #[error("is not UTF-8 (byte {at}): save it as UTF-8")]
    NotUtf8 {
        /// The number of valid bytes before the first invalid one.
        at: usize,
    },
}

/// The UTF-8 text of a file or of stdin, without its byte order mark.
pub fn decode(bytes: &[u8]) -> Result<&str, InvalidEncoding> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if is_utf_16(bytes) {
        return Err(InvalidEncoding::Utf16);
    }
    str::from_utf8(bytes).map_err(|error| InvalidEncoding::NotUtf8 { at: error.valid_up_to() })
}

/// Detects UTF-16 by its byte order mark, or by NUL in every second byte of the beginning.
fn is_utf_16(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return true;
    }
    let begin = bytes.get(..bytes.len().min(UTF_16_LOOKED_AT)).unwrap_or_default();
    let is_nul = |first: usize| {
        begin.len() >= 2 && begin.iter().skip(first).step_by(2).all(|byte| *byte == 0)
    };
    is_nul(0) || is_nul(1)
}

/// The normal form of a text, NFC (UAX 15): two spellings of the same text become equal.
pub fn normalized(text: &str) -> String {
    text.nfc().collect()
}

/// Whether a name must not contain a character: a control character, a change of direction, the end
/// of a line or paragraph, or an invisible character.
fn is_refused(character: char) -> bool {
    let is_format = matches!(
        character.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    );
    is_format || (is_ignorable(character) && !is_selector(character))
}

/// Characters that are invisible (`Default_Ignorable_Code_Point`), including unassigned ones.
const fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Selects how the preceding character is drawn: an emoji in colour, a variant of an ideograph.
const fn is_selector(character: char) -> bool {
    matches!(character, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}')
}

const fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// Whether a character is visible by itself.
fn is_visible(character: char) -> bool {
    let group = character.general_category_group();
    let is_drawn = !matches!(
        group,
        GeneralCategoryGroup::Separator | GeneralCategoryGroup::Mark | GeneralCategoryGroup::Other
    ) || matches!(
        character.general_category(),
        // Private characters, and characters that this version of Unicode does not define.
        GeneralCategory::PrivateUse | GeneralCategory::Unassigned
    );
    // U+2800, the empty braille cell, is a symbol, but not visible.
    is_drawn && !is_ignorable(character) && character != '\u{2800}'
}

/// Whether a joiner may be between two characters: scripts that need joiners, and emoji.
fn may_join(before: Option<char>, after: Option<char>) -> bool {
    let is_joined = |character: Option<char>| {
        character.is_some_and(|character| {
            let is_of_word = character.is_alphabetic()
                || is_combining_mark(character)
                || is_selector(character)
                || is_pictograph(character);
            is_of_word && !is_plain_script(character)
        })
    };
    is_joined(before) && is_joined(after)
}

/// Latin, Greek, Cyrillic and similar scripts, in which a joiner is invisible.
const fn is_plain_script(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{58f}' | '\u{10a0}'..='\u{10ff}' | '\u{1c80}'..='\u{1cbf}'
            | '\u{1d00}'..='\u{1fff}' | '\u{2c60}'..='\u{2c7f}' | '\u{2d00}'..='\u{2d2f}'
            | '\u{2de0}'..='\u{2dff}' | '\u{a640}'..='\u{a69f}' | '\u{a720}'..='\u{a7ff}'
            | '\u{ab30}'..='\u{ab6f}' | '\u{fb00}'..='\u{fb1c}' | '\u{ff00}'..='\u{ff5e}'
    )
}

fn is_pictograph(character: char) -> bool {
    matches!(
        character.general_category(),
        GeneralCategory::OtherSymbol | GeneralCategory::ModifierSymbol
    )
}

/// The text contains a character that names must not have, or no visible character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    Refused(char),
    Invisible,
}

/// Normalizes a text for people. An empty text is valid.
pub(crate) fn checked(text: &str) -> Result<String, Unfit> {
    let text = normalized(text);
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let fits = if is_joiner(character) {
            may_join(before, characters.peek().copied())
        } else {
            !is_refused(character)
        };
        if !fits {
            return Err(Unfit::Refused(character));
        }
        before = Some(character);
    }
    let is_shown = text.is_empty() || text.chars().any(is_visible);
    if is_shown { Ok(text) } else { Err(Unfit::Invisible) }
}

/// The visual form of a name, to compare it with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// Case-folded, then mapped by shape: equal for two spellings of a word that differ in case.
    folded: String,
    /// Mapped by shape, then case-folded: equal for capitals that are drawn alike.
    drawn: String,
}

impl Likeness {
    /// The likeness of a name. Case, formatting marks and kinds of space are ignored. Characters
    /// that are drawn alike are equal (UTS 39).
    pub fn of(name: &str) -> Self {
        let plain = spaced(name);
        let folded = shape(&case_folded(&plain));
        let drawn = case_folded(&shape(&plain));
        Self { folded, drawn }
    }

    /// Whether a person can confuse the two names.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.folded == other.folded || self.drawn == other.drawn
    }
}

/// The name without invisible characters, with single plain spaces between words.
fn spaced(name: &str) -> String {
    let is_space = |character: char| {
        character.is_whitespace()
            || matches!(character, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}')
    };
    let words = name
        .split(is_space)
        .map(|word| word.nfc().filter(|character| !is_ignorable(*character)).collect::<String>());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn shape(text: &str) -> String {
    skeleton(text).collect()
}

/// Converts to capitals first: a character without a capital of its own (`ß`, `ς`) then equals its
/// base form.
fn case_folded(text: &str) -> String {
    text.nfc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect()
}

/// A text as searches compare it: without case, marks and compatibility forms.
pub fn search_form(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let bare = text.nfkd().filter(|character| !is_combining_mark(*character));
    let folded = bare.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    folded.nfkd().filter(|it| !is_combining_mark(*it) && !is_ignorable(*it)).collect()
}

/// A text for a terminal, or for a line of a log. Control characters, changes of direction and
/// invisible characters become JSON escapes, so that a JSON text stays valid. New lines stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_fit = |character: char| character == '\n' || !is_refused(character);
    if text.chars().all(is_fit) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let joins = is_joiner(character) && may_join(before, characters.peek().copied());
        if is_fit(character) || joins {
            escaped.push(character);
        } else {
            escape(&mut escaped, character);
        }
        before = Some(character);
    }
    Cow::Owned(escaped)
}

/// Like [`printable`], but escapes new lines too: for a value within a line.
pub fn printable_line(text: &str) -> String {
    printable(text).replace('\n', "\\u000a")
}

fn escape(escaped: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        // Writing to a string cannot fail.
        let (Ok(()) | Err(_)) = write!(escaped, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_utf_8_with_or_without_a_byte_order_mark() {
        for (bytes, text) in [
            (&b"caf\xc3\xa9\n"[..], Ok("café\n")),
            (b"\xef\xbb\xbfkey", Ok("key")),
            (b"", Ok("")),
            (b"\xef\xbb\xbf", Ok("")),
            (b"\xff\xfek\0e\0y\0", Err(InvalidEncoding::Utf16)),
            (b"\xfe\xff\0k\0e\0y", Err(InvalidEncoding::Utf16)),
            (b"k\0e\0y\0", Err(InvalidEncoding::Utf16)),
            (b"\0k\0e\0y", Err(InvalidEncoding::Utf16)),
            (b"\xff\xfe\0\0k\0\0\0", Err(InvalidEncoding::Utf16)),
            (b"caf\xe9", Err(InvalidEncoding::NotUtf8 { at: 3 })),
        ] {
            assert_eq!(decode(bytes), text, "{bytes:?}");
        }
    }

    #[test]
    fn names_have_one_form_and_nothing_that_hides() {
        for (text, taken) in [
            ("Cafe\u{301}", "Café"),
            ("build bot", "build bot"),
            ("نامه\u{200c}ای", "نامه\u{200c}ای"),
            ("क्\u{200d}ष", "क्\u{200d}ष"),
            ("👩\u{200d}💻", "👩\u{200d}💻"),
            ("❤\u{fe0f}\u{200d}🔥", "❤\u{fe0f}\u{200d}🔥"),
            ("日本\u{3000}語", "日本\u{3000}語"),
            ("", ""),
        ] {
            assert_eq!(checked(text).as_deref(), Ok(taken), "{text:?}");
        }
        for (text, character) in [
            ("a\u{202e}b", '\u{202e}'),
            ("a\u{2066}b", '\u{2066}'),
            ("a\u{2028}b", '\u{2028}'),
            ("a\u{2029}b", '\u{2029}'),
            ("a\u{e0041}b", '\u{e0041}'),
            ("\u{200b}", '\u{200b}'),
            ("a\u{200d}b", '\u{200d}'),
            ("\u{200d}क", '\u{200d}'),
            ("क\u{200d}", '\u{200d}'),
            ("ж\u{200c}ж", '\u{200c}'),
            ("a\u{ad}b", '\u{ad}'),
            ("\u{feff}a", '\u{feff}'),
            ("a\u{9b}31m", '\u{9b}'),
            ("a\u{1b}[31m", '\u{1b}'),
            ("a\tb", '\t'),
            ("a\u{3164}b", '\u{3164}'),
        ] {
            assert_eq!(checked(text), Err(Unfit::Refused(character)), "{text:?}");
        }
        for text in ["\u{301}", "\u{fe0f}", "\u{2800}", "\u{a0}\u{301}"] {
            assert_eq!(checked(text), Err(Unfit::Invisible), "{text:?}");
        }
    }

    #[test]
    fn names_that_a_person_takes_for_each_other_are_alike() {
        for (one, other) in [
            ("Build  Bot", "build bot"),
            ("build\u{a0}bot", "build bot"),
            (" build\u{200b} bot\u{3000}", "build bot"),
            ("\u{ff22}ot", "bot"),
            ("É", "é"),
            ("E\u{301}", "é"),
            ("\u{212a}ey", "key"),
            ("аdmin", "admin"),
            ("НR", "HR"),
            ("Нина", "нина"),
            ("STRASSE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("R0B", "ROB"),
            ("rn", "m"),
            ("𝐚dmin", "admin"),
            ("оwnеr", "owner"),
        ] {
            assert!(Likeness::of(one).is_alike(&Likeness::of(other)), "{one:?} {other:?}");
        }
        for (one, other) in [("build bot", "buildbot"), ("bot 1", "bot 2"), ("e", "é"), ("a", "b")]
        {
            assert!(!Likeness::of(one).is_alike(&Likeness::of(other)), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_search_finds_every_form_case_and_mark() {
        for (text, sought) in [
            ("Zoë Ågren", "zoe agren"),
            ("Zoe\u{308}", "zoë"),
            ("straße", "STRASSE"),
            ("ﬁle", "FILE"),
            ("İstanbul", "istanbul"),
            ("Ｋｅｙ", "key"),
        ] {
            assert!(search_form(text).contains(&search_form(sought)), "{text:?} {sought:?}");
        }
        assert!(!search_form("key").contains(&search_form("kez")));
    }

    #[test]
    fn printed_text_controls_no_terminal_and_json_stays_json() {
        let wild = "a\u{9b}31m\u{1b}]0;x\u{7}\u{202e}\u{e0041}\u{7f}é\n👩\u{200d}💻";
        let escaped = printable(wild);
        let fit = |it: char| it == '\n' || it == '\u{200d}' || !is_refused(it);
        assert!(escaped.chars().all(fit), "{escaped:?}");
        assert!(
            escaped.starts_with("a\\u009b31m\\u001b]0;x\\u0007\\u202e\\udb40\\udc41\\u007fé\n")
        );
        let json = serde_json::json!({ "agent": wild }).to_string();
        let read: serde_json::Value = serde_json::from_str(&printable(&json)).unwrap();
        assert_eq!(read["agent"], wild);
        assert_eq!(printable_line("a\nb"), "a\\u000ab");
        assert_eq!(printable("plain é"), "plain é");
    }
}
