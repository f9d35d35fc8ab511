//! The verdict: a code, and for a limit how long to wait.

use std::time::Duration;

pub use crate::model::code::Code;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome.
    pub code: Code,
    /// With a limit's code: after how long the same call would pass.
    pub retry_after: Option<Duration>,
}

impl Verdict {
    /// A verdict that waiting does not change.
    pub const fn of(code: Code) -> Self {
        Self { code, retry_after: None }
    }

    /// Whether the key may do what was asked.
    pub fn is_valid(self) -> bool {
        self.code == Code::Valid
    }
}
