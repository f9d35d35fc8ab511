//! Names and descriptions, email addresses, and random name proposals.

use rand::Rng;

use crate::model::text::{self, Unfit};

/// The longest name, in characters (Unicode scalar values).
pub const NAME_CHARACTERS_MAX: usize = 256;
/// The longest description, in characters.
pub const DESCRIPTION_CHARACTERS_MAX: usize = 1_000;
/// The longest email address, in bytes (RFC 5321, 4.5.3.1.3).
pub const EMAIL_BYTES_MAX: usize = 254;

/// The text is not a name, a description or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("must have a visible character")]
    Blank,
    #[error("must be at most {max} characters")]
    TooLong { max: usize },
    /// A byte that could forge a line or a colour in a terminal or log.
    #[error("must not contain control characters")]
    Control,
    /// A character that is invisible, or that changes the direction of the following text.
    #[error("must not contain U+{character:04X}, which is invisible")]
    Hidden { character: u32 },
    #[error("must be an email address such as ada@example.com")]
    Email,
}

/// Parses a name: 1 to [`NAME_CHARACTERS_MAX`] characters; spaces at the ends are cut off.
pub fn parse_name(text: &str) -> Result<String, InvalidName> {
    let name = text.trim();
    if name.is_empty() {
        return Err(InvalidName::Blank);
    }
    parse_text(name, NAME_CHARACTERS_MAX)
}

/// Parses a description, which may be empty.
pub fn parse_description(text: &str) -> Result<String, InvalidName> {
    parse_text(text.trim(), DESCRIPTION_CHARACTERS_MAX)
}

/// Parses an email address into its stored form: lower case. Rejects only addresses that cannot
/// receive mail. The link sent to an address proves that a person reads it.
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
    // Names and descriptions are one line: they contain no tab and no new line.
    let text = text::checked(text).map_err(|unfit| match unfit {
        Unfit::Refused(character) if character.is_control() => InvalidName::Control,
        Unfit::Refused(character) => InvalidName::Hidden { character: character.into() },
        Unfit::Invisible => InvalidName::Blank,
    })?;
    if text.chars().count() > max {
        return Err(InvalidName::TooLong { max });
    }
    Ok(text)
}

/// A random readable name, such as `quiet-otter-417`.
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
        assert_eq!(parse_name("a\u{202e}b"), Err(InvalidName::Hidden { character: 0x202e }));
        assert_eq!(parse_name("\u{301}"), Err(InvalidName::Blank));
        assert_eq!(parse_name("Cafe\u{301}"), Ok("Caf\u{e9}".to_owned()));
        assert_eq!(parse_name(&"x".repeat(257)), Err(InvalidName::TooLong { max: 256 }));
        assert_eq!(parse_description(""), Ok(String::new()));
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
