//! Password guessing at `POST /v1/session` is throttled before a password is hashed, per account
//! and per network.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::deadlines::within;
use crate::server::wire::Answer;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// Number of refusals. Hashing a password for each of them would take longer than `REFUSED_WITHIN`.
const REFUSALS: usize = 300;
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

fn sign_in(email: &str, password: &str) -> Ask {
    Ask::post("/v1/session", &json!({"email": email, "password": password}))
}

/// Adds the header with which a proxy on this host forwards the request.
fn from(address: &str, ask: Ask) -> Ask {
    ask.header("X-Forwarded-For", address)
}

/// Guesses passwords until the sign-in is throttled. Returns the number of guesses before the
/// refusal, and the refusal.
fn guess(instance: &TestServer, ask: impl Fn() -> Ask) -> (usize, Answer) {
    for guesses in 0..20 {
        let answer = instance.bare(&ask());
        if answer.status == 429 {
            return (guesses, answer);
        }
        answer.problem(401, "sign_in_failed");
    }
    panic!("no response required a wait");
}

/// Asserts that `ask` has to wait after the failures of `wrong`. The shortest wait is a second,
/// which may end between two requests on a loaded machine: then `wrong` is sent again.
fn must_wait(instance: &TestServer, wrong: impl Fn() -> Ask, ask: &Ask) {
    for _ in 0..10 {
        guess(instance, &wrong);
        let answer = instance.bare(ask);
        if answer.status == 429 {
            answer.problem(429, "too_many_attempts");
            return;
        }
        answer.expect(201);
    }
    panic!("the failures do not count for this request");
}

fn without_id(answer: &Answer) -> Value {
    let mut problem = answer.problem(429, "too_many_attempts");
    problem.as_object_mut().unwrap().remove("request_id");
    problem
}

#[test]
fn the_throttle_also_applies_to_right_passwords_and_unknown_accounts() {
    let instance = TestServer::start();
    let (known, refused) = guess(&instance, || sign_in(EMAIL, "not the password at all"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    let (unknown, other) = guess(&instance, || sign_in("unknown@example.com", PASSWORD));
    assert_eq!(without_id(&refused), without_id(&other));
    let garbage = guess(&instance, || sign_in("no address", PASSWORD)).0;
    // Five failures do not cause a wait; on a slow machine the first waits of a second may pass
    // between two requests.
    for guesses in [known, unknown, garbage] {
        assert!((5..=8).contains(&guesses), "{guesses}");
    }
    // Every spelling counts as the same account, and the right password is not checked.
    let wrong = || sign_in(" ADA@example.com", "not the password at all");
    must_wait(&instance, wrong, &sign_in(EMAIL, PASSWORD));
    // Existing sessions are not affected.
    instance.ask(&Ask::get("/v1/session")).expect(200);
}

#[test]
fn a_refusal_costs_no_hash() {
    let instance = TestServer::start();
    let ask = || from("192.0.2.7", sign_in(EMAIL, "not the password at all"));
    for _ in 0..35 {
        instance.bare(&ask());
    }
    let mut line = instance.connect();
    let refused = within(REFUSED_WITHIN, "refusing", || {
        (0..REFUSALS).filter(|_| line.ask(&ask()).status == 429).count()
    });
    // During the test some waits of a second may end, each of which permits one more guess.
    assert!(refused > REFUSALS - 20, "{refused}");
}

#[test]
fn remote_failures_do_not_block_sign_in_on_the_host() {
    let instance = TestServer::start();
    let (_, refused) = guess(&instance, || from("203.0.113.9", sign_in(EMAIL, "not the password")));
    assert!(refused.header("retry-after").is_some());
    instance.bare(&sign_in(EMAIL, PASSWORD)).expect(201);
    // The successful sign-in ends the account's lockout for all networks.
    instance.bare(&from("203.0.113.9", sign_in(EMAIL, PASSWORD))).expect(201);
}

#[test]
fn a_client_cannot_try_one_password_on_many_accounts() {
    let instance = TestServer::start();
    let mut line = instance.connect();
    let mut refused = None;
    for number in 0..200 {
        let email = format!("user{number}@example.com");
        let answer = line.ask(&from("203.0.113.9", sign_in(&email, "Summer in the city 2026")));
        if answer.status == 429 {
            refused = Some((number, answer));
            break;
        }
        answer.problem(401, "sign_in_failed");
    }
    let (number, answer) = refused.unwrap();
    assert!((60..=80).contains(&number), "{number}");
    answer.problem(429, "too_many_attempts");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    // A client in the same /24 is not throttled. In an earlier version this client was refused as
    // long as the guessing continued.
    instance.bare(&from("203.0.113.5", sign_in(EMAIL, PASSWORD))).expect(201);
}

/// Returns the device cookie of a response in the form that a browser sends.
fn device(answer: &Answer) -> String {
    let set = answer.headers_named("set-cookie");
    let device = set.iter().find(|it| it.starts_with("keyhouse-device=")).unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=7776000"] {
        assert!(device.split("; ").any(|it| it == attribute), "{device}");
    }
    device.split(';').next().unwrap().to_owned()
}

/// In an earlier version, a stranger's continued guessing blocked the sign-in of the account's
/// owner in 16 of 16 attempts.
#[test]
fn a_stranger_cannot_block_sign_in_from_a_known_browser() {
    let instance = TestServer::start();
    let home = |ask: Ask| from("198.51.100.7", ask);
    let device = device(&instance.bare(&home(sign_in(EMAIL, PASSWORD))));
    for attempt in 0..16 {
        let address = format!("203.0.{attempt}.9");
        let wrong = || from(&address, sign_in(EMAIL, "not the password at all"));
        must_wait(&instance, wrong, &home(sign_in(EMAIL, PASSWORD)));
        let known = home(sign_in(EMAIL, PASSWORD)).header("Cookie", &device);
        instance.bare(&known).expect(201);
    }
    // The device cookie signs in no user and is valid for one account only. A malformed cookie is
    // ignored.
    let wrong = home(sign_in(EMAIL, "not the password at all")).header("Cookie", &device);
    instance.bare(&wrong).problem(401, "sign_in_failed");
    instance.bare(&Ask::get("/v1/session").header("Cookie", &device)).problem(401, "NO_CREDENTIAL");
    // Replace the first letter of the cookie's value.
    let (name, value) = device.split_once('=').unwrap();
    let other = if value.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{name}={other}{}", value.get(1..).unwrap());
    let two = format!("{device}; {device}");
    for cookie in [forged.as_str(), two.as_str(), "keyhouse-device=", "keyhouse-device=.."] {
        let ask = home(sign_in(EMAIL, PASSWORD)).header("Cookie", cookie);
        let wrong = || from("203.0.113.9", sign_in(EMAIL, "not the password at all"));
        must_wait(&instance, wrong, &ask);
    }
}

#[test]
fn a_device_cookie_allows_few_guesses_and_expires_with_the_password() {
    let instance = TestServer::start();
    let home = |ask: Ask| from("198.51.100.7", ask);
    let [stolen, unused] =
        [(); 2].map(|()| device(&instance.bare(&home(sign_in(EMAIL, PASSWORD)))));
    let (guesses, _) = guess(&instance, || {
        home(sign_in(EMAIL, "not the password at all")).header("Cookie", &stolen)
    });
    assert!((5..=8).contains(&guesses), "{guesses}");
    // Guesses from this browser do not count against other browsers.
    instance.bare(&home(sign_in(EMAIL, PASSWORD))).expect(201);

    let change = json!({"password": "a longer walk in the snow", "current_password": PASSWORD});
    let changed = instance.ask(&Ask::patch("/v1/me", &change));
    changed.expect(200);
    let renewed = device(&changed);
    let wrong = || from("203.0.113.9", sign_in(EMAIL, "not the password at all"));
    let with =
        |cookie: &str| home(sign_in(EMAIL, "a longer walk in the snow")).header("Cookie", cookie);
    for cookie in [stolen, unused] {
        must_wait(&instance, wrong, &with(&cookie));
    }
    instance.bare(&with(&renewed)).expect(201);
}

/// In an earlier version, failed attempts by strangers also prevented signed-in users from changing
/// their password.
#[test]
fn a_stranger_cannot_block_password_confirmation_in_a_session() {
    let instance = TestServer::start();
    guess(&instance, || sign_in(EMAIL, "not the password at all"));
    let change = json!({"password": "a longer walk in the snow", "current_password": PASSWORD});
    instance.ask(&Ask::patch("/v1/me", &change)).expect(200);
}

#[test]
fn successes_are_never_counted() {
    let instance = TestServer::start();
    for _ in 0..12 {
        instance.bare(&from("203.0.113.9", sign_in(EMAIL, PASSWORD))).expect(201);
    }
}

#[test]
fn concurrent_correct_sign_ins_all_succeed() {
    let instance = TestServer::start();
    let statuses: Vec<u16> = std::thread::scope(|threads| {
        let tries: Vec<_> = (0..16)
            .map(|_| threads.spawn(|| instance.bare(&sign_in(EMAIL, PASSWORD)).status))
            .collect();
        tries.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| *status == 201), "{statuses:?}");
}

#[test]
fn concurrent_guesses_get_no_more_attempts_than_sequential_ones() {
    let instance = TestServer::start();
    let answers: Vec<Answer> = std::thread::scope(|threads| {
        let tries: Vec<_> = (0..32)
            .map(|_| threads.spawn(|| instance.bare(&sign_in(EMAIL, "not the password"))))
            .collect();
        tries.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    // Five failures do not cause a wait; waiting in the queue may take longer than the first waits.
    assert!((1..=8).contains(&looked_at), "{answers:?}");
    answers.iter().for_each(assert_failed_or_throttled);
}

/// Asserts that a sign-in failed, or was refused without a look at its password or code. Which of
/// several concurrent sign-ins are refused depends on the order in which the server reads them.
pub(crate) fn assert_failed_or_throttled(answer: &Answer) {
    if answer.status == 429 {
        answer.problem(429, "too_many_attempts");
    } else {
        answer.problem(401, "sign_in_failed");
    }
}

#[test]
fn a_sign_in_issues_a_new_cookie_and_ends_the_replaced_session() {
    let instance = TestServer::start();
    let planted = instance.cookie().split('=').next().unwrap().to_owned() + "=AAAA";
    for old in [planted.as_str(), instance.cookie()] {
        let answer = instance.bare(&sign_in(EMAIL, PASSWORD).header("Cookie", old));
        answer.expect(201);
        let new = answer.header("set-cookie").unwrap().split(';').next().unwrap();
        assert_ne!(new, old);
        instance.bare(&Ask::get("/v1/session").header("Cookie", new)).expect(200);
        instance.bare(&Ask::get("/v1/session").header("Cookie", old)).problem(401, "session_ended");
    }
}

/// The server writes failures to the audit log after a minute, and when it stops.
#[test]
fn failed_sign_ins_are_audited_in_sum_without_the_typed_text() {
    let mut instance = TestServer::start();
    let typed = "my real password by mistake";
    for _ in 0..3 {
        instance.bare(&sign_in(EMAIL, typed)).problem(401, "sign_in_failed");
    }
    instance.bare(&sign_in(typed, typed)).problem(401, "sign_in_failed");
    instance.bare(&from("203.0.113.9", sign_in(EMAIL, typed))).problem(401, "sign_in_failed");
    instance.restart();
    let listed = instance.ask(&Ask::get("/v1/audit?action=session.refuse")).expect(200);
    let me = instance.ask(&Ask::get("/v1/me")).expect(200)["id"].clone();
    let reported = |event: &Value| {
        let after = &event["after"];
        (event["target"].clone(), after["network"].clone(), after["count"].clone())
    };
    let reported: Vec<_> = listed["items"].as_array().unwrap().iter().map(reported).collect();
    // A failure for an email address without a user belongs to no organization: only operators see
    // this failure.
    let expected = [
        (&me, "127.0.0.0/24", 3),
        (&me, "203.0.113.0/24", 1),
        (&json!("unknown"), "127.0.0.0/24", 1),
    ];
    for (target, network, count) in expected {
        assert!(reported.contains(&(target.clone(), json!(network), json!(count))), "{reported:?}");
    }
    assert_eq!(reported.len(), expected.len(), "{reported:?}");
    let all = instance.ask(&Ask::get("/v1/audit?limit=100")).expect(200).to_string();
    assert!(all.contains("session.begin") && !all.contains("mistake"), "{all}");
}
