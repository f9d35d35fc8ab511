//! The newest refused calls of each key, in memory only.
//!
//! Valid calls and calls of unknown keys do not use this table. The table is divided into parts, by key.
//! A refused call of a known key holds the lock of one part for less than a microsecond. If another thread
//! holds the lock, the call is not kept, because a check never waits. A kept call contains no secret.
//!
//! All parts have the same size. In a full part, a new call replaces the oldest call of the key with the
//! most calls in the organization with the most calls. A key or organization with fewer calls than an
//! equal share of the part therefore loses none to another one.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use crate::model::code::Code;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::moment::Moment;

/// Maximum number of refused calls that are kept for one key.
pub const REFUSED_CALLS_A_KEY_MAX: usize = 100;
/// Maximum number of refused calls that are kept for all keys, at most 400 bytes each.
pub const REFUSED_CALLS_MAX: usize = 32_768;
const PARTS: usize = 16;
const PART_MAX: usize = REFUSED_CALLS_MAX / PARTS;

/// A call that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCall {
    pub at: Moment,
    pub code: Code,
    /// The client's address, if it is known.
    pub ip: Option<IpAddr>,
    /// The name of the gate that the call came through. `None` for a call without a gate.
    pub gate: Option<Arc<str>>,
}

/// The kept calls of all keys.
#[derive(Debug, Default)]
pub struct RefusedCalls {
    parts: [Mutex<KeptCalls>; PARTS],
}

/// The kept calls of the keys of one part.
#[derive(Debug, Default)]
struct KeptCalls {
    keys: HashMap<KeyId, CallsOfKey>,
    organizations: HashMap<OrganizationId, CallsOfOrganization>,
    /// The organizations by their number of calls.
    largest: BTreeSet<(usize, OrganizationId)>,
    total: usize,
}

#[derive(Debug)]
struct CallsOfKey {
    organization: OrganizationId,
    /// At most [`REFUSED_CALLS_A_KEY_MAX`] calls, the oldest first.
    calls: VecDeque<RefusedCall>,
}

#[derive(Debug, Default)]
struct CallsOfOrganization {
    total: usize,
    /// The keys by their number of calls.
    largest: BTreeSet<(usize, KeyId)>,
}

impl RefusedCalls {
    /// Keeps a refused call of a key, unless another thread holds the lock of the key's part. `gate` is the
    /// name of the call's gate, and replaces [`RefusedCall::gate`].
    #[cold]
    pub fn keep(
        &self,
        key: KeyId,
        organization: OrganizationId,
        gate: Option<&str>,
        call: RefusedCall,
    ) {
        let mut calls = match self.part(key).map(Mutex::try_lock) {
            Some(Ok(calls)) => calls,
            Some(Err(TryLockError::Poisoned(poisoned))) => poisoned.into_inner(),
            Some(Err(TryLockError::WouldBlock)) | None => return,
        };
        calls.keep(key, organization, gate, call);
    }

    /// The kept calls of a key, the newest first.
    pub fn of(&self, key: KeyId) -> Vec<RefusedCall> {
        let Some(part) = self.part(key) else { return Vec::new() };
        let calls = part.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = calls.keys.get(&key).map(|kept| kept.calls.iter().rev().cloned().collect());
        kept.unwrap_or_default()
    }

    /// Removes the calls of a key.
    pub(super) fn forget(&self, key: KeyId) {
        let Some(part) = self.part(key) else { return };
        part.lock().unwrap_or_else(PoisonError::into_inner).forget(key);
    }

    /// The part of a key, by the last byte of its id, which is random.
    fn part(&self, key: KeyId) -> Option<&Mutex<KeptCalls>> {
        self.parts.get(usize::from(*key.bytes().last()?) % PARTS)
    }
}

impl KeptCalls {
    fn keep(
        &mut self,
        key: KeyId,
        organization: OrganizationId,
        gate: Option<&str>,
        mut call: RefusedCall,
    ) {
        let kept = self.keys.get_mut(&key);
        call.gate = gate.map(|gate| {
            // Most keys are used with one gate, so the calls of a key share the text of its name.
            let newest = kept.as_ref().and_then(|kept| kept.calls.back()?.gate.as_ref());
            newest.filter(|newest| ***newest == *gate).map_or_else(|| gate.into(), Arc::clone)
        });
        if let Some(kept) = kept.filter(|kept| kept.calls.len() >= REFUSED_CALLS_A_KEY_MAX) {
            kept.calls.pop_front();
            kept.calls.push_back(call);
            return;
        }
        if self.total >= PART_MAX {
            self.make_room();
        }
        let one = || CallsOfKey { organization, calls: VecDeque::with_capacity(1) };
        let kept = self.keys.entry(key).or_insert_with(one);
        let before = kept.calls.len();
        kept.calls.push_back(call);
        self.resize(key, organization, before, before + 1);
    }

    /// Removes the oldest call of the key with the most calls, in the organization with the most.
    fn make_room(&mut self) {
        let Some((_, organization)) = self.largest.last().copied() else { return };
        let largest = self.organizations.get(&organization).and_then(|of| of.largest.last());
        let Some((before, key)) = largest.copied() else { return };
        if let Some(kept) = self.keys.get_mut(&key) {
            kept.calls.pop_front();
        }
        self.resize(key, organization, before, before.saturating_sub(1));
    }

    fn forget(&mut self, key: KeyId) {
        if let Some((organization, kept)) =
            self.keys.get(&key).map(|kept| (kept.organization, kept.calls.len()))
        {
            self.resize(key, organization, kept, 0);
        }
    }

    /// Corrects all counts after the number of a key's calls has changed. Removes a key without calls.
    fn resize(&mut self, key: KeyId, organization: OrganizationId, before: usize, after: usize) {
        let of = self.organizations.entry(organization).or_default();
        of.largest.remove(&(before, key));
        if after > 0 {
            of.largest.insert((after, key));
        } else {
            self.keys.remove(&key);
        }
        self.largest.remove(&(of.total, organization));
        of.total = (of.total + after).saturating_sub(before);
        if of.total > 0 {
            self.largest.insert((of.total, organization));
        } else {
            self.organizations.remove(&organization);
        }
        self.total = (self.total + after).saturating_sub(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> KeyId {
        // All in one part.
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        KeyId::from_bytes(bytes)
    }

    fn organization(number: u8) -> OrganizationId {
        OrganizationId::from_bytes([number; 16])
    }

    fn call(number: usize) -> RefusedCall {
        let at = Moment::from_milliseconds(i64::try_from(number).unwrap());
        let ip = Some([192, 0, 2, 7].into());
        RefusedCall { at, code: Code::Expired, ip, gate: None }
    }

    fn keep(kept: &RefusedCalls, key: KeyId, organization: OrganizationId, numbers: usize) {
        for number in 0..numbers {
            kept.keep(key, organization, Some("orders"), call(number));
        }
    }

    #[test]
    fn the_newest_hundred_calls_of_a_key_are_kept() {
        let kept = RefusedCalls::default();
        keep(&kept, key(1), organization(1), REFUSED_CALLS_A_KEY_MAX + 7);
        keep(&kept, key(2), organization(1), 1);
        let calls = kept.of(key(1));
        assert_eq!(calls.len(), REFUSED_CALLS_A_KEY_MAX);
        let numbers: Vec<_> = calls.iter().map(|call| call.at.milliseconds()).collect();
        assert_eq!((numbers[0], numbers[99]), (106, 7), "the newest first");
        assert!(calls.iter().all(|call| call.gate.as_deref() == Some("orders")));
        let [one, other] = [&calls[0], &calls[99]].map(|call| call.gate.as_ref().unwrap());
        assert!(Arc::ptr_eq(one, other), "they share the gate's name");
        assert_eq!(kept.of(key(3)), []);
        kept.forget(key(1));
        assert_eq!((kept.of(key(1)).len(), kept.of(key(2)).len()), (0, 1));
    }

    /// A caller with many keys of one organization must not push out the calls of others.
    #[test]
    fn an_organization_has_no_more_than_its_share_of_a_full_part() {
        let kept = RefusedCalls::default();
        keep(&kept, key(1), organization(1), 60);
        keep(&kept, key(2), organization(2), 3);
        for number in 10..200 {
            keep(&kept, key(number), organization(9), REFUSED_CALLS_A_KEY_MAX);
        }
        assert_eq!((kept.of(key(1)).len(), kept.of(key(2)).len()), (60, 3));
        let part = kept.part(key(1)).unwrap().lock().unwrap();
        assert_eq!(part.total, PART_MAX);
        assert_eq!(part.keys.values().map(|kept| kept.calls.len()).sum::<usize>(), PART_MAX);
        let organizations = part.organizations.values().map(|of| of.total).sum::<usize>();
        assert_eq!((organizations, part.largest.len()), (PART_MAX, 3));
        drop(part);
        // Within the organization, no key loses its only call to keys with more.
        assert!((10..200).all(|number| !kept.of(key(number)).is_empty()));
        for number in 10..200 {
            kept.forget(key(number));
        }
        let part = kept.part(key(1)).unwrap().lock().unwrap();
        assert_eq!((part.total, part.keys.len(), part.organizations.len()), (63, 2, 2));
    }

    #[test]
    fn a_call_is_not_kept_while_another_thread_holds_the_part() {
        let kept = RefusedCalls::default();
        let part = kept.part(key(1)).unwrap().lock().unwrap();
        std::thread::scope(|threads| {
            threads.spawn(|| keep(&kept, key(1), organization(1), 1));
        });
        drop(part);
        assert_eq!(kept.of(key(1)), []);
    }
}
