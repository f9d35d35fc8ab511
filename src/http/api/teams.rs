//! `/v1/teams`: teams and their members.

use std::sync::Arc;

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::actions::accounts::teams::{TeamChange, TeamDraft};
use crate::actions::actor::Actor;
use crate::actions::changes::Target;
use crate::http::api::{cursor, no_fields, paging, versions, with_etag};
use crate::http::input::{Fields, parsed};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::index::facts::{TeamFacts, UserFacts};
use crate::model::id::{OfTeam, OfUser, TeamId, UserId};
use crate::model::name::parse_name;
use crate::records::rights::TeamRecord;

pub(in crate::http) fn list_teams(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let (limit, after) = paging::<OfTeam>(&mut parameters);
    parameters.finish()?;
    let actor = call.actor()?;
    let listed = app.actions.list_teams(actor, limit, after)?;
    let last = listed.items.last().filter(|_last| listed.more).map(|team| team.id);
    let items: Vec<Value> = listed.items.iter().map(|team| team_view(actor, team)).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": last.map(cursor::write) })))
}

/// The teams of a user, without removed teams.
pub(super) fn own_teams(app: &App, teams: &[TeamId]) -> Vec<Value> {
    let known = teams.iter().filter_map(|id| app.index().team(*id));
    let shape = |team: Arc<TeamFacts>| {
        json!({
            "id": team.id.to_string(),
            "name": team.name,
            "visibility": visibility(team.secret),
        })
    };
    known.map(shape).collect()
}

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let name = fields.required("name", parsed("invalid_name", parse_name));
    let description = fields.description("description");
    let secret = fields.optional("visibility", parsed("invalid_visibility", parse_visibility));
    fields.finish().map_err(Problem::invalid)?;
    let name = name.ok_or_else(|| Problem::invalid(Vec::new()))?;
    let (description, secret) = (description.unwrap_or_default(), secret.unwrap_or_default());
    let draft = TeamDraft { name, description, secret };
    let actor = call.actor()?;
    let record = app.actions.create_team(actor, &draft)?;
    let location = format!("/v1/teams/{}", record.id);
    let made =
        answer::created(&team_view(actor, &record)).with_additional_header("Location", location);
    Ok(with_etag(made, record.version))
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let actor = call.actor()?;
    Ok(answer_record(actor, &app.actions.team(actor, team_id(call, 0)?)?))
}

pub(in crate::http) fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let change = TeamChange {
        name: fields.optional("name", parsed("invalid_name", parse_name)),
        description: fields.description("description"),
        secret: fields.optional("visibility", parsed("invalid_visibility", parse_visibility)),
    };
    fields.finish().map_err(Problem::invalid)?;
    let actor = call.actor()?;
    Ok(answer_record(actor, &app.actions.change_team(actor, &target(call)?, &change)?))
}

pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.remove_team(call.actor()?, &target(call)?)?;
    Ok(answer::empty())
}

pub(in crate::http) fn list_members(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let (limit, after) = paging::<OfUser>(&mut parameters);
    parameters.finish()?;
    let listed = app.actions.team_members(call.actor()?, team_id(call, 0)?, limit, after)?;
    let last = listed.items.last().filter(|_last| listed.more).map(|user| user.id);
    let shape = |user: &Arc<UserFacts>| json!({ "id": user.id.to_string(), "name": user.name, "email": user.email });
    let items: Vec<Value> = listed.items.iter().map(shape).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": last.map(cursor::write) })))
}

pub(in crate::http) fn add_member(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    no_fields(call)?;
    let (team, user) = membership(call)?;
    app.actions.add_member(call.actor()?, team, user)?;
    Ok(answer::empty())
}

pub(in crate::http) fn remove_member(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (team, user) = membership(call)?;
    app.actions.remove_member(call.actor()?, team, user)?;
    Ok(answer::empty())
}

/// The id of the team in the path. A malformed id gives 404.
pub(super) fn team_id(call: &Call<'_>, at: usize) -> Result<TeamId, Problem> {
    call.param(at).parse().map_err(|_source| ActionError::NotFound("team").into())
}

pub(super) fn visibility(secret: bool) -> &'static str {
    if secret { "secret" } else { "visible" }
}

fn membership(call: &Call<'_>) -> Result<(TeamId, UserId), Problem> {
    let user = call.param(1).parse().map_err(|_source| ActionError::NotFound("user"));
    Ok((team_id(call, 0)?, user?))
}

fn target(call: &Call<'_>) -> Result<Target<TeamId>, Problem> {
    Ok(Target { id: team_id(call, 0)?, versions: versions(call) })
}

fn parse_visibility(text: &str) -> Result<bool, &'static str> {
    match text {
        "visible" => Ok(false),
        "secret" => Ok(true),
        _ => Err("must be visible or secret"),
    }
}

fn answer_record(actor: &Actor, record: &TeamRecord) -> Response {
    with_etag(answer::json(&team_view(actor, record)), record.version)
}

fn team_view(actor: &Actor, record: &TeamRecord) -> Value {
    json!({
        "id": record.id.to_string(),
        "name": record.name,
        "description": record.description,
        "visibility": visibility(record.secret),
        "is_member": actor.is_in(record.id),
        "created_at": record.created_at.to_string(),
        "version": record.version,
    })
}
