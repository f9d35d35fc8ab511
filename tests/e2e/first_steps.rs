//! The first steps on the overview: they tick themselves when they are taken, and can be hidden.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::gates::code_with;
use crate::page::Page;
use crate::people::{PASSWORD as THEIRS, invitation};
use crate::test_server::{EMAIL, Made, PASSWORD, TestServer, made};
use crate::texts::LANGUAGES;

pub(crate) fn open(instance: &TestServer, language: &'static str) -> Page {
    let page = Page::open(instance, language);
    page.go("/#/overview");
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", &page.t("first_steps.title"));
    page
}

fn see_done(page: &Page, done: &str, count: &str) {
    page.see(&page.t_with("first_steps.progress", &[("done", done), ("count", count)]));
}

fn call_whoami(instance: &TestServer, key: &Made) {
    instance.bare(&Ask::get("/v1/whoami").bearer(&key.secret)).expect(200);
}

/// Opens all steps.
pub(crate) fn open_steps(page: &Page) {
    for step in ["first_steps.step_call", "first_steps.step_proxy", "first_steps.step_colleague"] {
        page.click("DisclosureTriangle", &page.t(step));
    }
    code_with(page, "forward-auth/default");
}

#[test]
fn steps_tick_themselves_when_they_are_taken() {
    let instance = TestServer::start();
    let gate = json!({"name": "orders", "routes": [{"path": "/**"}]});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    let page = open(&instance, "en");
    see_done(&page, "0", "4");
    page.find("link", &page.t("keys.create_first"));
    page.see_no("curl -H");

    let key = instance.create(&json!({"name": "first"}));
    see_done(&page, "1", "4");
    // The next step opens.
    let line = code_with(&page, "curl -H");
    let url = format!("http://{}/v1/whoami", instance.address());
    assert_eq!(line, format!("curl -H \"Authorization: Bearer $API_KEY\" {url}"));
    call_whoami(&instance, &key);
    see_done(&page, "2", "4");

    let nginx = code_with(&page, "proxy_pass http://keyhouse/v1/forward-auth/orders;");
    assert!(nginx.contains(&format!("server {};", instance.address())), "{nginx}");
    page.choose(&page.t("gate.which_proxy"), "Envoy");
    code_with(&page, "path_prefix: /v1/ext-authz/orders");
    page.choose(&page.t("first_steps.gate"), "default");
    code_with(&page, "path_prefix: /v1/ext-authz/default");
    instance.bare(&Ask::forward_auth(&key.secret)).expect(200);
    see_done(&page, "3", "4");

    page.find("link", &page.t("first_steps.to_people"));
    instance.ask(&invitation("lin@example.com", "user")).expect(201);
    page.see(&page.t("first_steps.finished"));
    page.reload();
    page.find("heading", &page.t("overview.attention"));
    page.find_no("heading", &page.t("first_steps.title"));
    page.find_no("button", &page.t("first_steps.title"));
    page.finish();
}

#[test]
fn first_key_is_created_from_the_list() {
    let instance = TestServer::start();
    for language in LANGUAGES {
        let page = open(&instance, language);
        page.click("link", &page.t("keys.create_first"));
        page.find("heading", &page.t("new_key.title"));
        page.finish();
    }
}

#[test]
fn hidden_list_stays_hidden_until_it_is_asked_for() {
    let instance = TestServer::start();
    let page = open(&instance, "en");
    page.click("button", &page.t("first_steps.hide_label"));
    page.see_focus("button", &page.t("first_steps.title"));
    page.find_no("heading", &page.t("first_steps.title"));
    page.reload();
    page.find("heading", &page.t("overview.attention"));
    page.find_no("heading", &page.t("first_steps.title"));
    page.click("button", &page.t("first_steps.title"));
    page.see_focus("heading", &page.t("first_steps.title"));
    page.reload();
    page.find("heading", &page.t("first_steps.title"));
    page.finish();
}

#[test]
fn member_takes_the_steps_for_own_keys() {
    let instance = TestServer::start();
    call_whoami(&instance, &instance.create(&json!({"name": "of the owner"})));
    let mate = instance.join("mate", "user");
    let page = Page::open(&instance, "en");
    page.go("/");
    page.sign_in(&mate.email, THEIRS);
    page.click("link", &page.t("keys.first_steps"));
    see_done(&page, "0", "2");
    page.see_no(&page.t("first_steps.step_proxy"));
    page.see_no(&page.t("overview.attention"));
    let created = instance.ask_as(&mate, &Ask::post("/v1/keys", &json!({"name": "own"})));
    let key = made(&created.expect(201));
    see_done(&page, "1", "2");
    code_with(&page, "curl -H");
    call_whoami(&instance, &key);
    page.see(&page.t("first_steps.finished"));
    page.reload();
    page.see(&page.t("first_steps.none"));
    page.finish();
}
