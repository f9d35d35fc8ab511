//! Compares the rate limits with `governor`, an independent GCRA implementation, over arbitrary
//! times and costs.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use governor::{Quota, RateLimiter};
use keyhouse::index::live::RateCounter;
use keyhouse::model::limit::{Draw, RateLimit};
use proptest::prelude::*;

/// A moment of calls: its distance to the previous moment, and the cost of each call.
fn arrivals(window_seconds: u32) -> impl Strategy<Value = Vec<(u64, u32)>> {
    let window_ns = u64::from(window_seconds) * 1_000_000_000;
    // Most distances are within a window, some are zero and some are long.
    let pause = prop_oneof![3 => Just(0), 5 => 0..window_ns / 4, 1 => 0..3 * window_ns];
    prop::collection::vec((pause, 1..4_u32), 1..120)
}

fn limits() -> impl Strategy<Value = (RateLimit, Vec<(u64, u32)>)> {
    (1..40_u32, 1..100_u32).prop_flat_map(|(limit, window_seconds)| {
        let rule = RateLimit { name: "any".into(), limit, window_seconds };
        (Just(rule), arrivals(window_seconds))
    })
}

proptest! {
    #[test]
    fn every_call_is_decided_like_the_oracle((rule, arrivals) in limits()) {
        let (clock, counter) = (FakeRelativeClock::default(), RateCounter::default());
        let burst = NonZeroU32::new(rule.limit).unwrap();
        let quota = Quota::with_period(Duration::from_nanos(rule.weight(1))).unwrap();
        let oracle = RateLimiter::direct_with_clock(quota.allow_burst(burst), clock.clone());
        // The monotonic clock of Keyhouse never shows zero.
        let mut now = 1;
        for (pause, cost) in arrivals {
            now += pause;
            clock.advance(Duration::from_nanos(pause));
            let ours = counter.draw(&rule, now, cost);
            let theirs = oracle.check_n(NonZeroU32::new(cost).unwrap());
            let passes = matches!(theirs, Ok(Ok(())));
            let granted = matches!(ours, Draw::Granted { .. });
            prop_assert_eq!(granted, passes, "{:?} at {}", ours, now);
            if let Draw::Refused { wait } = ours {
                prop_assert!(wait <= rule.window() + Duration::from_micros(1));
            }
        }
    }

    /// Within one window, fewer calls pass than twice the limit.
    #[test]
    fn no_window_holds_twice_the_limit((rule, arrivals) in limits()) {
        let (counter, mut now, mut passed) = (RateCounter::default(), 1, Vec::new());
        for (pause, cost) in arrivals {
            now += pause;
            for _ in 0..cost * 8 {
                if matches!(counter.draw(&rule, now, 1), Draw::Granted { .. }) {
                    passed.push(now);
                }
            }
        }
        let window_ns = u64::from(rule.window_seconds) * 1_000_000_000;
        for (at, begin) in passed.iter().enumerate() {
            let within = passed[at..].iter().take_while(|time| **time - begin < window_ns);
            prop_assert!(within.count() < 2 * rule.limit as usize);
        }
    }

    /// A refused call passes exactly after its retry time.
    #[test]
    fn a_call_passes_exactly_at_its_retry_time((rule, arrivals) in limits()) {
        let (counter, mut now) = (RateCounter::default(), 1);
        for (pause, cost) in arrivals {
            now += pause;
            let Draw::Refused { wait } = counter.draw(&rule, now, cost) else { continue };
            if cost > rule.limit {
                continue;
            }
            let wait_ns = u64::try_from(wait.as_nanos()).unwrap();
            let early = counter.peek(&rule, now + wait_ns - 1, cost);
            let in_time = counter.peek(&rule, now + wait_ns, cost);
            prop_assert!(matches!(early, Draw::Refused { .. }), "{:?}", early);
            prop_assert!(matches!(in_time, Draw::Granted { .. }), "{:?}", in_time);
        }
    }
}
