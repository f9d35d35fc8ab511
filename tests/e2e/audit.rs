//! The audit log as a view.

use serde_json::json;

use crate::ask::Expect;
use crate::page::Page;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// In an earlier version, most events of a key showed only its id.
#[test]
fn events_of_a_key_show_its_name() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "courier"}));
    instance.act(&key.id, "disable").expect(200);
    instance.act(&key.id, "revoke").expect(200);
    let page = Page::open(&instance, "en");
    page.go("/#/audit");
    page.sign_in(EMAIL, PASSWORD);
    page.find("heading", &page.t("audit.title"));
    for action in ["key_disable", "key_revoke", "key_create"] {
        let sentence = page.t_with(&format!("events.{action}"), &[("actor", "ada")]);
        page.within("listitem", &sentence).find("link", "courier");
    }
    page.see_no(&key.id);
    page.finish();
}
