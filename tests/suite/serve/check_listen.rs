//! `--check-listen` serves only checks and health.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::server::wire::Connection;
use crate::test_server::{Line, TestServer};

/// All routes of the check listener. A new route of this listener must be added here.
const SERVED: [&str; 8] = [
    "/v1/forward-auth/{gate}",
    "/v1/ext-authz/{gate}/{path}",
    "/v1/verify",
    "/v1/verify/batch",
    "/v1/whoami",
    "/v1/introspect",
    "/healthz",
    "/readyz",
];
/// Routes that the API description omits.
const UNDESCRIBED: [&str; 9] = [
    "/",
    "/setup",
    "/invitation",
    "/reset",
    "/docs",
    "/openapi.json",
    "/metrics",
    "/assets/x/y",
    "/assets/x/y/z",
];
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"];

fn checks(instance: &TestServer) -> Line {
    let line = instance.server().log().wait_for("checks on http://").unwrap();
    Line(Connection::open(line.split_once("http://").unwrap().1.trim().parse().unwrap()))
}

#[test]
fn the_check_listener_serves_checks_and_rejects_other_routes() {
    let instance = TestServer::start_with(&["--check-listen", "127.0.0.1:0"]);
    let key = instance.manager();
    let document = instance.bare(&Ask::get("/openapi.json")).json();
    let described = document["paths"].as_object().unwrap().keys().map(String::as_str);
    let paths: Vec<_> = described.chain(UNDESCRIBED).collect();
    assert!(paths.len() > 60, "{paths:?}");
    let (mut main, mut checks) = (instance.connect(), checks(&instance));
    for path in paths {
        let served = SERVED.contains(&path);
        let asked = path.replace("{gate}", "default").replace(['{', '}'], "");
        let is_gate = path.contains("{gate}") && served;
        if !is_gate && path != "/metrics" {
            // The path exists on the main listener, so a 404 below comes from the check listener.
            main.ask(&Ask::new("PURGE", &asked)).problem(405, "method_not_allowed");
        }
        for method in METHODS {
            for ask in [
                Ask::new(method, &asked),
                instance.as_owner(Ask::new(method, &asked)),
                Ask::new(method, &asked).bearer(&key.secret),
            ] {
                let status = checks.ask(&ask).status;
                assert_eq!(status == 404, !served, "{method} {asked}: {status}");
            }
            if !is_gate && asked != "/" {
                for odd in [format!("{asked}/"), format!("/{asked}"), format!("{asked}%2f")] {
                    assert_eq!(checks.ask(&Ask::new(method, &odd)).status, 404, "{method} {odd}");
                }
            }
        }
        // The last request may have closed its connection because of a refused body.
        checks = self::checks(&instance);
        main = instance.connect();
    }
}

#[test]
fn the_check_listener_ignores_sessions() {
    let instance = TestServer::start_with(&["--check-listen", "127.0.0.1:0"]);
    let made = instance.create(&json!({}));
    let verifier =
        instance.create(&json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]}));
    let mut checks = checks(&instance);
    for (path, body) in [
        ("/v1/verify", json!({"key": made.secret})),
        ("/v1/verify/batch", json!({"requests": [{"key": made.secret}]})),
    ] {
        let ask = instance
            .as_owner(Ask::post(path, &body))
            .header("Host", &instance.address().to_string());
        instance.bare(&ask).expect(200);
        checks.ask(&ask).problem(401, "NO_CREDENTIAL");
        // If a request has a key, the session is ignored.
        checks.ask(&ask.bearer(&verifier.secret)).expect(200);
    }
}
