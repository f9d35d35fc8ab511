//! How requests reach the application and how its responses reach the client.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyhouse::http::transport::TransportLimits;

use crate::double::{Client, TestInstance, is_unix, unix_listener};

const CHECK: &str = "GET /check HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn check_is_answered_and_the_connection_kept() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    for _ in 0..3 {
        let reply = client.ask(CHECK);
        assert_eq!((reply.status, reply.header("connection")), (200, None));
        assert_eq!(reply.body, "GET /check 0\nhost: \"a\"");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    let pairs = (0..40).map(|number| {
        format!(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{number:02}\
             GET /check/{number} HTTP/1.1\r\nHost: a\r\n\r\n"
        )
    });
    let sent = pairs.collect::<Vec<_>>().concat();
    client.send(sent);
    for number in 0..40 {
        assert_eq!(client.reply().body, format!("{number:02}"));
        assert!(client.reply().body.starts_with(&format!("GET /check/{number} ")));
    }
}

#[test]
fn target_and_header_lines_reach_a_check_as_sent() {
    let instance = TestInstance::start();
    let reply = instance.ask(
        "GET http://A/check/%2F..//x?q=%41 HTTP/1.1\r\nHost: a\r\n\
         X-Forwarded-Uri: /1\r\nX-Forwarded-Uri: /2\r\nX-Name: \u{e9}\r\n\r\n",
    );
    assert!(reply.body.starts_with("GET http://A/check/%2F..//x?q=%41 0\n"), "{reply:?}");
    assert!(reply.body.contains("x-forwarded-uri: \"/1\"\nx-forwarded-uri: \"/2\""), "{reply:?}");
}

#[test]
fn check_with_an_unread_body_ends_the_connection() {
    let instance = TestInstance::start();
    for method in ["GET", "POST", "DELETE"] {
        for body in ["Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody"]
        {
            let mut client = instance.connect();
            let reply = client.ask(format!("{method} /check HTTP/1.1\r\nHost: a\r\n{body}"));
            let connection = reply.header("connection");
            assert_eq!((reply.status, connection), (200, Some("close")), "{method} {body:?}");
            assert!(client.is_closed(), "{method} {body:?}");
        }
        let mut client = instance.connect();
        let none = format!("{method} /check HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(client.ask(none).header("connection"), None);
        assert_eq!(client.ask(CHECK).status, 200);
    }
}

#[test]
fn check_may_ask_for_a_small_body() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    let head = "POST /check-body HTTP/1.1\r\nHost: a\r\nContent-Length:";
    let reply = client.ask(format!("{head} 1024\r\n\r\n{}", "x".repeat(1024)));
    assert!(reply.body.starts_with("POST /check-body 1024"), "{reply:?}");
    let reply = client.ask(format!("{head} 1025\r\n\r\n"));
    assert_eq!((reply.status, &*reply.body), (413, "BodyTooLarge { bytes_max: 1024 }"));
    assert!(client.is_closed());
}

#[test]
fn bodies_with_a_length_keep_the_connection_and_chunked_ones_end_it() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    for _ in 0..2 {
        let reply = client.ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(reply.body, "hello");
    }
    let reply = client.ask(
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n",
    );
    assert_eq!((&*reply.body, reply.header("connection")), ("hello", Some("close")));
    assert!(client.is_closed());
}

#[test]
fn client_that_expects_100_gets_continue_unless_it_is_refused() {
    let instance = TestInstance::start();
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length:";
    let mut client = instance.connect();
    assert_eq!(client.send(format!("{head} 5\r\n\r\n")).head_of_reply().status, 100);
    assert_eq!(client.ask("hello").body, "hello");
    assert_eq!(client.ask(format!("{head} 99999999\r\n\r\n")).status, 413);
}

#[test]
fn head_gets_the_length_and_no_body() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    for path in ["/check", "/anything"] {
        let get = client.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let length = client.send(head).head_of_reply().header("content-length").map(str::to_owned);
        assert_eq!(length, Some((get.body.len() + 1).to_string()));
    }
    assert_eq!(client.ask("GET /empty HTTP/1.1\r\nHost: a\r\n\r\n").status, 204);
    assert_eq!(client.ask(CHECK).status, 200);
}

#[test]
fn response_cannot_change_connection_headers() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    let reply = client.ask("GET /connection-headers HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((&*reply.body, reply.header("x-kept")), ("hello", Some("yes")));
    assert_eq!((reply.header("transfer-encoding"), reply.header("connection")), (None, None));
    assert_eq!(client.ask(CHECK).status, 200);
}

#[test]
fn response_that_cannot_be_sent_completely_is_refused() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    for path in ["/bad-header", "/bad-status"] {
        let reply = client.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((reply.status, &*reply.body), (500, "ResponseNotSendable"), "{path}");
        assert!(!reply.head.contains("X-Admin"));
    }
}

#[test]
fn forwarded_for_lines_are_joined_for_handlers() {
    let instance = TestInstance::start();
    let reply = instance.ask(
        "GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nAccept: a\r\n\
         X-Forwarded-For: 2.2.2.2\r\nAccept: b\r\n\r\n",
    );
    assert!(reply.body.contains("\nx-forwarded-for: 1.1.1.1, 2.2.2.2\n"), "{reply:?}");
    assert!(reply.body.contains("accept: a\naccept: b"), "{reply:?}");
}

#[test]
fn unix_peers_are_distinguished() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, path) = unix_listener(&folder);
    let instance = TestInstance::start_on(TransportLimits::default(), vec![listener]);
    let mut client = Client::over(UnixStream::connect(path).unwrap());
    let request = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(is_unix(&client.ask(request).body));
    assert!(is_unix(&client.ask(request).body));
    assert!(!is_unix(&instance.ask(request).body));
}

#[test]
fn panic_costs_one_request() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    for path in ["/panics", "/check/panics", "/lane-panics", "/route-panics"] {
        let reply = client.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((reply.status, &*reply.body), (500, "Panicked"), "{path}");
    }
    assert_eq!(client.ask(CHECK).status, 200);
    assert_eq!(instance.counters.panics.load(Ordering::Relaxed), 4);
}

#[test]
fn panic_while_refusing_closes_the_connection_and_no_other() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    client.send("GET /check/refusing-panics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.is_closed());
    assert_eq!(instance.ask(CHECK).status, 200);
}

#[test]
fn upgrade_is_ignored() {
    let instance = TestInstance::start();
    let mut client = instance.connect();
    for path in ["/check", "/x"] {
        let reply = client.ask(format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\
             Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        ));
        assert_eq!((reply.status, reply.header("upgrade")), (200, None));
    }
}

#[test]
fn full_pool_refuses_in_time_and_checks_continue() {
    let pool_wait = Duration::from_millis(50);
    let limits = TransportLimits { pool_in_flight_max: 1, pool_wait, ..TransportLimits::default() };
    let instance = TestInstance::start_with(limits);
    let mut first = instance.connect();
    first.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    instance.waiting.recv().unwrap();

    let mut second = instance.connect();
    let reply = second.ask("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert_eq!(second.ask(CHECK).status, 200);

    instance.go_on.send(()).unwrap();
    assert_eq!(first.reply().body, "waited");
    assert_eq!(second.ask("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    assert_eq!(instance.counters.busy.load(Ordering::Relaxed), 1);
}

#[test]
fn client_that_closed_its_sending_side_is_answered() {
    let instance = TestInstance::start();
    for path in ["/check", "/x"] {
        let mut client = instance.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.reply().status, 200);
        assert!(client.is_closed());
    }
}
