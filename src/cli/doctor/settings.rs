//! Rules about the settings: addresses and what they expose, trust, and values of a test setup.

use std::net::IpAddr;

use crate::cli::doctor::facts::HostFacts;
use crate::cli::doctor::rule::{FaultRule, Severity};
use crate::config::{Listen, StorageUrl, TrustedProxy};

/// Shortest prefix of a trusted network. IPv4: the private network 10.0.0.0/8.
const PREFIX_V4_MIN: u8 = 8;
/// IPv6: the private network `fc00::/7`.
const PREFIX_V6_MIN: u8 = 7;

pub(super) const RULES: &[FaultRule] = &[
    FaultRule {
        code: "plain_http",
        severity: Severity::Error,
        meaning: "passwords and keys may travel unencrypted",
        remedy: "Let a proxy terminate TLS, set an https `public_url` and `trusted_proxies`, and \
                 remove `allow_plain_http`.",
        find: plain_http,
    },
    FaultRule {
        code: "listen_public",
        severity: Severity::Error,
        meaning: "the page and the API are reachable without the proxy that terminates TLS",
        remedy: "Listen on loopback, a private address or a Unix socket. If a container needs this \
                 address, publish its port only to the proxy.",
        find: |facts| exposed(facts, "listen", Some(&facts.settings.listen)),
    },
    FaultRule {
        code: "check_listen_public",
        severity: Severity::Warning,
        meaning: "the listener for checks is reachable from every network",
        remedy: "Listen on an address that only your proxies and services reach: a client of this \
                 listener can guess keys.",
        find: |facts| exposed(facts, "check_listen", facts.settings.check_listen.as_ref()),
    },
    FaultRule {
        code: "metrics_public",
        severity: Severity::Error,
        meaning: "the metrics are reachable from every network, without authentication",
        remedy: "Listen on loopback or on a private address that only Prometheus reaches.",
        find: |facts| exposed(facts, "metrics_listen", facts.settings.metrics_listen.as_ref()),
    },
    FaultRule {
        code: "trusted_proxies_wide",
        severity: Severity::Error,
        meaning: "a trusted network is so wide that clients can forge their address",
        remedy: "List only the addresses of your proxies in `trusted_proxies`.",
        find: wide_networks,
    },
    FaultRule {
        code: "trusted_proxy_unknown",
        severity: Severity::Error,
        meaning: "the name of a trusted proxy does not resolve, so the proxy is not trusted",
        remedy: "Correct the name in `trusted_proxies`, or the DNS settings of the host.",
        find: |facts| facts.unresolved.clone(),
    },
    FaultRule {
        code: "storage_in_memory",
        severity: Severity::Error,
        meaning: "all keys are lost when the server stops",
        remedy: "Remove `storage`, or set it to `redb:PATH`.",
        find: |facts| match facts.settings.storage {
            StorageUrl::Memory => vec!["storage is memory:".to_owned()],
            StorageUrl::Redb(_) | StorageUrl::Etcd(_) => Vec::new(),
        },
    },
    FaultRule {
        code: "change_rate_off",
        severity: Severity::Warning,
        meaning: "a rate limit on changes is off, as for load tests",
        remedy: "Remove the setting, and the variable `KEYHOUSE_CHANGE_RATE`.",
        find: change_rate_off,
    },
    FaultRule {
        code: "clock_accepted",
        severity: Severity::Warning,
        meaning: "the server starts with any clock, and with a clock far behind it accepts expired \
                  keys",
        remedy: "Correct the clock, and remove `accept_clock`.",
        find: |facts| {
            facts
                .settings
                .accept_clock
                .then(|| "accept_clock is set".to_owned())
                .into_iter()
                .collect()
        },
    },
    FaultRule {
        code: "log_verbose",
        severity: Severity::Warning,
        meaning: "the log has a line for each request",
        remedy: "Set `log` to `info` or `warn` when you have found the fault that you search for.",
        find: log_verbose,
    },
    FaultRule {
        code: "variable_unknown",
        severity: Severity::Warning,
        meaning: "an environment variable has a name that Keyhouse does not know",
        remedy: "Correct or unset the variable: it has no effect.",
        find: |facts| facts.unknown_variables.iter().map(|unknown| unknown.name.clone()).collect(),
    },
];

fn plain_http(facts: &HostFacts) -> Vec<String> {
    if facts.setting("allow_plain_http") == "true" {
        vec!["allow_plain_http is set".to_owned()]
    } else {
        Vec::new()
    }
}

/// The setting with its value, if any network reaches the address.
fn exposed(facts: &HostFacts, key: &str, listen: Option<&Listen>) -> Vec<String> {
    match listen {
        // Plain HTTP is the worse fault of the same address.
        Some(Listen::Tcp(address)) if is_public(address.ip()) && plain_http(facts).is_empty() => {
            vec![format!("{key} is {address}")]
        },
        Some(Listen::Tcp(_) | Listen::Unix(_)) | None => Vec::new(),
    }
}

/// Whether an address is that of all interfaces, or one outside the private networks.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_private() || v4.is_link_local()),
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

fn wide_networks(facts: &HostFacts) -> Vec<String> {
    let is_wide = |proxy: &&TrustedProxy| match proxy {
        TrustedProxy::Network(ipnet::IpNet::V4(network)) => network.prefix_len() < PREFIX_V4_MIN,
        TrustedProxy::Network(ipnet::IpNet::V6(network)) => network.prefix_len() < PREFIX_V6_MIN,
        TrustedProxy::Name(_) => false,
    };
    let wide = facts.settings.trusted_proxies.iter().filter(is_wide);
    wide.map(|proxy| format!("trusted_proxies contains {proxy}")).collect()
}

fn change_rate_off(facts: &HostFacts) -> Vec<String> {
    let keys = ["limits.session_changes", "limits.key_changes"];
    let off = keys.into_iter().filter(|key| facts.setting(key) == "off");
    off.map(|key| format!("{key} is off")).collect()
}

fn log_verbose(facts: &HostFacts) -> Vec<String> {
    let filter = facts.setting("log");
    let is_verbose = filter.contains("debug") || filter.contains("trace");
    is_verbose.then(|| format!("log is {filter}")).into_iter().collect()
}
