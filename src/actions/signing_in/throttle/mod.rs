//! Throttles failed sign-ins per account and per network, in memory, before any password is hashed.
//!
//! An account is a user, or a normalized email address without a user. Known browsers and clients
//! on this host have separate counters, so that a stranger cannot lock them out. A pending attempt
//! counts until it has a result, so that concurrent guesses cannot bypass the limit. The throttle
//! reads neither passwords nor user records. The state of the throttle ends with the process.
//!
//! A client is an IPv4 address or an IPv6 /64. A site is an IPv4 /24 or an IPv6 /48, with ten times
//! the allowance. Only a complete sign-in clears a count, never a correct password without its
//! code. See `docs/decisions/0010`.

mod accounts;
mod attempter;
mod networks;
mod room;

pub use accounts::{ACCOUNTS_MAX, BROWSERS_MAX};
pub use attempter::Source;
pub(in crate::actions) use attempter::{Attempter, Browser};
pub use networks::{CLIENTS_MAX, SITES_MAX};

use std::collections::HashMap;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;

use crate::clock::Clock;
use crate::model::secret::Digest;
use accounts::{Accounts, AttemptSource, BROWSER_FAILURES_MAX, ThrottledAccount};
use networks::{Counted, Networks};

/// Maximum number of attempts that wait for pending attempts at the same account.
pub(crate) const WAITING_MAX: usize = 32;
const WAITING_TIME: Duration = Duration::from_secs(2);
/// The wait in the response to a client whose attempt did not get its turn within [`WAITING_TIME`].
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// Counters of recent failed sign-ins.
#[derive(Default)]
pub(in crate::actions) struct Throttle {
    ledger: Mutex<FailureCounts>,
    decided: Condvar,
}

#[derive(Default)]
struct FailureCounts {
    accounts: Accounts,
    networks: Counted,
    waiting: usize,
}

/// Whether an attempt is permitted, or must wait.
enum Admission {
    Go,
    Wait(Duration),
    /// The attempt must wait for the results of pending attempts.
    Full,
}

/// The counters of an attempt.
#[derive(Clone, Copy)]
struct CountedAttempt {
    account: ThrottledAccount,
    /// `None` for a known browser and for the control socket, whose users need no password.
    networks: Option<Networks>,
}

/// A permitted attempt. If the attempt is dropped without a result, it is not counted, since the
/// client learned nothing.
pub(in crate::actions) struct Guess<'a> {
    throttle: &'a Throttle,
    clock: &'a dyn Clock,
    place: CountedAttempt,
    outcome: AttemptOutcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AttemptOutcome {
    Withdrawn,
    Failed,
    FailedBesideAFit,
    Succeeded,
}

/// The accounts and networks that are throttled now.
#[derive(Debug, Default)]
pub(in crate::actions) struct Slowed {
    /// By the digest of the account's name.
    pub(in crate::actions) accounts: HashMap<Digest, SlowedAccount>,
    /// The throttled accounts, without failures that were sign-ins to another organization.
    pub(in crate::actions) guessed: HashMap<Digest, SlowedAccount>,
    /// `None` is the shared entry of all clients with an unknown address.
    pub(in crate::actions) networks: Vec<(Option<IpNet>, Duration)>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(in crate::actions) struct SlowedAccount {
    /// Consecutive failures of the counter with the most failures.
    pub(in crate::actions) failures: u32,
    /// The longest wait of the next attempt.
    pub(in crate::actions) wait: Duration,
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").finish_non_exhaustive()
    }
}

impl Throttle {
    /// Counts an attempt at an account. The caller checks the credentials afterwards. May block for
    /// [`WAITING_TIME`] while other attempts at the same account are pending.
    ///
    /// # Errors
    /// The wait before the next attempt.
    pub(in crate::actions) fn begin<'a>(
        &'a self,
        account: &str,
        by: Attempter,
        clock: &'a dyn Clock,
    ) -> Result<Guess<'a>, Duration> {
        let name = Digest::of(account.as_bytes());
        let mut ledger = self.lock();
        let place = ledger.place(name, by, clock.now().ticks);
        let is_full = |ledger: &FailureCounts| {
            ledger.accounts.get(&place.account, clock.now().ticks).is_full()
        };
        if is_full(&ledger) && ledger.waiting < WAITING_MAX {
            ledger.waiting += 1;
            let waited =
                self.decided.wait_timeout_while(ledger, WAITING_TIME, |ledger| is_full(ledger));
            ledger = waited.unwrap_or_else(PoisonError::into_inner).0;
            ledger.waiting -= 1;
        }
        match ledger.take(place, clock.now().ticks) {
            Admission::Go => {
                Ok(Guess { throttle: self, clock, place, outcome: AttemptOutcome::Withdrawn })
            },
            Admission::Wait(wait) => Err(wait),
            Admission::Full => Err(BUSY_WAIT),
        }
    }

    /// Resets all failures of an account. The caller must be permitted to reset the account's
    /// password.
    pub(in crate::actions) fn forgive(&self, account: &str) {
        self.lock().accounts.forgive_all(Digest::of(account.as_bytes()));
    }

    /// Resets the failures of a network. `None` is the shared entry of all clients with an unknown
    /// address.
    pub(in crate::actions) fn forgive_network(&self, network: Option<IpNet>) {
        self.lock().networks.forgive(network);
    }

    /// Returns the accounts and networks that are throttled at this tick.
    pub(in crate::actions) fn slowed(&self, now: u64) -> Slowed {
        let ledger = self.lock();
        let mut slowed = Slowed { networks: ledger.networks.closed(now), ..Slowed::default() };
        for (account, standing) in ledger.accounts.all() {
            for (accounts, standing) in [
                (&mut slowed.accounts, standing),
                (&mut slowed.guessed, standing.without_sign_ins_elsewhere()),
            ] {
                if standing.is_slowed(now) {
                    let known = accounts.entry(account.name).or_default();
                    known.failures = known.failures.max(standing.failures);
                    known.wait = known.wait.max(standing.wait(account.executor, now));
                }
            }
        }
        slowed
    }

    fn lock(&self) -> MutexGuard<'_, FailureCounts> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guess<'_> {
    /// Records a wrong password or code.
    pub(in crate::actions) fn failed(mut self) {
        self.outcome = AttemptOutcome::Failed;
    }

    /// Records that the password was wrong at this account and correct at another account of the
    /// same address. The failure counts for the account, not for the networks, because the client
    /// signs in successfully.
    pub(in crate::actions) fn failed_beside_a_fit(mut self) {
        self.outcome = AttemptOutcome::FailedBesideAFit;
    }

    /// Records a complete sign-in and resets the account's failures. A correct password alone must
    /// not count as a success: an attacker who knows the password could then guess codes without a
    /// limit.
    pub(in crate::actions) fn succeeded(mut self) {
        self.outcome = AttemptOutcome::Succeeded;
    }
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        let (now, account) = (self.clock.now().ticks, self.place.account);
        let mut ledger = self.throttle.lock();
        let mut standing = ledger.accounts.get(&account, now);
        standing.pending = standing.pending.saturating_sub(1);
        match self.outcome {
            AttemptOutcome::Withdrawn => {},
            AttemptOutcome::Failed => standing.fail(false, now),
            AttemptOutcome::FailedBesideAFit => standing.fail(true, now),
            AttemptOutcome::Succeeded => (standing.failures, standing.beside) = (0, 0),
        }
        ledger.accounts.put(account, standing, now);
        // A success on this host also resets the counter of remote clients.
        if self.outcome == AttemptOutcome::Succeeded && account.executor == AttemptSource::Host {
            ledger.accounts.forgive(&ThrottledAccount { executor: AttemptSource::Afar, ..account });
        }
        if self.outcome != AttemptOutcome::Failed
            && let Some(networks) = self.place.networks
        {
            ledger.networks.give_back(networks, now);
        }
        drop(ledger);
        self.throttle.decided.notify_all();
    }
}

impl FailureCounts {
    /// Returns the counters of an attempt.
    fn place(&self, name: Digest, by: Attempter, now: u64) -> CountedAttempt {
        let elsewhere = if by.source.on_host { AttemptSource::Host } else { AttemptSource::Afar };
        let executor = by.browser.map_or(elsewhere, AttemptSource::Browser);
        let account = ThrottledAccount { name, executor };
        let failures = self.accounts.get(&account, now).failures;
        if matches!(executor, AttemptSource::Browser(_)) && failures < BROWSER_FAILURES_MAX {
            return CountedAttempt { account, networks: None };
        }
        let is_socket = by.source.on_host && by.source.address.is_none();
        let networks = (!is_socket).then(|| Networks::of(by.source));
        CountedAttempt { account: ThrottledAccount { name, executor: elsewhere }, networks }
    }

    /// Counts a pending attempt at the account and at its networks, or nowhere.
    fn take(&mut self, place: CountedAttempt, now: u64) -> Admission {
        let mut standing = self.accounts.get(&place.account, now);
        let wait = standing.wait(place.account.executor, now);
        if !wait.is_zero() {
            return Admission::Wait(wait);
        }
        if standing.is_full() {
            return Admission::Full;
        }
        if let Some(networks) = place.networks
            && let Err(wait) = self.networks.take(networks, now)
        {
            return Admission::Wait(wait);
        }
        standing.pending += 1;
        self.accounts.put(place.account, standing, now);
        Admission::Go
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::accounts::{CAP_LIFETIME, DELAY_MAX, FAILURES_FREE};
    use super::networks::{CLIENT_FAILURES, SITE_FAILURES};
    use std::net::IpAddr;

    use super::*;
    use crate::clock::ManualClock;
    use crate::model::moment::Moment;

    const ADA: &str = "ada@example.com";

    fn clock() -> ManualClock {
        ManualClock::at(Moment::from_milliseconds(1_000_000))
    }

    /// Remote clients, each from a site of its own.
    fn afar(number: u64) -> Attempter {
        let address = Ipv6Addr::from((0x2001_0db8_u128 << 96) | (u128::from(number) << 80));
        at(address.into())
    }

    fn at(address: IpAddr) -> Attempter {
        let source = Source { address: Some(address), on_host: false };
        Attempter { source, browser: None }
    }

    fn here() -> Attempter {
        let source = Source { address: Some([127, 0, 0, 1].into()), on_host: true };
        Attempter { source, browser: None }
    }

    fn known(number: u8) -> Attempter {
        Attempter { browser: Some(Browser::from_bytes([number; 16])), ..afar(1) }
    }

    /// Makes failed attempts, each as soon as it is permitted. Returns the wait of the next
    /// attempt.
    fn fail(
        throttle: &Throttle,
        clock: &ManualClock,
        source: fn(u64) -> Attempter,
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

    /// Regression: a user with accounts in two organizations caused a failure of the network at
    /// each sign-in.
    #[test]
    fn a_failure_beside_a_fit_counts_at_the_account_alone() {
        let (throttle, clock) = (Throttle::default(), clock());
        for number in 0..2 * CLIENT_FAILURES {
            let account = format!("{}@example.com", number / FAILURES_FREE);
            throttle.begin(&account, afar(1), &clock).unwrap().failed_beside_a_fit();
        }
        let waited = throttle.begin("0@example.com", afar(1), &clock).map(drop);
        assert_eq!(waited, Err(Duration::from_secs(1)));
        assert_eq!(throttle.begin(ADA, afar(1), &clock).map(drop), Ok(()));
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
    fn a_hundred_failures_in_a_row_lock_an_account_for_a_day_but_not_its_host() {
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

    /// A correct password without its code must not give more attempts at the code.
    #[test]
    fn an_undecided_attempt_is_neither_failure_nor_success() {
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
    fn a_waiting_attempt_continues_when_another_is_decided() {
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
    fn a_client_is_counted_over_all_accounts_and_successes_never() {
        let (throttle, clock) = (Throttle::default(), clock());
        let begin = |number: u32, by| throttle.begin(&format!("{number}@example.com"), by, &clock);
        for number in 0..CLIENT_FAILURES * 2 {
            begin(number, afar(7)).map(Guess::succeeded).unwrap();
        }
        for number in 0..CLIENT_FAILURES {
            begin(number, afar(7)).map(Guess::failed).unwrap();
        }
        assert_eq!(begin(1_000, afar(7)).err(), Some(Duration::from_secs(10)));
        begin(1_000, afar(8)).map(drop).unwrap();
        clock.advance(Duration::from_secs(10));
        begin(1_000, afar(7)).map(Guess::failed).unwrap();
        assert!(begin(1_001, afar(7)).is_err());
        // More failures than a network may have.
        for number in 0..=SITE_FAILURES {
            let socket = Source { address: None, on_host: true };
            let socket = Attempter { source: socket, browser: None };
            begin(number, socket).map(Guess::failed).unwrap();
        }
    }

    /// Regression: sixty failed attempts of one client blocked the sign-ins of all clients in its
    /// /24 or /48.
    #[test]
    fn a_client_does_not_lock_its_site_and_a_whole_site_is_bounded() {
        for (neighbour, owner) in
            [("203.0.113.77", "203.0.113.5"), ("2001:db8:1:77::1", "2001:db8:1:5::1")]
        {
            let (throttle, clock) = (Throttle::default(), clock());
            let begin = |number: u32, address: &str| {
                let email = format!("{number}@example.com");
                throttle.begin(&email, at(address.parse().unwrap()), &clock)
            };
            for number in 0..CLIENT_FAILURES {
                begin(number, neighbour).map(Guess::failed).unwrap();
            }
            assert_eq!(begin(0, neighbour).err(), Some(Duration::from_secs(10)));
            throttle.begin(ADA, at(owner.parse().unwrap()), &clock).map(Guess::succeeded).unwrap();
        }
        let (throttle, clock) = (Throttle::default(), clock());
        let mut failed = 0;
        let waited = loop {
            let address = [203, 0, 113, u8::try_from(failed % 250).unwrap()];
            let email = format!("{failed}@example.com");
            match throttle.begin(&email, at(address.into()), &clock) {
                Ok(guess) => guess.failed(),
                Err(wait) => break wait,
            }
            failed += 1;
        };
        assert_eq!((failed, waited), (SITE_FAILURES, Duration::from_secs(1)));
    }

    /// Regression: all clients behind a proxy that names no client share one count, and sixty
    /// attempts of one client locked all of them out.
    #[test]
    fn those_whose_address_is_unknown_share_the_loose_count() {
        let (throttle, clock) = (Throttle::default(), clock());
        let unknown = Attempter { source: Source::default(), browser: None };
        for number in 0..SITE_FAILURES {
            let email = format!("{number}@example.com");
            throttle.begin(&email, unknown, &clock).map(Guess::failed).unwrap();
        }
        assert!(throttle.begin(ADA, unknown, &clock).is_err());
        let slowed = throttle.slowed(clock.now().ticks);
        assert_eq!(slowed.networks, [(None, Duration::from_secs(1))]);
        throttle.forgive_network(None);
        throttle.begin(ADA, unknown, &clock).map(drop).unwrap();
    }

    /// Regression: a stranger who kept guessing locked the user out. Known browsers now have
    /// separate counters.
    #[test]
    fn a_stranger_keeps_no_known_browser_out_and_its_cookie_is_worth_few_guesses() {
        let (throttle, clock) = (Throttle::default(), clock());
        assert_eq!(fail(&throttle, &clock, afar, 100), CAP_LIFETIME);
        throttle.begin(ADA, known(1), &clock).map(Guess::succeeded).unwrap();
        assert!(throttle.begin(ADA, afar(1), &clock).is_err(), "it opens nothing to strangers");

        let (throttle, clock) = (Throttle::default(), self::clock());
        let waited = fail(&throttle, &clock, |_| known(1), u64::from(BROWSER_FAILURES_MAX) - 1);
        assert_eq!(waited, Duration::from_secs(3));
        clock.advance(waited);
        throttle.begin(ADA, known(1), &clock).map(Guess::failed).unwrap();
        // The known browser now counts like an unknown client. Another browser has its own counter.
        fail(&throttle, &clock, |_| known(1), 100 - u64::from(FAILURES_FREE));
        assert_eq!(fail(&throttle, &clock, afar, u64::from(FAILURES_FREE)), CAP_LIFETIME);
        assert_eq!(throttle.begin(ADA, known(1), &clock).map(drop).err(), Some(CAP_LIFETIME));
        throttle.begin(ADA, known(2), &clock).map(drop).unwrap();
        throttle.forgive(ADA);
        throttle.begin(ADA, known(1), &clock).map(drop).unwrap();
        assert_eq!(throttle.lock().accounts.len(), (0, 0));
    }

    #[test]
    fn lock_outs_are_listed_and_lifted() {
        let (throttle, clock) = (Throttle::default(), clock());
        fail(&throttle, &clock, afar, 100);
        fail(&throttle, &clock, |_| known(1), 7);
        let email = Digest::of(ADA.as_bytes());
        let slowed = throttle.slowed(clock.now().ticks);
        let account = slowed.accounts[&email];
        assert_eq!((slowed.accounts.len(), account.failures), (1, 100));
        assert!(account.wait > DELAY_MAX, "{account:?}");
        throttle.forgive(ADA);
        assert!(throttle.slowed(clock.now().ticks).accounts.is_empty());
    }

    #[test]
    fn a_flood_does_not_evict_entries_with_more_failures() {
        let (throttle, clock) = (Throttle::default(), clock());
        fail(&throttle, &clock, afar, 40);
        fail(&throttle, &clock, |_| known(1), 10);
        for number in 0..u64::try_from(ACCOUNTS_MAX).unwrap() * 5 / 4 {
            let email = format!("{number}@example.com");
            throttle.begin(&email, afar(number + 1_000), &clock).map(Guess::failed).unwrap();
            let mut browser = [0; 16];
            browser[..8].copy_from_slice(&number.to_be_bytes());
            let browser = Some(Browser::from_bytes(browser));
            let by = Attempter { browser, ..afar(1) };
            throttle.begin(&email, by, &clock).map(Guess::failed).unwrap();
        }
        // Half of the strangers' wait has passed during the known browser's failures.
        assert_eq!(throttle.begin(ADA, afar(1), &clock).err(), Some(DELAY_MAX / 2));
        assert_eq!(throttle.begin(ADA, known(1), &clock).err(), Some(Duration::from_secs(3)));
        let ledger = throttle.lock();
        let ((any, browsers), (clients, sites)) = (ledger.accounts.len(), ledger.networks.len());
        assert!(any <= ACCOUNTS_MAX && browsers <= BROWSERS_MAX, "{any} {browsers}");
        assert!(clients <= CLIENTS_MAX && sites <= SITES_MAX, "{clients} {sites}");
    }

    #[test]
    fn forgiven_and_successful_attempts_use_no_entry() {
        let (throttle, clock) = (Throttle::default(), clock());
        throttle.begin(ADA, afar(1), &clock).map(drop).unwrap();
        throttle.begin(ADA, afar(1), &clock).map(Guess::failed).unwrap();
        throttle.begin(ADA, afar(1), &clock).map(Guess::succeeded).unwrap();
        assert_eq!(throttle.lock().accounts.len(), (0, 0));
    }
}
