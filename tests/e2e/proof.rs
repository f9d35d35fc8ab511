//! The dialog that asks for the password or a code before the server shows a new secret.

use serde_json::json;

use crate::account::code_of;
use crate::ask::{Ask, Expect};
use crate::guides::copied_secret;
use crate::page::Page;
use crate::relay::{PROOF_REQUIRED, Relay};
use crate::test_server::{EMAIL, PASSWORD};
use crate::texts::LANGUAGES;

#[test]
fn password_is_asked_for_and_the_same_request_is_sent_again() {
    for language in LANGUAGES {
        let (relay, instance) = Relay::before_instance();
        let mut page = Page::open_at(relay.url(), language);
        page.go("/#/keys/new");
        page.sign_in(EMAIL, PASSWORD);
        page.fill(&page.t("new_key.name"), "diagram exporter");
        relay.answer("/v1/keys", PROOF_REQUIRED);

        // The user closes the dialog first: no input is lost, and no key is created.
        page.click("button", &page.t("new_key.save"));
        page.find("dialog", &page.t("proof.title"));
        page.see_focus("textbox", &page.t("proof.password"));
        page.press(&["Escape"]);
        page.no_dialog();
        page.see(&page.t("problems.proof_required"));
        assert_eq!(page.value(&page.t("new_key.name")), "diagram exporter");

        page.click("button", &page.t("new_key.save"));
        page.find("dialog", &page.t("proof.title"));
        relay.pass_all();
        let dialog = page.within("dialog", &page.t("proof.title"));
        dialog.fill(&page.t("proof.password"), "not the password at all");
        dialog.click("button", &page.t("proof.button"));
        dialog.see(&page.t("faults.wrong_password"));
        dialog.fill(&page.t("proof.password"), PASSWORD);
        dialog.click("button", &page.t("proof.button"));
        copied_secret(&page);
        page.find("heading", "diagram exporter");
        let keys = instance.all_keys();
        assert_eq!(keys.len(), 1, "{keys:?}");
        page.expect("status of 403");
        page.expect("status of 400");
        page.finish();
    }
}

#[test]
fn code_of_the_second_factor_is_accepted_for_a_rotation() {
    let (relay, instance) = Relay::before_instance();
    let key = instance.create(&json!({"name": "exporter"}));
    let begun = Ask::post("/v1/me/totp", &json!({"current_password": PASSWORD}));
    let begun = instance.ask(&begun).expect(201);
    let seed = begun["secret"].as_str().unwrap();
    let confirm = Ask::post("/v1/me/totp", &json!({"code": code_of(seed, 0)}));
    let backup = instance.ask(&confirm).expect(200)["backup_codes"][0].clone();
    let mut page = Page::open_at(relay.url(), "en");
    page.go(&format!("/#/keys/{}", key.id));
    page.sign_in_with_code(EMAIL, PASSWORD, backup.as_str().unwrap());
    page.find("heading", "exporter");
    page.click("button", &page.t("rotate.button"));
    relay.answer("/rotate", PROOF_REQUIRED);
    page.within("dialog", &page.t("rotate.title")).click("button", &page.t("rotate.button"));
    page.find("dialog", &page.t("proof.title"));
    relay.pass_all();
    let dialog = page.within("dialog", &page.t("proof.title"));
    dialog.click("button", &page.t("proof.use_code"));
    dialog.fill(&page.t("proof.code"), &code_of(seed, 1));
    dialog.click("button", &page.t("proof.button"));
    copied_secret(&page);
    page.expect("status of 403");
    page.expect("status of 401");
    page.finish();
}
