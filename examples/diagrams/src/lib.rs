//! An example service behind Keyhouse: architecture diagrams as data, rendered remotely.

pub mod render;
