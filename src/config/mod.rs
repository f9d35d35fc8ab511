//! Settings from flags, the environment and a file.
//!
//! The module `written` contains the settings as the operator wrote them, `used` the validated
//! settings. All faults are reported at once.

mod error;
mod limits;
mod listen;
mod proxy;
mod used;
mod written;

pub use error::ConfigError;
pub use limits::ConfiguredLimits;
pub use listen::Listen;
pub use proxy::TrustedProxy;
pub use used::{Settings, StorageUrl, locate};
pub use written::{
    ProcessEnvironment, SettingSource, UnknownVariable, VARIABLES, Written, WrittenAudit,
    WrittenLimits, WrittenSessions,
};
