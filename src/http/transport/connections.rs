//! Limits the number of connections: in total, per address and per neighbourhood of addresses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::caller::{Claims, Network, SHARE_OF_PLACES};
use super::counters::{TransportCounters, count};
use super::ledger::Ledger;
use super::limits::TransportLimits;
use super::{ListenerKind, Peer, TrustedProxies};

/// One part in this many of all connections is reserved for trusted proxies.
pub(super) const KEPT_FOR_PROXIES: usize = 4;

/// The connections of one server. The ledgers have at most two entries per connection.
#[derive(Debug)]
pub(super) struct Connections {
    all: Arc<Semaphore>,
    size: Mutex<Size>,
    /// Connections of peers that are not trusted proxies, with a limit, so that a proxy can always
    /// connect.
    strangers: Mutex<Ledger>,
    /// Connections to the metrics listener, by network. The field `metrics` limits the total.
    measuring: Mutex<Ledger>,
    control: Arc<Semaphore>,
    metrics: Arc<Semaphore>,
    per_network_max: AtomicUsize,
    metrics_max: usize,
    exempt: TrustedProxies,
    counters: Arc<TransportCounters>,
}

/// The limit of connections in total, which may change.
#[derive(Debug)]
struct Size {
    max: usize,
    /// Open connections above the limit. Their places end with them.
    surplus: usize,
}

/// One connection's place in the limit of its network. The drop returns the place.
#[derive(Debug)]
pub(super) struct Share {
    connections: Arc<Connections>,
    taken: Option<(KeptConnections, Claims)>,
}

/// The limits that apply to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum KeptConnections {
    All,
    Metrics,
}

/// One connection's place in the total limit. The drop returns the place.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    share: Share,
    /// `None` only during the drop.
    permit: Option<OwnedSemaphorePermit>,
    /// Whether the connection counts in [`Connections::all`].
    is_of_all: bool,
}

impl Connections {
    pub(super) fn new(
        connections_max: usize,
        limits: &TransportLimits,
        counters: Arc<TransportCounters>,
    ) -> Self {
        let connections_max = connections_max.min(Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(connections_max)),
            size: Mutex::new(Size { max: connections_max, surplus: 0 }),
            strangers: Mutex::new(Ledger::new(strangers_max(connections_max))),
            measuring: Mutex::new(Ledger::new(usize::MAX)),
            control: Arc::new(Semaphore::new(limits.control_connections_max)),
            metrics: Arc::new(Semaphore::new(limits.metrics_connections_max)),
            per_network_max: limits.connections_per_address_max.into(),
            metrics_max: limits.metrics_connections_max,
            exempt: limits.per_address_exempt.clone(),
            counters,
        }
    }

    /// Changes the limits in total and per address. Open connections above a limit stay open.
    pub(super) fn resize(&self, connections_max: usize, per_network_max: usize) {
        let connections_max = connections_max.min(Semaphore::MAX_PERMITS);
        let mut size = self.lock_size();
        let grown = connections_max.saturating_sub(size.max);
        let kept = grown.min(size.surplus);
        size.surplus -= kept;
        self.all.add_permits(grown - kept);
        let shrunk = size.max.saturating_sub(connections_max);
        size.surplus += shrunk - self.all.forget_permits(shrunk);
        size.max = connections_max;
        drop(size);
        self.ledger(KeptConnections::All).set_whole(strangers_max(connections_max));
        self.per_network_max.store(per_network_max, Ordering::Relaxed);
    }

    /// A share for a connection from `peer`. `None` if its network, its neighbourhood, or all peers that
    /// are not trusted proxies are at their limit.
    pub(super) fn share(self: &Arc<Self>, listener: ListenerKind, peer: Peer) -> Option<Share> {
        let share = self.try_share(listener, peer);
        if share.is_none() {
            count(&self.counters.connections_refused);
        }
        share
    }

    fn try_share(self: &Arc<Self>, listener: ListenerKind, peer: Peer) -> Option<Share> {
        let connections = Arc::clone(self);
        let address = match (listener, peer) {
            (ListenerKind::Metrics, Peer::Tcp(address)) => address.ip(),
            (ListenerKind::Main | ListenerKind::Checks, Peer::Tcp(it))
                if !self.exempt.contains(it.ip()) =>
            {
                it.ip()
            },
            _ => return Some(Share { connections, taken: None }),
        };
        let kept = match listener {
            ListenerKind::Metrics => KeptConnections::Metrics,
            ListenerKind::Main | ListenerKind::Checks | ListenerKind::Control => {
                KeptConnections::All
            },
        };
        // The function does not wait, because a proxy's connection may be next in the backlog.
        let claims = self.claims(kept, Network::of(Some(address)));
        // A `Share` is created only after a successful `take`, since its drop returns the place.
        if !self.ledger(kept).take(&claims) {
            return None;
        }
        Some(Share { connections, taken: Some((kept, claims)) })
    }

    fn claims(&self, kept: KeptConnections, network: Network) -> Claims {
        match kept {
            KeptConnections::All => {
                let whole = self.ledger(kept).whole();
                network.claims(self.per_network_max.load(Ordering::Relaxed), whole)
            },
            KeptConnections::Metrics => {
                let most = (self.metrics_max / SHARE_OF_PLACES).max(1);
                network.claims(most, self.metrics_max)
            },
        }
    }

    /// Returns a place for a connection, and waits until a place is free.
    ///
    /// Places are given in the order of the requests. During a wait, new connections wait in the
    /// kernel's backlog, where they use no file descriptor.
    pub(super) async fn place(
        &self,
        listener: ListenerKind,
        share: Share,
    ) -> Result<ConnectionSlot, AcquireError> {
        let (permits, is_of_all) = match listener {
            ListenerKind::Main | ListenerKind::Checks => (&self.all, true),
            ListenerKind::Control => (&self.control, false),
            ListenerKind::Metrics => (&self.metrics, false),
        };
        let permit = match Arc::clone(permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                count(&self.counters.connections_waited);
                Arc::clone(permits).acquire_owned().await?
            },
        };
        count(&self.counters.connections_open);
        Ok(ConnectionSlot { share, permit: Some(permit), is_of_all })
    }

    fn ledger(&self, kept: KeptConnections) -> MutexGuard<'_, Ledger> {
        let ledger = match kept {
            KeptConnections::All => &self.strangers,
            KeptConnections::Metrics => &self.measuring,
        };
        ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_size(&self) -> MutexGuard<'_, Size> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connections of peers that are not trusted proxies, of all connections.
fn strangers_max(connections_max: usize) -> usize {
    connections_max - connections_max / KEPT_FOR_PROXIES
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some((kept, claims)) = &self.taken {
            self.connections.ledger(*kept).give_back(claims, 1);
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let connections = &self.share.connections;
        connections.counters.connections_open.fetch_sub(1, Ordering::Relaxed);
        if !self.is_of_all {
            return;
        }
        let mut size = connections.lock_size();
        if size.surplus > 0
            && let Some(permit) = self.permit.take()
        {
            size.surplus -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::caller::Payer;
    use super::*;

    fn connections(limits: &TransportLimits) -> Arc<Connections> {
        Arc::new(Connections::new(10, limits, Arc::default()))
    }

    fn peer(address: &str) -> Peer {
        Peer::Tcp(SocketAddr::new(address.parse().unwrap(), 1))
    }

    fn on_main(connections: &Arc<Connections>, address: &str) -> Option<Share> {
        connections.share(ListenerKind::Main, peer(address))
    }

    #[test]
    fn a_returned_share_leaves_no_entry_behind() {
        let limits =
            TransportLimits { connections_per_address_max: 1, ..TransportLimits::default() };
        let connections = connections(&limits);
        let held = on_main(&connections, "192.0.2.1").unwrap();
        assert!(on_main(&connections, "192.0.2.1").is_none());
        drop(held);
        assert!(on_main(&connections, "192.0.2.1").is_some());
        let network = Payer::Network(Network::of("192.0.2.1".parse().ok()));
        assert_eq!(connections.ledger(KeptConnections::All).held(network), 0);
    }

    #[test]
    fn a_changed_limit_applies_to_the_next_connections() {
        let connections = connections(&TransportLimits::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let place = || {
            let share = connections.share(ListenerKind::Main, Peer::Unix).unwrap();
            runtime.block_on(connections.place(ListenerKind::Main, share)).unwrap()
        };
        let free = || connections.all.available_permits();
        let mut held: Vec<_> = (0..6).map(|_| place()).collect();
        connections.resize(4, 1);
        assert_eq!((free(), connections.lock_size().surplus), (0, 2));
        held.truncate(4);
        assert_eq!((free(), connections.lock_size().surplus), (0, 0));
        held.truncate(3);
        assert_eq!(free(), 1);
        connections.resize(2, 1);
        connections.resize(5, 1);
        assert_eq!((free(), connections.lock_size().surplus), (2, 0));
        drop(held);
        assert_eq!(free(), 5);
        let _one = on_main(&connections, "192.0.2.1").unwrap();
        assert!(on_main(&connections, "192.0.2.1").is_none(), "one connection an address");
    }

    #[test]
    fn a_quarter_is_reserved_for_trusted_proxies() {
        let limits = TransportLimits {
            per_address_exempt: vec!["127.0.0.0/8".parse().unwrap()].into(),
            ..TransportLimits::default()
        };
        let connections = connections(&limits);
        let held: Vec<_> =
            (0..20).filter_map(|it| on_main(&connections, &format!("192.0.{it}.1"))).collect();
        assert_eq!(held.len(), 8);
        assert!(on_main(&connections, "127.0.0.1").is_some());
        drop(held);
        assert!(on_main(&connections, "192.0.2.1").is_some());
    }

    /// Regression: thirty /64 networks of one /48 used up the connections of all peers that are not
    /// trusted proxies.
    #[test]
    fn a_neighbourhood_can_use_three_quarters_of_the_unreserved_connections() {
        let connections = connections(&TransportLimits::default());
        let near = |it: usize| on_main(&connections, &format!("2001:db8:0:{it}::1"));
        let held: Vec<_> = (0..9).filter_map(near).collect();
        assert_eq!(held.len(), 6);
        assert!(on_main(&connections, "2001:db8:1::1").is_some());
        drop(held);
        assert!(near(1).is_some());
    }

    #[test]
    fn one_address_can_use_a_quarter_of_the_metrics_listener() {
        let limits = TransportLimits {
            per_address_exempt: vec!["127.0.0.0/8".parse().unwrap()].into(),
            ..TransportLimits::default()
        };
        let connections = connections(&limits);
        let from = |address: &str| connections.share(ListenerKind::Metrics, peer(address));
        let held: Vec<_> = (0..64).filter_map(|_| from("127.0.0.1")).collect();
        assert_eq!(held.len(), 16);
        assert!(from("127.0.0.2").is_some());
    }

    #[test]
    fn trusted_proxies_and_unix_peers_have_no_limit_per_address() {
        let limits = TransportLimits {
            connections_per_address_max: 0,
            per_address_exempt: vec!["127.0.0.0/8".parse().unwrap()].into(),
            ..TransportLimits::default()
        };
        let connections = connections(&limits);
        assert!(on_main(&connections, "127.1.2.3").is_some());
        assert!(on_main(&connections, "::ffff:127.0.0.1").is_some());
        assert!(connections.share(ListenerKind::Main, Peer::Unix).is_some());
        assert!(on_main(&connections, "192.0.2.1").is_none());
    }
}
