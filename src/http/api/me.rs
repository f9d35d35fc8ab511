//! `/v1/me`: the account of the signed-in user. A key uses `/v1/whoami`.

use rouille::Response;
use serde_json::json;

use crate::actions::signing_in::account::{MeChange, OwnAccount};
use crate::http::api::session::{OwnUserView, PASSWORD};
use crate::http::api::teams::own_teams;
use crate::http::api::versions;
use crate::http::endpoint::{CallerKind, Endpoint, get, patch};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{self, email, name, password, secret};
use crate::http::schema::{count, nullable};
use crate::http::session::cookie_of;
use crate::http::transport::Part;
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::moment::Moment;
use crate::model::password::Factors;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/me", show)
            .named("showMe", "Show the user's account")
            .enrolling()
            .answers::<AccountView>(200, "The account.")
            .with_etag(),
        patch("/v1/me", change)
            .named("changeMe", "Change the user's account")
            .details(
                "Changes of `password` and `email` require `current_password`, and end all \
                 other sessions. A change of `email` also requires `code` if the account has \
                 a second factor. The new address is unverified until a user with \
                 `keyhouse:users:manage` confirms it.",
            )
            .called_by(CallerKind::Person)
            .in_part(Part::SignIn)
            .versioned()
            .may_take(read_change, json!({"name": "Ada Lovelace", "locale": "fr"}))
            .answers::<AccountView>(200, "The changed account.")
            .with_etag()
            .fails(&[errors::TOO_MANY_ATTEMPTS, errors::EMAIL_TAKEN]),
    ]
}

view! {
    AccountView = "Account" {
        /// Number of unused backup codes. Null without a second factor.
        backup_codes_left: Option<usize> => nullable(count(10).into()),
        /// Time of creation.
        created_at: Moment,
        /// Version of the object, for `If-Match`.
        version: u64 => count(1),
        ..user: OwnUserView,
    }
}

fn read_change(fields: &mut Fields) -> MeChange {
    let name = fields.optional("name", "New name.", name("Ada"));
    let about = "Preferred language. Null: the language of the browser.";
    let locale = fields.nullable("locale", about, reading::locale());
    let new = password("another horse battery staple 18");
    let new = fields.optional("password", "New password.", new);
    let email = fields.optional("email", "New email address.", email("ada@example.com"));
    let about = "Code of the second factor, to change `email`.";
    let code = fields.optional("code", about, secret("123456"));
    let about = "Current password, to change `password` or `email`.";
    let current = fields.optional("current_password", about, password(PASSWORD));
    if (new.is_some() || email.is_some()) && current.is_none() {
        let detail = "is required with a new password or a new email address";
        fields.fault("current_password", FaultCode::REQUIRED, detail);
    }
    MeChange { name, locale, password: new, email, current_password: current, code, versions: None }
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    Ok(answer_account(app, app.actions.account(own.me().user)?))
}

fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    let change = MeChange { versions: versions(call), ..call.read(read_change)? };
    let (account, token) = app.actions.change_me(&own.me(), &change)?;
    let user = account.user.id;
    let answered = answer_account(app, account);
    let Some(token) = token else { return Ok(answered) };
    // The new cookie replaces the old one, and the session's end does not change.
    let (session, _) = app.actions.session(&token)?;
    let (times, now) = (app.actions.session_times(), app.actions.clock().now().wall);
    let seconds = session.lifetime_left(times, now).as_secs();
    let cookie = cookie_of(&app.settings.public_url, &token, seconds);
    let answered = answered.with_additional_header("Set-Cookie", cookie);
    Ok(app.with_device(call, user, answered))
}

fn answer_account(app: &App, account: OwnAccount) -> Response {
    let version = account.user.version;
    answer::versioned(&account_view(app, account), version)
}

fn account_view(app: &App, account: OwnAccount) -> AccountView {
    let user = account.user;
    AccountView {
        backup_codes_left: account.backup_codes,
        created_at: user.created_at,
        version: user.version,
        user: OwnUserView {
            id: user.id,
            name: user.name,
            email: user.email,
            email_verified: account.email_verified,
            role: user.role.to_string(),
            operator: user.operator,
            locale: user.locale,
            totp: account.factors == Factors::PasswordAndCode,
            teams: own_teams(app, &user.teams),
        },
    }
}
