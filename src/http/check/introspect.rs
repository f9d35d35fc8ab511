//! `POST /v1/introspect`: token introspection (RFC 7662), for OAuth clients that were shown a key.
//!
//! Draws on no limit and counts no call. A key whose limit is used up is active all the same: RFC 7662
//! asks for the state of the token, clients keep the answer for a while, and one that lets a key go
//! for good over a second's limit would be told wrong. Limits are `/v1/verify`'s and the gates'.
//!
//! For programs alone, never for a session: browsers send forms to any site that a page names.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderMap;
use rouille::Response;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::http::check::verify::require_verify;
use crate::http::check::{Holder, user_agent};
use crate::http::input::{self, FORM};
use crate::http::metrics::counts::Endpoint;
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::transport::Arrival;
use crate::http::{App, answer};
use crate::index::grant::Grant;
use crate::model::credential::CREDENTIALS;
use crate::model::moment::Moment;
use crate::model::network::canonical;
use crate::model::requirement::Requirement;
use crate::model::role::INSTANCE_VERIFY;
use crate::model::secret::Secret;
use crate::verify::{Code, Request, Verdict, check, digest_of, foretell, with_granted};

/// What a client asks.
struct Asked {
    token: Secret,
    requirement: Option<Requirement>,
    ip: Option<IpAddr>,
}

pub(in crate::http) fn answer(
    app: &App,
    arrival: &Arrival<'_>,
    _params: &[&str],
    body: &[u8],
) -> Response {
    match introspect(app, arrival, body) {
        Ok(value) => answer::finish(answer::json(&value)),
        Err(problem) => app.deny(arrival, as_oauth(problem)),
    }
}

/// The error in OAuth's words too (RFC 6749, 5.2).
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
    let asked = read(&arrival.parts.headers, body)?;
    if app.index().is_behind() {
        return Err(Problem::index_behind());
    }
    let request = Request {
        ip: asked.ip,
        requirement: asked.requirement.as_ref(),
        cost: 0,
        ..Request::default()
    };
    let everywhere = actor.has(INSTANCE_VERIFY);
    let is_known =
        |grant: &Grant| everywhere || grant.organization.load().id == actor.organization_id();
    let now = app.actions.clock().now();
    let judge = |grant: &Grant| {
        let known = is_known(grant);
        Ok(if known { foretell(grant, &request, now) } else { Verdict::of(Code::NotFound) })
    };
    let tell = |verdict: Verdict, grant: Option<&Grant>| {
        app.counts.note_check(Endpoint::Introspect, verdict.code.as_str());
        match grant {
            Some(grant) if is_active(verdict.code) => described(app, grant),
            _ => json!({ "active": false }),
        }
    };
    let presented = asked.token.reveal().as_bytes();
    check(app.index(), presented, judge, tell)
        .map_err(|_unreserved| ActionError::StorageUnavailable.into())
}

/// Limits are asked last: whoever comes to them has passed all else.
fn is_active(code: Code) -> bool {
    matches!(code, Code::Valid | Code::RateLimited | Code::QuotaExceeded)
}

fn caller(app: &App, arrival: &Arrival<'_>) -> Result<Actor, Problem> {
    let headers = &arrival.parts.headers;
    let text = unescaped(app, headers, App::presented(headers, &CREDENTIALS)?);
    let caller = Holder { address: app.direct_address(arrival), user_agent: user_agent(headers) };
    app.caller_by_key(&text, caller)
}

/// OAuth clients write their secret as a form's value before they send it as Basic (RFC 6749, 2.3.1);
/// others send it as it is. Where that makes a difference, the text as it stands goes first.
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

/// Reads the form. What is not known is refused: a misspelt `permissions` would be no question.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Asked, Problem> {
    let content_type = headers.get(http::header::CONTENT_TYPE);
    if !input::is_of_type(FORM, content_type.and_then(|value| value.to_str().ok())) {
        return Err(Problem::media_type(FORM));
    }
    let mut fields = Parameters::of_form(body);
    let given = |text: &str| match text {
        // RFC 6749, 3.2: what has no value was not given.
        "" => Err("must be given"),
        text => Ok(Secret::new(text.to_owned())),
    };
    let token = fields.required("token", given);
    let requirement =
        fields.optional("permissions", "invalid_requirement", str::parse::<Requirement>);
    let address =
        |text: &str| text.parse().map(canonical).map_err(|_e| "must be an IPv4 or IPv6 address");
    let ip = fields.optional("ip", "invalid_ip", address);
    let _hint = fields.optional("token_type_hint", "", |_text| Ok::<_, String>(()));
    fields.finish()?;
    let token = token.ok_or_else(|| Problem::invalid(Vec::new()))?;
    Ok(Asked { token, requirement, ip })
}

/// What is told of an active key: RFC 7662, 2.2, and where it belongs.
fn described(app: &App, grant: &Grant) -> Value {
    let owner = grant.owner.as_ref().map(|owner| owner.facts());
    let organization = grant.organization.load();
    let (key, organization_id) = (grant.live.key.to_string(), organization.id.to_string());
    let subject = owner.as_ref().map_or_else(|| organization_id.clone(), |it| it.id.to_string());
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| told.insert(name.to_owned(), value);
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
    Value::Object(told)
}

/// The last whole second that a moment does not come before: no time is promised that is not left.
fn seconds_down(moment: Moment) -> i64 {
    moment.milliseconds().div_euclid(1_000)
}

/// The first whole second from a moment on.
fn seconds_up(moment: Moment) -> i64 {
    seconds_down(moment.after(Duration::from_millis(999)))
}
