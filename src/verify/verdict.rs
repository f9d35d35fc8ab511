//! The verdict of a check: a code and, for a limit, how long to wait.

use std::time::Duration;

pub use crate::model::code::Code;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub code: Code,
    /// The wait until the same call would pass; only with the code of a limit.
    pub retry_after: Option<Duration>,
}

impl Verdict {
    /// A verdict without a wait.
    pub const fn of(code: Code) -> Self {
        Self { code, retry_after: None }
    }

    /// Whether the key may make the call.
    pub fn is_valid(self) -> bool {
        self.code == Code::Valid
    }
}
