//! A real `keyhouse serve` for tests: it runs in its own folder, receives requests over raw sockets, and is
//! stopped by its process id.
//!
//! This file deliberately uses no HTTP library: tests choose every byte of a request, including repeated and
//! malformed lines. Include this file with `#[path = "../server/mod.rs"] mod server;`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken fixture should stop its test"
)]
#![allow(dead_code, reason = "each test program uses its own part of the fixture")]

pub(crate) mod wire;

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use wire::{Answer, Connection};

/// The binary under test: the one that cargo names for tests of this package, or the debug build for tests
/// of other packages.
pub(crate) const BINARY: &str = match option_env!("CARGO_BIN_EXE_keyhouse") {
    Some(path) => path,
    None => concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/debug/keyhouse"),
};
/// The checkout.
pub(crate) const CHECKOUT: &str = match option_env!("CARGO_BIN_EXE_keyhouse") {
    Some(_) => env!("CARGO_MANIFEST_DIR"),
    None => concat!(env!("CARGO_MANIFEST_DIR"), "/../.."),
};
/// The email address of the first owner, who is also operator.
pub(crate) const ADMIN_EMAIL: &str = "ada@example.com";
/// The first owner's password.
pub(crate) const ADMIN_PASSWORD: &str = "correct horse battery staple 17";
/// The `PATH` of started programs, which receive no other variable of the environment.
pub(crate) const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const LINE_WAIT_MAX: Duration = Duration::from_secs(30);
const READY_TRIES_MAX: usize = 2_000;
const LOG_LINES_SHOWN_MAX: usize = 40;

/// A folder for one store. The folder outlives the servers that use it.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
}

/// How a server is started: the store, the arguments before the program (`prlimit`, `--nofile=64`), the arguments
/// after `serve`.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) home: &'a Arc<Home>,
    pub(crate) wrapper: &'a [&'a str],
    pub(crate) args: &'a [&'a str],
}

/// A running server. Dropping the value kills the process.
#[derive(Debug)]
pub(crate) struct Server {
    home: Arc<Home>,
    child: Child,
    address: SocketAddr,
    log: Arc<Log>,
}

/// The exit status and output of an ended program.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A signed-in user: the session's cookie and the server's address.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) address: SocketAddr,
    pub(crate) cookie: String,
}

/// A created key, from the response to its creation.
#[derive(Debug, Clone)]
pub(crate) struct MadeKey {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// The lines a started program has written on stderr so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    state: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    ended: bool,
}

impl Home {
    /// Creates a folder with the first owner's password file and without a store.
    pub(crate) fn new() -> Arc<Self> {
        Self::below(&std::env::temp_dir())
    }

    /// Like [`Self::new`], in the target directory. `./test` keeps other folders in memory, where a commit is too fast
    /// to be interrupted.
    pub(crate) fn on_disk() -> Arc<Self> {
        Self::below(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    fn below(parent: &Path) -> Arc<Self> {
        let folder = tempfile::Builder::new().prefix("keyhouse-").tempdir_in(parent);
        let folder = folder.expect("a folder for the test");
        let home = Self { folder };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(home.password_file())
            .expect("the password file");
        writeln!(file, "{ADMIN_PASSWORD}").expect("the password");
        Arc::new(home)
    }

    /// Returns the folder around the data directory, for a test's own files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the value for `--data`.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns the value for `--admin-password-file`.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.folder.path().join("admin-password")
    }

    /// Returns a command with a clean environment, whose home is this folder.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", SEARCH_PATH).env("HOME", self.folder.path());
        // Tests send more changes as one actor than the limit allows.
        command.env("KEYHOUSE_CHANGE_RATE", "off").current_dir(self.folder.path());
        command
    }

    /// Runs `keyhouse ARGS --data DIR` to its end, with `stdin` as its whole input.
    pub(crate) fn run_cli(&self, args: &[&str], stdin: &str) -> Ended {
        let mut command = self.command(binary());
        command.args(args).arg("--data").arg(self.data());
        run(command, stdin.as_bytes())
    }
}

impl Server {
    /// Starts a server on a new store.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server on a new store with more arguments after `serve`.
    pub(crate) fn start_with(args: &[&str]) -> Self {
        Self::start_in(&Home::new(), args)
    }

    /// Starts a server on the store in `home`, which may be new or written by an earlier server.
    pub(crate) fn start_in(home: &Arc<Home>, args: &[&str]) -> Self {
        Self::launch(&Launch { home, wrapper: &[], args })
            .unwrap_or_else(|ended| panic!("keyhouse serve did not start: {ended:?}"))
    }

    /// Starts a server with these options and waits until it is ready. Returns the output if the
    /// server ended instead.
    pub(crate) fn launch(how: &Launch<'_>) -> Result<Self, Ended> {
        Self::launch_command(how.home, serve_command(how))
    }

    /// Starts a server with a command that runs `keyhouse serve` on the store in `home`, and waits until the server is
    /// ready.
    pub(crate) fn launch_command(home: &Arc<Home>, mut command: Command) -> Result<Self, Ended> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self::follow(home, command.spawn().expect("keyhouse serve can be started"))
    }

    /// Waits until a started server, whose stderr is piped, is ready.
    pub(crate) fn follow(home: &Arc<Home>, mut child: Child) -> Result<Self, Ended> {
        let log = Log::follow(child.stderr.take().expect("stderr is piped"));
        let listening = log.wait_for("listening on http://");
        let Some(line) = listening else {
            let _killed = child.kill();
            let status = child.wait().expect("keyhouse serve can be waited for");
            return Err(Ended { code: status.code(), stdout: String::new(), stderr: log.tail() });
        };
        let server = Self { home: Arc::clone(home), child, address: address_in(&line), log };
        server.wait_until_ready();
        Ok(server)
    }

    /// Returns the address on which the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `http://ADDRESS`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the folder that contains the store.
    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Returns the server's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the server's stderr.
    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Runs `keyhouse ARGS --data DIR` while the server runs.
    pub(crate) fn run_cli(&self, args: &[&str], stdin: &str) -> Ended {
        self.home.run_cli(args, stdin)
    }

    /// Sends one request on its own connection.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        Connection::open(self.address).ask(method, path, headers, body.as_bytes())
    }

    /// Sends one request with a JSON body, or without a body for `Value::Null`.
    pub(crate) fn ask_json(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        ask_json(self.address, method, path, headers, body)
    }

    /// Signs in the first owner.
    pub(crate) fn sign_in(&self) -> Session {
        Session::sign_in(self.address, ADMIN_EMAIL, ADMIN_PASSWORD)
    }

    /// Kills the server without warning, as in a power cut.
    pub(crate) fn kill(mut self) -> ExitStatus {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server can be waited for")
    }

    /// Stops the server with SIGTERM, waits for its end, and returns its output and exit code.
    pub(crate) fn stop(mut self) -> Ended {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::TERM).expect("the server can be signalled");
        let status = self.child.wait().expect("the server can be waited for");
        self.log.wait_for_end();
        Ended { code: status.code(), stdout: String::new(), stderr: self.log.tail() }
    }

    fn wait_until_ready(&self) {
        for _ in 0..READY_TRIES_MAX {
            if self.ask("GET", "/readyz", &[], "").status == 200 {
                return;
            }
        }
        panic!("never ready; stderr ends with:\n{}", self.log.tail());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
        if thread::panicking() {
            let mut stderr = std::io::stderr().lock();
            let _written = writeln!(stderr, "the server's stderr ended with:\n{}", self.log.tail());
        }
    }
}

impl Session {
    /// Signs in with a password.
    pub(crate) fn sign_in(address: SocketAddr, email: &str, password: &str) -> Self {
        let body = json!({ "email": email, "password": password });
        let answer = ask_json(address, "POST", "/v1/session", &[], &body);
        assert_eq!(answer.status, 201, "sign in: {answer:?}");
        let set_cookie = answer.header("set-cookie").expect("a session cookie");
        let cookie = set_cookie.split(';').next().unwrap_or_default().to_owned();
        Self { address, cookie }
    }

    /// Sends one request in this session, with a JSON body, or without a body for `Value::Null`.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        ask_json(self.address, method, path, &[("Cookie", &self.cookie)], body)
    }

    /// Creates a key from the fields of `POST /v1/keys`.
    pub(crate) fn make_key(&self, fields: &Value) -> MadeKey {
        let answer = self.ask("POST", "/v1/keys", fields);
        assert_eq!(answer.status, 201, "make a key: {answer:?}");
        let made = answer.json();
        let text =
            |value: Option<&Value>| value.and_then(Value::as_str).expect("a text").to_owned();
        MadeKey { id: text(made.pointer("/key/id")), secret: text(made.get("secret")) }
    }

    /// Revokes a key.
    pub(crate) fn revoke(&self, id: &str) {
        let answer = self.ask("POST", &format!("/v1/keys/{id}/revoke"), &json!({}));
        assert_eq!(answer.status, 200, "revoke {id}: {answer:?}");
    }
}

impl Log {
    /// Reads `source` to its end on its own thread.
    pub(crate) fn follow(source: impl Read + Send + 'static) -> Arc<Self> {
        let log = Arc::new(Self::default());
        let writer = Arc::clone(&log);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    writer.state.lock().unwrap().lines.push(line);
                    writer.changed.notify_all();
                }
                writer.state.lock().unwrap().ended = true;
                writer.changed.notify_all();
            })
            .expect("a thread for the log");
        log
    }

    /// Returns the first line that contains `needle`, now or within 30 s, or `None` if the program closes its stderr
    /// before.
    pub(crate) fn wait_for(&self, needle: &str) -> Option<String> {
        let find = |state: &Lines| state.lines.iter().find(|line| line.contains(needle)).cloned();
        let state = self.state.lock().unwrap();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, LINE_WAIT_MAX, |state| find(state).is_none() && !state.ended)
            .unwrap();
        find(&state)
    }

    /// Stops reading the program's output, so that its pipe fills, until the returned value is
    /// dropped.
    pub(crate) fn unread(&self) -> impl Sized + '_ {
        self.state.lock().unwrap()
    }

    /// Waits, at most 30 s, until the program has closed its stderr.
    pub(crate) fn wait_for_end(&self) {
        let state = self.state.lock().unwrap();
        let _state =
            self.changed.wait_timeout_while(state, LINE_WAIT_MAX, |state| !state.ended).unwrap();
    }

    /// Returns all lines so far.
    pub(crate) fn whole(&self) -> String {
        self.state.lock().unwrap().lines.join("\n")
    }

    /// Returns the last lines, for the message of a failed test.
    pub(crate) fn tail(&self) -> String {
        let state = self.state.lock().unwrap();
        let skipped = state.lines.len().saturating_sub(LOG_LINES_SHOWN_MAX);
        state.lines.iter().skip(skipped).cloned().collect::<Vec<_>>().join("\n")
    }
}

/// Runs a program to its end with `stdin` as its whole input.
pub(crate) fn run(mut command: Command, stdin: &[u8]) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    let mut input = child.stdin.take().expect("stdin is piped");
    // A program that rejects its arguments ends before it reads stdin.
    let _written = input.write_all(stdin);
    drop(input);
    let output = child.wait_with_output().expect("the program can be waited for");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Sends one request with a JSON body, or without a body for `Value::Null`, on its own connection.
pub(crate) fn ask_json(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Answer {
    let mut connection = Connection::open(address);
    if body.is_null() {
        return connection.ask(method, path, headers, b"");
    }
    let mut headers = headers.to_vec();
    headers.push(("Content-Type", "application/json"));
    connection.ask(method, path, &headers, body.to_string().as_bytes())
}

/// Whether `./test --long` runs.
#[expect(clippy::disallowed_methods, reason = "how a long run is selected")]
pub(crate) fn is_long() -> bool {
    std::env::var_os("KEYHOUSE_TEST_LONG").is_some()
}

/// Reads a whole file.
pub(crate) fn bytes_of(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("could not read {}: {error}", path.display()))
}

/// Returns the program for servers and for the command line: `BINARY`, unless `./test` names another
/// program.
#[expect(clippy::disallowed_methods, reason = "how a run is given a release build")]
pub(crate) fn binary() -> OsString {
    std::env::var_os("KEYHOUSE_TEST_BINARY").unwrap_or_else(|| BINARY.into())
}

fn serve_command(how: &Launch<'_>) -> Command {
    let binary = binary();
    let mut words = how.wrapper.iter().map(OsStr::new).chain([&*binary]);
    let mut command = how.home.command(words.next().unwrap_or(&binary));
    command.args(words).arg("serve").arg("--data").arg(how.home.data());
    if !how.args.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    if !how.args.contains(&"--admin-email") {
        command
            .args(["--admin-email", ADMIN_EMAIL, "--admin-password-file"])
            .arg(how.home.password_file());
    }
    command.args(how.args);
    command
}

fn address_in(line: &str) -> SocketAddr {
    let (_, rest) = line.split_once("listening on http://").expect("an address");
    let text: String =
        rest.chars().take_while(|it| it.is_ascii_digit() || ".:[]abcdef".contains(*it)).collect();
    text.parse().unwrap_or_else(|error| panic!("{line:?} holds no address: {error}"))
}
