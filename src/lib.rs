//! Keyhouse.
