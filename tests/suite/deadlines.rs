//! Time limits that the product promises: the only place of the suite that reads a clock.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

use crate::server::Ended;

/// Runs `work`, which must not take longer than `bound`.
#[expect(clippy::disallowed_methods, reason = "the bound itself is the claim")]
pub(crate) fn within<T>(bound: Duration, claim: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let outcome = work();
    let took = begun.elapsed();
    assert!(took <= bound, "{claim}: took {took:?}, at most {bound:?} allowed");
    outcome
}

/// Repeats `attempt` until it returns a value, which must happen within `bound`.
#[expect(clippy::disallowed_methods, reason = "the bound itself is the claim")]
pub(crate) fn repeat_within<T>(
    bound: Duration,
    claim: &str,
    mut attempt: impl FnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(outcome) = attempt() {
            return outcome;
        }
        assert!(begun.elapsed() <= bound, "{claim}: not within {bound:?}");
    }
}

/// The time of the wall clock, for codes that depend on it.
#[expect(clippy::disallowed_methods, reason = "an authenticator app has a clock of its own")]
pub(crate) fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Runs a program until it exits, which must happen within `bound`; otherwise it is killed.
pub(crate) fn run_within(bound: Duration, command: &mut Command) -> Ended {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    end_within(bound, child)
}

/// Waits for a program to exit, which must happen within `bound`; otherwise it is killed.
pub(crate) fn end_within(bound: Duration, child: Child) -> Ended {
    let id = Pid::from_child(&child);
    let (sender, ended) = mpsc::channel();
    let waiter = thread::Builder::new().name("waiter".to_owned());
    let waiter =
        waiter.spawn(move || sender.send(child.wait_with_output().unwrap()).unwrap()).unwrap();
    let output = ended.recv_timeout(bound);
    if output.is_err() {
        kill_process(id, Signal::KILL).unwrap();
    }
    waiter.join().unwrap();
    let late = output.is_err();
    let output = output.or_else(|_late| ended.recv()).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!late, "still running after {bound:?}: {stderr}");
    Ended { code: output.status.code(), stdout: String::from_utf8(output.stdout).unwrap(), stderr }
}
