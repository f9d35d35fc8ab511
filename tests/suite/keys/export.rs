//! `/v1/keys/export` lists the digests of service keys, with which another instance imports them.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::keys::import::{PATH, faults, foreign, hex, import, imported, sha256};
use crate::shape::assert_shape;
use crate::test_server::TestServer;

fn exported(instance: &TestServer) -> Vec<Value> {
    let page = instance.ask(&Ask::get("/v1/keys/export?limit=100")).expect(200);
    page["items"].as_array().unwrap().clone()
}

/// The key of an export as an import takes it.
fn taken(key: &Value) -> Value {
    let fields = ["name", "algorithm", "digest", "permissions", "environment"];
    fields.iter().map(|&name| (name.to_owned(), key[name].clone())).collect()
}

#[test]
fn exported_keys_work_in_another_instance() {
    let (source, target) = (TestServer::start(), TestServer::start());
    let made = source.create(&json!({"name": "made", "kind": "service", "permissions": ["a:b"]}));
    source.create(&json!({"name": "personal"}));
    let part = "VSwn9FCqLFivSUGJKMukhq7kcrnXDK8h6JQmleJX";
    let lines = json!([
        {"name": "by part", "algorithm": "sha256", "digest": hex(&sha256(part)), "head": "17|"},
        {"name": "by sha256", "algorithm": "sha256", "digest": hex(&sha256(&foreign(1)))},
        {"name": "by text", "key": foreign(2)},
    ]);
    imported(&source, &lines);
    let keys = exported(&source);
    let names: Vec<_> = keys.iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    let by_text = keys.iter().find(|key| key["name"] == "by text").unwrap();
    assert_shape!("exported_key", by_text);
    let algorithm = |name: &str| {
        keys.iter().find(|key| key["name"] == name).unwrap()["algorithm"].as_str().unwrap()
    };
    assert_eq!(algorithm("made"), "blake3");
    assert_eq!(algorithm("by text"), "blake3");
    assert_eq!(algorithm("by sha256"), "sha256-derived");
    assert_eq!(algorithm("by part"), "sha256-part-derived");

    imported(&target, &keys.iter().map(taken).collect());
    for secret in [&made.secret, &foreign(1), &foreign(2), &format!("17|{part}")] {
        assert_eq!(target.verify(secret)["code"], "VALID");
    }
    let digests = |keys: &[Value]| -> Vec<String> {
        let mut all: Vec<_> = keys.iter().map(|key| key["digest"].to_string()).collect();
        all.sort();
        all
    };
    assert_eq!(digests(&exported(&target)), digests(&keys));
}

#[test]
fn a_rotated_key_is_exported_with_every_digest_that_identifies_it() {
    let instance = TestServer::start();
    let digest = hex(blake3::hash(foreign(7).as_bytes()).as_bytes());
    let line = json!({"algorithm": "blake3", "digest": digest});
    let id = imported(&instance, &json!([line]))[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/keys/{id}/rotate");
    let manager = instance.manager();
    let rotated = instance.bare(&Ask::post(&path, &json!({})).bearer(&manager.secret)).expect(200);
    let secret = rotated["secret"].as_str().unwrap();
    let keys = exported(&instance);
    let key = keys.iter().find(|key| key["id"] == id.as_str()).unwrap();
    assert_eq!(key["digest"], hex(blake3::hash(secret.as_bytes()).as_bytes()));
    assert!(key["other_digests"].as_array().unwrap().contains(&json!(digest)), "{key}");
}

#[test]
fn an_imported_key_may_be_disabled_and_of_a_configuration_file() {
    let instance = TestServer::start();
    let line = json!({"key": foreign(3), "disabled": true});
    let body = json!({"keys": [line], "applied": true});
    let made = import(&instance, &body).expect(201)["keys"][0].clone();
    assert_eq!((&made["status"], &made["origin"]), (&json!("disabled"), &json!("applied")));
    instance.bare(&Ask::forward_auth(&foreign(3))).problem(401, "DISABLED");
    instance.act(made["id"].as_str().unwrap(), "enable").expect(200);
    assert_eq!(instance.verify(&foreign(3))["code"], "VALID");
}

#[test]
fn digests_are_shown_only_to_callers_that_import_and_read_all_keys() {
    let instance = TestServer::start();
    for (permissions, missing) in [
        (json!(["keyhouse:keys:read"]), "keyhouse:instance:import"),
        (json!(["keyhouse:instance:import"]), "keyhouse:keys:read"),
    ] {
        let key = json!({"kind": "service", "permissions": permissions});
        let secret = instance.create(&key).secret;
        let answer = instance.bare(&Ask::get("/v1/keys/export").bearer(&secret));
        let problem = answer.problem(403, "permission_required");
        assert_eq!(problem["permission"], missing);
    }
    let body = json!({"keys": [{"algorithm": "md5", "digest": "00"}]});
    let found = faults(&instance.ask(&Ask::post(PATH, &body)));
    assert_eq!(found[0], ("/keys/0/algorithm".to_owned(), "invalid_algorithm".to_owned()));
}
