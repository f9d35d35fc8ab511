//! `POST /v1/gates/{gate}/test`: dry-runs a request against a gate and explains the result. The dry
//! run counts no call.

use std::net::IpAddr;

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::http::api::gates::reading::method;
use crate::http::api::gates::view::{RouteView, route_view};
use crate::http::check::explained::{ExplanationView, explanation_view};
use crate::http::check::{denied, verify};
use crate::http::endpoint::{Endpoint, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{parsed, secret};
use crate::http::schema::{fitting, nullable, text, the, truth, whole};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::gate::GateDecision;
use crate::model::id::KeyId;
use crate::model::role::{INSTANCE_MANAGE, INSTANCE_VERIFY};
use crate::model::route::{DoubtfulPath, RouteQuery, canonical_host, raw_path};
use crate::model::secret::Secret;
use crate::records::gate::RouteRecord;
use crate::verify::Request;

const URL_BYTES_MAX: usize = 8_192;

pub(super) fn endpoint() -> Endpoint {
    post("/v1/gates/{gate}/test", test)
        .named("testGate", "Explain a request to a gate")
        .details(
            "Dry-runs a request against the gate, which may be `default`, and explains the \
             result. No call is counted. With `key`, the caller also needs \
             `keyhouse:instance:verify` and `keyhouse:keys:read`.",
        )
        .needs(&[INSTANCE_MANAGE])
        .takes(read_trial, json!({"method": "GET", "url": "https://api.example.com/orders/7"}))
        .answers::<TrialView>(200, "The response that a proxy would get.")
        .fails(&[errors::INDEX_BEHIND])
}

view! {
    TrialView = "GateTest" {
        /// Whether the request would pass.
        allowed: bool => truth(false),
        /// HTTP status that the proxy would get.
        status: u16 => whole(200, 599, 403),
        /// Code of the decision.
        code: &'static str => text("ROUTE_NOT_ALLOWED"),
        /// Explanation of a denial. Null if the request would pass.
        detail: Option<String> => nullable(text("the path contains a dot segment").into()),
        /// Machine-readable reason of a denial, if it has one.
        reason: Option<String> => nullable(text("dot_segment").into()),
        /// Matching route. Null if there is none.
        route: Option<RouteView>,
        /// Explanation of the check of the key. Null if no key was checked.
        explain: Option<TriedKeyView> => nullable(the("Explanation")),
    }
}

view! {
    TriedKeyView {
        /// Id of the key.
        key: KeyId | absent,
        ..explanation: ExplanationView,
    }
}

/// The request of a dry run.
struct Trial {
    method: String,
    target: TrialUrl,
    key: Option<Secret>,
    ip: Option<IpAddr>,
    /// The method that a CORS preflight announces.
    announced: Option<String>,
}

/// The parts of a URL. Without a host, only routes without a host match.
struct TrialUrl {
    host: String,
    line: String,
}

/// Result of a dry run.
struct TrialOutcome {
    /// The denial; `None` if the request passes.
    refusal: Option<Problem>,
    explanation: Option<TriedKeyView>,
}

fn read_trial(fields: &mut Fields) -> Option<Trial> {
    const URL: &str = r"^(https?://[a-z0-9]{1,9}(\.[a-z0-9]{1,9}){0,3})?/[a-z0-9/._~%?=&-]{0,99}$";
    let trial_method = fields.required("method", "Method of the request.", method());
    let target = fields.required(
        "url",
        "URL or path of the request. Without a host, only routes without a host match.",
        parsed(FaultCode::INVALID_URL, parse_url, || {
            fitting(URL, "https://api.example.com/orders/7")
        }),
    );
    let about = "Key of the request. Without it, the request has no credential.";
    let key = fields.optional("key", about, secret("kh_live_what-the-client-presents"));
    let about = "IP address of the client, for IP rules.";
    let ip = fields.optional("ip", about, verify::address());
    let about = "Method that the request announces, if it is a CORS preflight.";
    let announced = fields.optional("preflight_for", about, method());
    Some(Trial { method: trial_method?, target: target?, key, ip, announced })
}

fn test(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let Trial { method, target, key, ip, announced } = call.read_required(read_trial)?;
    let actor = call.actor()?;
    actor.require(INSTANCE_MANAGE)?;
    if key.is_some() {
        actor.require(INSTANCE_VERIFY)?;
    }
    let gate = app.index().gate(call.param(0)).ok_or(ActionError::NotFound("gate"))?;
    let path = match raw_path(&target.line) {
        Ok(path) => path,
        Err(fault) => {
            return Ok(reported(None, TrialOutcome::refused(doubtful(fault))));
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
    Ok(reported(route, outcome))
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
    let explanation = TriedKeyView {
        key: explained.grant.as_ref().map(|grant| grant.live.key),
        explanation: explanation_view(explained.explanation),
    };
    Ok(TrialOutcome { refusal, explanation: Some(explanation) })
}

fn reported(route: Option<RouteView>, outcome: TrialOutcome) -> Response {
    let refusal = outcome.refusal.as_ref();
    let reason = refusal.and_then(|problem| problem.member("reason")).and_then(Value::as_str);
    answer::json(&TrialView {
        allowed: refusal.is_none(),
        status: refusal.map_or(200, Problem::status),
        code: refusal.map_or("VALID", Problem::code),
        detail: refusal.and_then(Problem::detail_text).map(str::to_owned),
        reason: reason.map(str::to_owned),
        route,
        explain: outcome.explanation,
    })
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
