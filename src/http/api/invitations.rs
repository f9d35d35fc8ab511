//! `/v1/invitations`: creates, lists, shows, withdraws and accepts invitations.

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::actions::accounts::acceptance::Newcomer;
use crate::actions::accounts::invitations::{InvitationDraft, SeenInvitation};
use crate::actions::accounts::teams::TEAMS_A_USER_MAX;
use crate::http::api::links::{TOKEN, read_token};
use crate::http::api::session::{ENTRANCE_ERRORS, OpenedView, PASSWORD, opened};
use crate::http::api::{cursor, paging};
use crate::http::endpoint::{Endpoint, delete, get, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{self, Read as _, id, list, name, password, role};
use crate::http::schema::{self, choice, email, nullable, text};
use crate::http::view::{Page, Revealed, view};
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::id::{InvitationId, OfInvitation, OfTeam, TeamId};
use crate::model::moment::Moment;
use crate::model::role::{USERS_MANAGE, USERS_READ};
use crate::model::secret::Secret;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/invitations", list_invitations)
            .named("listInvitations", "List invitations")
            .needs(&[USERS_READ])
            .query(paging::<OfInvitation>)
            .answers::<Page<InvitationView>>(200, "A page of invitations, the newest first."),
        post("/v1/invitations", create)
            .named("invite", "Create an invitation")
            .details(
                "Returns a one-time link, which expires after 24 hours. The caller must have \
                 every permission of the role. The link stops working if its creator loses \
                 one of them.",
            )
            .needs(&[USERS_MANAGE])
            .takes(
                read_draft,
                json!({"email": "grace@example.com", "role": "user", "name": "Grace"}),
            )
            .answers::<NewInvitationView>(201, "The invitation, and the link for the new user.")
            .with("Location", "URL of the new object.")
            .fails(&[errors::SUBSCRIPTION_LIMIT, errors::EMAIL_TAKEN])
            .fails(&[errors::TOO_MANY_INVITATIONS, errors::PROOF_REQUIRED]),
        post("/v1/invitations/accept", accept)
            .named("acceptInvitation", "Accept an invitation")
            .open()
            .takes(read_newcomer, json!({"token": TOKEN, "name": "Grace", "password": PASSWORD}))
            .answers::<OpenedView>(201, "The session of the new user.")
            .with("Set-Cookie", "The session cookie.")
            .fails(&ENTRANCE_ERRORS)
            .fails(&[errors::SUBSCRIPTION_LIMIT, errors::EMAIL_TAKEN]),
        get("/v1/invitations/{invitation}", show)
            .named("showInvitation", "Show an invitation")
            .needs(&[USERS_READ])
            .answers::<InvitationView>(200, "The invitation, without its link."),
        delete("/v1/invitations/{invitation}", withdraw)
            .named("withdraw", "Delete an invitation")
            .details("The link of the invitation stops working.")
            .needs(&[USERS_MANAGE])
            .answers_empty(204, "The invitation is deleted."),
    ]
}

view! {
    /// An invitation, without its token.
    InvitationView = "Invitation" {
        /// Id of the invitation.
        id: InvitationId,
        /// Email address of the invited user.
        email: String => email("grace@example.com"),
        /// Name of the invited user. Null if none was given.
        name: Option<String> => nullable(text("Grace").into()),
        /// Role of the invited user.
        role: String => text("user"),
        /// Ids of the teams of the invited user.
        teams: Vec<TeamId>,
        /// `void`: the creator has lost a permission that the invitation grants.
        status: &'static str => choice(&["pending", "expired", "void"]),
        /// Id of the user or key that created the invitation, or `local`.
        created_by: String => text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f"),
        /// Time of creation.
        created_at: Moment,
        /// Time at which the link expires.
        expires_at: Moment,
    }
}

view! {
    NewInvitationView {
        /// The new invitation.
        invitation: InvitationView,
        /// One-time link, which cannot be shown again.
        url: Revealed =>
            text("https://keys.example.com/invitation#token=what-only-its-holder-knows"),
    }
}

fn read_draft(fields: &mut Fields) -> Option<InvitationDraft> {
    let email = reading::email("grace@example.com");
    let email = fields.required("email", "Email address of the new user.", email);
    let about = "Role of the new user: name of a built-in role, or id of a custom role.";
    let role = fields.required("role", about, role());
    let name = fields.optional("name", "Name of the new user.", name("Grace"));
    let teams = list(TEAMS_A_USER_MAX, id::<OfTeam>());
    let teams = fields.optional("teams", "Teams of the new user.", teams).unwrap_or_default();
    Some(InvitationDraft { email: email?, role: role?, name, teams })
}

fn read_newcomer(fields: &mut Fields) -> Option<Newcomer> {
    let token = read_token(fields, "Token of the invitation link.");
    let about = "Name of the user. Default: the name in the invitation.";
    let name = reading::text("").shown(|| schema::name("Grace"));
    let name = fields.optional("name", about, name);
    let about = "Password: at least 15 characters.";
    let password = fields.required("password", about, password(PASSWORD));
    Some(Newcomer { token: token?, name, password: password? })
}

fn list_invitations(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging)?;
    let (seen, next) = app.actions.list_invitations(call.actor()?, limit, after)?;
    let items = seen.into_iter().map(invitation_view).collect();
    Ok(answer::json(&Page { items, next_cursor: next.map(cursor::write) }))
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let draft = call.read_required(read_draft)?;
    let (made, token) = app.actions.invite(call.actor()?, &draft)?;
    let url = link(app, &token);
    let location = app.location(&format!("/v1/invitations/{}", made.record.id));
    let view = NewInvitationView { invitation: invitation_view(made), url };
    Ok(answer::created(&view).with_additional_header("Location", location))
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let seen = app.actions.invitation(call.actor()?, invitation_id(call)?)?;
    Ok(answer::json(&invitation_view(seen)))
}

fn withdraw(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.withdraw_invitation(call.actor()?, invitation_id(call)?)?;
    Ok(answer::empty())
}

fn accept(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.guard(call)?;
    let newcomer = call.read_required(read_newcomer)?;
    opened(app, call, &app.actions.accept_invitation(&newcomer, call.browser())?)
}

/// The one-time link of an invitation. The token is in the fragment, which browsers do not send.
pub(super) fn link(app: &App, token: &Secret) -> Revealed {
    let url = format!("{}/invitation#token={}", app.settings.public_url, token.reveal());
    Revealed(Secret::new(url))
}

pub(super) fn invitation_view(seen: SeenInvitation) -> InvitationView {
    let record = seen.record;
    InvitationView {
        id: record.id,
        email: record.email,
        name: record.name,
        role: record.role.to_string(),
        teams: record.teams,
        status: seen.status.name(),
        created_by: record.created_by.to_string(),
        created_at: record.created_at,
        expires_at: record.ends_at,
    }
}

/// The id of the invitation in the path. A malformed id gives 404.
fn invitation_id(call: &Call<'_>) -> Result<InvitationId, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("invitation").into())
}
