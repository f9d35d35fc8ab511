//! A table of all screens and how to reach them, used by the axe-core tests and the pictures.
//!
//! A new screen is a new row. [`furnished`] creates the data that screens need.

use std::collections::BTreeMap;

use serde_json::json;

use crate::account::{code_of, lock_out};
use crate::ask::{Ask, Expect};
use crate::create;
use crate::dialogs::DIALOGS;
use crate::first_steps;
use crate::key_screens;
use crate::page::{Look, Page};
use crate::people::{PASSWORD as THEIRS, Person};
use crate::reference;
use crate::session_ends::sign_out;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// A screen. `reach` begins in a new document and ends when the whole screen is visible.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// The name of the screen's screenshot.
    pub(crate) name: &'static str,
    reach: fn(&Page, &TestServer),
}

/// Screens without a session.
const OUTSIDE: &[Screen] = &[
    Screen { name: "sign-in", reach: sign_in },
    Screen { name: "sign-in-organization", reach: sign_in_organization },
    Screen { name: "invitation", reach: invitation },
    Screen { name: "reset", reach: reset },
    Screen { name: "dead-link", reach: dead_link },
    Screen { name: "reference", reach: reference::overview },
    Screen { name: "reference-errors", reach: reference::errors },
];

/// Screens of the owner of an instance with data.
const INSIDE: &[Screen] = &[
    Screen { name: "account-menu", reach: account_menu },
    Screen { name: "about", reach: about },
    Screen { name: "overview", reach: overview },
    Screen { name: "keys", reach: keys },
    Screen { name: "keys-none-found", reach: keys_none_found },
    Screen { name: "key", reach: key_screens::key },
    Screen { name: "key-in-rotation", reach: key_screens::key_in_rotation },
    Screen { name: "key-revoked", reach: key_screens::key_revoked },
    Screen { name: "key-access", reach: key_screens::key_access },
    Screen { name: "key-usage", reach: key_screens::key_usage },
    Screen { name: "key-refused", reach: key_screens::key_refused },
    Screen { name: "key-secrets", reach: key_screens::key_secrets },
    Screen { name: "key-history", reach: key_screens::key_history },
    Screen { name: "key-menu", reach: key_screens::key_menu },
    Screen { name: "key-test-allowed", reach: key_screens::key_test_allowed },
    Screen { name: "key-test-refused", reach: key_screens::key_test_refused },
    Screen { name: "new-key-start", reach: create::start },
    Screen { name: "new-key", reach: create::new_key },
    Screen { name: "new-key-teams", reach: create::teams },
    Screen { name: "new-key-by-link", reach: create::new_key_by_link },
    Screen { name: "new-key-refused", reach: create::new_key_refused },
    Screen { name: "secret", reach: create::secret },
    Screen { name: "organization", reach: organization },
    Screen { name: "profile", reach: profile },
    Screen { name: "totp", reach: totp },
    Screen { name: "invitation-made", reach: invitation_made },
    Screen { name: "nothing-here", reach: nothing_here },
    Screen { name: "teams", reach: teams },
    Screen { name: "team", reach: team },
    Screen { name: "people", reach: people },
    Screen { name: "people-locked-out", reach: people_locked_out },
    Screen { name: "person", reach: person },
    Screen { name: "roles", reach: roles },
    Screen { name: "role", reach: role },
    Screen { name: "permissions", reach: permissions },
    Screen { name: "usage", reach: usage },
    Screen { name: "audit", reach: audit },
    Screen { name: "organizations", reach: organizations },
    Screen { name: "one-organization", reach: one_organization },
    Screen { name: "organization-with-domains", reach: acme },
    Screen { name: "plans", reach: plans },
    Screen { name: "gates-none", reach: gates_none },
    Screen { name: "gates", reach: gates },
    Screen { name: "gate", reach: gate },
    Screen { name: "gate-tried", reach: gate_tried },
    Screen { name: "gate-default", reach: gate_default },
    Screen { name: "reference-resource", reach: reference::resource },
    Screen { name: "reference-operation", reach: reference::operation },
    Screen { name: "reference-tried", reach: reference::tried },
];

#[test]
fn light_screens_pass_axe_in_english() {
    pass_axe("en", &Look::LIGHT, &[walk_screens]);
}

#[test]
fn light_dialogs_pass_axe_in_english() {
    pass_axe("en", &Look::LIGHT, &[walk_dialogs]);
}

#[test]
fn dark_screens_pass_axe_in_english() {
    pass_axe("en", &Look::DARK, &[walk_screens]);
}

#[test]
fn dark_dialogs_pass_axe_in_english() {
    pass_axe("en", &Look::DARK, &[walk_dialogs]);
}

#[test]
fn screens_of_others_pass_axe_in_english() {
    pass_axe("en", &Look::LIGHT, &[walk_as_onlooker, walk_as_warned, walk_as_beginner]);
    pass_axe("en", &Look::DARK, &[walk_as_onlooker, walk_as_warned, walk_as_beginner]);
}

#[test]
fn screens_pass_axe_in_french() {
    pass_axe(
        "fr",
        &[Look::DESK],
        &[walk_screens, walk_as_onlooker, walk_as_warned, walk_as_beginner],
    );
}

#[test]
fn dialogs_pass_axe_in_french() {
    pass_axe("fr", &[Look::DESK], &[walk_dialogs]);
}

#[test]
fn screens_pass_axe_in_spanish() {
    pass_axe(
        "es",
        &[Look::DESK],
        &[walk_screens, walk_as_onlooker, walk_as_warned, walk_as_beginner],
    );
}

#[test]
fn dialogs_pass_axe_in_spanish() {
    pass_axe("es", &[Look::DESK], &[walk_dialogs]);
}

/// Shows screens in this language, one after the other.
pub(crate) type Walk = fn(&'static str, &mut dyn FnMut(&Page, &str));

/// All functions that show screens, each with its own instance.
pub(crate) const WALKS: [Walk; 5] =
    [walk_screens, walk_dialogs, walk_as_onlooker, walk_as_warned, walk_as_beginner];

/// Shows each screen of an instance with data, before and after its owner signs in.
fn walk_screens(language: &'static str, show: &mut dyn FnMut(&Page, &str)) {
    let instance = furnished();
    let mut page = Page::open(&instance, language);
    for screen in OUTSIDE {
        reach(screen, &page, &instance);
        show(&page, screen.name);
    }
    page.looks(Look::DESK);
    page.go("/#/teams");
    page.sign_in(EMAIL, PASSWORD);
    for screen in INSIDE {
        reach(screen, &page, &instance);
        show(&page, screen.name);
    }
    page.expect("404 (Not Found)");
    page.expect("400 (Bad Request)");
    page.expect("409 (Conflict)");
    page.finish();
}

/// Shows each dialog of an instance with data to its owner.
fn walk_dialogs(language: &'static str, show: &mut dyn FnMut(&Page, &str)) {
    let instance = furnished();
    let page = Page::open(&instance, language);
    page.go("/#/teams");
    page.sign_in(EMAIL, PASSWORD);
    for dialog in DIALOGS {
        page.looks(Look::DESK);
        page.follow("about:blank");
        dialog.open(&page, &instance);
        show(&page, dialog.name);
    }
    page.finish();
}

/// Shows the first steps of the owner of an empty organization.
fn walk_as_beginner(language: &'static str, show: &mut dyn FnMut(&Page, &str)) {
    let instance = TestServer::start();
    let page = first_steps::open(&instance, language);
    first_steps::open_steps(&page);
    show(&page, "first-steps");
    page.finish();
}

/// Shows each screen of a user with read access, in an organization without API access.
fn walk_as_onlooker(language: &'static str, show: &mut dyn FnMut(&Page, &str)) {
    let instance = furnished();
    let user = instance.join("onlooker", "user");
    instance.put_on_plan(&instance.organization(), "free");
    let page = Page::open(&instance, language);
    page.go("/");
    page.sign_in(&user.email, THEIRS);
    for (name, path) in [
        ("onlooker-keys", "/#/keys"),
        ("onlooker-new-key", "/#/keys/new"),
        ("onlooker-teams", "/#/teams"),
    ] {
        page.looks(Look::DESK);
        page.go(path);
        page.find_no("progressbar", &page.t("shell.busy"));
        show(&page, name);
    }
    page.finish();
}

/// Shows the setup of a required second factor, and the notices about changes to an account by others.
fn walk_as_warned(language: &'static str, show: &mut dyn FnMut(&Page, &str)) {
    let instance = furnished();
    let (hopper, lacking) =
        (instance.join("hopper", "administrator"), instance.join("lacking", "user"));
    let codes = second_factor(&instance, &hopper);
    instance.ask(&Ask::new("DELETE", &format!("/v1/users/{}/sessions", hopper.id))).expect(204);
    let required = json!({"second_factor_required_of": ["user"]});
    instance.ask(&Ask::patch("/v1/organization", &required)).expect(200);
    let mut page = Page::open(&instance, language);
    page.go("/#/profile");
    page.sign_in(&lacking.email, THEIRS);
    page.find("heading", &page.t("totp.required_title"));
    show(&page, "second-factor-required");
    page.looks(Look::DESK);
    sign_out(&page, "Somebody");
    page.go("/#/profile");
    page.sign_in_with_code(&hopper.email, THEIRS, &codes[0]);
    page.see(&page.t("notices.lead"));
    page.find("button", &page.t("totp.renew"));
    show(&page, "profile-warned");
    for (name, opener) in [
        ("renew-backup-codes", "totp.renew"),
        ("turn-off-totp", "totp.turn_off"),
        ("change-own-address-with-code", "profile.change_email"),
    ] {
        page.looks(Look::DESK);
        page.click("button", &page.t(opener));
        page.dialog();
        show(&page, name);
        page.press(&["Escape"]);
        page.no_dialog();
    }
    page.expect("401 (Unauthorized)");
    page.expect("403 (Forbidden)");
    page.finish();
}

/// Turns on a user's second factor and returns the backup codes.
fn second_factor(instance: &TestServer, person: &Person) -> Vec<String> {
    let ask = |body| instance.ask_as(person, &Ask::post("/v1/me/totp", &body));
    let begun = ask(json!({"current_password": THEIRS})).expect(201);
    let code = code_of(begun["secret"].as_str().unwrap(), 0);
    let codes = ask(json!({"code": code})).expect(200)["backup_codes"].clone();
    serde_json::from_value(codes).unwrap()
}

/// An instance with data for every screen.
pub(crate) fn furnished() -> TestServer {
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let grace = instance.join("grace", "administrator");
    let mate = instance.join("mate", "user");
    instance.role("exporter", &["diagrams:read", "diagrams:export"]);
    let makers = instance.team("diagram makers", "visible", &[&grace, &mate]);
    instance.team("night watch", "secret", &[&grace]);
    let shared = json!([{"id": makers, "access": "read"}]);
    for key in [
        json!({"name": "diagram exporter", "kind": "service", "permissions": ["diagrams:read"],
            "teams": shared}),
        json!({"name": "nightly backup", "kind": "service", "permissions": ["backups:*"],
            "expires_in": "30d"}),
        json!({"name": "laptop"}),
    ] {
        let made = instance.create(&key);
        assert_eq!(instance.bare(&Ask::forward_auth(&made.secret)).status, 200);
    }
    let doubled = instance.create(&json!({"name": "in rotation"}));
    instance.bare(&Ask::forward_auth(&doubled.secret));
    let overlap = json!({"overlap": "24h"});
    instance.ask(&Ask::post(&format!("/v1/keys/{}/rotate", doubled.id), &overlap)).expect(200);
    for (name, group) in
        [("diagrams:read", "Drawing"), ("diagrams:write", "Drawing"), ("backups:read", "")]
    {
        let entry = json!({"name": name, "group": group, "description": {
            "en": "What it lets one do.", "fr": "Ce que cela permet.", "es": "Lo que permite."}});
        instance.ask(&Ask::post("/v1/permissions", &entry)).expect(201);
    }
    let off = instance.create(&json!({"name": "switched off"}));
    instance.act(&off.id, "disable").expect(200);
    let gone = instance.create(&json!({"name": "left in a taxi"}));
    instance.act(&gone.id, "revoke").expect(200);
    let creates = json!({"name": "deploy robot", "permissions": ["keyhouse:keys:create"]});
    let robot = instance.create(&creates);
    for name in ["first of the robot", "second of the robot"] {
        let fields = json!({"name": name, "permissions": []});
        instance.bare(&Ask::post("/v1/keys", &fields).bearer(&robot.secret)).expect(201);
    }
    // The same email and password exist in another organization too.
    let (acme, owner) = instance.neighbour("acme");
    let domains = json!({"domains": ["acme.example", "acme.example.com"]});
    instance.ask(&Ask::patch(&format!("/v1/organizations/{acme}"), &domains)).expect(200);
    instance.join_by(&owner, "mate", "user");
    instance
}

/// Opens a screen in a new document, so that nothing of the previous screen stays open.
fn reach(screen: &Screen, page: &Page, instance: &TestServer) {
    page.looks(Look::DESK);
    page.follow("about:blank");
    (screen.reach)(page, instance);
}

fn pass_axe(language: &'static str, looks: &[Look], walks: &[Walk]) {
    let mut faults: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut check = |page: &Page, screen: &str| {
        for look in looks {
            page.looks(*look);
            let mut found = page.axe_faults();
            let wider = page.evaluate("document.documentElement.scrollWidth - innerWidth");
            if wider.as_f64().unwrap() > 0.0 {
                found.push(format!("{wider} px wider than the window"));
            }
            for fault in found {
                faults.entry(fault).or_default().push(format!("{screen}-{}", look.name()));
            }
        }
    };
    for walk in walks {
        walk(language, &mut check);
    }
    let reported =
        faults.iter().map(|(fault, screens)| format!("{fault}\n  on {}", screens.join(", ")));
    assert!(faults.is_empty(), "{}", reported.collect::<Vec<_>>().join("\n"));
}

fn sign_in(page: &Page, _house: &TestServer) {
    page.go("/");
    page.find("button", &page.t("sign_in.button"));
}

fn sign_in_organization(page: &Page, _house: &TestServer) {
    page.go("/");
    page.try_sign_in("mate@example.com", THEIRS);
    page.find("combobox", &page.t("sign_in.organization"));
}

fn account_menu(page: &Page, instance: &TestServer) {
    teams(page, instance);
    page.click("button", &page.t_with("shell.account", &[("name", "ada")]));
    page.find("button", &page.t("shell.sign_out"));
}

fn about(page: &Page, instance: &TestServer) {
    account_menu(page, instance);
    page.click("button", &page.t("about.title"));
    page.see(&page.t("about.what"));
}

pub(crate) fn people(page: &Page, _house: &TestServer) {
    page.go("/#/people");
    page.see("grace@example.com");
}

pub(crate) fn people_locked_out(page: &Page, instance: &TestServer) {
    lock_out(instance, "grace@example.com");
    people(page, instance);
    page.find("heading", &page.t("lockouts.title"));
}

pub(crate) fn roles(page: &Page, _house: &TestServer) {
    page.go("/#/roles");
    page.see("exporter");
}

pub(crate) fn teams(page: &Page, _house: &TestServer) {
    page.go("/#/teams");
    page.see("night watch");
}

pub(crate) fn team(page: &Page, instance: &TestServer) {
    teams(page, instance);
    page.click("link", "diagram makers");
    page.find("heading", "diagram makers");
}

pub(crate) fn person(page: &Page, instance: &TestServer) {
    people(page, instance);
    // Lockouts have their own table.
    let list = page.within("table", &page.t("people.title"));
    list.within("row", "grace@example.com").click("link", "Somebody");
    page.find("heading", "Somebody");
}

pub(crate) fn role(page: &Page, instance: &TestServer) {
    roles(page, instance);
    page.click("link", "exporter");
    page.find("heading", "exporter");
}

pub(crate) fn permissions(page: &Page, _house: &TestServer) {
    page.go("/#/permissions");
    page.see("keyhouse:keys:create");
}

fn usage(page: &Page, _house: &TestServer) {
    page.go("/#/usage?by=gate");
    page.find("table", &page.t("overview.busiest"));
}

pub(crate) fn audit(page: &Page, _house: &TestServer) {
    page.go("/#/audit");
    page.see("grace");
}

pub(crate) fn organizations(page: &Page, _house: &TestServer) {
    page.go("/#/organizations");
    page.within("main", "").see("example.com");
}

pub(crate) fn one_organization(page: &Page, instance: &TestServer) {
    organizations(page, instance);
    page.within("main", "").click("link", "example.com");
    page.find("heading", "example.com");
}

pub(crate) fn acme(page: &Page, instance: &TestServer) {
    organizations(page, instance);
    page.within("main", "").click("link", "acme");
    page.see("acme.example.com");
}

pub(crate) fn plans(page: &Page, _house: &TestServer) {
    page.go("/#/plans");
    page.find("columnheader", &page.t("plans.name_enterprise"));
}

fn gates_none(page: &Page, _house: &TestServer) {
    page.go("/#/gates");
    page.find("button", &page.t("gates.create_first"));
}

pub(crate) fn gates(page: &Page, instance: &TestServer) {
    make_gate(instance);
    page.go("/#/gates");
    page.see("The shop's orders.");
}

pub(crate) fn gate(page: &Page, instance: &TestServer) {
    gates(page, instance);
    page.click("link", "orders");
    page.find("heading", "orders");
    page.find("heading", &page.t("gate.test"));
}

fn gate_tried(page: &Page, instance: &TestServer) {
    gate(page, instance);
    page.fill(&page.t("gate.url"), "https://api.example.com/orders/7");
    page.fill(
        &page.t("gate.key"),
        &instance.create(&json!({"name": "tried", "permissions": []})).secret,
    );
    page.click("button", &page.t("gate.send_test"));
    page.click("DisclosureTriangle", &page.t("explain.all_rules"));
    page.see(&page.t("explain.rule_QUOTA_EXCEEDED"));
}

fn gate_default(page: &Page, _house: &TestServer) {
    page.go("/#/gates/default");
    page.see(&page.t("gates.default_what"));
}

/// Creates a gate with all kinds of routes, if there is none. The empty list is a screen too.
fn make_gate(instance: &TestServer) {
    let gate = json!({
        "name": "orders", "description": "The shop's orders.", "environments": ["live", "test"],
        "credentials": ["authorization:bearer", "x-shop-key", "cookie:shop"], "preflight": "allow",
         "organizations": [instance.organization()],
        "routes": [
            {"path": "/orders/{id}", "methods": ["GET"], "permissions": "orders:read"},
            {"host": "*.example.com", "path": "/orders/**", "methods": ["PUT", "DELETE"],
                "permissions": "orders:write AND (stock:write OR stock:manage)", "cost": 20,
                "allow": ["encoded_slash", "semicolon", "compatibility_form"]},
            {"path": "/health", "access": "public"},
            {"path": "/admin/**", "access": "denied"},
        ],
    });
    let listed = instance.ask(&Ask::get("/v1/gates")).expect(200);
    if !listed["items"].as_array().unwrap().iter().any(|it| it["name"] == gate["name"]) {
        instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    }
}

fn invitation(page: &Page, house: &TestServer) {
    let invited = house.ask(&crate::people::invitation("lin@example.com", "user")).expect(201);
    page.follow(invited["url"].as_str().unwrap());
    page.find("button", &page.t("invitation.button"));
}

fn reset(page: &Page, house: &TestServer) {
    let listed = house.ask(&Ask::get("/v1/users?limit=100")).expect(200);
    let mut users = listed["items"].as_array().unwrap().iter();
    let other = users.find(|user| user["email"] != EMAIL).unwrap();
    let path = format!("/v1/users/{}/reset", other["id"].as_str().unwrap());
    let made = house.ask(&Ask::post(&path, &json!({}))).expect(201);
    page.follow(made["url"].as_str().unwrap());
    page.find("button", &page.t("reset.button"));
}

fn dead_link(page: &Page, _house: &TestServer) {
    page.go("/invitation");
    page.see(&page.t("link.incomplete"));
}

fn overview(page: &Page, _house: &TestServer) {
    page.go("/#/overview");
    page.find("heading", &page.t("overview.busiest"));
    page.find("link", &page.t("overview.download"));
}

fn keys(page: &Page, _house: &TestServer) {
    page.go("/#/keys");
    page.see("diagram exporter");
}

pub(crate) fn keys_selected(page: &Page, house: &TestServer) {
    keys(page, house);
    page.click("checkbox", &page.t("keys.select_all"));
}

fn keys_none_found(page: &Page, _house: &TestServer) {
    page.go("/#/keys?search=nothing%20like%20it&status=all");
    page.see(&page.t("keys.nothing_found"));
}

fn organization(page: &Page, _house: &TestServer) {
    page.go("/#/organization");
    page.find("heading", &page.t("subscription.title"));
}

pub(crate) fn profile(page: &Page, _house: &TestServer) {
    page.go("/#/profile");
    page.find("button", &page.t("totp.turn_on"));
}

fn totp(page: &Page, instance: &TestServer) {
    profile(page, instance);
    page.click("button", &page.t("totp.turn_on"));
    page.dialog();
    page.fill(&page.t("totp.password"), PASSWORD);
    page.click("button", &page.t("totp.continue"));
    page.find("button", &page.t("totp.copy_secret"));
}

fn invitation_made(page: &Page, instance: &TestServer) {
    people(page, instance);
    page.click("button", &page.t("people.invite"));
    page.dialog();
    let there = instance.ask(&Ask::get("/v1/invitations")).expect(200);
    let address = format!("new-{}@example.com", there["items"].as_array().unwrap().len());
    page.fill(&page.t("people.email"), &address);
    page.click("button", &page.t("people.invite_create"));
    page.find("button", &page.t("one_time_link.copy"));
}

fn nothing_here(page: &Page, _house: &TestServer) {
    page.go("/#/keys/key_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f");
    page.find("heading", &page.t("problems.gone"));
}
