//! The page of one key: tabs by keyboard and address, usage, refused calls, the test of access.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::driver::wait;
use crate::page::{Look, Page};
use crate::relay::{BAD_GATEWAY, Relay};
use crate::test_server::{EMAIL, Made, PASSWORD, TestServer};
use crate::texts::LANGUAGES;

/// The narrowest window (WCAG 2.2, 1.4.10).
const NARROWEST: Look = Look { dark: false, width: 320 };
const TABS: [&str; 5] =
    ["key.overview", "key.tab_access", "usage.title", "rotate.secrets", "key.history"];

#[test]
fn tabs_of_a_key_are_used_by_keyboard_and_have_addresses() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter"}));
    let page = open(&instance, &key, "", "en");
    let tab = |text: &str| page.t(text);
    page.see_focus("heading", "exporter");
    chosen(&page, "key.overview");
    // The arrow keys move the focus only.
    page.focus("tab", &tab("key.overview"));
    page.press(&["Right"]);
    page.see_focus("tab", &tab("key.tab_access"));
    chosen(&page, "key.overview");
    page.press(&["Enter"]);
    page.find("heading", &tab("key.teams"));
    chosen(&page, "key.tab_access");
    assert!(page.address().ends_with("?tab=access"), "{}", page.address());
    page.press(&["Tab"]);
    page.see_focus("tabpanel", &tab("key.tab_access"));
    page.press(&["Shift+Tab", "End"]);
    page.see_focus("tab", &tab("key.history"));
    page.press(&["Space"]);
    page.see(&page.t_with("events.key_create", &[("actor", "ada")]));
    page.press(&["Right"]);
    page.see_focus("tab", &tab("key.overview"));
    page.press(&["Left", "Left"]);
    page.see_focus("tab", &tab("rotate.secrets"));

    // Back and Forward change the tab, and the view stays.
    page.evaluate("document.querySelector('main h1').dataset.same = 'yes'");
    page.back();
    page.find("heading", &tab("key.teams"));
    chosen(&page, "key.tab_access");
    page.back();
    chosen(&page, "key.overview");
    assert_eq!(page.evaluate("document.querySelector('main h1').dataset.same"), "yes");
    page.finish();
}

/// A link in the overview leads to its tab, which then has the focus.
#[test]
fn overview_leads_to_the_other_tabs() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter"}));
    let page = open(&instance, &key, "", "en");
    page.click("link", &page.t("key.show_access"));
    page.find("button", &page.t("key.edit_permissions"));
    page.see_focus("tab", &page.t("key.tab_access"));
    page.back();
    page.click("link", &page.t("key.show_usage"));
    page.see(&page.t("requests.none"));
    page.click("tab", &page.t("key.history"));
    page.click("link", &page.t("key.in_audit"));
    page.find("heading", &page.t("audit.title"));
    page.see("exporter");
    page.finish();
}

#[test]
fn tab_is_loaded_when_it_is_chosen() {
    let (relay, instance) = Relay::before_instance();
    let key = instance.create(&json!({"name": "exporter"}));
    let mut page = Page::open_at(relay.url(), "en");
    page.go(&format!("/#/keys/{}", key.id));
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", &page.t("key.access"));
    let asked = |page: &Page, part: &str| {
        page.requests().iter().filter(|request| request.url.contains(part)).count()
    };
    for part in ["/v1/audit", "/requests", "key/history.js", "key/usage.js"] {
        assert_eq!(asked(&page, part), 0, "{part}");
    }
    relay.answer("key/history.js", BAD_GATEWAY);
    relay.answer("/v1/instance", BAD_GATEWAY);
    page.click("tab", &page.t("key.history"));
    page.see(&page.t("problems.unreachable"));
    relay.pass_all();
    page.click("button", &page.t("actions.retry"));
    page.see(&page.t_with("events.key_create", &[("actor", "ada")]));
    page.click("tab", &page.t("key.overview"));
    page.click("tab", &page.t("key.history"));
    assert_eq!(asked(&page, "/v1/audit"), 1, "the history is loaded once");
    page.expect("status of 502");
    page.finish();
}

/// The owner of a key that is refused sees from where, by which gate and why.
#[test]
fn refused_calls_of_a_key_are_listed_and_filtered() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter"}));
    instance.ask(&Ask::post("/v1/gates", &json!({"name": "orders"}))).expect(201);
    assert_eq!(instance.bare(&Ask::forward_auth(&key.secret)).status, 200);
    let rules = json!({"ip_rules": {"allow": ["10.0.0.0/8"]}});
    instance.ask(&Ask::patch(&format!("/v1/keys/{}", key.id), &rules)).expect(200);
    instance.bare(&Ask::forward_auth(&key.secret)).problem(403, "IP_NOT_ALLOWED");
    instance.act(&key.id, "disable").expect(200);
    for _ in 0..11 {
        instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "DISABLED");
    }
    for language in LANGUAGES {
        let page = open(&instance, &key, "?tab=usage", language);
        // The table of the chart is folded, and before this one.
        let rows = "[...document.querySelectorAll('table')].at(-1).tBodies[0].rows.length";
        let rows = || page.evaluate(rows);
        let row_count = |count: i32| {
            wait(|| format!("not {count} rows"), || (rows() == count).then_some(()));
        };
        page.find("table", &page.t("requests.title"));
        row_count(10);
        page.click("button", &page.t_with("requests.all", &[("count", "12")]));
        row_count(12);
        // The button is gone. The first row that it showed has the focus.
        assert_eq!(page.evaluate("document.activeElement.rowIndex"), 11);
        page.choose(&page.t("requests.reason"), &page.t("codes.IP_NOT_ALLOWED"));
        row_count(1);
        let row = page.within("row", &page.t("codes.IP_NOT_ALLOWED"));
        row.see("192.0.2.7");
        row.see("default");
        page.find_no("combobox", &page.t("requests.gate"));
        page.finish();
    }
}

#[test]
fn chart_shows_all_calls_or_only_those_refused() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter"}));
    let page = open(&instance, &key, "?tab=usage", "en");
    page.see(&page.t("usage.none"));
    page.see(&page.t("requests.none"));
    for _ in 0..5 {
        assert_eq!(instance.bare(&Ask::forward_auth(&key.secret)).status, 200);
    }
    page.click("button", &page.t("usage.days"));
    let legend = |code: &str| page.within("list", &page.t("usage.legend")).see(&page.t(code));
    legend("codes.VALID");
    page.click("button", &page.t("usage.only_refused"));
    page.see(&page.t("usage.none_refused"));
    instance.act(&key.id, "disable").expect(200);
    for _ in 0..3 {
        instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "DISABLED");
    }
    page.click("button", &page.t("usage.hours"));
    legend("codes.DISABLED");
    page.within("list", &page.t("usage.legend")).see_no(&page.t("codes.VALID"));
    page.find("image", &page.t_with("usage.sum", &[("count", "8"), ("refused", "3 refused")]));
    page.click("button", &page.t("usage.all"));
    legend("codes.VALID");
    page.finish();
}

/// In an earlier version, the button said "Test", the failed rule read like one that was met, and users
/// asked whether the test had called their API.
#[test]
fn test_of_access_says_what_would_happen_and_counts_nothing() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter", "permissions": ["reports:read"],
        "ip_rules": {"allow": ["192.0.2.0/24"]}}));
    let refuses = json!({"name": "orders", "environments": ["test"]});
    instance.ask(&Ask::post("/v1/gates", &refuses)).expect(201);
    for language in LANGUAGES {
        let page = open(&instance, &key, "", language);
        page.focus("button", &page.t("explain.title"));
        page.press(&["Enter"]);
        let sheet = page.within("dialog", &page.t("explain.title"));
        sheet.see(&page.t("explain.what"));
        page.fill(&page.t("explain.permission"), "reports:read");
        page.fill(&page.t("explain.address"), "192.0.2.9");
        page.press(&["Enter"]);
        sheet.see(&page.t("explain.would_allow"));
        sheet.see(&page.t("explain.would_reach"));
        sheet.see(&page.t("explain.nothing_called"));

        page.fill(&page.t("explain.permission"), "reports:write");
        page.press(&["Enter"]);
        sheet.see(&page.t("explain.would_refuse"));
        sheet.see(&page.t("explain.why_INSUFFICIENT_PERMISSIONS"));
        sheet.see(&page.t("explain.would_not_reach"));
        page.within("dialog", "reports:write").see(&page.t("explain.not_granted"));
        sheet.click("DisclosureTriangle", &page.t("explain.all_rules"));
        sheet.see(&page.t("explain.rule_IP_NOT_ALLOWED"));
        sheet.see_no(&page.t("explain.rule_INSUFFICIENT_PERMISSIONS"));

        page.choose(&page.t("explain.gate"), "orders");
        sheet.click("button", &page.t("explain.test"));
        sheet.see(&page.t("explain.why_NOT_ACCEPTED_HERE"));
        page.press(&["Escape"]);
        page.no_dialog();
        page.see_focus("button", &page.t("explain.title"));
        page.finish();
    }
    let usage = instance.ask(&Ask::get(&format!("/v1/usage?key={}", key.id))).expect(200);
    assert_eq!(usage["totals"]["calls"], 0);
    assert_eq!(instance.key(&key.id)["last_used"], json!(null));
}

/// In an earlier version, a preset was shown as a long list of permissions that its pattern covers.
#[test]
fn permissions_that_a_pattern_covers_are_folded() {
    let instance = TestServer::start();
    let permissions = json!(["*:read", "diagrams:read", "reports:read", "reports:write"]);
    let key = instance.create(&json!({"name": "exporter", "permissions": permissions}));
    let page = open(&instance, &key, "?tab=access", "en");
    let main = page.within("main", "");
    main.see("reports:write");
    main.see_no("diagrams:read");
    page.click("DisclosureTriangle", &page.t_with("key.all_permissions", &[("count", "4")]));
    main.see("diagrams:read");
    page.finish();
}

/// After a change, every tab that was opened shows it.
#[test]
fn change_in_one_tab_is_shown_in_the_others() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter"}));
    let page = open(&instance, &key, "", "en");
    page.find("heading", &page.t("key.access"));
    page.click("tab", &page.t("key.history"));
    page.see(&page.t_with("events.key_create", &[("actor", "ada")]));
    page.click("tab", &page.t("key.tab_access"));
    page.click("button", &page.t("key.edit_networks"));
    page.fill(&page.t("networks.allow"), "10.0.0.0/8");
    page.within("dialog", "").click("button", &page.t("actions.save"));
    page.no_dialog();
    page.see_focus("button", &page.t("key.edit_networks"));
    page.within("main", "").see("10.0.0.0/8");
    page.click("tab", &page.t("key.overview"));
    page.within("main", "").see("10.0.0.0/8");
    page.click("tab", &page.t("key.history"));
    page.see(&page.t_with("events.key_update", &[("actor", "ada")]));

    page.choose_action("exporter", "key.disable");
    page.within("dialog", "exporter").click("button", &page.t("key.disable_confirm"));
    page.no_dialog();
    page.see_focus("button", &page.t_with("keys.actions_of", &[("name", "exporter")]));
    page.see(&page.t("key.is_disabled"));
    page.choose_action("exporter", "key.enable");
    page.see_no(&page.t("key.is_disabled"));
    page.finish();
}

#[test]
fn replaced_secret_is_listed_with_its_last_use() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter"}));
    let overlap = json!({"overlap": "24h"});
    instance.ask(&Ask::post(&format!("/v1/keys/{}/rotate", key.id), &overlap)).expect(200);
    assert_eq!(instance.bare(&Ask::forward_auth(&key.secret)).status, 200);
    let page = open(&instance, &key, "?tab=secrets", "en");
    page.see(&page.t("keys.rotating"));
    page.within("row", &page.t("rotate.current")).see(&page.t("key.never_used"));
    page.within("row", &page.t("rotate.replaced")).see("192.0.2.7");
    page.finish();
}

#[test]
fn every_tab_fits_the_narrowest_window() {
    let instance = TestServer::start();
    let shares = json!([{"id": instance.team("makers", "visible", &[&instance.owner()]), "access": "write"}]);
    let key = instance.create(&json!({"name": "exporter of all the diagrams of this organization",
        "teams": shares, "permissions": ["diagrams:read", "organizations-and-teams:read"],
        "ip_rules": {"allow": ["2001:db8:1234:5678:9abc:def0:1234:5678/128"]}}));
    instance.act(&key.id, "disable").expect(200);
    instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "DISABLED");
    for language in LANGUAGES {
        let page = open(&instance, &key, "", language);
        page.looks(NARROWEST);
        for tab in TABS {
            page.click("tab", &page.t(tab));
            page.find("tabpanel", &page.t(tab));
            let wider = page.evaluate("document.documentElement.scrollWidth - innerWidth");
            assert_eq!(wider, 0, "{tab} in {language} is wider than the window");
        }
        page.click("button", &page.t("explain.title"));
        page.dialog();
        let wider = page.evaluate(
            "((it) => it.scrollWidth - it.clientWidth)(document.querySelector('dialog form > *'))",
        );
        assert_eq!(wider, 0, "the sheet in {language} is wider than the window");
        page.press(&["Escape"]);
        page.finish();
    }
}

/// Waits until this tab is the chosen one.
fn chosen(page: &Page, text: &str) {
    let selected = "document.querySelector('[role=tab][aria-selected=true]').textContent";
    let found = || page.evaluate(selected);
    wait(|| format!("{} is chosen", found()), || (found() == page.t(text)).then_some(()));
}

fn open(instance: &TestServer, key: &Made, tab: &str, language: &'static str) -> Page {
    let page = Page::open(instance, language);
    page.go(&format!("/#/keys/{}{tab}", key.id));
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", key.key["name"].as_str().unwrap());
    page
}
