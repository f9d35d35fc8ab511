//! `/v1/session`: signs in, shows the session, signs out.

use std::net::IpAddr;

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::actor::Actor;
use crate::actions::signing_in::sessions::NewSession;
use crate::actions::signing_in::sign_in::SignIn;
use crate::http::api::notices;
use crate::http::api::teams::own_teams;
use crate::http::input::{Fields, parsed, text};
use crate::http::problem::Problem;
use crate::http::session::{cookie_gone, cookie_of};
use crate::http::{App, Call, answer};
use crate::index::facts::RightQuery;
use crate::model::id::OrganizationId;
use crate::model::password::Factors;
use crate::model::role;
use crate::model::secret::Secret;

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.guard_host(call.request.header("Host"))?;
    app.guard_origin(|name| call.request.header(name))?;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let email = fields.old_required("email", text);
    let password = fields.old_required("password", text).map(Secret::new);
    let code = fields.old_optional("code", text).map(Secret::new);
    let organization =
        fields.old_optional("organization", parsed("invalid_id", str::parse::<OrganizationId>));
    fields.finish().map_err(Problem::invalid)?;
    let (Some(email), Some(password)) = (email, password) else {
        return Err(Problem::invalid(Vec::new()));
    };
    let old = app.session_token(call.request)?;
    let user_agent = call.browser().user_agent.map(str::to_owned);
    let (source, device) = (call.source(), app.device_cookie_of(call.request));
    let credentials = SignIn { email, organization, password, code, source, user_agent, device };
    let session = app.actions.sign_in(&credentials)?;
    // The new cookie replaces the old one in the browser, so the previous session is ended.
    if let Some(old) = old {
        app.actions.sign_out(&old, call.address)?;
    }
    opened(app, call, &session)
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let actor = call.actor()?;
    if actor.is_key() {
        return Err(Problem::session_required());
    }
    Ok(answer::json(&described(app, actor, call.address)?))
}

/// Signs out. The request also succeeds without a session.
pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    if let Some(token) = app.session_token(call.request)? {
        app.guard_host(call.request.header("Host"))?;
        app.guard_origin(|name| call.request.header(name))?;
        app.actions.sign_out(&token, call.address)?;
    }
    let gone = cookie_gone(&app.settings.public_url);
    Ok(answer::empty().with_additional_header("Set-Cookie", gone))
}

/// 201 with the cookie of a new session.
pub(super) fn opened(
    app: &App,
    call: &Call<'_>,
    session: &NewSession,
) -> Result<Response, Problem> {
    // The index lacks the user only while it is far behind. The client can sign in again later.
    let user = app.index().user(session.user).ok_or_else(Problem::index_behind)?;
    let actor = Actor::user(app.index(), user, None).ok_or_else(Problem::index_behind)?;
    let mut reported = described(app, &actor, call.address)?;
    if let Some(fields) = reported.as_object_mut() {
        fields.insert("ends_at".to_owned(), session.ends_at.to_string().into());
    }
    let now = app.actions.clock().now().wall;
    let seconds = session.ends_at.since(now).as_secs();
    let cookie = cookie_of(&app.settings.public_url, &session.token, seconds);
    let answer = answer::created(&reported).with_additional_header("Set-Cookie", cookie);
    Ok(app.with_device(call, session.user, answer))
}

/// The user, and the facts about the organization that determine what the user can do. The page
/// uses these facts to explain why an action is not available.
fn described(app: &App, actor: &Actor, address: Option<IpAddr>) -> Result<Value, Problem> {
    let organization = actor.organization();
    let now = app.actions.clock().now().wall;
    let (user, notices) = match actor.user_facts() {
        None => (Value::Null, Vec::new()),
        Some(user) => {
            let account = app.actions.account(user.id)?;
            let notices =
                account.user.notices.iter().map(|it| notices::notice_view(app, actor, it));
            let notices: Vec<Value> = notices.collect();
            let user = json!({
                "id": user.id.to_string(),
                "name": user.name,
                "email": user.email,
                "email_verified": account.email_verified,
                "role": user.role.role().to_string(),
                "operator": user.standing.operator,
                "locale": account.user.locale,
                "totp": account.factors == Factors::PasswordAndCode,
                "second_factor_required": app.actions.must_enrol(organization, user)?,
                "teams": own_teams(app, &user.teams),
            });
            (user, notices)
        },
    };
    let held: Vec<_> = role::OWN_PERMISSIONS
        .into_iter()
        .filter(|permission| actor.holds(RightQuery::Permission(permission)))
        .collect();
    let features = organization.plan.facts();
    let features = &features.plan;
    Ok(json!({
        "user": user,
        "organization": {
            "id": organization.id.to_string(),
            "name": organization.name,
            "plan": features.name,
            "features": {
                "api_access": features.api_access,
                "teams": features.teams,
                "multiple_teams": features.multiple_teams,
            },
            "subscription_status": organization.subscription.status.to_string(),
            "api_access": organization.has_access(now),
            "members_create_keys": organization.members_create_keys,
            "key_lifetime_days_max": organization.key_lifetime_days_max,
        },
        "permissions": held,
        "notices": notices,
        "address": address.map(|address| address.to_string()),
    }))
}
