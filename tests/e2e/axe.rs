//! Runs axe-core on the current page, with the rules of WCAG 2.2 A and AA and the best practices.
//!
//! `./test` fetches axe-core. axe-core runs in an isolated world, so the page's content security
//! policy does not change.

use std::fs;

use serde_json::{Value, json};

use crate::page::Page;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/axe-core/axe.min.js");
const TAGS: [&str; 7] =
    ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

impl Page {
    /// Violations found by axe-core, one per line: rule, help, selector, markup.
    pub(crate) fn axe_faults(&self) -> Vec<String> {
        let source =
            fs::read_to_string(SOURCE).expect("target/axe-core, which ./test browser fetches");
        let tree = self.driver.devtools("Page.getFrameTree", json!({}));
        let frame = &tree["frameTree"]["frame"]["id"];
        let asked = json!({"frameId": frame, "worldName": "axe"});
        let world = self.driver.devtools("Page.createIsolatedWorld", asked);
        let world = Some(&world["executionContextId"]);
        self.driver.evaluate_in(world, &format!("{source}\n;0"));
        // A text under the sticky header of a scrolled page, or under a sticky bar of buttons, is undecided.
        self.driver.evaluate(UNSTUCK);
        // axe-core disables this rule by default, because WCAG 2.2 is new.
        let options = json!({
            "runOnly": {"type": "tag", "values": TAGS},
            "rules": {"target-size": {"enabled": true}},
            "resultTypes": ["violations", "incomplete"],
        });
        let reported = self.driver.evaluate_in(world, &format!("axe.run({options})"));
        self.driver.evaluate(STUCK);
        let ran = reported["passes"].as_array().map_or(0, Vec::len);
        assert!(ran > 0, "axe-core checked nothing: {reported}");
        let violations = reported["violations"].as_array().unwrap().iter().flat_map(faults_of);
        let drawn = self.driver.evaluate(DRAWN_TEXT);
        let drawn = drawn.as_str().map(|fault| format!("color-contrast: in a drawing, {fault}"));
        violations.chain(undecided_contrasts(&reported)).chain(drawn).collect()
    }

    /// Asserts that axe-core finds no violation.
    pub(crate) fn axe(&self) {
        let faults = self.axe_faults();
        assert!(faults.is_empty(), "at {}:\n{}", self.address(), faults.join("\n"));
    }
}

/// Scrolls to the top, and puts the sticky parts of the view at their place in the page.
const UNSTUCK: &str = "(scrollTo(0, 0), [...document.querySelectorAll('main *')]\
    .filter((it) => getComputedStyle(it).position === 'sticky').forEach((it) => it.style.position = 'static'))";
/// Makes them sticky again.
const STUCK: &str = "[...document.querySelectorAll('main *')]\
    .filter((it) => it.style.position === 'static').forEach((it) => it.style.position = '')";

/// Checks what axe-core does not: the contrast of text in a drawing (WCAG 2.2, 1.4.3) against the first
/// background behind the drawing. Returns `null` without a violation.
const DRAWN_TEXT: &str = r"(() => {
    const light = (color) => {
        const parts = color.match(/[\d.]+/g).slice(0, 3).map((part) => part / 255);
        const [r, g, b] = parts.map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        const color = getComputedStyle(element).backgroundColor;
        const clear = color === 'transparent' || color.endsWith(', 0)');
        return clear && element.parentElement ? ground(element.parentElement) : color;
    };
    for (const text of document.querySelectorAll('svg text')) {
        const pair = [light(getComputedStyle(text).fill), light(ground(text.closest('svg')))].sort((a, b) => b - a);
        const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
        if (!(ratio >= 4.5)) return text.textContent + ' has a contrast of ' + ratio;
    }
    return null;
})()";

/// Texts whose contrast axe-core could not determine, which would hide a violation. A sign such as `×` is not a text,
/// and text in a drawing is checked by [`DRAWN_TEXT`].
fn undecided_contrasts(reported: &Value) -> Vec<String> {
    let undecided = reported["incomplete"].as_array().into_iter().flatten();
    let contrasts = undecided.filter(|found| found["id"] == "color-contrast").cloned();
    let is_text = |node: &Value| {
        let why = node.pointer("/any/0/data/messageKey").and_then(Value::as_str);
        let is_drawn = node["html"].as_str().is_some_and(|html| html.starts_with("<text "));
        !is_drawn && !matches!(why, Some("nonBmp" | "shortTextContent"))
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
        let measured = node.pointer("/any/0/data").map(ToString::to_string).unwrap_or_default();
        format!("{rule}: {help}\n  at {target}: {}\n  {why} {measured}", text(&node["html"]))
    };
    nodes.iter().map(line).collect()
}
