//! `/v1/setup`: the first owner is created through a link that works once.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect, losers};
use crate::test_server::{EMAIL, PASSWORD, TestServer};

fn body(token: &str) -> Value {
    json!({"token": token, "name": "Ada", "email": EMAIL, "password": PASSWORD})
}

#[test]
fn the_link_creates_one_owner_and_is_then_invalid() {
    let mut instance = TestServer::start_empty();
    let link = instance.setup_link();
    let token = token_of(&link);
    assert!(token.len() >= 20, "{link}");
    let form = instance.bare(&Ask::get(&path_of(&link)));
    assert_eq!(form.status, 200, "{link}");
    assert!(form.header("content-type").unwrap().starts_with("text/html"));
    assert!(form.header("content-security-policy").is_some());

    let is_set_up = || instance.bare(&Ask::get("/v1/instance")).expect(200)["set_up"].clone();
    assert_eq!(is_set_up(), false);
    let made = instance.bare(&Ask::post("/v1/setup", &body(&token)));
    assert_eq!(is_set_up(), true);
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(!made.body.contains(PASSWORD) && !made.body.contains(&token));
    instance.bare(&Ask::post("/v1/setup", &body(&token))).problem(404, "not_found");

    instance.sign_in();
    let me = instance.ask(&Ask::get("/v1/session")).expect(200);
    assert_eq!(me["user"]["email"], EMAIL);
    instance.create(&json!({"name": "first"}));
    instance.restart();
    let said = instance.server().log().tail();
    assert!(!said.contains("set up at"), "{said}");
}

/// In an earlier version, the page showed the reason for a refused password always in English.
#[test]
fn a_refused_password_returns_its_reasons_as_codes() {
    let instance = TestServer::start_empty();
    let token = token_of(&instance.setup_link());
    for (password, reasons) in [
        ("short", json!(["too_short"])),
        (&*"x7".repeat(200), json!(["too_long"])),
        ("aaaaaaaaaaaaaaaaaaaa", json!(["repeated_characters", "add_words", "avoid_repeats"])),
        ("abcdefghijklmnop", json!(["sequence", "add_words", "avoid_sequences"])),
    ] {
        let mut input = body(&token);
        input["password"] = password.into();
        let reported = instance.bare(&Ask::post("/v1/setup", &input)).problem(400, "invalid_input");
        assert_eq!(reported["errors"][0]["code"], "invalid_password", "{reported}");
        assert_eq!(reported["errors"][0]["reasons"], reasons, "{reported}");
    }
}

#[test]
fn wrong_input_keeps_the_link_valid() {
    let instance = TestServer::start_empty();
    let token = token_of(&instance.setup_link());
    let cases: [(&str, Value, &str); 7] = [
        ("short password", json!({"password": "short"}), "/password"),
        ("guessable password", json!({"password": "passwordpassword123456"}), "/password"),
        ("no address", json!({"email": "ada"}), "/email"),
        ("blank name", json!({"name": "  "}), "/name"),
        ("a name with a line in it", json!({"name": "Ada\nroot"}), "/name"),
        ("a password of the wrong type", json!({"password": 1}), "/password"),
        ("an unknown field", json!({"operator": true}), "/operator"),
    ];
    for (claim, change, pointer) in cases {
        let mut input = body(&token);
        for (name, value) in change.as_object().unwrap() {
            input[name] = value.clone();
        }
        let problem = instance.bare(&Ask::post("/v1/setup", &input)).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{claim}: {problem}");
        assert!(!problem.to_string().contains("passwordpassword"), "{problem}");
    }
    let wrong = token.chars().rev().collect::<String>();
    for token in [wrong.as_str(), "", "x"] {
        instance.bare(&Ask::post("/v1/setup", &body(token))).problem(403, "link_invalid");
    }
    instance.bare(&Ask::post("/v1/setup", &body(&token))).expect(201);
}

#[test]
fn of_concurrent_uses_of_the_link_exactly_one_succeeds() {
    let instance = TestServer::start_empty();
    let token = token_of(&instance.setup_link());
    let losers = losers(6, 201, |number| {
        let mut input = body(&token);
        input["email"] = format!("owner{number}@example.com").into();
        instance.bare(&Ask::post("/v1/setup", &input))
    });
    for answer in losers {
        // The request was read after the setup, or the setup was faster than its change.
        if answer.status == 404 {
            answer.problem(404, "not_found");
        } else {
            answer.problem(403, "link_invalid");
        }
    }
}

#[test]
fn each_start_without_users_replaces_the_link() {
    let mut instance = TestServer::start_empty();
    let old = token_of(&instance.setup_link());
    instance.restart();
    let new = token_of(&instance.setup_link());
    assert_ne!(old, new);
    instance.bare(&Ask::post("/v1/setup", &body(&old))).problem(403, "link_invalid");
    instance.bare(&Ask::post("/v1/setup", &body(&new))).expect(201);
}

#[test]
fn setup_is_closed_once_there_is_an_owner() {
    let instance = TestServer::start();
    instance.bare(&Ask::post("/v1/setup", &body("anything"))).problem(404, "not_found");
}

fn token_of(link: &str) -> String {
    link.rsplit_once("token=").unwrap().1.to_owned()
}

/// Returns the part of a link that a browser sends.
fn path_of(link: &str) -> String {
    let rest = link.split_once("://").unwrap().1;
    let path = rest.find('/').map_or("/", |at| rest.get(at..).unwrap());
    path.split('#').next().unwrap().to_owned()
}

#[test]
fn the_form_is_served_until_there_is_an_owner() {
    let instance = TestServer::start();
    instance.bare(&Ask::get("/setup")).problem(404, "not_found");
    assert_eq!(instance.bare(&Ask::get("/")).status, 200);
}
