//! Whose share of what all callers share a request draws on.
//!
//! The application names the actor from the head of a request; the transport only compares names.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::network::canonical;

/// What counts as one client: an IPv4 address, or an IPv6 /64, which one host has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first four groups of an IPv6 address.
    V6([u16; 4]),
    /// All clients whose address is unknown.
    Unknown,
}

impl Network {
    /// The network of a client's address.
    pub fn of(address: Option<IpAddr>) -> Self {
        match address.map(canonical) {
            Some(IpAddr::V4(address)) => Self::V4(address),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            },
            None => Self::Unknown,
        }
    }

    /// What one customer of a provider may have many networks of: an IPv4 /24, an IPv6 /48.
    fn neighbourhood(self) -> Self {
        match self {
            Self::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4(Ipv4Addr::new(a, b, c, 0))
            },
            Self::V6([a, b, c, _]) => Self::V6([a, b, c, 0]),
            Self::Unknown => Self::Unknown,
        }
    }

    /// What one network may hold, and its neighbourhood, of what there is of something.
    pub(super) fn claims(self, most: usize, whole: usize) -> Claims {
        let near = (Payer::Neighbourhood(self.neighbourhood()), share(whole, SHARE_OF_MANY));
        [Some((Payer::Network(self), most)), Some(near), None]
    }
}

/// The 16 bytes of an actor's or organization's id.
pub type Id = [u8; 16];

/// Who sent a request, as far as its head shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The client's network; none for the operator on the host, who has no share to keep to.
    pub network: Option<Network>,
    /// The actor, where the request has a credential that is known: a user with all sessions, a user
    /// with all personal keys, or a service key. At sign-in the user who signed in before in this
    /// browser.
    pub actor: Option<Id>,
    /// Whether a key says who the actor is. What leaked keys do is not on the account of their owner's
    /// sessions, in which the owner revokes them.
    pub by_key: bool,
    /// The actor's organization.
    pub organization: Option<Id>,
}

impl Caller {
    /// A caller of whom only the network is known.
    pub fn of(address: Option<IpAddr>) -> Self {
        Self { network: Some(Network::of(address)), ..Self::default() }
    }

    /// Places of a pool: those who are known by who they are, all others by where they are.
    pub(super) fn claims_on_places(&self, whole: usize) -> Claims {
        self.claims_in_kind(whole, whole)
    }

    /// Waiting for a place: neither strangers nor those who are known fill the queue alone.
    pub(super) fn claims_on_queue(&self, whole: usize) -> Claims {
        self.claims_in_kind(whole, whole - whole / KEPT_FOR_THE_OTHER_KIND)
    }

    /// The claims of one who is known, or of a stranger, where `most` is what all of that kind may hold.
    fn claims_in_kind(&self, whole: usize, most: usize) -> Claims {
        if self.actor.is_some() {
            let [actor, organization, _] = self.claims_of_actor(whole);
            return [actor, organization, Some((Payer::Known, most))];
        }
        let [network, near, _] = self.claims_of_network(share(whole, SHARE_OF_PLACES), whole);
        [network, near, self.network.map(|_| (Payer::Strangers, most))]
    }

    /// Memory for bodies: by where and by who they are.
    pub(super) fn claims_on_bytes(&self, whole: usize) -> Claims {
        let claims = self.claims_of_network(share(whole, SHARE_OF_BYTES), whole);
        if self.actor.is_none() {
            return claims;
        }
        let ([network, ..], [actor, organization, _]) = (claims, self.claims_of_actor(whole));
        [network, actor, organization]
    }

    fn claims_of_network(&self, most: usize, whole: usize) -> Claims {
        self.network.map_or([None; 3], |network| network.claims(most, whole))
    }

    fn claims_of_actor(&self, whole: usize) -> Claims {
        [
            self.actor.map(|it| {
                let payer = if self.by_key { Payer::Keys(it) } else { Payer::Actor(it) };
                (payer, share(whole, SHARE_OF_PLACES))
            }),
            self.organization.map(|it| (Payer::Organization(it), share(whole, SHARE_OF_MANY))),
            None,
        ]
    }
}

/// One caller holds at most this part of a pool.
pub(super) const SHARE_OF_PLACES: usize = 4;
/// One network holds at most this part of the memory for bodies.
pub(super) const SHARE_OF_BYTES: usize = 8;
/// One organization, and one neighbourhood of networks, holds at most this part of anything.
pub(super) const SHARE_OF_MANY: usize = 2;
/// This part of a queue is kept from all strangers together, and from all who are known.
const KEPT_FOR_THE_OTHER_KIND: usize = 4;

fn share(whole: usize, part: usize) -> usize {
    (whole / part).max(1)
}

/// On whose account something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    Network(Network),
    Neighbourhood(Network),
    /// A user, by all their sessions.
    Actor(Id),
    /// A service key, or all personal keys of a user.
    Keys(Id),
    Organization(Id),
    /// All who are known: by a credential, or by the cookie of a browser that signed in before.
    Known,
    /// All of whom only the network is known.
    Strangers,
}

/// Who pays for one thing, each with the most that they may hold. The first is the narrowest.
pub(super) type Claims = [Option<(Payer, usize)>; 3];

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::of(Some(address.parse().unwrap()))
    }

    #[test]
    fn addresses_are_one_client_as_their_networks_are() {
        for (name, first, second, same, near) in [
            ("same IPv4", "192.0.2.1", "192.0.2.1", true, true),
            ("other IPv4 of a /24", "192.0.2.1", "192.0.2.2", false, true),
            ("other IPv4 /24", "192.0.2.1", "192.0.3.1", false, false),
            ("IPv4 mapped into IPv6", "192.0.2.1", "::ffff:192.0.2.1", true, true),
            ("same IPv6 /64", "2001:db8::1", "2001:db8::ffff:0:0:2", true, true),
            ("other IPv6 /64 of a /48", "2001:db8::1", "2001:db8:0:1::1", false, true),
            ("other IPv6 /48", "2001:db8::1", "2001:db8:1::1", false, false),
        ] {
            let (first, second) = (network(first), network(second));
            assert_eq!(first == second, same, "{name}");
            assert_eq!(first.neighbourhood() == second.neighbourhood(), near, "{name}");
        }
    }
}
