//! Sign-in with a clock that the test sets, while other requests write.

use std::sync::Arc;
use std::thread::scope;
use std::time::Duration;

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, Version};
use keyhouse::clock::{Clock as _, ManualClock};
use keyhouse::http::transport::{
    Application as _, Arrival, Caller, ListenerKind, Peer, RequestOrigin,
};
use keyhouse::model::id::{Id, KeyId, UserId};
use keyhouse::model::moment::Moment;
use keyhouse::model::totp::code_at;
use keyhouse::records::access::{EmailRecord, UserRecord};
use keyhouse::records::event::EventRecord;
use keyhouse::records::people::TotpRecord;
use keyhouse::records::place::StoreKey;
use keyhouse::records::{encode, read_row};
use keyhouse_storage::{At, Batch, InjectedFault, Range, Store, StoreOperation, TestGate};
use rouille::Request;
use serde_json::{Value, json};

use crate::LONG;
use crate::people::{join, overtaken};
use crate::test_instance::{OWNER_EMAIL, OWNER_PASSWORD, TestInstance, header};

const BOB: &str = "bob@example.com";
const WRONG: &str = "not the password at all";

/// The answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) cookie: String,
    pub(crate) retry_after: Option<u64>,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// How a request reaches the instance.
pub(crate) struct Client {
    forwarded_for: Option<String>,
    email: String,
    code: Option<String>,
}

impl Client {
    /// A request through a proxy, from a distant network.
    pub(crate) fn afar() -> Self {
        Self::from(7)
    }

    fn from(network: usize) -> Self {
        let address = format!("203.{}.{}.9", network / 256, network % 256);
        Self { forwarded_for: Some(address), email: OWNER_EMAIL.to_owned(), code: None }
    }

    fn on_host() -> Self {
        Self { forwarded_for: None, email: OWNER_EMAIL.to_owned(), code: None }
    }

    fn with_email(self, email: &str) -> Self {
        Self { email: email.to_owned(), ..self }
    }

    pub(crate) fn with_code(self, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..self }
    }

    pub(crate) fn sign_in(&self, instance: &TestInstance, password: &str) -> Answer {
        let mut body = json!({ "email": self.email, "password": password });
        if let Some(code) = &self.code {
            body["code"] = code.as_str().into();
        }
        self.send(instance, ("POST", "/v1/session"), "", &body)
    }

    pub(crate) fn ask(
        &self,
        instance: &TestInstance,
        method: &'static str,
        path: &str,
        cookie: &str,
    ) -> Answer {
        self.send(instance, (method, path), cookie, &Value::Null)
    }

    pub(crate) fn send(
        &self,
        instance: &TestInstance,
        (method, path): (&'static str, &str),
        cookie: &str,
        body: &Value,
    ) -> Answer {
        let mut headers = vec![("Host".to_owned(), "localhost".to_owned())];
        headers.extend(self.forwarded_for.clone().map(|it| ("X-Forwarded-For".to_owned(), it)));
        if !cookie.is_empty() {
            headers.push(("Cookie".to_owned(), cookie.to_owned()));
        }
        let mut text = Vec::new();
        if !body.is_null() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
            text = body.to_string().into_bytes();
        }
        let request = Request::fake_http(method, path, headers, text);
        let peer = Peer::Tcp(([127, 0, 0, 1], 1).into());
        let origin = RequestOrigin { listener: ListenerKind::Main, peer };
        let response = instance.app.answer_from(origin, &request);
        let cookie = header(&response, "Set-Cookie").unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let retry_after = header(&response, "Retry-After").map(|text| text.parse().unwrap());
        let status = response.status_code;
        let (mut reader, _) = response.data.into_reader_and_size();
        let body = serde_json::from_reader(&mut reader).unwrap_or_default();
        Answer { status, body, cookie, retry_after }
    }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Moment::from_milliseconds(1_800_000_000_000)))
}

fn user_of(instance: &TestInstance) -> UserRecord {
    let page = instance.store.scan(&Range::prefix(b"user/"), At::Latest).unwrap();
    read_row(&page.rows[0]).unwrap().record
}

fn put_user(instance: &TestInstance, user: &UserRecord) {
    let place = StoreKey::User(user.id);
    let batch = Batch::new().put(place.to_bytes(), encode(&place, user).unwrap());
    let revision = instance.store.commit(batch).unwrap();
    assert!(instance.index().wait_for(revision, LONG));
}

fn failed_sign_ins(instance: &TestInstance) -> Vec<EventRecord> {
    let page = instance.store.scan(&Range::prefix(StoreKey::EVENTS), At::Latest).unwrap();
    let events = page.rows.iter().map(|row| read_row::<EventRecord>(row).unwrap().record);
    events.filter(|event| &*event.action == "session.refuse").collect()
}

#[test]
fn a_hundred_failures_lock_an_account_for_a_day_except_on_the_host() {
    let clock = clock();
    let instance = TestInstance::at(Arc::clone(&clock) as Arc<_>);
    let mut looked_at = 0;
    let mut network = 0;
    let closed = loop {
        network += 1;
        let answer = Client::from(network).sign_in(&instance, WRONG);
        match (answer.status, answer.retry_after) {
            (401, _) => looked_at += 1,
            (_, Some(wait)) if wait <= 10 => clock.advance(Duration::from_secs(wait)),
            (status, wait) => break (status, wait),
        }
    };
    assert_eq!((looked_at, closed), (100, (429, Some(86_400))));
    assert_eq!(Client::afar().sign_in(&instance, OWNER_PASSWORD).code(), "too_many_attempts");
    clock.advance(Duration::from_hours(1));
    assert_eq!(Client::afar().sign_in(&instance, OWNER_PASSWORD).status, 429);
    assert_eq!(Client::afar().with_email("bob@example.com").sign_in(&instance, WRONG).status, 401);
    assert_eq!(Client::on_host().sign_in(&instance, OWNER_PASSWORD).status, 201);
    assert_eq!(
        Client::afar().sign_in(&instance, OWNER_PASSWORD).status,
        201,
        "opened again from the host"
    );
}

#[test]
fn failures_of_a_minute_are_one_event_per_account_and_network() {
    let clock = clock();
    let instance = TestInstance::at(Arc::clone(&clock) as Arc<_>);
    for _ in 0..7 {
        Client::from(1).sign_in(&instance, WRONG);
    }
    Client::from(2).sign_in(&instance, WRONG);
    clock.advance(Duration::from_secs(10));
    Client::from(2).sign_in(&instance, WRONG);
    for email in ["unknown@example.com", "stranger@example.com", "my password by mistake"] {
        Client::from(1).with_email(email).sign_in(&instance, WRONG);
    }
    assert!(failed_sign_ins(&instance).is_empty());
    instance.store.inject(StoreOperation::Submit, 1, InjectedFault::Unavailable);
    instance.actions().flush_failed_sign_ins();
    assert!(failed_sign_ins(&instance).is_empty(), "not written, and not lost");
    instance.actions().flush_failed_sign_ins();
    instance.actions().flush_failed_sign_ins();
    let ada = user_of(&instance);
    let mut reported: Vec<_> = failed_sign_ins(&instance)
        .into_iter()
        .map(|event| (event.target, event.after["network"].clone(), event.after["count"].clone()))
        .collect();
    reported.sort_by_key(|(target, network, _)| (target.clone(), network.to_string()));
    let id = ada.id.to_string();
    let expected = [
        ("unknown", "203.0.1.0/24", 3),
        (id.as_str(), "203.0.1.0/24", 7),
        (id.as_str(), "203.0.2.0/24", 2),
    ];
    assert_eq!(
        reported,
        expected.map(|(it, network, n)| (it.to_owned(), json!(network), json!(n)))
    );
    for event in failed_sign_ins(&instance) {
        assert_eq!(event.actor, None);
        assert_eq!(event.organization.is_some(), event.target != "unknown");
    }
    let page = instance.store.scan(&Range::prefix(StoreKey::EVENTS), At::Latest).unwrap();
    for row in &page.rows {
        let text = String::from_utf8_lossy(&row.value);
        for typed in ["unknown@", "stranger@", "mistake", WRONG] {
            assert!(!text.contains(typed), "{text}");
        }
    }
}

#[test]
fn a_hash_with_older_parameters_is_replaced_at_sign_in() {
    let instance = TestInstance::at(clock());
    let user = user_of(&instance);
    let weak = Params::new(8 * 1024, 1, 1, None).unwrap();
    let weak = Argon2::new(Algorithm::Argon2id, Version::default(), weak);
    let hash: PasswordHash =
        weak.hash_password_with_salt(OWNER_PASSWORD.as_bytes(), b"sixteen bytes ok").unwrap();
    put_user(&instance, &UserRecord { password: hash.to_string(), ..user.clone() });
    assert_eq!(Client::afar().sign_in(&instance, WRONG).status, 401);
    assert!(
        user_of(&instance).password.contains("m=8192"),
        "only the correct password is hashed again"
    );
    assert_eq!(Client::afar().sign_in(&instance, OWNER_PASSWORD).status, 201);
    let now = user_of(&instance);
    assert!(now.password.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", now.password);
    assert_eq!(UserRecord { password: user.password.clone(), ..now }, user, "nothing else changed");
    assert_eq!(Client::afar().sign_in(&instance, OWNER_PASSWORD).status, 201);
}

/// A hash of the Unicode form in which the password was typed, as earlier versions stored it.
#[test]
fn a_hash_of_another_unicode_form_is_replaced_at_sign_in() {
    const COMPOSED: &str = "zw\u{f6}lf wilde G\u{e4}nse am See";
    const TYPED: &str = "zwo\u{308}lf wilde Ga\u{308}nse am See";
    let instance = TestInstance::at(clock());
    let salt = b"sixteen bytes ok";
    let hash: PasswordHash =
        Argon2::default().hash_password_with_salt(TYPED.as_bytes(), salt).unwrap();
    put_user(&instance, &UserRecord { password: hash.to_string(), ..user_of(&instance) });
    assert_eq!(Client::afar().sign_in(&instance, COMPOSED).status, 401);
    for typed in [TYPED, COMPOSED, TYPED] {
        assert_eq!(Client::afar().sign_in(&instance, typed).status, 201, "{typed:?}");
    }
}

/// A password is changed, or a user disabled, during a sign-in: the password was checked before the
/// change, and the session would be written after all others were ended.
#[test]
fn a_sign_in_fails_if_the_password_or_status_changes_meanwhile() {
    type Change = fn(UserRecord) -> UserRecord;
    let changes: [Change; 2] = [
        |user| UserRecord { password: user.password.replace("$argon2id$", "$argon2i$"), ..user },
        |user| UserRecord { disabled: true, ..user },
    ];
    for change in changes {
        let instance = TestInstance::at(clock());
        let user = user_of(&instance);
        // The first sign-in stores the signing key of device cookies before it reads any record.
        instance.actions().device_cookie(None, user.id).unwrap();
        let gate = TestGate::new();
        instance.store.inject(StoreOperation::Submit, 1, InjectedFault::Wait(gate.clone()));
        let status = scope(|threads| {
            let signing_in =
                threads.spawn(|| Client::afar().sign_in(&instance, OWNER_PASSWORD).status);
            assert!(gate.wait_for_arrivals(1, LONG));
            put_user(&instance, &change(user));
            gate.open();
            signing_in.join().unwrap()
        });
        assert_eq!(status, 401);
        assert!(
            instance.store.scan(&Range::prefix(b"session/"), At::Latest).unwrap().rows.is_empty()
        );
    }
}

/// Another user, with the owner's password.
fn add_bob(instance: &TestInstance) -> UserRecord {
    let ada = user_of(instance);
    let bob = UserRecord { id: Id::from_bytes([7; 16]), email: BOB.to_owned(), ..ada };
    let place = StoreKey::Email(BOB.to_owned(), bob.organization);
    let owner = encode(&place, &EmailRecord { user: bob.id }).unwrap();
    instance.store.commit(Batch::new().put(place.to_bytes(), owner)).unwrap();
    put_user(instance, &bob);
    bob
}

/// Found in a review: the user had no session when a change that ends all sessions read the store.
/// A session that was opened before the change was written stayed open.
#[test]
fn a_session_opened_while_all_are_ended_is_ended_too() {
    let instance = TestInstance::at(clock());
    let path = format!("/v1/users/{}", add_bob(&instance).id);
    let gate = TestGate::new();
    instance.store.inject(StoreOperation::Submit, 1, InjectedFault::Wait(gate.clone()));
    let (changed, cookie) = scope(|threads| {
        let changing =
            threads.spawn(|| instance.manage("PATCH", &path, &json!({ "role": "guest" })));
        assert!(gate.wait_for_arrivals(1, LONG));
        let cookie = Client::afar().with_email(BOB).sign_in(&instance, OWNER_PASSWORD).cookie;
        gate.open();
        (changing.join().unwrap(), cookie)
    });
    assert_eq!(changed.0, 200, "{}", changed.1);
    let session = Client::afar().ask(&instance, "GET", "/v1/session", &cookie);
    assert_eq!((session.status, session.code()), (401, "session_ended"));
}

/// Two sessions that were opened at the same time are both in the list with which all sessions end.
#[test]
fn sessions_opened_at_once_are_all_ended() {
    let instance = TestInstance::at(clock());
    let bob = add_bob(&instance);
    instance.actions().device_cookie(None, bob.id).unwrap();
    let sign_in = || Client::afar().with_email(BOB).sign_in(&instance, OWNER_PASSWORD).cookie;
    let mut other = String::new();
    let one = overtaken(&instance, sign_in, || other = sign_in());
    let shown = |cookie: &str| {
        Client::afar().ask(&instance, "GET", "/v1/session", cookie).code().to_owned()
    };
    assert_eq!([shown(&one), shown(&other)], ["", ""]);
    let path = format!("/v1/users/{}/sessions", bob.id);
    assert_eq!(instance.manage("DELETE", &path, &Value::Null).0, 204);
    assert_eq!([shown(&one), shown(&other)], ["session_ended", "session_ended"]);
}

#[test]
fn ending_a_session_of_another_user_is_rejected() {
    let instance = TestInstance::at(clock());
    let first = Client::afar().sign_in(&instance, OWNER_PASSWORD).cookie;
    let listed = Client::afar().ask(&instance, "GET", "/v1/sessions", &first).body;
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();

    add_bob(&instance);
    let bobs = Client::afar().with_email(BOB).sign_in(&instance, OWNER_PASSWORD).cookie;
    let path = format!("/v1/sessions/{id}");
    assert_eq!(Client::afar().ask(&instance, "DELETE", &path, &bobs).status, 404);
    let listed = Client::afar().ask(&instance, "GET", "/v1/sessions", &bobs).body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(Client::afar().ask(&instance, "GET", "/v1/session", &first).status, 200);
    assert_eq!(Client::afar().ask(&instance, "DELETE", &path, &first).status, 204);
}

/// A confirmed second factor, and the clock of its codes.
pub(crate) struct Factor {
    seed: String,
    pub(crate) backup: Vec<String>,
    clock: Arc<ManualClock>,
}

impl Factor {
    /// Sets up the owner's second factor, and returns it with the cookie of the session.
    pub(crate) fn set_up(instance: &TestInstance, clock: &Arc<ManualClock>) -> (Self, String) {
        let client = Client::afar();
        let cookie = client.sign_in(instance, OWNER_PASSWORD).cookie;
        let send = |body: &Value| client.send(instance, ("POST", "/v1/me/totp"), &cookie, body);
        let begun = send(&json!({ "current_password": OWNER_PASSWORD }));
        assert_eq!(begun.status, 201, "{}", begun.body);
        let seed = begun.body["secret"].as_str().unwrap().to_owned();
        let mut factor = Self { seed, backup: Vec::new(), clock: Arc::clone(clock) };
        let confirmed = send(&json!({ "code": factor.code() }));
        assert_eq!(confirmed.status, 200, "{}", confirmed.body);
        let codes = confirmed.body["backup_codes"].as_array().unwrap().iter();
        factor.backup = codes.map(|code| code.as_str().unwrap().to_owned()).collect();
        (factor, cookie)
    }

    pub(crate) fn code(&self) -> String {
        code_at(&self.seed, self.clock.now().wall).unwrap().reveal().to_owned()
    }
}

#[test]
fn a_code_works_once_even_after_a_restart_with_an_older_clock() {
    let clock = clock();
    let instance = TestInstance::at(Arc::clone(&clock) as Arc<_>);
    let (factor, _) = Factor::set_up(&instance, &clock);
    let first = factor.code();
    let sign_in = |instance: &TestInstance, code: &str| {
        Client::afar().with_code(code).sign_in(instance, OWNER_PASSWORD)
    };
    assert_eq!(sign_in(&instance, &first).status, 401, "the one that confirmed");
    clock.advance(Duration::from_secs(30));
    let used = factor.code();
    assert_eq!(sign_in(&instance, &used).status, 201);
    assert_eq!(sign_in(&instance, &used).status, 401);
    let instance = instance.restart_at(self::clock());
    for code in [used, first] {
        let answer = sign_in(&instance, &code);
        assert_eq!((answer.status, answer.code()), (401, "sign_in_failed"));
    }
    assert_eq!(Client::afar().sign_in(&instance, OWNER_PASSWORD).code(), "code_required");
}

/// Two sign-ins with the same code: both are checked before one of them is written.
#[test]
fn a_code_used_during_another_sign_in_is_rejected() {
    let clock = clock();
    let instance = TestInstance::at(Arc::clone(&clock) as Arc<_>);
    let (factor, _) = Factor::set_up(&instance, &clock);
    clock.advance(Duration::from_secs(30));
    let gate = TestGate::new();
    instance.store.inject(StoreOperation::Submit, 1, InjectedFault::Wait(gate.clone()));
    let status = scope(|threads| {
        let (client, instance) = (Client::afar().with_code(&factor.code()), &instance);
        let signing_in = threads.spawn(move || client.sign_in(instance, OWNER_PASSWORD).status);
        assert!(gate.wait_for_arrivals(1, LONG));
        let row = instance.store.scan(&Range::prefix(b"totp/"), At::Latest).unwrap().rows.remove(0);
        let record: TotpRecord = read_row(&row).unwrap().record;
        let place = StoreKey::parse(&row.key).unwrap();
        let used = TotpRecord { step_last: record.step_last + 1, ..record };
        instance.store.commit(Batch::new().put(row.key, encode(&place, &used).unwrap())).unwrap();
        gate.open();
        signing_in.join().unwrap()
    });
    assert_eq!(status, 401);
}

/// Returns the share of slots and memory in which a request waits. Only the request's head decides.
fn caller(instance: &TestInstance, target: &str, header: (&str, &str)) -> Caller {
    let request = http::Request::builder().method("POST").uri(target);
    let request = request.header("host", "localhost").header(header.0, header.1);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let peer = Peer::Tcp(([192, 0, 2, 7], 1).into());
    let arrival = Arrival { listener: ListenerKind::Main, peer, parts: &parts };
    instance.app.admit(&arrival, &instance.app.route(&arrival)).unwrap()
}

/// Strangers who filled the queue also blocked users in known browsers.
#[test]
fn a_request_is_classified_by_credential_and_a_sign_in_by_device_cookie() {
    let instance = TestInstance::start();
    let bo = join(&instance, "bo", "administrator");
    let user: UserId = bo.id.parse().unwrap();
    let device = instance.actions().device_cookie(None, user).unwrap();
    let device = format!("keyhouse-device={}", device.reveal());
    let forged = format!("{device}A");
    let make = |body: &Value| {
        let (status, _, made) = instance.ask("POST", "/v1/keys", &[("Cookie", &bo.cookie)], body);
        assert_eq!(status, 201, "{made}");
        let text = |pointer: &str| made.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        (text("/key/id"), format!("Bearer {}", text("/secret")))
    };
    let (_, own) = make(&json!({}));
    let (id, service) = make(&json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]}));
    let id: KeyId = id.parse().unwrap();
    for (target, header, actor, by_key) in [
        ("/v1/session", ("cookie", &*device), Some(*user.bytes()), false),
        ("/v1/session", ("cookie", &forged), None, false),
        ("/v1/session", ("cookie", "theme=dark"), None, false),
        ("/v1/keys", ("cookie", &bo.cookie), Some(*user.bytes()), false),
        ("/v1/keys", ("authorization", &own), Some(*user.bytes()), true),
        ("/v1/keys", ("authorization", &service), Some(*id.bytes()), true),
        // The holder of a leaked key revokes the key within the share of the holder's address.
        ("/v1/whoami/revoke", ("authorization", &own), None, false),
    ] {
        let known = caller(&instance, target, header);
        assert_eq!((known.actor, known.by_key), (actor, by_key), "{target} {header:?}");
        assert_eq!(known.organization.is_some(), actor.is_some(), "{target} {header:?}");
    }
}
