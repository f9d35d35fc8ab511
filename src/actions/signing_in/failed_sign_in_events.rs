//! Writes the sums of failed sign-ins to the audit log every minute, in a thread of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use keyhouse_storage::{Batch, CommitError};
use serde_json::{Map, Value};

use crate::actions::events::AuditEntry;
use crate::actions::signing_in::failed_sign_ins::{Sum, Sums};
use crate::actions::{ActionError, Actions};
use crate::model::audit_action::AuditAction;
use crate::model::id::{OrganizationId, UserId};
use crate::records::access::UserRecord;
use crate::records::place::StoreKey;
use crate::worker::Worker;

/// The interval at which the sums are written.
const FLUSH_INTERVAL: Duration = Duration::from_mins(1);
/// The target of an event about an unknown account.
const UNKNOWN: &str = "unknown";

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
        action: AuditAction::SESSION_REFUSE,
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
    Worker::spawn("failed-sign-ins", move |halt| {
        while !halt.pause(FLUSH_INTERVAL) {
            actions.flush_failed_sign_ins();
        }
        actions.flush_failed_sign_ins();
    })
}
