//! `/v1/seal-key` and `keyhouse rekey`: the key that encrypts the seeds of second factors.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::me::totp::{Factor, code_of, set_up, sign_in};
use crate::server::{Home, bytes_of};
use crate::test_server::TestServer;

fn key_file(home: &Home) -> String {
    fs::read_to_string(home.data().join("seal.key")).unwrap()
}

/// The keys of a key file, without its comment.
fn keys(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

pub(crate) fn assert_no_seed(home: &Home, seed: &str) {
    let store = bytes_of(&home.data().join("keyhouse.redb"));
    assert!(!store.windows(seed.len()).any(|part| part == seed.as_bytes()), "a seed is readable");
}

fn rekey(instance: &TestServer, args: &[&str]) -> Value {
    let args = [&["rekey", "--json"], args].concat();
    let ended = instance.server().run_cli(&args, "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn a_rotation_keeps_codes_valid_and_removes_the_earlier_key() {
    let mut instance = TestServer::start();
    let factor = set_up(&instance);
    let before = key_file(instance.home());
    let mode = fs::metadata(instance.home().data().join("seal.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let done = rekey(&instance, &[]);
    assert_eq!((&done["seeds"], &done["unreadable"]), (&json!(1), &json!(0)));
    let after = key_file(instance.home());
    assert_eq!((keys(&before).len(), keys(&after).len()), (1, 1));
    assert_ne!(keys(&before), keys(&after));
    sign_in(&instance, &factor.code(1)).expect(201);
    let again = rekey(&instance, &["--keep-key"]);
    assert_eq!(again, json!({"key": done["key"], "seeds": 0, "unreadable": 0}));
    instance.stop();
    assert_no_seed(instance.home(), &factor.seed);
    instance.restart();
    let with_code = sign_in(&instance, &factor.backup[0]);
    with_code.expect(201);
}

#[test]
fn the_operator_can_provide_the_next_key() {
    let mut instance = TestServer::start();
    let factor = set_up(&instance);
    let path = instance.home().data().join("seal.key");
    let old = key_file(instance.home());
    let new = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    instance.stop();
    fs::write(&path, format!("{new}\n{old}")).unwrap();
    instance.restart();
    let done = rekey(&instance, &["--keep-key"]);
    assert_eq!((&done["seeds"], &done["unreadable"]), (&json!(1), &json!(0)));
    instance.stop();
    fs::write(&path, new).unwrap();
    instance.restart();
    sign_in(&instance, &factor.code(1)).expect(201);
}

/// Without its key a seed is useless: to a thief of the store, and to the server. Backup codes are
/// digests, and still work.
#[test]
fn without_the_key_codes_are_refused_and_backup_codes_work() {
    let mut instance = TestServer::start();
    let Factor { seed, backup } = set_up(&instance);
    instance.stop();
    fs::remove_file(instance.home().data().join("seal.key")).unwrap();
    instance.restart();
    sign_in(&instance, &code_of(&seed, 1)).problem(401, "sign_in_failed");
    let logged = instance.server().log().wait_for("which is not in the key file").unwrap();
    assert!(!logged.contains(&seed), "{logged}");
    sign_in(&instance, &backup[0]).expect(201);
    let done = rekey(&instance, &[]);
    assert_eq!((&done["seeds"], &done["unreadable"]), (&json!(0), &json!(1)));
}

#[test]
fn a_rotation_needs_a_file_that_can_be_written() {
    let mut instance = TestServer::start();
    instance.stop();
    // A directory in the place of the new file makes the write fail, also for root.
    fs::create_dir_all(instance.home().data().join("seal.key.new/occupied")).unwrap();
    instance.restart();
    let before = key_file(instance.home());
    let refused = instance.ask(&Ask::post("/v1/seal-key/rotate", &json!({})));
    refused.problem(409, "seal_key_read_only");
    let events = instance.ask(&Ask::get("/v1/audit?action=seal_key.rotate")).expect(200);
    assert_eq!(events["items"], json!([]), "a refused rotation writes no event");
    assert_eq!(key_file(instance.home()), before);
    set_up(&instance);
}

#[test]
fn a_given_key_file_that_is_missing_or_invalid_stops_the_start() {
    let home = Home::new();
    let path = home.folder().join("given.key");
    let given = ["serve", "--seal-key-file", path.to_str().unwrap()];
    let missing = home.run_cli(&given, "");
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.stderr.contains("could not read the seal key file"), "{missing:?}");
    fs::write(&path, "my secret\n").unwrap();
    let invalid = home.run_cli(&given, "");
    assert_eq!(invalid.code, Some(1), "{invalid:?}");
    assert!(invalid.stderr.contains("line 1: must be 32 bytes in base64"), "{invalid:?}");
    assert!(!invalid.stderr.contains("my secret"), "{invalid:?}");
}
