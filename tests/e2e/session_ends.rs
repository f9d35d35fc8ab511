//! Sessions that end while the user works, in this or another tab, and the effects of tabs on each
//! other.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::guides::copied_secret;
use crate::page::Page;
use crate::people::PASSWORD as THEIRS;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

const NEW_PASSWORD: &str = "seven slow snails on the wall";

#[test]
fn user_continues_after_signing_in_again() {
    let instance = TestServer::start();
    let mut page = at_new_key(&instance);
    page.fill(&page.t("new_key.name"), "diagram exporter");
    page.click("radio", &page.t("new_key.read_write"));
    end_other_sessions(&instance);

    // The user closes the sign-in dialog first: no input is lost.
    page.click("button", &page.t("new_key.save"));
    assert_eq!(page.dialog(), page.t("sign_in.again"));
    page.press(&["Escape"]);
    page.no_dialog();
    page.see(&page.t("problems.session_ended"));
    assert_eq!(page.value(&page.t("new_key.name")), "diagram exporter");

    page.click("button", &page.t("new_key.save"));
    sign_in_again(&page, PASSWORD);
    copied_secret(&page);
    page.find("heading", "diagram exporter");
    let keys = instance.all_keys();
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert_eq!(keys[0]["name"], "diagram exporter");
    page.expect("status of 401");
    page.finish();
}

#[test]
fn password_changed_elsewhere_requires_the_new_one() {
    let instance = TestServer::start();
    let mut page = at_new_key(&instance);
    page.fill(&page.t("new_key.name"), "diagram exporter");
    let changed = json!({"current_password": PASSWORD, "password": NEW_PASSWORD});
    instance.ask(&Ask::patch("/v1/me", &changed)).expect(200);
    page.click("button", &page.t("new_key.save"));
    let dialog = page.within("dialog", &page.t("sign_in.again"));
    dialog.fill(&page.t("sign_in.password"), PASSWORD);
    dialog.click("button", &page.t("sign_in.button"));
    dialog.see(&page.t("problems.sign_in_failed"));
    sign_in_again(&page, NEW_PASSWORD);
    copied_secret(&page);
    page.find("heading", "diagram exporter");
    page.expect("status of 401");
    page.finish();
}

/// In an earlier version, the previous user's form was sent in the name of the new user, and the
/// previous user's view stayed.
#[test]
fn another_user_who_signs_in_sees_no_data_of_the_previous_user() {
    let instance = TestServer::start();
    instance.join("mate", "user");
    let mut page = at_new_key(&instance);
    page.fill(&page.t("new_key.name"), "secret project");
    end_other_sessions(&instance);
    page.click("button", &page.t("new_key.save"));
    let dialog = page.within("dialog", &page.t("sign_in.again"));
    dialog.fill(&page.t("sign_in.email"), "mate@example.com");
    dialog.fill(&page.t("sign_in.password"), THEIRS);
    dialog.click("button", &page.t("sign_in.button"));
    page.see("Somebody");
    page.find("button", &page.t_with("shell.account", &[("name", "Somebody")]));
    page.no_dialog();
    assert_ne!(page.value(&page.t("new_key.name")), "secret project");
    assert_eq!(instance.all_keys().len(), 0, "the former's form was sent");
    page.assert_keeps_no("secret project");
    page.expect("status of 401");
    page.finish();
}

#[test]
fn other_tabs_follow_sign_out_and_sign_in() {
    let instance = TestServer::start();
    instance.join("mate", "user");
    let page = Page::open(&instance, "en");
    page.go("/#/teams");
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", &page.t("teams.title"));
    let first = page.new_tab();
    page.go("/#/keys");
    page.find("heading", &page.t("keys.title"));
    sign_out(&page, "ada");
    let second = page.turn_to(&first);
    page.see(&page.t("sign_in.forgotten"));
    page.find("button", &page.t("sign_in.button"));
    assert_eq!(page.names("navigation"), Vec::<String>::new());
    page.sign_in("mate@example.com", THEIRS);
    page.turn_to(&second);
    page.see("Somebody");
    page.find("button", &page.t_with("shell.account", &[("name", "Somebody")]));
    page.finish();
}

#[test]
fn name_changed_in_another_tab_is_not_overwritten() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter"}));
    let mut page = Page::open(&instance, "en");
    page.go("/");
    page.sign_in(EMAIL, PASSWORD);
    let own = format!("/#/keys/{}", key.id);
    let in_list = page.t_with("keys.rename", &[("name", "exporter")]);
    let meanwhile = page.t_with("faults.renamed_meanwhile", &[("name", "first name")]);
    for (path, button, field, reported) in [
        ("/#/keys", in_list, page.t("keys.name"), meanwhile),
        (
            own.as_str(),
            page.t("key.rename"),
            page.t("key.name"),
            page.t("problems.version_conflict"),
        ),
    ] {
        instance.ask(&Ask::patch(&format!("/v1/keys/{}", key.id), &json!({"name": "exporter"})));
        page.go(path);
        page.reload();
        page.find("button", &button);
        let first = page.new_tab();
        page.go(path);
        page.click("button", &button);
        page.fill(&field, "first name");
        page.press(&["Enter"]);
        page.find_no("textbox", &field);
        page.turn_to(&first);
        page.click("button", &button);
        page.fill(&field, "second name");
        page.press(&["Enter"]);
        page.see(&reported);
        assert_eq!(page.value(&field), "second name");
        assert_eq!(instance.key(&key.id)["name"], "first name");
        page.reload();
        page.see("first name");
    }
    page.expect("status of 412");
    page.finish();
}

#[test]
fn key_revoked_in_another_tab_is_shown_as_revoked() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter"}));
    let mut page = Page::open(&instance, "en");
    let path = format!("/#/keys/{}", key.id);
    page.go(&path);
    page.sign_in(EMAIL, PASSWORD);
    page.find("button", &page.t("rotate.button"));
    let first = page.new_tab();
    page.go(&path);
    page.choose_action("exporter", "key.revoke");
    page.within("dialog", "exporter").click("button", &page.t("key.revoke_confirm"));
    page.no_dialog();
    page.turn_to(&first);
    page.choose_action("exporter", "key.disable");
    let dialog = page.within("dialog", "exporter");
    dialog.click("button", &page.t("key.disable_confirm"));
    dialog.see(&page.t("problems.key_revoked"));
    dialog.click("button", &page.t("actions.cancel"));
    page.reload();
    page.see(&page.t("status.revoked"));
    page.expect("status of 409");
    page.finish();
}

fn at_new_key(instance: &TestServer) -> Page {
    let page = Page::open(instance, "en");
    page.go("/#/keys/new");
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", &page.t("new_key.title"));
    page
}

fn sign_in_again(page: &Page, password: &str) {
    let dialog = page.within("dialog", &page.t("sign_in.again"));
    dialog.fill(&page.t("sign_in.password"), password);
    dialog.click("button", &page.t("sign_in.button"));
    page.find_no("heading", &page.t("sign_in.again"));
}

/// Signs out with the menu of the user with this name.
pub(crate) fn sign_out(page: &Page, name: &str) {
    page.click("button", &page.t_with("shell.account", &[("name", name)]));
    page.click("button", &page.t("shell.sign_out"));
    page.see(&page.t("sign_in.forgotten"));
    page.find("button", &page.t("sign_in.button"));
}

/// Ends all sessions of the owner except the test's own.
fn end_other_sessions(instance: &TestServer) {
    let reported = instance.ask(&Ask::get("/v1/sessions")).expect(200);
    for session in reported["items"].as_array().unwrap() {
        if session["current"] == false {
            let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
            instance.ask(&Ask::new("DELETE", &path)).expect(204);
        }
    }
}
