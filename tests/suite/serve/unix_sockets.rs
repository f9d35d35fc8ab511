//! `unix:/PATH` as an address: a caller through the socket is treated as remote, and the file is
//! created, replaced and removed with care.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::deadlines::run_within;
use crate::server::{BINARY, Home, Log};
use crate::test_server::TestServer;

const REFUSED_WITHIN: Duration = Duration::from_secs(5);
const URL: &str = "https://keys.example.com";

/// A server whose main listener is a socket too.
struct Hidden {
    home: Arc<Home>,
    child: Child,
    log: Arc<Log>,
}

impl Hidden {
    fn start(home: &Arc<Home>) -> Self {
        let mut command = home.command(BINARY);
        command.arg("serve").arg("--data").arg(home.data()).args(["--public-url", URL]);
        command.arg("--admin-email").arg(crate::test_server::EMAIL);
        command.arg("--admin-password-file").arg(home.password_file());
        // The environment sets the first address, a flag the second.
        command.env("KEYHOUSE_LISTEN", at(&main_of(home)));
        command.args(["--check-listen", &at(&checks_of(home))]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        let hidden = Self { home: Arc::clone(home), child, log };
        for said in [
            format!("listening on {}", at(&main_of(home))),
            format!("checks on {}", at(&checks_of(home))),
        ] {
            assert!(hidden.log.wait_for(&said).is_some(), "{said}: {}", hidden.log.tail());
        }
        hidden
    }

    fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.log.tail());
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

fn main_of(home: &Home) -> PathBuf {
    home.folder().join("main.sock")
}

fn checks_of(home: &Home) -> PathBuf {
    home.folder().join("checks.sock")
}

fn at(path: &Path) -> String {
    format!("unix:{}", path.display())
}

/// Returns the status and the whole text of a response.
pub(super) fn ask(
    socket: &Path,
    method: &str,
    path: &str,
    lines: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let lines: Vec<_> = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = lines.concat();
    let mut stream = UnixStream::connect(socket).unwrap();
    let host = if lines.starts_with("Host:") { "" } else { "Host: keys.example.com\r\n" };
    let head = format!("{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n{lines}");
    let length =
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{length}{body}").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    (text.get(9..12).unwrap().parse().unwrap(), text)
}

fn assert_refused(home: &Home, args: &[&str], code: i32, words: &[&str]) {
    let mut command = home.command(BINARY);
    command.arg("serve").arg("--data").arg(home.data()).args(args);
    let ended = run_within(REFUSED_WITHIN, &mut command);
    assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not said: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("listening on"), "{}", ended.stderr);
}

#[test]
fn a_caller_through_a_socket_is_not_the_operator_on_the_host() {
    let home = Home::new();
    let hidden = Hidden::start(&home);
    let (main, checks) = (main_of(&home), checks_of(&home));
    let control = home.data().join("control.sock");
    let verify = json!({"key": "kh_nothing"}).to_string();
    let batch = json!({"requests": [{"key": "kh_nothing"}]}).to_string();
    for (method, path, body, on_checks) in [
        ("GET", "/v1/keys", "", 404),
        ("GET", "/v1/organizations", "", 404),
        ("GET", "/v1/users?organization=org_1", "", 404),
        ("POST", "/v1/keys", "{}", 404),
        ("POST", "/v1/verify", verify.as_str(), 401),
        ("POST", "/v1/verify/batch", batch.as_str(), 401),
        ("GET", "/v1/whoami", "", 401),
    ] {
        for lines in [
            &[][..],
            &[("X-Forwarded-For", "127.0.0.1")],
            &[("Cookie", "__Host-keyhouse=x; keyhouse=x")],
            &[("Host", "localhost")],
        ] {
            let (status, text) = ask(&main, method, path, lines, body);
            assert_eq!(status, 401, "main: {method} {path} {lines:?}: {text}");
            let body = text.split_once("\r\n\r\n").unwrap().1;
            let problem: Value = serde_json::from_str(body).unwrap();
            // Only management endpoints read a session cookie.
            let has_cookie = lines.iter().any(|(name, _)| *name == "Cookie");
            let reads_cookie = path != "/v1/whoami";
            let code = if has_cookie && reads_cookie { "session_ended" } else { "NO_CREDENTIAL" };
            assert_eq!(problem["code"], code, "main: {method} {path} {lines:?}: {text}");
            let (status, text) = ask(&checks, method, path, lines, body);
            assert_eq!(status, on_checks, "checks: {method} {path} {lines:?}: {text}");
        }
    }
    // These requests succeed on the control socket, so the refusals above have no other cause.
    for (method, path, body, status) in [
        ("GET", "/v1/keys", "", 200),
        ("GET", "/v1/organizations", "", 200),
        ("POST", "/v1/verify", verify.as_str(), 200),
        ("POST", "/v1/verify/batch", batch.as_str(), 200),
    ] {
        let (said, text) = ask(&control, method, path, &[], body);
        assert_eq!(said, status, "control: {method} {path}: {text}");
    }
    hidden.stop();
}

#[test]
fn a_proxy_on_a_socket_must_send_the_client_address() {
    let home = Home::new();
    let hidden = Hidden::start(&home);
    let made = home.run_cli(&["key", "create", "--name", "proxied", "--permission", "*"], "");
    let bearer = format!("Bearer {}", made.stdout.trim());
    let whole = [
        ("Authorization", bearer.as_str()),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example.com"),
        ("X-Forwarded-Uri", "/orders"),
        ("X-Forwarded-For", "192.0.2.1"),
    ];
    for socket in [main_of(&home), checks_of(&home)] {
        let path = "/v1/forward-auth/default";
        let (status, text) = ask(&socket, "GET", path, &whole, "");
        assert_eq!(status, 200, "{text}");
        let (status, text) = ask(&socket, "GET", path, &whole[..5], "");
        assert_eq!(status, 403, "{text}");
        assert!(text.contains("REQUEST_REFUSED"), "{text}");
        // The check endpoint for Envoy returns the same decision.
        let path = "/v1/ext-authz/default/orders";
        let (status, text) = ask(&socket, "GET", path, &[whole[0]], "");
        assert_eq!(status, 403, "{text}");
        let (status, text) = ask(&socket, "GET", path, &[whole[0], whole[5]], "");
        assert_eq!(status, 200, "{text}");
    }
    hidden.stop();
}

#[test]
fn guesses_through_a_socket_are_throttled_with_and_without_an_address() {
    let home = Home::new();
    let hidden = Hidden::start(&home);
    // Without a client address, the guesses of all clients count together with a loose limit, and
    // each account has its own limit.
    for (lines, accounts) in [(&[][..], 1), (&[("X-Forwarded-For", "192.0.2.9")], 70)] {
        let statuses: Vec<_> = (0..70)
            .map(|number| {
                let email = format!("guest{}of{accounts}@example.com", number % accounts);
                let body = json!({"email": email, "password": "wrong wrong wrong"}).to_string();
                ask(&main_of(&home), "POST", "/v1/session", lines, &body).0
            })
            .collect();
        assert_eq!(statuses.first(), Some(&401), "{statuses:?}");
        assert!(statuses.contains(&429), "{lines:?}: {statuses:?}");
    }
    hidden.stop();
}

#[test]
fn the_socket_is_open_to_user_and_group_and_removed_at_the_end() {
    let home = Home::new();
    let folder = home.folder().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let hidden = Hidden::start(&home);
    for path in [main_of(&home), checks_of(&home)] {
        let found = fs::symlink_metadata(&path).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o7777, 0o660);
    }
    // A second server with its own data does not change the sockets of the first server.
    let other = Home::new();
    let taken = at(&checks_of(&home));
    let args = ["--listen", "127.0.0.1:0", "--check-listen", &taken];
    assert_refused(&other, &args, 5, &["in use", "checks.sock"]);
    assert_eq!(ask(&checks_of(&home), "GET", "/readyz", &[], "").0, 200);
    hidden.stop();
    assert!(!main_of(&home).exists() && !checks_of(&home).exists());

    // The file of a killed server is replaced.
    let mut killed = Hidden::start(&home);
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    assert!(main_of(&home).exists() && checks_of(&home).exists());
    drop(killed);
    let again = Hidden::start(&home);
    assert_eq!(ask(&main_of(&again.home), "GET", "/readyz", &[], "").0, 200);
    // A stopping server does not remove a socket file that belongs to another server.
    fs::remove_file(checks_of(&home)).unwrap();
    let _another = UnixListener::bind(checks_of(&home)).unwrap();
    again.stop();
    assert!(!main_of(&home).exists() && checks_of(&home).exists());
}

#[test]
fn an_invalid_socket_or_path_is_rejected() {
    let home = Home::new();
    let folder = home.folder();
    let listen = ["--listen", "127.0.0.1:0", "--check-listen"];
    let file = folder.join("precious");
    File::create(&file).unwrap().write_all(b"words").unwrap();
    let dead = folder.join("dead.sock");
    drop(UnixListener::bind(&dead).unwrap());
    let (link, dangling) = (folder.join("link"), folder.join("dangling"));
    std::os::unix::fs::symlink(&dead, &link).unwrap();
    std::os::unix::fs::symlink(folder.join("nowhere"), &dangling).unwrap();
    for path in [file.as_path(), &link, &dangling, folder] {
        let at = at(path);
        assert_refused(
            &home,
            &[&listen[..], &[&at]].concat(),
            5,
            &["is not a socket", path.to_str().unwrap()],
        );
    }
    assert_eq!(fs::read(&file).unwrap(), b"words");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && dead.exists());
    assert!(!folder.join("nowhere").exists());

    let missing = at(&folder.join("no/folder.sock"));
    assert_refused(&home, &[&listen[..], &[&missing]].concat(), 1, &["no/folder.sock"]);
    let control = at(&home.data().join("control.sock"));
    assert_refused(&home, &[&listen[..], &[&control]].concat(), 5, &["in use"]);
    let twice = at(&main_of(&home));
    let args = ["--listen", &twice, "--check-listen", &twice, "--public-url", URL];
    assert_refused(&home, &args, 5, &["in use"]);
    assert!(!main_of(&home).exists(), "what was opened is closed again");
    let long = format!("unix:/{}", "x".repeat(100));
    for (args, words) in [
        (&["--listen", &twice][..], &["--public-url"][..]),
        (&["--check-listen", &long], &["check-listen", "100 bytes"]),
        (&["--check-listen", "unix:checks.sock"], &["check-listen", "absolute path"]),
        (&["--check-listen", "0.0.0.0:0"], &["--trusted-proxy", "--allow-plain-http"]),
    ] {
        assert_refused(&home, args, 2, words);
    }
}

#[test]
fn the_settings_file_accepts_sockets_and_a_remote_check_listener_needs_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("checks.sock");
    let instance = TestServer::start_with_settings(&format!("check_listen = {:?}\n", at(&socket)));
    assert_eq!(ask(&socket, "GET", "/readyz", &[], "").0, 200);
    assert_eq!(ask(&socket, "GET", "/v1/session", &[("Cookie", instance.cookie())], "").0, 404);
    let args = ["--check-listen", "0.0.0.0:0", "--trusted-proxy", "127.0.0.0/8"];
    let beyond = TestServer::start_with(&args);
    assert!(beyond.server().log().wait_for("checks on http://0.0.0.0:").is_some());
}
