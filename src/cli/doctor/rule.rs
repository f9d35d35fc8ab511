//! A rule: one fault that the command finds, its meaning and its remedy.

use crate::cli::doctor::facts::HostFacts;

/// One fault that `keyhouse doctor` finds. The reference page of the findings is made from the rules.
pub(in crate::cli) struct FaultRule {
    /// The stable name of the finding.
    pub(in crate::cli) code: &'static str,
    pub(in crate::cli) severity: Severity,
    /// What is wrong, without a full stop.
    pub(in crate::cli) meaning: &'static str,
    /// What to do, in whole sentences.
    pub(in crate::cli) remedy: &'static str,
    /// Where the fault is, one text for each place; empty if there is none.
    pub(super) find: fn(&HostFacts) -> Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Severity {
    /// Data, keys or the service are at risk now.
    Error,
    Warning,
}

impl Severity {
    pub(in crate::cli) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}
