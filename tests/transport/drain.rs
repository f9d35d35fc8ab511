//! A server that stops, or changes its limits, while clients have open connections.

use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keyhouse::http::transport::{Backlog, Listener, ListenerKind, Server, Socket, TransportLimits};

use crate::double::{Double, TestInstance, connect, wait_for};

const CHECK: &str = "GET /check HTTP/1.1\r\nHost: a\r\n\r\n";
const CHECK_BLOCKS: &str = "GET /check-blocks HTTP/1.1\r\nHost: a\r\n\r\n";

/// A proxy may send a request on an idle connection at the moment at which the server stops. In an
/// earlier version that request was lost.
#[test]
fn a_request_on_an_idle_connection_is_answered_while_the_server_stops() {
    let limits =
        TransportLimits { drain_timeout: Duration::from_secs(100), ..TransportLimits::default() };
    let mut instance = TestInstance::start_with(limits);
    let (mut busy, mut idle) = (instance.connect(), instance.connect());
    assert_eq!(idle.ask(CHECK).header("connection"), None);
    busy.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    instance.waiting.recv().unwrap();
    let server = instance.server.take().unwrap();
    let stopping = thread::Builder::new().spawn(move || server.stop(Backlog::Serve)).unwrap();
    while TcpStream::connect(instance.address).is_ok() {}
    let reply = idle.ask(CHECK);
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    assert!(idle.is_closed());
    instance.go_on.send(()).unwrap();
    assert_eq!(busy.reply().header("connection"), Some("close"));
    stopping.join().unwrap();
}

#[test]
fn connections_of_a_shared_socket_wait_for_the_next_server() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let listener =
        |socket| vec![Listener { listener: ListenerKind::Main, socket: Socket::Tcp(socket) }];
    let start = |socket| {
        let double = Arc::new(Double::new().0);
        Server::start(listener(socket), double, TransportLimits::default()).unwrap()
    };
    let first = start(socket.try_clone().unwrap());
    first.stop(Backlog::Leave);
    let mut waiting = connect(address);
    waiting.send(CHECK);
    let second = start(socket);
    assert_eq!(waiting.reply().status, 200);
    drop(waiting);
    second.stop(Backlog::Serve);
}

#[test]
fn changed_limits_apply_to_the_next_connections() {
    let instance = TestInstance::start();
    let many = "GET /check HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n";
    let mut old = instance.connect();
    assert_eq!(old.ask(many).status, 200);
    let limits = TransportLimits {
        headers_max: 2,
        connections_per_address_max: 2,
        ..TransportLimits::default()
    };
    instance.server.as_ref().unwrap().set_limits(limits).unwrap();
    let mut new = instance.connect();
    assert_eq!(new.ask(many).status, 431);
    assert_eq!(old.ask(many).status, 200);
    drop(new);
    wait_for(&instance.counters.connections_open, 1);
    assert_eq!(instance.ask(CHECK).status, 200);
    wait_for(&instance.counters.connections_open, 1);
    let _second = instance.connect();
    wait_for(&instance.counters.connections_open, 2);
    assert!(instance.connect().is_closed(), "two connections an address");
}

#[test]
fn an_event_loop_whose_threads_are_blocked_does_not_answer() {
    const SOON: Duration = Duration::from_millis(200);
    let instance = TestInstance::start();
    let server = instance.server.as_ref().unwrap();
    let mut blocked = Vec::new();
    // One late answer may be that of a busy host.
    let most = 4 * thread::available_parallelism().unwrap().get();
    while server.answers_within(SOON) || server.answers_within(SOON) {
        assert!(blocked.len() < most, "the event loop still answers");
        let mut client = instance.connect();
        client.send(CHECK_BLOCKS);
        blocked.push(client);
        // A thread begins the request before the event loop is asked again. A blocked event loop begins none.
        let _taken_up = instance.waiting.recv_timeout(SOON);
    }
    for _ in &blocked {
        instance.go_on.send(()).unwrap();
    }
    for mut client in blocked {
        assert_eq!(client.reply().status, 200);
    }
    assert!(server.answers_within(crate::double::PATIENCE));
}
