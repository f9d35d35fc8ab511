//! The screens of the page of a key, for the table of all screens.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::driver::wait;
use crate::page::Page;
use crate::test_server::TestServer;

/// Opens the key with this name and waits for its overview.
fn open_key(page: &Page, name: &str) {
    page.go("/#/keys?status=all");
    page.click("link", name);
    page.find("heading", name);
    page.find("heading", &page.t("key.access"));
    loaded(page);
}

/// Waits until no part of the page is loading.
fn loaded(page: &Page) {
    let loading = "document.querySelectorAll('main [aria-busy=true]').length";
    wait(|| "a part is still loading".to_owned(), || (page.evaluate(loading) == 0).then_some(()));
}

/// Opens a tab of the key with this name.
fn open_tab(page: &Page, name: &str, tab: &str) {
    open_key(page, name);
    page.click("tab", &page.t(tab));
    loaded(page);
}

pub(crate) fn key(page: &Page, _house: &TestServer) {
    open_key(page, "diagram exporter");
}

pub(crate) fn key_that_created(page: &Page, _house: &TestServer) {
    open_key(page, "deploy robot");
}

pub(crate) fn key_in_rotation(page: &Page, _house: &TestServer) {
    open_key(page, "in rotation");
}

pub(crate) fn key_revoked(page: &Page, _house: &TestServer) {
    open_key(page, "left in a taxi");
}

pub(crate) fn key_access(page: &Page, _house: &TestServer) {
    open_tab(page, "diagram exporter", "key.tab_access");
    page.find("heading", &page.t("key.teams"));
}

pub(crate) fn key_usage(page: &Page, _house: &TestServer) {
    open_tab(page, "diagram exporter", "usage.title");
    page.find("heading", &page.t("requests.title"));
}

/// A key with more refused calls than the first rows.
pub(crate) fn key_refused(page: &Page, instance: &TestServer) {
    let key = instance.create(&json!({"name": "refused"}));
    for _ in 0..4 {
        assert_eq!(instance.bare(&Ask::forward_auth(&key.secret)).status, 200);
    }
    instance.act(&key.id, "disable").expect(200);
    for _ in 0..12 {
        instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "DISABLED");
    }
    open_tab(page, "refused", "usage.title");
}

pub(crate) fn key_secrets(page: &Page, _house: &TestServer) {
    open_tab(page, "in rotation", "rotate.secrets");
    page.find("table", &page.t("rotate.secrets"));
}

pub(crate) fn key_history(page: &Page, _house: &TestServer) {
    open_tab(page, "diagram exporter", "key.history");
    page.within("main", "").see(&page.t_with("events.key_create", &[("actor", "ada")]));
}

pub(crate) fn key_menu(page: &Page, instance: &TestServer) {
    key(page, instance);
    page.click("button", &page.t_with("keys.actions_of", &[("name", "diagram exporter")]));
    page.find("button", &page.t("key.disable"));
}

pub(crate) fn key_test_allowed(page: &Page, instance: &TestServer) {
    test_access(page, instance, "diagrams:read");
    page.see(&page.t("explain.would_allow"));
}

pub(crate) fn key_test_refused(page: &Page, instance: &TestServer) {
    test_access(page, instance, "diagrams:write");
    page.see(&page.t("explain.why_INSUFFICIENT_PERMISSIONS"));
    page.click("DisclosureTriangle", &page.t("explain.all_rules"));
}

fn test_access(page: &Page, instance: &TestServer, permission: &str) {
    key(page, instance);
    page.click("button", &page.t("explain.title"));
    page.fill(&page.t("explain.permission"), permission);
    page.click("button", &page.t("explain.test"));
}
