//! Converts the errors of actions into problem responses.

use serde_json::json;

use crate::actions::ActionError;
use crate::http::problem::{Problem, RETRY_AFTER_SECONDS, seconds_up};
use crate::model::errors;
use crate::verify::Verdict;

const PROOF_REQUIRED: &str = "send the password or a code of the second factor to POST \
    /v1/session/proof, then repeat the request";

impl From<ActionError> for Problem {
    fn from(error: ActionError) -> Self {
        let unavailable = |error| Self::new(error).retry_after(RETRY_AFTER_SECONDS);
        match error {
            ActionError::Invalid(faults) => Self::invalid(faults),
            ActionError::NotFound(what) => Self::not_found().detail(format!("{what} not found")),
            ActionError::PermissionRequired(permission) => Self::permission_required(&permission),
            ActionError::BeyondKey(faults) => Self::beyond_key(faults),
            ActionError::SubscriptionRequired { plan, feature } => {
                Self::new(errors::SUBSCRIPTION_REQUIRED)
                    .detail(format!(
                        "the plan {plan:?}, or its subscription, does not include {feature}"
                    ))
                    .extra("plan", plan)
                    .extra("feature", feature)
            },
            ActionError::LimitReached { plan, limit, maximum } => {
                Self::new(errors::SUBSCRIPTION_LIMIT)
                    .detail(format!("the limit {limit} of the plan {plan:?} is {maximum}"))
                    .extra("plan", plan)
                    .extra("limit", limit)
                    .extra("maximum", maximum)
            },
            ActionError::CodeRequired => {
                Self::new(errors::CODE_REQUIRED)
                    .detail("sign in again with the field code, beside email and password")
                    .challenge("")
            },
            ActionError::OrganizationRequired(organizations) => Self::organization_required(
                organizations
                    .iter()
                    .map(|(id, name)| json!({ "id": id.to_string(), "name": name })),
            ),
            ActionError::SecondFactorRequired => Self::second_factor_required(),
            ActionError::ProofRequired => Self::new(errors::PROOF_REQUIRED).detail(PROOF_REQUIRED),
            ActionError::Throttled { wait } => {
                Self::new(errors::TOO_MANY_ATTEMPTS)
                    .detail("wait for the seconds in Retry-After, then try again")
                    .retry_after(seconds_up(wait))
            },
            ActionError::Conflict { error, detail } => Self::new(error).detail(detail),
            ActionError::VersionConflict { current } => Self::new(errors::VERSION_CONFLICT)
            .detail(
                "another request changed the object: read the object again, then repeat the change",
            )
            .extra("current_version", current),
            ActionError::SignInFailed => Self::new(errors::SIGN_IN_FAILED)
                .detail("email, password or code is incorrect")
                .challenge(""),
            ActionError::SessionEnded => Self::session_ended(),
            ActionError::KeyRefused(code) => Self::denied(Verdict::of(code), None),
            ActionError::LinkInvalid => Self::new(errors::LINK_INVALID).detail(
                "the link was used, has expired (24 h), or its creator lost the \
                 permission: ask for a new link, or restart keyhouse if setup was never \
                 completed",
            ),
            ActionError::Busy => unavailable(errors::BUSY).detail(
                "too many requests are in progress: retry after the seconds in \
                 Retry-After",
            ),
            ActionError::StorageFull => unavailable(errors::STORAGE_FULL)
                .detail("nothing was changed: free disk space, then retry"),
            ActionError::StorageUnavailable => {
                unavailable(errors::STORAGE_UNAVAILABLE).detail(
                    "nothing was changed: retry, and see the server log if the error persists",
                )
            },
            ActionError::OutcomeUnknown => unavailable(errors::OUTCOME_UNKNOWN)
                .detail("the change may or may not have been applied: check before retrying"),
        }
    }
}
