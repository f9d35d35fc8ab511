//! `/v1/invitations`: users join through links that work once, and only while the creator of a link
//! still has the rights to create it.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect, losers};
use crate::people::{PASSWORD, acceptance, invitation, token_in};
use crate::shape::assert_shape;
use crate::test_server::{EMAIL, TestServer};

fn path(invited: &Value) -> String {
    format!("/v1/invitations/{}", invited["invitation"]["id"].as_str().unwrap())
}

#[test]
fn an_invitation_creates_one_user_and_is_then_invalid() {
    let instance = TestServer::start();
    let body = json!({"email": "Bo@Example.com", "role": "user", "name": "Bo"});
    let answer = instance.ask(&Ask::post("/v1/invitations", &body));
    let invited = answer.expect(201);
    assert_eq!(answer.header("location"), Some(path(&invited).as_str()));
    let url = invited["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/invitation#token=", instance.server().url())), "{url}");
    assert_shape!("new_invitation", &invited);
    let shown = &invited["invitation"];
    let token = token_in(&invited);
    assert!(!shown.to_string().contains(token.split('.').nth(1).unwrap()), "{shown}");
    let listed = instance.ask(&Ask::get("/v1/invitations")).expect(200);
    assert_eq!(listed["items"], json!([shown]));
    assert_eq!(instance.ask(&Ask::get(&path(&invited))).expect(200), *shown);

    let body = json!({"token": token, "password": PASSWORD});
    let accepted = instance.bare(&Ask::post("/v1/invitations/accept", &body));
    let me = accepted.expect(201);
    // The name is the one that the inviter proposed.
    assert_shape!("accepted_invitation", &me);
    let cookie = accepted.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    instance.bare(&Ask::get("/v1/session").header("Cookie", &cookie)).expect(200);
    let sign_in = json!({"email": "bo@example.com", "password": PASSWORD});
    instance.bare(&Ask::post("/v1/session", &sign_in)).expect(201);

    instance.bare(&acceptance(&token)).problem(403, "link_invalid");
    instance.ask(&Ask::get(&path(&invited))).problem(404, "not_found");
    assert_eq!(instance.ask(&Ask::get("/v1/invitations")).expect(200)["items"], json!([]));
}

#[test]
fn wrong_tokens_are_rejected_and_wrong_input_keeps_the_link_valid() {
    let instance = TestServer::start();
    let first = token_in(&instance.ask(&invitation("lovelace@example.com", "user")).expect(201));
    let other = token_in(&instance.ask(&invitation("cy@example.com", "owner")).expect(201));
    let id = |token: &str| token.split_once('.').unwrap().0.to_owned();
    let secret = |token: &str| token.split_once('.').unwrap().1.to_owned();
    let mixed = format!("{}.{}", id(&other), secret(&first));
    for token in
        ["", "x", ".", &id(&first), &format!("{}.", id(&first)), &mixed, &format!("{first}A")]
    {
        instance.bare(&acceptance(token)).problem(403, "link_invalid");
    }
    for (change, pointer) in [
        (json!({"password": "short"}), "/password"),
        (json!({"password": "lovelacelovelace"}), "/password"),
        (json!({"name": " "}), "/name"),
        (json!({"name": null}), "/name"),
        (json!({"role": "owner"}), "/role"),
    ] {
        let mut body = json!({"token": first, "name": "Bo", "password": PASSWORD});
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = instance.bare(&Ask::post("/v1/invitations/accept", &body));
        let problem = answer.problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    instance.bare(&acceptance(&first)).expect(201);
}

#[test]
fn of_concurrent_acceptances_exactly_one_succeeds() {
    let instance = TestServer::start();
    let token = token_in(&instance.ask(&invitation("bo@example.com", "user")).expect(201));
    for answer in losers(4, 201, |_| instance.bare(&acceptance(&token))) {
        answer.problem(403, "link_invalid");
    }
}

#[test]
fn an_invitation_cannot_exceed_the_rights_of_its_maker() {
    let instance = TestServer::start();
    let (admin, user) = (instance.join("admin", "administrator"), instance.join("user", "user"));
    let pending = instance.ask(&invitation("another@example.com", "guest")).expect(201);
    for (person, role, code) in [
        (&admin, "owner", Some("permission_required")),
        (&admin, "administrator", None),
        (&admin, "user", None),
        (&admin, "guest", None),
        (&user, "guest", Some("permission_required")),
    ] {
        let answer = instance.ask_as(person, &invitation("new@example.com", role));
        match code {
            None => drop(answer.expect(201)),
            Some(code) => drop(answer.problem(403, code)),
        }
    }
    for ask in [Ask::get("/v1/invitations"), Ask::get(&path(&pending))] {
        instance.ask_as(&user, &ask).problem(403, "permission_required");
    }
    let unknown = "role_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
    let answer = instance.ask_as(&admin, &invitation("new@example.com", unknown));
    assert_eq!(answer.problem(400, "invalid_input")["errors"][0]["code"], "unknown_role");
    let team = "team_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
    let body = json!({"email": "new@example.com", "role": "user", "teams": [team]});
    let answer = instance.ask_as(&admin, &Ask::post("/v1/invitations", &body));
    assert_eq!(answer.problem(400, "invalid_input")["errors"][0]["code"], "unknown_team");
}

#[test]
fn a_new_invitation_by_a_higher_ranked_user_replaces_the_pending_one() {
    let instance = TestServer::start();
    let admin = instance.join("admin", "administrator");
    let as_user = instance.ask_as(&admin, &invitation("bo@example.com", "user")).expect(201);
    let as_owner = instance.ask(&invitation("bo@example.com", "owner")).expect(201);
    instance.bare(&acceptance(&token_in(&as_user))).problem(403, "link_invalid");
    instance
        .ask_as(&admin, &invitation("bo@example.com", "user"))
        .problem(403, "permission_required");
    instance
        .ask_as(&admin, &Ask::new("DELETE", &path(&as_owner)))
        .problem(403, "permission_required");
    assert_eq!(instance.ask(&Ask::get("/v1/invitations")).expect(200)["items"][0]["role"], "owner");

    assert_eq!(instance.ask(&Ask::new("DELETE", &path(&as_owner))).status, 204);
    instance.bare(&acceptance(&token_in(&as_owner))).problem(403, "link_invalid");
    instance.ask(&Ask::new("DELETE", &path(&as_owner))).problem(404, "not_found");
    instance.ask_as(&admin, &invitation("bo@example.com", "user")).expect(201);
}

#[test]
fn inviting_the_address_of_a_user_is_rejected() {
    let instance = TestServer::start();
    instance.ask(&invitation(EMAIL, "user")).problem(409, "email_taken");
    let bo = instance.join("bo", "user");
    instance.ask(&invitation(&bo.email.to_uppercase(), "guest")).problem(409, "email_taken");
}

#[test]
fn users_and_pending_invitations_count_together_for_the_plan() {
    let instance = TestServer::start();
    let admin = instance.join("admin", "administrator");
    let limit = |users: Option<u32>| {
        let change = json!({"limits": {"users": users}});
        instance.ask(&Ask::patch("/v1/plans/pro", &change)).expect(200);
    };
    limit(Some(4));
    let bo = instance.ask(&invitation("bo@example.com", "user")).expect(201);
    let cy = instance.ask_as(&admin, &invitation("cy@example.com", "user")).expect(201);
    let refused = instance.ask(&invitation("di@example.com", "user"));
    let problem = refused.problem(403, "subscription_limit");
    assert_eq!((&problem["limit"], &problem["maximum"]), (&json!("users"), &json!(4)), "{problem}");
    assert_eq!(problem["plan"], "pro", "{problem}");
    // A second invitation for the same address does not count against the limit.
    instance.ask(&invitation("bo@example.com", "guest")).expect(201);
    let bo_again = instance.ask(&invitation("bo@example.com", "user")).expect(201);
    instance.bare(&acceptance(&token_in(&bo))).problem(403, "link_invalid");

    // After a downgrade no user can join, and no user is removed.
    limit(Some(2));
    instance.bare(&acceptance(&token_in(&cy))).problem(403, "subscription_limit");
    limit(Some(3));
    instance.bare(&acceptance(&token_in(&bo_again))).expect(201);
    instance.bare(&acceptance(&token_in(&cy))).problem(403, "subscription_limit");
    limit(None);
    instance.bare(&acceptance(&token_in(&cy))).expect(201);

    // An invitation that can no longer be accepted does not count against the limit.
    instance.ask_as(&admin, &invitation("eve@example.com", "user")).expect(201);
    instance
        .ask(&Ask::patch(&format!("/v1/users/{}", admin.id), &json!({"role": "guest"})))
        .expect(200);
    limit(Some(5));
    instance.ask(&invitation("di@example.com", "user")).expect(201);
}

/// The role of a plain user is `*`, which exceeds a low maximum. Therefore no user, not even an
/// owner, could have invited a plain user.
#[test]
fn under_a_low_ceiling_users_can_be_invited_and_changed() {
    let instance = TestServer::start();
    let organization =
        instance.ask(&Ask::get("/v1/session")).expect(200)["organization"]["id"].clone();
    let path = format!("/v1/organizations/{}", organization.as_str().unwrap());
    instance.ask(&Ask::patch(&path, &json!({"permissions": ["diagrams:*"]}))).expect(200);
    let admin = instance.join("admin", "administrator");
    let bo = instance.join_by(&admin, "bo", "user");
    let change = Ask::patch(&format!("/v1/users/{}", bo.id), &json!({"role": "guest"}));
    instance.ask_as(&admin, &change).expect(200);
    instance
        .ask_as(&admin, &invitation("cy@example.com", "owner"))
        .problem(403, "permission_required");
}
