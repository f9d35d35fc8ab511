//! The two policies that Keyhouse was originally required to support, step by step as the
//! requirements state them.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::test_server::TestServer;

/// Owners and administrators decide; users see that keys exist.
#[test]
fn an_owner_on_pro_shares_a_key_and_plain_users_see_that_it_exists() {
    let instance = TestServer::start();
    let organization = instance.organization();
    let closed = json!({"members_create_keys": false});
    instance.ask(&Ask::patch("/v1/organization", &closed)).expect(200);
    let (mate, outsider) = (instance.join("mate", "user"), instance.join("outsider", "user"));

    // The organization has the plan Pro: the owner creates a key, names it and gives it the fewest
    // permissions it needs.
    let reported = instance.ask(&Ask::get("/v1/subscription")).expect(200);
    assert_eq!((&reported["plan"], &reported["access"]), (&json!("pro"), &json!(true)));
    let team = instance.team("diagram makers", "visible", &[&mate]);
    let key = instance.create(&json!({
        "name": "diagram exporter",
        "kind": "service",
        "permissions": ["diagrams:read"],
        "teams": [{"id": team, "access": "read"}],
    }));
    assert_eq!(key.key["name"], "diagram exporter");

    // The key has only its granted permissions.
    let may = |permission: &str| {
        let body = json!({"key": key.secret, "permissions": permission});
        instance.ask(&Ask::post("/v1/verify", &body)).expect(200)["code"].clone()
    };
    assert_eq!(may("diagrams:read"), "VALID");
    assert_eq!(may("diagrams:write"), "INSUFFICIENT_PERMISSIONS");

    // The team sees the key, and the secret is never shown again.
    let seen = mate.ask(&instance, Ask::get(&format!("/v1/keys/{}", key.id))).expect(200);
    assert_eq!(seen["name"], "diagram exporter");
    assert_eq!(seen["teams"][0]["access"], "read");
    assert!(!seen.to_string().contains(&key.secret));

    // A plain user sees that keys exist, but no details, and cannot create keys.
    let listed = outsider.ask(&instance, Ask::get("/v1/keys")).expect(200);
    let exists = json!({"id": key.id, "kind": "service", "status": "active",
        "owner_kind": "organization"});
    assert_eq!(listed["items"], json!([exists]));
    for person in [&mate, &outsider] {
        let refused = person.ask(&instance, Ask::post("/v1/keys", &json!({"name": "mine"})));
        let problem = refused.problem(403, "permission_required");
        assert_eq!(problem["permission"], "keyhouse:keys:create");
    }

    // On the plan Free, the same request is refused with a reason, and existing objects stay
    // unchanged.
    instance.put_on_plan(&organization, "free");
    let again = Ask::post("/v1/keys", &json!({"name": "another", "kind": "service"}));
    let problem = instance.ask(&again).problem(403, "subscription_required");
    assert_eq!((&problem["plan"], &problem["feature"]), (&json!("free"), &json!("api_access")));
    assert_eq!(may("diagrams:read"), "SUBSCRIPTION_REQUIRED");
    instance.put_on_plan(&organization, "pro");
    assert_eq!(may("diagrams:read"), "VALID");
}

/// Every user can create any number of personal keys.
#[test]
fn a_user_creates_a_key_per_application_and_revokes_one_at_once() {
    let instance = TestServer::start();
    let user = instance.join("maker", "user");

    // The user creates a key for each application, without limit.
    let applications = ["editor", "exporter", "robot"];
    let keys = applications.map(|name| user.make(&instance, &json!({"name": name})));
    for number in 0..40 {
        user.make(&instance, &json!({"name": format!("application {number}")}));
    }
    let forward = |secret: &str| instance.bare(&Ask::forward_auth(secret));
    assert_eq!(forward(&keys[0].secret).status, 200);

    // The user sees name, last use and last address.
    let shown = |id: &str| user.ask(&instance, Ask::get(&format!("/v1/keys/{id}"))).expect(200);
    let used = shown(&keys[0].id);
    assert_eq!(used["name"], "editor");
    assert_eq!(used["last_used"]["ip"], "192.0.2.7");
    assert!(used["last_used"]["at"].is_string(), "{used}");
    assert_eq!(shown(&keys[1].id)["last_used"], Value::Null);

    // The user renames a key.
    let path = format!("/v1/keys/{}", keys[1].id);
    let renamed = user.ask(&instance, Ask::patch(&path, &json!({"name": "old exporter"})));
    assert_eq!(renamed.expect(200)["name"], "old exporter");

    // The user revokes a key, and the next check rejects the key with the reason.
    user.ask(&instance, Ask::post(&format!("/v1/keys/{}/revoke", keys[0].id), &json!({})))
        .expect(200);
    forward(&keys[0].secret).problem(401, "REVOKED");
    assert_eq!(forward(&keys[1].secret).status, 200);
}
