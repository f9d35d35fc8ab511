//! Every error as problem+json (RFC 9457). No other file but `action_errors` names a status of 400 or
//! more.

use std::borrow::Cow;
use std::time::Duration;

use http::Method;
use rouille::{Response, ResponseBody};
use serde_json::{Map, Value, json};

use crate::actions::pace::TooSoon;
use crate::http::answer::Header;
use crate::http::challenge;
use crate::http::refusal::said;
use crate::http::transport::Refusal;
use crate::model::credential::{CREDENTIALS, CredentialSource};
use crate::model::fault::Fault;
use crate::model::public_url::WebUrl;

/// What a client is told to wait where nobody knows better.
pub(super) const RETRY_AFTER_SECONDS: u64 = 1;
/// An error on its way out; boxed, since most calls return none.
#[derive(Debug)]
pub(super) struct Problem(Box<Told>);

#[derive(Debug)]
struct Told {
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: Option<Cow<'static, str>>,
    faults: Vec<Fault>,
    extra: Map<String, Value>,
    headers: Vec<Header>,
    /// The parameters of Bearer's challenge, where there is to be one.
    challenge: Option<String>,
}

impl Problem {
    pub(super) fn new(status: u16, code: &'static str, title: &'static str) -> Self {
        let (extra, headers) = (Map::new(), Vec::new());
        let (detail, faults, challenge) = (None, Vec::new(), None);
        Self(Box::new(Told { status, code, title, detail, faults, extra, headers, challenge }))
    }

    pub(super) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    pub(super) fn extra(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extra.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn header(
        mut self,
        name: &'static str,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.0.headers.push((name.into(), value.into()));
        self
    }

    /// Says how to authenticate (RFC 9110, 11.6.1; RFC 6750, 3): by Bearer, with these parameters,
    /// unless [`Problem::offering`] says more.
    pub(super) fn challenge(mut self, parameters: impl Into<String>) -> Self {
        self.0.challenge = Some(parameters.into());
        self
    }

    /// Offers what these sources accept. What a 403 says to Bearer is left out where Bearer is not
    /// accepted.
    pub(super) fn offering(mut self, sources: &[CredentialSource]) -> Self {
        let Some(parameters) = self.0.challenge.take() else { return self };
        if self.0.status == 401 {
            self.0.headers.extend(challenge::offered(sources, &parameters));
        } else if challenge::offers_bearer(sources) {
            self.0.headers.push(challenge::bearer(&parameters));
        }
        self
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        self.header("Retry-After", seconds.to_string())
    }

    /// What there is to say of this one.
    pub(super) fn says(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// A member of the body beside those that every problem has.
    pub(super) fn member(&self, name: &str) -> Option<&Value> {
        self.0.extra.get(name)
    }

    /// The stable name.
    pub(super) fn code(&self) -> &'static str {
        self.0.code
    }

    /// The status.
    pub(super) fn status(&self) -> u16 {
        self.0.status
    }

    /// Names where plans are, to who lacks one.
    pub(super) fn with_prices(self, url: Option<&WebUrl>) -> Self {
        match (self.code(), url) {
            ("subscription_required" | "subscription_limit", Some(url)) => {
                self.extra("pricing_url", url.to_string())
            },
            _ => self,
        }
    }

    /// What went wrong with one of many things that were asked in one request.
    pub(super) fn into_item(self) -> Value {
        Value::Object(self.members())
    }

    /// The response; `request_id` is what a person quotes to the operator.
    pub(super) fn into_response(mut self, request_id: String) -> Response {
        let mut body = self.members();
        body.insert("type".to_owned(), "about:blank".into());
        body.insert("status".to_owned(), self.0.status.into());
        body.insert("request_id".to_owned(), request_id.into());
        let mut headers = std::mem::take(&mut self.0.headers);
        headers.extend(self.0.challenge.as_deref().map(challenge::bearer));
        headers.push(("Content-Type".into(), "application/problem+json".into()));
        headers.push(("X-Keyhouse-Code".into(), self.code().into()));
        let body = ResponseBody::from_data(Value::Object(body).to_string());
        Response { status_code: self.0.status, headers, data: body, upgrade: None }
    }

    fn members(&self) -> Map<String, Value> {
        let told = &*self.0;
        let mut members = told.extra.clone();
        members.insert("title".to_owned(), told.title.into());
        members.insert("code".to_owned(), told.code.into());
        if let Some(detail) = &told.detail {
            members.insert("detail".to_owned(), detail.as_ref().into());
        }
        if !told.faults.is_empty() {
            members.insert("errors".to_owned(), told.faults.iter().map(fault).collect());
        }
        members
    }

    // Input.

    pub(super) fn invalid(faults: Vec<Fault>) -> Self {
        let mut problem = Self::new(400, "invalid_input", "Input not valid").detail("see errors");
        problem.0.faults = faults;
        problem
    }

    pub(super) fn invalid_json(detail: String) -> Self {
        Self::new(400, "invalid_json", "Body is not JSON as this API takes it").detail(detail)
    }

    /// No single credential of a management request.
    pub(super) fn doubled_credential(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "doubled_credential", "More than one credential, or one that can't be read")
            .detail(detail)
    }

    pub(super) fn media_type(taken: &'static str) -> Self {
        Self::new(415, "unsupported_media_type", "Body of a type that is not taken here")
            .detail(format!("send Content-Type: {taken}"))
    }

    // Routes.

    pub(super) fn not_found() -> Self {
        Self::new(404, "not_found", "Nothing here")
    }

    pub(super) fn method_not_allowed(allowed: &[Method]) -> Self {
        let mut names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        Self::new(405, "method_not_allowed", "Method not allowed here")
            .header("Allow", names.join(", "))
    }

    // Who asks.

    pub(super) fn no_credential() -> Self {
        Self::no_credential_in(&CREDENTIALS, false)
    }

    pub(super) fn not_set_up() -> Self {
        Self::new(409, "not_set_up", "No organization yet")
            .detail("start the server and follow its setup link, or use --admin-email")
    }

    pub(super) fn session_required() -> Self {
        Self::new(403, "session_required", "For people").detail("a key asks /v1/whoami")
    }

    pub(super) fn organization_required(organizations: impl Iterator<Item = Value>) -> Self {
        Self::new(409, "organization_required", "Organization required")
            .detail(
                "the password is right in several organizations: send one of these as organization",
            )
            .extra("organizations", organizations.collect::<Vec<_>>())
    }

    pub(super) fn second_factor_required() -> Self {
        Self::new(403, "second_factor_required", "Second factor required").detail(
            "turn a second factor on (POST /v1/me/totp), or sign in with it, then try again",
        )
    }

    pub(super) fn session_ended() -> Self {
        Self::new(401, "session_ended", "Session ended").detail("sign in again").challenge("")
    }

    pub(super) fn permission_required(permission: &str) -> Self {
        Self::new(403, "permission_required", "Permission required")
            .detail(format!("this needs {permission}"))
            .extra("permission", permission)
            .challenge(format!(", error=\"insufficient_scope\", scope=\"{permission}\""))
    }

    pub(super) fn beyond_key(faults: Vec<Fault>) -> Self {
        let mut problem = Self::new(403, "beyond_key", "Wider than the key that asks")
            .detail("a key gives and changes nothing that is wider than itself: see errors");
        problem.0.faults = faults;
        problem
    }

    /// Too many changes, with the state of the limit.
    pub(super) fn too_many_changes(soon: &TooSoon) -> Self {
        let limit = &soon.limit;
        let policy = format!("\"{}\";q={};w={}", limit.name, limit.limit, limit.window_seconds);
        let state = format!("\"{}\";r=0;t={}", limit.name, seconds_up(soon.full_after));
        Self::new(429, "too_many_changes", "Too many changes")
            .detail("wait as long as Retry-After says, then go on")
            .retry_after(seconds_up(soon.wait))
            .header("RateLimit-Policy", policy)
            .header("RateLimit", state)
    }

    pub(super) fn cross_site() -> Self {
        Self::new(403, "cross_site", "Request of another site refused")
            .detail("a browser sent this from another origin than public_url")
    }

    pub(super) fn misdirected(host: &str, public_url: &str) -> Self {
        Self::new(421, "misdirected_request", "Host is not this instance's").detail(format!(
            "the request's Host is {host}, and browsers reach this instance at {public_url}; let the \
             proxy pass Host on (nginx: proxy_set_header Host $host), or start with the right \
             --public-url"
        ))
    }

    // Readiness.

    pub(super) fn index_behind() -> Self {
        Self::new(503, "index_behind", "Not up to date; no check is answered until it is")
            .retry_after(RETRY_AFTER_SECONDS)
    }

    pub(super) fn not_ready(detail: &'static str) -> Self {
        Self::new(503, "not_ready", "Not ready").detail(detail).retry_after(RETRY_AFTER_SECONDS)
    }

    // The transport.

    pub(super) fn refused(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoHost
            | Refusal::HostNotValid
            | Refusal::HostMismatch
            | Refusal::LengthAndEncoding
            | Refusal::EncodingNotSupported
            | Refusal::LineFeedAlone
            | Refusal::HeadUnseen
            | Refusal::HeaderNotText { .. }
            | Refusal::BodyBroken => {
                Self::new(400, "malformed_request", "Request malformed").detail(said(refusal))
            },
            Refusal::DoubledHeader { name } => Self::new(400, "doubled_header", "Header doubled")
                .detail(format!("{name} must appear once")),
            Refusal::HeadTooLarge { .. } => {
                Self::new(431, "head_too_large", "Head too large").detail(said(refusal))
            },
            Refusal::TunnelAsked => Self::method_not_allowed(&[]),
            Refusal::BodyTimeout => Self::new(408, "body_timeout", "Body not whole in time"),
            Refusal::BodyTooLarge { bytes_max } => {
                Self::new(413, "body_too_large", "Body too large")
                    .detail(format!("at most {bytes_max} bytes are taken here"))
            },
            Refusal::Busy { retry_after_seconds } => {
                Self::new(503, "busy", "Busy").retry_after(u64::from(*retry_after_seconds))
            },
            Refusal::Panicked | Refusal::ResponseNotSendable => {
                Self::new(500, "internal", "Fault of this program").detail("see its log")
            },
        }
    }
}

fn fault(fault: &Fault) -> Value {
    json!({ "pointer": fault.pointer, "code": fault.code, "detail": fault.detail })
}

/// Whole seconds, rounded up: whoever waits as long as told must not come too early.
pub(super) fn seconds_up(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
