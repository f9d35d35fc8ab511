//! `GET /v1/overview`: facts that need the attention of owners and operators.
//!
//! `GET /v1/keys` counts keys, and `GET /v1/usage` calls.

use rouille::Response;

use crate::actions::instance::overview::{
    EVENTS_READ_MAX, LastBackup, USERS_READ_MAX, UserFactors,
};
use crate::http::endpoint::{Endpoint, get};
use crate::http::problem::Problem;
use crate::http::schema::count;
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::moment::Moment;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    let endpoint = get("/v1/overview", show)
        .long()
        .named("showOverview", "Show an overview")
        .details(
            "Returns facts that need the attention of owners and operators: `users` to callers \
             with `keyhouse:users:read`, `backup` to callers with `keyhouse:instance:manage`.",
        )
        .answers::<OverviewView>(200, "The facts that the caller may see.")
        .fails(&[errors::PERMISSION_REQUIRED]);
    vec![endpoint]
}

const _: () = assert!(USERS_READ_MAX == 1_000, "the description of `users` names this number");
const _: () = assert!(EVENTS_READ_MAX == 10_000, "the description of `last_at` names this number");

view! {
    OverviewView {
        /// Enabled users of the organization, among its newest 1000.
        users: UserFactorsView | absent,
        /// Backups of the instance.
        backup: LastBackupView | absent,
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
        /// Time at which the last scheduled backup was completed or an operator last started a
        /// backup, whichever is later. Null if there is no scheduled backup, and no start of a
        /// backup is among the newest 10000 audit events.
        last_at: Option<Moment>,
        /// Interval of scheduled backups in seconds, 0 if no backup is scheduled.
        every_seconds: u64 => count(21600),
    }
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let overview = app.actions.overview(call.actor()?)?;
    Ok(answer::json(&OverviewView {
        users: overview.users.map(user_factors_view),
        backup: overview.backup.map(last_backup_view),
    }))
}

fn user_factors_view(factors: UserFactors) -> UserFactorsView {
    let UserFactors { users, without_second_factor } = factors;
    UserFactorsView { count: users, without_second_factor }
}

fn last_backup_view(backup: LastBackup) -> LastBackupView {
    LastBackupView { last_at: backup.at, every_seconds: backup.every.as_secs() }
}
