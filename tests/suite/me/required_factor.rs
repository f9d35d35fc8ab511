//! Roles for which an organization requires a second factor, and actions that need a session with a
//! second factor.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{PASSWORD as THEIRS, Person, token_in};
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::users::resets::protect;

fn require(instance: &TestServer, of: &Value) -> Value {
    let change = json!({"second_factor_required_of": of});
    instance.ask(&Ask::patch("/v1/organization", &change)).expect(200)
}

/// Signs in the same person again.
fn again(instance: &TestServer, person: &Person, code: Option<&str>) -> Person {
    let mut body = json!({"email": person.email, "password": THEIRS});
    if let Some(code) = code {
        body["code"] = code.into();
    }
    let answer = instance.bare(&Ask::post("/v1/session", &body));
    answer.expect(201);
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    Person { cookie, ..person.clone() }
}

#[test]
fn a_user_without_a_required_factor_can_only_enrol_one() {
    let instance = TestServer::start();
    let admin = instance.join("admin", "administrator");
    let user = instance.join("user", "user");
    let key = admin.make(&instance, &json!({"permissions": ["keyhouse:users:read"]}));
    let changed = require(&instance, &json!(["administrator", "administrator"]));
    assert_eq!(changed["second_factor_required_of"], json!(["administrator"]));
    for admin in [&admin, &again(&instance, &admin, None)] {
        for ask in [
            Ask::get("/v1/users"),
            Ask::get("/v1/keys"),
            Ask::get("/v1/sessions"),
            Ask::patch("/v1/me", &json!({"name": "x"})),
            Ask::post("/v1/verify", &json!({"key": "kh_live_x"})),
            Ask::get("/metrics"),
            Ask::new("DELETE", "/v1/me/totp")
                .json(&json!({"current_password": THEIRS, "code": "000000"})),
        ] {
            let what = format!("{} {}", ask.method, ask.target);
            let problem = admin.ask(&instance, ask).problem(403, "second_factor_required");
            assert_eq!(problem["code"], "second_factor_required", "{what}");
        }
        let reported = admin.ask(&instance, Ask::get("/v1/session")).expect(200);
        assert_eq!(reported["user"]["second_factor_required"], true);
        admin.ask(&instance, Ask::get("/v1/me")).expect(200);
    }
    // Other users, and keys, are not affected.
    user.ask(&instance, Ask::get("/v1/keys")).expect(200);
    instance.ask(&Ask::get("/v1/keys")).expect(200);
    instance.bare(&Ask::get("/v1/users").bearer(&key.secret)).expect(200);
    // A second factor without confirmation does not count.
    let begin = Ask::post("/v1/me/totp", &json!({"current_password": THEIRS}));
    admin.ask(&instance, begin).expect(201);
    admin.ask(&instance, Ask::get("/v1/users")).problem(403, "second_factor_required");
    let codes = protect(&instance, &admin, THEIRS);
    admin.ask(&instance, Ask::get("/v1/users")).expect(200);
    let reported = admin.ask(&instance, Ask::get("/v1/session")).expect(200);
    assert_eq!(reported["user"]["second_factor_required"], false);
    again(&instance, &admin, Some(&codes[0])).ask(&instance, Ask::get("/v1/users")).expect(200);
    // The requirement applies at once to a user who gets such a role.
    instance.change_user(&user, &json!({"role": "administrator"}));
    let user = again(&instance, &user, None);
    user.ask(&instance, Ask::get("/v1/keys")).problem(403, "second_factor_required");
}

#[test]
fn only_owners_decide_which_roles_require_a_factor() {
    let instance = TestServer::start();
    let admin = instance.join("admin", "administrator");
    let change = json!({"second_factor_required_of": ["owner"]});
    let ask = Ask::patch("/v1/organization", &change);
    let problem = admin.ask(&instance, ask.clone()).problem(403, "permission_required");
    assert_eq!(problem["permission"], "owner");
    let key = json!({"kind": "service", "permissions": ["keyhouse:*"]});
    let key = instance.create(&key);
    instance.bare(&ask.bearer(&key.secret)).problem(403, "permission_required");
    let own_role = instance.role("Auditor", &["keyhouse:audit:read"]);
    let elsewhere = "role_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
    for (of, code) in [(json!(["boss"]), "invalid_role"), (json!([elsewhere]), "unknown_role")] {
        let change = json!({"second_factor_required_of": of});
        let problem = instance.ask(&Ask::patch("/v1/organization", &change));
        let problem = problem.problem(400, "invalid_input");
        let fault = &problem["errors"][0];
        assert_eq!(fault["pointer"], "/second_factor_required_of/0", "{problem}");
        assert_eq!(fault["code"], code, "{problem}");
    }
    let auditor = instance.join("auditor", &own_role);
    require(&instance, &json!([own_role, "operator"]));
    auditor.ask(&instance, Ask::get("/v1/audit")).problem(403, "second_factor_required");
    admin.ask(&instance, Ask::get("/v1/users")).expect(200);
    instance.ask(&Ask::get("/v1/users")).problem(403, "second_factor_required");
}

/// In an earlier version, a stolen session without a second factor could remove the requirement for
/// the whole organization.
#[test]
fn exempting_from_a_factor_needs_a_session_with_one() {
    let instance = TestServer::start();
    require(&instance, &json!(["guest", "user"]));
    let organization = format!("/v1/organizations/{}", instance.organization());
    let less = json!({"second_factor_required_of": ["guest"]});
    for path in ["/v1/organization", &organization] {
        instance.ask(&Ask::patch(path, &less)).problem(403, "second_factor_required");
    }
    let other = json!({"second_factor_required_of": ["administrator"], "name": "Other"});
    let ask = Ask::patch("/v1/organization", &other);
    instance.ask(&ask).problem(403, "second_factor_required");
    require(&instance, &json!(["guest", "user", "administrator"]));
    protect(&instance, &instance.owner(), PASSWORD);
    instance.ask(&Ask::patch(&organization, &less)).expect(200);
    let left = require(&instance, &json!([]));
    assert_eq!(left["second_factor_required_of"], json!([]));
}

/// The requirement does not lock out the last owner: the owner can set up a second factor, and the
/// operator on the host always has access.
#[test]
fn the_last_owner_can_recover_access() {
    let mut instance = TestServer::start();
    require(&instance, &json!(["owner", "operator"]));
    let owner = instance.owner();
    instance.ask(&Ask::get("/v1/keys")).problem(403, "second_factor_required");
    protect(&instance, &owner, PASSWORD);
    instance.ask(&Ask::get("/v1/keys")).expect(200);
    let made = instance.server().run_cli(&["user", "reset", EMAIL, "--totp"], "");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let new = json!({"token": token_in(&json!({"url": made.stdout.trim()})), "password": PASSWORD});
    assert_eq!(instance.bare(&Ask::post("/v1/reset", &new)).status, 204);
    instance.sign_in();
    instance.ask(&Ask::get("/v1/keys")).problem(403, "second_factor_required");
    let organization = instance.organization();
    let args = ["org", "change", &organization, "--require-second-factor", "", "--json"];
    let said = instance.server().run_cli(&args, "");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    instance.ask(&Ask::get("/v1/keys")).expect(200);
    let events = instance.ask(&Ask::get("/v1/audit?action=organization.update")).expect(200);
    let newest = &events["items"][0];
    assert_eq!(newest["before"]["second_factor_required_of"], json!(["owner", "operator"]));
    assert_eq!(newest["after"]["second_factor_required_of"], json!([]), "{newest}");
}

/// In an earlier version, an administrator without a second factor could remove the second factor
/// of another administrator with a reset link, and sign in as that administrator without a code. A
/// key could also remove it.
#[test]
fn only_an_owner_with_a_factor_or_the_host_removes_a_factor() {
    let instance = TestServer::start();
    let one = instance.join("one", "administrator");
    let peer = instance.join("peer", "administrator");
    let codes = protect(&instance, &one, THEIRS);
    let peers = protect(&instance, &peer, THEIRS);
    let peer = again(&instance, &peer, Some(&peers[0]));
    let path = format!("/v1/users/{}/reset", one.id);
    let wholly = Ask::post(&path, &json!({"totp": true}));
    let refused = peer.ask(&instance, wholly.clone()).problem(403, "permission_required");
    assert_eq!(refused["permission"], "owner");
    let key = instance.create(&json!({"permissions": ["*", "keyhouse:*"]}));
    instance.bare(&wholly.clone().bearer(&key.secret)).problem(403, "permission_required");
    instance.ask(&wholly).problem(403, "second_factor_required");
    // A plain reset by another administrator does not remove the second factor.
    let made = peer.ask(&instance, Ask::post(&path, &json!({}))).expect(201);
    let new = "a lighthouse made of salt";
    let apply = |made: &Value, password: &str| {
        let body = json!({"token": token_in(made), "password": password});
        instance.bare(&Ask::post("/v1/reset", &body))
    };
    assert_eq!(apply(&made, new).status, 204);
    let body = json!({"email": one.email, "password": new});
    instance.bare(&Ask::post("/v1/session", &body)).problem(401, "code_required");

    // If an owner sets up a second factor, the current session counts as signed in with it.
    protect(&instance, &instance.owner(), PASSWORD);
    let made = instance.ask(&wholly).expect(201);
    assert_eq!(apply(&made, "another lighthouse of salt").status, 204);
    let events = instance.ask(&Ask::get("/v1/audit?action=user.second_factor.remove")).expect(200);
    let event = &events["items"][0];
    assert_eq!(event["target"], json!(one.id), "{events}");
    assert_eq!(event["actor"]["id"], json!(instance.owner().id), "{events}");
    assert_eq!(events["items"].as_array().unwrap().len(), 1, "{events}");
    let body = json!({"email": one.email, "password": "another lighthouse of salt"});
    let reported = instance.bare(&Ask::post("/v1/session", &body)).expect(201);
    let kinds: Vec<&Value> =
        reported["notices"].as_array().unwrap().iter().map(|notice| &notice["kind"]).collect();
    assert!(kinds.contains(&&json!("totp_removed")), "{reported}");
    let old = json!({"email": one.email, "password": new, "code": codes[0]});
    instance.bare(&Ask::post("/v1/session", &old)).problem(401, "sign_in_failed");
}

/// The link becomes invalid when its creator is no longer an owner.
#[test]
fn a_link_that_removes_a_factor_ends_with_its_makers_ownership() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    protect(&instance, &bo, THEIRS);
    let owner = instance.join("second", "owner");
    protect(&instance, &owner, THEIRS);
    let path = format!("/v1/users/{}/reset", bo.id);
    let made = owner.ask(&instance, Ask::post(&path, &json!({"totp": true}))).expect(201);
    instance.change_user(&owner, &json!({"role": "administrator"}));
    let body = json!({"token": token_in(&made), "password": "a lighthouse made of salt"});
    instance.bare(&Ask::post("/v1/reset", &body)).problem(403, "link_invalid");
}
