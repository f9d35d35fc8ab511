//! `POST /v1/gates/{gate}/test`: dry-runs a request against a gate and explains the result. The dry
//! run counts no call.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::http::api::gates::view::{RouteView, route_view};
use crate::http::check::{denied, explained, verify};
use crate::http::input::{Fields, parsed, text};
use crate::http::problem::Problem;
use crate::http::reading::Read as _;
use crate::http::{App, Call, answer};
use crate::model::gate::GateDecision;
use crate::model::role::{INSTANCE_MANAGE, INSTANCE_VERIFY};
use crate::model::route::{DoubtfulPath, Methods, RouteQuery, canonical_host, raw_path};
use crate::model::secret::Secret;
use crate::records::gate::RouteRecord;
use crate::verify::Request;

const URL_BYTES_MAX: usize = 8_192;

/// The parts of a URL. Without a host, only routes without a host match.
struct TrialUrl {
    host: String,
    line: String,
}

/// Result of a dry run.
struct TrialOutcome {
    /// The denial; `None` if the request passes.
    refusal: Option<Problem>,
    explanation: Option<Value>,
}

pub(in crate::http) fn test(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let one_method = |text: &str| Methods::new([text]).map(|_set| text.to_owned());
    let method = fields.old_required("method", parsed("invalid_method", one_method));
    let target = fields.old_required("url", parsed("invalid_url", parse_url));
    let key = fields.old_optional("key", text).map(Secret::new);
    let ip = fields.old_optional("ip", |value, at| verify::address().read(value, at));
    let announced = fields.old_optional("preflight_for", parsed("invalid_method", one_method));
    fields.finish().map_err(Problem::invalid)?;
    let (Some(method), Some(target)) = (method, target) else {
        return Err(Problem::invalid(Vec::new()));
    };
    let actor = call.actor()?;
    actor.require(INSTANCE_MANAGE)?;
    if key.is_some() {
        actor.require(INSTANCE_VERIFY)?;
    }
    let gate = app.index().gate(call.param(0)).ok_or(ActionError::NotFound("gate"))?;
    let path = match raw_path(&target.line) {
        Ok(path) => path,
        Err(fault) => {
            return Ok(reported(None, &TrialOutcome::refused(doubtful(fault))));
        },
    };
    let query = RouteQuery { host: &target.host, path, method: &method };
    let announced = announced.as_deref();
    let rule = gate.rule(gate.decisive(query, announced)).ok().flatten();
    let route = rule.map(|(route, rule)| route_view(&RouteRecord::of(route, rule)));
    let outcome = match (gate.decision(query, announced), key) {
        (GateDecision::NotAllowed(doubt), _) => {
            TrialOutcome::refused(Problem::route_not_allowed(doubt))
        },
        (GateDecision::Refused(doubt), _) => TrialOutcome::refused(doubtful(doubt)),
        (GateDecision::Public, _) => TrialOutcome { refusal: None, explanation: None },
        (GateDecision::Key { .. }, None) => {
            TrialOutcome::refused(Problem::no_credential_in(&gate.credentials, false))
        },
        (GateDecision::Key { requirement, cost }, Some(key)) => {
            let acceptance = gate.acceptance();
            let request = Request { ip, requirement, acceptance, cost, ..Request::default() };
            explain(app, call, &key, &request)?
        },
    };
    Ok(reported(route.as_ref(), &outcome))
}

impl TrialOutcome {
    fn refused(problem: Problem) -> Self {
        Self { refusal: Some(problem), explanation: None }
    }
}

fn doubtful(doubt: DoubtfulPath) -> Problem {
    Problem::request_refused(doubt.to_string()).reason(doubt.reason())
}

fn explain(
    app: &App,
    call: &Call<'_>,
    key: &Secret,
    request: &Request<'_>,
) -> Result<TrialOutcome, Problem> {
    let presented = key.reveal().as_bytes();
    let explained = verify::explain_presented(app, call.actor()?, presented, request)?;
    let decision = explained.decision();
    let refusal = (!decision.verdict.is_valid()).then(|| denied(&decision, request));
    let mut explanation = json!(explained::explanation_view(explained.explanation));
    if let (Value::Object(fields), Some(grant)) = (&mut explanation, &explained.grant) {
        fields.insert("key".to_owned(), grant.live.key.to_string().into());
    }
    Ok(TrialOutcome { refusal, explanation: Some(explanation) })
}

fn reported(route: Option<&RouteView>, outcome: &TrialOutcome) -> Response {
    let refusal = outcome.refusal.as_ref();
    answer::json(&json!({
        "allowed": refusal.is_none(),
        "status": refusal.map_or(200, Problem::status),
        "code": refusal.map_or("VALID", Problem::code),
        "detail": refusal.and_then(Problem::detail_text),
        "reason": refusal.and_then(|problem| problem.member("reason")),
        "route": route,
        "explain": outcome.explanation,
    }))
}

fn parse_url(url: &str) -> Result<TrialUrl, &'static str> {
    let wrong = "must be a path, or a URL such as https://api.example.com/orders/7";
    if url.len() > URL_BYTES_MAX {
        return Err("must be at most 8192 bytes");
    }
    if url.starts_with('/') {
        return Ok(TrialUrl { host: String::new(), line: url.to_owned() });
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or(wrong)?;
    let (host, line) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = canonical_host(host).ok_or(wrong)?;
    let slash = if line.starts_with('/') { "" } else { "/" };
    Ok(TrialUrl { host, line: format!("{slash}{line}") })
}
