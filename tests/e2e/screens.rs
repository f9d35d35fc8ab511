//! Every screen of the page and the way there: one table, walked by axe-core and by the pictures.
//!
//! A new screen is a row; what must be there for it is furnished in [`furnished`].

use std::collections::BTreeMap;

use serde_json::json;

use crate::ask::Expect;
use crate::house::{EMAIL, House, PASSWORD};
use crate::page::{Look, Page};

/// A screen. `reach` begins in a fresh document and ends when all of the screen is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Its name among the pictures.
    pub(crate) name: &'static str,
    reach: fn(&Page, &House),
}

/// Before somebody is signed in.
const OUTSIDE: &[Screen] = &[Screen { name: "sign-in", reach: sign_in }];

/// For the owner of a furnished house.
const INSIDE: &[Screen] = &[
    Screen { name: "account-menu", reach: account_menu },
    Screen { name: "about", reach: about },
    Screen { name: "teams", reach: teams },
    Screen { name: "team", reach: team },
    Screen { name: "people", reach: people },
    Screen { name: "person", reach: person },
    Screen { name: "roles", reach: roles },
    Screen { name: "role", reach: role },
    Screen { name: "permissions", reach: permissions },
    Screen { name: "audit", reach: audit },
    Screen { name: "organizations", reach: organizations },
    Screen { name: "one-organization", reach: one_organization },
    Screen { name: "plans", reach: plans },
];

#[test]
fn light_screens_pass_axe_in_english() {
    pass_axe("en", &Look::LIGHT);
}

#[test]
fn dark_screens_pass_axe_in_english() {
    pass_axe("en", &Look::DARK);
}

#[test]
fn screens_pass_axe_in_french() {
    pass_axe("fr", &[Look::DESK]);
}

#[test]
fn screens_pass_axe_in_spanish() {
    pass_axe("es", &[Look::DESK]);
}

/// Shows each screen of a furnished house in turn: before and after its owner signs in.
pub(crate) fn walk(language: &'static str, mut show: impl FnMut(&Page, &Screen)) {
    let house = furnished();
    let page = Page::open(&house, language);
    for screen in OUTSIDE {
        reach(screen, &page, &house);
        show(&page, screen);
    }
    page.go("/#/teams");
    page.sign_in(EMAIL, PASSWORD);
    for screen in INSIDE {
        reach(screen, &page, &house);
        show(&page, screen);
    }
    page.finish();
}

/// A house with something on every screen.
fn furnished() -> House {
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
fn reach(screen: &Screen, page: &Page, house: &House) {
    page.looks(Look::DESK);
    page.follow("about:blank");
    (screen.reach)(page, house);
}

fn pass_axe(language: &'static str, looks: &[Look]) {
    let mut faults: BTreeMap<String, Vec<String>> = BTreeMap::new();
    walk(language, |page, screen| {
        for look in looks {
            page.looks(*look);
            for fault in page.axe_faults() {
                faults.entry(fault).or_default().push(format!("{}-{}", screen.name, look.name()));
            }
        }
    });
    let told =
        faults.iter().map(|(fault, screens)| format!("{fault}\n  on {}", screens.join(", ")));
    assert!(faults.is_empty(), "{}", told.collect::<Vec<_>>().join("\n"));
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

fn team(page: &Page, house: &House) {
    teams(page, house);
    page.click("link", "diagram makers");
    page.find("heading", "diagram makers");
}

fn person(page: &Page, house: &House) {
    people(page, house);
    page.within("row", "grace@example.com").click("link", "Somebody");
    page.find("heading", "Somebody");
}

fn role(page: &Page, house: &House) {
    roles(page, house);
    page.click("link", "exporter");
    page.find("heading", "exporter");
}

fn permissions(page: &Page, _house: &House) {
    page.go("/#/permissions");
    page.see("keyhouse:keys:create");
}

fn audit(page: &Page, _house: &House) {
    page.go("/#/audit");
    page.see("grace");
}

fn organizations(page: &Page, _house: &House) {
    page.go("/#/organizations");
    page.within("main", "").see("example.com");
}

fn one_organization(page: &Page, house: &House) {
    organizations(page, house);
    page.within("main", "").click("link", "example.com");
    page.find("heading", "example.com");
}

fn plans(page: &Page, _house: &House) {
    page.go("/#/plans");
    page.find("columnheader", &page.t("plans.name_enterprise"));
}
