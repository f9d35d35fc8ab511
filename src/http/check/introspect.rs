//! `POST /v1/introspect`: token introspection (RFC 7662), for OAuth clients to which a key was presented.
//!
//! Introspection draws from no limit and counts no call. A key whose limit is used up is still
//! active: RFC 7662 returns the state of the token, and a client that caches the response would
//! reject the key long after the limit has recovered. `/v1/verify` and the gates enforce limits.
//!
//! The endpoint accepts keys, but no session, because any web page can make a browser send a form
//! to it.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderMap;
use rouille::Response;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::actions::actor::Actor;
use crate::http::check::verify::{require_verify, scope_of};
use crate::http::input::{self, FORM};
use crate::http::metrics::counts::CheckEndpoint;
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::transport::Arrival;
use crate::http::{App, CheckCall, answer};
use crate::index::grant::Grant;
use crate::model::credential::CREDENTIALS;
use crate::model::moment::Moment;
use crate::model::network::canonical;
use crate::model::requirement::Requirement;
use crate::model::secret::Secret;
use crate::verify::{Code, Request, digest_of, with_granted};

struct IntrospectionRequest {
    token: Secret,
    requirement: Option<Requirement>,
    ip: Option<IpAddr>,
}

pub(in crate::http) fn answer(app: &App, call: &CheckCall<'_>) -> Response {
    match introspect(app, call.arrival, call.body) {
        Ok(value) => answer::finish(answer::json(&value)),
        Err(problem) => app.deny(call.arrival, None, as_oauth(problem)),
    }
}

/// Adds the OAuth error code (RFC 6749, 5.2).
pub(in crate::http) fn as_oauth(problem: Problem) -> Problem {
    match problem.status() {
        400 | 415 => problem.extra("error", "invalid_request"),
        401 => problem.extra("error", "invalid_client"),
        _ => problem,
    }
}

fn introspect(app: &App, arrival: &Arrival<'_>, body: &[u8]) -> Result<Value, Problem> {
    let actor = caller(app, arrival)?;
    require_verify(&actor)?;
    let input = read(&arrival.parts.headers, body)?;
    let request = Request {
        ip: input.ip,
        requirement: input.requirement.as_ref(),
        cost: 0,
        scope: scope_of(&actor),
        ..Request::default()
    };
    Ok(app.checker.preview(input.token.reveal().as_bytes(), &request, |decision| {
        app.counts.note_check(CheckEndpoint::Introspect, decision.verdict.code.as_str());
        match decision.grant {
            Some(grant) if is_active(decision.verdict.code) => described(app, grant),
            _ => json!({ "active": false }),
        }
    })?)
}

/// Limits are evaluated last, so a key that exceeds a limit has passed all other rules.
fn is_active(code: Code) -> bool {
    matches!(code, Code::Valid | Code::RateLimited | Code::QuotaExceeded)
}

fn caller(app: &App, arrival: &Arrival<'_>) -> Result<Actor, Problem> {
    let headers = &arrival.parts.headers;
    let text = unescaped(app, headers, App::presented(headers, &CREDENTIALS)?);
    app.caller_by_key(&text, app.direct_origin(arrival))
}

/// Some OAuth clients form-encode their secret before they send it as Basic (RFC 6749, 2.3.1),
/// others do not. The text is decoded only if no key has the text as it was sent.
pub(in crate::http) fn unescaped(
    app: &App,
    headers: &HeaderMap,
    text: Zeroizing<Vec<u8>>,
) -> Zeroizing<Vec<u8>> {
    let could_be = text.iter().any(|byte| matches!(byte, b'%' | b'+'))
        && !text.iter().any(|byte| matches!(byte, b'&' | b'='));
    let digest = digest_of(app.index(), &text);
    if !could_be || !is_basic(headers) || digest.is_some_and(|it| app.index().knows(&it)) {
        return text;
    }
    let value = form_urlencoded::parse(&text).next().map(|(name, _)| name.into_owned());
    value.map_or(text, |value| Zeroizing::new(value.into_bytes()))
}

fn is_basic(headers: &HeaderMap) -> bool {
    let value = headers.get(http::header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let scheme = value.and_then(|value| value.split(|byte| *byte == b' ').next());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic"))
}

/// Reads the form. Unknown fields are rejected: a misspelt `permissions` would otherwise require no
/// permission.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<IntrospectionRequest, Problem> {
    let content_type = headers.get(http::header::CONTENT_TYPE);
    if !input::is_of_type(FORM, content_type.and_then(|value| value.to_str().ok())) {
        return Err(Problem::media_type(FORM));
    }
    let mut fields = Parameters::of_form(body);
    let given = |text: &str| match text {
        // RFC 6749, 3.2: a parameter without a value is treated as absent.
        "" => Err("is required"),
        text => Ok(Secret::new(text.to_owned())),
    };
    let token = fields.old_required("token", given);
    let requirement =
        fields.old_optional("permissions", "invalid_requirement", str::parse::<Requirement>);
    let address =
        |text: &str| text.parse().map(canonical).map_err(|_e| "must be an IPv4 or IPv6 address");
    let ip = fields.old_optional("ip", "invalid_ip", address);
    let _hint = fields.old_optional("token_type_hint", "", |_text| Ok::<_, String>(()));
    fields.finish()?;
    let token = token.ok_or_else(|| Problem::invalid(Vec::new()))?;
    Ok(IntrospectionRequest { token, requirement, ip })
}

/// The fields of RFC 7662, 2.2, for an active key, and its organization and environment.
fn described(app: &App, grant: &Grant) -> Value {
    let owner = grant.named_owner();
    let organization = grant.organization.load();
    let (key, organization_id) = (grant.live.key.to_string(), organization.id.to_string());
    let subject = owner.as_ref().map_or_else(|| organization_id.clone(), |it| it.id.to_string());
    let mut reported = Map::new();
    let mut tell = |name: &str, value: Value| reported.insert(name.to_owned(), value);
    tell("active", true.into());
    let scope = with_granted(grant, |granted| granted.map(|set| set.as_str().to_owned()));
    if let Some(scope) = scope.filter(|scope| !scope.is_empty()) {
        tell("scope", scope.into());
    }
    tell("token_type", "Bearer".into());
    tell("client_id", key.into());
    tell("sub", subject.into());
    if let Some(email) = owner.as_deref().and_then(|owner| organization.verified_email(owner)) {
        tell("username", email.into());
    }
    tell("iss", app.settings.public_url.to_string().into());
    tell("iat", seconds_down(grant.live.key.moment()).into());
    if grant.not_before != Moment::BEGINNING {
        tell("nbf", seconds_up(grant.not_before).into());
    }
    if grant.expires_at != Moment::NEVER {
        tell("exp", seconds_down(grant.expires_at).into());
    }
    tell("organization", organization_id.into());
    tell("environment", grant.environment().into());
    Value::Object(reported)
}

/// Whole seconds, rounded down, so that `exp` is never later than the real expiry.
fn seconds_down(moment: Moment) -> i64 {
    moment.milliseconds().div_euclid(1_000)
}

fn seconds_up(moment: Moment) -> i64 {
    seconds_down(moment.after(Duration::from_millis(999)))
}
