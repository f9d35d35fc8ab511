//! Problem responses of the check endpoints.

use std::borrow::Cow;

use crate::http::credential::Unusable;
use crate::http::problem::{Problem, RETRY_AFTER_SECONDS, seconds_up};
use crate::http::transport::TransportRefusal;
use crate::model::credential::{CredentialSource, listed};
use crate::model::errors;
use crate::model::route::DoubtfulPath;
use crate::verify::{Code, Verdict};

impl Problem {
    /// No source holds a credential. `authorization_ignored`: the request has `Authorization` with
    /// a scheme that is not accepted.
    pub(in crate::http) fn no_credential_in(
        sources: &[CredentialSource],
        authorization_ignored: bool,
    ) -> Self {
        let places = listed(sources);
        let detail = if authorization_ignored {
            format!("the scheme in Authorization is not accepted: send a key in one of {places}")
        } else {
            format!("the request has no key: send a key in one of {places}")
        };
        Self::new(errors::check::NO_CREDENTIAL).detail(detail).challenge("")
    }

    /// A check with several credentials, or with an unreadable credential.
    pub(in crate::http) fn unusable_credential(unusable: &Unusable) -> Self {
        let title = match unusable {
            Unusable::Two(..) | Unusable::Doubled(_) | Unusable::TwoInBasic => {
                "Several credentials"
            },
            Unusable::Basic => "Unreadable credential",
        };
        let problem =
            Self::new(errors::check::MALFORMED).titled(title).detail(unusable.to_string());
        problem.reason(unusable.reason()).challenge(invalid_token(title))
    }

    pub(in crate::http) fn request_refused(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(errors::check::REQUEST_REFUSED).detail(detail)
    }

    pub(in crate::http) fn gate_not_found() -> Self {
        Self::new(errors::check::GATE_NOT_FOUND).detail(
            "the proxy's check URL names a gate that does not exist: correct the gate's name",
        )
    }

    /// The gate has no route for the request, or the route denies it. `doubt` is the ambiguity in
    /// the path that the route does not allow.
    pub(in crate::http) fn route_not_allowed(doubt: Option<DoubtfulPath>) -> Self {
        let problem = Self::new(errors::check::ROUTE_NOT_ALLOWED);
        match doubt {
            Some(doubt) => problem.detail(doubt.to_string()).reason(doubt.reason()),
            None => problem.detail("no route of the gate allows this method and path"),
        }
    }

    /// Adds the machine-readable reason to the body, and to a header for clients of proxies that drop
    /// the body.
    pub(in crate::http) fn reason(self, reason: &'static str) -> Self {
        self.extra("reason", reason).header("X-Keyhouse-Reason", reason)
    }

    /// A verdict other than valid, with the challenge of RFC 6750 or, for limits, `Retry-After`.
    /// `scope` contains the required permissions, for `insufficient_scope`.
    pub(in crate::http) fn denied(verdict: Verdict, scope: Option<&str>) -> Self {
        // A valid verdict is never denied. If a bug denied a valid verdict, the request must not
        // pass.
        let error = errors::of_verdict(verdict.code).unwrap_or(errors::INTERNAL_ON_CHECK);
        let problem = Self::new(error);
        match (error.status, verdict.code) {
            (401, _) => problem.challenge(invalid_token(error.title)),
            (_, Code::InsufficientPermissions) => {
                let scope = scope.map(|names| format!(", scope=\"{names}\"")).unwrap_or_default();
                problem.challenge(format!(", error=\"insufficient_scope\"{scope}"))
            },
            (429, _) => problem.retry_after(seconds_up(verdict.retry_after.unwrap_or_default())),
            _ => problem,
        }
    }

    pub(in crate::http) fn index_behind() -> Self {
        Self::new(errors::INDEX_BEHIND)
            .detail(
                "checks are rejected until the index has caught up: retry after the seconds \
                 in Retry-After",
            )
            .retry_after(RETRY_AFTER_SECONDS)
    }

    pub(in crate::http) fn not_ready(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(errors::NOT_READY).detail(detail).retry_after(RETRY_AFTER_SECONDS)
    }

    /// A rejection by the transport, on a check endpoint. A decision has the status 200, 401, 403,
    /// 429 or 503. An incomplete or malformed HTTP request gets no decision, and has 400, 408, 413
    /// or 431 as on every other endpoint.
    pub(in crate::http) fn check_refused(refusal: &TransportRefusal) -> Self {
        match refusal {
            TransportRefusal::DoubledHeader { name } => {
                Self::unusable_credential(&Unusable::doubled_header(name.as_str()))
            },
            TransportRefusal::HeaderNotText { .. } => {
                Self::denied(Verdict::of(Code::Malformed), None)
            },
            TransportRefusal::NoHost
            | TransportRefusal::HostNotValid
            | TransportRefusal::HostMismatch
            | TransportRefusal::LengthAndEncoding
            | TransportRefusal::EncodingNotSupported
            | TransportRefusal::LineFeedAlone
            | TransportRefusal::HeadUnseen
            | TransportRefusal::HeadTooLarge { .. }
            | TransportRefusal::BodyBroken
            | TransportRefusal::TunnelAsked
            | TransportRefusal::BodyTimeout
            | TransportRefusal::BodyTooLarge { .. }
            | TransportRefusal::Busy { .. } => Self::refused(refusal),
            TransportRefusal::Panicked | TransportRefusal::ResponseNotSendable => {
                Self::new(errors::INTERNAL_ON_CHECK).retry_after(RETRY_AFTER_SECONDS)
            },
        }
    }
}

/// The Bearer challenge's parameters for an invalid credential.
fn invalid_token(title: &str) -> String {
    format!(", error=\"invalid_token\", error_description=\"{title}\"")
}
