//! The record of a key's last use, which lies apart so that a use never changes the key.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::{Record, text};

/// Longest user agent that is kept, in bytes.
pub const USER_AGENT_BYTES_MAX: usize = 120;

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
        let mut record = UseRecord { at, ip: None, user_agent: None, secrets: Vec::new() };
        let bytes = encode(&place, &record).unwrap();
        assert_eq!(&bytes[1..], br#"{"t":5}"#);
        assert_eq!(decode::<UseRecord>(&place, &bytes).unwrap(), record);
        let digest = Digest::of(b"old");
        let agent = Some("curl/8".into());
        record.secrets = vec![SecretUseRecord { digest, at, ip: None, user_agent: agent }];
        let bytes = encode(&place, &record).unwrap();
        assert_eq!(decode::<UseRecord>(&place, &bytes).unwrap(), record);
    }
}
