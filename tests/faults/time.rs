//! Changes of the machine's clock: expired objects stay expired, and limits keep working.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyhouse::clock::{SystemClock, TimeOfDay};
use serde_json::json;

use crate::people::{invite, join};
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

#[test]
fn a_link_is_dead_after_24_hours_before_and_after_its_form_is_shown() {
    let wall = Wall::new();
    let instance = instance(&wall);
    let mate = join(&instance, "mate", "user");
    let reset = format!("/v1/users/{}/reset", mate.id);
    let (_, reset) = instance.manage("POST", &reset, &json!({}));
    let reset = reset["url"].as_str().unwrap().rsplit_once("#token=").unwrap().1;
    let invited = invite(&instance, None, "bo", "user");
    let password = "nine wild geese over the lake";
    let forms = [
        ("/v1/invitations/accept", json!({"token": invited, "name": "Bo", "password": password})),
        ("/v1/reset", json!({"token": reset, "password": password})),
    ];
    let show = |form: &serde_json::Value| {
        let (status, _, shown) =
            instance.ask("POST", "/v1/links", &[], &json!({"token": form["token"]}));
        (status, shown["code"].clone())
    };
    wall.forward(Duration::from_millis(24 * 60 * 60 * 1000 - 1));
    for (path, form) in &forms {
        assert_eq!(show(form), (200, json!(null)), "{path}");
    }
    wall.forward(Duration::from_millis(1));
    for (path, form) in &forms {
        assert_eq!(show(form), (403, json!("link_invalid")), "{path}");
        let (status, _, problem) = instance.ask("POST", path, &[], form);
        assert_eq!((status, &problem["code"]), (403, &json!("link_invalid")), "{path}");
    }
}
