//! Keeps the list of trusted proxies: resolves the host names in it at the start, every 30 s, and
//! when the settings are read again.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::TrustedProxy;
use crate::http::transport::TrustedProxies;
use crate::index::halt::Halt;

/// How often host names are resolved again.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);
/// After how many failed look-ups in a row, an hour's, the addresses of a name are dropped.
const FAILURES_MAX: u32 = 120;
/// Most addresses that one host name stands for.
const ADDRESSES_A_NAME_MAX: usize = 64;

/// Resolves a host name.
type Resolve = fn(&str) -> io::Result<Vec<IpAddr>>;

/// The thread that keeps a list of trusted proxies up to date.
pub(super) struct ProxyResolver {
    names: Arc<Names>,
    halt: Arc<Halt>,
    thread: JoinHandle<()>,
}

/// The proxies of the settings, and the list that is made of them.
struct Names {
    state: Mutex<State>,
    trusted: TrustedProxies,
    resolve: Resolve,
}

#[derive(Default)]
struct State {
    proxies: Vec<TrustedProxy>,
    known: HashMap<Box<str>, Known>,
}

/// What a name resolved to, and how many look-ups in a row have failed since.
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
        let halt = Arc::<Halt>::default();
        let (watched, until) = (Arc::clone(&names), Arc::clone(&halt));
        let thread =
            std::thread::Builder::new().name("proxy-names".to_owned()).spawn(move || {
                while !until.pause(RESOLVE_INTERVAL) {
                    watched.refresh();
                }
            })?;
        Ok(Self { names, halt, thread })
    }

    /// Takes the proxies of settings that were read again.
    pub(super) fn replace(&self, proxies: Vec<TrustedProxy>) {
        self.names.replace(proxies);
    }

    /// Ends the thread. One that waits for the system's resolver is not waited for.
    pub(super) fn stop(self) {
        self.halt.halt();
        drop(self.thread);
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

    /// Resolves the names again. Holds the lock meanwhile, so that an older list never replaces a
    /// newer one.
    fn refresh(&self) {
        self.resolve_all(&mut self.lock());
    }

    fn resolve_all(&self, state: &mut State) {
        let State { proxies, known } = state;
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Takes the outcome of a look-up. A name that never resolved stands for no network. One that
    /// did keeps its addresses for a while: without them, the address of every client behind the
    /// proxy would be taken for the proxy's own.
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
                    "trusted proxy does not resolve; forwarded headers count from the addresses \
                     that are kept for an hour, if any"
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

    /// Which address `proxy` has; 0: it does not resolve.
    static LAST_BYTE: AtomicU8 = AtomicU8::new(0);

    fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
        match (name, LAST_BYTE.load(Ordering::Relaxed)) {
            ("proxy", 1..) => Ok(vec![[10, 0, 0, LAST_BYTE.load(Ordering::Relaxed)].into()]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    #[test]
    fn a_name_is_trusted_with_what_it_resolves_to_and_with_nothing_otherwise() {
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
            assert!(is_trusted(2), "one failed look-up must not make clients of the proxy");
        }
        names.refresh();
        assert!(!is_trusted(2), "it has not resolved for an hour");
        names.replace(Vec::new());
        assert!(!trusted.contains([192, 0, 2, 9].into()));
    }
}
