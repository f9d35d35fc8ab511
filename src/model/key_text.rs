//! The text of a key: its generation, and its classification before any lookup.
//!
//! `{prefix}_{environment}_{43 base62 digits of 256 random bits}{6 base62 digits of a CRC-32}`. The
//! checksum is CRC-32/ISO-HDLC of every byte before it, so that a scanner can recognize a key
//! offline, and a typing error never costs a lookup.
//!
//! A text is malformed only if it cannot be a key under any prefix. A change of the prefix
//! therefore invalidates no key.

use std::fmt;
use std::str::FromStr;

use rand::CryptoRng;
use zeroize::Zeroize;

use crate::model::secret::{Digest, Secret};

/// The longest text that is looked up.
pub const CREDENTIAL_BYTES_MAX: usize = 512;
/// The number of random digits in a hint.
const HINT_DIGITS: usize = 4;
const RANDOM_DIGITS: usize = 43;
const CHECKSUM_DIGITS: usize = 6;
const BODY_DIGITS: usize = RANDOM_DIGITS + CHECKSUM_DIGITS;
const PREFIX_BYTES_MAX: usize = 16;
const ENVIRONMENT_BYTES_MAX: usize = 16;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The first part of every key of an instance: `[a-z][a-z0-9]{1,15}`, `kh` by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(Box<str>);

/// The purpose of a key, the second part of its text: `[a-z][a-z0-9]{0,15}`, `live` by default.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Environment(Box<str>);

impl Default for Prefix {
    fn default() -> Self {
        Self("kh".into())
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self("live".into())
    }
}

impl Prefix {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Environment {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a prefix or an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPart {
    #[error("must be 2 to 16 characters of a-z and 0-9, starting with a letter")]
    Prefix,
    #[error("must be 1 to 16 characters of a-z and 0-9, starting with a letter")]
    Environment,
}

impl FromStr for Prefix {
    type Err = InvalidPart;

    fn from_str(text: &str) -> Result<Self, InvalidPart> {
        let fits = is_prefix(text.as_bytes());
        if fits { Ok(Self(text.into())) } else { Err(InvalidPart::Prefix) }
    }
}

impl FromStr for Environment {
    type Err = InvalidPart;

    fn from_str(text: &str) -> Result<Self, InvalidPart> {
        let fits = is_environment(text.as_bytes());
        if fits { Ok(Self(text.into())) } else { Err(InvalidPart::Environment) }
    }
}

/// A newly generated secret, with the parts that may be stored.
#[derive(Debug)]
pub struct NewKey {
    /// The text, which is shown once.
    pub secret: Secret,
    pub digest: Digest,
    /// The part that may always be shown: the text up to its first random digits.
    pub hint: String,
}

/// Generates the text of a key from 256 random bits.
pub fn generate(prefix: &Prefix, environment: &Environment, random: &mut impl CryptoRng) -> NewKey {
    let mut number = [0; 32];
    random.fill_bytes(&mut number);
    let mut digits = base62_of_256_bits(number);
    number.zeroize();
    // Allocated at its final size: a growing string would leave copies in memory.
    let length = prefix.0.len() + environment.0.len() + 2 + BODY_DIGITS;
    let mut text = String::with_capacity(length);
    for part in [prefix.as_str(), "_", environment.as_str(), "_"] {
        text.push_str(part);
    }
    let hint_bytes = text.len() + HINT_DIGITS;
    text.extend(digits.iter().map(|digit| char::from(*digit)));
    digits.zeroize();
    let checksum = base62_of_checksum(crc32fast::hash(text.as_bytes()));
    text.extend(checksum.iter().map(|digit| char::from(*digit)));
    let hint = text.chars().take(hint_bytes).collect();
    let secret = Secret::new(text);
    NewKey { digest: secret.digest(), secret, hint }
}

/// The class of a presented text, found without a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTextClass {
    /// The text cannot be a key, so no lookup is made.
    Malformed,
    /// The shape of a Keyhouse key with a correct checksum.
    Own(Digest),
    /// Another shape: possibly an imported key.
    Foreign(Digest),
}

/// Classifies a presented text. The result does not depend on the current prefix, so that a change
/// of the prefix never invalidates a key.
///
/// A text is malformed if it is empty, is longer than [`CREDENTIAL_BYTES_MAX`], holds a byte
/// outside printable ASCII, or has the shape of a Keyhouse key under any prefix with a wrong
/// checksum.
pub fn classify(text: &[u8]) -> KeyTextClass {
    if !is_credential(text) {
        return KeyTextClass::Malformed;
    }
    match checksum_of_our_shape(text) {
        Some(true) => KeyTextClass::Own(Digest::of(text)),
        Some(false) => KeyTextClass::Malformed,
        None => KeyTextClass::Foreign(Digest::of(text)),
    }
}

/// Whether a text has the length and the characters of a credential: 1 to [`CREDENTIAL_BYTES_MAX`]
/// bytes of printable ASCII.
pub fn is_credential(text: &[u8]) -> bool {
    // Reads every byte without an early exit, which compilers turn into vector instructions.
    let is_printable =
        |text: &[u8]| text.iter().fold(true, |good, byte| good & (0x21..=0x7e).contains(byte));
    !text.is_empty() && text.len() <= CREDENTIAL_BYTES_MAX && is_printable(text)
}

/// Whether a text has the shape of a Keyhouse key under any prefix, with a wrong checksum.
pub fn has_wrong_checksum(text: &[u8]) -> bool {
    checksum_of_our_shape(text) == Some(false)
}

/// Whether the checksum is correct, if the text has the shape of a Keyhouse key under any prefix.
fn checksum_of_our_shape(text: &[u8]) -> Option<bool> {
    let (head, body) = text.split_last_chunk::<BODY_DIGITS>()?;
    let head = head.strip_suffix(b"_")?;
    let cut = head.iter().position(|byte| *byte == b'_')?;
    let (prefix, environment) = head.split_at(cut);
    let environment = environment.strip_prefix(b"_")?;
    if !is_prefix(prefix)
        || !is_environment(environment)
        || !body.iter().fold(true, |good, byte| good & byte.is_ascii_alphanumeric())
    {
        return None;
    }
    let (checked, checksum) = text.split_last_chunk::<CHECKSUM_DIGITS>()?;
    Some(base62_of_checksum(crc32fast::hash(checked)) == *checksum)
}

/// Whether a text may be a secret: it has the shape of a Keyhouse key under any prefix, with or
/// without a typing error, or it begins like a current key.
pub fn is_like_ours(text: &[u8], prefix: &Prefix) -> bool {
    checksum_of_our_shape(text).is_some() || begins_with(text, prefix)
}

/// Whether a text has the shape of a key of any instance, with or without a typing error.
pub fn has_key_shape(text: &[u8]) -> bool {
    checksum_of_our_shape(text).is_some()
}

fn begins_with(text: &[u8], prefix: &Prefix) -> bool {
    text.strip_prefix(prefix.0.as_bytes()).is_some_and(|rest| rest.starts_with(b"_"))
}

fn is_prefix(text: &[u8]) -> bool {
    (2..=PREFIX_BYTES_MAX).contains(&text.len()) && is_lower_word(text)
}

fn is_environment(text: &[u8]) -> bool {
    (1..=ENVIRONMENT_BYTES_MAX).contains(&text.len()) && is_lower_word(text)
}

fn is_lower_word(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_lowercase)
        && text.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The digits of a big-endian number, most significant first, zero-padded.
fn base62_of_256_bits(mut number: [u8; 32]) -> [u8; RANDOM_DIGITS] {
    let mut digits = [b'0'; RANDOM_DIGITS];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let part = (remainder << 8) | u32::from(*byte);
            *byte = u8::try_from(part / 62).unwrap_or(u8::MAX);
            remainder = part % 62;
        }
        *digit = base62_digit(remainder);
    }
    digits
}

fn base62_of_checksum(mut checksum: u32) -> [u8; CHECKSUM_DIGITS] {
    let mut digits = [b'0'; CHECKSUM_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = base62_digit(checksum % 62);
        checksum /= 62;
    }
    digits
}

fn base62_digit(value: u32) -> u8 {
    usize::try_from(value).ok().and_then(|at| BASE62.get(at)).copied().unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn new_key() -> String {
        let made = generate(&Prefix::default(), &Environment::default(), &mut rand::rng());
        made.secret.reveal().to_owned()
    }

    #[test]
    fn a_key_has_57_characters_and_a_hint_of_its_start() {
        let made = generate(&Prefix::default(), &Environment::default(), &mut rand::rng());
        let text = made.secret.reveal();
        assert_eq!(text.len(), 57);
        assert!(text.starts_with("kh_live_"));
        assert!(text.starts_with(&made.hint));
        assert_eq!(made.hint.len(), "kh_live_".len() + 4);
        assert_eq!(classify(text.as_bytes()), KeyTextClass::Own(made.digest));
    }

    #[test]
    fn checksum_is_crc32_iso_hdlc_in_base62() {
        // The check value of the algorithm's catalogue entry, and its six digits by hand:
        // 0xcbf43926 = 3421780262 = 3*62^5 + 45*62^4 + 35*62^3 + 27*62^2 + 22*62^1 + 14.
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        let by_hand = [3_u64, 45, 35, 27, 22, 14].iter().fold(0, |sum, digit| sum * 62 + digit);
        assert_eq!(by_hand, 0xcbf4_3926);
        assert_eq!(&base62_of_checksum(0xcbf4_3926), b"3jZRME");
    }

    #[test]
    fn numbers_are_padded_and_the_greatest_one_fits() {
        assert_eq!(base62_of_256_bits([0; 32]), [b'0'; RANDOM_DIGITS]);
        let mut one = [0; 32];
        one[31] = 62;
        assert!(base62_of_256_bits(one).ends_with(b"010"));
        // 2^256 - 1 in base 62, from a big-number calculator.
        let greatest = b"yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1";
        assert_eq!(&base62_of_256_bits([255; 32]), greatest);
    }

    #[test]
    fn no_single_typing_error_makes_another_key_and_all_that_keep_the_shape_are_malformed() {
        let key = new_key();
        for at in 0..key.len() {
            for replacement in [b'0', b'z', b'_', b'A'] {
                let mut bytes = key.clone().into_bytes();
                if bytes[at] == replacement {
                    continue;
                }
                bytes[at] = replacement;
                // A text of another shape could be a key of another system.
                let keeps_shape = checksum_of_our_shape(&bytes).is_some();
                let expected = if keeps_shape {
                    KeyTextClass::Malformed
                } else {
                    KeyTextClass::Foreign(Digest::of(&bytes))
                };
                assert_eq!(classify(&bytes), expected, "{at} {replacement}");
                assert!(keeps_shape || at < 8 || replacement == b'_', "{at} {replacement}");
            }
        }
    }

    #[test]
    fn texts_that_cannot_be_a_key_are_malformed() {
        let (key, long) = (new_key(), "x".repeat(CREDENTIAL_BYTES_MAX + 1));
        let other_prefix_wrong_sum = key.replacen("kh_", "zz_", 1);
        for (claim, text) in [
            ("empty", String::new()),
            ("too long", long),
            ("space", "a b".to_owned()),
            ("control byte", "a\u{7f}".to_owned()),
            ("not ASCII", "clé".to_owned()),
            ("our shape, another prefix, wrong checksum", other_prefix_wrong_sum),
        ] {
            assert_eq!(classify(text.as_bytes()), KeyTextClass::Malformed, "{claim}");
        }
    }

    #[test]
    fn other_shapes_are_foreign_and_older_prefixes_own() {
        let key = new_key();
        for foreign in [
            "sk-0123456789abcdefghijklmn",
            "kh_live_short",
            "kh_something_else_0123456789",
            &format!("{key}0"),
            key.get(1..).unwrap(),
        ] {
            let expected = KeyTextClass::Foreign(Digest::of(foreign.as_bytes()));
            assert_eq!(classify(foreign.as_bytes()), expected, "{foreign}");
        }
        let older: Prefix = "old".parse().unwrap();
        let made = generate(&older, &Environment::default(), &mut rand::rng());
        let text = made.secret.reveal().as_bytes();
        assert_eq!(classify(text), KeyTextClass::Own(made.digest));
    }

    #[test]
    fn parts_keep_their_shape() {
        for wrong in ["", "k", "Kh", "1k", "k_h", "abcdefghijklmnopq"] {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong}");
        }
        for wrong in ["", "Live", "1", "a-b", "abcdefghijklmnopq"] {
            assert!(wrong.parse::<Environment>().is_err(), "{wrong}");
        }
        assert!("t".parse::<Environment>().is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_classify_panic(text in proptest::collection::vec(any::<u8>(), 0..600)) {
            classify(&text);
        }
    }
}
