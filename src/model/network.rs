//! Which addresses a key may be used from.

use std::net::IpAddr;

use ipnet::IpNet;

/// Most networks in one list.
pub const NETWORKS_MAX: usize = 100;

/// Networks that may, and networks that may not, use a key. Refusal is stronger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpRules {
    /// Where not empty, only these.
    pub allow: Vec<IpNet>,
    /// Never these.
    pub deny: Vec<IpNet>,
}

/// How much of an address tells one network from another, for those who count by networks: a /24 of
/// IPv4, a /64 of IPv6, which is what one customer gets.
const NETWORK_BITS_V4: u8 = 24;
const NETWORK_BITS_V6: u8 = 64;

/// The network that an address is counted with.
pub fn network_of(address: IpAddr) -> IpNet {
    truncated(address, NETWORK_BITS_V4, NETWORK_BITS_V6)
}

/// What counts as one client: an IPv4 address, a /64 of IPv6, which is what one customer gets.
const CLIENT_BITS_V4: u8 = 32;
const CLIENT_BITS_V6: u8 = 64;
/// What counts as one site: a /24 of IPv4, a /48 of IPv6.
const SITE_BITS_V4: u8 = 24;
const SITE_BITS_V6: u8 = 48;

/// The network of one client.
pub fn client_of(address: IpAddr) -> IpNet {
    truncated(address, CLIENT_BITS_V4, CLIENT_BITS_V6)
}

/// The network of one site, whose clients may have nothing to do with each other.
pub fn site_of(address: IpAddr) -> IpNet {
    truncated(address, SITE_BITS_V4, SITE_BITS_V6)
}

fn truncated(address: IpAddr, bits_v4: u8, bits_v6: u8) -> IpNet {
    let address = address.to_canonical();
    let bits = if address.is_ipv4() { bits_v4 } else { bits_v6 };
    IpNet::new(address, bits)
        .map_or_else(|_too_long| IpNet::from(address), |network| network.trunc())
}

/// A text that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// Neither an address nor CIDR notation.
    #[error("must be a network such as 10.0.0.0/8 or 2001:db8::/32, or one address")]
    Shape,
    /// Bits are set that the prefix does not cover: a slip that would widen or narrow the rule.
    #[error("has bits beyond its prefix: did you mean {meant}?")]
    HostBits {
        /// The network with these bits cleared.
        meant: IpNet,
    },
}

impl IpRules {
    /// Whether nothing is ruled.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Whether these rules admit no address that others do not.
    pub fn is_within(&self, others: &Self) -> bool {
        let covers = |list: &[IpNet], network: &IpNet| list.iter().any(|it| it.contains(network));
        let (allowed, denied) = (IpNet::aggregate(&others.allow), IpNet::aggregate(&self.deny));
        let allow_fits = others.allow.is_empty()
            || (!self.allow.is_empty() && self.allow.iter().all(|it| covers(&allowed, it)));
        let out_of_reach = |network: &IpNet| {
            let apart = |it: &IpNet| !it.contains(network) && !network.contains(it);
            !self.allow.is_empty() && self.allow.iter().all(apart)
        };
        allow_fits && others.deny.iter().all(|it| covers(&denied, it) || out_of_reach(it))
    }

    /// Whether an address may use the key.
    pub fn admit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        !within(&self.deny) && (self.allow.is_empty() || within(&self.allow))
    }
}

/// Reads a network in CIDR notation; an address alone is a network of one. IPv4 written as IPv6
/// (`::ffff:10.0.0.1`) is taken as IPv4, as addresses are.
///
/// # Errors
/// [`InvalidNetwork`].
pub fn parse_network(text: &str) -> Result<IpNet, InvalidNetwork> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network: IpNet = text.parse().map_err(|_source| InvalidNetwork::Shape)?;
    if network.trunc() != network {
        return Err(InvalidNetwork::HostBits { meant: network.trunc() });
    }
    let IpNet::V6(six) = network else { return Ok(network) };
    let (Some(four), true) = (six.addr().to_ipv4_mapped(), six.prefix_len() >= 96) else {
        return Ok(network);
    };
    IpNet::new(four.into(), six.prefix_len() - 96).map_err(|_source| InvalidNetwork::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str]) -> IpRules {
        let parse =
            |texts: &[&str]| texts.iter().map(|text| parse_network(text).unwrap()).collect();
        IpRules { allow: parse(allow), deny: parse(deny) }
    }

    #[test]
    fn refusal_is_stronger_and_no_list_means_all() {
        for (allow, deny, address, admitted) in [
            (&[][..], &[][..], "203.0.113.9", true),
            (&["10.0.0.0/8"], &[], "10.1.2.3", true),
            (&["10.0.0.0/8"], &[], "11.1.2.3", false),
            (&["10.0.0.0/8"], &["10.1.0.0/16"], "10.1.2.3", false),
            (&[], &["10.0.0.1"], "10.0.0.1", false),
            (&[], &["10.0.0.1"], "10.0.0.2", true),
            (&["2001:db8::/32"], &[], "2001:db8::1", true),
            (&["2001:db8::/32"], &[], "10.0.0.1", false),
            (&["10.0.0.0/8"], &[], "::ffff:10.0.0.1", true),
            (&["::ffff:10.0.0.0/104"], &[], "10.9.9.9", true),
        ] {
            let admits = rules(allow, deny).admit(address.parse().unwrap());
            assert_eq!(admits, admitted, "{allow:?} {deny:?} {address}");
        }
    }

    #[test]
    fn slips_are_named() {
        assert_eq!(parse_network("ten"), Err(InvalidNetwork::Shape));
        let error = parse_network("10.0.0.1/8").unwrap_err().to_string();
        assert!(error.ends_with("did you mean 10.0.0.0/8?"), "{error}");
    }

    #[test]
    fn addresses_are_counted_by_their_networks() {
        for (address, network) in [
            ("203.0.113.7", "203.0.113.0/24"),
            ("::ffff:203.0.113.7", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(network_of(address.parse().unwrap()).to_string(), network);
        }
        for (address, client, site) in [
            ("203.0.113.7", "203.0.113.7/32", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(client_of(address).to_string(), client);
            assert_eq!(site_of(address).to_string(), site);
        }
    }
}
