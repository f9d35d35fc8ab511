//! Valid requests that tests can modify, and assertions about their responses.

use std::fmt::Write as _;
use std::thread::scope;

use serde_json::Value;

use crate::server::wire::Answer;

/// A request under construction.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { method, target, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: &str, body: &Value) -> Self {
        Self::new("POST", target).json(body)
    }

    pub(crate) fn patch(target: &str, body: &Value) -> Self {
        Self::new("PATCH", target).json(body)
    }

    /// A proxy's request about a client at 192.0.2.7 that sent this key.
    pub(crate) fn forward_auth(secret: &str) -> Self {
        Self::forwarded().bearer(secret)
    }

    /// A proxy's request about a client at 192.0.2.7 that sent no key.
    pub(crate) fn forwarded() -> Self {
        Self::get("/v1/forward-auth/default")
            .header("X-Forwarded-Method", "GET")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "app.example.com")
            .header("X-Forwarded-Uri", "/diagrams/7?size=1")
            .header("X-Forwarded-For", "192.0.2.7")
    }

    /// Adds a header, even if the request already has a header of this name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes every header of this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(it, _)| !it.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn bearer(self, secret: &str) -> Self {
        self.header("Authorization", &format!("Bearer {secret}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes("application/json", body.to_string().as_bytes())
    }

    /// Sets a form body with the texts of an object.
    pub(crate) fn form(self, fields: &Value) -> Self {
        let fields = fields.as_object().unwrap().iter();
        let pairs = fields.map(|(name, value)| (name, value.as_str().unwrap()));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.bytes("application/x-www-form-urlencoded", body.as_bytes())
    }

    pub(crate) fn bytes(mut self, content_type: &str, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.header("Content-Type", content_type)
    }

    /// Returns the borrowed header lines, as a connection needs them.
    pub(crate) fn lines(&self) -> Vec<(&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

/// Percent-encodes every byte, as a form may.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "%{byte:02X}").unwrap();
        text
    })
}

/// The expectations of a test about a response.
pub(crate) trait Expect {
    /// Asserts the status and returns the body as JSON.
    fn expect(&self, status: u16) -> Value;

    /// Asserts the status, the code and the fields that every problem must have. Returns the
    /// problem.
    fn problem(&self, status: u16, code: &str) -> Value;
}

impl Expect for Answer {
    fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{code} expected: {}", self.body);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for field in ["type", "title", "request_id"] {
            let text = problem[field].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{field} is missing: {problem}");
        }
        problem
    }
}

/// Sends `count` requests at once. Asserts that exactly one response has the status `won`, and
/// returns the others.
pub(crate) fn losers(count: usize, won: u16, send: impl Fn(usize) -> Answer + Sync) -> Vec<Answer> {
    let answers: Vec<Answer> = scope(|threads| {
        let send = &send;
        let sent: Vec<_> = (0..count).map(|number| threads.spawn(move || send(number))).collect();
        sent.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let (winners, losers): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == won);
    assert_eq!(winners.len(), 1, "{winners:?} {losers:?}");
    losers
}
