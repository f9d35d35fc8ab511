//! Last uses of a key, and of each of its secrets while it has two.
//!
//! A use consists of atomics, so that checks never wait for each other.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

use arc_swap::ArcSwapOption;

use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::key::SecretRecord;

/// Uses from the same address and program within this span count as one use.
const USE_RESOLUTION_MS: i64 = 1_000;

/// A client's `User-Agent`. Keys with the same user agent share its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent(pub(super) Arc<str>);

/// Time, address and program of a key's last use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    pub at: Moment,
    /// The client's address, if known.
    pub ip: Option<IpAddr>,
    /// The client's program, if known.
    pub agent: Option<Arc<Agent>>,
}

/// A use that a check notes now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use<'a> {
    pub(super) at: Moment,
    pub(super) ip: Option<IpAddr>,
    pub(super) agent: Option<&'a str>,
}

impl LastUse {
    /// The name of the client's program.
    pub fn agent_name(&self) -> Option<&str> {
        self.agent.as_deref().map(|agent| &*agent.0)
    }
}

/// The key has counters for its first gate.
pub(super) const CALLED: u8 = 1;
/// The key has counters for other gates too.
pub(super) const CALLED_BY_GATES: u8 = 2;

/// Flags of the key whose cell it is. They fill the space beside the sequence number.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Whether a use waits to be written.
    pub(super) waiting: AtomicBool,
    /// Which counters of calls the key has: none before its first call in this process, then
    /// [`CALLED`], and [`CALLED_BY_GATES`] after a call through another gate than the first.
    pub(super) called: AtomicU8,
    /// Whether each thread has counters of its own.
    pub(super) striped: AtomicBool,
    /// How often threads met at one counter since the counts were last taken.
    pub(super) meetings: AtomicU8,
}

/// A last use that any thread reads and writes. The cell is a sequence lock whose writers skip a
/// write on contention, since either of two simultaneous uses may be kept.
#[derive(Debug, Default)]
pub struct UseCell {
    /// The sequence number: odd during a write; 0 before the first use.
    sequence: AtomicU32,
    pub(super) marks: Marks,
    agent: ArcSwapOption<Agent>,
    at: AtomicI64,
    /// The address as IPv6; all zero if it is unknown.
    ip_high: AtomicU64,
    ip_low: AtomicU64,
}

impl UseCell {
    pub(super) fn read(&self) -> Option<LastUse> {
        self.read_part(Self::load)
    }

    /// The time of the last use.
    pub(super) fn read_time(&self) -> Option<Moment> {
        self.read_part(|cell| Moment::from_milliseconds(cell.at.load(Ordering::Relaxed)))
    }

    /// The address of the last use.
    pub(super) fn read_address(&self) -> Option<IpAddr> {
        self.read_part(Self::load_ip)?
    }

    fn read_part<T>(&self, load: impl Fn(&Self) -> T) -> Option<T> {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before == 0 {
                return None;
            }
            let last = load(self);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before {
                return Some(last);
            }
            std::hint::spin_loop();
        }
    }

    fn load(&self) -> LastUse {
        let at = Moment::from_milliseconds(self.at.load(Ordering::Relaxed));
        LastUse { at, ip: self.load_ip(), agent: self.agent.load_full() }
    }

    fn load_ip(&self) -> Option<IpAddr> {
        let high = u128::from(self.ip_high.load(Ordering::Relaxed));
        let bits = (high << 64) | u128::from(self.ip_low.load(Ordering::Relaxed));
        (bits != 0).then(|| IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical())
    }

    /// Notes a use that was read from the store or from another cell.
    pub(super) fn put(&self, last: &LastUse) -> bool {
        let used = Use { at: last.at, ip: last.ip, agent: last.agent_name() };
        self.note(used, |name| last.agent.clone().unwrap_or_else(|| Arc::new(Agent(name.into()))))
    }

    /// Notes a use. `shared` returns the shared name of the program. Returns whether the use
    /// replaced the last use.
    pub(super) fn note(&self, last: Use<'_>, shared: impl FnOnce(&str) -> Arc<Agent>) -> bool {
        let sequence = self.sequence.load(Ordering::Acquire);
        // Uses from the same address and program are noted once a second, so that the cache line of
        // a busy key stays shared between cores.
        let recent = last.at.milliseconds() - self.at.load(Ordering::Relaxed) < USE_RESOLUTION_MS;
        let same_agent = self.agent.load().as_deref().map(|agent| &*agent.0) == last.agent;
        if sequence != 0 && recent && same_agent && self.load_ip() == last.ip {
            return false;
        }
        // The name is created before the sequence becomes odd, which makes readers wait.
        let agent = (!same_agent).then(|| last.agent.map(shared));
        let odd = sequence | 1;
        let taken = sequence.is_multiple_of(2)
            && self
                .sequence
                .compare_exchange(sequence, odd, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if !taken {
            return false;
        }
        fence(Ordering::Release);
        let bits = match last.ip {
            Some(IpAddr::V4(four)) => four.to_ipv6_mapped().to_bits(),
            Some(IpAddr::V6(six)) => six.to_bits(),
            None => 0,
        };
        let [high, low] = [bits >> 64, bits & u128::from(u64::MAX)]
            .map(|half| u64::try_from(half).unwrap_or_default());
        self.at.store(last.at.milliseconds(), Ordering::Relaxed);
        self.ip_high.store(high, Ordering::Relaxed);
        self.ip_low.store(low, Ordering::Relaxed);
        if let Some(agent) = agent {
            self.agent.store(agent);
        }
        // Skips 0, which means never used, when the count wraps.
        let even = odd.wrapping_add(1);
        self.sequence.store(if even == 0 { 2 } else { even }, Ordering::Release);
        true
    }
}

/// The last uses of a key's secrets, newest secret first, while the key has two. For a key with one
/// secret, the list is empty, and the key's last use is that of its secret.
#[derive(Debug, Default)]
pub(super) struct SecretUses(Vec<SecretUse>);

#[derive(Debug)]
struct SecretUse {
    digest: Digest,
    /// When the secret was created. No earlier use belongs to the secret.
    since: Moment,
    cell: Arc<UseCell>,
}

impl SecretUses {
    /// Sets a key's secrets. A known secret keeps its use. If uses were not recorded separately
    /// before, `last` is attributed to the secret that was the newest at that time.
    pub(super) fn take_over(&mut self, secrets: &[SecretRecord], last: Option<LastUse>) {
        let known = std::mem::take(&mut self.0);
        let cell_of = |digest: Digest| {
            let known = known.iter().find(|secret| secret.digest == digest);
            known.map(|secret| Arc::clone(&secret.cell)).unwrap_or_default()
        };
        let of = |secret: &SecretRecord| SecretUse {
            digest: secret.digest,
            since: secret.created_at,
            cell: cell_of(secret.digest),
        };
        self.0 = secrets.iter().map(of).collect();
        if let Some(last) = last.filter(|_last| known.is_empty()) {
            self.attribute(&last);
        }
    }

    /// Notes a use whose secret is unknown: it is attributed to the newest secret of that time.
    pub(super) fn attribute(&self, last: &LastUse) {
        if let Some(secret) = self.0.iter().find(|secret| secret.since <= last.at) {
            secret.cell.put(last);
        }
    }

    /// Notes the use of one secret, if it is known.
    pub(super) fn note(&self, digest: &Digest, last: &LastUse) {
        if let Some(cell) = self.cell(digest) {
            cell.put(last);
        }
    }

    /// The cell for uses of a secret.
    pub(super) fn cell(&self, digest: &Digest) -> Option<Arc<UseCell>> {
        let secret = self.0.iter().find(|secret| secret.digest == *digest);
        secret.map(|secret| Arc::clone(&secret.cell))
    }

    /// The replaced secret, if it was used after the newest secret was created.
    pub(super) fn old_in_use(&self) -> Option<Digest> {
        let (newest, others) = self.0.split_first()?;
        let is_used = |old: &&SecretUse| old.cell.read_time().is_some_and(|at| at > newest.since);
        others.iter().find(is_used).map(|old| old.digest)
    }

    /// The last use of each secret that was used.
    pub(super) fn read(&self) -> Vec<(Digest, LastUse)> {
        let read = |secret: &SecretUse| Some((secret.digest, secret.cell.read()?));
        self.0.iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::foreign::Algorithm;
    use std::thread::scope;

    fn used(at: i64, ip: &str, agent: &str) -> LastUse {
        let at = Moment::from_milliseconds(at);
        let agent = Some(Arc::new(Agent(agent.into())));
        LastUse { at, ip: Some(ip.parse().unwrap()), agent }
    }

    #[test]
    fn a_use_is_read_back_and_repeated_ones_within_a_second_are_one() {
        let cell = UseCell::default();
        assert_eq!(cell.read(), None);
        assert!(cell.put(&used(5_000, "192.0.2.7", "3")));
        assert!(!cell.put(&used(5_999, "192.0.2.7", "3")));
        assert_eq!(cell.read(), Some(used(5_000, "192.0.2.7", "3")));
        assert!(cell.put(&used(5_999, "2001:db8::1", "3")));
        assert_eq!(cell.read(), Some(used(5_999, "2001:db8::1", "3")));
        assert_eq!(cell.read_time(), Some(Moment::from_milliseconds(5_999)));
        assert_eq!(cell.read_address(), Some("2001:db8::1".parse().unwrap()));
        let nowhere = LastUse { at: Moment::from_milliseconds(9_000), ip: None, agent: None };
        assert!(cell.put(&nowhere));
        assert_eq!(cell.read(), Some(nowhere));
    }

    #[test]
    fn no_reader_sees_half_a_use() {
        let cell = UseCell::default();
        let uses = [used(0, "0.0.0.1", "1"), used(1_000_000, "2001:db8::2", "2")];
        scope(|threads| {
            for number in 0..2_usize {
                let (cell, uses) = (&cell, &uses);
                let note = move |round: usize| cell.put(&uses[(round + number) % 2]);
                threads.spawn(move || (0..20_000).filter(|round| note(*round)).count());
            }
            for _ in 0..20_000 {
                if let Some(read) = cell.read() {
                    assert!(uses.contains(&read), "{read:?}");
                }
            }
        });
    }

    fn secret(text: &[u8], made_at: i64) -> SecretRecord {
        SecretRecord {
            digest: Digest::of(text),
            algorithm: Algorithm::Blake3,
            hint: String::new(),
            created_at: Moment::from_milliseconds(made_at),
            ends_at: None,
            other_digest: None,
            last_part_digest: None,
            former_owner: false,
        }
    }

    #[test]
    fn a_use_without_a_secret_counts_for_the_newest_secret_of_its_time() {
        let (first, second, third) =
            (secret(b"1", 1_000), secret(b"2", 5_000), secret(b"3", 9_000));
        let before = used(3_000, "192.0.2.7", "1");
        let mut uses = SecretUses::default();
        uses.take_over(&[second.clone(), first.clone()], Some(before.clone()));
        assert_eq!(uses.read(), [(first.digest, before.clone())]);
        // At the next rotation, separately recorded uses are not attributed again.
        let later = used(6_000, "192.0.2.8", "1");
        uses.note(&second.digest, &later);
        uses.take_over(&[third.clone(), second.clone()], Some(used(9_500, "192.0.2.9", "1")));
        assert_eq!(uses.read(), [(second.digest, later)]);
        // The store has no uses by secret.
        let mut fresh = SecretUses::default();
        fresh.take_over(&[third, second], None);
        fresh.attribute(&before);
        assert_eq!(fresh.read(), [], "it was of a secret that is gone");
    }
}
