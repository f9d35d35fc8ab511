//! `POST /v1/keys/{id}/explain`: dry-runs a check of a key and explains the verdict. The dry run
//! counts no call.

use std::net::IpAddr;
use std::sync::Arc;

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::http::api::keys::key_id;
use crate::http::check::explained::{self, ExplanationView};
use crate::http::check::verify::{address, requirement};
use crate::http::endpoint::{Endpoint, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{Read as _, text};
use crate::http::schema::gate_name;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::gate::{DEFAULT_GATE, Gate};
use crate::model::requirement::Requirement;
use crate::verify::{Request, explain as explain_grant};

pub(super) fn endpoint() -> Endpoint {
    post("/v1/keys/{key}/explain", explain)
        .named("explainKey", "Explain a check")
        .details("Dry-runs a check of the key and explains the verdict. The call is not counted.")
        .may_take(read_check, json!({"permissions": ["diagrams:read"], "ip": "192.0.2.7"}))
        .answers::<ExplanationView>(200, "The verdict, the rule that decided, and all rules.")
        .fails(&[errors::PERMISSION_REQUIRED])
}

struct ExplainedCheck {
    requirement: Option<Requirement>,
    ip: Option<IpAddr>,
    gate: Option<String>,
}

fn read_check(fields: &mut Fields) -> ExplainedCheck {
    ExplainedCheck {
        requirement: fields.optional(
            "permissions",
            "Required permissions: a list, or an expression. Default: none.",
            requirement(),
        ),
        ip: fields.optional("ip", "IP address of the client, for IP rules.", address()),
        gate: fields.optional(
            "gate",
            "Gate whose accepted organizations and environments apply. Default: none.",
            text(DEFAULT_GATE).shown(gate_name),
        ),
    }
}

fn explain(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let ExplainedCheck { requirement, ip, gate } = call.read(read_check)?;
    let actor = call.actor()?;
    let record = app.actions.key(actor, key_id(call)?)?;
    let gate = gate.map(|name| known_gate(app, actor, &name)).transpose()?;
    let newest = record.secrets.first();
    // The index may not have a key that is in the store yet.
    let grant = newest.and_then(|secret| app.index().grant(&secret.digest));
    let grant = grant.ok_or_else(Problem::index_behind)?;
    let acceptance = gate.as_deref().map(Gate::acceptance).unwrap_or_default();
    let request = Request {
        ip,
        requirement: requirement.as_ref(),
        acceptance,
        cost: 1,
        ..Request::default()
    };
    let now = app.actions.clock().now();
    let explanation = explain_grant(&grant, &explained::lists_of(&record), &request, now);
    Ok(answer::json(&explained::explanation_view(explanation)))
}

/// Returns a gate that the actor may see. Any other gate is not found.
fn known_gate(app: &App, actor: &Actor, name: &str) -> Result<Arc<Gate>, ActionError> {
    let gate = app.index().gate(name).filter(|_gate| actor.sees_gate(name));
    gate.ok_or(ActionError::NotFound("gate"))
}
