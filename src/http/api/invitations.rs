//! `/v1/invitations`: creates, lists, shows, withdraws and accepts invitations.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::actions::accounts::acceptance::Newcomer;
use crate::actions::accounts::invitations::{InvitationDraft, SeenInvitation};
use crate::actions::accounts::teams::TEAMS_A_USER_MAX;
use crate::http::api::session::opened;
use crate::http::api::{cursor, paging};
use crate::http::input::{Fields, list, parsed, text};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::id::{InvitationId, TeamId};
use crate::model::name::{parse_email, parse_name};
use crate::model::role::Role;
use crate::model::secret::Secret;

pub(in crate::http) fn list_invitations(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let (limit, after) = paging(&mut parameters);
    parameters.finish()?;
    let (seen, next) = app.actions.list_invitations(call.actor()?, limit, after)?;
    let items: Vec<Value> = seen.iter().map(invitation_view).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": next.map(cursor::write) })))
}

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let email = fields.old_required("email", parsed("invalid_email", parse_email));
    let role = fields.old_required("role", parsed("invalid_role", str::parse::<Role>));
    let name = fields.old_optional("name", parsed("invalid_name", parse_name));
    let team = |value, pointer: &str| parsed("invalid_id", str::parse::<TeamId>)(value, pointer);
    let teams = fields.old_optional("teams", list(TEAMS_A_USER_MAX, team)).unwrap_or_default();
    fields.finish().map_err(Problem::invalid)?;
    let (Some(email), Some(role)) = (email, role) else {
        return Err(Problem::invalid(Vec::new()));
    };
    let draft = InvitationDraft { email, role, name, teams };
    let (made, token) = app.actions.invite(call.actor()?, &draft)?;
    let url = link(app, &token);
    let location = format!("/v1/invitations/{}", made.record.id);
    let reported = json!({ "invitation": invitation_view(&made), "url": url });
    Ok(answer::created(&reported).with_additional_header("Location", location))
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer::json(&invitation_view(
        &app.actions.invitation(call.actor()?, invitation_id(call)?)?,
    )))
}

pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.withdraw_invitation(call.actor()?, invitation_id(call)?)?;
    Ok(answer::empty())
}

pub(in crate::http) fn accept(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.guard_host(call.request.header("Host"))?;
    app.guard_origin(|name| call.request.header(name))?;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let token = fields.old_required("token", text).map(Secret::new);
    let name = fields.old_optional("name", text);
    let password = fields.old_required("password", text).map(Secret::new);
    fields.finish().map_err(Problem::invalid)?;
    let (Some(token), Some(password)) = (token, password) else {
        return Err(Problem::invalid(Vec::new()));
    };
    let newcomer = Newcomer { token, name, password };
    opened(app, call, &app.actions.accept_invitation(&newcomer, call.browser())?)
}

/// The one-time link of an invitation. The token is in the fragment, which browsers do not send.
pub(super) fn link(app: &App, token: &Secret) -> String {
    format!("{}/invitation#token={}", app.settings.public_url, token.reveal())
}

/// An invitation, without its token.
pub(super) fn invitation_view(seen: &SeenInvitation) -> Value {
    let record = &seen.record;
    json!({
        "id": record.id.to_string(),
        "email": record.email,
        "name": record.name,
        "role": record.role.to_string(),
        "teams": record.teams.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "status": seen.status.name(),
        "created_by": record.created_by.to_string(),
        "created_at": record.created_at.to_string(),
        "expires_at": record.ends_at.to_string(),
    })
}

/// The id of the invitation in the path. A malformed id gives 404.
fn invitation_id(call: &Call<'_>) -> Result<InvitationId, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("invitation").into())
}
