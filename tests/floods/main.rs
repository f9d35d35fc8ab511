//! For each bound that callers share, one hostile caller tries to exhaust it. Meanwhile an owner
//! revokes keys, a gate and a service check, a user signs in, an operator uses the command line on
//! the host, and metrics are read. All these requests succeed.
//!
//! Each flood must reach the bound that it attacks, which its responses prove.
//!
//! Durations are printed and not asserted, because the machine may be busy with other tests: p99,
//! and its ratios to the p99 of a quiet run and of runs with 8 and 192 harmless requests in flight.
//! The last two ratios are the fair ones, because the attackers run on the server's own cores.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]

mod fixture;
mod floods;
#[path = "../server/mod.rs"]
mod server;

use std::fmt::Write as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use fixture::{Fixture, PASSWORD};
use floods::{
    By, FLOODS, Flood, HARMLESS, REACHED_WITHIN, Signal, THREADS, UNREAD, UNREAD_ID, gate_headers,
};
use server::ask_json;
use server::wire::{Answer, Connection};

/// Number of measurements per flood: each is a revocation with the other requests.
const ROUNDS: usize = 8;
const ROUNDS_LONG: usize = 20;
/// Number of measurements per run without a flood, which is the basis of the ratios.
const QUIET_ROUNDS: usize = 20;
const CHECKS_A_ROUND: usize = 5;
/// The command line runs in a separate process, whose start takes far longer than its request.
const ROUNDS_A_COMMAND: usize = 4;

/// The durations of each kind of request.
#[derive(Default)]
struct Times {
    revoke: Vec<Duration>,
    check: Vec<Duration>,
    verify: Vec<Duration>,
    sign_in: Vec<Duration>,
    first_sign_in: Vec<Duration>,
    command: Vec<Duration>,
    metrics: Vec<Duration>,
    /// The number of requests on the pool at each scrape.
    in_flight: Vec<usize>,
}

impl Times {
    /// Returns the p99 of each kind of request in milliseconds, or none without requests.
    fn p99s(&self) -> [(&'static str, Option<f64>); 7] {
        [
            ("revoke", p99(&self.revoke)),
            ("check", p99(&self.check)),
            ("verify", p99(&self.verify)),
            ("sign-in", p99(&self.sign_in)),
            ("first sign-in", p99(&self.first_sign_in)),
            ("command", p99(&self.command)),
            ("metrics", p99(&self.metrics)),
        ]
    }

    /// Formats each p99 with its ratios to the runs without a flood.
    fn shown(&self, others: &[Self]) -> String {
        let mut text = String::new();
        for (at, (name, p99)) in self.p99s().into_iter().enumerate() {
            let Some(p99) = p99 else { continue };
            write!(text, "\n    {name:13} {p99:7.1} ms").unwrap();
            for other in others.iter().filter_map(|it| it.p99s()[at].1) {
                write!(text, " {:6.1}x", p99 / other).unwrap();
            }
        }
        text
    }
}

fn p99(times: &[Duration]) -> Option<f64> {
    let mut times = times.to_vec();
    times.sort_unstable();
    Some(times.get(times.len() * 99 / 100)?.as_secs_f64() * 1e3)
}

#[test]
fn no_caller_can_exhaust_a_bound_that_others_need() {
    let rounds = if server::is_long() { ROUNDS_LONG } else { ROUNDS };
    let rows: Vec<(&Flood, &By)> = FLOODS.iter().flat_map(rows_of).collect();
    let fixture = Fixture::start(rounds * rows.len() + QUIET_ROUNDS * (1 + HARMLESS.len()));
    let quiet = measure(&fixture, QUIET_ROUNDS, ("nothing", true));
    println!("nothing:{}", quiet.shown(&[]));
    let mut others = vec![quiet];
    for harmless in &HARMLESS {
        let (times, ..) = under(&fixture, (harmless, &harmless.by[0]), QUIET_ROUNDS);
        println!("{}:{}", harmless.bound, times.shown(&others[..1]));
        others.push(times);
    }
    let mut unread = 0;
    for (flood, by) in rows {
        let (flooded, sent, came_to) = under(&fixture, (flood, by), rounds);
        println!("{}, by {:?}:{came_to}{}", flood.bound, by.role, flooded.shown(&others));
        unread += if flood.bound == UNREAD { sent } else { 0 };
    }
    let log = Arc::clone(fixture.server.log());
    let ended = fixture.server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let read = log.whole().lines().filter(|line| line.contains(UNREAD_ID)).count();
    assert!((1..unread).contains(&read), "{read} of {unread} lines: the log was never full");
}

/// A bound and each role that tries to exhaust it.
fn rows_of(flood: &'static Flood) -> impl Iterator<Item = (&'static Flood, &'static By)> {
    let rows = if server::is_long() { flood.by.len() } else { flood.short };
    flood.by.iter().take(rows).map(move |by| (flood, by))
}

/// Measures while a flood runs in other threads.
fn under(fixture: &Fixture, (flood, by): (&Flood, &By), rounds: usize) -> (Times, usize, String) {
    let signal = Signal::default();
    let name = format!("{}, by {:?}", flood.bound, by.role);
    let times = thread::scope(|threads| {
        let end = EndOnDrop(&signal);
        for number in 0..THREADS {
            let signal = &signal;
            threads.spawn(move || flood.run(fixture, signal, by.role, number));
        }
        let reached = signal.wait_for(by.reached, flood.begun);
        assert!(reached, "{name}: never {:?}: {:?}", by.reached, signal.ends());
        if flood.fills_hashing {
            wait_until_hashing_is_full(fixture, &name);
        }
        let times = measure(fixture, rounds, (&name, flood.strangers_enter));
        drop(end);
        times
    });
    let came_to = check_reached(&name, by, &signal);
    if flood.fills_hashing {
        let full = times.in_flight.iter().filter(|it| **it >= available_parallelism()).count();
        assert!(full * 2 > times.in_flight.len(), "{name}: on the pool: {:?}", times.in_flight);
    }
    (times, signal.sent(), came_to)
}

/// Checks that the requests of a flood were refused at its bound and for no other reason. Returns
/// how the requests ended.
fn check_reached(name: &str, by: &By, signal: &Signal) -> String {
    let ends = signal.ends();
    let mut shown = String::new();
    for (end, count) in &ends {
        let expected = *end == by.reached || by.others.contains(end);
        assert!(expected, "{name}: {end:?} {count} times: {:?} of {ends:?}", signal.strange());
        write!(shown, " {count} {end:?}").unwrap();
    }
    let (reached, all) = (ends[&by.reached], ends.values().sum::<usize>());
    assert!(reached * 100 >= by.percent * all, "{name}: under {} % of{shown}", by.percent);
    shown
}

/// Threads that hash passwords at once.
fn available_parallelism() -> usize {
    thread::available_parallelism().unwrap().get()
}

/// Stops the threads of a flood even if its measurement fails.
struct EndOnDrop<'a>(&'a Signal);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Sends all requests that must succeed during a flood, in which a sign-in from a new browser may
/// or may not succeed.
fn measure(fixture: &Fixture, rounds: usize, (flood, strangers_enter): (&str, bool)) -> Times {
    let mut times = Times::default();
    let bearer = format!("Bearer {}", fixture.passing.secret);
    let mut gate = Connection::open(fixture.checks);
    for round in 0..rounds {
        let id = fixture.next_doomed();
        let path = format!("/v1/keys/{id}/revoke");
        let revoked = timed(&mut times.revoke, || fixture.owner.ask("POST", &path, &Value::Null));
        assert_eq!(revoked.status, 200, "{flood}: revoke: {revoked:?}");
        for _ in 0..CHECKS_A_ROUND {
            let headers = gate_headers(&bearer);
            let passed = timed(&mut times.check, || {
                gate.ask("GET", "/v1/forward-auth/default", &headers, b"")
            });
            assert_eq!(passed.status, 200, "{flood}: check: {passed:?}");
        }
        let verified = timed(&mut times.verify, || verify(fixture, &bearer));
        assert_eq!(verified.status, 200, "{flood}: verify: {verified:?}");
        if round % ROUNDS_A_COMMAND == 0 {
            let entered = timed(&mut times.sign_in, || sign_in(fixture, &fixture.device));
            assert_eq!(entered.status, 201, "{flood}: sign-in: {entered:?}");
            if strangers_enter {
                let entered = timed(&mut times.first_sign_in, || sign_in(fixture, "no=device"));
                assert_eq!(entered.status, 201, "{flood}: first sign-in: {entered:?}");
            }
            let shown =
                timed(&mut times.command, || fixture.server.run_cli(&["key", "show", &id], ""));
            assert_eq!(shown.code, Some(0), "{flood}: command: {shown:?}");
            assert!(shown.stdout.contains("revoked"), "{flood}: command: {shown:?}");
        }
        let scraped = timed(&mut times.metrics, || scrape(fixture));
        times.in_flight.push(on_pool(&scraped, flood));
    }
    times
}

fn scrape(fixture: &Fixture) -> Answer {
    Connection::open(fixture.metrics).ask("GET", "/metrics", &[], b"")
}

/// The number of requests on the pool when the metrics were read.
fn on_pool(scraped: &Answer, flood: &str) -> usize {
    assert_eq!(scraped.status, 200, "{flood}: metrics: {scraped:?}");
    let line = scraped.body.lines().find_map(|it| it.strip_prefix("keyhouse_pool_in_flight "));
    line.unwrap().parse().unwrap()
}

/// Waits until every hashing thread is busy. The first answers of a flood arrive before that.
#[expect(clippy::disallowed_methods, reason = "a flood that never fills the pool must end")]
fn wait_until_hashing_is_full(fixture: &Fixture, flood: &str) {
    let begun = Instant::now();
    while on_pool(&scrape(fixture), flood) < available_parallelism() {
        assert!(begun.elapsed() < REACHED_WITHIN, "{flood}: the pool is never full");
    }
}

/// A service sends a check with a body, which needs memory.
fn verify(fixture: &Fixture, bearer: &str) -> Answer {
    let body = json!({"key": fixture.passing.secret, "cost": 0});
    ask_json(fixture.checks, "POST", "/v1/verify", &[("Authorization", bearer)], &body)
}

/// A user signs in from a network that no other caller uses, in a browser with this cookie.
fn sign_in(fixture: &Fixture, device: &str) -> Answer {
    let email = format!("{}@example.com", fixture.visitor);
    let body = json!({"email": email, "password": PASSWORD});
    let headers = [("X-Forwarded-For", "203.0.113.9"), ("Cookie", device)];
    ask_json(fixture.main(), "POST", "/v1/session", &headers, &body)
}

#[expect(clippy::disallowed_methods, reason = "the times are what is printed")]
fn timed<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let outcome = work();
    times.push(begun.elapsed());
    outcome
}
