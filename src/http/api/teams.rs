//! `/v1/teams`: teams and their members.

use std::sync::Arc;

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::actions::accounts::teams::{TeamChange, TeamDraft};
use crate::actions::actor::Actor;
use crate::actions::changes::Target;
use crate::http::api::{cursor, no_fields, paging, versions};
use crate::http::endpoint::{Endpoint, delete, get, patch, post, put};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{ReadText, name, parsed};
use crate::http::schema::{choice, count, email, text, truth};
use crate::http::view::{Page, view};
use crate::http::{App, Call, answer};
use crate::index::facts::TeamFacts;
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::id::{OfTeam, OfUser, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::role::TEAMS_MANAGE;
use crate::records::rights::TeamRecord;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/teams", list_teams)
            .named("listTeams", "List teams")
            .details(
                "Returns visible teams, and secret teams of which the caller is a member. \
                 With `keyhouse:teams:read`, returns all teams. A key needs that permission \
                 in its own list.",
            )
            .query(paging::<OfTeam>)
            .answers::<Page<TeamView>>(200, "A page of teams.")
            .fails(&[errors::PERMISSION_REQUIRED]),
        post("/v1/teams", create)
            .named("createTeam", "Create a team")
            .needs(&[TEAMS_MANAGE])
            .takes(read_draft, json!({"name": "Build", "visibility": "visible"}))
            .answers::<TeamView>(201, "The team.")
            .with_location()
            .fails(&[errors::SUBSCRIPTION_REQUIRED, errors::NAME_TAKEN, errors::TOO_MANY_TEAMS]),
        get("/v1/teams/{team}", show)
            .named("showTeam", "Show a team")
            .details(
                "A secret team is not found, unless the caller is a member or may see all \
                 teams.",
            )
            .answers::<TeamView>(200, "The team.")
            .with_etag()
            .fails(&[errors::PERMISSION_REQUIRED]),
        patch("/v1/teams/{team}", change)
            .named("changeTeam", "Change a team")
            .needs(&[TEAMS_MANAGE])
            .versioned()
            .may_take(read_change, json!({"description": "Who builds."}))
            .answers::<TeamView>(200, "The changed team.")
            .with_etag()
            .fails(&[errors::NAME_TAKEN]),
        delete("/v1/teams/{team}", remove)
            .named("removeTeam", "Delete a team")
            .details(
                "The keys that are shared with the team are kept, but no longer shared with \
                 it.",
            )
            .needs(&[TEAMS_MANAGE])
            .versioned()
            .answers_empty(204, "The team is deleted."),
        get("/v1/teams/{team}/members", list_members)
            .named("listMembers", "List team members")
            .details("Members of the team need no permission, other callers `keyhouse:teams:read`.")
            .query(paging::<OfUser>)
            .answers::<Page<MemberView>>(200, "A page of members.")
            .fails(&[errors::PERMISSION_REQUIRED]),
        put("/v1/teams/{team}/members/{user}", add_member)
            .named("addMember", "Add a team member")
            .needs(&[TEAMS_MANAGE])
            .takes_no_fields()
            .answers_empty(204, "The user is a member.")
            .fails(&[errors::TOO_MANY_TEAMS]),
        delete("/v1/teams/{team}/members/{user}", remove_member)
            .named("removeMember", "Remove a team member")
            .needs(&[TEAMS_MANAGE])
            .answers_empty(204, "The user is not a member."),
    ]
}

view! {
    TeamView = "Team" {
        /// Id of the team.
        id: TeamId,
        /// Name of the team.
        name: String => text("Build"),
        /// Description for people.
        description: String => text("Who builds."),
        /// Secret teams are shown only to members and managers.
        visibility: &'static str => choice(&VISIBILITIES),
        /// Whether the caller is a member.
        is_member: bool => truth(true),
        /// Time of creation.
        created_at: Moment,
        /// Version of the object, for `If-Match`.
        version: u64 => count(1),
    }
}

view! {
    MemberView {
        /// Id of the user.
        id: UserId,
        /// Name of the user.
        name: String => text("Grace"),
        /// Email address of the user.
        email: String => email("grace@example.com"),
    }
}

view! {
    /// A team of the signed-in user.
    OwnTeamView {
        /// Id of the team.
        id: TeamId,
        /// Name of the team.
        name: String => text("Build"),
        /// Secret teams are shown only to members and managers.
        visibility: &'static str => choice(&VISIBILITIES),
    }
}

pub(crate) const VISIBILITIES: [&str; 2] = ["visible", "secret"];

pub(super) fn visibility(secret: bool) -> &'static str {
    if secret { "secret" } else { "visible" }
}

fn read_draft(fields: &mut Fields) -> Option<TeamDraft> {
    let name = fields.required("name", "Name of the team.", name("Build"));
    let description = read_description(fields);
    let about = "Secret teams are shown only to members and managers. Default: `visible`.";
    let secret = fields.optional("visibility", about, visibility_reader());
    Some(TeamDraft {
        name: name?,
        description: description.unwrap_or_default(),
        secret: secret.unwrap_or_default(),
    })
}

fn read_change(fields: &mut Fields) -> TeamChange {
    let about = "Secret teams are shown only to members and managers.";
    TeamChange {
        name: fields.optional("name", "Name of the team.", name("Build")),
        description: read_description(fields),
        secret: fields.optional("visibility", about, visibility_reader()),
    }
}

fn read_description(fields: &mut Fields) -> Option<String> {
    fields.description("description", "Description for people.", "Who builds.")
}

/// Reads whether a team is secret.
fn visibility_reader() -> impl ReadText<Output = bool> {
    let parse = |text: &str| match text {
        "visible" => Ok(false),
        "secret" => Ok(true),
        _ => Err("must be visible or secret"),
    };
    parsed(FaultCode::INVALID_VISIBILITY, parse, || choice(&VISIBILITIES))
}

fn list_teams(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging::<OfTeam>)?;
    let actor = call.actor()?;
    let listed = app.actions.list_teams(actor, limit, after)?;
    let page = Page::of(&listed, |team| cursor::write(team.id), |team| team_view(actor, team));
    Ok(answer::json(&page))
}

/// The teams of a user, without removed teams.
pub(super) fn own_teams(app: &App, teams: &[TeamId]) -> Vec<OwnTeamView> {
    let known = teams.iter().filter_map(|id| app.index().team(*id));
    let view = |team: Arc<TeamFacts>| OwnTeamView {
        id: team.id,
        name: team.name.clone(),
        visibility: visibility(team.secret),
    };
    known.map(view).collect()
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let draft = call.read_required(read_draft)?;
    let actor = call.actor()?;
    let record = app.actions.create_team(actor, &draft)?;
    let location = app.location(&format!("/v1/teams/{}", record.id));
    Ok(answer::created_at(location, &team_view(actor, &record), record.version))
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let actor = call.actor()?;
    Ok(answer_record(actor, &app.actions.team(actor, team_id(call, 0)?)?))
}

fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let change = call.read(read_change)?;
    let actor = call.actor()?;
    Ok(answer_record(actor, &app.actions.change_team(actor, &target(call)?, &change)?))
}

fn remove(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.remove_team(call.actor()?, &target(call)?)?;
    Ok(answer::empty())
}

fn list_members(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging::<OfUser>)?;
    let listed = app.actions.team_members(call.actor()?, team_id(call, 0)?, limit, after)?;
    let page = Page::of(
        &listed,
        |user| cursor::write(user.id),
        |user| MemberView { id: user.id, name: user.name.clone(), email: user.email.clone() },
    );
    Ok(answer::json(&page))
}

fn add_member(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    no_fields(call)?;
    let (team, user) = membership(call)?;
    app.actions.add_member(call.actor()?, team, user)?;
    Ok(answer::empty())
}

fn remove_member(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (team, user) = membership(call)?;
    app.actions.remove_member(call.actor()?, team, user)?;
    Ok(answer::empty())
}

/// The id of the team in the path. A malformed id gives 404.
pub(super) fn team_id(call: &Call<'_>, at: usize) -> Result<TeamId, Problem> {
    call.param(at).parse().map_err(|_source| ActionError::NotFound("team").into())
}

fn membership(call: &Call<'_>) -> Result<(TeamId, UserId), Problem> {
    let user = call.param(1).parse().map_err(|_source| ActionError::NotFound("user"));
    Ok((team_id(call, 0)?, user?))
}

fn target(call: &Call<'_>) -> Result<Target<TeamId>, Problem> {
    Ok(Target { id: team_id(call, 0)?, versions: versions(call) })
}

fn answer_record(actor: &Actor, record: &TeamRecord) -> Response {
    answer::versioned(&team_view(actor, record), record.version)
}

fn team_view(actor: &Actor, record: &TeamRecord) -> TeamView {
    TeamView {
        id: record.id,
        name: record.name.clone(),
        description: record.description.clone(),
        visibility: visibility(record.secret),
        is_member: actor.is_in(record.id),
        created_at: record.created_at,
        version: record.version,
    }
}
