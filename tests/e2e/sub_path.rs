//! The page on a sub-path, behind nginx with TLS, with the example of `examples/nginx`.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::guides::copied_secret;
use crate::page::Page;
use crate::people::{PASSWORD as NEW_PASSWORD, invitation};
use crate::proxy::{Kind, Proxy, free_ports, make_certificate};
use crate::server::Home;
use crate::session_ends::sign_out;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// `Page::finish` fails if the page sent a request outside the sub-path.
#[test]
fn the_page_works_on_a_sub_path_behind_tls() {
    let home = Home::new();
    make_certificate(Kind::Nginx, &home);
    let [plain, encrypted, application] = free_ports();
    let url = format!("https://127.0.0.1:{encrypted}/keys");
    let instance = TestServer::start_with(&["--public-url", &format!("{url}/")]);
    let ports = [plain, encrypted, instance.address().port(), application];
    let _proxy = Proxy::start_sub_path(Kind::Nginx, &home, ports);
    let invited = instance.ask(&invitation("bo@example.com", "user")).expect(201);

    let page = Page::open_at(url.clone(), "en");
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    page.click("link", &page.t("keys.new"));
    page.fill(&page.t("new_key.name"), "courier");
    page.click("button", &page.t("new_key.save"));
    let secret = copied_secret(&page);
    let address = page.address();
    assert!(address.starts_with(&format!("{url}/#/keys/key_")), "{address}");

    // The address of a view can be reloaded and shared.
    page.reload();
    page.find("heading", "courier");
    assert_eq!(page.address(), address);
    instance.bare(&Ask::forward_auth(&secret)).expect(200);
    page.choose_action("courier", "key.revoke");
    page.within("dialog", &page.t("key.revoke_title"))
        .click("button", &page.t("key.revoke_confirm"));
    page.no_dialog();
    page.see(&page.t("status.revoked"));
    instance.bare(&Ask::forward_auth(&secret)).problem(401, "REVOKED");

    page.go("/#/keys");
    page.within("navigation", &page.t("shell.navigation")).click("link", &page.t("about.api"));
    page.see(&page.t("reference.file_link"));
    assert_eq!(page.address(), format!("{url}/docs"));
    let api = page.evaluate("document.querySelector('a[href=\"openapi.json\"]').href");
    assert_eq!(api, json!(format!("{url}/openapi.json")));
    page.go("/docs#/keys/listKeys");
    page.click("DisclosureTriangle", &page.t("reference.try"));
    page.click("button", &page.t("reference.send"));
    page.within("region", &page.t("reference.response_body")).see("\"total\": 0");
    page.go("/#/keys");
    page.find("heading", &page.t("keys.title"));

    // Signing out and accepting an invitation lead to the page, not to the other application.
    sign_out(&page, "ada");
    assert_eq!(page.address(), format!("{url}/"));
    page.follow(invited["url"].as_str().unwrap());
    page.fill(&page.t("invitation.name"), "Bo");
    page.fill(&page.t("invitation.password"), NEW_PASSWORD);
    page.click("button", &page.t("invitation.button"));
    page.find("navigation", &page.t("shell.navigation"));
    assert!(page.address().starts_with(&format!("{url}/")), "{}", page.address());
    page.finish();
}
