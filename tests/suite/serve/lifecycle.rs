//! The server under a service manager and a container runtime: notifications, the watchdog, given
//! sockets, and health checks.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use serde_json::json;

use super::unix_sockets::ask;
use crate::deadlines::run_within;
use crate::server::wire::Connection;
use crate::server::{ADMIN_EMAIL, Ended, Home, Server, binary};
use crate::test_server::{TestServer, serve_empty};

const EXTEND: &str = "EXTEND_TIMEOUT_USEC=";
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Runs the rest of the arguments with stdin and stdout as the sockets of a service manager.
const ACTIVATE: &str = "exec 3<&0 4<&1 </dev/null >/dev/null; export LISTEN_PID=$$; exec \"$@\"";

/// A service manager that receives the notifications of a server.
struct Manager(UnixDatagram);

impl Manager {
    fn open(home: &Home, command: &mut Command) -> Self {
        let path = home.folder().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(WAIT_MAX)).unwrap();
        command.env("NOTIFY_SOCKET", path);
        Self(socket)
    }

    /// The next notification. Skips those that extend the timeout of the start.
    fn next(&self) -> String {
        std::iter::repeat_with(|| self.received()).find(|it| !it.starts_with(EXTEND)).unwrap()
    }

    fn received(&self) -> String {
        let mut bytes = [0; 1_024];
        let length = self.0.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap().trim().to_owned()
    }
}

/// With millions of keys, a start may take longer than the 90 s after which systemd ends it by default.
#[test]
fn a_start_extends_the_timeout_of_the_service_manager() {
    let home = Home::new();
    let mut command = serve_empty(&home);
    let manager = Manager::open(&home, &mut command);
    let server = Server::launch_command(&home, command).unwrap();
    assert_eq!(manager.received(), "EXTEND_TIMEOUT_USEC=30000000");
    assert_eq!(manager.next(), "READY=1");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn the_watchdog_is_notified_from_ready_to_stopping() {
    let home = Home::new();
    let mut command = serve_empty(&home);
    let manager = Manager::open(&home, &mut command);
    let server = Server::launch_command(&home, {
        command.env("WATCHDOG_USEC", "100000");
        command
    });
    let server = server.unwrap();
    assert_eq!(manager.next(), "READY=1");
    for _ in 0..3 {
        assert_eq!(manager.next(), "WATCHDOG=1");
    }
    assert_eq!(server.stop().code, Some(0));
    let last: Vec<_> = std::iter::repeat_with(|| manager.next())
        .skip_while(|it| it == "WATCHDOG=1")
        .take(1)
        .collect();
    assert_eq!(last, ["STOPPING=1"]);
}

/// `keyhouse serve` as a service manager starts it, with two sockets.
fn activated(home: &Home, names: &str, sockets: [OwnedFd; 2]) -> Command {
    let mut command = home.command("sh");
    command.args(["-c", ACTIVATE, "sh"]).arg(binary()).args(["serve", "--data"]).arg(home.data());
    command.args(["--listen", "127.0.0.1:1", "--admin-email", ADMIN_EMAIL]);
    command.arg("--admin-password-file").arg(home.password_file());
    command.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", names);
    let [first, second] = sockets.map(Stdio::from);
    command.stdin(first).stdout(second).stderr(Stdio::piped());
    command
}

#[test]
fn sockets_of_the_service_manager_are_served_and_survive_a_restart() {
    let home = Home::new();
    let main = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = home.folder().join("checks.sock");
    let checks = UnixListener::bind(&path).unwrap();
    let start = || {
        let sockets = [main.try_clone().unwrap().into(), checks.try_clone().unwrap().into()];
        let child = activated(&home, "main:checks", sockets).spawn().unwrap();
        Server::follow(&home, child).unwrap_or_else(|ended| panic!("{ended:?}"))
    };
    let first = start();
    assert_eq!(first.address(), main.local_addr().unwrap(), "the socket, not --listen");
    assert!(first.log().wait_for(&format!("checks on unix:{}", path.display())).is_some());
    assert_eq!(ask(&path, "GET", "/readyz", &[], "").0, 200);
    assert_eq!(ask(&path, "GET", "/v1/session", &[], "").0, 404);
    assert_eq!(first.stop().code, Some(0));
    // A connection that is opened between two servers waits for the second.
    let mut early = Connection::open(main.local_addr().unwrap());
    early.send(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let second = start();
    assert_eq!(early.read().unwrap().status, 200);
    assert_eq!(ask(&path, "GET", "/readyz", &[], "").0, 200);
    assert_eq!(second.stop().code, Some(0));
    assert!(path.exists(), "the file belongs to the service manager");
}

#[test]
fn sockets_with_wrong_names_or_beyond_loopback_are_refused() {
    let home = Home::new();
    let [main, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    for (names, second, word) in [
        ("main", &other, "passed 2 sockets and 1 names"),
        ("main:admin", &other, "named \"admin\""),
        ("main:main", &other, "two sockets for the listener main"),
        (
            "main:checks",
            &open,
            "check-listen (socket of the service manager): an address beyond loopback",
        ),
    ] {
        let sockets = [&main, second].map(|socket| socket.try_clone().unwrap().into());
        let child = activated(&home, names, sockets).spawn().unwrap();
        let ended = Server::follow(&home, child).unwrap_err();
        assert_eq!(ended.code, Some(2), "{names}: {ended:?}");
        assert!(ended.stderr.contains(word), "{names}: {ended:?}");
    }
}

fn healthcheck(home: &Home, args: &[&str]) -> Ended {
    let mut command = home.command(binary());
    command.arg("healthcheck").arg("--data").arg(home.data()).args(args);
    run_within(WAIT_MAX, &mut command)
}

/// Runs `keyhouse healthcheck` with this address as the setting `listen`.
fn healthcheck_with_listen(home: &Home, address: &str) -> Ended {
    let mut command = home.command(binary());
    command.arg("healthcheck").arg("--data").arg(home.data()).env("KEYHOUSE_LISTEN", address);
    run_within(WAIT_MAX, &mut command)
}

#[test]
fn healthcheck_asks_the_control_socket_then_the_listen_address() {
    let mut instance = TestServer::start();
    let home = Arc::clone(instance.home());
    let ended = healthcheck(&home, &[]);
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), "ready\n", ""));
    let ended = healthcheck(&home, &["--json"]);
    assert_eq!(ended.stdout.trim(), json!({"status": "ready"}).to_string());
    // Another user does not see the control socket.
    let elsewhere = Home::new();
    let mut command = elsewhere.command(binary());
    command.arg("healthcheck").env("KEYHOUSE_LISTEN", instance.address().to_string());
    assert_eq!(run_within(WAIT_MAX, &mut command).code, Some(0));
    let address = instance.address().to_string();
    instance.stop();
    let ended = healthcheck_with_listen(&home, &address);
    assert_eq!((ended.code, &*ended.stdout), (Some(6), ""), "{ended:?}");
}

/// The socket file of a crashed server stays. Another server on the listen address is not the instance
/// of this data directory.
#[test]
fn healthcheck_of_a_crashed_server_asks_no_other_server() {
    let mut crashed = TestServer::start();
    let home = Arc::clone(crashed.home());
    crashed.kill();
    let other = TestServer::start();
    let ended = healthcheck_with_listen(&home, &other.address().to_string());
    assert_eq!((ended.code, &*ended.stdout), (Some(6), ""), "{ended:?}");
}

#[test]
fn healthcheck_of_a_server_that_is_not_ready_prints_the_reason() {
    let home = Home::new();
    std::fs::create_dir(home.data()).unwrap();
    std::fs::set_permissions(home.data(), PermissionsExt::from_mode(0o700)).unwrap();
    let control = UnixListener::bind(home.data().join("control.sock")).unwrap();
    let answer = move || {
        let mut stream = control.accept().unwrap().0;
        let read = stream.read(&mut [0; 1_024]).unwrap();
        assert!(read > 0);
        let body = json!({"detail": "the index is behind the store"}).to_string();
        let head = format!("HTTP/1.1 503 a\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    };
    let answering = Builder::new().spawn(answer).unwrap();
    let ended = healthcheck(&home, &[]);
    answering.join().unwrap();
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains("not ready: the index is behind the store"), "{ended:?}");
}

#[test]
fn take_over_without_a_running_server_starts_one() {
    let home = Home::new();
    let server = Server::start_in(&home, &["--take-over"]);
    assert!(server.log().whole().contains("no server to take over from"));
    assert_eq!(server.stop().code, Some(0));
}

/// The first start of a restart by hand: the sockets are those of the running server, also of a
/// Unix socket, whose file stays.
#[test]
fn a_server_that_takes_over_has_the_same_sockets() {
    let home = Home::new();
    let checks = home.folder().join("checks.sock");
    let at = format!("unix:{}", checks.display());
    let first = Server::start_in(&home, &["--check-listen", &at]);
    let address = first.address().to_string();
    let args = ["--check-listen", &at, "--listen", &address, "--take-over"];
    let mut servers = vec![first];
    for _ in 0..2 {
        let next = Server::start_in(&home, &args);
        let before = servers.pop().unwrap();
        assert!(before.log().wait_for("stopping").is_some());
        assert_eq!(before.stop().code, Some(0));
        assert_eq!(next.address().to_string(), address);
        assert_eq!(ask(&checks, "GET", "/readyz", &[], "").0, 200);
        let takeover = std::fs::metadata(home.data().join("control.takeover")).unwrap();
        assert_eq!(takeover.permissions().mode() & 0o777, 0o600);
        servers.push(next);
    }
    assert_eq!(servers.pop().unwrap().stop().code, Some(0));
    assert!(!checks.exists(), "the last server removes the file");
}

/// A process that takes the sockets and does not confirm must not stop the server.
#[test]
fn a_take_over_that_is_not_confirmed_changes_nothing() {
    let instance = TestServer::start();
    let path = instance.home().data().join("control.takeover");
    let mut stream = UnixStream::connect(&path).unwrap();
    let mut names = [0; 64];
    let length = stream.read(&mut names).unwrap();
    assert_eq!(&names[..length], b"main ");
    drop(stream);
    assert!(instance.server().log().wait_for("could not pass the listening sockets").is_some());
    assert_eq!(instance.bare(&crate::ask::Ask::get("/readyz")).status, 200);
}
