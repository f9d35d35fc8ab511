//! The command line: data on stdout, talk on stderr, an exit code that scripts can go by.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::Expect;
use crate::house::House;
use crate::server::{BINARY, Ended, Home, run};

const NOBODYS: &str = "key_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
/// Nothing listens on port 1 of this host.
const NOWHERE: &str = "http://127.0.0.1:1";

fn fine(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.clone()
}

/// It failed with this code, and said these words on stderr and nothing on stdout.
fn failed(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{words:?}: {ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    for word in words {
        assert!(
            ended.stderr.to_lowercase().contains(&word.to_lowercase()),
            "{word:?} is not said: {}",
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
    serde_json::from_str(&fine(ended)).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// A home in which the first owner was made and no server runs.
fn closed() -> Arc<Home> {
    let mut house = House::start();
    let home = Arc::clone(house.home());
    house.stop();
    home
}

/// The same words through the control socket and on the store itself.
#[test]
fn keys_are_made_shown_renamed_and_revoked_with_and_without_a_server() {
    let house = House::start();
    live_and_die(house.home());
    let names: Vec<_> = house.all_keys().iter().map(|key| key["name"].clone()).collect();
    assert_eq!(names, ["machine", "other"], "newest first");
    live_and_die(&closed());
}

fn live_and_die(home: &Home) {
    let keyhouse = |args: &[&str]| home.run_cli(args, "");
    fine(&keyhouse(&["key", "create", "--name", "other"]));
    let created = fine(&keyhouse(&[
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
    let table = fine(&keyhouse(&["key", "list"]));
    assert!(table.contains("deploy") && table.contains(id), "{table}");
    assert!(!table.contains('\u{1b}'), "no colours into a pipe");
    assert!(!fine(&keyhouse(&["key", "list", "--search", "deploy"])).contains("other"));
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
    failed(&keyhouse(&["key", "list", "--sort", "colour"]), 2, &["?sort", "created_at"]);

    assert_eq!(json_of(&keyhouse(&["key", "show", id, "--json"]))["id"], id);
    assert!(fine(&keyhouse(&["key", "show", id])).contains("deploy"));
    fine(&keyhouse(&["key", "rename", id, "machine"]));
    assert_eq!(json_of(&keyhouse(&["key", "show", id, "--json"]))["name"], "machine");

    let verify =
        |args: &[&str]| home.run_cli(&[&["verify"], args].concat(), &format!("{secret}\n"));
    let told = json_of(&verify(&["--json", "--permission", "a:b"]));
    assert_eq!((&told["valid"], &told["code"]), (&json!(true), &json!("VALID")), "{told}");
    assert_eq!(verify(&["--permission", "x:y"]).code, Some(4));
    fine(&keyhouse(&["key", "revoke", id, "--reason", "gone"]));
    let told = verify(&["--json"]);
    assert_eq!((told.code, &told.stdout.contains("REVOKED")), (Some(4), &true), "{told:?}");
    let shown = json_of(&keyhouse(&["key", "show", id, "--json"]));
    assert_eq!((&shown["status"], &shown["revoked_reason"]), (&json!("revoked"), &json!("gone")));
    assert_eq!(json_of(&keyhouse(&["key", "list", "--json", "--status", "revoked"]))[0]["id"], id);
    assert!(!fine(&keyhouse(&["key", "list"])).contains(id));
}

#[test]
fn json_is_the_apis_own() {
    let house = House::start();
    let created = json_of(&house.server().run_cli(&["key", "create", "--name", "n", "--json"], ""));
    let id = created["key"]["id"].as_str().unwrap();
    assert_eq!(created.as_object().unwrap().len(), 2, "{created}");
    assert_eq!(created["key"], house.key(id));
    assert_eq!(house.verify(created["secret"].as_str().unwrap())["code"], "VALID");
    assert_eq!(json_of(&house.server().run_cli(&["key", "show", id, "--json"], "")), house.key(id));
}

#[test]
fn from_afar_a_management_key_does_the_same() {
    let house = House::start();
    let manager = house.manager();
    let far = |args: &[&str], stdin: &str| {
        let mut command = house.home().command(BINARY);
        command
            .args(args)
            .env("KEYHOUSE_URL", house.server().url())
            .env("KEYHOUSE_KEY", &manager.secret);
        run(command, stdin.as_bytes())
    };
    let secret = fine(&far(&["key", "create", "--name", "far", "--permission", "a:b"], ""));
    assert_eq!(house.verify(only_line(&secret))["code"], "VALID");
    let listed = json_of(&far(&["key", "list", "--search", "far", "--json"], ""));
    let id = listed[0]["id"].as_str().unwrap();
    fine(&far(&["key", "rename", id, "farther"], ""));
    fine(&far(&["verify"], &secret));
    fine(&far(&["key", "revoke", id], ""));
    assert_eq!(far(&["verify"], &secret).code, Some(4));
    failed(&far(&["key", "show", NOBODYS], ""), 3, &["no such key"]);
    // It holds no more than it was given.
    failed(
        &far(&["key", "create", "--permission", "keyhouse:users:manage"], ""),
        4,
        &["keyhouse:users:manage"],
    );
    house.act(&manager.id, "revoke").expect(200);
    let refused = far(&["key", "list"], "");
    failed(&refused, 4, &["revoked"]);
    assert!(!refused.stderr.contains(&manager.secret), "{}", refused.stderr);
}

#[test]
fn what_can_not_be_reached_is_code_6_and_named() {
    let home = Home::new();
    let ask = |url: &str| {
        let mut command = home.command(BINARY);
        command.args(["key", "list"]).env("KEYHOUSE_URL", url).env("KEYHOUSE_KEY", "kh_live_x");
        let ended = run(command, b"");
        assert!(!ended.stderr.contains("kh_live_x"), "{}", ended.stderr);
        ended
    };
    for url in [NOWHERE, "https://127.0.0.1:1"] {
        failed(&ask(url), 6, &["127.0.0.1:1"]);
    }
    // A key is not sent in the clear, nor to what is no address.
    for url in ["nonsense", "ftp://a", "http://keys.example.com", "https://a:b@c", "https://"] {
        failed(&ask(url), 2, &["KEYHOUSE_URL"]);
    }
    let mut command = home.command(BINARY);
    command.args(["key", "list"]).env("KEYHOUSE_URL", NOWHERE);
    failed(&run(command, b""), 2, &["KEYHOUSE_KEY"]);
}

/// Wrong words, each with its exit code and what must be said about it.
#[test]
fn wrong_words_are_named() {
    let home = closed();
    let long = "n".repeat(300);
    let cases: [(&[&str], i32, &[&str]); 22] = [
        (&["kye"], 2, &["kye", "key"]),
        (&["key", "lst"], 2, &["lst", "list"]),
        (&["key", "create", "--nmae", "x"], 2, &["--nmae", "--name"]),
        (&["key", "create", "--name"], 2, &["--name"]),
        (&["key", "create", "--name", ""], 2, &["name"]),
        (&["key", "create", "--name", "a\nb"], 2, &["control"]),
        (&["key", "create", "--name", &long], 2, &["256"]),
        (&["key", "create", "--permission", "Read"], 2, &["/permissions/0", "diagrams:"]),
        (&["key", "create", "stray"], 2, &["stray"]),
        (&["key", "list", "--status", "gone"], 2, &["status", "revoked"]),
        (&["key", "show"], 2, &["id"]),
        (&["key", "show", "7"], 3, &["not_found"]),
        (&["key", "show", "usr_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f"], 3, &["not_found"]),
        (&["key", "show", "../session"], 3, &["not_found"]),
        (&["key", "show", NOBODYS], 3, &["no such key"]),
        (&["key", "rename", NOBODYS, "x"], 3, &["no such key"]),
        (&["key", "revoke", NOBODYS], 3, &["no such key"]),
        (&["key", "rename", NOBODYS], 2, &["<name>"]),
        (&["verify", "--permission", "x"], 2, &["permissions"]),
        (&["verify", "--ip", "here"], 2, &["ip"]),
        (&["serve", "--listen", "nowhere"], 2, &["nowhere"]),
        (&["serve", "--storage", "oracle:x"], 2, &["oracle"]),
    ];
    for (args, code, words) in cases {
        failed(&home.run_cli(args, "kh_live_x\n"), code, words);
    }
    let listed = json_of(&home.run_cli(&["key", "list", "--json", "--status", "all"], ""));
    assert_eq!(listed, json!([]), "nothing was made");
}

#[test]
fn wrong_words_are_answered_alike_beside_a_server() {
    let house = House::start();
    for (args, code) in [
        (&["key", "show", NOBODYS][..], 3),
        (&["key", "revoke", NOBODYS], 3),
        (&["key", "show", "7"], 3),
        (&["key", "create", "--name", ""], 2),
        (&["key", "create", "--permission", "Read"], 2),
        (&["key", "list", "--status", "gone"], 2),
    ] {
        let beside = house.server().run_cli(args, "");
        failed(&beside, code, &[]);
    }
    let made = house.create(&json!({"name": "gone"}));
    house.act(&made.id, "revoke").expect(200);
    failed(&house.server().run_cli(&["key", "rename", &made.id, "x"], ""), 5, &["revoked"]);
}

#[test]
fn data_that_is_not_there_is_not_made_by_asking() {
    let home = Home::new();
    for args in [&["key", "list"][..], &["key", "create", "--name", "x"], &["key", "show", NOBODYS]]
    {
        let ended = home.run_cli(args, "");
        assert!(matches!(ended.code, Some(1 | 3 | 6)), "{args:?}: {ended:?}");
        failed(&ended, ended.code.unwrap(), &[home.data().to_str().unwrap()]);
        assert!(!home.data().exists(), "{args:?}");
    }
    fs::write(home.data(), "a file").unwrap();
    let ended = home.run_cli(&["key", "list"], "");
    failed(&ended, 6, &[home.data().to_str().unwrap()]);
}

#[test]
fn a_store_that_nobody_owns_yet_says_what_to_do() {
    let mut house = House::start_empty();
    let home = Arc::clone(house.home());
    failed(&home.run_cli(&["key", "create", "--name", "x"], ""), 5, &["setup link"]);
    house.stop();
    failed(&home.run_cli(&["key", "create", "--name", "x"], ""), 5, &["setup link"]);
}

#[test]
fn data_of_the_wrong_mode_is_refused() {
    let home = closed();
    fs::set_permissions(home.data(), fs::Permissions::from_mode(0o755)).unwrap();
    failed(&home.run_cli(&["key", "list"], ""), 1, &["chmod 700", home.data().to_str().unwrap()]);
}

#[test]
fn a_secret_is_read_from_stdin_and_repeated_nowhere() {
    let house = House::start();
    let made = house.create(&json!({"name": "quiet"}));
    let verify =
        |args: &[&str], stdin: &str| house.server().run_cli(&[&["verify"], args].concat(), stdin);
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
    // Empty input and input without end are no key.
    assert!(matches!(verify(&[], "").code, Some(2 | 4)));
    assert!(matches!(verify(&[], &"x".repeat(1_000_000)).code, Some(2 | 4)));
    // Nor does a list, a key shown, or the server's log hold it.
    let seen = [
        fine(&house.server().run_cli(&["key", "show", &made.id, "--json"], "")),
        fine(&house.server().run_cli(&["key", "list", "--json"], "")),
        house.server().log().tail(),
    ];
    assert!(seen.iter().all(|text| !text.contains(made.secret.get(20..).unwrap())), "{seen:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let house = House::start();
    for at in 0..300 {
        house.create(&json!({"name": format!("key {at} {}", "n".repeat(200))}));
    }
    let mut command = house.home().command("sh");
    command
        .args(["-c", "\"$0\" key list --data \"$1\" | head -n 1 >/dev/null", BINARY])
        .arg(house.home().data());
    let ended = run(command, b"");
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    // All of them are listed, not the first page alone.
    let listed = json_of(&house.server().run_cli(&["key", "list", "--json"], ""));
    assert_eq!(listed.as_array().unwrap().len(), 300);
}

#[test]
fn many_commands_at_once_beside_a_server_all_get_through() {
    let house = House::start();
    std::thread::scope(|scope| {
        for at in 0..12 {
            let house = &house;
            scope.spawn(move || {
                let name = format!("n{at}");
                fine(&house.server().run_cli(&["key", "create", "--name", &name], ""));
            });
        }
    });
    assert_eq!(house.all_keys().len(), 12);
}

/// Help and usage as they are printed, one file a command; `TRYCMD=overwrite` writes them anew.
#[test]
fn help_and_usage_read_as_written_down() {
    trycmd::TestCases::new().default_bin_path(BINARY).case("tests/cmd/*.trycmd");
}

#[test]
fn a_secret_among_the_words_is_refused_and_not_repeated() {
    let house = House::start();
    let made = house.create(&json!({"name": "quiet"}));
    // Every user of the host can read the words of a process, and logs keep what is on stderr.
    for words in [
        &["verify", "--key", &made.secret][..],
        &["verify", &made.secret],
        &["key", "show", &made.secret],
    ] {
        let ended = house.server().run_cli(words, "");
        assert!(matches!(ended.code, Some(2 | 3)), "{ended:?}");
        assert!(!ended.stderr.contains(made.secret.get(20..).unwrap()), "{}", ended.stderr);
    }
}

/// Two jobs of one host that run at the same minute.
#[test]
fn many_commands_at_once_without_a_server_all_get_through() {
    let home = closed();
    std::thread::scope(|scope| {
        for at in 0..6 {
            let home = &home;
            scope.spawn(move || {
                fine(&home.run_cli(&["key", "create", "--name", &format!("n{at}")], ""))
            });
        }
    });
    let listed = json_of(&home.run_cli(&["key", "list", "--json"], ""));
    assert_eq!(listed.as_array().unwrap().len(), 6);
}
