//! `/v1/users/{user}/reset` and `/v1/reset` set a new password through a link that works once.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::bounds::seconds_since_1970;
use crate::house::{EMAIL, House, PASSWORD};
use crate::people::{PASSWORD as THEIRS, Person, token_in};

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
    let house = House::start();
    let bo = house.join("bo", "user");
    let made = house.ask(&make(&bo)).expect(201);
    let url = made["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/reset#token=", house.server().url())), "{url}");
    assert!(made["expires_at"].is_string());
    let token = token_in(&made);
    // Creating the link changes nothing yet.
    house.ask_as(&bo, &Ask::get("/v1/session")).expect(200);

    for password in ["short", "passwordpassword123456"] {
        let problem = house.bare(&apply(&token, password)).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], "/password", "{problem}");
        assert!(!problem.to_string().contains("passwordpassword"), "{problem}");
    }
    let used = house.bare(&apply(&token, NEW));
    assert_eq!((used.status, used.body.as_str()), (204, ""));
    assert!(used.header("set-cookie").is_none());
    house.ask_as(&bo, &Ask::get("/v1/session")).problem(401, "session_ended");
    house.bare(&sign_in(&bo.email, THEIRS)).problem(401, "sign_in_failed");
    house.bare(&sign_in(&bo.email, NEW)).expect(201);
    house.bare(&apply(&token, "yet another of these")).problem(403, "link_invalid");
}

#[test]
fn a_new_reset_link_replaces_the_old_one_and_wrong_tokens_fail() {
    let house = House::start();
    let bo = house.join("bo", "user");
    let old = token_in(&house.ask(&make(&bo)).expect(201));
    let new = token_in(&house.ask(&make(&bo)).expect(201));
    let half = new.split_once('.').unwrap().0;
    let others = format!("{}.{}", house.owner().id, new.split_once('.').unwrap().1);
    for token in ["", ".", half, &old, &others, &format!("{new}=")] {
        house.bare(&apply(token, NEW)).problem(403, "link_invalid");
    }
    assert_eq!(house.bare(&apply(&new, NEW)).status, 204);
}

/// Forms behind links could not give a password manager the account name.
#[test]
fn a_reset_link_names_its_user() {
    let house = House::start();
    let bo = house.join("bo", "user");
    let reported = |token: &str| house.bare(&Ask::post("/v1/links", &json!({"token": token})));
    let reset = token_in(&house.ask(&make(&bo)).expect(201));
    let shown = reported(&reset).expect(200);
    assert_eq!((&shown["kind"], &shown["email"]), (&json!("reset"), &json!(bo.email)));
    let invited = house.ask(&crate::people::invitation("lin@example.com", "user")).expect(201);
    let shown = reported(&token_in(&invited)).expect(200);
    assert_eq!(
        (&shown["kind"], &shown["email"]),
        (&json!("invitation"), &json!("lin@example.com"))
    );
    // Reading does not use the link up, and an invalid link returns no user.
    assert_eq!(house.bare(&apply(&reset, NEW)).status, 204);
    for token in [reset.as_str(), "", "."] {
        reported(token).problem(403, "link_invalid");
    }
}

#[test]
fn a_reset_link_fails_if_the_user_was_promoted_meanwhile() {
    let house = House::start();
    let admin = house.join("admin", "administrator");
    let bo = house.join("bo", "user");
    let token = token_in(&house.ask_as(&admin, &make(&bo)).expect(201));
    let path = format!("/v1/users/{}", bo.id);
    house.ask(&Ask::patch(&path, &json!({"role": "owner"}))).expect(200);
    house.bare(&apply(&token, NEW)).problem(403, "link_invalid");
    house.bare(&sign_in(&bo.email, THEIRS)).expect(201);
}

/// Gives a person a second factor; returns the backup codes.
pub(crate) fn protect(house: &House, person: &Person, password: &str) -> Vec<String> {
    let totp = |body: Value| house.ask_as(person, &Ask::post("/v1/me/totp", &body));
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
    let house = House::start();
    let bo = house.join("bo", "user");
    let codes = protect(&house, &bo, THEIRS);
    protect(&house, &house.owner(), PASSWORD);
    let with_code = |password: &str, code: &str| {
        let body = json!({"email": bo.email, "password": password, "code": code});
        house.bare(&Ask::post("/v1/session", &body))
    };
    let token = token_in(&house.ask(&make(&bo)).expect(201));
    let short = "nine geese";
    assert_eq!(house.bare(&apply(&token, short)).status, 204, "short, beside a second factor");
    house.bare(&sign_in(&bo.email, short)).problem(401, "code_required");
    with_code(short, &codes[0]).expect(201);

    let wholly = Ask::post(&format!("/v1/users/{}/reset", bo.id), &json!({"totp": true}));
    let token = token_in(&house.ask(&wholly).expect(201));
    house.bare(&sign_in(&bo.email, short)).problem(401, "code_required");
    let shorter = house.bare(&apply(&token, "ten geese here"));
    assert_eq!(shorter.problem(400, "invalid_input")["errors"][0]["pointer"], "/password");
    assert_eq!(house.bare(&apply(&token, NEW)).status, 204);
    house.bare(&sign_in(&bo.email, NEW)).expect(201);
    let shown = house.ask(&Ask::get(&format!("/v1/users/{}", bo.id))).expect(200);
    assert_eq!(shown["totp"], false);
}

#[test]
fn a_sole_owner_recovers_access_on_the_host() {
    let house = House::start();
    let said = house.server().run_cli(&["user", "reset", EMAIL], "");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let url = said.stdout.trim();
    assert!(url.starts_with(&format!("{}/reset#token=", house.server().url())), "{url}");
    let token = token_in(&json!({ "url": url }));
    assert_eq!(house.bare(&apply(&token, NEW)).status, 204);
    house.bare(&sign_in(EMAIL, PASSWORD)).problem(401, "sign_in_failed");
    house.bare(&sign_in(EMAIL, NEW)).expect(201);

    let wholly = house.server().run_cli(&["user", "reset", EMAIL, "--totp", "--json"], "");
    assert_eq!(wholly.code, Some(0), "{}", wholly.stderr);
    let made: Value = serde_json::from_str(&wholly.stdout).unwrap();
    assert_eq!(house.bare(&apply(&token_in(&made), PASSWORD)).status, 204);
    let anonymous = house.server().run_cli(&["user", "reset", "nobody@example.com"], "");
    assert_eq!(anonymous.code, Some(3), "{}", anonymous.stderr);
}

/// An open session or a found key must not suffice to take an account over: changing one's own
/// password takes the current one.
#[test]
fn a_user_cannot_reset_themselves_by_session_or_key() {
    let house = House::start();
    let ada = house.join("ada-the-second", "administrator");
    let key = json!({"permissions": ["*", "keyhouse:*"]});
    let key = ada.make(&house, &key);
    for body in [json!({}), json!({"totp": true})] {
        let ask = Ask::post(&format!("/v1/users/{}/reset", ada.id), &body);
        ada.ask(&house, ask.clone()).problem(409, "own_account");
        house.bare(&ask.bearer(&key.secret)).problem(409, "own_account");
    }
    house.ask(&make(&house.owner())).problem(409, "own_account");
    // Another manager can reset them. A caller without permission to reset learns nothing new.
    house.ask(&make(&ada)).expect(201);
    let bo = house.join("bo", "user");
    bo.ask(&house, make(&bo)).problem(403, "permission_required");
}
