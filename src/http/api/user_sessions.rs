//! `/v1/users/{user}/sessions`: lists and ends the sessions of another user.

use rouille::Response;

use crate::http::api::paging;
use crate::http::api::sessions::{page, session_view};
use crate::http::api::users::user_id;
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::id::SessionId;

pub(in crate::http) fn list_sessions(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let asked = paging(&mut parameters);
    parameters.finish()?;
    let sessions = app.actions.user_sessions(call.actor()?, user_id(call)?)?;
    Ok(page(sessions, asked, |_digest, session| session_view(app, session)))
}

pub(in crate::http) fn end_all(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.end_user_sessions(call.actor()?, user_id(call)?, None)?;
    Ok(answer::empty())
}

pub(in crate::http) fn end_one(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let id: Option<SessionId> = call.param(1).parse().ok();
    // A malformed id gives 404, but only to callers that may end sessions.
    let id = id.unwrap_or_default();
    app.actions.end_user_sessions(call.actor()?, user_id(call)?, Some(id))?;
    Ok(answer::empty())
}
