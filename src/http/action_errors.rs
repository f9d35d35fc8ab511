//! The problem that an error of an action is answered with.

use serde_json::json;

use crate::actions::ActionError;
use crate::http::problem::{Problem, RETRY_AFTER_SECONDS, seconds_up};
use crate::verify::Verdict;

impl From<ActionError> for Problem {
    fn from(error: ActionError) -> Self {
        let unavailable =
            |code, title| Self::new(503, code, title).retry_after(RETRY_AFTER_SECONDS);
        match error {
            ActionError::Invalid(faults) => Self::invalid(faults),
            ActionError::NotFound(what) => {
                Self::not_found().detail(format!("no such {what} that you may know of"))
            },
            ActionError::PermissionRequired(permission) => Self::permission_required(&permission),
            ActionError::BeyondKey(faults) => Self::beyond_key(faults),
            ActionError::SubscriptionRequired { plan, feature } => {
                Self::new(403, "subscription_required", "The plan does not give this")
                    .detail(format!("the plan {plan:?} or its subscription does not give {feature}"))
                    .extra("plan", plan)
                    .extra("feature", feature)
            },
            ActionError::LimitReached { plan, limit, maximum } => {
                Self::new(403, "subscription_limit", "The plan gives no more")
                    .detail(format!("the plan {plan:?} gives {maximum} of {limit}"))
                    .extra("plan", plan)
                    .extra("limit", limit)
                    .extra("maximum", maximum)
            },
            ActionError::CodeRequired => {
                Self::new(401, "code_required", "Code of the second factor required")
                    .detail("send it as code, beside e-mail address and password")
                    .challenge("")
            },
            ActionError::OrganizationRequired(organizations) => Self::organization_required(
                organizations.iter().map(|(id, name)| json!({ "id": id.to_string(), "name": name })),
            ),
            ActionError::SecondFactorRequired => Self::second_factor_required(),
            ActionError::Throttled { wait } => {
                Self::new(429, "too_many_attempts", "Too many sign-ins failed")
                    .detail("wait, then try again")
                    .retry_after(seconds_up(wait))
            },
            ActionError::Conflict { code, detail } => {
                Self::new(409, code, "Not possible in this state").detail(detail)
            },
            ActionError::VersionConflict { current } => {
                Self::new(412, "version_conflict", "Changed by somebody else meanwhile")
                    .detail("read it again and decide anew")
                    .extra("current_version", current)
            },
            ActionError::SignInFailed => {
                Self::new(401, "sign_in_failed", "Sign-in failed")
                    .detail("e-mail address, password and code, where there is one, don't belong together")
                    .challenge("")
            },
            ActionError::SessionEnded => Self::session_ended(),
            ActionError::KeyRefused(code) => Self::denied(Verdict::of(code), None),
            ActionError::LinkInvalid => Self::new(403, "link_invalid", "Link not valid").detail(
                "a one-time link works once, for 24 hours, and no longer than its maker may make it: \
                 ask for a new one, or start keyhouse anew where nobody is set up yet",
            ),
            ActionError::Busy => unavailable("busy", "Busy"),
            ActionError::StorageFull => unavailable("storage_full", "No room in the store"),
            ActionError::StorageUnavailable => {
                unavailable("storage_unavailable", "Store unavailable; nothing was changed")
            },
            ActionError::OutcomeUnknown => {
                unavailable("outcome_unknown", "Nobody can say whether this was done")
                    .detail("look before you do it again")
            },
        }
    }
}
