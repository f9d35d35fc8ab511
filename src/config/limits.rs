//! The table `[limits]` of the settings file: limits of the transport and rates of changes.

use std::str::FromStr as _;
use std::time::Duration;

use crate::config::written::{ProcessEnvironment, WrittenLimits};
use crate::model::pace::Pace;

/// The variable that removes the rates of changes if it is `off`, for load tests.
const CHANGE_RATE: &str = "KEYHOUSE_CHANGE_RATE";

/// The validated fields of [`WrittenLimits`]. `None` means the default of the transport.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfiguredLimits {
    pub head_timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub body_timeout: Option<Duration>,
    pub write_timeout: Option<Duration>,
    pub drain_timeout: Option<Duration>,
    pub headers_max: Option<usize>,
    pub head_bytes_max: Option<usize>,
    pub proxied_headers_max: Option<usize>,
    pub proxied_head_bytes_max: Option<usize>,
    pub connections_max: Option<usize>,
    pub connections_per_address_max: Option<usize>,
    pub pool_in_flight_max: Option<usize>,
    pub session_changes: Option<Pace>,
    pub key_changes: Option<Pace>,
}

impl ConfiguredLimits {
    /// Validates the table `[limits]`. An invalid value adds a fault and counts as not set.
    pub(super) fn of_table(
        written: &WrittenLimits,
        environment: &ProcessEnvironment,
        faults: &mut Vec<String>,
    ) -> Self {
        let (session_changes, key_changes) = paces(written, environment, faults);
        let mut span = |name: &str, text: &Option<String>| {
            let text = text.as_ref()?;
            let span = parse_span(text).ok();
            if span.is_none_or(|span| span.is_zero()) {
                let fault = format!(
                    "  limits.{name} (keyhouse.toml): {text:?} must be a duration such as 10s"
                );
                faults.push(fault);
                return None;
            }
            span
        };
        let mut limits = Self {
            head_timeout: span("head_timeout", &written.head_timeout),
            idle_timeout: span("idle_timeout", &written.idle_timeout),
            body_timeout: span("body_timeout", &written.body_timeout),
            write_timeout: span("write_timeout", &written.write_timeout),
            drain_timeout: span("drain_timeout", &written.drain_timeout),
            session_changes,
            key_changes,
            ..Self::default()
        };
        let mut count = |name: &str, number: Option<usize>, least: usize| {
            if number.is_some_and(|number| number < least) {
                faults.push(format!("  limits.{name} (keyhouse.toml): must be at least {least}"));
            }
            number
        };
        limits.headers_max = count("headers_max", written.headers_max, 1);
        // hyper's buffer has at least 8 KiB.
        limits.head_bytes_max = count("head_bytes_max", written.head_bytes_max, 8_192);
        limits.proxied_headers_max = count("proxied_headers_max", written.proxied_headers_max, 1);
        limits.proxied_head_bytes_max =
            count("proxied_head_bytes_max", written.proxied_head_bytes_max, 8_192);
        limits.connections_max = count("connections_max", written.connections_max, 1);
        let per_address = written.connections_per_address_max;
        limits.connections_per_address_max = count("connections_per_address_max", per_address, 1);
        limits.pool_in_flight_max = count("pool_in_flight_max", written.pool_in_flight_max, 1);
        limits
    }
}

/// The rates of changes by sessions and by keys. `KEYHOUSE_CHANGE_RATE=off` is for load tests.
fn paces(
    written: &WrittenLimits,
    environment: &ProcessEnvironment,
    faults: &mut Vec<String>,
) -> (Option<Pace>, Option<Pace>) {
    match environment.get(CHANGE_RATE) {
        Some("off") => return (Some(Pace::OFF), Some(Pace::OFF)),
        Some(_) => faults
            .push(format!("  {CHANGE_RATE} (environment): must be off; unset it for the default")),
        None => {},
    }
    let mut pace = |name: &str, text: &Option<String>| {
        let text = text.as_ref()?;
        let parsed = text.parse::<Pace>().map_err(|error| {
            faults.push(format!("  limits.{name} (keyhouse.toml): {text:?} {error}"));
        });
        parsed.ok()
    };
    let sessions = pace("session_changes", &written.session_changes);
    (sessions, pace("key_changes", &written.key_changes))
}

pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    let parsed = jiff::SignedDuration::from_str(text).ok();
    let span = parsed.and_then(|span| Duration::try_from(span).ok());
    span.ok_or_else(|| "must be a duration such as 30m or 8h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Written};

    #[test]
    fn the_file_sets_the_rates_of_changes_and_the_environment_removes_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("any.toml");
        let read = |text: &str, environment: &ProcessEnvironment| {
            std::fs::write(&file, format!("[limits]\n{text}\n")).unwrap();
            let settings = Settings::new(
                Written { data: Some("/var/lib/none".into()), ..Written::default() },
                Some(&file),
                environment,
            );
            settings.map(|settings| settings.limits).map_err(|error| error.to_string())
        };
        let none = ProcessEnvironment::from([("HOME", "/home/ada")]);
        let off = ProcessEnvironment::from([("HOME", "/home/ada"), (CHANGE_RATE, "off")]);
        let rates = "session_changes = \"5/s burst 50\"\nkey_changes = \"off\"";
        let limits = read(rates, &none).unwrap();
        assert_eq!(limits.session_changes, Some(Pace::new(5, 50)));
        assert_eq!(limits.key_changes, Some(Pace::OFF));
        assert_eq!(read(rates, &off).unwrap().session_changes, Some(Pace::OFF));
        assert_eq!(read("", &none).unwrap().session_changes, None);
        let wrong = read("key_changes = \"fast\"", &none).unwrap_err();
        assert!(wrong.contains("limits.key_changes") && wrong.contains("burst"), "{wrong}");
        let on = ProcessEnvironment::from([("HOME", "/home/ada"), (CHANGE_RATE, "on")]);
        assert!(read("", &on).unwrap_err().contains(CHANGE_RATE));
    }
}
