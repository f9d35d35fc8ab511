//! A secret is shown once: no address, storage, log, file or later response contains it.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::guides::copied_secret;
use crate::page::Page;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

#[test]
fn new_secret_is_shown_once_and_stored_nowhere() {
    let instance = TestServer::start();
    let page = Page::open(&instance, "en");
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    page.click("link", &page.t("keys.create_first"));
    page.fill(&page.t("new_key.name"), "courier");
    page.click("button", &page.t("new_key.save"));
    page.find("dialog", &page.t("secret.title"));

    // Escape does not close the dialog before the secret is saved.
    page.press(&["Escape"]);
    page.press(&["Escape"]);
    page.see_focus("checkbox", &page.t("secret.saved"));
    assert_eq!(page.dialog(), page.t("secret.title"));
    page.find("button", &page.t("secret.copy_close"));
    page.find_no("button", &page.t("secret.close"));

    // The secret is masked until the user shows it.
    page.click("button", &page.t("secret.copy"));
    let secret = page.clipboard();
    assert!(secret.starts_with("kh_live_"), "no secret was copied");
    assert!(!page.text().contains(&secret), "the secret is readable unasked");
    page.click("button", &page.t("secret.show"));
    assert_eq!(page.value(&page.t_with("secret.of", &[("name", "courier")])), secret);
    page.see(&secret);
    // In an earlier version, the field cut the last letter.
    let cut = page.evaluate(
        "((it) => it.scrollWidth - it.clientWidth)(document.querySelector('dialog textarea'))",
    );
    assert_eq!(cut, 0, "px of the secret are cut");
    page.click("button", &page.t("secret.copy_line"));
    let line = format!("curl -H \"Authorization: Bearer {secret}\" ");
    assert!(page.clipboard().starts_with(&line), "the line does not show the key");
    page.click("button", &page.t("secret.hide"));
    page.see_no(&secret);
    page.click("button", &page.t("secret.close"));
    page.no_dialog();
    page.find("heading", "courier");
    left_nowhere(&instance, &page, &secret);

    // The secret can't be shown again.
    page.reload();
    page.find("heading", "courier");
    left_nowhere(&instance, &page, &secret);
    page.back();
    page.find("heading", &page.t("keys.title"));
    left_nowhere(&instance, &page, &secret);
    page.finish();
}

#[test]
fn reload_before_saving_does_not_show_the_secret_again() {
    let instance = TestServer::start();
    let page = Page::open(&instance, "en");
    page.go("/#/keys/new");
    page.sign_in(EMAIL, PASSWORD);
    page.click("button", &page.t("new_key.save"));
    page.dialog();
    page.click("button", &page.t("secret.copy"));
    let secret = page.clipboard();
    page.reload();
    page.find("heading", &page.t("new_key.title"));
    left_nowhere(&instance, &page, &secret);
    page.finish();
}

#[test]
fn rotated_secret_is_shown_once() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "courier"}));
    let page = Page::open(&instance, "en");
    page.go(&format!("/#/keys/{}", key.id));
    page.sign_in(EMAIL, PASSWORD);
    page.click("button", &page.t("rotate.button"));
    assert_eq!(page.dialog(), page.t("rotate.title"));
    page.click("radio", &page.t("rotate.stop_now"));
    page.within("dialog", &page.t("rotate.title")).click("button", &page.t("rotate.button"));
    let secret = copied_secret(&page);
    assert_ne!(secret, key.secret);
    instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "EXPIRED");
    assert_eq!(instance.bare(&Ask::forward_auth(&secret)).status, 200);
    left_nowhere(&instance, &page, &secret);
    page.finish();
}

/// The secret is absent from the page, the browser, the log, the store and all later responses.
fn left_nowhere(instance: &TestServer, page: &Page, secret: &str) {
    let markup = page.evaluate("document.documentElement.outerHTML");
    assert!(!markup.as_str().unwrap().contains(secret), "the page still holds the secret");
    let values = page.evaluate(
        "[...document.querySelectorAll('input, textarea')].map((one) => one.value).join()",
    );
    assert!(!values.as_str().unwrap().contains(secret), "a field still holds the secret");
    page.assert_keeps_no(secret);
    for path in ["/v1/keys", "/v1/audit", "/v1/usage"] {
        let answer = instance.ask(&Ask::get(path)).expect(200).to_string();
        assert!(!answer.contains(secret), "{path} tells the secret");
    }
    assert!(!instance.server().log().tail().contains(secret), "the log tells the secret");
    assert!(!holds(instance.home().folder(), secret.as_bytes()), "a file holds the secret");
}

fn holds(folder: &Path, secret: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, secret);
        }
        // Skip sockets: they have no content to read.
        let bytes = fs::read(&path).unwrap_or_default();
        bytes.windows(secret.len()).any(|window| window == secret)
    })
}
