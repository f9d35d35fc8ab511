//! `POST /v1/verify`: checks a key for the service to which it was presented.

use std::net::IpAddr;

use http::{HeaderMap, Method};
use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::clock::Now;
use crate::http::check::caller_that_waits;
use crate::http::check::explained::{ExplanationView, explanation_view, lists_of};
use crate::http::check::held::{HeldView, held_view, patterns, permissions};
use crate::http::credential::{self, Credential};
use crate::http::endpoint::{Endpoint, run_by};
use crate::http::input::{self, Fields, object};
use crate::http::metrics::counts::CheckEndpoint;
use crate::http::problem::{Problem, seconds_up};
use crate::http::reading::{Read, ReadText, boolean, list, number, parsed, reader, secret, wrong};
use crate::http::route::Run;
use crate::http::schema::{self, count, the, truth};
use crate::http::transport::{Arrival, PreparedResponse};
use crate::http::view::view;
use crate::http::{App, Call, CheckCall, answer, forwarded};
use crate::index::Index;
use crate::index::grant::Grant;
use crate::model::credential::CREDENTIALS;
use crate::model::fault::FaultCode;
use crate::model::limit::COST_MAX;
use crate::model::network::canonical;
use crate::model::permission::Permission;
use crate::model::requirement::{REQUIREMENT_NAMES_MAX, Requirement};
use crate::model::role::{INSTANCE_VERIFY, KEYS_READ, KEYS_VERIFY};
use crate::model::secret::Secret;
use crate::verify::{
    Decision, Explanation, Request, Scope, Verdict, WaitPayer, explain, explain_absence,
};

/// The permissions with which a caller may check keys.
pub(super) const VERIFY: &[&str] = &[KEYS_VERIFY, INSTANCE_VERIFY];

pub(super) fn endpoint() -> Endpoint {
    let run = Run::ByCaller {
        check: answer,
        manage: answer_session,
        body_bytes_max: Some(input::BODY_BYTES_MAX),
    };
    let example = json!({
        "key": "kh_live_what-the-client-presented", "permissions": ["diagrams:read"],
        "ip": "192.0.2.7", "cost": 1,
    });
    run_by(Some(Method::POST), "/v1/verify", run)
        .named("verify", "Verify a key")
        .details(
            "For a service to which the key was presented. Returns 200 for valid and \
             invalid keys: read `valid` and `code`. Keys of other organizations are not \
             found, unless the caller has `keyhouse:instance:verify`. `permissions` \
             lists what the key is granted now; it is null if a list of 100 patterns \
             cannot express that. The verdict does not depend on that list. `owner` is \
             null for a service key, and for a secret that a former owner may have: one \
             that is older than the first rotation after a transfer.",
        )
        .needs(VERIFY)
        .takes(read_request, example)
        .body_schema(|schemas| object(read_request).named("Check").schema(schemas))
        .answers::<VerdictView>(200, "The verdict.")
}

view! {
    VerdictView = "Verdict" {
        /// Whether the key is valid for this check.
        valid: bool => truth(true),
        /// Code of the verdict.
        code: &'static str => the("CheckCode"),
        /// Seconds until a limit allows the next call.
        retry_after: u64 | absent => count(7),
        /// Permission patterns that the key is granted now. Null if a short list cannot express
        /// them.
        permissions: Option<Vec<String>> | absent => patterns(),
        /// Explanation of the verdict, if the request has `explain`.
        explain: ExplanationView | absent,
        ..held: Option<HeldView>,
    }
}

pub(super) struct VerifyRequest {
    key: Secret,
    requirement: Option<Requirement>,
    ip: Option<IpAddr>,
    cost: u32,
    explain: bool,
}

/// Answers a key or the local operator, on the event loop.
fn answer(app: &App, call: &CheckCall<'_>) -> PreparedResponse {
    let arrival = call.arrival;
    let content_type = arrival.parts.headers.get(http::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let answered =
        caller(app, arrival).and_then(|actor| answer_actor(app, &actor, content_type, call.body));
    match answered {
        Ok(verdict) => answer::prepared(&verdict),
        Err(problem) => app.deny(arrival, call.id, None, &problem),
    }
}

/// Answers a session, on the pool.
fn answer_session(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let content_type = call.request.header("Content-Type");
    Ok(answer::json(&answer_actor(app, call.actor()?, content_type, &call.body)?))
}

/// The actor of a request without a session: a key, or the local operator.
pub(in crate::http) fn caller(app: &App, arrival: &Arrival<'_>) -> Result<Actor, Problem> {
    let headers: &HeaderMap = &arrival.parts.headers;
    match credential::take(headers, &CREDENTIALS) {
        Credential::Presented(text) => app.caller_by_key(&text, app.direct_origin(arrival)),
        Credential::Unusable(unusable) => Err(Problem::unusable_credential(&unusable)),
        Credential::None { .. } => app.local_actor(arrival.listener),
    }
}

fn answer_actor(
    app: &App,
    actor: &Actor,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<VerdictView, Problem> {
    require_verify(actor)?;
    let input = read(content_type, body)?;
    verify_counted(app, actor, &input, CheckEndpoint::Verify)
}

/// Requires a permission to check keys.
pub(super) fn require_verify(actor: &Actor) -> Result<(), Problem> {
    if actor.has(KEYS_VERIFY) || actor.has(INSTANCE_VERIFY) {
        return Ok(());
    }
    Err(Problem::permission_required(KEYS_VERIFY))
}

/// Answers and counts one check. The actor's permission is already verified.
pub(super) fn verify_counted(
    app: &App,
    actor: &Actor,
    input: &VerifyRequest,
    endpoint: CheckEndpoint,
) -> Result<VerdictView, Problem> {
    let answered = verify_one(app, actor, input);
    let code = answered.as_ref().map_or_else(Problem::code, |verdict| verdict.code);
    app.counts.note_check(endpoint, code);
    answered
}

fn verify_one(app: &App, actor: &Actor, input: &VerifyRequest) -> Result<VerdictView, Problem> {
    let request = Request {
        ip: input.ip,
        requirement: input.requirement.as_ref(),
        cost: input.cost,
        scope: scope_of(actor),
        ..Request::default()
    };
    let presented = input.key.reveal().as_bytes();
    if input.explain {
        return verify_explained(app, actor, presented, &request);
    }
    let report = |decision: Decision<'_>| verdict_view(app.index(), &decision);
    Ok(app.checker.check(presented, &request, report)?)
}

/// The keys that an actor may check. A key of another organization is not found.
pub(super) fn scope_of(actor: &Actor) -> Scope {
    if actor.has(INSTANCE_VERIFY) {
        Scope::All
    } else {
        Scope::Organization(actor.organization_id())
    }
}

/// The verdict with its explanation. The call is not counted.
fn verify_explained(
    app: &App,
    actor: &Actor,
    presented: &[u8],
    request: &Request<'_>,
) -> Result<VerdictView, Problem> {
    let explained = explain_presented(app, actor, presented, request)?;
    let verdict = verdict_view(app.index(), &explained.decision());
    Ok(VerdictView { explain: Some(explanation_view(explained.explanation)), ..verdict })
}

/// Result of a dry-run check, with its explanation.
pub(in crate::http) struct Explained {
    pub(in crate::http) verdict: Verdict,
    pub(in crate::http) grant: Option<Grant>,
    pub(in crate::http) explanation: Explanation,
    now: Now,
}

impl Explained {
    pub(in crate::http) fn decision(&self) -> Decision<'_> {
        Decision { verdict: self.verdict, grant: self.grant.as_ref(), now: self.now }
    }
}

/// Explains a check to an actor that may read the organization's keys. The call is not counted.
pub(in crate::http) fn explain_presented(
    app: &App,
    actor: &Actor,
    presented: &[u8],
    request: &Request<'_>,
) -> Result<Explained, Problem> {
    actor.require(KEYS_READ)?;
    let keep = |decision: Decision<'_>| (decision.verdict, decision.grant.cloned(), decision.now);
    let (verdict, grant, now) = app.checker.preview(presented, request, keep)?;
    let explanation = match &grant {
        None => explain_absence(verdict.code),
        Some(grant) => {
            // The key's lists are only in the store. An explanation may wait for the store, unlike a
            // check.
            let payer = WaitPayer::of(grant);
            let read = || app.actions.stored_key(actor, payer.organization, payer.key);
            let record = app.waits().run(&caller_that_waits(payer), read);
            let record = record.unwrap_or(Err(ActionError::Busy))?;
            explain(grant, &lists_of(&record), request, now)
        },
    };
    Ok(Explained { verdict, grant, explanation, now })
}

fn read(content_type: Option<&str>, body: &[u8]) -> Result<VerifyRequest, Problem> {
    let mut fields = Fields::parse(content_type, body)?;
    let input = read_request(&mut fields);
    fields.finish().map_err(Problem::invalid)?;
    input.ok_or_else(|| Problem::invalid(Vec::new()))
}

/// Reads the inputs of a check; `None` if a field has faults.
pub(super) fn read_request(fields: &mut Fields) -> Option<VerifyRequest> {
    let about = "Presented key.";
    let key = fields.required("key", about, secret("kh_live_what-the-client-presented"));
    let about = "Required permissions: a list, or an expression. Default: none.";
    let requirement = fields.optional("permissions", about, requirement());
    let about = "IP address of the client that presented the key, for IP rules.";
    let ip = fields.optional("ip", about, address());
    let about = "Number of calls to count. Default: 1. With 0 the check draws on no limit.";
    let cost = fields.optional("cost", about, number(0, COST_MAX, 1)).unwrap_or(1);
    let about = "Whether to return an explanation. The call is then not counted.";
    let explain = fields.optional("explain", about, boolean(false)).unwrap_or(false);
    Some(VerifyRequest { key: key?, requirement, ip, cost, explain })
}

/// Reads an address. A port after it, which many frameworks add, is ignored.
pub(in crate::http) fn address() -> impl ReadText<Output = IpAddr> {
    let read = |text: &str| forwarded::address(text).map(canonical);
    let parse = move |text: &str| read(text).ok_or("must be an IPv4 or IPv6 address");
    parsed(FaultCode::INVALID_IP, parse, schema::address)
}

/// Reads a requirement: an expression, or a list of permissions that must all be granted.
pub(in crate::http) fn requirement() -> impl Read<Output = Requirement> {
    let code = FaultCode::INVALID_REQUIREMENT;
    let expression = parsed(code, str::parse::<Requirement>, schema::requirement);
    let example = || schema::permission("diagrams:read");
    let name = parsed(FaultCode::INVALID_PERMISSION, str::parse::<Permission>, example);
    let names = list(REQUIREMENT_NAMES_MAX, name).then(move |names, pointer| {
        Requirement::all(names).or_else(|error| wrong(pointer, code, error))
    });
    let read = move |value: Value, pointer: &str| {
        if value.is_array() { names.read(value, pointer) } else { expression.read(value, pointer) }
    };
    reader(read, schema::requirement)
}

fn verdict_view(index: &Index, decision: &Decision<'_>) -> VerdictView {
    let Decision { verdict, grant, now } = *decision;
    let valid = verdict.is_valid();
    VerdictView {
        valid,
        code: verdict.code.as_str(),
        retry_after: verdict.retry_after.map(seconds_up),
        permissions: grant.filter(|_grant| valid).map(permissions),
        explain: None,
        held: grant.map(|grant| held_view(index, grant, now)),
    }
}
