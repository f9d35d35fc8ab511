//! Rate limits of a key under 32 threads.

use std::time::Duration;

use serde_json::json;

use crate::calls::instance_at;
use crate::test_instance::TestInstance;

const THREADS: usize = 32;

#[test]
fn thirty_two_threads_get_exactly_the_limit_and_k_more_after_k_intervals() {
    for (limit, window_seconds) in [(1, 10), (20, 10), (100, 10), (1_000, 86_400)] {
        let (instance, clock) = instance_at("2026-11-21T10:00:00Z");
        let limits = json!([{"name": "a", "limit": limit, "window_seconds": window_seconds}]);
        let (_, secret) = instance.create(&json!({"rate_limits": limits}));
        let all =
            |instance: &TestInstance| instance.pass_together(THREADS, &secret, "RATE_LIMITED");
        assert_eq!(all(&instance), limit, "{limit} in {window_seconds} s");
        assert_eq!(all(&instance), 0, "the clock stands still");
        let interval = Duration::from_secs(window_seconds) / u32::try_from(limit).unwrap();
        for more in [1_u32, 3] {
            clock.advance(interval * more);
            let expected = usize::try_from(more).unwrap().min(limit);
            assert_eq!(all(&instance), expected, "{limit} in {window_seconds} s, {more} more");
        }
        clock.advance(Duration::from_secs(10 * window_seconds));
        assert_eq!(all(&instance), limit, "a long rest gives the burst back and no more");
    }
}

#[test]
fn each_of_several_limits_holds_and_a_refused_call_counts_for_none() {
    let (instance, clock) = instance_at("2026-11-21T10:00:00Z");
    let (_, secret) = instance.create(&json!({
        "rate_limits": [
            {"name": "narrow", "limit": 40, "window_seconds": 10},
            {"name": "wide", "limit": 100, "window_seconds": 1000},
        ],
        "quota": {"limit": 150, "period": "month", "timezone": "UTC"},
    }));
    let left = || {
        let reported = instance.verify(&secret);
        let remaining = |at: usize| reported["rate_limits"][at]["remaining"].as_u64().unwrap();
        (remaining(0), remaining(1), reported["quota"]["remaining"].as_u64().unwrap())
    };
    let all = || instance.pass_together(THREADS, &secret, "RATE_LIMITED");
    assert_eq!((all(), left()), (40, (0, 60, 110)));
    clock.advance(Duration::from_secs(10));
    assert_eq!((all(), left()), (40, (0, 21, 70)));
    clock.advance(Duration::from_secs(10));
    assert_eq!((all(), left()), (22, (18, 0, 48)));
    clock.advance(Duration::from_secs(1_000));
    assert_eq!((all(), left()), (40, (0, 60, 8)));
    clock.advance(Duration::from_secs(10));
    assert_eq!(instance.pass_together(THREADS, &secret, "QUOTA_EXCEEDED"), 8);
    assert_eq!(left(), (32, 53, 0));
}

#[test]
fn renaming_a_key_or_changing_its_limits_does_not_reset_usage() {
    let (instance, _) = instance_at("2026-11-21T10:00:00Z");
    let limits = |limit: u32| json!([{"name": "a", "limit": limit, "window_seconds": 60}]);
    let (id, secret) = instance.create(&json!({"rate_limits": limits(20)}));
    let path = format!("/v1/keys/{id}");
    assert_eq!(instance.pass(&secret, 30, "RATE_LIMITED"), 20);
    for change in [
        json!({"name": "other"}),
        json!({"metadata": {"a": 1}}),
        json!({"rate_limits": limits(10)}),
        json!({"rate_limits": limits(20)}),
        json!({"rate_limits": []}),
        json!({"rate_limits": limits(20)}),
    ] {
        assert_eq!(instance.manage("PATCH", &path, &change).0, 200);
        if change["rate_limits"] != json!([]) {
            assert_eq!(instance.pass(&secret, 30, "RATE_LIMITED"), 0, "{change}");
        }
    }
}
