//! `/v1/sessions`: one's own sessions, to see and to end.

use std::cmp::Reverse;

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::http::api::{cursor, paging};
use crate::http::problem::Problem;
use crate::http::session::cookie_gone;
use crate::http::{App, Call, answer};
use crate::model::id::SessionId;
use crate::records::access::SessionRecord;

pub(in crate::http) fn list_sessions(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let (limit, after) = paging(&mut parameters);
    parameters.finish()?;
    let own = app.own_session(call)?;
    let me = own.me();
    let mut sessions = app.actions.sessions(me.user)?;
    sessions.sort_unstable_by_key(|(_, session)| Reverse(session.id));
    sessions.retain(|(_, session)| after.is_none_or(|after| session.id < after));
    let more = sessions.len() > limit;
    sessions.truncate(limit);
    let last = sessions.last().map(|(_, session)| session.id).filter(|_id| more);
    let current = me.token.digest();
    let items: Vec<Value> =
        sessions.iter().map(|(digest, session)| shown(session, *digest == current)).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": last.map(cursor::write) })))
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

fn shown(session: &SessionRecord, current: bool) -> Value {
    json!({
        "id": session.id.to_string(),
        "created_at": session.created_at.to_string(),
        "seen_at": session.seen_at.to_string(),
        "ends_at": session.ends_at().to_string(),
        "address": session.address.map(|address| address.to_string()),
        "user_agent": session.user_agent,
        "current": current,
    })
}
