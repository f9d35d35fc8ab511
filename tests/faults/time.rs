//! Changes of the machine's clock: expired objects stay expired, and limits keep working.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyhouse::clock::{SystemClock, TimeOfDay};
use serde_json::json;

use crate::sign_in::Client;
use crate::test_instance::{OWNER_PASSWORD, TestInstance};

const HOUR: Duration = Duration::from_hours(1);

/// A wall clock that can be set.
#[derive(Clone, Debug)]
struct Wall(Arc<AtomicI64>);

impl Wall {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000)))
    }

    fn forward(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::Relaxed);
    }

    fn back(&self, span: Duration) {
        self.0.fetch_sub(i64::try_from(span.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl TimeOfDay for Wall {
    fn milliseconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn instance(wall: &Wall) -> TestInstance {
    let clock = Arc::new(SystemClock::over(wall.clone()));
    TestInstance::at(clock)
}

#[test]
fn an_expired_key_stays_expired_when_the_clock_is_set_back() {
    let wall = Wall::new();
    let instance = instance(&wall);
    let (status, made) = instance.manage("POST", "/v1/keys", &json!({ "expires_in": "2h" }));
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap();
    let cookie = Client::afar().sign_in(&instance, OWNER_PASSWORD).cookie;
    wall.forward(HOUR * 3 / 2);
    assert_eq!(instance.check(secret).0, 200);
    wall.forward(HOUR);
    for hours in [0, 1, 24, 24 * 365] {
        wall.back(HOUR * hours);
        assert_eq!(instance.check(secret), (401, "EXPIRED".to_owned()), "{hours} h back");
        let session = Client::afar().ask(&instance, "GET", "/v1/session", &cookie);
        assert_eq!((session.status, session.code()), (401, "session_ended"), "{hours} h back");
    }
}

#[test]
fn a_key_that_has_started_stays_started_when_the_clock_is_set_back() {
    let wall = Wall::new();
    let instance = instance(&wall);
    let (status, made) =
        instance.manage("POST", "/v1/keys", &json!({ "not_before": "2027-01-15T09:00:00Z" }));
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(instance.check(secret), (401, "NOT_YET_VALID".to_owned()));
    wall.forward(HOUR * 2);
    assert_eq!(instance.check(secret).0, 200);
    wall.back(HOUR * 2);
    assert_eq!(instance.check(secret).0, 200);
}

#[test]
fn a_rate_limit_is_independent_of_the_wall_clock() {
    let wall = Wall::new();
    let instance = instance(&wall);
    let limits = json!([{ "name": "slow", "limit": 3, "window_seconds": 86_400 }]);
    let (status, made) = instance.manage("POST", "/v1/keys", &json!({ "rate_limits": limits }));
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap();
    for _ in 0..3 {
        assert_eq!(instance.check(secret).0, 200);
    }
    let set: [fn(&Wall); 4] = [
        |_| {},
        |wall| wall.forward(HOUR * 24),
        |wall| wall.back(HOUR * 48),
        |wall| wall.forward(HOUR),
    ];
    for set in set {
        set(&wall);
        assert_eq!(instance.check(secret), (429, "RATE_LIMITED".to_owned()));
    }
}
