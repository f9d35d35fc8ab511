//! `/v1/sign-in-lockouts` lists and lifts lockouts after failed sign-ins.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::shape::assert_shape;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// Sends failing sign-ins from this address until they are throttled.
fn fail(instance: &TestServer, email: &str, address: &str) {
    let body = json!({"email": email, "password": "not the password at all"});
    let ask = Ask::post("/v1/session", &body).header("X-Forwarded-For", address);
    while instance.bare(&ask).status != 429 {}
}

fn ids(listed: &Value) -> Vec<&str> {
    listed["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect()
}

/// In an earlier version, an operator could not see locked-out users, and could unlock them only by
/// a reset.
#[test]
fn an_operator_can_list_and_lift_lockouts_of_accounts_and_networks() {
    let instance = TestServer::start();
    let owner = instance.owner().id;
    fail(&instance, EMAIL, "203.0.113.9");
    let fail_from_network = |number: u32| {
        let body = json!({"email": format!("user{number}@example.com"), "password": "wrong"});
        let ask = Ask::post("/v1/session", &body).header("X-Forwarded-For", "2001:db8:1:2::7");
        instance.bare(&ask);
    };
    (0..70).for_each(fail_from_network);
    let listed = instance.ask(&Ask::get("/v1/sign-in-lockouts")).expect(200);
    let mut found = ids(&listed);
    found.sort_unstable();
    assert_eq!(found, ["2001-db8-1-2--_64", &owner], "{listed}");
    let account = listed["items"].as_array().unwrap().iter().find(|it| it["kind"] == "account");
    let mut account = account.unwrap().clone();
    // Five failures do not cause a wait; a slow machine may take longer than the first waits.
    assert!(account["failures"].as_u64().unwrap() >= 5, "{account}");
    account["failures"] = 5.into();
    // The wait may have ended since.
    account["until"] = Value::Null;
    assert_shape!("lockout", &account);

    // On a slow machine, the network may be allowed one more attempt by now.
    fail_from_network(70);
    for id in ["2001-db8-1-2--_64", &owner] {
        let lift = Ask::new("DELETE", &format!("/v1/sign-in-lockouts/{id}"));
        instance.ask(&lift).expect(204);
        instance.ask(&lift).problem(404, "not_found");
    }
    let sign_in = Ask::post("/v1/session", &json!({"email": EMAIL, "password": PASSWORD}));
    instance.bare(&sign_in.header("X-Forwarded-For", "203.0.113.9")).expect(201);
    let events = instance.ask(&Ask::get("/v1/audit?action=lockout.lift")).expect(200);
    let targets: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|it| it["target"].clone()).collect();
    assert_eq!(targets, [json!(owner), json!("2001:db8:1:2::/64")]);
}

#[test]
fn an_owner_sees_only_accounts_of_their_organization() {
    let instance = TestServer::start();
    let (_, neighbour) = instance.neighbour("other");
    fail(&instance, EMAIL, "203.0.113.9");
    fail(&instance, &neighbour.email, "203.0.113.10");
    let listed = neighbour.ask(&instance, Ask::get("/v1/sign-in-lockouts")).expect(200);
    assert_eq!(ids(&listed), [&neighbour.id]);
    let others = Ask::new("DELETE", &format!("/v1/sign-in-lockouts/{}", instance.owner().id));
    neighbour.ask(&instance, others).problem(404, "not_found");
    let own = Ask::new("DELETE", &format!("/v1/sign-in-lockouts/{}", neighbour.id));
    neighbour.ask(&instance, own).expect(204);
    let admin = instance.join("admin", "administrator");
    let owners = format!("/v1/sign-in-lockouts/{}", instance.owner().id);
    for ask in [Ask::get("/v1/sign-in-lockouts"), Ask::new("DELETE", &owners)] {
        let refused = admin.ask(&instance, ask).problem(403, "permission_required");
        assert_eq!(refused["permission"], "owner");
    }
}

#[test]
fn the_host_lists_and_lifts_lockouts_by_address() {
    let instance = TestServer::start();
    fail(&instance, EMAIL, "203.0.113.9");
    let listed = instance.server().run_cli(&["lockout", "list"], "");
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert!(listed.stdout.contains(EMAIL), "{}", listed.stdout);
    let lifted = instance.server().run_cli(&["lockout", "lift", EMAIL], "");
    assert_eq!(lifted.code, Some(0), "{}", lifted.stderr);
    let again = instance.server().run_cli(&["lockout", "lift", EMAIL], "");
    assert_eq!(again.code, Some(3), "{}", again.stderr);
}
