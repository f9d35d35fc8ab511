//! Diagrams of an attacker: each gives a clear error, or a picture with bounded work.

use keyhouse_diagrams::render::{Error, Format, Options, limits, render};
use serde_json::{Value, json};

use crate::svg_of;

fn error(diagram: &Value) -> String {
    match render(diagram, &Options::of(Format::Svg)).unwrap_err() {
        Error::Invalid { pointer, .. } => pointer,
        Error::TooLarge { detail } => detail,
        other @ (Error::Unsupported(_) | Error::Encoding { .. }) => panic!("{other}"),
    }
}

fn nodes(count: usize) -> Vec<Value> {
    (0..count)
        .map(|index| json!({"id": format!("n{index}"), "type": "ec2", "mapPos": [index % 50 * 3, index / 50 * 3]}))
        .collect()
}

#[test]
fn too_many_elements_are_refused() {
    assert_eq!(error(&json!({"nodes": nodes(10_000)})), "more than 5000 elements");
    assert_eq!(error(&json!({"nodes": nodes(2_001)})), "more than 2000 nodes, icons and images");
    let groups = vec![json!({"type": "vpc", "nodes": []}); 501];
    assert_eq!(error(&json!({"groups": groups})), "more than 500 groups");
}

#[test]
fn values_that_are_no_numbers_are_refused_with_their_place() {
    for (value, pointer) in [
        (json!({"mapPos": ["NaN", 0]}), "/nodes/0/mapPos/0"),
        (json!({"mapPos": ["inf", 0]}), "/nodes/0/mapPos/0"),
        (json!({"mapPos": [0, "1e400"]}), "/nodes/0/mapPos/1"),
        (json!({"mapPos": [0, 1e300]}), "/nodes/0/mapPos/1"),
        (json!({"mapPos": [0, 10_001]}), "/nodes/0/mapPos/1"),
        (json!({"mapPos": [0]}), "/nodes/0/mapPos"),
        (json!({"mapPos": {"x": 0}}), "/nodes/0/mapPos"),
        (json!({"type": "block", "width": -1}), "/nodes/0/width"),
        (json!({"type": "block", "height": "1e9"}), "/nodes/0/height"),
    ] {
        assert_eq!(error(&json!({"nodes": [value]})), pointer, "{value}");
    }
    assert_eq!(error(&json!({"nodes": {"0": {}}})), "/nodes");
    assert_eq!(error(&json!({"groups": ["x"]})), "/groups/0");
    assert_eq!(error(&json!("nodes")), "");
}

#[test]
fn huge_texts_are_refused_with_their_place() {
    let long = "A".repeat(2 * 1024 * 1024);
    assert_eq!(error(&json!({"nodes": [{"type": "ec2", "name": long}]})), "/nodes/0/name");
    assert_eq!(error(&json!({"nodes": [{"type": long}]})), "/nodes/0/type");
    assert_eq!(error(&json!({"text": [{"text": long}]})), "/text/0/text");
    // The title of the diagram is only shown as a hint.
    assert!(svg_of(&json!({"name": "A".repeat(10_000)})).len() < 3_000);
}

#[test]
fn distant_components_are_drawn_within_the_largest_original_size() {
    let diagram = json!({"nodes": [
        {"id": "a", "type": "ec2", "mapPos": [-10_000, -10_000]},
        {"id": "b", "type": "ec2", "mapPos": [10_000, 10_000]},
    ], "edges": [{"from": "a", "to": "b"}]});
    let text = svg_of(&diagram);
    assert!(text.contains(r#"height="4096""#), "{}", text.len());
    let options =
        Options { width: Some(400), height: Some(300), grid: true, ..Options::of(Format::Png) };
    assert!(render(&diagram, &options).unwrap().len() < 1_000_000);
    let options = Options { scale: 3.0, ..Options::of(Format::Svg) };
    assert!(matches!(render(&diagram, &options), Err(Error::TooLarge { .. })));
}

#[test]
fn sizes_beyond_the_limits_are_refused() {
    let diagram = json!({"nodes": nodes(2)});
    for options in [
        Options { width: Some(1_000_000_000), ..Options::of(Format::Png) },
        Options { width: Some(8_192), height: Some(8_192), ..Options::of(Format::Png) },
        Options { width: Some(0), ..Options::of(Format::Svg) },
        Options { scale: -1.0, ..Options::of(Format::Svg) },
        Options { scale: f64::NAN, ..Options::of(Format::Svg) },
        Options { scale: f64::INFINITY, ..Options::of(Format::Pdf) },
        Options { scale: limits::SCALE_MAX + 0.1, ..Options::of(Format::MxGraph) },
    ] {
        let result = render(&diagram, &options);
        assert!(matches!(result, Err(Error::TooLarge { .. })), "{options:?}");
    }
}

#[test]
fn large_shapes_that_cover_each_other_are_refused_as_png() {
    let block = json!({"type": "block", "width": 1_000, "depth": 1_000, "height": 1_000});
    let diagram = json!({"nodes": vec![block; 2_000]});
    let result = render(&diagram, &Options::of(Format::Png));
    let detail =
        "the elements fill more than 500000000 pixels: set a smaller scale, width or height";
    assert_eq!(result, Err(Error::TooLarge { detail: detail.to_owned() }));
    let options = Options { width: Some(10), ..Options::of(Format::Png) };
    assert!(render(&diagram, &options).is_ok());
}

#[test]
fn lines_of_more_than_a_length_have_no_dashes() {
    let region = |side: u32| {
        svg_of(&json!({
            "nodes": [{"id": "a", "type": "ec2"}, {"id": "b", "type": "ec2", "mapPos": [side, side]}],
            "groups": [{"type": "region", "nodes": ["a", "b"]}],
        }))
    };
    assert!(region(100).contains("stroke-dasharray"));
    assert!(!region(10_000).contains("stroke-dasharray"));
}

#[test]
fn texts_are_refused_beyond_a_length_of_all_together() {
    let text = json!({"text": "A".repeat(4_000)});
    assert!(svg_of(&json!({"text": vec![text.clone(); 65]})).contains("AAAA"));
    assert_eq!(error(&json!({"text": vec![text; 66]})), "more than 262144 bytes of text");
}

#[test]
fn markup_in_texts_stays_text_in_every_format() {
    let attack =
        "\"/><script>alert(1)</script><image href='x' onerror='alert(1)'/>]]>&#60;\u{0}\u{202e}";
    let diagram = json!({
        "name": attack,
        "nodes": [
            {"id": attack, "type": "ec2", "name": attack, "color": attack, "link": attack},
            {"id": "b", "type": attack, "accentColor": {"isometric": attack}},
        ],
        "edges": [{"from": attack, "to": "b", "name": attack}],
        "groups": [{"type": "vpc", "name": attack, "nodes": [attack, "b"]}],
        "icons": [{"name": attack, "label": attack}],
        "text": [{"text": attack}],
        "images": [{"key": attack}],
        "surfaces": [{"type": "zone", "name": attack}],
    });
    for format in [Format::Svg, Format::MxGraph] {
        let text = String::from_utf8(render(&diagram, &Options::of(format)).unwrap()).unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        for element in document.descendants().filter(roxmltree::Node::is_element) {
            let name = element.tag_name().name();
            assert!(!["script", "image", "foreignObject"].contains(&name), "{format}: {name}");
            assert!(element.attributes().all(|one| !one.name().starts_with("on")), "{format}");
        }
        assert!(!text.contains('\u{202e}') && !text.contains("<!"), "{format}");
    }
    for format in [Format::Png, Format::Pdf] {
        assert!(render(&diagram, &Options::of(format)).is_ok(), "{format}");
    }
}

#[test]
fn groups_in_circles_and_edges_to_nowhere_are_drawn_without_a_loop() {
    let groups: Vec<Value> = (0..500)
        .map(|index| {
            json!({"id": format!("g{index}"), "type": "vpc", "name": "ring",
            "nodes": [format!("g{}", (index + 1) % 500), format!("g{index}"), "a"]})
        })
        .collect();
    let diagram = json!({
        "nodes": [{"id": "a", "type": "ec2"}],
        "groups": groups,
        "edges": [{"from": "a", "to": "a"}, {"from": "a", "to": "none"}, {"from": 1, "to": {}}, {}],
    });
    let options = Options { width: Some(800), ..Options::of(Format::Svg) };
    assert!(render(&diagram, &options).is_ok());
}

#[test]
fn the_largest_diagram_is_drawn() {
    // All on one place: each label and each line is compared with all others.
    let nodes: Vec<Value> = (0..2_000)
        .map(|index| json!({"id": format!("n{index}"), "type": "ec2", "mapPos": [index % 7, index % 5]}))
        .collect();
    let edges: Vec<Value> = (0..2_500)
        .map(|index| json!({"from": format!("n{}", index % 2_000), "to": format!("n{}", index * 7 % 1_999)}))
        .collect();
    let groups: Vec<Value> = (0..500)
        .map(|index| json!({"type": "subnet", "nodes": [format!("n{index}"), format!("n{}", index * 3)]}))
        .collect();
    let diagram = json!({"nodes": nodes, "edges": edges, "groups": groups});
    for format in [Format::Svg, Format::Png] {
        let options = Options { width: Some(300), ..Options::of(format) };
        assert!(render(&diagram, &options).is_ok(), "{format}");
    }
}
