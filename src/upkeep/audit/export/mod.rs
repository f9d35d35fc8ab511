//! Exports sealed audit events and heads to a file or to syslog, in a thread of its own.
//!
//! No other work waits for the export. The export reads sealed events from the store, a page at a
//! time, and stores only the number of the last delivered seal. After a start, an outage or a lost
//! connection, the export continues after that seal. Each event and head therefore arrives at least
//! once, unless it is cut before.

mod message;
mod sink;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use keyhouse_storage::{At, Batch, Order, Row, Store};

use crate::clock::Clock;
use crate::model::export::Destination;
use crate::model::moment::Moment;
use crate::records::event::{EventRecord, ExportRecord, SealRecord};
use crate::records::place::StoreKey;
use crate::records::{encode, read_row};
use crate::telemetry::measure::Counter;
use crate::upkeep::audit::chain::seals;
use crate::upkeep::error::UpkeepError;
use crate::worker::{Halt, Worker};
use message::ExportEntry;
use sink::Sink;

/// Interval between checks for new seals.
const INTERVAL: Duration = Duration::from_secs(1);
/// The first wait before a failed destination is retried. The wait doubles up to `WAIT_MAX`.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_mins(1);
/// Entries count as delivered when the connection is still open this long after they were sent. A
/// closed peer is detected within [`sink::SILENCE_MAX`].
const SETTLE_AFTER: Duration = Duration::from_secs(15);
/// Maximum number of seals that are sent before their number is stored.
pub(crate) const SEALS_A_TURN: usize = 10;
/// The longest wait of a stop for a destination that does not respond.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// State of the export for metrics and readiness.
#[derive(Debug, Default)]
pub struct Exported {
    last_seal: AtomicU64,
    failures: Counter,
    /// The time of the oldest unsent seal; 0 if all seals are sent.
    waiting_since: AtomicI64,
}

/// A snapshot of the export's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportedNow {
    /// The last seal that was sent.
    pub last_seal: u64,
    /// Number of times that the destination was unreachable or rejected an entry.
    pub failures: u64,
    /// Age of the oldest unsent seal; zero if all seals are sent.
    pub lag: Duration,
}

impl Exported {
    /// Returns the current state; all values are zero if no export is configured.
    pub fn now(&self, now: Moment) -> ExportedNow {
        let since = self.waiting_since.load(Ordering::Relaxed);
        let lag = match since {
            0 => Duration::ZERO,
            since => now.since(Moment::from_milliseconds(since)),
        };
        let last_seal = self.last_seal.load(Ordering::Relaxed);
        ExportedNow { last_seal, failures: self.failures.total(), lag }
    }
}

#[derive(Debug)]
pub struct Exporter {
    worker: Worker,
}

impl Exporter {
    /// Starts the export after the last seal that was delivered to this destination.
    ///
    /// # Errors
    /// If the thread cannot be created.
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        exported: Arc<Exported>,
        destination: Destination,
    ) -> std::io::Result<Self> {
        ExportWork::new(store, clock, exported, destination).start()
    }

    /// Stops the export. If the destination does not respond, the next start sends the undelivered
    /// entries again.
    pub fn stop(self) {
        if !self.worker.stop_within(STOP_WAIT) {
            tracing::warn!(
                "audit: the export destination does not respond; the next start sends the remaining events"
            );
        }
    }
}

/// Reasons why a turn failed.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Chain(#[from] UpkeepError),
    #[error("the destination did not accept the event")]
    Sink(#[from] std::io::Error),
}

#[derive(Debug)]
struct ExportWork {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    exported: Arc<Exported>,
    destination: Destination,
    halt: Arc<Halt>,
    sink: Option<Sink>,
    /// The stored number of the last delivered seal. `None` before the number is read.
    delivered: Option<u64>,
    /// The last seal that was sent.
    sent: u64,
    /// A seal that was sent through the open connection, and the tick at which it was sent.
    unsettled: Option<(u64, u64)>,
    /// Whether the failure of the destination was already logged.
    has_complained: bool,
}

impl ExportWork {
    fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        exported: Arc<Exported>,
        destination: Destination,
    ) -> Self {
        Self {
            store,
            clock,
            exported,
            destination,
            halt: Arc::default(),
            sink: None,
            delivered: None,
            sent: 0,
            unsettled: None,
            has_complained: false,
        }
    }

    fn start(self) -> std::io::Result<Exporter> {
        let halt = Arc::clone(&self.halt);
        let worker = Worker::halted_by(halt, "audit-export", || self.run())?;
        Ok(Exporter { worker })
    }

    fn run(mut self) {
        let (mut wait, mut after_failure) = (Duration::ZERO, WAIT_FIRST);
        while !self.halt.pause(wait) {
            match self.turn() {
                Ok(more) => {
                    wait = if more { Duration::ZERO } else { INTERVAL };
                    after_failure = WAIT_FIRST;
                },
                Err(error) => {
                    self.failed(&error);
                    wait = after_failure;
                    after_failure = after_failure.saturating_mul(2).min(WAIT_MAX);
                },
            }
        }
    }

    /// Sends some of the unsent seals. Returns whether more may exist.
    fn turn(&mut self) -> Result<bool, ExportError> {
        let mut delivered = match self.delivered {
            Some(delivered) => delivered,
            None => self.read_position()?,
        };
        let page =
            seals(&*self.store, Some(self.sent.max(delivered)), Order::Ascending, SEALS_A_TURN)?;
        let oldest =
            page.rows.first().and_then(|row| Some(read_row::<SealRecord>(row).ok()?.record.at));
        let since = oldest.map_or(0, Moment::milliseconds);
        self.exported.waiting_since.store(since, Ordering::Relaxed);
        let mut sink = match self.sink.take() {
            Some(sink) => sink,
            None => Sink::open(&self.destination)?,
        };
        sink.probe()?;
        for row in &page.rows {
            if self.halt.pause(Duration::ZERO) {
                return Ok(false);
            }
            self.send_seal(&mut sink, row)?;
        }
        sink.finish()?;
        let ticks = self.clock.now().ticks;
        if sink.is_sure() {
            delivered = self.sent;
        } else if let Some((number, at)) = self.unsettled {
            if u128::from(ticks.saturating_sub(at)) >= SETTLE_AFTER.as_nanos() {
                (delivered, self.unsettled) = (number, None);
            }
        } else if self.sent > delivered {
            self.unsettled = Some((self.sent, ticks));
        }
        self.sink = Some(sink);
        self.store_position(delivered)?;
        self.has_complained = false;
        if !page.more {
            self.exported.waiting_since.store(0, Ordering::Relaxed);
        }
        Ok(page.more)
    }

    fn send_seal(&mut self, sink: &mut Sink, row: &Row) -> Result<(), ExportError> {
        let Ok(StoreKey::Seal(number)) = StoreKey::parse(&row.key) else { return Ok(()) };
        match read_row::<SealRecord>(row) {
            Ok(held) => {
                let seal = held.record;
                for id in &seal.events {
                    let key = StoreKey::Event(*id).to_bytes();
                    let row = self.store.get(&key, At::Latest).map_err(UpkeepError::from)?;
                    // An event that is missing or cannot be parsed is skipped; the check reports
                    // it.
                    let event = row.as_ref().and_then(|row| read_row::<EventRecord>(row).ok());
                    if let Some(held) = event {
                        sink.send(&ExportEntry::of_event(&held.record, number))?;
                    }
                }
                sink.send(&ExportEntry::of_head(&seal))?;
            },
            Err(error) => tracing::error!(%error, number, "audit: could not export a seal"),
        }
        self.sent = number;
        self.exported.last_seal.store(number, Ordering::Relaxed);
        Ok(())
    }

    /// Reads the position of the export to this destination. A new destination receives the whole
    /// stored log.
    fn read_position(&mut self) -> Result<u64, UpkeepError> {
        let row = self.store.get(&StoreKey::Exported.to_bytes(), At::Latest)?;
        let held = row.as_ref().map(read_row::<ExportRecord>).transpose()?;
        let known = held.filter(|held| *held.record.destination == *self.destination.to_string());
        let number = known.map_or(0, |held| held.record.number);
        (self.delivered, self.sent) = (Some(number), number);
        self.exported.last_seal.store(number, Ordering::Relaxed);
        Ok(number)
    }

    fn store_position(&mut self, number: u64) -> Result<(), UpkeepError> {
        if self.delivered == Some(number) {
            return Ok(());
        }
        let record = ExportRecord { destination: self.destination.to_string().into(), number };
        let value = encode(&StoreKey::Exported, &record)?;
        self.store.commit(Batch::new().put(StoreKey::Exported.to_bytes(), value))?;
        self.delivered = Some(number);
        Ok(())
    }

    /// Closes the destination and resets the export to the last delivered seal.
    fn failed(&mut self, error: &ExportError) {
        self.exported.failures.count();
        (self.sink, self.unsettled) = (None, None);
        self.sent = self.delivered.unwrap_or(0);
        if !std::mem::replace(&mut self.has_complained, true) {
            let source = std::error::Error::source(error).map(ToString::to_string);
            let destination = self.destination.to_string();
            tracing::error!(%error, source, destination, "audit: could not export; retrying");
        }
    }
}

#[cfg(test)]
mod tests;
