//! `--check-listen`: checks and health are served there, and nothing else, to nobody.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::house::{House, Line};
use crate::server::wire::Connection;

/// All that the listener for checks serves; a new route that is served there must be written here.
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
/// What the API's description leaves out.
const UNDESCRIBED: [&str; 8] = [
    "/",
    "/setup",
    "/invitation",
    "/reset",
    "/openapi.json",
    "/metrics",
    "/assets/x/y",
    "/assets/x/y/z",
];
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"];

fn checks(house: &House) -> Line {
    let line = house.server().log().wait_for("checks on http://").unwrap();
    Line(Connection::open(line.split_once("http://").unwrap().1.trim().parse().unwrap()))
}

#[test]
fn every_route_is_a_check_or_is_not_there() {
    let house = House::start_with(&["--check-listen", "127.0.0.1:0"]);
    let key = house.manager();
    let document = house.bare(&Ask::get("/openapi.json")).json();
    let described = document["paths"].as_object().unwrap().keys().map(String::as_str);
    let paths: Vec<_> = described.chain(UNDESCRIBED).collect();
    assert!(paths.len() > 60, "{paths:?}");
    let (mut main, mut checks) = (house.line(), checks(&house));
    for path in paths {
        let served = SERVED.contains(&path);
        let asked = path.replace("{gate}", "default").replace(['{', '}'], "");
        let is_gate = path.contains("{gate}") && served;
        if !is_gate && path != "/metrics" {
            // The path is one that is known; so a 404 below is of the listener.
            main.ask(&Ask::new("PURGE", &asked)).problem(405, "method_not_allowed");
        }
        for method in METHODS {
            for ask in [
                Ask::new(method, &asked),
                house.as_owner(Ask::new(method, &asked)),
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
        // The last one may have closed the connection that a body was refused on.
        checks = self::checks(&house);
        main = house.line();
    }
}

#[test]
fn a_session_means_nothing_where_only_checks_are_served() {
    let house = House::start_with(&["--check-listen", "127.0.0.1:0"]);
    let made = house.create(&json!({}));
    let verifier =
        house.create(&json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]}));
    let mut checks = checks(&house);
    for (path, body) in [
        ("/v1/verify", json!({"key": made.secret})),
        ("/v1/verify/batch", json!({"requests": [{"key": made.secret}]})),
    ] {
        let ask =
            house.as_owner(Ask::post(path, &body)).header("Host", &house.address().to_string());
        house.bare(&ask).expect(200);
        checks.ask(&ask).problem(401, "NO_CREDENTIAL");
        // Beside a key it is as if it weren't there.
        checks.ask(&ask.bearer(&verifier.secret)).expect(200);
    }
}
