//! The overview: the home of users who read all keys, and of operators. Its numbers are those of the lists behind their
//! links, and its mends take one click.

use serde_json::{Value, json};

use crate::account::code_of;
use crate::ask::{Ask, Expect};
use crate::driver::wait;
use crate::page::{Look, Page};
use crate::people::PASSWORD as THEIRS;
use crate::test_server::{EMAIL, Made, PASSWORD, TestServer};
use crate::texts::LANGUAGES;

/// The narrowest window in which all of the page can be used (WCAG 2.2, 1.4.10).
const NARROWEST: Look = Look { dark: false, width: 320 };

fn open(instance: &TestServer, language: &'static str, path: &str) -> Page {
    let page = Page::open(instance, language);
    page.go(path);
    page.sign_in(EMAIL, PASSWORD);
    page
}

fn call(instance: &TestServer, key: &Made, times: usize, status: u16) {
    for _ in 0..times {
        assert_eq!(instance.bare(&Ask::forward_auth(&key.secret)).status, status);
    }
}

/// Rotates a key with an overlap, and calls with the old secret until the list of such keys has it.
fn old_secret_in_use(instance: &TestServer, key: &Made) {
    let path = format!("/v1/keys/{}/rotate", key.id);
    instance.ask(&Ask::post(&path, &json!({"overlap": "24h"}))).expect(200);
    wait(
        || "the use of the old secret is not listed".to_owned(),
        || {
            call(instance, key, 1, 200);
            let page = instance.ask(&Ask::get("/v1/keys?old_secret=used")).expect(200);
            let mut items = page["items"].as_array().unwrap().iter();
            items.any(|item| item["id"] == *key.id).then_some(())
        },
    );
}

/// An organization with a key for each reason.
fn furnished() -> (TestServer, Made) {
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let exporter = instance.create(&json!({"name": "exporter", "expires_in": "5d"}));
    call(&instance, &exporter, 3, 200);
    let off = instance.create(&json!({"name": "switched off", "expires_in": "6d"}));
    instance.act(&off.id, "disable").expect(200);
    call(&instance, &off, 2, 401);
    for name in ["one", "two", "three", "four"] {
        instance.create(&json!({"name": name}));
    }
    let courier = instance.create(&json!({"name": "courier", "expires_in": "9d"}));
    call(&instance, &courier, 3, 200);
    for name in ["busy", "rapid"] {
        let rotated = instance.create(&json!({"name": name, "expires_in": "300d"}));
        old_secret_in_use(&instance, &rotated);
        call(&instance, &rotated, 3, 200);
    }
    // Imported keys have their former times.
    let imported = |number: u8, name: &str, last: Value| {
        json!({"name": name, "algorithm": "sha256", "digest": format!("{number:064x}"),
            "permissions": ["diagrams:read"], "created_at": "2024-01-01T00:00:00Z",
            "last_used_at": last, "expires_at": "2099-01-01T00:00:00Z"})
    };
    let keys = [
        imported(1, "dormant", json!("2024-03-01T00:00:00Z")),
        imported(2, "forgotten", Value::Null),
    ];
    instance.ask(&Ask::post("/v1/keys/import", &json!({"keys": keys}))).expect(201);
    instance.join("mate", "user");
    (instance, exporter)
}

/// The name of the button that mends a key.
fn mend_of(page: &Page, action: &str, name: &str) -> String {
    page.t_with("overview.mend_of", &[("action", &page.t(action)), ("name", name)])
}

/// The names of the keys in the list.
fn listed(page: &Page, count: usize) -> Vec<String> {
    let rows = || {
        let found = page
            .evaluate("[...document.querySelectorAll('tbody th a')].map((it) => it.textContent)");
        let names = found.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let missing = || format!("not {count} keys: {:?}", rows());
    wait(missing, || Some(rows()).filter(|names| names.len() == count))
}

#[test]
fn numbers_are_those_of_the_lists_behind_their_links() {
    let (instance, _) = furnished();
    for language in LANGUAGES {
        let page = open(&instance, language, "/");
        page.find("heading", &page.t("shell.overview"));
        assert!(page.address().ends_with('/'), "{}", page.address());
        for (fact, expected) in [
            ("overview.count_expiring", &["exporter", "courier"][..]),
            ("overview.count_old_secret", &["rapid", "busy"]),
            ("overview.count_unused", &["dormant", "forgotten"]),
            ("overview.count_endless", &["four", "three", "two", "one"]),
        ] {
            page.go("/#/overview");
            let title = page.t_with(fact, &[("count", &expected.len().to_string())]);
            page.find("heading", &title);
            page.click("link", &page.t_with("overview.show_of", &[("title", &title)]));
            page.find("heading", &page.t("keys.title"));
            assert_eq!(listed(&page, expected.len()), expected, "{fact} in {language}");
        }
        page.go("/#/overview");
        page.find("heading", &page.t_with("overview.count_factor", &[("count", "2")]));
        page.find("heading", &page.t("overview.backup_none"));
        page.finish();
    }
}

#[test]
fn refused_calls_are_named_by_reason_and_lead_to_their_keys() {
    let (instance, _) = furnished();
    let page = open(&instance, "en", "/");
    page.within("main", "").see(&page.t("codes.DISABLED"));
    page.find("heading", &page.t("overview.busiest"));
    page.click("link", "switched off");
    page.find("heading", "switched off");
    page.go("/#/overview?span=30d");
    page.find("heading", &page.t("overview.refused"));
    page.click("button", &page.t("overview.span_7d"));
    // The seven days end with the present one.
    let days = page.evaluate(
        "encodeURIComponent(new Date(Math.floor(Date.now() / 864e5 - 6) * 864e5).toISOString())",
    );
    let wanted = format!("/v1/usage?interval=day&from={}", days.as_str().unwrap());
    let asked = || page.requests().into_iter().filter(|it| it.url.ends_with(&wanted)).count();
    wait(|| format!("no request {wanted}"), || (asked() == 1).then_some(()));
    page.see(&page.t("codes.DISABLED"));
    assert!(page.address().ends_with("#/overview?span=7d"), "{}", page.address());
    page.finish();
}

#[test]
fn an_expiring_key_is_extended_with_one_click_and_the_extension_is_undone() {
    let (instance, exporter) = furnished();
    let end = || instance.key(&exporter.id)["expires_at"].clone();
    let before = end();
    let page = open(&instance, "en", "/");
    let extend = mend_of(&page, "overview.extend", "exporter");
    let undo = page.t_with("overview.undo_of", &[("action", &extend)]);
    page.focus("button", &extend);
    page.press(&["Enter"]);
    page.see_focus("button", &undo);
    let extended =
        page.evaluate(&format!("(Date.parse({}) - Date.parse({before})) / 864e5", end()));
    assert_eq!(extended, 90, "days");
    page.press(&["Enter"]);
    page.see_focus("button", &extend);
    assert_eq!(end(), before);
    page.finish();
}

#[test]
fn a_key_without_an_end_gets_one_with_one_click() {
    let (instance, _) = furnished();
    let page = open(&instance, "en", "/");
    page.find("link", &page.t("overview.lifetime"));
    page.click("button", &mend_of(&page, "overview.end", "four"));
    let undo =
        page.t_with("overview.undo_of", &[("action", &mend_of(&page, "overview.end", "four"))]);
    page.find("button", &undo);
    let ends = || {
        let keys = instance.all_keys();
        keys.into_iter().filter(|key| key["expires_at"].is_string()).count()
    };
    assert_eq!(ends(), 8);
    let four = instance.all_keys().into_iter().find(|key| key["name"] == "four").unwrap();
    let end = format!("(Date.parse({}) - Date.now()) / 864e5", four["expires_at"]);
    let days = page.evaluate(&end).as_f64().unwrap();
    assert!((364.9..365.1).contains(&days), "{days} days");
    page.click("button", &undo);
    page.find("button", &mend_of(&page, "overview.end", "four"));
    assert_eq!(ends(), 7);
    page.finish();
}

#[test]
fn an_unused_key_is_disabled_with_one_click_and_enabled_again() {
    let (instance, _) = furnished();
    let status = || {
        let keys = instance.all_keys();
        keys.iter().find(|key| key["name"] == "dormant").unwrap()["status"].clone()
    };
    let page = open(&instance, "en", "/");
    let disable = mend_of(&page, "overview.disable", "dormant");
    page.click("button", &disable);
    let undo = page.t_with("overview.undo_of", &[("action", &disable)]);
    page.find("button", &undo);
    assert_eq!(status(), "disabled");
    page.click("button", &undo);
    page.find("button", &disable);
    assert_eq!(status(), "active");
    page.finish();
}

#[test]
fn members_without_a_second_factor_are_listed_and_can_be_required_to_have_one() {
    let instance = TestServer::start();
    let off = instance.join("off", "user");
    instance.join("grace", "administrator");
    let disabled = json!({"disabled": true});
    instance.ask(&Ask::patch(&format!("/v1/users/{}", off.id), &disabled)).expect(200);
    let mut page = open(&instance, "en", "/");
    // The owner would be the first who can do nothing until the next sign-in.
    page.find("link", &page.t("overview.own_factor"));
    page.find_no("button", &page.t("overview.require"));
    let title = page.t_with("overview.count_factor", &[("count", "2")]);
    page.click("link", &page.t_with("overview.show_of", &[("title", &title)]));
    page.within("table", &page.t("people.title")).see("grace@example.com");
    page.see(EMAIL);
    page.see_no("off@example.com");
    page.click("checkbox", &page.t("people.without_totp"));
    page.see("off@example.com");
    assert!(page.address().ends_with("#/people"), "{}", page.address());

    let ask = |body: Value| instance.ask(&Ask::post("/v1/me/totp", &body));
    let begun = ask(json!({"current_password": PASSWORD})).expect(201);
    let code = |step| code_of(begun["secret"].as_str().unwrap(), step);
    ask(json!({"code": code(0)})).expect(200);
    // The second factor ended the session of the page.
    page.go("/#/overview");
    page.reload();
    page.sign_in_with_code(EMAIL, PASSWORD, &code(1));
    page.click("button", &page.t("overview.require"));
    let undo = page.t_with("overview.undo_of", &[("action", &page.t("overview.require"))]);
    page.find("button", &undo);
    let required = || {
        let organization = instance.ask(&Ask::get("/v1/organization")).expect(200);
        organization["second_factor_required_of"].as_array().unwrap().len()
    };
    assert_eq!(required(), 5);
    page.click("button", &undo);
    page.find("button", &page.t("overview.require"));
    assert_eq!(required(), 0);
    page.expect("status of 401");
    page.finish();
}

#[test]
fn a_backup_is_downloaded_with_one_click() {
    let instance = TestServer::start();
    let page = open(&instance, "en", "/");
    page.see(&page.t("overview.unscheduled"));
    page.click("link", &page.t("overview.download"));
    page.see(&page.t("overview.download_begun"));
    let made =
        || instance.ask(&Ask::get("/v1/overview")).expect(200)["backup"]["last_at"].is_string();
    wait(|| "no backup was made".to_owned(), || made().then_some(()));
    page.reload();
    page.find_no("heading", &page.t("overview.backup_none"));
    page.finish();
}

#[test]
fn members_keep_the_list_of_keys_as_their_home() {
    let instance = TestServer::start();
    let mate = instance.join("mate", "user");
    let page = Page::open(&instance, "en");
    page.go("/");
    page.sign_in(&mate.email, THEIRS);
    page.find("heading", &page.t("keys.title"));
    page.find_no("link", &page.t("shell.overview"));
    page.finish();
}

/// One part that fails does not hide the others, and can be loaded again.
#[test]
fn a_failed_part_is_shown_in_its_place() {
    let (relay, _instance) = crate::relay::Relay::before_instance();
    relay.answer("/v1/usage", ("500 Internal Server Error", "{\"code\":\"internal\"}"));
    let mut page = Page::open_at(relay.url(), "en");
    page.go("/");
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", &page.t("overview.none_endless"));
    page.see(&page.t("problems.internal"));
    relay.pass_all();
    page.click("button", &page.t("actions.retry"));
    page.find("heading", &page.t("overview.busiest"));
    page.expect("status of 500");
    page.finish();
}

#[test]
fn overview_fits_the_narrowest_window_and_passes_axe() {
    let (instance, _) = furnished();
    for language in LANGUAGES {
        let page = open(&instance, language, "/");
        page.find("heading", &page.t("overview.busiest"));
        page.looks(NARROWEST);
        let wider = page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert_eq!(wider, 0, "{language}");
        for look in Look::all() {
            page.looks(look);
            assert_eq!(page.axe_faults(), Vec::<String>::new(), "{language} {}", look.name());
        }
        page.finish();
    }
}
