//! `GET /v1/overview`: facts that need the attention of owners and operators.
//!
//! `GET /v1/keys` counts keys, and `GET /v1/usage` calls.

use rouille::Response;

use crate::actions::instance::overview::{
    FirstSteps, LastBackup, Overview, USERS_READ_MAX, UserFactors,
};
use crate::http::endpoint::{Endpoint, get};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::reading::only;
use crate::http::schema::{count, truth};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::moment::Moment;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    let endpoint = get("/v1/overview", show)
        .long()
        .named("showOverview", "Show an overview")
        .details(
            "Returns facts that need the attention of owners and operators: `users` to callers \
             with `keyhouse:users:read`, `backup` to callers with `keyhouse:instance:manage`, and \
             `first_steps` to callers with `keyhouse:keys:read`.",
        )
        .query(only_first_steps)
        .answers::<OverviewView>(200, "The facts that the caller may see.")
        .fails(&[errors::PERMISSION_REQUIRED]);
    vec![endpoint]
}

const _: () = assert!(USERS_READ_MAX == 1_000, "the description of `users` names this number");

view! {
    OverviewView {
        /// What the organization has done of the first steps.
        first_steps: FirstStepsView | absent,
        /// Enabled users of the organization, among its newest 1000.
        users: UserFactorsView | absent,
        /// Backups of the instance.
        backup: LastBackupView | absent,
    }
}

view! {
    FirstStepsView {
        /// Whether the organization has a key, revoked or not.
        key_created: bool => truth(true),
        /// Whether one of these keys was ever used.
        key_used: bool => truth(true),
        /// Whether a proxy ever sent a gate a request with a key of the organization.
        gate_called: bool => truth(false),
        /// Whether the organization has a second user or a pending invitation. Only for callers with
        /// `keyhouse:users:read`.
        colleague_invited: bool | absent => truth(false),
    }
}

view! {
    UserFactorsView {
        /// Number of users.
        count: usize => count(12),
        /// Number of users without a second factor.
        without_second_factor: usize => count(3),
    }
}

view! {
    LastBackupView {
        /// Time at which the last complete backup began: a scheduled one, or one that an operator
        /// requested and received whole. Null if there is none.
        last_at: Option<Moment>,
        /// Interval of scheduled backups in seconds, 0 if no backup is scheduled.
        every_seconds: u64 => count(21600),
    }
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let is_short = call.query(only_first_steps)?;
    let actor = call.actor()?;
    let overview = if is_short {
        let first_steps = Some(app.actions.first_steps(actor)?);
        Overview { first_steps, users: None, backup: None }
    } else {
        app.actions.overview(actor)?
    };
    Ok(answer::json(&OverviewView {
        first_steps: overview.first_steps.map(first_steps_view),
        users: overview.users.map(user_factors_view),
        backup: overview.backup.map(last_backup_view),
    }))
}

fn only_first_steps(parameters: &mut Parameters) -> bool {
    let about = "Only these facts.";
    parameters
        .optional("only", about, only(FaultCode::INVALID_CHOICE, "first_steps"))
        .unwrap_or_default()
}

fn first_steps_view(steps: FirstSteps) -> FirstStepsView {
    let FirstSteps { has_key, has_used_key, has_gate_call, has_colleague } = steps;
    FirstStepsView {
        key_created: has_key,
        key_used: has_used_key,
        gate_called: has_gate_call,
        colleague_invited: has_colleague,
    }
}

fn user_factors_view(factors: UserFactors) -> UserFactorsView {
    let UserFactors { users, without_second_factor } = factors;
    UserFactorsView { count: users, without_second_factor }
}

fn last_backup_view(backup: LastBackup) -> LastBackupView {
    LastBackupView { last_at: backup.at, every_seconds: backup.every.as_secs() }
}
