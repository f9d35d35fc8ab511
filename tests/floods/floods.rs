//! The hostile callers: each tries to empty one bound that all callers share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::server::wire::Connection;
use crate::stage::{Stage, ask_again, send_all, stranger};

/// How long what is held is left alone before it is sent anew.
const HELD_FOR: Duration = Duration::from_millis(500);
/// Threads of one flood.
pub(crate) const THREADS: usize = 8;
/// Requests that are under way at once, where threads alone are too few.
const HELD_A_THREAD: usize = 14;

/// Ends a flood, and counts what it has sent.
#[derive(Default)]
pub(crate) struct Signal {
    over: Mutex<bool>,
    changed: Condvar,
    sent: AtomicUsize,
}

impl Signal {
    pub(crate) fn end(&self) {
        *self.over.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn is_over(&self) -> bool {
        *self.over.lock().unwrap()
    }

    /// Waits for the end, at most as long as what is held is left alone.
    fn hold(&self) {
        let over = self.over.lock().unwrap();
        drop(self.changed.wait_timeout_while(over, HELD_FOR, |over| !*over).unwrap());
    }

    fn count(&self) -> usize {
        self.sent.fetch_add(1, Ordering::SeqCst)
    }

    /// Whether every thread has sent something.
    pub(crate) fn has_begun(&self) -> bool {
        self.sent.load(Ordering::SeqCst) >= THREADS
    }
}

/// One row: the bound, who tries to empty it, and how. The last number is the thread's.
pub(crate) struct Flood {
    pub(crate) bound: &'static str,
    pub(crate) role: &'static str,
    pub(crate) run: fn(&Stage, &Signal, usize),
}

pub(crate) const FLOODS: &[Flood] = &[
    flood("bodies of sign-in", "none", |stage, signal, _| {
        hold(stage, signal, || (("POST", "/v1/session", 4_096), String::new()));
    }),
    flood("bodies of checks", "none", |stage, signal, _| {
        hold(stage, signal, || (("POST", "/v1/verify", 65_536), String::new()));
    }),
    flood("bodies of checks", "key", |stage, signal, thread| {
        hold(stage, signal, || (("POST", "/v1/verify", 65_536), key(stage, thread)));
    }),
    flood("bodies of batches", "none", |stage, signal, _| {
        hold(stage, signal, || (("POST", "/v1/verify/batch", 1 << 20), String::new()));
    }),
    flood("bodies of batches", "key", |stage, signal, thread| {
        hold(stage, signal, || (("POST", "/v1/verify/batch", 1 << 20), key(stage, thread)));
    }),
    flood("bodies of management", "none", |stage, signal, _| {
        let unknown = "Cookie: keyhouse=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";
        hold(stage, signal, || (("POST", "/v1/keys", 65_536), unknown.to_owned()));
    }),
    flood("bodies of management", "guest", |stage, signal, _| {
        hold(stage, signal, || (("POST", "/v1/keys", 65_536), cookie(&stage.guest.cookie)));
    }),
    flood("bodies of imports", "another administrator", |stage, signal, _| {
        let line = || cookie(&stage.neighbour.cookie);
        hold(stage, signal, || (("POST", "/v1/keys/import", 1 << 20), line()));
    }),
    flood("places of sign-in, queue of Argon2", "none", |stage, signal, thread| {
        let body = json!({"email": "ada@example.com", "password": "not the password"}).to_string();
        let mut number = thread * 10_000;
        hammer(stage, signal, |line| {
            number += 1;
            let address = format!("2001:db8:{:x}:{number:x}::1", number % 7);
            let headers = [("X-Forwarded-For", &*address), ("Content-Type", "application/json")];
            ask_again(line, stage.main(), ("POST", "/v1/session", &headers, body.as_bytes()));
        });
    }),
    flood("places of the page", "none", |stage, signal, _| {
        hammer(stage, signal, |line| {
            ask_again(line, stage.main(), ("GET", "/openapi.json", &[], b""));
        });
    }),
    flood("places of long reads", "guest", |stage, signal, _| {
        let path = "/v1/keys?sort=name&limit=100&status=all";
        crowd(stage, signal, |line| {
            ask_again(line, stage.main(), ("GET", path, &[("Cookie", &stage.guest.cookie)], b""));
        });
    }),
    flood("places of management", "another administrator", |stage, signal, thread| {
        let bearer = format!("Bearer {}", stage.keys[thread % stage.keys.len()].secret);
        crowd(stage, signal, |line| {
            let headers = [("Authorization", &*bearer)];
            ask_again(line, stage.main(), ("GET", "/v1/users?limit=100", &headers, b""));
        });
    }),
    flood("places of batches", "key", |stage, signal, thread| {
        let one = json!({"key": stage.passing.secret, "cost": 0});
        let body = json!({ "requests": vec![one; 500] }).to_string();
        let bearer = format!("Bearer {}", stage.keys[thread % stage.keys.len()].secret);
        hammer(stage, signal, |line| {
            let headers = [("Authorization", &*bearer), ("Content-Type", "application/json")];
            let ask = ("POST", "/v1/verify/batch", &headers[..], body.as_bytes());
            ask_again(line, stage.checks, ask);
        });
    }),
    flood("checks that wait for a quota", "key", |stage, signal, thread| {
        let bearer = format!("Bearer {}", stage.counted[thread % stage.counted.len()].secret);
        hammer(stage, signal, |line| {
            let headers = gate_headers(&bearer);
            ask_again(line, stage.checks, ("GET", "/v1/forward-auth/default", &headers, b""));
        });
    }),
    flood("connections", "none", |stage, signal, _| {
        keep_open(signal, || stranger(stage.main()).ok(), 64);
    }),
    flood("connections of the metrics listener", "none", |stage, signal, _| {
        keep_open(signal, || stranger(stage.metrics).ok(), 16);
    }),
    flood("lines of the log", "none", |stage, signal, _| {
        hammer(stage, signal, |line| {
            ask_again(line, stage.main(), ("GET", "/nothing", &[("X-Request-Id", "\u{1}")], b""));
        });
    }),
    flood("audit events", "user", |stage, signal, thread| {
        let mut number = thread;
        hammer(stage, signal, |line| {
            number += THREADS;
            let body = json!({"name": format!("name {number}")}).to_string();
            let cookie = stage.user.cookie.as_str();
            let headers = [("Cookie", cookie), ("Content-Type", "application/json")];
            ask_again(line, stage.main(), ("PATCH", "/v1/me", &headers, body.as_bytes()));
        });
    }),
    flood("the index's writer", "another administrator", |stage, signal, thread| {
        let list: Vec<String> = (0..96).map(|number| crossing(number % 8, number / 8)).collect();
        let body = json!({"kind": "service", "permissions": list}).to_string();
        let bearer = format!("Bearer {}", stage.keys[thread % stage.keys.len()].secret);
        hammer(stage, signal, |line| {
            let headers = [("Authorization", &*bearer), ("Content-Type", "application/json")];
            ask_again(line, stage.main(), ("POST", "/v1/keys", &headers, body.as_bytes()));
        });
    }),
];

const fn flood(bound: &'static str, role: &'static str, run: fn(&Stage, &Signal, usize)) -> Flood {
    Flood { bound, role, run }
}

/// A pattern of eight segments with a name in one of them and wildcards in all others.
fn crossing(place: usize, name: usize) -> String {
    let segment = |at| if at == place { format!("cccccccccccc{name:02}") } else { "*".to_owned() };
    let segments: Vec<String> = (0..8).map(segment).collect();
    // A first wildcard would reach into nothing of ours; the list need only cross itself.
    segments.join(":")
}

/// What a proxy sends with a request to a gate.
pub(crate) fn gate_headers(bearer: &str) -> [(&str, &str); 6] {
    [
        ("Authorization", bearer),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "app.example.com"),
        ("X-Forwarded-Uri", "/"),
        ("X-Forwarded-For", "192.0.2.7"),
    ]
}

fn forwarded(number: usize) -> String {
    format!("X-Forwarded-For: 198.51.{}.{}\r\n", number / 250 % 250, number % 250 + 1)
}

fn key(stage: &Stage, thread: usize) -> String {
    format!("Authorization: Bearer {}\r\n", stage.keys[thread % stage.keys.len()].secret)
}

fn cookie(pair: &str) -> String {
    format!("Cookie: {pair}\r\n")
}

/// Sends requests whose bodies lack the last byte, and holds them; then all of them anew.
fn hold<'a>(stage: &Stage, signal: &Signal, ask: impl Fn() -> ((&'a str, &'a str, usize), String)) {
    while !signal.is_over() {
        let mut held = Vec::new();
        for _ in 0..HELD_A_THREAD {
            let Ok(mut line) = Connection::try_open(stage.main()) else { continue };
            let ((method, path, bytes), lines) = ask();
            // From many addresses, none of which is that of those whom it would stop.
            let from = forwarded(signal.count());
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
                 {lines}{from}Content-Length: {bytes}\r\n\r\n",
                stage.main()
            );
            let sent = line.send(head.as_bytes()).and_then(|()| line.send(&vec![b' '; bytes - 1]));
            // One that was refused at once has ended while it was sent.
            drop(sent);
            held.push(line);
        }
        signal.hold();
    }
}

/// Asks as fast as it is answered.
fn hammer(_stage: &Stage, signal: &Signal, mut ask: impl FnMut(&mut Option<Connection>)) {
    let mut line = None;
    while !signal.is_over() {
        ask(&mut line);
        let _sent = signal.count();
    }
}

/// The same with more requests under way than this flood has threads.
fn crowd(_stage: &Stage, signal: &Signal, ask: impl Fn(&mut Option<Connection>) + Sync) {
    std::thread::scope(|threads| {
        for _ in 0..HELD_A_THREAD {
            threads.spawn(|| {
                let mut line = None;
                while !signal.is_over() {
                    ask(&mut line);
                    let _sent = signal.count();
                }
            });
        }
    });
}

/// Opens as many connections as are taken, and says nothing on them.
fn keep_open(signal: &Signal, open: impl Fn() -> Option<std::net::TcpStream>, count: usize) {
    let mut held: Vec<_> = (0..count).filter_map(|_| open()).collect();
    for line in &mut held {
        drop(send_all(line, b"GET / HTTP/1.1\r\n"));
    }
    for _ in 0..count.max(THREADS) {
        let _sent = signal.count();
    }
    while !signal.is_over() {
        signal.hold();
    }
    drop(held);
}
