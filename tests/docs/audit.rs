//! `docs/reference/audit-actions.md` names every action of the audit log.

use std::collections::BTreeSet;

use crate::{files, text_of};

/// Texts of the same form in the source that are no action.
const NO_ACTIONS: [&str; 1] = ["audit.head"];

#[test]
fn every_audit_action_is_described_once() {
    let mut written = BTreeSet::new();
    for path in ["src/actions", "src/upkeep"].into_iter().flat_map(|room| files(room, "rs")) {
        let text = text_of(&path);
        let text = text.split("#[cfg(test)]").next().unwrap();
        let is_test = path.file_stem().is_some_and(|it| it == "tests" || it == "trial");
        if !is_test {
            written.extend(text.split('"').filter(|it| is_action(it)).map(str::to_owned));
        }
    }
    let page = text_of("docs/reference/audit-actions.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| row.split('|').next().unwrap());
    let described: Vec<String> = cells
        .flat_map(|cell| cell.split('`'))
        .filter(|it| is_action(it))
        .map(str::to_owned)
        .collect();
    let once: BTreeSet<String> = described.iter().cloned().collect();
    assert_eq!(once, written, "left: described; right: in the source");
    assert_eq!(described.len(), once.len(), "an action is described twice");
}

/// Whether a text is a noun and a verb, such as `key.create`.
fn is_action(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
    };
    text.split_once('.').is_some_and(|(noun, verb)| is_word(noun) && is_word(verb))
        && !NO_ACTIONS.contains(&text)
}
