//! Callers. A request uses its caller's share of threads, memory and queue places.
//!
//! The application determines the actor from the head of a request. The transport only compares ids.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::network::canonical;

/// The network that counts as one client: an IPv4 address, or an IPv6 /64, the size that a provider
/// gives to one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
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

    /// The network around this one: an IPv4 /24 or an IPv6 /48. One customer of a provider may hold
    /// many networks within a neighbourhood.
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

    /// Claims of a network and its neighbourhood on a shared amount.
    pub(super) fn claims(self, most: usize, whole: usize) -> Claims {
        let near = Payer::Neighbourhood(self.neighbourhood());
        let near = Claim::of_many(near, share(whole, SHARE_OF_MANY));
        [Some(Claim::of_one(Payer::Network(self), most)), Some(near), None]
    }
}

/// The 16 bytes of an actor's or organization's id.
pub type CallerId = [u8; 16];

/// The sender of a request, as determined from its head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The client's network. `None` for the local operator, who has no limit.
    pub network: Option<Network>,
    /// The actor, if the request has a known credential: a user for all sessions or all personal keys,
    /// or a service key. For a sign-in, the user who signed in with this browser before.
    pub actor: Option<CallerId>,
    /// The actor authenticated with a key. Keys and sessions of a user have separate shares, so that a
    /// leaked key cannot block the sessions in which its owner revokes it.
    pub by_key: bool,
    pub organization: Option<CallerId>,
}

impl Caller {
    /// An unauthenticated caller at this address.
    pub fn of(address: Option<IpAddr>) -> Self {
        Self { network: Some(Network::of(address)), ..Self::default() }
    }

    /// Claims on places of a pool, and of its queue: by actor if the actor is known, otherwise by
    /// network.
    pub(super) fn claims_on_places(&self, whole: usize) -> Claims {
        if self.actor.is_some() {
            let [actor, organization, _] = self.claims_of_actor(whole);
            return [actor, organization, Some(Claim::of_one(Payer::Known, whole))];
        }
        let [network, near, _] = self.claims_of_network(share(whole, SHARE_OF_PLACES), whole);
        [network, near, self.network.map(|_| Claim::of_one(Payer::Strangers, whole))]
    }

    /// Claims on memory for bodies: by network, and also by actor if the actor is known.
    pub(super) fn claims_on_bytes(&self, whole: usize) -> Claims {
        let of_network = share(whole, SHARE_OF_BYTES);
        if self.actor.is_none() {
            return self.claims_of_network(of_network, whole);
        }
        let [actor, organization, _] = self.claims_of_actor(whole);
        let network = self.network.map(|it| Claim::of_one(Payer::Network(it), of_network));
        [actor, organization, network]
    }

    fn claims_of_network(&self, most: usize, whole: usize) -> Claims {
        self.network.map_or([None; 3], |network| network.claims(most, whole))
    }

    fn claims_of_actor(&self, whole: usize) -> Claims {
        [
            self.actor.map(|it| {
                let payer = if self.by_key { Payer::Keys(it) } else { Payer::Actor(it) };
                Claim::of_one(payer, share(whole, SHARE_OF_PLACES))
            }),
            self.organization
                .map(|it| Claim::of_many(Payer::Organization(it), share(whole, SHARE_OF_MANY))),
            None,
        ]
    }
}

/// One caller holds at most one part in this many of a pool.
pub(super) const SHARE_OF_PLACES: usize = 4;
/// One network holds at most one part in this many of the memory for bodies.
pub(super) const SHARE_OF_BYTES: usize = 8;
/// One organization, or one neighbourhood, holds at most one part in this many of any resource,
/// unless newcomers exceed it.
pub(super) const SHARE_OF_MANY: usize = 2;
/// Newcomers, callers that hold nothing yet, may together exceed the share of their organization or
/// neighbourhood by one part in this many of the share.
const KEPT_FOR_NEWCOMERS: usize = 2;

fn share(whole: usize, part: usize) -> usize {
    (whole / part).max(1)
}

/// The holder of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    Network(Network),
    Neighbourhood(Network),
    /// A user, by all their sessions.
    Actor(CallerId),
    /// A service key, or all personal keys of a user.
    Keys(CallerId),
    Organization(CallerId),
    /// All callers that are known by a credential or by a device cookie.
    Known,
    Strangers,
}

/// A maximum for one payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) payer: Payer,
    /// The maximum for a caller that holds something already.
    pub(super) freely: usize,
    /// The maximum for a caller that holds nothing yet.
    pub(super) most: usize,
}

impl Claim {
    /// A claim of one caller, or of all callers of a kind.
    fn of_one(payer: Payer, most: usize) -> Self {
        Self { payer, freely: most, most }
    }

    /// A claim that several callers share. Callers that hold nothing yet may exceed the share.
    fn of_many(payer: Payer, share: usize) -> Self {
        Self { payer, freely: share, most: share.saturating_add(share / KEPT_FOR_NEWCOMERS) }
    }
}

/// The claims of one caller: its own first, then that of its organization or neighbourhood, then
/// that of its kind or network.
pub(super) type Claims = [Option<Claim>; 3];

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::of(Some(address.parse().unwrap()))
    }

    #[test]
    fn addresses_of_one_network_are_one_client() {
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
