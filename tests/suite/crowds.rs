//! Many at once who all want the same row: each is told what is so, and none to come back later.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::house::House;

/// As many as ask at once: more than the times a change is decided anew, fewer than are let in.
const CROWD: usize = 48;

/// Each used to decide again whenever somebody else was faster, and whoever lost sixteen times was
/// told 503 while there was room.
#[test]
fn a_crowd_fills_a_plan_to_its_last_place_and_each_is_told_why() {
    const PLACES: usize = 30;
    let house = House::start();
    house.ask(&Ask::patch("/v1/plans/pro", &json!({"limits": {"keys": PLACES}}))).expect(200);
    let made = AtomicUsize::new(0);
    scope(|threads| {
        for _ in 0..CROWD {
            threads.spawn(|| {
                let answer = house.ask(&Ask::post("/v1/keys", &json!({})));
                if answer.status == 201 {
                    made.fetch_add(1, Ordering::Relaxed);
                } else {
                    answer.problem(403, "subscription_limit");
                }
            });
        }
    });
    assert_eq!(made.into_inner(), PLACES);
    assert_eq!(house.all_keys().len(), PLACES);
}

/// The same of what guards who may do what, which is one row for the whole instance.
#[test]
fn a_crowd_of_invitations_organizations_and_roles_is_let_through() {
    let house = House::start();
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
                let house = &house;
                threads.spawn(move || {
                    let answer = house.ask(&ask(number));
                    assert_eq!(answer.status, 201, "{what}: {}", answer.body);
                });
            }
        });
    }
}
