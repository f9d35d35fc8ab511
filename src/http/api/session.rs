//! `/v1/session`: signs in, shows the session, signs out.

use std::net::IpAddr;

use rouille::Response;
use serde_json::json;

use crate::actions::actor::Actor;
use crate::actions::signing_in::sessions::NewSession;
use crate::actions::signing_in::sign_in::SignIn;
use crate::http::api::notices::{NoticeView, notice_view};
use crate::http::api::teams::{OwnTeamView, own_teams};
use crate::http::endpoint::{CallerKind, Endpoint, delete, get, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{self, id, password, secret};
use crate::http::schema::{count, each, email, locale, nullable, text, truth};
use crate::http::session::{cookie_gone, cookie_of};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::index::facts::{OrganizationFacts, RightQuery};
use crate::model::errors::{self, ErrorCode};
use crate::model::id::{OfOrganization, OrganizationId, UserId};
use crate::model::moment::Moment;
use crate::model::password::Factors;
use crate::model::role;
use crate::model::secret::Secret;

/// Errors of operations that sign in with a one-time link.
pub(super) const ENTRANCE_ERRORS: [&ErrorCode; 5] = [
    errors::LINK_INVALID,
    errors::NOT_FOUND,
    errors::MISDIRECTED_REQUEST,
    errors::CROSS_SITE,
    errors::INDEX_BEHIND,
];

/// The password in the examples of requests.
pub(super) const PASSWORD: &str = "correct horse battery staple 17";

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/session", create)
            .named("signIn", "Sign in")
            .details(
                "`code` is a code of the second factor, or a backup code, if the account has \
                 one. An email address may belong to users of several organizations. If the \
                 password is correct in more than one, 409 `organization_required` lists \
                 them: repeat the request with `organization`. Without it, at most four \
                 accounts of an address are tried, first those of organizations that have \
                 verified its domain.",
            )
            .open()
            .takes(read_sign_in, json!({"email": "ada@example.com", "password": PASSWORD}))
            .answers::<OpenedView>(201, "The new session.")
            .with("Set-Cookie", "The session cookie, and the cookie that recognizes this browser.")
            .fails(&[errors::SIGN_IN_FAILED, errors::CODE_REQUIRED, errors::ORGANIZATION_REQUIRED])
            .fails(&[errors::TOO_MANY_ATTEMPTS, errors::DOUBLED_CREDENTIAL])
            .fails(&[errors::MISDIRECTED_REQUEST, errors::CROSS_SITE, errors::INDEX_BEHIND]),
        get("/v1/session", show)
            .named("showSession", "Show the session")
            .enrolling()
            .answers::<SessionView>(200, "The user, the organization and the user's permissions."),
        delete("/v1/session", sign_out)
            .named("signOut", "Sign out")
            .details("Succeeds without a session too.")
            .open()
            .called_by(CallerKind::Visitor)
            .answers_empty(204, "The session has ended.")
            .with("Set-Cookie", "Deletes the session cookie.")
            .fails(&[errors::MISDIRECTED_REQUEST, errors::CROSS_SITE, errors::DOUBLED_CREDENTIAL]),
    ]
}

view! {
    /// The user, and the facts about the organization that determine what the user can do. The page
    /// uses these facts to explain why an action is not available.
    SessionView = "Session" {
        /// Signed-in user.
        user: Option<SessionUserView>,
        /// Organization of the user.
        organization: SessionOrganizationView,
        /// Management permissions of the user.
        permissions: Vec<&'static str> => each(text("keyhouse:keys:create")),
        /// Changes that others made to the account.
        notices: Vec<NoticeView>,
        /// IP address of the client. Null if it is unknown.
        address: Option<IpAddr> => nullable(text("192.0.2.7").into()),
    }
}

view! {
    /// A new session.
    OpenedView {
        /// Time at which the session ends.
        ends_at: Moment,
        ..session: SessionView,
    }
}

view! {
    SessionUserView {
        /// Whether the user must turn on a second factor first.
        second_factor_required: bool => truth(false),
        ..user: OwnUserView,
    }
}

view! {
    /// The signed-in user.
    OwnUserView {
        /// Id of the user.
        id: UserId,
        /// Name of the user.
        name: String => text("Ada"),
        /// Email address of the user.
        email: String => email("ada@example.com"),
        /// Whether the email address is verified.
        email_verified: bool => truth(true),
        /// Name of a built-in role, or id of a custom role.
        role: String => text("owner"),
        /// Whether the user administers the instance.
        operator: bool => truth(true),
        /// Preferred language. Null: the language of the browser.
        locale: Option<Box<str>> => nullable(locale().into()),
        /// Whether the second factor is on.
        totp: bool => truth(false),
        /// Teams of the user.
        teams: Vec<OwnTeamView>,
    }
}

view! {
    SessionOrganizationView {
        /// Id of the organization.
        id: OrganizationId,
        /// Name of the organization.
        name: String => text("example.com"),
        /// Name of the plan.
        plan: Box<str> => text("pro"),
        /// Features of the plan.
        features: SessionFeaturesView,
        /// Status of the subscription.
        subscription_status: String => text("active"),
        /// Whether keys of the organization work now.
        api_access: bool => truth(true),
        /// Whether users with the role `user` may create keys.
        members_create_keys: bool => truth(true),
        /// Longest lifetime of a key in days. Null: unlimited.
        key_lifetime_days_max: Option<u32> => nullable(count(365).into()),
    }
}

view! {
    SessionFeaturesView {
        /// Whether keys work.
        api_access: bool => truth(true),
        /// Whether teams are included.
        teams: bool => truth(true),
        /// Whether more than one team is included.
        multiple_teams: bool => truth(false),
    }
}

/// The body of a sign-in.
struct Credentials {
    email: String,
    password: Secret,
    code: Option<Secret>,
    organization: Option<OrganizationId>,
}

fn read_sign_in(fields: &mut Fields) -> Option<Credentials> {
    let email = reading::text("ada@example.com");
    let email = fields.required("email", "Email address of the account.", email);
    let about = "Password of the account.";
    let password = fields.required("password", about, password(PASSWORD));
    let about = "Code of the second factor, or a backup code.";
    let code = fields.optional("code", about, secret("123456"));
    let about = "Organization of the account, if the email address belongs to several.";
    let organization = fields.optional("organization", about, id::<OfOrganization>());
    Some(Credentials { email: email?, password: password?, code, organization })
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.guard(call)?;
    let Credentials { email, password, code, organization } = call.read_required(read_sign_in)?;
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

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let actor = call.actor()?;
    if actor.is_key() {
        return Err(Problem::session_required());
    }
    Ok(answer::json(&session_view(app, actor, call.address)?))
}

/// Signs out. The request also succeeds without a session.
fn sign_out(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    if let Some(token) = app.session_token(call.request)? {
        app.guard(call)?;
        app.actions.sign_out(&token, call.address)?;
    }
    let gone = cookie_gone(&app.settings.public_url);
    Ok(answer::empty().with_additional_header("Set-Cookie", gone))
}

/// 201 with the cookie of a new session.
pub(super) fn opened(app: &App, call: &Call<'_>, new: &NewSession) -> Result<Response, Problem> {
    // The index lacks the user only while it is far behind. The client can sign in again later.
    let user = app.index().user(new.user).ok_or_else(Problem::index_behind)?;
    let actor = Actor::user(app.index(), user, None).ok_or_else(Problem::index_behind)?;
    let session = session_view(app, &actor, call.address)?;
    let now = app.actions.clock().now().wall;
    let seconds = new.ends_at.since(now).as_secs();
    let cookie = cookie_of(&app.settings.public_url, &new.token, seconds);
    let answer = answer::created(&OpenedView { ends_at: new.ends_at, session });
    Ok(app.with_device(call, new.user, answer.with_additional_header("Set-Cookie", cookie)))
}

fn session_view(app: &App, actor: &Actor, address: Option<IpAddr>) -> Result<SessionView, Problem> {
    let organization = actor.organization();
    let (user, notices) = match actor.user_facts() {
        None => (None, Vec::new()),
        Some(user) => {
            let account = app.actions.account(user.id)?;
            let notices = account.user.notices.iter().map(|it| notice_view(app, actor, it));
            let notices = notices.collect();
            let own = OwnUserView {
                id: user.id,
                name: user.name.clone(),
                email: user.email.clone(),
                email_verified: account.email_verified,
                role: user.role.role().to_string(),
                operator: user.standing.operator,
                locale: account.user.locale,
                totp: account.factors == Factors::PasswordAndCode,
                teams: own_teams(app, &user.teams),
            };
            let second_factor_required = app.actions.must_enrol(organization, user)?;
            (Some(SessionUserView { second_factor_required, user: own }), notices)
        },
    };
    let held = role::OWN_PERMISSIONS
        .into_iter()
        .filter(|permission| actor.holds(RightQuery::Permission(permission)));
    Ok(SessionView {
        user,
        organization: organization_view(organization, app.actions.clock().now().wall),
        permissions: held.collect(),
        notices,
        address,
    })
}

fn organization_view(organization: &OrganizationFacts, now: Moment) -> SessionOrganizationView {
    let facts = organization.plan.facts();
    let plan = &facts.plan;
    SessionOrganizationView {
        id: organization.id,
        name: organization.name.clone(),
        plan: plan.name.clone(),
        features: SessionFeaturesView {
            api_access: plan.api_access,
            teams: plan.teams,
            multiple_teams: plan.multiple_teams,
        },
        subscription_status: organization.subscription.status.to_string(),
        api_access: organization.has_access(now),
        members_create_keys: organization.members_create_keys,
        key_lifetime_days_max: organization.key_lifetime_days_max,
    }
}
