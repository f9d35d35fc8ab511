//! Errors as problem+json responses (RFC 9457).
//!
//! Statuses of 400 or more appear only here, in `action_errors` and in `check/problem`.

use std::borrow::Cow;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderName, Method};
use rouille::{Response, ResponseBody};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::actions::actor::{KEY_OWNER, OWNER};
use crate::actions::pace::TooSoon;
use crate::http::answer::Header;
use crate::http::schema::{each, text};
use crate::http::transport::{HeaderLines, PreparedResponse};
use crate::http::view::view;
use crate::http::{answer, challenge};
use crate::model::credential::{CREDENTIALS, CredentialSource};
use crate::model::errors::{self, ErrorCode};
use crate::model::fault::Fault;
use crate::model::public_url::WebUrl;

/// `Retry-After` if the wait is not known.
pub(super) const RETRY_AFTER_SECONDS: u64 = 1;
/// Header of a problem's code, for clients of proxies that drop the body.
pub(super) static CODE: HeaderName = HeaderName::from_static("x-keyhouse-code");
const MEDIA_TYPE: &str = "application/problem+json";
/// Memory for the body of most problems.
const BODY_BYTES: usize = 512;

/// An error response. The content is boxed, to keep `Result` small, because most calls return no
/// error.
#[derive(Debug)]
pub(super) struct Problem(Box<ProblemFields>);

#[derive(Debug)]
struct ProblemFields {
    error: &'static ErrorCode,
    title: &'static str,
    detail: Option<Cow<'static, str>>,
    faults: Vec<Fault>,
    extra: Map<String, Value>,
    headers: Vec<Header>,
    /// The parameters of the Bearer challenge; `None` sends no challenge.
    challenge: Option<String>,
}

impl Problem {
    pub(super) fn new(error: &'static ErrorCode) -> Self {
        let (extra, headers) = (Map::new(), Vec::new());
        let (detail, faults, challenge) = (None, Vec::new(), None);
        Self(Box::new(ProblemFields {
            error,
            title: error.title,
            detail,
            faults,
            extra,
            headers,
            challenge,
        }))
    }

    /// Replaces the title of the error code.
    pub(super) fn titled(mut self, title: &'static str) -> Self {
        self.0.title = title;
        self
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

    /// Adds a Bearer challenge with these parameters (RFC 9110, 11.6.1; RFC 6750, 3).
    /// [`Problem::offering`] replaces this challenge by challenges for more schemes.
    pub(super) fn challenge(mut self, parameters: impl Into<String>) -> Self {
        self.0.challenge = Some(parameters.into());
        self
    }

    /// Replaces the challenge by challenges for the schemes that these sources accept. A 403 keeps
    /// its Bearer challenge only if the sources accept Bearer.
    pub(super) fn offering(mut self, sources: &[CredentialSource]) -> Self {
        let Some(parameters) = self.0.challenge.take() else { return self };
        if self.status() == 401 {
            self.0.headers.extend(challenge::offered(sources, &parameters));
        } else if challenge::offers_bearer(sources) {
            self.0.headers.push(challenge::bearer(&parameters));
        }
        self
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        self.header("Retry-After", seconds.to_string())
    }

    pub(super) fn detail_text(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// An additional member of the body, which only some problems have.
    pub(super) fn member(&self, name: &str) -> Option<&Value> {
        self.0.extra.get(name)
    }

    pub(super) fn code(&self) -> &'static str {
        self.0.error.name
    }

    pub(super) fn title(&self) -> &'static str {
        self.0.title
    }

    pub(super) fn faults(&self) -> Vec<FaultView> {
        self.0.faults.iter().map(fault_view).collect()
    }

    pub(super) fn status(&self) -> u16 {
        self.0.error.status
    }

    /// Adds the URL of the plans to errors about the features and limits of a plan.
    pub(super) fn with_prices(self, url: Option<&WebUrl>) -> Self {
        match (self.code(), url) {
            ("subscription_required" | "subscription_limit", Some(url)) => {
                self.extra("pricing_url", url.to_string())
            },
            _ => self,
        }
    }

    /// The response. The `request_id` identifies the request in the operator's log.
    pub(super) fn into_response(mut self, request_id: &str) -> Response {
        let body = ResponseBody::from_data(self.body(request_id));
        let mut headers = std::mem::take(&mut self.0.headers);
        headers.extend(self.0.challenge.as_deref().map(challenge::bearer));
        headers.push(("Content-Type".into(), MEDIA_TYPE.into()));
        headers.push(("X-Keyhouse-Code".into(), self.code().into()));
        Response { status_code: self.status(), headers, data: body, upgrade: None }
    }

    /// The response as it is sent, with the headers that every response has.
    pub(super) fn prepared(&self, request_id: &str) -> PreparedResponse {
        self.prepared_offering(None, request_id)
    }

    /// The response as it is sent, with challenges for the schemes of these sources: see
    /// [`Problem::offering`].
    pub(super) fn prepared_offering(
        &self,
        sources: Option<&[CredentialSource]>,
        request_id: &str,
    ) -> PreparedResponse {
        let lines = self.lines(MEDIA_TYPE, sources);
        PreparedResponse::new(self.status(), lines, self.body(request_id))
    }

    /// The header lines of the response, for a body of this type.
    pub(super) fn lines(
        &self,
        media_type: &str,
        sources: Option<&[CredentialSource]>,
    ) -> HeaderLines {
        let mut lines = answer::lines();
        for (name, value) in &self.0.headers {
            lines.push_named(name, value);
        }
        match (&self.0.challenge, sources) {
            (Some(parameters), Some(sources)) if self.status() == 401 => {
                challenge::push_offered(&mut lines, sources, parameters);
            },
            (Some(parameters), sources) if sources.is_none_or(challenge::offers_bearer) => {
                let (name, value) = challenge::bearer(parameters);
                lines.push_named(&name, &value);
            },
            _ => {},
        }
        lines.push(&CONTENT_TYPE, media_type);
        lines.push(&CODE, self.code());
        lines
    }

    fn body(&self, request_id: &str) -> Vec<u8> {
        let faults = self.faults();
        let body = ProblemBody {
            code: self.code(),
            detail: self.detail_text(),
            // The introspection endpoint has an own `error` (RFC 7662, 2.3).
            error: self.0.error.error.filter(|_error| !self.0.extra.contains_key("error")),
            error_description: self
                .0
                .error
                .error
                .map(|_error| self.detail_text().unwrap_or(self.0.title)),
            errors: Some(faults).filter(|faults| !faults.is_empty()),
            extra: &self.0.extra,
            request_id,
            status: self.status(),
            title: self.0.title,
            kind: "about:blank",
        };
        // Serialization cannot fail: the members are texts, numbers and lists of them.
        let mut bytes = Vec::with_capacity(BODY_BYTES);
        match serde_json::to_writer(&mut bytes, &body) {
            Ok(()) => bytes,
            Err(_source) => Vec::new(),
        }
    }

    // Input.

    pub(super) fn invalid(faults: Vec<Fault>) -> Self {
        let mut problem = Self::new(errors::INVALID_INPUT).detail("see errors");
        problem.0.faults = faults;
        problem
    }

    pub(super) fn invalid_json(detail: String) -> Self {
        Self::new(errors::INVALID_JSON).detail(detail)
    }

    /// A management request with several credentials, or with a credential that cannot be read.
    pub(super) fn doubled_credential(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(errors::DOUBLED_CREDENTIAL).detail(detail)
    }

    pub(super) fn media_type(taken: &'static str) -> Self {
        Self::new(errors::UNSUPPORTED_MEDIA_TYPE).detail(format!("send Content-Type: {taken}"))
    }

    // Routes.

    pub(super) fn not_found() -> Self {
        Self::new(errors::NOT_FOUND)
    }

    pub(super) fn method_not_allowed(allowed: &[Method]) -> Self {
        let mut names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        Self::new(errors::METHOD_NOT_ALLOWED).header("Allow", names.join(", "))
    }

    // Authentication and permissions.

    pub(super) fn no_credential() -> Self {
        Self::no_credential_in(&CREDENTIALS, false)
    }

    pub(super) fn not_set_up() -> Self {
        Self::new(errors::NOT_SET_UP)
            .detail("start the server and open its setup link, or start it with --admin-email")
    }

    pub(super) fn session_required() -> Self {
        Self::new(errors::SESSION_REQUIRED).detail(
            "this endpoint needs the session of a signed-in user; with a key use \
             /v1/whoami",
        )
    }

    pub(super) fn organization_required(organizations: impl Iterator<Item = Value>) -> Self {
        Self::new(errors::ORGANIZATION_REQUIRED)
            .detail(
                "the password is correct in several organizations: send one of them as \
                 organization",
            )
            .extra("organizations", organizations.collect::<Vec<_>>())
    }

    pub(super) fn second_factor_required() -> Self {
        Self::new(errors::SECOND_FACTOR_REQUIRED).detail(
            "turn on a second factor (POST /v1/me/totp), or sign in with a code, then \
             try again",
        )
    }

    pub(super) fn session_ended() -> Self {
        Self::new(errors::SESSION_ENDED).detail("sign in again").challenge("")
    }

    pub(super) fn permission_required(permission: &str) -> Self {
        let detail = match permission {
            OWNER => {
                "only an owner in a session, or the operator on the host, may do this".to_owned()
            },
            KEY_OWNER => "only the owner of the key, in a session, may do this".to_owned(),
            permission => format!("this request needs the permission {permission}"),
        };
        Self::new(errors::PERMISSION_REQUIRED)
            .detail(detail)
            .extra("permission", permission)
            .challenge(format!(", error=\"insufficient_scope\", scope=\"{permission}\""))
    }

    pub(super) fn beyond_key(faults: Vec<Fault>) -> Self {
        let mut problem = Self::new(errors::BEYOND_KEY)
            .detail("a key cannot grant or change more than its own rights: see errors");
        problem.0.faults = faults;
        problem
    }

    /// Too many changes. The headers carry the state of the limit.
    pub(super) fn too_many_changes(soon: &TooSoon) -> Self {
        let limit = &soon.limit;
        let policy = format!("\"{}\";q={};w={}", limit.name, limit.limit, limit.window_seconds);
        let state = format!("\"{}\";r=0;t={}", limit.name, seconds_up(soon.full_after));
        Self::new(errors::TOO_MANY_CHANGES)
            .detail("wait for the seconds in Retry-After, then retry")
            .retry_after(seconds_up(soon.wait))
            .header("RateLimit-Policy", policy)
            .header("RateLimit", state)
    }

    pub(super) fn cross_site() -> Self {
        Self::new(errors::CROSS_SITE)
            .detail("the browser sent this request from an origin other than public_url")
    }

    pub(super) fn misdirected(host: &str, public_url: &str) -> Self {
        Self::new(errors::MISDIRECTED_REQUEST).detail(format!(
            "the request's Host is {host}, but the public URL of this instance is \
             {public_url}: forward Host in the proxy (nginx: proxy_set_header \
             Host $host), or correct --public-url"
        ))
    }
}

/// The members of a problem document (RFC 9457), sorted by name.
#[derive(Serialize)]
struct ProblemBody<'a> {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// This member and the next one are those of OAuth 2.0 (RFC 6749, section 5.2). Many clients show no other
    /// member of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FaultView>>,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
    request_id: &'a str,
    status: u16,
    title: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

view! {
    FaultView = "Fault" {
        /// JSON pointer to the field, or `?` and the name of a query parameter.
        pointer: String => text("/name"),
        /// Code of the fault.
        code: &'static str => text("required"),
        /// Explanation of the fault.
        detail: String => text("is required"),
        /// Codes of the reasons for which a password was rejected.
        reasons: Vec<&'static str> | absent => each(text("too_short")),
    }
}

fn fault_view(fault: &Fault) -> FaultView {
    FaultView {
        pointer: fault.pointer.clone(),
        code: fault.code.name,
        detail: fault.detail.clone(),
        reasons: Some(fault.reasons.clone()).filter(|reasons| !reasons.is_empty()),
    }
}

/// Whole seconds, rounded up, so that a client that waits for them does not retry too early.
pub(super) fn seconds_up(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
