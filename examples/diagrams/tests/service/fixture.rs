//! The API over a new store, and callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hyper::{HeaderMap, Method};
use keyhouse_diagrams::{Answer, Application, Prices, Request, Scanner, Settings, Sources, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

const START_MS: i64 = 1_800_000_000_000;

/// The API, its clock and the folder of its store.
pub(crate) struct Service {
    pub(crate) application: Arc<Application>,
    now_ms: Arc<AtomicI64>,
    _folder: TempDir,
}

/// Identity headers of a caller.
#[derive(Debug, Clone)]
pub(crate) struct As {
    pub(crate) organization: &'static str,
    pub(crate) user: &'static str,
    pub(crate) key: &'static str,
    pub(crate) role: &'static str,
    pub(crate) teams: &'static str,
}

/// A user of the first organization, in no team.
pub(crate) const ADA: As =
    As { organization: "org_1", user: "usr_ada", key: "key_1", role: "user", teams: "-" };
/// Another user of the same organization.
pub(crate) const BOB: As = As { user: "usr_bob", key: "key_2", ..ADA };

impl Service {
    pub(crate) fn new() -> Self {
        let scanner = |_: &_, _: Option<&_>, _: &_| Err("no cloud answers".to_owned());
        Self::with(Box::new(scanner), Duration::from_mins(1))
    }

    /// The API over clouds that `scanner` reads.
    pub(crate) fn with(scanner: Scanner, snapshot_wait: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now_ms = Arc::new(AtomicI64::new(START_MS));
        let clock = Arc::clone(&now_ms);
        let sources = Sources {
            now_ms: Box::new(move || clock.load(Ordering::Relaxed)),
            id: Box::new(Uuid::new_v4),
            scanner,
        };
        let settings = Settings {
            workers: 2,
            waiting_max: 4,
            aws_account: "210987654321".to_owned(),
            snapshot_wait,
        };
        let store = Store::open(&folder.path().join("diagrams.redb"), || [7; 32]).unwrap();
        let prices = Prices::sample().unwrap();
        let application = Application::start(store, prices, settings, sources).unwrap();
        Self { application: Arc::new(application), now_ms, _folder: folder }
    }

    pub(crate) fn pass_ms(&self, milliseconds: i64) {
        self.now_ms.fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// Sends a request with a JSON body, or without one for `Value::Null`.
    pub(crate) fn ask(&self, caller: &As, method: &str, target: &str, body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.ask_text(caller, (method, target), &[], text)
    }

    /// Sends a request with more headers and any body.
    pub(crate) fn ask_text(
        &self,
        caller: &As,
        (method, target): (&str, &str),
        more: &[(&'static str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Answer {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-keyhouse-key", caller.key),
            ("x-keyhouse-key-name", "a%20key"),
            ("x-keyhouse-user", caller.user),
            ("x-keyhouse-email", "-"),
            ("x-keyhouse-organization", caller.organization),
            ("x-keyhouse-role", caller.role),
            ("x-keyhouse-teams", caller.teams),
            ("content-type", "application/json"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        for (name, value) in more {
            headers.insert(*name, value.parse().unwrap());
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let method: Method = method.parse().unwrap();
        let path = path.to_owned();
        self.application.answer(&Request { method, path, query, headers, body: body.into() })
    }

    /// Creates a diagram, and returns its id.
    pub(crate) fn make(&self, caller: &As, more: &Value) -> String {
        let mut body = json!({"data": {"name": "A diagram"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.ask(caller, "POST", "/blueprint", &body);
        assert_eq!(made.status(), 201, "{made:?}");
        json_of(&made).get("id").and_then(Value::as_str).unwrap().to_owned()
    }
}

pub(crate) fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

pub(crate) fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers().iter().find(|(it, _)| *it == name).map(|(_, value)| value.as_str())
}

/// Asserts an error: its status, that it is JSON, and that `error` is a text with `part`.
pub(crate) fn refused(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status(), status, "{part}: {answer:?}");
    assert_eq!(header(answer, "content-type"), Some("application/json"), "{answer:?}");
    let body = json_of(answer);
    let error = body.get("error").and_then(Value::as_str);
    assert!(error.is_some_and(|text| text.contains(part)), "{part}: {body}");
}
