//! The API reference at `/docs`: readable without a session, searchable, and able to send requests.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::page::{Look, Page};
use crate::relay::{PROOF_REQUIRED, Relay};
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::LANGUAGES;

/// The narrowest width of WCAG 2.2, 1.4.10.
const NARROW: Look = Look { dark: false, width: 320 };

#[test]
fn reference_is_read_and_searched_without_a_session() {
    let instance = TestServer::start();
    let page = Page::open(&instance, "en");
    page.go("/docs");
    page.find("heading", &page.t("reference.title"));
    page.see(&instance.server().url());
    page.press(&["/"]);
    page.see_focus("searchbox", &page.t("reference.search"));
    page.write("overlap");
    page.see(&page.t_with("reference.found", &[("count", "1")]).replace("operations", "operation"));
    page.press(&["Enter"]);
    page.find("heading", "Rotate a key");
    assert!(page.address().ends_with("/docs#/keys/rotateKey"), "{}", page.address());

    // By keyboard through the results; a permission and a code of an error are found too.
    page.fill(&page.t("reference.search"), "keyhouse:teams:manage list_nothing_like_it");
    page.see(&page.t("reference.nothing"));
    page.fill(&page.t("reference.search"), "too_many_teams");
    page.find("link", "POST Create a team");
    page.fill(&page.t("reference.search"), "create team");
    page.press(&["Down"]);
    page.see_focus("link", "POST Create a team");
    page.press(&["Enter"]);
    page.see_focus("heading", "Create a team");
    let main = page.within("main", "");
    main.see("keyhouse:teams:manage");
    main.see(&format!("curl -X POST '{}/v1/teams'", instance.server().url()));
    main.see("\"Authorization: Bearer $KEYHOUSE_KEY\"");
    main.see("visibility");
    main.see("too_many_teams");
    page.back();
    page.find("heading", "Rotate a key");

    page.go("/docs#/nothing/here");
    page.find("heading", &page.t("problems.no_page"));
    page.go("/docs#/errors");
    page.see("version_conflict");
    page.finish();
}

#[test]
fn request_is_sent_as_the_signed_in_user_and_a_change_is_confirmed_first() {
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let mut page = Page::open(&instance, "en");
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    page.within("navigation", &page.t("shell.navigation")).click("link", &page.t("about.api"));
    page.see(&page.t("reference.base_url"));
    page.go("/docs#/teams/createTeam");
    page.find("heading", "Create a team");
    page.see(&page.t("reference.permission_there"));
    page.click("DisclosureTriangle", &page.t("reference.try"));

    page.fill(&page.t("reference.body"), "{\"name\": ");
    page.click("button", &page.t("reference.send"));
    page.see(&page.t("reference.not_json"));
    page.fill(&page.t("reference.body"), r#"{"name": "diagram makers"}"#);
    // The command follows the form.
    page.within("main", "").see(r#"--data-raw '{"name": "diagram makers"}'"#);
    page.click("button", &page.t("reference.send"));
    let asked = page.t_with("reference.confirm", &[("method", "POST")]);
    page.within("dialog", &asked).click("button", &page.t("actions.cancel"));
    page.no_dialog();
    let sent = |page: &Page| {
        page.requests().iter().any(|it| it.method == "POST" && it.url.ends_with("/v1/teams"))
    };
    assert!(!sent(&page));
    page.click("button", &page.t("reference.send"));
    page.within("dialog", &asked).click("button", &page.t("reference.send"));
    let response = page.within("region", &page.t("reference.response_body"));
    response.see("\"name\": \"diagram makers\"");
    assert!(sent(&page));
    let teams = instance.ask(&Ask::get("/v1/teams")).expect(200);
    assert_eq!(teams["items"][0]["name"], "diagram makers");

    // A parameter that would change the path is not sent.
    page.go("/docs#/teams/showTeam");
    page.find("heading", "Show a team");
    page.fill("team", "..");
    page.click("button", &page.t("reference.send"));
    page.see(&page.t("reference.fill_in"));
    page.fill("team", "team_00000000-0000-7000-8000-000000000000");
    page.click("button", &page.t("reference.send"));
    page.within("region", &page.t("reference.response_body")).see("\"code\": \"not_found\"");
    page.expect("status of 404");
    page.finish();
}

/// The page is signed in: a request with a key must not send the session too, which the server rejects.
#[test]
fn pasted_key_is_sent_alone_and_kept_nowhere() {
    let instance = TestServer::start();
    let draft = json!({"name": "pasted", "kind": "service", "permissions": ["keyhouse:keys:read"]});
    let key = instance.create(&draft);
    let page = Page::open(&instance, "en");
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    page.go("/docs#/keys/listKeys");
    page.find("heading", "List keys");
    page.click("DisclosureTriangle", &page.t("reference.try"));
    page.click("radio", &page.t("reference.as_key"));
    page.click("button", &page.t("reference.send"));
    page.see(&page.t("reference.key_missing"));
    page.fill(&page.t("reference.key"), &key.secret);
    page.click("button", &page.t("reference.send"));
    page.within("region", &page.t("reference.response_body")).see("\"name\": \"pasted\"");

    // The key stays for the next operation, and goes with the page.
    page.go("/docs#/checks/whoAmI");
    page.find("heading", "Show the presented key");
    page.click("button", &page.t("reference.send"));
    page.within("region", &page.t("reference.response_body")).see("\"name\": \"pasted\"");
    assert!(!page.text().contains(&key.secret), "{}", page.text());
    page.assert_keeps_no(&key.secret);
    page.reload();
    page.find("heading", "Show the presented key");
    page.click("DisclosureTriangle", &page.t("reference.try"));
    assert_eq!(page.value(&page.t("reference.key")), "");
    page.finish();
}

#[test]
fn missing_proof_is_asked_for_and_the_request_is_sent_again() {
    let (relay, instance) = Relay::before_instance();
    let mut page = Page::open_at(relay.url(), "en");
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    page.go("/docs#/keys/createKey");
    page.find("heading", "Create a key");
    page.click("DisclosureTriangle", &page.t("reference.try"));
    page.fill(&page.t("reference.body"), r#"{"name": "tried"}"#);
    relay.answer("/v1/keys", PROOF_REQUIRED);
    page.click("button", &page.t("reference.send"));
    let asked = page.t_with("reference.confirm", &[("method", "POST")]);
    page.within("dialog", &asked).click("button", &page.t("reference.send"));
    page.find("dialog", &page.t("proof.title"));
    relay.pass_all();
    let dialog = page.within("dialog", &page.t("proof.title"));
    dialog.fill(&page.t("proof.password"), PASSWORD);
    dialog.click("button", &page.t("proof.button"));
    page.within("region", &page.t("reference.response_body")).see("\"secret\"");
    assert_eq!(instance.all_keys().len(), 1);
    page.expect("status of 403");
    page.finish();
}

#[test]
fn every_operation_is_shown_in_every_language_at_the_narrowest_width() {
    let instance = TestServer::start();
    let document = instance.bare(&Ask::get("/openapi.json")).expect(200);
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|item| item.as_object().unwrap());
    let shown: Vec<_> =
        operations.filter(|(method, _)| *method != "head").map(|(_, it)| it).collect();
    for language in LANGUAGES {
        let page = Page::open(&instance, language);
        page.looks(NARROW);
        page.go("/docs");
        page.find("heading", &page.t("reference.title"));
        for operation in &shown {
            let (tag, id) = (&operation["tags"][0], &operation["operationId"]);
            page.go(&format!("/docs#/{}/{}", tag.as_str().unwrap(), id.as_str().unwrap()));
            page.find("heading", operation["summary"].as_str().unwrap());
            let wider = page.evaluate("document.documentElement.scrollWidth - innerWidth");
            assert!(wider.as_f64().unwrap() <= 0.0, "{id} is {wider} px wider than the window");
        }
        page.finish();
    }
}

pub(crate) fn overview(page: &Page, _house: &TestServer) {
    page.go("/docs");
    page.find("heading", &page.t("reference.title"));
}

pub(crate) fn errors(page: &Page, _house: &TestServer) {
    page.go("/docs#/errors");
    page.see("version_conflict");
}

pub(crate) fn resource(page: &Page, _house: &TestServer) {
    page.go("/docs#/keys");
    page.see("/v1/keys/export");
}

pub(crate) fn operation(page: &Page, _house: &TestServer) {
    page.go("/docs#/keys/createKey");
    page.find("heading", "Create a key");
}

pub(crate) fn tried(page: &Page, _house: &TestServer) {
    page.go("/docs#/teams/listTeams");
    page.find("heading", "List teams");
    page.click("DisclosureTriangle", &page.t("reference.try"));
    page.click("button", &page.t("reference.send"));
    page.within("region", &page.t("reference.response_body")).see("night watch");
    page.evaluate("for (const part of document.querySelectorAll('main details')) part.open = true");
}
