//! Converts the errors of actions into problem responses.

use serde_json::json;

use crate::actions::ActionError;
use crate::http::problem::{Problem, RETRY_AFTER_SECONDS, seconds_up};
use crate::verify::Verdict;

impl From<ActionError> for Problem {
    #[expect(clippy::too_many_lines, reason = "one match that names every error")]
    fn from(error: ActionError) -> Self {
        let unavailable =
            |code, title| Self::new(503, code, title).retry_after(RETRY_AFTER_SECONDS);
        match error {
            ActionError::Invalid(faults) => Self::invalid(faults),
            ActionError::NotFound(what) => Self::not_found().detail(format!("{what} not found")),
            ActionError::PermissionRequired(permission) => Self::permission_required(&permission),
            ActionError::BeyondKey(faults) => Self::beyond_key(faults),
            ActionError::SubscriptionRequired { plan, feature } => {
                Self::new(403, "subscription_required", "Not included in the plan")
                    .detail(format!(
                        "the plan {plan:?}, or its subscription, does not include {feature}"
                    ))
                    .extra("plan", plan)
                    .extra("feature", feature)
            },
            ActionError::LimitReached { plan, limit, maximum } => {
                Self::new(403, "subscription_limit", "Plan limit reached")
                    .detail(format!("the limit {limit} of the plan {plan:?} is {maximum}"))
                    .extra("plan", plan)
                    .extra("limit", limit)
                    .extra("maximum", maximum)
            },
            ActionError::CodeRequired => {
                Self::new(401, "code_required", "Second factor code required")
                    .detail("sign in again with the field code, beside email and password")
                    .challenge("")
            },
            ActionError::OrganizationRequired(organizations) => Self::organization_required(
                organizations
                    .iter()
                    .map(|(id, name)| json!({ "id": id.to_string(), "name": name })),
            ),
            ActionError::SecondFactorRequired => Self::second_factor_required(),
            ActionError::Throttled { wait } => {
                Self::new(429, "too_many_attempts", "Too many failed sign-ins")
                    .detail("wait for the seconds in Retry-After, then try again")
                    .retry_after(seconds_up(wait))
            },
            ActionError::Conflict { code, detail } => {
                Self::new(409, code, "Conflict with the current state").detail(detail)
            },
            ActionError::VersionConflict { current } => Self::new(
                412,
                "version_conflict",
                "Changed since it was read",
            )
            .detail(
                "another request changed the object: read the object again, then repeat the change",
            )
            .extra("current_version", current),
            ActionError::SignInFailed => Self::new(401, "sign_in_failed", "Sign-in failed")
                .detail("email, password or code is incorrect")
                .challenge(""),
            ActionError::SessionEnded => Self::session_ended(),
            ActionError::KeyRefused(code) => Self::denied(Verdict::of(code), None),
            ActionError::LinkInvalid => Self::new(403, "link_invalid", "Invalid link").detail(
                "the link was used, has expired (24 h), or its creator lost the \
                 permission: ask for a new link, or restart keyhouse if setup was never \
                 completed",
            ),
            ActionError::Busy => unavailable("busy", "Server busy").detail(
                "too many requests are in progress: retry after the seconds in \
                 Retry-After",
            ),
            ActionError::StorageFull => unavailable("storage_full", "Store is full")
                .detail("nothing was changed: free disk space, then retry"),
            ActionError::StorageUnavailable => {
                unavailable("storage_unavailable", "Store unavailable").detail(
                    "nothing was changed: retry, and see the server log if the error persists",
                )
            },
            ActionError::OutcomeUnknown => unavailable("outcome_unknown", "Outcome unknown")
                .detail("the change may or may not have been applied: check before retrying"),
        }
    }
}
