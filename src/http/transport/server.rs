//! Starts and stops the transport, which has its own runtime and one task per listener.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
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
use super::streamed::STREAM_THREADS;
use super::{Application, Backlog, Listener};

/// Time that handlers on the pool have to finish after connections are drained or cut.
const POOL_GRACE: Duration = Duration::from_millis(500);

/// One part in this many of the drain timeout, for which a stopping server keeps idle connections
/// open. A request that a client sends meanwhile is answered, and its response closes the connection.
/// A connection that is closed at once could lose a request that is already on its way.
const GRACE_PART: u32 = 10;

/// A running transport. `stop` lets requests finish. Dropping the server cuts every connection, and
/// waits for handlers on the pool without a limit.
#[derive(Debug)]
pub struct Server {
    runtime: Runtime,
    acceptors: Vec<JoinHandle<()>>,
    floor: Arc<Floor>,
    stop: watch::Sender<Option<Backlog>>,
    /// Whether each response closes its connection.
    draining: Arc<AtomicBool>,
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
            .max_blocking_threads(places_in_all(&limits) + WAITING_MAX + STREAM_THREADS)
            .enable_all()
            .build()?;
        let draining = Arc::<AtomicBool>::default();
        let service =
            Service::new(application, &limits, Arc::clone(&counters), Arc::clone(&draining));
        let service = Arc::new(service);
        let floor = Arc::new(Floor {
            connections: Arc::new(Connections::new(
                connections_max,
                &limits,
                Arc::clone(&counters),
            )),
            counters,
            limits: ArcSwap::from_pointee(limits),
            graceful: GracefulShutdown::new(),
            open: watch::Sender::new(()),
        });
        let stop = watch::Sender::new(None);
        let entered = runtime.enter();
        let acceptor = |listener| Acceptor::new(listener, Arc::clone(&service));
        let acceptors: io::Result<Vec<_>> = listeners.into_iter().map(acceptor).collect();
        let acceptors = acceptors?
            .into_iter()
            .map(|it| tokio::spawn(it.run(Arc::clone(&floor), stop.subscribe())))
            .collect();
        drop(entered);
        tracing::debug!(connections_max, "transport started");
        Ok(Self { runtime, acceptors, floor, stop, draining })
    }

    /// Changes the limits for connections from now on; open connections keep theirs. The places on
    /// the pool do not change.
    pub fn set_limits(&self, limits: TransportLimits) -> io::Result<()> {
        let connections_max = connections_max(&limits)?;
        self.floor.connections.resize(connections_max, limits.connections_per_address_max);
        self.floor.limits.store(Arc::new(limits));
        Ok(())
    }

    /// Whether the event loop runs a task within `span`.
    pub fn answers_within(&self, span: Duration) -> bool {
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(self.runtime.spawn(async move { sender.send(()) }));
        receiver.recv_timeout(span).is_ok()
    }

    /// The counters, which stay valid after `stop`.
    pub fn counters(&self) -> Arc<TransportCounters> {
        Arc::clone(&self.floor.counters)
    }

    /// Stops accepting, lets connections end, and closes the sockets. Each response closes its
    /// connection from now on. Idle connections are closed after a tenth of
    /// `TransportLimits::drain_timeout`, and all that are still open after that time are cut. Blocks
    /// until all connections are closed.
    ///
    /// Must not be called from an asynchronous task.
    pub fn stop(self, backlog: Backlog) {
        let Self { runtime, acceptors, floor, stop, draining } = self;
        let drain_timeout = floor.limits.load().drain_timeout;
        draining.store(true, Ordering::Release);
        stop.send_replace(Some(backlog));
        runtime.block_on(async {
            for acceptor in acceptors {
                if let Err(error) = acceptor.await {
                    tracing::error!(%error, "the task of a listener failed");
                }
            }
            let Some(floor) = Arc::into_inner(floor) else { return };
            let drained = async {
                if timeout(drain_timeout / GRACE_PART, floor.open.closed()).await.is_err() {
                    floor.graceful.shutdown().await;
                }
            };
            if timeout(drain_timeout, drained).await.is_err() {
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
