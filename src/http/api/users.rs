//! `/v1/users`: lists, shows, changes and removes users, and lists the keys that a removal affects.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::actions::accounts::users::{SeenUser, UserChange};
use crate::actions::changes::Target;
use crate::http::api::keys::page;
use crate::http::api::{cursor, paging, versions, with_etag};
use crate::http::input::{Fields, boolean, parsed};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::id::UserId;
use crate::model::locale::Locale;
use crate::model::name::{parse_email, parse_name};
use crate::model::role::Role;
use crate::records::people::KeyDisposition;

pub(in crate::http) fn list_users(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let (limit, after) = paging(&mut parameters);
    let email = parameters.old_optional("email", "invalid_email", parse_email);
    parameters.finish()?;
    let (seen, next) = app.actions.list_users(call.actor()?, limit, after, email.as_deref())?;
    let items: Vec<Value> = seen.iter().map(user_view).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": next.map(cursor::write) })))
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_user(&app.actions.user(call.actor()?, user_id(call)?)?))
}

pub(in crate::http) fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let change = UserChange {
        name: fields.old_optional("name", parsed("invalid_name", parse_name)),
        email: fields.old_optional("email", parsed("invalid_email", parse_email)),
        locale: fields.old_nullable("locale", parsed("invalid_locale", str::parse::<Locale>)),
        role: fields.old_optional("role", parsed("invalid_role", str::parse::<Role>)),
        disabled: fields.old_optional("disabled", boolean),
        operator: fields.old_optional("operator", boolean),
    };
    fields.finish().map_err(Problem::invalid)?;
    Ok(answer_user(&app.actions.change_user(call.actor()?, &target(call)?, &change)?))
}

pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let disposition = disposition(&mut parameters);
    parameters.finish()?;
    app.actions.remove_user(call.actor()?, &target(call)?, disposition)?;
    Ok(answer::empty())
}

pub(in crate::http) fn list_keys(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let (limit, after) = paging(&mut parameters);
    parameters.finish()?;
    let actor = call.actor()?;
    let listed = app.actions.keys_of_user(actor, user_id(call)?, limit, after)?;
    Ok(page(app, actor, &listed))
}

/// Reads whether the keys of a removed user are revoked or transferred.
fn disposition(parameters: &mut Parameters) -> KeyDisposition {
    let transfer = parameters.old_optional("keys", "invalid_choice", |text| match text {
        "revoke" => Ok(false),
        "transfer" => Ok(true),
        _ => Err("must be revoke or transfer"),
    });
    let to = parameters.old_optional("to", "invalid_id", |text| match text {
        "organization" => Ok(KeyDisposition::Organization),
        id => id
            .parse()
            .map(KeyDisposition::User)
            .map_err(|error| format!("{error}, or organization")),
    });
    match (transfer.unwrap_or(false), to) {
        (true, Some(disposition)) => return disposition,
        (true, None) => parameters.fault(
            "to",
            "required",
            "is required with keys=transfer: a user id, or organization",
        ),
        (false, Some(_)) => {
            parameters.fault("to", "contradiction", "requires keys=transfer");
        },
        (false, None) => {},
    }
    KeyDisposition::Revoke
}

fn answer_user(seen: &SeenUser) -> Response {
    with_etag(answer::json(&user_view(seen)), seen.record.version)
}

fn user_view(seen: &SeenUser) -> Value {
    let user = &seen.record;
    json!({
        "id": user.id.to_string(),
        "name": user.name,
        "email": user.email,
        "email_verified": seen.email_verified,
        "organization": user.organization.to_string(),
        "role": user.role.to_string(),
        "operator": user.operator,
        "disabled": user.disabled,
        "teams": user.teams.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "locale": user.locale,
        "totp": seen.totp,
        "created_at": user.created_at.to_string(),
        "version": user.version,
    })
}

/// The id of the user in the path. A malformed id gives 404.
pub(super) fn user_id(call: &Call<'_>) -> Result<UserId, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("user").into())
}

/// The user in the path, with the versions of `If-Match`.
fn target(call: &Call<'_>) -> Result<Target<UserId>, Problem> {
    Ok(Target { id: user_id(call)?, versions: versions(call) })
}
