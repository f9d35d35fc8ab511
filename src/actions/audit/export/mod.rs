//! Sends audit events and heads to a file or to syslog as they are sealed, in a thread of its own.
//!
//! Nothing waits for it: it reads what is sealed from the store, a page at a time, and keeps only the
//! number of the last seal that was delivered. After a start, an outage or a lost connection it goes
//! on behind that seal, so each event and head arrives at least once while the log keeps it.

mod message;
mod sink;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::Builder;
use std::time::Duration;

use keyhouse_storage::{At, Batch, Order, Row, Store};

use crate::actions::Actions;
use crate::actions::audit::ChainError;
use crate::actions::audit::chain::seals;
use crate::clock::Clock;
use crate::index::halt::Halt;
use crate::model::export::Destination;
use crate::model::moment::Moment;
use crate::records::event::{EventRecord, ExportRecord, SealRecord};
use crate::records::place::Place;
use crate::records::{encode, read_row};
use crate::telemetry::measure::Counter;
use message::Entry;
use sink::Sink;

/// How often it is looked for new seals.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a destination that failed is left alone, first and at most.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_mins(1);
/// How long a connection must stay up before what went through it counts as delivered. A peer that
/// is gone shows within [`sink::SILENCE_MAX`].
const SETTLE_AFTER: Duration = Duration::from_secs(15);
/// Most seals that are sent before their number is stored.
pub(crate) const SEALS_A_TURN: usize = 10;
/// How long a stop waits for a destination that hangs.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// What is told of the export.
#[derive(Debug, Default)]
pub struct Exported {
    last_seal: AtomicU64,
    failures: Counter,
    /// When the oldest seal was made that is still to be sent; 0: there is none.
    waiting_since: AtomicI64,
}

/// One reading of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportedNow {
    /// The last seal that was sent.
    pub last_seal: u64,
    /// How often the destination could not be reached, or did not take what was sent.
    pub failures: u64,
    /// How old the oldest seal is that is still to be sent; zero where there is none.
    pub lag: Duration,
}

impl Exported {
    /// How it stands now; all zero where nothing is exported.
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

/// The thread that exports.
#[derive(Debug)]
pub struct Exporter {
    halt: Arc<Halt>,
    ended: Receiver<()>,
}

impl Exporter {
    /// Starts exporting behind the last seal that was delivered there.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(actions: &Actions, destination: Destination) -> std::io::Result<Self> {
        let (store, clock) = (Arc::clone(&actions.store), Arc::clone(&actions.clock));
        let exported = Arc::clone(&actions.exported);
        let work = Work::new(store, clock, exported, destination);
        let halt = Arc::clone(&work.halt);
        let (end, ended) = channel();
        // The sender is dropped at the end, however the thread ends.
        let run = move || {
            work.run();
            drop(end);
        };
        let _detached = Builder::new().name("audit-export".to_owned()).spawn(run)?;
        Ok(Self { halt, ended })
    }

    /// Ends, or leaves a destination that hangs behind: what it has not taken is sent again by the
    /// next start.
    pub fn stop(self) {
        self.halt.halt();
        if self.ended.recv_timeout(STOP_WAIT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("audit: the destination of the export hangs; stopping without it");
        }
    }
}

/// Why a turn did not go through.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("the destination did not take it")]
    Sink(#[from] std::io::Error),
}

#[derive(Debug)]
struct Work {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    exported: Arc<Exported>,
    destination: Destination,
    halt: Arc<Halt>,
    sink: Option<Sink>,
    /// The last seal that counts as delivered, as it is stored; `None` before it was read.
    delivered: Option<u64>,
    /// The last seal that was sent.
    sent: u64,
    /// A seal that was sent through the connection, and when, in ticks of the clock.
    unsettled: Option<(u64, u64)>,
    /// Whether it was said that the destination does not work.
    has_complained: bool,
}

impl Work {
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

    /// Sends some seals that were not sent yet; returns whether there may be more.
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
        let Ok(Place::Seal(number)) = Place::parse(&row.key) else { return Ok(()) };
        match read_row::<SealRecord>(row) {
            Ok(held) => {
                let seal = held.record;
                for id in &seal.events {
                    let key = Place::Event(*id).to_bytes();
                    let row = self.store.get(&key, At::Latest).map_err(ChainError::from)?;
                    // What is gone or does not read is for the check to name.
                    let event = row.as_ref().and_then(|row| read_row::<EventRecord>(row).ok());
                    if let Some(held) = event {
                        sink.send(&Entry::of_event(&held.record, number))?;
                    }
                }
                sink.send(&Entry::of_head(&seal))?;
            },
            Err(error) => tracing::error!(%error, number, "audit: a seal is not exported"),
        }
        self.sent = number;
        self.exported.last_seal.store(number, Ordering::Relaxed);
        Ok(())
    }

    /// Where the export to this destination was; a new destination gets all that is kept.
    fn read_position(&mut self) -> Result<u64, ChainError> {
        let row = self.store.get(&Place::Exported.to_bytes(), At::Latest)?;
        let held = row.as_ref().map(read_row::<ExportRecord>).transpose()?;
        let known = held.filter(|held| *held.record.destination == *self.destination.to_string());
        let number = known.map_or(0, |held| held.record.number);
        (self.delivered, self.sent) = (Some(number), number);
        self.exported.last_seal.store(number, Ordering::Relaxed);
        Ok(number)
    }

    fn store_position(&mut self, number: u64) -> Result<(), ChainError> {
        if self.delivered == Some(number) {
            return Ok(());
        }
        let record = ExportRecord { destination: self.destination.to_string().into(), number };
        let value = encode(&Place::Exported, &record)?;
        self.store.commit(Batch::new().put(Place::Exported.to_bytes(), value))?;
        self.delivered = Some(number);
        Ok(())
    }

    /// Goes back to what counts as delivered.
    fn failed(&mut self, error: &ExportError) {
        self.exported.failures.count();
        (self.sink, self.unsettled) = (None, None);
        self.sent = self.delivered.unwrap_or(0);
        if !std::mem::replace(&mut self.has_complained, true) {
            let source = std::error::Error::source(error).map(ToString::to_string);
            let destination = self.destination.to_string();
            tracing::error!(%error, source, destination, "audit: not exported; trying again");
        }
    }
}

#[cfg(test)]
mod tests;
