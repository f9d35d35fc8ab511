//! The addresses that may use a key, and the canonical form of an address.
//!
//! An IPv6 address that only embeds an IPv4 address is treated as that IPv4 address: for rules, for
//! throttling and for display. Such addresses are IPv4-mapped (`::ffff:0:0/96`), IPv4-compatible
//! (`::/96`) and NAT64 (`64:ff9b::/96` of RFC 6052, and `64:ff9b:1::/48` of RFC 8215 if its last 32
//! bits or, as in RFC 6052 for a /48, bits 48 to 63 and 72 to 87 hold an IPv4 address). 6to4
//! (`2002::/16`) and Teredo (`2001::/32`) stay IPv6: the IPv4 address in them is that of a router
//! or of a relay's client. Other hosts may share that IPv4 address, and any host can forge it. A
//! rule for 6to4 or Teredo must name IPv6 networks.
//!
//! Decisions on trust do not use this form. Such decisions use the address that the socket reports
//! for a peer, since a packet from the network may claim an address that embeds `127.0.0.1`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The most networks in one list.
pub const NETWORKS_MAX: usize = 100;

/// Networks that may use a key, and networks that may not. A denied network takes precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpRules {
    /// Networks that may use the key; empty for all networks.
    pub allow: Vec<IpNet>,
    /// Networks that may never use the key.
    pub deny: Vec<IpNet>,
}

/// The prefix lengths for counting by network: a /24 of IPv4, and a /64 of IPv6, the size that a
/// provider gives to one customer.
const NETWORK_BITS_V4: u8 = 24;
const NETWORK_BITS_V6: u8 = 64;

/// The canonical form of an address: the embedded IPv4 address, if there is one.
pub fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => embedded(six).map_or(address, IpAddr::V4),
    }
}

/// The canonical form of a rule's network: IPv4 if every address of the network embeds an IPv4
/// address.
pub fn canonical_network(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else { return network };
    let (Some(bits), Some(first)) = (six.prefix_len().checked_sub(96), embedded(six.network()))
    else {
        return network;
    };
    // `::` and `::1` do not embed IPv4 addresses, so a network that contains them stays IPv6.
    let holds_loopback = six.contains(&Ipv6Addr::LOCALHOST);
    let four = IpNet::new(first.into(), bits).map(|four| four.trunc());
    if holds_loopback { network } else { four.unwrap_or(network) }
}

/// Whether the network matches no address, since all its addresses are treated as the IPv4
/// addresses that they embed.
pub fn is_translated_away(network: IpNet) -> bool {
    matches!(network, IpNet::V6(six)
        if (48..96).contains(&six.prefix_len()) && is_local_nat64(six.network()))
}

fn is_local_nat64(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0x64, 0xff9b, 1, ..])
}

/// The IPv4 address that an IPv6 address embeds.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    let last = Ipv4Addr::new(a, b, c, d);
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] => (high > 0 || low > 1).then_some(last),
        [0x64, 0xff9b, 1, first, second @ ..=0xff, third, 0, 0] if third.trailing_zeros() >= 8 => {
            let ([a, b], [_, c], [d, _]) =
                (first.to_be_bytes(), second.to_be_bytes(), third.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        },
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => {
            Some(last)
        },
        _ => None,
    }
}

/// The network of an address, for counting.
pub fn network_of(address: IpAddr) -> IpNet {
    truncated(address, NETWORK_BITS_V4, NETWORK_BITS_V6)
}

/// The prefix lengths of one client: an IPv4 address, and a /64 of IPv6, the size that a provider
/// gives to one customer.
const CLIENT_BITS_V4: u8 = 32;
const CLIENT_BITS_V6: u8 = 64;
/// The prefix lengths of one site: a /24 of IPv4, a /48 of IPv6.
const SITE_BITS_V4: u8 = 24;
const SITE_BITS_V6: u8 = 48;

pub fn client_of(address: IpAddr) -> IpNet {
    truncated(address, CLIENT_BITS_V4, CLIENT_BITS_V6)
}

/// The network of one site, whose clients may be unrelated.
pub fn site_of(address: IpAddr) -> IpNet {
    truncated(address, SITE_BITS_V4, SITE_BITS_V6)
}

fn truncated(address: IpAddr, bits_v4: u8, bits_v6: u8) -> IpNet {
    let address = canonical(address);
    let bits = if address.is_ipv4() { bits_v4 } else { bits_v6 };
    IpNet::new(address, bits)
        .map_or_else(|_too_long| IpNet::from(address), |network| network.trunc())
}

/// The text is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// The text is neither an address nor CIDR notation.
    #[error("must be a network such as 10.0.0.0/8 or 2001:db8::/32, or one address")]
    Shape,
    /// Bits outside the prefix are set: a typing error that would widen or narrow the rule.
    #[error("has bits beyond its prefix: did you mean {meant}?")]
    HostBits {
        /// The network with these bits cleared.
        meant: IpNet,
    },
}

impl IpRules {
    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Whether these rules admit only addresses that `others` admit.
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

    /// Whether no address may use the key: everything allowed is denied as well.
    pub fn denies_all(&self) -> bool {
        // Denied networks are merged, so that an allowed network is found that several of them
        // cover only together.
        let denied = IpNet::aggregate(&self.deny);
        let is_denied = |allowed: &IpNet| denied.iter().any(|network| network.contains(allowed));
        if self.allow.is_empty() {
            let all = [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
            return all.iter().all(is_denied);
        }
        self.allow.iter().all(is_denied)
    }

    /// Whether an address may use the key.
    pub fn admit(&self, address: IpAddr) -> bool {
        let address = canonical(address);
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        !within(&self.deny) && (self.allow.is_empty() || within(&self.allow))
    }
}

/// Parses a network in CIDR notation; a single address is a network of one. IPv4 written as IPv6
/// (`::ffff:10.0.0.1`) is treated as IPv4, like addresses.
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
        let read = |text: &&str| canonical_network(parse_network(text).unwrap());
        let parse = |texts: &[&str]| texts.iter().map(read).collect();
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
            // A NAT64 or IPv4-compatible address is treated as the IPv4 address that it embeds.
            (&[], &["10.0.0.0/8"], "64:ff9b::a00:1", false),
            (&[], &["10.0.0.0/8"], "::10.0.0.1", false),
            (&[], &["10.0.0.0/8"], "64:ff9b:1::a00:1", false),
            (&[], &["10.0.0.0/8"], "64:ff9b:1:abcd::10.0.0.1", false),
            (&[], &["10.0.0.0/8"], "64:ff9b:1:a00:0:100::", false),
            (&["10.0.0.0/8"], &[], "64:ff9b::a00:1", true),
            (&["10.0.0.0/8"], &[], "64:ff9b::b00:1", false),
            (&["64:ff9b::a00:0/104"], &[], "10.2.3.4", true),
            (&["64:ff9b::a00:0/104"], &[], "64:ff9b::b00:1", false),
            (&["64:ff9b::/96"], &[], "203.0.113.9", true),
            (&[], &["::10.0.0.0/104"], "::ffff:10.1.1.1", false),
            (&["::1"], &[], "::1", true),
            (&["::1"], &[], "0.0.0.1", false),
            (&[], &["0.0.0.0/8"], "::1", true),
            // 6to4 and Teredo addresses stay IPv6.
            (&[], &["10.0.0.0/8"], "2002:a00:1::1", true),
            (&[], &["2002::/16"], "2002:a00:1::1", false),
            (&[], &["10.0.0.0/8"], "2001:0:a00:1::1", true),
        ] {
            let admits = rules(allow, deny).admit(address.parse().unwrap());
            assert_eq!(admits, admitted, "{allow:?} {deny:?} {address}");
        }
    }

    #[test]
    fn rules_that_no_address_fits_are_found() {
        for (allow, deny, denied) in [
            (&[][..], &[][..], false),
            (&["10.0.0.0/8"], &["10.0.0.0/8"], true),
            (&["10.1.0.0/16", "10.2.0.1"], &["10.0.0.0/8"], true),
            (&["10.0.0.0/8"], &["10.0.0.0/9", "10.128.0.0/9"], true),
            (&["10.0.0.0/8"], &["10.0.0.0/9"], false),
            (&["10.0.0.0/8", "192.0.2.1"], &["10.0.0.0/8"], false),
            (&["10.0.0.0/8"], &["0.0.0.0/0"], true),
            (&["64:ff9b::a00:1"], &["10.0.0.1"], true),
            (&[], &["0.0.0.0/0"], false),
            (&[], &["0.0.0.0/0", "::/0"], true),
            (&[], &["0.0.0.0/1", "128.0.0.0/1", "::/0"], true),
            (&["2001:db8::/32"], &["2001:db8::/33", "2001:db8:8000::/33"], true),
        ] {
            assert_eq!(rules(allow, deny).denies_all(), denied, "{allow:?} {deny:?}");
        }
        for (network, gone) in [
            ("64:ff9b:1::/48", true),
            ("64:ff9b:1:8000::/64", true),
            ("64:ff9b:1::/96", false),
            ("64:ff9b::/32", false),
            ("2001:db8::/64", false),
        ] {
            assert_eq!(is_translated_away(network.parse().unwrap()), gone, "{network}");
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
            ("64:ff9b::cb00:7107", "203.0.113.0/24"),
            ("::203.0.113.7", "203.0.113.0/24"),
            ("2002:cb00:7107::1", "2002:cb00:7107::/64"),
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
