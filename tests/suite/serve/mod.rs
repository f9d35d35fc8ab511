//! `keyhouse serve`: starting, errors at start, and stopping.

mod check_listen;
mod clock;
mod lifecycle;
mod logs;
mod public_name;
mod restart;
mod run_script;
mod starting;
mod supervised;
mod unix_sockets;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::deadlines::run_within;
use crate::server::{BINARY, Ended, Home, Launch, Server, bytes_of};
use crate::test_server::{TestServer, serve_empty, write_settings};

/// Maximum time until a start fails.
const REFUSED_WITHIN: Duration = Duration::from_secs(1);
/// Maximum time until a start fails that first reads the whole file.
const CHECKED_WITHIN: Duration = Duration::from_secs(10);

fn assert_refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert_eq!(ended.stdout, "", "stdout is data");
    let stderr = ended.stderr.to_lowercase();
    for word in words {
        assert!(stderr.contains(&word.to_lowercase()), "{word:?} is missing: {}", ended.stderr);
    }
    for noise in ["panicked", "RUST_BACKTRACE", "Err("] {
        assert!(!ended.stderr.contains(noise), "{}", ended.stderr);
    }
}

#[test]
fn a_second_server_on_the_same_data_fails_and_names_the_first() {
    let instance = TestServer::start();
    let ended = run_within(REFUSED_WITHIN, &mut serve_empty(instance.home()));
    let process = instance.server().id().to_string();
    assert_refused(&ended, 5, &[&process, instance.home().data().to_str().unwrap()]);
    instance.ask(&Ask::get("/v1/session")).expect(200);
    // A symbolic link to the directory names the same directory.
    let link = instance.home().folder().join("link");
    std::os::unix::fs::symlink(instance.home().data(), &link).unwrap();
    let mut command = instance.home().command(BINARY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&link);
    let ended = run_within(REFUSED_WITHIN, &mut command);
    assert_refused(&ended, 5, &[&process]);
    instance.create(&json!({"name": "still here"}));
}

#[test]
fn a_file_with_a_flipped_byte_is_rejected_and_not_changed() {
    let mut instance = TestServer::start();
    for _ in 0..50 {
        instance.create(&json!({"description": "d".repeat(500)}));
    }
    let name = "a-name-to-be-found-again-in-the-file";
    instance.create(&json!({"name": name}));
    instance.stop();
    // Free pages contain stale copies of keys. A compacted file has none.
    assert_eq!(instance.home().run_cli(&["compact"], "").code, Some(0));
    let file = store_file(instance.home());
    let good = bytes_of(&file);
    let places = places_of(&good, name);
    assert!(!places.is_empty(), "the name is not in {}", file.display());
    for at in places {
        for offset in [0, 5] {
            let mut bad = good.clone();
            bad[at + offset] ^= 0x04;
            fs::write(&file, &bad).unwrap();
            let ended = run_within(CHECKED_WITHIN, &mut serve_empty(instance.home()));
            assert_refused(&ended, 1, &["keyhouse restore", file.to_str().unwrap()]);
            assert!(bytes_of(&file) == bad, "the file was changed");
            assert_eq!(mode_of(&file), 0o600);
        }
    }
    fs::write(&file, &good).unwrap();
    instance.restart();
    assert_eq!(instance.all_keys().len(), 51);
}

#[test]
fn a_file_that_is_not_a_store_is_rejected_and_not_changed() {
    let mut instance = TestServer::start();
    instance.create(&json!({"name": "lost"}));
    instance.stop();
    let file = store_file(instance.home());
    let good = bytes_of(&file);
    for (claim, bytes) in [
        ("empty", Vec::new()),
        ("cut in half", good[..good.len() / 2].to_vec()),
        ("cut by a byte", good[..good.len() - 1].to_vec()),
        ("another kind of file", b"SQLite format 3\0".repeat(500)),
        ("zeros", vec![0; good.len()]),
        ("without its beginning", [vec![0; 4096], good[4096..].to_vec()].concat()),
    ] {
        fs::write(&file, &bytes).unwrap();
        let ended = run_within(CHECKED_WITHIN, &mut serve_empty(instance.home()));
        assert!(!ended.stderr.contains("listening on"), "{claim}: {}", ended.stderr);
        assert_refused(&ended, 1, &[file.to_str().unwrap()]);
        assert!(bytes_of(&file) == bytes, "{claim}: the file was changed");
    }
}

#[test]
fn data_that_others_can_access_is_rejected() {
    let mut instance = TestServer::start();
    instance.stop();
    let (data, file) = (instance.home().data(), store_file(instance.home()));
    for (path, mode, proper) in
        [(&data, 0o750, 0o700), (&data, 0o701, 0o700), (&file, 0o640, 0o600), (&file, 0o602, 0o600)]
    {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let ended = run_within(REFUSED_WITHIN, &mut serve_empty(instance.home()));
        assert_refused(&ended, 1, &[path.to_str().unwrap(), &format!("{proper:o}")]);
        let offline = instance.home().run_cli(&["key", "list"], "");
        assert_refused(&offline, 1, &[path.to_str().unwrap()]);
        assert_eq!(mode_of(path), mode, "the server does not change the mode");
        fs::set_permissions(path, Permissions::from_mode(proper)).unwrap();
    }
    instance.restart();
}

#[test]
fn data_is_private_to_its_user_whatever_the_umask() {
    let home = Home::new();
    let wrapper = ["sh", "-c", "umask 000; exec \"$0\" \"$@\""];
    let server = Server::launch(&Launch { home: &home, wrapper: &wrapper, args: &[] }).unwrap();
    server.sign_in().make_key(&json!({"name": "private"}));
    assert_eq!(mode_of(&home.data()), 0o700);
    for entry in fs::read_dir(home.data()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode_of(&path) & 0o077, 0, "{}", path.display());
    }
    // The file contains no secret or password in plain text.
    let secret = server.sign_in().make_key(&json!({"name": "x"})).secret;
    server.stop();
    let bytes = bytes_of(&store_file(&home));
    assert!(places_of(&bytes, secret.get(13..).unwrap()).is_empty());
    assert!(places_of(&bytes, crate::test_server::PASSWORD).is_empty());
}

#[test]
fn a_public_address_needs_a_public_url_and_a_proxy() {
    for (claim, args, words) in [
        ("without a name", &["--listen", "0.0.0.0:0"][..], &["--public-url"][..]),
        (
            "without a proxy",
            &["--listen", "0.0.0.0:0", "--public-url", "https://keys.example.com"],
            &["--trusted-proxy", "--allow-plain-http"],
        ),
        ("IPv6", &["--listen", "[::]:0"], &["--public-url"]),
        (
            "plain http on a public address",
            &[
                "--listen",
                "0.0.0.0:0",
                "--public-url",
                "http://keys.example.com",
                "--trusted-proxy",
                "10.0.0.0/8",
            ],
            &["--allow-plain-http"],
        ),
        (
            "plain http on loopback",
            &["--listen", "127.0.0.1:0", "--public-url", "http://keys.example.com"],
            &["--allow-plain-http"],
        ),
        (
            "no url",
            &["--listen", "127.0.0.1:0", "--public-url", "keys.example.com"],
            &["public-url"],
        ),
        (
            "a url with a path",
            &["--listen", "127.0.0.1:0", "--public-url", "https://keys.example.com/a?b#c"],
            &["public-url"],
        ),
        (
            "a url with a password",
            &["--listen", "127.0.0.1:0", "--public-url", "https://a:b@keys.example.com"],
            &["public-url"],
        ),
        ("no address", &["--listen", "localhost"], &["listen", "localhost"]),
        (
            "no network",
            &["--listen", "127.0.0.1:0", "--trusted-proxy", "10.0.0.1/8"],
            &["trusted-proxy"],
        ),
    ] {
        let home = Home::new();
        let mut command = home.command(BINARY);
        command.arg("serve").arg("--data").arg(home.data()).args(args);
        let ended = run_within(REFUSED_WITHIN, &mut command);
        assert_refused(&ended, 2, words);
        assert!(
            !home.data().exists(),
            "{claim}: the directory was created in spite of invalid settings"
        );
    }
}

#[test]
fn all_faults_of_the_settings_are_reported_at_once() {
    let home = Home::new();
    write_settings(
        &home,
        "public_url = \"ftp://x\"\nkey_prefix = \"KH\"\n[limits]\nhead_timeout = \"soon\"\n",
    );
    let mut command = home.command(BINARY);
    command.arg("serve").arg("--data").arg(home.data()).args(["--listen", "nowhere"]);
    let ended = run_within(REFUSED_WITHIN, command.env("KEYHOUSE_TRUSTED_PROXY", "10.0.0.0.0"));
    assert_refused(
        &ended,
        2,
        &["ftp://x", "KH", "head_timeout", "nowhere", "10.0.0.0.0", "keyhouse.toml", "environment"],
    );
}

#[test]
fn an_owner_without_a_password_file_or_terminal_is_rejected() {
    let home = Home::new();
    let mut command = serve_empty(&home);
    command.args(["--admin-email", "ada@example.com"]);
    let ended = run_within(REFUSED_WITHIN, &mut command);
    assert_refused(&ended, 2, &["--admin-password-file"]);
    let missing = home.folder().join("missing");
    let short = home.folder().join("short");
    fs::write(&short, "short").unwrap();
    fs::set_permissions(&short, Permissions::from_mode(0o600)).unwrap();
    for (path, email, code, word) in [
        (&missing, "ada@example.com", 1, "missing"),
        (&short, "ada@example.com", 2, "15"),
        (&home.password_file(), "ada", 2, "email"),
    ] {
        let mut command = serve_empty(&home);
        command.args(["--admin-email", email, "--admin-password-file"]).arg(path);
        assert_refused(&run_within(CHECKED_WITHIN, &mut command), code, &[word]);
    }
}

#[test]
fn an_owner_of_an_instance_that_is_set_up_is_ignored_with_a_message() {
    let mut instance = TestServer::start();
    instance.restart();
    assert!(
        instance.server().log().tail().contains("admin-email"),
        "{}",
        instance.server().log().tail()
    );
    instance.sign_in();
}

#[test]
fn a_port_in_use_is_reported_with_its_address() {
    let (instance, home) = (TestServer::start(), Home::new());
    let address = instance.address().to_string();
    let mut command = home.command(BINARY);
    command.arg("serve").arg("--data").arg(home.data()).args(["--listen", &address]);
    assert_refused(&run_within(REFUSED_WITHIN, &mut command), 1, &[&address, "in use"]);
}

#[test]
fn a_stopping_server_finishes_requests_and_stores_the_last_use() {
    let mut instance = TestServer::start();
    let made = instance.create(&json!({"name": "used"}));
    let ask = Ask::forward_auth(&made.secret).header("User-Agent", "curl/8.0");
    assert_eq!(instance.bare(&ask).status, 200);
    let used = instance.key(&made.id)["last_used"].clone();
    assert_eq!(used["ip"], "192.0.2.7", "{used}");
    // An idle connection does not delay the stop. A request in progress is finished.
    let idle = instance.connect();
    let mut half = instance.connect();
    let body = json!({"name": "made while stopping"}).to_string();
    let head = format!(
        "POST /v1/keys HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        instance.address(),
        instance.cookie(),
        body.len()
    );
    half.0.send(format!("{head}{}", body.get(..5).unwrap()).as_bytes()).unwrap();
    assert_eq!(instance.bare(&Ask::get("/readyz")).status, 200);
    let finisher = std::thread::Builder::new().name("finisher".to_owned());
    let rest = body.get(5..).unwrap().to_owned();
    let finisher = finisher
        .spawn(move || {
            half.0.send(rest.as_bytes()).unwrap();
            half.0.read()
        })
        .unwrap();
    instance.stop();
    let response = finisher.join().unwrap();
    drop(idle);
    instance.restart();
    assert_eq!(instance.key(&made.id)["last_used"], used);
    // The key exists exactly if the server returned 201.
    let names: Vec<_> = instance.all_keys().iter().map(|key| key["name"].clone()).collect();
    let made_while_stopping = names.iter().any(|name| name == "made while stopping");
    assert_eq!(response.is_ok_and(|answer| answer.status == 201), made_while_stopping, "{names:?}");
}

#[test]
fn keys_survive_a_restart_and_a_crash_unchanged() {
    let mut instance = TestServer::start();
    let made = instance.create(
        &json!({"name": "kept", "permissions": ["a:b"], "ip_rules": {"allow": ["192.0.2.0/24"]}}),
    );
    let before = instance.key(&made.id);
    instance.restart();
    assert_eq!(instance.key(&made.id), before);
    assert_eq!(instance.bare(&Ask::forward_auth(&made.secret)).status, 200);
    instance.kill();
    instance.restart();
    assert_eq!(instance.bare(&Ask::forward_auth(&made.secret)).status, 200);
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Returns the store, which is the largest file in the data directory.
fn store_file(home: &Home) -> PathBuf {
    let files = fs::read_dir(home.data()).unwrap().map(|entry| entry.unwrap());
    let largest = files
        .filter(|it| it.metadata().unwrap().is_file())
        .max_by_key(|it| it.metadata().unwrap().len());
    largest.unwrap().path()
}

/// Returns the positions of a text in a file.
fn places_of(bytes: &[u8], text: &str) -> Vec<usize> {
    let windows = bytes.windows(text.len()).enumerate();
    windows.filter(|(_, window)| *window == text.as_bytes()).map(|(at, _)| at).collect()
}

#[test]
fn help_and_version_need_no_store() {
    let home = Home::new();
    for args in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        let mut command: Command = home.command(BINARY);
        let ended = run_within(REFUSED_WITHIN, command.args(args));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(ended.stdout.contains("keyhouse"), "{args:?}");
    }
    assert!(!home.data().exists());
}

#[test]
fn all_faults_of_the_settings_file_are_reported_at_once() {
    for (settings, words) in [
        ("listen = \n", &["keyhouse.toml", "1"][..]),
        ("typo = 1\nlisten = 7\n", &["keyhouse.toml", "typo", "listen"]),
        (
            "listen = \"nowhere\"\n[limits]\nheaders_max = -1\n",
            &["keyhouse.toml", "nowhere", "headers_max"],
        ),
    ] {
        let home = Home::new();
        write_settings(&home, settings);
        let mut command = home.command(BINARY);
        let ended = run_within(REFUSED_WITHIN, command.arg("serve").arg("--data").arg(home.data()));
        assert_refused(&ended, 2, words);
    }
}

#[test]
fn every_file_of_the_data_has_mode_600() {
    let instance = TestServer::start();
    for entry in fs::read_dir(instance.home().data()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode_of(&path), 0o600, "{}", path.display());
    }
}

/// A terminal that runs the server.
struct Terminal {
    child: std::process::Child,
    keyboard: std::process::ChildStdin,
    screen: std::process::ChildStdout,
    seen: String,
}

impl Terminal {
    fn open(home: &Home) -> Self {
        let serve = format!(
            "exec {BINARY} serve --data {} --listen 127.0.0.1:0 --admin-email ada@example.com",
            home.data().display()
        );
        let mut command = home.command("script");
        command.args(["--quiet", "--return", "--command", &serve, "/dev/null"]);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (keyboard, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, keyboard, screen, seen: String::new() }
    }

    /// Reads the screen until it shows `words`.
    fn until(&mut self, words: &str) {
        let mut bytes = [0; 512];
        while !self.seen.contains(words) {
            let read = std::io::Read::read(&mut self.screen, &mut bytes).unwrap();
            assert!(read > 0, "{words:?} is missing: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    }

    fn answer(&mut self, prompt: &str, text: &str) {
        self.until(prompt);
        std::io::Write::write_all(&mut self.keyboard, format!("{text}\n").as_bytes()).unwrap();
    }

    fn end(mut self) -> (Option<i32>, String) {
        drop(std::io::Read::read_to_end(&mut self.screen, &mut Vec::new()));
        (self.child.wait().unwrap().code(), self.seen)
    }
}

#[test]
fn the_password_of_the_owner_is_read_twice_from_a_terminal() {
    let home = Home::new();
    let mut terminal = Terminal::open(&home);
    terminal.answer("Password of the owner", "a long enough passphrase");
    terminal.answer("Repeat the password", "a long enough passphrase");
    terminal.until("created ada@example.com as owner and operator");
    terminal.until("listening on");
    std::io::Write::write_all(&mut terminal.keyboard, b"\x03").unwrap();
    terminal.until("stopping");
    let (code, seen) = terminal.end();
    assert_eq!(code, Some(0), "{seen}");
}

#[test]
fn two_different_passwords_create_no_owner() {
    let home = Home::new();
    let mut terminal = Terminal::open(&home);
    terminal.answer("Password of the owner", "a long enough passphrase");
    terminal.answer("Repeat the password", "a different passphrase");
    terminal.until("differ");
    assert_eq!(terminal.end().0, Some(2));
}
