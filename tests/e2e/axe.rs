//! What axe-core finds: the rules of WCAG 2.2 A and AA and its best practices, on the page as it is now.
//!
//! `./test` fetches it; it runs in a world of its own, so the page's policy stays as it is.

use std::fs;

use serde_json::{Value, json};

use crate::page::Page;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/axe-core/axe.min.js");
const TAGS: [&str; 7] =
    ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

impl Page {
    /// What axe-core finds wrong, one thing a line: rule, help, where, and what stands there.
    pub(crate) fn axe_faults(&self) -> Vec<String> {
        let source =
            fs::read_to_string(SOURCE).expect("target/axe-core, which ./test browser fetches");
        let tree = self.driver.devtools("Page.getFrameTree", json!({}));
        let frame = &tree["frameTree"]["frame"]["id"];
        let asked = json!({"frameId": frame, "worldName": "axe"});
        let world = self.driver.devtools("Page.createIsolatedWorld", asked);
        let world = Some(&world["executionContextId"]);
        self.driver.evaluate_in(world, &format!("{source}\n;0"));
        // Off by default in axe-core, as WCAG 2.2 is young.
        let options = json!({
            "runOnly": {"type": "tag", "values": TAGS},
            "rules": {"target-size": {"enabled": true}},
            "resultTypes": ["violations", "incomplete"],
        });
        let told = self.driver.evaluate_in(world, &format!("axe.run({options})"));
        let ran = told["passes"].as_array().map_or(0, Vec::len);
        assert!(ran > 0, "axe-core checked nothing: {told}");
        let violations = told["violations"].as_array().unwrap().iter().flat_map(faults_of);
        violations.chain(undecided_contrasts(&told)).collect()
    }

    /// axe-core finds nothing wrong.
    pub(crate) fn axe(&self) {
        let faults = self.axe_faults();
        assert!(faults.is_empty(), "at {}:\n{}", self.address(), faults.join("\n"));
    }
}

/// Where the contrast of text could not be told, which would hide every fault of it. A sign such as `×` is no text.
fn undecided_contrasts(told: &Value) -> Vec<String> {
    let undecided = told["incomplete"].as_array().into_iter().flatten();
    let contrasts = undecided.filter(|found| found["id"] == "color-contrast").cloned();
    let is_text = |node: &Value| {
        let why = node.pointer("/any/0/data/messageKey").and_then(Value::as_str);
        !matches!(why, Some("nonBmp" | "shortTextContent"))
    };
    contrasts
        .flat_map(|mut found| {
            found["nodes"].as_array_mut().unwrap().retain(is_text);
            faults_of(&found)
        })
        .collect()
}

fn faults_of(violation: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (rule, help) = (text(&violation["id"]), text(&violation["help"]));
    let nodes = violation["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |node: &Value| {
        let (target, why) = (&node["target"], text(&node["failureSummary"]).replace('\n', " "));
        format!("{rule}: {help}\n  at {target}: {}\n  {why}", text(&node["html"]))
    };
    nodes.iter().map(line).collect()
}
