//! The counts of one period under one limit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::model::limit::Span;
use crate::model::moment::Moment;

/// The smallest and largest reservation, in calls. Between these values, a reservation is 1% of the
/// quota.
const STEP_MIN: u64 = 1;
const STEP_MAX: u64 = 1_000;
/// The clock may have been set back by this much between two starts: a counter does not return to a
/// period that ended less than this before. Within one process, wall time never goes back, and
/// checks are late by less.
const LATE_MAX: Duration = Duration::from_hours(1);
/// Marks a count that another window has taken over.
const MOVED: u64 = 1 << 63;
/// The period of a window that no check and no record has set.
pub(super) const NOWHERE: Span = Span { begins: Moment::BEGINNING, ends: Moment::BEGINNING };

#[derive(Debug)]
pub(super) struct Window {
    pub(super) span: Span,
    pub(super) limit: u64,
    used: AtomicU64,
    /// The durable reservation; it only grows.
    reserved: AtomicU64,
    /// The highest count that a call needed.
    wanted: AtomicU64,
}

/// The result of drawing from one window.
pub(super) enum WindowDraw {
    Granted { is_low: bool },
    Refused,
    Short { needed: u64 },
    Moved,
}

impl Window {
    pub(super) fn new(span: Span, limit: u64, used: u64, reserved: u64) -> Self {
        let [used, reserved, wanted] = [used, reserved, 0].map(AtomicU64::new);
        Self { span, limit, used, reserved, wanted }
    }

    pub(super) fn draw(&self, cost: u32) -> WindowDraw {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            if used & MOVED != 0 {
                return WindowDraw::Moved;
            }
            let next = used.saturating_add(u64::from(cost));
            if next > self.limit {
                return WindowDraw::Refused;
            }
            let reserved = self.reserved.load(Ordering::Acquire);
            if next > reserved {
                return WindowDraw::Short { needed: next };
            }
            let swap =
                self.used.compare_exchange_weak(used, next, Ordering::Relaxed, Ordering::Relaxed);
            match swap {
                Ok(_) => {
                    let is_low = reserved - next <= self.step() / 2 && reserved < self.limit;
                    return WindowDraw::Granted { is_low };
                },
                Err(seen) => used = seen,
            }
        }
    }

    /// Takes `cost` back. Returns false if another window has taken the count over.
    pub(super) fn give_back(&self, cost: u32) -> bool {
        let less = |used: u64| (used & MOVED == 0).then(|| used.saturating_sub(u64::from(cost)));
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed) & !MOVED
    }

    pub(super) fn reserved(&self) -> u64 {
        self.reserved.load(Ordering::Relaxed)
    }

    /// Ends counting in this window, and returns its count for the next one.
    pub(super) fn move_out(&self) -> u64 {
        self.used.fetch_or(MOVED, Ordering::Relaxed) & !MOVED
    }

    /// Whether a call that found the reservation too small can draw again: the store holds `needed`
    /// units, or another window has taken the count over.
    pub(super) fn can_decide(&self, needed: u64) -> bool {
        self.reserved.load(Ordering::Acquire) >= needed
            || self.used.load(Ordering::Relaxed) & MOVED != 0
    }

    pub(super) fn want(&self, needed: u64) {
        self.wanted.fetch_max(needed, Ordering::Relaxed);
    }

    /// Lets calls use `reserved` units. The caller has stored the reservation durably.
    pub(super) fn reserve(&self, reserved: u64) {
        self.reserved.fetch_max(reserved, Ordering::Release);
    }

    fn step(&self) -> u64 {
        (self.limit / 100).clamp(STEP_MIN, STEP_MAX)
    }

    /// The size of the next reservation.
    pub(super) fn target(&self) -> u64 {
        let ahead = self.used().saturating_add(self.step());
        let wanted = ahead.max(self.wanted.load(Ordering::Relaxed)).min(self.limit);
        wanted.max(self.reserved())
    }

    /// Whether a check at `now` counts in this window. A late check, which read the clock just
    /// before the period began, also counts in the new period: the counter does not return to the
    /// old period.
    pub(super) fn takes(&self, limit: u64, span: Span, now: Moment) -> bool {
        (self.span == span && self.limit == limit)
            || (now < self.span.begins && self.span.begins.since(now) <= LATE_MAX)
    }
}
