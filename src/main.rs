//! Keyhouse.
fn main() {}
