//! `/v1/seal-key` and `keyhouse rekey`: the key that encrypts the seeds of second factors.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::me::totp::{Factor, code_of, set_up, sign_in};
use crate::server::{Home, Server, bytes_of};
use crate::test_server::TestServer;

/// The store of format 3, which a server of that format wrote: its key, and the seed and the
/// password of its owner.
const FORMAT_3: &str = "tests/formats/3.redb.gz";
const FORMAT_3_KEY: &str = "kh_live_YkzMQyaDZXKpO6B7xnogjFCkQ54nn1RbhvHlUwjegTm2tfXJj";
const FORMAT_3_SEED: &str = "P6Y72FBFMMKDIB5N7PXHCGQQYYLQG4PV";
const FORMAT_3_PASSWORD: &str = "correct horse battery staple";

fn key_file(home: &Home) -> String {
    fs::read_to_string(home.data().join("seal.key")).unwrap()
}

/// The keys of a key file, without its comment.
fn keys(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

fn assert_no_seed(home: &Home, seed: &str) {
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
    let log = instance.server().log().whole();
    assert!(log.contains("which is not in the key file") && !log.contains(&seed), "{log}");
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

#[test]
fn a_store_of_format_3_opens_and_its_seeds_are_encrypted() {
    let home = Home::new();
    let mut store = Vec::new();
    flate2::read::GzDecoder::new(&*bytes_of(FORMAT_3.as_ref())).read_to_end(&mut store).unwrap();
    let windows = |bytes: &[u8]| bytes.windows(32).any(|part| part == FORMAT_3_SEED.as_bytes());
    assert!(windows(&store), "the fixture has the seed as plain text");
    fs::create_dir_all(home.data()).unwrap();
    fs::set_permissions(home.data(), fs::Permissions::from_mode(0o700)).unwrap();
    let file = home.data().join("keyhouse.redb");
    fs::write(&file, &store).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start_in(&home, &["--accept-clock"]);
    let bearer = format!("Bearer {FORMAT_3_KEY}");
    let headers = [("Authorization", bearer.as_str())];
    assert_eq!(server.ask("GET", "/v1/whoami", &headers, "").status, 200);
    let code = code_of(FORMAT_3_SEED, 0);
    let body = json!({"email": "ada@example.com", "password": FORMAT_3_PASSWORD, "code": code});
    let signed_in = server.ask_json("POST", "/v1/session", &[], &body);
    assert_eq!(signed_in.status, 201, "{signed_in:?}");
    let page = server.ask("GET", "/v1/forward-auth/api", &[], "");
    assert_eq!(page.status, 403, "{page:?}");
    server.stop();
    assert_no_seed(&home, FORMAT_3_SEED);
}
