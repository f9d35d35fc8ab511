//! Secrets, which are never printed, and their digests, which are stored instead.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;
use zeroize::Zeroizing;

/// The key derivation context for digests of a SHA-256. The context never changes, since stored
/// digests depend on it.
const SHA256_CONTEXT: &str = "Keyhouse 2026 a key that is known by its SHA-256";
/// The key derivation context for digests of a text whose last part is known by its SHA-256.
const LAST_PART_CONTEXT: &str = "Keyhouse 2026 a key whose last part is known by its SHA-256";
/// The characters before the last part of a text.
pub const SEPARATORS: [char; 2] = ['|', '.'];

/// The text of a secret: a key, a session's cookie, a one-time link's token, a password.
///
/// `Debug` does not print the text, and its memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of a text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text. The caller must not print or store the text.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The digest under which this secret is stored.
    pub fn digest(&self) -> Digest {
        Digest::of(self.reveal().as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The stored form of a secret, which reveals nothing of it: BLAKE3 of its text, or, for a key that
/// was imported by its SHA-256 or by that of its last part, BLAKE3's key derivation of that hash.
///
/// A plain digest is enough for secrets of at least 128 random bits (OWASP ASVS 5.0, 6.5.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a text.
    pub fn of(text: &[u8]) -> Self {
        Self(*blake3::hash(text).as_bytes())
    }

    /// The digest of a text that is known by its SHA-256.
    pub fn by_sha256(text: &[u8]) -> Self {
        Self::of_sha256(&sha2::Sha256::digest(text).into())
    }

    /// The digest of the text with this SHA-256. BLAKE3's key derivation separates these digests
    /// from those of [`Digest::of`], so a digest needs no field for its algorithm.
    pub fn of_sha256(hash: &[u8; 32]) -> Self {
        Self(blake3::derive_key(SHA256_CONTEXT, hash))
    }

    /// The digest of a text that is known by the SHA-256 of its last part: the part after the last
    /// of [`SEPARATORS`]. `None` for a text without a separator.
    pub fn by_last_part(text: &[u8]) -> Option<Self> {
        let is_separator = |byte: &u8| SEPARATORS.contains(&char::from(*byte));
        let end = text.iter().rposition(is_separator)?.checked_add(1)?;
        let (head, part) = text.split_at_checked(end)?;
        Some(Self::of_last_part(head, &sha2::Sha256::digest(part).into()))
    }

    /// The digest of the text that begins with `head`, whose last character is a separator, and
    /// ends with the part that has this SHA-256. The digest depends on both, so the part with
    /// another head is another text.
    pub fn of_last_part(head: &[u8], hash: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(LAST_PART_CONTEXT);
        // The hash has a fixed length, so no other hash and head have the same bytes.
        hasher.update(hash).update(head);
        Self(*hasher.finalize().as_bytes())
    }

    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest as four words, for memory that is aligned to words.
    pub fn words(&self) -> [u64; 4] {
        let (words, _) = self.0.as_chunks::<8>();
        let mut made = [0; 4];
        for (place, word) in made.iter_mut().zip(words) {
            *place = u64::from_le_bytes(*word);
        }
        made
    }

    /// The digest with these [`Digest::words`].
    pub fn from_words(words: [u64; 4]) -> Self {
        let mut bytes = [0; 32];
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        blake3::Hash::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// The text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 64 hexadecimal digits")]
pub struct InvalidDigest;

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let hash = blake3::Hash::from_hex(text).map_err(|_source| InvalidDigest)?;
        Ok(Self(*hash.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_a_secret_shows_nothing_of_it() {
        let secret = Secret::new("kh_live_verysecret".to_owned());
        let printed = format!("{secret} {secret:?} {:?}", secret.digest());
        for part in ["verysecret", "kh_", &secret.digest().to_string()] {
            assert!(!printed.contains(part), "{printed}");
        }
    }

    /// Stores contain such digests: with another value, no stored key would be found.
    #[test]
    fn the_digest_by_sha256_is_of_the_hash_and_is_no_texts_own() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let bytes: Digest = hash.parse().unwrap();
        let by_hash = Digest::of_sha256(bytes.bytes());
        assert_eq!(Digest::by_sha256(b"abc"), by_hash);
        assert_ne!(by_hash, bytes);
        assert_ne!(by_hash, Digest::of(bytes.bytes()));
        let stored = "046566d074beef8c86b532a78daa7dd2c3a64363a7dc8217c6e9649bdeb0a7d7";
        assert_eq!(by_hash.to_string(), stored);
    }

    /// Stores contain such digests too.
    #[test]
    fn the_digest_by_the_last_part_binds_the_part_to_what_is_before_it() {
        let hash = sha2::Sha256::digest(b"abc").into();
        let by_part = Digest::of_last_part(b"17|", &hash);
        let stored = "f1fd2d5b4f954ef626604d527260912d5daab2bc27e942943366d22b23f122e7";
        assert_eq!(by_part.to_string(), stored);
        assert_eq!(Digest::by_last_part(b"17|abc"), Some(by_part));
        for (claim, other) in [
            ("another head", Digest::by_last_part(b"18|abc")),
            ("another separator", Digest::by_last_part(b"17.abc")),
            ("another part", Digest::by_last_part(b"17|abd")),
            ("a part with a separator", Digest::by_last_part(b"17|a.bc")),
            ("no head", Digest::by_last_part(b"|abc")),
            ("an empty part", Digest::by_last_part(b"17|abc|")),
            ("the whole", Some(Digest::by_sha256(b"17|abc"))),
            ("the part", Some(Digest::by_sha256(b"abc"))),
        ] {
            assert!(other.is_some_and(|other| other != by_part), "{claim}");
        }
        assert_eq!(Digest::by_last_part(b"abc"), None);
        assert_eq!(Digest::by_last_part(b""), None);
    }

    #[test]
    fn digests_are_parsed_from_text() {
        let digest = Digest::of(b"some text");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("abc".parse::<Digest>(), Err(InvalidDigest));
    }
}
