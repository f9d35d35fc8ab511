//! Events of a whole run of the browser: requests, console messages, CSP reports.
//!
//! The events come from chromedriver's logs, which outlive documents and tabs. The tests in `witness` prove that
//! faults are recorded.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::driver::Driver;

/// Runs in an isolated world before every document's own scripts, and writes reports of CSP
/// violations to the console, whose lines are recorded.
pub(crate) const WATCH: &str = r#"
addEventListener("securitypolicyviolation", (event) => {
  const { disposition, effectiveDirective, blockedURI, sourceFile, lineNumber, sample } = event;
  console.error("POLICY", disposition, effectiveDirective, blockedURI, `${sourceFile}:${lineNumber}`, sample);
}, true);
"#;
/// A request that fails by design: the page tests whether there is a session.
const EXPECTED: &str =
    "/v1/session - Failed to load resource: the server responded with a status of 401";
/// Schemes of addresses that cause no network request.
const INNER: [&str; 3] = ["data:", "blob:", "about:"];

/// All events so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// Warnings and errors of the console, including uncaught exceptions and reports of CSP violations.
    pub(crate) console: Vec<String>,
    /// Requests by the browser's id. A redirect replaces the request that led to it.
    pub(crate) requests: BTreeMap<String, Request>,
    /// Every address that a request or a document went to, and every `Referer`.
    pub(crate) addresses: Vec<String>,
}

/// A request of the page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    /// The status of the response; 0 while there is none.
    pub(crate) status: u64,
    /// Bytes of the response on the wire, with its head and compressed.
    pub(crate) wire_bytes: u64,
    /// Whether the response came from the browser's cache.
    pub(crate) from_cache: bool,
    /// The type of the requested resource: `Document`, `Script`, `Fetch`.
    pub(crate) kind: String,
    /// The response's headers, with names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// Start and end of the request by the browser's clock.
    pub(crate) began_s: f64,
    pub(crate) ended_s: f64,
    /// The position among all requests.
    at: usize,
}

impl Request {
    /// Returns the value of a header of the response, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Record {
    /// Reads the events since the last call.
    pub(crate) fn read(&mut self, driver: &Driver) {
        let log = |name| driver.run(driver.session().get_log(name));
        for entry in log("performance") {
            let reported: Value =
                serde_json::from_str(&entry.message).expect("an event of the browser");
            self.take(&reported["message"]["method"], &reported["message"]["params"]);
        }
        for entry in log("browser") {
            if matches!(entry.level.as_str(), "WARNING" | "SEVERE") {
                self.console.push(entry.message);
            }
        }
    }

    /// Console errors and reports, without lines that contain an expected text.
    pub(crate) fn faults(&self, expected: &[String]) -> Vec<String> {
        let is_known = |line: &&String| {
            line.contains(EXPECTED) || expected.iter().any(|part| line.contains(part.as_str()))
        };
        self.console.iter().filter(|line| !is_known(line)).cloned().collect()
    }

    /// Addresses that are not of one of these origins (`http://127.0.0.1:1234`).
    pub(crate) fn foreign(&self, origins: &[String]) -> Vec<String> {
        let of = |url: &str, origin: &String| {
            url.strip_prefix(origin.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_own = |url: &&String| {
            url.is_empty()
                || INNER.iter().any(|inner| url.starts_with(inner))
                || origins.iter().any(|origin| of(url, origin))
        };
        self.addresses.iter().filter(|url| !is_own(url)).cloned().collect()
    }

    /// Returns all requests in order.
    pub(crate) fn in_order(&self) -> Vec<Request> {
        let mut requests: Vec<Request> = self.requests.values().cloned().collect();
        requests.sort_by_key(|request| request.at);
        requests
    }

    fn take(&mut self, event: &Value, reported: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = text(&reported["requestId"]);
        match event.as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => {
                let (method, url) =
                    (text(&reported["request"]["method"]), text(&reported["request"]["url"]));
                self.addresses.extend([url.clone(), text(&reported["documentURL"])]);
                let headers = reported["request"]["headers"].as_object().into_iter().flatten();
                let referrers = headers.filter(|(name, _)| name.eq_ignore_ascii_case("referer"));
                self.addresses.extend(referrers.map(|(_, value)| text(value)));
                let request = Request {
                    method,
                    url,
                    kind: text(&reported["type"]),
                    began_s: reported["timestamp"].as_f64().unwrap_or_default(),
                    at: self.requests.len(),
                    ..Request::default()
                };
                self.requests.insert(id, request);
            },
            "Network.webSocketCreated" => self.addresses.push(text(&reported["url"])),
            "Page.frameNavigated" => self.addresses.push(text(&reported["frame"]["url"])),
            "Network.requestServedFromCache" => self.request(id).from_cache = true,
            "Network.responseReceived" => {
                let request = self.request(id);
                if request.status == 0 {
                    request.status = reported["response"]["status"].as_u64().unwrap_or_default();
                }
                request.from_cache |= reported["response"]["fromDiskCache"] == true;
                let headers = reported["response"]["headers"].as_object().into_iter().flatten();
                let lower = headers.map(|(name, value)| (name.to_lowercase(), text(value)));
                request.headers = lower.collect();
            },
            // Records the bytes on the wire. For a response with status 304, another event contains
            // the response.
            "Network.responseReceivedExtraInfo" => {
                self.request(id).status = reported["statusCode"].as_u64().unwrap_or_default();
            },
            "Network.loadingFinished" => {
                let bytes = reported["encodedDataLength"].as_f64().unwrap_or_default();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a count of bytes"
                )]
                let bytes = bytes as u64;
                let request = self.request(id);
                request.wire_bytes = bytes;
                request.ended_s = reported["timestamp"].as_f64().unwrap_or_default();
            },
            _ => {},
        }
    }

    fn request(&mut self, id: String) -> &mut Request {
        self.requests.entry(id).or_default()
    }
}
