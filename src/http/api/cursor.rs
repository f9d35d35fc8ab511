//! Cursors of lists: the last item of a page, as text that is opaque to clients.
//!
//! Cursors are base64url without padding, because rouille and other programs cut a parameter at a
//! second `=`.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::id::Id;
use crate::model::plan::FIRST_PLANS;

pub(super) fn write<K>(last: Id<K>) -> String {
    URL_SAFE_NO_PAD.encode(last.bytes())
}

pub(super) fn read<K>(text: &str) -> Result<Id<K>, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Id::from_bytes).ok_or("must be the next_cursor of an earlier page")
}

/// The cursor of an item in a list that is sorted by name.
pub(super) fn write_name(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

pub(super) fn read_plan(text: &str) -> Result<&'static str, &'static str> {
    let mut names = FIRST_PLANS.iter().map(|(name, _features)| *name);
    names.find(|name| write_name(name) == text).ok_or("must be the next_cursor of an earlier page")
}

/// Reads a cursor of [`write_name`].
pub(super) fn read_text<T: FromStr>(text: &str) -> Result<T, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| text.parse().ok()).ok_or("must be the next_cursor of an earlier page")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::KeyId;

    #[test]
    fn only_a_written_cursor_is_read() {
        let key = KeyId::from_bytes([7; 16]);
        assert_eq!(read(&write(key)), Ok(key));
        for wrong in ["", "abc", "====", "key_0198"] {
            assert!(read::<crate::model::id::OfKey>(wrong).is_err(), "{wrong}");
        }
    }
}
