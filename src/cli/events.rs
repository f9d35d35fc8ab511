//! The events that the main thread of `serve` waits for: signals, a server that takes over, and the
//! watchdog. Also sends notifications to the service manager.

use std::os::fd::OwnedFd;

use tokio::time::{Interval, interval};

use crate::cli::exit::Failure;
use crate::cli::signals::{SignalRequest, Signals};
use crate::cli::takeover::{Successor, TakeoverOffer};
use crate::config::Settings;
use crate::http::transport::ListenerKind;

/// Number of probes in the time that the watchdog allows.
const PROBES: u32 = 4;

/// The sources of events while the server runs.
pub(super) struct Events {
    signals: Signals,
    /// `None` if the service manager has the sockets: the next start gets them from there.
    takeover: Option<TakeoverOffer>,
    watchdog: Option<Interval>,
}

pub(super) enum Event {
    Signal(SignalRequest),
    Successor(Successor),
    WatchdogDue,
}

impl Events {
    /// Call inside a runtime.
    pub(super) fn new(
        settings: &Settings,
        duplicates: Vec<(ListenerKind, OwnedFd)>,
        is_activated: bool,
    ) -> Result<Self, Failure> {
        let signals = Signals::new()?;
        let takeover = if is_activated {
            None
        } else {
            let offer = TakeoverOffer::open(settings, duplicates);
            Some(offer.map_err(|error| Failure::io("open the socket for a take-over", &error))?)
        };
        // One late probe must not end a server that works, so several fit into the time that the
        // service manager allows.
        let span = sd_notify::watchdog_enabled().filter(|span| !span.is_zero());
        let watchdog = span.map(|span| interval(span / PROBES));
        Ok(Self { signals, takeover, watchdog })
    }

    pub(super) async fn next(&mut self, has_ended: impl Fn() -> bool) -> Result<Event, Failure> {
        let Self { signals, takeover, watchdog } = self;
        tokio::select! {
            request = signals.wait(has_ended) => request.map(Event::Signal),
            successor = async {
                match takeover {
                    Some(offer) => offer.successor().await,
                    None => std::future::pending().await,
                }
            } => Ok(Event::Successor(successor)),
            () = async {
                match watchdog {
                    Some(interval) => drop(interval.tick().await),
                    None => std::future::pending().await,
                }
            } => Ok(Event::WatchdogDue),
        }
    }
}

/// Does nothing without a service manager.
pub(super) fn notify_service_manager(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "could not notify the service manager");
    }
}
