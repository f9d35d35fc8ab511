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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use keyhouse_storage::{BATCH_WRITES_MAX, Batch, CommitError};
use serde_json::{Map, Value};

use crate::actions::events::AuditEntry;
use crate::actions::signing_in::throttle::Source;
use crate::actions::{ActionError, Actions};
use crate::model::id::{OrganizationId, UserId};
use crate::records::access::UserRecord;
use crate::records::place::StoreKey;
use crate::worker::Worker;

/// Maximum number of pairs of account and network that are counted separately in a minute. All
/// further pairs of account and network share one sum.
pub const REFUSALS_MAX: usize = 1_000;
/// Maximum number of pairs of one network. Further pairs of the network share one sum. Without this
/// limit, one network could fill the table, and the failures of other networks would go into the
/// common sum.
const NETWORK_SHARE: usize = 8;
/// All sums of a minute fit in one batch.
const _: () = assert!(REFUSALS_MAX < BATCH_WRITES_MAX);
/// The interval at which the sums are written.
const FLUSH_INTERVAL: Duration = Duration::from_mins(1);
/// The target of an event about an unknown account.
const UNKNOWN: &str = "unknown";

#[derive(Default)]
pub(in crate::actions) struct FailedSignIns(Mutex<Sums>);

#[derive(Default)]
struct Sums {
    /// The sums by account and network. An account is a user's id, or an email address without a
    /// user, or empty if the typed text is not an address.
    pairs: HashMap<(String, Option<IpNet>), Sum>,
    /// The number of pairs of each network.
    of_network: HashMap<Option<IpNet>, usize>,
    rest: Sum,
}

/// The reason why a sign-in failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::actions) enum SignInFailure {
    Failed,
    /// The attempt came too soon after other attempts and was not checked.
    Throttled,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u64,
    /// The number of attempts that were not checked.
    throttled: u64,
    /// The last client address of the network.
    address: Option<IpAddr>,
}

impl Sum {
    fn add(&mut self, other: Self) {
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

    fn add(&self, mut pair: (String, Option<IpNet>), sum: Sum) {
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

    fn take(&self) -> Sums {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The target of an event: a user of an organization, or `None` for an unknown account.
type FailedAccount = Option<(UserId, OrganizationId)>;

impl Actions {
    /// Writes the failures since the last flush. Failures that cannot be written wait for the next
    /// flush.
    pub fn flush_failed_sign_ins(&self) {
        let sums = self.failed_sign_ins.take();
        if sums.pairs.is_empty() && sums.rest.count == 0 {
            return;
        }
        let Err(error) = self.write_refusals(&sums) else { return };
        tracing::warn!(%error, "could not write failed sign-ins; retrying");
        for (pair, sum) in sums.pairs {
            self.failed_sign_ins.add(pair, sum);
        }
        self.failed_sign_ins.lock().rest.add(sums.rest);
    }

    fn write_refusals(&self, sums: &Sums) -> Result<(), ActionError> {
        let mut reported: HashMap<(FailedAccount, Option<IpNet>), Sum> = HashMap::new();
        for ((account, network), sum) in &sums.pairs {
            let user = account.parse().ok().map(|id| self.read::<UserRecord>(&StoreKey::User(id)));
            let user = user.transpose()?.flatten().map(|held| held.record);
            let is_shown = user.as_ref().is_none_or(|user| self.is_email_verified(user));
            let target = user.map(|user| (user.id, user.organization));
            let address = sum.address.filter(|_address| is_shown);
            let network = network.filter(|_network| is_shown);
            reported.entry((target, network)).or_default().add(Sum { address, ..*sum });
        }
        let now = self.clock.now().wall;
        let mut batch = Batch::new();
        for ((target, network), sum) in &reported {
            batch = self.record(batch, now, refused(*target, *network, *sum))?;
        }
        if sums.rest.count > 0 {
            batch = self.record(batch, now, refused(None, None, sums.rest))?;
        }
        match self.store.commit(batch) {
            Ok(_) => Ok(()),
            // The batch may have been written. The write is not repeated, since a second event
            // would be worse than a missing event.
            Err(error @ CommitError::Unknown(_)) => {
                tracing::warn!(%error, "outcome unknown: failed sign-ins may or may not have been \
                    written");
                Ok(())
            },
            Err(error) => {
                tracing::debug!(%error, "could not commit");
                Err(ActionError::StorageUnavailable)
            },
        }
    }
}

fn refused(target: FailedAccount, network: Option<IpNet>, sum: Sum) -> AuditEntry {
    let mut after = Map::new();
    after.insert("count".to_owned(), sum.count.into());
    if sum.throttled > 0 {
        after.insert("throttled".to_owned(), sum.throttled.into());
    }
    if let Some(network) = network {
        after.insert("network".to_owned(), Value::String(network.to_string()));
    }
    AuditEntry {
        actor: None,
        address: sum.address,
        organization: target.map(|(_, organization)| organization),
        action: "session.refuse",
        target: target.map_or_else(|| UNKNOWN.to_owned(), |(user, _)| user.to_string()),
        before: Map::new(),
        after,
    }
}

/// Starts the thread.
///
/// # Errors
/// If the system cannot start a thread.
pub fn start(actions: Arc<Actions>) -> std::io::Result<Worker> {
    Worker::spawn("refusals", move |halt| {
        while !halt.pause(FLUSH_INTERVAL) {
            actions.flush_failed_sign_ins();
        }
        actions.flush_failed_sign_ins();
    })
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
