//! The pace of changes: rate limits on the changes of each actor.
//!
//! The limit prevents one actor from filling the store or the audit log. A user has one allowance
//! for all sessions, and another for all personal keys. A service key has its own allowance, within
//! an allowance that all service keys of its organization share. The operator on the host has no
//! limit. A change that is rejected later also counts.
//!
//! The rate is tested as soon as the actor is known, before the body is parsed. The table holds
//! 65,536 actors; the changes of an actor that does not fit are not counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::actions::actor::Actor;
use crate::clock::Now;
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::limit::{Draw, RateLimit};
use crate::model::pace::Pace;
use crate::model::role::{BuiltinRole, Role};
use crate::records::key::Author;

/// Maximum number of actors whose changes are counted at once. The changes of further actors are
/// not counted until other actors pause.
pub const ACTORS_MAX: usize = 65_536;
/// The interval at which a full table is searched for actors whose allowance is full again.
const SWEEP_TICKS: u64 = 1_000_000_000;

/// The rate limits of one instance.
#[derive(Debug)]
pub struct Paces {
    limits: ArcSwap<PaceLimits>,
    counted: Mutex<ActorPace>,
}

#[derive(Debug)]
struct PaceLimits {
    sessions: Pace,
    guests: Pace,
    keys: Pace,
    service_keys: Pace,
}

/// The owner of the allowance that a change uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Drawer {
    User(UserId),
    KeysOf(UserId),
    Key(KeyId),
    ServiceKeysOf(OrganizationId),
}

#[derive(Debug, Default)]
struct ActorPace {
    arrivals: HashMap<Drawer, u64>,
    swept_at: Option<u64>,
}

/// The error of a change that exceeds the rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooSoon {
    /// The limit that rejects the change.
    pub limit: RateLimit,
    /// Time until the next change is accepted.
    pub wait: std::time::Duration,
    /// Time until the allowance is full again.
    pub full_after: std::time::Duration,
}

impl Paces {
    /// The limits of sessions and of keys.
    pub fn new(sessions: Pace, keys: Pace) -> Self {
        let limits = ArcSwap::from_pointee(PaceLimits::new(sessions, keys));
        Self { limits, counted: Mutex::default() }
    }

    /// Changes the limits. The changes that are counted already still count.
    pub fn set(&self, sessions: Pace, keys: Pace) {
        self.limits.store(Arc::new(PaceLimits::new(sessions, keys)));
    }

    /// Counts a change by an actor.
    ///
    /// # Errors
    /// [`TooSoon`] if the allowance is used up.
    pub fn count(&self, actor: &Actor, now: Now) -> Result<(), TooSoon> {
        let limits = self.limits.load();
        let (drawer, pace) = match (actor.author(), actor.user_id()) {
            (Author::Local, _) => return Ok(()),
            (Author::User(user), _) => (Drawer::User(user), limits.of_user(actor)),
            (Author::Key(_), Some(owner)) => (Drawer::KeysOf(owner), &limits.keys),
            (Author::Key(key), None) => (Drawer::Key(key), &limits.keys),
        };
        let Some(limit) = pace.limit() else { return Ok(()) };
        let shared = limits.service_keys.limit().filter(|_limit| matches!(drawer, Drawer::Key(_)));
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let arrival = counted.draw(drawer, limit, now.ticks)?;
        if let Some(limit) = shared {
            let organization = Drawer::ServiceKeysOf(actor.organization_id());
            let arrival = counted.draw(organization, limit, now.ticks)?;
            counted.keep(organization, arrival, now.ticks);
        }
        // The change is counted only if no limit rejects it, so that a rejected change uses no
        // allowance.
        counted.keep(drawer, arrival, now.ticks);
        Ok(())
    }
}

impl PaceLimits {
    fn new(sessions: Pace, keys: Pace) -> Self {
        let (guests, service_keys) = (sessions.of_guests(), keys.of_service_keys());
        Self { sessions, guests, keys, service_keys }
    }

    fn of_user(&self, actor: &Actor) -> &Pace {
        let role = actor.user_facts().map(|user| user.role.role());
        let is_guest = role == Some(Role::Builtin(BuiltinRole::Guest));
        if is_guest { &self.guests } else { &self.sessions }
    }
}

impl ActorPace {
    /// The arrival time to store if a limit allows one more change.
    fn draw(&self, drawer: Drawer, limit: &RateLimit, now: u64) -> Result<u64, TooSoon> {
        let arrival = self.arrivals.get(&drawer).copied().unwrap_or_default();
        match limit.draw(arrival, now, 1) {
            Draw::Granted { arrival } => Ok(arrival),
            Draw::Refused { wait } => {
                let full_after = limit.full_after(arrival, now);
                Err(TooSoon { limit: limit.clone(), wait, full_after })
            },
        }
    }

    fn keep(&mut self, drawer: Drawer, arrival: u64, now: u64) {
        if self.arrivals.len() >= ACTORS_MAX && !self.arrivals.contains_key(&drawer) {
            if self.swept_at.is_some_and(|at| now.saturating_sub(at) < SWEEP_TICKS) {
                return;
            }
            self.swept_at = Some(now);
            self.arrivals.retain(|_drawer, arrival| *arrival > now);
            if self.arrivals.len() >= ACTORS_MAX {
                return;
            }
        }
        self.arrivals.insert(drawer, arrival);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::test_instance::TestInstance;
    use crate::model::id::Id;

    #[test]
    fn a_user_has_one_allowance_and_the_host_has_no_bound() {
        let instance = TestInstance::new();
        let paces = Paces::new(Pace::new(10, 20), Pace::OFF);
        let now = instance.clock_now();
        for _ in 0..20 {
            paces.count(&instance.owner(), now).unwrap();
        }
        let refused = paces.count(&instance.owner(), now).unwrap_err();
        assert_eq!(refused.wait, std::time::Duration::from_millis(100));
        assert_eq!(refused.full_after, std::time::Duration::from_secs(2));
        for _ in 0..1_000 {
            paces.count(&instance.local(), now).unwrap();
        }
        let later = Now { ticks: now.ticks + 100_000_000, ..now };
        paces.count(&instance.owner(), later).unwrap();
        paces.count(&instance.owner(), later).unwrap_err();
    }

    #[test]
    fn the_table_is_bounded_and_evicts_idle_users() {
        let mut counted = ActorPace::default();
        let user = |number: u64| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            Drawer::User(Id::from_bytes(bytes))
        };
        let most = u64::try_from(ACTORS_MAX).unwrap();
        for number in 0..2 * most {
            counted.keep(user(number), 5, 1);
        }
        assert_eq!(counted.arrivals.len(), ACTORS_MAX);
        assert!(counted.arrivals.contains_key(&user(0)), "no user evicts another");
        counted.keep(user(3 * most), 9, SWEEP_TICKS + 5);
        assert_eq!(counted.arrivals.len(), 1);
    }
}
