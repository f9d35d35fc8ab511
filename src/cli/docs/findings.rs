//! The page on the findings of `keyhouse doctor`, from its rules.

use crate::cli::docs::{Table, code};
use crate::cli::doctor::GROUPS;

const INTRODUCTION: &str = "\
# Findings of `keyhouse doctor`

`keyhouse doctor` reads the settings as `keyhouse serve` does, examines the files and the process, queries the running
server over its control socket, and sends requests without a credential through the public URL and to each
`--gate-url`. It changes nothing. The exit code is 0 without findings and 1 with findings. Facts that it could not
read are listed as `not checked`, and are no findings. [How to use it](../how-to/service.md#find-faults).

An `error` puts data, keys or the service at risk now. A `warning` may be intended.
";

pub(super) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for group in GROUPS {
        page.extend(["\n## ", group.heading, "\n\n"]);
        let mut table = Table::new(["code", "severity", "meaning", "what to do"]);
        for rule in group.rules {
            let meaning = sentence(rule.meaning);
            table.row([&code(rule.code), rule.severity.name(), &meaning, rule.remedy]);
        }
        page.push_str(&table.text);
    }
    page
}

/// The text with a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}
