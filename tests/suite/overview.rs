//! `GET /v1/overview`: users without a second factor, and the age of the last backup.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::me::totp::set_up;
use crate::shape::assert_shape;
use crate::test_server::TestServer;

fn overview() -> Ask {
    Ask::get("/v1/overview")
}

#[test]
fn enabled_users_without_a_second_factor_are_counted() {
    let instance = TestServer::start();
    let admin = instance.join("grace", "administrator");
    let off = instance.join("mate", "user");
    instance.neighbour("other");
    let users = || instance.ask(&overview()).expect(200)["users"].clone();
    assert_eq!(users(), json!({"count": 3, "without_second_factor": 3}));
    let disabled = json!({"disabled": true});
    instance.ask(&Ask::patch(&format!("/v1/users/{}", off.id), &disabled)).expect(200);
    assert_eq!(users(), json!({"count": 2, "without_second_factor": 2}));
    // A second factor counts once it is confirmed.
    instance
        .ask_as(
            &admin,
            &Ask::post("/v1/me/totp", &json!({"current_password": crate::people::PASSWORD})),
        )
        .expect(201);
    assert_eq!(users()["without_second_factor"], 2);
    set_up(&instance);
    assert_eq!(users(), json!({"count": 2, "without_second_factor": 1}));
}

#[test]
fn each_caller_sees_the_facts_of_their_permissions() {
    let instance = TestServer::start();
    assert_shape!("overview", &instance.ask(&overview()).expect(200));
    let admin = instance.join("grace", "administrator");
    let user = instance.join("mate", "user");
    let seen = instance.ask_as(&admin, &overview()).expect(200);
    assert_eq!(seen, json!({"users": {"count": 3, "without_second_factor": 3}}));
    instance.ask_as(&user, &overview()).problem(403, "permission_required");
    let operator = json!({"operator": true});
    instance.ask(&Ask::patch(&format!("/v1/users/{}", user.id), &operator)).expect(200);
    let seen = instance.ask_as(&user, &overview()).expect(200);
    assert_eq!(seen, json!({"backup": {"last_at": null, "every_seconds": 0}}));
}

#[test]
fn the_last_requested_backup_is_found_after_a_restart() {
    let mut instance = TestServer::start();
    let last = |instance: &TestServer| -> Value {
        instance.ask(&overview()).expect(200)["backup"]["last_at"].clone()
    };
    assert_eq!(last(&instance), Value::Null);
    let file = instance.home().folder().join("one.khb");
    let ended = instance.server().run_cli(&["backup", file.to_str().unwrap()], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let events = instance.ask(&Ask::get("/v1/audit?action=instance.backup")).expect(200);
    let at = events["items"][0]["at"].clone();
    assert!(at.is_string(), "{events}");
    assert_eq!(last(&instance), at);
    instance.restart();
    assert_eq!(last(&instance), at);
}

#[test]
fn a_scheduled_backup_and_its_interval_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        format!("[backup]\nevery = \"6h\"\ndirectory = \"{}\"\n", folder.path().display());
    let instance = TestServer::start_with_settings(&settings);
    let backup = || instance.ask(&overview()).expect(200)["backup"].clone();
    assert_eq!(backup()["every_seconds"], 21_600);
    // The first backup is due at once. The request is repeated until the server has written it.
    while backup()["last_at"].is_null() {}
    let scheduled = backup()["last_at"].clone();
    let file = folder.path().join("later.khb");
    let ended = instance.server().run_cli(&["backup", file.to_str().unwrap()], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(backup()["last_at"].as_str() > scheduled.as_str(), "{scheduled}");
}
