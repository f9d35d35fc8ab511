//! Links: setup, invitation, password reset, and links that fill in the form of a new key.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::guides::copied_secret;
use crate::page::Page;
use crate::people::{PASSWORD as THEIRS, acceptance, invitation};
use crate::session_ends::sign_out;
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::LANGUAGES;

const NEW_PASSWORD: &str = "seven slow snails on the wall";

#[test]
fn setup_link_creates_the_owner_and_shows_the_overview() {
    let mut instance = TestServer::start_empty();
    let link = instance.setup_link();
    let mut page = Page::open(&instance, "en");
    page.follow(&link);
    page.find("heading", &page.t("setup.title"));
    // After wrong input the link still works and the input stays.
    page.fill(&page.t("setup.name"), "Ada");
    page.fill(&page.t("setup.email"), EMAIL);
    page.fill(&page.t("setup.password"), "short");
    page.click("button", &page.t("setup.button"));
    page.see(&page.t("faults.invalid_password"));
    assert_eq!(page.value(&page.t("setup.name")), "Ada");
    page.fill(&page.t("setup.password"), PASSWORD);
    page.click("button", &page.t("setup.button"));
    page.find("heading", &page.t("shell.overview"));
    page.find("link", &page.t("keys.new"));
    page.find("button", &page.t_with("shell.account", &[("name", "Ada")]));
    page.assert_keeps_no(token_in(&link));
    instance.sign_in();
    let me = instance.ask(&Ask::get("/v1/session")).expect(200);
    assert_eq!((&me["user"]["email"], &me["user"]["operator"]), (&json!(EMAIL), &json!(true)));
    page.expect("status of 400");
    page.finish();
}

/// In an earlier version, opening another link in the tab of an invalid link changed only the
/// address.
#[test]
fn invitation_works_once() {
    let instance = TestServer::start();
    let invited = |email: &str| {
        let reported = instance.ask(&invitation(email, "user")).expect(201);
        reported["url"].as_str().unwrap().to_owned()
    };
    let (first, second) = (invited("grace@example.com"), invited("lin@example.com"));
    let mut page = Page::open(&instance, "en");
    page.follow(&first);
    assert_names_account(&page, "grace@example.com");
    page.fill(&page.t("invitation.name"), "Grace");
    page.fill(&page.t("invitation.password"), THEIRS);
    page.click("button", &page.t("invitation.button"));
    page.see(&page.t("keys.none"));
    page.find("button", &page.t_with("shell.account", &[("name", "Grace")]));
    page.assert_keeps_no(token_in(&first));
    sign_out(&page, "Grace");

    // A used link says so at once.
    page.follow(&first);
    page.find("heading", &page.t("link.invalid"));
    page.see(&page.t("invitation.link_invalid"));
    assert_eq!(page.names("textbox"), Vec::<String>::new());
    page.follow(&second);
    page.see(&page.t("link.invited_by"));
    page.see("ada");
    page.fill(&page.t("invitation.name"), "Lin");
    page.fill(&page.t("invitation.password"), THEIRS);
    page.click("button", &page.t("invitation.button"));
    page.see(&page.t("keys.none"));
    page.find("button", &page.t_with("shell.account", &[("name", "Lin")]));
    page.expect("status of 401");
    page.expect("status of 403");
    page.finish();
}

/// Another tab may use up the link after its form is shown.
#[test]
fn link_that_was_used_meanwhile_is_reported_as_invalid() {
    let instance = TestServer::start();
    let invited = instance.ask(&invitation("grace@example.com", "user")).expect(201);
    let link = invited["url"].as_str().unwrap();
    let mut page = Page::open(&instance, "en");
    page.follow(link);
    page.fill(&page.t("invitation.name"), "Grace");
    page.fill(&page.t("invitation.password"), THEIRS);
    instance.bare(&acceptance(token_in(link))).expect(201);
    page.click("button", &page.t("invitation.button"));
    page.find("heading", &page.t("link.invalid"));
    page.see(&page.t("invitation.link_invalid"));
    assert_eq!(page.names("textbox"), Vec::<String>::new());
    page.expect("status of 401");
    page.expect("status of 403");
    page.finish();
}

#[test]
fn reset_link_works_once() {
    let instance = TestServer::start();
    let mate = instance.join("mate", "user");
    let reset = Ask::post(&format!("/v1/users/{}/reset", mate.id), &json!({}));
    let reported = instance.ask(&reset).expect(201);
    let link = reported["url"].as_str().unwrap();
    let mut page = Page::open(&instance, "en");
    page.follow(link);
    assert_names_account(&page, &mate.email);
    page.fill(&page.t("reset.password"), NEW_PASSWORD);
    page.click("button", &page.t("reset.button"));
    page.find("heading", &page.t("reset.done"));
    page.assert_keeps_no(token_in(link));
    page.click("button", &page.t("reset.sign_in"));
    page.see(&page.t("sign_in.forgotten"));
    page.sign_in(&mate.email, NEW_PASSWORD);
    sign_out(&page, "Somebody");
    page.follow(link);
    page.find("heading", &page.t("link.invalid"));
    page.see(&page.t("reset.link_invalid"));
    page.expect("status of 401");
    page.expect("status of 403");
    page.finish();
}

#[test]
fn truncated_link_says_what_is_missing() {
    let instance = TestServer::start();
    for language in LANGUAGES {
        let page = Page::open(&instance, language);
        for path in ["/invitation", "/reset"] {
            page.go(path);
            page.see(&page.t("link.incomplete"));
            assert_eq!(page.names("textbox"), Vec::<String>::new());
        }
        page.finish();
    }
}

#[test]
fn link_fills_in_a_new_key_and_creates_nothing() {
    let instance = TestServer::start();
    let page = Page::open(&instance, "en");
    page.go("/#/keys/new?name=diagram%20exporter&permissions=diagrams:read,diagrams:write\
         &kind=service&expires=7d&ip=192.0.2.0/24&description=nightly&color=red&size=3");
    page.sign_in(EMAIL, PASSWORD);
    page.see(&page.t("new_key.from_link"));
    page.see(&page.t("new_key.ignored"));
    page.see("color=red");
    assert_eq!(page.value(&page.t("new_key.name")), "diagram exporter");
    page.reload();
    page.see(&page.t("new_key.from_link"));
    assert_eq!(instance.all_keys(), Vec::<Value>::new());
    page.click("button", &page.t("new_key.save"));
    copied_secret(&page);
    let keys = instance.all_keys();
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    assert_eq!(key["name"], "diagram exporter");
    assert_eq!(key["permissions"], json!(["diagrams:read", "diagrams:write"]));
    assert_eq!((&key["kind"], &key["description"]), (&json!("service"), &json!("nightly")));
    assert_eq!(key["ip_rules"]["allow"], json!(["192.0.2.0/24"]));
    assert!(key["expires_at"].is_string(), "{key}");
    page.finish();
}

/// In an earlier version, a dead link showed the form first, and the user chose a password for nothing.
#[test]
fn dead_link_says_so_at_once() {
    let instance = TestServer::start();
    let invited = instance.ask(&invitation("grace@example.com", "user")).expect(201);
    let link = invited["url"].as_str().unwrap();
    let reset = link.replace("/invitation#", "/reset#");
    let base = instance.server().url();
    for language in LANGUAGES {
        let mut page = Page::open(&instance, language);
        for (path, invalid) in [
            (format!("{base}/invitation#token=anything"), "invitation.link_invalid"),
            (format!("{base}/reset#token=inv_1.x"), "reset.link_invalid"),
            (reset.clone(), "reset.link_invalid"),
        ] {
            page.follow(&path);
            page.find("heading", &page.t("link.invalid"));
            page.see(&page.t(invalid));
            assert_eq!(page.names("textbox"), Vec::<String>::new());
        }
        page.follow(link);
        assert_names_account(&page, "grace@example.com");
        page.expect("status of 403");
        page.finish();
    }
}

/// Password managers stored passwords without an account, because the forms behind links contained
/// no account name.
fn assert_names_account(page: &Page, email: &str) {
    assert_eq!(page.value(&page.t("link.email")), email);
    page.see(&page.t("link.organization"));
    page.see("example.com");
    let named = page.evaluate(
        "[...document.querySelectorAll('form')].map(form => { const { value, readOnly } = \
         form.querySelector('input[autocomplete=username]'); return value + readOnly; }).join()",
    );
    assert_eq!(named, format!("{email}true"));
}

fn token_in(link: &str) -> &str {
    link.rsplit_once("#token=").unwrap().1
}
