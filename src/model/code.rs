//! The codes of a check's result.

use std::fmt;
use std::str::FromStr;

/// Every result of a check, in the order in which the rules are tested: the first that applies is
/// the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The text cannot be a key.
    Malformed,
    /// No key with this text is visible to the caller.
    NotFound,
    Revoked,
    /// The key is disabled, not revoked.
    Disabled,
    /// The key is not valid yet.
    NotYetValid,
    Expired,
    /// The key's owner is disabled or removed.
    OwnerDisabled,
    /// The key's organization is suspended or removed.
    OrganizationSuspended,
    /// The key's organization has no API access.
    SubscriptionRequired,
    /// The gate does not accept keys of this organization or environment.
    NotAcceptedHere,
    /// The key does not accept calls from this address.
    IpNotAllowed,
    /// The key is not granted a required permission.
    InsufficientPermissions,
    /// A rate limit is exceeded.
    RateLimited,
    /// A quota is used up.
    QuotaExceeded,
    /// The key may make the call.
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

    /// The codes of calls with a known key: only these calls are counted.
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

    /// The position in [`Code::COUNTED`], if the code is counted.
    pub const fn counted(self) -> Option<usize> {
        (self as usize).checked_sub(Self::Revoked as usize)
    }

    /// The stable name in responses.
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

/// The text is not the name of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a code of a check")]
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
    fn each_code_of_a_known_key_has_its_own_counter() {
        for (place, code) in Code::COUNTED.into_iter().enumerate() {
            assert_eq!(code.counted(), Some(place), "{code}");
            assert_eq!(code.as_str().parse(), Ok(code));
        }
        assert_eq!(Code::COUNTED, Code::ALL[2..]);
        assert_eq!((Code::Malformed.counted(), Code::NotFound.counted()), (None, None));
    }
}
