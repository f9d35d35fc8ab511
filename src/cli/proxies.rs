//! Resolves the host names of trusted proxies: at start, every 30 s, and when settings are reloaded.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;

use crate::config::TrustedProxy;
use crate::http::transport::TrustedProxies;
use crate::worker::Worker;

const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);
/// After this many failed look-ups in a row, which take an hour, the addresses of a name are
/// dropped.
const FAILURES_MAX: u32 = 120;
const ADDRESSES_A_NAME_MAX: usize = 64;

type Resolve = fn(&str) -> io::Result<Vec<IpAddr>>;

/// A thread that keeps the list of trusted proxies up to date.
pub(super) struct ProxyResolver {
    names: Arc<Names>,
    worker: Worker,
}

/// The proxies of the settings, and the list of networks to which they resolve.
struct Names {
    state: Mutex<ProxyNames>,
    trusted: TrustedProxies,
    resolve: Resolve,
}

#[derive(Default)]
struct ProxyNames {
    proxies: Vec<TrustedProxy>,
    known: HashMap<Box<str>, Known>,
}

/// The addresses of a name, and the number of failed look-ups since it last resolved.
#[derive(Default)]
struct Known {
    networks: Vec<IpNet>,
    failures: u32,
}

impl ProxyResolver {
    /// Resolves the names once, then starts the thread.
    pub(super) fn start(proxies: Vec<TrustedProxy>, trusted: TrustedProxies) -> io::Result<Self> {
        let resolve = system_resolve;
        let names = Arc::new(Names { state: Mutex::default(), trusted, resolve });
        names.replace(proxies);
        let watched = Arc::clone(&names);
        let worker = Worker::spawn("proxy-names", move |halt| {
            while !halt.pause(RESOLVE_INTERVAL) {
                watched.refresh();
            }
        })?;
        Ok(Self { names, worker })
    }

    /// Replaces the proxies after a reload of the settings.
    pub(super) fn replace(&self, proxies: Vec<TrustedProxy>) {
        self.names.replace(proxies);
    }

    /// Ends the thread without waiting for a look-up in progress.
    pub(super) fn stop(self) {
        let _has_ended = self.worker.stop_within(Duration::ZERO);
    }
}

impl Names {
    fn replace(&self, proxies: Vec<TrustedProxy>) {
        let mut state = self.lock();
        state.known.retain(|name, _| {
            proxies.iter().any(|proxy| matches!(proxy, TrustedProxy::Name(kept) if kept == name))
        });
        state.proxies = proxies;
        self.resolve_all(&mut state);
    }

    /// Resolves the names again. The lock is held meanwhile, so that an older list never replaces a
    /// newer list.
    fn refresh(&self) {
        self.resolve_all(&mut self.lock());
    }

    fn resolve_all(&self, state: &mut ProxyNames) {
        let ProxyNames { proxies, known } = state;
        let mut networks = Vec::new();
        for proxy in proxies {
            match proxy {
                TrustedProxy::Network(network) => networks.push(*network),
                TrustedProxy::Name(name) => {
                    let known = known.entry(name.clone()).or_default();
                    known.update(name, (self.resolve)(name));
                    networks.extend(&known.networks);
                },
            }
        }
        self.trusted.replace(networks);
    }

    fn lock(&self) -> MutexGuard<'_, ProxyNames> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Applies the result of a look-up. A name that never resolved has no addresses. After a failure
    /// a name keeps its addresses for an hour: without them, the server would use the proxy's address
    /// as the address of every client behind it.
    fn update(&mut self, name: &str, outcome: io::Result<Vec<IpAddr>>) {
        match outcome {
            Ok(addresses) => {
                let addresses = addresses.into_iter().take(ADDRESSES_A_NAME_MAX);
                self.networks = addresses.map(|ip| IpNet::from(ip.to_canonical())).collect();
                self.failures = 0;
            },
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES_MAX {
                    self.networks.clear();
                }
                tracing::warn!(
                    %name, %error, addresses_kept = self.networks.len(),
                    "could not resolve a trusted proxy; its last known addresses stay trusted for \
                     an hour"
                );
            },
        }
    }
}

fn system_resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// Last byte of the address of the name `proxy`; 0 if the name does not resolve.
    static LAST_BYTE: AtomicU8 = AtomicU8::new(0);

    fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
        match (name, LAST_BYTE.load(Ordering::Relaxed)) {
            ("proxy", 1..) => Ok(vec![[10, 0, 0, LAST_BYTE.load(Ordering::Relaxed)].into()]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    #[test]
    fn trust_of_a_name_follows_its_addresses_and_ends_an_hour_after_the_last() {
        let trusted = TrustedProxies::default();
        let names = Names { state: Mutex::default(), trusted: trusted.clone(), resolve };
        let is_trusted = |last: u8| trusted.contains([10, 0, 0, last].into());
        let proxies = ["proxy", "192.0.2.0/24"].map(|text| text.parse().unwrap());
        names.replace(proxies.into());
        assert!(!is_trusted(1), "it does not resolve");
        assert!(trusted.contains([192, 0, 2, 9].into()));
        for address in [1, 2] {
            LAST_BYTE.store(address, Ordering::Relaxed);
            names.refresh();
            assert_eq!([is_trusted(1), is_trusted(2)], [address == 1, address == 2]);
        }
        LAST_BYTE.store(0, Ordering::Relaxed);
        for _ in 1..FAILURES_MAX {
            names.refresh();
            assert!(is_trusted(2), "failed look-ups within an hour keep the address trusted");
        }
        names.refresh();
        assert!(!is_trusted(2), "it has not resolved for an hour");
        names.replace(Vec::new());
        assert!(!trusted.contains([192, 0, 2, 9].into()));
    }
}
