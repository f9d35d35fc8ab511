//! What deciding needs to know of a key's owner and organization: shared by all their keys, and
//! swapped whole, so that a change of role or plan is one write however many keys there are.
//!
//! An e-mail address identifies a user only where the organization vouches for it, and once an actor
//! that manages users has confirmed it: see `OrganizationFacts::verified_email`.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::index::list::List;
use crate::index::live::OrganizationLive;
use crate::index::plan::PlanFacts;
use crate::index::standing::{Rank, Standing, StandingSlot};
use crate::model::domain::domain_of;
use crate::model::id::{OrganizationId, RoleId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::permission::{PatternSet, Patterns, is_instance, is_own};
use crate::model::plan::{Plan, Subscription};
use crate::model::role::{BuiltinRole, Role};
use crate::model::second_factor::RequiredOf;
use crate::records::access::{OrganizationRecord, UserRecord};
use crate::records::rights::{RoleRecord, TeamRecord};

/// Facts behind a handle that many grants share.
pub type Shared<T> = Arc<ArcSwap<T>>;

/// A user as all their keys share them.
#[derive(Debug)]
pub struct SharedUser {
    standing: StandingSlot,
    facts: ArcSwap<UserFacts>,
}

impl SharedUser {
    /// A user with these facts.
    pub fn new(facts: UserFacts, standing: StandingSlot) -> Self {
        standing.store(facts.standing);
        Self { standing, facts: ArcSwap::from_pointee(facts) }
    }

    /// Where decisions find the user's standing.
    pub fn slot(&self) -> &StandingSlot {
        &self.standing
    }

    /// Whether the user's role holds what is asked; being operator and the ceiling aside.
    pub(super) fn role_holds(&self, organization: &OrganizationFacts, ask: Ask<'_>) -> bool {
        self.facts.load().role.holds(organization, ask)
    }

    /// All that is known.
    pub fn facts(&self) -> Arc<UserFacts> {
        self.facts.load_full()
    }

    /// Takes new facts over. Decisions go by the standing, which is one store.
    pub fn store(&self, facts: UserFacts) {
        let standing = facts.standing;
        self.facts.store(Arc::new(facts));
        self.standing.store(standing);
    }
}

/// What is known of a user.
#[derive(Clone, Debug)]
pub struct UserFacts {
    /// The user.
    pub id: UserId,
    /// Whose user it is.
    pub organization: OrganizationId,
    /// The address.
    pub email: String,
    /// Whether the user set it, and nobody in charge of users has confirmed it.
    pub email_unconfirmed: bool,
    /// The name.
    pub name: String,
    /// The role.
    pub role: HeldRole,
    /// The teams, as the record names them: some may not be there any more.
    pub teams: Arc<[TeamId]>,
    /// What a decision goes by.
    pub standing: Standing,
}

/// A user's role, with what a custom one holds.
#[derive(Clone, Debug)]
pub enum HeldRole {
    /// One of the four.
    Builtin(BuiltinRole),
    /// A custom one, shared by all who have it.
    Custom(Shared<RoleFacts>),
}

/// What is known of a custom role.
#[derive(Clone, Debug)]
pub struct RoleFacts {
    /// The role.
    pub id: RoleId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The name.
    pub name: String,
    /// What it holds.
    pub permissions: List,
}

/// What is known of a team.
#[derive(Clone, Debug)]
pub struct TeamFacts {
    /// The team.
    pub id: TeamId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The name.
    pub name: String,
    /// Whether it does not exist for those outside.
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
    /// What is known of a role before, or after, there is a record: it holds nothing.
    pub fn unknown(id: RoleId) -> Self {
        let organization = OrganizationId::default();
        Self { id, organization, name: String::new(), permissions: List::EMPTY }
    }
}

impl From<&RoleRecord> for RoleFacts {
    fn from(record: &RoleRecord) -> Self {
        let (name, permissions) = (record.name.clone(), (&record.permissions).into());
        Self { id: record.id, organization: record.organization, name, permissions }
    }
}

impl HeldRole {
    /// A custom role with these facts, which nobody else shares.
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

    /// Whether the role holds what is asked; being operator and the ceiling aside.
    fn holds(&self, organization: &OrganizationFacts, ask: Ask<'_>) -> bool {
        match self {
            Self::Builtin(role) => ask.of(role.patterns(organization.members_create_keys)),
            Self::Custom(role) => role.load().permissions.holds(ask),
        }
    }

    /// What the role holds, where `members_create_keys` is the organization's switch.
    pub fn patterns(&self, members_create_keys: bool) -> Patterns {
        match self {
            Self::Builtin(role) => Patterns::from(role.patterns(members_create_keys)),
            Self::Custom(role) => role.load().permissions.as_set().into(),
        }
    }

    fn rank(&self) -> Rank {
        match self {
            Self::Builtin(role) => Rank::Builtin(*role),
            Self::Custom(_) => Rank::Custom,
        }
    }
}

/// What a decision needs of an organization.
#[expect(clippy::struct_excessive_bools, reason = "three facts, each so or not")]
#[derive(Clone, Debug)]
pub struct OrganizationFacts {
    /// The organization.
    pub id: OrganizationId,
    /// The name.
    pub name: String,
    /// Whether operators stopped it, or it is not known at all.
    pub suspended: bool,
    /// The ceiling of what its keys may be granted outside `keyhouse:`.
    pub ceiling: List,
    /// Whether plain users may make personal keys.
    pub members_create_keys: bool,
    /// The longest a key may last, in days; `None` for no bound.
    pub key_lifetime_days_max: Option<u32>,
    /// What its calls leave behind; the same for as long as the organization is known.
    pub live: Arc<OrganizationLive>,
    /// Handle to its plan.
    pub plan: Shared<PlanFacts>,
    /// How it stands with that plan.
    pub subscription: Subscription,
    /// Whether it is the operators' own, the first of the instance.
    pub founding: bool,
    /// The e-mail domains that operators assigned to it, in order.
    pub domains: Arc<[Box<str>]>,
    /// Whom it requires a second factor of.
    pub second_factor_required_of: Arc<[RequiredOf]>,
}

/// The question put to a set of patterns: about one permission, or about all that a pattern grants.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// Is this permission granted?
    Permission(&'a str),
    /// Is all that this pattern grants granted?
    Pattern(&'a str),
}

impl<'a> Ask<'a> {
    /// The text asked about.
    pub fn text(self) -> &'a str {
        match self {
            Self::Permission(text) | Self::Pattern(text) => text,
        }
    }

    /// The answer of a set of patterns.
    pub fn of(self, patterns: PatternSet<'_>) -> bool {
        match self {
            Self::Permission(permission) => patterns.grants(permission),
            Self::Pattern(pattern) => patterns.covers(pattern),
        }
    }
}

impl UserFacts {
    /// What is known of a user before, or after, there is a record: nobody.
    pub fn unknown(id: UserId) -> Self {
        Self {
            id,
            organization: OrganizationId::default(),
            email: String::new(),
            email_unconfirmed: false,
            name: String::new(),
            role: HeldRole::Builtin(BuiltinRole::Guest),
            teams: Arc::default(),
            standing: Standing {
                role: Rank::Builtin(BuiltinRole::Guest),
                operator: false,
                disabled: true,
            },
        }
    }

    /// The facts of a record; `role` is the handle to what it names.
    pub fn new(record: &UserRecord, role: HeldRole) -> Self {
        let (operator, disabled) = (record.operator, record.disabled);
        let standing = Standing { role: role.rank(), operator, disabled };
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

    /// Whether the user holds what is asked, today.
    pub fn holds(&self, organization: &OrganizationFacts, ask: Ask<'_>) -> bool {
        if is_instance(ask.text()) {
            return self.standing.operator;
        }
        self.role.holds(organization, ask) && organization.admits(ask)
    }

    /// Whether the user is an owner.
    pub fn is_owner(&self) -> bool {
        self.role.role().is_owner()
    }
}

impl OrganizationFacts {
    /// What is known of an organization before, or after, there is a record: it is stopped.
    pub fn unknown(id: OrganizationId) -> Self {
        let plan = PlanFacts::shared(Plan::unknown(""));
        let subscription = Subscription {
            plan: "".into(),
            status: crate::model::plan::SubscriptionStatus::Canceled,
            current_period_end: Moment::BEGINNING,
        };
        Self {
            id,
            name: String::new(),
            suspended: true,
            ceiling: List::EMPTY,
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

    /// The facts of a record; `plan` is the handle to what it names.
    pub fn new(
        record: &OrganizationRecord,
        plan: Shared<PlanFacts>,
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

    /// Whether the ceiling lets a key of this organization have what is asked.
    ///
    /// The ceiling is about protected APIs. Management is bounded by roles alone: under the default
    /// ceiling `*`, which like every wildcard stops before `keyhouse:`, nobody could manage.
    pub fn admits(&self, ask: Ask<'_>) -> bool {
        is_own(ask.text()) || self.ceiling.holds(ask)
    }

    /// Whether the organization vouches for an address. The operators' own vouches for every one
    /// that its owners let in; another one for addresses within the domains that operators assigned
    /// to it, by their exact names.
    pub fn vouches_for(&self, email: &str) -> bool {
        let is_own =
            |domain: &str| self.domains.binary_search_by(|own| (**own).cmp(domain)).is_ok();
        self.founding || domain_of(email).is_some_and(is_own)
    }

    /// The address of a user of this organization, where it is one that counts as theirs: set by
    /// those in charge of users, and vouched for.
    pub fn verified_email<'a>(&self, user: &'a UserFacts) -> Option<&'a str> {
        let counts = !user.email_unconfirmed && self.vouches_for(&user.email);
        counts.then_some(user.email.as_str())
    }

    /// Whether keys work at `now`.
    pub fn has_access(&self, now: Moment) -> bool {
        self.subscription.gives_access(&self.plan.load().plan, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_unknown_holds_anything() {
        let user = UserFacts::unknown(UserId::default());
        let organization = OrganizationFacts::unknown(OrganizationId::default());
        for text in ["a:b", "keyhouse:keys:read", "keyhouse:instance:manage"] {
            assert!(!user.holds(&organization, Ask::Permission(text)), "{text}");
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
        for (ask, held) in [
            (Ask::Permission("diagrams:read"), true),
            (Ask::Permission("files:read"), false),
            (Ask::Permission("keyhouse:keys:manage"), true),
            (Ask::Permission("keyhouse:instance:manage"), false),
            (Ask::Pattern("*"), false),
            (Ask::Pattern("diagrams:*"), true),
            (Ask::Pattern("keyhouse:*"), true),
            (Ask::Pattern("keyhouse:instance:*"), false),
        ] {
            assert_eq!(user.holds(&organization, ask), held, "{ask:?}");
        }
        user.standing.operator = true;
        assert!(user.holds(&organization, Ask::Pattern("keyhouse:instance:*")));
    }
}
