//! The encryption of the seeds of second factors at rest: XChaCha20-Poly1305, with keys that are
//! not in the store.
//!
//! An encrypted seed names its key and is bound to its user, so a seed that is copied to another
//! user's record cannot be decrypted.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305, XNonce};
use rand::Rng;
use zeroize::Zeroizing;

use crate::model::id::UserId;
use crate::model::secret::Secret;

/// Maximum number of keys in a key file: the current key, and earlier keys during a rotation.
pub const SEED_KEYS_MAX: usize = 8;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const KEY_ID_BYTES: usize = 8;
/// The key derivation contexts never change, since stored seeds depend on them.
const KEY_ID_CONTEXT: &str = "Keyhouse 2026 id of a seal key";
const AGE_CONTEXT: &str = "Keyhouse 2026 seal key from an age identity";
/// An age identity: this prefix and 58 characters of Bech32.
const AGE_PREFIX: &str = "AGE-SECRET-KEY-1";
const AGE_CHARACTERS: usize = 74;
/// The base64 of a key, with or without padding.
const KEY_TEXT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The name of a key, derived from the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedKeyId([u8; KEY_ID_BYTES]);

impl fmt::Display for SeedKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One key, as a line of the key file.
#[derive(Clone)]
struct SeedKey {
    id: SeedKeyId,
    key: Zeroizing<[u8; KEY_BYTES]>,
    /// The line from which the key was read.
    line: Secret,
}

impl SeedKey {
    fn new(key: Zeroizing<[u8; KEY_BYTES]>, line: Secret) -> Self {
        let mut id = [0; KEY_ID_BYTES];
        let mut hash = blake3::Hasher::new_derive_key(KEY_ID_CONTEXT);
        hash.update(&*key).finalize_xof().fill(&mut id);
        Self { id: SeedKeyId(id), key, line }
    }

    fn generate(random: &mut impl Rng) -> Self {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        random.fill_bytes(&mut *key);
        let line = Secret::new(KEY_TEXT.encode(*key));
        Self::new(key, line)
    }

    /// A key from 32 bytes in base64, or derived from an age identity.
    fn parse(line: &str) -> Option<Self> {
        let text = Secret::new(line.to_owned());
        if line.starts_with(AGE_PREFIX) {
            let fits = line.len() == AGE_CHARACTERS
                && line
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'0'..=b'9' | b'-'));
            let key = Zeroizing::new(blake3::derive_key(AGE_CONTEXT, line.as_bytes()));
            return fits.then(|| Self::new(key, text));
        }
        let bytes = Zeroizing::new(KEY_TEXT.decode(line).ok()?);
        Some(Self::new(Zeroizing::new(bytes.as_slice().try_into().ok()?), text))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(&*self.key))
    }
}

/// The keys of one key file. The first encrypts; the others only decrypt.
#[derive(Clone)]
pub struct SeedKeys {
    current: SeedKey,
    earlier: Vec<SeedKey>,
}

impl fmt::Debug for SeedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeedKeys").field("current", &self.current.id).finish_non_exhaustive()
    }
}

/// Why a text is not a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSeedKeys {
    #[error("has no key")]
    Empty,
    #[error("line {line}: must be 32 bytes in base64, or an age identity (AGE-SECRET-KEY-1...)")]
    Line { line: usize },
    #[error("has more than {SEED_KEYS_MAX} keys")]
    TooMany,
}

/// Why a seed could not be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableSeed {
    #[error("the seed is encrypted with the key {0}, which is not in the key file")]
    UnknownKey(SeedKeyId),
    #[error("the seed is damaged, or belongs to another user")]
    Damaged,
}

/// A seed that is too long for the cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the seed is too long to encrypt")]
pub struct EncryptionFailed;

impl SeedKeys {
    /// A key file with one new key.
    pub fn generate(random: &mut impl Rng) -> Self {
        Self { current: SeedKey::generate(random), earlier: Vec::new() }
    }

    /// A new current key, before the keys of `self`.
    ///
    /// # Errors
    /// [`InvalidSeedKeys::TooMany`].
    pub fn with_new_key(&self, random: &mut impl Rng) -> Result<Self, InvalidSeedKeys> {
        let earlier: Vec<SeedKey> =
            std::iter::once(&self.current).chain(&self.earlier).cloned().collect();
        if earlier.len() >= SEED_KEYS_MAX {
            return Err(InvalidSeedKeys::TooMany);
        }
        Ok(Self { current: SeedKey::generate(random), earlier })
    }

    /// The keys without those that only decrypt.
    #[must_use]
    pub fn without_earlier(&self) -> Self {
        Self { current: self.current.clone(), earlier: Vec::new() }
    }

    /// The name of the key that encrypts.
    pub fn current(&self) -> SeedKeyId {
        self.current.id
    }

    /// Parses a key file: one key on each line, the current one first. Empty lines and lines that
    /// start with `#` are ignored.
    ///
    /// # Errors
    /// [`InvalidSeedKeys`]; no error contains a key.
    pub fn parse(text: &str) -> Result<Self, InvalidSeedKeys> {
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let mut keys = Vec::new();
        for (line, text) in lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#')) {
            keys.push(SeedKey::parse(text).ok_or(InvalidSeedKeys::Line { line })?);
        }
        if keys.len() > SEED_KEYS_MAX {
            return Err(InvalidSeedKeys::TooMany);
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or(InvalidSeedKeys::Empty)?;
        Ok(Self { current, earlier: keys.collect() })
    }

    /// The text of the key file.
    pub fn to_text(&self) -> Secret {
        let mut text =
            "# Encrypts the seeds of second factors. Keep a copy apart from backups.\n".to_owned();
        for key in std::iter::once(&self.current).chain(&self.earlier) {
            text.push_str(key.line.reveal());
            text.push('\n');
        }
        Secret::new(text)
    }

    /// Encrypts the seed of a user with the current key.
    ///
    /// # Errors
    /// [`EncryptionFailed`] for a seed of more than 256 GiB, the limit of the cipher.
    pub fn encrypt(
        &self,
        user: UserId,
        seed: &Secret,
        random: &mut impl Rng,
    ) -> Result<EncryptedSeed, EncryptionFailed> {
        let mut nonce = [0; NONCE_BYTES];
        random.fill_bytes(&mut nonce);
        let payload = Payload { msg: seed.reveal().as_bytes(), aad: user.bytes() };
        let encrypted = self.current.cipher().encrypt(XNonce::from_slice(&nonce), payload);
        let encrypted = encrypted.map_err(|_too_long| EncryptionFailed)?;
        Ok(EncryptedSeed { key: self.current.id, sealed: [&nonce, &*encrypted].concat() })
    }

    /// Decrypts the seed of a user.
    ///
    /// # Errors
    /// [`UnreadableSeed`].
    pub fn decrypt(&self, user: UserId, seed: &EncryptedSeed) -> Result<Secret, UnreadableSeed> {
        let mut keys = std::iter::once(&self.current).chain(&self.earlier);
        let key = keys.find(|key| key.id == seed.key);
        let key = key.ok_or(UnreadableSeed::UnknownKey(seed.key))?;
        let (nonce, encrypted) =
            seed.sealed.split_at_checked(NONCE_BYTES).ok_or(UnreadableSeed::Damaged)?;
        let payload = Payload { msg: encrypted, aad: user.bytes() };
        let plain = key.cipher().decrypt(XNonce::from_slice(nonce), payload);
        let plain = Zeroizing::new(plain.map_err(|_unauthentic| UnreadableSeed::Damaged)?);
        let text = str::from_utf8(&plain).map_err(|_not_text| UnreadableSeed::Damaged)?;
        Ok(Secret::new(text.to_owned()))
    }
}

/// The seed of a second factor as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedSeed {
    key: SeedKeyId,
    /// The nonce, then the ciphertext with its tag.
    sealed: Vec<u8>,
}

impl EncryptedSeed {
    /// The name of the key that encrypted the seed.
    pub fn key(&self) -> SeedKeyId {
        self.key
    }
}

impl fmt::Display for EncryptedSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", URL_SAFE_NO_PAD.encode(self.key.0), URL_SAFE_NO_PAD.encode(&self.sealed))
    }
}

/// A text that is not an encrypted seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an encrypted seed")]
pub struct InvalidSeed;

impl FromStr for EncryptedSeed {
    type Err = InvalidSeed;

    fn from_str(text: &str) -> Result<Self, InvalidSeed> {
        let (key, sealed) = text.split_once('.').ok_or(InvalidSeed)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_not_base64| InvalidSeed);
        let key = decode(key)?.try_into().map_err(|_length| InvalidSeed)?;
        Ok(Self { key: SeedKeyId(key), sealed: decode(sealed)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    const AGE: &str = "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SXJPH8Q";

    fn user(byte: u8) -> UserId {
        UserId::from_bytes([byte; 16])
    }

    #[test]
    fn a_seed_is_readable_with_its_key_for_its_user_only() {
        let mut random = StdRng::seed_from_u64(1);
        let (keys, others) = (SeedKeys::generate(&mut random), SeedKeys::generate(&mut random));
        let seed = Secret::new("JBSWY3DPEHPK3PXP".to_owned());
        let encrypted = keys.encrypt(user(1), &seed, &mut random).unwrap();
        let stored: EncryptedSeed = encrypted.to_string().parse().unwrap();
        assert_eq!(stored, encrypted);
        assert_eq!(keys.decrypt(user(1), &stored), Ok(seed.clone()));
        assert_eq!(keys.decrypt(user(2), &stored), Err(UnreadableSeed::Damaged));
        let unknown = UnreadableSeed::UnknownKey(keys.current());
        assert_eq!(others.decrypt(user(1), &stored), Err(unknown));
        for at in 0..stored.sealed.len() {
            let mut damaged = stored.clone();
            damaged.sealed[at] ^= 1;
            assert_eq!(keys.decrypt(user(1), &damaged), Err(UnreadableSeed::Damaged), "{at}");
        }
        let again = keys.encrypt(user(1), &seed, &mut random).unwrap();
        assert_ne!(again, encrypted, "nonces are never reused");
    }

    #[test]
    fn earlier_keys_still_decrypt_until_they_are_removed() {
        let mut random = StdRng::seed_from_u64(2);
        let first = SeedKeys::generate(&mut random);
        let seed = Secret::new("JBSWY3DPEHPK3PXP".to_owned());
        let encrypted = first.encrypt(user(1), &seed, &mut random).unwrap();
        let both = first.with_new_key(&mut random).unwrap();
        let both = SeedKeys::parse(both.to_text().reveal()).unwrap();
        assert_ne!(both.current(), first.current());
        assert_eq!(both.decrypt(user(1), &encrypted), Ok(seed));
        let unknown = UnreadableSeed::UnknownKey(first.current());
        assert_eq!(both.without_earlier().decrypt(user(1), &encrypted), Err(unknown));
        let mut full = first;
        for _ in 1..SEED_KEYS_MAX {
            full = full.with_new_key(&mut random).unwrap();
        }
        assert_eq!(full.with_new_key(&mut random).unwrap_err(), InvalidSeedKeys::TooMany);
    }

    #[test]
    fn a_key_file_has_base64_keys_or_age_identities() {
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let valid = [
            key.to_owned(),
            format!("{key}="),
            format!("# a comment\n\n  {key}=  \n"),
            format!("{AGE}\n{key}"),
            format!("# created: 2026-01-01\n# public key: age1\n{AGE}\n"),
        ];
        for text in valid {
            assert!(SeedKeys::parse(&text).is_ok(), "{text}");
        }
        let line = |line| InvalidSeedKeys::Line { line };
        let invalid = [
            (String::new(), InvalidSeedKeys::Empty),
            ("# only a comment\n".to_owned(), InvalidSeedKeys::Empty),
            ("short".to_owned(), line(1)),
            (format!("{key}\n\n{key}AAAA"), line(3)),
            (AGE.to_lowercase(), line(1)),
            (format!("{AGE}Q"), line(1)),
            (format!("{key}\n").repeat(SEED_KEYS_MAX + 1), InvalidSeedKeys::TooMany),
        ];
        for (text, error) in invalid {
            assert_eq!(SeedKeys::parse(&text).unwrap_err(), error, "{text}");
        }
    }
}
