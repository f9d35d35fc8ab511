//! Selected keys of the list are shared, extended, disabled and revoked together.

use serde_json::json;

use crate::page::Page;
use crate::people::PASSWORD as THEIRS;
use crate::relay::{PROOF_REQUIRED, Relay};
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::LANGUAGES;

/// Slow enough to close a dialog while its request runs.
const SLOW_MS: u32 = 2_000;
const BROKEN: (&str, &str) = ("500 Internal Server Error", "{\"code\":\"internal\"}");

#[test]
fn selected_keys_are_shared_with_a_team() {
    let instance = TestServer::start();
    let team = instance.team("makers", "visible", &[&instance.owner()]);
    for language in LANGUAGES {
        let managed = json!([{"id": team, "access": "write"}]);
        let keys = [("one", json!([])), ("two", json!([])), ("three", managed)];
        let keys = keys.map(|(name, teams)| {
            instance.create(&json!({"name": format!("{language} {name}"), "teams": teams}))
        });
        let page = open(&instance, language, &format!("/#/keys?search={language}%20"));
        page.click("checkbox", &page.t("keys.select_all"));
        page.click("button", &page.t("keys.share_selected"));
        let dialog = page.within("dialog", &page.t("bulk.share_title"));
        // The team manages the third key: it can view it already.
        dialog.see(&page.t("bulk.unchanged.one").replace("{count}", "1"));
        assert_eq!(dialog.names("listitem").len(), 2);
        dialog.choose(&page.t("key.team_access"), &page.t("bulk.share_write"));
        dialog.choose(&page.t("key.team_access"), &page.t("bulk.share_read"));
        dialog.click("button", &page.t_with("bulk.share_confirm", &[("count", "2")]));
        page.no_dialog();
        page.see(&page.t_with("bulk.share_all", &[("count", "2")]));
        page.within("row", &format!("{language} one")).see("makers");
        let accesses = keys.map(|key| instance.key(&key.id)["teams"][0]["access"].clone());
        assert_eq!(accesses, ["read", "read", "write"]);
        page.find_no("button", &page.t("keys.share_selected"));
        page.finish();
    }
}

#[test]
fn selected_keys_are_extended_by_keyboard() {
    let instance = TestServer::start();
    for language in LANGUAGES {
        let named = |name: &str| json!({"name": format!("{language} {name}")});
        let (mut short, mut long) = (named("short"), named("long"));
        short["expires_in"] = json!("5d");
        long["expires_in"] = json!("60d");
        let keys = [short, long, named("endless")].map(|fields| instance.create(&fields));
        let page = open(&instance, language, &format!("/#/keys?search={language}%20"));
        page.focus("checkbox", &page.t("keys.select_all"));
        page.press(&["Space"]);
        page.focus("button", &page.t("keys.extend_selected"));
        page.press(&["Enter"]);
        page.find("dialog", &page.t("bulk.extend_title"));
        page.see_focus("radio", &page.t_with("expiry.days", &[("count", "90")]));
        page.press(&["Up"]);
        page.see_focus("radio", &page.t_with("expiry.days", &[("count", "30")]));
        page.press(&["Enter"]);
        page.no_dialog();
        page.see(&page.t_with("bulk.extend_all", &[("count", "2")]));
        let lifetimes = keys.map(|key| {
            let key = instance.key(&key.id);
            let [end, begin] = [&key["expires_at"], &key["created_at"]];
            let days = format!(
                "{end} && Math.round((Date.parse({end}) - Date.parse({begin})) / 86400000)"
            );
            page.evaluate(&days)
        });
        assert_eq!(lifetimes, [json!(35), json!(90), json!(null)], "{language}");
        page.finish();
    }
}

#[test]
fn key_that_can_not_be_shared_is_listed_and_the_others_stay_shared() {
    let (relay, instance) = Relay::before_instance();
    instance.team("makers", "visible", &[&instance.owner()]);
    let keys = ["one", "two", "three"].map(|name| instance.create(&json!({"name": name})));
    let mut page = Page::open_at(relay.url(), "en");
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    page.click("checkbox", &page.t("keys.select_all"));
    page.click("button", &page.t("keys.share_selected"));
    relay.answer(&format!("{}/teams", keys[1].id), BROKEN);
    let dialog = page.within("dialog", &page.t("bulk.share_title"));
    dialog.click("button", &page.t_with("bulk.share_confirm", &[("count", "3")]));
    page.within("listitem", "two").see(&page.t("problems.internal"));
    assert_eq!(dialog.names("listitem").len(), 1);
    dialog.see(&page.t_with("bulk.share_part", &[("count", "2"), ("total", "3")]));
    page.press(&["Escape"]);
    page.no_dialog();
    page.see_focus("button", &page.t("keys.share_selected"));
    let shares =
        || keys.each_ref().map(|key| instance.key(&key.id)["teams"].as_array().unwrap().len());
    assert_eq!(shares(), [1, 0, 1]);

    relay.pass_all();
    page.press(&["Enter"]);
    dialog.click("button", &page.t("bulk.share_confirm.one"));
    page.no_dialog();
    assert_eq!(shares(), [1, 1, 1]);
    page.expect("status of 500");
    page.finish();
}

#[test]
fn refused_proof_stops_the_remaining_requests() {
    let (relay, instance) = Relay::before_instance();
    let team = instance.team("makers", "visible", &[&instance.owner()]);
    let keys = ["one", "two"].map(|name| instance.create(&json!({"name": name})));
    let mut page = Page::open_at(relay.url(), "en");
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    page.click("checkbox", &page.t("keys.select_all"));
    page.click("button", &page.t("keys.share_selected"));
    relay.answer(&format!("/teams/{team}"), PROOF_REQUIRED);
    let dialog = page.within("dialog", &page.t("bulk.share_title"));
    let confirm = page.t_with("bulk.share_confirm", &[("count", "2")]);
    dialog.click("button", &confirm);
    page.find("dialog", &page.t("proof.title"));
    page.press(&["Escape"]);
    page.find_no("dialog", &page.t("proof.title"));
    page.within("listitem", "two").see(&page.t("problems.proof_required"));
    let sent = page.requests().into_iter().filter(|it| it.method == "PUT").count();
    assert_eq!(sent, 1);

    // With the proof, the same requests are sent again.
    dialog.click("button", &confirm);
    page.find("dialog", &page.t("proof.title"));
    relay.pass_all();
    let proof = page.within("dialog", &page.t("proof.title"));
    proof.fill(&page.t("proof.password"), PASSWORD);
    proof.click("button", &page.t("proof.button"));
    page.no_dialog();
    for key in &keys {
        assert_eq!(instance.key(&key.id)["teams"][0]["id"], team.as_str());
    }
    page.expect("status of 403");
    page.finish();
}

/// Members of a team with write access rename, disable and revoke its keys, and no more.
#[test]
fn keys_of_others_can_not_be_shared_or_extended() {
    let instance = TestServer::start();
    let mate = instance.join("mate", "user");
    let team = instance.team("makers", "visible", &[&instance.owner(), &mate]);
    let shares = json!([{"id": team, "access": "write"}]);
    instance.create(&json!({"name": "courier", "teams": shares, "expires_in": "5d"}));
    let page = Page::open(&instance, "en");
    page.go("/#/keys?tab=shared");
    page.sign_in(&mate.email, THEIRS);
    page.click("checkbox", &page.t_with("keys.select", &[("name", "courier")]));
    page.find("button", &page.t("keys.disable_selected"));
    page.find_no("button", &page.t("keys.share_selected"));
    page.find_no("button", &page.t("keys.extend_selected"));
    page.finish();
}

#[test]
fn selected_keys_are_revoked_together() {
    let instance = TestServer::start();
    let keys = ["one", "two", "three"].map(|name| instance.create(&json!({"name": name})));
    let page = open(&instance, "en", "/#/keys");
    for name in ["one", "two"] {
        page.click("checkbox", &page.t_with("keys.select", &[("name", name)]));
    }
    page.within("group", &page.t_with("keys.selected", &[("count", "2")]))
        .click("button", &page.t("keys.revoke_selected"));
    let dialog = page.within("dialog", "one");
    dialog.see("two");
    dialog.click("button", &page.t_with("bulk.revoke_confirm", &[("count", "2")]));
    page.no_dialog();
    for name in ["one", "two"] {
        page.within("row", name).see(&page.t("status.revoked"));
    }
    let statuses = keys.map(|key| instance.key(&key.id)["status"].clone());
    assert_eq!(statuses, ["revoked", "revoked", "active"]);
    page.find_no("checkbox", &page.t_with("keys.select", &[("name", "one")]));
    page.finish();
}

/// In an earlier version, the first key that failed kept the others active, and was not named.
#[test]
fn key_that_can_not_be_revoked_stops_no_other_key() {
    let (relay, instance) = Relay::before_instance();
    let keys = ["one", "two", "three"].map(|name| instance.create(&json!({"name": name})));
    let mut page = Page::open_at(relay.url(), "en");
    page.go("/#/keys");
    page.sign_in(EMAIL, PASSWORD);
    page.click("checkbox", &page.t("keys.select_all"));
    page.click("button", &page.t("keys.revoke_selected"));
    // The newest key is the first of the list.
    relay.answer(&format!("{}/revoke", keys[2].id), BROKEN);
    let dialog = page.within("dialog", "three");
    dialog.click("button", &page.t_with("bulk.revoke_confirm", &[("count", "3")]));
    page.within("listitem", "three").see(&page.t("problems.internal"));
    dialog.find("button", &page.t("bulk.revoke_confirm.one"));
    assert_eq!(dialog.names("listitem").len(), 1);
    let part = page.t_with("bulk.revoke_part", &[("count", "2"), ("total", "3")]);
    dialog.see(&part);
    page.press(&["Escape"]);
    page.no_dialog();
    page.see(&part);
    page.see_focus("button", &page.t("keys.revoke_selected"));

    relay.pass_all();
    page.press(&["Enter"]);
    dialog.click("button", &page.t("bulk.revoke_confirm.one"));
    page.no_dialog();
    page.within("row", "three").see(&page.t("status.revoked"));
    let statuses = keys.map(|key| instance.key(&key.id)["status"].clone());
    assert_eq!(statuses, ["revoked", "revoked", "revoked"]);
    page.expect("status of 500");
    page.finish();
}

/// In an earlier version, Escape closed the dialog, and the revocation of the other keys went on.
#[test]
fn escape_stops_the_revocation_of_the_keys_that_are_left() {
    let instance = TestServer::start();
    let keys = ["one", "two", "three"].map(|name| instance.create(&json!({"name": name})));
    let page = open(&instance, "en", "/#/keys");
    page.click("checkbox", &page.t("keys.select_all"));
    page.click("button", &page.t("keys.revoke_selected"));
    let dialog = page.within("dialog", "three");
    page.network(Some(SLOW_MS));
    dialog.click("button", &page.t_with("bulk.revoke_confirm", &[("count", "3")]));
    page.press(&["Escape"]);
    page.no_dialog();
    page.see(&page.t_with("bulk.revoke_part", &[("count", "1"), ("total", "3")]));
    let statuses = keys.map(|key| instance.key(&key.id)["status"].clone());
    assert_eq!(statuses, ["active", "active", "revoked"]);
    page.within("row", "three").see(&page.t("status.revoked"));
    page.finish();
}

/// In an earlier version, a key that a filter had removed from the list was revoked too.
#[test]
fn changed_filter_clears_the_selection() {
    let instance = TestServer::start();
    instance.create(&json!({"name": "courier"}));
    let page = open(&instance, "en", "/#/keys");
    page.click("checkbox", &page.t_with("keys.select", &[("name", "courier")]));
    page.find("button", &page.t("keys.revoke_selected"));
    page.fill(&page.t("keys.search"), "robot");
    page.see(&page.t("keys.nothing_found"));
    page.find_no("button", &page.t("keys.revoke_selected"));
    page.finish();
}

fn open(instance: &TestServer, language: &'static str, path: &str) -> Page {
    let page = Page::open(instance, language);
    page.go(path);
    page.sign_in(EMAIL, PASSWORD);
    page
}
