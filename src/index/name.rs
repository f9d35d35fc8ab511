//! The name of a key, as the index keeps it for the identity of a request.

/// The longest name that needs no allocation of its own.
const INLINE_BYTES_MAX: usize = 22;

/// The name of a key. A short name is stored inside its owner.
#[derive(Clone, Debug)]
pub(super) enum KeyName {
    Inline { length: u8, bytes: [u8; INLINE_BYTES_MAX] },
    Boxed(Box<str>),
}

impl From<&str> for KeyName {
    fn from(name: &str) -> Self {
        let mut bytes = [0; INLINE_BYTES_MAX];
        match (bytes.get_mut(..name.len()), name.len().try_into()) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(name.as_bytes());
                Self::Inline { length, bytes }
            },
            _ => Self::Boxed(name.into()),
        }
    }
}

impl KeyName {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Inline { length, bytes } => {
                let name = bytes.get(..usize::from(*length)).unwrap_or_default();
                str::from_utf8(name).unwrap_or_default()
            },
            Self::Boxed(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_length_is_kept_whole() {
        assert_eq!(size_of::<KeyName>(), 24);
        for name in ["", "build bot", "é", &"é".repeat(11), &"é".repeat(12), &"n".repeat(300)] {
            let kept = KeyName::from(name);
            assert_eq!(kept.as_str(), name);
            assert_eq!(matches!(kept, KeyName::Inline { .. }), name.len() <= INLINE_BYTES_MAX);
        }
    }
}
