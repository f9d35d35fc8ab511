//! Enforces a plan's key limits and an organization's maximum key lifetime.
//!
//! Keys expire without a write, so an organization's keys are counted when a key is created. A
//! guard on the row `KeysMade` protects the count. The row is written only if the plan has a limit.
//! Enabling an expired key takes a place; transferring a key takes none.

use std::collections::{HashMap, HashSet};

use keyhouse_storage::{Batch, Range};

use crate::actions::{ActionError, Actions, put};
use crate::index::facts::OrganizationFacts;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::{OrganizationId, UserId};
use crate::model::moment::Moment;
use crate::model::plan::API_ACCESS;
use crate::records::Revised;
use crate::records::access::KeysMadeRecord;
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;

/// Number of keys that count against a plan's limits.
#[derive(Default)]
struct KeyCounts {
    all: u64,
    by_user: HashMap<UserId, u64>,
}

/// Whether a key counts against its organization's plan: every key counts that is neither revoked
/// nor expired, including disabled keys and keys that are not valid yet.
pub(super) fn takes_place(record: &KeyRecord, now: Moment) -> bool {
    record.revoked_at.is_none() && record.expires_at.is_none_or(|end| now < end)
}

impl KeyCounts {
    fn add(&mut self, owner: Option<UserId>) {
        self.all += 1;
        if let Some(user) = owner {
            *self.by_user.entry(user).or_default() += 1;
        }
    }
}

impl Actions {
    /// Adds the guard of the plan's limits to a batch that creates keys for these owners. Of two
    /// batches that would each take the last place, the second is decided again. If the plan has no
    /// limits, no guard is added, so that batches do not wait for each other.
    pub(in crate::actions) fn within_limits(
        &self,
        batch: Batch,
        organization: OrganizationId,
        owners: &[Option<UserId>],
    ) -> Result<Batch, ActionError> {
        let organization = self.index.organization(organization);
        let organization = organization.ok_or(ActionError::NotFound("organization"))?;
        let limits = organization.plan.facts().plan.limits;
        let users: HashSet<UserId> = owners.iter().copied().flatten().collect();
        let per_user = limits.keys_per_user.filter(|_limit| !users.is_empty());
        if limits.keys.is_none() && per_user.is_none() {
            return Ok(batch);
        }
        let place = StoreKey::KeysMade(organization.id);
        let held: Option<Revised<KeysMadeRecord>> = self.read(&place)?;
        let (batch, times) = match held {
            Some(held) => (batch.unchanged(place.to_bytes(), held.revision), held.record.times),
            None => (batch.absent(place.to_bytes()), 0),
        };
        let reached = |limit, maximum| {
            let plan = organization.subscription.plan.to_string();
            Err(ActionError::LimitReached { plan, limit, maximum })
        };
        let counted = self.count_with(organization.id, owners)?;
        if let Some(maximum) = limits.keys.map(u64::from).filter(|most| counted.all > *most) {
            return reached("keys", maximum);
        }
        let most_of_one = users.iter().filter_map(|user| counted.by_user.get(user)).max();
        let most_of_one = most_of_one.copied().unwrap_or_default();
        if let Some(maximum) = per_user.map(u64::from).filter(|most| most_of_one > *most) {
            return reached("keys_per_user", maximum);
        }
        put(batch, &place, &KeysMadeRecord { times: times + 1 })
    }

    /// Counts an organization's keys that count against its plan, plus new keys for these owners.
    /// Reads all keys of the organization.
    fn count_with(
        &self,
        organization: OrganizationId,
        owners: &[Option<UserId>],
    ) -> Result<KeyCounts, ActionError> {
        let mut counted = KeyCounts::default();
        for owner in owners {
            counted.add(*owner);
        }
        let (prefix, now) = (StoreKey::keys_of(organization), self.clock.now().wall);
        for held in self.records::<KeyRecord>(&Range::prefix(&prefix)) {
            let record = held?.record;
            if takes_place(&record, now) {
                counted.add(record.owner);
            }
        }
        Ok(counted)
    }

    /// Counts an organization's keys that count against its plan. Reads all keys of the
    /// organization.
    pub(in crate::actions) fn count_keys(
        &self,
        organization: OrganizationId,
    ) -> Result<u64, ActionError> {
        Ok(self.count_with(organization, &[])?.all)
    }
}

/// Rejects new keys and new secrets in an organization that has no API access.
pub(super) fn require_access(
    organization: &OrganizationFacts,
    now: Moment,
) -> Result<(), ActionError> {
    if organization.has_access(now) {
        return Ok(());
    }
    let plan = organization.subscription.plan.to_string();
    Err(ActionError::SubscriptionRequired { plan, feature: API_ACCESS })
}

/// Rejects a key that outlives the organization's maximum key lifetime, counted from the key's
/// creation.
pub(super) fn check_lifetime(
    organization: &OrganizationFacts,
    created_at: Moment,
    expires_at: Option<Moment>,
) -> Result<(), ActionError> {
    let Some(days) = organization.key_lifetime_days_max else { return Ok(()) };
    let latest = created_at.after(std::time::Duration::from_hours(24 * u64::from(days)));
    let (code, detail) = match expires_at {
        Some(end) if end <= latest => return Ok(()),
        Some(_) => (
            FaultCode::TOO_LONG,
            format!(
                "must be at most {days} days from now, the organization's \
            maximum"
            ),
        ),
        None => (
            FaultCode::REQUIRED,
            format!(
                "is required: keys of this organization expire after at most \
            {days} days"
            ),
        ),
    };
    Err(ActionError::Invalid(vec![Fault::new("/expires_at", code, detail)]))
}

/// Rejects permissions beyond the maximum of a transferred key. The maximum is what the key granted
/// at its transfer, and applies to every later owner.
pub(super) fn refuse_beyond_ceiling(record: &KeyRecord) -> Result<(), ActionError> {
    let listed = record.patterns();
    for maximum in &record.maxima {
        let beyond = listed.as_set().texts().find(|pattern| !maximum.as_set().covers(pattern));
        if let Some(pattern) = beyond {
            let detail = format!(
                "{pattern} exceeds the permissions that the key was transferred \
                with: {maximum}"
            );
            let fault = Fault::new("/permissions", FaultCode::BEYOND_CEILING, detail);
            return Err(ActionError::Invalid(vec![fault]));
        }
    }
    Ok(())
}

/// Rejects a key that has already expired or that expires before it becomes valid.
pub(super) fn check_times(
    not_before: Option<Moment>,
    expires_at: Option<Moment>,
    now: Moment,
) -> Result<(), ActionError> {
    let Some(end) = expires_at else { return Ok(()) };
    let detail = if end <= now {
        "must be in the future; to end a key now, revoke it"
    } else if not_before.is_some_and(|begin| end <= begin) {
        "must be later than not_before"
    } else {
        return Ok(());
    };
    Err(ActionError::Invalid(vec![Fault::new("/expires_at", FaultCode::OUT_OF_RANGE, detail)]))
}
