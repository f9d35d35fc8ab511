//! `X-Request-Id`: every request has one id, which is the client's id if that is valid. The
//! response's head, a problem's body and the log contain the same id.

use std::collections::BTreeSet;

use serde_json::json;

use crate::ask::Ask;
use crate::server::wire::Answer;
use crate::test_server::TestServer;

/// Requests of every kind, each with the status of its answer.
fn kinds(instance: &TestServer) -> Vec<(&'static str, Ask, u16)> {
    let made = instance.create(&json!({}));
    let verifier =
        instance.create(&json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]}));
    let verify = Ask::post("/v1/verify", &json!({"key": made.secret}));
    let large = Ask::post("/v1/keys", &json!({"name": "x".repeat(100_000)}));
    vec![
        ("a check that passes", Ask::forward_auth(&made.secret), 200),
        ("a check that fails", Ask::forwarded(), 401),
        ("a check that the transport refuses", Ask::forward_auth("a").bearer("b"), 401),
        ("no gate", Ask::get("/v1/forward-auth/none/at/all"), 403),
        ("a service's question", verify.clone().bearer(&verifier.secret), 200),
        ("a session's question", instance.as_owner(verify), 200),
        ("a holder's", Ask::get("/v1/whoami").bearer(&made.secret), 200),
        ("a list", instance.as_owner(Ask::get("/v1/keys")), 200),
        ("a change", instance.as_owner(Ask::post("/v1/keys", &json!({}))), 201),
        ("an anonymous change", Ask::post("/v1/keys", &json!({})), 401),
        ("a wrong field", instance.as_owner(Ask::post("/v1/keys", &json!({"kind": 1}))), 400),
        ("a wrong method", Ask::new("PUT", "/v1/keys"), 405),
        ("an unknown path", Ask::get("/v1/none"), 404),
        ("the page", Ask::get("/"), 200),
        ("health", Ask::get("/healthz"), 200),
        ("readiness", Ask::get("/readyz"), 200),
        ("the description", Ask::get("/openapi.json"), 200),
        ("metrics", instance.as_owner(Ask::get("/metrics")), 200),
        ("a doubled host", Ask::get("/v1/keys").header("Host", "a").header("Host", "b"), 400),
        ("a large body", instance.as_owner(large), 413),
    ]
}

/// Returns the response's id, which the body of a problem repeats.
fn id_of(answer: &Answer, claim: &str) -> String {
    let id = answer.header("x-request-id").unwrap_or_else(|| panic!("{claim}: no id: {answer:?}"));
    if answer.status >= 400 {
        assert_eq!(answer.json()["request_id"], id, "{claim}");
        assert_eq!(answer.header("x-keyhouse-code"), Some(answer.code().as_str()), "{claim}");
    }
    id.to_owned()
}

#[test]
fn the_id_of_the_client_is_in_the_answer_and_the_log() {
    let instance = TestServer::start_with(&["--log", "debug"]);
    for (number, (claim, ask, status)) in kinds(&instance).into_iter().enumerate() {
        let own = format!("Client-{number}.of_4bf92f3577b34da6");
        let answer = instance.bare(&ask.clone().header("X-Request-Id", &own));
        assert_eq!(answer.status, status, "{claim}: {}", answer.body);
        assert_eq!(id_of(&answer, claim), own, "{claim}");
        let line = instance.server().log().wait_for(&own).unwrap();
        assert!(line.contains(&format!("status={status} ")), "{claim}: {line}");
    }
}

#[test]
fn an_answer_without_a_client_id_gets_a_new_one() {
    let instance = TestServer::start();
    let mut seen = BTreeSet::new();
    for (claim, ask, status) in kinds(&instance) {
        for _ in 0..2 {
            let answer = instance.bare(&ask);
            assert_eq!(answer.status, status, "{claim}: {}", answer.body);
            let id = id_of(&answer, claim);
            assert!(id.starts_with("req_"), "{claim}: {id}");
            assert!(seen.insert(id), "{claim}: the id of another request");
        }
    }
}

#[test]
fn an_invalid_id_is_replaced() {
    let instance = TestServer::start_with(&["--log", "debug"]);
    let secret = instance.create(&json!({})).secret;
    for unfit in [
        "two words",
        "semi;colon",
        "quote\"d",
        "<script>",
        "kh_live_looks-like-a-key",
        &"x".repeat(65),
        &secret,
        &secret.replacen("kh_", "other_", 1),
        "",
    ] {
        for ask in [Ask::forwarded(), Ask::get("/v1/keys"), Ask::get("/healthz")] {
            let answer = instance.bare(&ask.header("X-Request-Id", unfit));
            assert!(id_of(&answer, unfit).starts_with("req_"), "{unfit}");
        }
    }
    // With two ids, the server cannot know the right one.
    let doubled = Ask::get("/v1/keys").header("X-Request-Id", "a").header("X-Request-Id", "b");
    assert!(id_of(&instance.bare(&doubled), "two").starts_with("req_"));
}
