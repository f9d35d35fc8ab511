//! Hostile callers, each of which tries to exhaust one bound that all callers share. Each caller
//! must reach its bound.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::fixture::{COSTLY, Fixture, PASSWORD, ask_again, has_ended, send_all, stranger};
use crate::server::MadeKey;
use crate::server::wire::{Answer, Connection};

use Role::{Guest, Key, Neighbour, Public, User};

/// Pause between two checks of held requests.
const HELD_FOR: Duration = Duration::from_millis(500);
/// Maximum time in which a flood must reach its bound.
pub(crate) const REACHED_WITHIN: Duration = Duration::from_mins(1);
/// Threads of one flood.
pub(crate) const THREADS: usize = 8;
/// Requests in flight per thread, for floods that need more requests than threads: together they
/// exceed what an organization may have running and waiting in any part.
const CROWD: usize = 24;
/// Pause after a refused request, during which other requests take its place. The bound stays fully
/// used meanwhile.
const REFUSED_FOR: Duration = Duration::from_millis(20);
/// Bodies of 4 KiB that each thread holds: together more than an address may hold.
const SMALL_BODIES: usize = 140;
/// Bodies of 64 KiB, and below of 1 MiB, that each thread holds: together more than an organization
/// may hold.
const BODIES: usize = 14;
const LARGE_BODIES: usize = 3;

/// How a request of a flood ended: with this status and code, or cut off. Requests still held at
/// the end of a flood have no ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Answer(u16, &'static str),
    Closed,
}

use End::{Answer as Said, Closed};

const BUSY: End = Said(503, "busy");
/// The refusal of a HEAD request, whose response has no body.
const BUSY_HEAD: End = Said(503, "");
const DONE: End = Said(200, "");
const MADE: End = Said(201, "");
const FORBIDDEN: End = Said(403, "permission_required");
const NO_SESSION: End = Said(401, "session_ended");
const LATE: End = Said(408, "body_timeout");
const WRONG: End = Said(401, "sign_in_failed");
const NOT_FOUND: End = Said(404, "not_found");
/// The answer to a check when the queue for a reservation is full.
const NOT_RESERVED: End = Said(503, "storage_unavailable");

/// All responses that a flood may receive.
const KNOWN: [End; 10] =
    [BUSY, BUSY_HEAD, DONE, MADE, FORBIDDEN, NO_SESSION, LATE, WRONG, NOT_FOUND, NOT_RESERVED];
/// The end of a request whose response is not in the list.
const STRANGE: End = Said(0, "strange");

/// Signals the end of a flood and counts the outcomes of its requests.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    ended: Condvar,
    /// Records the end of a request.
    noted: Condvar,
}

#[derive(Default)]
struct State {
    is_over: bool,
    sent: usize,
    ends: BTreeMap<End, usize>,
    /// Returns an unexpected answer unchanged.
    strange: Option<String>,
}

impl Signal {
    pub(crate) fn end(&self) {
        self.state.lock().unwrap().is_over = true;
        self.ended.notify_all();
    }

    fn is_over(&self) -> bool {
        self.state.lock().unwrap().is_over
    }

    /// Waits for the end of the flood, at most for the given time.
    fn hold(&self, most: Duration) {
        let state = self.state.lock().unwrap();
        drop(self.ended.wait_timeout_while(state, most, |state| !state.is_over).unwrap());
    }

    fn count(&self) -> usize {
        let mut state = self.state.lock().unwrap();
        state.sent += 1;
        state.sent - 1
    }

    fn note(&self, end: End) {
        *self.state.lock().unwrap().ends.entry(end).or_default() += 1;
        self.noted.notify_all();
    }

    fn note_answer(&self, answer: Option<&Answer>) -> End {
        let end = answer.map_or(Closed, |answer| self.known(answer));
        self.note(end);
        end
    }

    fn known(&self, answer: &Answer) -> End {
        // A successful response may contain any code.
        let code = if answer.status < 400 { String::new() } else { answer.code() };
        let known = |end: &&End| matches!(end, Said(status, known) if *status == answer.status && *known == code);
        let known = KNOWN.iter().find(known);
        if known.is_none() {
            self.state.lock().unwrap().strange.get_or_insert_with(|| format!("{answer:?}"));
        }
        *known.unwrap_or(&STRANGE)
    }

    /// Bytes sent so far.
    pub(crate) fn sent(&self) -> usize {
        self.state.lock().unwrap().sent
    }

    /// Waits until the required number of requests has reached the bound.
    pub(crate) fn wait_for(&self, end: End, begun: usize) -> bool {
        let came = |state: &mut State| state.ends.get(&end).is_none_or(|count| *count < begun);
        let state = self.state.lock().unwrap();
        !self.noted.wait_timeout_while(state, REACHED_WITHIN, came).unwrap().1.timed_out()
    }

    /// The outcomes of all requests, each with its count.
    pub(crate) fn ends(&self) -> BTreeMap<End, usize> {
        self.state.lock().unwrap().ends.clone()
    }

    /// An unexpected answer.
    pub(crate) fn strange(&self) -> Option<String> {
        self.state.lock().unwrap().strange.clone()
    }
}

/// A kind of attacker that tries to exhaust a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A caller without credentials.
    Public,
    /// A guest of the owner's organization.
    Guest,
    /// A user of the owner's organization.
    User,
    /// The administrator of another organization.
    Neighbour,
    /// Service keys of that organization with every permission in it.
    Key,
}

impl Role {
    /// The header line with the caller's credentials.
    fn header(self, fixture: &Fixture, thread: usize) -> (&'static str, String) {
        match self {
            Public => ("Cookie", format!("keyhouse={}", "A".repeat(43))),
            Guest => ("Cookie", fixture.guest.cookie.clone()),
            User => ("Cookie", fixture.user.cookie.clone()),
            Neighbour => ("Cookie", fixture.neighbour.cookie.clone()),
            Key => ("Authorization", bearer(&fixture.keys[thread % fixture.keys.len()])),
        }
    }
}

/// One attacker, with the end of requests that reached the bound and the other permitted ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By {
    pub(crate) role: Role,
    /// The end that proves that a request got as far as possible: a refusal at the bound, or
    /// earlier.
    pub(crate) reached: End,
    /// The minimum percentage of requests with this end.
    pub(crate) percent: usize,
    /// The permitted ends of the other requests.
    pub(crate) others: &'static [End],
}

const fn by(role: Role, reached: End, percent: usize, others: &'static [End]) -> By {
    By { role, reached, percent, others }
}

/// Every request ends the same way.
const fn always(role: Role, reached: End) -> By {
    by(role, reached, 100, &[])
}

/// Requests with bodies: the maximum is held until the deadline, and at least half of all requests
/// are refused because of it.
const fn holding(role: Role) -> By {
    by(role, BUSY, 50, &[LATE])
}

/// Requests for slots: the maximum runs and waits, and further requests are refused. Refused
/// requests pause and served requests do not, so there are few refusals if responses are quick.
const fn crowding(role: Role, others: &'static [End]) -> By {
    by(role, BUSY, 1, others)
}

/// One of the attackers that try to exhaust a bound.
pub(crate) struct Flooder<'a> {
    fixture: &'a Fixture,
    signal: &'a Signal,
    role: Role,
    thread: usize,
}

/// One row: the bound, the attackers, and their method. Attackers after `short` run only in the
/// long form.
pub(crate) struct Flood {
    pub(crate) bound: &'static str,
    pub(crate) short: usize,
    pub(crate) by: &'static [By],
    /// How many requests must have reached the bound before measuring starts.
    pub(crate) begun: usize,
    /// Whether the measured sign-in comes from a new browser. If strangers exhaust a bound that
    /// strangers share, sign-in must still work in known browsers, but not in new browsers.
    pub(crate) strangers_enter: bool,
    /// Whether all password hashing threads must be busy during the whole flood, which no refusal
    /// proves.
    pub(crate) fills_hashing: bool,
    run: fn(&Flooder<'_>),
}

impl Flood {
    pub(crate) fn run(&self, fixture: &Fixture, signal: &Signal, role: Role, thread: usize) {
        (self.run)(&Flooder { fixture, signal, role, thread });
    }
}

/// The baseline: as many harmless requests in flight as in a flood. Attackers, server and measured
/// callers share the cores of one machine, unlike in production.
pub(crate) const HARMLESS: [Flood; 2] = [
    flood("8 harmless requests", 1, &[always(Public, DONE)], |it| {
        hammer(it, |line, _| it.get(line, "/healthz"));
    }),
    flood("192 harmless requests", 1, &[always(Public, DONE)], |it| {
        crowd(it, CROWD, |line, _| it.get(line, "/healthz"));
    }),
];

const PAGE_READERS: &[By] = &[by(Public, BUSY_HEAD, 1, &[DONE]), by(Guest, BUSY_HEAD, 1, &[DONE])];

/// All kinds of attackers.
const WITH_BODIES: &[By] =
    &[always(Public, NO_SESSION), holding(Key), holding(Guest), holding(User), holding(Neighbour)];

pub(crate) const FLOODS: &[Flood] = &[
    flood(
        "bodies of sign-in",
        1,
        &[holding(Public), holding(Guest), holding(User), holding(Neighbour), holding(Key)],
        |it| {
            let (method, path) =
                if it.role == Public { ("POST", "/v1/session") } else { ("PATCH", "/v1/me") };
            hold(it, (method, path, 4_096), SMALL_BODIES, |_| "198.51.100.1".to_owned());
        },
    ),
    flood("bodies of checks", 2, WITH_BODIES, |it| {
        hold(it, ("POST", "/v1/verify", 65_536), BODIES, anywhere);
    }),
    flood("bodies of batches", 2, WITH_BODIES, |it| {
        hold(it, ("POST", "/v1/verify/batch", 1 << 20), LARGE_BODIES, anywhere);
    }),
    flood("bodies of management", 4, WITH_BODIES, |it| {
        hold(it, ("POST", "/v1/keys", 65_536), BODIES, anywhere);
    }),
    flood("bodies of imports", 2, WITH_BODIES, |it| {
        hold(it, ("POST", "/v1/keys/import", 1 << 20), LARGE_BODIES, anywhere);
    }),
    Flood {
        fills_hashing: true,
        // Each request comes from a different stranger with its own slot.
        ..flood("places of sign-in, queue of Argon2", 1, &[always(Public, WRONG)], |it| {
            hammer(it, |line, number| it.guess(line, number, number));
        })
    },
    Flood {
        strangers_enter: false,
        fills_hashing: true,
        // The networks of one neighbourhood wait in as many slots as the queue has; the throttle
        // accepts 600 failures of one network.
        ..flood("queue of sign-in", 1, &[crowding(Public, &[WRONG])], |it| {
            crowd(it, CROWD, |line, number| it.guess(line, number, number / 500));
        })
    },
    flood(
        "places of sign-in, by changes",
        1,
        &[crowding(User, &[DONE]), crowding(Guest, &[DONE]), crowding(Neighbour, &[DONE])],
        |it| {
            // The email address does not change: the password is hashed, and nothing is written.
            let email = match it.role {
                User => "user@example.com",
                Guest => "guest@example.com",
                Public | Neighbour | Key => "owner@b.example",
            };
            let body = json!({"email": email, "current_password": PASSWORD}).to_string();
            crowd(it, CROWD, |line, _| it.ask(line, "PATCH", "/v1/me", &body));
        },
    ),
    flood("places of the page", 1, PAGE_READERS, |it| {
        // HEAD, because a response of 600 KiB would keep the attackers busy and not the server.
        crowd(it, CROWD, |line, _| it.ask(line, "HEAD", "/openapi.json", ""));
    }),
    flood(
        "places of checks",
        1,
        &[
            crowding(Neighbour, &[DONE]),
            crowding(Guest, &[FORBIDDEN]),
            crowding(User, &[FORBIDDEN]),
        ],
        |it| {
            let body = json!({"key": it.fixture.passing.secret, "cost": 0}).to_string();
            crowd(it, CROWD, |line, _| it.ask(line, "POST", "/v1/verify", &body));
        },
    ),
    flood(
        "places of long reads",
        2,
        &[
            crowding(Guest, &[DONE]),
            crowding(Neighbour, &[DONE]),
            crowding(User, &[DONE]),
            crowding(Key, &[DONE]),
        ],
        |it| crowd(it, CROWD, |line, _| it.get(line, "/v1/keys?sort=name&limit=100&status=all")),
    ),
    flood(
        "places of management",
        2,
        &[
            crowding(Key, &[DONE]),
            crowding(Guest, &[FORBIDDEN]),
            crowding(User, &[FORBIDDEN]),
            crowding(Neighbour, &[DONE]),
        ],
        |it| match it.role {
            // Six keys hold more slots at once, so their requests must take longer: they wait for
            // the store.
            Key => crowd(it, CROWD, |line, number| it.rename_one(line, number)),
            Public | Guest | User | Neighbour => {
                crowd(it, CROWD, |line, _| it.get(line, "/v1/users?limit=100"));
            },
        },
    ),
    flood(
        "places of batches",
        1,
        &[crowding(Key, &[DONE]), crowding(User, &[FORBIDDEN]), crowding(Neighbour, &[DONE])],
        |it| {
            let one = json!({"key": it.fixture.passing.secret, "cost": 0});
            let body = json!({ "requests": vec![one; 500] }).to_string();
            crowd(it, CROWD, |line, _| it.ask(line, "POST", "/v1/verify/batch", &body));
        },
    ),
    // One key can hold its quarter of the requests that may wait.
    flood("checks that wait for a quota", 1, &[by(Key, NOT_RESERVED, 1, &[DONE])], |it| {
        let bearer = bearer(&it.fixture.counted);
        crowd(it, CROWD, |line, _| {
            let headers = gate_headers(&bearer);
            let to = it.fixture.checks;
            it.note(ask_again(line, to, ("GET", COSTLY, &headers, b"")).as_ref())
        });
    }),
    flood("connections", 1, &[always(Public, Closed)], |it| {
        keep_open(it.signal, || stranger(it.fixture.main()).ok(), 64);
    }),
    flood("connections of the metrics listener", 1, &[always(Public, Closed)], |it| {
        keep_open(it.signal, || stranger(it.fixture.metrics).ok(), 16);
    }),
    Flood {
        // More lines than may wait, than the pipe holds, and than were read before.
        begun: 3 * LINES_WAITING_MAX,
        ..flood(UNREAD, 1, &[always(Public, NOT_FOUND)], |it| {
            // The test does not read the server's output.
            let _unread = (it.thread == 0).then(|| it.fixture.server.log().unread());
            hammer(it, |line, number| {
                let id = format!("{UNREAD_ID}{number}");
                let headers = [("X-Request-Id", &*id)];
                let to = it.fixture.main();
                it.note(ask_again(line, to, ("GET", "/nothing", &headers, b"")).as_ref())
            });
        })
    },
    flood(
        "audit events",
        1,
        &[always(User, DONE), always(Guest, DONE), always(Neighbour, DONE)],
        |it| {
            hammer(it, |line, number| {
                it.ask(line, "PATCH", "/v1/me", &format!("{{\"name\": \"name {number}\"}}"))
            });
        },
    ),
    flood(
        "the index's writer, by new keys",
        1,
        &[always(Key, MADE), always(User, MADE), always(Neighbour, MADE)],
        |it| {
            let list: Vec<String> = (0..96).map(|number| crossing("c", number)).collect();
            let kind = if it.role == User { "personal" } else { "service" };
            let body = json!({"kind": kind, "permissions": list}).to_string();
            hammer(it, |line, _| it.ask(line, "POST", "/v1/keys", &body));
        },
    ),
    // In an earlier version, for each change of a key that users with crossing lists had
    // transferred to the organization, the writer computed a product of the lists, and meanwhile
    // all checks were refused.
    flood(
        "the index's writer, by transferred keys",
        2,
        &[always(Neighbour, DONE), always(Key, DONE)],
        |it| {
            hammer(it, |line, number| it.rename_one(line, number));
        },
    ),
];

/// The name of the flood during which the log is not read.
pub(crate) const UNREAD: &str = "lines of the log";
/// The prefix of the request ids of that flood.
pub(crate) const UNREAD_ID: &str = "unread-";
/// Maximum number of log lines that may wait in the server.
const LINES_WAITING_MAX: usize = 4_096;

const fn flood(
    bound: &'static str,
    short: usize,
    by: &'static [By],
    run: fn(&Flooder<'_>),
) -> Flood {
    Flood { bound, short, by, begun: 1, strangers_enter: true, fills_hashing: false, run }
}

impl Flooder<'_> {
    fn note(&self, answer: Option<&Answer>) -> End {
        self.signal.note_answer(answer)
    }

    fn get(&self, line: &mut Option<Connection>, path: &str) -> End {
        let (name, value) = self.role.header(self.fixture, self.thread);
        let answer = ask_again(line, self.fixture.main(), ("GET", path, &[(name, &value)], b""));
        self.note(answer.as_ref())
    }

    fn ask(&self, line: &mut Option<Connection>, method: &str, path: &str, body: &str) -> End {
        let (name, value) = self.role.header(self.fixture, self.thread);
        let headers = [(name, &*value), ("Content-Type", "application/json")];
        let answer =
            ask_again(line, self.fixture.main(), (method, path, &headers, body.as_bytes()));
        self.note(answer.as_ref())
    }

    /// Renames one of the transferred keys.
    fn rename_one(&self, line: &mut Option<Connection>, number: usize) -> End {
        let transferred = &self.fixture.transferred;
        let path = format!("/v1/keys/{}", transferred[number % transferred.len()]);
        self.ask(line, "PATCH", &path, &format!("{{\"name\": \"n{number}\"}}"))
    }

    /// Guesses the password of an account that only this request uses, from a /64 that only this
    /// request uses. Account and network had no failure before, so the server hashes each guess.
    fn guess(&self, line: &mut Option<Connection>, number: usize, site: usize) -> End {
        let email = format!("unknown{number}@example.com");
        let body = json!({"email": email, "password": "not the password"}).to_string();
        let address = format!("2001:db8:{:x}:{:x}::1", site, number % 0x1_0000);
        let headers = [("X-Forwarded-For", &*address), ("Content-Type", "application/json")];
        let asked = ("POST", "/v1/session", &headers[..], body.as_bytes());
        let answer = ask_again(line, self.fixture.main(), asked);
        self.note(answer.as_ref())
    }
}

/// Returns one of 96 patterns of eight segments, with a name in one segment and wildcards in all
/// others.
pub(crate) fn crossing(name: &str, number: usize) -> String {
    let (place, name) = (number % 8, format!("{name}{:02}", number / 8));
    let segment = |at| if at == place { name.clone() } else { "*".to_owned() };
    let segments: Vec<String> = (0..8).map(segment).collect();
    segments.join(":")
}

fn bearer(key: &MadeKey) -> String {
    format!("Bearer {}", key.secret)
}

/// The header lines that a proxy adds to a request to a gate.
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

/// Returns one of many addresses, none of which belongs to the measured callers.
fn anywhere(number: usize) -> String {
    format!("198.51.{}.{}", number / 250 % 250, number % 250 + 1)
}

/// Sends requests whose bodies lack the last byte, and holds them. New requests replace ended
/// requests.
fn hold(
    flooder: &Flooder<'_>,
    (method, path, bytes): (&str, &str, usize),
    count: usize,
    from: fn(usize) -> String,
) {
    let (fixture, signal) = (flooder.fixture, flooder.signal);
    let (name, value) = flooder.role.header(fixture, flooder.thread);
    let mut held: Vec<Connection> = Vec::new();
    while !signal.is_over() {
        for _ in held.len()..count {
            let Ok(mut line) = Connection::try_open(fixture.main()) else { continue };
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
                 {name}: {value}\r\nX-Forwarded-For: {}\r\nContent-Length: {bytes}\r\n\r\n",
                fixture.main(),
                from(signal.count()),
            );
            let sent = line.send(head.as_bytes()).and_then(|()| line.send(&vec![b' '; bytes - 1]));
            // The server refused the request while it was being sent.
            drop(sent);
            held.push(line);
        }
        signal.hold(HELD_FOR);
        held.retain_mut(|line| {
            let ended = has_ended(line.socket());
            if ended {
                signal.note_answer(line.read().ok().as_ref());
            }
            !ended
        });
    }
}

/// Sends requests as fast as they are answered; each request has a number.
fn hammer(flooder: &Flooder<'_>, ask: impl Fn(&mut Option<Connection>, usize) -> End) {
    let mut line = None;
    while !flooder.signal.is_over() {
        if matches!(ask(&mut line, flooder.signal.count()), BUSY | BUSY_HEAD | NOT_RESERVED) {
            flooder.signal.hold(REFUSED_FOR);
        }
    }
}

/// Sends requests as fast as they are answered, with several requests in flight per thread.
fn crowd(
    flooder: &Flooder<'_>,
    count: usize,
    ask: impl Fn(&mut Option<Connection>, usize) -> End + Sync,
) {
    thread::scope(|threads| {
        for _ in 0..count {
            threads.spawn(|| hammer(flooder, &ask));
        }
    });
}

/// Opens as many connections as the server accepts, and sends half a request head on each. New
/// connections replace ended connections.
fn keep_open(signal: &Signal, open: impl Fn() -> Option<std::net::TcpStream>, count: usize) {
    let mut held = Vec::new();
    while !signal.is_over() {
        for _ in held.len()..count {
            let _number = signal.count();
            let Some(mut line) = open() else { continue };
            drop(send_all(&mut line, b"GET / HTTP/1.1\r\n"));
            held.push(line);
        }
        signal.hold(HELD_FOR);
        held.retain(|line| {
            let ended = has_ended(line);
            if ended {
                signal.note(Closed);
            }
            !ended
        });
    }
}
