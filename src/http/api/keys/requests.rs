//! `GET /v1/keys/{id}/requests`: the newest refused calls of a key.

use std::net::IpAddr;

use rouille::Response;

use crate::actions::actor::Actor;
use crate::http::api::keys::key_id;
use crate::http::endpoint::{Endpoint, get};
use crate::http::problem::Problem;
use crate::http::schema::{nullable, text, the};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::index::refused_calls::RefusedCall;
use crate::model::errors;
use crate::model::moment::Moment;

pub(super) fn endpoint() -> Endpoint {
    get("/v1/keys/{key}/requests", list)
        .named("listRefusedCalls", "List refused calls of a key")
        .details(
            "Returns the newest 100 refused calls of the key since the server started. Refused calls \
             are kept in memory only. The list can be incomplete: if all keys together have too many \
             refused calls, the server drops the oldest calls of the keys with the most calls, and \
             of two calls that are refused at the same moment, it may keep only one. Calls that a \
             gate rejects before it reads the key are not listed. The caller needs \
             `keyhouse:keys:read`, except for their own keys and for keys that are shared with \
             their teams.",
        )
        .answers::<RefusedCallsView>(200, "The refused calls, the newest first.")
        .fails(&[errors::PERMISSION_REQUIRED])
}

view! {
    RefusedCallsView {
        /// The refused calls.
        items: Vec<RefusedCallView>,
    }
}

view! {
    RefusedCallView = "RefusedCall" {
        /// Time of the call.
        at: Moment,
        /// Why the call was refused.
        code: &'static str => the("CheckCode"),
        /// IP address of the client. Null if it is unknown.
        ip: Option<IpAddr> => nullable(text("192.0.2.7").into()),
        /// Name of the gate. Null for a call that did not come through a gate. Callers who are not
        /// operators see the name `default` only; other gates are null.
        gate: Option<String> => nullable(text("orders").into()),
    }
}

fn list(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let actor = call.actor()?;
    let calls = app.actions.refused_calls(actor, key_id(call)?)?;
    let items = calls.into_iter().map(|call| view_of(actor, call)).collect();
    Ok(answer::json(&RefusedCallsView { items }))
}

fn view_of(actor: &Actor, call: RefusedCall) -> RefusedCallView {
    let gate = call.gate.filter(|name| actor.sees_gate(name)).map(|name| name.to_string());
    RefusedCallView { at: call.at, code: call.code.as_str(), ip: call.ip, gate }
}
