//! The rules of both guides, step by step in each language: owners decide about keys, or each user does. From the
//! sign-in to an allowed and a refused request with the copied key.

use serde_json::json;

use super::copied_secret;
use crate::ask::{Ask, Expect};
use crate::page::Page;
use crate::people::{PASSWORD as THEIRS, Person};
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::LANGUAGES;

#[test]
fn owner_manages_keys_and_user_sees_that_keys_exist_in_english() {
    an_owner_decides("en");
}

#[test]
fn owner_manages_keys_and_user_sees_that_keys_exist_in_french() {
    an_owner_decides("fr");
}

#[test]
fn owner_manages_keys_and_user_sees_that_keys_exist_in_spanish() {
    an_owner_decides("es");
}

#[test]
fn user_creates_keys_and_revokes_one_in_english() {
    a_user_helps_themselves("en");
}

#[test]
fn user_creates_keys_and_revokes_one_in_french() {
    a_user_helps_themselves("fr");
}

#[test]
fn user_creates_keys_and_revokes_one_in_spanish() {
    a_user_helps_themselves("es");
}

/// Owners and administrators decide; users see that keys exist.
fn an_owner_decides(language: &'static str) {
    let instance = TestServer::start();
    instance
        .ask(&Ask::patch("/v1/organization", &json!({"members_create_keys": false})))
        .expect(200);
    instance.ask(&Ask::post("/v1/permissions", &json!({"name": "diagrams:read"}))).expect(201);
    let (mate, outsider) = (instance.join("mate", "user"), instance.join("outsider", "user"));
    instance.team("diagram makers", "visible", &[&instance.owner(), &mate]);

    // The owner signs in and opens User > API keys.
    let page = Page::open(&instance, language);
    page.go("/");
    page.sign_in(EMAIL, PASSWORD);
    open_keys_by_menu(&page, "ada");

    // The owner creates a key, names it, grants only the needed permissions, and shares the key.
    page.click("link", &page.t("keys.create_first"));
    page.fill(&page.t("new_key.name"), "diagram exporter");
    page.click("radio", &page.t("new_key.owner_organization"));
    page.click("radio", &page.t("new_key.custom"));
    page.within("radiogroup", "diagrams").click("radio", &page.t("matrix.level_read"));
    page.fill(&page.t("key.share_more"), "diagram");
    page.click("option", "diagram makers");
    page.choose("diagram makers", &page.t("new_key.share_read"));
    page.click("button", &page.t("new_key.save"));
    let secret = copied_secret(&page);
    page.find("heading", "diagram exporter");

    // The key works within its permissions only.
    assert_eq!(forward(&instance, &secret), 200);
    let may = |permission: &str| {
        let body = json!({"key": secret, "permissions": permission});
        instance.ask(&Ask::post("/v1/verify", &body)).expect(200)["code"].clone()
    };
    assert_eq!(may("diagrams:write"), "INSUFFICIENT_PERMISSIONS");

    // A user sees the key without details, and why the user can't create keys.
    let theirs = signed_in(&instance, language, &outsider);
    theirs.find("heading", &theirs.t("keys.title"));
    theirs.see(&theirs.t("keys.members_cannot_create"));
    theirs.click("link", &theirs.t("keys.tab_all"));
    theirs.see(&theirs.t("keys.none_open"));
    assert!(!theirs.text().contains("diagram exporter"), "{}", theirs.text());
    assert_eq!(
        theirs.names("link").iter().filter(|name| **name == theirs.t("keys.new")).count(),
        0
    );
    theirs.finish();

    // A team member sees all details of the key.
    let theirs = signed_in(&instance, language, &mate);
    theirs.click("link", &theirs.t("keys.tab_shared"));
    theirs.click("link", "diagram exporter");
    theirs.find("heading", "diagram exporter");
    theirs.finish();

    // The owner sees the key's last use and address, and revokes the key: the next request is
    // refused.
    page.go("/#/keys");
    page.see("192.0.2.7");
    revoke(&page, "diagram exporter");
    instance.bare(&Ask::forward_auth(&secret)).problem(401, "REVOKED");
    page.finish();
}

/// Users create any number of their own keys.
fn a_user_helps_themselves(language: &'static str) {
    let instance = TestServer::start();
    let user = instance.join("maker", "user");
    let page = signed_in(&instance, language, &user);
    open_keys_by_menu(&page, "Somebody");

    // The user creates a key for each application; the page proposes a readable name.
    page.click("link", &page.t("keys.create_first"));
    let proposed = page.value(&page.t("new_key.name"));
    assert!(proposed.split('-').count() >= 3, "{proposed}");
    page.click("radio", &page.t("new_key.full_access"));
    page.click("button", &page.t("new_key.save"));
    let first = copied_secret(&page);
    page.find("heading", &proposed);
    page.go("/#/keys");
    page.click("link", &page.t("keys.new"));
    page.fill(&page.t("new_key.name"), "exporter");
    page.click("radio", &page.t("new_key.read_write"));
    page.click("button", &page.t("new_key.save"));
    let second = copied_secret(&page);
    assert_ne!(first, second);
    assert_eq!((forward(&instance, &first), forward(&instance, &second)), (200, 200));

    // The list shows name, last use and last address. The user renames a key in the list.
    page.go("/#/keys");
    page.see("192.0.2.7");
    page.click("button", &page.t_with("keys.rename", &[("name", "exporter")]));
    page.fill(&page.t("keys.name"), "old exporter");
    page.press(&["Enter"]);
    page.find("link", "old exporter");

    // A revoked key is refused at once; the other keeps working.
    revoke(&page, "old exporter");
    instance.bare(&Ask::forward_auth(&second)).problem(401, "REVOKED");
    assert_eq!(forward(&instance, &first), 200);
    page.finish();
}

/// Each language of the page has both tests above.
#[test]
fn every_language_is_tested() {
    assert_eq!(LANGUAGES, ["en", "fr", "es"]);
}

fn open_keys_by_menu(page: &Page, name: &str) {
    page.click("button", &page.t_with("shell.account", &[("name", name)]));
    page.within("navigation", &page.t("shell.sign_out")).click("link", &page.t("keys.title"));
    page.find("heading", &page.t("keys.title"));
}

fn revoke(page: &Page, name: &str) {
    page.click("link", name);
    page.choose_action(name, "key.revoke");
    assert_eq!(page.dialog(), page.t("key.revoke_title"));
    page.within("dialog", name).click("button", &page.t("key.revoke_confirm"));
    page.no_dialog();
    page.see(&page.t("status.revoked"));
}

fn signed_in(instance: &TestServer, language: &'static str, person: &Person) -> Page {
    let page = Page::open(instance, language);
    page.go("/");
    page.sign_in(&person.email, THEIRS);
    page
}

/// Returns the status that a proxy in front of a protected API receives.
fn forward(instance: &TestServer, secret: &str) -> u16 {
    instance.bare(&Ask::forward_auth(secret)).status
}
