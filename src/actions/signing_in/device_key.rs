//! The instance's key of device cookies.

use std::fmt;
use std::sync::OnceLock;

use zeroize::Zeroizing;

pub(super) const KEY_BYTES: usize = 32;

/// The instance's key, cached after the first read.
#[derive(Default)]
pub(in crate::actions) struct DeviceKey(pub(super) OnceLock<Zeroizing<[u8; KEY_BYTES]>>);

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey").finish_non_exhaustive()
    }
}
