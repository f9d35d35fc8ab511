//! `keyhouse backup` and `keyhouse restore`: three ways to the same file, and what comes back from it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use age::secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{assert_failed, home_without_server, json_of, stdout_of};
use crate::ask::{Ask, Expect as _};
use crate::server::{BINARY, Home, run};
use crate::test_server::TestServer;

const OPERATOR: &str = "keyhouse:instance:manage";

/// The content of a backup, verified by the program itself.
fn listed(home: &Home, file: &str) -> Value {
    json_of(&home.run_cli(&["restore", "--list", file, "--json"], ""))
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The number of audit events with an action.
fn events(home: &Home, action: &str) -> usize {
    let listed = json_of(&home.run_cli(&["audit", "list", "--action", action, "--json"], ""));
    listed.as_array().unwrap().len()
}

fn keys(home: &Home) -> Vec<String> {
    let listed = json_of(&home.run_cli(&["key", "list", "--sort", "name", "--json"], ""));
    listed.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

/// An identity of age: its file, and its recipient.
fn identity(home: &Home, name: &str) -> (String, String) {
    let identity = age::x25519::Identity::generate();
    let path = home.folder().join(name);
    fs::write(&path, format!("{}\n", identity.to_string().expose_secret())).unwrap();
    (path.to_str().unwrap().to_owned(), identity.to_public().to_string())
}

#[test]
fn a_backup_is_the_same_through_socket_network_and_store() {
    let mut instance = TestServer::start();
    let operator =
        instance.create(&json!({"name": "operator", "kind": "service", "permissions": [OPERATOR]}));
    let remote = |secret: &str, args: &[&str]| {
        let mut command = instance.home().command(BINARY);
        command.args(args).env("KEYHOUSE_URL", instance.server().url());
        run(
            {
                command.env("KEYHOUSE_KEY", secret);
                command
            },
            b"",
        )
    };
    let home = std::sync::Arc::clone(instance.home());
    let made = stdout_of(&home.run_cli(&["backup", "socket.khb"], ""));
    assert!(made.starts_with("wrote socket.khb: ") && made.contains("\naudit head "), "{made}");
    let shown = json_of(&remote(&operator.secret, &["backup", "remote.khb", "--json"]));
    assert_eq!((&shown["file"], &shown["encrypted"]), (&json!("remote.khb"), &json!(false)));
    // A key without the permission gets nothing, and leaves no file.
    let weak = instance.create(&json!({"name": "weak", "permissions": ["a:b"]}));
    assert_failed(&remote(&weak.secret, &["backup", "weak.khb"]), 4, &["permission_required"]);
    // An error of the output is not one of the server.
    let mut command = home.command(BINARY);
    command.args(["backup", "-", "--data"]).arg(home.data()).stdin(Stdio::null());
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
    let full = command.output().unwrap();
    let text = String::from_utf8(full.stderr).unwrap();
    assert_eq!(full.status.code(), Some(1), "{text}");
    assert!(text.starts_with("keyhouse: could not write the backup: "), "{text}");
    instance.stop();
    stdout_of(&home.run_cli(&["backup", "store.khb"], ""));
    let mut command = home.command(BINARY);
    command.args(["backup", "-", "--data"]).arg(home.data()).stdin(Stdio::null());
    command.stdout(File::create(home.folder().join("piped.khb")).unwrap());
    assert!(command.status().unwrap().success());

    let (mut ids, mut revisions) = (Vec::new(), Vec::new());
    for file in ["socket.khb", "remote.khb", "store.khb", "piped.khb"] {
        let content = listed(&home, file);
        let is_late = ["store.khb", "piped.khb"].contains(&file);
        assert_eq!(content["kinds"]["key"], if is_late { 2 } else { 1 }, "{file}");
        ids.push(content["instance"].as_str().unwrap().to_owned());
        revisions.push(content["revision"].as_u64().unwrap());
        if file != "piped.khb" {
            assert_eq!(mode(&home.folder().join(file)), 0o600, "{file}");
        }
    }
    assert!(ids.iter().all(|id| *id == ids[0] && id.starts_with("ins_")), "{ids:?}");
    assert!(revisions.is_sorted(), "{revisions:?}");
    assert_eq!(events(&home, "instance.backup"), 5, "with the one that found no space");
    let names: Vec<_> = fs::read_dir(home.folder())
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".khb"))
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn a_restore_brings_back_the_past_and_ends_its_sessions() {
    let mut instance = TestServer::start();
    let home = std::sync::Arc::clone(instance.home());
    let kept = instance.create(&json!({"name": "kept", "permissions": ["a:b"]}));
    let invited = json!({"email": "grace@example.com", "role": "user"});
    instance.ask(&Ask::post("/v1/invitations", &invited)).expect(201);
    stdout_of(&home.run_cli(&["backup", "a.khb"], ""));
    let later = instance.create(&json!({"name": "later", "permissions": ["a:b"]}));
    let before = listed(&home, "a.khb");
    assert!(before["kinds"]["session"].as_u64().unwrap() >= 1, "{before}");

    // A running server, and a store without --replace, are not touched.
    let running = home.run_cli(&["restore", "a.khb", "--replace"], "");
    assert_failed(&running, 5, &["in use by another keyhouse serve"]);
    instance.stop();
    let refused = home.run_cli(&["restore", "a.khb"], "");
    assert_failed(&refused, 5, &["already has an instance", "--replace", "--data"]);
    assert_eq!(keys(&home), ["kept", "later"]);

    let restored = json_of(&home.run_cli(&["restore", "a.khb", "--replace", "--json"], ""));
    assert_eq!(restored["revision"], before["revision"]);
    let left_out = restored["left_out"].as_object().unwrap();
    let kinds: Vec<_> = left_out.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["invitation", "session", "sessions"]);
    let replaced = restored["replaced"].as_str().unwrap();
    assert!(replaced.contains("keyhouse.redb.before-restore-20") && Path::new(replaced).exists());
    assert_eq!(keys(&home), ["kept"]);

    let cookie = instance.cookie().to_owned();
    instance.restart();
    let ended = instance.bare(&Ask::get("/v1/keys").header("Cookie", &cookie));
    assert_eq!((ended.status, ended.json()["code"].as_str()), (401, Some("session_ended")));
    instance.sign_in();
    assert_eq!(instance.verify(&kept.secret)["code"], "VALID");
    assert_eq!(instance.verify(&later.secret)["code"], "NOT_FOUND");
    let check = json_of(&home.run_cli(&["audit", "check", "--json"], ""));
    assert_eq!(check["ok"], true, "{check}");
    // The head of the backup, kept elsewhere, and the head after the restore are in the log.
    for head in [&before["audit"]["hash"], &restored["audit_head"]["hash"]] {
        let head = head.as_str().unwrap();
        stdout_of(&home.run_cli(&["audit", "check", "--head", head], ""));
    }
    let listed = json_of(&home.run_cli(&["audit", "list", "--action", "instance.*", "--json"], ""));
    let event = &listed[0];
    assert_eq!(
        (&event["action"], &event["actor"]["kind"]),
        (&json!("instance.restore"), &json!("local"))
    );
    assert_eq!(event["after"]["revision"], before["revision"]);
    assert_eq!(event["after"]["audit_head"], before["audit"]["hash"]);
}

#[test]
fn an_encrypted_backup_is_restored_into_a_new_directory_with_its_identity() {
    let home = home_without_server();
    stdout_of(&home.run_cli(&["key", "create", "--name", "kept"], ""));
    let (file, recipient) = identity(&home, "identity.txt");
    let (other, second) = identity(&home, "other.txt");
    let args = ["backup", "a.khb", "--recipient", &recipient, "--recipient", &second];
    let made = stdout_of(&home.run_cli(&args, ""));
    assert!(made.ends_with("bytes, encrypted\n"), "{made}");
    let bytes = fs::read(home.folder().join("a.khb")).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    assert_failed(&home.run_cli(&["restore", "--list", "a.khb"], ""), 1, &["--identity-file"]);
    let stranger = identity(&home, "stranger.txt").0;
    let list =
        |file: &str| home.run_cli(&["restore", "--list", "a.khb", "--identity-file", file], "");
    assert_failed(&list(&stranger), 1, &["encrypted to other recipients"]);
    assert_failed(&list("a.khb"), 2, &["line 1 of the identity file"]);
    for identity in [&file, &other] {
        assert!(stdout_of(&list(identity)).contains("encrypted     yes\n"));
    }
    let new = home.folder().join("new");
    let new = new.to_str().unwrap();
    let restore = |args: &[&str]| {
        let mut command = home.command(BINARY);
        command.args(["restore", "a.khb", "--data", new]).args(args);
        run(command, b"")
    };
    let restored = stdout_of(&restore(&["--identity-file", &file]));
    assert!(restored.contains("\naudit head    ") && restored.contains(", after the restore\n"));
    let mut command = home.command(BINARY);
    command.args(["key", "list", "--json", "--data", new]);
    assert_eq!(json_of(&run(command, b""))[0]["name"], "kept");
    assert_failed(&restore(&["--identity-file", &file]), 5, &["already has an instance"]);
}

#[test]
fn wrong_backups_and_wrong_calls_change_nothing_and_explain_why() {
    let home = home_without_server();
    stdout_of(&home.run_cli(&["backup", "a.khb"], ""));
    let path = |name: &str| home.folder().join(name);
    let whole = fs::read(path("a.khb")).unwrap();
    fs::write(path("cut.khb"), &whole[..whole.len() - 1]).unwrap();
    let mut flipped = whole.clone();
    let at = whole.len() / 2;
    flipped[at] ^= 1;
    fs::write(path("flipped.khb"), &flipped).unwrap();
    fs::write(path("later.khb"), b"keyhouse-backup 9\n").unwrap();
    for (args, code, words) in [
        (&["backup", "a.khb"][..], 5, &["a.khb exists", "--force"][..]),
        (&["backup", "none/a.khb"], 1, &["could not write none/a.khb"]),
        (&["backup", "b.khb", "--recipient", "age1nonsense"], 2, &["--recipient", "age1ql3"]),
    ] {
        assert_failed(&home.run_cli(args, ""), code, words);
    }
    let store = || fs::read(home.data().join("keyhouse.redb")).unwrap();
    let before = store();
    for (args, code, words) in [
        (&["restore", "none.khb"][..], 1, &["could not open none.khb"][..]),
        (&["restore", "cut.khb", "--replace"], 1, &["cut.khb: the backup is incomplete"]),
        (&["restore", "flipped.khb", "--replace"], 1, &["flipped.khb: the backup is damaged"]),
        (&["restore", "later.khb", "--replace"], 1, &["format 9", "later version"]),
        (&["restore", "a.khb", "--list", "--replace"], 2, &["--list"]),
        (&["restore", "--list", "/etc/hostname"], 1, &["is not a keyhouse backup"]),
    ] {
        assert_failed(&home.run_cli(args, ""), code, words);
    }
    assert_eq!(store(), before, "a refused restore changed the store");
    assert!(!path("b.khb").exists() && !path("b.khb.part").exists());
    stdout_of(&home.run_cli(&["backup", "a.khb", "--force"], ""));
    assert_ne!(fs::read(path("a.khb")).unwrap(), whole);
}

#[test]
fn a_damaged_store_is_replaced_by_the_command_that_its_error_names() {
    let home = home_without_server();
    stdout_of(&home.run_cli(&["key", "create", "--name", "kept"], ""));
    stdout_of(&home.run_cli(&["backup", "a.khb"], ""));
    let file = home.data().join("keyhouse.redb");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[..middle].fill(0xa5);
    fs::write(&file, &bytes).unwrap();
    let refused = home.run_cli(&["key", "list"], "");
    assert_failed(
        &refused,
        1,
        &["is damaged and was not changed", "keyhouse restore FILE --replace"],
    );
    stdout_of(&home.run_cli(&["restore", "a.khb", "--replace"], ""));
    assert_eq!(keys(&home), ["kept"]);
}
