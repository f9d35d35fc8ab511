//! `/v1/me` reads and changes the caller's own account.

mod required_factor;
pub(crate) mod totp;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::server::Session;
use crate::shape::assert_shape;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

const NEW: &str = "a longer walk in the snow";

fn change(instance: &TestServer, fields: &Value) -> crate::server::wire::Answer {
    instance.ask(&Ask::patch("/v1/me", fields))
}

#[test]
fn a_user_can_read_and_rename_themselves() {
    let instance = TestServer::start();
    let answer = instance.ask(&Ask::get("/v1/me"));
    let me = answer.expect(200);
    assert_shape!("me", &me);
    assert!(!me.to_string().contains("argon2"), "{me}");
    let tag = answer.header("etag").unwrap().to_owned();

    let changed = change(&instance, &json!({"name": " Ada L. ", "locale": "fr"})).expect(200);
    assert_eq!((&changed["name"], &changed["locale"]), (&json!("Ada L."), &json!("fr")));
    let reported = instance.ask(&Ask::get("/v1/session")).expect(200);
    assert_eq!(reported["user"]["name"], "Ada L.");
    let stale = Ask::patch("/v1/me", &json!({"name": "Eve"})).header("If-Match", &tag);
    instance.ask(&stale).problem(412, "version_conflict");
    let cleared = change(&instance, &json!({"locale": null})).expect(200);
    assert_eq!((&cleared["name"], &cleared["locale"]), (&json!("Ada L."), &Value::Null));
    let nothing = change(&instance, &json!({})).expect(200);
    assert_eq!(nothing, cleared);
}

#[test]
fn a_read_only_field_is_rejected() {
    let instance = TestServer::start();
    for (fields, pointer) in [
        (json!({"role": "guest"}), "/role"),
        (json!({"operator": true}), "/operator"),
        (json!({"email": "eve@example.com"}), "/current_password"),
        (json!({"name": " "}), "/name"),
        (json!({"locale": "de"}), "/locale"),
        (json!({"password": NEW}), "/current_password"),
        (json!({"password": "too short", "current_password": PASSWORD}), "/password"),
        (json!({"password": "passwordpassword123456", "current_password": PASSWORD}), "/password"),
        (json!({"password": NEW, "current_password": "not my password"}), "/current_password"),
    ] {
        let problem = change(&instance, &fields).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(!problem.to_string().contains("snow"), "{problem}");
    }
    Session::sign_in(instance.address(), EMAIL, PASSWORD);
}

#[test]
fn a_new_password_ends_every_other_session_and_renews_this_one() {
    let mut instance = TestServer::start();
    let other = Session::sign_in(instance.address(), EMAIL, PASSWORD);
    let answer = change(&instance, &json!({"password": NEW, "current_password": PASSWORD}));
    answer.expect(200);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    assert_ne!(cookie, instance.cookie());
    instance.bare(&Ask::get("/v1/me").header("Cookie", &cookie)).expect(200);
    instance.ask(&Ask::get("/v1/me")).problem(401, "session_ended");
    assert_eq!(other.ask("GET", "/v1/me", &Value::Null).status, 401);
    let sessions = instance.bare(&Ask::get("/v1/sessions").header("Cookie", &cookie)).expect(200);
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "{sessions}");
    instance.restart();
    let old = json!({"email": EMAIL, "password": PASSWORD});
    instance.bare(&Ask::post("/v1/session", &old)).problem(401, "sign_in_failed");
    Session::sign_in(instance.address(), EMAIL, NEW);
}

/// An attacker with an open session must not be able to guess the password.
#[test]
fn guesses_of_the_current_password_are_throttled_like_sign_ins() {
    let instance = TestServer::start();
    let guess = json!({"password": NEW, "current_password": "not my password"});
    let statuses: Vec<_> = (0..8).map(|_| change(&instance, &guess).status).collect();
    assert!(statuses.starts_with(&[400; 5]), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
}
