//! Plans and subscriptions, and when they give API access.

use std::fmt;
use std::str::FromStr;

use crate::model::moment::Moment;

/// The features and limits of a plan.
#[expect(clippy::struct_excessive_bools, reason = "three independent features, each true or false")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The name and id: `free`, `pro`, `enterprise`.
    pub name: Box<str>,
    /// Whether the keys of its organizations pass checks.
    pub api_access: bool,
    /// Whether its organizations have teams.
    pub teams: bool,
    /// Whether its organizations may have more than one team.
    pub multiple_teams: bool,
    /// The limits of its organizations.
    pub limits: PlanLimits,
}

/// The limits of a plan; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanLimits {
    /// Personal keys of one user that are not revoked and have not expired.
    pub keys_per_user: Option<u32>,
    /// Keys of the organization that are not revoked and have not expired.
    pub keys: Option<u32>,
    pub users: Option<u32>,
    /// Calls of all keys together in ten seconds.
    pub requests_per_10s: Option<u32>,
    /// Calls of all keys together in a calendar month, in UTC.
    pub requests_per_month: Option<u64>,
}

impl Plan {
    /// A plan whose record is missing: it has a name, and no features.
    pub fn unknown(name: &str) -> Self {
        let limits = PlanLimits::default();
        Self { name: name.into(), api_access: false, teams: false, multiple_teams: false, limits }
    }
}

/// The three plans that every instance begins with, and the features of each.
pub const FIRST_PLANS: [(&str, &[&str]); 3] = [
    ("free", &[]),
    ("pro", &[API_ACCESS, TEAMS]),
    ("enterprise", &[API_ACCESS, TEAMS, MULTIPLE_TEAMS]),
];

/// The plan of a new organization if no plan is given.
pub const PLAN_DEFAULT: &str = "free";

/// The name of the plan's limit on calls in ten seconds, where limits are listed by name.
pub const PLAN_RATE: &str = "plan";
/// The name of the plan's limit on calls in a month, where limits are listed by name.
pub const PLAN_QUOTA: &str = "plan_quota";

/// The highest value of any plan limit, except calls in a month.
pub const PLAN_LIMIT_MAX: u32 = 1_000_000_000;
/// The longest lifetime of keys that an organization can require, in days.
pub const KEY_LIFETIME_DAYS_MAX: u32 = 3_650;

/// The feature that lets keys work, as errors name it.
pub const API_ACCESS: &str = "api_access";
/// The feature that gives one team.
pub const TEAMS: &str = "teams";
/// The feature that gives more than one team.
pub const MULTIPLE_TEAMS: &str = "multiple_teams";

/// An organization's subscription to its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub plan: Box<str>,
    pub status: SubscriptionStatus,
    /// The end of the current period; [`Moment::NEVER`] for no end.
    pub current_period_end: Moment,
}

/// The state of a subscription's payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionStatus {
    Trialing,
    Active,
    /// Payment is late: access stays until the period ends.
    PastDue,
    Canceled,
}

impl Subscription {
    /// Whether keys pass checks at `now`: the plan has API access (`api_access`), the status is not
    /// canceled, and the period has not ended.
    pub fn gives_access(&self, api_access: bool, now: Moment) -> bool {
        api_access && self.status.gives_access() && now < self.current_period_end
    }
}

/// The text is not a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be trialing, active, past_due or canceled")]
pub struct InvalidSubscriptionStatus;

impl SubscriptionStatus {
    /// Whether a subscription with this status gives access until its period ends.
    pub const fn gives_access(self) -> bool {
        match self {
            Self::Trialing | Self::Active | Self::PastDue => true,
            Self::Canceled => false,
        }
    }

    const NAMES: [(Self, &'static str); 4] = [
        (Self::Trialing, "trialing"),
        (Self::Active, "active"),
        (Self::PastDue, "past_due"),
        (Self::Canceled, "canceled"),
    ];
}

impl fmt::Display for SubscriptionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(status, _)| status == self).map(|(_, name)| *name);
        f.write_str(name.unwrap_or("canceled"))
    }
}

impl FromStr for SubscriptionStatus {
    type Err = InvalidSubscriptionStatus;

    fn from_str(text: &str) -> Result<Self, InvalidSubscriptionStatus> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(status, _)| *status).ok_or(InvalidSubscriptionStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_needs_the_plan_the_status_and_the_period() {
        let end = Moment::from_milliseconds(1_000);
        for (api_access, status, now, access) in [
            (true, "active", 999, true),
            (true, "active", 1_000, false),
            (true, "trialing", 0, true),
            (true, "past_due", 0, true),
            (true, "canceled", 0, false),
            (false, "active", 0, false),
        ] {
            let status = status.parse().unwrap();
            let subscription = Subscription { plan: "any".into(), status, current_period_end: end };
            let gives = subscription.gives_access(api_access, Moment::from_milliseconds(now));
            assert_eq!(gives, access, "{api_access} {status} {now}");
        }
    }
}
