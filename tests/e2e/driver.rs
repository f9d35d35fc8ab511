//! One chromedriver with one Chromium and a new profile, which end with their test.
//!
//! This file uses nothing of Keyhouse.

use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::future::Future;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::error::{WebDriverError, WebDriverErrorInner, WebDriverResult};
use thirtyfour::session::http::{Body, HttpClient};
use thirtyfour::{Capabilities, WebDriver};
use tokio::runtime::{Builder, Runtime};

use crate::server::{Log, SEARCH_PATH};

/// Maximum wait for an expected state. The machine may be busy with other tests.
const WAIT_MAX: Duration = Duration::from_secs(20);
const POLL_EVERY: Duration = Duration::from_millis(40);
/// Maximum time of a response of chromedriver, which includes loading a page.
const ANSWER_WAIT_MAX: Duration = Duration::from_mins(1);
/// Only loopback is reachable, and no background activity of Chromium runs.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// Maximum number of starts of chromedriver until one finds a port that is free.
const CHROMEDRIVER_STARTS_MAX: usize = 3;

/// A browser. Dropping the value ends all processes of the browser, by the id of their group.
pub(crate) struct Driver {
    process: Child,
    session: WebDriver,
    runtime: Runtime,
    folder: TempDir,
}

impl Driver {
    /// Starts a browser with this language (`fr`).
    pub(crate) fn start(language: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("keyhouse-browser-").tempdir().unwrap();
        let (mut process, port) = started_chromedriver(folder.path(), language);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let wanted = capabilities(folder.path(), language);
        let session = runtime.block_on(async {
            WebDriver::builder(format!("http://127.0.0.1:{port}"), wanted)
                .client(Client::fresh())
                .await
        });
        let session = session.unwrap_or_else(|error| {
            kill(&mut process);
            panic!("Chromium did not start: {error}")
        });
        Self { process, session, runtime, folder }
    }

    /// Runs a command of the browser. An error fails the test.
    pub(crate) fn run<T>(&self, work: impl Future<Output = WebDriverResult<T>>) -> T {
        self.attempt(work).unwrap_or_else(|error| panic!("the browser refused: {error}"))
    }

    /// Runs a command of the browser.
    pub(crate) fn attempt<T>(
        &self,
        work: impl Future<Output = WebDriverResult<T>>,
    ) -> WebDriverResult<T> {
        self.runtime.block_on(work)
    }

    /// The session for commands of [`Self::run`].
    pub(crate) fn session(&self) -> &WebDriver {
        &self.session
    }

    /// Sends a command of the developer tools. An error fails the test.
    pub(crate) fn devtools(&self, method: &str, parameters: Value) -> Value {
        self.attempt_devtools(method, parameters)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Sends a command of the developer tools that may fail, such as for a removed node.
    pub(crate) fn attempt_devtools(
        &self,
        method: &str,
        parameters: Value,
    ) -> WebDriverResult<Value> {
        self.attempt(self.session.cdp().send_raw(method, parameters))
    }

    /// The value of an expression in the page, which may be a promise. The page's CSP does not apply to it.
    pub(crate) fn evaluate(&self, expression: &str) -> Value {
        self.evaluate_in(None, expression)
    }

    /// Returns the value of an expression in an isolated world (`Page.createIsolatedWorld`).
    pub(crate) fn evaluate_in(&self, world: Option<&Value>, expression: &str) -> Value {
        let mut asked =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        if let Some(world) = world {
            asked["contextId"] = world.clone();
        }
        let reported = self.devtools("Runtime.evaluate", asked);
        assert!(reported.get("exceptionDetails").is_none(), "{expression:.200}: {reported}");
        reported["result"]["value"].clone()
    }

    /// The id of the process group of chromedriver and Chromium.
    pub(crate) fn group(&self) -> u32 {
        self.process.id()
    }

    /// The folder with the browser's profile.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Debug for Driver {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("group", &self.group()).finish_non_exhaustive()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        kill(&mut self.process);
        // Otherwise the client would send a command to the ended process.
        let _already_quit = self.session.clone().leak();
    }
}

/// Repeats the call until it returns a value; fails the test with `missing` if there is none after
/// 20 s.
///
/// No other function of these tests waits for time to pass.
#[expect(clippy::disallowed_methods, reason = "what a browser shows can only be looked at again")]
pub(crate) fn wait<T>(missing: impl Fn() -> String, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + WAIT_MAX;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "{}", missing());
        std::thread::sleep(POLL_EVERY);
    }
}

/// Whether a repetition may succeed, because the page changed between look-up and action.
pub(crate) fn is_passing(error: &WebDriverError) -> bool {
    use WebDriverErrorInner as Inner;
    matches!(
        error.as_inner(),
        Inner::StaleElementReference(_)
            | Inner::ElementClickIntercepted(_)
            | Inner::ElementNotInteractable(_)
            | Inner::NoSuchElement(_)
    )
}

/// A running chromedriver and its port. It takes a free IPv6 port and then needs the same IPv4 port,
/// which another process may hold: in this case it exits, and another one is started.
fn started_chromedriver(folder: &Path, language: &str) -> (Child, String) {
    for _ in 0..CHROMEDRIVER_STARTS_MAX {
        let mut process = chromedriver(folder, language);
        let log = Log::follow(process.stdout.take().unwrap());
        if let Some(line) = log.wait_for("started successfully on port ") {
            let port = line.rsplit(' ').next().unwrap().trim_end_matches('.').to_owned();
            return (process, port);
        }
        kill(&mut process);
        let printed = log.tail();
        assert!(printed.contains("port not available"), "chromedriver did not start: {printed}");
    }
    panic!("chromedriver found no free port in {CHROMEDRIVER_STARTS_MAX} starts");
}

fn chromedriver(folder: &Path, language: &str) -> Child {
    let mut command = in_group(folder, &["chromedriver", "--port=0"]);
    command.env("LANGUAGE", language).stdout(Stdio::piped());
    command.spawn().expect("a shell, which starts chromedriver")
}

/// A program that starts in a process group of its own, with this folder as home and a subfolder `profile`.
///
/// A killed test can't clean up. The test's end of the pipe closes, and the process group then ends itself.
pub(crate) fn in_group(folder: &Path, program: &[&str]) -> Command {
    fs::create_dir_all(folder.join("profile")).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", "\"$@\" </dev/null & read -r _; kill -KILL 0", "sh"])
        .args(program)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .env("TZ", "UTC")
        .current_dir(folder)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn capabilities(folder: &Path, language: &str) -> Capabilities {
    let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
    flags.push(format!("--lang={language}"));
    flags.push(format!("--user-data-dir={}", folder.join("profile").display()));
    let mut wanted = Capabilities::new();
    let options = json!({
        "binary": "/usr/bin/chromium",
        "args": flags,
        // Chromium's own page for new tabs sends many requests.
        "prefs": {
            "intl": {"accept_languages": language, "selected_languages": language},
            "session": {"restore_on_startup": 4, "startup_urls": ["about:blank"]},
        },
    });
    for (name, value) in [
        ("browserName", json!("chrome")),
        ("goog:chromeOptions", options),
        // One test uses a proxy with a certificate of its own.
        ("acceptInsecureCerts", json!(true)),
        ("goog:loggingPrefs", json!({"browser": "ALL", "performance": "ALL"})),
    ] {
        wanted.set(name, value).unwrap();
    }
    wanted
}

/// Ends the process group of a program, and waits for its first process.
pub(crate) fn kill(process: &mut Child) {
    let group = Pid::from_child(process);
    let _already_gone = kill_process_group(group, Signal::KILL);
    let _waited = process.wait();
}

/// The HTTP client between thirtyfour and chromedriver. The client blocks, and only its own test waits
/// for it.
struct Client {
    agent: ureq::Agent,
}

impl Client {
    fn fresh() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_WAIT_MAX))
            .proxy(None);
        Self { agent: config.build().new_agent() }
    }

    fn ask(&self, request: Request<Body<'_>>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, body) = request.into_parts();
        let mut answer = match body {
            Body::Empty => self.agent.run(Request::from_parts(head, ()))?,
            Body::Json(json) => self.agent.run(Request::from_parts(head, json.to_string()))?,
        };
        let bytes = answer.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
        Ok(Response::from_parts(answer.into_parts().0, Bytes::from(bytes)))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        self.ask(request).map_err(|error| {
            WebDriverError::from_inner(WebDriverErrorInner::RequestFailed(error.to_string()))
        })
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self::fresh())
    }
}
