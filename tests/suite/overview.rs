//! `GET /v1/overview`: users without a second factor, the age of the last backup, and the first steps.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::deadlines::repeat_within;
use crate::me::totp::set_up;
use crate::people::invitation;
use crate::shape::assert_shape;
use crate::test_server::TestServer;

/// The longest wait for a backup that is due. The machine may be busy with other tests.
const BACKUP_WAIT_MAX: Duration = Duration::from_mins(1);

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
    let steps = json!({"key_created": false, "key_used": false, "gate_called": false,
        "colleague_invited": true});
    let users = json!({"count": 3, "without_second_factor": 3});
    assert_eq!(seen, json!({"first_steps": steps, "users": users}));
    instance.ask_as(&user, &overview()).problem(403, "permission_required");
    instance.ask_as(&user, &first_steps()).problem(403, "permission_required");
    let operator = json!({"operator": true});
    instance.ask(&Ask::patch(&format!("/v1/users/{}", user.id), &operator)).expect(200);
    let seen = instance.ask_as(&user, &overview()).expect(200);
    assert_eq!(seen, json!({"backup": {"last_at": null, "every_seconds": 0}}));
    instance.ask_as(&user, &first_steps()).problem(403, "permission_required");
}

fn first_steps() -> Ask {
    Ask::get("/v1/overview?only=first_steps")
}

/// The first steps as `[key_created, key_used, gate_called, colleague_invited]`.
fn steps_of(instance: &TestServer) -> [bool; 4] {
    let facts = instance.ask(&first_steps()).expect(200);
    assert_eq!(facts.as_object().unwrap().len(), 1, "{facts}");
    let steps = &facts["first_steps"];
    assert_eq!(instance.ask(&overview()).expect(200)["first_steps"], *steps);
    ["key_created", "key_used", "gate_called", "colleague_invited"]
        .map(|name| steps[name].as_bool().unwrap())
}

#[test]
fn each_first_step_is_a_fact_of_the_own_organization() {
    let instance = TestServer::start();
    let (_, owner) = instance.neighbour("other");
    assert_eq!(steps_of(&instance), [false; 4]);
    let key = instance.create(&json!({"name": "first"}));
    assert_eq!(steps_of(&instance), [true, false, false, false]);
    instance.bare(&Ask::get("/v1/whoami").bearer(&key.secret)).expect(200);
    assert_eq!(steps_of(&instance), [true, true, false, false]);
    instance.bare(&Ask::forward_auth(&key.secret)).expect(200);
    assert_eq!(steps_of(&instance), [true, true, true, false]);
    let invited = instance.ask(&invitation("lin@example.com", "user")).expect(201);
    assert_eq!(steps_of(&instance), [true; 4]);
    let id = invited["invitation"]["id"].as_str().unwrap();
    let withdrawn = Ask::new("DELETE", &format!("/v1/invitations/{id}"));
    instance.ask(&withdrawn).expect(204);
    assert_eq!(steps_of(&instance), [true, true, true, false]);
    instance.join("mate", "user");
    assert_eq!(steps_of(&instance), [true; 4]);
    let theirs = instance.ask_as(&owner, &first_steps()).expect(200);
    assert_eq!(
        theirs["first_steps"],
        json!({"key_created": false, "key_used": false, "gate_called": false,
            "colleague_invited": false})
    );
}

/// A proxy that is refused is connected too. A key that was only refused was not used.
#[test]
fn a_refused_call_through_a_gate_is_a_call_of_the_gate() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "off"}));
    instance.act(&key.id, "disable").expect(200);
    instance.bare(&Ask::get("/v1/whoami").bearer(&key.secret)).problem(401, "DISABLED");
    assert_eq!(steps_of(&instance), [true, false, false, false]);
    instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "DISABLED");
    assert_eq!(steps_of(&instance), [true, false, true, false]);
}

#[test]
fn first_steps_are_known_after_a_restart() {
    let mut instance = TestServer::start();
    let key = instance.create(&json!({"name": "first"}));
    instance.bare(&Ask::forward_auth(&key.secret)).expect(200);
    instance.act(&key.id, "revoke").expect(200);
    instance.restart();
    assert_eq!(steps_of(&instance), [true, true, true, false]);
}

#[test]
fn an_unknown_choice_of_facts_is_a_fault() {
    let instance = TestServer::start();
    let faults = instance.ask(&Ask::get("/v1/overview?only=backup")).problem(400, "invalid_input");
    assert_eq!(faults["errors"][0]["code"], "invalid_choice", "{faults}");
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
    // The first backup is due at once.
    let scheduled = repeat_within(BACKUP_WAIT_MAX, "the first backup is written", || {
        backup()["last_at"].as_str().map(str::to_owned)
    });
    let file = folder.path().join("later.khb");
    let ended = instance.server().run_cli(&["backup", file.to_str().unwrap()], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(backup()["last_at"].as_str() > Some(scheduled.as_str()), "{scheduled}");
}
