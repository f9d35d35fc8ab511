//! Settings from flags, the environment and a file.
//!
//! The module `setting` is the table of all settings, `written` contains the settings as the operator
//! wrote them, `used` the validated settings. All faults are reported at once.

mod environment;
mod error;
mod file;
mod limits;
mod listen;
mod origin;
mod proxy;
mod reader;
mod setting;
mod used;
mod written;

pub use environment::{ProcessEnvironment, UnknownVariable};
pub use error::{ConfigError, SettingFault};
pub use limits::ConfiguredLimits;
pub use listen::Listen;
pub use origin::Origin;
pub use proxy::TrustedProxy;
pub use reader::UsedSetting;
pub use setting::{DefaultValue, OTHER_VARIABLES, SETTINGS, Setting, ValueKind};
pub use used::{Settings, StorageUrl};
pub use written::{LIST_SEPARATOR, Written};
