//! The list of keys and the form of a new key: filters are kept, faults appear at their field.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::driver::wait;
use crate::page::Page;
use crate::test_server::{EMAIL, Made, PASSWORD, TestServer, made};
use crate::texts::LANGUAGES;

/// Slow enough to close a dialog while its request runs.
const SLOW_MS: u32 = 2_000;
/// Keys that are wholly visible without scrolling, on a window of 1280x800.
const KEYS_VISIBLE_MIN: u64 = 9;

/// In an earlier version, each filter replaced the history entry of the previous filter, and Back
/// left the list.
#[test]
fn back_button_undoes_the_last_filter() {
    let instance = TestServer::start();
    instance.create(&json!({"name": "courier"}));
    instance.create(&json!({"name": "robot"}));
    let page = open(&instance, "/#/keys");
    page.fill(&page.t("keys.search"), "cour");
    page.find_no("link", "robot");
    page.click("button", &page.t("keys.name"));
    at_address(&page, "search=cour&sort=name", true);
    page.choose(&page.t("keys.status"), &page.t("keys.status_disabled"));
    page.see(&page.t("keys.nothing_found"));
    at_address(&page, "search=cour&status=disabled&sort=name", true);
    page.back();
    at_address(&page, "status=disabled", false);
    page.back();
    at_address(&page, "sort=name", false);
    page.find("link", "courier");
    assert_eq!(page.value(&page.t("keys.search")), "cour");
    page.find_no("link", "robot");
    page.finish();
}

/// In an earlier version, a search that still waited for more typing wrote its text into the address
/// of the next view.
#[test]
fn pending_search_does_not_change_another_view() {
    let instance = TestServer::start();
    let page = open(&instance, "/#/keys");
    page.find("searchbox", &page.t("keys.search"));
    // The next view loads slower than the search waits, so the search field is still on the page.
    page.network(Some(600));
    page.evaluate(
        "{ const field = document.querySelector('main input'); field.value = 'late'; \
         field.dispatchEvent(new Event('input', {bubbles: true})); location.hash = '#/teams'; }",
    );
    page.find("heading", &page.t("teams.title"));
    // The list waits 250 ms for the next letter. A timer of the test that starts later also ends
    // later.
    page.evaluate("new Promise((done) => setTimeout(done, 250))");
    assert!(page.address().ends_with("/#/teams"), "{}", page.address());
    page.finish();
}

/// Two users rename a key at the same time: the second user sees the conflict, and the input stays.
#[test]
fn conflicting_rename_is_shown_before_it_is_overwritten() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "courier"}));
    let mut page = open(&instance, "/#/keys");
    let rename = |name: &str| page.t_with("keys.rename", &[("name", name)]);
    page.click("button", &rename("courier"));
    let path = format!("/v1/keys/{}", key.id);
    instance.ask(&Ask::patch(&path, &json!({"name": "their name"}))).expect(200);
    page.fill(&page.t("keys.name"), "my name");
    page.press(&["Enter"]);
    page.see(&page.t_with("faults.renamed_meanwhile", &[("name", "their name")]));
    assert_eq!(instance.key(&key.id)["name"], "their name");
    assert_eq!(page.value(&page.t("keys.name")), "my name");
    page.press(&["Enter"]);
    page.find("link", "my name");
    page.see_focus("button", &rename("my name"));

    // If only other fields were changed, the name is saved without a question.
    page.press(&["Enter"]);
    instance.ask(&Ask::patch(&path, &json!({"description": "meanwhile"}))).expect(200);
    page.fill(&page.t("keys.name"), "last name");
    page.press(&["Enter"]);
    page.find("link", "last name");
    assert_eq!(instance.key(&key.id)["description"], "meanwhile");
    page.expect("412 (Precondition Failed)");
    page.finish();
}

#[test]
fn read_access_to_a_shared_key_offers_no_rename() {
    let instance = TestServer::start();
    let mate = instance.join("mate", "user");
    let (looks, writes) = ("looked at", "written by all");
    let team = instance.team("makers", "visible", &[&instance.owner(), &mate]);
    for (name, access) in [(looks, "read"), (writes, "write")] {
        let shares = json!([{"id": team, "access": access}]);
        instance.create(&json!({"name": name, "teams": shares}));
    }
    let page = Page::open(&instance, "en");
    page.go("/#/keys?tab=all");
    page.sign_in(&mate.email, crate::people::PASSWORD);
    page.find("link", looks);
    page.find("button", &page.t_with("keys.rename", &[("name", writes)]));
    page.find_no("button", &page.t_with("keys.rename", &[("name", looks)]));
    page.finish();
}

/// In an earlier version, keys created by a leaked key kept working and had to be revoked one by
/// one.
#[test]
fn key_is_revoked_with_the_keys_that_it_created() {
    let instance = TestServer::start();
    let robot = instance.create(&json!({"name": "robot", "permissions": ["keyhouse:keys:create"]}));
    let create = |by: &Made, name: &str| {
        let fields = json!({"name": name, "permissions": ["keyhouse:keys:create"]});
        made(&instance.bare(&Ask::post("/v1/keys", &fields).bearer(&by.secret)).expect(201))
    };
    let child = create(&robot, "child");
    let grandchild = create(&child, "grandchild");
    let page = open(&instance, &format!("/#/keys/{}", grandchild.id));
    page.choose_action("grandchild", "key.revoke");
    let dialog = page.within("dialog", &page.t("key.revoke_title"));
    dialog.find("button", &page.t("key.revoke_confirm"));
    assert_eq!(dialog.names("checkbox"), Vec::<String>::new());
    dialog.click("button", &page.t("actions.cancel"));
    page.no_dialog();

    page.go(&format!("/#/keys/{}", robot.id));
    page.find("heading", "robot");
    page.choose_action("robot", "key.revoke");
    dialog.click("checkbox", &page.t_with("key.revoke_descendants", &[("count", "2")]));
    dialog.click("button", &page.t("key.revoke_confirm"));
    page.no_dialog();
    page.see(&page.t("status.revoked"));
    for key in [&robot, &child, &grandchild] {
        instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "REVOKED");
    }
    page.finish();
}

/// In an earlier version, the page reported all keys as revoked, even if some were not.
#[test]
fn keys_that_remain_after_a_revocation_are_counted() {
    let instance = TestServer::start();
    let mate = instance.join("mate", "user");
    let team = instance.team("makers", "visible", &[&instance.owner(), &mate]);
    let permissions = json!(["keyhouse:keys:manage"]);
    let shared = json!({"name": "robot", "kind": "service", "permissions": permissions,
        "teams": [{"id": team, "access": "write"}]});
    let robot = instance.create(&shared);
    let child = json!({"kind": "service", "permissions": permissions});
    let children = [(); 2].map(|()| {
        made(&instance.bare(&Ask::post("/v1/keys", &child).bearer(&robot.secret)).expect(201))
    });
    let page = Page::open(&instance, "en");
    page.go(&format!("/#/keys/{}", robot.id));
    page.sign_in(&mate.email, crate::people::PASSWORD);
    page.choose_action("robot", "key.revoke");
    let dialog = page.within("dialog", &page.t("key.revoke_title"));
    dialog.click("checkbox", &page.t_with("key.revoke_descendants", &[("count", "2")]));
    dialog.click("button", &page.t("key.revoke_confirm"));
    let reported = page.within("dialog", &page.t_with("key.descendants_left", &[("count", "2")]));
    reported.click("button", &page.t("actions.close"));
    page.no_dialog();
    page.see(&page.t("status.revoked"));
    instance.bare(&Ask::forward_auth(&robot.secret)).problem(401, "REVOKED");
    for key in &children {
        assert_eq!(instance.bare(&Ask::forward_auth(&key.secret)).status, 200);
    }
    page.finish();
}

/// In an earlier version, invalid values of a link were ignored silently: a wrong day became 30 days, a
/// wrong team became no team.
#[test]
fn values_of_a_link_are_filled_in_or_listed_as_ignored() {
    let instance = TestServer::start();
    instance.team("makers", "visible", &[&instance.owner()]);
    let page = open(
        &instance,
        "/#/keys/new?name=by%20link&expires=12d&team=Makers:write,unknown&kind=both&ip=10.0.0.0/99&colour=red",
    );
    page.see(&page.t("new_key.from_link"));
    for strange in ["team=unknown", "kind=both", "colour=red"] {
        page.see(strange);
    }
    for known in ["expires=", "team=Makers", "ip="] {
        assert!(!page.text().contains(known), "{}", page.text());
    }
    assert_eq!(page.find("radio", &page.t("expiry.date")).checked, "true");
    assert_eq!(page.find("combobox", "makers").value, page.t("new_key.share_write"));
    // A mistyped IP restriction is rejected, not dropped.
    page.click("button", &page.t("new_key.save"));
    page.see(&page.t("faults.invalid_network"));
    assert!(instance.all_keys().is_empty());
    page.fill(&page.t("networks.allow"), "10.0.0.0/8");
    page.click("button", &page.t("new_key.save"));
    page.dialog();
    assert_eq!(instance.all_keys()[0]["ip_rules"]["allow"], json!(["10.0.0.0/8"]));
    end_with_400(page);
}

#[test]
fn fault_in_a_closed_section_opens_it_and_gets_the_focus() {
    let instance = TestServer::start();
    let page = open(&instance, "/#/keys/new");
    page.click("DisclosureTriangle", &page.t("new_key.more"));
    page.fill(&page.t("new_key.environment"), "Not One");
    page.click("DisclosureTriangle", &page.t("new_key.more"));
    page.find_no("textbox", &page.t("new_key.environment"));
    page.click("button", &page.t("new_key.save"));
    page.see_focus("textbox", &page.t("new_key.environment"));
    page.see(&page.t("faults.invalid_environment"));
    end_with_400(page);
}

/// In an earlier version, Enter in the permission search created the key.
#[test]
fn enter_in_the_permission_search_creates_no_key() {
    let instance = TestServer::start();
    for name in ["diagrams:read", "diagrams:write", "reports:read"] {
        instance.ask(&Ask::post("/v1/permissions", &json!({"name": name}))).expect(201);
    }
    let page = open(&instance, "/#/keys/new");
    page.click("radio", &page.t("new_key.custom"));
    page.fill(&page.t("matrix.find"), "diag");
    page.press(&["Enter"]);
    page.find_no("radiogroup", "reports");
    page.within("radiogroup", "diagrams").click("radio", &page.t("matrix.level_all"));
    let everything = page.t_with("permission_words.all_of", &[("resource", "diagrams")]);
    page.see(&page.t_with("permission_words.key", &[("what", &everything)]));
    assert!(instance.all_keys().is_empty());
    page.finish();
}

/// In an earlier version, Enter in the name created a key that reads everything.
#[test]
fn enter_in_a_field_creates_no_key() {
    let instance = TestServer::start();
    let page = open(&instance, "/#/keys/new");
    page.fill(&page.t("new_key.name"), "too early");
    page.press(&["Enter"]);
    page.click("button", &page.t("new_key.another"));
    assert_ne!(page.value(&page.t("new_key.name")), "too early");
    assert!(instance.all_keys().is_empty());
    page.finish();
}

/// In an earlier version, the list was at its top and first page again.
#[test]
fn back_button_returns_to_the_place_in_a_long_list() {
    let instance = TestServer::start();
    for number in 10..85 {
        instance.create(&json!({"name": format!("exporter {number}")}));
    }
    let page = open(&instance, "/#/keys");
    page.find("link", "exporter 84");
    page.click("button", &page.t("lists.more"));
    page.click("link", "exporter 15");
    page.find("heading", "exporter 15");
    page.back();
    page.find("link", "exporter 15");
    let here = "document.querySelector('a[title=\"exporter 15\"]').getBoundingClientRect().top";
    let is_there = || page.evaluate(here).as_f64().is_some_and(|top| (0.0..800.0).contains(&top));
    wait(|| "the row is out of sight".to_owned(), || is_there().then_some(()));
    // A new visit begins at the top.
    page.click("link", &page.t("teams.title"));
    page.find("heading", &page.t("teams.title"));
    page.within("navigation", &page.t("teams.title")).click("link", &page.t("keys.title"));
    page.find("link", "exporter 84");
    page.find_no("link", "exporter 15");
    page.finish();
}

/// In an earlier version, the row stayed active until the next load.
#[test]
fn escape_during_a_revocation_still_shows_its_result() {
    let instance = TestServer::start();
    instance.create(&json!({"name": "courier"}));
    let page = open(&instance, "/#/keys");
    page.click("button", &page.t_with("keys.revoke", &[("name", "courier")]));
    let dialog = page.within("dialog", "courier");
    dialog.find("button", &page.t("key.revoke_confirm"));
    page.network(Some(SLOW_MS));
    dialog.click("button", &page.t("key.revoke_confirm"));
    page.press(&["Escape"]);
    page.no_dialog();
    page.within("row", "courier").see(&page.t("status.revoked"));
    page.see(&page.t("key.revoked"));
    page.finish();
}

/// In an earlier version, each sorted list began at the top of the page for the keyboard.
#[test]
fn heading_that_sorts_keeps_the_focus() {
    let instance = TestServer::start();
    instance.create(&json!({"name": "courier"}));
    let page = open(&instance, "/#/keys");
    page.find("link", "courier");
    for sort in ["sort=name", "sort=-name"] {
        page.focus("button", &page.t("keys.name"));
        page.press(&["Enter"]);
        at_address(&page, sort, true);
        let order = if sort.contains('-') { "descending" } else { "ascending" };
        let shown = format!("document.querySelector('th[aria-sort={order}]') !== null");
        wait(
            || format!("the list is not {order}"),
            || (page.evaluate(&shown) == true).then_some(()),
        );
        page.see_focus("button", &page.t("keys.name"));
    }
    page.finish();
}

/// In an earlier version, the page asked for a list of zero keys, and showed an error.
#[test]
fn back_button_returns_to_an_empty_list() {
    let instance = TestServer::start();
    let page = open(&instance, "/#/keys");
    page.click("link", &page.t("keys.create_first"));
    page.find("textbox", &page.t("new_key.name"));
    page.back();
    page.find("heading", &page.t("keys.none"));
    page.finish();
}

#[test]
fn row_menu_disables_a_key_by_keyboard() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "courier"}));
    let page = open(&instance, "/#/keys");
    page.focus("button", &page.t_with("keys.actions_of", &[("name", "courier")]));
    page.press(&["Enter", "Tab"]);
    page.see_focus("button", &page.t("keys.copy_id"));
    page.press(&["Down", "Down", "Down"]);
    page.see_focus("button", &page.t("key.disable"));
    page.press(&["Enter"]);
    page.within("dialog", "courier").click("button", &page.t("key.disable_confirm"));
    page.no_dialog();
    page.within("row", "courier").see(&page.t("status.disabled"));
    // In an earlier version, the menu's button was replaced and the focus was lost.
    page.see_focus("link", "courier");
    assert_eq!(instance.key(&key.id)["status"], "disabled");
    page.finish();
}

/// In an earlier version, the row stayed active after the server had refused the rename.
#[test]
fn rename_of_a_key_revoked_elsewhere_shows_that_it_is_revoked() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "courier"}));
    let mut page = open(&instance, "/#/keys");
    let rename = page.t_with("keys.rename", &[("name", "courier")]);
    page.click("button", &rename);
    // In an earlier version, the field was 84 px wide.
    let width = page.evaluate("document.querySelector('.rename input').clientWidth");
    assert!(width.as_f64().unwrap() > 110.0, "{width} px");
    instance.act(&key.id, "revoke").expect(200);
    page.fill(&page.t("keys.name"), "too late");
    page.press(&["Enter"]);
    page.within("row", "courier").see(&page.t("status.revoked"));
    page.find_no("button", &rename);
    page.find_no("textbox", &page.t("keys.name"));
    page.expect("412 (Precondition Failed)");
    page.expect("409 (Conflict)");
    page.finish();
}

/// In an earlier version, the list ignored the team and showed all keys.
#[test]
fn team_leads_to_the_keys_shared_with_it() {
    let instance = TestServer::start();
    let team = instance.team("makers", "visible", &[&instance.owner()]);
    let shares = json!([{"id": team, "access": "read"}]);
    instance.create(&json!({"name": "shared", "teams": shares}));
    instance.create(&json!({"name": "private"}));
    let page = open(&instance, &format!("/#/teams/{team}"));
    page.click("link", &page.t("team.keys_link"));
    page.find("link", "shared");
    page.find_no("link", "private");
    page.click("link", &page.t("keys.tab_mine"));
    page.find("link", "private");
    page.click("link", &page.t("keys.tab_shared"));
    page.find_no("link", "private");
    page.find("link", "shared");
    page.finish();
}

/// In an earlier version, the tab had the keys of one team at a time, and a link to the keys of a team led users
/// to their own keys.
#[test]
fn keys_of_all_own_teams_are_in_one_tab() {
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let mate = instance.join("mate", "user");
    mate.make(&instance, &json!({"name": "own"}));
    let teams = ["makers", "watchers"].map(|name| {
        let team = instance.team(name, "visible", &[&mate]);
        let shares = json!([{"id": team, "access": "read"}]);
        instance.create(&json!({"name": format!("of {name}"), "teams": shares}));
        team
    });
    let page = Page::open(&instance, "en");
    page.go("/#/keys");
    page.sign_in(&mate.email, crate::people::PASSWORD);
    page.find("link", "own");
    page.see(&format!("{} 2", page.t("keys.tab_shared")));
    page.click("link", &page.t("keys.tab_shared"));
    page.find("link", "of makers");
    page.find("link", "of watchers");
    page.find_no("link", "own");
    page.choose(&page.t("keys.team"), "watchers");
    page.find_no("link", "of makers");
    page.find("link", "of watchers");
    page.go(&format!("/#/keys?team={}", teams[0]));
    page.find("link", "of makers");
    page.find_no("link", "own");
    page.finish();
}

/// In an earlier version, texts of several lines made rows of two heights, and two rows of filters.
#[test]
fn rows_of_the_list_are_low_in_every_language() {
    let instance = TestServer::start();
    let team = instance.team("diagram makers of the north", "visible", &[&instance.owner()]);
    let shares = json!([{"id": team, "access": "read"}]);
    for number in 0..12 {
        let key = if number % 2 == 0 {
            json!({"name": format!("exporter {number}"), "teams": shares})
        } else {
            json!({"name": "importer of a long name", "kind": "service", "expires_in": "90d",
                "permissions": ["diagrams:read", "diagrams:write", "backups:*"]})
        };
        let made = instance.create(&key);
        assert_eq!(instance.bare(&Ask::forward_auth(&made.secret)).status, 200);
    }
    for language in LANGUAGES {
        let page = Page::open(&instance, language);
        page.go("/#/keys");
        page.sign_in(EMAIL, PASSWORD);
        page.find("link", "exporter 0");
        let heights =
            "[...document.querySelectorAll('.keys tbody tr')].map((row) => row.offsetHeight)";
        let shown = page.evaluate(&format!(
            "[Math.max(...{heights}) <= 50, [...document.querySelectorAll('.keys tbody tr')].filter(
             (row) => row.getBoundingClientRect().bottom <= innerHeight).length >= {KEYS_VISIBLE_MIN}]"
        ));
        assert_eq!(shown, json!([true, true]), "{language}: {}", page.evaluate(heights));
        page.finish();
    }
}

/// In an earlier version, the keys of others filled the list.
#[test]
fn keys_that_a_user_may_not_open_are_one_line() {
    let instance = TestServer::start();
    for name in ["first", "second"] {
        instance.create(&json!({"name": name}));
    }
    let mate = instance.join("mate", "user");
    let page = Page::open(&instance, "en");
    page.go("/#/keys");
    page.sign_in(&mate.email, crate::people::PASSWORD);
    page.find("heading", &page.t("keys.none"));
    page.click("link", &page.t("keys.tab_all"));
    page.see(&page.t_with("keys.hidden", &[("count", "2")]));
    assert_eq!(page.names("table"), Vec::<String>::new());
    page.finish();
}

/// In an earlier version, the faults of typed permissions stood in one line below the whole section.
#[test]
fn faults_of_typed_permissions_are_at_their_field() {
    let instance = TestServer::start();
    let page = open(&instance, "/#/keys/new");
    page.click("radio", &page.t("new_key.custom"));
    page.fill(&page.t("matrix.typed"), "Diagrams Read");
    page.click("button", &page.t("new_key.save"));
    page.see_focus("textbox", &optional(&page, "matrix.typed"));
    let below = "[...document.querySelectorAll('textarea[name=other] ~ .fault > *')].length";
    wait(|| "two faults".to_owned(), || (page.evaluate(below) == 2).then_some(()));
    end_with_400(page);
}

fn optional(page: &Page, key: &str) -> String {
    format!("{} {}", page.t(key), page.t("forms.optional"))
}

fn open(instance: &TestServer, path: &str) -> Page {
    let page = Page::open(instance, "en");
    page.go(path);
    page.sign_in(EMAIL, PASSWORD);
    page
}

/// Waits until the address ends with a text, or no longer contains a text.
fn at_address(page: &Page, part: &str, holds: bool) {
    let missing = || format!("{part} ({holds}): {}", page.address());
    wait(missing, || (page.address().contains(part) == holds).then_some(()));
}

fn end_with_400(mut page: Page) {
    page.expect("400 (Bad Request)");
    page.finish();
}

/// The list shows each key's calls of the last 24 hours, with one request for all rows.
#[test]
fn calls_of_the_last_day_are_drawn_in_each_row() {
    let instance = TestServer::start();
    let used = instance.create(&json!({"name": "used"}));
    instance.create(&json!({"name": "unused"}));
    for _ in 0..3 {
        assert_eq!(instance.bare(&Ask::forward_auth(&used.secret)).status, 200);
    }
    instance.act(&used.id, "disable").expect(200);
    instance.bare(&Ask::forward_auth(&used.secret)).problem(401, "DISABLED");
    let page = open(&instance, "/#/keys");
    page.find("columnheader", &page.t("keys.last_day"));
    let sum = page.t_with("usage.sum", &[("count", "4"), ("refused", "1 refused")]);
    page.find("image", &sum);
    page.finish();
}

#[test]
fn listed_keys_are_exported_as_csv() {
    let instance = TestServer::start();
    instance.create(&json!({"name": "=courier, \"first\"", "permissions": ["diagrams:read"]}));
    instance.create(&json!({"name": "robot"}));
    let page = open(&instance, "/#/keys?search=courier");
    page.find("link", "=courier, \"first\"");
    page.evaluate(
        "{ const made = URL.createObjectURL; \
         URL.createObjectURL = (file) => { window.saved = file; return made.call(URL, file); }; }",
    );
    page.click("button", &page.t("keys.export"));
    page.see(&page.t("keys.exported.one"));
    let csv = page.evaluate("window.saved.text()");
    let lines: Vec<&str> = csv.as_str().unwrap().split("\r\n").collect();
    assert!(lines[0].starts_with("id,name,description,kind,"), "{csv}");
    assert!(lines[1].contains(",\"'=courier, \"\"first\"\"\",,personal,"), "{csv}");
    assert_eq!(lines.len(), 3, "{csv}");
    page.finish();
}
