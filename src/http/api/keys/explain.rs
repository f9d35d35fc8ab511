//! `POST /v1/keys/{id}/explain`: dry-runs a check of a key and explains the verdict. The dry run
//! counts no call.

use std::sync::Arc;

use rouille::Response;

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::http::api::keys::key_id;
use crate::http::check::explained;
use crate::http::check::verify::{address, requirement};
use crate::http::input::{Fields, text};
use crate::http::problem::Problem;
use crate::http::reading::Read as _;
use crate::http::{App, Call, answer};
use crate::model::gate::{DEFAULT_GATE, Gate};
use crate::model::role::INSTANCE_MANAGE;
use crate::verify::{Request, explain as explain_grant};

pub(in crate::http) fn explain(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let requirement = fields.old_optional("permissions", |value, at| requirement().read(value, at));
    let ip = fields.old_optional("ip", |value, at| address().read(value, at));
    let gate = fields.old_optional("gate", text);
    fields.finish().map_err(Problem::invalid)?;
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

/// A gate that the actor may see; any other gate is not found. Every actor may see the built-in gate.
fn known_gate(app: &App, actor: &Actor, name: &str) -> Result<Arc<Gate>, ActionError> {
    let may_know = name == DEFAULT_GATE || actor.has(INSTANCE_MANAGE);
    let gate = app.index().gate(name).filter(|_gate| may_know);
    gate.ok_or(ActionError::NotFound("gate"))
}
