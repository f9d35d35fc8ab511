//! Nodes of Chromium's accessibility tree, by role and name, as screen readers use them.
//!
//! Elements that are hidden or behind a modal dialog are not in the tree. Chromium's tab may crash if the tree is
//! read while one document replaces another: after such a click, use [`crate::part::Part::see`], which waits
//! without reading the tree.

use serde_json::{Value, json};
use thirtyfour::{By, WebElement};

use crate::driver::Driver;

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) role: String,
    pub(crate) name: String,
    /// The value of a field; empty for other elements.
    pub(crate) value: String,
    pub(crate) disabled: bool,
    /// `true`, `false` or `mixed` for elements that can be checked or pressed.
    pub(crate) checked: String,
    /// `true` or `false` for elements that can be expanded.
    pub(crate) expanded: String,
    id: u64,
}

impl Driver {
    /// Returns the nodes with a role, a name, or both, below a node or in the whole page, in page
    /// order.
    ///
    /// The result is empty while the page is changing.
    pub(crate) fn nodes(
        &self,
        below: Option<&Node>,
        role: Option<&str>,
        name: Option<&str>,
    ) -> Vec<Node> {
        let Some(root) = below.map(|it| it.id).or_else(|| self.document()) else {
            return Vec::new();
        };
        let mut asked = json!({"backendNodeId": root});
        for (field, wanted) in [("role", role), ("accessibleName", name)] {
            if let Some(wanted) = wanted {
                asked[field] = json!(wanted);
            }
        }
        let reported = self.attempt_devtools("Accessibility.queryAXTree", asked);
        let reported = reported.unwrap_or_default();
        let nodes = reported["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        nodes.iter().filter(|node| node["ignored"] == json!(false)).filter_map(node_of).collect()
    }

    /// Returns the focused node.
    pub(crate) fn focused_node(&self) -> Option<Node> {
        let asked = json!({"expression": "document.activeElement"});
        let reported = self.devtools("Runtime.evaluate", asked);
        let asked = json!({"objectId": reported["result"]["objectId"], "fetchRelatives": false});
        let reported = self.attempt_devtools("Accessibility.getPartialAXTree", asked).ok()?;
        reported["nodes"].as_array()?.first().and_then(node_of)
    }

    /// Returns the visible text of a node.
    pub(crate) fn text_of(&self, node: &Node) -> Option<String> {
        let asked = json!({"backendNodeId": node.id});
        let object = self.attempt_devtools("DOM.resolveNode", asked).ok()?;
        let asked = json!({
            "objectId": object["object"]["objectId"],
            "functionDeclaration": "function () { return this.innerText }",
            "returnByValue": true,
        });
        let reported = self.attempt_devtools("Runtime.callFunctionOn", asked).ok()?;
        reported["result"]["value"].as_str().map(str::to_owned)
    }

    /// Returns the driver's element for a node, for clicks and keys; `None` while the page is being
    /// replaced.
    pub(crate) fn element(&self, node: &Node) -> Option<WebElement> {
        // An element's id ends with its node's: `f.FRAME.d.DOCUMENT.e.NODE`.
        let root = self.attempt(self.session().find(By::Css(":root"))).ok()?;
        let reported = root.to_json().unwrap().to_string();
        let (document, rest) = reported.rsplit_once(".e.").expect("the form of chromedriver's ids");
        let (_, rest) = rest.split_once('"').unwrap();
        let reported = format!("{document}.e.{}\"{rest}", node.id);
        let reported = serde_json::from_str(&reported).unwrap();
        Some(WebElement::from_json(reported, self.session().handle().clone()).unwrap())
    }

    /// `None` while the page reloads.
    fn document(&self) -> Option<u64> {
        let reported = self.attempt_devtools("DOM.getDocument", json!({"depth": 0})).ok()?;
        reported["root"]["backendNodeId"].as_u64()
    }
}

fn node_of(reported: &Value) -> Option<Node> {
    let text = |value: &Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_null() => String::new(),
        None => value.to_string(),
    };
    let state = |name: &str| {
        let states = reported["properties"].as_array();
        let state = states.and_then(|all| all.iter().find(|state| state["name"] == name));
        state.map(|state| text(&state["value"]["value"])).unwrap_or_default()
    };
    let checked = state("checked");
    Some(Node {
        role: text(&reported["role"]["value"]),
        name: text(&reported["name"]["value"]),
        value: text(&reported["value"]["value"]),
        disabled: state("disabled") == "true",
        checked: if checked.is_empty() { state("pressed") } else { checked },
        expanded: state("expanded"),
        id: reported["backendDOMNodeId"].as_u64()?,
    })
}
