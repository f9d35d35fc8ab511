//! The approved pictures of the samples, and their pages as another program draws them.
//!
//! `tests/pictures` has a small PNG of each picture, which a person can look at, and in `svg.blake3` the digest of each
//! SVG: an SVG holds its fonts, so that 30 of them would take megabytes. The bytes of an SVG must be equal. Of a PNG, one
//! pixel of 1,000 may differ by more than 8 of 255, because processors round in different ways.
//! `DIAGRAMS_WRITE=1 cargo test -p keyhouse-diagrams --test pictures` writes all of them again; the difference is
//! part of the review.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first failure")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyhouse_diagrams::render::{Format, Options, Projection, Theme, render};
use resvg::tiny_skia::Pixmap;
use serde_json::{Value, json};

/// The names of the samples.
const SAMPLES: [&str; 10] = [
    "azure-branch",
    "continuous-delivery",
    "fleet",
    "hybrid-network",
    "order-platform",
    "sensor-pipeline",
    "serverless-booking",
    "static-site",
    "two-regions",
    "web-shop",
];
const VIEWS: [View; 3] = [
    View { name: "light", projection: Projection::Isometric, theme: Theme::Light, grid: false },
    View { name: "2d-dark", projection: Projection::Flat, theme: Theme::Dark, grid: false },
    View { name: "dark-grid", projection: Projection::Isometric, theme: Theme::Dark, grid: true },
];
const DIGESTS: &str = "svg.blake3";
/// The width of an approved PNG.
const WIDTH_PX: u32 = 320;
/// The picture at the top of the README, and its width.
const README: (&str, u32) = ("web-shop.png", 960);
const README_BYTES_MAX: usize = 150_000;
/// A pixel differs if one of its channels differs by more than this, of 255.
const CHANNEL_STEPS_MAX: u8 = 8;
/// The pixels of 1,000 that may differ from the approved picture.
const PIXELS_OF_1000_MAX: usize = 1;
/// The width of a page that another program draws.
const PAGE_PX: u32 = 800;
/// The mean difference of all channels between a page and the picture, of 255. Another sample's picture differs by more.
const PAGE_MEAN_MAX: f64 = 3.0;

/// How a sample is drawn.
#[derive(Debug, Clone, Copy)]
struct View {
    name: &'static str,
    projection: Projection,
    theme: Theme,
    grid: bool,
}

impl View {
    fn options(self, format: Format) -> Options {
        Options {
            projection: Some(self.projection),
            theme: Some(self.theme),
            grid: self.grid,
            ..Options::of(format)
        }
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn sample(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder("samples").join(format!("{name}.json"))).unwrap())
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "how the approved pictures are written again")]
fn writes() -> bool {
    std::env::var_os("DIAGRAMS_WRITE").is_some()
}

fn pixels(png: &[u8]) -> Pixmap {
    Pixmap::decode_png(png).unwrap()
}

/// The number of pixels that differ, or all of them if the sizes differ.
fn differing(one: &Pixmap, other: &Pixmap) -> usize {
    if (one.width(), one.height()) != (other.width(), other.height()) {
        return one.pixels().len();
    }
    let pairs = one.data().chunks(4).zip(other.data().chunks(4));
    let differs = |(one, other): &(&[u8], &[u8])| {
        one.iter().zip(*other).any(|(one, other)| one.abs_diff(*other) > CHANNEL_STEPS_MAX)
    };
    pairs.filter(differs).count()
}

fn is_alike(one: &Pixmap, other: &Pixmap) -> bool {
    differing(one, other) * 1_000 <= one.pixels().len() * PIXELS_OF_1000_MAX
}

/// The mean difference of all channels of two pictures of one size, of 255.
fn mean_difference(one: &Pixmap, other: &Pixmap) -> f64 {
    assert_eq!((one.width(), one.height()), (other.width(), other.height()));
    let pairs = one.data().iter().zip(other.data());
    let sum: u32 = pairs.map(|(one, other)| u32::from(one.abs_diff(*other))).sum();
    f64::from(sum) / f64::from(one.width() * one.height() * 4)
}

/// Compares a picture with the approved one, or writes it. Returns what is wrong.
fn approve(path: &Path, png: &[u8]) -> Option<String> {
    if writes() {
        fs::write(path, png).unwrap();
        return None;
    }
    let name = path.file_name().unwrap().to_str().unwrap();
    let Ok(approved) = fs::read(path) else { return Some(format!("{name} is missing")) };
    let (approved, new) = (pixels(&approved), pixels(png));
    if is_alike(&approved, &new) {
        return None;
    }
    let seen = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&seen, png).unwrap();
    let (count, all) = (differing(&approved, &new), new.pixels().len());
    Some(format!("{name}: {count} of {all} pixels differ; the new picture is {}", seen.display()))
}

#[test]
fn every_picture_is_as_approved() {
    let approved = folder("tests/pictures");
    let (mut faults, mut digests) = (Vec::new(), String::new());
    let mut names = BTreeSet::from([DIGESTS.to_owned()]);
    for name in SAMPLES {
        let diagram = sample(name);
        for view in VIEWS {
            let name = format!("{name}-{}", view.name);
            let svg = render(&diagram, &view.options(Format::Svg)).unwrap();
            writeln!(digests, "{}  {name}.svg", blake3::hash(&svg)).unwrap();
            let options = Options { width: Some(WIDTH_PX), ..view.options(Format::Png) };
            let file = format!("{name}.png");
            faults.extend(approve(&approved.join(&file), &render(&diagram, &options).unwrap()));
            names.insert(file);
        }
    }
    if writes() {
        fs::write(approved.join(DIGESTS), &digests).unwrap();
    }
    let list = fs::read_to_string(approved.join(DIGESTS)).unwrap();
    let changed = digests.lines().filter(|line| !list.lines().any(|other| other == *line));
    faults.extend(changed.map(|line| format!("not in {DIGESTS}: {line}")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(list, digests, "{DIGESTS} has other lines");
    let files = fs::read_dir(approved).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, names);
}

#[test]
fn the_picture_of_the_readme_is_that_of_its_sample() {
    let (file, width) = README;
    let options = Options { width: Some(width), ..Options::of(Format::Png) };
    let png = render(&sample(file.trim_end_matches(".png")), &options).unwrap();
    assert!(png.len() < README_BYTES_MAX, "{} bytes", png.len());
    assert_eq!(approve(&folder(file), &png), None);
}

#[test]
fn a_small_change_of_a_diagram_is_seen_in_its_picture() {
    let before = sample("web-shop");
    let options = Options { width: Some(WIDTH_PX), ..Options::of(Format::Png) };
    let draw = |diagram: &Value| pixels(&render(diagram, &options).unwrap());
    assert!(is_alike(&draw(&before), &draw(&before)));
    let mut moved = before.clone();
    moved["nodes"][1]["mapPos"] = json!([5.25, 1]);
    let mut coloured = before.clone();
    coloured["nodes"][1]["color"] = json!("#d86613");
    for (name, after) in [("moved", moved), ("coloured", coloured)] {
        assert!(!is_alike(&draw(&before), &draw(&after)), "{name}");
    }
    // A letter and a short line may be smaller than the difference that a PNG may have. The digest of the SVG has none.
    let mut renamed = before.clone();
    renamed["nodes"][1]["name"] = json!("shop-2a");
    let mut less = before.clone();
    less["edges"].as_array_mut().unwrap().pop();
    let svg = |diagram: &Value| render(diagram, &Options::of(Format::Svg)).unwrap();
    for (name, after) in [("renamed", renamed), ("less", less)] {
        assert_ne!(svg(&before), svg(&after), "{name}");
    }
}

/// The only page of a PDF as pdftoppm of Poppler draws it, at the size of a picture.
fn drawn_by_poppler(pdf: &[u8], (width, height): (u32, u32)) -> Pixmap {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("page.pdf"), pdf).unwrap();
    let mut command = Command::new("pdftoppm");
    command.args(["-png", "-singlefile", "-scale-to-x", &width.to_string()]);
    command.args(["-scale-to-y", &height.to_string(), "page.pdf", "page"]);
    // Of pdftoppm's own directories of fonts, it finds none: the page has its fonts.
    command.current_dir(home.path()).env("HOME", home.path());
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{error}: ./test installs poppler-utils"));
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    pixels(&fs::read(home.path().join("page.png")).unwrap())
}

#[test]
fn another_program_draws_a_page_as_the_picture_is() {
    for (name, other, view) in [
        ("web-shop", "static-site", VIEWS[0]),
        ("continuous-delivery", "hybrid-network", VIEWS[1]),
        ("two-regions", "order-platform", VIEWS[2]),
    ] {
        let with = |format: Format, height: Option<u32>| Options {
            width: Some(PAGE_PX),
            height,
            ..view.options(format)
        };
        let diagram = sample(name);
        let picture = pixels(&render(&diagram, &with(Format::Png, None)).unwrap());
        let pdf = render(&diagram, &with(Format::Pdf, None)).unwrap();
        let page = drawn_by_poppler(&pdf, (picture.width(), picture.height()));
        let difference = mean_difference(&page, &picture);
        println!("{name}: {difference}");
        assert!(difference <= PAGE_MEAN_MAX, "{name}: {difference}");
        let options = with(Format::Png, Some(picture.height()));
        let another = pixels(&render(&sample(other), &options).unwrap());
        let difference = mean_difference(&page, &another);
        println!("{name}, {other}: {difference}");
        assert!(difference > PAGE_MEAN_MAX, "{name} and {other}: {difference}");
    }
}
