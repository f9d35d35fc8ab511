//! For each bound that callers share: one hostile caller tries to empty it, while an owner revokes keys, a gate and
//! a service check, somebody signs in, an operator uses the command line on the host, and metrics are read. All of them succeed.
//!
//! How long they take is printed beside a quiet run, and not asserted: the machine may be busy with other tests.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]

mod floods;
#[path = "../server/mod.rs"]
mod server;
mod stage;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use floods::{FLOODS, Flood, Role, Signal, THREADS, UNREAD, UNREAD_ID, gate_headers};
use server::ask_json;
use server::wire::{Answer, Connection};
use stage::{PASSWORD, Stage};

/// How often each flood is measured: revocations, and what is asked beside each.
const ROUNDS: usize = 8;
const ROUNDS_LONG: usize = 100;
const CHECKS_A_ROUND: usize = 5;
/// The command line is a process of its own, which takes far longer than its request.
const ROUNDS_A_COMMAND: usize = 4;

/// How long each kind of request took.
#[derive(Default)]
struct Times {
    revoke: Vec<Duration>,
    check: Vec<Duration>,
    verify: Vec<Duration>,
    sign_in: Vec<Duration>,
    first_sign_in: Vec<Duration>,
    command: Vec<Duration>,
    metrics: Vec<Duration>,
}

impl Times {
    fn shown(&mut self, quiet: &mut Self) -> String {
        let pairs = [
            ("revoke", &mut self.revoke, &mut quiet.revoke),
            ("check", &mut self.check, &mut quiet.check),
            ("verify", &mut self.verify, &mut quiet.verify),
            ("sign-in", &mut self.sign_in, &mut quiet.sign_in),
            ("first sign-in", &mut self.first_sign_in, &mut quiet.first_sign_in),
            ("command", &mut self.command, &mut quiet.command),
            ("metrics", &mut self.metrics, &mut quiet.metrics),
        ];
        let pairs = pairs.into_iter().filter(|(_, flooded, _)| !flooded.is_empty());
        let each = pairs.map(|(name, flooded, quiet)| {
            let (flooded, quiet) = (p99(flooded), p99(quiet));
            let times = flooded.as_secs_f64() / quiet.as_secs_f64();
            format!("{name} {:.1} ms ({times:.1}x)", flooded.as_secs_f64() * 1e3)
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

#[test]
fn no_caller_empties_a_bound_that_others_need() {
    let rounds = if long() { ROUNDS_LONG } else { ROUNDS };
    let rows: Vec<(&Flood, Role)> = FLOODS.iter().flat_map(rows_of).collect();
    let stage = Stage::start(rounds * (rows.len() + 1));
    let mut quiet = measure(&stage, rounds, ("nothing", true));
    let mut unread = 0;
    for (flood, role) in rows {
        let (mut flooded, sent) = under(&stage, (flood, role), rounds);
        println!("{}, by {role:?}: {}", flood.bound, flooded.shown(&mut quiet));
        unread += if flood.bound == UNREAD { sent } else { 0 };
    }
    let log = Arc::clone(stage.server.log());
    let ended = stage.server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let read = log.whole().lines().filter(|line| line.contains(UNREAD_ID)).count();
    assert!((1..unread).contains(&read), "{read} of {unread} lines: the log was never full");
}

/// A bound with each role that tries to empty it.
fn rows_of(flood: &'static Flood) -> impl Iterator<Item = (&'static Flood, Role)> {
    let roles = if long() { flood.roles.len() } else { flood.short };
    flood.roles.iter().take(roles).map(move |role| (flood, *role))
}

/// Measures while a flood runs in threads of its own.
fn under(stage: &Stage, (flood, role): (&Flood, Role), rounds: usize) -> (Times, usize) {
    let signal = Signal::default();
    let times = thread::scope(|threads| {
        let end = EndOnDrop(&signal);
        for number in 0..THREADS {
            let signal = &signal;
            threads.spawn(move || flood.run(stage, signal, role, number));
        }
        while signal.sent() < flood.begun {
            thread::yield_now();
        }
        let name = format!("{}, by {role:?}", flood.bound);
        let times = measure(stage, rounds, (&name, flood.strangers_enter));
        drop(end);
        times
    });
    (times, signal.sent())
}

/// Ends a flood also where its measurement fails: its threads would run for ever.
struct EndOnDrop<'a>(&'a Signal);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Asks for all that must go on during a flood, for which a stranger to the browser can sign in or not.
fn measure(stage: &Stage, rounds: usize, (flood, strangers_enter): (&str, bool)) -> Times {
    let mut times = Times::default();
    let bearer = format!("Bearer {}", stage.passing.secret);
    let mut gate = Connection::open(stage.checks);
    for round in 0..rounds {
        let id = stage.next_doomed();
        let path = format!("/v1/keys/{id}/revoke");
        let revoked = timed(&mut times.revoke, || stage.owner.ask("POST", &path, &Value::Null));
        assert_eq!(revoked.status, 200, "{flood}: revoke: {revoked:?}");
        for _ in 0..CHECKS_A_ROUND {
            let headers = gate_headers(&bearer);
            let passed = timed(&mut times.check, || {
                gate.ask("GET", "/v1/forward-auth/default", &headers, b"")
            });
            assert_eq!(passed.status, 200, "{flood}: check: {passed:?}");
        }
        let verified = timed(&mut times.verify, || verify(stage, &bearer));
        assert_eq!(verified.status, 200, "{flood}: verify: {verified:?}");
        if round % ROUNDS_A_COMMAND == 0 {
            let entered = timed(&mut times.sign_in, || sign_in(stage, &stage.device));
            assert_eq!(entered.status, 201, "{flood}: sign-in: {entered:?}");
            if strangers_enter {
                let entered = timed(&mut times.first_sign_in, || sign_in(stage, "no=device"));
                assert_eq!(entered.status, 201, "{flood}: first sign-in: {entered:?}");
            }
            let shown =
                timed(&mut times.command, || stage.server.run_cli(&["key", "show", &id], ""));
            assert_eq!(shown.code, Some(0), "{flood}: command: {shown:?}");
            assert!(shown.stdout.contains("revoked"), "{flood}: command: {shown:?}");
        }
        let scraped = timed(&mut times.metrics, || {
            Connection::open(stage.metrics).ask("GET", "/metrics", &[], b"")
        });
        assert_eq!(scraped.status, 200, "{flood}: metrics: {scraped:?}");
    }
    times
}

/// A service asks, with a body: memory for it must be there.
fn verify(stage: &Stage, bearer: &str) -> Answer {
    let body = json!({"key": stage.passing.secret, "cost": 0});
    ask_json(stage.checks, "POST", "/v1/verify", &[("Authorization", bearer)], &body)
}

/// Somebody signs in, from a network of their own, in a browser with this cookie.
fn sign_in(stage: &Stage, device: &str) -> Answer {
    let email = format!("{}@example.com", stage.visitor);
    let body = json!({"email": email, "password": PASSWORD});
    let headers = [("X-Forwarded-For", "203.0.113.9"), ("Cookie", device)];
    ask_json(stage.main(), "POST", "/v1/session", &headers, &body)
}

#[expect(clippy::disallowed_methods, reason = "the times are what is printed")]
fn timed<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let outcome = work();
    times.push(begun.elapsed());
    outcome
}

/// Whether `./test --long` runs.
#[expect(clippy::disallowed_methods, reason = "how a run is told to be long")]
fn long() -> bool {
    std::env::var_os("KEYHOUSE_TEST_LONG").is_some()
}
