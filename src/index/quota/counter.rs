//! The counter of one quota: the window of its running period, and the change of windows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::index::quota::queue::RenewalQueue;
use crate::index::quota::renewal::{QuotaOwner, Renewal};
use crate::index::quota::window::{NOWHERE, Window, WindowDraw};
use crate::model::limit::{Quota, Span};
use crate::model::moment::Moment;
use crate::records::reservation::ReservationRecord;

/// The result of drawing from a quota.
#[derive(Debug)]
pub enum QuotaDraw {
    /// The call was counted in the period that begins at `begins`.
    Granted {
        /// Identifies the period, for [`super::QuotaRule::give_back`].
        begins: Moment,
    },
    /// The period has no room for the call.
    Refused,
    /// The period has room for the call, but the store does not hold the reservation yet.
    Unreserved(Unreserved),
}

#[derive(Debug)]
pub struct QuotaCounter {
    owner: QuotaOwner,
    window: ArcSwap<Window>,
    /// The last change of the rule. The lock is held while a new window replaces the old one.
    turning: Mutex<Option<RuleChange>>,
    is_queued: AtomicBool,
    reservations: Arc<Reservations>,
}

/// The time of the rule's last change, and the period at that time.
#[derive(Clone, Copy, Debug)]
struct RuleChange {
    at: Moment,
    span: Span,
}

/// The queue of the counters of one instance.
pub type Reservations = RenewalQueue<QuotaCounter>;

impl Reservations {
    /// Waits for queued quotas and takes up to `limit`, longest waiting first. `None` means that
    /// the thread must end.
    pub fn take(&self, limit: usize) -> Option<Vec<Arc<QuotaCounter>>> {
        let taken = self.take_waiting(limit)?;
        for counter in &taken {
            counter.leave_queue();
        }
        Some(taken)
    }
}

impl QuotaCounter {
    /// A counter with nothing used and nothing reserved.
    pub fn new(owner: QuotaOwner, reservations: Arc<Reservations>) -> Self {
        Self {
            owner,
            window: ArcSwap::from_pointee(Window::new(NOWHERE, 0, 0, 0)),
            turning: Mutex::new(None),
            is_queued: AtomicBool::new(false),
            reservations,
        }
    }

    pub fn owner(&self) -> QuotaOwner {
        self.owner
    }

    pub(super) fn draw(
        self: &Arc<Self>,
        limit: u64,
        span: Span,
        now: Moment,
        cost: u32,
    ) -> QuotaDraw {
        loop {
            let known = self.window.load();
            let window = if known.takes(limit, span, now) {
                known
            } else {
                drop(known);
                self.turn(limit, span, now);
                self.window.load()
            };
            match window.draw(cost) {
                WindowDraw::Granted { is_low } => {
                    if is_low {
                        self.request_renewal();
                    }
                    return QuotaDraw::Granted { begins: window.span.begins };
                },
                WindowDraw::Refused => return QuotaDraw::Refused,
                WindowDraw::Short { needed } => {
                    window.want(needed);
                    self.request_renewal();
                    let reservations = Arc::clone(&self.reservations);
                    let window = arc_swap::Guard::into_inner(window);
                    return QuotaDraw::Unreserved(Unreserved { reservations, window, needed });
                },
                WindowDraw::Moved => {},
            }
        }
    }

    /// Replaces the window if it does not match the rule or the time.
    fn turn(&self, limit: u64, span: Span, now: Moment) {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.window.load().takes(limit, span, now) {
            self.take_over(limit, span, now);
        }
    }

    /// The caller must hold `turning`.
    fn take_over(&self, limit: u64, span: Span, now: Moment) {
        let old = self.window.load();
        let counted = old.move_out();
        let (used, reserved) = if old.span == span {
            (counted, old.reserved())
        } else if now < old.span.ends {
            // The rule changed, and its last period is still running. The stored reservation is for
            // the old period, so only the carried count is reserved in the new period.
            (counted, counted)
        } else {
            (0, 0)
        };
        self.window.store(Arc::new(Window::new(span, limit, used, reserved)));
    }

    /// Queues the counter, unless it is already in the queue.
    fn request_renewal(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) && !self.reservations.push(self) {
            self.is_queued.store(false, Ordering::Release);
        }
    }

    pub(super) fn give_back(&self, begins: Moment, cost: u32) {
        let window = self.window.load();
        if window.span.begins == begins && !window.give_back(cost) {
            // The rule changed at the same time: the call stays counted.
            tracing::debug!(owner = ?self.owner, "quota: a refunded call stays counted");
        }
    }

    pub(super) fn used(&self, now: Moment) -> u64 {
        let window = self.window.load();
        if now < window.span.ends { window.used() } else { 0 }
    }

    /// For the index's writer: sets `quota` as the rule since `at`. If the last period was still
    /// running at that moment, its count is carried over.
    pub(in crate::index) fn change(&self, quota: &Quota, at: Moment) {
        let mut turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let span = quota.span(at);
        *turning = Some(RuleChange { at, span });
        let known = self.window.load().span;
        if known != span && known.begins <= at && at < known.ends {
            self.take_over(quota.limit, span, at);
        }
    }

    /// For the index's writer: the reservation that the store held when this process began counts
    /// as used. Later rows, which this process wrote, are ignored.
    pub(in crate::index) fn restore(&self, record: &ReservationRecord) {
        let turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        if self.window.load().span != NOWHERE {
            return;
        }
        let mut span = Span { begins: record.begins, ends: record.ends };
        if let Some(change) = *turning
            && span.begins <= change.at
            && change.at < span.ends
        {
            span = change.span;
        }
        // The limit is unknown until the first check sets it.
        self.window.store(Arc::new(Window::new(span, 0, record.reserved, record.reserved)));
    }

    /// Leaves the queue. The next request for a renewal queues the counter again.
    fn leave_queue(&self) {
        self.is_queued.swap(false, Ordering::AcqRel);
    }

    /// The reservation to write for the next calls; `None` if enough is reserved.
    pub fn renewal(&self) -> Option<Renewal> {
        let window = self.window.load_full();
        let reserved = window.target();
        let is_ahead = window.span != NOWHERE && reserved > window.reserved();
        is_ahead.then_some(Renewal { owner: self.owner, window, reserved })
    }

    /// Ends counting, and returns the reservation without its unused part, to be written; `None` if
    /// nothing was counted. Later draws find no units reserved.
    pub fn settle(&self) -> Option<Renewal> {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let span = self.window.load().span;
        if span == NOWHERE {
            return None;
        }
        let old = self.window.load();
        let used = old.move_out();
        let window = Arc::new(Window::new(span, old.limit, used, used));
        self.window.store(Arc::clone(&window));
        Some(Renewal { owner: self.owner, window, reserved: used })
    }
}

/// A call that is within its quota, and must wait until the store holds the reservation.
#[derive(Debug)]
pub struct Unreserved {
    reservations: Arc<Reservations>,
    window: Arc<Window>,
    needed: u64,
}

impl Unreserved {
    /// Blocks until the call can be decided again. Returns false after `timeout`, or if
    /// reservations fail.
    pub fn wait(&self, timeout: Duration) -> bool {
        let done = || self.window.can_decide(self.needed);
        self.reservations.wait(done, timeout)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Renews all queued quotas, as if a store had accepted them at once.
    pub(crate) fn renew_all(reservations: &Reservations) {
        let counters = reservations.take_without_waiting();
        for counter in &counters {
            counter.leave_queue();
        }
        let renewals: Vec<_> = counters.iter().filter_map(|counter| counter.renewal()).collect();
        reservations.answer(&renewals, true);
    }

    impl QuotaCounter {
        pub(in crate::index::quota) fn renew(&self) {
            renew_all(&self.reservations);
        }

        /// The record that the store holds if it accepted every reservation.
        pub(in crate::index::quota) fn stored(&self) -> ReservationRecord {
            let window = self.window.load();
            let Span { begins, ends } = window.span;
            ReservationRecord { begins, ends, reserved: window.reserved() }
        }
    }
}
