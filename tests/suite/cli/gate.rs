//! `keyhouse gate`, with and without a running server.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{Ended, Home};
use crate::test_server::TestServer;

fn stdout_of(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.clone()
}

fn gates(home: &Home, secret: &str) {
    let made = stdout_of(&home.run_cli(
        &[
            "gate",
            "create",
            "orders",
            "--route",
            "/health public",
            "--route",
            "GET,PUT  api.example.com/orders/{id}  orders:read AND (a:b OR a:c)",
            "--route",
            "/orders/** denied",
            "--route",
            "/any",
            "--route",
            "POST /orders/** orders:write cost=5",
            "--route",
            "PUT /orders/** cost=0",
            "--credential",
            "X-Api-Key",
            "--accept-environment",
            "live",
            "--cost",
            "2",
            "--json",
        ],
        "",
    ));
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["routes"][1]["methods"], json!(["GET", "PUT"]), "{made}");
    assert_eq!(made["routes"][1]["host"], "api.example.com", "{made}");
    let shown = stdout_of(&home.run_cli(&["gate", "show", "orders"], ""));
    for line in [
        "route           /health public",
        "route           GET,PUT api.example.com/orders/{id} orders:read AND (a:b OR a:c)",
        "route           /orders/** denied",
        "route           /any\n",
        "route           POST /orders/** orders:write cost=5\n",
        "route           PUT /orders/** cost=0\n",
        "credentials     x-api-key",
        "environments    live",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(stdout_of(&home.run_cli(&["gate", "list"], "")).contains("orders"));

    let test = |args: &[&str], input: &str| {
        let ended = home.run_cli(&[&["gate", "test"], args].concat(), input);
        assert!(!format!("{ended:?}").contains(secret), "{ended:?}");
        (ended.code, ended.stdout)
    };
    for (args, code, lines) in [
        (
            &["GET", "/health", "--gate", "orders"][..],
            0,
            &["200 VALID", "route    /health public"][..],
        ),
        (
            &["GET", "/orders/7", "--gate", "orders"],
            4,
            &["403 ROUTE_NOT_ALLOWED", "/orders/** denied"],
        ),
        (&["GET", "/none", "--gate", "orders"], 4, &["403 ROUTE_NOT_ALLOWED", "route    -"]),
        (&["GET", "/a//b", "--gate", "orders"], 4, &["403 REQUEST_REFUSED the path contains '//'"]),
        (&["GET", "/any", "--gate", "orders"], 4, &["401 NO_CREDENTIAL"]),
        (&["GET", "/any", "--gate", "orders", "--key", "-"], 0, &["200 VALID", "passed   key"]),
        (&["GET", "/any", "--key", "-"], 0, &["200 VALID"]),
        (
            &["PUT", "https://api.example.com:8443/orders/7", "--gate", "orders", "--key", "-"],
            4,
            &["403 INSUFFICIENT_PERMISSIONS", "orders:read AND (a:b OR a:c)", "failed"],
        ),
        (&["GET", "/any", "--gate", "none"], 3, &[]),
        (&["get", "/any"], 2, &[]),
    ] {
        let (ended, stdout) = test(args, &format!("{secret}\n"));
        assert_eq!(ended, Some(code), "{args:?}: {stdout}");
        for line in lines {
            assert!(stdout.contains(line), "{args:?}: {line} in {stdout}");
        }
    }
    let set = ["gate", "set", "orders", "--preflight", "allow"];
    let odd = ["--route", "PUT /npm/{p} a:b cost=3 allow=encoded_slash,utf8"];
    let shown = stdout_of(&home.run_cli(&[&set[..], &odd].concat(), ""));
    let written = "route           PUT /npm/{p} a:b cost=3 allow=encoded_slash,utf8";
    assert!(shown.contains(written) && shown.contains("preflight       allow"), "{shown}");
    let announced = ["OPTIONS", "/npm/@a%2fb", "--gate", "orders", "--preflight-for", "PUT"];
    let (ended, stdout) = test(&announced, "");
    assert_eq!(ended, Some(0), "{stdout}");
    let set = ["gate", "set", "orders", "--route", "/** a:b", "--accept-environment", "all"];
    let shown = stdout_of(&home.run_cli(&set, ""));
    assert!(shown.contains("route           /** a:b") && !shown.contains("/health"), "{shown}");
    assert!(shown.contains("environments    -") && shown.contains("cost            2"), "{shown}");
    assert_eq!(home.run_cli(&["gate", "create", "orders"], "").code, Some(5));
    assert_eq!(home.run_cli(&["gate", "create", "Orders"], "").code, Some(2));
    for route in [
        "GET public",
        "/a cost=",
        "/a cost=2 a:b",
        "/a allow=all",
        "/a cost=2000",
        "/a public cost=1",
    ] {
        assert_eq!(home.run_cli(&["gate", "create", "a", "--route", route], "").code, Some(2));
    }
    assert_eq!(home.run_cli(&["gate", "show", "none"], "").code, Some(3));
    stdout_of(&home.run_cli(&["gate", "delete", "orders"], ""));
    let none = home.run_cli(&["gate", "list"], "");
    assert!(
        stdout_of(&none).is_empty() && none.stderr.contains("no gates; create one"),
        "{none:?}"
    );
}

#[test]
fn gates_are_managed_and_tested_with_and_without_a_server() {
    let mut instance = TestServer::start();
    let (home, key) =
        (Arc::clone(instance.home()), instance.create(&json!({"permissions": ["a:b"]})));
    gates(&home, &key.secret);
    instance.stop();
    gates(&home, &key.secret);
}
