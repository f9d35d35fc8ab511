//! A test that compares the shared bounds of the code with the table in SECURITY.md.
//!
//! The test is in this module because only the command line may use all other modules.

use crate::actions::READERS_MAX;
use crate::actions::accounts::emails::ACCOUNTS_TRIED_MAX;
use crate::actions::instance::running_backups::BACKUPS_AT_ONCE_MAX;
use crate::actions::pace::ACTORS_MAX;
use crate::actions::signing_in::failed_sign_ins::REFUSALS_MAX;
use crate::actions::signing_in::passwords::QUEUE_MAX;
use crate::actions::signing_in::throttle;
use crate::http::probes::PROBES_MAX;
use crate::http::transport::bounds::{
    OWN_MIN, WAITING_A_PLACE, WAITING_FOR_QUOTAS_MAX, WAITING_MIN,
};
use crate::http::transport::{Part, TransportLimits};
use crate::index::calls::STRIPED_KEYS_MAX;
use crate::index::gate_names::GATES_NUMBERED_MAX;
use crate::index::key_lists::{CHANGES_WAITING_MAX, LISTS_BYTES_MAX};
use crate::index::pending_usage::PENDING_ROWS_MAX;
use crate::index::profile::PROFILES_SHARED_MAX;
use crate::index::quota::RENEWALS_WAITING_MAX;
use crate::index::refused_calls::REFUSED_CALLS_MAX;
use crate::index::{AGENTS_MAX, USES_WAITING_MAX};
use crate::model::intersection::COMPARISONS_MAX;
use crate::records::key::MAXIMA_MAX;
use crate::telemetry::LINES_WAITING_MAX;
use crate::upkeep::audit::SEAL_EVENTS_MAX;
use crate::upkeep::audit::export::SEALS_A_TURN;

/// Name and size of each bound, in the order of the table.
fn bounds() -> Vec<(String, String)> {
    let limits = TransportLimits::default();
    let mut bounds = vec![
        number("connections", limits.connections_max),
        number("connections of the control socket", limits.control_connections_max),
        number("connections of the metrics listener", limits.metrics_connections_max),
        head("a request's head", limits.head_bytes_max, limits.headers_max),
        head(
            "the head of a request from a trusted proxy",
            limits.proxied_head_bytes_max,
            limits.proxied_headers_max,
        ),
    ];
    for part in Part::ALL {
        let places = match part {
            Part::SignIn => "one a core".to_owned(),
            Part::Control
            | Part::Page
            | Part::Checks
            | Part::Batch
            | Part::Management
            | Part::Long => grouped(limits.of(part).places),
        };
        bounds.push((format!("places: {}", part.name()), places));
    }
    for part in Part::ALL {
        bounds.push((format!("body memory: {}", part.name()), bytes(limits.of(part).body_bytes)));
    }
    let waiting =
        format!("{WAITING_A_PLACE} a place, at least {WAITING_MIN}; {OWN_MIN} a caller beyond");
    bounds.push(("requests in each part that wait for a place".to_owned(), waiting));
    bounds.push(number("probes that are watched", PROBES_MAX));
    bounds.push(number("backups that are read at once", BACKUPS_AT_ONCE_MAX));
    bounds.push(number("checks that wait for a quota's reservation", WAITING_FOR_QUOTAS_MAX));
    let turns = (
        "pages of long reads that are read at the same time".to_owned(),
        "half the cores".to_owned(),
    );
    bounds.push(turns);
    bounds.push(number("readers whose last turn is stored", READERS_MAX));
    bounds.push(number("actors whose changes are counted", ACTORS_MAX));
    bounds.extend(bounds_of_sign_in());
    bounds.push(number("quotas that wait for a reservation", RENEWALS_WAITING_MAX));
    bounds.push(number("keys whose usage waits to be written", USES_WAITING_MAX));
    bounds.push(number("days of usage that wait to be written", PENDING_ROWS_MAX));
    bounds.push(number("shared user-agent names", AGENTS_MAX));
    bounds.push(number("shared lists of permissions", PROFILES_SHARED_MAX));
    bounds.push(("lists of keys in memory".to_owned(), bytes(LISTS_BYTES_MAX)));
    bounds.push(number("changes that wait for a list of keys", CHANGES_WAITING_MAX));
    bounds.push(number("busy keys with counters for each thread", STRIPED_KEYS_MAX));
    bounds.push(number("gates with a number, by which calls are counted", GATES_NUMBERED_MAX));
    bounds.push(number("refused calls that are kept", REFUSED_CALLS_MAX));
    bounds.push(number("pattern comparisons for one report of permissions", COMPARISONS_MAX));
    bounds.push(number("maxima of a transferred key", MAXIMA_MAX));
    let export = format!("{SEALS_A_TURN} seals of {} events", grouped(SEAL_EVENTS_MAX));
    bounds.push(("audit events that an export sends at once".to_owned(), export));
    bounds.push(number("log lines that wait to be written", LINES_WAITING_MAX));
    bounds
}

fn bounds_of_sign_in() -> [(String, String); 8] {
    [
        number("accounts whose failed sign-ins are counted", throttle::ACCOUNTS_MAX),
        number("known browsers whose failures are counted", throttle::BROWSERS_MAX),
        number("clients whose failures are counted", throttle::CLIENTS_MAX),
        number("sites whose failures are counted", throttle::SITES_MAX),
        number("accounts with one email address that a sign-in tries", ACCOUNTS_TRIED_MAX),
        number("sign-ins that wait for another sign-in to the same account", throttle::WAITING_MAX),
        number("passwords that wait to be hashed", QUEUE_MAX),
        number("separate sums of failed sign-ins per minute", REFUSALS_MAX),
    ]
}

fn number(name: &str, size: usize) -> (String, String) {
    (name.to_owned(), grouped(size))
}

fn head(name: &str, size: usize, lines: usize) -> (String, String) {
    (name.to_owned(), format!("{}, {lines} lines", bytes(size)))
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(number: usize) -> String {
    if number.is_multiple_of(1 << 20) {
        format!("{} MiB", number >> 20)
    } else {
        format!("{} KiB", number >> 10)
    }
}

#[test]
fn security_md_names_every_shared_bound_with_its_size() {
    let text = std::fs::read_to_string("SECURITY.md").unwrap();
    let (_, table) = text.split_once("| bound | size |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let documented: Vec<(String, String)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            assert!(
                cells.len() == 6 && cells.iter().skip(1).take(4).all(|it| !it.is_empty()),
                "{row}"
            );
            (cells[1].to_owned(), cells[2].to_owned())
        })
        .collect();
    assert_eq!(documented, bounds());
}
