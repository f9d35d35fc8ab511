//! The rate limit of changes in the running binary; its arithmetic is tested by tests/faults.

use std::net::SocketAddr;
use std::thread::scope;

use serde_json::{Value, json};

use crate::server::{ADMIN_EMAIL, ADMIN_PASSWORD, Home, Launch, Server, Session, ask_json};
use crate::test_server::write_settings;

/// This instance runs without the variable that disables the limit for all other tests.
const PACED: [&str; 3] = ["env", "-u", "KEYHOUSE_CHANGE_RATE"];

#[test]
fn a_user_with_many_changes_is_throttled_and_the_host_is_not() {
    let home = Home::new();
    write_settings(&home, "[limits]\nsession_changes = \"1/s burst 1\"\n");
    let server = Server::launch(&Launch { home: &home, wrapper: &PACED, args: &[] }).unwrap();
    let cookie = Session::sign_in(server.address(), ADMIN_EMAIL, ADMIN_PASSWORD).cookie;
    let statuses = scope(|threads| {
        let eight = || (0..8).map(|_| create(server.address(), &cookie)).collect::<Vec<_>>();
        let hammers: Vec<_> = (0..8).map(|_| threads.spawn(eight)).collect();
        hammers.into_iter().flat_map(|hammer| hammer.join().unwrap()).collect::<Vec<_>>()
    });
    let count = |status| statuses.iter().filter(|it| **it == status).count();
    assert!(count(201) >= 1 && count(429) >= 1, "{statuses:?}");
    assert_eq!(count(201) + count(429), statuses.len(), "{statuses:?}");
    for _ in 0..3 {
        let made = home.run_cli(&["key", "create"], "");
        assert_eq!(made.code, Some(0), "{}", made.stderr);
    }
}

/// Creates a key and returns the status. A refusal must contain a retry time.
fn create(address: SocketAddr, cookie: &str) -> u16 {
    let headers = [("Cookie", cookie)];
    let answer = ask_json(address, "POST", "/v1/keys", &headers, &json!({"name": "key"}));
    if answer.status == 429 {
        let reported: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(reported["code"], "too_many_changes");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    answer.status
}
