//! What a diagram shows of an inventory: the chosen resources, each in its network and subnet, in an order that does
//! not depend on the order of the inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::inventory::{Inventory, Network, Resource, SecurityGroup, Subnet};

use super::Choices;
use super::filter::Facts;

/// The width to which numbers in names are filled with zeros, so that web-2 comes before web-10.
const DIGITS: usize = 12;

#[derive(Debug)]
pub(super) struct Scene<'a> {
    /// The networks with components, by name.
    pub networks: Vec<Grounds<'a>>,
    pub components: Vec<Shown<'a>>,
    /// The security groups, by id.
    pub groups: BTreeMap<&'a str, &'a SecurityGroup>,
}

/// A network and the subnets with components.
#[derive(Debug)]
pub(super) struct Grounds<'a> {
    pub network: &'a Network,
    /// In the order of their addresses.
    pub subnets: Vec<&'a Subnet>,
}

/// A resource that is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub resource: &'a Resource,
    pub home: Home,
}

/// Where a component is, by the places of its network and its subnet in the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Home {
    /// In no network of the inventory.
    Outside,
    /// In a network, and in several of its subnets or none.
    Network(usize),
    /// In one subnet of a network.
    Subnet(usize, usize),
}

/// The networks, subnets and groups of an inventory by id.
struct Index<'a> {
    networks: BTreeMap<&'a str, &'a Network>,
    /// Each subnet with the id of its network.
    subnets: BTreeMap<&'a str, (&'a str, &'a Subnet)>,
    groups: BTreeMap<&'a str, &'a SecurityGroup>,
}

/// The ids of the network and of the only subnet of a resource.
#[derive(Debug, Clone, Copy)]
struct Address<'a> {
    network: Option<&'a str>,
    subnet: Option<&'a str>,
}

impl<'a> Scene<'a> {
    pub(super) fn of(inventory: &'a Inventory, choices: &Choices) -> Self {
        let index = Index::of(inventory);
        let mut chosen: BTreeMap<&str, &Resource> = BTreeMap::new();
        for resource in &inventory.resources {
            if !choices.excludes(&resource.kind) && choices.filter.matches(&index.facts(resource)) {
                chosen.entry(&resource.id).or_insert(resource);
            }
        }
        let addresses: Vec<(&Resource, Address<'_>)> =
            chosen.into_values().map(|resource| (resource, index.address(resource))).collect();
        let networks = index.shown(&addresses);
        let homes = Homes::of(&networks);
        let mut components: Vec<Shown<'_>> = addresses
            .into_iter()
            .map(|(resource, address)| Shown { resource, home: homes.of_address(address) })
            .collect();
        components.sort_by_cached_key(|shown| {
            let resource = shown.resource;
            (shown.home, &resource.kind, natural(&resource.name), &resource.id)
        });
        Self { networks, components, groups: index.groups }
    }

    /// The places of the components of each home.
    pub(super) fn by_home(&self) -> BTreeMap<Home, Vec<usize>> {
        let mut homes: BTreeMap<Home, Vec<usize>> = BTreeMap::new();
        for (place, shown) in self.components.iter().enumerate() {
            homes.entry(shown.home).or_default().push(place);
        }
        homes
    }
}

impl<'a> Index<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let mut index =
            Self { networks: BTreeMap::new(), subnets: BTreeMap::new(), groups: BTreeMap::new() };
        for network in &inventory.networks {
            index.networks.entry(&network.id).or_insert(network);
            for subnet in &network.subnets {
                index.subnets.entry(&subnet.id).or_insert((&network.id, subnet));
            }
        }
        for group in &inventory.groups {
            index.groups.entry(&group.id).or_insert(group);
        }
        index
    }

    /// The network of a resource that names only subnets is the one of its first known subnet.
    fn address(&self, resource: &Resource) -> Address<'a> {
        let known: BTreeMap<&str, &str> = resource
            .subnets
            .iter()
            .filter_map(|id| self.subnets.get_key_value(id.as_str()))
            .map(|(id, (network, _))| (*id, *network))
            .collect();
        let named = resource.network.as_deref().and_then(|id| self.networks.get_key_value(id));
        let network = named.map(|(id, _)| *id).or_else(|| known.values().next().copied());
        let mut inside = known.iter().filter(|(_, its)| Some(**its) == network);
        let subnet = match (inside.next(), inside.next()) {
            (Some((id, _)), None) => Some(*id),
            (None | Some(_), _) => None,
        };
        Address { network, subnet }
    }

    /// The networks and subnets with components.
    fn shown(&self, addresses: &[(&'a Resource, Address<'a>)]) -> Vec<Grounds<'a>> {
        let networks: BTreeSet<&str> = addresses.iter().filter_map(|(_, it)| it.network).collect();
        let subnets: BTreeSet<&str> = addresses.iter().filter_map(|(_, it)| it.subnet).collect();
        let mut inside: BTreeMap<&str, Vec<&'a Subnet>> = BTreeMap::new();
        for id in subnets {
            if let Some((network, subnet)) = self.subnets.get(id) {
                inside.entry(*network).or_default().push(subnet);
            }
        }
        let mut shown: Vec<Grounds<'a>> = networks
            .into_iter()
            .filter_map(|id| self.networks.get(id))
            .map(|network| {
                let mut subnets = inside.remove(network.id.as_str()).unwrap_or_default();
                subnets
                    .sort_by_cached_key(|it| (addresses_of(&it.range), natural(&it.name), &it.id));
                Grounds { network, subnets }
            })
            .collect();
        shown.sort_by_cached_key(|it| (natural(&it.network.name), &it.network.id));
        shown
    }

    /// What a filter may name.
    fn facts(&self, resource: &Resource) -> Facts {
        let mut facts = Facts::default();
        for (key, value) in
            [("id", &resource.id), ("name", &resource.name), ("type", &resource.kind)]
        {
            facts.text(value);
            facts.pair(key, value);
        }
        for (key, value) in &resource.tags {
            facts.text(value);
            facts.pair(key, value);
        }
        let address = self.address(resource);
        if let Some(network) = address.network.and_then(|id| self.networks.get(id)) {
            facts.pair("vpc", &network.id);
            facts.pair("vpc", &network.name);
        }
        for (_, subnet) in resource.subnets.iter().filter_map(|id| self.subnets.get(id.as_str())) {
            facts.pair("subnet", &subnet.id);
            facts.pair("subnet", &subnet.name);
            facts.pair("zone", &subnet.zone);
        }
        for group in resource.groups.iter().filter_map(|id| self.groups.get(id.as_str())) {
            facts.pair("sg", &group.id);
            facts.pair("sg", &group.name);
        }
        facts
    }
}

/// The places of networks and subnets in the lists of a scene.
struct Homes<'a> {
    networks: BTreeMap<&'a str, usize>,
    subnets: BTreeMap<&'a str, (usize, usize)>,
}

impl<'a> Homes<'a> {
    fn of(networks: &[Grounds<'a>]) -> Self {
        let mut homes = Self { networks: BTreeMap::new(), subnets: BTreeMap::new() };
        for (at, grounds) in networks.iter().enumerate() {
            homes.networks.insert(&grounds.network.id, at);
            for (place, subnet) in grounds.subnets.iter().enumerate() {
                homes.subnets.insert(&subnet.id, (at, place));
            }
        }
        homes
    }

    fn of_address(&self, address: Address<'_>) -> Home {
        if let Some((network, subnet)) = address.subnet.and_then(|id| self.subnets.get(id)) {
            return Home::Subnet(*network, *subnet);
        }
        let network = address.network.and_then(|id| self.networks.get(id));
        network.map_or(Home::Outside, |network| Home::Network(*network))
    }
}

/// The order of a range of IPv4 addresses. Other ranges are the last, in the order of their texts.
fn addresses_of(range: &str) -> (bool, u32, &str) {
    let start = range.split('/').next().unwrap_or_default();
    start.parse::<Ipv4Addr>().map_or((true, 0, range), |start| (false, u32::from(start), range))
}

/// A text whose order is the one that people expect of a name: without case, and with numbers by their value.
pub(super) fn natural(name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    let mut digits = String::new();
    for letter in name.to_lowercase().chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
        } else {
            push_number(&mut key, &mut digits);
            key.push(letter);
        }
    }
    push_number(&mut key, &mut digits);
    key
}

fn push_number(key: &mut String, digits: &mut String) {
    if !digits.is_empty() {
        let zeros = DIGITS.saturating_sub(digits.len());
        key.extend(std::iter::repeat_n('0', zeros));
        key.push_str(digits);
        digits.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ranges_are_in_the_order_that_people_expect() {
        let mut names = ["web-10", "Web-2", "web-1", "db", "web"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["db", "web", "web-1", "Web-2", "web-10"]);
        let mut ranges = ["10.0.10.0/24", "fd00::/64", "10.0.9.0/24", "", "9.0.0.0/8"];
        ranges.sort_by_cached_key(|range| addresses_of(range));
        assert_eq!(ranges, ["9.0.0.0/8", "10.0.9.0/24", "10.0.10.0/24", "", "fd00::/64"]);
    }
}
