//! Quotas: how much of a period is used, and how much use is durably reserved.
//!
//! A call is counted only within the reservation that the store holds. After a crash the whole
//! reservation counts as used, so that a crash never allows additional calls. A change of the quota
//! does not reset the count: the count of a running period is carried over into the period of the
//! new rule. The count of an ended period is not.

mod counter;
mod queue;
mod renewal;
mod rule;
mod window;

pub use counter::{QuotaCounter, QuotaDraw, Reservations, Unreserved};
pub use queue::{EndOfRenewals, RENEWALS_WAITING_MAX, RenewalQueue};
pub use renewal::{QuotaOwner, Renewal};
pub use rule::{QuotaRule, QuotaTerms};

#[cfg(test)]
pub(crate) use counter::tests::renew_all;
