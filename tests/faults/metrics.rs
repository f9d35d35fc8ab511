//! `/metrics` while the store is unavailable, and while the index is behind.

use std::io::Read as _;
use std::time::Duration;

use keyhouse::worker::Halt;
use keyhouse_storage::{InjectedFault, StoreOperation, TestGate};
use serde_json::json;

use crate::LONG;
use crate::test_instance::TestInstance;

/// The metrics as the operator on the host reads them.
fn scrape(instance: &TestInstance) -> String {
    let request = rouille::Request::fake_http("GET", "/metrics", Vec::new(), Vec::new());
    let response = instance.app.answer_locally(&request);
    assert_eq!(response.status_code, 200);
    let mut text = String::new();
    response.data.into_reader_and_size().0.read_to_string(&mut text).unwrap();
    text
}

/// Waits until the metrics contain a line; nextest limits the wait.
fn wait_for(instance: &TestInstance, line: &str) {
    let pause = Halt::default();
    while !scrape(instance).lines().any(|it| it == line) {
        pause.pause(Duration::from_millis(5));
    }
}

fn assert_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|it| it == *line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn metrics_show_when_the_store_is_lost_and_recovered() {
    let instance = TestInstance::start();
    wait_for(&instance, "keyhouse_store_state{state=\"following\"} 1");
    assert_lines(
        &scrape(&instance),
        &["keyhouse_ready 1", "keyhouse_index_entries{kind=\"user\"} 1"],
    );
    instance.store.inject_always(StoreOperation::Next, InjectedFault::Unavailable);
    wait_for(&instance, "keyhouse_store_state{state=\"unavailable\"} 1");
    let away = ["keyhouse_ready 0", "keyhouse_store_state{state=\"following\"} 0"];
    assert_lines(&scrape(&instance), &away);
    instance.store.heal();
    wait_for(&instance, "keyhouse_store_state{state=\"following\"} 1");
    assert_lines(&scrape(&instance), &["keyhouse_ready 1"]);
}

#[test]
fn metrics_show_when_the_index_lacks_an_answered_change() {
    let instance = TestInstance::start();
    let key = instance.create_named("any");
    assert_lines(&scrape(&instance), &["keyhouse_index_behind 0"]);
    let gate = TestGate::new();
    instance.store.inject_always(StoreOperation::Next, InjectedFault::Wait(gate.clone()));
    assert!(gate.wait_for_arrivals(1, LONG), "the index waits for the store");
    assert_eq!(instance.revoke(&key), 200);
    assert_lines(&scrape(&instance), &["keyhouse_index_behind 1", "keyhouse_ready 0"]);
    let (status, asked) = instance.manage("POST", "/v1/verify", &json!({"key": key.secret}));
    assert_eq!((status, &asked["code"]), (503, &json!("index_behind")));
    let undecided = "keyhouse_checks_total{endpoint=\"verify\",code=\"index_behind\"} 1";
    assert_lines(&scrape(&instance), &[undecided]);
    instance.store.heal();
    gate.open();
    wait_for(&instance, "keyhouse_index_behind 0");
    assert_lines(&scrape(&instance), &["keyhouse_ready 1"]);
}
