//! The hostile callers: each tries to empty one bound that all callers share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::server::MadeKey;
use crate::server::wire::Connection;
use crate::stage::{Stage, ask_again, send_all, stranger};

use Role::{Guest, Key, Neighbour, Nobody, User};

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

    /// How much was sent so far.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

/// Who tries to empty a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nobody who is known.
    Nobody,
    /// A guest of the owner's organization.
    Guest,
    /// A user of the owner's organization.
    User,
    /// The administrator of another organization.
    Neighbour,
    /// Service keys of that organization, which may do all there.
    Key,
}

impl Role {
    /// The header line that says who asks.
    fn header(self, stage: &Stage, thread: usize) -> (&'static str, String) {
        match self {
            Nobody => ("Cookie", format!("keyhouse={}", "A".repeat(43))),
            Guest => ("Cookie", stage.guest.cookie.clone()),
            User => ("Cookie", stage.user.cookie.clone()),
            Neighbour => ("Cookie", stage.neighbour.cookie.clone()),
            Key => ("Authorization", bearer(&stage.keys[thread % stage.keys.len()])),
        }
    }
}

/// One of those who try to empty a bound.
pub(crate) struct Flooder<'a> {
    stage: &'a Stage,
    signal: &'a Signal,
    role: Role,
    thread: usize,
}

/// One row: the bound, who tries to empty it, and how. Who comes behind `short` does so in the long form.
pub(crate) struct Flood {
    pub(crate) bound: &'static str,
    pub(crate) short: usize,
    pub(crate) roles: &'static [Role],
    /// How much must have been sent before anything is measured.
    pub(crate) begun: usize,
    /// Whether one signs in who never did so in this browser: where strangers fill what strangers
    /// share, those who are known must still come in, and strangers need not.
    pub(crate) strangers_enter: bool,
    run: fn(&Flooder<'_>),
}

impl Flood {
    pub(crate) fn run(&self, stage: &Stage, signal: &Signal, role: Role, thread: usize) {
        (self.run)(&Flooder { stage, signal, role, thread });
    }
}

pub(crate) const FLOODS: &[Flood] = &[
    flood("bodies of sign-in", 1, &[Nobody, Guest, User, Neighbour, Key], |it| {
        let (method, path) =
            if it.role == Nobody { ("POST", "/v1/session") } else { ("PATCH", "/v1/me") };
        hold(it, (method, path, 4_096));
    }),
    flood("bodies of checks", 2, &[Nobody, Key, Guest, User, Neighbour], |it| {
        hold(it, ("POST", "/v1/verify", 65_536));
    }),
    flood("bodies of batches", 2, &[Nobody, Key, Guest, User, Neighbour], |it| {
        hold(it, ("POST", "/v1/verify/batch", 1 << 20));
    }),
    flood("bodies of management", 3, &[Nobody, Guest, Neighbour, User, Key], |it| {
        hold(it, ("POST", "/v1/keys", 65_536));
    }),
    flood("bodies of imports", 1, &[Neighbour, Nobody, Guest, User, Key], |it| {
        hold(it, ("POST", "/v1/keys/import", 1 << 20));
    }),
    flood("places of sign-in, queue of Argon2", 1, &[Nobody], |it| {
        hammer(it, |line, number| guess(it, line, number));
    }),
    Flood {
        strangers_enter: false,
        begun: 1,
        ..flood("queue of sign-in", 1, &[Nobody], |it| {
            crowd(it, |line, number| guess(it, line, number));
        })
    },
    flood("places of sign-in, by changes", 1, &[User, Guest, Neighbour], |it| {
        let body = json!({"password": "a wholly new password 9", "current_password": "wrong"});
        crowd(it, |line, _| it.ask(line, "PATCH", "/v1/me", &body));
    }),
    flood("places of the page", 1, &[Nobody, Guest], |it| {
        hammer(it, |line, _| it.get(line, "/openapi.json"));
    }),
    flood("places of checks", 1, &[User, Guest, Neighbour], |it| {
        let body = json!({"key": it.stage.passing.secret, "cost": 0});
        crowd(it, |line, _| it.ask(line, "POST", "/v1/verify", &body));
    }),
    flood("places of long reads", 2, &[Guest, Neighbour, User, Key], |it| {
        crowd(it, |line, _| it.get(line, "/v1/keys?sort=name&limit=100&status=all"));
    }),
    flood("places of management", 2, &[Key, Guest, User, Neighbour], |it| {
        crowd(it, |line, _| it.get(line, "/v1/users?limit=100"));
    }),
    flood("places of batches", 1, &[Key, User, Neighbour], |it| {
        let one = json!({"key": it.stage.passing.secret, "cost": 0});
        let body = json!({ "requests": vec![one; 500] });
        hammer(it, |line, _| it.ask(line, "POST", "/v1/verify/batch", &body));
    }),
    flood("checks that wait for a quota", 1, &[Key], |it| {
        let counted = &it.stage.counted;
        let bearer = bearer(&counted[it.thread % counted.len()]);
        hammer(it, |line, _| {
            let headers = gate_headers(&bearer);
            ask_again(line, it.stage.checks, ("GET", "/v1/forward-auth/default", &headers, b""));
        });
    }),
    flood("connections", 1, &[Nobody], |it| {
        keep_open(it.signal, || stranger(it.stage.main()).ok(), 64);
    }),
    flood("connections of the metrics listener", 1, &[Nobody], |it| {
        keep_open(it.signal, || stranger(it.stage.metrics).ok(), 16);
    }),
    Flood {
        // More than may wait, than the pipe holds, and than was read before.
        begun: 3 * LINES_WAITING_MAX,
        ..flood(UNREAD, 1, &[Nobody], |it| {
            // Nobody reads what the server writes.
            let _unread = (it.thread == 0).then(|| it.stage.server.log().unread());
            hammer(it, |line, number| {
                let id = format!("{UNREAD_ID}{number}");
                let headers = [("X-Request-Id", &*id)];
                ask_again(line, it.stage.main(), ("GET", "/nothing", &headers, b""));
            });
        })
    },
    flood("audit events", 1, &[User, Guest, Neighbour], |it| {
        hammer(it, |line, number| {
            it.ask(line, "PATCH", "/v1/me", &json!({"name": format!("name {number}")}));
        });
    }),
    flood("the index's writer, by new keys", 1, &[Key, User, Neighbour], |it| {
        let list: Vec<String> = (0..96).map(|number| crossing("c", number)).collect();
        let kind = if it.role == User { "personal" } else { "service" };
        let body = json!({"kind": kind, "permissions": list});
        hammer(it, |line, _| it.ask(line, "POST", "/v1/keys", &body));
    }),
    // Keys of users with crossing lists that went to the organization made the writer take a
    // product of the lists for each of their changes, while the checks of all were refused.
    flood("the index's writer, by transferred keys", 2, &[Neighbour, Key], |it| {
        let transferred = &it.stage.transferred;
        hammer(it, |line, number| {
            let path = format!("/v1/keys/{}", transferred[number % transferred.len()]);
            it.ask(line, "PATCH", &path, &json!({"name": format!("n{number}")}));
        });
    }),
];

/// The row in which nobody reads the log.
pub(crate) const UNREAD: &str = "lines of the log";
/// What the ids of its requests begin with.
pub(crate) const UNREAD_ID: &str = "unread-";
/// How many lines of the log may wait in the server.
const LINES_WAITING_MAX: usize = 4_096;

const fn flood(
    bound: &'static str,
    short: usize,
    roles: &'static [Role],
    run: fn(&Flooder<'_>),
) -> Flood {
    Flood { bound, short, roles, begun: THREADS, strangers_enter: true, run }
}

impl Flooder<'_> {
    fn get(&self, line: &mut Option<Connection>, path: &str) {
        let (name, value) = self.role.header(self.stage, self.thread);
        ask_again(line, self.stage.main(), ("GET", path, &[(name, &value)], b""));
    }

    fn ask(&self, line: &mut Option<Connection>, method: &str, path: &str, body: &Value) {
        let (name, value) = self.role.header(self.stage, self.thread);
        let headers = [(name, &*value), ("Content-Type", "application/json")];
        ask_again(line, self.stage.main(), (method, path, &headers, body.to_string().as_bytes()));
    }
}

/// Guesses at a password, each time from another /64, of seven /48.
fn guess(flooder: &Flooder<'_>, line: &mut Option<Connection>, number: usize) {
    let body = json!({"email": "ada@example.com", "password": "not the password"}).to_string();
    let address = format!("2001:db8:{:x}:{:x}::1", number % 7, number / 7);
    let headers = [("X-Forwarded-For", &*address), ("Content-Type", "application/json")];
    ask_again(line, flooder.stage.main(), ("POST", "/v1/session", &headers, body.as_bytes()));
}

/// One of 96 patterns of eight segments with a name in one of them and wildcards in all others.
pub(crate) fn crossing(name: &str, number: usize) -> String {
    let (place, name) = (number % 8, format!("{name}{:02}", number / 8));
    let segment = |at| if at == place { name.clone() } else { "*".to_owned() };
    let segments: Vec<String> = (0..8).map(segment).collect();
    segments.join(":")
}

fn bearer(key: &MadeKey) -> String {
    format!("Bearer {}", key.secret)
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

/// Sends requests whose bodies lack the last byte, and holds them; then all of them anew.
fn hold(flooder: &Flooder<'_>, (method, path, bytes): (&str, &str, usize)) {
    let (stage, signal) = (flooder.stage, flooder.signal);
    let (name, value) = flooder.role.header(stage, flooder.thread);
    while !signal.is_over() {
        let mut held = Vec::new();
        for _ in 0..HELD_A_THREAD {
            let Ok(mut line) = Connection::try_open(stage.main()) else { continue };
            // From many addresses, none of which is that of those whom it would stop.
            let from = forwarded(signal.count());
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
                 {name}: {value}\r\n{from}Content-Length: {bytes}\r\n\r\n",
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

/// Asks as fast as it is answered; each request has a number.
fn hammer(flooder: &Flooder<'_>, mut ask: impl FnMut(&mut Option<Connection>, usize)) {
    let mut line = None;
    while !flooder.signal.is_over() {
        ask(&mut line, flooder.signal.count());
    }
}

/// The same with more requests under way than this flood has threads.
fn crowd(flooder: &Flooder<'_>, ask: impl Fn(&mut Option<Connection>, usize) + Sync) {
    thread::scope(|threads| {
        for _ in 0..HELD_A_THREAD {
            threads.spawn(|| hammer(flooder, &ask));
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
