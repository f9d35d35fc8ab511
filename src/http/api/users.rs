//! `/v1/users`: lists, shows, changes and removes users, and lists the keys that a removal affects.

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::actions::accounts::users::{SeenUser, UserChange};
use crate::actions::changes::Target;
use crate::http::api::{cursor, keys, paging, versions};
use crate::http::endpoint::{Endpoint, delete, get, patch};
use crate::http::input::Fields;
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::reading::{self, boolean, name, parsed};
use crate::http::schema::{choice, count, email, formatted, locale, nullable, text, truth};
use crate::http::view::{Page, view};
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::id::{OfKey, OfUser, OrganizationId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::role::{KEYS_READ, USERS_MANAGE, USERS_READ};
use crate::records::people::KeyDisposition;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/users", list_users)
            .named("listUsers", "List users")
            .needs(&[USERS_READ])
            .query(read_query)
            .answers::<Page<UserView>>(200, "A page of users."),
        get("/v1/users/{user}", show)
            .named("showUser", "Show a user")
            .details(
                "The caller's own user needs no permission, other users \
                 `keyhouse:users:read`.",
            )
            .answers::<UserView>(200, "The user.")
            .with_etag()
            .fails(&[errors::PERMISSION_REQUIRED]),
        patch("/v1/users/{user}", change)
            .named("changeUser", "Change a user")
            .details(
                "The caller must have every permission that the user has before and after \
                 the change, and must be able to see every secret team of the user. Only \
                 operators can change `operator`. A new `email` ends the user's sessions and \
                 is verified.",
            )
            .needs(&[USERS_MANAGE])
            .versioned()
            .may_take(read_change, json!({"name": "Grace Hopper", "role": "guest"}))
            .answers::<UserView>(200, "The changed user.")
            .with_etag()
            .fails(&[errors::LAST_OWNER, errors::LAST_OPERATOR])
            .fails(&[errors::EMAIL_TAKEN, errors::OWN_ACCOUNT]),
        delete("/v1/users/{user}", remove)
            .named("removeUser", "Remove a user")
            .details(
                "The user's keys are revoked or transferred. A transferred key keeps at most \
                 the permissions that it grants at that moment.",
            )
            .long()
            .needs(&[USERS_MANAGE])
            .versioned()
            .query(read_disposition)
            .answers_empty(204, "The user is removed.")
            .fails(&[errors::LAST_OWNER, errors::LAST_OPERATOR, errors::REMOVAL_UNDER_WAY]),
        get("/v1/users/{user}/keys", list_keys)
            .named("listKeysOfUser", "List the keys of a user")
            .details("Lists the keys that a removal of the user would affect.")
            .long()
            .needs(&[KEYS_READ, USERS_MANAGE])
            .query(paging::<OfKey>)
            .answers::<Page<keys::ListedKeyView>>(200, "A page of keys."),
    ]
}

view! {
    UserView = "User" {
        /// Id of the user.
        id: UserId,
        /// Name of the user.
        name: String => text("Grace"),
        /// Email address of the user.
        email: String => email("grace@example.com"),
        /// Whether the email address is verified.
        email_verified: bool => truth(true),
        /// Id of the organization.
        organization: OrganizationId,
        /// Name of a built-in role, or id of a custom role.
        role: String => text("user"),
        /// Whether the user administers the instance.
        operator: bool => truth(false),
        /// Whether the user is disabled: sign-in and personal keys are rejected.
        disabled: bool => truth(false),
        /// Ids of the teams of the user that the caller may see.
        teams: Vec<TeamId>,
        /// Preferred language. Null: the language of the browser.
        locale: Option<Box<str>> => nullable(locale().into()),
        /// Whether the second factor is on.
        totp: bool => truth(false),
        /// Time of creation.
        created_at: Moment,
        /// Version of the object, for `If-Match`.
        version: u64 => count(1),
    }
}

/// Reads the limit and the cursor of the list, and the address of the users to find.
fn read_query(parameters: &mut Parameters) -> (usize, Option<UserId>, Option<String>) {
    let (limit, after) = paging::<OfUser>(parameters);
    let about = "Only users with this email address.";
    (limit, after, parameters.optional("email", about, reading::email("grace@example.com")))
}

fn read_change(fields: &mut Fields) -> UserChange {
    let email = reading::email("grace@example.com");
    let language = "Preferred language. Null: the language of the browser.";
    let role = "Name of a built-in role, or id of a custom role.";
    let disabled = "Whether the user is disabled: sign-in and personal keys are rejected.";
    let operator = "Whether the user administers the instance.";
    UserChange {
        name: fields.optional("name", "Name of the user.", name("Grace")),
        email: fields.optional("email", "Email address of the user.", email),
        locale: fields.nullable("locale", language, reading::locale()),
        role: fields.optional("role", role, reading::role()),
        disabled: fields.optional("disabled", disabled, boolean(false)),
        operator: fields.optional("operator", operator, boolean(false)),
    }
}

/// Reads whether the keys of a removed user are revoked or transferred.
fn read_disposition(parameters: &mut Parameters) -> KeyDisposition {
    let is_transfer = |text: &str| match text {
        "revoke" => Ok(false),
        "transfer" => Ok(true),
        _ => Err("must be revoke or transfer"),
    };
    let choice = || choice(&["revoke", "transfer"]);
    let transfer = parameters.optional(
        "keys",
        "What happens to the user's keys. Default: `revoke`.",
        parsed(FaultCode::INVALID_CHOICE, is_transfer, choice),
    );
    let new_owner = |text: &str| match text {
        "organization" => Ok(KeyDisposition::Organization),
        id => id
            .parse()
            .map(KeyDisposition::User)
            .map_err(|error| format!("{error}, or organization")),
    };
    let to = parameters.optional(
        "to",
        "New owner of the keys, required with `transfer`: a user id, or `organization`.",
        parsed(FaultCode::INVALID_ID, new_owner, || formatted("new-owner", "organization")),
    );
    match (transfer.unwrap_or(false), to) {
        (true, Some(disposition)) => return disposition,
        (true, None) => parameters.fault(
            "to",
            FaultCode::REQUIRED,
            "is required with keys=transfer: a user id, or organization",
        ),
        (false, Some(_)) => {
            parameters.fault(
                "to",
                FaultCode::CONTRADICTION,
                "is accepted only if keys is transfer",
            );
        },
        (false, None) => {},
    }
    KeyDisposition::Revoke
}

fn list_users(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after, email) = call.query(read_query)?;
    let (seen, next) = app.actions.list_users(call.actor()?, limit, after, email.as_deref())?;
    let items = seen.into_iter().map(user_view).collect();
    Ok(answer::json(&Page { items, next_cursor: next.map(cursor::write) }))
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_user(app.actions.user(call.actor()?, user_id(call)?)?))
}

fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let change = call.read(read_change)?;
    Ok(answer_user(app.actions.change_user(call.actor()?, &target(call)?, &change)?))
}

fn remove(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let disposition = call.query(read_disposition)?;
    app.actions.remove_user(call.actor()?, &target(call)?, disposition)?;
    Ok(answer::empty())
}

fn list_keys(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging)?;
    let actor = call.actor()?;
    let listed = app.actions.keys_of_user(actor, user_id(call)?, limit, after)?;
    Ok(answer::json(&keys::page(app, actor, &listed)))
}

fn answer_user(seen: SeenUser) -> Response {
    let version = seen.record.version;
    answer::versioned(&user_view(seen), version)
}

fn user_view(seen: SeenUser) -> UserView {
    let user = seen.record;
    UserView {
        id: user.id,
        name: user.name,
        email: user.email,
        email_verified: seen.email_verified,
        organization: user.organization,
        role: user.role.to_string(),
        operator: user.operator,
        disabled: user.disabled,
        teams: user.teams,
        locale: user.locale,
        totp: seen.totp,
        created_at: user.created_at,
        version: user.version,
    }
}

/// The id of the user in the path. A malformed id gives 404.
pub(super) fn user_id(call: &Call<'_>) -> Result<UserId, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("user").into())
}

/// The user in the path, with the versions of `If-Match`.
fn target(call: &Call<'_>) -> Result<Target<UserId>, Problem> {
    Ok(Target { id: user_id(call)?, versions: versions(call) })
}
