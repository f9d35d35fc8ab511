//! `keyhouse check`, `repair` and `compact`: a store without a server, and a backup.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use keyhouse::backends;
use keyhouse::config::StorageUrl;
use keyhouse_storage::{At, Batch, Range, Row, Store};
use serde_json::{Value, json};

use crate::ask::{Ask, Expect as _};
use crate::cli::{assert_failed, json_of, stdout_of};
use crate::server::Home;
use crate::test_server::TestServer;

fn open(home: &Home) -> Arc<dyn Store> {
    backends::open(&StorageUrl::Redb(home.data())).unwrap()
}

/// The last key of the store, which gets a record that does not decode.
fn break_last_key(home: &Home) -> Row {
    let store = open(home);
    let last = store.rows(&Range::prefix(b"key/"), At::Latest).last().unwrap().unwrap();
    store.commit(Batch::new().put(last.key.clone(), "\u{1}{\"damaged\":1}")).unwrap();
    store.close().unwrap();
    last
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A server with a rotated key, a team, an invitation and a session.
fn busy() -> TestServer {
    let instance = TestServer::start();
    let kept = instance.create(&json!({"name": "kept", "permissions": ["a:b"]}));
    instance.ask(&Ask::post(&format!("/v1/keys/{}/rotate", kept.id), &json!({}))).expect(200);
    instance.ask(&Ask::post("/v1/teams", &json!({"name": "team"}))).expect(201);
    let invited = json!({"email": "grace@example.com", "role": "user"});
    instance.ask(&Ask::post("/v1/invitations", &invited)).expect(201);
    instance
}

#[test]
fn a_store_and_its_backup_have_no_findings() {
    let mut instance = busy();
    let home = Arc::clone(instance.home());
    let running = home.run_cli(&["check"], "");
    assert_failed(&running, 5, &["in use by", "keyhouse backup", "keyhouse check --file"]);
    assert_failed(&home.run_cli(&["repair"], ""), 5, &["in use by", "stop it first"]);
    assert_failed(&home.run_cli(&["compact"], ""), 5, &["in use by", "stop it first"]);
    stdout_of(&home.run_cli(&["backup", "a.khb"], ""));
    let of_backup = stdout_of(&home.run_cli(&["check", "--file", "a.khb"], ""));
    assert!(of_backup.ends_with("with 1 keys: no findings\n"), "{of_backup}");
    instance.stop();
    let report = json_of(&home.run_cli(&["check", "--json"], ""));
    let (ok, keys) = (&report["ok"], &report["keys"]);
    assert_eq!((ok, keys, &report["findings"]), (&json!(true), &json!(1), &json!([])), "{report}");
    let repaired = stdout_of(&home.run_cli(&["repair"], ""));
    assert!(repaired.ends_with("no findings\n"), "{repaired}");
    let names = fs::read_dir(home.data()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("repair")).count(), 0, "nothing was changed");
}

#[test]
fn a_directory_without_a_store_is_not_checked() {
    let home = Home::new();
    for command in ["check", "repair", "compact"] {
        assert_failed(&home.run_cli(&[command], ""), 6, &["no instance in", "--data"]);
    }
    assert_failed(&home.run_cli(&["check", "--file", "none.khb"], ""), 1, &["could not open"]);
}

#[test]
fn a_damaged_record_is_found_and_moved_to_the_report() {
    let mut instance = busy();
    let home = Arc::clone(instance.home());
    let lost = instance.create(&json!({"name": "lost", "permissions": ["a:b"]}));
    instance.stop();
    let row = break_last_key(&home);
    let refused = home.run_cli(&["serve"], "");
    assert_failed(&refused, 1, &["key/", &lost.id, "keyhouse check"]);

    let checked = home.run_cli(&["check"], "");
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let (id, stdout) = (&lost.id, &checked.stdout);
    assert!(stdout.starts_with("record_undecodable key/org_"), "{stdout}");
    assert!(stdout.contains(id.as_str()) && stdout.contains("to do: keyhouse repair"), "{stdout}");
    let preview = home.run_cli(&["repair", "--dry-run"], "");
    assert_eq!((preview.code, &preview.stdout), (Some(1), stdout), "nothing is changed");
    // The store that is opened again here would be locked by a command that did not end.
    assert_eq!(open(&home).get(&row.key, At::Latest).unwrap().unwrap().value.len(), 14);

    let repaired = json_of(&home.run_cli(&["repair", "--json"], ""));
    assert_eq!(repaired["changes"], json!({"record_undecodable": 1}), "{repaired}");
    assert_eq!(repaired["left"]["ok"], true, "{repaired}");
    let [backup, report] = ["backup", "report"].map(|name| repaired[name].as_str().unwrap());
    for file in [backup, report] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    let line: Value = serde_json::from_str(fs::read_to_string(report).unwrap().trim()).unwrap();
    assert_eq!(line["key_hex"], hex(&row.key));
    assert_eq!(line["value_hex"], hex(b"\x01{\"damaged\":1}"));
    let damaged = home.run_cli(&["check", "--file", backup], "");
    let (first, before) = (damaged.stdout.lines().next(), stdout.lines().next());
    assert_eq!((damaged.code, first), (Some(1), before), "the backup is from before");

    instance.restart();
    assert_eq!(instance.verify(&lost.secret)["code"], "NOT_FOUND");
    let events = home.run_cli(&["audit", "list", "--action", "instance.repair", "--json"], "");
    let events = json_of(&events);
    assert_eq!(events[0]["after"]["findings"], json!({"record_undecodable": 1}), "{events}");
    let log = json_of(&home.run_cli(&["audit", "check", "--json"], ""));
    assert_eq!(log["ok"], true, "{log}");
}

#[test]
fn a_compaction_keeps_the_instance_and_shrinks_its_file() {
    let mut instance = busy();
    let home = Arc::clone(instance.home());
    let kept = instance.create(&json!({"name": "kept", "permissions": ["a:b"]}));
    instance.stop();
    let done = json_of(&home.run_cli(&["compact", "--json"], ""));
    let file = fs::metadata(home.data().join("keyhouse.redb")).unwrap();
    assert_eq!(done["bytes_after"], file.len());
    assert!(done["bytes_after"].as_u64() < done["bytes_before"].as_u64(), "{done}");
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    stdout_of(&home.run_cli(&["check"], ""));
    instance.restart();
    assert_eq!(instance.verify(&kept.secret)["code"], "VALID");
}
