//! The pictograms: strokes in a box of 24 by 24, drawn for this crate.

/// The side of the box.
pub(super) const SIDE: f64 = 24.0;

/// The path of a stroke.
pub(super) type Glyph = &'static str;

pub(super) const BALANCER: Glyph = "M12 3.5a2 2 0 1 1-.01 0zM12 7.5v9M5 16.5v-3q0-2 2-2h10q2 0 2 2v3M5 16.5a2 2 0 1 1-.01 0zM12 16.5a2 2 0 1 1-.01 0zM19 16.5a2 2 0 1 1-.01 0z";
pub(super) const BELL: Glyph = "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10 21h4";
pub(super) const BOLT: Glyph = "M13 3L5 14h6l-1 7l8-11h-6z";
pub(super) const BUCKET: Glyph =
    "M4 6a8 2.5 0 0 1 16 0a8 2.5 0 0 1-16 0M4 6l2.2 13a6 2 0 0 0 11.6 0L20 6";
pub(super) const BUILDING: Glyph =
    "M5 21V3h14v18M9 7h2M13 7h2M9 11h2M13 11h2M9 15h2M13 15h2M3 21h18";
pub(super) const CHART: Glyph = "M4 4v16h16M8.5 16v-4M13 16V7M17.5 16v-6";
pub(super) const CHIP: Glyph =
    "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4";
pub(super) const CLOCK: Glyph = "M12 3a9 9 0 1 1-.01 0zM12 7v5l3.5 2";
pub(super) const CLOUD: Glyph =
    "M7 19a4.5 4.5 0 0 1-.5-8.9A6 6 0 0 1 18 9.6A4.8 4.8 0 0 1 17.5 19z";
pub(super) const CODE: Glyph = "M8 6l-5 6l5 6M16 6l5 6l-5 6M13.5 5l-3 14";
pub(super) const CONTAINERS: Glyph = "M3 4h8v7H3zM13 4h8v7h-8zM3 13h8v7H3zM13 13h8v7h-8z";
pub(super) const CUBE: Glyph = "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5l8-4.5M12 12v9";
pub(super) const DATABASE: Glyph =
    "M5 6a7 3 0 0 1 14 0a7 3 0 0 1-14 0M5 6v12a7 3 0 0 0 14 0V6M5 12a7 3 0 0 0 14 0";
pub(super) const FILE: Glyph = "M6 3h8l4 4v14H6zM14 3v4h4";
pub(super) const GLOBE: Glyph =
    "M12 3a9 9 0 1 1-.01 0zM3 12h18M12 3a13 13 0 0 1 0 18M12 3a13 13 0 0 0 0 18";
pub(super) const KEY: Glyph = "M7.5 8a4 4 0 1 1-.01 0zM11.5 12H21v4M17 12v3";
pub(super) const LAMBDA: Glyph = "M6 4h3.5l8 16H21M11.6 8.6L5 20";
pub(super) const LAYERS: Glyph = "M12 3l9 5l-9 5l-9-5zM3 12l9 5l9-5M3 16l9 5l9-5";
pub(super) const LOCK: Glyph = "M5 11h14v10H5zM8 11V8a4 4 0 0 1 8 0v3M12 15v2";
pub(super) const MAIL: Glyph = "M3 5h18v14H3zM3 6l9 7l9-7";
pub(super) const MONITOR: Glyph = "M3 4h18v12H3zM12 16v4M8 20h8";
pub(super) const NETWORK: Glyph = "M9 3h6v5H9zM3 16h6v5H3zM15 16h6v5h-6zM12 8v4M6 16v-4h12v4";
pub(super) const PHONE: Glyph = "M7 2h10v20H7zM11 18.5h2";
pub(super) const PICTURE: Glyph = "M3 4h18v16H3zM8 8.5a1.5 1.5 0 1 1-.01 0zM4 18l6-6l4 4l3-3l4 4";
pub(super) const QUEUE: Glyph = "M3 8h18v8H3zM9 8v8M15 8v8";
pub(super) const ROUTE: Glyph = "M12 2v20M12 4h6l3 2.5L18 9h-6M12 11H6l-3 2.5L6 16h6";
pub(super) const SEARCH: Glyph = "M10.5 4a6.5 6.5 0 1 1-.01 0zM15.5 15.5L21 21";
pub(super) const SHIELD: Glyph = "M12 3l8 3v6c0 5-3.5 7.5-8 9c-4.5-1.5-8-4-8-9V6z";
pub(super) const SLIDERS: Glyph = "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4";
pub(super) const STREAM: Glyph =
    "M3 7c3-3 6 3 9 0s6 3 9 0M3 12c3-3 6 3 9 0s6 3 9 0M3 17c3-3 6 3 9 0s6 3 9 0";
pub(super) const TABLE: Glyph = "M4 4h16v16H4zM4 9h16M4 14.5h16M10 9v11";
pub(super) const USER: Glyph = "M12 4a4 4 0 1 1-.01 0zM4 21a8 7 0 0 1 16 0";
pub(super) const USERS: Glyph = "M9 5a3.5 3.5 0 1 1-.01 0zM2 20a7 6 0 0 1 14 0M16 5.4a3.4 3.4 0 0 1 0 6.4M18 14.4a6.5 6 0 0 1 4 5.6";
pub(super) const WHEEL: Glyph =
    "M12 4a8 8 0 1 1-.01 0zM12 9.5a2.5 2.5 0 1 1-.01 0zM12 2v7M12 15v7M2 12h7M15 12h7";

/// The pictograms of an element `icon`, by words of its name.
const NAMED: [(&str, Glyph); 46] = [
    ("users", USERS),
    ("user-group", USERS),
    ("people", USERS),
    ("user", USER),
    ("person", USER),
    ("mobile", PHONE),
    ("phone", PHONE),
    ("tablet", PHONE),
    ("desktop", MONITOR),
    ("laptop", MONITOR),
    ("monitor", MONITOR),
    ("browser", MONITOR),
    ("globe", GLOBE),
    ("internet", GLOBE),
    ("earth", GLOBE),
    ("cloud", CLOUD),
    ("database", DATABASE),
    ("lock", LOCK),
    ("key", KEY),
    ("envelope", MAIL),
    ("mail", MAIL),
    ("bell", BELL),
    ("clock", CLOCK),
    ("chart", CHART),
    ("code", CODE),
    ("terminal", CODE),
    ("search", SEARCH),
    ("shield", SHIELD),
    ("file", FILE),
    ("building", BUILDING),
    ("office", BUILDING),
    ("home", BUILDING),
    ("factory", BUILDING),
    ("bolt", BOLT),
    ("server", CHIP),
    ("chip", CHIP),
    ("gear", SLIDERS),
    ("cog", SLIDERS),
    ("settings", SLIDERS),
    ("network", NETWORK),
    ("sitemap", NETWORK),
    ("image", PICTURE),
    ("table", TABLE),
    ("stream", STREAM),
    ("layer", LAYERS),
    ("cube", CUBE),
];

/// The pictogram of an icon's name, which may have more words, such as `fa-users`.
pub(super) fn named(name: &str) -> Option<Glyph> {
    let lower = name.to_ascii_lowercase();
    NAMED.iter().find(|(word, _)| lower.contains(word)).map(|(_, glyph)| *glyph)
}
