//! Who makes an attempt: the client's address, and the browser if it is known.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::network::network_of;
use crate::model::secret::Digest;

/// The origin of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The client's address, if it is known.
    pub address: Option<IpAddr>,
    /// Whether the client runs on this host without a proxy in between.
    pub on_host: bool,
}

impl Source {
    /// The network by which the audit log groups failures. `None` if the address is unknown.
    pub(in crate::actions) fn network(self) -> Option<IpNet> {
        self.address.map(network_of)
    }
}

/// A known browser: identified by its device cookie, or by an open session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::actions) struct Browser([u8; 16]);

impl Browser {
    pub(in crate::actions) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(in crate::actions) const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The browser of an open session.
    pub(in crate::actions) fn of_session(cookie: Digest) -> Self {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(cookie.bytes()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }
}

/// The client of an attempt.
#[derive(Clone, Copy, Debug)]
pub(in crate::actions) struct Attempter {
    pub(in crate::actions) source: Source,
    /// The browser, if the account has signed in with it before.
    pub(in crate::actions) browser: Option<Browser>,
}
