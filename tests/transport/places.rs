//! Connection slots: how many connections are served, and how serving ends.

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use keyhouse::http::transport::{Backlog, Listener, ListenerKind, Socket, TransportLimits};

use crate::double::{Client, PATIENCE, TestInstance, unix_listener, wait_for};

const CHECK: &str = "GET /check HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn two_hundred_keep_alive_connections_are_all_answered() {
    let instance = TestInstance::start();
    let mut clients: Vec<_> = (0..200).map(|_| instance.connect()).collect();
    for _ in 0..3 {
        for client in &mut clients {
            client.send(CHECK);
        }
        for client in &mut clients {
            assert_eq!(client.reply().status, 200);
        }
    }
    assert_eq!(instance.counters.connections_open.load(Ordering::Relaxed), 200);
}

#[test]
fn one_address_has_a_limit() {
    let instance = TestInstance::start_with(TransportLimits {
        connections_per_address_max: 2,
        ..TransportLimits::default()
    });
    let (mut first, mut second) = (instance.connect(), instance.connect());
    assert_eq!((first.ask(CHECK).status, second.ask(CHECK).status), (200, 200));
    assert!(instance.connect().is_closed());
    assert_eq!(instance.counters.connections_refused.load(Ordering::Relaxed), 1);
    drop(first);
    wait_for(&instance.counters.connections_open, 1);
    assert_eq!(instance.ask(CHECK).status, 200);
}

#[test]
fn trusted_proxy_has_no_limit_per_address() {
    let instance = TestInstance::start_with(TransportLimits {
        connections_per_address_max: 1,
        per_address_exempt: vec!["127.0.0.0/8".parse().unwrap()].into(),
        ..TransportLimits::default()
    });
    let mut clients: Vec<_> = (0..10).map(|_| instance.connect()).collect();
    assert!(clients.iter_mut().all(|client| client.ask(CHECK).status == 200));
}

#[test]
fn proxy_beyond_the_total_limit_waits_for_a_slot() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, path) = unix_listener(&folder);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = socket.local_addr().unwrap();
    let watched = Listener { listener: ListenerKind::Metrics, socket: Socket::Tcp(socket) };
    let limits = TransportLimits {
        connections_max: 2,
        per_address_exempt: vec!["127.0.0.0/8".parse().unwrap()].into(),
        ..TransportLimits::default()
    };
    let instance = TestInstance::start_on(limits, vec![listener, watched]);
    let (mut first, mut second) = (instance.connect(), instance.connect());
    assert_eq!((first.ask(CHECK).status, second.ask(CHECK).status), (200, 200));

    let mut waiting: Vec<_> = (0..20).map(|_| instance.connect()).collect();
    for client in &mut waiting {
        client.send(CHECK);
    }
    wait_for(&instance.counters.connections_waited, 1);
    let mut control = Client::over(UnixStream::connect(path).unwrap());
    assert_eq!(control.ask(CHECK).status, 200, "the control socket has places of its own");
    let stream = TcpStream::connect(metrics).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut metrics = Client::over(stream);
    assert_eq!(metrics.ask(CHECK).status, 200, "so has who measures");

    drop((first, second));
    for mut client in waiting {
        assert_eq!(client.reply().status, 200);
    }
}

#[test]
fn stop_lets_a_request_finish_and_closes_idle_connections() {
    let mut instance = TestInstance::start();
    let (mut busy, mut idle, mut fresh) =
        (instance.connect(), instance.connect(), instance.connect());
    assert_eq!(idle.ask(CHECK).status, 200);
    busy.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    instance.waiting.recv().unwrap();
    wait_for(&instance.counters.connections_open, 3);

    let server = instance.server.take().unwrap();
    let stopping = thread::Builder::new().spawn(move || server.stop(Backlog::Serve)).unwrap();
    assert!(idle.is_closed());
    assert!(fresh.is_closed());
    instance.go_on.send(()).unwrap();
    let reply = busy.reply();
    assert_eq!((&*reply.body, reply.header("connection")), ("waited", Some("close")));
    assert!(busy.is_closed());
    stopping.join().unwrap();
    assert!(TcpStream::connect(instance.address).is_err());
}

#[test]
fn stop_cuts_off_requests_that_do_not_end_in_time() {
    let limits =
        TransportLimits { drain_timeout: Duration::from_millis(100), ..TransportLimits::default() };
    let mut instance = TestInstance::start_with(limits);
    let mut half = instance.connect();
    half.send("GET /check HTTP/1.1\r\n");
    wait_for(&instance.counters.connections_open, 1);
    instance.server.take().unwrap().stop(Backlog::Serve);
    assert!(half.is_closed());
}
