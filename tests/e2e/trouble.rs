//! Failures of the server, the network or a proxy: the page shows the failure, the input stays, and
//! the same click works after the failure.

use serde_json::json;

use crate::ask::Expect;
use crate::guides::copied_secret;
use crate::page::Page;
use crate::people::invitation;
use crate::relay::{BAD_GATEWAY, GONE, PORTAL, Relay};
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// Slow enough for the progress bar, and for a second click before the response.
const SLOW_MS: u32 = 2_000;

#[test]
fn restart_of_the_server_keeps_the_input_of_a_form() {
    let (relay, mut instance) = Relay::before_instance();
    let mut page = filled_form(&relay);
    instance.stop();
    page.click("button", &page.t("new_key.save"));
    page.see(&page.t("problems.unreachable"));
    assert_eq!(page.value(&page.t("new_key.name")), "diagram exporter");
    instance.restart();
    relay.leads_to(&instance);
    page.click("button", &page.t("new_key.save"));
    made_one_key(&page, &instance);
    page.expect("net::ERR_EMPTY_RESPONSE");
    page.finish();
}

#[test]
fn network_failure_keeps_the_input_of_a_form() {
    let (relay, instance) = Relay::before_instance();
    let mut page = filled_form(&relay);
    page.network(None);
    page.click("button", &page.t("new_key.save"));
    page.see(&page.t("problems.unreachable"));
    assert_eq!(page.value(&page.t("new_key.name")), "diagram exporter");
    page.network(Some(0));
    page.click("button", &page.t("new_key.save"));
    made_one_key(&page, &instance);

    // Opens a view whose module was not loaded yet.
    page.network(None);
    page.click("link", &page.t("teams.title"));
    page.see(&page.t("problems.unreachable"));
    page.network(Some(0));
    page.click("button", &page.t("actions.retry"));
    page.find("heading", &page.t("teams.title"));
    page.expect("net::ERR_INTERNET_DISCONNECTED");
    page.finish();
}

#[test]
fn slow_request_shows_progress_and_is_sent_once() {
    let (relay, instance) = Relay::before_instance();
    let page = filled_form(&relay);
    page.find_no("progressbar", &page.t("shell.busy"));
    page.network(Some(SLOW_MS));
    page.click("button", &page.t("new_key.save"));
    let sending = page.find("button", &page.t("forms.sending"));
    assert!(sending.disabled, "{sending:?}");
    // Enter would send the form both from the button and from a field.
    page.press(&["Enter", "Space"]);
    page.focus("textbox", &page.t("new_key.name"));
    page.press(&["Enter"]);
    page.find("progressbar", &page.t("shell.busy"));
    made_one_key(&page, &instance);
    page.network(Some(0));
    page.find_no("progressbar", &page.t("shell.busy"));
    let posts = page.requests().into_iter();
    let posts = posts.filter(|it| it.method == "POST" && it.url.ends_with("/v1/keys"));
    assert_eq!(posts.count(), 1);
    page.finish();
}

#[test]
fn view_that_fails_to_load_can_be_retried() {
    let (relay, _house) = Relay::before_instance();
    let mut page = owner_at(&relay, "/#/keys");
    page.find("heading", &page.t("keys.title"));
    for (with, reported) in [(BAD_GATEWAY, "unreachable"), (PORTAL, "unreadable")] {
        for (view, path) in [("teams", "/v1/teams"), ("people", "/v1/users"), ("keys", "/v1/keys?")]
        {
            relay.answer(path, with);
            page.go(&format!("/#/{view}"));
            page.reload();
            page.within("main", "").see(&page.t(&format!("problems.{reported}")));
            relay.pass_all();
            page.click("button", &page.t("actions.retry"));
            page.find("heading", &page.t(&format!("{view}.title")));
            page.within("main", "").see_no(&page.t(&format!("problems.{reported}")));
        }
    }
    page.expect("status of 502");
    page.finish();
}

/// In an earlier version, such a button had no effect and caused a console error.
#[test]
fn dialog_that_fails_to_load_says_why() {
    let (relay, instance) = Relay::before_instance();
    let key = instance.create(&json!({"name": "exporter"}));
    let mut page = owner_at(&relay, &format!("/#/keys/{}?tab=access", key.id));
    let revoke = |page: &Page| page.choose_action("exporter", "key.revoke");
    let edit = |page: &Page| page.click("button", &page.t("key.edit_permissions"));
    for (path, open, title) in [
        ("/descendants", revoke as fn(&Page), "key.revoke_title"),
        ("/v1/permissions", edit, "key.edit_permissions"),
    ] {
        page.find("heading", "exporter");
        relay.answer(path, BAD_GATEWAY);
        open(&page);
        page.within("dialog", &page.t(title)).see(&page.t("problems.unreachable"));
        page.press(&["Escape"]);
        page.no_dialog();
        relay.pass_all();
        open(&page);
        page.within("dialog", &page.t(title)).find("button", &page.t("actions.cancel"));
        page.press(&["Escape"]);
        page.no_dialog();
    }
    page.expect("status of 502");
    page.finish();
}

#[test]
fn form_says_that_a_proxy_answered_for_keyhouse() {
    let (relay, instance) = Relay::before_instance();
    let mut page = filled_form(&relay);
    for (with, reported) in [(BAD_GATEWAY, "unreachable"), (PORTAL, "unreadable")] {
        relay.answer("/v1/keys", with);
        page.click("button", &page.t("new_key.save"));
        page.see(&page.t(&format!("problems.{reported}")));
        assert_eq!(page.value(&page.t("new_key.name")), "diagram exporter");
        relay.pass_all();
    }
    page.click("button", &page.t("new_key.save"));
    made_one_key(&page, &instance);
    page.expect("status of 502");
    page.finish();
}

/// In an earlier version, the notice appeared before the texts were loaded, and showed their keys.
#[test]
fn page_that_fails_to_start_says_why() {
    let (relay, _house) = Relay::before_instance();
    for (with, reported) in [(BAD_GATEWAY, "unreachable"), (PORTAL, "unreadable")] {
        relay.answer("/v1/instance", with);
        let mut page = Page::open_at(relay.url(), "en");
        page.go("/");
        page.see(&page.t(&format!("problems.{reported}")));
        relay.pass_all();
        page.click("button", &page.t("actions.retry"));
        page.see(&page.t("sign_in.forgotten"));
        page.expect("status of 502");
        page.finish();
    }
}

/// After an update of the server the files of the older page are gone.
#[test]
fn outdated_page_says_what_to_do() {
    let (relay, instance) = Relay::before_instance();
    let invited = instance.ask(&invitation("bo@example.com", "user")).expect(201);
    let link = invited["url"].as_str().unwrap().to_owned();
    let (_, token) = link.split_once("#token=").unwrap();
    let mut page = owner_at(&relay, "/#/keys");
    page.find("heading", &page.t("keys.title"));
    relay.answer("/assets/", GONE);
    page.click("link", &page.t("teams.title"));
    page.see(&page.t("problems.outdated"));
    relay.pass_all();
    page.click("button", &page.t("actions.reload"));
    page.see_no(&page.t("problems.outdated"));
    page.find("heading", &page.t("teams.title"));

    // The form behind a link stays too, and keeps its token until the reload.
    relay.answer("/views/", GONE);
    page.go(&format!("/invitation#token={token}"));
    page.see(&page.t("problems.outdated"));
    relay.pass_all();
    page.click("button", &page.t("actions.reload"));
    page.see_no(&page.t("problems.outdated"));
    page.find("textbox", &page.t("invitation.name"));

    // The texts of another language are also files that an update removes.
    page.go("/#/profile");
    page.find("combobox", &page.t("profile.language"));
    relay.answer("/assets/", GONE);
    page.choose(&page.t("profile.language"), "Français");
    page.within("main", &page.t("profile.about")).click("button", &page.t("actions.save"));
    page.see(&page.t("problems.outdated"));
    page.expect("status of 404");
    page.finish();
}

fn owner_at(relay: &Relay, path: &str) -> Page {
    let page = Page::open_at(relay.url(), "en");
    page.go(path);
    page.sign_in(EMAIL, PASSWORD);
    page
}

/// Opens the form of a new key and enters a name.
fn filled_form(relay: &Relay) -> Page {
    let page = owner_at(relay, "/#/keys/new");
    page.fill(&page.t("new_key.name"), "diagram exporter");
    page
}

/// The previous session created the only key.
fn made_one_key(page: &Page, instance: &TestServer) {
    copied_secret(page);
    page.find("heading", "diagram exporter");
    let names: Vec<_> = instance.all_keys().iter().map(|key| key["name"].clone()).collect();
    assert_eq!(names, ["diagram exporter"]);
}
