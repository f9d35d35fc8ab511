//! Keys of other systems: the accepted digests and texts.
//!
//! A text in the shape of a Keyhouse key is rejected: such keys are imported from another instance
//! by their digest. Texts that no check could accept are rejected too, so that an imported key
//! always works.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::model::key_text::{CREDENTIAL_BYTES_MAX, KeyTextClass, classify};
use crate::model::secret::{Digest, SEPARATORS, Secret};

/// The shortest key of another system, in characters: a shorter key could be found by hashing
/// guesses.
pub const FOREIGN_CHARACTERS_MIN: usize = 24;
/// The longest hint, in characters: much shorter than any key, so that a key cannot be stored as
/// its own hint.
pub const HINT_CHARACTERS_MAX: usize = 16;
/// The hint of a key that is known only by its digest.
pub const HINT_UNKNOWN: &str = "imported";
/// The longest text before the hashed part of a key, in bytes.
pub const HEAD_BYTES_MAX: usize = 128;
/// The number of characters of another system's key that its hint shows.
const HINT_CHARACTERS: usize = 4;

/// The hash by which another system stores its keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    #[default]
    Blake3,
    Sha256,
    /// SHA-256 of the part after the last separator. The part before it is known.
    Sha256OfLastPart,
}

/// The names of the stored forms of a SHA-256 in the API: of a whole text, and of its last part.
pub const DERIVED: [&str; 2] = ["sha256-derived", "sha256-part-derived"];

/// The form in which a hash is given: as an algorithm returns it, or as Keyhouse stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashForm {
    Given(Algorithm),
    /// What is stored of a key with this algorithm: the form in which an export shows it.
    Stored(Algorithm),
}

/// Why a key of another system is rejected. The error never contains the key's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidForeign {
    #[error("must be blake3, sha256, {} or {}", DERIVED[0], DERIVED[1])]
    Algorithm,
    #[error("must be 32 bytes in hexadecimal, base64 or base64url")]
    Digest,
    #[error(
        "must be {FOREIGN_CHARACTERS_MIN} to {CREDENTIAL_BYTES_MAX} printable characters without \
         spaces"
    )]
    Text,
    #[error(
        "is a key of a Keyhouse instance: import it by its digest, with \"algorithm\": \"blake3\""
    )]
    OwnShape,
    #[error(
        "has the format of a Keyhouse key but a wrong checksum, so every check rejects it: copy \
         the key again"
    )]
    Checksum,
    #[error("is the digest of an empty text: the export has no key here")]
    EmptyText,
    #[error("must be 1 to {HINT_CHARACTERS_MAX} printable characters without spaces")]
    Hint,
    #[error(
        "must be 2 to {HEAD_BYTES_MAX} printable characters without spaces that end with | or ."
    )]
    Head,
    #[error("is accepted with the algorithm sha256 only")]
    HeadAlgorithm,
}

impl Algorithm {
    /// The name in records. The API uses the first two.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Sha256 => "sha256",
            Self::Sha256OfLastPart => "sha256-part",
        }
    }
}

impl HashForm {
    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Given(algorithm) | Self::Stored(algorithm @ Algorithm::Blake3) => {
                algorithm.name()
            },
            Self::Stored(Algorithm::Sha256) => DERIVED[0],
            Self::Stored(Algorithm::Sha256OfLastPart) => DERIVED[1],
        }
    }

    /// The digest under which Keyhouse stores a key with this hash, and its algorithm. With a
    /// `head`, the hash is that of the part after the head.
    pub fn digest(
        self,
        hash: &[u8; 32],
        head: Option<&str>,
    ) -> Result<(Digest, Algorithm), InvalidForeign> {
        match (self, head) {
            (Self::Given(algorithm @ Algorithm::Blake3) | Self::Stored(algorithm), None) => {
                Ok((Digest::from_bytes(*hash), algorithm))
            },
            (Self::Given(algorithm @ Algorithm::Sha256), None) => {
                Ok((Digest::of_sha256(hash), algorithm))
            },
            (Self::Given(Algorithm::Sha256), Some(head)) => {
                Ok((Digest::of_last_part(head.as_bytes(), hash), Algorithm::Sha256OfLastPart))
            },
            (Self::Given(Algorithm::Blake3) | Self::Stored(_), Some(_)) => {
                Err(InvalidForeign::HeadAlgorithm)
            },
            (Self::Given(Algorithm::Sha256OfLastPart), _) => Err(InvalidForeign::Algorithm),
        }
    }
}

impl FromStr for HashForm {
    type Err = InvalidForeign;

    fn from_str(text: &str) -> Result<Self, InvalidForeign> {
        let stored = [Algorithm::Sha256, Algorithm::Sha256OfLastPart].map(Self::Stored);
        let given = [Algorithm::Blake3, Algorithm::Sha256].map(Self::Given);
        let known = stored.into_iter().chain(given).find(|form| form.name() == text);
        known.ok_or(InvalidForeign::Algorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = InvalidForeign;

    fn from_str(text: &str) -> Result<Self, InvalidForeign> {
        match text {
            "blake3" => Ok(Self::Blake3),
            "sha256" => Ok(Self::Sha256),
            "sha256-part" => Ok(Self::Sha256OfLastPart),
            _ => Err(InvalidForeign::Algorithm),
        }
    }
}

/// Parses the 32 bytes of a hash: hexadecimal, base64 or base64url, padded or not.
pub fn parse_hash(text: &str) -> Result<[u8; 32], InvalidForeign> {
    if let Ok(digest) = text.to_ascii_lowercase().parse::<Digest>() {
        return Ok(*digest.bytes());
    }
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let read = |alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok();
    let bytes = read(&alphabet::STANDARD).or_else(|| read(&alphabet::URL_SAFE));
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(InvalidForeign::Digest)
}

/// Rejects the hash of an empty text. All other hashes may be those of keys.
pub fn check_hash(hash: &[u8; 32]) -> Result<(), InvalidForeign> {
    let is_empty = |digest: Digest| [Digest::of(b""), Digest::by_sha256(b"")].contains(&digest);
    if is_empty(Digest::from_bytes(*hash)) || is_empty(Digest::of_sha256(hash)) {
        return Err(InvalidForeign::EmptyText);
    }
    Ok(())
}

/// Parses the part of a key before its hashed part, with the separator.
pub fn parse_head(text: &str) -> Result<String, InvalidForeign> {
    let printable = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let fits = printable && (2..=HEAD_BYTES_MAX).contains(&text.len());
    if fits && text.ends_with(SEPARATORS) { Ok(text.to_owned()) } else { Err(InvalidForeign::Head) }
}

/// Rejects a text that cannot be a key of another system.
pub fn check_text(text: &Secret) -> Result<(), InvalidForeign> {
    let bytes = text.reveal().as_bytes();
    let printable = bytes.iter().all(|byte| (0x21..=0x7e).contains(byte));
    if !printable || !(FOREIGN_CHARACTERS_MIN..=CREDENTIAL_BYTES_MAX).contains(&bytes.len()) {
        return Err(InvalidForeign::Text);
    }
    match classify(bytes) {
        KeyTextClass::Foreign(_) => Ok(()),
        KeyTextClass::Own(_) => Err(InvalidForeign::OwnShape),
        KeyTextClass::Malformed => Err(InvalidForeign::Checksum),
    }
}

/// The part of another system's key that may be shown.
pub fn hint_of(text: &Secret) -> String {
    text.reveal().chars().take(HINT_CHARACTERS).collect()
}

/// Parses a hint: short and printable.
pub fn parse_hint(text: &str) -> Result<String, InvalidForeign> {
    let printable = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let fits = printable && (1..=HINT_CHARACTERS_MAX).contains(&text.len());
    if fits { Ok(text.to_owned()) } else { Err(InvalidForeign::Hint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_in_every_spelling_and_no_other_text_does() {
        let hash = [0xfb; 32];
        let hex = "fb".repeat(32);
        for text in [
            hex.clone(),
            hex.to_uppercase(),
            "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=".to_owned(),
            "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s".to_owned(),
            "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s=".to_owned(),
            "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s".to_owned(),
        ] {
            assert_eq!(parse_hash(&text), Ok(hash), "{text}");
        }
        for wrong in [
            "",
            "fb",
            &hex.replacen('f', "", 1),
            &format!("{hex}fb"),
            &format!("{hex} "),
            // In this order: mixed alphabets, surplus bits, 31 bytes, 33 bytes.
            "+_v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s",
            "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/t",
            "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+w==",
            "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7",
        ] {
            assert_eq!(parse_hash(wrong), Err(InvalidForeign::Digest), "{wrong}");
        }
    }

    #[test]
    fn only_long_printable_texts_of_another_shape_can_be_foreign_keys() {
        let check = |text: &str| check_text(&Secret::new(text.to_owned()));
        let own = crate::model::key_text::generate(
            &"old".parse().unwrap(),
            &crate::model::key_text::Environment::default(),
            &mut rand::rng(),
        );
        let own = own.secret.reveal().to_owned();
        let other = if own.ends_with('0') { '1' } else { '0' };
        let mut mistyped = own.clone();
        mistyped.pop();
        mistyped.push(other);
        for (text, expected) in [
            ("3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", Ok(())),
            (&"x".repeat(24), Ok(())),
            (&"x".repeat(512), Ok(())),
            (&"x".repeat(23), Err(InvalidForeign::Text)),
            (&"x".repeat(513), Err(InvalidForeign::Text)),
            ("a key with spaces in between", Err(InvalidForeign::Text)),
            ("clé-0123456789abcdef0123456789", Err(InvalidForeign::Text)),
            ("kh_something_else_0123456789", Ok(())),
            (&own, Err(InvalidForeign::OwnShape)),
            (&mistyped, Err(InvalidForeign::Checksum)),
        ] {
            assert_eq!(check(text), expected, "{text}");
        }
    }

    #[test]
    fn a_head_is_short_and_ends_with_a_separator() {
        for head in ["17|", "sk_live.", "a|b."] {
            assert_eq!(parse_head(head).as_deref(), Ok(head));
        }
        for wrong in ["", "|", "17", "17_", "1 7|", "é|", &format!("{}|", "x".repeat(128))] {
            assert_eq!(parse_head(wrong), Err(InvalidForeign::Head), "{wrong}");
        }
    }

    #[test]
    fn no_key_can_be_its_own_hint() {
        const { assert!(HINT_CHARACTERS_MAX < FOREIGN_CHARACTERS_MIN) };
        assert_eq!(parse_hint("sk_..Xy9z").as_deref(), Ok("sk_..Xy9z"));
        for wrong in ["", "a b", "é", &"x".repeat(17)] {
            assert_eq!(parse_hint(wrong), Err(InvalidForeign::Hint), "{wrong}");
        }
    }
}
