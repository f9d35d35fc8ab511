//! An instance in the process of its test: the whole application without sockets, on a store that the
//! test can make fail.
//!
//! Include this file with `#[path = "../test_instance/mod.rs"] mod test_instance;`.
#![expect(clippy::unwrap_used, reason = "a broken fixture should stop its test")]
#![allow(dead_code, reason = "each test program uses its own part of the fixture")]

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyhouse::actions::Actions;
use keyhouse::actions::signing_in::setup::FirstOwner;
use keyhouse::clock::{Clock, SystemClock};
use keyhouse::http::transport::{Application as _, Arrival, ListenerKind, Peer, PreparedResponse};
use keyhouse::http::{App, HttpSettings};
use keyhouse::index::Index;
use keyhouse::instance::{Instance, InstanceParameters};
use keyhouse::model::pace::Pace;
use keyhouse::model::public_url::Links;
use keyhouse::model::secret::Secret;
use keyhouse_storage::{FaultyStore, InjectedFault, MemoryStore, Store, StoreOperation};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rouille::{Request, Response};
use serde_json::Value;

/// The email address of the first owner, who is also operator.
pub(crate) const OWNER_EMAIL: &str = "ada@example.com";
/// The first owner's password, which has no second factor.
pub(crate) const OWNER_PASSWORD: &str = "correct horse battery";

/// The seed of the next start. A restarted instance must not generate the ids of its store again.
static SEEDS: AtomicU64 = AtomicU64::new(1);

/// Limits on the changes of sessions and of keys.
pub(crate) type PacePair = (Pace, Pace);

pub(crate) struct TestInstance {
    pub(crate) app: App,
    pub(crate) store: Arc<FaultyStore<Arc<dyn Store>>>,
    clock: Arc<dyn Clock>,
    paces: PacePair,
    /// `None` once the instance has stopped.
    instance: Option<Instance>,
}

impl Drop for TestInstance {
    fn drop(&mut self) {
        self.stop();
    }
}

impl TestInstance {
    /// Starts an instance with an owner on a new store in memory.
    pub(crate) fn start() -> Self {
        Self::at(Arc::new(SystemClock::start()))
    }

    /// Starts an instance with an owner and with the clock of the test.
    pub(crate) fn at(clock: Arc<dyn Clock>) -> Self {
        Self::paced(clock, (Pace::OFF, Pace::OFF))
    }

    /// Starts an instance like [`Self::at`], with limits on the rate of changes.
    pub(crate) fn paced(clock: Arc<dyn Clock>, paces: PacePair) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        Self::open(Arc::new(FaultyStore::new(store)), clock, paces)
    }

    /// Starts an instance on a store, with an owner if the store has none.
    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        let clock = Arc::new(SystemClock::start());
        Self::open(Arc::new(FaultyStore::new(store)), clock, (Pace::OFF, Pace::OFF))
    }

    fn open(
        store: Arc<FaultyStore<Arc<dyn Store>>>,
        clock: Arc<dyn Clock>,
        paces: PacePair,
    ) -> Self {
        let seed = SEEDS.fetch_add(1, Ordering::Relaxed);
        let parameters =
            InstanceParameters { interval_writes: false, ..InstanceParameters::default() };
        let (shared, time) = (Arc::clone(&store) as Arc<dyn Store>, Arc::clone(&clock));
        let instance =
            Instance::assemble(shared, time, StdRng::seed_from_u64(seed), parameters).unwrap();
        let actions = Arc::clone(instance.actions());
        if !actions.is_founded().unwrap() {
            let owner = FirstOwner {
                name: None,
                email: OWNER_EMAIL.to_owned(),
                password: Secret::new(OWNER_PASSWORD.to_owned()),
            };
            actions.found(&owner, None, None).unwrap();
        }
        let settings = HttpSettings {
            links: Links::default(),
            public_url: "http://localhost".parse().unwrap(),
            trusted_proxies: vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.7/32".parse().unwrap()]
                .into(),
        };
        let app = App::new(actions, settings, seed).paced_by(paces.0.clone(), paces.1.clone());
        Self { app, store, clock, paces, instance: Some(instance) }
    }

    fn stop(&mut self) {
        self.instance.take().into_iter().for_each(Instance::stop);
    }

    /// Stops the instance in order, and starts it again on the same store with the same clock.
    pub(crate) fn restart(self) -> Self {
        let clock = Arc::clone(&self.clock);
        self.restart_at(clock)
    }

    /// Restarts the instance like [`Self::restart`], with another clock.
    pub(crate) fn restart_at(mut self, clock: Arc<dyn Clock>) -> Self {
        self.stop();
        Self::open(Arc::clone(&self.store), clock, self.paces.clone())
    }

    /// Ends the instance as in a crash, without further writes, and starts it again.
    pub(crate) fn crash(mut self) -> Self {
        self.store.inject_always(StoreOperation::Submit, InjectedFault::Unavailable);
        self.stop();
        self.store.heal();
        self.restart()
    }

    pub(crate) fn actions(&self) -> &Arc<Actions> {
        self.instance.as_ref().unwrap().actions()
    }

    pub(crate) fn index(&self) -> &Index {
        self.actions().index()
    }

    /// A management request of the operator on the host.
    pub(crate) fn manage(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, _, reported) = self.ask(method, path, &[], body);
        (status, reported)
    }

    /// Sends a request with more headers and returns the status, cookie and body of the response.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, String, Value) {
        let json = ("Content-Type", "application/json");
        let headers = headers.iter().chain([&json, &("Host", "localhost")]);
        let headers =
            headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let body = body.to_string().into_bytes();
        let response = self.app.answer_locally(&Request::fake_http(method, path, headers, body));
        let cookie = header(&response, "Set-Cookie").unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let (status, mut text) = (response.status_code, String::new());
        response.data.into_reader_and_size().0.read_to_string(&mut text).unwrap();
        (status, cookie, serde_json::from_str(&text).unwrap_or_default())
    }

    /// Creates a key with these fields and returns its id and its secret.
    pub(crate) fn create(&self, fields: &Value) -> (String, String) {
        let (status, made) = self.manage("POST", "/v1/keys", fields);
        assert_eq!(status, 201, "{made}");
        let text = |pointer: &str| made.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        (text("/key/id"), text("/secret"))
    }

    /// The response to a proxy about a secret.
    pub(crate) fn forward_auth(&self, secret: &str) -> PreparedResponse {
        let request = http::Request::get("/v1/forward-auth/default")
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "api.example.com")
            .header("x-forwarded-uri", "/")
            .header("x-forwarded-for", "192.0.2.7")
            .header("x-api-key", secret);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let peer = Peer::Tcp(([127, 0, 0, 1], 1).into());
        let arrival = Arrival { listener: ListenerKind::Main, peer, parts: &parts };
        self.app.check(&arrival, &self.app.route(&arrival), b"")
    }

    /// Status and code of the response to a proxy about a secret.
    pub(crate) fn check(&self, secret: &str) -> (u16, String) {
        status_and_code(&self.forward_auth(secret))
    }
}

/// The status of a check's response, and its code.
pub(crate) fn status_and_code(response: &PreparedResponse) -> (u16, String) {
    let code = response.lines().get("X-Keyhouse-Code").unwrap_or_default();
    (response.status(), code.to_owned())
}

/// The value of a response's first header of this name.
pub(crate) fn header(response: &Response, name: &str) -> Option<String> {
    let found = response.headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.to_string())
}
