//! An answered change applies to the very next check, however many checks run at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::test_server::{Line, Made, TestServer, made};

const PAIRS: usize = 4;
const ROUNDS_A_PAIR: usize = 500;

/// The changes of a key in one round, one per step. Later steps occur less often.
const SHORT_LIFE: &[(&str, &str)] = &[("", "VALID"), ("revoke", "REVOKED")];
const LONG_LIFE: &[(&str, &str)] = &[
    ("", "VALID"),
    ("rename", "VALID"),
    ("disable", "DISABLED"),
    ("enable", "VALID"),
    ("rename", "VALID"),
    ("DELETE", "REVOKED"),
];

/// A key that one thread changes and another watches.
struct Life {
    made: Made,
    steps: &'static [(&'static str, &'static str)],
    /// Twice the number of the current step, plus one while a change is in flight.
    fixture: AtomicUsize,
}

/// The credential sources with which the test checks a key.
#[derive(Clone, Copy, Debug)]
enum Way {
    ForwardAuth,
    Verify,
    Whoami,
}

const WAYS: [Way; 3] = [Way::ForwardAuth, Way::Verify, Way::Whoami];

#[test]
fn no_check_contradicts_an_answered_change() {
    let instance = TestServer::start();
    let manager = instance.manager();
    let checks = AtomicUsize::new(0);
    thread::scope(|scope| {
        for pair in 0..PAIRS {
            let current = Arc::new(Mutex::new(None));
            let (instance, manager, checks) = (&instance, &manager, &checks);
            let led = Arc::clone(&current);
            let leader = scope.spawn(move || lead(instance, manager, pair, &led));
            scope.spawn(move || {
                let mut line = instance.connect();
                while !leader.is_finished() {
                    checks.fetch_add(watch_all(&mut line, instance, &current), Ordering::Relaxed);
                }
                leader.join().unwrap();
            });
        }
    });
    let checks = checks.into_inner();
    assert!(checks > PAIRS * ROUNDS_A_PAIR, "only {checks} checks between the changes");
}

/// Checks the current key in every credential source and returns the number of checks.
fn watch_all(line: &mut Line, instance: &TestServer, current: &Mutex<Option<Arc<Life>>>) -> usize {
    let life = current.lock().unwrap().clone();
    let Some(life) = life else {
        thread::yield_now();
        return 0;
    };
    for way in WAYS {
        watch(line, instance, &life, way);
    }
    WAYS.len()
}

/// Changes many keys, and checks the key immediately after each step.
fn lead(instance: &TestServer, manager: &Made, pair: usize, current: &Mutex<Option<Arc<Life>>>) {
    let (mut changes, mut checks) = (instance.connect(), instance.connect());
    for round in 0..ROUNDS_A_PAIR {
        let steps = if round % 4 == 0 { LONG_LIFE } else { SHORT_LIFE };
        let body = json!({"name": format!("p{pair}r{round}"), "kind": "service"});
        let created = changes.ask(&Ask::post("/v1/keys", &body).bearer(&manager.secret));
        let made = made(&created.expect(201));
        let life = Arc::new(Life { made, steps, fixture: AtomicUsize::new(0) });
        *current.lock().unwrap() = Some(Arc::clone(&life));
        for (step, (change, code)) in steps.iter().enumerate() {
            if step > 0 {
                life.fixture.store(step * 2 - 1, Ordering::SeqCst);
                make(&mut changes, manager, &life.made, change, step);
                life.fixture.store(step * 2, Ordering::SeqCst);
            }
            for way in WAYS {
                assert_eq!(
                    ask(&mut checks, instance, &life.made, way),
                    *code,
                    "{way:?} after {change:?}"
                );
            }
        }
    }
}

fn make(line: &mut Line, manager: &Made, made: &Made, change: &str, step: usize) {
    let path = format!("/v1/keys/{}", made.id);
    let (ask, status) = match change {
        "rename" => (Ask::patch(&path, &json!({"name": format!("renamed {step}")})), 200),
        "DELETE" => (Ask::new("DELETE", &path), 204),
        action => (Ask::post(&format!("{path}/{action}"), &json!({})), 200),
    };
    line.ask(&ask.bearer(&manager.secret)).expect(status);
}

/// Checks a key that another thread is changing: the response must have been correct at some moment
/// during the check.
fn watch(line: &mut Line, instance: &TestServer, life: &Life, way: Way) {
    let before = life.fixture.load(Ordering::SeqCst);
    let code = ask(line, instance, &life.made, way);
    let after = life.fixture.load(Ordering::SeqCst);
    let possible = &life.steps[before / 2..=after.div_ceil(2)];
    assert!(
        possible.iter().any(|(_, expected)| *expected == code),
        "{way:?} said {code} between fixture {before} and {after} of {:?}",
        life.steps
    );
}

fn ask(line: &mut Line, instance: &TestServer, made: &Made, way: Way) -> String {
    match way {
        Way::Verify => {
            let ask = Ask::post("/v1/verify", &json!({"key": made.secret}));
            line.ask(&instance.as_owner(ask)).expect(200)["code"].as_str().unwrap().to_owned()
        },
        Way::ForwardAuth => code_of(line, &Ask::forward_auth(&made.secret)),
        Way::Whoami => code_of(line, &Ask::get("/v1/whoami").bearer(&made.secret)),
    }
}

fn code_of(line: &mut Line, ask: &Ask) -> String {
    let answer = line.ask(ask);
    if answer.status == 200 { "VALID".to_owned() } else { answer.code() }
}

#[test]
fn a_check_returns_the_name_of_the_last_answered_change() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "first"}));
    let mut line = instance.connect();
    for round in 0..200 {
        let name = format!("name{round}");
        let ask = Ask::patch(&format!("/v1/keys/{}", made.id), &json!({"name": name}));
        line.ask(&instance.as_owner(ask)).expect(200);
        let answer = line.ask(&Ask::forward_auth(&made.secret));
        assert_eq!(answer.header("x-keyhouse-key-name"), Some(name.as_str()));
    }
}
