//! `/v1/sessions`: lists and ends the sessions of the signed-in user.

use std::cmp::Reverse;
use std::net::IpAddr;

use rouille::Response;

use crate::actions::ActionError;
use crate::http::api::{cursor, paging};
use crate::http::endpoint::{CallerKind, Endpoint, delete, get};
use crate::http::problem::Problem;
use crate::http::schema::{nullable, text, truth};
use crate::http::session::cookie_gone;
use crate::http::view::{Page, view};
use crate::http::{App, Call, answer};
use crate::model::id::{OfSession, SessionId};
use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::access::SessionRecord;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/sessions", list_sessions)
            .named("listSessions", "List the user's sessions")
            .details("Returns the sessions of the signed-in user, the newest first.")
            .called_by(CallerKind::Person)
            .query(paging::<OfSession>)
            .answers::<Page<OwnSessionView>>(200, "A page of sessions."),
        delete("/v1/sessions/{session}", end)
            .named("endSession", "End a session")
            .details("Ends a session of the signed-in user.")
            .called_by(CallerKind::Person)
            .answers_empty(204, "The session has ended."),
    ]
}

view! {
    /// A session, as its user and the managers of the user see it.
    OpenSessionView = "OpenSession" {
        /// Id of the session.
        id: SessionId,
        /// Time of the sign-in.
        created_at: Moment,
        /// Time of the last request.
        seen_at: Moment,
        /// Time at which the session ends.
        ends_at: Moment,
        /// IP address of the sign-in. Null if it is unknown.
        address: Option<IpAddr> => nullable(text("192.0.2.7").into()),
        /// `User-Agent` of the sign-in. Null if none was sent.
        user_agent: Option<Box<str>> =>
            nullable(text("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0").into()),
    }
}

view! {
    /// A session, as its user sees it.
    OwnSessionView {
        /// Whether the request uses this session.
        current: bool => truth(true),
        ..session: OpenSessionView,
    }
}

fn list_sessions(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let position = call.query(paging)?;
    let own = app.own_session(call)?;
    let me = own.me();
    let current = me.token.digest();
    let page = page(app.actions.sessions(me.user)?, position, |digest, session| OwnSessionView {
        current: *digest == current,
        session: open_session_view(app, session),
    });
    Ok(answer::json(&page))
}

/// A page of sessions, the newest first.
pub(super) fn page<T>(
    mut sessions: Vec<(Digest, SessionRecord)>,
    (limit, after): (usize, Option<SessionId>),
    view: impl Fn(&Digest, &SessionRecord) -> T,
) -> Page<T> {
    sessions.sort_unstable_by_key(|(_, session)| Reverse(session.id));
    sessions.retain(|(_, session)| after.is_none_or(|after| session.id < after));
    let more = sessions.len() > limit;
    sessions.truncate(limit);
    let last = sessions.last().map(|(_, session)| session.id).filter(|_id| more);
    let items = sessions.iter().map(|(digest, session)| view(digest, session)).collect();
    Page { items, next_cursor: last.map(cursor::write) }
}

fn end(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
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

pub(super) fn open_session_view(app: &App, session: &SessionRecord) -> OpenSessionView {
    OpenSessionView {
        id: session.id,
        created_at: session.created_at,
        seen_at: session.seen_at,
        ends_at: session.ends_at(app.actions.session_times()),
        address: session.address,
        user_agent: session.user_agent.clone(),
    }
}
