//! The errors of check endpoints, as [`Problem`]s.

use std::borrow::Cow;

use crate::http::credential::Unusable;
use crate::http::problem::{Problem, RETRY_AFTER_SECONDS, seconds_up};
use crate::http::transport::Refusal;
use crate::model::credential::{CredentialSource, listed};
use crate::model::route::DoubtfulPath;
use crate::verify::{Code, Verdict};

impl Problem {
    /// No credential in any of these places. `authorization_ignored`: `Authorization` was sent, with
    /// something else.
    pub(in crate::http) fn no_credential_in(
        sources: &[CredentialSource],
        authorization_ignored: bool,
    ) -> Self {
        let places = listed(sources);
        let detail = if authorization_ignored {
            format!("what Authorization holds is not accepted here; send a key in one of: {places}")
        } else {
            format!("send a key in one of: {places}")
        };
        Self::new(401, "NO_CREDENTIAL", "Credential required").detail(detail).challenge("")
    }

    /// No single credential of a request to a check endpoint.
    pub(in crate::http) fn unusable_credential(unusable: &Unusable) -> Self {
        let title = match unusable {
            Unusable::Two(..) | Unusable::Doubled(_) | Unusable::TwoInBasic => {
                "More than one credential"
            },
            Unusable::Basic => "Credential can't be read",
        };
        let problem = Self::new(401, Code::Malformed.as_str(), title).detail(unusable.to_string());
        problem.reason(unusable.reason()).challenge(invalid_token(title))
    }

    pub(in crate::http) fn request_refused(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, "REQUEST_REFUSED", "Request refused").detail(detail)
    }

    pub(in crate::http) fn gate_not_found() -> Self {
        Self::new(403, "GATE_NOT_FOUND", "No such gate")
    }

    /// No route for the request, or one that denies; or, of a path with a `;`, one that allows none.
    pub(in crate::http) fn route_not_allowed(doubt: Option<DoubtfulPath>) -> Self {
        let problem = Self::new(403, "ROUTE_NOT_ALLOWED", "The gate lets nobody through here");
        match doubt {
            Some(doubt) => problem.detail(doubt.to_string()).reason(doubt.reason()),
            None => problem,
        }
    }

    /// Names what was wrong with the request, for programs: in the body, and in a header for clients
    /// of proxies that keep the body to themselves.
    pub(in crate::http) fn reason(self, reason: &'static str) -> Self {
        self.extra("reason", reason).header("X-Keyhouse-Reason", reason)
    }

    /// A verdict other than valid, with the challenge of RFC 6750 and, for limits, when to return.
    /// `scope` is what was asked for, for `insufficient_scope`.
    pub(in crate::http) fn denied(verdict: Verdict, scope: Option<&str>) -> Self {
        let code = verdict.code;
        let (status, title) = denial(code);
        let problem = Self::new(status, code.as_str(), title);
        match (status, code) {
            (401, _) => problem.challenge(invalid_token(title)),
            (_, Code::InsufficientPermissions) => {
                let scope = scope.map(|names| format!(", scope=\"{names}\"")).unwrap_or_default();
                problem.challenge(format!(", error=\"insufficient_scope\"{scope}"))
            },
            (429, _) => problem.retry_after(seconds_up(verdict.retry_after.unwrap_or_default())),
            _ => problem,
        }
    }

    /// The same on a check endpoint: its decisions are 200, 401, 403, 429 and 503. What is no whole
    /// HTTP request never gets as far as a decision, and is 400, 408, 413 or 431 here too.
    pub(in crate::http) fn check_refused(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::DoubledHeader { name } => {
                Self::unusable_credential(&Unusable::doubled_header(name.as_str()))
            },
            Refusal::HeaderNotText { .. } => Self::denied(Verdict::of(Code::Malformed), None),
            Refusal::NoHost
            | Refusal::HostNotValid
            | Refusal::HostMismatch
            | Refusal::LengthAndEncoding
            | Refusal::EncodingNotSupported
            | Refusal::LineFeedAlone
            | Refusal::HeadUnseen
            | Refusal::HeadTooLarge { .. }
            | Refusal::BodyBroken
            | Refusal::TunnelAsked
            | Refusal::BodyTimeout
            | Refusal::BodyTooLarge { .. }
            | Refusal::Busy { .. } => Self::refused(refusal),
            Refusal::Panicked | Refusal::ResponseNotSendable => {
                Self::new(503, "internal", "Fault of this program").retry_after(RETRY_AFTER_SECONDS)
            },
        }
    }
}

/// The parameters of Bearer's challenge for a credential that is not valid.
fn invalid_token(title: &str) -> String {
    format!(", error=\"invalid_token\", error_description=\"{title}\"")
}

/// Status and title of every code that denies.
fn denial(code: Code) -> (u16, &'static str) {
    match code {
        Code::Malformed => (401, "Not a key, or a mistyped one"),
        Code::NotFound => (401, "No such key"),
        Code::Revoked => (401, "Key revoked"),
        Code::Disabled => (401, "Key disabled"),
        Code::NotYetValid => (401, "Key not valid yet"),
        Code::Expired => (401, "Key expired"),
        Code::OwnerDisabled => (401, "Owner of the key disabled"),
        Code::OrganizationSuspended => (403, "Organization suspended"),
        Code::SubscriptionRequired => (403, "Organization has no API access"),
        Code::NotAcceptedHere => (403, "Key not accepted here"),
        Code::IpNotAllowed => (403, "Address not allowed"),
        Code::InsufficientPermissions => (403, "Permission missing"),
        Code::RateLimited => (429, "Too many calls of late"),
        Code::QuotaExceeded => (429, "Quota used up"),
        // Nobody denies with this; if somebody did, it must not let anyone through.
        Code::Valid => (503, "No decision"),
    }
}
