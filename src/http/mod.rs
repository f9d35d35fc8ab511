//! HTTP: from bytes on a socket to an action, a check, a page, and back.

pub mod transport;
