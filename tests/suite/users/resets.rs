//! `/v1/users/{user}/reset` and `/v1/reset` set a new password through a link that works once.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::deadlines::seconds_since_1970;
use crate::people::{PASSWORD as THEIRS, Person, token_in};
use crate::test_server::{EMAIL, PASSWORD, TestServer};

const NEW: &str = "a lighthouse made of salt";

fn make(person: &Person) -> Ask {
    Ask::post(&format!("/v1/users/{}/reset", person.id), &json!({}))
}

fn apply(token: &str, password: &str) -> Ask {
    Ask::post("/v1/reset", &json!({"token": token, "password": password}))
}

fn sign_in(email: &str, password: &str) -> Ask {
    Ask::post("/v1/session", &json!({"email": email, "password": password}))
}

#[test]
fn a_reset_link_works_once_and_ends_all_sessions() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let made = instance.ask(&make(&bo)).expect(201);
    let url = made["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/reset#token=", instance.server().url())), "{url}");
    assert!(made["expires_at"].is_string());
    let token = token_in(&made);
    // Creating the link changes nothing yet.
    instance.ask_as(&bo, &Ask::get("/v1/session")).expect(200);

    for password in ["short", "passwordpassword123456"] {
        let problem = instance.bare(&apply(&token, password)).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], "/password", "{problem}");
        assert!(!problem.to_string().contains("passwordpassword"), "{problem}");
    }
    let used = instance.bare(&apply(&token, NEW));
    assert_eq!((used.status, used.body.as_str()), (204, ""));
    assert!(used.header("set-cookie").is_none());
    instance.ask_as(&bo, &Ask::get("/v1/session")).problem(401, "session_ended");
    instance.bare(&sign_in(&bo.email, THEIRS)).problem(401, "sign_in_failed");
    instance.bare(&sign_in(&bo.email, NEW)).expect(201);
    instance.bare(&apply(&token, "yet another of these")).problem(403, "link_invalid");
}

#[test]
fn a_new_reset_link_replaces_the_old_one_and_wrong_tokens_fail() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let old = token_in(&instance.ask(&make(&bo)).expect(201));
    let new = token_in(&instance.ask(&make(&bo)).expect(201));
    let half = new.split_once('.').unwrap().0;
    let others = format!("{}.{}", instance.owner().id, new.split_once('.').unwrap().1);
    for token in ["", ".", half, &old, &others, &format!("{new}=")] {
        instance.bare(&apply(token, NEW)).problem(403, "link_invalid");
    }
    assert_eq!(instance.bare(&apply(&new, NEW)).status, 204);
}

#[test]
fn a_reset_link_fails_if_the_user_was_promoted_meanwhile() {
    let instance = TestServer::start();
    let admin = instance.join("admin", "administrator");
    let bo = instance.join("bo", "user");
    let token = token_in(&instance.ask_as(&admin, &make(&bo)).expect(201));
    let path = format!("/v1/users/{}", bo.id);
    instance.ask(&Ask::patch(&path, &json!({"role": "owner"}))).expect(200);
    instance.bare(&apply(&token, NEW)).problem(403, "link_invalid");
    instance.bare(&sign_in(&bo.email, THEIRS)).expect(201);
}

/// Gives a person a second factor; returns the backup codes.
pub(crate) fn protect(instance: &TestServer, person: &Person, password: &str) -> Vec<String> {
    let totp = |body: Value| instance.ask_as(person, &Ask::post("/v1/me/totp", &body));
    let begun = totp(json!({"current_password": password})).expect(201);
    let seed = totp_rs::Secret::try_from_base32(begun["secret"].as_str().unwrap()).unwrap();
    let app = totp_rs::Builder::new().with_secret(seed).build().unwrap();
    let code = app.generate(seconds_since_1970()).to_string();
    let confirmed = totp(json!({"code": code})).expect(200);
    let codes = confirmed["backup_codes"].as_array().unwrap().iter();
    codes.map(|code| code.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_reset_keeps_the_second_factor_unless_it_was_made_to_remove_it() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let codes = protect(&instance, &bo, THEIRS);
    protect(&instance, &instance.owner(), PASSWORD);
    let with_code = |password: &str, code: &str| {
        let body = json!({"email": bo.email, "password": password, "code": code});
        instance.bare(&Ask::post("/v1/session", &body))
    };
    let token = token_in(&instance.ask(&make(&bo)).expect(201));
    let short = "nine geese";
    assert_eq!(instance.bare(&apply(&token, short)).status, 204, "short, beside a second factor");
    instance.bare(&sign_in(&bo.email, short)).problem(401, "code_required");
    with_code(short, &codes[0]).expect(201);

    let wholly = Ask::post(&format!("/v1/users/{}/reset", bo.id), &json!({"totp": true}));
    let token = token_in(&instance.ask(&wholly).expect(201));
    instance.bare(&sign_in(&bo.email, short)).problem(401, "code_required");
    let shorter = instance.bare(&apply(&token, "ten geese here"));
    assert_eq!(shorter.problem(400, "invalid_input")["errors"][0]["pointer"], "/password");
    assert_eq!(instance.bare(&apply(&token, NEW)).status, 204);
    instance.bare(&sign_in(&bo.email, NEW)).expect(201);
    let shown = instance.ask(&Ask::get(&format!("/v1/users/{}", bo.id))).expect(200);
    assert_eq!(shown["totp"], false);
}

#[test]
fn a_sole_owner_recovers_access_on_the_host() {
    let instance = TestServer::start();
    let said = instance.server().run_cli(&["user", "reset", EMAIL], "");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let url = said.stdout.trim();
    assert!(url.starts_with(&format!("{}/reset#token=", instance.server().url())), "{url}");
    let token = token_in(&json!({ "url": url }));
    assert_eq!(instance.bare(&apply(&token, NEW)).status, 204);
    instance.bare(&sign_in(EMAIL, PASSWORD)).problem(401, "sign_in_failed");
    instance.bare(&sign_in(EMAIL, NEW)).expect(201);

    let wholly = instance.server().run_cli(&["user", "reset", EMAIL, "--totp", "--json"], "");
    assert_eq!(wholly.code, Some(0), "{}", wholly.stderr);
    let made: Value = serde_json::from_str(&wholly.stdout).unwrap();
    assert_eq!(instance.bare(&apply(&token_in(&made), PASSWORD)).status, 204);
    let anonymous = instance.server().run_cli(&["user", "reset", "unknown@example.com"], "");
    assert_eq!(anonymous.code, Some(3), "{}", anonymous.stderr);
}

/// An open session or a found key must not suffice to take over an account: a change of the user's
/// own password requires the current password.
#[test]
fn a_user_cannot_reset_themselves_by_session_or_key() {
    let instance = TestServer::start();
    let ada = instance.join("ada-the-second", "administrator");
    let key = json!({"permissions": ["*", "keyhouse:*"]});
    let key = ada.make(&instance, &key);
    for body in [json!({}), json!({"totp": true})] {
        let ask = Ask::post(&format!("/v1/users/{}/reset", ada.id), &body);
        ada.ask(&instance, ask.clone()).problem(409, "own_account");
        instance.bare(&ask.bearer(&key.secret)).problem(409, "own_account");
    }
    instance.ask(&make(&instance.owner())).problem(409, "own_account");
    // Another user manager can reset the user. A caller without permission to reset receives no new
    // information.
    instance.ask(&make(&ada)).expect(201);
    let bo = instance.join("bo", "user");
    bo.ask(&instance, make(&bo)).problem(403, "permission_required");
}
