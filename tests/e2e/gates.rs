//! An operator creates, tests, changes and removes a gate; faults appear at their field.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::driver::wait;
use crate::page::Page;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// Longer than any value used in practice.
const MARKUP: &str = "<img src=x onerror=alert(1)>";
const READ: (&str, &str) = ("GET", "/orders/{id}");

#[test]
fn gate_is_created_tested_and_removed() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter", "permissions": ["orders:list"]}));
    let mut page = open(&instance);
    page.click("button", &page.t("gates.create_first"));
    page.dialog();
    page.fill(&page.t("gates.name"), "Not One");
    page.click("button", &page.t("gates.create"));
    page.see(&page.t("faults.invalid_gate_name"));
    page.fill(&page.t("gates.name"), "orders");
    page.fill(&page.t("gates.description"), MARKUP);
    page.click("button", &page.t("gates.create"));
    page.find("heading", "orders");
    page.see(&page.t("gate.no_routes"));
    page.see(MARKUP);

    add_route(&page, READ, |page| page.fill(&page.t("gate.permission"), "orders:read"));
    add_route(&page, ("", "/health"), |page| page.click("radio", &page.t("gate.access_public")));
    let routes = json!([
        {"host": null, "path": "/orders/{id}", "methods": ["GET"], "access": "key",
            "permissions": "orders:read", "cost": null, "allow": []},
        {"host": null, "path": "/health", "methods": null, "access": "public",
            "permissions": null, "cost": null, "allow": []},
    ]);
    assert_eq!(stored(&instance)["routes"], routes);

    // A route that matches the same requests as another route is rejected at its path field, and
    // the fault names the other route.
    page.click("button", &page.t("gate.add_route"));
    page.fill(&page.t("gate.path"), "/orders/*");
    page.fill(&page.t("gate.methods"), "post, get");
    page.fill(&page.t("gate.permission"), "((");
    page.click("button", &page.t("gate.create_route"));
    page.see(&page.t("faults.invalid_requirement"));
    page.see_focus("combobox", &optional(&page, "gate.permission"));
    page.fill(&page.t("gate.permission"), "");
    page.click("button", &page.t("gate.create_route"));
    page.see(&page.t_with("faults.equal_to", &[("route", &named(&page, READ))]));
    page.see_focus("textbox", &page.t("gate.path"));
    page.fill(&page.t("gate.methods"), "post");
    page.click("button", &page.t("gate.create_route"));
    page.no_dialog();
    assert_eq!(stored(&instance)["routes"][2]["methods"], json!(["POST"]));
    // The fault is at the changed route even if this route comes first.
    page.click("button", &of_route(&page, "actions.edit", READ));
    page.fill(&page.t("gate.methods"), "POST");
    page.click("button", &page.t("actions.save"));
    let other = named(&page, ("POST", "/orders/*"));
    page.see(&page.t_with("faults.equal_to", &[("route", &other)]));
    page.press(&["Escape"]);
    page.no_dialog();

    for (url, secret, reported) in [
        ("/health", "", "gate.why_public"),
        ("https://api.example.com/orders/7", "", "gate.why_no_key"),
        ("/orders/7", "no key", "explain.why_MALFORMED"),
        ("/orders/7", &key.secret, "explain.why_INSUFFICIENT_PERMISSIONS"),
        ("/elsewhere", &key.secret, "gate.why_no_route"),
        ("/orders/../admin", &key.secret, "gate.why_unclear"),
    ] {
        page.fill(&page.t("gate.url"), url);
        page.fill(&page.t("gate.key"), secret);
        page.click("button", &page.t("gate.send_test"));
        page.see(&page.t(reported));
        // In an earlier version, the API's English detail stood there in every language.
        page.see_no("Authorization: Bearer");
    }
    page.choose(&page.t("gate.method"), "POST");
    page.fill(&page.t("gate.url"), "/orders/7");
    page.click("button", &page.t("gate.send_test"));
    page.see(&page.t("explain.why_VALID"));
    page.see(&page.t_with("gate.proxy_status", &[("status", "200")]));
    assert!(!page.text().contains(&key.secret), "the key is shown");
    page.assert_keeps_no(&key.secret);

    page.click("button", &of_route(&page, "actions.remove", ("POST", "/orders/*")));
    page.dialog();
    page.click("button", &page.t("gate.remove_route"));
    page.no_dialog();
    page.find_no("button", &of_route(&page, "actions.remove", ("POST", "/orders/*")));
    assert_eq!(stored(&instance)["routes"], routes);

    page.click("button", &page.t("gate.remove"));
    assert_eq!(page.dialog(), page.t_with("gate.remove_title", &[("name", "orders")]));
    page.see(&page.t_with("gate.remove_body", &[("name", "orders")]));
    page.click("button", &page.t("gate.remove"));
    page.see(&page.t("gates.none"));
    instance.ask(&Ask::get("/v1/gates/orders")).problem(404, "not_found");
    let events = ["gate_create", "gate_update", "gate_remove"];
    page.go("/#/audit?what=gate");
    for event in events {
        page.within("main", "").see(&page.t_with(&format!("events.{event}"), &[("actor", "ada")]));
    }
    page.expect("400 (Bad Request)");
    page.finish();
}

/// The page shows a change made in another tab before it overwrites this change, and the input
/// stays.
#[test]
fn conflicting_change_of_a_gate_is_shown_before_it_is_overwritten() {
    let instance = TestServer::start();
    let route = json!({"path": READ.1, "methods": [READ.0]});
    let gate = json!({"name": "orders", "description": "before", "routes": [route]});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    let elsewhere =
        |change: Value| instance.ask(&Ask::patch("/v1/gates/orders", &change)).expect(200);
    let mut page = open(&instance);
    page.click("link", "orders");

    page.click("button", &page.t("gate.edit"));
    elsewhere(json!({"description": "theirs", "cost": 3}));
    page.fill(&page.t("gates.description"), "mine");
    page.click("button", &page.t("actions.save"));
    page.see(&page.t("problems.version_conflict"));
    page.see(&page.t_with("forms.current_value", &[("value", "theirs")]));
    assert_eq!(page.value(&page.t("gate.cost")), "3");
    page.click("button", &page.t("actions.save"));
    page.no_dialog();
    assert_eq!(
        (&stored(&instance)["description"], &stored(&instance)["cost"]),
        (&json!("mine"), &json!(3))
    );

    page.click("button", &of_route(&page, "actions.edit", READ));
    elsewhere(json!({"routes": [{"path": "/new", "access": "public"}, route]}));
    page.fill(&page.t("gate.permission"), "orders:read");
    page.click("button", &page.t("actions.save"));
    page.see(&page.t("problems.version_conflict"));
    page.click("button", &page.t("actions.save"));
    page.no_dialog();
    let routes = stored(&instance)["routes"].clone();
    assert_eq!(
        (&routes[0]["path"], &routes[1]["permissions"]),
        (&json!("/new"), &json!("orders:read"))
    );

    // Saving a route that was removed meanwhile does not create it again.
    page.click("button", &of_route(&page, "actions.edit", READ));
    elsewhere(json!({"routes": []}));
    page.fill(&page.t("gate.permission"), "orders:write");
    for reported in ["problems.version_conflict", "problems.route_gone"] {
        page.click("button", &page.t("actions.save"));
        page.see(&page.t(reported));
    }
    assert_eq!(stored(&instance)["routes"], json!([]));
    page.expect("412 (Precondition Failed)");
    page.finish();
}

#[test]
fn gate_without_organizations_never_accepts_all_of_them() {
    let instance = TestServer::start();
    let (neighbour, _) = instance.neighbour("neighbours");
    instance.ask(&Ask::post("/v1/gates", &json!({"name": "orders"}))).expect(201);
    let mut page = open(&instance);
    page.click("link", "orders");
    page.click("button", &page.t("gate.edit"));
    page.find_no("checkbox", "neighbours");
    page.click("radio", &page.t("gate.these_organizations"));
    page.fill(&page.t("gate.credentials"), "X-Shop-Key, cookie");
    page.click("button", &page.t("actions.save"));
    page.see(&page.t("faults.required"));
    page.see(
        &page.t_with(
            "forms.item",
            &[("item", "cookie"), ("text", &page.t("faults.invalid_header"))],
        ),
    );
    page.click("checkbox", "neighbours");
    page.fill(&page.t("gate.credentials"), "X-Shop-Key, authorization");
    page.fill(&page.t("gates.environments"), "live test");
    page.click("button", &page.t("actions.save"));
    page.no_dialog();
    let gate = stored(&instance);
    assert_eq!(gate["organizations"], json!([neighbour]));
    assert_eq!(gate["environments"], json!(["live", "test"]));
    page.within("main", "").see("neighbours");

    // The proxy configuration follows the settings.
    page.see("/v1/forward-auth/orders");
    page.see("proxy_set_header X-Shop-Key \"\";");
    page.choose(&page.t("gate.which_proxy"), "Envoy");
    page.see("/v1/ext-authz/orders");
    page.click("button", &page.t("gate.copy_lines"));
    page.see(&page.t("copy.copied"));
    assert_eq!(page.clipboard(), "request_headers_to_remove:\n- x-shop-key\n- authorization");
    page.expect("400 (Bad Request)");
    page.finish();
}

#[test]
fn route_allows_special_paths_and_gate_forwards_preflights() {
    let instance = TestServer::start();
    instance.ask(&Ask::post("/v1/gates", &json!({"name": "orders"}))).expect(201);
    let page = open(&instance);
    page.click("link", "orders");
    let allowed = ["gate.allow_encoded_slash", "gate.allow_semicolon"].map(|kind| page.t(kind));
    add_route(&page, ("GET", "/packages/{name}"), |page| {
        page.click("radio", &page.t("gate.access_public"));
        for kind in &allowed {
            page.click("checkbox", kind);
        }
    });
    assert_eq!(stored(&instance)["routes"][0]["allow"], json!(["encoded_slash", "semicolon"]));
    for kind in &allowed {
        page.within("main", "").see(kind);
    }
    let ask = |page: &Page, url: &str, reported: &str| {
        page.fill(&page.t("gate.url"), url);
        page.click("button", &page.t("gate.send_test"));
        page.see(&page.t(reported));
    };
    ask(&page, "/packages/@scope%2Fname", "gate.why_public");
    ask(&page, "/packages//name", "gate.why_unclear");
    page.click("button", &of_route(&page, "actions.edit", ("GET", "/packages/{name}")));
    page.click("checkbox", &allowed[0]);
    page.click("button", &page.t("actions.save"));
    page.no_dialog();
    assert_eq!(stored(&instance)["routes"][0]["allow"], json!(["semicolon"]));
    ask(&page, "/packages/@scope%2Fname", "gate.why_unclear");

    // A preflight is checked like any request, until the gate is set to forward preflights whose announced request
    // matches a route.
    let announce = |page: &Page, reported: &str| {
        page.choose(&page.t("gate.method"), "OPTIONS");
        page.fill(&page.t("gate.preflight_for"), "GET");
        ask(page, "/packages/name", reported);
    };
    announce(&page, "gate.why_no_route");
    page.click("button", &page.t("gate.edit"));
    page.click("radio", &page.t("gate.preflight_allow"));
    page.click("button", &page.t("actions.save"));
    page.no_dialog();
    assert_eq!(stored(&instance)["preflight"], "allow");
    announce(&page, "gate.why_public");
    page.finish();
}

#[test]
fn gates_are_hidden_from_users_who_are_not_operators() {
    let instance = TestServer::start();
    let adam = instance.join("adam", "administrator");
    let mut page = Page::open(&instance, "en");
    page.go("/#/teams");
    page.sign_in(&adam.email, crate::people::PASSWORD);
    page.find("link", &page.t("teams.title"));
    page.find_no("link", &page.t("gates.title"));
    for path in ["/#/gates", "/#/gates/default"] {
        page.go(path);
        page.find("heading", &page.t("problems.no_access"));
        page.find_no("button", &page.t("gates.new"));
        page.find_no("heading", &page.t("gate.test"));
    }
    page.expect("403 (Forbidden)");
    page.finish();
}

/// The gates, for their operator.
fn open(instance: &TestServer) -> Page {
    let page = Page::open(instance, "en");
    page.go("/#/gates");
    page.sign_in(EMAIL, PASSWORD);
    page
}

fn add_route(page: &Page, (methods, path): (&str, &str), rest: impl Fn(&Page)) {
    page.click("button", &page.t("gate.add_route"));
    page.fill(&page.t("gate.path"), path);
    page.fill(&page.t("gate.methods"), methods);
    rest(page);
    page.click("button", &page.t("gate.create_route"));
    page.no_dialog();
}

fn named(page: &Page, (methods, place): (&str, &str)) -> String {
    page.t_with("gate.named", &[("methods", methods), ("place", place)])
}

fn of_route(page: &Page, action: &str, route: (&str, &str)) -> String {
    page.t_with("gate.of", &[("action", &page.t(action)), ("route", &named(page, route))])
}

fn optional(page: &Page, key: &str) -> String {
    format!("{} {}", page.t(key), page.t("forms.optional"))
}

fn stored(instance: &TestServer) -> Value {
    instance.ask(&Ask::get("/v1/gates/orders")).expect(200)
}

#[test]
fn gate_shows_the_complete_configuration_of_each_proxy() {
    let instance = TestServer::start();
    let gate = json!({"name": "orders", "credentials": ["x-shop-key"],
        "routes": [{"path": "/**"}]});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    let page = Page::open(&instance, "en");
    page.go("/#/gates/orders");
    page.sign_in(EMAIL, PASSWORD);
    page.click("DisclosureTriangle", &page.t("gate.whole_files"));
    code_with(&page, "proxy_pass http://keyhouse/v1/forward-auth/orders;");
    for (proxy, part) in [
        ("Caddy", "uri /v1/forward-auth/orders?"),
        ("Traefik", "/v1/forward-auth/orders\""),
        ("HAProxy", "/v1/forward-auth/orders\""),
        ("Envoy", "path_prefix: /v1/ext-authz/orders"),
    ] {
        page.choose(&page.t("gate.which_proxy"), proxy);
        code_with(&page, part);
    }
    page.finish();
}

/// The text of the shown code that contains a part.
pub(crate) fn code_with(page: &Page, part: &str) -> String {
    let codes = "[...document.querySelectorAll('main pre')].map((it) => it.textContent)";
    let found = || {
        let codes = page.evaluate(codes);
        let mut texts = codes.as_array().unwrap().iter().map(|it| it.as_str().unwrap());
        texts.find(|text| text.contains(part)).map(str::to_owned)
    };
    wait(|| format!("no code with {part}:\n{}", page.text()), found)
}
