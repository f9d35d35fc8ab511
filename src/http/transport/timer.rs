//! The timer of one connection, for hyper's limit on the time before and within a head.
//!
//! hyper sets a deadline for each head, and drops it when the head has arrived. A timer of its own for
//! each deadline would be added to the runtime's wheel and removed again for each request. The
//! deadlines of a connection only grow, so that one timer is enough: it stays at an earlier deadline,
//! wakes the connection then, and is set to the deadline that applies by that time.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::rt;
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};

/// The timer of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionTimer(Arc<Mutex<TimerState>>);

/// A deadline of a connection, which ends when the connection's timer has passed it.
#[derive(Debug)]
struct HeadDeadline {
    timer: ConnectionTimer,
    deadline: Instant,
}

#[derive(Debug, Default)]
struct TimerState(Option<SetTimer>);

/// A timer that wakes `waker` at `at`.
struct SetTimer {
    sleep: Pin<Box<Sleep>>,
    at: Instant,
    waker: Waker,
}

impl fmt::Debug for SetTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetTimer").field("at", &self.at).finish_non_exhaustive()
    }
}

impl TimerState {
    /// Whether a deadline has passed. If not, the task of `context` is woken at the deadline, or
    /// earlier.
    fn poll(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if let Some(set) = &self.0
            && set.at <= deadline
            && !set.sleep.is_elapsed()
            && set.waker.will_wake(context.waker())
        {
            return Poll::Pending;
        }
        let set = self.0.get_or_insert_with(|| SetTimer {
            sleep: Box::pin(sleep_until(deadline.into())),
            at: deadline,
            waker: context.waker().clone(),
        });
        if set.at != deadline {
            set.sleep.as_mut().reset(deadline.into());
            set.at = deadline;
        }
        set.waker.clone_from(context.waker());
        // A sleep does not keep the waker of a task whose budget is used up. Later calls would then
        // return early, and nothing would wake the connection.
        Pin::new(&mut unconstrained(set.sleep.as_mut())).poll(context)
    }
}

impl Future for HeadDeadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.timer.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.poll(cx, self.deadline)
    }
}

impl rt::Sleep for HeadDeadline {}

impl rt::Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until(rt::Timer::now(self) + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(HeadDeadline { timer: self.clone(), deadline })
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use hyper::rt::Timer as _;
    use tokio::runtime::Builder;
    use tokio::task::coop::{consume_budget, has_budget_remaining};
    use tokio::time::timeout;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The deadline of a later head is later, and the timer of the first one serves it too.
    #[test]
    fn a_deadline_ends_when_it_has_passed_and_not_with_an_earlier_one() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let timer = ConnectionTimer::default();
            let begun = timer.now();
            let woken = Arc::new(Woken::default());
            let waker = Arc::clone(&woken).into();
            let mut context = Context::from_waker(&waker);
            let short = Duration::from_millis(20);
            let mut first = timer.sleep_until(begun + short);
            assert!(first.as_mut().poll(&mut context).is_pending());
            let long = Duration::from_millis(500);
            let mut second = timer.sleep_until(begun + long);
            assert!(second.as_mut().poll(&mut context).is_pending());
            sleep_until((begun + 2 * short).into()).await;
            assert_eq!(woken.0.load(Ordering::Relaxed), 1, "at the first deadline");
            assert!(second.as_mut().poll(&mut context).is_pending(), "it is not the second");
            second.await;
            assert!(begun.elapsed() >= long);
        });
    }

    /// A client could send so many small pieces that the task had no budget left when the deadline
    /// was set. The timer then never woke the connection.
    #[test]
    fn a_deadline_that_a_task_without_budget_sets_ends() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut deadline = ConnectionTimer::default().sleep(Duration::from_millis(50));
            let ended = poll_fn(|context| {
                while has_budget_remaining() {
                    assert!(pin!(consume_budget()).poll(context).is_ready());
                }
                deadline.as_mut().poll(context)
            });
            assert!(timeout(Duration::from_mins(1), ended).await.is_ok());
        });
    }

    #[test]
    fn an_earlier_deadline_is_kept() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let timer = ConnectionTimer::default();
            let begun = timer.now();
            let hour = Duration::from_hours(1);
            let mut context = Context::from_waker(Waker::noop());
            assert!(timer.sleep(hour).as_mut().poll(&mut context).is_pending());
            timer.sleep(Duration::from_millis(5)).await;
            assert!(begun.elapsed() < hour);
        });
    }
}
