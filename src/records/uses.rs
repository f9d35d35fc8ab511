//! The record of a key's last use.
//!
//! The record has a row of its own, so that a call never changes the key's record.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::codec::Record;
use crate::records::text;

/// Maximum stored length of a user agent in bytes.
pub const USER_AGENT_BYTES_MAX: usize = 120;

/// Returns the longest prefix of a text that has at most `bytes_max` bytes and ends at a character
/// boundary.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// Maximum number of addresses stored for one key.
pub const ADDRESSES_MAX: usize = 10;

/// Time, address and user agent of a key's last use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseRecord {
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    /// The client's address, if the service reported one.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The user agent, cut to [`USER_AGENT_BYTES_MAX`].
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Box<str>>,
    /// The last use of each secret of the key, while it has two.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretUseRecord>,
    /// The most recent addresses from which the key was used, the latest first, at most
    /// [`ADDRESSES_MAX`].
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressRecord>,
}

/// When a key was last used from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressRecord {
    #[serde(rename = "i")]
    pub ip: IpAddr,
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
}

/// Merges two lists of addresses: each address once, with its last use, the latest first, at most
/// [`ADDRESSES_MAX`].
pub fn merge_addresses(known: &mut Vec<AddressRecord>, others: &[AddressRecord]) {
    for other in others {
        match known.iter_mut().find(|it| it.ip == other.ip) {
            Some(it) => it.at = it.at.max(other.at),
            None => known.push(*other),
        }
    }
    known.sort_by_key(|it| std::cmp::Reverse(it.at));
    known.truncate(ADDRESSES_MAX);
}

/// Time, address and user agent of the last use of one of a key's two secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretUseRecord {
    #[serde(rename = "b", with = "text")]
    pub digest: Digest,
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    /// The client's address, if the service reported one.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Box<str>>,
}

impl UseRecord {
    /// Returns the record of a use of which only the time is known.
    pub fn at(at: Moment) -> Self {
        Self { at, ip: None, user_agent: None, secrets: Vec::new(), addresses: Vec::new() }
    }
}

impl Record for UseRecord {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::Id;
    use crate::records::codec::{decode, encode};
    use crate::records::place::StoreKey;

    #[test]
    fn a_use_without_its_secrets_is_written_as_ever_and_reads_for_ever() {
        let (place, at) = (StoreKey::Use(Id::default()), Moment::from_milliseconds(5));
        let mut record = UseRecord::at(at);
        let bytes = encode(&place, &record).unwrap();
        assert_eq!(&bytes[1..], br#"{"t":5}"#);
        assert_eq!(decode::<UseRecord>(&place, &bytes).unwrap(), record);
        let digest = Digest::of(b"old");
        let agent = Some("curl/8".into());
        record.secrets = vec![SecretUseRecord { digest, at, ip: None, user_agent: agent }];
        let bytes = encode(&place, &record).unwrap();
        assert_eq!(decode::<UseRecord>(&place, &bytes).unwrap(), record);
    }

    #[test]
    fn at_most_ten_distinct_addresses_are_listed_latest_first() {
        let from = |last: u8, at: i64| AddressRecord {
            ip: [192, 0, 2, last].into(),
            at: Moment::from_milliseconds(at),
        };
        let mut known = vec![from(1, 5)];
        merge_addresses(&mut known, &[from(2, 7), from(1, 9), from(2, 6)]);
        assert_eq!(known, [from(1, 9), from(2, 7)]);
        let many: Vec<_> = (3..30).map(|last| from(last, i64::from(last) + 10)).collect();
        merge_addresses(&mut known, &many);
        assert_eq!(known.len(), ADDRESSES_MAX);
        assert_eq!((known[0], known[9]), (from(29, 39), from(20, 30)));
    }
}
