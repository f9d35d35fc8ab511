//! `keyhouse user`, with and without a running server.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{acceptance, token_in};
use crate::server::Ended;
use crate::test_server::{EMAIL, TestServer, made};

fn stdout_of(ended: Ended) -> String {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

fn url(stdout: &str) -> Value {
    json!({ "url": stdout.trim() })
}

#[test]
fn users_are_invited_listed_disabled_and_removed() {
    let instance = TestServer::start();
    let cli = |args: &[&str]| instance.server().run_cli(args, "");
    let link =
        url(&stdout_of(cli(&["user", "invite", "bo@example.com", "--role", "administrator"])));
    let accepted = instance.bare(&acceptance(&token_in(&link)));
    let id = accepted.expect(201)["user"]["id"].as_str().unwrap().to_owned();
    let cookie = accepted.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let key = Ask::post("/v1/keys", &json!({"name": "theirs"})).header("Cookie", &cookie);
    let key = made(&instance.bare(&key).expect(201));

    let listed = stdout_of(cli(&["user", "list"]));
    assert!(listed.contains("bo@example.com") && listed.contains("owner, operator"), "{listed}");
    let shown = stdout_of(cli(&["user", "show", "bo@example.com"]));
    assert!(shown.contains(&id) && shown.contains("administrator"), "{shown}");
    let stopped: Value =
        serde_json::from_str(&stdout_of(cli(&["user", "disable", &id, "--json"]))).unwrap();
    assert_eq!(stopped["disabled"], true);
    assert_eq!(instance.verify(&key.secret)["code"], "OWNER_DISABLED");
    stdout_of(cli(&["user", "enable", "BO@example.com"]));
    assert_eq!(instance.verify(&key.secret)["code"], "VALID");

    let transfer = ["user", "remove", "bo@example.com", "--keys", "transfer"];
    assert_eq!(cli(&transfer).code, Some(2), "a transfer needs --to");
    stdout_of(cli(&[&transfer[..], &["--to", EMAIL]].concat()));
    assert_eq!(instance.key(&key.id)["owner"], instance.owner().id);
    for (args, code) in [
        (["user", "show", "bo@example.com"], 3),
        (["user", "remove", &id], 3),
        (["user", "disable", EMAIL], 5),
        (["user", "remove", EMAIL], 5),
    ] {
        let ended = cli(&args);
        assert_eq!(ended.code, Some(code), "{args:?} {}", ended.stderr);
    }
}

#[test]
fn a_link_that_was_created_without_a_server_works_with_it() {
    let mut instance = TestServer::start();
    instance.stop();
    let stdout = stdout_of(instance.home().run_cli(&["user", "reset", EMAIL], ""));
    assert!(stdout.starts_with("http://127.0.0.1:7117/reset#token="), "{stdout}");
    instance.restart();
    let password = "a lighthouse made of salt";
    let body = json!({"token": token_in(&url(&stdout)), "password": password});
    assert_eq!(instance.bare(&Ask::post("/v1/reset", &body)).status, 204);
    instance
        .bare(&Ask::post("/v1/session", &json!({"email": EMAIL, "password": password})))
        .expect(201);
}
