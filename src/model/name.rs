//! Names that people give to things, and names proposed to them.

use rand::Rng;

/// Longest name of anything, in characters (Unicode scalar values).
pub const NAME_CHARACTERS_MAX: usize = 256;
/// Longest description, in characters.
pub const DESCRIPTION_CHARACTERS_MAX: usize = 1_000;
/// Longest e-mail address, in bytes (RFC 5321, 4.5.3.1.3).
pub const EMAIL_BYTES_MAX: usize = 254;

/// A text that is no name, description or address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing to read.
    #[error("must not be blank")]
    Blank,
    /// Too long.
    #[error("must be at most {max} characters")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// A byte that could forge a line or a colour in somebody's terminal or log.
    #[error("must not contain control characters")]
    Control,
    /// No address.
    #[error("must be an e-mail address such as ada@example.com")]
    Email,
}

/// Takes a name: 1 to [`NAME_CHARACTERS_MAX`] characters, spaces at the ends cut off.
///
/// # Errors
/// [`InvalidName`].
pub fn parse_name(text: &str) -> Result<String, InvalidName> {
    let name = text.trim();
    if name.is_empty() {
        return Err(InvalidName::Blank);
    }
    parse_text(name, NAME_CHARACTERS_MAX)
}

/// Takes a description, which may be empty.
///
/// # Errors
/// [`InvalidName`].
pub fn parse_description(text: &str) -> Result<String, InvalidName> {
    parse_text(text.trim(), DESCRIPTION_CHARACTERS_MAX)
}

/// A name as eyes read it, for comparing names: in lower case, without what shows as nothing, with
/// single plain spaces, and with the usual look-alikes of Latin letters as those letters.
///
/// It is not all of Unicode's confusables (UTS 39), which are a table of thousands.
pub fn folded(name: &str) -> String {
    let mut read = String::with_capacity(name.len());
    for character in name.chars().filter(|character| !is_invisible(*character)) {
        if character.is_whitespace() || is_blank(character) {
            if !read.is_empty() && !read.ends_with(' ') {
                read.push(' ');
            }
        } else {
            read.extend(plain(character).to_lowercase().map(plain));
        }
    }
    read.truncate(read.trim_end().len());
    read
}

/// Characters that show as nothing: soft hyphens, joiners, marks of direction, selectors, tags.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Characters that show as space and are none by name: fillers, and the empty braille cell.
const fn is_blank(character: char) -> bool {
    matches!(character, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}')
}

/// The Latin letter that a character looks like, or itself.
fn plain(character: char) -> char {
    const FULL_WIDTH_OFFSET: u32 = 0xfee0;
    match character {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(character) - FULL_WIDTH_OFFSET).unwrap_or(character)
        },
        _ => LOOK_ALIKES
            .iter()
            .find(|(_, alike)| alike.contains(character))
            .map_or(character, |(letter, _)| *letter),
    }
}

/// Cyrillic, Greek, Armenian and Latin letters that are drawn like a plain small one.
const LOOK_ALIKES: &[(char, &str)] = &[
    ('a', "\u{430}\u{3b1}\u{251}\u{410}\u{391}"),
    ('c', "\u{441}\u{3f2}\u{421}"),
    ('d', "\u{501}\u{257}"),
    ('e', "\u{435}\u{3b5}\u{415}\u{395}\u{212e}"),
    ('g', "\u{581}\u{261}\u{50d}"),
    ('h', "\u{4bb}\u{570}\u{41d}\u{397}"),
    ('i', "\u{456}\u{3b9}\u{131}\u{406}\u{399}\u{4cf}"),
    ('j', "\u{458}\u{3f3}\u{408}"),
    ('k', "\u{43a}\u{3ba}\u{41a}\u{39a}"),
    ('m', "\u{43c}\u{41c}\u{39c}"),
    ('n', "\u{578}\u{57c}\u{3b7}\u{39d}"),
    ('o', "\u{43e}\u{3bf}\u{585}\u{41e}\u{39f}\u{3c3}"),
    ('p', "\u{440}\u{3c1}\u{420}\u{3a1}"),
    ('r', "\u{433}\u{280}"),
    ('s', "\u{455}\u{405}\u{a731}"),
    ('t', "\u{442}\u{3c4}\u{422}\u{3a4}"),
    ('u', "\u{57d}\u{3c5}\u{28b}"),
    ('v', "\u{475}\u{3bd}"),
    ('w', "\u{461}\u{51d}\u{3c9}\u{51c}\u{26f}"),
    ('x', "\u{445}\u{3c7}\u{425}\u{3a7}"),
    ('y', "\u{443}\u{3b3}\u{423}\u{3a5}"),
];

/// Takes an e-mail address in its one form here: lower case. Only what can't be delivered at all is
/// refused; whether somebody reads it shows when they follow a link.
///
/// # Errors
/// [`InvalidName::Email`].
pub fn parse_email(text: &str) -> Result<String, InvalidName> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@').ok_or(InvalidName::Email)?;
    let visible = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let domain_fits = !domain.is_empty()
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
    let fits = visible && !local.is_empty() && domain_fits && !local.contains(['"', '@', '<', '>']);
    if fits && text.len() <= EMAIL_BYTES_MAX {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(InvalidName::Email)
    }
}

fn parse_text(text: &str, max: usize) -> Result<String, InvalidName> {
    // A tab or a new line is welcome in no name and no description of one line.
    if text.chars().any(char::is_control) {
        return Err(InvalidName::Control);
    }
    if text.chars().count() > max {
        return Err(InvalidName::TooLong { max });
    }
    Ok(text.to_owned())
}

/// A readable name at random, such as `quiet-otter-417`.
pub fn propose(random: &mut impl Rng) -> String {
    let pick = |words: &'static [&'static str], number: u32| {
        let at = usize::try_from(number).unwrap_or(0) % words.len().max(1);
        words.get(at).copied().unwrap_or("key")
    };
    let quality = pick(QUALITIES, random.next_u32());
    let animal = pick(ANIMALS, random.next_u32());
    format!("{quality}-{animal}-{}", 100 + random.next_u32() % 900)
}

const QUALITIES: &[&str] = &[
    "amber", "bold", "brave", "bright", "brisk", "calm", "clear", "clever", "cosy", "crisp",
    "eager", "early", "fair", "fast", "fine", "fresh", "gentle", "glad", "golden", "happy", "keen",
    "kind", "light", "lively", "lucky", "mellow", "merry", "mild", "neat", "noble", "patient",
    "plain", "proud", "quick", "quiet", "rapid", "ready", "rosy", "sharp", "shiny", "silent",
    "silver", "smart", "snowy", "solid", "steady", "sunny", "swift", "tidy", "warm", "wise",
    "witty",
];
const ANIMALS: &[&str] = &[
    "badger", "beaver", "bee", "bison", "cat", "crane", "deer", "dove", "eagle", "egret", "falcon",
    "finch", "fox", "gecko", "goose", "hare", "hawk", "heron", "horse", "ibis", "ibex", "jay",
    "koala", "lark", "lemur", "lion", "lynx", "marten", "mole", "moose", "newt", "otter", "owl",
    "panda", "parrot", "pony", "puffin", "quail", "rabbit", "raven", "robin", "salmon", "seal",
    "sparrow", "stork", "swan", "tern", "tiger", "trout", "vole", "whale", "wren",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_bounded_and_free_of_control_characters() {
        assert_eq!(parse_name("  build bot "), Ok("build bot".to_owned()));
        assert_eq!(parse_name("😀".repeat(200).as_str()).map(|name| name.chars().count()), Ok(200));
        assert_eq!(parse_name(" "), Err(InvalidName::Blank));
        assert_eq!(parse_name("a\u{1b}[31m"), Err(InvalidName::Control));
        assert_eq!(parse_name(&"x".repeat(257)), Err(InvalidName::TooLong { max: 256 }));
        assert_eq!(parse_description(""), Ok(String::new()));
    }

    #[test]
    fn names_that_read_the_same_fold_to_the_same() {
        for (one, other) in [
            ("Build  Bot", "build bot"),
            ("build\u{a0}bot", "build bot"),
            (" build\u{200b} bot\u{3000}", "build bot"),
            ("\u{ff22}ot", "bot"),
            ("É", "é"),
            ("\u{212a}ey", "key"),
        ] {
            assert_eq!(folded(one), folded(other), "{one:?}");
        }
        assert_ne!(folded("build bot"), folded("buildbot"));
        assert_ne!(folded("bot 1"), folded("bot 2"));
    }

    #[test]
    fn addresses_have_one_form() {
        assert_eq!(parse_email("Ada@Example.COM"), Ok("ada@example.com".to_owned()));
        for wrong in
            ["", "ada", "@example.com", "ada@", "ada@exa mple.com", "a\"b@c.d", "a@b..c", "a@b@c"]
        {
            assert_eq!(parse_email(wrong), Err(InvalidName::Email), "{wrong}");
        }
    }

    #[test]
    fn proposed_names_are_names() {
        let name = propose(&mut rand::rng());
        assert_eq!(parse_name(&name), Ok(name.clone()), "{name}");
    }
}
