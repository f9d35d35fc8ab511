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
            "Returns the newest refused calls, at most 100, since the server started. They are in \
             memory only: those of keys with many are dropped first when the memory for all keys is \
             used up, and a call that is refused at the same moment as another may be missing. \
             Calls that a gate refuses before it reads the key are not among them. The caller's \
             own key and a key that is shared with the caller's teams need no permission, any \
             other key `keyhouse:keys:read`.",
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
        /// Name of the gate. Null for a call that no proxy checked, and, unless the caller is an
        /// operator, for every gate but `default`.
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
