//! A fault: an invalid part of an input, with its place.

use std::fmt;

/// One fault of an input: its place, a stable code, and a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// The stable name of the fault, under which the page finds its translation.
    pub code: &'static str,
    /// The error and its correction, in English; never the text of a secret.
    pub detail: String,
    /// Stable names of the reasons in the detail, if there can be several.
    pub reasons: Vec<&'static str>,
}

impl Fault {
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl fmt::Display) -> Self {
        let (pointer, detail) = (pointer.into(), detail.to_string());
        Self { pointer, code, detail, reasons: Vec::new() }
    }

    #[must_use]
    pub fn because(self, reasons: Vec<&'static str>) -> Self {
        Self { reasons, ..self }
    }
}

/// A field name as a segment of a JSON pointer (RFC 6901): at most its first 100 characters, escaped.
pub fn in_pointer(name: &str) -> String {
    let short: String = name.chars().take(100).collect();
    short.replace('~', "~0").replace('/', "~1")
}
