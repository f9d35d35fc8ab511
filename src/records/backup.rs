//! The record of the last backup that an operator requested.

use serde::{Deserialize, Serialize};

use crate::model::moment::Moment;
use crate::records::codec::Record;
use crate::records::text;

/// The last backup that an operator requested and that was sent completely. Scheduled backups have no
/// record, because the names of their files have their times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastBackupRecord {
    /// When the backup began. The backup has the changes up to this time.
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
}

impl Record for LastBackupRecord {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::codec::{decode, encode};
    use crate::records::place::StoreKey;

    #[test]
    fn a_backup_is_written_as_ever() {
        let record = LastBackupRecord { at: Moment::from_milliseconds(5) };
        let bytes = encode(&StoreKey::LastBackup, &record).unwrap();
        assert_eq!(&bytes[1..], br#"{"t":5}"#);
        assert_eq!(decode::<LastBackupRecord>(&StoreKey::LastBackup, &bytes).unwrap(), record);
    }
}
