//! Changes by the clock alone: the end of a subscription's period, and expired keys that free their
//! place in a plan.

use std::time::Duration;

use serde_json::{Value, json};

use crate::calls::instance_at;
use crate::test_instance::TestInstance;

const PLAN: &str = "/v1/plans/pro";

fn done(instance: &TestInstance, method: &str, path: &str, body: &Value) -> Value {
    let (status, reported) = instance.manage(method, path, body);
    assert_eq!(status, 200, "{method} {path}: {reported}");
    reported
}

fn created(instance: &TestInstance, path: &str, body: &Value) -> Value {
    let (status, reported) = instance.manage("POST", path, body);
    assert_eq!(status, 201, "{path}: {reported}");
    reported
}

/// Asserts the status and the code of a problem, and returns the problem.
fn refused(answer: (u16, Value), status: u16, code: &str) -> Value {
    let (refused, problem) = answer;
    assert_eq!((refused, &problem["code"]), (status, &json!(code)), "{problem}");
    problem
}

#[test]
fn an_ended_period_removes_access_and_deletes_nothing() {
    let (instance, clock) = instance_at("2026-11-30T23:59:00Z");
    let (id, secret) = instance.create(&json!({}));
    let own = done(&instance, "GET", "/v1/organization", &Value::Null);
    let path = format!("/v1/organizations/{}/subscription", own["id"].as_str().unwrap());
    let set = json!({"current_period_end": "2026-12-01T00:00:00Z"});
    assert_eq!(done(&instance, "PATCH", &path, &set)["access"], true);
    clock.advance(Duration::from_millis(59_999));
    assert_eq!(instance.call(&secret).status, 200, "a millisecond before");
    clock.advance(Duration::from_millis(1));
    let said = instance.call(&secret);
    assert_eq!((said.status, said.code.as_str()), (403, "SUBSCRIPTION_REQUIRED"));
    let problem =
        refused(instance.manage("POST", "/v1/keys", &json!({})), 403, "subscription_required");
    assert_eq!((&problem["plan"], &problem["feature"]), (&json!("pro"), &json!("api_access")));
    let reported = done(&instance, "GET", "/v1/subscription", &Value::Null);
    assert_eq!((&reported["access"], &reported["status"]), (&json!(false), &json!("active")));
    // Existing objects can still be listed and revoked, and work again after payment.
    done(&instance, "PATCH", &format!("/v1/keys/{id}"), &json!({"name": "kept"}));
    done(&instance, "PATCH", &path, &json!({"current_period_end": "2027-01-01T00:00:00Z"}));
    assert_eq!(instance.call(&secret).status, 200);
}

#[test]
fn an_expired_key_frees_its_place_and_needs_one_to_be_extended() {
    let (instance, clock) = instance_at("2026-11-21T10:00:00Z");
    done(&instance, "PATCH", PLAN, &json!({"limits": {"keys": 2}}));
    let (short, secret) = instance.create(&json!({"expires_in": "1h"}));
    instance.create(&json!({}));
    let limit = |method: &str, path: &str, body: Value| {
        let problem = refused(instance.manage(method, path, &body), 403, "subscription_limit");
        let said = (&problem["plan"], &problem["limit"], &problem["maximum"]);
        assert_eq!(said, (&json!("pro"), &json!("keys"), &json!(2)), "{problem}");
    };
    limit("POST", "/v1/keys", json!({}));
    clock.advance(Duration::from_hours(1));
    let used = || done(&instance, "GET", "/v1/subscription", &Value::Null)["used"]["keys"].clone();
    assert_eq!(used(), 1);
    let (third, _) = instance.create(&json!({}));
    // Otherwise an organization could exceed the maximum by extending expired keys.
    let path = format!("/v1/keys/{short}");
    limit("PATCH", &path, json!({"expires_at": null}));
    limit("PATCH", &path, json!({"expires_at": "2027-01-01T00:00:00Z"}));
    done(&instance, "PATCH", &path, &json!({"name": "still a name"}));
    assert_eq!(instance.call(&secret).code, "EXPIRED");
    done(&instance, "POST", &format!("/v1/keys/{third}/revoke"), &json!({}));
    done(&instance, "PATCH", &path, &json!({"expires_at": "2027-01-01T00:00:00Z"}));
    assert_eq!((instance.call(&secret).status, used()), (200, json!(2)));
    limit("POST", "/v1/keys", json!({}));
    // An active key may be extended.
    done(&instance, "PATCH", &path, &json!({"expires_at": "2028-01-01T00:00:00Z"}));
}

/// The operator on the host reaches keys of every organization. The maximum lifetime of the first
/// organization used to apply to all of them.
#[test]
fn the_maximum_lifetime_of_a_key_is_that_of_its_organization() {
    let (instance, _) = instance_at("2026-11-21T10:00:00Z");
    let body = json!({"name": "acme", "plan": "pro", "owner_email": "owner@acme.example"});
    let made = created(&instance, "/v1/organizations", &body);
    let id = made["organization"]["id"].as_str().unwrap();
    let bound = |organization: &str, days: Value| {
        let path = format!("/v1/organization{organization}");
        done(&instance, "PATCH", &path, &json!({"key_lifetime_days_max": days}));
    };
    let acme = format!("?organization={id}");
    let made = created(&instance, &format!("/v1/keys{acme}"), &json!({"expires_in": "10d"}));
    let path = format!("/v1/keys/{}", made["key"]["id"].as_str().unwrap());
    let longer = json!({"expires_at": "2026-12-31T00:00:00Z"});
    bound(&acme, json!(30));
    let problem = refused(instance.manage("PATCH", &path, &longer), 400, "invalid_input");
    assert_eq!(problem["errors"][0]["code"], "too_long");
    bound(&acme, Value::Null);
    bound("", json!(30));
    done(&instance, "PATCH", &path, &longer);
}
