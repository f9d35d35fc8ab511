//! `/v1/links`: the holder of a one-time link sees what it is for, before they choose a password.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{PASSWORD as THEIRS, acceptance, invitation, token_in};
use crate::server::wire::Answer;
use crate::shape::assert_shape;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

fn show(instance: &TestServer, token: &str) -> Answer {
    instance.bare(&Ask::post("/v1/links", &json!({"token": token})))
}

fn reset(instance: &TestServer, user: &str) -> String {
    let ask = Ask::post(&format!("/v1/users/{user}/reset"), &json!({}));
    token_in(&instance.ask(&ask).expect(201))
}

/// In an earlier version, forms behind links contained no account name for password managers, and
/// did not say which organization the link was for.
#[test]
fn a_link_names_its_account_organization_and_creator() {
    let instance = TestServer::start();
    let body = json!({"email": "lin@example.com", "role": "user", "name": "Lin"});
    let invited = instance.ask(&Ask::post("/v1/invitations", &body)).expect(201);
    let invited = token_in(&invited);
    let shown = show(&instance, &invited).expect(200);
    assert_shape!("link", &shown);
    for (field, value) in [
        ("kind", json!("invitation")),
        ("email", json!("lin@example.com")),
        ("name", json!("Lin")),
        ("organization", json!("example.com")),
        ("created_by", json!("ada")),
    ] {
        assert_eq!(shown[field], value, "{field}: {shown}");
    }
    let bo = instance.join("bo", "user");
    let reset = reset(&instance, &bo.id);
    let shown = show(&instance, &reset).expect(200);
    assert_eq!((&shown["kind"], &shown["email"]), (&json!("reset"), &json!(bo.email)));
    assert_eq!(shown["created_by"], "ada");

    // Showing a link does not use it up.
    show(&instance, &invited).expect(200);
    instance.bare(&acceptance(&invited)).expect(201);
    let body = json!({"token": reset, "password": THEIRS});
    assert_eq!(instance.bare(&Ask::post("/v1/reset", &body)).status, 204);
}

#[test]
fn the_operator_on_the_host_is_no_creator_with_a_name() {
    let instance = TestServer::start();
    let said = instance.server().run_cli(&["user", "reset", EMAIL], "");
    let token = token_in(&json!({"url": said.stdout.trim()}));
    assert_eq!(show(&instance, &token).expect(200)["created_by"], Value::Null);
}

#[test]
fn a_setup_link_has_no_account_yet() {
    let instance = TestServer::start_empty();
    let token = token_in(&json!({"url": instance.setup_link()}));
    let shown = show(&instance, &token).expect(200);
    assert_eq!((&shown["kind"], &shown["email"]), (&json!("setup"), &Value::Null));
    assert_eq!(shown["organization"], Value::Null);
    show(&instance, "anything").problem(403, "link_invalid");
    let body = json!({"token": token, "email": EMAIL, "password": PASSWORD});
    instance.bare(&Ask::post("/v1/setup", &body)).expect(201);
    show(&instance, &token).problem(403, "link_invalid");
}

/// A guess reveals nothing: unknown, truncated, used, replaced and withdrawn links get one
/// answer.
#[test]
fn links_that_do_not_work_get_one_answer() {
    let instance = TestServer::start();
    let used = token_in(&instance.ask(&invitation("used@example.com", "user")).expect(201));
    instance.bare(&acceptance(&used)).expect(201);
    let invite = || token_in(&instance.ask(&invitation("bo@example.com", "user")).expect(201));
    let (replaced, valid) = (invite(), invite());
    let gone = instance.ask(&invitation("gone@example.com", "user")).expect(201);
    let path = format!("/v1/invitations/{}", gone["invitation"]["id"].as_str().unwrap());
    assert_eq!(instance.ask(&Ask::new("DELETE", &path)).status, 204);
    let (id, secret) = valid.split_once('.').unwrap();
    let owner = instance.owner().id;
    let mut problems = Vec::new();
    for token in [
        "",
        ".",
        "anything",
        id,
        &format!("{id}."),
        &format!("{id}.{secret}A"),
        &format!("{owner}.{secret}"),
        "inv_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f.AAAA",
        &used,
        &replaced,
        &token_in(&gone),
    ] {
        let mut problem = show(&instance, token).problem(403, "link_invalid");
        problem.as_object_mut().unwrap().remove("request_id");
        problems.push(problem);
    }
    problems.dedup();
    assert_eq!(problems.len(), 1, "{problems:?}");
    show(&instance, &valid).expect(200);
}

/// A link is void when its creator lost the right to create it.
#[test]
fn a_void_link_shows_nothing() {
    let instance = TestServer::start();
    let admin = instance.join("admin", "administrator");
    let token =
        token_in(&instance.ask_as(&admin, &invitation("bo@example.com", "user")).expect(201));
    show(&instance, &token).expect(200);
    let path = format!("/v1/users/{}", admin.id);
    instance.ask(&Ask::patch(&path, &json!({"role": "guest"}))).expect(200);
    show(&instance, &token).problem(403, "link_invalid");
}

#[test]
fn another_site_sees_no_link() {
    let instance = TestServer::start();
    let token = token_in(&instance.ask(&invitation("bo@example.com", "user")).expect(201));
    let ask = Ask::post("/v1/links", &json!({"token": token}));
    instance.bare(&ask.header("Origin", "http://evil.example")).problem(403, "cross_site");
}
