//! The audit log as a view.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::driver::wait;
use crate::page::{Look, Page};
use crate::people::PASSWORD as THEIRS;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// Events that are wholly visible without scrolling, on a window of 1280x800.
const EVENTS_VISIBLE_MIN: u64 = 14;
/// Keeps the files that the page gives to the browser.
const KEEP_FILES: &str = "window.files = [];
    const made = URL.createObjectURL.bind(URL);
    URL.createObjectURL = (blob) => { window.files.push(blob); return made(blob); };";

/// In an earlier version, most events of a key showed only its id.
#[test]
fn events_of_a_key_show_its_name() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "courier"}));
    instance.act(&key.id, "disable").expect(200);
    instance.act(&key.id, "revoke").expect(200);
    let page = open(&instance, "/#/audit");
    for action in ["key_disable", "key_revoke", "key_create"] {
        row_of(&page, action).find("link", "courier");
    }
    page.see_no(&key.id);
    page.finish();
}

/// In an earlier version, 50 events were 5,377 px high.
#[test]
fn many_events_are_visible_and_one_unfolds_to_its_difference() {
    let instance = TestServer::start();
    for number in 0..20 {
        instance.create(&json!({"name": format!("key {number}")}));
    }
    let key = instance.create(&json!({"name": "courier"}));
    let renamed = json!({"name": "messenger"});
    instance.ask(&Ask::patch(&format!("/v1/keys/{}", key.id), &renamed)).expect(200);
    let page = open(&instance, "/#/audit");
    let row = row_of(&page, "key_update");
    row.find("link", "messenger");
    let visible = "[...document.querySelectorAll('tbody tr')]
        .filter((row) => row.getBoundingClientRect().bottom <= innerHeight).length";
    let count = page.evaluate(visible).as_u64().unwrap();
    println!("{count} events are visible");
    assert!(count >= EVENTS_VISIBLE_MIN, "{count}");

    let event = &instance.ask(&Ask::get("/v1/audit?action=key.update")).expect(200)["items"][0];
    let unfold = row.names("button").pop().unwrap();
    page.focus("button", &unfold);
    page.press(&["Enter"]);
    let change = page.t_with("events.from_to", &[("before", "courier"), ("after", "messenger")]);
    page.see(&change);
    page.see(event["id"].as_str().unwrap());
    page.see("key.update");
    page.press(&["Enter"]);
    page.see_no(&change);
    page.see_focus("button", &unfold);
    page.finish();
}

#[test]
fn filters_are_in_the_address_and_a_search_finds_names() {
    let instance = TestServer::start();
    let grace = instance.join("grace", "administrator");
    let key = instance.create(&json!({"name": "courier"}));
    instance.team("night watch", "visible", &[&grace]);
    let page = open(&instance, "/#/audit");
    row_of(&page, "key_create");
    page.fill(&page.t("audit_log.search"), "night");
    row_of(&page, "team_create").see("night watch");
    page.see_no("courier");
    assert!(page.address().ends_with("#/audit?search=night"), "{}", page.address());
    page.click("button", &page.t("audit_log.clear"));
    page.see("courier");

    // A chosen filter is a step of the history, and a view that is loaded again keeps it.
    page.choose(&page.t("audit_log.action"), &page.t("audit_log.kind_team"));
    page.see_no("courier");
    page.choose(&page.t("audit_log.time"), &page.t("audit_log.within_7d"));
    page.see("night watch");
    assert!(page.address().ends_with("#/audit?what=team&when=7d"), "{}", page.address());
    page.reload();
    row_of(&page, "team_create");
    page.see_no("courier");
    assert_eq!(page.value(&page.t("audit_log.time")), page.t("audit_log.within_7d"));
    page.back();
    page.back();
    page.see("courier");

    page.choose(&page.t("audit_log.time"), &page.t("audit_log.dates"));
    page.find("Date", &page.t("audit_log.since"));
    page.go("/#/audit?until=2020-01-31");
    page.see(&page.t("audit_log.nothing"));
    page.go(&format!("/#/audit?subject={}", key.id));
    row_of(&page, "key_create");
    page.see_no("night watch");
    page.click("button", &page.t_with("audit_log.of_subject", &[("name", &key.id)]));
    page.see("night watch");
    page.finish();
}

#[test]
fn found_events_are_exported_as_csv_and_json() {
    let instance = TestServer::start();
    for name in ["=cmd()", "a \"quoted\", name"] {
        instance.create(&json!({"name": name}));
    }
    let page = Page::open(&instance, "en");
    keep_files(&page);
    page.go("/#/audit?what=key");
    page.sign_in(EMAIL, PASSWORD);
    page.see("=cmd()");
    export(&page, "CSV");
    let csv = file(&page, 1);
    let mut lines = csv.split("\r\n");
    let heads = lines.next().unwrap();
    assert!(heads.starts_with("time,actor,actor_id,actor_kind,action,object,"), "{heads}");
    assert!(
        lines.next().unwrap().contains(",user,key.create,\"a \"\"quoted\"\", name\",key_"),
        "{csv}"
    );
    assert!(lines.next().unwrap().contains(",user,key.create,'=cmd(),key_"), "{csv}");
    assert_eq!(lines.collect::<Vec<_>>(), [""]);
    export(&page, "JSON");
    let exported: Value = serde_json::from_str(&file(&page, 2)).unwrap();
    let listed = instance.ask(&Ask::get("/v1/audit?action=key.*")).expect(200);
    assert_eq!(exported, listed["items"]);
    page.finish();
}

/// In an earlier version, a reader of the log saw the button of a verification that only operators may run.
#[test]
fn log_is_verified_and_its_head_is_kept() {
    let instance = TestServer::start();
    let reader = instance.join("reader", "administrator");
    let page = Page::open(&instance, "en");
    keep_files(&page);
    page.go("/#/audit");
    page.sign_in(EMAIL, PASSWORD);
    page.click("button", &page.t("audit_log.check"));
    let dialog = page.within("dialog", &page.t("audit_log.check"));
    dialog.click("button", &page.t("audit_log.check_now"));
    dialog.see(&page.t("audit_log.head_hint"));
    dialog.click("button", &page.t("audit_log.save_head"));
    let kept: Value = serde_json::from_str(&file(&page, 1)).unwrap();
    dialog.see(kept["hash"].as_str().unwrap());
    // The head that was kept is in the log, and another one is not.
    dialog.fill(&page.t("audit_log.earlier_head"), kept["hash"].as_str().unwrap());
    dialog.click("button", &page.t("audit_log.check_now"));
    dialog.find_no("button", &page.t("forms.sending"));
    dialog.see_no(&page.t("audit_log.fault_head_unknown"));
    dialog.fill(&page.t("audit_log.earlier_head"), &"0".repeat(64));
    dialog.click("button", &page.t("audit_log.check_now"));
    dialog.see(&page.t("audit_log.fault_head_unknown"));
    page.finish();

    let page = Page::open(&instance, "en");
    page.go("/#/audit");
    page.sign_in(&reader.email, THEIRS);
    page.click("button", &page.t("audit_log.head"));
    let head = instance.ask(&Ask::get("/v1/audit/head")).expect(200);
    let dialog = page.within("dialog", &page.t("audit_log.head"));
    dialog.see(&page.t("audit_log.head_hint"));
    dialog.find("button", &page.t("audit_log.copy_head"));
    assert!(head["number"].as_u64().unwrap() > 0);
    page.find_no("button", &page.t("audit_log.check"));
    page.finish();
}

#[test]
fn events_fit_a_narrow_screen() {
    let instance = TestServer::start();
    instance.create(&json!({"name": "a name that is quite long for a row of the log of a phone"}));
    let page = open(&instance, "/#/audit");
    page.looks(Look { dark: false, width: 320 });
    row_of(&page, "key_create");
    let wider = page.evaluate("document.documentElement.scrollWidth - innerWidth");
    assert!(wider.as_f64().unwrap() <= 0.0, "{wider} px wider than the window");
    page.finish();
}

fn open(instance: &TestServer, path: &str) -> Page {
    let page = Page::open(instance, "en");
    page.go(path);
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", &page.t("audit.title"));
    page
}

/// The row of the only event of the owner with this action.
fn row_of(page: &Page, action: &str) -> crate::part::Part {
    let sentence = page.t_with(&format!("events.{action}"), &[("actor", "ada")]);
    let row = page.within("row", &sentence);
    row.see(&sentence);
    row
}

fn keep_files(page: &Page) {
    page.before_documents(KEEP_FILES);
    page.driver.devtools("Browser.setDownloadBehavior", json!({"behavior": "deny"}));
}

fn export(page: &Page, format: &str) {
    page.click("button", &page.t("audit_log.export_button"));
    let dialog = page.within("dialog", &page.t("audit_log.export"));
    dialog.click("radio", format);
    dialog.click("button", &page.t("audit_log.export_start"));
    page.no_dialog();
}

/// The text of the last of the files that the page gave to the browser, once there are this many.
fn file(page: &Page, count: u64) -> String {
    let missing = || format!("no {count} files");
    wait(missing, || (page.evaluate("window.files.length") == count).then_some(()));
    page.evaluate("window.files.at(-1).text()").as_str().unwrap().to_owned()
}
