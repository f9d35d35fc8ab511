//! Patterns of hosts, and their canonical form.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use crate::model::route::invalid::{InvalidRoute, PATTERN_BYTES_MAX};

/// A pattern of hosts: a single host, or all hosts below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(Box<str>);

/// The precedence of a host pattern: a single host, below a domain (longer domains first), any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostRank {
    One,
    Below(Reverse<usize>),
    Any,
}

impl HostPattern {
    pub(super) fn fits(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            // `*.example.com` requires at least one character before the dot.
            Some(domain) => host.len() > domain.len() && host.ends_with(domain),
            None => *self.0 == *host,
        }
    }

    pub(super) fn rank(&self) -> HostRank {
        if self.0.starts_with('*') { HostRank::Below(Reverse(self.0.len())) } else { HostRank::One }
    }
}

impl FromStr for HostPattern {
    type Err = InvalidRoute;

    fn from_str(text: &str) -> Result<Self, InvalidRoute> {
        let host = text.strip_prefix("*.").unwrap_or(text);
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let canonical = canonical_host(host).filter(|_host| !has_port).ok_or(InvalidRoute::Host)?;
        let below = if host.len() == text.len() { "" } else { "*." };
        if text.len() > PATTERN_BYTES_MAX || (!below.is_empty() && canonical.starts_with('[')) {
            return Err(InvalidRoute::Host);
        }
        Ok(Self(format!("{below}{canonical}").into()))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host as routes compare it: lower case, without a trailing dot and without its port. `None` if
/// the text is not a host.
pub fn canonical_host(host: &str) -> Option<String> {
    if is_canonical_name(host) {
        return Some(host.to_owned());
    }
    let lower = host.to_ascii_lowercase();
    let name = match lower.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => {
            port.parse::<u16>().ok().filter(|number| number.to_string() == port)?;
            name
        },
        Some(_) | None => lower.as_str(),
    };
    if let Some(rest) = name.strip_prefix('[') {
        let address = rest.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok()?;
        return Some(format!("[{address}]"));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let fits = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(fits);
    name.split('.').all(is_label).then(|| name.to_owned())
}

/// Whether a host is a name in canonical form, as most hosts are.
fn is_canonical_name(host: &str) -> bool {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
    };
    host.bytes().all(fits) && host.split('.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canonical_name_is_kept_and_any_other_host_is_not_taken_for_one() {
        for (host, is_name, canonical) in [
            ("api.example.com", true, Some("api.example.com")),
            ("a_b-c.7", true, Some("a_b-c.7")),
            ("API.example.com", false, Some("api.example.com")),
            ("api.example.com.", false, Some("api.example.com")),
            ("api.example.com:443", false, Some("api.example.com")),
            ("[::1]", false, Some("[::1]")),
            ("a..b", false, None),
            (".a", false, None),
            ("", false, None),
            (".", false, None),
            ("a b", false, None),
        ] {
            assert_eq!(is_canonical_name(host), is_name, "{host}");
            assert_eq!(canonical_host(host).as_deref(), canonical, "{host}");
        }
    }
}
