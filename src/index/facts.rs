//! Facts about owners and organizations that checks read.
//!
//! All keys of an owner share the facts about the owner. A change replaces the facts as a whole, so
//! that a change of a role or a plan is one write for any number of keys.
//!
//! An email address identifies a user only if the organization vouches for it and an actor who
//! manages users has confirmed it: see `OrganizationFacts::verified_email`.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::index::list::IndexedList;
use crate::index::live::OrganizationLive;
pub use crate::index::organization_status::{OrganizationBounds, OrganizationStatus};
use crate::index::plan::SharedPlan;
pub use crate::index::right_query::RightQuery;
use crate::index::standing::{RoleKind, UserStatus, UserStatusSlot};
use crate::model::domain::domain_of;
use crate::model::id::{OrganizationId, RoleId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::permission::{Patterns, is_instance};
use crate::model::plan::{Plan, Subscription};
use crate::model::role::{BuiltinRole, Role};
use crate::model::second_factor::RequiredOf;
use crate::records::access::{OrganizationRecord, UserRecord};
use crate::records::rights::{RoleRecord, TeamRecord};

/// A handle to facts that many grants share.
pub type Shared<T> = Arc<ArcSwap<T>>;

/// A user, shared by all of the user's keys.
#[derive(Debug)]
pub struct SharedUser {
    id: UserId,
    standing: UserStatusSlot,
    facts: ArcSwap<UserFacts>,
}

impl SharedUser {
    pub fn new(facts: UserFacts, standing: UserStatusSlot) -> Self {
        standing.store(facts.standing);
        Self { id: facts.id, standing, facts: ArcSwap::from_pointee(facts) }
    }

    pub const fn id(&self) -> UserId {
        self.id
    }

    /// The slot from which checks read the user's status.
    pub fn slot(&self) -> &UserStatusSlot {
        &self.standing
    }

    /// Whether the user's role grants `query`, regardless of operator rights and the organization's
    /// maximum.
    pub(super) fn role_holds(&self, bounds: OrganizationBounds<'_>, query: RightQuery<'_>) -> bool {
        self.facts.load().role.holds(bounds, query)
    }

    pub fn facts(&self) -> Arc<UserFacts> {
        self.facts.load_full()
    }

    /// Replaces the facts, and then the status, which checks read.
    pub fn store(&self, facts: UserFacts) {
        let standing = facts.standing;
        self.facts.store(Arc::new(facts));
        self.standing.store(standing);
    }
}

#[derive(Clone, Debug)]
pub struct UserFacts {
    pub id: UserId,
    pub organization: OrganizationId,
    pub email: String,
    /// Whether the user set the address and no manager of users has confirmed it.
    pub email_unconfirmed: bool,
    pub name: String,
    pub role: HeldRole,
    /// The teams in the user's record. Some of these teams may have been removed.
    pub teams: Arc<[TeamId]>,
    /// The status that checks read.
    pub standing: UserStatus,
}

/// A user's role, with the permissions of a custom role.
#[derive(Clone, Debug)]
pub enum HeldRole {
    /// One of the four built-in roles.
    Builtin(BuiltinRole),
    /// A custom role, shared by all users who have it.
    Custom(Shared<RoleFacts>),
}

/// Facts about a custom role.
#[derive(Clone, Debug)]
pub struct RoleFacts {
    pub id: RoleId,
    pub organization: OrganizationId,
    pub name: String,
    pub permissions: IndexedList,
}

#[derive(Clone, Debug)]
pub struct TeamFacts {
    pub id: TeamId,
    pub organization: OrganizationId,
    pub name: String,
    /// Whether users outside the team cannot see it.
    pub secret: bool,
}

impl From<&TeamRecord> for TeamFacts {
    fn from(record: &TeamRecord) -> Self {
        Self {
            id: record.id,
            organization: record.organization,
            name: record.name.clone(),
            secret: record.secret,
        }
    }
}

impl RoleFacts {
    /// The facts of a role that has no record: it grants nothing.
    pub fn unknown(id: RoleId) -> Self {
        let organization = OrganizationId::default();
        Self { id, organization, name: String::new(), permissions: IndexedList::EMPTY }
    }
}

impl From<&RoleRecord> for RoleFacts {
    fn from(record: &RoleRecord) -> Self {
        let (name, permissions) = (record.name.clone(), (&record.permissions).into());
        Self { id: record.id, organization: record.organization, name, permissions }
    }
}

impl HeldRole {
    /// A custom role with these facts, behind a new handle.
    pub fn of(facts: RoleFacts) -> Self {
        Self::Custom(Arc::new(ArcSwap::from_pointee(facts)))
    }

    /// The role as records and the API name it.
    pub fn role(&self) -> Role {
        match self {
            Self::Builtin(role) => Role::Builtin(*role),
            Self::Custom(role) => Role::Custom(role.load().id),
        }
    }

    /// Whether the role grants `query`, regardless of operator rights and the organization's maximum.
    fn holds(&self, bounds: OrganizationBounds<'_>, query: RightQuery<'_>) -> bool {
        match self {
            Self::Builtin(role) => query.of(role.patterns(bounds.members_create_keys)),
            Self::Custom(role) => role.load().permissions.holds(query),
        }
    }

    /// The role's permissions; `members_create_keys` is the setting of the organization.
    pub fn patterns(&self, members_create_keys: bool) -> Patterns {
        match self {
            Self::Builtin(role) => Patterns::from(role.patterns(members_create_keys)),
            Self::Custom(role) => role.load().permissions.as_set().into(),
        }
    }

    fn rank(&self) -> RoleKind {
        match self {
            Self::Builtin(role) => RoleKind::Builtin(*role),
            Self::Custom(_) => RoleKind::Custom,
        }
    }
}

/// Facts about an organization that checks read.
#[expect(clippy::struct_excessive_bools, reason = "three independent facts, each true or false")]
#[derive(Clone, Debug)]
pub struct OrganizationFacts {
    pub id: OrganizationId,
    pub name: String,
    /// Whether operators suspended the organization, or it has no record.
    pub suspended: bool,
    /// The maximum of the organization's keys, which limits permissions outside `keyhouse:`.
    pub ceiling: IndexedList,
    /// Whether users with the role `user` may create personal keys.
    pub members_create_keys: bool,
    /// The longest lifetime of a key in days; `None` for no limit.
    pub key_lifetime_days_max: Option<u32>,
    /// Counters of the organization's calls. The handle stays the same while the organization
    /// exists.
    pub live: Arc<OrganizationLive>,
    pub plan: Arc<SharedPlan>,
    /// The organization's subscription to its plan.
    pub subscription: Subscription,
    /// Whether this is the first organization of the instance, to which the operators belong.
    pub founding: bool,
    /// The email domains that operators assigned to the organization, sorted.
    pub domains: Arc<[Box<str>]>,
    /// The roles whose holders need a second factor.
    pub second_factor_required_of: Arc<[RequiredOf]>,
}

impl UserStatus {
    /// Whether `user`, who has this status, is granted `query` in their organization.
    ///
    /// Only operators hold `keyhouse:instance:`; no role grants it.
    pub fn holds(
        self,
        user: &SharedUser,
        bounds: OrganizationBounds<'_>,
        query: RightQuery<'_>,
    ) -> bool {
        if is_instance(query.text()) {
            return self.operator;
        }
        let by_role = match self.role {
            RoleKind::Builtin(role) => query.of(role.patterns(bounds.members_create_keys)),
            RoleKind::Custom => user.role_holds(bounds, query),
        };
        by_role && bounds.admits(query)
    }
}

impl UserFacts {
    /// The facts of a user that has no record: disabled and without permissions.
    pub fn unknown(id: UserId) -> Self {
        Self {
            id,
            organization: OrganizationId::default(),
            email: String::new(),
            email_unconfirmed: false,
            name: String::new(),
            role: HeldRole::Builtin(BuiltinRole::Guest),
            teams: Arc::default(),
            standing: UserStatus {
                role: RoleKind::Builtin(BuiltinRole::Guest),
                operator: false,
                disabled: true,
            },
        }
    }

    /// The facts of a record; `role` is the handle to the record's role.
    pub fn new(record: &UserRecord, role: HeldRole) -> Self {
        let (operator, disabled) = (record.operator, record.disabled);
        let standing = UserStatus { role: role.rank(), operator, disabled };
        Self {
            id: record.id,
            organization: record.organization,
            email: record.email.clone(),
            email_unconfirmed: record.email_unconfirmed,
            name: record.name.clone(),
            teams: record.teams.as_slice().into(),
            role,
            standing,
        }
    }

    /// Whether the user's current role grants `query`.
    pub fn holds(&self, organization: &OrganizationFacts, query: RightQuery<'_>) -> bool {
        if is_instance(query.text()) {
            return self.standing.operator;
        }
        let bounds = organization.bounds();
        self.role.holds(bounds, query) && bounds.admits(query)
    }

    /// Whether the user is an owner.
    pub fn is_owner(&self) -> bool {
        self.role.role().is_owner()
    }
}

impl OrganizationFacts {
    /// The facts of an organization that has no record: it is suspended.
    pub fn unknown(id: OrganizationId) -> Self {
        let plan = SharedPlan::new(Plan::unknown(""));
        let subscription = Subscription {
            plan: "".into(),
            status: crate::model::plan::SubscriptionStatus::Canceled,
            current_period_end: Moment::BEGINNING,
        };
        Self {
            id,
            name: String::new(),
            suspended: true,
            ceiling: IndexedList::EMPTY,
            members_create_keys: false,
            key_lifetime_days_max: None,
            live: Arc::new(OrganizationLive::new(id, Arc::default())),
            plan,
            subscription,
            founding: false,
            domains: Arc::default(),
            second_factor_required_of: Arc::default(),
        }
    }

    /// The facts of a record; `plan` is the handle to the record's plan.
    pub fn new(
        record: &OrganizationRecord,
        plan: Arc<SharedPlan>,
        live: Arc<OrganizationLive>,
    ) -> Self {
        Self {
            id: record.id,
            name: record.name.clone(),
            suspended: record.suspended,
            ceiling: (&record.ceiling).into(),
            members_create_keys: record.members_create_keys,
            key_lifetime_days_max: record.key_lifetime_days_max,
            live,
            plan,
            subscription: record.subscription(),
            founding: false,
            domains: record.domains.as_slice().into(),
            second_factor_required_of: record.second_factor_required_of.as_slice().into(),
        }
    }

    /// The limits of the organization on the permissions of its users and keys.
    pub const fn bounds(&self) -> OrganizationBounds<'_> {
        OrganizationBounds {
            members_create_keys: self.members_create_keys,
            ceiling: Some(&self.ceiling),
        }
    }

    /// The part of the facts that a check reads.
    pub fn status(&self) -> OrganizationStatus<'_> {
        let paid = self.subscription.status.gives_access();
        let ends = if paid { self.subscription.current_period_end } else { Moment::BEGINNING };
        OrganizationStatus {
            id: self.id,
            suspended: self.suspended,
            access_ends: ends,
            bounds: self.bounds(),
            plan: &self.plan,
        }
    }

    /// Whether the organization vouches for an address. The first organization vouches for every
    /// address. Another organization vouches for addresses whose domain is exactly one that
    /// operators assigned to it.
    pub fn vouches_for(&self, email: &str) -> bool {
        let is_own =
            |domain: &str| self.domains.binary_search_by(|own| (**own).cmp(domain)).is_ok();
        self.founding || domain_of(email).is_some_and(is_own)
    }

    /// The user's address if it is verified: a manager of users set or confirmed it, and this
    /// organization vouches for it.
    pub fn verified_email<'a>(&self, user: &'a UserFacts) -> Option<&'a str> {
        let counts = !user.email_unconfirmed && self.vouches_for(&user.email);
        counts.then_some(user.email.as_str())
    }

    /// Whether the plan and the subscription give API access at `now`.
    pub fn has_access(&self, now: Moment) -> bool {
        self.subscription.gives_access(self.plan.gives_api_access(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::permission::PatternSet;

    #[test]
    fn an_unknown_user_has_no_permissions() {
        let user = UserFacts::unknown(UserId::default());
        let organization = OrganizationFacts::unknown(OrganizationId::default());
        for text in ["a:b", "keyhouse:keys:read", "keyhouse:instance:manage"] {
            assert!(!user.holds(&organization, RightQuery::Permission(text)), "{text}");
        }
        assert!(!organization.has_access(Moment::BEGINNING));
    }

    #[test]
    fn an_organization_vouches_for_its_domains_by_their_exact_names() {
        let mut organization = OrganizationFacts::unknown(OrganizationId::default());
        organization.domains = ["acme.example", "b.example"].map(Into::into).to_vec().into();
        let mut user = UserFacts::unknown(UserId::default());
        for (email, counts) in [
            ("ada@acme.example", true),
            ("ada@b.example", true),
            ("ada@c.example", false),
            ("ada@sub.acme.example", false),
            ("ada@example", false),
            ("", false),
        ] {
            email.clone_into(&mut user.email);
            assert_eq!(organization.verified_email(&user), counts.then_some(email), "{email}");
        }
        organization.founding = true;
        "ada@c.example".clone_into(&mut user.email);
        assert_eq!(organization.verified_email(&user), Some("ada@c.example"));
        user.email_unconfirmed = true;
        assert_eq!(organization.verified_email(&user), None);
    }

    #[test]
    fn the_ceiling_bounds_all_but_management_and_operators_alone_have_the_instance() {
        let mut organization = OrganizationFacts::unknown(OrganizationId::default());
        organization.ceiling = PatternSet::trusted("diagrams:*").into();
        let mut user = UserFacts::unknown(UserId::default());
        user.role = HeldRole::Builtin(BuiltinRole::Owner);
        for (query, held) in [
            (RightQuery::Permission("diagrams:read"), true),
            (RightQuery::Permission("files:read"), false),
            (RightQuery::Permission("keyhouse:keys:manage"), true),
            (RightQuery::Permission("keyhouse:instance:manage"), false),
            (RightQuery::Pattern("*"), false),
            (RightQuery::Pattern("diagrams:*"), true),
            (RightQuery::Pattern("keyhouse:*"), true),
            (RightQuery::Pattern("keyhouse:instance:*"), false),
        ] {
            assert_eq!(user.holds(&organization, query), held, "{query:?}");
        }
        user.standing.operator = true;
        assert!(user.holds(&organization, RightQuery::Pattern("keyhouse:instance:*")));
    }
}
