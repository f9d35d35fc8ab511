//! `/v1/sign-in-lockouts`: lists and lifts lockouts of accounts and networks after failed sign-ins.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::actions::signing_in::lockouts::{Lockout, LockoutId};
use crate::http::api::page_limit;
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};

pub(in crate::http) fn list_lockouts(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let limit = page_limit(&mut parameters);
    parameters.finish()?;
    let lockouts = app.actions.lockouts(call.actor()?, limit)?;
    let items: Vec<Value> = lockouts.iter().map(lockout_view).collect();
    // Lockouts change with each attempt, so a second page would not match the first.
    Ok(answer::json(&json!({ "items": items, "next_cursor": null })))
}

pub(in crate::http) fn lift(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    // A caller without the right to lift lockouts is rejected before the lockout is looked up.
    app.actions.lockouts(call.actor()?, 1)?;
    let id = call.param(0).parse().map_err(|_no_id| ActionError::NotFound("lockout"))?;
    app.actions.lift_lockout(call.actor()?, id)?;
    Ok(answer::empty())
}

fn lockout_view(lockout: &Lockout) -> Value {
    let user = lockout.user.as_ref().map(|user| {
        json!({
            "id": user.id.to_string(),
            "name": user.name,
            "email": user.email,
            "organization": user.organization.to_string(),
        })
    });
    let (kind, network) = match lockout.id {
        LockoutId::User(_) => ("account", None),
        LockoutId::Network(network) => ("network", network.map(|network| network.to_string())),
    };
    json!({
        "id": lockout.id.to_string(),
        "kind": kind,
        "user": user,
        "network": network,
        "failures": lockout.failures,
        "until": lockout.until.map(|until| until.to_string()),
    })
}
