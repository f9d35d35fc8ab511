//! Starts and stops the transport, which has its own runtime and one task per listener.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use rustix::process::{Resource, getrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::accept::{Acceptor, Floor};
use super::block_in_place::WAITING_MAX;
use super::connections::Connections;
use super::counters::TransportCounters;
use super::exchange::Service;
use super::limits::TransportLimits;
use super::parts::places_in_all;
use super::{Application, Listener};

/// Time that handlers on the pool have to finish after connections are drained or cut.
const POOL_GRACE: Duration = Duration::from_millis(500);

/// A running transport. `stop` lets requests finish. Dropping the server cuts every connection, and
/// waits for handlers on the pool without a limit.
#[derive(Debug)]
pub struct Server {
    runtime: Runtime,
    acceptors: Vec<JoinHandle<()>>,
    floor: Arc<Floor>,
    stop: watch::Sender<bool>,
    drain_timeout: Duration,
}

impl Server {
    /// Serves `application` on `listeners` until `stop`. Returns when all listeners accept
    /// connections.
    ///
    /// Must not be called from an asynchronous task.
    pub fn start<A: Application>(
        listeners: Vec<Listener>,
        application: Arc<A>,
        limits: TransportLimits,
    ) -> io::Result<Self> {
        let connections_max = connections_max(&limits)?;
        let counters = application.counters();
        let runtime = Builder::new_multi_thread()
            .thread_name("http")
            .max_blocking_threads(places_in_all(&limits) + WAITING_MAX)
            .enable_all()
            .build()?;
        let drain_timeout = limits.drain_timeout;
        let service = Arc::new(Service::new(application, &limits, Arc::clone(&counters)));
        let floor = Arc::new(Floor {
            connections: Arc::new(Connections::new(
                connections_max,
                &limits,
                Arc::clone(&counters),
            )),
            counters,
            limits,
            graceful: GracefulShutdown::new(),
        });
        let stop = watch::Sender::new(false);
        let entered = runtime.enter();
        let acceptor = |listener| Acceptor::new(listener, Arc::clone(&service));
        let acceptors: io::Result<Vec<_>> = listeners.into_iter().map(acceptor).collect();
        let acceptors = acceptors?
            .into_iter()
            .map(|it| tokio::spawn(it.run(Arc::clone(&floor), stop.subscribe())))
            .collect();
        drop(entered);
        tracing::debug!(connections_max, "transport started");
        Ok(Self { runtime, acceptors, floor, stop, drain_timeout })
    }

    /// The counters, which stay valid after `stop`.
    pub fn counters(&self) -> Arc<TransportCounters> {
        Arc::clone(&self.floor.counters)
    }

    /// Stops accepting, closes idle connections, waits up to `TransportLimits::drain_timeout` for
    /// requests in flight, then cuts the remaining connections. Blocks until all connections are
    /// closed.
    ///
    /// Must not be called from an asynchronous task.
    pub fn stop(self) {
        let Self { runtime, acceptors, floor, stop, drain_timeout } = self;
        stop.send_replace(true);
        runtime.block_on(async {
            for acceptor in acceptors {
                if let Err(error) = acceptor.await {
                    tracing::error!(%error, "the task of a listener failed");
                }
            }
            let Some(floor) = Arc::into_inner(floor) else { return };
            if timeout(drain_timeout, floor.graceful.shutdown()).await.is_err() {
                tracing::warn!("cut connections that were still open after the drain timeout");
            }
        });
        runtime.shutdown_timeout(POOL_GRACE);
    }
}

/// The limit of connections in total, reduced to what the limit of open files allows.
fn connections_max(limits: &TransportLimits) -> io::Result<usize> {
    let Some(files) = getrlimit(Resource::Nofile).current else {
        return Ok(limits.connections_max);
    };
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    match files.saturating_sub(limits.files_reserved).min(limits.connections_max) {
        0 => Err(io::Error::other(format!(
            "the limit of {files} open files leaves none for connections, because {} are \
             reserved: raise the limit",
            limits.files_reserved,
        ))),
        connections_max => Ok(connections_max),
    }
}
