//! The maximum rate of changes of an actor, with a clock that stands still.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use keyhouse::clock::ManualClock;
use keyhouse::http::transport::{ListenerKind, Peer, RequestOrigin};
use keyhouse::model::moment::Moment;
use keyhouse::model::pace::Pace;
use serde_json::{Value, json};

use crate::people::{Person, join};
use crate::test_instance::{TestInstance, header};

/// The `number`th rename of a user by themselves.
fn rename(instance: &TestInstance, person: &Person, number: usize) -> (u16, Value) {
    let headers = [("Cookie", &*person.cookie)];
    let (status, _, reported) =
        instance.ask("PATCH", "/v1/me", &headers, &json!({"name": format!("name {number}")}));
    (status, reported)
}

/// Found in a review: a guest caused 525 audit events a second, and a user created 1,080 keys.
#[test]
fn changes_are_limited_for_each_actor_and_reads_are_not() {
    let clock = Arc::new(ManualClock::at(Moment::from_milliseconds(1_800_000_000_000)));
    let paces = (Pace::of_sessions(), Pace::new(10, 30));
    let instance = TestInstance::paced(Arc::<ManualClock>::clone(&clock), paces);
    let (bo, gus) = (join(&instance, "bo", "user"), join(&instance, "gus", "guest"));
    let body = json!({"email": "bo@example.com", "password": "nine wild geese over the lake"});
    let (status, cookie, _) = instance.ask("POST", "/v1/session", &[], &body);
    assert_eq!(status, 201);
    let elsewhere = Person { id: bo.id.clone(), cookie };
    for (person, burst, back) in [(&gus, 20, 1_000), (&bo, 100, 100)] {
        for number in 0..burst {
            assert_eq!(rename(&instance, person, number).0, 200, "{number} of {burst}");
        }
        let (status, reported) = rename(&instance, person, burst);
        assert_eq!((status, &reported["code"]), (429, &json!("too_many_changes")));
        clock.advance(Duration::from_millis(back));
        assert_eq!(rename(&instance, person, burst + 1).0, 200, "one more after {back} ms");
    }
    assert_eq!(rename(&instance, &elsewhere, 1).0, 429, "one allowance over all sessions");
    let headers = [("Cookie", &*gus.cookie)];
    let (status, _, reported) = instance.ask("POST", "/v1/keys", &headers, &json!({}));
    assert_eq!((status, &reported["code"]), (429, &json!("too_many_changes")), "refused before");
    for _ in 0..50 {
        assert_eq!(instance.ask("GET", "/v1/me", &headers, &Value::Null).0, 200);
    }
    for number in 0..150 {
        assert_eq!(instance.manage("POST", "/v1/keys", &json!({})).0, 201, "the host's {number}");
    }
}

#[test]
fn refused_changes_count_and_personal_keys_share_one_allowance() {
    let clock = Arc::new(ManualClock::at(Moment::from_milliseconds(1_800_000_000_000)));
    let paces = (Pace::of_sessions(), Pace::new(10, 30));
    let instance = TestInstance::paced(clock, paces);
    let bo = join(&instance, "bo", "user");
    let list = json!({"permissions": ["keyhouse:keys:create"]});
    let headers = [("Cookie", &*bo.cookie)];
    let bearer = |reported: Value| format!("Bearer {}", reported["secret"].as_str().unwrap());
    let own: Vec<String> =
        (0..2).map(|_| bearer(instance.ask("POST", "/v1/keys", &headers, &list).2)).collect();
    let service = json!({"kind": "service", "permissions": ["keyhouse:keys:read"]});
    let service = bearer(instance.manage("POST", "/v1/keys", &service).1);
    let refused = |key: &String| {
        let headers = [("Authorization", &**key)];
        instance.ask("POST", "/v1/roles", &headers, &json!({"name": "a", "permissions": []})).0
    };
    for number in 0..30 {
        assert_eq!(refused(&own[number % 2]), 403, "{number}");
    }
    assert_eq!(refused(&own[0]), 429);
    assert_eq!(refused(&own[1]), 429);
    assert_eq!(refused(&service), 403, "a service key has its own");
}

/// Found in a review: an administrator created 100 service keys and thereby had 100 rate limits.
#[test]
fn service_keys_share_an_allowance_of_their_organization() {
    let clock = Arc::new(ManualClock::at(Moment::from_milliseconds(1_800_000_000_000)));
    let paces = (Pace::of_sessions(), Pace::new(10, 30));
    let instance = TestInstance::paced(Arc::<ManualClock>::clone(&clock), paces);
    let body = json!({"kind": "service", "permissions": ["keyhouse:keys:read"]});
    let keys: Vec<String> = (0..6)
        .map(|_| instance.manage("POST", "/v1/keys", &body).1)
        .map(|reported| format!("Bearer {}", reported["secret"].as_str().unwrap()))
        .collect();
    let change = |key: usize| {
        let headers = [("Authorization", &*keys[key])];
        instance.ask("POST", "/v1/roles", &headers, &json!({"name": "a", "permissions": []})).0
    };
    // Requests up to four times the burst of one key. Permissions are checked only for changes
    // within the rate.
    for number in 0..4 * 30 {
        assert_eq!(change(number % 5), 403, "{number}");
    }
    for key in 0..6 {
        assert_eq!(change(key), 429, "{key}");
    }
    clock.advance(Duration::from_millis(25));
    assert_eq!(change(5), 403, "40 a second over all");
    assert_eq!(change(5), 429);
    clock.advance(Duration::from_secs(10));
    for number in 0..30 {
        assert_eq!(change(5), 403, "{number}: what was refused used up nothing of its own");
    }
    assert_eq!(change(5), 429, "one key has a quarter");
    assert_eq!(change(4), 403);
}

#[test]
fn a_refusal_for_the_rate_of_changes_returns_a_retry_time() {
    let clock = Arc::new(ManualClock::at(Moment::from_milliseconds(1_800_000_000_000)));
    let paces = (Pace::new(1, 5), Pace::OFF);
    let instance = TestInstance::paced(clock, paces);
    let bo = join(&instance, "bo", "user");
    for number in 0..5 {
        assert_eq!(rename(&instance, &bo, number).0, 200);
    }
    let headers = [("Cookie", &*bo.cookie), ("Host", "localhost")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let request = rouille::Request::fake_http("DELETE", "/v1/sessions/any", headers, Vec::new());
    let origin = RequestOrigin { listener: ListenerKind::Main, peer: Peer::Unix };
    let answer = instance.app.answer_from(origin, &request);
    assert_eq!(answer.status_code, 429);
    assert_eq!(header(&answer, "Retry-After").as_deref(), Some("1"));
    assert_eq!(header(&answer, "RateLimit-Policy").as_deref(), Some("\"changes\";q=5;w=5"));
    assert_eq!(header(&answer, "RateLimit").as_deref(), Some("\"changes\";r=0;t=5"));
    let mut body = String::new();
    answer.data.into_reader_and_size().0.read_to_string(&mut body).unwrap();
    assert!(body.contains("too_many_changes"), "{body}");
}
