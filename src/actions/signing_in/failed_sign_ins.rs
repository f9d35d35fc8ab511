//! Failed sign-ins as audit events: one event for each account, network and minute.
//!
//! A thread writes the events, each with a count, so that an attacker cannot fill the store or the
//! audit log. A shutdown writes the remaining events. The typed email address is kept for at most
//! one minute: an event names a user or `unknown`. An event contains the client's address and
//! network only if the user's organization vouches for the email address. Without this rule, an
//! organization could add the email address of another person and learn that person's network.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use keyhouse_storage::BATCH_WRITES_MAX;

use crate::actions::signing_in::throttle::Source;

/// Maximum number of pairs of account and network that are counted separately in a minute. All
/// further pairs of account and network share one sum.
pub const REFUSALS_MAX: usize = 1_000;
/// Maximum number of pairs of one network. Further pairs of the network share one sum. Without this
/// limit, one network could fill the table, and the failures of other networks would go into the
/// common sum.
const NETWORK_SHARE: usize = 8;
/// All sums of a minute fit in one batch.
const _: () = assert!(REFUSALS_MAX < BATCH_WRITES_MAX);

#[derive(Default)]
pub(in crate::actions) struct FailedSignIns(Mutex<Sums>);

#[derive(Default)]
pub(super) struct Sums {
    /// The sums by account and network. An account is a user's id, or an email address without a
    /// user, or empty if the typed text is not an address.
    pub(super) pairs: HashMap<(String, Option<IpNet>), Sum>,
    /// The number of pairs of each network.
    of_network: HashMap<Option<IpNet>, usize>,
    pub(super) rest: Sum,
}

/// The reason why a sign-in failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::actions) enum SignInFailure {
    Failed,
    /// The attempt came too soon after other attempts and was not checked.
    Throttled,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) count: u64,
    /// The number of attempts that were not checked.
    pub(super) throttled: u64,
    /// The last client address of the network.
    pub(super) address: Option<IpAddr>,
}

impl Sum {
    pub(super) fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.throttled = self.throttled.saturating_add(other.throttled);
        self.address = other.address.or(self.address);
    }
}

/// The sums contain addresses that people typed, so `Debug` does not print them.
impl fmt::Debug for FailedSignIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusals").finish_non_exhaustive()
    }
}

impl FailedSignIns {
    pub(in crate::actions) fn note(&self, account: &str, source: Source, refusal: SignInFailure) {
        let throttled = u64::from(refusal == SignInFailure::Throttled);
        let sum = Sum { count: 1, throttled, address: source.address };
        self.add((account.to_owned(), source.network()), sum);
    }

    pub(super) fn add(&self, mut pair: (String, Option<IpNet>), sum: Sum) {
        let mut sums = self.lock();
        let network = pair.1;
        let of_network = sums.of_network.get(&network).copied().unwrap_or_default();
        if of_network >= REFUSALS_MAX / NETWORK_SHARE && !sums.pairs.contains_key(&pair) {
            // The attempt is counted like a text that is not an address.
            pair.0 = String::new();
        }
        if let Some(known) = sums.pairs.get_mut(&pair) {
            known.add(sum);
        } else if sums.pairs.len() >= REFUSALS_MAX {
            sums.rest.add(Sum { address: None, ..sum });
        } else {
            sums.pairs.insert(pair, sum);
            *sums.of_network.entry(network).or_default() += 1;
        }
    }

    pub(super) fn take(&self) -> Sums {
        std::mem::take(&mut *self.lock())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: one network could fill the whole table, so that failures of other networks were
    /// reported as one sum.
    #[test]
    fn one_network_has_an_eighth_of_the_sums_and_one_sum_beyond() {
        let failed_sign_ins = FailedSignIns::default();
        let source = Source { address: Some([192, 0, 2, 7].into()), on_host: false };
        let share = REFUSALS_MAX / NETWORK_SHARE;
        for number in 0..share + 50 {
            failed_sign_ins.note(&format!("{number}@example.com"), source, SignInFailure::Failed);
        }
        let elsewhere = Source { address: Some([198, 51, 100, 7].into()), on_host: false };
        failed_sign_ins.note("owner@example.com", elsewhere, SignInFailure::Failed);
        let sums = failed_sign_ins.take();
        assert_eq!((sums.pairs.len(), sums.rest.count), (share + 2, 0));
        assert_eq!(sums.pairs[&(String::new(), source.network())].count, 50);
        let owners = ("owner@example.com".to_owned(), elsewhere.network());
        assert_eq!(sums.pairs[&owners].count, 1);
    }

    #[test]
    fn a_flood_of_accounts_is_one_sum_beyond_the_bound() {
        let failed_sign_ins = FailedSignIns::default();
        let from = |network: usize| {
            let [.., high, low] = network.to_be_bytes();
            Source { address: Some([192, high, low, 7].into()), on_host: false }
        };
        for number in 0..REFUSALS_MAX + 50 {
            failed_sign_ins.note(
                &format!("{number}@example.com"),
                from(number),
                SignInFailure::Failed,
            );
        }
        failed_sign_ins.note("0@example.com", from(0), SignInFailure::Throttled);
        let sums = failed_sign_ins.take();
        assert_eq!((sums.pairs.len(), sums.rest.count), (REFUSALS_MAX, 50));
        let first = sums.pairs[&("0@example.com".to_owned(), from(0).network())];
        assert_eq!((first.count, first.throttled), (2, 1));
        assert_eq!(sums.rest.address, None);
        assert!(failed_sign_ins.take().pairs.is_empty());
    }
}
