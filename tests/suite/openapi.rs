//! `/openapi.json` matches the behaviour of the server.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::PASSWORD;
use crate::policy::{About, Actor, Fixture, operations};
use crate::test_server::TestServer;

#[test]
fn the_description_is_public_and_names_this_instance() {
    let instance = TestServer::start();
    let answer = instance.bare(&Ask::get("/openapi.json"));
    let document = answer.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"][0]["url"], instance.server().url());
    let scheme = &document["components"]["securitySchemes"]["session"];
    let cookie = instance.cookie().split('=').next().unwrap();
    assert_eq!(
        scheme,
        &json!({"type": "apiKey", "in": "cookie", "name": cookie, "description": scheme["description"]})
    );
}

#[test]
fn every_example_is_accepted() {
    let fixture = Fixture::set();
    let mut faults = Vec::new();
    for operation in operations(&fixture.instance) {
        let (actor, about) = match &*operation.id {
            // Two operations belong to the first start and have their own test. This instance has
            // no lockout; lockouts.rs tests lifting.
            "setUp" | "showSetupPage" | "liftLockout" => continue,
            "forwardAuth" | "forwardAuthHead" | "extAuthz" | "extAuthzHead" | "introspect"
            | "whoAmI" | "revokeMe" => (Actor::Key(fixture.key_for(&operation)), About::Same),
            "endSession" => (fixture.actor('u', &operation, About::Own), About::Own),
            "changeMe" | "turnOnTotp" | "proveSession" | "signIn" | "signOut" => {
                (fixture.actor('u', &operation, About::Same), About::Same)
            },
            "turnOffTotp" => {
                let actor = fixture.actor('u', &operation, About::Same);
                let body =
                    json!({"current_password": PASSWORD, "code": backup_code(&fixture, &actor)});
                let (status, body) = fixture.status(operation.ask(&operation.path, &body), &actor);
                assert_eq!(status, 204, "turnOffTotp: {body}");
                continue;
            },
            "renewBackupCodes" => {
                let actor = fixture.actor('g', &operation, About::Same);
                let body =
                    json!({"current_password": PASSWORD, "code": backup_code(&fixture, &actor)});
                let (status, body) = fixture.status(operation.ask(&operation.path, &body), &actor);
                assert_eq!(status, 200, "renewBackupCodes: {body}");
                continue;
            },
            "rotateKey" => (fixture.founder(), About::Own),
            "changeAnyOrganization" | "changeSubscription" => (fixture.founder(), About::Other),
            _ => (fixture.founder(), About::Same),
        };
        let path = fixture.path(&operation, about, &actor);
        let ask = operation.ask(&path, &fixture.body(&operation));
        let (status, body) = fixture.status(ask, &actor);
        if status != operation.status_of_success() {
            faults.push(format!("{}: {status} {body}", operation.id));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Turns on the second factor of a user and returns one of their backup codes.
fn backup_code(fixture: &Fixture, actor: &Actor) -> Value {
    let ask = |expected: u16, body: &Value| {
        let (status, answer) = fixture.status(Ask::post("/v1/me/totp", body), actor);
        assert_eq!(status, expected, "{answer}");
        serde_json::from_str::<Value>(&answer).unwrap()
    };
    let begun = ask(201, &json!({"current_password": PASSWORD}));
    let code = crate::me::totp::code_of(begun["secret"].as_str().unwrap(), 0);
    ask(200, &json!({"code": code}))["backup_codes"][0].clone()
}

#[test]
fn the_examples_of_the_first_start_are_accepted() {
    let instance = TestServer::start_empty();
    let token = instance.setup_link().rsplit_once("#token=").unwrap().1.to_owned();
    let page = instance.bare(&Ask::get("/setup"));
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let set_up = operations(&instance).into_iter().find(|it| it.id == "setUp").unwrap();
    let mut body = set_up.example.clone();
    body["token"] = token.into();
    instance.bare(&set_up.ask(&set_up.path, &body)).expect(201);
}
