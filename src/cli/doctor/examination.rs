//! The list of all rules, and their application to the facts.

use crate::cli::doctor::facts::HostFacts;
use crate::cli::doctor::rule::FaultRule;
use crate::cli::doctor::{backups, files, process, proxy, server, settings};

/// A group of rules, and its heading.
pub(in crate::cli) struct RuleGroup {
    pub(in crate::cli) heading: &'static str,
    pub(in crate::cli) rules: &'static [FaultRule],
}

/// All rules, in the order of the output and of the reference page.
pub(in crate::cli) const GROUPS: &[RuleGroup] = &[
    RuleGroup { heading: "Files", rules: files::RULES },
    RuleGroup { heading: "Settings", rules: settings::RULES },
    RuleGroup { heading: "Backups", rules: backups::RULES },
    RuleGroup { heading: "Server", rules: server::RULES },
    RuleGroup { heading: "Process", rules: process::RULES },
    RuleGroup { heading: "Proxies", rules: proxy::RULES },
];

/// A fault that was found.
pub(super) struct FoundFault {
    pub(super) group: &'static str,
    pub(super) rule: &'static FaultRule,
    pub(super) places: Vec<String>,
}

/// Applies all rules.
pub(super) fn findings(facts: &HostFacts) -> Vec<FoundFault> {
    let mut found = Vec::new();
    for group in GROUPS {
        for rule in group.rules {
            let places = (rule.find)(facts);
            if !places.is_empty() {
                found.push(FoundFault { group: group.heading, rule, places });
            }
        }
    }
    found
}
