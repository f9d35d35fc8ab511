//! Keeps the list of trusted proxies: resolves the host names in it at the start, every 30 s, and
//! when the settings are read again.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::TrustedProxy;
use crate::http::transport::TrustedProxies;
use crate::index::halt::Halt;

/// How often host names are resolved again.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);
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
    proxies: Mutex<Vec<TrustedProxy>>,
    trusted: TrustedProxies,
    resolve: Resolve,
}

impl ProxyResolver {
    /// Resolves the names once, then starts the thread.
    pub(super) fn start(proxies: Vec<TrustedProxy>, trusted: TrustedProxies) -> io::Result<Self> {
        let resolve = system_resolve;
        let names = Arc::new(Names { proxies: Mutex::default(), trusted, resolve });
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
        let mut current = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        *current = proxies;
        self.trusted.replace(self.networks(&current));
    }

    /// Resolves the names again. Holds the lock meanwhile, so that an older list never replaces a
    /// newer one.
    fn refresh(&self) {
        let current = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        if current.iter().any(|proxy| matches!(proxy, TrustedProxy::Name(_))) {
            self.trusted.replace(self.networks(&current));
        }
    }

    /// A name that does not resolve stands for no network: nothing is trusted on its behalf.
    fn networks(&self, proxies: &[TrustedProxy]) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for proxy in proxies {
            match proxy {
                TrustedProxy::Network(network) => networks.push(*network),
                TrustedProxy::Name(name) => match (self.resolve)(name) {
                    Ok(addresses) => {
                        let addresses = addresses.into_iter().take(ADDRESSES_A_NAME_MAX);
                        networks.extend(addresses.map(|ip| IpNet::from(ip.to_canonical())));
                    },
                    Err(error) => tracing::warn!(
                        %name, %error,
                        "trusted proxy does not resolve: its forwarded headers are ignored"
                    ),
                },
            }
        }
        networks
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
    fn a_name_is_trusted_with_what_it_resolves_to_now_and_with_nothing_otherwise() {
        let trusted = TrustedProxies::default();
        let names = Names { proxies: Mutex::default(), trusted: trusted.clone(), resolve };
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
        names.refresh();
        assert!(!is_trusted(2), "it no longer resolves");
        names.replace(Vec::new());
        assert!(!trusted.contains([192, 0, 2, 9].into()));
    }
}
