//! `/v1/sessions` lists and ends the caller's own sessions.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::shape::assert_shape;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

fn sign_in(instance: &TestServer, address: &str) -> String {
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let ask = Ask::post("/v1/session", &body).header("X-Forwarded-For", address);
    let ask = ask.header("User-Agent", BROWSER);
    let answer = instance.bare(&ask);
    answer.expect(201);
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn items(instance: &TestServer) -> Vec<Value> {
    let listed = instance.ask(&Ask::get("/v1/sessions")).expect(200);
    assert_eq!(listed["next_cursor"], Value::Null);
    listed["items"].as_array().unwrap().clone()
}

#[test]
fn a_user_can_list_and_end_their_own_sessions() {
    let instance = TestServer::start();
    let phone = sign_in(&instance, "203.0.113.9");
    let listed = items(&instance);
    assert_shape!("sessions", &Value::from(listed.clone()));
    let id = listed[0]["id"].as_str().unwrap();
    let text = Value::from(listed.clone()).to_string();
    assert!(!text.contains(phone.split('=').nth(1).unwrap()), "{text}");

    let end = Ask::new("DELETE", &format!("/v1/sessions/{id}"));
    assert_eq!(instance.ask(&end).status, 204);
    instance.bare(&Ask::get("/v1/session").header("Cookie", &phone)).problem(401, "session_ended");
    instance.ask(&end).problem(404, "not_found");
    assert_eq!(items(&instance).len(), 1);
    for id in ["ses_01890a5d-ac96-774b-bcce-b302099a8057", "nonsense"] {
        instance.ask(&Ask::new("DELETE", &format!("/v1/sessions/{id}"))).problem(404, "not_found");
    }
    let own = items(&instance)[0]["id"].as_str().unwrap().to_owned();
    let answer = instance.ask(&Ask::new("DELETE", &format!("/v1/sessions/{own}")));
    assert_eq!(answer.status, 204);
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    instance.ask(&Ask::get("/v1/session")).problem(401, "session_ended");
}

#[test]
fn a_long_user_agent_is_truncated() {
    let instance = TestServer::start();
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let long = "Mozilla/5.0 ".repeat(100);
    instance.bare(&Ask::post("/v1/session", &body).header("User-Agent", &long)).expect(201);
    let listed = items(&instance);
    assert_eq!(listed[0]["user_agent"], long.chars().take(256).collect::<String>());
}

#[test]
fn sessions_are_listed_in_pages() {
    let instance = TestServer::start();
    for _ in 0..4 {
        sign_in(&instance, "203.0.113.9");
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = instance.ask(&Ask::get(&format!("/v1/sessions?limit=2{cursor}"))).expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|it| it["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let all: Vec<_> = items(&instance).iter().map(|it| it["id"].clone()).collect();
    assert_eq!(seen, all);
    assert_eq!(seen.len(), 5);
    instance.ask(&Ask::get("/v1/sessions?what=1")).problem(400, "invalid_input");
}

#[test]
fn a_key_cannot_use_sessions_or_an_account() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "any", "permissions": ["keyhouse:*", "*"]}));
    let factor = json!({"current_password": PASSWORD});
    let removal = json!({"current_password": PASSWORD, "code": "123456"});
    for ask in [
        Ask::get("/v1/sessions"),
        Ask::new("DELETE", "/v1/sessions/ses_01890a5d-ac96-774b-bcce-b302099a8057"),
        Ask::get("/v1/me"),
        Ask::patch("/v1/me", &json!({"name": "Eve"})),
        Ask::post("/v1/me/totp", &factor),
        Ask::new("DELETE", "/v1/me/totp").json(&removal),
    ] {
        instance.bare(&ask.clone().bearer(&key.secret)).problem(403, "session_required");
        instance.bare(&ask).problem(401, "NO_CREDENTIAL");
    }
}
