//! Ids: a prefix for the kind, and a UUIDv7 (RFC 9562), so that ids sort by time.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use rand::Rng;
use uuid::Uuid;

use crate::model::moment::Moment;

/// The latest moment that an id can hold: 48 bits of milliseconds.
const MILLISECONDS_MAX: u64 = (1 << 48) - 1;

/// The version of UUID of every id.
const UUID_VERSION: usize = 7;

/// A kind of object with ids.
pub trait Kind {
    /// The text before the underscore.
    const PREFIX: &'static str;
}

/// The id of an object of kind `K`; 16 bytes.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $id:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $kind {}
        impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $id = Id<$kind>;
    )*

    /// Whether a text is the id of an object of any kind.
    pub fn is_id(text: &str) -> bool {
        $(text.parse::<$id>().is_ok_and(|id| id.0.get_version_num() == UUID_VERSION))||*
    }
    };
}

kinds! {
    OfKey KeyId "key";
    OfUser UserId "usr";
    OfOrganization OrganizationId "org";
    OfRole RoleId "role";
    OfTeam TeamId "team";
    OfGate GateId "gate";
    /// An invitation that was not accepted yet.
    OfInvitation InvitationId "inv";
    OfEvent EventId "evt";
    OfSession SessionId "ses";
    /// An instance, whose id stays the same through upgrades, backups and restores.
    OfInstance InstanceId "ins";
}

impl<K> Id<K> {
    /// The 16 bytes, which sort by time.
    pub fn bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes), PhantomData)
    }

    /// The moment in the id.
    pub fn moment(&self) -> Moment {
        let milliseconds = i64::try_from(self.0.as_u128() >> 80).unwrap_or(i64::MAX);
        Moment::from_milliseconds(milliseconds)
    }

    /// The id that sorts before every other id of a moment.
    pub fn first_of(moment: Moment) -> Self {
        let milliseconds = u64::try_from(moment.milliseconds()).unwrap_or(0).min(MILLISECONDS_MAX);
        Self(Uuid::from_u128(u128::from(milliseconds) << 80), PhantomData)
    }
}

impl<K: Kind> Id<K> {
    /// A new id from the moment and 74 random bits.
    pub fn new(now: Moment, random: &mut impl Rng) -> Self {
        let mut bytes = [0; 10];
        random.fill_bytes(&mut bytes);
        let milliseconds = u64::try_from(now.milliseconds()).unwrap_or(0);
        Self(
            uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid(),
            PhantomData,
        )
    }

    /// Appends the text of the id.
    pub fn append_to(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(K::PREFIX.as_bytes());
        text.push(b'_');
        let mut buffer = Uuid::encode_buffer();
        text.extend_from_slice(self.0.hyphenated().encode_lower(&mut buffer).as_bytes());
    }
}

/// A placeholder for the id that is later read from the record's store key.
impl<K> Default for Id<K> {
    fn default() -> Self {
        Self(Uuid::nil(), PhantomData)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    // Lists of keys compare many ids, and a comparison of bytes takes several times as long as one of
    // numbers. The order is the same.
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_u128().cmp(&other.0.as_u128())
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.0.hyphenated())
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an id such as {prefix}_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f")]
pub struct InvalidId {
    prefix: &'static str,
}

impl<K: Kind> FromStr for Id<K> {
    type Err = InvalidId;

    /// Parses the canonical spelling only: lower case, with hyphens.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { prefix: K::PREFIX };
        let uuid = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_'));
        let parsed = uuid.and_then(|uuid| Uuid::try_parse(uuid).ok()).ok_or(invalid)?;
        let id = Self(parsed, PhantomData);
        if id.to_string() == text { Ok(id) } else { Err(invalid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_sort_behind_earlier_ones_and_text_comes_back() {
        let early = KeyId::new(Moment::from_milliseconds(1_000), &mut rand::rng());
        let late = KeyId::new(Moment::from_milliseconds(2_000), &mut rand::rng());
        assert!(early < late);
        assert!(early.bytes() < late.bytes());
        assert_eq!(early.to_string().parse(), Ok(early));
        let mut text = b"id=".to_vec();
        early.append_to(&mut text);
        assert_eq!(String::from_utf8(text).unwrap(), format!("id={early}"));
        assert_eq!(KeyId::from_bytes(*late.bytes()), late);
        assert_eq!(late.moment(), Moment::from_milliseconds(2_000));
        assert!(early < Id::first_of(late.moment()) && KeyId::first_of(late.moment()) < late);
        assert_eq!(KeyId::first_of(Moment::BEGINNING), KeyId::default());
    }

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let id = KeyId::new(Moment::from_milliseconds(1_000), &mut rand::rng()).to_string();
        for wrong in [
            id.to_uppercase(),
            id.replace('-', ""),
            id.replace("key_", "usr_"),
            format!("{id} "),
            "key_".to_owned(),
            String::new(),
        ] {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_kind_and_a_uuid_of_version_7_are_an_id() {
        let id = KeyId::new(Moment::from_milliseconds(1_000), &mut rand::rng()).to_string();
        assert!(is_id(&id));
        assert!(is_id(&id.replace("key_", "usr_")));
        for wrong in [
            id.replace("-7", "-4"),
            id.replace('-', ""),
            id.replace("key_", "sk_"),
            id.replace("key_", ""),
            format!("{id}.secret"),
        ] {
            assert!(!is_id(&wrong), "{wrong}");
        }
    }
}
