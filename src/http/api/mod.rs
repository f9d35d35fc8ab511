//! The management API: wire shapes and handlers, one file a resource.

pub(super) mod instance;
pub(super) mod keys;
pub(super) mod session;
pub(super) mod setup;
