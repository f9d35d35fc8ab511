//! `/v1/keys/import`: the permissions of importers, and the organizations of imported keys.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::keys::import::{PATH, faults, foreign, import, imported};
use crate::test_server::{EMAIL, TestServer};

#[test]
fn an_imported_key_cannot_exceed_its_importer() {
    let instance = TestServer::start();
    let key = |permissions: Value| {
        instance.create(&json!({"name": "k", "kind": "service", "permissions": permissions})).secret
    };
    let importer = key(json!(["diagrams:read", "keyhouse:keys:read", "keyhouse:instance:import"]));
    let manager = key(json!(["*", "keyhouse:keys:manage"]));
    let everything = key(json!(["*", "keyhouse:*", "keyhouse:instance:import"]));
    let mut number = 0;
    let mut by = |secret: &str, mut line: Value| {
        number += 1;
        line["key"] = foreign(number).into();
        let answer = instance.bare(&Ask::post(PATH, &json!({"keys": [line]})).bearer(secret));
        let refused = answer.status == 403;
        if refused {
            answer.problem(403, "permission_required");
        }
        let check = instance.bare(&Ask::forward_auth(&foreign(number)));
        assert_eq!(check.status == 200, answer.status == 201, "{}", answer.body);
        answer.status
    };
    let of = |name: &str| json!({"permissions": [name]});
    assert_eq!(by(&manager, of("diagrams:read")), 403, "who manages keys imports none by that");
    assert_eq!(by(&importer, of("diagrams:read")), 201);
    assert_eq!(by(&importer, json!({})), 201, "a service key of nothing");
    for stronger in ["diagrams:*", "*", "files:read", "keyhouse:keys:manage", "keyhouse:*"] {
        assert_eq!(by(&importer, of(stronger)), 403, "{stronger}");
    }
    assert_eq!(by(&importer, of("keyhouse:instance:manage")), 403);
    assert_eq!(by(&everything, of("keyhouse:instance:manage")), 403);
    assert_eq!(by(&everything, of("keyhouse:users:manage")), 201);
    // A personal key without a list has all permissions of its owner.
    assert_eq!(by(&importer, json!({"owner": EMAIL})), 403);
    let mut owners = of("keyhouse:keys:read");
    owners["owner"] = EMAIL.into();
    assert_eq!(by(&importer, owners.clone()), 403, "it would open what its owner has");
    assert_eq!(by(&everything, owners), 201);
}

#[test]
fn an_administrator_without_the_import_permission_cannot_import() {
    let instance = TestServer::start();
    let administrator = instance.join("admin", "administrator");
    let body = json!({"keys": [{"key": foreign(1)}]});
    instance.bare(&Ask::post(PATH, &body)).problem(401, "NO_CREDENTIAL");
    let theirs = Ask::post(PATH, &body).header("Cookie", &administrator.cookie);
    let problem = instance.bare(&theirs).problem(403, "permission_required");
    assert_eq!(problem["permission"], "keyhouse:instance:import");
    assert!(instance.all_keys().is_empty());
}

#[test]
fn an_operator_can_import_elsewhere_but_gains_no_access_there() {
    let instance = TestServer::start();
    let body = json!({"name": "Far", "plan": "pro", "owner_email": "grace@far.example"});
    let far = instance.ask(&Ask::post("/v1/organizations", &body)).expect(201);
    let far = far["organization"]["id"].as_str().unwrap();
    let line = |number: u64, permission: &str| json!({"key": foreign(number), "organization": far, "permissions": [permission]});
    imported(&instance, &json!([line(1, "diagrams:read")]));
    let me = instance.bare(&Ask::get("/v1/whoami").bearer(&foreign(1))).expect(200);
    assert_eq!(me["organization"]["id"], far);
    assert!(instance.all_keys().is_empty(), "it is none of the operator's own organization");
    let management = json!({"keys": [line(2, "keyhouse:users:manage")]});
    import(&instance, &management).problem(403, "permission_required");
    // The owner of an imported key must be a user of the key's organization.
    let mut owned = line(3, "diagrams:read");
    owned["owner"] = EMAIL.into();
    let expected = vec![("/keys/0/owner".to_owned(), "not_found".to_owned())];
    assert_eq!(faults(&import(&instance, &json!({"keys": [owned]}))), expected);
    // The operator on the host sets the organization for all keys without one.
    let path = instance.home().folder().join("keys.jsonl");
    std::fs::write(&path, json!({"key": foreign(4), "permissions": ["*"]}).to_string()).unwrap();
    let args = ["import", path.to_str().unwrap(), "--organization", far];
    assert_eq!(instance.home().run_cli(&args, "").code, Some(0));
    let me = instance.bare(&Ask::get("/v1/whoami").bearer(&foreign(4))).expect(200);
    assert_eq!(me["organization"]["id"], far);
}

#[test]
fn the_limits_of_a_plan_apply_to_imports() {
    let instance = TestServer::start();
    let organization =
        instance.ask(&Ask::get("/v1/session")).expect(200)["organization"]["id"].clone();
    let limit = |limits: Value| {
        instance.ask(&Ask::patch("/v1/plans/pro", &json!({"limits": limits}))).expect(200);
    };
    let lines = |range: std::ops::Range<u64>, owner: Value| -> Value {
        let line = |number| json!({"key": foreign(number), "owner": owner});
        json!({"keys": range.map(line).collect::<Vec<_>>()})
    };
    limit(json!({"keys": 3, "keys_per_user": 2}));
    let problem = import(&instance, &lines(0..4, Value::Null)).problem(403, "subscription_limit");
    assert_eq!((&problem["limit"], &problem["plan"]), (&json!("keys"), &json!("pro")));
    let problem = import(&instance, &lines(0..3, json!(EMAIL))).problem(403, "subscription_limit");
    assert_eq!(problem["limit"], "keys_per_user");
    assert!(instance.all_keys().is_empty());
    import(&instance, &lines(0..2, json!(EMAIL))).expect(201);
    import(&instance, &lines(2..4, Value::Null)).problem(403, "subscription_limit");
    import(&instance, &lines(2..3, Value::Null)).expect(201);
    let path = format!("/v1/organizations/{}/subscription", organization.as_str().unwrap());
    instance.ask(&Ask::patch(&path, &json!({"plan": "free"}))).expect(200);
    import(&instance, &lines(9..10, Value::Null)).problem(403, "subscription_required");
}

#[test]
fn the_maximum_lifetime_of_a_key_applies_to_imports() {
    let instance = TestServer::start();
    let change = json!({"key_lifetime_days_max": 30});
    instance.ask(&Ask::patch("/v1/organization", &change)).expect(200);
    let keys = json!([
        {"key": foreign(1)},
        {"key": foreign(2), "expires_at": "2999-01-01T00:00:00Z"},
    ]);
    let reported = faults(&import(&instance, &json!({"keys": keys})));
    let expected = [("/keys/0/expires_at", "required"), ("/keys/1/expires_at", "too_long")];
    assert_eq!(reported, expected.map(|(at, code)| (at.to_owned(), code.to_owned())));
}
