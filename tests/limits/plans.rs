//! Limits of a plan on the calls of all keys of an organization together.

use std::time::Duration;

use serde_json::json;

use crate::calls::instance_at;

const THREADS: usize = 32;

#[test]
fn all_keys_of_an_organization_share_the_rate_limit_of_the_plan() {
    let (instance, clock) = instance_at("2026-11-21T10:00:00Z");
    let (_, one) = instance.create(&json!({}));
    let (_, other) = instance.create(&json!({}));
    instance.plan(Some(50), None);
    assert_eq!(instance.pass(&one, 30, "RATE_LIMITED"), 30);
    assert_eq!(instance.pass_together(THREADS, &other, "RATE_LIMITED"), 20);
    let said = instance.call(&one);
    assert_eq!((said.status, said.code.as_str()), (429, "RATE_LIMITED"));
    assert!(said.limits.contains("\"plan\";r=0;t=10"), "{said:?}");
    clock.advance(Duration::from_secs(1));
    assert_eq!(instance.pass(&one, 30, "RATE_LIMITED"), 5);
    instance.plan(None, None);
    assert_eq!(instance.pass(&one, 300, ""), 300, "a plan without limits");
    instance.plan(Some(50), None);
    assert_eq!(instance.pass(&one, 30, "RATE_LIMITED"), 0, "nothing was refilled");
}

#[test]
fn all_keys_of_an_organization_share_the_monthly_quota_of_the_plan() {
    for crashes in [false, true] {
        let (mut instance, clock) = instance_at("2026-11-30T23:59:00Z");
        let (_, one) = instance.create(&json!({}));
        let (_, other) = instance.create(&json!({}));
        instance.plan(None, Some(500));
        assert_eq!(instance.pass(&one, 100, "QUOTA_EXCEEDED"), 100);
        assert_eq!(instance.pass(&other, 100, "QUOTA_EXCEEDED"), 100);
        instance = if crashes { instance.crash() } else { instance.restart() };
        let rest = instance.pass_together(THREADS, &one, "QUOTA_EXCEEDED");
        assert!(if crashes { (295..=300).contains(&rest) } else { rest == 300 }, "{rest}");
        assert!(instance.call(&other).limits.contains("\"plan_quota\";r=0;t=60"));
        let reported = instance.verify(&one);
        assert!(reported["quota"].is_null() && reported["rate_limits"] == json!([]), "{reported}");
        clock.advance(Duration::from_mins(1));
        assert_eq!(instance.pass(&other, 600, "QUOTA_EXCEEDED"), 500, "December");
    }
}

#[test]
fn a_call_refused_by_the_plan_does_not_count_for_the_key() {
    let (instance, _) = instance_at("2026-11-21T10:00:00Z");
    let (_, secret) = instance.create(&json!({
        "rate_limits": [{"name": "a", "limit": 100, "window_seconds": 1000}],
        "quota": {"limit": 90, "period": "month", "timezone": "UTC"},
    }));
    let left = || {
        let reported = instance.verify(&secret);
        (reported["rate_limits"][0]["remaining"].as_u64(), reported["quota"]["remaining"].as_u64())
    };
    instance.plan(Some(10), None);
    assert_eq!(instance.pass_together(THREADS, &secret, "RATE_LIMITED"), 10);
    assert_eq!(left(), (Some(90), Some(80)));
    instance.plan(None, Some(25));
    assert_eq!(instance.pass_together(THREADS, &secret, "QUOTA_EXCEEDED"), 25);
    assert_eq!(left(), (Some(65), Some(55)));
    // A call refused by the key's own limits does not count for the plan.
    instance.plan(None, Some(100));
    let (_, other) = instance.create(&json!({}));
    assert_eq!(instance.pass_together(THREADS, &secret, "QUOTA_EXCEEDED"), 55);
    assert_eq!(instance.pass_together(THREADS, &other, "QUOTA_EXCEEDED"), 100 - 25 - 55);
}
