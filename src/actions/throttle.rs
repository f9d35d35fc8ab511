//! Slows down those who guess: counts failed sign-ins by account and by network, in memory, before
//! anything is hashed.
//!
//! An account is a user, or an e-mail address in its one form that nobody has. What comes
//! straight from this host is counted apart, so that nobody from afar can keep an owner out of it.
//! An attempt holds its place until it is decided: guesses made at once don't slip through
//! together. It knows neither passwords nor users; its state ends with the process.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;

use crate::clock::Clock;
use crate::model::limit::{Draw, RateLimit};
use crate::model::network::network_of;
use crate::model::secret::Digest;

/// Most accounts that are remembered. Those with the fewest failures go first, the longest idle of
/// them: to push one out, as many others must have failed as often, which takes longer than waiting.
pub const ACCOUNTS_MAX: usize = 65_536;
/// Most networks that are remembered; those that owe least go first.
pub const NETWORKS_MAX: usize = 65_536;
/// What part of a full map is forgotten at once: looking for whom takes a pass over all of it.
const FORGOTTEN_SHARE: usize = 16;

/// Failures in a row that cost no waiting: people mistype.
const FAILURES_FREE: u32 = 5;
/// How long one waits after so many failures in a row.
const DELAYS: [(u32, Duration); 4] = [
    (FAILURES_FREE, Duration::from_secs(1)),
    (10, Duration::from_secs(3)),
    (20, Duration::from_secs(5)),
    (30, DELAY_MAX),
];
/// The longest wait before the cap, and at all on this host.
const DELAY_MAX: Duration = Duration::from_secs(10);
/// Most failures in a row (NIST SP 800-63B-4, 3.2.2).
const FAILURES_MAX: u32 = 100;
/// How long the cap holds, and after how long without a try all is forgotten.
const CAP_LIFETIME: Duration = Duration::from_hours(24);

/// Failures of one network at once, and in how many seconds as many more: one each 10 s.
const NETWORK_FAILURES: u32 = 60;
const NETWORK_WINDOW_SECONDS: u32 = 600;

/// How many attempts may wait for others at the same account to be decided, and how long.
const WAITING_MAX: usize = 32;
const WAITING_TIME: Duration = Duration::from_secs(2);
/// What one is told to wait who did not get a turn in that time.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// Where somebody asks from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The client's address, where it can be told.
    pub address: Option<IpAddr>,
    /// Whether the client runs on this host and no proxy stands between.
    pub on_host: bool,
}

impl Source {
    /// The network that counts this; `None` for all whose address can't be told.
    pub(super) fn network(self) -> Option<IpNet> {
        self.address.map(network_of)
    }
}

/// Who is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Account {
    /// The digest of its name.
    name: Digest,
    on_host: bool,
}

/// From where.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    Known(IpNet),
    /// All whose address can't be told.
    Unknown,
}

/// How an account stands.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    /// Failures in a row.
    failures: u32,
    /// Attempts that are not decided yet.
    pending: u32,
    /// The tick of the last failure.
    failed_at: u64,
}

impl Standing {
    /// How long the next attempt waits.
    fn wait(self, on_host: bool, now: u64) -> Duration {
        let delay = if self.failures >= FAILURES_MAX && !on_host {
            CAP_LIFETIME
        } else {
            let reached = DELAYS.iter().rev().find(|(failures, _)| self.failures >= *failures);
            reached.map_or(Duration::ZERO, |(_, delay)| *delay)
        };
        delay.saturating_sub(Duration::from_nanos(now.saturating_sub(self.failed_at)))
    }

    /// Whether as many are being decided as could fail without a wait between them.
    fn is_full(self) -> bool {
        self.pending > 0 && self.failures.saturating_add(self.pending) >= FAILURES_FREE
    }

    fn is_forgotten(self, now: u64) -> bool {
        let idle = Duration::from_nanos(now.saturating_sub(self.failed_at));
        self.pending == 0 && (self.failures == 0 || idle >= CAP_LIFETIME)
    }

    /// What goes first where there is no room: never what is being decided.
    fn rank(&self) -> (u32, u64) {
        let failures = if self.pending > 0 { u32::MAX } else { self.failures };
        (failures, self.failed_at)
    }
}

/// Failed sign-ins of late.
pub(super) struct Throttle {
    by_network: RateLimit,
    ledger: Mutex<Ledger>,
    decided: Condvar,
}

#[derive(Default)]
struct Ledger {
    accounts: HashMap<Account, Standing>,
    /// What [`RateLimit::draw`] left, by network.
    networks: HashMap<Network, u64>,
    waiting: usize,
}

/// What the ledger says to an attempt.
enum Said {
    Go,
    Wait(Duration),
    /// Others must be decided first.
    Full,
}

/// A guess that may be made. Unless told how it went it is taken back when dropped, as if it had
/// not been: whoever could not be answered has learned nothing.
pub(super) struct Guess<'a> {
    throttle: &'a Throttle,
    clock: &'a dyn Clock,
    account: Account,
    network: Option<Network>,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Withdrawn,
    Failed,
    Succeeded,
}

impl Default for Throttle {
    fn default() -> Self {
        let by_network = RateLimit {
            name: "sign-in".into(),
            limit: NETWORK_FAILURES,
            window_seconds: NETWORK_WINDOW_SECONDS,
        };
        Self { by_network, ledger: Mutex::default(), decided: Condvar::new() }
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").finish_non_exhaustive()
    }
}

impl Throttle {
    /// Counts an attempt at an account, before anything of it is looked at. May block for
    /// [`WAITING_TIME`] while others at the same account are decided.
    ///
    /// # Errors
    /// How long to wait before the next one.
    pub(super) fn begin<'a>(
        &'a self,
        account: &str,
        source: Source,
        clock: &'a dyn Clock,
    ) -> Result<Guess<'a>, Duration> {
        let account = Account { name: Digest::of(account.as_bytes()), on_host: source.on_host };
        // The control socket has no network, and who may open it needs no password.
        let network = match source.network() {
            Some(network) => Some(Network::Known(network)),
            None => (!source.on_host).then_some(Network::Unknown),
        };
        let mut ledger = self.lock();
        let is_full =
            |ledger: &Ledger| ledger.accounts.get(&account).is_some_and(|it| it.is_full());
        if is_full(&ledger) && ledger.waiting < WAITING_MAX {
            ledger.waiting += 1;
            let waited =
                self.decided.wait_timeout_while(ledger, WAITING_TIME, |ledger| is_full(ledger));
            ledger = waited.unwrap_or_else(PoisonError::into_inner).0;
            ledger.waiting -= 1;
        }
        match ledger.take(&self.by_network, account, network, clock.now().ticks) {
            Said::Go => {
                Ok(Guess { throttle: self, clock, account, network, outcome: Outcome::Withdrawn })
            },
            Said::Wait(wait) => Err(wait),
            Said::Full => Err(BUSY_WAIT),
        }
    }

    /// Forgets the failures at an account: whoever may reset its password vouches for it.
    pub(super) fn forgive(&self, account: &str) {
        let name = Digest::of(account.as_bytes());
        let mut ledger = self.lock();
        for on_host in [true, false] {
            ledger.forgive(Account { name, on_host });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guess<'_> {
    /// Password or code was wrong.
    pub(super) fn failed(mut self) {
        self.outcome = Outcome::Failed;
    }

    /// All that was asked for was right: the account's failures are forgotten. Never for a part of
    /// it: who knows the password could then guess codes without end.
    pub(super) fn succeeded(mut self) {
        self.outcome = Outcome::Succeeded;
    }
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        let now = self.clock.now().ticks;
        let mut ledger = self.throttle.lock();
        let standing = ledger.accounts.entry(self.account).or_default();
        standing.pending = standing.pending.saturating_sub(1);
        match self.outcome {
            Outcome::Withdrawn => {},
            Outcome::Failed => {
                standing.failures = standing.failures.saturating_add(1);
                standing.failed_at = now;
            },
            Outcome::Succeeded => standing.failures = 0,
        }
        if standing.is_forgotten(now) {
            ledger.accounts.remove(&self.account);
        }
        // A success on this host opens the account to the world again.
        if self.outcome == Outcome::Succeeded && self.account.on_host {
            ledger.forgive(Account { on_host: false, ..self.account });
        }
        if self.outcome != Outcome::Failed
            && let Some(network) = self.network
        {
            ledger.give_back(&self.throttle.by_network, network, now);
        }
        drop(ledger);
        self.throttle.decided.notify_all();
    }
}

impl Ledger {
    /// Takes a place at the account and one of the network's, or neither.
    fn take(
        &mut self,
        by_network: &RateLimit,
        account: Account,
        network: Option<Network>,
        now: u64,
    ) -> Said {
        let known = self.accounts.get(&account).copied().unwrap_or_default();
        let mut standing = if known.is_forgotten(now) { Standing::default() } else { known };
        let wait = standing.wait(account.on_host, now);
        if !wait.is_zero() {
            return Said::Wait(wait);
        }
        if standing.is_full() {
            return Said::Full;
        }
        if let Some(network) = network {
            let arrival = self.networks.get(&network).copied().unwrap_or_default();
            match by_network.draw(arrival, now, 1) {
                Draw::Refused { wait } => return Said::Wait(wait),
                Draw::Granted { arrival } => {
                    make_room(&mut self.networks, &network, NETWORKS_MAX, |arrival| *arrival);
                    self.networks.insert(network, arrival);
                },
            }
        }
        standing.pending += 1;
        make_room(&mut self.accounts, &account, ACCOUNTS_MAX, Standing::rank);
        self.accounts.insert(account, standing);
        Said::Go
    }

    fn forgive(&mut self, account: Account) {
        let Some(standing) = self.accounts.get_mut(&account) else { return };
        standing.failures = 0;
        if standing.pending == 0 {
            self.accounts.remove(&account);
        }
    }

    fn give_back(&mut self, by_network: &RateLimit, network: Network, now: u64) {
        let Some(arrival) = self.networks.get_mut(&network) else { return };
        *arrival = arrival.saturating_sub(by_network.weight(1));
        if *arrival <= now {
            self.networks.remove(&network);
        }
    }
}

/// Makes room in a full map for a newcomer: what ranks lowest goes.
fn make_room<K: Eq + Hash, V, R: Ord + Copy>(
    map: &mut HashMap<K, V>,
    newcomer: &K,
    max: usize,
    rank: impl Fn(&V) -> R,
) {
    if map.len() < max || map.contains_key(newcomer) {
        return;
    }
    let mut ranks: Vec<R> = map.values().map(&rank).collect();
    let mut over = (max / FORGOTTEN_SHARE).max(1);
    let (_, last, _) = ranks.select_nth_unstable(over - 1);
    let last = *last;
    map.retain(|_, value| {
        let goes = over > 0 && rank(value) <= last;
        over -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::clock::ManualClock;
    use crate::model::moment::Moment;

    const ADA: &str = "ada@example.com";

    fn clock() -> ManualClock {
        ManualClock::at(Moment::from_milliseconds(1_000_000))
    }

    fn afar(number: u64) -> Source {
        let address = Ipv6Addr::from((0x2001_0db8_u128 << 96) | (u128::from(number) << 64));
        Source { address: Some(address.into()), on_host: false }
    }

    fn here() -> Source {
        Source { address: Some([127, 0, 0, 1].into()), on_host: true }
    }

    /// Fails as often, each time as soon as it may; returns how long the next one waits.
    fn fail(
        throttle: &Throttle,
        clock: &ManualClock,
        source: fn(u64) -> Source,
        times: u64,
    ) -> Duration {
        for number in 0..times {
            let source = source(number);
            if let Err(wait) = throttle.begin(ADA, source, clock).map(Guess::failed) {
                clock.advance(wait);
                throttle.begin(ADA, source, clock).map(Guess::failed).unwrap();
            }
        }
        throttle.begin(ADA, source(times), clock).map(drop).err().unwrap_or_default()
    }

    #[test]
    fn failures_cost_ever_more_waiting() {
        for (times, wait) in [(4, 0), (5, 1), (9, 1), (10, 3), (20, 5), (30, 10), (99, 10)] {
            let (throttle, clock) = (Throttle::default(), clock());
            let waited = fail(&throttle, &clock, afar, times);
            assert_eq!(waited, Duration::from_secs(wait), "after {times}");
        }
    }

    #[test]
    fn a_hundred_in_a_row_close_an_account_for_a_day_and_nobody_out_of_the_host() {
        let (throttle, clock) = (Throttle::default(), clock());
        assert_eq!(fail(&throttle, &clock, afar, 100), CAP_LIFETIME);
        throttle.begin(ADA, here(), &clock).map(drop).unwrap();
        clock.advance(CAP_LIFETIME.saturating_sub(Duration::from_nanos(1)));
        assert_eq!(throttle.begin(ADA, afar(1), &clock).err(), Some(Duration::from_nanos(1)));
        clock.advance(Duration::from_nanos(1));
        assert_eq!(fail(&throttle, &clock, afar, 4), Duration::ZERO, "all is forgotten");

        let (throttle, clock) = (Throttle::default(), self::clock());
        assert_eq!(fail(&throttle, &clock, |_| here(), 200), DELAY_MAX);
    }

    #[test]
    fn a_reset_and_a_success_on_the_host_open_a_closed_account() {
        let (throttle, clock) = (Throttle::default(), clock());
        fail(&throttle, &clock, afar, 100);
        throttle.begin(ADA, here(), &clock).map(Guess::succeeded).unwrap();
        throttle.begin(ADA, afar(1), &clock).map(drop).unwrap();
        fail(&throttle, &clock, afar, 100);
        throttle.forgive(ADA);
        throttle.begin(ADA, afar(1), &clock).map(drop).unwrap();
    }

    /// A right password without its code must not be how one gets more tries at the code.
    #[test]
    fn what_is_neither_failure_nor_success_counts_as_neither() {
        let (throttle, clock) = (Throttle::default(), clock());
        for number in 0..5 {
            throttle.begin(ADA, afar(number), &clock).map(Guess::failed).unwrap();
            clock.advance(Duration::from_secs(1));
            throttle.begin(ADA, afar(number), &clock).map(drop).unwrap();
        }
        throttle.begin(ADA, afar(0), &clock).map(Guess::failed).unwrap();
        assert_eq!(throttle.begin(ADA, afar(0), &clock).err(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn guesses_at_once_are_no_more_than_guesses_in_a_row() {
        let (throttle, clock) = (Throttle::default(), clock());
        let begin = || throttle.begin(ADA, afar(1), &clock);
        let held: Vec<_> = (0..FAILURES_FREE).map(|_| begin().unwrap()).collect();
        throttle.begin("bob@example.com", afar(1), &clock).map(drop).unwrap();
        throttle.lock().waiting = WAITING_MAX;
        assert_eq!(begin().err(), Some(BUSY_WAIT), "those who wait are bounded");
        throttle.lock().waiting = 0;
        held.into_iter().for_each(Guess::failed);
        assert_eq!(begin().err(), Some(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        let _only = begin().unwrap();
        throttle.lock().waiting = WAITING_MAX;
        assert!(begin().is_err(), "one at a time after that");
    }

    #[test]
    fn one_who_waits_goes_on_when_another_is_decided() {
        let (throttle, clock) = (Throttle::default(), clock());
        let mut held: Vec<_> =
            (0..FAILURES_FREE).map(|_| throttle.begin(ADA, afar(1), &clock).unwrap()).collect();
        std::thread::scope(|threads| {
            let waits = threads.spawn(|| throttle.begin(ADA, afar(1), &clock).is_ok());
            while throttle.lock().waiting == 0 {
                std::thread::yield_now();
            }
            held.pop().unwrap().succeeded();
            assert!(waits.join().unwrap());
        });
    }

    #[test]
    fn a_network_is_counted_over_all_accounts_and_successes_never() {
        let (throttle, clock) = (Throttle::default(), clock());
        let begin =
            |number: u32, source| throttle.begin(&format!("{number}@example.com"), source, &clock);
        for number in 0..NETWORK_FAILURES * 2 {
            begin(number, afar(7)).map(Guess::succeeded).unwrap();
        }
        for number in 0..NETWORK_FAILURES {
            begin(number, afar(7)).map(Guess::failed).unwrap();
        }
        assert_eq!(begin(1_000, afar(7)).err(), Some(Duration::from_secs(10)));
        begin(1_000, afar(8)).map(drop).unwrap();
        clock.advance(Duration::from_secs(10));
        begin(1_000, afar(7)).map(Guess::failed).unwrap();
        assert!(begin(1_001, afar(7)).is_err());
        for number in 0..NETWORK_FAILURES * 2 {
            let socket = Source { address: None, on_host: true };
            begin(number, socket).map(Guess::failed).unwrap();
        }
    }

    #[test]
    fn a_flood_pushes_nobody_out_who_failed_more_often() {
        let (throttle, clock) = (Throttle::default(), clock());
        fail(&throttle, &clock, afar, 40);
        for number in 0..u64::try_from(ACCOUNTS_MAX).unwrap() * 5 / 4 {
            let email = format!("{number}@example.com");
            throttle.begin(&email, afar(number + 1_000), &clock).map(Guess::failed).unwrap();
        }
        assert_eq!(throttle.begin(ADA, afar(1), &clock).err(), Some(DELAY_MAX));
        let ledger = throttle.lock();
        assert!(ledger.accounts.len() <= ACCOUNTS_MAX, "{}", ledger.accounts.len());
        assert!(ledger.networks.len() <= NETWORKS_MAX, "{}", ledger.networks.len());
    }

    #[test]
    fn what_is_forgiven_or_succeeded_takes_no_room() {
        let (throttle, clock) = (Throttle::default(), clock());
        throttle.begin(ADA, afar(1), &clock).map(drop).unwrap();
        throttle.begin(ADA, afar(1), &clock).map(Guess::failed).unwrap();
        throttle.begin(ADA, afar(1), &clock).map(Guess::succeeded).unwrap();
        assert!(throttle.lock().accounts.is_empty());
    }
}
