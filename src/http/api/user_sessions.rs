//! `/v1/users/{user}/sessions`: lists and ends the sessions of another user.

use rouille::Response;

use crate::http::api::paging;
use crate::http::api::sessions::{OpenSessionView, open_session_view, page};
use crate::http::api::users::user_id;
use crate::http::endpoint::{Endpoint, delete, get};
use crate::http::problem::Problem;
use crate::http::view::Page;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::id::{OfSession, SessionId};
use crate::model::role::USERS_MANAGE;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/users/{user}/sessions", list_sessions)
            .named("listSessionsOfUser", "List the sessions of a user")
            .details("The caller's own sessions are at `/v1/sessions`.")
            .needs(&[USERS_MANAGE])
            .query(paging::<OfSession>)
            .answers::<Page<OpenSessionView>>(200, "A page of sessions, the newest first.")
            .fails(&[errors::OWN_ACCOUNT]),
        delete("/v1/users/{user}/sessions", end_all)
            .named("endSessionsOfUser", "End all sessions of a user")
            .details("The user gets a notice at the next sign-in.")
            .needs(&[USERS_MANAGE])
            .answers_empty(204, "The sessions have ended.")
            .fails(&[errors::OWN_ACCOUNT]),
        delete("/v1/users/{user}/sessions/{session}", end_one)
            .named("endSessionOfUser", "End a session of a user")
            .details("The user gets a notice at the next sign-in.")
            .needs(&[USERS_MANAGE])
            .answers_empty(204, "The session has ended.")
            .fails(&[errors::OWN_ACCOUNT]),
    ]
}

fn list_sessions(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let position = call.query(paging)?;
    let sessions = app.actions.user_sessions(call.actor()?, user_id(call)?)?;
    let page = page(sessions, position, |_digest, session| open_session_view(app, session));
    Ok(answer::json(&page))
}

fn end_all(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.end_user_sessions(call.actor()?, user_id(call)?, None)?;
    Ok(answer::empty())
}

fn end_one(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let id: Option<SessionId> = call.param(1).parse().ok();
    // A malformed id gives 404, but only to callers that may end sessions.
    let id = id.unwrap_or_default();
    app.actions.end_user_sessions(call.actor()?, user_id(call)?, Some(id))?;
    Ok(answer::empty())
}
