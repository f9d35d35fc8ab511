//! The server survives kill -9 under load: every change that was answered with 2xx exists after the restart, and none
//! is partly applied.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]

#[path = "../server/mod.rs"]
mod server;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::wire::{Answer, Connection};
use server::{Home, Server};

const WRITERS: usize = 16;
const KILLS: usize = 50;
const READY_WITHIN: Duration = Duration::from_secs(2);
/// If the server sends nothing for this long, it has another fault, and the test fails.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// The state of a key that its writer expects.
#[derive(Clone, Debug)]
struct Known {
    secret: String,
    /// The state in the last answer.
    answered: State,
    /// The state after the change that was never answered.
    asked: Option<State>,
}

/// All fields of a key that the writers change.
#[derive(Clone, Debug, PartialEq)]
struct State {
    name: String,
    status: String,
    version: u64,
}

/// The changes of one writer until the server ended.
#[derive(Debug, Default)]
struct Journal {
    keys: HashMap<String, Known>,
    /// The name of a key whose creation was requested and never answered.
    lost: Option<String>,
}

/// How a writer authenticates. Half of the writers use each variant.
#[derive(Clone, Debug)]
struct Credential {
    header: &'static str,
    value: String,
}

#[test]
fn every_answered_change_survives_a_kill_and_none_is_partial() {
    let home = Home::on_disk();
    let mut known: HashMap<String, Known> = HashMap::new();
    let mut server = Server::start_in(&home, &[]);
    let credentials = credentials(&server);
    let (mut changes, mut slowest) = (0, Duration::ZERO);
    for kill in 0..KILLS {
        let (answered, journals) = write_until_killed(server, &credentials, kill);
        changes += answered;
        let (restarted, took) = start_timed(&home);
        assert!(took <= READY_WITHIN, "kill {kill}: ready after {took:?}");
        slowest = slowest.max(took);
        server = restarted;
        let stored = all_keys(&server, &credentials);
        let lost: Vec<_> = journals.iter().filter_map(|journal| journal.lost.clone()).collect();
        for journal in journals {
            check_secrets(&server, &credentials, &journal, &stored);
            known.extend(journal.keys);
        }
        settle(&mut known, &stored, &lost, kill);
    }
    assert!(changes > KILLS * WRITERS, "only {changes} changes were answered");
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    check_audit(&home, &known);
    let (last, _) = start_timed(&home);
    settle(&mut known, &all_keys(&last, &credentials), &[], KILLS);
    report(&format!(
        "{KILLS} kills, {changes} answered changes, {} keys, slowest start {slowest:?}",
        known.len()
    ));
}

/// The audit log is complete and sealed, and has an event for every change in the store.
fn check_audit(home: &Home, known: &HashMap<String, Known>) {
    let ended = home.run_cli(&["audit", "check", "--json"], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let reported: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(reported["unsealed"], 0, "{reported}");
    // A key's version counts its changes, including its creation; each has an event.
    let changes: u64 = known.values().map(|known| known.answered.version).sum();
    let events = reported["events"].as_u64().unwrap();
    // Three more events: the setup, one sign-in, and the creation of the management key.
    assert_eq!(events, changes + 3, "{reported}");
}

#[expect(clippy::print_stderr, reason = "the numbers are worth a line in the log of a run")]
fn report(line: &str) {
    eprintln!("{line}");
}

fn credentials(server: &Server) -> Vec<Credential> {
    let session = server.sign_in();
    let permissions = ["keyhouse:keys:manage", "keyhouse:keys:read", "keyhouse:keys:verify", "*"];
    let fields = json!({"name": "manager", "kind": "service", "permissions": permissions});
    let manager = session.make_key(&fields);
    vec![
        Credential { header: "Cookie", value: session.cookie },
        Credential { header: "Authorization", value: format!("Bearer {}", manager.secret) },
    ]
}

/// Starts 16 writers and kills the server after a number of answered changes, a different number
/// each time. Returns that number and the state that each writer expects.
fn write_until_killed(
    server: Server,
    credentials: &[Credential],
    kill: usize,
) -> (usize, Vec<Journal>) {
    // The numbers range from a few changes to many, and follow no pattern that the store could
    // share.
    let changes = WRITERS + (kill * 73) % 400;
    let address = server.address();
    let (sender, answers) = mpsc::channel();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let credential = &credentials[writer % credentials.len()];
                let sender = sender.clone();
                scope.spawn(move || {
                    write(address, credential, &sender, &format!("k{kill}w{writer}"))
                })
            })
            .collect();
        drop(sender);
        for _ in 0..changes {
            answers.recv_timeout(SILENCE_MAX).unwrap();
        }
        let _status = server.kill();
        let journals: Vec<_> = writers.into_iter().map(|it| it.join().unwrap()).collect();
        (changes + answers.try_iter().count(), journals)
    })
}

/// Creates keys and makes a series of changes to each until the server is gone.
fn write(
    address: SocketAddr,
    credential: &Credential,
    answered: &Sender<()>,
    writer: &str,
) -> Journal {
    let mut journal = Journal::default();
    let mut connection = Connection::open(address);
    for number in 0.. {
        let name = format!("{writer}n{number}");
        let fields = json!({"name": name, "kind": "service", "permissions": ["a:b"]});
        let Some(made) =
            reported(ask(&mut connection, credential, "POST", "/v1/keys", &fields), 201)
        else {
            journal.lost = Some(name);
            return journal;
        };
        answered.send(()).unwrap();
        let (id, secret) = (text(&made["key"]["id"]), text(&made["secret"]));
        let known = Known { secret, answered: state_of(&made["key"]), asked: None };
        journal.keys.insert(id.clone(), known);
        let known = journal.keys.get_mut(&id).unwrap();
        for step in 0..number % 4 {
            let (method, path, body, next) = change(&id, &known.answered, step);
            known.asked = Some(next.clone());
            let Some(changed) =
                reported(ask(&mut connection, credential, method, &path, &body), 200)
            else {
                return journal;
            };
            answered.send(()).unwrap();
            assert_eq!(state_of(&changed), next, "{method} {path}");
            (known.answered, known.asked) = (next, None);
        }
    }
    journal
}

/// The change of this step, and the state of the key after it.
fn change(id: &str, now: &State, step: usize) -> (&'static str, String, Value, State) {
    let path = format!("/v1/keys/{id}");
    let version = now.version + 1;
    match step {
        0 => {
            let name = format!("{}-renamed", now.name);
            let body = json!({"name": name});
            ("PATCH", path, body, State { name, version, status: now.status.clone() })
        },
        1 => {
            let status = "disabled".to_owned();
            (
                "POST",
                format!("{path}/disable"),
                json!({}),
                State { version, status, name: now.name.clone() },
            )
        },
        _ => {
            let status = "revoked".to_owned();
            (
                "POST",
                format!("{path}/revoke"),
                json!({}),
                State { version, status, name: now.name.clone() },
            )
        },
    }
}

/// Every key is complete, either as last answered or as after the unanswered change, and no other
/// key exists.
fn settle(
    known: &mut HashMap<String, Known>,
    stored: &HashMap<String, Value>,
    lost: &[String],
    kill: usize,
) {
    for (id, known) in known.iter_mut() {
        let key = stored.get(id).unwrap_or_else(|| panic!("kill {kill}: {id} is gone: {known:?}"));
        let found = state_of(key);
        let possible = found == known.answered || Some(&found) == known.asked.as_ref();
        assert!(possible, "kill {kill}: {id} is {found:?}, known was {known:?}");
        assert_eq!(key["revoked_at"].is_string(), found.status == "revoked", "{key}");
        (known.answered, known.asked) = (found, None);
    }
    for (id, key) in stored {
        if known.contains_key(id) || key["name"] == "manager" {
            continue;
        }
        // A key whose creation was not answered exists completely or not at all.
        let asked_for = lost.iter().any(|name| key["name"] == name.as_str());
        assert!(asked_for, "kill {kill}: no request created {key}");
        assert_eq!((&key["version"], &key["permissions"]), (&json!(1), &json!(["a:b"])), "{key}");
        let secret = format!("unknown to all: {}", key["hint"]);
        known.insert(id.clone(), Known { secret, answered: state_of(key), asked: None });
    }
}

/// For each secret, the index agrees with the store about its key.
fn check_secrets(
    server: &Server,
    credentials: &[Credential],
    journal: &Journal,
    stored: &HashMap<String, Value>,
) {
    let mut connection = Connection::open(server.address());
    let credential = credentials.last().unwrap();
    for (id, known) in &journal.keys {
        let body = json!({"key": known.secret, "permissions": ["a:b"]});
        let answer = ask(&mut connection, credential, "POST", "/v1/verify", &body);
        let verdict = reported(answer, 200).unwrap();
        let status = stored.get(id).map_or("gone", |key| key["status"].as_str().unwrap());
        let code = match status {
            "active" => "VALID",
            "disabled" => "DISABLED",
            "revoked" => "REVOKED",
            other => panic!("{id} is {other}"),
        };
        assert_eq!(verdict["code"], code, "{id}");
        assert_eq!(verdict["key"]["id"], id.as_str());
    }
}

fn all_keys(server: &Server, credentials: &[Credential]) -> HashMap<String, Value> {
    let mut connection = Connection::open(server.address());
    // The session is in the store too, and must have survived the kill.
    let credential = credentials.first().unwrap();
    let (mut found, mut cursor) = (HashMap::new(), String::new());
    loop {
        let path = format!("/v1/keys?status=all&limit=100{cursor}");
        let page =
            reported(ask(&mut connection, credential, "GET", &path, &Value::Null), 200).unwrap();
        for key in page["items"].as_array().unwrap() {
            let before = found.insert(text(&key["id"]), key.clone());
            assert!(before.is_none(), "{key} is listed twice");
        }
        let Some(next) = page["next_cursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

/// Starts a server and returns how long it took until it was ready.
#[expect(clippy::disallowed_methods, reason = "ready within 2 s is the claim")]
fn start_timed(home: &Arc<Home>) -> (Server, Duration) {
    let begun = Instant::now();
    let server = Server::start_in(home, &[]);
    (server, begun.elapsed())
}

fn ask(
    connection: &mut Connection,
    credential: &Credential,
    method: &str,
    path: &str,
    body: &Value,
) -> io::Result<Answer> {
    let mut headers = vec![(credential.header, credential.value.as_str())];
    if body.is_null() {
        return connection.try_ask(method, path, &headers, b"");
    }
    headers.push(("Content-Type", "application/json"));
    connection.try_ask(method, path, &headers, body.to_string().as_bytes())
}

/// Returns the body of a response, or none if the server ended before the end of the body.
fn reported(answer: io::Result<Answer>, status: u16) -> Option<Value> {
    let answer = answer.ok()?;
    assert_eq!(answer.status, status, "{}", answer.body);
    Some(answer.json())
}

fn state_of(key: &Value) -> State {
    State {
        name: text(&key["name"]),
        status: text(&key["status"]),
        version: key["version"].as_u64().unwrap(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
