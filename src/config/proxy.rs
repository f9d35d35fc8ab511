//! A trusted proxy in the settings: a network, an address or a host name.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

use crate::model::network::parse_network;

/// Longest host name, in bytes (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// Longest label of a host name, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// A proxy whose forwarded headers are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// A network, or one address.
    Network(IpNet),
    /// A host name, resolved by the operating system.
    Name(Box<str>),
}

impl FromStr for TrustedProxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_host_name(text) {
            return Ok(Self::Name(text.into()));
        }
        parse_network(text).map(Self::Network).map_err(|error| format!("{error}, or a host name"))
    }
}

impl fmt::Display for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Whether a text is a host name. A name whose last label is a number is a mistyped address.
fn is_host_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(fits)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= HOST_BYTES_MAX
        && name.split('.').all(is_label)
        && !name.rsplit('.').next().is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_address_is_not_a_host_name() {
        for (text, is_name) in [
            ("proxy", true),
            ("proxy-1.internal.example.com.", true),
            ("caddy_1", true),
            ("10.0.0.1", false),
            ("10.0.0.0/8", false),
            ("::1", false),
        ] {
            let read = text.parse::<TrustedProxy>().unwrap();
            assert_eq!(matches!(read, TrustedProxy::Name(_)), is_name, "{text}");
        }
        for text in
            ["10.0.0", "10.0.0.1/8", "256.0.0.1", "proxy:80", "http://proxy", "", "-a", "a b"]
        {
            assert!(text.parse::<TrustedProxy>().is_err(), "{text}");
        }
    }
}
