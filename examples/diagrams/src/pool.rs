//! Threads that draw pictures: a fixed number, with a queue of a fixed length.
//!
//! A job that finds the queue full is refused at once, so that a burst of large pictures delays other requests by a
//! bounded time only. One organization has at most half of the places, so that it cannot use up those of the others.
//! The threads take the waiting jobs of the organizations in turn, so that the jobs of one organization do not wait
//! behind all those of another one.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::places::Places;

type Job = Box<dyn FnOnce() + Send>;

/// Why a job has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolError {
    /// The queue is full, or the organization has the maximum number of jobs.
    Full,
    /// The job failed unexpectedly.
    Failed,
}

/// The threads and their queue. Dropping the pool waits until the queued jobs are done.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
    /// The places of the jobs that run or wait.
    places: Arc<Places>,
}

/// Jobs that wait for a thread. [`Places`] is the maximum of their number.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Notified for each new job, and when the queue is closed.
    changed: Condvar,
}

/// The waiting jobs, by organization.
#[derive(Default)]
struct Waiting {
    /// The jobs of each organization that has some, the oldest first.
    jobs: BTreeMap<String, VecDeque<Job>>,
    /// The organizations of `jobs`, in the order of their turns.
    turns: VecDeque<String>,
    is_closed: bool,
}

impl Pool {
    /// Starts `threads` threads, in front of which `waiting_max` jobs may wait.
    pub(crate) fn start(threads: usize, waiting_max: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let places = Places::of(threads + waiting_max);
        let mut pool = Self { queue: Arc::default(), threads: Vec::with_capacity(threads), places };
        for number in 0..threads {
            let queue = Arc::clone(&pool.queue);
            let name = format!("render-{number}");
            pool.threads.push(thread::Builder::new().name(name).spawn(move || work(&queue))?);
        }
        Ok(pool)
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
        self.queue.put(organization, job);
        receiver.recv().map_err(|_dropped| PoolError::Failed)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a rendering thread failed");
            }
        }
    }
}

impl Queue {
    fn put(&self, organization: &str, job: Job) {
        let mut waiting = self.lock();
        if let Some(jobs) = waiting.jobs.get_mut(organization) {
            jobs.push_back(job);
        } else {
            waiting.jobs.insert(organization.to_owned(), VecDeque::from([job]));
            waiting.turns.push_back(organization.to_owned());
        }
        self.changed.notify_one();
    }

    /// Waits for a job; `None` once the queue is closed and empty.
    fn take(&self) -> Option<Job> {
        let has_none = |waiting: &mut Waiting| waiting.turns.is_empty() && !waiting.is_closed;
        let waiting = self.changed.wait_while(self.lock(), has_none);
        waiting.unwrap_or_else(PoisonError::into_inner).next()
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Waiting {
    /// Takes the oldest job of the organization whose turn it is. An organization with more jobs then waits behind
    /// the others.
    fn next(&mut self) -> Option<Job> {
        let organization = self.turns.pop_front()?;
        let jobs = self.jobs.get_mut(&organization)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.jobs.remove(&organization);
        } else {
            self.turns.push_back(organization);
        }
        job
    }
}

/// Runs jobs until the queue is closed and empty.
fn work(queue: &Queue) {
    while let Some(job) = queue.take() {
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
            let (sender, results) = channel();
            for organization in ["org_2", "org_3"] {
                let (pool, sender) = (&pool, sender.clone());
                scope.spawn(move || sender.send(pool.run(organization, || 2)).unwrap());
            }
            assert_eq!(results.recv(), Ok(Err(PoolError::Full)));
            release.send(()).unwrap();
            assert_eq!(running.join().unwrap(), Ok(1));
            assert_eq!(results.recv(), Ok(Ok(2)));
        });
    }

    #[test]
    fn organizations_with_waiting_jobs_take_turns() {
        let queue = Queue::default();
        let (sender, order) = channel();
        let put = |name: &'static str| {
            let sender = sender.clone();
            let organization = name.trim_end_matches(char::is_numeric);
            queue.put(organization, Box::new(move || sender.send(name).unwrap()));
        };
        ["a1", "a2", "a3", "b1", "c1", "b2", "a4"].into_iter().for_each(put);
        let run = |count: usize| (0..count).for_each(|_| queue.take().unwrap()());
        run(2);
        // Organization d had no job, so it waits for one job of each of the others only.
        put("d1");
        run(6);
        let order: Vec<&str> = order.try_iter().collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "d1", "a3", "a4"]);
        assert!(queue.lock().jobs.is_empty());
        queue.close();
        assert!(queue.take().is_none());
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
