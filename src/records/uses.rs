//! The record of a key's last use, which lies apart so that a use never changes the key.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::{Record, text};

/// Longest user agent that is kept, in bytes.
pub const USER_AGENT_BYTES_MAX: usize = 120;

/// The longest start of a text that has at most `bytes_max` bytes and ends between characters.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// Most addresses that a key's use is told apart by.
pub const ADDRESSES_MAX: usize = 10;

/// When, from where and with what a key was last used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseRecord {
    /// When.
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    /// From which address, where the service told.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// With which program, as it named itself, cut to [`USER_AGENT_BYTES_MAX`].
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Box<str>>,
    /// The same of each of its secrets that was used, while it has two.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretUseRecord>,
    /// The addresses it was used from of late, the latest first, at most [`ADDRESSES_MAX`].
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressRecord>,
}

/// When a key was last used from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressRecord {
    /// The address.
    #[serde(rename = "i")]
    pub ip: IpAddr,
    /// When.
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
}

/// Takes other addresses over: each once, by its last use, the latest first, and no more than
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

/// When, from where and with what one of a key's two secrets was last used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretUseRecord {
    /// The secret's digest.
    #[serde(rename = "b", with = "text")]
    pub digest: Digest,
    /// When.
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    /// From which address, where the service told.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// With which program, as it named itself.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Box<str>>,
}

impl Record for UseRecord {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::Id;
    use crate::records::place::Place;
    use crate::records::{decode, encode};

    #[test]
    fn a_use_without_its_secrets_is_written_as_ever_and_reads_for_ever() {
        let (place, at) = (Place::Use(Id::default()), Moment::from_milliseconds(5));
        let (secrets, addresses) = (Vec::new(), Vec::new());
        let mut record = UseRecord { at, ip: None, user_agent: None, secrets, addresses };
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
    fn addresses_are_told_once_the_latest_first_and_no_more_than_ten() {
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
