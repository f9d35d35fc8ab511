//! A reservation to be written, and the quota that it belongs to.

use std::sync::Arc;

use crate::index::quota::window::Window;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::limit::Span;
use crate::records::place::StoreKey;
use crate::records::reservation::ReservationRecord;

/// The owner of a quota: the key or organization whose calls it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaOwner {
    /// The calls of one key.
    Key(KeyId),
    /// The calls of all keys of an organization, by its plan.
    Organization(OrganizationId),
}

impl QuotaOwner {
    /// The store key of the quota's reservation.
    pub fn place(self) -> StoreKey {
        match self {
            Self::Key(id) => StoreKey::Quota(id),
            Self::Organization(id) => StoreKey::PlanQuota(id),
        }
    }
}

/// A reservation to be written.
#[derive(Debug)]
pub struct Renewal {
    pub owner: QuotaOwner,
    pub(super) window: Arc<Window>,
    pub(super) reserved: u64,
}

impl Renewal {
    pub fn record(&self) -> ReservationRecord {
        let Span { begins, ends } = self.window.span;
        ReservationRecord { begins, ends, reserved: self.reserved }
    }

    /// Lets calls use the reservation. The caller has stored the reservation durably.
    pub(super) fn mark_durable(&self) {
        self.window.reserve(self.reserved);
    }
}
