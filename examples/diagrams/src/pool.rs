//! Threads that draw pictures: a fixed number, with a queue of a fixed length.
//!
//! A job that finds the queue full is refused at once, so that a burst of large pictures delays other requests by a
//! bounded time only. One organization has at most half of the places, so that it cannot use up those of the others.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::places::Places;

type Job = Box<dyn FnOnce() + Send>;

/// Why a job has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolError {
    /// The queue is full, or the organization has the maximum number of jobs.
    Full,
    /// The job failed unexpectedly, or the threads have ended.
    Failed,
}

/// The threads and their queue. Dropping the pool waits until the queued jobs are done.
#[derive(Debug)]
pub(crate) struct Pool {
    /// `None` once the pool ends.
    queue: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
    /// The places of the jobs that run or wait.
    places: Arc<Places>,
}

impl Pool {
    /// Starts `threads` threads, in front of which `waiting_max` jobs may wait.
    pub(crate) fn start(threads: usize, waiting_max: usize) -> io::Result<Self> {
        let (queue, jobs) = sync_channel::<Job>(waiting_max);
        let jobs = Arc::new(Mutex::new(jobs));
        let threads = (0..threads.max(1))
            .map(|number| {
                let jobs = Arc::clone(&jobs);
                let name = format!("render-{number}");
                thread::Builder::new().name(name).spawn(move || work(&jobs))
            })
            .collect::<io::Result<Vec<_>>>()?;
        let places = Places::of(threads.len() + waiting_max);
        Ok(Self { queue: Some(queue), threads, places })
    }

    /// Runs a job of an organization on one of the threads, and waits for its result.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        organization: &str,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (sender, receiver) = sync_channel(1);
        let _place = self.places.take(organization).ok_or(PoolError::Full)?;
        // The receiver waits below, so that sending cannot fail.
        let job = Box::new(move || drop(sender.send(job())));
        let queue = self.queue.as_ref().ok_or(PoolError::Failed)?;
        match queue.try_send(job) {
            Ok(()) => receiver.recv().map_err(|_dropped| PoolError::Failed),
            Err(TrySendError::Full(_)) => Err(PoolError::Full),
            Err(TrySendError::Disconnected(_)) => Err(PoolError::Failed),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a rendering thread failed");
            }
        }
    }
}

/// Runs jobs until the queue is closed and empty.
fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // The job's result is dropped with it, which its caller sees.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a rendering job failed unexpectedly");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_job_that_finds_the_queue_full_is_refused() {
        let pool = Pool::start(1, 1).unwrap();
        let (started, has_started) = channel();
        let (release, released) = channel::<()>();
        thread::scope(|scope| {
            let running = scope.spawn(|| {
                pool.run("org_1", move || {
                    started.send(()).unwrap();
                    let _released = released.recv();
                    1
                })
            });
            has_started.recv().unwrap();
            // The thread is busy: one job waits, and one of the two that come now is refused.
            let [second, third] = [("org_2", 2), ("org_3", 3)].map(|(organization, number)| {
                scope.spawn({
                    let pool = &pool;
                    move || pool.run(organization, move || number)
                })
            });
            let refused = loop {
                if second.is_finished() {
                    break second.join().unwrap();
                }
                if third.is_finished() {
                    break third.join().unwrap();
                }
                thread::yield_now();
            };
            assert_eq!(refused, Err(PoolError::Full));
            release.send(()).unwrap();
            assert_eq!(running.join().unwrap(), Ok(1));
        });
    }

    #[test]
    fn an_organization_leaves_places_to_the_others() {
        let pool = Pool::start(1, 3).unwrap();
        let first = pool.places.take("org_1").unwrap();
        let second = pool.places.take("org_1").unwrap();
        assert_eq!(pool.run("org_1", || 3), Err(PoolError::Full));
        assert_eq!(pool.run("org_2", || 4), Ok(4));
        drop((first, second));
        assert_eq!(pool.run("org_1", || 5), Ok(5));
    }

    #[test]
    fn a_job_that_fails_ends_neither_the_thread_nor_the_caller() {
        let pool = Pool::start(1, 1).unwrap();
        let failed: Result<(), _> = pool.run("org_1", || panic!("a bug of the renderer"));
        assert_eq!(failed, Err(PoolError::Failed));
        assert_eq!(pool.run("org_1", || 7), Ok(7));
    }
}
