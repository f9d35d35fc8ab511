//! `/v1/sessions`: lists and ends the sessions of the signed-in user.

use std::cmp::Reverse;

use rouille::Response;
use serde_json::{Map, Value, json};

use crate::actions::ActionError;
use crate::http::api::{cursor, paging};
use crate::http::problem::Problem;
use crate::http::session::cookie_gone;
use crate::http::{App, Call, answer};
use crate::model::id::SessionId;
use crate::model::secret::Digest;
use crate::records::access::SessionRecord;

pub(in crate::http) fn list_sessions(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let asked = paging(&mut parameters);
    parameters.finish()?;
    let own = app.own_session(call)?;
    let me = own.me();
    let current = me.token.digest();
    Ok(page(app.actions.sessions(me.user)?, asked, |digest, session| {
        let mut view = session_view(app, session);
        view.insert("current".to_owned(), (*digest == current).into());
        view
    }))
}

/// A page of sessions, the newest first.
pub(super) fn page(
    mut sessions: Vec<(Digest, SessionRecord)>,
    (limit, after): (usize, Option<SessionId>),
    view: impl Fn(&Digest, &SessionRecord) -> Map<String, Value>,
) -> Response {
    sessions.sort_unstable_by_key(|(_, session)| Reverse(session.id));
    sessions.retain(|(_, session)| after.is_none_or(|after| session.id < after));
    let more = sessions.len() > limit;
    sessions.truncate(limit);
    let last = sessions.last().map(|(_, session)| session.id).filter(|_id| more);
    let items: Vec<Value> =
        sessions.iter().map(|(digest, session)| view(digest, session).into()).collect();
    answer::json(&json!({ "items": items, "next_cursor": last.map(cursor::write) }))
}

pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    let me = own.me();
    let id: SessionId = call.param(0).parse().map_err(|_no_id| ActionError::NotFound("session"))?;
    let is_current = app.actions.session(me.token)?.0.id == id;
    app.actions.end_session(&me, id)?;
    let gone = answer::empty();
    if is_current {
        let cookie = cookie_gone(&app.settings.public_url);
        return Ok(gone.with_additional_header("Set-Cookie", cookie));
    }
    Ok(gone)
}

/// A session, without the flag for the current session, which only the session's own user sees.
pub(super) fn session_view(app: &App, session: &SessionRecord) -> Map<String, Value> {
    let mut view = Map::new();
    view.insert("id".to_owned(), session.id.to_string().into());
    view.insert("created_at".to_owned(), session.created_at.to_string().into());
    view.insert("seen_at".to_owned(), session.seen_at.to_string().into());
    view.insert(
        "ends_at".to_owned(),
        session.ends_at(app.actions.session_times()).to_string().into(),
    );
    let address = session.address.map(|address| address.to_string());
    view.insert("address".to_owned(), address.into());
    view.insert("user_agent".to_owned(), session.user_agent.as_deref().into());
    view
}
