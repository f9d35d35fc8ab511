//! For each bound that callers share: one hostile caller tries to empty it, while an owner revokes keys, a gate and
//! a service check, somebody signs in, an operator uses the command line on the host, and metrics are read. All of them succeed.
//!
//! How long they take is printed beside a quiet run, and not asserted: the machine may be busy with other tests.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]

mod floods;
#[path = "../server/mod.rs"]
mod server;
mod stage;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use floods::{FLOODS, Flood, Signal, THREADS, gate_headers};
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
            ("command", &mut self.command, &mut quiet.command),
            ("metrics", &mut self.metrics, &mut quiet.metrics),
        ];
        let each = pairs.map(|(name, flooded, quiet)| {
            let (flooded, quiet) = (p99(flooded), p99(quiet));
            let times = flooded.as_secs_f64() / quiet.as_secs_f64();
            format!("{name} {:.1} ms ({times:.1}x)", flooded.as_secs_f64() * 1e3)
        });
        each.join(", ")
    }
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

#[test]
fn no_caller_empties_a_bound_that_others_need() {
    let rounds = if long() { ROUNDS_LONG } else { ROUNDS };
    let stage = Stage::start(rounds * (FLOODS.len() + 1));
    let mut quiet = measure(&stage, rounds, "nobody");
    for flood in FLOODS {
        let mut flooded = under(&stage, flood, rounds);
        println!("{}, by {}: {}", flood.bound, flood.role, flooded.shown(&mut quiet));
    }
    let ended = stage.server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

/// Measures while a flood runs in threads of its own.
fn under(stage: &Stage, flood: &Flood, rounds: usize) -> Times {
    let signal = Signal::default();
    thread::scope(|threads| {
        let end = EndOnDrop(&signal);
        for number in 0..THREADS {
            let signal = &signal;
            threads.spawn(move || (flood.run)(stage, signal, number));
        }
        while !signal.has_begun() {
            thread::yield_now();
        }
        let times = measure(stage, rounds, &format!("{}, by {}", flood.bound, flood.role));
        drop(end);
        times
    })
}

/// Ends a flood also where its measurement fails: its threads would run for ever.
struct EndOnDrop<'a>(&'a Signal);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn measure(stage: &Stage, rounds: usize, flood: &str) -> Times {
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
            let entered = timed(&mut times.sign_in, || sign_in(stage));
            assert_eq!(entered.status, 201, "{flood}: sign-in: {entered:?}");
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

/// Somebody signs in, from a network of their own.
fn sign_in(stage: &Stage) -> Answer {
    let email = format!("{}@example.com", stage.visitor);
    let body = json!({"email": email, "password": PASSWORD});
    ask_json(stage.main(), "POST", "/v1/session", &[("X-Forwarded-For", "203.0.113.9")], &body)
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
