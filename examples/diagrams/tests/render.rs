//! Pictures of whole diagrams: every type, every option, equal bytes, and hostile input.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first failure")]

mod hostile;

use keyhouse_diagrams::render::{Error, Format, Options, Paper, Projection, Theme, render};
use resvg::tiny_skia::Pixmap;
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
    for (paper, width, height) in [
        (Paper::Letter, "612", "792"),
        (Paper::Legal, "612", "1008"),
        (Paper::Tabloid, "792", "1224"),
        // Ledger is Tabloid on its side, and stays wide.
        (Paper::Ledger, "1224", "792"),
        (Paper::A0, "2383.94", "3370.39"),
        (Paper::A1, "1683.78", "2383.94"),
        (Paper::A2, "1190.55", "1683.78"),
        (Paper::A3, "841.89", "1190.55"),
        (Paper::A4, "595.28", "841.89"),
        (Paper::A5, "419.53", "595.28"),
    ] {
        for landscape in [false, true] {
            let options = Options { paper: Some(paper), landscape, ..Options::of(Format::Pdf) };
            let pdf = render(&every_type(), &options).unwrap();
            let text = String::from_utf8_lossy(&pdf);
            assert!(text.starts_with("%PDF-") && text.trim_end().ends_with("%%EOF"), "{paper:?}");
            let (width, height) =
                if landscape && paper != Paper::Ledger { (height, width) } else { (width, height) };
            let page = format!("/MediaBox[0 0 {width} {height}]");
            assert!(text.contains(&page), "{paper:?} {landscape}: no {page}");
        }
    }
}

#[test]
fn a_page_without_paper_has_the_size_of_the_picture_and_turns_only_if_it_is_upright() {
    let page = |width: u32, height: u32, landscape: bool| {
        let sides = (Some(width), Some(height));
        let options =
            Options { width: sides.0, height: sides.1, landscape, ..Options::of(Format::Pdf) };
        let pdf = String::from_utf8_lossy(&render(&every_type(), &options).unwrap()).into_owned();
        let (_, rest) = pdf.split_once("/MediaBox[0 0 ").unwrap();
        rest.split_once(']').unwrap().0.to_owned()
    };
    assert_eq!(page(400, 800, false), "300 600");
    assert_eq!(page(400, 800, true), "600 300");
    assert_eq!(page(800, 400, true), "600 300");
    // A picture that is no page does not turn.
    let turned = Options { landscape: true, ..Options::of(Format::Svg) };
    assert_eq!(svg(&every_type(), &turned), svg_of(&every_type()));
}

/// The width and the height of an SVG, and its elements behind the background.
fn measured(text: &str) -> ([f64; 2], &str) {
    let document = roxmltree::Document::parse(text).unwrap();
    let root = document.root_element();
    let sides = ["width", "height"].map(|side| root.attribute(side).unwrap().parse().unwrap());
    let (_, drawing) = text.split_once("<rect ").unwrap().1.split_once("/>").unwrap();
    (sides, drawing)
}

#[test]
fn scale_and_one_side_change_the_size_and_not_the_drawing() {
    let plain = svg_of(&every_type());
    let ([width, height], drawing) = measured(&plain);
    let base = Options::of(Format::Svg);
    for (options, expected) in [
        (Options { scale: 2.0, ..base.clone() }, [2.0 * width, 2.0 * height]),
        (Options { scale: 0.5, ..base.clone() }, [0.5 * width, 0.5 * height]),
        (Options { width: Some(900), ..base.clone() }, [900.0, height * 900.0 / width]),
        (Options { height: Some(500), ..base }, [width * 500.0 / height, 500.0]),
    ] {
        let text = svg(&every_type(), &options);
        let (sides, same) = measured(&text);
        for (side, expected) in sides.into_iter().zip(expected) {
            // Both sides are whole numbers, also those of the original size.
            assert!((side - expected).abs() <= 2.0, "{options:?}: {sides:?}");
        }
        for (name, side) in [("width", options.width), ("height", options.height)] {
            let exact = side.map(|side| format!(" {name}=\"{side}\""));
            assert!(exact.is_none_or(|exact| text.contains(&exact)), "{options:?}: {sides:?}");
        }
        assert_eq!(same, drawing, "{options:?}");
    }
}

#[test]
fn the_grid_and_the_background_are_one_element_each() {
    let plain = svg_of(&every_type());
    let base = Options::of(Format::Svg);
    let with_grid = svg(&every_type(), &Options { grid: true, ..Options::of(Format::Svg) });
    let transparent = svg(&every_type(), &Options { transparent: true, ..base });
    for (more, less, starts) in
        [(&with_grid, &plain, "<path fill=\"none\" stroke"), (&plain, &transparent, "<rect x=")]
    {
        let (before, rest) = more.split_once(starts).unwrap();
        let (_element, after) = rest.split_once("/>").unwrap();
        assert_eq!(&format!("{before}{after}"), less, "{starts}");
    }
    let corner = |transparent: bool| {
        let options = Options { transparent, width: Some(64), ..Options::of(Format::Png) };
        let png = render(&every_type(), &options).unwrap();
        Pixmap::decode_png(&png).unwrap().pixel(0, 0).unwrap().alpha()
    };
    assert_eq!((corner(false), corner(true)), (255, 0));
}

#[test]
fn projection_and_theme_replace_those_of_the_diagram() {
    let mut flat = every_type();
    flat["projection"] = json!("2d");
    let mut dark = every_type();
    dark["theme"] = json!({"base": "dark"});
    let plain = svg_of(&every_type());
    let base = Options::of(Format::Svg);
    let projected = |it: Projection| Options { projection: Some(it), ..base.clone() };
    let themed = |it: Theme| Options { theme: Some(it), ..base.clone() };
    assert_eq!(svg(&every_type(), &projected(Projection::Flat)), svg_of(&flat));
    assert_eq!(svg(&flat, &projected(Projection::Isometric)), plain);
    assert_eq!(svg(&every_type(), &themed(Theme::Dark)), svg_of(&dark));
    assert_eq!(svg(&dark, &themed(Theme::Light)), plain);
    // A theme changes colours and no shape.
    let shapes = |text: &str| text.split('"').filter(|it| !it.starts_with('#')).count();
    assert_eq!(shapes(&svg_of(&dark)), shapes(&plain));
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
