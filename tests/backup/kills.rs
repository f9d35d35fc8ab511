//! A restore or a compaction that is killed at any moment leaves the old store or the new one,
//! complete, and the next opening removes what it left.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use serde_json::{Value, json};

use crate::report;
use crate::server::is_long;
use crate::server::{BINARY, Home, Server};

/// Keys of the instance that is restored, so that a restore takes a while.
const KEYS: usize = 3_000;
const OLD: &str = "the old store";
const NEW: &str = "the new store";

fn kills() -> usize {
    if is_long() { 50 } else { 8 }
}

#[test]
fn a_killed_restore_leaves_the_old_store_or_the_new_one() {
    let home = home_with_backups();
    let took = time_of(&home, &["restore", "new.khb", "--replace"]);
    let (mut olds, mut news) = (0, 0);
    for kill in 0..kills() {
        restore(&home, "old.khb");
        let killed = kill_within(&home, &["restore", "new.khb", "--replace"], took);
        // The old store is in its place or kept, and never lost.
        let expected = match state(&home) {
            Some(OLD) => {
                olds += 1;
                0
            },
            Some(NEW) => {
                news += 1;
                1
            },
            other => panic!("kill {kill}: {other:?}"),
        };
        let kept = files(&home, "keyhouse.redb.before-");
        assert_eq!(kept.len(), expected, "kill {kill}, {killed}: {kept:?}");
        restore(&home, "new.khb");
        assert_eq!(state(&home), Some(NEW));
        assert_eq!(files(&home, "keyhouse.redb.new"), Vec::<PathBuf>::new(), "kill {kill}");
        remove_replaced(&home);
    }
    report(&format!("{} kills of {took:?}: {olds} left the old store, {news} the new", kills()));
}

#[test]
fn a_killed_restore_into_a_new_directory_leaves_nothing_or_the_new_store() {
    let home = home_with_backups();
    let clear = || fs::remove_dir_all(home.data()).unwrap();
    clear();
    let took = time_of(&home, &["restore", "new.khb"]);
    let (mut nothing, mut news) = (0, 0);
    for kill in 0..kills() {
        clear();
        kill_within(&home, &["restore", "new.khb"], took);
        if files(&home, "keyhouse.redb").iter().any(|file| file.ends_with("keyhouse.redb")) {
            assert_eq!(state(&home), Some(NEW), "kill {kill}");
            news += 1;
        } else {
            let ended = home.run_cli(&["restore", "new.khb"], "");
            assert_eq!(ended.code, Some(0), "kill {kill}: {ended:?}");
            assert_eq!(state(&home), Some(NEW), "kill {kill}");
            nothing += 1;
        }
        assert_eq!(files(&home, "keyhouse.redb.new"), Vec::<PathBuf>::new(), "kill {kill}");
    }
    report(&format!("{} kills of {took:?}: {nothing} left nothing, {news} the new store", kills()));
}

#[test]
fn a_killed_compaction_leaves_a_complete_store() {
    let home = home_with_backups();
    let took = time_of(&home, &["compact"]);
    for kill in 0..kills() {
        let killed = kill_within(&home, &["compact"], took);
        assert_eq!(state(&home), Some(NEW), "kill {kill}, {killed}");
        assert_eq!(files(&home, "keyhouse.redb").len(), 1, "kill {kill}, {killed}");
    }
}

/// A home with two backups, `old.khb` and `new.khb`, of instances with a gate of their name.
fn home_with_backups() -> Arc<Home> {
    let home = Home::new();
    let server = Server::start_in(&home, &[]);
    let session = server.sign_in();
    let made = session.ask("POST", "/v1/roles", &json!({"name": OLD, "permissions": ["a:b"]}));
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    backup(&home, "old.khb");
    for step in 0..KEYS / 500 {
        let key = |at: usize| json!({"key": format!("import-{step}-{at}-0123456789abcdef")});
        let keys: Vec<Value> = (0..500).map(key).collect();
        let made = session.ask("POST", "/v1/keys/import", &json!({ "keys": keys }));
        assert_eq!(made.status, 201, "{}", made.body);
    }
    let renamed = session.ask("PATCH", &format!("/v1/roles/{id}"), &json!({ "name": NEW }));
    assert_eq!(renamed.status, 200, "{}", renamed.body);
    backup(&home, "new.khb");
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    home
}

fn backup(home: &Home, file: &str) {
    let ended = home.run_cli(&["backup", file], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn restore(home: &Home, file: &str) {
    let ended = home.run_cli(&["restore", file, "--replace"], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    remove_replaced(home);
}

/// Which of the two instances the store is, found by a command that opens and reads all of it.
fn state(home: &Home) -> Option<&'static str> {
    let ended = home.run_cli(&["check"], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = home.run_cli(&["role", "list", "--json"], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let roles: Value = serde_json::from_str(&ended.stdout).unwrap();
    let has = |name: &str| roles.as_array().unwrap().iter().any(|role| role["name"] == name);
    [OLD, NEW].into_iter().find(|name| has(name))
}

/// Removes the stores that a restore has replaced.
fn remove_replaced(home: &Home) {
    for file in files(home, "keyhouse.redb.before-") {
        fs::remove_file(file).unwrap();
    }
}

fn files(home: &Home, start: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.data()).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    let has_start = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(start);
    paths.filter(has_start).collect()
}

fn spawn(home: &Home, args: &[&str]) -> Child {
    let mut command = home.command(BINARY);
    command.args(args).arg("--data").arg(home.data());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn time_of(home: &Home, args: &[&str]) -> Duration {
    let begun = Instant::now();
    assert!(spawn(home, args).wait().unwrap().success());
    begun.elapsed()
}

/// Kills a command at a random moment of its usual time. Returns the moment as text.
fn kill_within(home: &Home, args: &[&str], usual: Duration) -> String {
    let moment = usual.mul_f64(rand::rng().random_range(0.0..1.3));
    let mut child = spawn(home, args);
    let begun = Instant::now();
    while begun.elapsed() < moment {
        thread::park_timeout(moment.saturating_sub(begun.elapsed()));
    }
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    format!("{moment:?} of {usual:?}, {ended}")
}
