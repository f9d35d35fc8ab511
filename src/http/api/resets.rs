//! `/v1/users/{user}/reset` and `/v1/reset`: creates a reset link, and sets a password with it.

use rouille::Response;
use serde_json::json;

use crate::http::api::users::user_id;
use crate::http::input::{Fields, boolean, text};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::secret::Secret;

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let totp = fields.old_optional("totp", boolean).unwrap_or(false);
    fields.finish().map_err(Problem::invalid)?;
    let made = app.actions.reset_user(call.actor()?, user_id(call)?, totp)?;
    let url = format!("{}/reset#token={}", app.settings.public_url, made.token.reveal());
    Ok(answer::created(&json!({ "url": url, "expires_at": made.ends_at.to_string() })))
}

pub(in crate::http) fn set_password(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.guard_host(call.request.header("Host"))?;
    app.guard_origin(|name| call.request.header(name))?;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let token = fields.old_required("token", text).map(Secret::new);
    let password = fields.old_required("password", text).map(Secret::new);
    fields.finish().map_err(Problem::invalid)?;
    let (Some(token), Some(password)) = (token, password) else {
        return Err(Problem::invalid(Vec::new()));
    };
    app.actions.use_reset(&token, &password, call.address)?;
    Ok(answer::empty())
}
