//! Networks of the proxies whose forwarded headers are read.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use ipnet::IpNet;

/// Networks of trusted proxies. Clones share one list. The list is replaced while requests are
/// served: when a proxy's name resolves to another address, and when the settings are reloaded.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Arc<ArcSwap<Vec<IpNet>>>);

impl TrustedProxies {
    /// Whether an address belongs to a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.load().iter().any(|network| network.contains(&address))
    }

    /// The current list of networks.
    pub fn load(&self) -> Guard<Arc<Vec<IpNet>>> {
        self.0.load()
    }

    /// Replaces the list in all clones.
    pub fn replace(&self, networks: Vec<IpNet>) {
        self.0.store(Arc::new(networks));
    }
}

impl From<Vec<IpNet>> for TrustedProxies {
    fn from(networks: Vec<IpNet>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(networks)))
    }
}
