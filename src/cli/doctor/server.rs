//! Rules about the running server: readiness, version, setup, operators, clock.

use std::time::Duration;

use crate::cli::doctor::facts::{HostFacts, ServerFacts};
use crate::cli::doctor::rule::{FaultRule, Severity};
use crate::model::public_url::PublicUrl;

/// The version of this program.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Time by which an event may be after the clock: clocks are corrected in small steps.
const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(30);

pub(super) const RULES: &[FaultRule] = &[
    FaultRule {
        code: "server_down",
        severity: Severity::Error,
        meaning: "no server answers on the control socket",
        remedy: "Start `keyhouse serve`, or set the server's directory with `--data`.",
        find: |facts| {
            let place = || facts.settings.control_socket.display().to_string();
            facts.is_down.then(place).into_iter().collect()
        },
    },
    FaultRule {
        code: "server_not_ready",
        severity: Severity::Error,
        meaning: "the server runs, but does not answer checks or accept changes",
        remedy: "Search the server's log for the reason, which `/readyz` also returns.",
        find: |facts| facts.server.iter().filter_map(|it| it.not_ready.clone()).collect(),
    },
    FaultRule {
        code: "server_version",
        severity: Severity::Warning,
        meaning: "the running server has a different version from this program",
        remedy: "Restart the server to run the installed version.",
        find: |facts| of_server(facts, other_version),
    },
    FaultRule {
        code: "settings_differ",
        severity: Severity::Warning,
        meaning: "the settings that were examined are not those of the running server",
        remedy: "Give `keyhouse doctor` the flags and the environment of the server, or restart the \
                 server if its settings changed.",
        find: settings_differ,
    },
    FaultRule {
        code: "not_set_up",
        severity: Severity::Warning,
        meaning: "the instance has no owner yet",
        remedy: "Open the setup link that the server printed at its start. It is valid for 24 \
                 hours. A restart prints a new one.",
        find: |facts| {
            of_server(facts, |server| (!server.is_set_up).then(|| server.public_url.clone()))
        },
    },
    FaultRule {
        code: "operator_without_second_factor",
        severity: Severity::Warning,
        meaning: "an operator can sign in with a password alone",
        remedy: "Turn on the second factor on the page, under Account, and require it: \
                 `second_factor_required_of` of the organization.",
        find: |facts| facts.server.iter().flat_map(|it| it.open_operators.clone()).collect(),
    },
    FaultRule {
        code: "clock_behind",
        severity: Severity::Error,
        meaning: "the clock is behind the newest audit event, so it is wrong or was wrong",
        remedy: "Correct the clock of the host. Keys expire late while it is behind.",
        find: clock_behind,
    },
];

fn of_server(facts: &HostFacts, find: impl Fn(&ServerFacts) -> Option<String>) -> Vec<String> {
    facts.server.iter().filter_map(find).collect()
}

fn other_version(server: &ServerFacts) -> Option<String> {
    let place = || format!("the server has {}, this program {VERSION}", server.version);
    (server.version != VERSION).then(place)
}

fn settings_differ(facts: &HostFacts) -> Vec<String> {
    of_server(facts, |server| {
        let running: Result<PublicUrl, _> = server.public_url.parse();
        let is_same = facts.settings.public_url.as_ref().map_or_else(
            // The default is the address to which the server is bound.
            || running.is_ok_and(|running| running.is_loopback()),
            |examined| examined.to_string() == server.public_url,
        );
        let examined = facts.setting("public_url");
        let place =
            || format!("public_url is {} in the server, and {examined} here", server.public_url);
        (!is_same).then(place)
    })
}

fn clock_behind(facts: &HostFacts) -> Vec<String> {
    of_server(facts, |server| {
        let newest = server.newest_event?;
        let is_behind = newest > facts.now.after(CLOCK_BEHIND_MAX);
        is_behind.then(|| format!("the newest event is of {newest}, the clock shows {}", facts.now))
    })
}
