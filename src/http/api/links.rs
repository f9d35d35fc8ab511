//! `POST /v1/links`: shows the account of a one-time link to its holder.
//!
//! The page's form contains the account, for password managers. The link is not used up.

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::http::input::{Fields, text};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::secret::Secret;

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.guard_host(call.request.header("Host"))?;
    app.guard_origin(|name| call.request.header(name))?;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let token = fields.old_required("token", text).map(Secret::new);
    fields.finish().map_err(Problem::invalid)?;
    let Some(token) = token else { return Err(Problem::invalid(Vec::new())) };
    let (kind, user) = match app.actions.invited(&token) {
        Err(ActionError::LinkInvalid) => ("reset", app.actions.reset_for(&token)?),
        invited => ("invitation", invited?),
    };
    Ok(answer::json(&json!({
        "kind": kind,
        "email": user.email,
        "name": user.name,
        "organization": user.organization,
    })))
}
