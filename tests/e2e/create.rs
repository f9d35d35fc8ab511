//! The form of a new key: permissions, templates, teams, summary, and what follows the creation.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::driver::wait;
use crate::guides::copied_secret;
use crate::page::{Look, Page};
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::LANGUAGES;

/// Both sides of the points at which the form changes its layout.
const WIDTHS: [u32; 4] = [320, 390, 800, 1280];

/// In an earlier version, a new key could read every API unless the user chose something else.
#[test]
fn key_without_a_choice_has_no_permission() {
    let instance = TestServer::start();
    let page = open(&instance, "en", "/#/keys/new");
    assert_eq!(page.find("radio", &page.t("new_key.none")).checked, "true");
    let summary = page.within("region", &page.t("new_key.summary"));
    summary.see(&page.t("permission_words.key_nothing"));
    page.click("button", &page.t("new_key.save"));
    let secret = copied_secret(&page);
    assert_eq!(only_key(&instance)["permissions"], json!([]));
    assert_eq!(instance.bare(&Ask::forward_auth(&secret)).status, 200);
    page.finish();
}

#[test]
fn pipeline_gets_permissions_to_read_and_deploy() {
    let instance = TestServer::start();
    for language in LANGUAGES {
        let page = open(&instance, language, "/#/keys/new");
        page.click("radio", &page.t("new_key.deploy"));
        page.click("button", &page.t("new_key.save"));
        copied_secret(&page);
        let deploys = json!(["*:read", "*:deploy", "*:publish", "*:release"]);
        assert_eq!(newest(&instance)["permissions"], deploys, "{language}");
        page.finish();
    }
}

#[test]
fn one_control_for_each_resource_sets_its_permissions() {
    let instance = TestServer::start();
    catalogue(&instance);
    let page = open(&instance, "en", "/#/keys/new");
    page.click("radio", &page.t("new_key.custom"));
    let level = |resource: &str, level: &str| {
        let name = page.t(&format!("matrix.level_{level}"));
        page.within("radiogroup", resource).click("radio", &name);
    };
    // A group sets its resources together; a resource without this level takes the nearest one.
    level(&page.t_with("matrix.whole_group", &[("group", "Drawing")]), "read_write");
    page.see(&page.t_with("matrix.chosen", &[("count", "2"), ("total", "2")]));
    level("backups", "custom");
    page.click("checkbox", "backups:restore");
    level("reports", "all");
    let summary = page.within("region", &page.t("new_key.summary"));
    let everything = page.t_with("permission_words.all_of", &[("resource", "reports")]);
    summary.see(&everything);
    page.click("button", &page.t("new_key.save"));
    copied_secret(&page);
    let chosen =
        json!(["diagrams:read", "diagrams:write", "icons:read", "backups:restore", "reports:*"]);
    assert_eq!(only_key(&instance)["permissions"], chosen);

    // The same list shows them when they are edited.
    page.go(&format!("/#/keys/{}?tab=access", only_key(&instance)["id"].as_str().unwrap()));
    page.click("button", &page.t("key.edit_permissions"));
    page.dialog();
    for (resource, level) in
        [("diagrams", "read_write"), ("icons", "read"), ("backups", "custom"), ("reports", "all")]
    {
        let row = page.within("dialog", "").within("radiogroup", resource);
        let name = page.t(&format!("matrix.level_{level}"));
        assert_eq!(row.find("radio", &name).checked, "true", "{resource}");
    }
    assert_eq!(page.find("checkbox", "backups:restore").checked, "true");
    assert_eq!(page.find("checkbox", "backups:read").checked, "false");
    page.press(&["Escape"]);
    page.no_dialog();
    page.finish();
}

#[test]
fn custom_selection_begins_with_the_last_choice() {
    let instance = TestServer::start();
    catalogue(&instance);
    let page = open(&instance, "en", "/#/keys/new");
    page.click("radio", &page.t("new_key.read"));
    page.click("radio", &page.t("new_key.custom"));
    let level = page.t("matrix.level_read");
    for resource in ["diagrams", "icons", "backups"] {
        assert_eq!(page.within("radiogroup", resource).find("radio", &level).checked, "true");
    }
    page.finish();
}

#[test]
fn saved_template_is_offered_for_the_next_key() {
    let instance = TestServer::start();
    catalogue(&instance);
    for language in LANGUAGES {
        let page = open(&instance, language, "/#/keys/new");
        page.click("radio", &page.t("new_key.custom"));
        page.within("radiogroup", "diagrams").click("radio", &page.t("matrix.level_read"));
        page.click("button", &page.t("new_key.save_template"));
        let dialog = page.within("dialog", &page.t("new_key.save_template"));
        dialog.click("button", &page.t("actions.save"));
        dialog.see(&page.t("faults.required"));
        dialog.fill(&page.t("new_key.template_name"), "<b>nightly</b>");
        dialog.click("button", &page.t("actions.save"));
        page.no_dialog();
        page.see_focus("radio", "<b>nightly</b>");

        page.reload();
        page.click("radio", "<b>nightly</b>");
        page.click("button", &page.t("new_key.save"));
        copied_secret(&page);
        assert_eq!(newest(&instance)["permissions"], json!(["diagrams:read"]));

        page.go("/#/keys/new");
        let remove = page.t_with("new_key.remove_template", &[("name", "<b>nightly</b>")]);
        page.click("button", &remove);
        page.find_no("radio", "<b>nightly</b>");
        page.see_focus("radio", &page.t("new_key.none"));
        page.reload();
        page.find("radio", &page.t("new_key.deploy"));
        page.find_no("radio", "<b>nightly</b>");
        page.finish();
    }
}

/// In an earlier version, each team had a row of its own, and 40 teams were 1,000 px.
#[test]
fn teams_are_found_and_chosen_by_keyboard() {
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let owner = instance.owner();
    for name in ["makers", "markets", "operations"] {
        instance.team(name, "visible", &[&owner]);
    }
    let page = open(&instance, "en", "/#/keys/new");
    let field = page.t("key.share_more");
    page.focus("combobox", &field);
    page.write("mar");
    page.find("option", "markets");
    page.find_no("option", "makers");
    // Enter chooses the team, and creates no key.
    page.press(&["Enter"]);
    page.find("combobox", "markets");
    page.press(&["Down"]);
    page.find("option", "operations");
    page.find_no("option", "markets");
    page.press(&["Escape"]);
    page.find_no("option", "operations");
    page.press(&["Down", "Down", "Enter"]);
    page.find("combobox", "operations");
    page.write("nothing like it");
    page.see(&page.t("palette.nothing"));
    page.choose("operations", &page.t("new_key.share_write"));
    page.click("button", &page.t_with("new_key.unshare", &[("name", "markets")]));
    page.find_no("combobox", "markets");
    page.see_focus("combobox", &field);
    page.within("region", &page.t("new_key.summary")).see("operations");
    assert!(instance.all_keys().is_empty());
    page.click("button", &page.t("new_key.save"));
    copied_secret(&page);
    let teams = only_key(&instance)["teams"].clone();
    let shared: Vec<_> =
        teams.as_array().unwrap().iter().map(|it| (&it["name"], &it["access"])).collect();
    assert_eq!(shared, [(&json!("operations"), &json!("write"))]);
    page.finish();
}

#[test]
fn summary_follows_the_form() {
    let instance = TestServer::start();
    let page = open(&instance, "en", "/#/keys/new");
    let summary = page.within("region", &page.t("new_key.summary"));
    page.fill(&page.t("new_key.name"), "courier");
    summary.see("courier");
    summary.see(&page.t("new_key.owner_you"));
    page.click("radio", &page.t("new_key.owner_organization"));
    summary.see(&page.t("new_key.owner_organization"));
    // A service key has no owner whose permissions it could follow.
    page.find_no("radio", &page.t("new_key.full_access"));
    page.click("radio", &page.t("expiry.never"));
    summary.see(&page.t("expiry.never"));
    page.click("DisclosureTriangle", &page.t("new_key.ip_restrictions"));
    page.fill(&page.t("networks.allow"), "10.0.0.0/8");
    summary.see("10.0.0.0/8");
    page.click("DisclosureTriangle", &page.t("new_key.more"));
    page.fill(&page.t("new_key.environment"), "staging");
    summary.see("staging");
    page.finish();
}

/// In an earlier version, a limit needed a name, and its window was a number of seconds.
#[test]
fn rate_limit_needs_only_calls_and_a_window() {
    let instance = TestServer::start();
    for language in LANGUAGES {
        let page = open(&instance, language, "/#/keys/new");
        page.click("DisclosureTriangle", &page.t("new_key.limits"));
        page.click("button", &page.t("key.add_limit"));
        page.see_focus("spinbutton", &page.t("key.limit_calls"));
        page.fill(&page.t("key.limit_calls"), "100");
        page.click("button", &page.t("new_key.save"));
        copied_secret(&page);
        let limit = json!([{"name": "per-60s", "limit": 100, "window_seconds": 60}]);
        assert_eq!(newest(&instance)["rate_limits"], limit);
        page.finish();
    }
}

#[test]
fn enter_in_any_field_creates_no_key() {
    let instance = TestServer::start();
    let page = open(&instance, "en", "/#/keys/new");
    page.click("radio", &page.t("expiry.date"));
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
    page.click("button", &page.t("key.add_limit"));
    page.click("checkbox", &page.t("key.has_quota"));
    let count = page.evaluate("document.querySelectorAll('main input').length").as_u64().unwrap();
    let mut focused = 0;
    for at in 0..count {
        let focus = format!(
            "(field => (field.focus(), document.activeElement === field))\
             (document.querySelectorAll('main input')[{at}])"
        );
        focused += u64::from(page.evaluate(&focus) == true);
        page.press(&["Enter"]);
    }
    assert!(focused > 10, "{focused} of {count} fields");
    page.find("button", &page.t("new_key.save"));
    let posts = page
        .requests()
        .into_iter()
        .filter(|it| it.method == "POST" && it.url.ends_with("/v1/keys"));
    assert_eq!(posts.count(), 0);
    page.finish();
}

#[test]
fn another_key_with_the_same_choices_needs_one_more_click() {
    let instance = TestServer::start();
    for language in LANGUAGES {
        let page = open(&instance, language, "/#/keys/new");
        page.fill(&page.t("new_key.name"), "first");
        page.click("radio", &page.t("new_key.read_write"));
        page.click("button", &page.t("new_key.save"));
        page.find("dialog", &page.t("secret.title"));
        assert!(page.find("button", &page.t("secret.another")).disabled);
        page.click("button", &page.t("secret.copy"));
        let first = page.clipboard();
        page.click("button", &page.t("secret.another"));
        page.no_dialog();
        page.see_focus("textbox", &page.t("new_key.name"));
        assert_ne!(page.value(&page.t("new_key.name")), "first");
        page.fill(&page.t("new_key.name"), "second");
        page.click("button", &page.t("new_key.save"));
        assert_ne!(copied_secret(&page), first);
        page.find("heading", "second");
        let keys = instance.all_keys();
        assert_eq!(keys[0]["permissions"], keys[1]["permissions"]);
        page.finish();
    }
}

/// In an earlier version, copying the secret and closing its dialog took two clicks.
#[test]
fn one_click_copies_the_secret_and_closes_its_dialog() {
    let instance = TestServer::start();
    instance.create(&json!({"name": "laptop"}));
    for language in LANGUAGES {
        let page = open(&instance, language, "/#/keys");
        page.click("link", &page.t("keys.new"));
        page.click("button", &page.t("new_key.save"));
        page.click("button", &page.t("secret.copy_close"));
        page.no_dialog();
        assert_eq!(instance.bare(&Ask::forward_auth(&page.clipboard())).status, 200);
        // Back leads to the list, and not to a form whose key exists.
        page.find("button", &page.t("rotate.button"));
        page.back();
        page.find("heading", &page.t("keys.title"));
        page.finish();
    }
}

#[test]
fn examples_use_the_new_key() {
    let instance = TestServer::start();
    for language in LANGUAGES {
        let page = open(&instance, language, "/#/keys/new");
        page.click("button", &page.t("new_key.save"));
        page.find("dialog", &page.t("secret.title"));
        for (tab, part) in [("Python", "urlopen"), ("Node.js", "fetch"), ("Go", "http.NewRequest")]
        {
            page.click("radio", tab);
            page.see(part);
            page.see(&page.t("secret.from_environment"));
            page.click("button", &page.t("secret.copy_line"));
            let code = page.clipboard();
            assert!(code.contains("API_KEY") && code.contains("/v1/whoami"), "{code}");
            assert!(!code.contains("kh_live_"), "{code}");
        }
        // These contain no secret: the key is not saved yet.
        assert_eq!(page.find("checkbox", &page.t("secret.saved")).checked, "false");
        page.click("radio", ".env");
        page.click("button", &page.t("secret.copy_line"));
        let line = page.clipboard();
        let secret = line.strip_prefix("API_KEY=").expect("a line of an environment file");
        assert_eq!(instance.bare(&Ask::get("/v1/whoami").bearer(secret)).status, 200);
        assert!(!page.text().contains(secret), "the secret is readable unasked");
        assert_eq!(page.find("checkbox", &page.t("secret.saved")).checked, "true");
        page.click("button", &page.t("secret.close"));
        page.no_dialog();
        page.finish();
    }
}

#[test]
fn copied_link_opens_the_form_with_the_same_values() {
    let instance = TestServer::start();
    instance.team("makers", "visible", &[&instance.owner()]);
    let page = open(
        &instance,
        "en",
        "/#/keys/new?permissions=diagrams:read&kind=service&expires=90d&deny=10.0.0.0/8&team=makers:write\
         &description=nightly",
    );
    page.click("button", &page.t("new_key.copy_link"));
    let link = page.clipboard();
    page.follow("about:blank");
    page.follow(&link);
    page.see(&page.t("new_key.from_link"));
    page.see_no(&page.t("new_key.ignored"));
    page.click("button", &page.t("new_key.save"));
    copied_secret(&page);
    let key = only_key(&instance);
    assert_eq!(key["permissions"], json!(["diagrams:read"]));
    assert_eq!((&key["kind"], &key["description"]), (&json!("service"), &json!("nightly")));
    assert_eq!(key["ip_rules"]["deny"], json!(["10.0.0.0/8"]));
    assert_eq!(key["teams"][0]["access"], "write");
    let [end, begin] = [&key["expires_at"], &key["created_at"]];
    let days =
        page.evaluate(&format!("Math.round((Date.parse({end}) - Date.parse({begin})) / 86400000)"));
    assert_eq!(days, 90);
    page.finish();
}

#[test]
fn key_is_created_by_keyboard_alone() {
    let instance = TestServer::start();
    let page = open(&instance, "en", "/#/keys");
    page.focus("link", &page.t("keys.create_first"));
    page.press(&["Enter"]);
    page.see_focus("textbox", &page.t("new_key.name"));
    page.write("-by-keyboard");
    // The suggestion of a name, the owner, the permissions.
    page.press(&["Tab", "Tab", "Tab"]);
    page.see_focus("radio", &page.t("new_key.none"));
    page.press(&["Down"]);
    page.see_focus("radio", &page.t("new_key.read"));
    page.press(&["Tab", "Tab", "Tab", "Tab", "Tab"]);
    page.see_focus("button", &page.t("new_key.save"));
    page.press(&["Enter"]);
    page.find("dialog", &page.t("secret.title"));
    page.press(&["Tab", "Tab"]);
    page.see_focus("button", &page.t("secret.copy"));
    page.press(&["Enter"]);
    page.see(&page.t("copy.copied"));
    page.focus("button", &page.t("secret.close"));
    page.press(&["Enter"]);
    page.no_dialog();
    let key = only_key(&instance);
    assert_eq!(key["permissions"], json!(["*:read"]));
    assert!(key["name"].as_str().unwrap().ends_with("-by-keyboard"), "{key}");
    page.finish();
}

#[test]
fn summary_stays_in_view_and_every_width_fits() {
    let instance = TestServer::start();
    catalogue(&instance);
    for language in LANGUAGES {
        let page = open(&instance, language, "/#/keys/new");
        page.click("radio", &page.t("new_key.custom"));
        page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
        for width in WIDTHS {
            page.looks(Look { dark: false, width });
            let wider = page.evaluate("document.documentElement.scrollWidth - innerWidth");
            assert!(wider.as_f64().unwrap() <= 0.0, "{wider} px wider than {width} px");
            // The button is in view at the top and in the middle of the form.
            for share in ["0", "0.4"] {
                let seen = format!(
                    "(scrollTo(0, document.body.scrollHeight * {share}), ((box) => box.top >= 0 && \
                     box.bottom <= innerHeight)(document.querySelector('.new-key [type=submit]').getBoundingClientRect()))"
                );
                let missing = || format!("the button is out of view at {width} px, {share}");
                wait(missing, || (page.evaluate(&seen) == true).then_some(()));
            }
        }
        page.finish();
    }
}

/// Opens the form.
pub(crate) fn start(page: &Page, _house: &TestServer) {
    page.go("/#/keys/new");
    page.find("button", &page.t("new_key.save"));
}

/// Opens the list of teams that a new key can be shared with.
pub(crate) fn teams(page: &Page, _house: &TestServer) {
    page.go("/#/keys/new?team=night%20watch");
    page.fill(&page.t("key.share_more"), "diagram");
    page.find("option", "diagram makers");
}

/// Opens the form of a new key and expands all its sections.
pub(crate) fn new_key(page: &Page, _house: &TestServer) {
    page.go("/#/keys/new");
    page.click("radio", &page.t("new_key.custom"));
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
    page.see(&page.t("networks.deny"));
}

pub(crate) fn new_key_by_link(page: &Page, _house: &TestServer) {
    page.go(
        "/#/keys/new?name=from%20a%20link&permissions=diagrams:read&expires=never&ip=10.0.0.0/8",
    );
    page.see(&page.t("new_key.from_link"));
}

pub(crate) fn new_key_refused(page: &Page, _house: &TestServer) {
    page.go("/#/keys/new");
    page.fill(&page.t("new_key.name"), " ");
    page.click("button", &page.t("new_key.save"));
    page.see(&page.t("faults.invalid_name"));
}

pub(crate) fn secret(page: &Page, _house: &TestServer) {
    page.go("/#/keys/new");
    page.fill(&page.t("new_key.name"), "shown once");
    page.click("button", &page.t("new_key.save"));
    page.dialog();
}

/// A catalogue with groups, and resources with one, two and three actions.
fn catalogue(instance: &TestServer) {
    for (name, group) in [
        ("diagrams:read", "Drawing"),
        ("diagrams:write", "Drawing"),
        ("icons:read", "Drawing"),
        ("backups:read", "Operations"),
        ("backups:write", "Operations"),
        ("backups:restore", "Operations"),
        ("reports:export", ""),
    ] {
        let entry = json!({"name": name, "group": group});
        instance.ask(&Ask::post("/v1/permissions", &entry)).expect(201);
    }
}

/// The key that was created last: ids begin with the time of their creation.
fn newest(instance: &TestServer) -> Value {
    let keys = instance.all_keys().into_iter();
    keys.max_by_key(|key| key["id"].as_str().unwrap().to_owned()).expect("a key")
}

fn only_key(instance: &TestServer) -> Value {
    let keys = instance.all_keys();
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    key.clone()
}

fn open(instance: &TestServer, language: &'static str, path: &str) -> Page {
    let page = Page::open(instance, language);
    page.go(path);
    page.sign_in(EMAIL, PASSWORD);
    page
}
