//! Failed sign-ins by account: who waits how long, and who is remembered.

use std::collections::HashMap;
use std::time::Duration;

use crate::actions::throttle::Browser;
use crate::actions::throttle::room::make_room;
use crate::model::secret::Digest;

/// Most accounts that are remembered. Those with the fewest failures go first, the longest idle of
/// them: to push one out, as many others must have failed as often, which takes longer than waiting.
pub const ACCOUNTS_MAX: usize = 65_536;
/// The same of known browsers. Only a sign-in makes one, so strangers can't fill this table.
pub const BROWSERS_MAX: usize = 16_384;

/// Failures in a row that cost no waiting: people mistype.
pub(super) const FAILURES_FREE: u32 = 5;
/// How long one waits after so many failures in a row.
const DELAYS: [(u32, Duration); 4] = [
    (FAILURES_FREE, Duration::from_secs(1)),
    (10, Duration::from_secs(3)),
    (20, Duration::from_secs(5)),
    (30, DELAY_MAX),
];
/// The longest wait before the cap, and at all on this host.
pub(super) const DELAY_MAX: Duration = Duration::from_secs(10);
/// Most failures in a row (NIST SP 800-63B-4, 3.2.2).
const FAILURES_MAX: u32 = 100;
/// Most failures in a row of a known browser. After them it counts as any other: whoever has its
/// cookie gets so many guesses beside those that anybody has.
pub(super) const BROWSER_FAILURES_MAX: u32 = 20;
/// How long the cap holds, and after how long without a try all is forgotten.
pub(super) const CAP_LIFETIME: Duration = Duration::from_hours(24);

/// Which of an account's counts an attempt belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// Anybody's.
    Afar,
    /// That of this host.
    Host,
    /// That of a browser that was signed in before.
    Browser(Browser),
}

/// Who is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Account {
    /// The digest of its name.
    pub(super) name: Digest,
    pub(super) lane: Lane,
}

/// How an account stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// Failures in a row.
    pub(super) failures: u32,
    /// Attempts that are not decided yet.
    pub(super) pending: u32,
    /// The tick of the last failure.
    pub(super) failed_at: u64,
    /// How many of them were beside a fit: the password was right at another account of the address.
    pub(super) beside: u32,
    /// The tick of the last failure that was not.
    pub(super) guessed_at: u64,
}

impl Standing {
    /// Adds a failure.
    pub(super) fn fail(&mut self, is_beside: bool, now: u64) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = now;
        if is_beside {
            self.beside = self.beside.saturating_add(1);
        } else {
            self.guessed_at = now;
        }
    }

    /// How the account would stand without the failures beside a fit, each of which is a sign-in to
    /// another organization.
    pub(super) fn without_sign_ins_elsewhere(self) -> Self {
        let failures = self.failures.saturating_sub(self.beside);
        Self { failures, failed_at: self.guessed_at, beside: 0, ..self }
    }

    /// Whether the next attempt waits, or will wait once what is pending fails.
    pub(super) fn is_slowed(self, now: u64) -> bool {
        self.failures >= FAILURES_FREE && !self.is_forgotten(now)
    }

    /// How long the next attempt waits.
    pub(super) fn wait(self, lane: Lane, now: u64) -> Duration {
        let delay = if self.failures >= FAILURES_MAX && lane == Lane::Afar {
            CAP_LIFETIME
        } else {
            let reached = DELAYS.iter().rev().find(|(failures, _)| self.failures >= *failures);
            reached.map_or(Duration::ZERO, |(_, delay)| *delay)
        };
        delay.saturating_sub(Duration::from_nanos(now.saturating_sub(self.failed_at)))
    }

    /// Whether as many are being decided as could fail without a wait between them.
    pub(super) fn is_full(self) -> bool {
        self.pending > 0 && self.failures.saturating_add(self.pending) >= FAILURES_FREE
    }

    pub(super) fn is_forgotten(self, now: u64) -> bool {
        let idle = Duration::from_nanos(now.saturating_sub(self.failed_at));
        self.pending == 0 && (self.failures == 0 || idle >= CAP_LIFETIME)
    }

    /// What goes first where there is no room: never what is being decided.
    fn rank(&self) -> (u32, u64) {
        let failures = if self.pending > 0 { u32::MAX } else { self.failures };
        (failures, self.failed_at)
    }
}

/// All accounts that failed of late; known browsers apart, so that neither pushes the other out.
#[derive(Default)]
pub(super) struct Accounts {
    any: HashMap<Account, Standing>,
    browsers: HashMap<Account, Standing>,
}

impl Accounts {
    fn table(&self, lane: Lane) -> &HashMap<Account, Standing> {
        match lane {
            Lane::Afar | Lane::Host => &self.any,
            Lane::Browser(_) => &self.browsers,
        }
    }

    fn table_mut(&mut self, lane: Lane) -> (&mut HashMap<Account, Standing>, usize) {
        match lane {
            Lane::Afar | Lane::Host => (&mut self.any, ACCOUNTS_MAX),
            Lane::Browser(_) => (&mut self.browsers, BROWSERS_MAX),
        }
    }

    /// How an account stands; what was long ago is forgotten.
    pub(super) fn get(&self, account: &Account, now: u64) -> Standing {
        let known = self.table(account.lane).get(account).copied().unwrap_or_default();
        if known.is_forgotten(now) { Standing::default() } else { known }
    }

    pub(super) fn put(&mut self, account: Account, standing: Standing, now: u64) {
        let (table, max) = self.table_mut(account.lane);
        if standing.is_forgotten(now) {
            table.remove(&account);
            return;
        }
        make_room(table, &account, max, Standing::rank);
        table.insert(account, standing);
    }

    /// Forgets the failures of one count.
    pub(super) fn forgive(&mut self, account: &Account) {
        let (table, _) = self.table_mut(account.lane);
        let Some(standing) = table.get_mut(account) else { return };
        (standing.failures, standing.beside) = (0, 0);
        if standing.pending == 0 {
            table.remove(account);
        }
    }

    /// Forgets all failures at an account, those of its browsers included.
    pub(super) fn forgive_all(&mut self, name: Digest) {
        let browsers = self.browsers.keys().filter(|account| account.name == name).copied();
        let mut all: Vec<Account> = browsers.collect();
        all.extend([Lane::Afar, Lane::Host].map(|lane| Account { name, lane }));
        for account in all {
            self.forgive(&account);
        }
    }

    /// Each count.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Account, Standing)> {
        let all = self.any.iter().chain(&self.browsers);
        all.map(|(account, standing)| (account, *standing))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.any.len(), self.browsers.len())
    }
}
