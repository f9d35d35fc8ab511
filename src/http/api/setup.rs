//! `POST /v1/setup`: creates the first owner with the one-time setup link. After the setup, the
//! response is 404.

use rouille::Response;

use crate::actions::signing_in::setup::FirstOwner;
use crate::http::api::session::opened;
use crate::http::input::{Fields, text};
use crate::http::problem::Problem;
use crate::http::{App, Call};
use crate::model::secret::Secret;

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.guard_host(call.request.header("Host"))?;
    app.guard_origin(|name| call.request.header(name))?;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let token = fields.old_required("token", text).map(Secret::new);
    let name = fields.old_optional("name", text);
    let email = fields.old_required("email", text);
    let password = fields.old_required("password", text).map(Secret::new);
    fields.finish().map_err(Problem::invalid)?;
    let (Some(token), Some(email), Some(password)) = (token, email, password) else {
        return Err(Problem::invalid(Vec::new()));
    };
    let owner = FirstOwner { name, email, password };
    opened(app, call, &app.actions.set_up(&token, &owner, call.browser())?)
}
