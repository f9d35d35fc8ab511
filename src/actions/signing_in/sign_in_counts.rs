//! Counters of sign-ins by outcome.

use crate::actions::ActionError;
use crate::telemetry::measure::Counter;

#[derive(Debug, Default)]
pub struct SignIns {
    succeeded: Counter,
    failed: Counter,
    throttled: Counter,
    code_required: Counter,
    organization_required: Counter,
    busy: Counter,
    unavailable: Counter,
}

impl SignIns {
    /// Number of sign-ins by outcome.
    pub fn outcomes(&self) -> [(&'static str, u64); 7] {
        [
            ("succeeded", self.succeeded.total()),
            ("failed", self.failed.total()),
            ("throttled", self.throttled.total()),
            ("code_required", self.code_required.total()),
            ("organization_required", self.organization_required.total()),
            ("busy", self.busy.total()),
            ("unavailable", self.unavailable.total()),
        ]
    }

    pub(super) fn note<T>(&self, outcome: &Result<T, ActionError>) {
        let counter = match outcome {
            Ok(_) => &self.succeeded,
            Err(ActionError::SignInFailed) => &self.failed,
            Err(ActionError::Throttled { .. }) => &self.throttled,
            Err(ActionError::CodeRequired) => &self.code_required,
            Err(ActionError::OrganizationRequired(_)) => &self.organization_required,
            Err(ActionError::Busy) => &self.busy,
            Err(_) => &self.unavailable,
        };
        counter.count();
    }
}
