//! Restarts under load: no check and no change fails, and no change is lost or made twice.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the test measures and prints how long requests take"
)]

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::server::wire::{Answer, Connection};
use crate::server::{ADMIN_EMAIL, Home, Server, Session, binary};
use crate::test_server::write_settings;

/// Idle connections stay open for 10 s, longer than a client of a busy machine pauses.
const SETTINGS: &str = "[limits]\ndrain_timeout = \"100s\"\n";
const CHECKERS: usize = 8;
const CHANGERS: usize = 2;
/// The rates of the long form, over all clients.
const CHECKS_A_SECOND: u32 = 5_000;
const CHANGES_A_SECOND: u32 = 50;
const RESTARTS: u64 = 3;
const RESTARTS_LONG: u64 = 20;
/// Answers of each kind between two restarts.
const CHECKS_BETWEEN: u64 = 400;
const CHANGES_BETWEEN: u64 = 20;

/// Clients that send requests until they are stopped, each on a kept connection.
#[derive(Default)]
struct Load {
    is_over: AtomicBool,
    checks: AtomicU64,
    changes: AtomicU64,
    slowest: Mutex<Duration>,
    failures: Mutex<Vec<String>>,
}

/// The requests of one client: their status, and the time between the starts of two requests.
struct Requests {
    address: SocketAddr,
    ask: Ask,
    expected: u16,
    interval: Option<Duration>,
}

impl Load {
    /// Sends requests. Each must be answered with the expected status, on a connection that is kept
    /// unless the server announces its end.
    fn send(&self, requests: &Requests, counter: &AtomicU64) {
        let Ask { method, target, body, .. } = &requests.ask;
        let headers = requests.ask.lines();
        let mut kept: Option<Connection> = None;
        let mut due = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) {
            if let Some(interval) = requests.interval {
                due += interval;
                std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
            }
            let begun = Instant::now();
            let connection = kept.take().map_or_else(|| Connection::try_open(requests.address), Ok);
            let answer = connection.and_then(|mut connection| {
                let answer = connection.try_ask(method, target, &headers, body)?;
                Ok((connection, answer))
            });
            match answer {
                Ok((connection, answer)) if answer.status == requests.expected => {
                    counter.fetch_add(1, Ordering::Relaxed);
                    let mut slowest = self.slowest.lock().unwrap();
                    *slowest = (*slowest).max(begun.elapsed());
                    kept = is_kept(&answer).then_some(connection);
                },
                other => {
                    self.failures.lock().unwrap().push(format!("{method} {target}: {other:?}"));
                },
            }
        }
    }

    /// Waits until the clients have this many more answers of each kind.
    fn wait_for_more(&self) {
        let now = || (self.checks.load(Ordering::Relaxed), self.changes.load(Ordering::Relaxed));
        let (checks, changes) = now();
        while now().0 < checks + CHECKS_BETWEEN || now().1 < changes + CHANGES_BETWEEN {
            std::thread::park_timeout(Duration::from_millis(10));
            let failures = self.failures.lock().unwrap();
            assert!(failures.is_empty(), "{} failures: {:#?}", failures.len(), failures.first());
        }
    }
}

fn is_kept(answer: &Answer) -> bool {
    answer.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close"))
}

fn start_clients(
    load: &Arc<Load>,
    address: SocketAddr,
    session: &Session,
    secret: &str,
) -> Vec<JoinHandle<()>> {
    let is_long = crate::server::is_long();
    let interval = |clients: usize, rate: u32| {
        is_long.then(|| Duration::from_secs(1) * u32::try_from(clients).unwrap() / rate)
    };
    let check = || Requests {
        address,
        ask: Ask::forward_auth(secret),
        expected: 200,
        interval: interval(CHECKERS, CHECKS_A_SECOND),
    };
    let made = json!({"name": "made under load"});
    let change = || Requests {
        address,
        ask: Ask::post("/v1/keys", &made).header("Cookie", &session.cookie),
        expected: 201,
        interval: interval(CHANGERS, CHANGES_A_SECOND),
    };
    let start = |requests: Requests, is_check: bool| {
        let load = Arc::clone(load);
        let run = move || load.send(&requests, if is_check { &load.checks } else { &load.changes });
        Builder::new().name("client".to_owned()).spawn(run).unwrap()
    };
    let checkers = (0..CHECKERS).map(|_| start(check(), true));
    let changers = (0..CHANGERS).map(|_| start(change(), false));
    checkers.chain(changers).collect()
}

/// Restarts a server with `replace` while clients send requests, and then compares the keys with the
/// answers.
fn restart_under_load(
    name: &str,
    home: &Arc<Home>,
    first: Server,
    replace: impl Fn(Server) -> Server,
) {
    let address = first.address();
    let session = first.sign_in();
    let secret = session.make_key(&json!({"name": "checked"})).secret;
    let load = Arc::new(Load::default());
    let begun = Instant::now();
    let clients = start_clients(&load, address, &session, &secret);
    load.wait_for_more();
    let mut server = first;
    let restarts = if crate::server::is_long() { RESTARTS_LONG } else { RESTARTS };
    for _ in 0..restarts {
        server = replace(server);
        assert_eq!(server.address(), address);
        load.wait_for_more();
    }
    load.is_over.store(true, Ordering::Relaxed);
    let took = begun.elapsed();
    for client in clients {
        client.join().unwrap();
    }
    let failures = load.failures.lock().unwrap();
    assert!(failures.is_empty(), "{} failures: {failures:#?}", failures.len());
    let (checks, changes) =
        (load.checks.load(Ordering::Relaxed), load.changes.load(Ordering::Relaxed));
    let seconds = took.as_secs_f64();
    println!(
        "{name}: {restarts} restarts in {seconds:.1} s, {checks} checks ({:.0}/s) and {changes} changes \
         ({:.0}/s), none failed, the slowest took {:?}",
        f64::from(u32::try_from(checks).unwrap()) / seconds,
        f64::from(u32::try_from(changes).unwrap()) / seconds,
        load.slowest.lock().unwrap(),
    );
    let ended = home.run_cli(&["key", "list", "--json"], "");
    let keys: Value = serde_json::from_str(&ended.stdout).unwrap();
    let made = keys.as_array().unwrap().iter().filter(|key| key["name"] == "made under load");
    assert_eq!(made.count() as u64, changes, "each acknowledged change once");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn no_request_fails_while_another_server_takes_over() {
    let home = Home::new();
    write_settings(&home, SETTINGS);
    let first = Server::start_in(&home, &[]);
    let address = first.address().to_string();
    restart_under_load("take-over", &home, first, |old| {
        let new = Server::start_in(&home, &["--listen", &address, "--take-over"]);
        let ended = old.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        new
    });
}

/// The service manager keeps the socket and starts the new server after the end of the old one.
#[test]
fn no_request_fails_while_a_service_manager_restarts_the_server() {
    let home = Home::new();
    write_settings(&home, SETTINGS);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = || {
        let mut command = home.command("sh");
        let activate = "exec 3<&0 </dev/null; export LISTEN_PID=$$; exec \"$@\"";
        command.args(["-c", activate, "sh"]).arg(binary());
        command.args(["serve", "--admin-email", ADMIN_EMAIL, "--admin-password-file"]);
        command.arg(home.password_file()).arg("--data").arg(home.data());
        command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "main");
        command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        Server::follow(&home, child).unwrap_or_else(|ended| panic!("{ended:?}"))
    };
    restart_under_load("socket unit", &home, start(), |old| {
        let ended = old.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        start()
    });
}
