//! Changes of `/v1/organization`, `/v1/organizations`, `/v1/subscription` and `/v1/plans` apply at
//! once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::shape::assert_shape;
use crate::test_server::TestServer;

fn subscription(instance: &TestServer, organization: &str, change: &Value) -> Value {
    let path = format!("/v1/organizations/{organization}/subscription");
    instance.ask(&Ask::patch(&path, change)).expect(200)
}

fn plan(instance: &TestServer, name: &str, change: &Value) -> Value {
    instance.ask(&Ask::patch(&format!("/v1/plans/{name}"), change)).expect(200)
}

#[test]
fn a_subscription_change_applies_to_the_next_check() {
    let instance = TestServer::start();
    let organization = instance.organization();
    let key = instance.create(&json!({"permissions": ["diagrams:read"]}));
    let code = || instance.verify(&key.secret)["code"].clone();
    let path = format!("/v1/organizations/{organization}");
    assert_eq!(code(), "VALID");
    for (change, expected) in [
        (json!({"plan": "free"}), "SUBSCRIPTION_REQUIRED"),
        (json!({"plan": "enterprise"}), "VALID"),
        (json!({"status": "canceled"}), "SUBSCRIPTION_REQUIRED"),
        (json!({"status": "past_due"}), "VALID"),
        (json!({"status": "trialing"}), "VALID"),
        (json!({"current_period_end": "2020-01-01T00:00:00Z"}), "SUBSCRIPTION_REQUIRED"),
        (json!({"current_period_end": "2999-01-01T00:00:00Z"}), "VALID"),
        (json!({"current_period_end": null}), "VALID"),
    ] {
        subscription(&instance, &organization, &change);
        assert_eq!(code(), expected, "{change}");
    }
    for (change, expected) in [
        (json!({"suspended": true}), "ORGANIZATION_SUSPENDED"),
        (json!({"suspended": false}), "VALID"),
    ] {
        instance.ask(&Ask::patch(&path, &change)).expect(200);
        assert_eq!(code(), expected, "{change}");
    }
    let asked = json!({"key": key.secret, "permissions": "diagrams:read"});
    for (ceiling, expected) in
        [(json!(["files:*"]), "INSUFFICIENT_PERMISSIONS"), (json!(null), "VALID")]
    {
        instance.ask(&Ask::patch(&path, &json!({"permissions": ceiling}))).expect(200);
        let reported = instance.ask(&Ask::post("/v1/verify", &asked)).expect(200);
        assert_eq!(reported["code"], expected, "{ceiling}");
    }
}

#[test]
fn a_plan_change_applies_to_all_its_organizations_and_deletes_nothing() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "kept"}));
    let changed = plan(&instance, "pro", &json!({"features": {"api_access": false}}));
    let features = json!({"api_access": false, "teams": true, "multiple_teams": false});
    assert_eq!(changed["features"], features, "what is not named stays");
    assert_eq!(instance.verify(&key.secret)["code"], "SUBSCRIPTION_REQUIRED");
    let refused = instance.ask(&Ask::post("/v1/keys", &json!({})));
    let problem = refused.problem(403, "subscription_required");
    assert_eq!((&problem["plan"], &problem["feature"]), (&json!("pro"), &json!("api_access")));
    let reported = instance.ask(&Ask::get("/v1/subscription")).expect(200);
    assert_eq!((&reported["access"], &reported["plan"]), (&json!(false), &json!("pro")));
    assert_eq!(reported["used"]["keys"], 1);
    assert_eq!(instance.key(&key.id)["name"], "kept");
    plan(&instance, "pro", &json!({"features": {"api_access": true}}));
    assert_eq!(instance.verify(&key.secret)["code"], "VALID");
}

#[test]
fn the_last_place_of_a_plan_is_taken_once_and_freed_by_revoking() {
    let instance = TestServer::start();
    let first = instance.create(&json!({"name": "first"}));
    plan(&instance, "pro", &json!({"limits": {"keys": 4, "keys_per_user": 3}}));
    let made = AtomicUsize::new(0);
    scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                let answer = instance.ask(&Ask::post("/v1/keys", &json!({})));
                if answer.status == 201 {
                    made.fetch_add(1, Ordering::Relaxed);
                } else {
                    let problem = answer.problem(403, "subscription_limit");
                    assert_eq!(problem["plan"], "pro");
                    assert_eq!(problem["limit"], "keys_per_user");
                    assert_eq!(problem["maximum"], 3);
                }
            });
        }
    });
    assert_eq!(made.into_inner(), 2, "one was there, three are given");
    instance.create(&json!({"kind": "service"}));
    let refused = instance.ask(&Ask::post("/v1/keys", &json!({"kind": "service"})));
    assert_eq!(refused.problem(403, "subscription_limit")["limit"], "keys");
    instance.act(&first.id, "disable").expect(200);
    instance.ask(&Ask::post("/v1/keys", &json!({}))).problem(403, "subscription_limit");
    instance.act(&first.id, "revoke").expect(200);
    instance.create(&json!({}));
    plan(&instance, "pro", &json!({"limits": {"keys": null, "keys_per_user": null}}));
    instance.create(&json!({}));
}

#[test]
fn an_organization_limits_the_lifetime_of_its_keys() {
    let instance = TestServer::start();
    let old = instance.create(&json!({"name": "old"}));
    let set = Ask::patch("/v1/organization", &json!({"key_lifetime_days_max": 30}));
    assert_eq!(instance.ask(&set).expect(200)["key_lifetime_days_max"], 30);
    for (fields, code) in [
        (json!({}), "required"),
        (json!({"expires_in": "31d"}), "too_long"),
        (json!({"expires_at": "2999-01-01T00:00:00Z"}), "too_long"),
    ] {
        let problem = instance.ask(&Ask::post("/v1/keys", &fields)).problem(400, "invalid_input");
        let fault = &problem["errors"][0];
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!("/expires_at"), &json!(code)));
    }
    let key = instance.create(&json!({"expires_in": "30d"}));
    let path = format!("/v1/keys/{}", key.id);
    instance.ask(&Ask::patch(&path, &json!({"expires_at": null}))).problem(400, "invalid_input");
    instance.ask(&Ask::patch(&path, &json!({"name": "renamed"}))).expect(200);
    assert_eq!(instance.verify(&old.secret)["code"], "VALID", "what was made before stays");
    for wrong in [json!(0), json!(3_651), json!("30"), json!(1.5)] {
        let ask = Ask::patch("/v1/organization", &json!({"key_lifetime_days_max": wrong}));
        instance.ask(&ask).problem(400, "invalid_input");
    }
    instance
        .ask(&Ask::patch("/v1/organization", &json!({"key_lifetime_days_max": null})))
        .expect(200);
    instance.create(&json!({}));
}

#[test]
fn a_new_organization_has_an_owner_and_is_isolated() {
    let instance = TestServer::start();
    let (id, owner) = instance.neighbour("acme");
    let own = owner.ask(&instance, Ask::get("/v1/organization")).expect(200);
    assert_shape!("organization", &own);
    assert_eq!(own["id"], json!(id));
    let of_operator = instance.ask(&Ask::get(&format!("/v1/organizations/{id}"))).expect(200);
    assert_eq!(of_operator, own);
    assert_shape!("subscription", &owner.ask(&instance, Ask::get("/v1/subscription")).expect(200));
    let me = owner.ask(&instance, Ask::get("/v1/session")).expect(200);
    assert_eq!(me["user"]["role"], "owner");
    assert_eq!(me["user"]["operator"], false);
    for path in ["/v1/organizations", "/v1/plans", "/v1/plans/pro"] {
        owner.ask(&instance, Ask::get(path)).problem(403, "permission_required");
    }
    let change = json!({"plan": "enterprise"});
    for id in [&id, &instance.organization()] {
        let path = format!("/v1/organizations/{id}/subscription");
        owner.ask(&instance, Ask::patch(&path, &change)).problem(403, "permission_required");
        let path = format!("/v1/organizations/{id}");
        owner.ask(&instance, Ask::get(&path)).problem(403, "permission_required");
    }
    // An owner may not change operator settings of the owner's organization either.
    for change in [json!({"suspended": false}), json!({"permissions": ["*"]}), json!({"plan": "x"})]
    {
        owner.ask(&instance, Ask::patch("/v1/organization", &change)).problem(400, "invalid_input");
    }
    let listed = instance.ask(&Ask::get("/v1/organizations?limit=1")).expect(200);
    assert_eq!(listed["items"][0]["id"], json!(id), "the newest first");
    let cursor = listed["next_cursor"].as_str().unwrap();
    let rest = instance.ask(&Ask::get(&format!("/v1/organizations?cursor={cursor}"))).expect(200);
    assert_eq!(rest["items"][0]["id"], instance.organization());
    assert_eq!(rest["next_cursor"], Value::Null);
}

#[test]
fn an_invalid_change_is_rejected_completely() {
    let instance = TestServer::start();
    let organization = instance.organization();
    let path = format!("/v1/organizations/{organization}");
    let before = instance.ask(&Ask::get(&path)).expect(200);
    for ask in [
        Ask::patch(&path, &json!({"permissions": ["Nope"], "name": "x"})),
        Ask::patch(&path, &json!({"suspended": "yes"})),
        Ask::patch(&path, &json!({"plan": "pro"})),
        Ask::patch(&format!("{path}/subscription"), &json!({"plan": "gold"})),
        Ask::patch(&format!("{path}/subscription"), &json!({"status": "unpaid"})),
        Ask::patch(&format!("{path}/subscription"), &json!({"current_period_end": "soon"})),
        Ask::patch("/v1/plans/pro", &json!({"features": {"sso": true}})),
        Ask::patch("/v1/plans/pro", &json!({"limits": {"keys": -1}})),
        Ask::post("/v1/organizations", &json!({"name": "x", "owner_email": "unknown"})),
        Ask::post(
            "/v1/organizations",
            &json!({"name": "x", "owner_email": "a@b.example", "plan": "y"}),
        ),
    ] {
        let target = format!("{} {}", ask.method, ask.target);
        assert_eq!(instance.ask(&ask).problem(400, "invalid_input")["status"], 400, "{target}");
    }
    let stale = Ask::patch(&path, &json!({"name": "y"})).header("If-Match", "\"77\"");
    instance.ask(&stale).problem(412, "version_conflict");
    instance.ask(&Ask::get("/v1/plans/gold")).problem(404, "not_found");
    let unknown = "/v1/organizations/org_01890000-0000-7000-8000-000000000000";
    instance.ask(&Ask::get(unknown)).problem(404, "not_found");
    assert_eq!(instance.ask(&Ask::get(&path)).expect(200), before);
}

#[test]
fn an_operator_can_reach_an_organization_they_suspended() {
    let mut instance = TestServer::start();
    let path = format!("/v1/organizations/{}", instance.organization());
    instance.ask(&Ask::patch(&path, &json!({"suspended": true}))).expect(200);
    instance.sign_in();
    instance.ask(&Ask::patch(&path, &json!({"suspended": false}))).expect(200);
}
