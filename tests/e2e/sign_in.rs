//! Signing in with the form.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::page::Page;
use crate::people::{PASSWORD as THEIRS, invitation, token_in};
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::LANGUAGES;

#[test]
fn users_sign_in_in_their_language() {
    let instance = TestServer::start();
    for language in LANGUAGES {
        let page = Page::open(&instance, language);
        page.go("/#/teams");
        page.find("heading", &page.t("sign_in.title"));
        assert_eq!(page.evaluate("document.documentElement.lang"), language);
        page.sign_in(EMAIL, PASSWORD);
        page.find("heading", &page.t("teams.title"));
        page.finish();
    }
}

#[test]
fn user_of_two_organizations_chooses_one_after_the_password() {
    let instance = TestServer::start();
    let (_, owner) = instance.neighbour("acme");
    let invited = owner.ask(&instance, invitation(EMAIL, "user")).expect(201);
    let accept = json!({"token": token_in(&invited), "name": "Ada", "password": PASSWORD});
    instance.bare(&Ask::post("/v1/invitations/accept", &accept)).expect(201);
    for language in LANGUAGES {
        let mut page = Page::open(&instance, language);
        page.go("/");
        page.try_sign_in(EMAIL, "wrong password altogether");
        page.see(&page.t("problems.sign_in_failed"));
        page.see_no(&page.t("sign_in.organization_hint"));
        page.fill(&page.t("sign_in.password"), PASSWORD);
        page.click("button", &page.t("sign_in.button"));
        page.choose(&page.t("sign_in.organization"), "acme");
        page.click("button", &page.t("sign_in.button"));
        page.find("navigation", &page.t("shell.navigation"));
        page.see("acme");
        page.expect("status of 401");
        page.expect("status of 409");
        page.finish();
    }
}

#[test]
fn missing_required_factor_shows_only_its_setup() {
    let instance = TestServer::start();
    let user = instance.join("mate", "user");
    let page = Page::open(&instance, "en");
    page.go("/#/organization");
    page.sign_in(EMAIL, PASSWORD);
    page.click("checkbox", &page.t("roles_builtin.user"));
    page.click("button", &page.t("organization.second_factor_save"));
    page.see(&page.t("organization.saved"));
    page.finish();
    let page = Page::open(&instance, "en");
    page.go("/#/keys");
    page.sign_in(&user.email, THEIRS);
    page.find("heading", &page.t("totp.required_title"));
    page.see(&page.t("totp.required_body"));
    page.find_no("link", &page.t("keys.new"));
    page.click("link", &page.t("teams.title"));
    page.find("heading", &page.t("totp.required_title"));
    page.click("button", &page.t("totp.turn_on"));
    page.within("dialog", &page.t("totp.turn_on_title")).find("button", &page.t("totp.continue"));
    page.finish();
}

#[test]
fn changed_email_needs_the_password_and_is_confirmed_by_a_user_manager() {
    let instance = TestServer::start();
    let user = instance.join("mate", "user");
    let mut page = Page::open(&instance, "en");
    page.go("/#/profile");
    page.sign_in(&user.email, THEIRS);
    page.click("button", &page.t("profile.change_email"));
    let dialog = page.within("dialog", &page.t("profile.change_email"));
    page.see_focus("textbox", &page.t("profile.new_email"));
    for (email, password, answer) in [
        ("mate@new.example", PASSWORD, "faults.wrong_password"),
        (EMAIL, THEIRS, "problems.email_taken"),
        ("mate@new.example", THEIRS, "profile.email_changed"),
    ] {
        dialog.fill(&page.t("profile.new_email"), email);
        dialog.fill(&page.t("profile.current_password"), password);
        dialog.click("button", &page.t("actions.save"));
        page.see(&page.t(answer));
    }
    page.see("mate@new.example");
    page.see(&page.t("profile.unverified"));
    let events = instance.ask(&Ask::get("/v1/audit?action=user.update&limit=1")).expect(200);
    assert_eq!(events["items"][0]["after"]["email"], "mate@new.example", "{events}");
    page.expect("status of 400");
    page.expect("status of 409");
    page.finish();
    let page = Page::open(&instance, "en");
    page.go(&format!("/#/people/{}", user.id));
    page.sign_in(EMAIL, PASSWORD);
    page.see(&page.t("profile.unverified"));
    page.click("button", &page.t("person.email_button"));
    let dialog = page.within("dialog", &page.t("person.email"));
    dialog.see(&page.t("person.email_confirms"));
    dialog.click("button", &page.t("actions.save"));
    page.see(&page.t("person.saved"));
    page.see_no(&page.t("profile.unverified"));
    page.finish();
}
