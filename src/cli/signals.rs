//! The signals that stop the server or make it reload its settings.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, interval};

use crate::cli::exit::{Exit, Failure};

/// The interval at which the server checks that the index still follows the store.
const ENDED_INTERVAL: Duration = Duration::from_secs(1);
/// The kernel's file that lists the signals that the process ignores.
const STATUS: &str = "/proc/self/status";

/// The handled signals. A signal that was ignored when the process started, for example by `nohup`
/// or a shell's `&`, stays ignored.
pub(super) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    hangup: Option<Signal>,
    ended_check: Interval,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignalRequest {
    Stop,
    Reload,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        let ignored = std::fs::read_to_string(STATUS).map_or(0, |status| ignored_mask(&status));
        let catch = |kind: SignalKind| {
            if is_ignored(ignored, kind) {
                return Ok(None);
            }
            signal(kind).map(Some).map_err(|error| Failure::io("catch signals", &error))
        };
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hangup: catch(SignalKind::hangup())?,
            ended_check: interval(ENDED_INTERVAL),
        })
    }

    /// Waits for a signal. A caller may drop the future: no signal is lost.
    ///
    /// Fails if the thread that follows the store has ended. Changes would then no longer reach the
    /// index, so the process supervisor must restart the server.
    pub(super) async fn wait(
        &mut self,
        has_ended: impl Fn() -> bool,
    ) -> Result<SignalRequest, Failure> {
        loop {
            tokio::select! {
                () = next(&mut self.terminate) => return Ok(SignalRequest::Stop),
                () = next(&mut self.interrupt) => return Ok(SignalRequest::Stop),
                () = next(&mut self.hangup) => return Ok(SignalRequest::Reload),
                _ = self.ended_check.tick() => {},
            }
            if has_ended() {
                let message = "the index no longer follows the store; see the log";
                return Err(Failure::new(Exit::Failed, message));
            }
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// The bits of the ignored signals; signal 1 is the lowest.
fn ignored_mask(status: &str) -> u64 {
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or_default()
}

fn is_ignored(mask: u64, kind: SignalKind) -> bool {
    let bit = u32::try_from(kind.as_raw_value() - 1).ok().and_then(|at| 1_u64.checked_shl(at));
    bit.is_some_and(|bit| mask & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status_of_the_process() {
        let mask =
            ignored_mask("Name:\tkeyhouse\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001003\n");
        assert!(is_ignored(mask, SignalKind::hangup()));
        assert!(is_ignored(mask, SignalKind::interrupt()));
        assert!(!is_ignored(mask, SignalKind::terminate()));
        assert_eq!(ignored_mask(""), 0);
    }
}
