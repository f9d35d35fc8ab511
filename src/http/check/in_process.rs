//! Checks for a program that embeds Keyhouse. Such checks are decided and counted like checks over
//! HTTP.

use std::time::Duration;

use crate::http::App;
use crate::http::check::PresentedCredential;
use crate::index::grant::Grant;
use crate::verify::{Code, Request};

impl App {
    /// Decides about a presented text, and counts the call. The error is the code of a 503: no
    /// decision is possible now.
    pub fn decide_in_process<T>(
        &self,
        presented: &[u8],
        request: &Request<'_>,
        reported: impl Fn(Code, Option<Duration>, Option<&Grant>) -> T,
    ) -> Result<T, &'static str> {
        let presented = PresentedCredential { text: presented, user_agent: None };
        let answer = |verdict: crate::verify::Verdict, grant: Option<&Grant>, _now| {
            reported(verdict.code, verdict.retry_after, grant)
        };
        self.decide_counted(&presented, request, |_grant| true, answer)
            .map_err(|problem| problem.code())
    }
}
