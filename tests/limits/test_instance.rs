//! An instance without sockets whose clock stands still until a test moves it.

use std::io::Read as _;
use std::sync::Arc;

use keyhouse::actions::Actions;
use keyhouse::actions::signing_in::setup::FirstOwner;
use keyhouse::clock::{Clock, ManualClock};
use keyhouse::http::transport::{Application as _, Arrival, ListenerKind, Peer};
use keyhouse::http::{App, HttpSettings};
use keyhouse::index::Index;
use keyhouse::index::follow;
use keyhouse::model::key_text::Prefix;
use keyhouse::model::secret::Secret;
use keyhouse::records::access::PlanRecord;
use keyhouse::records::place::StoreKey;
use keyhouse::records::{encode, prepare};
use keyhouse::upkeep::quotas;
use keyhouse::worker::Worker;
use keyhouse_storage::{Batch, FaultyStore, InjectedFault, MemoryStore, Store, StoreOperation};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

pub(crate) type TestStore = Arc<FaultyStore<MemoryStore>>;

pub(crate) struct TestInstance {
    app: App,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: TestStore,
    index: Arc<Index>,
    running: Option<(Worker, Worker)>,
}

/// The response to a check.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) limits: String,
}

impl Drop for TestInstance {
    fn drop(&mut self) {
        self.end();
    }
}

impl TestInstance {
    /// Starts a new instance whose clock shows `now`.
    pub(crate) fn at(now: &str) -> Self {
        let clock = Arc::new(ManualClock::at(now.parse().unwrap()));
        Self::over(Arc::new(FaultyStore::new(MemoryStore::new())), clock)
    }

    fn over(store: TestStore, clock: Arc<ManualClock>) -> Self {
        prepare::prepare(&*store).unwrap();
        let index = Arc::new(Index::new());
        let shared = Arc::clone(&store) as Arc<dyn Store>;
        let follower = follow::start(Arc::clone(&index), Arc::clone(&shared)).unwrap();
        let quotas = quotas::start(Arc::clone(index.reservations()), Arc::clone(&shared));
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let random = StdRng::seed_from_u64(7);
        let actions = Actions::new(shared, Arc::clone(&index), time, random, Prefix::default());
        if !actions.is_founded().unwrap() {
            let owner = FirstOwner {
                name: None,
                email: "ada@example.com".to_owned(),
                password: Secret::new("correct horse battery".to_owned()),
            };
            actions.found(&owner, None, None).unwrap();
        }
        let settings = HttpSettings {
            links: keyhouse::model::public_url::Links::default(),
            public_url: "http://localhost".parse().unwrap(),
            trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()].into(),
        };
        let app = App::new(Arc::new(actions), settings, 1);
        Self { app, clock, store, index, running: Some((follower, quotas.unwrap())) }
    }

    fn end(&mut self) {
        if let Some((follower, quotas)) = self.running.take() {
            quotas.stop();
            follower.stop();
        }
    }

    /// Stops the instance cleanly, and restarts it on the same store and clock.
    pub(crate) fn restart(mut self) -> Self {
        self.end();
        Self::over(Arc::clone(&self.store), Arc::clone(&self.clock))
    }

    /// Ends the instance as in a crash, without further writes, and restarts it.
    pub(crate) fn crash(mut self) -> Self {
        self.store.inject_always(StoreOperation::Submit, InjectedFault::Unavailable);
        self.end();
        self.store.heal();
        Self::over(Arc::clone(&self.store), Arc::clone(&self.clock))
    }

    /// A management request of the operator on the host.
    pub(crate) fn manage(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let body = body.to_string().into_bytes();
        let request = rouille::Request::fake_http(method, path, headers, body);
        let response = self.app.answer_locally(&request);
        let mut text = String::new();
        response.data.into_reader_and_size().0.read_to_string(&mut text).unwrap();
        (response.status_code, serde_json::from_str(&text).unwrap_or_default())
    }

    /// Creates a key with these fields; returns its id and its secret.
    pub(crate) fn create(&self, fields: &Value) -> (String, String) {
        let (status, made) = self.manage("POST", "/v1/keys", fields);
        assert_eq!(status, 201, "{made}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["key"]["id"]), text(&made["secret"]))
    }

    /// Sets the number of calls that the plan `pro` allows.
    pub(crate) fn plan(&self, in_ten_seconds: Option<u32>, in_a_month: Option<u64>) {
        let mut plan = PlanRecord::unlimited("pro", &["api_access", "teams"]);
        (plan.requests_per_10s, plan.requests_per_month) = (in_ten_seconds, in_a_month);
        let place = StoreKey::Plan("pro".into());
        let batch = Batch::new().put(place.to_bytes(), encode(&place, &plan).unwrap());
        let revision = self.store.commit(batch).unwrap();
        assert!(self.index.wait_for(revision, std::time::Duration::from_secs(20)));
    }

    /// Returns the response to a proxy about a secret.
    pub(crate) fn check(&self, secret: &str) -> Said {
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
        let response = self.app.check(&arrival, b"");
        let header = |wanted: &str| {
            let found = response.headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.to_string()).unwrap_or_default()
        };
        let (code, limits) = (header("X-Keyhouse-Code"), header("RateLimit"));
        Said { status: response.status_code, code, limits }
    }

    /// Returns how many checks pass. All other checks must return `refusal`.
    pub(crate) fn pass(&self, secret: &str, checks: usize, refusal: &str) -> usize {
        let passes = |said: &Said| {
            let fits = said.status == 200 || (said.status == 429 && said.code == refusal);
            assert!(fits, "{refusal} expected: {said:?}");
            said.status == 200
        };
        (0..checks).map(|_| self.check(secret)).filter(passes).count()
    }

    /// Runs checks from several threads at once and returns how many pass.
    pub(crate) fn pass_together(&self, threads: usize, secret: &str, refusal: &str) -> usize {
        std::thread::scope(|scope| {
            let callers: Vec<_> =
                (0..threads).map(|_| scope.spawn(|| self.pass(secret, 60, refusal))).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).sum()
        })
    }

    /// Returns the response of `/v1/verify` about a key, without counting a call.
    pub(crate) fn verify(&self, secret: &str) -> Value {
        let (status, reported) = self.manage(
            "POST",
            "/v1/verify/batch",
            &json!({
                "requests": [{"key": secret, "cost": 0}],
            }),
        );
        assert_eq!(status, 200, "{reported}");
        reported["results"][0].clone()
    }
}
