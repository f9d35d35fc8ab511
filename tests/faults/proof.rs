//! The proof that a session requires before it shows a new secret, with a clock that the test sets.

use std::sync::Arc;
use std::thread::scope;
use std::time::Duration;

use keyhouse::clock::ManualClock;
use keyhouse::model::secret::Secret;
use keyhouse::model::session_times::PROOF_LIFETIME;
use keyhouse::records::access::SessionRecord;
use keyhouse::records::place::StoreKey;
use keyhouse::records::{encode, read_row};
use keyhouse_storage::{At, Batch, Range, Store as _};
use serde_json::{Value, json};

use crate::sign_in::{Answer, Client, Factor, clock};
use crate::test_instance::{OWNER_PASSWORD, TestInstance};

const PROOF: &str = "/v1/session/proof";
const WRONG: &str = "not the password at all";
/// Failures of a known browser, then failures of unknown clients until the account is locked.
const GUESSES_MAX: u64 = 120;

/// An instance whose owner signed in so long ago that a proof is required.
struct Stale {
    instance: TestInstance,
    clock: Arc<ManualClock>,
    cookie: String,
}

impl Stale {
    fn start() -> Self {
        let clock = clock();
        let instance = TestInstance::at(Arc::clone(&clock) as Arc<_>);
        let cookie = Client::afar().sign_in(&instance, OWNER_PASSWORD).cookie;
        clock.advance(PROOF_LIFETIME);
        Self { instance, clock, cookie }
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(&self.cookie, path, body)
    }

    fn post_as(&self, cookie: &str, path: &str, body: &Value) -> Answer {
        Client::afar().send(&self.instance, ("POST", path), cookie, body)
    }

    fn create(&self) -> Answer {
        self.post("/v1/keys", &json!({}))
    }

    fn prove(&self, body: &Value) -> Answer {
        self.post(PROOF, body)
    }

    fn sessions(&self) -> Vec<SessionRecord> {
        let page = self.instance.store.scan(&Range::prefix(b"session/"), At::Latest).unwrap();
        page.rows.iter().map(|row| read_row(row).unwrap().record).collect()
    }
}

/// A stolen cookie, or an unattended browser, was enough to create a key that outlives the session.
#[test]
fn a_session_needs_a_recent_proof_to_show_a_new_secret() {
    let stale = Stale::start();
    let (instance, clock) = (&stale.instance, &stale.clock);
    let local = instance.manage("POST", "/v1/keys", &json!({"kind": "service"})).1;
    let id = local["key"]["id"].as_str().unwrap();
    let (status, mate) = {
        let body = json!({"email": "mate@example.com", "role": "user"});
        let (_, invited) = instance.manage("POST", "/v1/invitations", &body);
        let token = invited["url"].as_str().unwrap().rsplit_once("#token=").unwrap().1;
        let body = json!({"token": token, "name": "Mate", "password": "nine wild geese over it"});
        instance.manage("POST", "/v1/invitations/accept", &body)
    };
    assert_eq!(status, 201, "{mate}");
    let digest = format!("{:064x}", 7);
    let rotation = format!("/v1/keys/{id}/rotate");
    let user = mate["user"]["id"].as_str().unwrap();
    let reset = format!("/v1/users/{user}/reset");
    let asked = [
        ("/v1/keys", json!({}), 201),
        (&*rotation, json!({}), 200),
        ("/v1/keys/import", json!({"keys": [{"algorithm": "blake3", "digest": digest}]}), 201),
        ("/v1/invitations", json!({"email": "bo@example.com", "role": "owner"}), 201),
        (&*reset, json!({}), 201),
        ("/v1/organizations", json!({"name": "Acme", "owner_email": "cy@example.com"}), 201),
    ];
    let rows = || instance.store.scan(&Range::prefix(b""), At::Latest).unwrap().rows.len();
    let before = rows();
    for (path, body, _) in &asked {
        let answer = stale.post(path, body);
        assert_eq!((answer.status, answer.code()), (403, "proof_required"), "{path}");
    }
    assert_eq!(rows(), before, "nothing was created");
    assert_eq!(stale.prove(&json!({"password": OWNER_PASSWORD})).status, 204);
    for (path, body, status) in asked {
        let answer = stale.post(path, &body);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    clock.advance(PROOF_LIFETIME.saturating_sub(Duration::from_millis(1)));
    assert_eq!(stale.create().status, 201);
    clock.advance(Duration::from_millis(1));
    assert_eq!(stale.create().code(), "proof_required");
}

/// Every other reason to reject a request is reported before a proof is required. Otherwise a user
/// enters the password for a request that is then rejected.
#[test]
fn a_proof_is_required_last() {
    const IMPORT: &str = "/v1/keys/import";
    let stale = Stale::start();
    let import = |digest: &str| json!({"keys": [{"algorithm": "blake3", "digest": digest}]});
    let new = format!("{:064x}", 7);
    let (_, made) = stale.instance.manage("POST", "/v1/keys", &json!({"kind": "service"}));
    let retired = Secret::new(made["secret"].as_str().unwrap().to_owned()).digest().to_string();
    let rotation = format!("/v1/keys/{}/rotate", made["key"]["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(stale.instance.manage("POST", &rotation, &json!({})).0, 200);
    }
    let unknown = "/v1/keys/key_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f/rotate";
    for (path, body, status, code) in [
        ("/v1/keys", json!({"permissions": ["Not one"]}), 400, "invalid_input"),
        (unknown, json!({}), 404, "not_found"),
        (IMPORT, import("not a digest"), 400, "invalid_input"),
        (IMPORT, import(&retired), 400, "invalid_input"),
        ("/v1/keys", json!({}), 403, "proof_required"),
        (IMPORT, import(&new), 403, "proof_required"),
    ] {
        let answer = stale.post(path, &body);
        assert_eq!((answer.status, answer.code()), (status, code), "{path} {body}");
    }
    let mut dry = import(&new);
    dry["dry_run"] = json!(true);
    let answer = stale.post(IMPORT, &dry);
    assert_eq!(answer.status, 200, "a dry run creates no key: {}", answer.body);
    let no_keys = json!({"limits": {"keys": 0}});
    assert_eq!(stale.instance.manage("PATCH", "/v1/plans/pro", &no_keys).0, 200);
    for (path, body) in [("/v1/keys", json!({})), (IMPORT, import(&new)), (IMPORT, dry)] {
        let answer = stale.post(path, &body);
        assert_eq!((answer.status, answer.code()), (403, "subscription_limit"), "{path} {body}");
    }
}

#[test]
fn keys_and_the_host_have_no_session_to_prove() {
    let stale = Stale::start();
    let body = json!({"permissions": ["keyhouse:keys:create"]});
    assert_eq!(stale.prove(&json!({"password": OWNER_PASSWORD})).status, 204);
    let secret = stale.post("/v1/keys", &body).body["secret"].as_str().unwrap().to_owned();
    stale.clock.advance(Duration::from_hours(1));
    let bearer = format!("Bearer {secret}");
    let headers = [("Authorization", &*bearer)];
    let (status, _, made) = stale.instance.ask("POST", "/v1/keys", &headers, &body);
    assert_eq!(status, 201, "{made}");
    let (status, _, problem) =
        stale.instance.ask("POST", PROOF, &headers, &json!({"password": OWNER_PASSWORD}));
    assert_eq!((status, &problem["code"]), (403, &json!("session_required")));
    assert_eq!(stale.instance.manage("POST", "/v1/keys", &json!({})).0, 201);
}

/// A session of an earlier version has no time of a proof.
#[test]
fn a_session_without_a_proof_was_proven_at_its_sign_in() {
    let stale = Stale::start();
    let page = stale.instance.store.scan(&Range::prefix(b"session/"), At::Latest).unwrap();
    let row = page.rows.into_iter().next().unwrap();
    assert!(!String::from_utf8_lossy(&row.value).contains("\"p\""), "{:?}", row.value);
    assert_eq!(stale.create().code(), "proof_required");
    let place = StoreKey::parse(&row.key).unwrap();
    let record: SessionRecord = read_row(&row).unwrap().record;
    let newer = SessionRecord { created_at: record.created_at.after(PROOF_LIFETIME), ..record };
    let batch = Batch::new().put(row.key, encode(&place, &newer).unwrap());
    stale.instance.store.commit(batch).unwrap();
    assert_eq!(stale.create().status, 201);
}

#[test]
fn a_proof_does_not_extend_its_session_and_is_audited() {
    let stale = Stale::start();
    let before = stale.sessions();
    assert_eq!(stale.create().status, 403);
    let used = stale.sessions();
    assert_eq!(stale.prove(&json!({"password": OWNER_PASSWORD})).status, 204);
    let proven = stale.sessions();
    let [session] = &proven[..] else { panic!("{proven:?}") };
    assert_eq!(session.created_at, before[0].created_at);
    assert_eq!(session.seen_at, used[0].seen_at, "only the request itself counts as a use");
    assert_eq!(SessionRecord { proven_at: None, ..session.clone() }, used[0]);
    let (_, listed) = stale.instance.manage("GET", "/v1/audit?limit=1", &Value::Null);
    let event = &listed["items"][0];
    assert_eq!(event["action"], "session.prove", "{event}");
    assert_eq!(event["target"], session.user.to_string(), "{event}");
    assert_eq!(event["after"], json!({"password": true}), "{event}");
    stale.clock.advance(Duration::from_hours(24));
    assert_eq!(stale.create().code(), "session_ended");
}

#[test]
fn a_wrong_factor_proves_nothing() {
    let stale = Stale::start();
    for (body, pointer, code) in [
        (json!({"password": WRONG}), "/password", "wrong_password"),
        (json!({"code": "123456"}), "/code", "wrong_code"),
        (json!({}), "/password", "required"),
        (json!({"password": OWNER_PASSWORD, "code": "123456"}), "/code", "contradiction"),
        (json!({"password": 7}), "/password", "wrong_type"),
    ] {
        let answer = stale.prove(&body);
        assert_eq!((answer.status, answer.code()), (400, "invalid_input"), "{body}");
        let fault = &answer.body["errors"][0];
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!(pointer), &json!(code)), "{body}");
        assert_eq!(stale.create().code(), "proof_required", "{body}");
    }
}

#[test]
fn a_code_proves_once_and_a_backup_code_never() {
    let clock = clock();
    let instance = TestInstance::at(Arc::clone(&clock) as Arc<_>);
    let (factor, cookie) = Factor::set_up(&instance, &clock);
    clock.advance(PROOF_LIFETIME);
    let stale = Stale { instance, clock, cookie };
    for backup in &factor.backup {
        let answer = stale.prove(&json!({"code": backup}));
        assert_eq!(answer.body["errors"][0]["code"], "wrong_code");
        stale.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(stale.create().code(), "proof_required");
    let code = factor.code();
    assert_eq!(stale.prove(&json!({"code": code})).status, 204);
    assert_eq!(stale.create().status, 201);
    stale.clock.advance(Duration::from_secs(10));
    assert_eq!(stale.prove(&json!({"code": code})).status, 400, "replayed");
    let signed_in = Client::afar().with_code(&code).sign_in(&stale.instance, OWNER_PASSWORD);
    assert_eq!(signed_in.code(), "sign_in_failed", "a proof uses the code up");
    let signed_in = Client::afar().with_code(&factor.backup[0]);
    let signed_in = signed_in.sign_in(&stale.instance, OWNER_PASSWORD);
    assert_eq!(signed_in.status, 201, "the backup codes are left");
    stale.clock.advance(PROOF_LIFETIME);
    assert_eq!(stale.create().code(), "proof_required");
    assert_eq!(stale.prove(&json!({"password": OWNER_PASSWORD})).status, 204, "either suffices");
    assert_eq!(stale.create().status, 201);
}

/// A thief of the cookie guesses. The guesses count as failed sign-ins and are throttled with the
/// counters of sign-in. The user still signs in with a known browser.
#[test]
fn guesses_of_a_stolen_cookie_are_throttled_like_sign_ins_and_lock_no_known_browser_out() {
    let stale = Stale::start();
    let user: keyhouse::model::id::UserId = stale.sessions()[0].user;
    let device = stale.instance.actions().device_cookie(None, user).unwrap();
    let (mut guesses, mut refusals, mut waited) = (0, 0, Duration::ZERO);
    let locked = loop {
        // The session must not end while the thief waits.
        assert_eq!(stale.create().code(), "proof_required");
        let answer = stale.prove(&json!({"password": WRONG}));
        match (answer.status, answer.retry_after) {
            (400, _) => guesses += 1,
            (429, Some(wait)) if wait <= 10 => {
                refusals += 1;
                waited += Duration::from_secs(wait);
                stale.clock.advance(Duration::from_secs(wait));
            },
            (status, wait) => break (status, wait),
        }
    };
    assert_eq!((guesses, locked), (GUESSES_MAX, (429, Some(86_400))));
    assert!(waited > Duration::from_mins(10), "{waited:?}");
    assert_eq!(stale.prove(&json!({"password": OWNER_PASSWORD})).status, 429);
    assert_eq!(stale.create().code(), "proof_required");
    stale.instance.actions().flush_failed_sign_ins();
    let (_, listed) = stale.instance.manage("GET", "/v1/audit?limit=100", &Value::Null);
    let refused = listed["items"].as_array().unwrap().iter();
    let refused: u64 = refused
        .filter(|event| event["action"] == "session.refuse" && event["target"] == user.to_string())
        .map(|event| event["after"]["count"].as_u64().unwrap())
        .sum();
    assert_eq!(refused, guesses + refusals + 2, "the guesses, the waits and the two of the lock");

    let stranger = Client::afar().sign_in(&stale.instance, OWNER_PASSWORD);
    assert_eq!(stranger.code(), "too_many_attempts", "the same counters as those of sign-in");
    let cookie = format!("keyhouse-device={}", device.reveal());
    let body = json!({"email": crate::test_instance::OWNER_EMAIL, "password": OWNER_PASSWORD});
    let fresh = stale.post_as(&cookie, "/v1/session", &body);
    assert_eq!(fresh.status, 201, "{}", fresh.body);
    assert_eq!(stale.post_as(&fresh.cookie, "/v1/keys", &json!({})).status, 201);
}

/// A known password must not give more guesses at the code, as the removal of a second factor
/// requires both.
#[test]
fn a_proof_clears_no_failures() {
    let stale = Stale::start();
    for round in 0..5 {
        assert_eq!(stale.prove(&json!({"code": "123456"})).status, 400, "{round}");
        if round < 4 {
            assert_eq!(stale.prove(&json!({"password": OWNER_PASSWORD})).status, 204, "{round}");
        }
    }
    let answer = stale.prove(&json!({"password": OWNER_PASSWORD}));
    assert_eq!((answer.status, answer.retry_after), (429, Some(1)));
}

#[test]
fn guesses_at_once_are_no_more_than_guesses_in_a_row() {
    let stale = Stale::start();
    // A code is not hashed: no guess is rejected because other passwords are being hashed.
    let mut statuses: Vec<u16> = scope(|threads| {
        let guess = || stale.prove(&json!({"code": "123456"})).status;
        let guessing: Vec<_> = (0..16).map(|_| threads.spawn(guess)).collect();
        guessing.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [[400_u16; 5].as_slice(), &[429; 11]].concat());
}

/// Another origin can neither prove the session of a browser nor use its proof.
#[test]
fn another_site_can_prove_nothing() {
    let stale = Stale::start();
    let body = json!({"password": OWNER_PASSWORD});
    let headers = [("Cookie", &*stale.cookie), ("Origin", "http://evil.example")];
    let (status, _, problem) = stale.instance.ask("POST", PROOF, &headers, &body);
    assert_eq!((status, &problem["code"]), (403, &json!("cross_site")));
    assert_eq!(stale.create().code(), "proof_required");
}
