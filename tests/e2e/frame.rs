//! The frame around the views: navigation, drawer, colours, language, and what is shown while a view loads.

use serde_json::json;

use crate::driver::wait;
use crate::page::{Look, Page};
use crate::people::PASSWORD as THEIRS;
use crate::relay::{GONE, Relay};
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::Texts;

const PHONE: Look = Look { dark: false, width: 390 };
/// Slow enough for a skeleton before the view is there.
const SLOW_MS: u32 = 2_000;

/// In an earlier version, the toggle stayed expanded after a choice, and Escape did not close the menu.
#[test]
fn drawer_closes_on_a_choice_and_on_escape() {
    let instance = TestServer::start();
    let page = open(&instance, "/#/keys");
    page.looks(PHONE);
    page.find_no("link", &page.t("teams.title"));
    let expanded = |is: &str| {
        let missing = || format!("the menu button is not expanded={is}");
        wait(missing, || (page.find("button", &page.t("shell.menu")).expanded == is).then_some(()));
    };
    expanded("false");
    page.click("button", &page.t("shell.menu"));
    expanded("true");
    page.press(&["Escape"]);
    expanded("false");
    page.see_focus("button", &page.t("shell.menu"));
    page.press(&["Enter"]);
    page.click("link", &page.t("teams.title"));
    page.find("heading", &page.t("teams.title"));
    expanded("false");
    page.find_no("link", &page.t("people.title"));
    page.finish();
}

#[test]
fn colours_and_language_are_chosen_before_the_sign_in_and_kept() {
    let instance = TestServer::start();
    let page = Page::open(&instance, "en");
    page.go("/");
    page.see_focus("textbox", &page.t("sign_in.email"));
    page.click("button", &page.t("shell.theme_dark"));
    page.click("button", "Français");
    let french = Texts::of("fr");
    page.find("heading", &french.t("sign_in.title"));
    page.reload();
    page.find("heading", &french.t("sign_in.title"));
    assert_eq!(page.evaluate("getComputedStyle(document.documentElement).colorScheme"), "dark");
    page.click("button", &french.t("shell.theme_system"));
    page.click("button", "English");
    page.find("heading", &page.t("sign_in.title"));
    assert_eq!(
        page.evaluate("getComputedStyle(document.documentElement).colorScheme"),
        "light dark"
    );

    // A signed-in user changes the language of the account.
    page.sign_in(EMAIL, PASSWORD);
    page.click("button", &page.t_with("shell.account", &[("name", "ada")]));
    page.click("button", "Español");
    let spanish = Texts::of("es");
    page.find("heading", &spanish.t("shell.overview"));
    page.go("/#/profile");
    page.find("heading", &spanish.t("profile.title"));
    assert_eq!(page.value(&spanish.t("profile.language")), "Español");
    page.finish();
}

#[test]
fn place_is_marked_at_the_click_and_a_skeleton_is_shown() {
    let instance = TestServer::start();
    let page = open(&instance, "/#/keys");
    page.find("heading", &page.t("keys.title"));
    page.network(Some(SLOW_MS));
    page.click("link", &page.t("teams.title"));
    let marked = "document.querySelector('nav [aria-current]').textContent";
    assert_eq!(page.evaluate(marked), page.t("teams.title"));
    let missing = || "no skeleton".to_owned();
    wait(missing, || {
        (page.evaluate("document.querySelector('main').ariaBusy") == "true").then_some(())
    });
    page.find_no("heading", &page.t("keys.title"));
    page.network(Some(0));
    page.find("heading", &page.t("teams.title"));
    assert!(page.evaluate("document.querySelector('main').ariaBusy").is_null());
    page.finish();
}

#[test]
fn navigation_counts_keys_and_those_that_expire_soon() {
    let instance = TestServer::start();
    for key in [
        json!({"name": "soon", "expires_in": "5d"}),
        json!({"name": "later", "expires_in": "90d"}),
        json!({"name": "endless"}),
    ] {
        instance.create(&key);
    }
    let page = open(&instance, "/#/teams");
    let see = |expected: &str| {
        let counts = || page.evaluate("document.querySelector('.counts').textContent");
        let missing = || format!("the navigation shows {}", counts());
        wait(missing, || (counts() == expected).then_some(()));
    };
    // No part of these views counts keys: one number is requested after each of them.
    see("1");
    page.click("link", &page.t("roles.title"));
    see("13");
    instance.create(&json!({"name": "another"}));
    // The list has the new number.
    page.click("link", &page.t("keys.title"));
    see("14");
    page.finish();
}

#[test]
fn list_of_keys_is_filtered_by_environment() {
    let instance = TestServer::start();
    for (name, environment) in [("one", "live"), ("two", "test"), ("three", "stage")] {
        instance.create(&json!({"name": name, "environment": environment}));
    }
    let page = open(&instance, "/#/keys");
    page.find("link", "one");
    page.choose(&page.t("keys.environment"), "test");
    page.find_no("link", "one");
    page.find("link", "two");
    assert!(page.address().ends_with("#/keys?environment=test"), "{}", page.address());
    // An environment that only the address names is offered too.
    page.go("/#/keys?environment=stage");
    page.find("link", "three");
    page.find_no("link", "two");
    assert_eq!(page.value(&page.t("keys.environment")), "stage");
    page.finish();
}

/// In an earlier version, the page was white until the session and the texts were there.
#[test]
fn frame_is_painted_before_the_scripts() {
    let (relay, _house) = Relay::before_instance();
    let mut page = Page::open_at(relay.url(), "en");
    page.go("/");
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", &page.t("shell.overview"));
    relay.answer("app.js", GONE);
    page.driver.devtools("Network.setCacheDisabled", json!({"cacheDisabled": true}));
    page.reload();
    page.within("banner", "").see("Keyhouse");
    page.expect("status of 404");
    page.finish();
}

/// In an earlier version, the page named the raw permission and offered a retry that could not help.
#[test]
fn view_that_the_user_may_not_open_says_what_to_do() {
    let instance = TestServer::start();
    let user = instance.join("mate", "user");
    let mut page = Page::open(&instance, "en");
    page.go("/#/people");
    page.sign_in(&user.email, THEIRS);
    page.find("heading", &page.t("problems.no_access"));
    page.see(&page.t("problems.ask"));
    assert!(!page.text().contains("keyhouse:"), "{}", page.text());
    page.find_no("button", &page.t("actions.retry"));
    page.within("main", "").click("link", &page.t("keys.title"));
    page.find("heading", &page.t("keys.title"));

    page.go("/#/teams/team_00000000-0000-7000-8000-000000000000");
    page.find("heading", &page.t("problems.gone"));
    page.find_no("button", &page.t("actions.retry"));
    page.within("main", &page.t("problems.gone_hint")).click("link", &page.t("teams.title"));
    page.find("heading", &page.t("teams.title"));
    page.expect("status of 403");
    page.expect("status of 404");
    page.finish();
}

#[test]
fn view_of_one_item_leads_back_to_its_list() {
    let instance = TestServer::start();
    let team = instance.team("makers", "visible", &[&instance.owner()]);
    let page = open(&instance, &format!("/#/teams/{team}"));
    page.find("heading", "makers");
    page.within("navigation", "/").click("link", &page.t("teams.title"));
    page.find("heading", &page.t("teams.title"));
    page.finish();
}

fn open(instance: &TestServer, path: &str) -> Page {
    let page = Page::open(instance, "en");
    page.go(path);
    page.sign_in(EMAIL, PASSWORD);
    page
}

#[test]
fn palette_finds_places_keys_people_and_teams_by_keyboard() {
    let instance = TestServer::start();
    instance.create(&json!({"name": "zebra exporter"}));
    instance.team("zebra watch", "visible", &[&instance.owner()]);
    let page = open(&instance, "/#/keys");
    page.find("link", "zebra exporter");
    page.press(&["/"]);
    let field = page.t("palette.field");
    page.see_focus("combobox", &field);
    // In an earlier version, the palette loaded all people and teams before a letter was typed.
    let asked_people = || page.requests().iter().any(|it| it.url.contains("/v1/users"));
    assert!(!asked_people(), "people are loaded before the first letter");
    page.write("zebra");
    let results = page.within("listbox", &page.t("palette.results"));
    results.find("option", "zebra watch");
    assert!(asked_people(), "people are not loaded");
    page.press(&["Down", "Enter"]);
    page.find("heading", "zebra watch");
    page.no_dialog();

    // The other shortcut works in a field too, and Escape closes the palette.
    page.press(&["Control+k"]);
    page.see_focus("combobox", &field);
    page.write(&page.t("permissions.title"));
    results.find("option", &page.t("permissions.title"));
    page.press(&["Enter"]);
    page.find("heading", &page.t("permissions.title"));
    page.press(&["Control+k"]);
    page.see_focus("combobox", &field);
    page.write("nothing like it");
    page.see(&page.t("palette.nothing"));
    // A list without options is no list.
    page.find_no("listbox", &page.t("palette.results"));
    assert_eq!(page.find("combobox", &field).expanded, "false");
    page.press(&["Escape"]);
    page.no_dialog();
    page.finish();
}

#[test]
fn shortcuts_of_a_single_key_lead_to_places_and_can_be_turned_off() {
    let instance = TestServer::start();
    let page = open(&instance, "/#/keys");
    page.find("heading", &page.t("keys.title"));
    page.press(&["g", "t"]);
    page.find("heading", &page.t("teams.title"));
    page.press(&["?"]);
    page.within("dialog", &page.t("shortcuts.title"))
        .click("checkbox", &page.t("shortcuts.single"));
    page.press(&["Escape"]);
    page.no_dialog();
    page.press(&["g", "k", "/"]);
    assert!(page.address().ends_with("#/teams"), "{}", page.address());
    // The palette would have been requested before the next view.
    page.click("link", &page.t("people.title"));
    page.find("heading", &page.t("people.title"));
    let requested = "performance.getEntriesByType('resource').filter(({name}) => name.includes('palette')).length";
    assert_eq!(page.evaluate(requested), 0);
    page.press(&["Control+k"]);
    page.see_focus("combobox", &page.t("palette.field"));
    page.finish();
}
