//! Names with markup or scripts are shown as plain text in every view.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::page::{Look, Page};
use crate::test_server::{EMAIL, PASSWORD, TestServer};

const MARKUP: &str = "<img src=x onerror=alert(1)>";

#[test]
fn markup_in_a_name_is_shown_as_text_everywhere() {
    shown_everywhere(MARKUP);
}

#[test]
fn name_of_two_hundred_emoji_works() {
    shown_everywhere(&"🔑".repeat(200));
}

fn shown_everywhere(name: &str) {
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let mate = instance.join("mate", "user");
    let team = instance.team(name, "visible", &[&instance.owner(), &mate]);
    instance.role(name, &["diagrams:read"]);
    let shares = json!([{"id": team, "access": "write"}]);
    let draft =
        json!({"name": name, "description": name, "teams": shares, "metadata": {"note": name}});
    let key = mate.make(&instance, &draft);
    let revoked = instance.create(&json!({"name": name}));
    let reason = json!({"reason": name});
    instance.ask(&Ask::post(&format!("/v1/keys/{}/revoke", revoked.id), &reason)).expect(200);
    instance.bare(&Ask::forward_auth(&key.secret));
    let gate = json!({"name": "orders", "description": name});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);

    let page = Page::open(&instance, "en");
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    let shown = |place: &str| is_text(&page, name, place);
    shown("the list of keys");
    page.go("/#/keys?status=revoked");
    shown("the list of revoked keys");
    page.go(&format!("/#/keys/{}", revoked.id));
    shown("a revoked key");
    page.go(&format!("/#/keys/{}", key.id));
    shown("a key");
    page.click("button", &page.t("key.rename"));
    assert_eq!(page.value(&page.t("key.name")), name);
    page.press(&["Escape"]);
    page.choose_action(name, "key.revoke");
    page.dialog();
    shown("the question before a key is revoked");
    page.press(&["Escape"]);
    page.no_dialog();
    for (place, path) in [
        ("the teams", "/#/teams".to_owned()),
        ("a team", format!("/#/teams/{team}")),
        ("the roles", "/#/roles".to_owned()),
        ("the usage", "/#/usage".to_owned()),
        ("the audit log", "/#/audit".to_owned()),
        ("the gates", "/#/gates".to_owned()),
        ("a gate", "/#/gates/orders".to_owned()),
        ("the team filter", format!("/#/keys?team={team}")),
    ] {
        page.go(&path);
        shown(place);
    }
    let query = encoded(name);
    page.go(&format!("/#/keys/new?name={query}"));
    page.see(&page.t("new_key.from_link"));
    assert_eq!(page.value(&page.t("new_key.name")), name);
    page.click("button", &page.t("new_key.save"));
    page.dialog();
    shown("the dialog of a new key");
    page.click("checkbox", &page.t("secret.saved"));
    page.click("button", &page.t("secret.close"));
    page.no_dialog();
    page.go(&format!("/#/people/{}", mate.id));
    page.find("button", &page.t("person.remove_button"));
    page.click("button", &page.t("person.remove_button"));
    page.dialog();
    shown("the question before a user is removed");
    page.finish();
}

/// The name is shown as text, created no element, and fits a narrow window.
fn is_text(page: &Page, name: &str, place: &str) {
    page.see(name);
    let strange =
        page.evaluate("document.querySelectorAll('img, [onerror], script:not([src])').length");
    assert_eq!(strange, 0, "{place} made markup of it");
    let title = page.evaluate("document.title");
    assert!(!title.as_str().unwrap().contains("&lt;"), "{place}: {title}");
    for look in Look::LIGHT {
        page.looks(look);
        let wider = page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert!(wider.as_f64().unwrap() <= 0.0, "{place} is {wider} px wider than its window");
    }
    page.looks(Look::DESK);
}

fn encoded(name: &str) -> String {
    let hex: Vec<String> = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    hex.concat()
}
