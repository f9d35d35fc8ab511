//! Writes screenshots of every screen, in every language and look: `./test screens`.
//!
//! The default profile of nextest excludes this module (`.config/nextest.toml`).

use std::path::Path;

use crate::page::{Look, Page};
use crate::screens::WALKS;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/screens");

#[test]
fn in_english() {
    take("en");
}

#[test]
fn in_french() {
    take("fr");
}

#[test]
fn in_spanish() {
    take("es");
}

fn take(language: &'static str) {
    let mut take = |page: &Page, screen: &str| {
        for look in Look::all() {
            page.looks(look);
            let name = format!("{screen}-{language}-{}.png", look.name());
            page.screenshot(&Path::new(FOLDER).join(name));
        }
    };
    for walk in WALKS {
        walk(language, &mut take);
    }
}
