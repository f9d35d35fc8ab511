//! `/v1/me`: the account of the signed-in user. A key uses `/v1/whoami`.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::signing_in::account::{MeChange, OwnAccount};
use crate::http::api::teams::own_teams;
use crate::http::api::{versions, with_etag};
use crate::http::input::{Fields, parsed, text};
use crate::http::problem::Problem;
use crate::http::session::cookie_of;
use crate::http::{App, Call, answer};
use crate::model::locale::Locale;
use crate::model::name::{parse_email, parse_name};
use crate::model::password::Factors;
use crate::model::secret::Secret;

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    Ok(answer_account(app, &app.actions.account(own.me().user)?))
}

pub(in crate::http) fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let name = fields.old_optional("name", parsed("invalid_name", parse_name));
    let locale = fields.old_nullable("locale", parsed("invalid_locale", str::parse::<Locale>));
    let password = fields.old_optional("password", text).map(Secret::new);
    let email = fields.old_optional("email", parsed("invalid_email", parse_email));
    let code = fields.old_optional("code", text).map(Secret::new);
    let current_password = fields.old_optional("current_password", text).map(Secret::new);
    if (password.is_some() || email.is_some()) && current_password.is_none() {
        let detail = "is required with a new password or a new email address";
        fields.fault("current_password", "required", detail);
    }
    fields.finish().map_err(Problem::invalid)?;
    let versions = versions(call);
    let change = MeChange { name, locale, password, email, current_password, code, versions };
    let (account, token) = app.actions.change_me(&own.me(), &change)?;
    let answered = answer_account(app, &account);
    let Some(token) = token else { return Ok(answered) };
    // The new cookie replaces the old one, and the session's end does not change.
    let (session, _) = app.actions.session(&token)?;
    let (times, now) = (app.actions.session_times(), app.actions.clock().now().wall);
    let seconds = session.lifetime_left(times, now).as_secs();
    let cookie = cookie_of(&app.settings.public_url, &token, seconds);
    let answered = answered.with_additional_header("Set-Cookie", cookie);
    Ok(app.with_device(call, account.user.id, answered))
}

fn answer_account(app: &App, account: &OwnAccount) -> Response {
    with_etag(answer::json(&account_view(app, account)), account.user.version)
}

fn account_view(app: &App, account: &OwnAccount) -> Value {
    let user = &account.user;
    json!({
        "id": user.id.to_string(),
        "name": user.name,
        "email": user.email,
        "email_verified": account.email_verified,
        "role": user.role.to_string(),
        "operator": user.operator,
        "locale": user.locale,
        "totp": account.factors == Factors::PasswordAndCode,
        "backup_codes_left": account.backup_codes,
        "teams": own_teams(app, &user.teams),
        "created_at": user.created_at.to_string(),
        "version": user.version,
    })
}
