//! `/v1/me/notices`: acknowledges notices about changes that others made to the user's account.
//!
//! `GET /v1/session` lists the notices.

use rouille::Response;

use crate::actions::actor::Actor;
use crate::http::endpoint::{CallerKind, Endpoint, delete};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::reading::moment;
use crate::http::schema::{choice, nullable, text};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::moment::Moment;
use crate::records::key::Author;
use crate::records::notice::{Notice, NoticeKind};

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        delete("/v1/me/notices", acknowledge)
            .named("acknowledgeNotices", "Acknowledge notices")
            .details(
                "Removes `notices` of `GET /v1/session`. Notices about a reset, a removed \
                 second factor or a changed email address stay for 7 days, even if they are \
                 acknowledged.",
            )
            .called_by(CallerKind::Person)
            .query(read_until)
            .answers_empty(204, "The notices are acknowledged."),
    ]
}

view! {
    NoticeView = "Notice" {
        /// Kind of the change.
        kind: &'static str => choice(&NoticeKind::ALL.map(NoticeKind::name)),
        /// Time of the change.
        at: Moment,
        /// Actor of the change.
        by: NoticeActorView,
    }
}

view! {
    NoticeActorView {
        /// Kind of the actor.
        kind: &'static str => choice(&["user", "key", "local"]),
        /// Id of the user or key. Null for the local operator.
        id: Option<String> =>
            nullable(text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f").into()),
        /// Name of the user or key. Null if it is not available.
        name: Option<String> => nullable(text("Grace").into()),
    }
}

fn read_until(parameters: &mut Parameters) -> Option<Moment> {
    let about = "Only notices up to this time, such as the `at` of the last one shown.";
    parameters.optional("until", about, moment())
}

fn acknowledge(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    let until = call.query(read_until)?.unwrap_or_else(|| app.actions.clock().now().wall);
    app.actions.acknowledge_notices(&own.me(), until)?;
    Ok(answer::empty())
}

/// A notice. Names of users of other organizations are left out.
pub(super) fn notice_view(app: &App, actor: &Actor, notice: &Notice) -> NoticeView {
    let (kind, id, name) = match notice.by {
        Author::User(id) => {
            let user = app.index().user(id);
            let known = user.filter(|user| user.organization == actor.organization_id());
            ("user", Some(id.to_string()), known.map(|user| user.name.clone()))
        },
        Author::Key(id) => ("key", Some(id.to_string()), None),
        Author::Local => ("local", None, None),
    };
    let by = NoticeActorView { kind, id, name };
    NoticeView { kind: notice.kind.name(), at: notice.at, by }
}
