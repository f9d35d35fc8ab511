//! `/v1/sign-in-lockouts`: lists and lifts lockouts of accounts and networks after failed sign-ins.

use std::sync::Arc;

use rouille::Response;

use crate::actions::ActionError;
use crate::actions::signing_in::lockouts::{Lockout, LockoutId};
use crate::http::api::page_limit;
use crate::http::endpoint::{Endpoint, delete, get};
use crate::http::problem::Problem;
use crate::http::schema::{choice, count, email, nullable, text};
use crate::http::view::{Page, view};
use crate::http::{App, Call, answer};
use crate::index::facts::UserFacts;
use crate::model::id::{OrganizationId, UserId};
use crate::model::moment::Moment;
use crate::model::role::INSTANCE_MANAGE;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/sign-in-lockouts", list_lockouts)
            .named("listLockouts", "List sign-in lockouts")
            .details(
                "Lists accounts and networks that are locked after failed sign-ins, the \
                 longest lockout first. Owners see the accounts of their organization, \
                 operators see all accounts and networks. The list is that of the node that \
                 answers, and has only one page.",
            )
            .needs(&[INSTANCE_MANAGE])
            .query(page_limit)
            .answers::<Page<LockoutView>>(200, "The lockouts."),
        delete("/v1/sign-in-lockouts/{lockout}", lift)
            .named("liftLockout", "Lift a sign-in lockout")
            .details(
                "Clears the failed sign-ins of an account or a network. Owners can lift lockouts \
                 of their organization's accounts, operators all lockouts.",
            )
            .needs(&[INSTANCE_MANAGE])
            .answers_empty(204, "The lockout is lifted."),
    ]
}

view! {
    LockoutView = "Lockout" {
        /// Id of the lockout.
        id: String => text("203.0.113.7_32"),
        /// Whether an account or a network is locked.
        kind: &'static str => choice(&["account", "network"]),
        /// Locked user. Null for a network.
        user: Option<LockedUserView>,
        /// Locked network. Null for an account.
        network: Option<String> => nullable(text("203.0.113.7/32").into()),
        /// Number of failed sign-ins in a row. Null for a network.
        failures: Option<u32> => nullable(count(12).into()),
        /// Time of the next allowed sign-in. Null: now.
        until: Option<Moment>,
    }
}

view! {
    LockedUserView {
        /// Id of the user.
        id: UserId,
        /// Name of the user.
        name: String => text("Grace"),
        /// Email address of the user.
        email: String => email("grace@example.com"),
        /// Id of the organization.
        organization: OrganizationId,
    }
}

fn list_lockouts(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let limit = call.query(page_limit)?;
    let lockouts = app.actions.lockouts(call.actor()?, limit)?;
    let items = lockouts.into_iter().map(lockout_view).collect();
    // Lockouts change with each attempt, so a second page would not match the first.
    Ok(answer::json(&Page { items, next_cursor: None }))
}

fn lift(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    // A caller without the right to lift lockouts is rejected before the lockout is looked up.
    app.actions.lockouts(call.actor()?, 1)?;
    let id = call.param(0).parse().map_err(|_no_id| ActionError::NotFound("lockout"))?;
    app.actions.lift_lockout(call.actor()?, id)?;
    Ok(answer::empty())
}

fn lockout_view(lockout: Lockout) -> LockoutView {
    let (kind, network) = match lockout.id {
        LockoutId::User(_) => ("account", None),
        LockoutId::Network(network) => ("network", network.map(|network| network.to_string())),
    };
    let user = |user: Arc<UserFacts>| LockedUserView {
        id: user.id,
        name: user.name.clone(),
        email: user.email.clone(),
        organization: user.organization,
    };
    LockoutView {
        id: lockout.id.to_string(),
        kind,
        user: lockout.user.map(user),
        network,
        failures: lockout.failures,
        until: lockout.until,
    }
}
