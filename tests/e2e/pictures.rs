//! Pictures of every screen, in every language and look, for people to look at: `./test screens`.
//!
//! Not among the tests: nextest's default profile leaves this module out (`.config/nextest.toml`).

use std::path::Path;

use crate::house::{EMAIL, House, PASSWORD};
use crate::page::{Look, Page};
use crate::screens::{INSIDE, OUTSIDE, Screen, furnished, reach};

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
    let house = furnished();
    let page = Page::open(&house, language);
    take_each(OUTSIDE, &page, &house);
    page.go("/#/teams");
    page.sign_in(EMAIL, PASSWORD);
    take_each(INSIDE, &page, &house);
    page.finish();
}

fn take_each(screens: &[Screen], page: &Page, house: &House) {
    for screen in screens {
        reach(screen, page, house);
        for look in Look::ALL {
            page.looks(look);
            let name = format!("{}-{}-{}.png", screen.name, page.texts.language, look.name());
            page.screenshot(&Path::new(FOLDER).join(name));
        }
    }
}
