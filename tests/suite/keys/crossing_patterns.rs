//! Lists of patterns that cross each other: their product would have thousands of patterns. No
//! decision, no change and no start computes this product.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::Person;
use crate::test_server::{Made, TestServer};

/// 96 patterns with `*` in seven of eight segments.
fn crossing(name: &str) -> Vec<String> {
    let pattern = |at: usize| {
        let mut segments = vec!["*".to_owned(); 8];
        segments[at % 8] = format!("{name}{}", at / 8);
        segments.join(":")
    };
    (0..96).map(pattern).collect()
}

/// Returns a permission of eight segments that only the lists with these names grant.
fn granted_by(names: &[&str]) -> String {
    let mut segments = vec!["x".to_owned(); 8];
    for (segment, name) in segments.iter_mut().zip(names) {
        *segment = format!("{name}0");
    }
    segments.join(":")
}

/// Adds a user with a role that holds a crossing list and may create keys.
fn join(instance: &TestServer, name: &str) -> Person {
    let mut permissions = crossing(name);
    permissions.push("keyhouse:keys:create".to_owned());
    let role = json!({"name": format!("role {name}"), "permissions": permissions});
    let role = instance.ask(&Ask::post("/v1/roles", &role)).expect(201);
    instance.join(name, role["id"].as_str().unwrap())
}

fn remove(instance: &TestServer, person: &Person, disposition: &str) {
    let path = format!("/v1/users/{}?keys=transfer&to={disposition}", person.id);
    assert_eq!(instance.ask(&Ask::new("DELETE", &path)).status, 204);
}

fn whoami(instance: &TestServer, key: &Made) -> Value {
    instance.bare(&Ask::get("/v1/whoami").bearer(&key.secret)).expect(200)["permissions"].clone()
}

/// In an earlier version, the list of a transferred key with 96 crossing patterns became 4,128
/// patterns. Their computation took 66 ms for each change and each start, during which all checks
/// returned 503.
#[test]
fn a_transferred_key_lists_its_own_permissions_without_a_product() {
    let mut instance = TestServer::start();
    let user = instance.join("u", "user");
    let key = instance.create_as(&user, &json!({"name": "k", "permissions": crossing("a")}));
    remove(&instance, &user, "organization");
    let path = format!("/v1/keys/{}", key.id);
    for name in ["at once", "after a restart"] {
        instance.ask(&Ask::patch(&path, &json!({"name": name}))).expect(200);
        assert_eq!(whoami(&instance, &key), json!(crossing("a")), "{name}");
        assert_eq!(instance.key(&key.id)["permissions"], json!(crossing("a")), "{name}");
        assert_eq!(instance.code(&key.secret, &granted_by(&["a"])), "VALID", "{name}");
        let other = instance.code(&key.secret, &granted_by(&["b"]));
        assert_eq!(other, "INSUFFICIENT_PERMISSIONS", "{name}");
        instance.restart();
        instance.sign_in();
    }
}

/// In an earlier version, a key that two crossing lists limit had no short list, so its transfer
/// revoked the key.
#[test]
fn repeated_transfers_keep_exactly_the_granted_permissions() {
    let mut instance = TestServer::start();
    let people = ["b", "c", "d"].map(|name| join(&instance, name));
    let key = instance.create_as(&people[0], &json!({"name": "k", "permissions": crossing("b")}));
    let names = ["b", "c", "d"];
    let heirs = [people[1].id.as_str(), people[2].id.as_str(), "organization"];
    for (at, (person, disposition)) in people.iter().zip(heirs).enumerate() {
        remove(&instance, person, disposition);
        // The role of the next owner limits the key too, if the owner is a person.
        let bound = (at + 2).min(names.len());
        let claim = format!("transfer {at}");
        assert_eq!(instance.code(&key.secret, &granted_by(&names[..bound])), "VALID", "{claim}");
        for missing in 0..bound {
            let mut some = names[..bound].to_vec();
            some[missing] = "z";
            let code = instance.code(&key.secret, &granted_by(&some));
            assert_eq!(code, "INSUFFICIENT_PERMISSIONS", "{claim} without {}", names[missing]);
        }
        assert_eq!(whoami(&instance, &key), Value::Null, "{claim}: no short list says it");
        let passed = instance.bare(&Ask::forward_auth(&key.secret));
        assert_eq!((passed.status, passed.header("x-keyhouse-permissions")), (200, Some("-")));
        assert_eq!(instance.verify(&key.secret)["permissions"], Value::Null);
        instance.restart();
        instance.sign_in();
    }
    // Permissions that the key did not have at the transfer do not return; the others do.
    let path = format!("/v1/keys/{}", key.id);
    let patch = |list: &[String]| instance.ask(&Ask::patch(&path, &json!({"permissions": list})));
    let problem = patch(&["*".to_owned()]).problem(400, "invalid_input");
    assert_eq!(problem["errors"][0]["code"], "beyond_ceiling", "{problem}");
    patch(&[granted_by(&names)]).expect(200);
    assert_eq!(whoami(&instance, &key), json!([granted_by(&names)]));
    let rotated = instance.ask(&Ask::post(&format!("{path}/rotate"), &json!({}))).expect(200);
    assert_eq!(instance.code(rotated["secret"].as_str().unwrap(), &granted_by(&names)), "VALID");
}

/// In an earlier version, a key whose list crosses its owner's role took 3.5 ms for each call.
#[test]
fn a_crossing_role_or_organization_maximum_limits_without_a_list() {
    let instance = TestServer::start();
    let user = join(&instance, "b");
    let role = instance.ask_as(&user, &Ask::get("/v1/session")).expect(200)["user"]["role"].clone();
    let key = instance.create_as(&user, &json!({"name": "k", "permissions": crossing("b")}));
    assert_eq!(whoami(&instance, &key), json!(crossing("b")));
    let change = json!({"permissions": crossing("c")});
    instance
        .ask(&Ask::patch(&format!("/v1/roles/{}", role.as_str().unwrap()), &change))
        .expect(200);
    assert_eq!(whoami(&instance, &key), Value::Null);
    assert_eq!(instance.code(&key.secret, &granted_by(&["b"])), "INSUFFICIENT_PERMISSIONS");
    assert_eq!(instance.code(&key.secret, &granted_by(&["b", "c"])), "VALID");
    let organization = format!("/v1/organizations/{}", instance.organization());
    instance.ask(&Ask::patch(&organization, &json!({"permissions": crossing("d")}))).expect(200);
    assert_eq!(instance.code(&key.secret, &granted_by(&["b", "c"])), "INSUFFICIENT_PERMISSIONS");
    assert_eq!(instance.code(&key.secret, &granted_by(&["b", "c", "d"])), "VALID");
    // The list is returned again as soon as it is short.
    instance.ask(&Ask::patch(&organization, &json!({"permissions": ["a:*"]}))).expect(200);
    let change = json!({"permissions": ["a:read"]});
    instance
        .ask(&Ask::patch(&format!("/v1/roles/{}", role.as_str().unwrap()), &change))
        .expect(200);
    let listed = whoami(&instance, &key);
    assert_eq!(listed, json!([]), "eight segments and two have nothing in common");
}
