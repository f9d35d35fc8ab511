//! `/v1/sign-in-lockouts` lists and lifts lockouts after failed sign-ins.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::house::{EMAIL, House, PASSWORD};

/// Fails to sign in from this address until throttled.
fn fail(house: &House, email: &str, address: &str) {
    let body = json!({"email": email, "password": "not the password at all"});
    let ask = Ask::post("/v1/session", &body).header("X-Forwarded-For", address);
    while house.bare(&ask).status != 429 {}
}

fn ids(listed: &Value) -> Vec<&str> {
    listed["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect()
}

/// An operator could neither see locked-out users nor unlock them, except by a reset.
#[test]
fn an_operator_can_list_and_lift_lockouts_of_accounts_and_networks() {
    let house = House::start();
    let owner = house.owner().id;
    fail(&house, EMAIL, "203.0.113.9");
    for number in 0..70 {
        let body = json!({"email": format!("user{number}@example.com"), "password": "wrong"});
        let ask = Ask::post("/v1/session", &body).header("X-Forwarded-For", "2001:db8:1:2::7");
        house.bare(&ask);
    }
    let listed = house.ask(&Ask::get("/v1/sign-in-lockouts")).expect(200);
    let mut found = ids(&listed);
    found.sort_unstable();
    assert_eq!(found, ["2001-db8-1-2--_64", &owner], "{listed}");
    let account = listed["items"].as_array().unwrap().iter().find(|it| it["kind"] == "account");
    let account = account.unwrap();
    assert_eq!(account["user"]["email"], EMAIL);
    assert!(account["failures"].as_u64().unwrap() >= 5, "{account}");

    for id in ["2001-db8-1-2--_64", &owner] {
        let lift = Ask::new("DELETE", &format!("/v1/sign-in-lockouts/{id}"));
        house.ask(&lift).expect(204);
        house.ask(&lift).problem(404, "not_found");
    }
    let sign_in = Ask::post("/v1/session", &json!({"email": EMAIL, "password": PASSWORD}));
    house.bare(&sign_in.header("X-Forwarded-For", "203.0.113.9")).expect(201);
    let events = house.ask(&Ask::get("/v1/audit?action=lockout.lift")).expect(200);
    let targets: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|it| it["target"].clone()).collect();
    assert_eq!(targets, [json!(owner), json!("2001:db8:1:2::/64")]);
}

#[test]
fn an_owner_sees_only_accounts_of_their_organization() {
    let house = House::start();
    let (_, neighbour) = house.neighbour("other");
    fail(&house, EMAIL, "203.0.113.9");
    fail(&house, &neighbour.email, "203.0.113.10");
    let listed = neighbour.ask(&house, Ask::get("/v1/sign-in-lockouts")).expect(200);
    assert_eq!(ids(&listed), [&neighbour.id]);
    let others = Ask::new("DELETE", &format!("/v1/sign-in-lockouts/{}", house.owner().id));
    neighbour.ask(&house, others).problem(404, "not_found");
    let own = Ask::new("DELETE", &format!("/v1/sign-in-lockouts/{}", neighbour.id));
    neighbour.ask(&house, own).expect(204);
    let admin = house.join("admin", "administrator");
    let owners = format!("/v1/sign-in-lockouts/{}", house.owner().id);
    for ask in [Ask::get("/v1/sign-in-lockouts"), Ask::new("DELETE", &owners)] {
        let refused = admin.ask(&house, ask).problem(403, "permission_required");
        assert_eq!(refused["permission"], "owner");
    }
}

#[test]
fn the_host_lists_and_lifts_lockouts_by_address() {
    let house = House::start();
    fail(&house, EMAIL, "203.0.113.9");
    let listed = house.server().run_cli(&["lockout", "list"], "");
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert!(listed.stdout.contains(EMAIL), "{}", listed.stdout);
    let lifted = house.server().run_cli(&["lockout", "lift", EMAIL], "");
    assert_eq!(lifted.code, Some(0), "{}", lifted.stderr);
    let again = house.server().run_cli(&["lockout", "lift", EMAIL], "");
    assert_eq!(again.code, Some(3), "{}", again.stderr);
}
