//! `POST /v1/verify/batch` decides many checks, each as if it were sent alone.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::test_server::TestServer;

fn batch(instance: &TestServer, requests: &Value) -> Vec<Value> {
    let reported =
        instance.ask(&Ask::post("/v1/verify/batch", &json!({"requests": requests}))).expect(200);
    reported["results"].as_array().unwrap().clone()
}

#[test]
fn answers_keep_the_order_and_an_invalid_item_fails_alone() {
    let instance = TestServer::start();
    let good = instance.create(&json!({"permissions": ["a:b"]}));
    let gone = instance.create(&json!({}));
    instance.act(&gone.id, "revoke").expect(200);
    let results = batch(
        &instance,
        &json!([
            {"key": good.secret, "permissions": ["a:b"]},
            {"key": gone.secret},
            {"permissions": ["a:b"]},
            {"key": good.secret, "permissions": ["x:y"]},
            {"key": good.secret, "cost": 1001, "what": 1},
            7,
            {"key": "a mistyped key"},
        ]),
    );
    let codes: Vec<_> = results
        .iter()
        .map(|it| it["code"].as_str().or(it["error"]["code"].as_str()).unwrap())
        .collect();
    assert_eq!(
        codes,
        [
            "VALID",
            "REVOKED",
            "invalid_input",
            "INSUFFICIENT_PERMISSIONS",
            "invalid_input",
            "invalid_input",
            "MALFORMED",
        ]
    );
    assert_eq!(results[0]["key"]["id"], good.id.as_str());
    assert_eq!(
        results[0],
        instance.ask(&Ask::post("/v1/verify", &json!({"key": good.secret}))).expect(200)
    );
    assert_eq!(results[2]["error"]["errors"][0]["pointer"], "/requests/2/key");
    let faults = results[4]["error"]["errors"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(instance.key(&good.id)["last_used"].is_object(), "a use in a batch is a use");
}

#[test]
fn a_batch_counts_each_item() {
    let instance = TestServer::start();
    let limits = json!([{"name": "calls", "limit": 3, "window_seconds": 86400}]);
    let quota = json!({"limit": 5, "period": "month", "timezone": "UTC"});
    let (limited, counted) = (
        instance.create(&json!({"rate_limits": limits})),
        instance.create(&json!({"quota": quota})),
    );
    for (made, passing) in [(&limited, 3), (&counted, 5)] {
        let results = batch(&instance, &json!(vec![json!({"key": made.secret}); 9]));
        let valid = results.iter().filter(|it| it["valid"] == true).count();
        assert_eq!((results.len(), valid), (9, passing));
    }
}

#[test]
fn a_batch_of_more_than_a_thousand_items_is_rejected() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    let request = json!({"key": made.secret});
    assert_eq!(batch(&instance, &json!([])).len(), 0);
    let results = batch(&instance, &json!(vec![request.clone(); 1_000]));
    assert!(results.len() == 1_000 && results.iter().all(|it| it["valid"] == true));
    for (body, fault) in [
        (json!({"requests": vec![request; 1_001]}), ("/requests", "too_many")),
        (json!({}), ("/requests", "required")),
        (json!({"requests": {}}), ("/requests", "wrong_type")),
        (json!({"requests": [], "explain": true}), ("/explain", "unknown_field")),
    ] {
        let problem =
            instance.ask(&Ask::post("/v1/verify/batch", &body)).problem(400, "invalid_input");
        let first = &problem["errors"][0];
        assert_eq!((&first["pointer"], &first["code"]), (&json!(fault.0), &json!(fault.1)));
    }
    let large = json!({"requests": [{"key": "x".repeat(1024 * 1024)}]});
    instance.ask(&Ask::post("/v1/verify/batch", &large)).problem(413, "body_too_large");
}

#[test]
fn a_key_can_send_batches_to_the_check_listener() {
    let instance = TestServer::start_with(&["--check-listen", "127.0.0.1:0"]);
    let made = instance.create(&json!({}));
    let verifier =
        instance.create(&json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]}));
    let ask = |secret: &str| {
        let body =
            json!({"requests": [{"key": made.secret}, {"key": made.secret, "explain": true}]});
        Ask::post("/v1/verify/batch", &body).bearer(secret)
    };
    instance.bare(&ask(&made.secret)).problem(403, "permission_required");
    let anonymous = ask(&made.secret).without("Authorization");
    instance.bare(&anonymous).problem(401, "NO_CREDENTIAL");
    let line = instance.server().log().wait_for("checks on http://").unwrap();
    let address = line.split_once("http://").unwrap().1.trim().parse().unwrap();
    let mut checks = crate::server::wire::Connection::open(address);
    let asked = ask(&verifier.secret);
    let reported =
        checks.ask(&asked.method, &asked.target, &asked.lines(), &asked.body).expect(200);
    assert_eq!(reported["results"][0]["code"], "VALID", "{reported}");
    assert_eq!(reported["results"][1]["error"]["code"], "permission_required", "{reported}");
}
