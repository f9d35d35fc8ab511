//! What the browser told of a whole run: what was asked for, what the console and the policy said.
//!
//! It is taken from chromedriver's logs, which outlive documents and tabs. `witness` shows that it is not blind.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::driver::Driver;

/// Runs before every document's own scripts, in a world of its own: reports against the policy go to
/// the console, which is kept.
pub(crate) const WATCH: &str = r#"
addEventListener("securitypolicyviolation", (event) => {
  const { disposition, effectiveDirective, blockedURI, sourceFile, lineNumber, sample } = event;
  console.error("POLICY", disposition, effectiveDirective, blockedURI, `${sourceFile}:${lineNumber}`, sample);
}, true);
"#;
/// What the page asks by its nature: whether somebody is signed in.
const EXPECTED: &str =
    "/v1/session - Failed to load resource: the server responded with a status of 401";
/// Addresses that leave no browser.
const INNER: [&str; 3] = ["data:", "blob:", "about:"];

/// All that was told so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// Warnings and errors of the console, uncaught exceptions and reports against the policy among them.
    pub(crate) console: Vec<String>,
    /// What was asked for, by the browser's id of each request; a redirect replaces what led to it.
    pub(crate) requests: BTreeMap<String, Request>,
    /// Every address that a request or a document went to, and every `Referer`.
    pub(crate) addresses: Vec<String>,
}

/// A request of the page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    /// 0 while there is no answer.
    pub(crate) status: u64,
    /// What it took on the wire, heads and all, compressed as it came.
    pub(crate) wire_bytes: u64,
    /// Taken from the browser's own cache.
    pub(crate) from_cache: bool,
}

impl Record {
    /// Takes in what was told since the last time.
    pub(crate) fn read(&mut self, driver: &Driver) {
        let log = |name| driver.run(driver.session().get_log(name));
        for entry in log("performance") {
            let told: Value =
                serde_json::from_str(&entry.message).expect("an event of the browser");
            self.take(&told["message"]["method"], &told["message"]["params"]);
        }
        for entry in log("browser") {
            if matches!(entry.level.as_str(), "WARNING" | "SEVERE") {
                self.console.push(entry.message);
            }
        }
    }

    /// What the console said against the run, but for what was expected: parts of its lines.
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

    fn take(&mut self, event: &Value, told: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = text(&told["requestId"]);
        match event.as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => {
                let (method, url) =
                    (text(&told["request"]["method"]), text(&told["request"]["url"]));
                self.addresses.extend([url.clone(), text(&told["documentURL"])]);
                let headers = told["request"]["headers"].as_object().into_iter().flatten();
                let referrers = headers.filter(|(name, _)| name.eq_ignore_ascii_case("referer"));
                self.addresses.extend(referrers.map(|(_, value)| text(value)));
                self.requests.insert(id, Request { method, url, ..Request::default() });
            },
            "Network.webSocketCreated" => self.addresses.push(text(&told["url"])),
            "Page.frameNavigated" => self.addresses.push(text(&told["frame"]["url"])),
            "Network.requestServedFromCache" => self.request(id).from_cache = true,
            "Network.responseReceived" => {
                let request = self.request(id);
                request.status = told["response"]["status"].as_u64().unwrap_or_default();
                request.from_cache |= told["response"]["fromDiskCache"] == true;
            },
            "Network.loadingFinished" => {
                let bytes = told["encodedDataLength"].as_f64().unwrap_or_default();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a count of bytes"
                )]
                let bytes = bytes as u64;
                self.request(id).wire_bytes = bytes;
            },
            _ => {},
        }
    }

    fn request(&mut self, id: String) -> &mut Request {
        self.requests.entry(id).or_default()
    }
}
