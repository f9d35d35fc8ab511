//! `/v1/me/notices`: acknowledges notices about changes that others made to the user's account.
//!
//! `GET /v1/session` lists the notices.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::actor::Actor;
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::moment::Moment;
use crate::records::key::Author;
use crate::records::notice::Notice;

pub(in crate::http) fn acknowledge(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    let mut parameters = call.parameters();
    let until = parameters.old_optional("until", "invalid_time", str::parse::<Moment>);
    parameters.finish()?;
    let until = until.unwrap_or_else(|| app.actions.clock().now().wall);
    app.actions.acknowledge_notices(&own.me(), until)?;
    Ok(answer::empty())
}

/// A notice. Names of users of other organizations are left out.
pub(super) fn notice_view(app: &App, actor: &Actor, notice: &Notice) -> Value {
    let (kind, id, name) = match notice.by {
        Author::User(id) => {
            let user = app.index().user(id);
            let known = user.filter(|user| user.organization == actor.organization_id());
            ("user", Some(id.to_string()), known.map(|user| user.name.clone()))
        },
        Author::Key(id) => ("key", Some(id.to_string()), None),
        Author::Local => ("local", None, None),
    };
    json!({
        "kind": notice.kind.name(),
        "at": notice.at.to_string(),
        "by": { "kind": kind, "id": id, "name": name },
    })
}
