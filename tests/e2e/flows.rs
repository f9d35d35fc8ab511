//! The main flows of the page, measured in presses of the mouse and of keys that type no text.
//!
//! `docs/explanation/page.md` has the numbers, which this test compares. It prints the seconds of each flow.

use serde_json::json;

use crate::ask::Ask;
use crate::page::Page;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

const DOCUMENT: &str = include_str!("../../docs/explanation/page.md");

/// Counts what the user presses, in every document.
const COUNT: &str = "globalThis.presses = 0; \
    addEventListener('pointerdown', (event) => { if (event.isTrusted) presses += 1; }, true); \
    addEventListener('keydown', (event) => { if (event.isTrusted && event.key.length > 1) presses += 1; }, true);";

/// The flows measured so far, as the rows of the document begin.
#[derive(Default)]
struct Rows(Vec<String>);

#[expect(clippy::print_stdout, reason = "the seconds depend on the machine, so they are printed")]
impl Rows {
    fn add(&mut self, page: &Page, flow: &str, follow: impl FnOnce()) {
        let at = || page.evaluate("[presses, performance.now()]");
        let before = at();
        follow();
        let after = at();
        let presses = after[0].as_u64().unwrap() - before[0].as_u64().unwrap();
        let seconds = (after[1].as_f64().unwrap() - before[1].as_f64().unwrap()) / 1000.0;
        println!("{flow}: {presses} presses, {seconds:.1} s");
        self.0.push(format!("| {flow} | {presses} |"));
    }
}

#[test]
fn main_flows_take_the_stated_presses() {
    let instance = TestServer::start();
    for name in ["courier", "laptop"] {
        instance.create(&json!({"name": name}));
    }
    let page = Page::open(&instance, "en");
    page.before_documents(COUNT);
    let mut rows = Rows::default();
    page.go("/");
    page.see_focus("textbox", &page.t("sign_in.email"));
    rows.add(&page, "sign in", || {
        page.write(EMAIL);
        page.press(&["Tab"]);
        page.write(PASSWORD);
        page.press(&["Enter"]);
        page.find("heading", &page.t("shell.overview"));
    });
    page.go("/#/keys");
    page.find("link", "courier");
    rows.add(&page, "create a key, to the closed dialog of its secret", || {
        page.click("link", &page.t("keys.new"));
        page.click("button", &page.t("new_key.save"));
        page.click("button", &page.t("secret.copy_close"));
        page.no_dialog();
    });
    let secret = page.clipboard();
    let call = Ask::forward_auth(&secret);
    assert_eq!(instance.bare(&call).status, 200);
    page.go("/#/keys");
    page.find("link", "courier");
    rows.add(&page, "find a key by the address of its last use", || {
        page.click("searchbox", &page.t("keys.search"));
        page.write("192.0.2.7");
        page.find_no("link", "courier");
        page.see("192.0.2.7");
    });
    page.go("/#/keys?sort=name");
    page.find("link", "courier");
    rows.add(&page, "rotate a key from the list, to the closed dialog of its secret", || {
        page.choose_action("courier", "rotate.button");
        let dialog = page.within("dialog", &page.t("rotate.title"));
        dialog.click("button", &page.t("rotate.button"));
        page.click("button", &page.t("secret.copy_close"));
        page.no_dialog();
    });
    assert_eq!(instance.bare(&Ask::forward_auth(&page.clipboard())).status, 200);
    rows.add(&page, "revoke a key from the list", || {
        page.click("button", &page.t_with("keys.revoke", &[("name", "laptop")]));
        page.click("button", &page.t("key.revoke_confirm"));
        page.no_dialog();
        page.within("row", "laptop").see(&page.t("status.revoked"));
    });
    // The first of these lines has the names of the columns.
    let documented = DOCUMENT.lines().filter(|line| line.starts_with("| ")).skip(1);
    assert_eq!(documented.count(), rows.0.len(), "rows of docs/explanation/page.md");
    for row in rows.0 {
        assert!(DOCUMENT.contains(&row), "docs/explanation/page.md has no row {row}");
    }
    page.finish();
}
