//! Rules about the server's process: its limits.

use crate::cli::doctor::facts::{HostFacts, ProcessFacts};
use crate::cli::doctor::rule::{FaultRule, Severity};
use crate::http::transport::TransportLimits;

pub(super) const RULES: &[FaultRule] = &[
    FaultRule {
        code: "open_files_few",
        severity: Severity::Warning,
        meaning: "the server's limit of open files is lower than `limits.connections_max` needs",
        remedy: "Raise the limit (`LimitNOFILE=` of systemd, `ulimit -n`), or lower \
                 `limits.connections_max`. Until then the server accepts fewer connections.",
        find: open_files_few,
    },
    FaultRule {
        code: "core_dumps",
        severity: Severity::Error,
        meaning: "a crash of the server writes its memory, with secrets, to a file",
        remedy: "Restart the server, which sets the limit to 0 at its start, and find out what \
                 raised it afterwards.",
        find: core_dumps,
    },
];

fn open_files_few(facts: &HostFacts) -> Vec<String> {
    let files = facts.process.as_ref().and_then(|process| process.open_files);
    let Some(files) = files else { return Vec::new() };
    let connections = facts.settings.limits.connections_max;
    let reserved = TransportLimits::default().files_reserved;
    let needed = u64::try_from(connections.saturating_add(reserved)).unwrap_or(u64::MAX);
    let place = || format!("the limit is {files}, and {connections} connections need {needed}");
    (files < needed).then(place).into_iter().collect()
}

fn core_dumps(facts: &HostFacts) -> Vec<String> {
    let place = |process: &ProcessFacts| match process.core_bytes {
        Some(0) => None,
        Some(bytes) => Some(format!("the limit is {bytes} bytes")),
        None => Some("there is no limit".to_owned()),
    };
    facts.process.iter().filter_map(place).collect()
}
