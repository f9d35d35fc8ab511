//! What a check can come to.

use std::fmt;
use std::str::FromStr;

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

    /// Those that a call of a known key can come to: what is counted.
    pub const COUNTED: [Self; Self::ALL.len() - 2] = [
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

    /// Its place among [`Code::COUNTED`], where it has one.
    pub const fn counted(self) -> Option<usize> {
        (self as usize).checked_sub(Self::Revoked as usize)
    }

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

/// A text that is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no code of a check")]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.into_iter().find(|code| code.as_str() == text).ok_or(UnknownCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_known_key_can_get_is_counted_each_at_its_own_place() {
        for (place, code) in Code::COUNTED.into_iter().enumerate() {
            assert_eq!(code.counted(), Some(place), "{code}");
            assert_eq!(code.as_str().parse(), Ok(code));
        }
        assert_eq!(Code::COUNTED, Code::ALL[2..]);
        assert_eq!((Code::Malformed.counted(), Code::NotFound.counted()), (None, None));
    }
}
