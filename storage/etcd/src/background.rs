//! The runtime of the client in threads of its own, so that the contract stays synchronous.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads of the runtime: one can decode a page while the other delivers a watch.
const THREADS: usize = 2;

/// A runtime that callers on any thread can use, also on threads of another runtime.
pub(crate) struct ClientRuntime {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl ClientRuntime {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("etcd-client")
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
    }

    /// Blocks until the future has ended. `None` if the runtime ended first.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = sync_channel(1);
        self.spawn(async move {
            // The receiver waits until this task has ended.
            drop(sender.send(future.await));
        });
        receiver.recv().ok()
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(future));
    }

    /// Ends all tasks without waiting for them.
    pub(crate) fn stop(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

/// A runtime must not be dropped on a thread of another runtime, but it can be shut down there.
impl Drop for ClientRuntime {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for ClientRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientRuntime")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_runtime_answers_none() {
        let background = ClientRuntime::start().unwrap();
        assert_eq!(background.run(async { 1 }), Some(1));
        background.stop();
        assert_eq!(background.run(async { 1 }), None);
    }
}
