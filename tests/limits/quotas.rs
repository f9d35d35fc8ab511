//! Quotas across periods, restarts and crashes, and with a store that does not answer.

use std::thread::scope;
use std::time::Duration;

use keyhouse_storage::{InjectedFault, StoreOperation, TestGate};
use serde_json::{Value, json};

use crate::calls::instance_at;
use crate::test_instance::TestInstance;

const LONG: Duration = Duration::from_secs(20);
const THREADS: usize = 32;

fn quota(limit: u64, period: &str, zone: &str) -> Value {
    json!({"quota": {"limit": limit, "period": period, "timezone": zone}})
}

#[test]
fn thirty_two_threads_get_exactly_the_quota() {
    for limit in [1, 99, 500, 1_500] {
        let (instance, clock) = instance_at("2026-11-21T10:00:00Z");
        let (_, secret) = instance.create(&quota(limit, "day", "UTC"));
        let passed = instance.pass_together(THREADS, &secret, "QUOTA_EXCEEDED");
        assert_eq!(passed as u64, limit);
        clock.advance(Duration::from_hours(14));
        let passed = instance.pass_together(THREADS, &secret, "QUOTA_EXCEEDED");
        assert_eq!(passed as u64, limit, "the next day");
    }
}

/// Each row: a zone, a moment just before the end of its month, and the time until that end. Paris
/// is in summer time in March's last hours, and in winter time again in October's.
#[test]
fn a_month_ends_by_its_time_zone_across_restarts_and_crashes() {
    for (zone, late, wait) in [
        ("Europe/Paris", "2026-10-31T22:59:58Z", 2),
        ("Europe/Paris", "2026-03-31T21:59:58Z", 2),
        ("Europe/Paris", "2026-03-29T00:59:58Z", 2 * 86_400 + 21 * 3_600 + 2),
        ("America/New_York", "2026-12-01T04:59:58Z", 2),
        ("Asia/Kolkata", "2026-11-30T18:29:58Z", 2),
    ] {
        for crashes in [false, true] {
            let (mut instance, clock) = instance_at(late);
            let again = |instance: TestInstance| {
                if crashes { instance.crash() } else { instance.restart() }
            };
            let (_, secret) = instance.create(&quota(300, "month", zone));
            let pass =
                |instance: &TestInstance, checks| instance.pass(&secret, checks, "QUOTA_EXCEEDED");
            assert_eq!(pass(&instance, 100), 100, "{zone} {late}");
            instance = again(instance);
            clock.advance(Duration::from_millis(wait * 1_000 - 1));
            let rest = pass(&instance, 400);
            let lost = 200 - rest;
            assert!(if crashes { lost <= 3 } else { lost == 0 }, "{zone} {late}: {rest}");
            instance = again(instance);
            assert_eq!(pass(&instance, 10), 0, "{zone} {late}: the month has a millisecond left");
            clock.advance(Duration::from_millis(1));
            assert_eq!(pass(&instance, 150), 150, "{zone} {late}: the next month");
            instance = again(instance);
            let rest = pass(&instance, 400);
            let lost = 150 - rest;
            assert!(if crashes { lost <= 3 } else { lost == 0 }, "{zone} {late}: {rest}");
        }
    }
}

#[test]
fn usage_of_a_changed_quota_survives_a_crash() {
    for crashes in [false, true] {
        let (mut instance, clock) = instance_at("2026-11-21T10:00:00Z");
        let (id, secret) = instance.create(&quota(100, "day", "UTC"));
        assert_eq!(instance.pass(&secret, 200, "QUOTA_EXCEEDED"), 100);
        let path = format!("/v1/keys/{id}");
        assert_eq!(instance.manage("PATCH", &path, &quota(100, "month", "Europe/Paris")).0, 200);
        instance = if crashes { instance.crash() } else { instance.restart() };
        assert_eq!(instance.pass(&secret, 5, "QUOTA_EXCEEDED"), 0);
        clock.advance(Duration::from_hours(24));
        assert_eq!(instance.pass(&secret, 5, "QUOTA_EXCEEDED"), 0, "it is the month's now");
        clock.advance(Duration::from_hours(9 * 24));
        assert_eq!(instance.pass(&secret, 200, "QUOTA_EXCEEDED"), 100);
    }
}

#[test]
fn calls_are_refused_when_the_store_rejects_a_reservation() {
    let (instance, _) = instance_at("2026-11-21T10:00:00Z");
    let (_, counted) = instance.create(&quota(1_000, "month", "UTC"));
    let (_, free) = instance.create(&json!({}));
    assert_eq!(instance.pass(&counted, 1, ""), 1);
    instance.store.inject_always(StoreOperation::Submit, InjectedFault::Unavailable);
    let said: Vec<_> = (0..40).map(|_| instance.call(&counted)).collect();
    let passed = said.iter().take_while(|said| said.status == 200).count();
    assert_eq!(passed, 9, "the rest of the first reservation");
    for said in &said[passed..] {
        assert_eq!((said.status, said.code.as_str()), (503, "storage_unavailable"));
    }
    assert_eq!(instance.call(&free).status, 200, "who has no quota needs no store");
    instance.store.heal();
    // The reservation thread retries by itself; until it succeeds, checks are refused.
    let passes = (0..1_000_000).any(|_| instance.call(&counted).status == 200);
    assert!(passes);
    let rest = instance.pass(&counted, 2_000, "QUOTA_EXCEEDED");
    assert_eq!(1 + passed + 1 + rest, 1_000, "no call was rejected permanently");
}

#[test]
fn a_check_waits_for_a_slow_store_and_is_answered() {
    let (instance, _) = instance_at("2026-11-21T10:00:00Z");
    let (_, secret) = instance.create(&quota(1_000, "month", "UTC"));
    let gate = TestGate::new();
    instance.store.inject(StoreOperation::Submit, 1, InjectedFault::Wait(gate.clone()));
    scope(|threads| {
        let checks: Vec<_> =
            (0..4).map(|_| threads.spawn(|| instance.call(&secret).status)).collect();
        assert!(gate.wait_for_arrivals(1, LONG), "the reservation is being written");
        gate.open();
        for check in checks {
            assert_eq!(check.join().unwrap(), 200);
        }
    });
}

#[test]
fn only_the_first_check_waits_for_an_unresponsive_store() {
    let (instance, _) = instance_at("2026-11-21T10:00:00Z");
    let (_, secret) = instance.create(&quota(1_000, "month", "UTC"));
    let gate = TestGate::new();
    instance.store.inject(StoreOperation::Submit, 1, InjectedFault::Wait(gate.clone()));
    // The first check waits two seconds in vain. If each of thousands of checks waited that long,
    // the test would take hours.
    for _ in 0..5_000 {
        let said = instance.call(&secret);
        assert_eq!((said.status, said.code.as_str()), (503, "storage_unavailable"));
    }
    gate.open();
    assert!((0..1_000_000).any(|_| instance.call(&secret).status == 200));
}
