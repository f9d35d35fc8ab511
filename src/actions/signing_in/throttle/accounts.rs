//! Failed sign-ins by account: the counters, the waits, and the removal from a full table.

use std::collections::HashMap;
use std::time::Duration;

use crate::actions::signing_in::throttle::Browser;
use crate::actions::signing_in::throttle::room::make_room;
use crate::model::secret::Digest;

/// Maximum number of remembered accounts. The accounts with the fewest failures are removed first,
/// and among equals the longest idle. To displace an account, an attacker would need as many
/// failures at [`ACCOUNTS_MAX`] other accounts, which takes longer than waiting.
pub const ACCOUNTS_MAX: usize = 65_536;
/// Maximum number of remembered known browsers. Only a sign-in adds an entry, so strangers cannot
/// fill this table.
pub const BROWSERS_MAX: usize = 16_384;

/// Consecutive failures without a wait, to allow for typing errors.
pub(super) const FAILURES_FREE: u32 = 5;
/// The wait after this many consecutive failures.
const DELAYS: [(u32, Duration); 4] = [
    (FAILURES_FREE, Duration::from_secs(1)),
    (10, Duration::from_secs(3)),
    (20, Duration::from_secs(5)),
    (30, DELAY_MAX),
];
/// The longest wait below [`FAILURES_MAX`] failures. Clients on this host never wait longer.
pub(super) const DELAY_MAX: Duration = Duration::from_secs(10);
/// Consecutive failures after which remote clients wait for [`CAP_LIFETIME`] (NIST SP 800-63B-4,
/// 3.2.2).
const FAILURES_MAX: u32 = 100;
/// Maximum number of consecutive failures of a known browser. A browser with more failures is
/// counted like an unknown client. A stolen cookie therefore gives this many additional guesses.
pub(super) const BROWSER_FAILURES_MAX: u32 = 20;
/// The wait after [`FAILURES_MAX`] failures. Failures are forgotten this long after the last
/// failure.
pub(super) const CAP_LIFETIME: Duration = Duration::from_hours(24);

/// The counter of an account to which an attempt belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum AttemptSource {
    /// All remote clients that are not known browsers.
    Afar,
    /// All clients on this host.
    Host,
    Browser(Browser),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ThrottledAccount {
    /// The digest of the account's name.
    pub(super) name: Digest,
    pub(super) executor: AttemptSource,
}

/// The state of one counter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FailureCount {
    /// Number of consecutive failures so far.
    pub(super) failures: u32,
    /// Attempts without a result yet.
    pub(super) pending: u32,
    /// The tick of the last failure.
    pub(super) failed_at: u64,
    /// Number of failures for which the password was correct at another account of the same
    /// address.
    pub(super) beside: u32,
    /// The tick of the last failure that is not counted in `beside`.
    pub(super) guessed_at: u64,
}

impl FailureCount {
    pub(super) fn fail(&mut self, is_beside: bool, now: u64) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = now;
        if is_beside {
            self.beside = self.beside.saturating_add(1);
        } else {
            self.guessed_at = now;
        }
    }

    /// Returns the state without the failures in `beside`, because each of them is a sign-in to
    /// another organization.
    pub(super) fn without_sign_ins_elsewhere(self) -> Self {
        let failures = self.failures.saturating_sub(self.beside);
        Self { failures, failed_at: self.guessed_at, beside: 0, ..self }
    }

    /// Whether the next attempt waits, or will wait once the pending attempts fail.
    pub(super) fn is_slowed(self, now: u64) -> bool {
        self.failures >= FAILURES_FREE && !self.is_forgotten(now)
    }

    /// Returns the wait of the next attempt.
    pub(super) fn wait(self, executor: AttemptSource, now: u64) -> Duration {
        let delay = if self.failures >= FAILURES_MAX && executor == AttemptSource::Afar {
            CAP_LIFETIME
        } else {
            let reached = DELAYS.iter().rev().find(|(failures, _)| self.failures >= *failures);
            reached.map_or(Duration::ZERO, |(_, delay)| *delay)
        };
        delay.saturating_sub(Duration::from_nanos(now.saturating_sub(self.failed_at)))
    }

    /// Whether the pending attempts use up all failures without a wait.
    pub(super) fn is_full(self) -> bool {
        self.pending > 0 && self.failures.saturating_add(self.pending) >= FAILURES_FREE
    }

    pub(super) fn is_forgotten(self, now: u64) -> bool {
        let idle = Duration::from_nanos(now.saturating_sub(self.failed_at));
        self.pending == 0 && (self.failures == 0 || idle >= CAP_LIFETIME)
    }

    /// Order of removal from a full table. A counter with pending attempts is never removed.
    fn rank(&self) -> (u32, u64) {
        let failures = if self.pending > 0 { u32::MAX } else { self.failures };
        (failures, self.failed_at)
    }
}

/// All accounts with recent failures. Known browsers have a table of their own, so that neither
/// group displaces the other.
#[derive(Default)]
pub(super) struct Accounts {
    any: HashMap<ThrottledAccount, FailureCount>,
    browsers: HashMap<ThrottledAccount, FailureCount>,
}

impl Accounts {
    fn table(&self, executor: AttemptSource) -> &HashMap<ThrottledAccount, FailureCount> {
        match executor {
            AttemptSource::Afar | AttemptSource::Host => &self.any,
            AttemptSource::Browser(_) => &self.browsers,
        }
    }

    fn table_mut(
        &mut self,
        executor: AttemptSource,
    ) -> (&mut HashMap<ThrottledAccount, FailureCount>, usize) {
        match executor {
            AttemptSource::Afar | AttemptSource::Host => (&mut self.any, ACCOUNTS_MAX),
            AttemptSource::Browser(_) => (&mut self.browsers, BROWSERS_MAX),
        }
    }

    /// Returns the state of a counter. Old failures are forgotten.
    pub(super) fn get(&self, account: &ThrottledAccount, now: u64) -> FailureCount {
        let known = self.table(account.executor).get(account).copied().unwrap_or_default();
        if known.is_forgotten(now) { FailureCount::default() } else { known }
    }

    pub(super) fn put(&mut self, account: ThrottledAccount, standing: FailureCount, now: u64) {
        let (table, max) = self.table_mut(account.executor);
        if standing.is_forgotten(now) {
            table.remove(&account);
            return;
        }
        make_room(table, &account, max, FailureCount::rank);
        table.insert(account, standing);
    }

    pub(super) fn forgive(&mut self, account: &ThrottledAccount) {
        let (table, _) = self.table_mut(account.executor);
        let Some(standing) = table.get_mut(account) else { return };
        (standing.failures, standing.beside) = (0, 0);
        if standing.pending == 0 {
            table.remove(account);
        }
    }

    /// Resets all counters of an account, including those of its browsers.
    pub(super) fn forgive_all(&mut self, name: Digest) {
        let browsers = self.browsers.keys().filter(|account| account.name == name).copied();
        let mut all: Vec<ThrottledAccount> = browsers.collect();
        all.extend(
            [AttemptSource::Afar, AttemptSource::Host]
                .map(|executor| ThrottledAccount { name, executor }),
        );
        for account in all {
            self.forgive(&account);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&ThrottledAccount, FailureCount)> {
        let all = self.any.iter().chain(&self.browsers);
        all.map(|(account, standing)| (account, *standing))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.any.len(), self.browsers.len())
    }
}
