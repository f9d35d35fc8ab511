//! The command line: data on stdout, messages on stderr, and an exit code for scripts.

mod backup;
mod check;
mod config;
mod gate;
mod rights;
mod text;
mod upgrade;
mod user;
mod ways;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::Expect;
use crate::server::{BINARY, Ended, Home, run};
use crate::test_server::TestServer;

const UNKNOWN_KEY: &str = "key_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
/// No server listens on port 1 of this host.
const UNREACHABLE: &str = "http://127.0.0.1:1";

fn stdout_of(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.clone()
}

/// Asserts a failure with this exit code, these words on stderr and nothing on stdout.
fn assert_failed(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{words:?}: {ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    for word in words {
        assert!(
            ended.stderr.to_lowercase().contains(&word.to_lowercase()),
            "{word:?} is missing: {}",
            ended.stderr
        );
    }
    for noise in ["panicked", "RUST_BACKTRACE", "Err(", "Some(", "os error 2\n\n"] {
        assert!(!ended.stderr.contains(noise), "{}", ended.stderr);
    }
}

fn only_line(stdout: &str) -> &str {
    let line = stdout.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{stdout:?}");
    line
}

fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&stdout_of(ended)).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// A home of an instance that is set up and whose server is stopped.
fn home_without_server() -> Arc<Home> {
    let mut instance = TestServer::start();
    let home = Arc::clone(instance.home());
    instance.stop();
    home
}

#[test]
fn keys_are_created_shown_renamed_and_revoked_with_and_without_a_server() {
    let instance = TestServer::start();
    manage_keys(instance.home());
    let names: Vec<_> = instance.all_keys().iter().map(|key| key["name"].clone()).collect();
    assert_eq!(names, ["machine", "other"], "newest first");
    manage_keys(&home_without_server());
}

fn manage_keys(home: &Home) {
    let keyhouse = |args: &[&str]| home.run_cli(args, "");
    stdout_of(&keyhouse(&["key", "create", "--name", "other"]));
    let created = stdout_of(&keyhouse(&[
        "key",
        "create",
        "--name",
        "deploy",
        "--permission",
        "a:b",
        "--permission",
        "c:*",
    ]));
    let secret = only_line(&created);
    assert!(secret.starts_with("kh_live_") && secret.len() == 57, "{secret:?}");

    let listed = json_of(&keyhouse(&["key", "list", "--json"]));
    let items = listed.as_array().unwrap();
    let key = items.iter().find(|key| key["name"] == "deploy").unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!((&key["kind"], &key["permissions"]), (&json!("service"), &json!(["a:b", "c:*"])));
    let id = key["id"].as_str().unwrap();
    let table = stdout_of(&keyhouse(&["key", "list"]));
    assert!(table.contains("deploy") && table.contains(id), "{table}");
    assert!(!table.contains('\u{1b}'), "no colours into a pipe");
    assert!(!stdout_of(&keyhouse(&["key", "list", "--search", "deploy"])).contains("other"));
    for (args, names) in [
        (&["--sort", "name"][..], &["deploy", "other"][..]),
        (&["--sort", "-name"], &["other", "deploy"]),
        (&["--sort=-created_at", "--unused"], &["deploy", "other"]),
        (&["--expires-within", "7d"], &[]),
    ] {
        let listed = json_of(&keyhouse(&[&["key", "list", "--json"], args].concat()));
        let listed = listed.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap());
        assert_eq!(listed.collect::<Vec<_>>(), names, "{args:?}");
    }
    assert_failed(&keyhouse(&["key", "list", "--sort", "colour"]), 2, &["--sort", "created_at"]);

    assert_eq!(json_of(&keyhouse(&["key", "show", id, "--json"]))["id"], id);
    assert!(stdout_of(&keyhouse(&["key", "show", id])).contains("deploy"));
    stdout_of(&keyhouse(&["key", "rename", id, "machine"]));
    assert_eq!(json_of(&keyhouse(&["key", "show", id, "--json"]))["name"], "machine");

    let verify =
        |args: &[&str]| home.run_cli(&[&["verify"], args].concat(), &format!("{secret}\n"));
    let verdict = json_of(&verify(&["--json", "--permission", "a:b"]));
    assert_eq!((&verdict["valid"], &verdict["code"]), (&json!(true), &json!("VALID")), "{verdict}");
    assert_eq!(verify(&["--permission", "x:y"]).code, Some(4));
    stdout_of(&keyhouse(&["key", "revoke", id, "--reason", "gone"]));
    let verdict = verify(&["--json"]);
    assert_eq!(
        (verdict.code, &verdict.stdout.contains("REVOKED")),
        (Some(4), &true),
        "{verdict:?}"
    );
    let shown = json_of(&keyhouse(&["key", "show", id, "--json"]));
    assert_eq!((&shown["status"], &shown["revoked_reason"]), (&json!("revoked"), &json!("gone")));
    assert_eq!(json_of(&keyhouse(&["key", "list", "--json", "--status", "revoked"]))[0]["id"], id);
    assert!(!stdout_of(&keyhouse(&["key", "list"])).contains(id));
}

#[test]
fn json_output_equals_the_response_of_the_api() {
    let instance = TestServer::start();
    let created =
        json_of(&instance.server().run_cli(&["key", "create", "--name", "n", "--json"], ""));
    let id = created["key"]["id"].as_str().unwrap();
    assert_eq!(created.as_object().unwrap().len(), 2, "{created}");
    assert_eq!(created["key"], instance.key(id));
    assert_eq!(instance.verify(created["secret"].as_str().unwrap())["code"], "VALID");
    assert_eq!(
        json_of(&instance.server().run_cli(&["key", "show", id, "--json"], "")),
        instance.key(id)
    );
}

#[test]
fn a_management_key_manages_keys_of_a_remote_server() {
    let instance = TestServer::start();
    let manager = instance.manager();
    let remote = |args: &[&str], stdin: &str| {
        let mut command = instance.home().command(BINARY);
        command
            .args(args)
            .env("KEYHOUSE_URL", instance.server().url())
            .env("KEYHOUSE_KEY", &manager.secret);
        run(command, stdin.as_bytes())
    };
    let secret = stdout_of(&remote(&["key", "create", "--name", "far", "--permission", "a:b"], ""));
    assert_eq!(instance.verify(only_line(&secret))["code"], "VALID");
    let listed = json_of(&remote(&["key", "list", "--search", "far", "--json"], ""));
    let id = listed[0]["id"].as_str().unwrap();
    stdout_of(&remote(&["key", "rename", id, "farther"], ""));
    stdout_of(&remote(&["verify"], &secret));
    stdout_of(&remote(&["key", "revoke", id], ""));
    assert_eq!(remote(&["verify"], &secret).code, Some(4));
    assert_failed(&remote(&["key", "show", UNKNOWN_KEY], ""), 3, &["key not found"]);
    // The key has only the permissions that it was granted.
    assert_failed(
        &remote(&["key", "create", "--permission", "keyhouse:users:manage"], ""),
        4,
        &["keyhouse:users:manage"],
    );
    instance.act(&manager.id, "revoke").expect(200);
    let refused = remote(&["key", "list"], "");
    assert_failed(&refused, 4, &["revoked"]);
    assert!(!refused.stderr.contains(&manager.secret), "{}", refused.stderr);
}

#[test]
fn an_unreachable_server_is_exit_code_6_with_its_address() {
    let home = Home::new();
    let ask = |url: &str| {
        let mut command = home.command(BINARY);
        command.args(["key", "list"]).env("KEYHOUSE_URL", url).env("KEYHOUSE_KEY", "kh_live_x");
        let ended = run(command, b"");
        assert!(!ended.stderr.contains("kh_live_x"), "{}", ended.stderr);
        ended
    };
    for url in [UNREACHABLE, "https://127.0.0.1:1"] {
        assert_failed(&ask(url), 6, &["127.0.0.1:1"]);
    }
    // A key is not sent unencrypted or to an invalid URL.
    for url in ["nonsense", "ftp://a", "http://keys.example.com", "https://a:b@c", "https://"] {
        assert_failed(&ask(url), 2, &["KEYHOUSE_URL"]);
    }
    let mut command = home.command(BINARY);
    command.args(["key", "list"]).env("KEYHOUSE_URL", UNREACHABLE);
    assert_failed(&run(command, b""), 2, &["KEYHOUSE_KEY"]);
}

#[test]
fn invalid_arguments_are_reported_with_their_exit_code() {
    let home = home_without_server();
    let long = "n".repeat(300);
    let cases: [(&[&str], i32, &[&str]); 22] = [
        (&["kye"], 2, &["kye", "key"]),
        (&["key", "lst"], 2, &["lst", "list"]),
        (&["key", "create", "--nmae", "x"], 2, &["--nmae", "--name"]),
        (&["key", "create", "--name"], 2, &["--name"]),
        (&["key", "create", "--name", ""], 2, &["name"]),
        (&["key", "create", "--name", "a\nb"], 2, &["control"]),
        (&["key", "create", "--name", &long], 2, &["256"]),
        (&["key", "create", "--permission", "Read"], 2, &["--permission", "diagrams:"]),
        (&["key", "create", "stray"], 2, &["stray"]),
        (&["key", "list", "--status", "gone"], 2, &["status", "revoked"]),
        (&["key", "show"], 2, &["id"]),
        (&["key", "show", "7"], 3, &["not_found"]),
        (&["key", "show", "usr_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f"], 3, &["not_found"]),
        (&["key", "show", "../session"], 3, &["not_found"]),
        (&["key", "show", UNKNOWN_KEY], 3, &["key not found"]),
        (&["key", "rename", UNKNOWN_KEY, "x"], 3, &["key not found"]),
        (&["key", "revoke", UNKNOWN_KEY], 3, &["key not found"]),
        (&["key", "rename", UNKNOWN_KEY], 2, &["<name>"]),
        (&["verify", "--permission", "x"], 2, &["--permission"]),
        (&["verify", "--ip", "here"], 2, &["ip"]),
        (&["serve", "--listen", "nowhere"], 2, &["nowhere"]),
        (&["serve", "--storage", "oracle:x"], 2, &["oracle"]),
    ];
    for (args, code, words) in cases {
        assert_failed(&home.run_cli(args, "kh_live_x\n"), code, words);
    }
    let listed = json_of(&home.run_cli(&["key", "list", "--json", "--status", "all"], ""));
    assert_eq!(listed, json!([]), "no key was created");
}

#[test]
fn invalid_arguments_have_the_same_exit_code_with_a_server() {
    let instance = TestServer::start();
    for (args, code) in [
        (&["key", "show", UNKNOWN_KEY][..], 3),
        (&["key", "revoke", UNKNOWN_KEY], 3),
        (&["key", "show", "7"], 3),
        (&["key", "create", "--name", ""], 2),
        (&["key", "create", "--permission", "Read"], 2),
        (&["key", "list", "--status", "gone"], 2),
    ] {
        let ended = instance.server().run_cli(args, "");
        assert_failed(&ended, code, &[]);
    }
    let made = instance.create(&json!({"name": "gone"}));
    instance.act(&made.id, "revoke").expect(200);
    assert_failed(
        &instance.server().run_cli(&["key", "rename", &made.id, "x"], ""),
        5,
        &["revoked"],
    );
}

#[test]
fn commands_do_not_create_a_missing_data_directory() {
    let home = Home::new();
    for args in
        [&["key", "list"][..], &["key", "create", "--name", "x"], &["key", "show", UNKNOWN_KEY]]
    {
        let ended = home.run_cli(args, "");
        assert_failed(&ended, 6, &[home.data().to_str().unwrap()]);
        assert!(!home.data().exists(), "{args:?}");
    }
    fs::write(home.data(), "a file").unwrap();
    let ended = home.run_cli(&["key", "list"], "");
    assert_failed(&ended, 6, &[home.data().to_str().unwrap()]);
}

#[test]
fn an_instance_that_is_not_set_up_points_to_the_setup_link() {
    let mut instance = TestServer::start_empty();
    let home = Arc::clone(instance.home());
    assert_failed(&home.run_cli(&["key", "create", "--name", "x"], ""), 5, &["setup link"]);
    instance.stop();
    assert_failed(&home.run_cli(&["key", "create", "--name", "x"], ""), 5, &["setup link"]);
}

#[test]
fn data_of_the_wrong_mode_is_rejected() {
    let home = home_without_server();
    fs::set_permissions(home.data(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_failed(
        &home.run_cli(&["key", "list"], ""),
        1,
        &["chmod 700", home.data().to_str().unwrap()],
    );
}

#[test]
fn a_secret_is_read_from_stdin_and_never_printed() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "quiet"}));
    let verify = |args: &[&str], stdin: &str| {
        instance.server().run_cli(&[&["verify"], args].concat(), stdin)
    };
    for (args, stdin, code) in [
        (&[][..], format!("{}\n", made.secret), 0),
        (&[], made.secret.clone(), 0),
        (&[], format!("{}\r\n", made.secret), 0),
        (&["--key", "-"], format!("{}\n", made.secret), 0),
        (&[], format!("{}x\n", made.secret), 4),
        (&[], "unknown-key-of-another\n".to_owned(), 4),
    ] {
        let ended = verify(args, &stdin);
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        let tail = made.secret.get(20..).unwrap();
        assert!(!ended.stdout.contains(tail) && !ended.stderr.contains(tail), "{ended:?}");
    }
    // Empty input and very long input are not keys.
    for stdin in [String::new(), "x".repeat(1_000_000)] {
        let ended = verify(&[], &stdin);
        assert_eq!((ended.code, &*ended.stdout), (Some(4), "MALFORMED\n"), "{}", ended.stderr);
    }
    // Lists, a shown key and the server's log do not contain the secret.
    let seen = [
        stdout_of(&instance.server().run_cli(&["key", "show", &made.id, "--json"], "")),
        stdout_of(&instance.server().run_cli(&["key", "list", "--json"], "")),
        instance.server().log().tail(),
    ];
    assert!(seen.iter().all(|text| !text.contains(made.secret.get(20..).unwrap())), "{seen:?}");
}

#[test]
fn a_closed_pipe_is_not_a_panic() {
    let instance = TestServer::start();
    for at in 0..300 {
        instance.create(&json!({"name": format!("key {at} {}", "n".repeat(200))}));
    }
    let mut command = instance.home().command("sh");
    command
        .args(["-c", "\"$0\" key list --data \"$1\" | head -n 1 >/dev/null", BINARY])
        .arg(instance.home().data());
    let ended = run(command, b"");
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    // All keys are listed, not only the first page.
    let listed = json_of(&instance.server().run_cli(&["key", "list", "--json"], ""));
    assert_eq!(listed.as_array().unwrap().len(), 300);
}

#[test]
fn many_commands_at_once_succeed_with_a_server() {
    let instance = TestServer::start();
    std::thread::scope(|scope| {
        for at in 0..12 {
            let instance = &instance;
            scope.spawn(move || {
                let name = format!("n{at}");
                stdout_of(&instance.server().run_cli(&["key", "create", "--name", &name], ""));
            });
        }
    });
    assert_eq!(instance.all_keys().len(), 12);
}

/// Compares help and usage with one file per command. `TRYCMD=overwrite` rewrites the files.
#[test]
fn help_and_usage_equal_the_files() {
    trycmd::TestCases::new().default_bin_path(BINARY).case("tests/cmd/*.trycmd");
}

#[test]
fn a_secret_among_the_arguments_is_rejected_and_not_printed() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "quiet"}));
    // Every user of the host can read the arguments of a process, and logs store its stderr.
    for (words, code) in [
        (&["verify", "--key", &made.secret][..], 2),
        (&["verify", &made.secret], 2),
        (&["key", "show", &made.secret], 3),
    ] {
        let ended = instance.server().run_cli(words, "");
        assert_failed(&ended, code, &[]);
        assert!(!ended.stderr.contains(made.secret.get(20..).unwrap()), "{}", ended.stderr);
    }
}

/// Jobs of one host may start in the same minute.
#[test]
fn many_commands_at_once_succeed_without_a_server() {
    let home = home_without_server();
    std::thread::scope(|scope| {
        for at in 0..6 {
            let home = &home;
            scope.spawn(move || {
                stdout_of(&home.run_cli(&["key", "create", "--name", &format!("n{at}")], ""))
            });
        }
    });
    let listed = json_of(&home.run_cli(&["key", "list", "--json"], ""));
    assert_eq!(listed.as_array().unwrap().len(), 6);
}
