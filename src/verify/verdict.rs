//! The verdict: a code, and for a limit how long to wait.

use std::fmt;
use std::time::Duration;

/// Every outcome of a check, in the order in which they are decided: the first that applies is the
/// code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// No text of a key.
    Malformed,
    /// No key with this text that the asker may know of.
    NotFound,
    /// Revoked for ever.
    Revoked,
    /// Switched off.
    Disabled,
    /// Before its time.
    NotYetValid,
    /// After its time.
    Expired,
    /// Its owner is stopped or gone.
    OwnerDisabled,
    /// Its organization is stopped or gone.
    OrganizationSuspended,
    /// Its organization has no API access.
    SubscriptionRequired,
    /// The gate does not take keys of this organization or environment.
    NotAcceptedHere,
    /// Not from this address.
    IpNotAllowed,
    /// Not granted what is asked.
    InsufficientPermissions,
    /// Too many calls of late.
    RateLimited,
    /// Too many calls in this period.
    QuotaExceeded,
    /// Good.
    Valid,
}

impl Code {
    /// All codes, in their order.
    pub const ALL: [Self; 15] = [
        Self::Malformed,
        Self::NotFound,
        Self::Revoked,
        Self::Disabled,
        Self::NotYetValid,
        Self::Expired,
        Self::OwnerDisabled,
        Self::OrganizationSuspended,
        Self::SubscriptionRequired,
        Self::NotAcceptedHere,
        Self::IpNotAllowed,
        Self::InsufficientPermissions,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::Valid,
    ];

    /// The stable name that answers carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::NotFound => "NOT_FOUND",
            Self::Revoked => "REVOKED",
            Self::Disabled => "DISABLED",
            Self::NotYetValid => "NOT_YET_VALID",
            Self::Expired => "EXPIRED",
            Self::OwnerDisabled => "OWNER_DISABLED",
            Self::OrganizationSuspended => "ORGANIZATION_SUSPENDED",
            Self::SubscriptionRequired => "SUBSCRIPTION_REQUIRED",
            Self::NotAcceptedHere => "NOT_ACCEPTED_HERE",
            Self::IpNotAllowed => "IP_NOT_ALLOWED",
            Self::InsufficientPermissions => "INSUFFICIENT_PERMISSIONS",
            Self::RateLimited => "RATE_LIMITED",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::Valid => "VALID",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome.
    pub code: Code,
    /// With a limit's code: after how long the same call would pass.
    pub retry_after: Option<Duration>,
}

impl Verdict {
    /// A verdict that waiting does not change.
    pub const fn of(code: Code) -> Self {
        Self { code, retry_after: None }
    }

    /// Whether the key may do what was asked.
    pub fn is_valid(self) -> bool {
        self.code == Code::Valid
    }
}
