//! `POST /v1/keys/{id}/explain`: what a check of this key would say, and why. It counts nothing.

use rouille::Response;

use crate::actions::ActionError;
use crate::http::api::keys::key_id;
use crate::http::check::DEFAULT_GATE;
use crate::http::check::{explained, verify};
use crate::http::input::{Fields, text};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::verify::{Request, explain as explain_grant};

pub(in crate::http) fn explain(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let requirement = fields.optional("permissions", verify::requirement);
    let ip = fields.optional("ip", verify::address);
    let gate = fields.optional("gate", text);
    fields.finish().map_err(Problem::invalid)?;
    let record = app.actions.key(call.actor()?, key_id(call)?)?;
    if gate.is_some_and(|gate| gate != DEFAULT_GATE) {
        return Err(ActionError::NotFound("gate").into());
    }
    let newest = record.secrets.first();
    // What is stored is in the index, or soon will be.
    let grant = newest.and_then(|secret| app.index().grant(&secret.digest));
    let grant = grant.ok_or_else(Problem::index_behind)?;
    let request = Request { ip, requirement: requirement.as_ref(), ..Request::default() };
    let now = app.actions.clock().now();
    let explanation = explain_grant(&grant, &explained::lists_of(&record), &request, now);
    Ok(answer::json(&explained::shown(&explanation)))
}
