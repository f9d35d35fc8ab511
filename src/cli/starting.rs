//! Reports how far the start of a server is: on stderr, to its clients, and to the service manager.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::cli::events::notify_service_manager;
use crate::cli::exit::{Failure, print_message};
use crate::http::transport::{Listener, Server, Socket, TransportLimits};
use crate::http::{StartStage, StartState, Starting};
use crate::instance::{AssembleError, StartProgress, system_random};
use crate::worker::{Halt, Worker};

/// The time between two lines on stderr. A start that takes less prints none.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
/// The service manager may end a start that made no progress for this time, but not before its own
/// timeout (`TimeoutStartSec`). In microseconds.
const START_EXTENSION_MICROS: u32 = 30_000_000;
/// The time for which a connection without a request may delay the end of the start.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// Starts the thread that prints the progress, and extends the timeout of the service manager at the
/// beginning and while there is progress.
pub(super) fn print_progress(progress: &StartProgress) -> Result<Worker, Failure> {
    let progress = progress.clone();
    let print = move |halt: &Halt| {
        let mut seen = SeenProgress::default();
        loop {
            if seen.has_changed(&progress) {
                let extension = NotifyState::ExtendTimeoutUsec(START_EXTENSION_MICROS);
                notify_service_manager(&[extension]);
            }
            if halt.pause(LINE_INTERVAL) {
                return;
            }
            print_message(&state(&progress).to_string());
        }
    };
    Worker::spawn("start-report", print).map_err(|error| Failure::io("start a thread", &error))
}

/// The counters of a start when they were last read.
#[derive(Debug, Default)]
struct SeenProgress(Option<[u64; 2]>);

impl SeenProgress {
    /// Whether a counter has changed since the last call. True at the first call, and between the two
    /// counted stages: an upgrade of the store and the backup before it have no counter.
    fn has_changed(&mut self, progress: &StartProgress) -> bool {
        let now = Some([progress.verified.done(), progress.indexed.done()]);
        let is_verified = progress.verified.is_complete();
        let has_changed = std::mem::replace(&mut self.0, now) != now;
        has_changed || (is_verified && !progress.indexed.has_begun())
    }
}

/// Starts the server that answers during the start. After its stop, new connections wait for the
/// server of the instance.
pub(super) fn answer_requests(
    listeners: &[Listener],
    progress: &StartProgress,
    limits: TransportLimits,
) -> Result<Server, Failure> {
    let seed = rand::Rng::next_u64(&mut system_random().map_err(AssembleError::from)?);
    let progress = progress.clone();
    let starting = Arc::new(Starting::new(move || state(&progress), seed));
    let own = listeners.iter().map(duplicate).collect::<io::Result<Vec<_>>>();
    let limits = TransportLimits { drain_timeout: DRAIN_TIMEOUT, ..limits };
    own.and_then(|own| Server::start(own, starting, limits))
        .map_err(|error| Failure::io("serve", &error))
}

fn duplicate(of: &Listener) -> io::Result<Listener> {
    let socket = match &of.socket {
        Socket::Tcp(socket) => Socket::Tcp(socket.try_clone()?),
        Socket::Unix(socket) => Socket::Unix(socket.try_clone()?),
    };
    Ok(Listener { listener: of.listener, socket })
}

fn state(progress: &StartProgress) -> StartState {
    let records = progress.indexed.done();
    if progress.indexed.has_begun() {
        return StartState { stage: StartStage::Loading, percent: None, records };
    }
    StartState { stage: StartStage::Verifying, percent: progress.verified.percent(), records }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: a start that waited forever, for example for a disk that no longer answers, was
    /// never ended by the service manager.
    #[test]
    fn a_start_has_changed_while_one_of_its_counters_rises() {
        let (progress, mut seen) = (StartProgress::default(), SeenProgress::default());
        assert!(seen.has_changed(&progress), "the start begins");
        assert!(!seen.has_changed(&progress));
        progress.verified.begin(200);
        progress.verified.add(1);
        assert!(seen.has_changed(&progress));
        assert!(!seen.has_changed(&progress));
        progress.verified.add(198);
        assert!(seen.has_changed(&progress));
        assert!(!seen.has_changed(&progress), "99 % are not all");
        progress.verified.add(1);
        assert!(seen.has_changed(&progress));
        assert!(seen.has_changed(&progress), "an upgrade has no counter");
        progress.indexed.begin(0);
        assert!(!seen.has_changed(&progress));
        progress.indexed.add(1);
        assert!(seen.has_changed(&progress));
        assert!(!seen.has_changed(&progress));
    }
}
