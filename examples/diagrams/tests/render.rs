//! Pictures of whole diagrams: every type, every option, equal bytes, and hostile input.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first failure")]

mod hostile;

use keyhouse_diagrams::render::{Error, Format, Options, Paper, Projection, Theme, render};
use serde_json::{Value, json};

const FORMATS: [Format; 4] = [Format::Svg, Format::Png, Format::Pdf, Format::MxGraph];

fn svg(diagram: &Value, options: &Options) -> String {
    String::from_utf8(render(diagram, options).unwrap()).unwrap()
}

fn svg_of(diagram: &Value) -> String {
    svg(diagram, &Options::of(Format::Svg))
}

/// A diagram with an element of each documented type, an unknown one, and links.
fn every_type() -> Value {
    json!({
        "name": "every type", "version": 6, "grid": "infinite", "projection": "isometric",
        "theme": {"base": "light"},
        "nodes": [
            {"id": "web", "type": "ec2", "mapPos": [2, 9], "instanceType": "m5", "instanceSize": "large",
             "color": {"isometric": "#ececed", "2d": "#ececed"}, "link": "https://example.com/?a=1&b=2"},
            {"id": "db", "type": "rds", "mapPos": [6, 9], "engine": "postgresql", "multiAZ": true},
            {"id": "lb", "type": "elb", "mapPos": [-2, 9], "elbType": "application"},
            {"id": "fn", "type": "lambda", "mapPos": [6, 5], "memory": 128},
            {"id": "files", "type": "s3", "mapPos": [9.25, 5.5], "dataGb": "200"},
            {"id": "vm", "type": "azurevm", "mapPos": [9, 9], "instance": "B1ms", "transparent": true},
            {"id": "new", "type": "a-type-of-tomorrow", "mapPos": [12, 9]},
            {"id": "box", "type": "block", "mapPos": [2, 5], "width": 2, "height": 1, "depth": 2},
        ],
        "edges": [
            {"id": "e1", "type": "edge", "from": "lb", "to": "web", "width": 2, "endCap": "arrow"},
            {"id": "e2", "type": "autoedge", "from": "web", "to": "db", "dashed": true, "name": "SQL"},
        ],
        "groups": [
            {"id": "v", "type": "vpc", "name": "main", "padding": 1.5, "nodes": ["web", "db"]},
            {"id": "n", "type": "subnet", "name": "private", "nodes": ["db"]},
            {"id": "g", "type": "sg", "name": "open", "nodes": ["web"]},
            {"id": "a", "type": "asg", "name": "scaled", "mapPos": [1, 1], "mapSize": [6, 3]},
            {"id": "1234567890", "type": "region", "region": "eu-west-1", "nodes": ["web", "db", "lb"]},
        ],
        "surfaces": [
            {"id": "z", "type": "zone", "mapPos": [0, 3], "mapSize": [9, 9], "color": "#000000"},
            {"id": "ar", "type": "area", "mapPos": [-2, 2], "points": [[0, 0], [4, 0], [4, 3]], "shadow": true},
        ],
        "icons": [
            {"id": "i", "type": "icon", "iconSet": "fa", "name": "users", "mapPos": [4.5, 13.5], "iconSize": 3,
             "color": "#ffffff", "background": "#000000", "label": "Visitors"},
            {"id": "j", "type": "icon", "iconSet": "aws", "name": "unheard-of", "mapPos": [9, 14], "standing": true},
        ],
        "text": [
            {"id": "t", "type": "isotext", "text": "two\nlines", "mapPos": [0, 0], "textSize": 25, "outline": true},
            {"id": "u", "type": "isotext", "text": "standing", "mapPos": [0, 14], "standing": true, "direction": "up"},
        ],
        "images": [{"id": "p", "type": "image", "key": "1/plan.png", "mapPos": [14, 4], "scale": 1}],
        "connectors": [],
    })
}

fn options() -> Vec<(&'static str, Options)> {
    let base = Options::of(Format::Svg);
    vec![
        ("grid", Options { grid: true, ..base.clone() }),
        ("transparent", Options { transparent: true, ..base.clone() }),
        ("scale", Options { scale: 2.0, ..base.clone() }),
        ("width", Options { width: Some(900), ..base.clone() }),
        ("height", Options { height: Some(500), ..base.clone() }),
        ("dark", Options { theme: Some(Theme::Dark), ..base.clone() }),
        ("flat", Options { projection: Some(Projection::Flat), ..base }),
    ]
}

#[test]
fn the_same_diagram_gives_the_same_bytes() {
    for format in FORMATS {
        let options = Options { grid: true, ..Options::of(format) };
        let one = render(&every_type(), &options).unwrap();
        assert_eq!(one, render(&every_type(), &options).unwrap(), "{format}");
    }
}

#[test]
fn every_element_is_drawn() {
    let whole = every_type();
    let lists = ["nodes", "groups", "edges", "surfaces", "icons", "text", "images"];
    let formats = [Format::Svg, Format::MxGraph];
    let pictures = formats.map(|format| render(&whole, &Options::of(format)).unwrap());
    for list in lists {
        for index in 0..whole[list].as_array().unwrap().len() {
            let mut less = whole.clone();
            let element = less[list].as_array_mut().unwrap().remove(index);
            for (format, picture) in formats.iter().zip(&pictures) {
                let without = render(&less, &Options::of(*format)).unwrap();
                assert_ne!(&without, picture, "{format} does not show {element}");
            }
        }
    }
}

#[test]
fn every_picture_is_well_formed_and_has_only_drawing_elements() {
    let allowed = ["svg", "title", "style", "rect", "g", "a", "path", "text"];
    for (name, options) in options() {
        let text = svg(&every_type(), &options);
        let document = roxmltree::Document::parse(&text).unwrap();
        for element in document.descendants().filter(roxmltree::Node::is_element) {
            assert!(allowed.contains(&element.tag_name().name()), "{name}: {element:?}");
            assert!(element.attributes().all(|one| !one.name().starts_with("on")), "{name}");
        }
    }
}

#[test]
fn each_option_changes_the_picture() {
    let plain = svg_of(&every_type());
    let mut pictures = vec![("none", plain)];
    for (name, options) in options() {
        let picture = svg(&every_type(), &options);
        for (other, earlier) in &pictures {
            assert_ne!(&picture, earlier, "{name} and {other}");
        }
        pictures.push((name, picture));
    }
}

#[test]
fn a_picture_has_the_size_of_the_request() {
    for (width, height) in [(800, 600), (1, 1), (300, 4000)] {
        let options =
            Options { width: Some(width), height: Some(height), ..Options::of(Format::Png) };
        let png = render(&every_type(), &options).unwrap();
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
        let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((side(16), side(20)), (width, height));
    }
    let text = svg_of(&json!({"name": "empty", "nodes": []}));
    assert!(text.contains(r#"width="344" height="344""#), "{text}");
}

#[test]
fn a_page_has_the_size_of_its_paper_and_turns() {
    for (paper, landscape, expected) in [
        (Paper::A4, false, "[0 0 595.28 841.89]"),
        (Paper::A4, true, "[0 0 841.89 595.28]"),
        (Paper::Ledger, true, "[0 0 1224 792]"),
        (Paper::Letter, false, "[0 0 612 792]"),
    ] {
        let options = Options { paper: Some(paper), landscape, ..Options::of(Format::Pdf) };
        let pdf = render(&every_type(), &options).unwrap();
        let text = String::from_utf8_lossy(&pdf);
        assert!(text.starts_with("%PDF-") && text.trim_end().ends_with("%%EOF"), "{paper:?}");
        assert!(text.contains(&format!("/MediaBox{expected}")), "{paper:?} {landscape}");
    }
}

#[test]
fn diagrams_net_gets_cells_whose_ids_are_unique_and_whose_ends_exist() {
    let xml = String::from_utf8(render(&every_type(), &Options::of(Format::MxGraph)).unwrap());
    let xml = xml.unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().tag_name().name(), "mxGraphModel");
    let cells: Vec<_> = document.descendants().filter(|one| one.has_tag_name("mxCell")).collect();
    let mut ids: Vec<&str> = cells.iter().filter_map(|cell| cell.attribute("id")).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!((ids.len(), cells.len()), (count, count));
    for cell in &cells {
        for end in ["parent", "source", "target"].iter().filter_map(|end| cell.attribute(*end)) {
            assert!(ids.binary_search(&end).is_ok(), "{end}");
        }
        if cell.attribute("vertex").is_some() {
            let geometry = cell.first_element_child().unwrap();
            let width: f64 = geometry.attribute("width").unwrap().parse().unwrap();
            assert!(width > 0.0 && geometry.attribute("as") == Some("geometry"));
        }
    }
    let edges = cells.iter().filter(|cell| cell.attribute("edge") == Some("1"));
    assert_eq!(edges.count(), 2);
}

#[test]
fn a_link_is_kept_only_if_a_browser_may_follow_it() {
    let node = |link: &str| json!({"nodes": [{"id": "a", "type": "ec2", "link": link}]});
    assert!(
        svg_of(&node("https://example.com/?a=1&b=2"))
            .contains(r#"href="https://example.com/?a=1&amp;b=2""#)
    );
    for link in ["javascript:alert(1)", "data:text/html,x", "blueprint://1", "file:///etc/passwd"] {
        assert!(!svg_of(&node(link)).contains("href"), "{link}");
    }
}

#[test]
fn the_samples_are_drawn_in_both_themes_and_projections() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let sample: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for theme in [Theme::Light, Theme::Dark] {
            for projection in [Projection::Isometric, Projection::Flat] {
                let options = Options {
                    theme: Some(theme),
                    projection: Some(projection),
                    ..Options::of(Format::Svg)
                };
                let text = svg(&sample, &options);
                roxmltree::Document::parse(&text).unwrap();
            }
        }
        count += 1;
    }
    assert_eq!(count, 10);
}

#[test]
fn an_error_names_the_place() {
    let wrong = json!({"nodes": [{"type": "ec2"}, {"type": "ec2", "mapPos": [1, "NaN"]}]});
    assert_eq!(
        render(&wrong, &Options::of(Format::Svg)),
        Err(Error::Invalid {
            pointer: "/nodes/1/mapPos/1".to_owned(),
            detail: "must be a number".to_owned(),
        })
    );
}
