//! The user's own account, and the frame around every view.

use serde_json::json;
use totp_rs::{Builder, Secret};

use crate::ask::{Ask, Expect};
use crate::deadlines::seconds_since_1970;
use crate::page::Page;
use crate::people::PASSWORD as THEIRS;
use crate::session_ends::sign_out;
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::{LANGUAGES, Texts};

/// A page without HTTPS has no access to the clipboard.
const NO_CLIPBOARD: &str =
    "Object.defineProperty(Navigator.prototype, 'clipboard', {get: () => undefined})";

/// More failed sign-ins than an account has before it is locked out.
const FAILURES_MAX: u32 = 50;

#[test]
fn two_step_sign_in_requires_a_code_once_it_is_on() {
    let instance = TestServer::start();
    let mut page = Page::open(&instance, "en");
    page.go("/#/profile");
    page.sign_in(EMAIL, PASSWORD);
    page.click("button", &page.t("totp.turn_on"));
    let dialog = page.within("dialog", &page.t("totp.turn_on_title"));
    dialog.fill(&page.t("totp.password"), PASSWORD);
    dialog.click("button", &page.t("totp.continue"));
    dialog.find("image", &page.t("totp.qr"));
    let shown = dialog.text();
    let (_, after) = shown.split_once(&page.t("totp.secret_hint")).unwrap();
    let seed: String = after.trim().lines().next().unwrap().split(' ').collect();
    dialog.fill(&page.t("totp.code"), "000000");
    dialog.click("button", &page.t("totp.confirm"));
    dialog.see(&page.t("faults.wrong_code"));
    dialog.fill(&page.t("totp.code"), &code_of(&seed, 0));
    dialog.click("button", &page.t("totp.confirm"));
    let codes = page.within("dialog", &page.t("totp.codes_title"));
    codes.see(&page.t("totp.codes_once"));
    codes.click("button", &page.t("totp.copy_codes"));
    codes.see(&page.t("copy.copied"));
    let backup = page.clipboard();
    codes.click("button", &page.t("totp.saved"));
    page.find("button", &page.t("totp.turn_off"));

    // The next code of the app and a backup code work once each.
    let sheet = backup.lines().next().unwrap();
    for code in [code_of(&seed, 1), sheet.to_owned()] {
        sign_out(&page, "ada");
        page.sign_in_with_code(EMAIL, PASSWORD, &code);
        page.find("navigation", &page.t("shell.navigation"));
    }
    sign_out(&page, "ada");
    page.sign_in_with_code(EMAIL, PASSWORD, sheet);
    page.see(&page.t("problems.sign_in_failed_with_code"));
    page.assert_keeps_no(&seed);
    page.assert_keeps_no(sheet);
    page.expect("status of 401");
    page.expect("status of 403");
    page.expect("status of 400");
    page.finish();
}

/// In an earlier version, the second factor and the sessions were below the name and the language.
#[test]
fn profile_shows_security_first() {
    let instance = TestServer::start();
    let page = Page::open(&instance, "en");
    page.go("/#/profile");
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", &page.t("profile.title"));
    let sections =
        ["profile.title", "totp.title", "sessions.title", "profile.password", "profile.about"];
    assert_eq!(page.within("main", "").names("heading"), sections.map(|title| page.t(title)));
    page.see(&page.t("totp.off"));

    // Password managers find the account in each form with a password.
    for opener in ["totp.turn_on", "profile.change_email"] {
        page.click("button", &page.t(opener));
        page.dialog();
        let accounts = page.evaluate(
            "[...document.querySelectorAll('form:has([type=password])')]\
             .map((form) => form.querySelector('[autocomplete=username]')?.value)",
        );
        assert_eq!(accounts, json!([EMAIL, EMAIL]), "{opener}");
        page.press(&["Escape"]);
        page.no_dialog();
    }
    page.finish();
}

#[test]
fn changes_by_others_are_shown_until_acknowledged() {
    let instance = TestServer::start();
    let mate = instance.join("mate", "user");
    let mut page = Page::open(&instance, "en");
    page.go("/#/people");
    page.sign_in(EMAIL, PASSWORD);
    page.click("link", "Somebody");
    page.click("button", &page.t("sessions.end_all"));
    let title = page.t_with("sessions.end_theirs_title", &[("name", "Somebody")]);
    page.within("dialog", &title).click("button", &page.t("sessions.end_theirs"));
    page.see(&page.t("sessions.none_theirs"));
    sign_out(&page, "ada");
    page.sign_in(&mate.email, THEIRS);
    page.see(&page.t("notices.lead"));
    page.go("/#/teams");
    page.see(&page.t("notices.lead"));
    page.click("button", &page.t("notices.acknowledge"));
    page.reload();
    page.find("heading", &page.t("teams.title"));
    let left = page.evaluate("document.querySelectorAll('main .notice.warn').length");
    assert_eq!(left, 0);
    page.expect("status of 401");
    page.finish();
}

/// In an earlier version, used backup codes could be replaced only by turning the second factor
/// off.
#[test]
fn backup_codes_are_counted_and_renewed() {
    let instance = TestServer::start();
    let ask = |body| instance.ask(&Ask::post("/v1/me/totp", &body));
    let begun = ask(json!({"current_password": PASSWORD})).expect(201);
    let code = code_of(begun["secret"].as_str().unwrap(), 0);
    let codes = ask(json!({"code": code})).expect(200);
    let code = |at: usize| codes["backup_codes"][at].as_str().unwrap().to_owned();
    let mut page = Page::open(&instance, "en");
    page.go("/#/profile");
    page.sign_in_with_code(EMAIL, PASSWORD, &code(0));
    page.see("7 backup codes left");
    page.click("button", &page.t("totp.renew"));
    let dialog = page.within("dialog", &page.t("totp.renew"));
    dialog.fill(&page.t("totp.password"), PASSWORD);
    dialog.fill(&page.t("totp.code"), &code(1));
    dialog.click("button", &page.t("totp.renew"));
    let codes = page.within("dialog", &page.t("totp.codes_title"));
    codes.click("button", &page.t("totp.saved"));
    page.see("8 backup codes left");
    page.expect("status of 401");
    page.finish();
}

fn wrong_sign_in(email: &str) -> Ask {
    let wrong = Ask::post("/v1/session", &json!({"email": email, "password": "wrong"}));
    wrong.header("X-Forwarded-For", "203.0.113.9")
}

/// Sends wrong passwords for an account until it is locked out.
pub(crate) fn lock_out(instance: &TestServer, email: &str) {
    let wrong = wrong_sign_in(email);
    let is_locked_out = (0..FAILURES_MAX).any(|_| instance.bare(&wrong).status == 429);
    assert!(is_locked_out, "{email} is not locked out after {FAILURES_MAX} failures");
}

/// In an earlier version, no user could see or lift the lockouts after failed sign-ins.
#[test]
fn owner_sees_and_lifts_lockouts() {
    let instance = TestServer::start();
    let mate = instance.join("mate", "user");
    lock_out(&instance, &mate.email);
    let mut page = Page::open(&instance, "en");
    page.go("/#/people");
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", &page.t("lockouts.title"));
    page.click("button", &page.t_with("lockouts.lift_one", &[("name", &mate.email)]));
    let title = page.t_with("lockouts.lift_title", &[("name", &mate.email)]);
    page.within("dialog", &title).click("button", &page.t("lockouts.lift"));
    page.see(&page.t("lockouts.lifted"));
    instance.bare(&wrong_sign_in(&mate.email)).problem(401, "sign_in_failed");
    page.expect("status of 401");
    page.finish();
}

#[test]
fn changed_language_applies_at_once_and_after_the_next_sign_in() {
    let instance = TestServer::start();
    let page = Page::open(&instance, "en");
    page.go("/#/profile");
    page.sign_in(EMAIL, PASSWORD);
    let french = Texts::of("fr");
    page.choose(&page.t("profile.language"), "Français");
    page.within("main", &page.t("profile.about")).click("button", &page.t("actions.save"));
    page.find("heading", &french.t("profile.title"));
    page.find("navigation", &french.t("shell.navigation"));
    page.see(&french.t("profile.saved"));
    assert_eq!(page.evaluate("document.documentElement.lang"), "fr");
    page.click("button", &french.with("shell.account", &[("name", "ada")]));
    page.click("button", &french.t("shell.sign_out"));
    // Without a session the page uses the browser's language.
    page.see(&page.t("sign_in.forgotten"));
    page.try_sign_in(EMAIL, PASSWORD);
    page.find("heading", &french.t("shell.overview"));
    page.finish();
}

#[test]
fn text_is_selected_if_copying_is_not_available() {
    let instance = TestServer::start();
    let page = Page::open(&instance, "en");
    page.before_documents(NO_CLIPBOARD);
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    page.click("button", &page.t("keys.copy_endpoint"));
    page.see(&page.t("copy.selected"));
    assert_eq!(page.evaluate("getSelection().toString()"), json!(instance.server().url()));

    page.go("/#/keys/new");
    page.click("button", &page.t("new_key.save"));
    let dialog = page.within("dialog", &page.t("secret.title"));
    let selected = "(() => { const field = document.activeElement; return \
                    field.type === 'textarea' && field.value.slice(field.selectionStart, field.selectionEnd) })()";
    // The last button copies too. Without a copy, the dialog stays open.
    for button in ["secret.copy_close", "secret.copy"] {
        dialog.click("button", &page.t(button));
        dialog.see(&page.t("copy.selected"));
        let secret = page.evaluate(selected);
        let answer = instance.bare(&Ask::get("/v1/whoami").bearer(secret.as_str().unwrap()));
        assert_eq!(answer.status, 200, "{secret}");
    }
    page.finish();
}

#[test]
fn filters_are_part_of_the_address() {
    let instance = TestServer::start();
    let gone = instance.create(&json!({"name": "left in a taxi"}));
    instance.act(&gone.id, "revoke").expect(200);
    for name in ["diagram exporter", "nightly backup", "backup of diagrams"] {
        instance.create(&json!({"name": name, "kind": "service"}));
    }
    let page = Page::open(&instance, "en");
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    page.find("link", "diagram exporter");
    page.fill(&page.t("keys.search"), "backup");
    page.click("button", &page.t("keys.name"));
    page.choose(&page.t("keys.owner"), &page.t("keys.of_organization"));
    page.find_no("link", "diagram exporter");
    let found = ["backup of diagrams", "nightly backup"];
    let listed = || {
        let links = page.within("table", "").names("link");
        links.into_iter().filter(|name| name.contains("backup")).collect::<Vec<_>>()
    };
    assert_eq!(listed(), found);
    let address = page.address();
    for part in ["search=backup", "sort=name", "kind=service"] {
        assert!(address.contains(part), "{address}");
    }
    page.reload();
    page.find("link", "nightly backup");
    assert_eq!(
        (listed().as_slice(), page.value(&page.t("keys.search"))),
        (found.map(str::to_owned).as_slice(), "backup".to_owned())
    );
    page.find_no("link", "diagram exporter");
    let sorted = page.evaluate(
        "[...document.querySelectorAll('[aria-sort]')].map(it => [it.textContent, it.ariaSort].join()).join()",
    );
    assert_eq!(sorted, format!("{},ascending", page.t("keys.name")));

    // A link with filters.
    page.go("/#/keys?status=revoked");
    page.find("link", "left in a taxi");
    page.find_no("link", "nightly backup");
    page.finish();
}

#[test]
fn plan_without_api_access_shows_who_can_change_it() {
    let instance = TestServer::start_with(&["--support-url", "https://support.example.com/keys"]);
    let mate = instance.join("mate", "user");
    instance.put_on_plan(&instance.organization(), "free");
    for language in LANGUAGES {
        let page = Page::open(&instance, language);
        page.go("/");
        page.sign_in(&mate.email, THEIRS);
        let plan = [("plan", &*page.t("plans.name_free"))];
        page.find("heading", &page.t("keys.no_access"));
        page.see(&page.t_with("keys.not_in_plan", &plan));
        page.see(&page.t("keys.change_plan"));
        page.within("main", "").find("link", &page.t("shell.support"));
        page.find_no("link", &page.t("keys.new"));
        page.find_no("link", &page.t("keys.create_first"));
        page.go("/#/keys/new");
        page.find("heading", &page.t("keys.no_access"));
        page.find_no("button", &page.t("new_key.save"));
        page.finish();
    }
}

#[test]
fn support_is_two_clicks_away() {
    let support = "https://support.example.com/keys";
    let instance = TestServer::start_with(&["--support-url", support]);
    let page = Page::open(&instance, "en");
    page.go("/");
    page.sign_in(EMAIL, PASSWORD);
    page.click("button", &page.t_with("shell.account", &[("name", "ada")]));
    page.focus("link", &page.t("shell.support"));
    assert_eq!(page.evaluate("document.activeElement.href"), support);
    page.click("button", &page.t("about.title"));
    let about = page.within("dialog", &page.t("about.title"));
    about.see(&page.t("about.what"));
    about.see(env!("CARGO_PKG_VERSION"));
    about.click("button", &page.t("actions.close"));
    page.no_dialog();
    page.finish();
}

/// Returns the TOTP code of a seed, the given number of steps from now. Tests use steps 0 and 1, which the
/// server accepts.
pub(crate) fn code_of(seed: &str, steps_ahead: u64) -> String {
    let totp = Builder::new().with_secret(Secret::try_from_base32(seed).unwrap()).build().unwrap();
    totp.generate(seconds_since_1970() + 30 * steps_ahead).to_string()
}
