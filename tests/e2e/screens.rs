//! Every screen of the page and the way there: one table, walked by axe-core and by the pictures.
//!
//! A new screen is a row; what must be there for it is furnished in [`furnished`].

use serde_json::json;

use crate::ask::Expect;
use crate::house::{EMAIL, House, PASSWORD};
use crate::page::{Look, Page};

/// A screen. `reach` begins in a fresh document and ends when all of the screen is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Its name among the pictures.
    pub(crate) name: &'static str,
    pub(crate) reach: fn(&Page, &House),
}

/// Before somebody is signed in.
pub(crate) const OUTSIDE: &[Screen] = &[Screen { name: "sign-in", reach: sign_in }];

/// For the owner of a furnished house.
pub(crate) const INSIDE: &[Screen] = &[
    Screen { name: "account-menu", reach: account_menu },
    Screen { name: "about", reach: about },
    Screen { name: "people", reach: people },
    Screen { name: "roles", reach: roles },
    Screen { name: "teams", reach: teams },
];

#[test]
fn screens_of_nobody_pass_axe() {
    let house = House::start();
    let page = Page::open(&house, "en");
    pass_axe(OUTSIDE, &page, &house);
    page.finish();
}

#[test]
fn screens_of_an_owner_pass_axe() {
    let house = furnished();
    let page = Page::open(&house, "en");
    page.go("/#/teams");
    page.sign_in(EMAIL, PASSWORD);
    pass_axe(INSIDE, &page, &house);
    page.finish();
}

/// A house with something on every screen.
pub(crate) fn furnished() -> House {
    let house = House::start();
    house.put_on_plan(&house.organization(), "enterprise");
    let grace = house.join("grace", "administrator");
    let mate = house.join("mate", "user");
    house.role("exporter", &["diagrams:read", "diagrams:export"]);
    let makers = house.team("diagram makers", "visible", &[&grace, &mate]);
    house.team("night watch", "secret", &[&grace]);
    let shared = json!([{"id": makers, "access": "read"}]);
    for key in [
        json!({"name": "diagram exporter", "kind": "service", "permissions": ["diagrams:read"],
            "teams": shared}),
        json!({"name": "nightly backup", "kind": "service", "permissions": ["backups:*"],
            "expires_in": "30d"}),
        json!({"name": "laptop"}),
    ] {
        house.create(&key);
    }
    let off = house.create(&json!({"name": "switched off"}));
    house.act(&off.id, "disable").expect(200);
    let gone = house.create(&json!({"name": "left in a taxi"}));
    house.act(&gone.id, "revoke").expect(200);
    house
}

/// Goes to a screen in a fresh document: nothing of the one before is left open.
pub(crate) fn reach(screen: &Screen, page: &Page, house: &House) {
    page.looks(Look::DESK);
    page.follow("about:blank");
    (screen.reach)(page, house);
}

fn pass_axe(screens: &[Screen], page: &Page, house: &House) {
    let mut faults = Vec::new();
    for screen in screens {
        reach(screen, page, house);
        for look in Look::ALL {
            page.looks(look);
            let found = page.axe_faults();
            faults.extend(
                found.iter().map(|fault| format!("{}, {}: {fault}", screen.name, look.name())),
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn sign_in(page: &Page, _house: &House) {
    page.go("/");
    page.find("button", &page.t("sign_in.button"));
}

fn account_menu(page: &Page, house: &House) {
    teams(page, house);
    page.click("button", &page.t_with("shell.account", &[("name", "ada")]));
    page.find("button", &page.t("shell.sign_out"));
}

fn about(page: &Page, house: &House) {
    account_menu(page, house);
    page.click("button", &page.t("about.title"));
    page.see(&page.t("about.what"));
}

fn people(page: &Page, _house: &House) {
    page.go("/#/people");
    page.see("grace@example.com");
}

fn roles(page: &Page, _house: &House) {
    page.go("/#/roles");
    page.see("exporter");
}

fn teams(page: &Page, _house: &House) {
    page.go("/#/teams");
    page.see("night watch");
}
