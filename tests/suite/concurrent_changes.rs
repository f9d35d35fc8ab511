//! Many concurrent changes of the same row: each returns the correct result, and none has to retry.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::test_server::TestServer;

/// The number of concurrent requests: more than the retries of a change, fewer than the admission
/// limit.
const CROWD: usize = 48;

/// In an earlier version, each change was decided again whenever another change was faster. A
/// change that lost sixteen times returned 503 although the server had capacity.
#[test]
fn concurrent_creations_fill_a_plan_and_the_rest_get_the_reason() {
    const PLACES: usize = 30;
    let instance = TestServer::start();
    instance.ask(&Ask::patch("/v1/plans/pro", &json!({"limits": {"keys": PLACES}}))).expect(200);
    let made = AtomicUsize::new(0);
    scope(|threads| {
        for _ in 0..CROWD {
            threads.spawn(|| {
                let answer = instance.ask(&Ask::post("/v1/keys", &json!({})));
                if answer.status == 201 {
                    made.fetch_add(1, Ordering::Relaxed);
                } else {
                    answer.problem(403, "subscription_limit");
                }
            });
        }
    });
    assert_eq!(made.into_inner(), PLACES);
    assert_eq!(instance.all_keys().len(), PLACES);
}

/// These changes share one guard row for the whole instance, and all of them must succeed.
#[test]
fn concurrent_invitations_organizations_and_roles_all_succeed() {
    let instance = TestServer::start();
    let asks: [(&str, fn(usize) -> Ask); 3] = [
        ("invitations", |number| {
            let email = format!("user{number}@example.com");
            Ask::post("/v1/invitations", &json!({"email": email, "role": "user"}))
        }),
        ("organizations", |number| {
            let email = format!("owner{number}@example.com");
            Ask::post("/v1/organizations", &json!({"name": "any", "owner_email": email}))
        }),
        ("roles", |number| {
            let name = format!("role {number}");
            Ask::post("/v1/roles", &json!({"name": name, "permissions": ["a:b"]}))
        }),
    ];
    for (what, ask) in asks {
        scope(|threads| {
            for number in 0..CROWD {
                let instance = &instance;
                threads.spawn(move || {
                    let answer = instance.ask(&ask(number));
                    assert_eq!(answer.status, 201, "{what}: {}", answer.body);
                });
            }
        });
    }
}
