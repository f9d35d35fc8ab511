//! `/v1/users/{user}/reset` and `/v1/reset`: creates a reset link, and sets a password with it.

use rouille::Response;
use serde_json::json;

use crate::http::api::links::{LINK_ERRORS, TOKEN, read_token};
use crate::http::api::session::PASSWORD;
use crate::http::api::users::user_id;
use crate::http::endpoint::{Endpoint, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{boolean, password};
use crate::http::schema::text;
use crate::http::view::{Revealed, view};
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::moment::Moment;
use crate::model::role::USERS_MANAGE;
use crate::model::secret::Secret;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/users/{user}/reset", create)
            .named("resetUser", "Create a password reset link")
            .details(
                "With `totp`, using the link also removes the second factor; this requires an \
                 owner who signed in with a second factor, or the local operator. A user cannot \
                 create a reset link for the own account, so that an unattended session cannot \
                 be used to take over the account.",
            )
            .needs(&[USERS_MANAGE])
            .may_take(read_totp, json!({"totp": false}))
            .answers::<ResetLinkView>(
                201,
                "The one-time link for the user, which expires after 24 hours.",
            )
            .fails(&[errors::OWN_ACCOUNT, errors::SECOND_FACTOR_REQUIRED])
            .fails(&[errors::PROOF_REQUIRED]),
        post("/v1/reset", set_password)
            .named("resetPassword", "Reset a password")
            .details(
                "Sets a new password with the token of a reset link. All sessions of the \
                 user end. A second factor stays on, unless the link removes it.",
            )
            .open()
            .takes(read_reset, json!({"token": TOKEN, "password": PASSWORD}))
            .answers_empty(204, "The password is set. Sign in with it.")
            .fails(&LINK_ERRORS),
    ]
}

view! {
    ResetLinkView {
        /// One-time link, which cannot be shown again.
        url: Revealed => text("https://keys.example.com/reset#token=what-only-its-holder-knows"),
        /// Time at which the link expires.
        expires_at: Moment,
    }
}

/// Reads whether the link also removes the second factor.
fn read_totp(fields: &mut Fields) -> bool {
    let about = "Whether the link also removes the second factor. Default: false.";
    fields.optional("totp", about, boolean(false)).unwrap_or(false)
}

/// Reads the token of a reset link, and the new password.
fn read_reset(fields: &mut Fields) -> Option<(Secret, Secret)> {
    let token = read_token(fields, "Token of the reset link.");
    let about = "New password: at least 15 characters, or 8 with a second factor.";
    let password = fields.required("password", about, password(PASSWORD));
    Some((token?, password?))
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let totp = call.read(read_totp)?;
    let made = app.actions.reset_user(call.actor()?, user_id(call)?, totp)?;
    let url = format!("{}/reset#token={}", app.settings.public_url, made.token.reveal());
    let url = Revealed(Secret::new(url));
    Ok(answer::created(&ResetLinkView { url, expires_at: made.ends_at }))
}

fn set_password(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.guard(call)?;
    let (token, password) = call.read_required(read_reset)?;
    app.actions.use_reset(&token, &password, call.address)?;
    Ok(answer::empty())
}
