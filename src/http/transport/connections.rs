//! How many connections there are: in all, and of each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::counters::{Counters, count};
use super::limits::Limits;
use super::{Peer, Surface, TrustedProxies};

/// What counts as one client: an IPv4 address, or an IPv6 /64, which one host has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            },
        }
    }
}

/// The places for connections of one server. Its map has at most an entry a connection.
#[derive(Debug)]
pub(super) struct Connections {
    all: Arc<Semaphore>,
    control: Arc<Semaphore>,
    metrics: Arc<Semaphore>,
    per_network: Mutex<HashMap<Network, usize>>,
    per_network_max: usize,
    exempt: TrustedProxies,
    counters: Arc<Counters>,
}

/// One connection's share of its network's limit; given back on drop.
#[derive(Debug)]
pub(super) struct Share {
    connections: Arc<Connections>,
    network: Option<Network>,
}

/// A connection's place among all; given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    share: Share,
    permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(super) fn new(connections_max: usize, limits: &Limits, counters: Arc<Counters>) -> Self {
        Self {
            all: Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS))),
            control: Arc::new(Semaphore::new(limits.control_connections_max)),
            metrics: Arc::new(Semaphore::new(limits.metrics_connections_max)),
            per_network: Mutex::default(),
            per_network_max: limits.connections_per_address_max,
            exempt: limits.per_address_exempt.clone(),
            counters,
        }
    }

    /// A share for a connection from `peer`; `None` when its network has its fill.
    pub(super) fn share(self: &Arc<Self>, peer: Peer) -> Option<Share> {
        let network = match peer {
            Peer::Tcp(address) if !self.exempt.contains(address.ip()) => {
                Some(Network::of(address.ip()))
            },
            Peer::Tcp(_) | Peer::Unix => None,
        };
        if let Some(network) = network {
            let mut per_network = self.lock();
            let open = per_network.entry(network).or_default();
            if *open >= self.per_network_max {
                drop(per_network);
                count(&self.counters.connections_refused);
                return None;
            }
            *open += 1;
        }
        Some(Share { connections: Arc::clone(self), network })
    }

    /// A place for a connection, at once if there is one, else when one falls free.
    ///
    /// Waiting is first come, first served. Connections that are not accepted meanwhile queue in
    /// the kernel's backlog, where they cost no file descriptor.
    pub(super) async fn place(
        &self,
        surface: Surface,
        share: Share,
    ) -> Result<Place, AcquireError> {
        let permits = match surface {
            Surface::Main | Surface::Checks => &self.all,
            Surface::Control => &self.control,
            Surface::Metrics => &self.metrics,
        };
        let permit = match Arc::clone(permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                count(&self.counters.connections_waited);
                Arc::clone(permits).acquire_owned().await?
            },
        };
        count(&self.counters.connections_open);
        Ok(Place { share, permit })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.per_network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut per_network = self.connections.lock();
        if let Some(open) = per_network.get_mut(&network) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                per_network.remove(&network);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.share.connections.counters.connections_open.fetch_sub(1, Ordering::Relaxed);
        tracing::trace!(permits = self.permit.num_permits(), "connection's place is free");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn connections(limits: &Limits) -> Arc<Connections> {
        Arc::new(Connections::new(10, limits, Arc::default()))
    }

    fn peer(address: &str) -> Peer {
        Peer::Tcp(SocketAddr::new(address.parse().unwrap(), 1))
    }

    #[test]
    fn addresses_are_one_client_as_their_networks_are() {
        let cases = [
            ("same IPv4", "192.0.2.1", "192.0.2.1", false),
            ("other IPv4", "192.0.2.1", "192.0.2.2", true),
            ("IPv4 mapped into IPv6", "192.0.2.1", "::ffff:192.0.2.1", false),
            ("same IPv6 /64", "2001:db8::1", "2001:db8::ffff:0:0:2", false),
            ("other IPv6 /64", "2001:db8::1", "2001:db8:0:1::1", true),
        ];
        for (name, first, second, fits) in cases {
            let limits = Limits { connections_per_address_max: 1, ..Limits::default() };
            let connections = connections(&limits);
            let held = connections.share(peer(first)).unwrap();
            assert_eq!(connections.share(peer(second)).is_some(), fits, "{name}");
            drop(held);
            assert!(connections.share(peer(second)).is_some(), "{name}: given back");
            assert!(connections.lock().is_empty(), "{name}: nothing is kept");
        }
    }

    #[test]
    fn trusted_proxies_and_unix_peers_have_no_limit_per_address() {
        let limits = Limits {
            connections_per_address_max: 0,
            per_address_exempt: vec!["127.0.0.0/8".parse().unwrap()].into(),
            ..Limits::default()
        };
        let connections = connections(&limits);
        assert!(connections.share(peer("127.1.2.3")).is_some());
        assert!(connections.share(peer("::ffff:127.0.0.1")).is_some());
        assert!(connections.share(Peer::Unix).is_some());
        assert!(connections.share(peer("192.0.2.1")).is_none());
    }
}
