//! What deciding needs to know of a key's owner and organization: shared by all their keys, and
//! swapped whole, so that a change of role or plan is one write however many keys there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::ArcSwap;

use crate::model::id::{OrganizationId, UserId};
use crate::model::moment::Moment;
use crate::model::permission::{PatternSet, Patterns, is_instance, is_own};
use crate::model::plan::{Plan, Subscription};
use crate::model::role::BuiltinRole;
use crate::records::access::{OrganizationRecord, PlanRecord, UserRecord};

/// Facts behind a handle that many grants share.
pub type Shared<T> = Arc<ArcSwap<T>>;

/// What a decision needs of a user: little enough to be swapped as one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The role today.
    pub role: BuiltinRole,
    /// Whether the user runs the instance.
    pub operator: bool,
    /// Whether the user is stopped, or not known at all.
    pub disabled: bool,
}

/// How many standings lie together.
const STANDINGS_A_CHUNK: u16 = 4_096;

/// Standings side by side: those of 50,000 users fit into a core's own cache, where handles to each
/// user's facts would each be a miss. Measured at 1 M keys of 50,000 users: a fifth of a check.
#[derive(Debug)]
struct Chunk([AtomicU8; STANDINGS_A_CHUNK as usize]);

/// Where a user's standing lies; all keys of the user share it.
#[derive(Clone, Debug)]
pub struct StandingSlot {
    chunk: Arc<Chunk>,
    at: u16,
}

impl StandingSlot {
    /// The standing now.
    pub fn load(&self) -> Standing {
        let byte = self.chunk.0.get(usize::from(self.at));
        Standing::from_bits(byte.map_or(DISABLED, |byte| byte.load(Ordering::Acquire)))
    }

    fn store(&self, standing: Standing) {
        if let Some(byte) = self.chunk.0.get(usize::from(self.at)) {
            byte.store(standing.to_bits(), Ordering::Release);
        }
    }
}

/// Hands out slots. One that a removed user had is not used again in this process: it says disabled
/// for ever, and costs a byte.
#[derive(Debug)]
pub struct Standings {
    chunk: Arc<Chunk>,
    used: u16,
}

impl Default for Standings {
    fn default() -> Self {
        Self { chunk: Arc::new(Chunk::new()), used: 0 }
    }
}

impl Chunk {
    fn new() -> Self {
        Self([const { AtomicU8::new(DISABLED) }; STANDINGS_A_CHUNK as usize])
    }
}

impl Standings {
    /// A slot that nobody has.
    pub fn take(&mut self) -> StandingSlot {
        if self.used == STANDINGS_A_CHUNK {
            *self = Self::default();
        }
        let at = self.used;
        self.used += 1;
        StandingSlot { chunk: Arc::clone(&self.chunk), at }
    }
}

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

const OPERATOR: u8 = 1 << 6;
const DISABLED: u8 = 1 << 7;

impl Standing {
    /// Whether the user holds what is asked, in their organization, today.
    ///
    /// `keyhouse:instance:` comes from being operator and from nothing else.
    pub fn holds(self, organization: &OrganizationFacts, ask: Ask<'_>) -> bool {
        if is_instance(ask.text()) {
            return self.operator;
        }
        ask.of(self.role.patterns(organization.members_create_keys)) && organization.admits(ask)
    }

    fn to_bits(self) -> u8 {
        let role = match self.role {
            BuiltinRole::Owner => 1,
            BuiltinRole::Administrator => 2,
            BuiltinRole::User => 3,
            BuiltinRole::Guest => 0,
        };
        role | if self.operator { OPERATOR } else { 0 } | if self.disabled { DISABLED } else { 0 }
    }

    fn from_bits(bits: u8) -> Self {
        let role = match bits & !(OPERATOR | DISABLED) {
            1 => BuiltinRole::Owner,
            2 => BuiltinRole::Administrator,
            3 => BuiltinRole::User,
            _ => BuiltinRole::Guest,
        };
        Self { role, operator: bits & OPERATOR != 0, disabled: bits & DISABLED != 0 }
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
    /// The name.
    pub name: String,
    /// What a decision goes by.
    pub standing: Standing,
}

/// What a decision needs of an organization.
#[derive(Clone, Debug)]
pub struct OrganizationFacts {
    /// The organization.
    pub id: OrganizationId,
    /// The name.
    pub name: String,
    /// Whether operators stopped it, or it is not known at all.
    pub suspended: bool,
    /// The ceiling of what its keys may be granted outside `keyhouse:`.
    pub ceiling: Patterns,
    /// Whether plain users may make personal keys.
    pub members_create_keys: bool,
    /// Its plan.
    pub plan: Plan,
    /// How it stands with that plan.
    pub subscription: Subscription,
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
            name: String::new(),
            standing: Standing { role: BuiltinRole::Guest, operator: false, disabled: true },
        }
    }
}

impl From<&UserRecord> for UserFacts {
    fn from(record: &UserRecord) -> Self {
        Self {
            id: record.id,
            organization: record.organization,
            email: record.email.clone(),
            name: record.name.clone(),
            standing: Standing {
                role: record.role,
                operator: record.operator,
                disabled: record.disabled,
            },
        }
    }
}

impl OrganizationFacts {
    /// What is known of an organization before, or after, there is a record: it is stopped.
    pub fn unknown(id: OrganizationId) -> Self {
        let plan = Plan { name: "".into(), api_access: false };
        let subscription = Subscription {
            plan: "".into(),
            status: crate::model::plan::SubscriptionStatus::Canceled,
            current_period_end: Moment::BEGINNING,
        };
        Self {
            id,
            name: String::new(),
            suspended: true,
            ceiling: Patterns::default(),
            members_create_keys: false,
            plan,
            subscription,
        }
    }

    /// The facts of a record; without a record of its plan there is no access.
    pub fn new(record: &OrganizationRecord, plan: Option<&PlanRecord>) -> Self {
        let unknown = || Plan { name: record.plan.clone(), api_access: false };
        Self {
            id: record.id,
            name: record.name.clone(),
            suspended: record.suspended,
            ceiling: record.ceiling.clone(),
            members_create_keys: record.members_create_keys,
            plan: plan.map_or_else(unknown, Plan::from),
            subscription: record.subscription(),
        }
    }

    /// Whether the ceiling lets a key of this organization have what is asked.
    ///
    /// The ceiling is about protected APIs. Management is bounded by roles alone: under the default
    /// ceiling `*`, which like every wildcard stops before `keyhouse:`, nobody could manage.
    pub fn admits(&self, ask: Ask<'_>) -> bool {
        is_own(ask.text()) || ask.of(self.ceiling.as_set())
    }

    /// Whether keys work at `now`.
    pub fn has_access(&self, now: Moment) -> bool {
        self.subscription.gives_access(&self.plan, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_unknown_holds_anything() {
        let user = UserFacts::unknown(UserId::default()).standing;
        let organization = OrganizationFacts::unknown(OrganizationId::default());
        for text in ["a:b", "keyhouse:keys:read", "keyhouse:instance:manage"] {
            assert!(!user.holds(&organization, Ask::Permission(text)), "{text}");
        }
        assert!(!organization.has_access(Moment::BEGINNING));
    }

    #[test]
    fn a_standing_comes_back_from_its_bits() {
        for role in ["owner", "administrator", "user", "guest"] {
            for (operator, disabled) in [(false, false), (true, false), (false, true), (true, true)]
            {
                let standing = Standing { role: role.parse().unwrap(), operator, disabled };
                assert_eq!(Standing::from_bits(standing.to_bits()), standing);
            }
        }
    }

    #[test]
    fn slots_are_everybodys_own() {
        let mut standings = Standings::default();
        let slots: Vec<_> = (0..STANDINGS_A_CHUNK + 2).map(|_| standings.take()).collect();
        let owner = Standing { role: BuiltinRole::Owner, operator: false, disabled: false };
        slots[5].store(owner);
        let standing: Vec<_> = slots.iter().filter(|slot| !slot.load().disabled).collect();
        assert_eq!(standing.len(), 1);
        assert_eq!(slots[5].load(), owner);
    }

    #[test]
    fn the_ceiling_bounds_all_but_management_and_operators_alone_have_the_instance() {
        let mut organization = OrganizationFacts::unknown(OrganizationId::default());
        organization.ceiling = "diagrams:*".parse().unwrap();
        let mut user = UserFacts::unknown(UserId::default()).standing;
        user.role = BuiltinRole::Owner;
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
        user.operator = true;
        assert!(user.holds(&organization, Ask::Pattern("keyhouse:instance:*")));
    }
}
