//! What is wrong with one part of an input, and where.

use std::fmt;

/// One fault of an input: where it lies, a stable code, and a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// A stable name of the fault; the page translates by it.
    pub code: &'static str,
    /// What is wrong and what would be right, in English; never a secret's text.
    pub detail: String,
    /// Stable names of the reasons that the detail gives, where there may be several.
    pub reasons: Vec<&'static str>,
}

impl Fault {
    /// A fault at a pointer.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl fmt::Display) -> Self {
        let (pointer, detail) = (pointer.into(), detail.to_string());
        Self { pointer, code, detail, reasons: Vec::new() }
    }

    /// The same for these reasons.
    #[must_use]
    pub fn because(self, reasons: Vec<&'static str>) -> Self {
        Self { reasons, ..self }
    }
}
