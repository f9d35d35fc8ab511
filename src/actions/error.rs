//! The error of an action.

use std::time::Duration;

use keyhouse_storage::ReadError;

use crate::model::code::Code;
use crate::model::errors::ErrorCode;
use crate::model::fault::Fault;
use crate::model::id::OrganizationId;
use crate::model::seed::EncryptionFailed;
use crate::records::RecordError;

/// The error of an action. Except for [`ActionError::OutcomeUnknown`], nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    #[error("invalid input")]
    Invalid(Vec<Fault>),
    /// The record does not exist, or the actor may not see it.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The actor lacks this permission or is not an owner.
    #[error("permission {0} required")]
    PermissionRequired(String),
    /// The key would give or change rights that exceed its own.
    #[error("exceeds the permissions of the calling key")]
    BeyondKey(Vec<Fault>),
    /// The organization's plan lacks a feature.
    #[error("the plan {plan} does not include {feature}")]
    SubscriptionRequired { plan: String, feature: &'static str },
    /// The organization has reached a limit of its plan.
    #[error("the plan {plan} allows at most {maximum} {limit}")]
    LimitReached {
        plan: String,
        /// The limit's name, such as `keys_per_user`.
        limit: &'static str,
        maximum: u64,
    },
    /// The state of a record does not allow the change.
    #[error("{detail}")]
    Conflict { error: &'static ErrorCode, detail: &'static str },
    /// `If-Match` does not name the stored version.
    #[error("the current version is {current}: read the record again")]
    VersionConflict { current: u64 },
    /// The address and the password do not match, or the user is disabled.
    #[error("sign-in failed")]
    SignInFailed,
    /// The password is correct, and a code of the second factor is also required.
    #[error("second-factor code required")]
    CodeRequired,
    /// The password is correct in several organizations, and the request must name one of them.
    #[error("organization required")]
    OrganizationRequired(Vec<(OrganizationId, String)>),
    /// The action requires a session with a second factor, or the user must first enrol a second
    /// factor.
    #[error("second factor required")]
    SecondFactorRequired,
    /// The response would contain a new secret, and the session's user has not entered the password or a
    /// code recently enough.
    #[error("proof required")]
    ProofRequired,
    /// Too many recent sign-ins failed.
    #[error("too many failed sign-ins: try again later")]
    Throttled {
        /// Time until the next attempt is accepted.
        wait: Duration,
    },
    /// The session does not exist or has ended.
    #[error("session ended")]
    SessionEnded,
    /// The key that sent the request may no longer act.
    #[error("the key was rejected: {0:?}")]
    KeyRefused(Code),
    /// The one-time link was used, has expired, or never existed.
    #[error("link invalid or expired")]
    LinkInvalid,
    /// Too many requests of this kind are in progress.
    #[error("busy")]
    Busy,
    #[error("store full")]
    StorageFull,
    /// The store cannot be reached, or a record cannot be decoded.
    #[error("store unavailable")]
    StorageUnavailable,
    /// The change may or may not have been applied.
    #[error("outcome unknown")]
    OutcomeUnknown,
}

impl From<ReadError> for ActionError {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "actions: could not read the store");
        Self::StorageUnavailable
    }
}

impl From<EncryptionFailed> for ActionError {
    fn from(error: EncryptionFailed) -> Self {
        tracing::error!(%error, "actions: could not encrypt a seed");
        Self::StorageUnavailable
    }
}

impl From<RecordError> for ActionError {
    fn from(error: RecordError) -> Self {
        tracing::error!(%error, "actions: could not decode a record");
        Self::StorageUnavailable
    }
}
