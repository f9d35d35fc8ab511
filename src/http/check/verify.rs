//! `POST /v1/verify`: checks a key for the service to which it was presented.

use std::net::IpAddr;

use http::HeaderMap;
use rouille::Response;
use serde_json::{Map, Value, json};

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::clock::Now;
use crate::http::check::{caller_that_waits, explained};
use crate::http::credential::{self, Credential};
use crate::http::input::{self, Fields, wrong};
use crate::http::metrics::counts::CheckEndpoint;
use crate::http::problem::{Problem, seconds_up};
use crate::http::transport::Arrival;
use crate::http::{App, Call, CheckCall, answer, forwarded};
use crate::index::Index;
use crate::index::grant::{Grant, Rules};
use crate::model::credential::CREDENTIALS;
use crate::model::fault::Fault;
use crate::model::limit::COST_MAX;
use crate::model::network::canonical;
use crate::model::permission::Permission;
use crate::model::requirement::{REQUIREMENT_NAMES_MAX, Requirement};
use crate::model::role::{INSTANCE_VERIFY, KEYS_READ, KEYS_VERIFY};
use crate::model::secret::Secret;
use crate::verify::{
    Decision, Explanation, Request, Scope, Verdict, WaitPayer, explain, explain_absence,
    with_granted,
};

pub(super) struct VerifyRequest {
    key: Secret,
    requirement: Option<Requirement>,
    ip: Option<IpAddr>,
    cost: u32,
    explain: bool,
}

/// Answers a key or the local operator, on the event loop.
pub(in crate::http) fn answer(app: &App, call: &CheckCall<'_>) -> Response {
    let arrival = call.arrival;
    let content_type = arrival.parts.headers.get(http::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let answered =
        caller(app, arrival).and_then(|actor| answer_actor(app, &actor, content_type, call.body));
    match answered {
        Ok(value) => answer::finish(answer::json(&value)),
        Err(problem) => app.deny(arrival, None, problem),
    }
}

/// Answers a session, on the pool.
pub(in crate::http) fn answer_session(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
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
) -> Result<Value, Problem> {
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
) -> Result<Value, Problem> {
    let answered = verify_one(app, actor, input);
    let code = match &answered {
        Ok(fields) => fields.get("code").and_then(Value::as_str).unwrap_or_default(),
        Err(problem) => problem.code(),
    };
    app.counts.note_check(endpoint, code);
    answered
}

fn verify_one(app: &App, actor: &Actor, input: &VerifyRequest) -> Result<Value, Problem> {
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
    let report = |decision: Decision<'_>| verdict_fields(app.index(), &decision);
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
) -> Result<Value, Problem> {
    let explained = explain_presented(app, actor, presented, request)?;
    let mut answer = verdict_fields(app.index(), &explained.decision());
    if let Value::Object(fields) = &mut answer {
        fields.insert("explain".to_owned(), explained::explanation_view(&explained.explanation));
    }
    Ok(answer)
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
            explain(grant, &explained::lists_of(&record), request, now)
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
    let key = fields.old_required("key", input::text).map(Secret::new);
    let requirement = fields.old_optional("permissions", requirement);
    let ip = fields.old_optional("ip", address);
    let cost = fields.old_optional("cost", input::number(0, COST_MAX)).unwrap_or(1);
    let explain = fields.old_optional("explain", input::boolean).unwrap_or(false);
    Some(VerifyRequest { key: key?, requirement, ip, cost, explain })
}

/// Reads an address. A port after it, which many frameworks add, is ignored.
pub(in crate::http) fn address(value: Value, pointer: &str) -> Result<IpAddr, Vec<Fault>> {
    let read = |text: &str| forwarded::address(text).map(canonical);
    let parse = |text: &str| read(text).ok_or("must be an IPv4 or IPv6 address");
    input::parsed("invalid_ip", parse)(value, pointer)
}

/// Reads a requirement: an expression, or a list of permissions that must all be granted.
pub(in crate::http) fn requirement(value: Value, pointer: &str) -> Result<Requirement, Vec<Fault>> {
    if !value.is_array() {
        return input::parsed("invalid_requirement", str::parse::<Requirement>)(value, pointer);
    }
    let name = |value: Value, pointer: &str| {
        input::parsed("invalid_permission", str::parse::<Permission>)(value, pointer)
    };
    let names = input::list(REQUIREMENT_NAMES_MAX, name)(value, pointer)?;
    Requirement::all(names).or_else(|error| wrong(pointer, "invalid_requirement", error))
}

fn verdict_fields(index: &Index, decision: &Decision<'_>) -> Value {
    let Decision { verdict, grant, now } = *decision;
    let mut fields = grant.map(|grant| described(index, grant, now)).unwrap_or_default();
    fields.insert("valid".to_owned(), verdict.is_valid().into());
    fields.insert("code".to_owned(), verdict.code.as_str().into());
    if let Some(wait) = verdict.retry_after {
        fields.insert("retry_after".to_owned(), seconds_up(wait).into());
    }
    if let Some(grant) = grant.filter(|_grant| verdict.is_valid()) {
        fields.insert("permissions".to_owned(), permissions(grant));
    }
    Value::Object(fields)
}

/// The permissions that a key is granted now, as patterns: its own list, or the default without a
/// list, limited by its owner's role and all maximums. `null` if no short list is exact.
pub(super) fn permissions(grant: &Grant) -> Value {
    with_granted(grant, |granted| match granted {
        Some(granted) => granted.texts().map(Value::from).collect(),
        None => Value::Null,
    })
}

/// The description of a key, for its holder and for services that may check it.
pub(super) fn described(index: &Index, grant: &Grant, now: Now) -> Map<String, Value> {
    let owner = grant.named_owner();
    let organization = grant.organization.load();
    let rules = grant.rules.as_deref();
    let rate_limits: Vec<Value> = rules
        .map(|rules| &*rules.rate_limits)
        .unwrap_or_default()
        .iter()
        .map(|(limit, counter)| {
            let arrival = counter.arrival();
            json!({
                "name": limit.name,
                "limit": limit.limit,
                "window_seconds": limit.window_seconds,
                "remaining": limit.remaining(arrival, now.ticks),
                "reset_seconds": seconds_up(limit.full_after(arrival, now.ticks)),
            })
        })
        .collect();
    let quota = rules.and_then(Rules::quota).map(|rule| {
        let (quota, span) = (rule.quota(), rule.span(now.wall));
        let used = rule.used(now.wall);
        json!({
            "limit": quota.limit,
            "period": quota.period.to_string(),
            "timezone": quota.zone.to_string(),
            "used": used,
            "remaining": quota.limit.saturating_sub(used),
            "resets_at": span.ends.to_string(),
        })
    });
    // A secret team is listed only if the key's owner is a member.
    let teams: Vec<Value> = index
        .teams_of(grant)
        .iter()
        .filter(|(team, is_represented)| *is_represented || !team.secret)
        .map(|(team, _)| json!({ "id": team.id.to_string(), "name": team.name }))
        .collect();
    let ends = (grant.expires_at != crate::model::moment::Moment::NEVER)
        .then(|| grant.expires_at.to_string());
    let fields = json!({
        "key": {
            "id": grant.live.key.to_string(),
            "name": grant.name(),
            "kind": if grant.owner.is_some() { "personal" } else { "service" },
            "environment": grant.environment(),
            "expires_at": ends,
        },
        "owner": owner.as_deref().map(|owner| json!({
            "id": owner.id.to_string(),
            "name": owner.name,
            "email": organization.verified_email(owner),
            "role": owner.role.role().to_string(),
        })),
        "organization": {
            "id": organization.id.to_string(),
            "name": organization.name,
            "plan": organization.subscription.plan,
        },
        "teams": teams,
        "rate_limits": rate_limits,
        "quota": quota,
    });
    match fields {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        },
    }
}
