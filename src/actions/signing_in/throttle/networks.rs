//! Failed sign-ins by network: a tight limit per client and a loose limit per site.
//!
//! With two limits, a client cannot lock out the other clients of its site.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use ipnet::IpNet;

use crate::actions::signing_in::throttle::Source;
use crate::actions::signing_in::throttle::room::make_room;
use crate::model::limit::{Draw, RateLimit};
use crate::model::network::{client_of, site_of};

/// Maximum number of remembered clients. The clients with the fewest recent failures are removed
/// first.
pub const CLIENTS_MAX: usize = 65_536;
pub const SITES_MAX: usize = 65_536;

/// Burst of failures of one client, refilled over `WINDOW_SECONDS`: one each 10 s.
pub(super) const CLIENT_FAILURES: u32 = 60;
/// Burst of failures of one site, refilled over `WINDOW_SECONDS`: one each second.
pub(super) const SITE_FAILURES: u32 = 600;
const WINDOW_SECONDS: u32 = 600;

/// The networks of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Networks {
    /// `None` for all clients with an unknown address, which cannot be distinguished.
    client: Option<IpNet>,
    /// The site. `None` is the single site of all clients with an unknown address.
    site: Option<IpNet>,
}

impl Networks {
    pub(super) fn of(source: Source) -> Self {
        Self { client: source.address.map(client_of), site: source.address.map(site_of) }
    }
}

/// Results of [`RateLimit::draw`], by network.
pub(super) struct Counted {
    client_rate: RateLimit,
    site_rate: RateLimit,
    clients: HashMap<IpNet, u64>,
    sites: HashMap<Option<IpNet>, u64>,
}

impl Default for Counted {
    fn default() -> Self {
        let rate =
            |limit| RateLimit { name: "sign-in".into(), limit, window_seconds: WINDOW_SECONDS };
        let (client_rate, site_rate) = (rate(CLIENT_FAILURES), rate(SITE_FAILURES));
        Self { client_rate, site_rate, clients: HashMap::new(), sites: HashMap::new() }
    }
}

impl Counted {
    /// Counts an attempt at its client and its site, or at neither.
    ///
    /// # Errors
    /// The wait before the next attempt.
    pub(super) fn take(&mut self, at: Networks, now: u64) -> Result<(), Duration> {
        let site = draw(&self.site_rate, &self.sites, &at.site, now)?;
        if let Some(client) = at.client {
            let arrival = draw(&self.client_rate, &self.clients, &client, now)?;
            make_room(&mut self.clients, &client, CLIENTS_MAX, |arrival| *arrival);
            self.clients.insert(client, arrival);
        }
        make_room(&mut self.sites, &at.site, SITES_MAX, |arrival| *arrival);
        self.sites.insert(at.site, site);
        Ok(())
    }

    /// Takes back an attempt that did not fail.
    pub(super) fn give_back(&mut self, at: Networks, now: u64) {
        if let Some(client) = at.client {
            give_back(&self.client_rate, &mut self.clients, &client, now);
        }
        give_back(&self.site_rate, &mut self.sites, &at.site, now);
    }

    /// Returns the networks whose next attempt waits, each with its wait. `None` is the shared
    /// entry of all clients with an unknown address.
    pub(super) fn closed(&self, now: u64) -> Vec<(Option<IpNet>, Duration)> {
        let clients = self.clients.keys().filter_map(|client| {
            Some((Some(*client), draw(&self.client_rate, &self.clients, client, now).err()?))
        });
        let sites = self
            .sites
            .keys()
            .filter_map(|site| Some((*site, draw(&self.site_rate, &self.sites, site, now).err()?)));
        clients.chain(sites).collect()
    }

    /// Resets the failures of a network.
    pub(super) fn forgive(&mut self, network: Option<IpNet>) {
        self.sites.remove(&network);
        network.map(|client| self.clients.remove(&client));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.clients.len(), self.sites.len())
    }
}

fn draw<K: Eq + Hash>(
    rate: &RateLimit,
    counted: &HashMap<K, u64>,
    network: &K,
    now: u64,
) -> Result<u64, Duration> {
    match rate.draw(counted.get(network).copied().unwrap_or_default(), now, 1) {
        Draw::Granted { arrival } => Ok(arrival),
        Draw::Refused { wait } => Err(wait),
    }
}

fn give_back<K: Eq + Hash>(rate: &RateLimit, counted: &mut HashMap<K, u64>, network: &K, now: u64) {
    let Some(arrival) = counted.get_mut(network) else { return };
    *arrival = arrival.saturating_sub(rate.weight(1));
    if *arrival <= now {
        counted.remove(network);
    }
}
