//! The records of organizations, users, plans, sessions and the setup link.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::id::{OrganizationId, SessionId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::model::plan::{
    API_ACCESS, MULTIPLE_TEAMS, Plan, PlanLimits, Subscription, SubscriptionStatus, TEAMS,
};
use crate::model::role::Role;
use crate::model::second_factor::RequiredOf;
use crate::model::secret::Digest;
use crate::model::session_times::SessionTimes;
use crate::records::codec::Record;
use crate::records::notice::Notices;
use crate::records::place::StoreKey;
use crate::records::text;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationRecord {
    /// The id, stored in the row key.
    #[serde(skip)]
    pub id: OrganizationId,
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "off", default)]
    pub suspended: bool,
    /// The maximum of the organization's keys, which limits permissions outside `keyhouse:`.
    #[serde(rename = "p", with = "text")]
    pub ceiling: Patterns,
    /// Whether users with the role `user` may create personal keys.
    #[serde(rename = "mk")]
    pub members_create_keys: bool,
    /// Maximum lifetime of a key in days, if administrators set one.
    #[serde(rename = "kd", default, skip_serializing_if = "Option::is_none")]
    pub key_lifetime_days_max: Option<u32>,
    /// The email domains that operators assigned to the organization, sorted.
    #[serde(rename = "dm", default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<Box<str>>,
    /// The roles whose holders must have a second factor. An entry may also mean all
    /// operators.
    #[serde(rename = "sf", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub second_factor_required_of: Vec<RequiredOf>,
    #[serde(rename = "pl")]
    pub plan: Box<str>,
    /// The payment status of the subscription.
    #[serde(rename = "st", with = "text")]
    pub status: SubscriptionStatus,
    /// The end of the subscription's current period. `None` for no end.
    #[serde(rename = "pe", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_period_end: Option<Moment>,
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// The version: number of changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

impl OrganizationRecord {
    /// Returns the record of a new organization. Only the plan differs between new organizations.
    pub fn new(id: OrganizationId, name: String, plan: &str, now: Moment) -> Self {
        Self {
            id,
            name,
            suspended: false,
            ceiling: Patterns::everything(),
            members_create_keys: true,
            key_lifetime_days_max: None,
            domains: Vec::new(),
            second_factor_required_of: Vec::new(),
            plan: plan.into(),
            status: SubscriptionStatus::Active,
            current_period_end: None,
            created_at: now,
            version: 1,
        }
    }

    pub fn subscription(&self) -> Subscription {
        Subscription {
            plan: self.plan.clone(),
            status: self.status,
            current_period_end: self.current_period_end.unwrap_or(Moment::NEVER),
        }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "three independent facts, each true or false")]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecord {
    /// The id, stored in the row key.
    #[serde(skip)]
    pub id: UserId,
    #[serde(rename = "g", with = "text")]
    pub organization: OrganizationId,
    /// The email address in normalized form.
    #[serde(rename = "e")]
    pub email: String,
    /// Whether the user set this address without a user manager. Such an address is unconfirmed.
    #[serde(rename = "eu", default, skip_serializing_if = "std::ops::Not::not")]
    pub email_unconfirmed: bool,
    #[serde(rename = "n")]
    pub name: String,
    /// Argon2id hash of the password, as a PHC string.
    #[serde(rename = "pw")]
    pub password: String,
    #[serde(rename = "r", with = "text")]
    pub role: Role,
    /// Whether the user is an operator of the instance.
    #[serde(rename = "op", default)]
    pub operator: bool,
    #[serde(rename = "off", default)]
    pub disabled: bool,
    /// The teams. Some of these teams may no longer exist.
    #[serde(rename = "t", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<TeamId>,
    /// The language of the page for this user: en, fr or es. `None` uses the browser's language.
    #[serde(rename = "lc", default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Box<str>>,
    /// Changes that others made to the account, until the user has seen them.
    #[serde(rename = "nt", default, skip_serializing_if = "Notices::is_empty")]
    pub notices: Notices,
    /// Number of passwords set so far. A device cookie is bound to the number at its creation.
    #[serde(rename = "pc", default, skip_serializing_if = "is_zero")]
    pub password_changes: u32,
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// The version: number of changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

impl UserRecord {
    /// Sets a new password. Device cookies from before the change are no longer accepted.
    pub fn set_password(&mut self, hash: &str) {
        hash.clone_into(&mut self.password);
        self.password_changes = self.password_changes.wrapping_add(1);
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl std::fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRecord").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The user of an email address in an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailRecord {
    #[serde(rename = "u", with = "text")]
    pub user: UserId,
}

/// The organization that an email domain is assigned to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainRecord {
    #[serde(rename = "g", with = "text")]
    pub organization: OrganizationId,
}

#[expect(clippy::struct_excessive_bools, reason = "three independent features, each true or false")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRecord {
    /// The name, stored in the row key.
    #[serde(skip)]
    pub name: Box<str>,
    /// Whether the organization's keys pass checks.
    #[serde(rename = "api")]
    pub api_access: bool,
    /// Whether the organization has teams.
    #[serde(rename = "t", default)]
    pub teams: bool,
    /// Whether the organization may have more than one team.
    #[serde(rename = "mt", default)]
    pub multiple_teams: bool,
    /// Maximum number of personal keys per user.
    #[serde(rename = "ku", default, skip_serializing_if = "Option::is_none")]
    pub keys_per_user: Option<u32>,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<u32>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// Maximum number of calls in ten seconds.
    #[serde(rename = "rs", default, skip_serializing_if = "Option::is_none")]
    pub requests_per_10s: Option<u32>,
    /// Maximum number of calls in a month.
    #[serde(rename = "rm", default, skip_serializing_if = "Option::is_none")]
    pub requests_per_month: Option<u64>,
    /// The version: number of changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

impl PlanRecord {
    /// Returns a plan with the named features and without limits.
    pub fn unlimited(name: &str, features: &[&str]) -> Self {
        Self {
            name: name.into(),
            api_access: features.contains(&API_ACCESS),
            teams: features.contains(&TEAMS),
            multiple_teams: features.contains(&MULTIPLE_TEAMS),
            keys_per_user: None,
            keys: None,
            users: None,
            requests_per_10s: None,
            requests_per_month: None,
            version: 1,
        }
    }
}

impl From<&PlanRecord> for Plan {
    fn from(record: &PlanRecord) -> Self {
        Self {
            name: record.name.clone(),
            api_access: record.api_access,
            teams: record.teams,
            multiple_teams: record.multiple_teams,
            limits: PlanLimits {
                keys_per_user: record.keys_per_user,
                keys: record.keys,
                users: record.users,
                requests_per_10s: record.requests_per_10s,
                requests_per_month: record.requests_per_month,
            },
        }
    }
}

/// Counts the keys that were created under a plan's limit. The guard on this row ensures that two
/// concurrent changes never exceed the limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysMadeRecord {
    #[serde(rename = "n")]
    pub times: u64,
}

/// A browser session as it is stored, under the digest of its cookie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRecord {
    /// The id that the API shows to the user.
    #[serde(rename = "i", with = "text")]
    pub id: SessionId,
    #[serde(rename = "u", with = "text")]
    pub user: UserId,
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// When the session was last used. Written at most once a minute.
    #[serde(rename = "s", with = "text::moment")]
    pub seen_at: Moment,
    /// Whether the user entered a code of a second factor, at sign-in or later.
    #[serde(rename = "sf", default, skip_serializing_if = "std::ops::Not::not")]
    pub second_factor: bool,
    /// When the user last entered the password or a code after the sign-in. `None` if never.
    #[serde(rename = "p", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<Moment>,
    /// The address from which the user signed in.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The browser's user agent, cut to [`BROWSER_BYTES_MAX`].
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Box<str>>,
}

/// Maximum stored length of a user agent in bytes. The limit is high, since browsers put their name
/// at the end.
pub const BROWSER_BYTES_MAX: usize = 256;
impl SessionRecord {
    /// When the session ends if it is not used again: after the idle time, at most after the
    /// absolute time.
    pub fn ends_at(&self, times: SessionTimes) -> Moment {
        let idle_end = self.seen_at.after(times.idle());
        idle_end.min(self.created_at.after(times.absolute()))
    }

    /// When the user last entered the password or a code, at the sign-in or later.
    pub fn proven_at(&self) -> Moment {
        self.proven_at.unwrap_or(self.created_at)
    }

    /// The time until the session ends in any case.
    pub fn lifetime_left(&self, times: SessionTimes, now: Moment) -> Duration {
        self.created_at.after(times.absolute()).since(now)
    }
}

/// Marks that the first organization was created: the operators' organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundedRecord {
    #[serde(rename = "g", with = "text")]
    pub organization: OrganizationId,
}

/// The sessions of a user, the oldest first. The length of this list is limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsRecord {
    /// The digests of the session cookies.
    #[serde(rename = "b", with = "text::list")]
    pub digests: Vec<Digest>,
}

/// The one-time link of the first start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupRecord {
    #[serde(rename = "b", with = "text")]
    pub digest: Digest,
    #[serde(rename = "x", with = "text::moment")]
    pub ends_at: Moment,
}

impl Record for OrganizationRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Organization(id) = place {
            self.id = *id;
        }
    }
}

impl Record for UserRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::User(id) = place {
            self.id = *id;
        }
    }
}

impl Record for PlanRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Plan(name) = place {
            self.name.clone_from(name);
        }
    }
}

impl Record for DomainRecord {}
impl Record for EmailRecord {}
impl Record for FoundedRecord {}
impl Record for KeysMadeRecord {}
impl Record for SessionRecord {}
impl Record for SessionsRecord {}
impl Record for SetupRecord {}
