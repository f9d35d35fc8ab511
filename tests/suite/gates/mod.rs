//! `/v1/gates`, and the decision of a gate on a request: through `/v1/forward-auth`, through
//! `/v1/ext-authz`, and through the gate's test.

mod credentials;
mod paths;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::server::wire::Answer;
use crate::shape::assert_shape;
use crate::test_server::TestServer;

/// The client's request to the proxy.
pub(crate) type Wanted<'a> = (&'a str, &'a str, &'a str);

pub(crate) fn forwarded(gate: &str, (method, host, uri): Wanted<'_>) -> Ask {
    Ask::get(&format!("/v1/forward-auth/{gate}"))
        .header("X-Forwarded-Method", method)
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", host)
        .header("X-Forwarded-Uri", uri)
        .header("X-Forwarded-For", "192.0.2.7")
}

pub(crate) fn repeated(gate: &str, (method, host, uri): Wanted<'_>) -> Ask {
    Ask::new(method, &format!("/v1/ext-authz/{gate}{uri}"))
        .header("Host", host)
        .header("X-Forwarded-For", "6.6.6.6, 192.0.2.7")
}

fn said(answer: &Answer) -> (u16, String) {
    let code = answer.header("x-keyhouse-code").unwrap_or("VALID").to_owned();
    let named = answer.header("x-keyhouse-key");
    assert_eq!(named.is_some(), answer.status == 200, "{answer:?}");
    (answer.status, code)
}

impl TestServer {
    pub(crate) fn gate(&self, name: &str, policy: &Value) -> Value {
        let mut body = policy.clone();
        body["name"] = name.into();
        self.ask(&Ask::post("/v1/gates", &body)).expect(201)
    }

    /// Returns the response of both endpoints, which must be equal, and the result of the gate's
    /// test.
    fn decides(&self, gate: &str, wanted: Wanted<'_>, secret: Option<&str>) -> (u16, String) {
        let keyed = |ask: Ask| match secret {
            Some(secret) => ask.bearer(secret),
            None => ask,
        };
        let by_headers = said(&self.bare(&keyed(forwarded(gate, wanted))));
        let by_line = said(&self.bare(&keyed(repeated(gate, wanted))));
        assert_eq!(by_headers, by_line, "{gate} {wanted:?}: forward-auth, ext-authz");
        let (method, host, uri) = wanted;
        let url = format!("https://{host}{uri}");
        let mut body = json!({"method": method, "url": url, "ip": "192.0.2.7"});
        if let Some(secret) = secret {
            body["key"] = secret.into();
        }
        let tested = self.ask(&Ask::post(&format!("/v1/gates/{gate}/test"), &body)).expect(200);
        let previewed = (tested["status"].as_u64().unwrap(), tested["code"].as_str().unwrap());
        assert_eq!(previewed, (u64::from(by_line.0), &*by_line.1), "{gate} {wanted:?}: {tested}");
        assert_eq!(tested["allowed"], by_line.0 == 200, "{tested}");
        by_line
    }
}

#[test]
fn a_gate_can_be_created_read_changed_and_removed() {
    let instance = TestServer::start();
    let organization = instance.organization();
    let policy = json!({
        "description": "Orders",
        "credentials": ["X-Shop-Key", "authorization"],
        "routes": [
            {"path": "/orders/{id}", "methods": ["GET"], "permissions": "orders:read", "cost": 2},
            {"host": "*.Example.com.", "path": "/health", "access": "public"},
        ],
        "organizations": [organization],
        "environments": ["live", "live"],
        "cost": 3,
    });
    let made = instance.gate("orders", &policy);
    assert_shape!("gate", &made);
    assert_eq!(made["organizations"], json!([organization]));
    assert_eq!(instance.ask(&Ask::get("/v1/gates/orders")).expect(200), made);
    assert_eq!(instance.ask(&Ask::get("/v1/gates")).expect(200)["items"], json!([made]));
    let taken = json!({"name": "orders"});
    instance.ask(&Ask::post("/v1/gates", &taken)).problem(409, "name_taken");
    instance.ask(&Ask::post("/v1/gates", &json!({"name": "default"}))).problem(409, "name_taken");

    let change = json!({"organizations": null, "routes": []});
    let stale = Ask::patch("/v1/gates/orders", &change).header("If-Match", "\"7\"");
    instance.ask(&stale).problem(412, "version_conflict");
    let after = instance.ask(&Ask::patch("/v1/gates/orders", &change)).expect(200);
    assert_eq!((&after["organizations"], &after["routes"]), (&Value::Null, &json!([])));
    assert_eq!((&after["environments"], &after["version"]), (&json!(["live"]), &json!(2)));
    assert_eq!(instance.ask(&Ask::new("DELETE", "/v1/gates/orders")).status, 204);
    for ask in [
        Ask::get("/v1/gates/orders"),
        Ask::get("/v1/gates/default"),
        Ask::get("/v1/gates/Not%20One"),
        Ask::patch("/v1/gates/orders", &change),
        Ask::new("DELETE", "/v1/gates/orders"),
    ] {
        instance.ask(&ask).problem(404, "not_found");
    }
}

#[test]
fn an_invalid_gate_is_rejected_with_the_position_of_each_fault() {
    let instance = TestServer::start();
    let routes = |routes: Value| json!({"name": "a", "routes": routes});
    let (doubled, missing) = (json!([{"path": "/a/{b}"}, {"path": "/a/*"}]), "0198c5a2-6f1e-7cc3");
    for (body, pointer, code) in [
        (json!({}), "/name", "required"),
        (json!({"name": "Orders"}), "/name", "invalid_gate_name"),
        (json!({"name": "a", "strip": []}), "/strip", "unknown_field"),
        (json!({"name": "a", "credentials": []}), "/credentials", "required"),
        (json!({"name": "a", "credentials": ["cookie"]}), "/credentials/0", "invalid_header"),
        (
            json!({"name": "a", "credentials": ["cookie:keyhouse"]}),
            "/credentials/0",
            "invalid_header",
        ),
        (
            json!({"name": "a", "credentials": ["authorization:digest"]}),
            "/credentials/0",
            "invalid_header",
        ),
        (json!({"name": "a", "credentials": ["x_api_key"]}), "/credentials/0", "invalid_header"),
        (json!({"name": "a", "credentials": ["X-Request-Id"]}), "/credentials/0", "invalid_header"),
        (json!({"name": "a", "organizations": []}), "/organizations", "required"),
        (
            json!({"name": "a", "organizations": [format!("org_{missing}-98c4-dc0c0c07398f")]}),
            "/organizations/0",
            "unknown_organization",
        ),
        (json!({"name": "a", "environments": ["Live"]}), "/environments/0", "invalid_environment"),
        (json!({"name": "a", "cost": 1_001}), "/cost", "out_of_range"),
        (routes(json!([{}])), "/routes/0/path", "required"),
        (routes(json!([{"path": "/a/../b"}])), "/routes/0/path", "invalid_path"),
        (routes(json!([{"path": "/a/**/b"}])), "/routes/0/path", "invalid_path"),
        (routes(json!([{"path": "/a", "host": "a:80"}])), "/routes/0/host", "invalid_host"),
        (routes(json!([{"path": "/a", "methods": []}])), "/routes/0/methods", "required"),
        (
            routes(json!([{"path": "/a", "methods": ["get"]}])),
            "/routes/0/methods/0",
            "invalid_method",
        ),
        (routes(json!([{"path": "/a", "access": "open"}])), "/routes/0/access", "invalid_choice"),
        (
            routes(json!([{"path": "/a", "access": "public", "permissions": "a:b"}])),
            "/routes/0/permissions",
            "contradiction",
        ),
        (
            routes(json!([{"path": "/a", "permissions": "a:b AND"}])),
            "/routes/0/permissions",
            "invalid_requirement",
        ),
        (routes(json!([{"path": "/a", "allow": ["all"]}])), "/routes/0/allow/0", "invalid_choice"),
        // No path could match this route.
        (routes(json!([{"path": "/wiki/Inc."}])), "/routes/0/path", "invalid_path"),
        (json!({"name": "a", "preflight": "yes"}), "/preflight", "invalid_choice"),
        (routes(doubled), "/routes/1", "equal_route"),
        (
            routes(
                json!([{"path": "/a", "methods": ["GET"]}, {"path": "/a", "methods": ["HEAD"]}]),
            ),
            "/routes/1",
            "equal_route",
        ),
        (routes(json!(vec![json!({"path": "/a"}); 257])), "/routes", "too_many"),
    ] {
        let problem = instance.ask(&Ask::post("/v1/gates", &body)).problem(400, "invalid_input");
        let first = &problem["errors"][0];
        assert_eq!(
            (&first["pointer"], &first["code"]),
            (&json!(pointer), &json!(code)),
            "{problem}"
        );
    }
    assert_eq!(instance.ask(&Ask::get("/v1/gates")).expect(200)["items"], json!([]));
}

#[test]
fn a_gate_decides_by_host_path_and_method() {
    let instance = TestServer::start();
    let secret = instance.create(&json!({"permissions": ["orders:read"]})).secret;
    let key = Some(secret.as_str());
    instance.gate(
        "shop",
        &json!({"routes": [
            {"path": "/open/**", "access": "public"},
            {"path": "/open/inside", "access": "denied"},
            {"path": "/orders/{id}", "methods": ["GET"], "permissions": "orders:read"},
            {"path": "/orders/{id}", "permissions": "orders:write AND (orders:read OR a:b)"},
            {"path": "/orders/mine"},
            {"host": "admin.example.com", "path": "/**", "permissions": "admin:all"},
        ]}),
    );
    let valid = (200, "VALID");
    let denied = (403, "ROUTE_NOT_ALLOWED");
    let lacking = (403, "INSUFFICIENT_PERMISSIONS");
    let refused = (403, "REQUEST_REFUSED");
    for (wanted, key, expected) in [
        (("GET", "shop.example.com", "/open/a?b=c"), None, valid),
        (("GET", "shop.example.com", "/open"), None, valid),
        (("GET", "shop.example.com", "/open/inside"), key, denied),
        (("GET", "shop.example.com", "/open/inside/"), key, denied),
        (("GET", "shop.example.com", "/open/%69nside"), key, denied),
        (("GET", "shop.example.com", "/open/inside;a"), key, denied),
        (("GET", "shop.example.com", "/open/x;/../inside"), key, refused),
        (("GET", "shop.example.com", "/orders/7"), None, (401, "NO_CREDENTIAL")),
        (("GET", "shop.example.com", "/orders/7"), Some("nonsense-key"), (401, "NOT_FOUND")),
        (("GET", "shop.example.com", "/orders/7"), key, valid),
        (("HEAD", "shop.example.com", "/orders/7"), key, valid),
        (("POST", "shop.example.com", "/orders/7"), key, lacking),
        (("DELETE", "shop.example.com", "/orders/mine"), key, valid),
        (("GET", "shop.example.com", "/orders"), key, denied),
        (("GET", "shop.example.com", "/orders/7/lines"), key, denied),
        (("GET", "shop.example.com", "/"), key, denied),
        (("GET", "ADMIN.example.com.:8443", "/open/a"), key, lacking),
        (("GET", "shop.example.com", "/open//a"), key, refused),
        (("GET", "shop.example.com", "/open/%2e%2e/orders/7"), key, refused),
        (("GET", "shop.example.com", "/open%2fa"), key, refused),
    ] {
        let (status, code) = instance.decides("shop", wanted, key);
        assert_eq!((status, code.as_str()), expected, "{wanted:?}");
    }
    let lacking = instance.bare(&forwarded("shop", ("PUT", "a.org", "/orders/7")).bearer(&secret));
    let challenge = lacking.challenges();
    assert!(challenge.contains("scope=\"orders:write orders:read a:b\""), "{challenge}");
}

#[test]
fn a_gate_without_rules_denies_all_and_a_change_applies_at_once() {
    let instance = TestServer::start();
    let secret = instance.create(&json!({})).secret;
    let wanted = ("GET", "a.org", "/a");
    let code = |gate: &str| instance.bare(&forwarded(gate, wanted).bearer(&secret)).code_of();
    assert_eq!(code("empty"), "GATE_NOT_FOUND");
    assert_eq!(instance.bare(&repeated("empty", wanted)).code_of(), "GATE_NOT_FOUND");
    instance.gate("empty", &json!({}));
    assert_eq!(code("empty"), "ROUTE_NOT_ALLOWED");
    for _ in 0..20 {
        let open = json!({"routes": [{"path": "/**"}]});
        instance.ask(&Ask::patch("/v1/gates/empty", &open)).expect(200);
        assert_eq!(code("empty"), "VALID");
        instance.ask(&Ask::patch("/v1/gates/empty", &json!({"routes": []}))).expect(200);
        assert_eq!(code("empty"), "ROUTE_NOT_ALLOWED");
    }
    instance.ask(&Ask::new("DELETE", "/v1/gates/empty")).expect(204);
    assert_eq!(code("empty"), "GATE_NOT_FOUND");
}

#[test]
fn a_gate_survives_a_restart() {
    let mut instance = TestServer::start();
    let secret = instance.create(&json!({"permissions": ["a:b"]})).secret;
    instance.gate("kept", &json!({"routes": [{"path": "/a", "permissions": "a:b"}]}));
    instance.gate("gone", &json!({"routes": [{"path": "/**", "access": "public"}]}));
    instance.ask(&Ask::new("DELETE", "/v1/gates/gone")).expect(204);
    instance.restart();
    let asks = |gate: &str, path: &str| {
        instance.bare(&forwarded(gate, ("GET", "a.org", path)).bearer(&secret)).code_of()
    };
    assert_eq!(asks("kept", "/a"), "VALID");
    assert_eq!(asks("kept", "/b"), "ROUTE_NOT_ALLOWED");
    assert_eq!(asks("gone", "/a"), "GATE_NOT_FOUND");
}

#[test]
fn a_gate_accepts_only_its_organizations_and_environments() {
    let instance = TestServer::start();
    let (other, owner) = instance.neighbour("other");
    let made = |environment: &str| instance.create(&json!({"environment": environment})).secret;
    let (live, test) = (made("live"), made("test"));
    let foreign = owner.make(&instance, &json!({})).secret;
    let routes = json!([{"path": "/**"}]);
    instance.gate("ours", &json!({"routes": routes, "organizations": [instance.organization()]}));
    instance.gate("theirs", &json!({"routes": routes, "organizations": [other]}));
    instance.gate("tests", &json!({"routes": routes, "environments": ["test"]}));
    let wanted = ("GET", "a.org", "/a");
    for (gate, secret, code) in [
        ("ours", &live, "VALID"),
        ("ours", &foreign, "NOT_ACCEPTED_HERE"),
        ("theirs", &live, "NOT_ACCEPTED_HERE"),
        ("theirs", &foreign, "VALID"),
        ("tests", &live, "NOT_ACCEPTED_HERE"),
        ("tests", &test, "VALID"),
    ] {
        let (status, said) = instance.decides(gate, wanted, Some(secret));
        assert_eq!((status, &*said), (if code == "VALID" { 200 } else { 403 }, code), "{gate}");
    }
    let key = instance.all_keys().into_iter().find(|key| key["environment"] == "live").unwrap();
    let path = format!("/v1/keys/{}/explain", key["id"].as_str().unwrap());
    let explained = instance.ask(&Ask::post(&path, &json!({"gate": "theirs"}))).expect(200);
    assert_eq!(
        (&explained["code"], &explained["source"]),
        (&json!("NOT_ACCEPTED_HERE"), &json!("gate"))
    );
    instance.ask(&Ask::post(&path, &json!({"gate": "none"}))).problem(404, "not_found");
}

#[test]
fn a_key_is_read_only_from_the_places_the_gate_names() {
    let instance = TestServer::start();
    let (one, two) = (instance.create(&json!({})).secret, instance.create(&json!({})).secret);
    instance.gate("own", &json!({"routes": [{"path": "/**"}], "credentials": ["x-shop-key"]}));
    let asks = || forwarded("own", ("GET", "a.org", "/a"));
    let bare = |name: &str| asks().header(name, &one);
    for (ask, code) in [
        (asks().bearer(&one), "NO_CREDENTIAL"),
        (bare("X-Api-Key"), "NO_CREDENTIAL"),
        (bare("X-Shop-Key"), "VALID"),
        (bare("X-Shop-Key").bearer("another scheme's token"), "VALID"),
        (bare("X-Shop-Key").header("x-shop-key", &one), "MALFORMED"),
        (bare("X-Shop-Key").header("x-shop-key", &two), "MALFORMED"),
        (bare("X_Shop_Key"), "REQUEST_REFUSED"),
        (bare("X-Shop-Key").header("X-Shop_Key", &two), "REQUEST_REFUSED"),
        (bare("X-Shop-Key").header("X_Keyhouse_User", "root"), "REQUEST_REFUSED"),
    ] {
        assert_eq!(instance.bare(&ask).code_of(), code, "{ask:?}");
    }
}

#[test]
fn a_public_route_reads_no_credential_and_forwards_no_identity() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    instance.gate("open", &json!({"routes": [{"path": "/**", "access": "public"}]}));
    let wanted = ("GET", "a.org", "/a");
    let asks = [forwarded("open", wanted), repeated("open", wanted)];
    for ask in asks.iter().flat_map(|ask| {
        [ask.clone(), ask.clone().bearer(&made.secret), ask.clone().header("X-Api-Key", "nonsense")]
    }) {
        let answer = instance.bare(&ask);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let named = answer
            .headers
            .iter()
            .filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-keyhouse-"));
        let values: Vec<_> = named.map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["-"; 10], "{ask:?}");
    }
    assert_eq!(instance.key(&made.id)["last_used"], Value::Null, "a public route counted a use");
}

#[test]
fn a_gate_counts_the_cost_of_its_route_and_a_test_counts_nothing() {
    let instance = TestServer::start();
    let limit = json!([{"name": "calls", "limit": 10, "window_seconds": 3_600}]);
    let made = instance.create(&json!({"rate_limits": limit}));
    instance.gate(
        "dear",
        &json!({"cost": 3, "routes": [
            {"path": "/gate"}, {"path": "/route", "cost": 7}, {"path": "/free", "cost": 0},
        ]}),
    );
    let asks = |path| forwarded("dear", ("GET", "a.org", path)).bearer(&made.secret);
    let body = json!({"method": "GET", "url": "/route", "key": made.secret});
    for _ in 0..5 {
        let tested = instance.ask(&Ask::post("/v1/gates/dear/test", &body)).expect(200);
        assert_eq!(tested["code"], "VALID", "{tested}");
    }
    assert_eq!(instance.key(&made.id)["last_used"], Value::Null, "a test counted");
    for (path, code) in [
        ("/route", "VALID"),
        ("/free", "VALID"),
        ("/route", "RATE_LIMITED"),
        ("/gate", "VALID"),
        ("/gate", "RATE_LIMITED"),
        ("/free", "VALID"),
    ] {
        assert_eq!(instance.bare(&asks(path)).code_of(), code, "{path}");
    }
    let tested = instance.ask(&Ask::post("/v1/gates/dear/test", &body)).expect(200);
    assert_eq!(
        (&tested["status"], &tested["code"]),
        (&json!(429), &json!("RATE_LIMITED")),
        "{tested}"
    );
    assert_eq!(tested["route"]["path"], "/route", "{tested}");
    assert_eq!(tested["explain"]["key"], made.id, "{tested}");
    let answer = instance.bare(&asks("/route"));
    assert!(answer.header("retry-after").is_some() && answer.header("ratelimit").is_some());
}

#[test]
fn the_request_of_envoy_is_read_only_from_its_request_line() {
    let instance = TestServer::start();
    let secret = instance.create(&json!({"ip_rules": {"allow": ["192.0.2.0/24"]}})).secret;
    instance.gate("line", &json!({"routes": [{"path": "/a", "methods": ["GET"]}]}));
    let asks = || repeated("line", ("GET", "a.org", "/a")).bearer(&secret);
    let without = |name: &str| asks().without(name);
    for (ask, code) in [
        (asks(), "VALID"),
        (asks().header("X-Forwarded-Method", "PUT").header("X-Forwarded-Uri", "/b"), "VALID"),
        (asks().header("X-Original-URL", "/b").header("X-HTTP-Method-Override", "PUT"), "VALID"),
        (without("X-Forwarded-For"), "REQUEST_REFUSED"),
        (
            without("X-Forwarded-For").header("X-Forwarded-For", "192.0.2.7, 6.6.6.6"),
            "IP_NOT_ALLOWED",
        ),
        (
            without("X-Forwarded-For").header("X-Forwarded-For", "192.0.2.7, what"),
            "REQUEST_REFUSED",
        ),
        (asks().header("X-Forwarded-For", "6.6.6.6"), "IP_NOT_ALLOWED"),
        (repeated("line", ("PUT", "a.org", "/a")).bearer(&secret), "ROUTE_NOT_ALLOWED"),
        (repeated("line", ("GET", "a.org", "/b?/a")).bearer(&secret), "ROUTE_NOT_ALLOWED"),
        (repeated("line", ("GET", "a.org", "")).bearer(&secret), "GATE_NOT_FOUND"),
        (repeated("line", ("BREW", "a.org", "/a")).bearer(&secret), "ROUTE_NOT_ALLOWED"),
    ] {
        assert_eq!(instance.bare(&ask).code_of(), code, "{ask:?}");
    }
}

pub(crate) trait CodeOf {
    fn code_of(&self) -> String;
}

impl CodeOf for Answer {
    /// Returns the code of a denial, even if the response has no body.
    fn code_of(&self) -> String {
        said(self).1
    }
}
