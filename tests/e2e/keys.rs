//! The list of keys and the form of a new one: what is chosen is kept, what is wrong is said where it is.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::driver::wait;
use crate::house::{EMAIL, House, Made, PASSWORD, made};
use crate::page::Page;

/// The list once forgot each choice as the next was made: Back left it altogether.
#[test]
fn the_back_button_takes_back_the_last_choice() {
    let house = House::start();
    house.create(&json!({"name": "courier"}));
    house.create(&json!({"name": "robot"}));
    let page = open(&house, "/#/keys");
    page.fill(&page.t("keys.search"), "cour");
    page.find_no("link", "robot");
    page.choose(&page.t("keys.status"), &page.t("keys.status_disabled"));
    page.see(&page.t("keys.nothing_found"));
    page.choose(&page.t("keys.sort"), &page.t("keys.sort_name"));
    at_address(&page, "search=cour&status=disabled&sort=name", true);
    page.back();
    at_address(&page, "sort=name", false);
    page.back();
    page.find("link", "courier");
    assert_eq!(page.value(&page.t("keys.search")), "cour");
    page.find_no("link", "robot");
    page.finish();
}

/// A search that was still waiting for the last letter once wrote itself into the address of the view that came
/// after it.
#[test]
fn a_search_does_not_follow_into_another_view() {
    let house = House::start();
    let page = open(&house, "/#/keys");
    page.find("searchbox", &page.t("keys.search"));
    page.evaluate(
        "{ const field = document.querySelector('main input'); field.value = 'late'; \
         field.dispatchEvent(new Event('input', {bubbles: true})); location.hash = '#/teams'; }",
    );
    page.find("heading", &page.t("teams.title"));
    // The list waits 250 ms for the next letter: a timer that is set later comes after its own.
    page.evaluate("new Promise((done) => setTimeout(done, 250))");
    assert!(page.address().ends_with("/#/teams"), "{}", page.address());
    page.finish();
}

/// Two people who rename a key at once: the later one is told, and nothing they typed is lost.
#[test]
fn a_name_that_was_changed_meanwhile_is_told_before_it_is_written_over() {
    let house = House::start();
    let key = house.create(&json!({"name": "courier"}));
    let mut page = open(&house, "/#/keys");
    let rename = |name: &str| page.t_with("keys.rename", &[("name", name)]);
    page.click("button", &rename("courier"));
    let path = format!("/v1/keys/{}", key.id);
    house.ask(&Ask::patch(&path, &json!({"name": "their name"}))).expect(200);
    page.fill(&page.t("keys.name"), "my name");
    page.press(&["Enter"]);
    page.see(&page.t_with("faults.named_meanwhile", &[("name", "their name")]));
    assert_eq!(house.key(&key.id)["name"], "their name");
    assert_eq!(page.value(&page.t("keys.name")), "my name");
    page.press(&["Enter"]);
    page.find("link", "my name");
    page.see_focus("button", &rename("my name"));

    // Where something else of it was changed there is nothing to ask.
    page.press(&["Enter"]);
    house.ask(&Ask::patch(&path, &json!({"description": "meanwhile"}))).expect(200);
    page.fill(&page.t("keys.name"), "last name");
    page.press(&["Enter"]);
    page.find("link", "last name");
    assert_eq!(house.key(&key.id)["description"], "meanwhile");
    page.expect("412 (Precondition Failed)");
    page.finish();
}

#[test]
fn who_may_only_look_at_a_shared_key_is_offered_no_other_name() {
    let house = House::start();
    let mate = house.join("mate", "user");
    let (looks, writes) = ("looked at", "written by all");
    let team = house.team("makers", "visible", &[&house.owner(), &mate]);
    for (name, access) in [(looks, "read"), (writes, "write")] {
        let shares = json!([{"id": team, "access": access}]);
        house.create(&json!({"name": name, "teams": shares}));
    }
    let page = Page::open(&house, "en");
    page.go("/#/keys");
    page.sign_in(&mate.email, crate::people::PASSWORD);
    page.find("link", looks);
    page.find("button", &page.t_with("keys.rename", &[("name", writes)]));
    page.find_no("button", &page.t_with("keys.rename", &[("name", looks)]));
    page.finish();
}

/// What a key that leaked had created lived on, and had to be found and revoked one by one.
#[test]
fn a_key_is_revoked_with_those_that_it_created() {
    let house = House::start();
    let robot = house.create(&json!({"name": "robot", "permissions": ["keyhouse:keys:create"]}));
    let create = |by: &Made, name: &str| {
        let fields = json!({"name": name, "permissions": ["keyhouse:keys:create"]});
        made(&house.bare(&Ask::post("/v1/keys", &fields).bearer(&by.secret)).expect(201))
    };
    let child = create(&robot, "child");
    let grandchild = create(&child, "grandchild");
    let page = open(&house, &format!("/#/keys/{}", grandchild.id));
    page.click("button", &page.t("key.revoke"));
    let dialog = page.within("dialog", &page.t("key.revoke_title"));
    dialog.find("button", &page.t("key.revoke_it"));
    assert_eq!(dialog.names("checkbox"), Vec::<String>::new());
    dialog.click("button", &page.t("actions.cancel"));
    page.no_dialog();

    page.go(&format!("/#/keys/{}", robot.id));
    page.find("heading", "robot");
    page.click("button", &page.t("key.revoke"));
    dialog.click("checkbox", &page.t_with("key.revoke_descendants", &[("count", "2")]));
    dialog.click("button", &page.t("key.revoke_it"));
    page.no_dialog();
    page.see(&page.t("status.revoked"));
    for key in [&robot, &child, &grandchild] {
        house.bare(&Ask::forward_auth(&key.secret)).problem(401, "REVOKED");
    }
    page.finish();
}

/// The page said that all were revoked, also where some were not.
#[test]
fn who_may_not_revoke_what_a_key_created_is_told_what_is_left() {
    let house = House::start();
    let mate = house.join("mate", "user");
    let team = house.team("makers", "visible", &[&house.owner(), &mate]);
    let permissions = json!(["keyhouse:keys:manage"]);
    let shared = json!({"kind": "service", "permissions": permissions,
        "teams": [{"id": team, "access": "write"}]});
    let robot = house.create(&shared);
    let child = json!({"kind": "service", "permissions": permissions});
    let children = [(); 2].map(|()| {
        made(&house.bare(&Ask::post("/v1/keys", &child).bearer(&robot.secret)).expect(201))
    });
    let page = Page::open(&house, "en");
    page.go(&format!("/#/keys/{}", robot.id));
    page.sign_in(&mate.email, crate::people::PASSWORD);
    page.click("button", &page.t("key.revoke"));
    let dialog = page.within("dialog", &page.t("key.revoke_title"));
    dialog.click("checkbox", &page.t_with("key.revoke_descendants", &[("count", "2")]));
    dialog.click("button", &page.t("key.revoke_it"));
    let told = page.within("dialog", &page.t_with("key.descendants_left", &[("count", "2")]));
    told.click("button", &page.t("actions.close"));
    page.no_dialog();
    page.see(&page.t("status.revoked"));
    house.bare(&Ask::forward_auth(&robot.secret)).problem(401, "REVOKED");
    for key in &children {
        assert_eq!(house.bare(&Ask::forward_auth(&key.secret)).status, 200);
    }
    page.finish();
}

/// A link's wrong values were once left out in silence: a day became 30, a team nobody.
#[test]
fn what_a_link_says_is_shown_or_told() {
    let house = House::start();
    house.team("makers", "visible", &[&house.owner()]);
    let page = open(
        &house,
        "/#/keys/new?name=by%20link&expires=12d&team=Makers:write,nobody&kind=both&ip=10.0.0.0/99&colour=red",
    );
    page.see(&page.t("new_key.from_link"));
    for strange in ["team=nobody", "kind=both", "colour=red"] {
        page.see(strange);
    }
    for known in ["expires=", "team=Makers", "ip="] {
        assert!(!page.text().contains(known), "{}", page.text());
    }
    assert_eq!(page.find("radio", &page.t("expiry.date")).checked, "true");
    assert_eq!(page.find("combobox", "makers").value, page.t("new_key.share_write"));
    // A slip in an address rule is no rule less: it is refused.
    page.click("button", &page.t("new_key.make"));
    page.see(&page.t("faults.invalid_network"));
    assert!(house.all_keys().is_empty());
    page.fill(&page.t("networks.allow"), "10.0.0.0/8");
    page.click("button", &page.t("new_key.make"));
    page.dialog();
    assert_eq!(house.all_keys()[0]["ip_rules"]["allow"], json!(["10.0.0.0/8"]));
    end_with_400(page);
}

#[test]
fn a_fault_in_a_folded_part_unfolds_it_and_has_the_focus() {
    let house = House::start();
    let page = open(&house, "/#/keys/new");
    page.click("DisclosureTriangle", &page.t("new_key.more"));
    page.fill(&page.t("new_key.environment"), "Not One");
    page.click("DisclosureTriangle", &page.t("new_key.more"));
    page.find_no("textbox", &page.t("new_key.environment"));
    page.click("button", &page.t("new_key.make"));
    page.see_focus("textbox", &page.t("new_key.environment"));
    page.see(&page.t("faults.invalid_environment"));
    end_with_400(page);
}

/// Enter in the search among permissions once made the key.
#[test]
fn whoever_looks_for_a_permission_makes_no_key() {
    let house = House::start();
    for name in ["diagrams:read", "diagrams:write", "reports:read"] {
        house.ask(&Ask::post("/v1/permissions", &json!({"name": name}))).expect(201);
    }
    let page = open(&house, "/#/keys/new");
    page.click("radio", &page.t("new_key.own"));
    page.fill(&page.t("matrix.find"), "diag");
    page.press(&["Enter"]);
    page.find_no("checkbox", "reports:read");
    page.click("checkbox", &page.t_with("matrix.all_of", &[("resource", "diagrams")]));
    let everything = page.t_with("permission_words.all_of", &[("resource", "diagrams")]);
    page.see(&page.t_with("permission_words.may", &[("what", &everything)]));
    assert!(house.all_keys().is_empty());
    page.finish();
}

fn open(house: &House, path: &str) -> Page {
    let page = Page::open(house, "en");
    page.go(path);
    page.sign_in(EMAIL, PASSWORD);
    page
}

/// Waits until the address ends so, or no longer holds that.
fn at_address(page: &Page, part: &str, holds: bool) {
    let missing = || format!("{part} ({holds}): {}", page.address());
    wait(missing, || (page.address().contains(part) == holds).then_some(()));
}

fn end_with_400(mut page: Page) {
    page.expect("400 (Bad Request)");
    page.finish();
}
