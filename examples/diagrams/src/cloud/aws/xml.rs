//! Reads XML responses: elements by name, whatever their namespace.

use roxmltree::{Document, Node, ParsingOptions};

use crate::cloud::{TAGS_MAX, plain};
use crate::inventory::Tags;

/// The most elements, attributes and texts of a response.
const NODES_MAX: u32 = 1_000_000;

/// Parses a response. Document type declarations are refused.
pub(super) fn parse(body: &[u8]) -> Result<Document<'_>, String> {
    let text = str::from_utf8(body).map_err(|error| error.to_string())?;
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| error.to_string())
}

/// The element at a path such as `placement/availabilityZone`: of each name, the first child.
fn at<'a, 'i>(node: Node<'a, 'i>, path: &str) -> Option<Node<'a, 'i>> {
    path.split('/')
        .try_fold(node, |node, name| node.children().find(|child| child.tag_name().name() == name))
}

/// The text at a path as it is; empty if there is none.
pub(super) fn exact_text(node: Node<'_, '_>, path: &str) -> String {
    at(node, path).and_then(|node| node.text()).unwrap_or_default().to_owned()
}

/// The text at a path, in one line and with a maximum; empty if there is none.
pub(super) fn text(node: Node<'_, '_>, path: &str) -> String {
    at(node, path).and_then(|node| node.text()).map(plain).unwrap_or_default()
}

/// All elements of a list, such as `groupSet/item`: the last name of the path repeats.
pub(super) fn all<'a, 'i>(
    node: Node<'a, 'i>,
    path: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    let (list, name) = path.rsplit_once('/').unwrap_or(("", path));
    let list = if list.is_empty() { Some(node) } else { at(node, list) };
    let children = list.into_iter().flat_map(|list| list.children());
    children.filter(move |child| child.tag_name().name() == name)
}

/// The texts at the path `inner` below each element of a list. Empty ones are left out.
pub(super) fn texts(node: Node<'_, '_>, path: &'static str, inner: &str) -> Vec<String> {
    let texts = all(node, path).map(|item| text(item, inner));
    texts.filter(|text| !text.is_empty()).collect()
}

/// The texts of the elements of a list. Empty ones are left out.
pub(super) fn own_texts(node: Node<'_, '_>, path: &'static str) -> Vec<String> {
    let texts = all(node, path).map(|item| item.text().map(plain).unwrap_or_default());
    texts.filter(|text| !text.is_empty()).collect()
}

/// The tags of a list. `names` are those of the name and the value of each.
pub(super) fn tags(node: Node<'_, '_>, path: &'static str, names: (&str, &str)) -> Tags {
    let tags = all(node, path).take(TAGS_MAX);
    tags.map(|tag| (text(tag, names.0), text(tag, names.1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_in_any_namespace_and_missing_ones_are_empty() {
        let body = br#"<r xmlns="http://example.com/"><in><set><item><id>a</id></item><item/><item><id> b </id></item></set></in>
            <tags><item><key>Name</key><value>x &lt; y</value></item></tags></r>"#;
        let document = parse(body).unwrap();
        let root = document.root_element();
        assert_eq!(texts(root, "in/set/item", "id"), ["a", "b"]);
        assert_eq!(own_texts(root, "tags/item"), Vec::<String>::new());
        assert_eq!(text(root, "in/set/item/id"), "a");
        assert_eq!(text(root, "in/none/id"), "");
        assert_eq!(all(root, "none/item").count(), 0);
        let tags = tags(root, "tags/item", ("key", "value"));
        assert_eq!(tags, Tags::from([("Name".to_owned(), "x < y".to_owned())]));
    }

    #[test]
    fn a_document_type_declaration_is_refused() {
        let body = br#"<!DOCTYPE r [<!ENTITY a "aaaa">]><r>&a;</r>"#;
        assert_eq!(parse(body).unwrap_err(), "XML with DTD detected");
    }

    #[test]
    fn a_response_with_too_many_elements_is_refused() {
        let body = format!("<r>{}</r>", "<a/>".repeat(1_000_001));
        assert_eq!(parse(body.as_bytes()).unwrap_err(), "nodes limit reached");
    }
}
