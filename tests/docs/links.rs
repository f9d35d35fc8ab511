//! Every relative link in a Markdown file leads to a file and, with `#`, to a heading.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{files, text_of};

#[test]
fn links_lead_to_a_file_and_a_heading() {
    let mut faults = Vec::new();
    for page in files(".", "md") {
        for link in links(&text_of(&page)) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            if !target.exists() {
                faults.push(format!("{}: {link}: no such file", page.display()));
            } else if !anchor.is_empty() && !has_heading(&target, anchor) {
                faults.push(format!("{}: {link}: no such heading", page.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn headings_become_anchors_as_on_github() {
    let text = "# A page\n## `[limits]`\n## What's new, in 2 steps?\n## A page\n```sh\n# no heading\n```\n";
    assert_eq!(anchors(text), ["a-page", "limits", "whats-new-in-2-steps", "a-page-1"]);
}

fn has_heading(page: &Path, anchor: &str) -> bool {
    page.extension().is_some_and(|it| it == "md")
        && anchors(&text_of(page)).iter().any(|it| it == anchor)
}

/// The targets of a page's links and pictures.
fn links(text: &str) -> Vec<String> {
    let prose: Vec<&str> = prose(text).collect();
    let prose = prose.join("\n");
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(str::to_owned).collect()
}

/// The anchors of a page's headings, in order.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
            let slug: String = kept.map(|it| if it == ' ' { '-' } else { it }).collect();
            let times = seen.entry(slug.clone()).or_default();
            *times += 1;
            if *times == 1 { slug } else { format!("{slug}-{}", *times - 1) }
        })
        .collect()
}

/// Returns the lines of a page outside fenced code.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}
