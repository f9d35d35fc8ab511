//! Lets a check wait for something without stopping the event loop.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Most checks that wait at once. Each takes a thread for as long as it waits, beside those of the
/// blocking pool.
pub(super) const WAITING_MAX: usize = 256;

/// The checks that wait.
#[derive(Debug, Default)]
pub struct Aside(AtomicUsize);

/// Counts one out again, also when it panics.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Aside {
    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Runs `work`, which blocks. On the event loop another thread takes the other connections over
    /// meanwhile; elsewhere it just runs. `None`: as many as may are waiting already.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let waiting = self.0.fetch_add(1, Ordering::Relaxed);
        let _place = Place(&self.0);
        (waiting < WAITING_MAX).then(|| tokio::task::block_in_place(work))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_place_is_told_so_and_places_come_back() {
        let aside = Aside(AtomicUsize::new(WAITING_MAX - 1));
        let nested = aside.run(|| aside.run(|| ()));
        assert_eq!(nested, Some(None));
        assert_eq!(aside.run(|| 1), Some(1));
    }
}
