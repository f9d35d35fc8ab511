//! The table `[limits]`: limits of the transport and rates of changes.

use std::time::Duration;

use crate::config::reader::{SettingsReader, parse_span};
use crate::model::pace::Pace;

/// The limits of the transport, and the rates of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredLimits {
    pub head_timeout: Duration,
    pub idle_timeout: Duration,
    pub body_timeout: Duration,
    pub write_timeout: Duration,
    pub drain_timeout: Duration,
    pub headers_max: usize,
    pub head_bytes_max: usize,
    pub proxied_headers_max: usize,
    pub proxied_head_bytes_max: usize,
    pub connections_max: usize,
    pub connections_per_address_max: usize,
    pub pool_in_flight_max: usize,
    pub session_changes: Pace,
    pub key_changes: Pace,
}

impl ConfiguredLimits {
    /// Reads the limits. An invalid value adds a fault.
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        let mut span = |key| reader.parse_with(key, parse_timeout).unwrap_or_default();
        let (head_timeout, idle_timeout) =
            (span("limits.head_timeout"), span("limits.idle_timeout"));
        let (body_timeout, write_timeout) =
            (span("limits.body_timeout"), span("limits.write_timeout"));
        let drain_timeout = span("limits.drain_timeout");
        let mut pace = |key| reader.parse(key).unwrap_or(Pace::OFF);
        let (session_changes, key_changes) =
            (pace("limits.session_changes"), pace("limits.key_changes"));
        let mut count = |key, least| {
            reader.parse_with(key, |text| parse_count(text, least)).unwrap_or_default()
        };
        Self {
            head_timeout,
            idle_timeout,
            body_timeout,
            write_timeout,
            drain_timeout,
            headers_max: count("limits.headers_max", 1),
            // hyper's buffer has at least 8 KiB.
            head_bytes_max: count("limits.head_bytes_max", 8_192),
            proxied_headers_max: count("limits.proxied_headers_max", 1),
            proxied_head_bytes_max: count("limits.proxied_head_bytes_max", 8_192),
            connections_max: count("limits.connections_max", 1),
            connections_per_address_max: count("limits.connections_per_address_max", 1),
            pool_in_flight_max: count("limits.pool_in_flight_max", 1),
            session_changes,
            key_changes,
        }
    }
}

fn parse_timeout(text: &str) -> Result<Duration, &'static str> {
    let span = parse_span(text).ok().filter(|span| !span.is_zero());
    span.ok_or("must be a duration such as 10s")
}

fn parse_count(text: &str, least: usize) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count >= least);
    count.ok_or_else(|| format!("must be a whole number, at least {least}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::setting::CHANGE_RATE;
    use crate::config::{ProcessEnvironment, Settings, Written};

    #[test]
    fn the_file_sets_the_rates_of_changes_and_the_environment_removes_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("any.toml");
        let read = |text: &str, environment: &ProcessEnvironment| {
            std::fs::write(&file, format!("[limits]\n{text}\n")).unwrap();
            let written = Written::of_flags([("data", "/var/lib/none".to_owned())]);
            let settings = Settings::new(written, Some(&file), environment);
            settings.map(|settings| settings.limits).map_err(|error| error.to_string())
        };
        let none = ProcessEnvironment::from([("HOME", "/home/ada")]);
        let off = ProcessEnvironment::from([("HOME", "/home/ada"), (CHANGE_RATE, "off")]);
        let rates = "session_changes = \"5/s burst 50\"\nkey_changes = \"off\"";
        let limits = read(rates, &none).unwrap();
        assert_eq!(limits.session_changes, Pace::new(5, 50));
        assert_eq!(limits.key_changes, Pace::OFF);
        assert_eq!(read(rates, &off).unwrap().session_changes, Pace::OFF);
        let variable =
            ProcessEnvironment::from([("KEYHOUSE_LIMITS_SESSION_CHANGES", "7/s burst 70")]);
        assert_eq!(read(rates, &variable).unwrap().session_changes, Pace::new(7, 70));
        let wrong = read("key_changes = \"fast\"", &none).unwrap_err();
        assert!(wrong.contains("limits.key_changes") && wrong.contains("burst"), "{wrong}");
        let on = ProcessEnvironment::from([("HOME", "/home/ada"), (CHANGE_RATE, "on")]);
        assert!(read("", &on).unwrap_err().contains(CHANGE_RATE));
    }

    #[test]
    fn a_limit_below_its_least_value_is_a_fault() {
        for (variable, text, part) in [
            ("KEYHOUSE_LIMITS_HEADERS_MAX", "0", "\"0\" must be a whole number, at least 1"),
            ("KEYHOUSE_LIMITS_HEAD_BYTES_MAX", "8191", "at least 8192"),
            ("KEYHOUSE_LIMITS_CONNECTIONS_MAX", "-1", "at least 1"),
            ("KEYHOUSE_LIMITS_IDLE_TIMEOUT", "0s", "must be a duration such as 10s"),
        ] {
            let environment = ProcessEnvironment::from([(variable, text)]);
            let written = Written::of_flags([("data", "/var/lib/none".to_owned())]);
            let error = Settings::new(written, None, &environment).unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains(part), "{error}");
        }
    }
}
