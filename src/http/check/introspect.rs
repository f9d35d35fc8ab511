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

use http::{HeaderMap, Method};
use serde_json::json;
use zeroize::Zeroizing;

use crate::actions::actor::Actor;
use crate::http::check::verify::{VERIFY, require_verify, scope_of};
use crate::http::endpoint::{Endpoint, run_by};
use crate::http::input::{self, FORM};
use crate::http::metrics::counts::CheckEndpoint;
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::reading::parsed;
use crate::http::route::Run;
use crate::http::schema::{self, count, formatted, text, truth};
use crate::http::transport::{Arrival, PreparedResponse};
use crate::http::view::view;
use crate::http::{App, CheckCall, answer};
use crate::index::grant::Grant;
use crate::model::credential::CREDENTIALS;
use crate::model::fault::FaultCode;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::moment::Moment;
use crate::model::network::canonical;
use crate::model::requirement::Requirement;
use crate::model::secret::Secret;
use crate::verify::{Code, Request, digest_of, with_granted};

pub(super) fn endpoint() -> Endpoint {
    let run = Run::Check { handler: answer, body_bytes_max: Some(input::BODY_BYTES_MAX) };
    let example = json!({
        "token": "kh_live_what-the-client-presented", "permissions": "diagrams:read",
    });
    run_by(Some(Method::POST), "/v1/introspect", run)
        .for_client()
        .named("introspect", "Introspect a token")
        .details(
            "Token introspection (RFC 7662) for OAuth clients, which authenticate with a key \
             of their own as Bearer or Basic. The call is not counted and draws on no limit. \
             A key whose limits are used up is active; `/v1/verify` and the gates enforce \
             limits. With `permissions` and `ip`, `active` also depends on those; a key with \
             IP rules is active only with an allowed `ip`. `scope` is left out if the key is \
             granted no permission, or if a list of 100 patterns cannot express what it is \
             granted. For a token that is not active, the response is `{\"active\": false}`. \
             That includes keys of other organizations, unless the caller has \
             `keyhouse:instance:verify`.",
        )
        .needs(VERIFY)
        .takes_form(read_request, example)
        .answers::<IntrospectionView>(200, "The state of the token.")
}

view! {
    IntrospectionView {
        /// Whether the key is valid.
        active: bool => truth(true),
        ..token: Option<ActiveTokenView>,
    }
}

// RFC 7662, 2.2, and the organization and environment.
view! {
    ActiveTokenView {
        /// Granted permission patterns, separated by spaces.
        scope: String | absent => text("diagrams:read files:*"),
        /// Always `Bearer`.
        token_type: &'static str => text("Bearer"),
        /// Id of the key.
        client_id: KeyId,
        /// Id of the key's owner, or of the organization for a service key.
        sub: String => text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f"),
        /// Verified email address of the key's owner.
        username: String | absent => text("ada@example.com"),
        /// Public URL of the instance.
        iss: String => text("https://keys.example.com"),
        /// Time of creation, in Unix seconds.
        iat: i64 => count(1_761_000_000),
        /// Time from which the key is valid, in Unix seconds.
        nbf: i64 | absent => count(1_761_000_000),
        /// Time of expiry, in Unix seconds.
        exp: i64 | absent => count(1_792_000_000),
        /// Id of the organization.
        organization: OrganizationId,
        /// Environment of the key.
        environment: String => text("live"),
    }
}

struct IntrospectionRequest {
    token: Secret,
    requirement: Option<Requirement>,
    ip: Option<IpAddr>,
}

fn answer(app: &App, call: &CheckCall<'_>) -> PreparedResponse {
    match introspect(app, call.arrival, call.body) {
        Ok(state) => answer::prepared(&state),
        Err(problem) => app.deny(call.arrival, call.id, None, &as_oauth(problem)),
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

fn introspect(app: &App, arrival: &Arrival<'_>, body: &[u8]) -> Result<IntrospectionView, Problem> {
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
        let grant = decision.grant.filter(|_grant| is_active(decision.verdict.code));
        let token = grant.map(|grant| active_token_view(app, grant));
        IntrospectionView { active: token.is_some(), token }
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
    let mut form = Parameters::of_form(body);
    let request = read_request(&mut form);
    form.finish()?;
    request.ok_or_else(|| Problem::invalid(Vec::new()))
}

fn read_request(form: &mut Parameters) -> Option<IntrospectionRequest> {
    let given = |text: &str| match text {
        // RFC 6749, 3.2: a parameter without a value is treated as absent.
        "" => Err("is required"),
        text => Ok(Secret::new(text.to_owned())),
    };
    let example = || text("kh_live_what-the-client-presented").min_length(Some(1));
    let token =
        form.required("token", "Presented key.", parsed(FaultCode::REQUIRED, given, example));
    let expression = || formatted("requirement", "diagrams:read AND diagrams:list");
    let requirement = parsed(FaultCode::INVALID_REQUIREMENT, str::parse::<Requirement>, expression);
    let about = "Required permissions, as an expression.";
    let requirement = form.optional("permissions", about, requirement);
    let address =
        |text: &str| text.parse().map(canonical).map_err(|_e| "must be an IPv4 or IPv6 address");
    let address = parsed(FaultCode::INVALID_IP, address, schema::address);
    let ip = form.optional("ip", "IP address of the client that presented the key.", address);
    let any = parsed(FaultCode::WRONG_TYPE, |_text| Ok::<_, String>(()), || text("access_token"));
    let _hint = form.optional("token_type_hint", "Ignored.", any);
    Some(IntrospectionRequest { token: token?, requirement, ip })
}

fn active_token_view(app: &App, grant: &Grant) -> ActiveTokenView {
    let owner = grant.named_owner();
    let organization = grant.organization.load();
    let subject =
        owner.as_ref().map_or_else(|| organization.id.to_string(), |owner| owner.id.to_string());
    let scope = with_granted(grant, |granted| granted.map(|set| set.as_str().to_owned()));
    let username = owner.as_deref().and_then(|owner| organization.verified_email(owner));
    ActiveTokenView {
        scope: scope.filter(|scope| !scope.is_empty()),
        token_type: "Bearer",
        client_id: grant.live.key,
        sub: subject,
        username: username.map(str::to_owned),
        iss: app.settings.public_url.to_string(),
        iat: seconds_down(grant.live.key.moment()),
        nbf: Some(grant.not_before()).filter(|start| *start != Moment::BEGINNING).map(seconds_up),
        exp: Some(grant.expires_at).filter(|end| *end != Moment::NEVER).map(seconds_down),
        organization: organization.id,
        environment: grant.environment().to_owned(),
    }
}

/// Whole seconds, rounded down, so that `exp` is never later than the real expiry.
fn seconds_down(moment: Moment) -> i64 {
    moment.milliseconds().div_euclid(1_000)
}

fn seconds_up(moment: Moment) -> i64 {
    seconds_down(moment.after(Duration::from_millis(999)))
}
