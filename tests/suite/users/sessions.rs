//! `/v1/users/{user}/sessions` lists and ends another user's sessions, and the user gets a notice
//! of the end.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{PASSWORD, Person, token_in};
use crate::test_server::TestServer;

const NEW: &str = "a lighthouse made of salt";

/// Signs in the same person again.
fn signed_in(instance: &TestServer, person: &Person) -> Person {
    let body = json!({"email": person.email, "password": PASSWORD});
    let answer = instance.bare(&Ask::post("/v1/session", &body));
    answer.expect(201);
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    Person { cookie, ..person.clone() }
}

fn notices(reported: &Value) -> Vec<(&str, &str)> {
    let notices = reported["notices"].as_array().unwrap().iter();
    notices.map(|it| (it["kind"].as_str().unwrap(), it["by"]["kind"].as_str().unwrap())).collect()
}

#[test]
fn a_manager_can_end_one_or_all_sessions_of_a_user() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let (second, third) = (signed_in(&instance, &bo), signed_in(&instance, &bo));
    let path = format!("/v1/users/{}/sessions", bo.id);
    let listed = instance.ask(&Ask::get(&path)).expect(200);
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 3, "{items:?}");
    let own = third.ask(&instance, Ask::get("/v1/sessions")).expect(200);
    assert_eq!(items[0]["id"], own["items"][0]["id"], "the newest first");
    assert!(items[0].get("current").is_none(), "{items:?}");

    let one = format!("{path}/{}", items[0]["id"].as_str().unwrap());
    instance.ask(&Ask::new("DELETE", &one)).expect(204);
    third.ask(&instance, Ask::get("/v1/session")).problem(401, "session_ended");
    second.ask(&instance, Ask::get("/v1/session")).expect(200);
    instance.ask(&Ask::new("DELETE", &one)).problem(404, "not_found");
    instance.ask(&Ask::new("DELETE", &format!("{path}/none"))).problem(404, "not_found");

    instance.ask(&Ask::new("DELETE", &path)).expect(204);
    for ended in [&bo, &second] {
        ended.ask(&instance, Ask::get("/v1/session")).problem(401, "session_ended");
    }
    let none = instance.ask(&Ask::get(&path)).expect(200);
    assert_eq!(none["items"], json!([]));
}

#[test]
fn ending_sessions_of_a_higher_ranked_user_is_rejected() {
    let instance = TestServer::start();
    let admin = instance.join("admin", "administrator");
    let owner = format!("/v1/users/{}/sessions", instance.owner().id);
    for ask in [Ask::get(&owner), Ask::new("DELETE", &owner)] {
        admin.ask(&instance, ask).problem(403, "permission_required");
    }
    instance.ask(&Ask::get("/v1/session")).expect(200);
}

/// Another user's sessions need `keyhouse:users:manage`, even if both users have the same role.
#[test]
fn a_user_can_end_only_their_own_sessions() {
    let instance = TestServer::start();
    let (bo, peer) = (instance.join("bo", "user"), instance.join("peer", "user"));
    let sessions = |person: &Person| format!("/v1/users/{}/sessions", person.id);
    for method in ["GET", "DELETE"] {
        let others = Ask::new(method, &sessions(&peer));
        let refused = bo.ask(&instance, others).problem(403, "permission_required");
        assert_eq!(refused["permission"], "keyhouse:users:manage", "{method}");
        let own = Ask::new(method, &sessions(&instance.owner()));
        instance.ask(&own).problem(409, "own_account");
    }
    peer.ask(&instance, Ask::get("/v1/session")).expect(200);
    instance.ask(&Ask::get("/v1/session")).expect(200);
}

/// In an earlier version, a user whose account was reset or whose sessions were ended received no
/// notice.
#[test]
fn a_user_gets_notices_at_sign_in_until_they_are_acknowledged() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    instance.ask(&Ask::new("DELETE", &format!("/v1/users/{}/sessions", bo.id))).expect(204);
    let body = json!({"email": bo.email, "password": PASSWORD});
    let answer = instance.bare(&Ask::post("/v1/session", &body));
    let reported = answer.expect(201);
    assert_eq!(notices(&reported), [("sessions_ended", "user")]);
    assert_eq!(reported["notices"][0]["by"]["id"], instance.owner().id.as_str());
    assert_eq!(reported["notices"][0]["by"]["name"], "ada");
    let seen = reported["notices"][0]["at"].as_str().unwrap().to_owned();

    let reset = Ask::post(&format!("/v1/users/{}/reset", bo.id), &json!({}));
    let made = instance.ask(&reset).expect(201);
    let apply = json!({"token": token_in(&made), "password": NEW});
    instance.bare(&Ask::post("/v1/reset", &apply)).expect(204);
    let answer =
        instance.bare(&Ask::post("/v1/session", &json!({"email": bo.email, "password": NEW})));
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let bo = Person { cookie, ..bo };
    let all = [("sessions_ended", "user"), ("password_reset", "user")];
    assert_eq!(notices(&answer.expect(201)), all);

    // Notices that were added after the acknowledged notices stay.
    bo.ask(&instance, Ask::new("DELETE", &format!("/v1/me/notices?until={seen}"))).expect(204);
    let left = bo.ask(&instance, Ask::get("/v1/session")).expect(200);
    assert_eq!(notices(&left), all[1..]);
    // The manager who reset the password could have signed in as Bo, so the notice of the reset
    // stays for a week.
    bo.ask(&instance, Ask::new("DELETE", "/v1/me/notices")).expect(204);
    let left = bo.ask(&instance, Ask::get("/v1/session")).expect(200);
    assert_eq!(notices(&left), all[1..]);
}

#[test]
fn the_host_lists_and_ends_sessions_by_address() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let listed = instance.server().run_cli(&["user", "sessions", &bo.email, "--json"], "");
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let sessions: Value = serde_json::from_str(&listed.stdout).unwrap();
    let id = sessions[0]["id"].as_str().unwrap().to_owned();
    let one = ["user", "end-sessions", &bo.email, "--session", &id];
    assert_eq!(instance.server().run_cli(&one, "").code, Some(0));
    assert_eq!(instance.server().run_cli(&one, "").code, Some(3));
    bo.ask(&instance, Ask::get("/v1/session")).problem(401, "session_ended");
    let bo = signed_in(&instance, &bo);
    assert_eq!(instance.server().run_cli(&["user", "end-sessions", &bo.id], "").code, Some(0));
    bo.ask(&instance, Ask::get("/v1/session")).problem(401, "session_ended");
}
