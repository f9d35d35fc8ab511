//! The records of who has access: organizations, users, plans, sessions, the setup link.

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
use crate::records::notice::Notices;
use crate::records::place::Place;
use crate::records::{Record, text};

/// An organization as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationRecord {
    /// Its id; part of the place.
    #[serde(skip)]
    pub id: OrganizationId,
    /// Its name.
    #[serde(rename = "n")]
    pub name: String,
    /// Whether operators stopped it.
    #[serde(rename = "off", default)]
    pub suspended: bool,
    /// The ceiling of what its keys may be granted outside `keyhouse:`.
    #[serde(rename = "p", with = "text")]
    pub ceiling: Patterns,
    /// Whether plain users may make personal keys.
    #[serde(rename = "mk")]
    pub members_create_keys: bool,
    /// The longest a key may last, in days, where administrators bound it.
    #[serde(rename = "kd", default, skip_serializing_if = "Option::is_none")]
    pub key_lifetime_days_max: Option<u32>,
    /// The e-mail domains that operators assigned to it, in order.
    #[serde(rename = "dm", default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<Box<str>>,
    /// Whom it requires a second factor of.
    #[serde(rename = "sf", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub second_factor_required_of: Vec<RequiredOf>,
    /// The plan's name.
    #[serde(rename = "pl")]
    pub plan: Box<str>,
    /// How it is paid.
    #[serde(rename = "st", with = "text")]
    pub status: SubscriptionStatus,
    /// When the subscription ends; none for no end.
    #[serde(rename = "pe", default, with = "text::moment::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_period_end: Option<Moment>,
    /// When it was made.
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// Counts its changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

impl OrganizationRecord {
    /// How it stands with its plan.
    pub fn subscription(&self) -> Subscription {
        Subscription {
            plan: self.plan.clone(),
            status: self.status,
            current_period_end: self.current_period_end.unwrap_or(Moment::NEVER),
        }
    }
}

/// A user as it is stored.
#[expect(clippy::struct_excessive_bools, reason = "three facts, each so or not")]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecord {
    /// The id; part of the place.
    #[serde(skip)]
    pub id: UserId,
    /// Whose user it is.
    #[serde(rename = "g", with = "text")]
    pub organization: OrganizationId,
    /// The address, in its one form.
    #[serde(rename = "e")]
    pub email: String,
    /// Whether the user set the address without anybody in charge of users: nobody vouches for it.
    #[serde(rename = "eu", default, skip_serializing_if = "std::ops::Not::not")]
    pub email_unconfirmed: bool,
    /// The name.
    #[serde(rename = "n")]
    pub name: String,
    /// Argon2id of the password, as a PHC string.
    #[serde(rename = "pw")]
    pub password: String,
    /// The role.
    #[serde(rename = "r", with = "text")]
    pub role: Role,
    /// Whether the user runs the instance.
    #[serde(rename = "op", default)]
    pub operator: bool,
    /// Whether the user is stopped.
    #[serde(rename = "off", default)]
    pub disabled: bool,
    /// The teams; some may not be there any more.
    #[serde(rename = "t", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<TeamId>,
    /// The language of the page for this user: en, fr or es; none for the browser's.
    #[serde(rename = "lc", default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Box<str>>,
    /// What others did to the account, until its user has seen it.
    #[serde(rename = "nt", default, skip_serializing_if = "Notices::is_empty")]
    pub notices: Notices,
    /// Counts the passwords; a device cookie names the count that it was issued under.
    #[serde(rename = "pc", default, skip_serializing_if = "is_zero")]
    pub password_changes: u32,
    /// When it was made.
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// Counts its changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

impl UserRecord {
    /// Sets another password. Device cookies that were issued before are not accepted any more.
    pub fn set_password(&mut self, hash: &str) {
        hash.clone_into(&mut self.password);
        self.password_changes = self.password_changes.wrapping_add(1);
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference to the field")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl std::fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRecord").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whose an e-mail address is in an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailRecord {
    /// The user.
    #[serde(rename = "u", with = "text")]
    pub user: UserId,
}

/// The organization that an e-mail domain is assigned to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainRecord {
    /// The organization.
    #[serde(rename = "g", with = "text")]
    pub organization: OrganizationId,
}

/// A plan as it is stored.
#[expect(clippy::struct_excessive_bools, reason = "three features, each given or not")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRecord {
    /// Its name; the place.
    #[serde(skip)]
    pub name: Box<str>,
    /// Whether keys work.
    #[serde(rename = "api")]
    pub api_access: bool,
    /// Whether there are teams.
    #[serde(rename = "t", default)]
    pub teams: bool,
    /// Whether there may be several.
    #[serde(rename = "mt", default)]
    pub multiple_teams: bool,
    /// Most personal keys of a user.
    #[serde(rename = "ku", default, skip_serializing_if = "Option::is_none")]
    pub keys_per_user: Option<u32>,
    /// Most keys.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<u32>,
    /// Most users.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// Most calls in ten seconds.
    #[serde(rename = "rs", default, skip_serializing_if = "Option::is_none")]
    pub requests_per_10s: Option<u32>,
    /// Most calls in a month.
    #[serde(rename = "rm", default, skip_serializing_if = "Option::is_none")]
    pub requests_per_month: Option<u64>,
    /// Counts its changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

impl PlanRecord {
    /// A plan that gives these features, by their names, without limits.
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

/// Counts the keys that were made under a plan's limit: guards that the last place is taken once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysMadeRecord {
    /// How many times.
    #[serde(rename = "n")]
    pub times: u64,
}

/// A browser's session as it is stored, under the digest of its cookie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRecord {
    /// The name under which its user sees it.
    #[serde(rename = "i", with = "text")]
    pub id: SessionId,
    /// Whose.
    #[serde(rename = "u", with = "text")]
    pub user: UserId,
    /// When it began.
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// When it was last seen; written once a minute at most.
    #[serde(rename = "s", with = "text::moment")]
    pub seen_at: Moment,
    /// Whether its user showed a code of a second factor, at sign-in or since.
    #[serde(rename = "sf", default, skip_serializing_if = "std::ops::Not::not")]
    pub second_factor: bool,
    /// From which address it began.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// In which program, as it named itself, cut to [`BROWSER_BYTES_MAX`].
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Box<str>>,
}

/// Longest name of a session's program that is kept, in bytes: browsers name themselves at the end.
pub const BROWSER_BYTES_MAX: usize = 256;
impl SessionRecord {
    /// When it ends unless it is seen again, and in any case.
    pub fn ends_at(&self, times: SessionTimes) -> Moment {
        let idle_end = self.seen_at.after(times.idle());
        idle_end.min(self.created_at.after(times.absolute()))
    }

    /// How long it can go on at all.
    pub fn lifetime_left(&self, times: SessionTimes, now: Moment) -> Duration {
        self.created_at.after(times.absolute()).since(now)
    }
}

/// That the first organization was made: the operators' own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundedRecord {
    /// Which one it is.
    #[serde(rename = "g", with = "text")]
    pub organization: OrganizationId,
}

/// The sessions of a user, the oldest first: what bounds their number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsRecord {
    /// The digests of their cookies.
    #[serde(rename = "b", with = "text::list")]
    pub digests: Vec<Digest>,
}

/// The one-time link of the first start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupRecord {
    /// Digest of the token.
    #[serde(rename = "b", with = "text")]
    pub digest: Digest,
    /// When the link ends.
    #[serde(rename = "x", with = "text::moment")]
    pub ends_at: Moment,
}

impl Record for OrganizationRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::Organization(id) = place {
            self.id = *id;
        }
    }
}

impl Record for UserRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::User(id) = place {
            self.id = *id;
        }
    }
}

impl Record for PlanRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::Plan(name) = place {
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
