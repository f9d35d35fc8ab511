//! Background threads: [`Worker`] runs one, and [`Halt`] ends it at its next pause, so that it can
//! finish its work.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use keyhouse_storage::Stop;

/// A background thread. Dropping the worker leaves the thread running.
#[derive(Debug)]
pub struct Worker {
    name: &'static str,
    halt: Arc<Halt>,
    thread: JoinHandle<()>,
    /// Disconnected when the thread ends, for any reason.
    ended: Mutex<Receiver<()>>,
}

impl Worker {
    /// Starts a thread, which ends soon after its halt is sent.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn spawn(name: &'static str, run: impl FnOnce(&Halt) + Send + 'static) -> io::Result<Self> {
        let halt = Arc::new(Halt::default());
        let until = Arc::clone(&halt);
        Self::halted_by(halt, name, move || run(&until))
    }

    /// Starts a thread, which ends soon after `halt` is sent. `run` holds a reference to `halt`.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn halted_by(
        halt: Arc<Halt>,
        name: &'static str,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (end, ended) = channel();
        let run = move || {
            let _end = end;
            run();
        };
        let thread = Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { name, halt, thread, ended: Mutex::new(ended) })
    }

    /// Sends the halt and waits until the thread has finished its work.
    pub fn stop(self) {
        self.halt.halt();
        if self.thread.join().is_err() {
            tracing::error!(thread = self.name, "a background thread panicked");
        }
    }

    /// Sends the halt and waits at most `span`. Returns whether the thread has ended.
    pub fn stop_within(self, span: Duration) -> bool {
        self.halt.halt();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let has_ended = ended.recv_timeout(span) != Err(RecvTimeoutError::Timeout);
        drop(ended);
        if has_ended {
            self.stop();
        }
        has_ended
    }
}

/// The signal, which also ends a pause or a wait for the feed.
#[derive(Debug, Default)]
pub struct Halt {
    state: Mutex<HaltState>,
    halted: Condvar,
}

#[derive(Debug, Default)]
struct HaltState {
    is_halted: bool,
    feed: Option<Box<dyn Stop>>,
}

impl Halt {
    /// Sends the signal: current and later pauses return at once.
    pub fn halt(&self) {
        let mut state = self.lock();
        state.is_halted = true;
        if let Some(feed) = &state.feed {
            feed.stop();
        }
        self.halted.notify_all();
    }

    /// Registers the feed on which the thread waits, so that the signal stops it too.
    pub fn watch(&self, feed: Box<dyn Stop>) {
        let mut state = self.lock();
        if state.is_halted {
            feed.stop();
        }
        state.feed = Some(feed);
    }

    /// Waits for `span`; returns whether the thread must end.
    pub fn pause(&self, span: Duration) -> bool {
        let going = |state: &mut HaltState| !state.is_halted;
        let waited = self.halted.wait_timeout_while(self.lock(), span, going);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_halted
    }

    fn lock(&self) -> MutexGuard<'_, HaltState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
