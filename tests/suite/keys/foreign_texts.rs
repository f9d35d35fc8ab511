//! Keys from other systems: a prefix, a second digest or an import neither invalidates nor restores
//! a key.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::keys::import::{blake3_of, faults, foreign, hex, import, imported, sha256};
use crate::test_server::{TestServer, write_settings};

fn by(algorithm: &str, digest: &[u8]) -> Value {
    json!({"algorithm": algorithm, "digest": hex(digest)})
}

fn by_sha256(text: &str) -> Value {
    by("sha256", &sha256(text))
}

fn by_blake3(text: &str) -> Value {
    by("blake3", &blake3_of(text))
}

fn id(key: &Value) -> &str {
    key["id"].as_str().unwrap()
}

/// In an earlier version, keys that were imported from another system became MALFORMED when
/// Keyhouse's prefix was set to their prefix, which is the last step of a migration.
#[test]
fn changing_the_prefix_invalidates_no_key() {
    let mut instance = TestServer::start();
    let ours = instance.create(&json!({"name": "ours"}));
    let theirs = [
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "sk_test_26PHem9AhJZvU623DfE1x4sd",
        "sk_0123456789abcdefghijklmnop",
    ];
    let lines = json!([{"key": theirs[0]}, by_sha256(theirs[1]), by_blake3(theirs[2])]);
    imported(&instance, &lines);
    write_settings(instance.home(), "key_prefix = \"sk\"\n");
    instance.restart();
    instance.sign_in();
    let new = instance.create(&json!({"name": "new"}));
    assert!(new.secret.starts_with("sk_live_"), "the prefix is another");
    for secret in theirs.iter().copied().chain([&*ours.secret, &*new.secret]) {
        assert_eq!(instance.bare(&Ask::forward_auth(secret)).status, 200, "{secret:.9}");
    }
    instance.bare(&Ask::forward_auth("sk_live_unknown")).problem(401, "NOT_FOUND");
    let mistyped = new.secret.replace("sk_live_", "sk_life_");
    instance.bare(&Ask::forward_auth(&mistyped)).problem(401, "MALFORMED");
    // A key in the current format can be imported like any other.
    imported(&instance, &json!([{"key": "sk_live_something_else_entirely"}]));
    let taken = Ask::forward_auth("sk_live_something_else_entirely");
    assert_eq!(instance.bare(&taken).status, 200);
}

/// In an earlier version, a key in Keyhouse's format could be imported by its SHA-256, and no check
/// could find this key.
#[test]
fn a_key_in_the_native_format_is_also_found_by_its_sha_256() {
    let (other, instance) = (TestServer::start(), TestServer::start());
    let secret = other.create(&json!({"name": "elsewhere"})).secret;
    let key = &imported(&instance, &json!([by_sha256(&secret)]))[0];
    assert_eq!(instance.verify(&secret)["key"]["id"], key["id"]);
    instance.act(id(key), "revoke").expect(200);
    instance.bare(&Ask::forward_auth(&secret)).problem(401, "REVOKED");
}

/// One text that is imported by two digests becomes two keys. In an earlier version, revoking one
/// key left the same text valid.
#[test]
fn a_text_revoked_by_one_digest_is_invalid_by_the_other() {
    let mut instance = TestServer::start();
    let [one, other] = [1, 2].map(foreign);
    let ours = instance.create(&json!({"name": "ours"}));
    let lines = json!([
        by_sha256(&one),
        by_blake3(&one),
        by_sha256(&other),
        by_blake3(&other),
        by_sha256(&ours.secret),
    ]);
    let keys = imported(&instance, &lines);
    for text in [&one, &other, &ours.secret] {
        assert_eq!(instance.bare(&Ask::forward_auth(text)).status, 200);
    }
    instance.act(id(&keys[0]), "revoke").expect(200);
    instance.act(id(&keys[3]), "revoke").expect(200);
    instance.act(&ours.id, "revoke").expect(200);
    for _ in ["at once", "after a restart"] {
        for text in [&one, &other, &ours.secret] {
            instance.bare(&Ask::forward_auth(text)).problem(401, "REVOKED");
            assert_eq!(instance.verify(text)["code"], "REVOKED");
        }
        instance.restart();
        instance.sign_in();
    }
}

/// In an earlier version, a secret that two rotations had replaced could be imported again, and was
/// valid.
#[test]
fn a_rotated_secret_cannot_be_imported_again() {
    let mut instance = TestServer::start();
    let key = instance.create(&json!({"name": "ours"}));
    let rotate = |instance: &TestServer| {
        let path = format!("/v1/keys/{}/rotate", key.id);
        instance.ask(&Ask::post(&path, &json!({}))).expect(200);
    };
    let refused = |instance: &TestServer, line: &Value| {
        let reported = faults(&import(instance, &json!({"keys": [line]})));
        assert_eq!(reported, [("/keys/0/digest".to_owned(), "digest_taken".to_owned())]);
    };
    for _ in 0..2 {
        rotate(&instance);
        refused(&instance, &by_blake3(&key.secret));
    }
    instance.restart();
    instance.sign_in();
    refused(&instance, &by_blake3(&key.secret));
    // Keyhouse generated the text, so it knows the text's other digest as well.
    refused(&instance, &by_sha256(&key.secret));
    imported(&instance, &json!([by_sha256(&foreign(1))]));
    instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "NOT_FOUND");
}

/// The other digest was imported while the text was the secret of a key.
#[test]
fn rotating_a_secret_ends_both_of_its_digests() {
    let mut instance = TestServer::start();
    let key = instance.create(&json!({"name": "ours"}));
    imported(&instance, &json!([by_sha256(&key.secret)]));
    let path = format!("/v1/keys/{}/rotate", key.id);
    for _ in 0..2 {
        assert_eq!(instance.ask(&Ask::post(&path, &json!({}))).status, 200);
    }
    for _ in ["at once", "after a restart"] {
        instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "NOT_FOUND");
        instance.restart();
        instance.sign_in();
    }
}

/// The other digest of a key that was imported by one digest is unknown.
#[test]
fn a_rotated_imported_secret_cannot_be_imported_again() {
    let mut instance = TestServer::start();
    let text = foreign(1);
    let key = &imported(&instance, &json!([by_blake3(&text)]))[0];
    let path = format!("/v1/keys/{}/rotate", id(key));
    for _ in 0..2 {
        assert_eq!(instance.ask(&Ask::post(&path, &json!({}))).status, 200);
    }
    imported(&instance, &json!([by_sha256(&text)]));
    for _ in ["at once", "after a restart"] {
        instance.bare(&Ask::forward_auth(&text)).problem(401, "NOT_FOUND");
        instance.restart();
        instance.sign_in();
    }
}

fn by_last_part(head: &str, part: &str) -> Value {
    json!({"algorithm": "sha256", "digest": hex(&sha256(part)), "head": head})
}

/// Systems such as Laravel Sanctum store an id and the hash of the part after it.
#[test]
fn a_key_known_by_its_last_part_needs_the_part_before_it() {
    let mut instance = TestServer::start();
    let part = "VSwn9FCqLFivSUGJKMukhq7kcrnXDK8h6JQmleJX";
    let (text, dotted) = (format!("17|{part}"), format!("sk.2f9a.{part}"));
    let lines = json!([by_last_part("17|", part), by_last_part("sk.2f9a.", part)]);
    let keys = imported(&instance, &lines);
    for _ in ["at once", "after a restart"] {
        for (text, key) in [(&text, &keys[0]), (&dotted, &keys[1])] {
            assert_eq!(instance.bare(&Ask::forward_auth(text)).status, 200);
            assert_eq!(instance.verify(text)["key"]["id"], key["id"], "no text has two keys");
        }
        for other in [part, &format!("18|{part}"), &format!("17.{part}"), &format!("17|{part}x")] {
            instance.bare(&Ask::forward_auth(other)).problem(401, "NOT_FOUND");
        }
        instance.restart();
        instance.sign_in();
    }
    let again = faults(&import(&instance, &json!({"keys": [lines[0], {"key": text}]})));
    let taken = ["digest", "key"].iter().zip(0..);
    let taken = taken.map(|(field, at)| (format!("/keys/{at}/{field}"), "digest_taken".to_owned()));
    assert_eq!(again, taken.collect::<Vec<_>>());
    instance.act(id(&keys[0]), "revoke").expect(200);
    instance.bare(&Ask::forward_auth(&text)).problem(401, "REVOKED");
    assert_eq!(instance.bare(&Ask::forward_auth(&dotted)).status, 200);
}

/// A text that is known as a whole and by its last part is two keys. Either one ends the text.
#[test]
fn a_text_revoked_by_its_last_part_is_invalid_as_a_whole() {
    let instance = TestServer::start();
    let part = "VSwn9FCqLFivSUGJKMukhq7kcrnXDK8h6JQmleJX";
    let text = format!("17|{part}");
    let keys = imported(&instance, &json!([by_blake3(&text), by_last_part("17|", part)]));
    assert_eq!(instance.verify(&text)["key"]["id"], keys[0]["id"], "the whole text comes first");
    instance.act(id(&keys[1]), "revoke").expect(200);
    instance.bare(&Ask::forward_auth(&text)).problem(401, "REVOKED");
}

/// In an earlier version, a text that was imported as a text and rotated away could be imported
/// again by its last part, and was valid.
#[test]
fn a_rotated_text_cannot_be_imported_again_by_its_last_part() {
    let mut instance = TestServer::start();
    let part = "VSwn9FCqLFivSUGJKMukhq7kcrnXDK8h6JQmleJX";
    let text = format!("17|{part}");
    let key = &imported(&instance, &json!([{"key": text}]))[0];
    let path = format!("/v1/keys/{}/rotate", id(key));
    for _ in 0..2 {
        assert_eq!(instance.ask(&Ask::post(&path, &json!({}))).status, 200);
    }
    for _ in ["at once", "after a restart"] {
        for line in [by_last_part("17|", part), by_sha256(&text), by_blake3(&text)] {
            let reported = faults(&import(&instance, &json!({"keys": [line]})));
            assert_eq!(reported, [("/keys/0/digest".to_owned(), "digest_taken".to_owned())]);
        }
        instance.restart();
        instance.sign_in();
    }
    imported(&instance, &json!([by_last_part("18|", part)]));
    instance.bare(&Ask::forward_auth(&text)).problem(401, "NOT_FOUND");
}

/// The last part was imported while the text was the secret of a key.
#[test]
fn rotating_a_text_ends_the_key_that_is_known_by_its_last_part() {
    let mut instance = TestServer::start();
    let part = "VSwn9FCqLFivSUGJKMukhq7kcrnXDK8h6JQmleJX";
    let text = format!("17|{part}");
    let key = &imported(&instance, &json!([{"key": text}]))[0];
    imported(&instance, &json!([by_last_part("17|", part)]));
    let path = format!("/v1/keys/{}/rotate", id(key));
    for _ in 0..2 {
        assert_eq!(instance.ask(&Ask::post(&path, &json!({}))).status, 200);
    }
    for _ in ["at once", "after a restart"] {
        instance.bare(&Ask::forward_auth(&text)).problem(401, "NOT_FOUND");
        instance.restart();
        instance.sign_in();
    }
}

/// A native key has no separator, so a key that is known by its last part changes no check of it.
#[test]
fn native_keys_are_found_beside_keys_known_by_their_last_part() {
    let instance = TestServer::start();
    let ours = instance.create(&json!({"name": "ours"}));
    imported(&instance, &json!([by_last_part("17|", &ours.secret)]));
    assert_eq!(instance.verify(&ours.secret)["key"]["id"], ours.id);
    let wrapped = instance.verify(&format!("17|{}", ours.secret));
    assert_ne!(wrapped["key"]["id"], ours.id);
    assert_eq!(wrapped["code"], "VALID");
}
