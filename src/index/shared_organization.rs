//! An organization as all of its keys share it: its facts, and the part of them that most checks
//! read, in one word.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};

use crate::index::facts::{OrganizationBounds, OrganizationFacts, OrganizationStatus};
use crate::index::plan::SharedPlan;
use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::model::permission::PatternSet;

/// The most plans of an organization that its word can name. An organization that had more plans
/// in this process is read from its facts.
const PLANS_NAMED_MAX: usize = 4;

/// An organization, shared by all of its keys.
///
/// Loading `facts` takes two locked instructions, a tenth of a check. The word takes none.
#[derive(Debug)]
pub struct SharedOrganization {
    id: OrganizationId,
    word: AtomicU64,
    /// The plans that the word can name, in the order in which the organization had them.
    plans: [OnceLock<Arc<SharedPlan>>; PLANS_NAMED_MAX],
    facts: ArcSwap<OrganizationFacts>,
    gate_call: GateCallMark,
}

/// Whether a proxy asked a gate about a key of the organization since the start of the process, and
/// whether the store has the mark of it.
#[derive(Debug, Default)]
struct GateCallMark {
    is_noted: AtomicBool,
    is_stored: AtomicBool,
}

impl SharedOrganization {
    pub fn new(facts: OrganizationFacts) -> Self {
        let made = Self {
            id: facts.id,
            word: AtomicU64::new(UNNAMED),
            plans: [const { OnceLock::new() }; PLANS_NAMED_MAX],
            facts: ArcSwap::from_pointee(facts),
            gate_call: GateCallMark::default(),
        };
        made.word.store(made.word_of(&made.facts.load()), Ordering::Release);
        made
    }

    pub const fn id(&self) -> OrganizationId {
        self.id
    }

    pub fn load(&self) -> Guard<Arc<OrganizationFacts>> {
        self.facts.load()
    }

    pub fn load_full(&self) -> Arc<OrganizationFacts> {
        self.facts.load_full()
    }

    /// Notes that a proxy asked a gate about a key of the organization.
    pub fn note_gate_call(&self) {
        // The load avoids a write: nearly every call finds an earlier one noted.
        if !self.gate_call.is_noted.load(Ordering::Relaxed) {
            self.gate_call.is_noted.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a proxy asked a gate about a key of the organization since the start of the process.
    pub fn has_gate_call(&self) -> bool {
        self.gate_call.is_noted.load(Ordering::Relaxed)
    }

    /// Whether such a call was noted, and the store is not known to have its mark.
    pub fn owes_gate_call(&self) -> bool {
        self.has_gate_call() && !self.gate_call.is_stored.load(Ordering::Relaxed)
    }

    /// Notes that the store has the mark.
    pub fn set_gate_call_stored(&self) {
        self.gate_call.is_stored.store(true, Ordering::Relaxed);
    }

    /// Replaces the facts, and then the word, which checks read.
    pub fn store(&self, facts: Arc<OrganizationFacts>) {
        let word = self.word_of(&facts);
        self.facts.store(facts);
        self.word.store(word, Ordering::Release);
    }

    /// The part of the facts that checks read. `None` if the word cannot hold it, so that the
    /// facts must be read.
    pub fn status(&self) -> Option<OrganizationStatus<'_>> {
        let word = self.word.load(Ordering::Acquire);
        let plan = self.plans.get(usize::try_from(word & PLAN).ok()?)?.get()?;
        let ends = word >> ENDS_SHIFT;
        Some(OrganizationStatus {
            id: self.id,
            suspended: word & SUSPENDED != 0,
            access_ends: match i64::try_from(ends) {
                Ok(ends) if ends < ENDS_NEVER => Moment::from_milliseconds(ends),
                _ => Moment::NEVER,
            },
            bounds: OrganizationBounds {
                members_create_keys: word & MEMBERS_CREATE_KEYS != 0,
                ceiling: None,
            },
            plan,
        })
    }

    /// The word of these facts; [`UNNAMED`] if a word cannot hold them.
    fn word_of(&self, facts: &OrganizationFacts) -> u64 {
        // The plan is named last. Facts that the word cannot hold, such as those of an organization
        // whose record was not read yet, then take none of the places for plans.
        if facts.ceiling.as_set() != PatternSet::ALL {
            return UNNAMED;
        }
        let Some(plan) = self.number_of(&facts.plan) else { return UNNAMED };
        let ends = facts.status().access_ends.milliseconds().clamp(0, ENDS_NEVER);
        let flag = |is_set: bool, bit: u64| if is_set { bit } else { 0 };
        plan | flag(facts.suspended, SUSPENDED)
            | flag(facts.members_create_keys, MEMBERS_CREATE_KEYS)
            | (ends.unsigned_abs() << ENDS_SHIFT)
    }

    /// The number of a plan, which is named now if it was not before.
    fn number_of(&self, plan: &Arc<SharedPlan>) -> Option<u64> {
        let is_it = |named: &OnceLock<_>| Arc::ptr_eq(named.get_or_init(|| Arc::clone(plan)), plan);
        self.plans.iter().position(is_it).and_then(|at| at.try_into().ok())
    }
}

/// The bits of the plan's number; [`UNNAMED`] is no plan's number.
const PLAN: u64 = 0b111;
const UNNAMED: u64 = PLAN;
const SUSPENDED: u64 = 1 << 3;
const MEMBERS_CREATE_KEYS: u64 = 1 << 4;
/// The end of access in milliseconds since 1970 fills the rest of the word. An end before 1970 is 0:
/// no check is earlier.
const ENDS_SHIFT: u32 = 8;
const ENDS_NEVER: i64 = (1 << (64 - ENDS_SHIFT)) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::facts::RightQuery;
    use crate::model::plan::{Plan, Subscription, SubscriptionStatus};

    fn facts(status: SubscriptionStatus, end: Moment) -> OrganizationFacts {
        let mut facts = OrganizationFacts::unknown(OrganizationId::from_bytes([3; 16]));
        facts.ceiling = PatternSet::ALL.into();
        facts.suspended = false;
        facts.plan = SharedPlan::new(Plan { api_access: true, ..Plan::unknown("pro") });
        facts.subscription = Subscription { plan: "pro".into(), status, current_period_end: end };
        facts
    }

    fn check_word(facts: &OrganizationFacts) {
        let shared = SharedOrganization::new(facts.clone());
        let word = shared.status().unwrap();
        assert_eq!((word.id, word.suspended), (facts.id, facts.suspended));
        assert_eq!(word.bounds.members_create_keys, facts.members_create_keys);
        for now in [0, 1, 2, 1_799_999_999_999, 1_800_000_000_000] {
            let now = Moment::from_milliseconds(now);
            let end = facts.subscription.current_period_end;
            assert_eq!(word.has_access(now), facts.has_access(now), "{end} {now}");
        }
    }

    #[test]
    fn the_word_decides_as_the_facts_do() {
        let ends = [-1, 0, 1, 1_800_000_000_000, ENDS_NEVER - 1, ENDS_NEVER, i64::MAX];
        for status in ["trialing", "active", "past_due", "canceled"] {
            for end in ends.map(Moment::from_milliseconds) {
                let mut facts = facts(status.parse().unwrap(), end);
                for (suspended, creates) in [(false, false), (true, false), (false, true)] {
                    (facts.suspended, facts.members_create_keys) = (suspended, creates);
                    check_word(&facts);
                }
            }
        }
    }

    #[test]
    fn each_change_replaces_the_word() {
        let active = facts(SubscriptionStatus::Active, Moment::NEVER);
        let shared = SharedOrganization::new(active.clone());
        let now = Moment::from_milliseconds(5);
        assert!(shared.status().unwrap().has_access(now));
        active.plan.store(Plan::unknown("pro"));
        assert!(!shared.status().unwrap().has_access(now), "the plan changed");
        active.plan.store(Plan { api_access: true, ..Plan::unknown("pro") });
        shared.store(Arc::new(OrganizationFacts { suspended: true, ..active.clone() }));
        assert!(shared.status().unwrap().suspended);
        let ceiling = PatternSet::trusted("a:*").into();
        shared.store(Arc::new(OrganizationFacts { ceiling, ..active.clone() }));
        assert!(shared.status().is_none(), "the word has no place for a maximum");
        assert!(!shared.load().bounds().admits(RightQuery::Permission("b:c")));
        shared.store(Arc::new(active));
        assert!(shared.status().unwrap().bounds.admits(RightQuery::Permission("b:c")));
    }

    #[test]
    fn an_organization_with_many_plans_is_read_from_its_facts() {
        let active = facts(SubscriptionStatus::Active, Moment::NEVER);
        // The index's writer creates an organization before it has read the record.
        let shared = SharedOrganization::new(OrganizationFacts::unknown(active.id));
        assert!(shared.status().is_none(), "an unknown organization is read from its facts");
        shared.store(Arc::new(active.clone()));
        let with_plan = |name: &str| {
            let plan = SharedPlan::new(Plan::unknown(name));
            shared.store(Arc::new(OrganizationFacts { plan, ..active.clone() }));
            shared.status().is_some()
        };
        let named = ["b", "c", "d", "e", "f"].map(with_plan);
        assert_eq!(named, [true, true, true, false, false]);
        shared.store(Arc::new(active.clone()));
        assert!(shared.status().unwrap().has_access(Moment::from_milliseconds(5)));
    }
}
