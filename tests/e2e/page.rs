//! A user with a browser: navigation, keyboard, look of the page.
//!
//! Actions inside the page are in `part`. A test ends with [`Page::finish`], which fails if the browser
//! reported a fault that the test did not expect.

use std::cell::RefCell;
use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::driver::{Driver, wait};
use crate::part::{Part, key};
use crate::record::{Record, Request, WATCH};
use crate::test_server::TestServer;
use crate::texts::Texts;
use crate::tree::Node;

const HEIGHT: u32 = 800;
/// Width and height of a phone.
const PHONE: (u32, u32) = (390, 844);
/// Maximum height of a screenshot of a whole page.
const SHOT_HEIGHT_MAX: f64 = 6_000.0;

/// Colour scheme and width of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) dark: bool,
    pub(crate) width: u32,
}

impl Look {
    /// A light and wide screen.
    pub(crate) const DESK: Self = Self { dark: false, width: 1280 };
    /// A wide and a narrow light screen.
    pub(crate) const LIGHT: [Self; 2] = [Self::DESK, Self { dark: false, width: 360 }];
    /// A wide and a narrow dark screen.
    pub(crate) const DARK: [Self; 2] =
        [Self { dark: true, width: 1280 }, Self { dark: true, width: 360 }];

    /// All combinations of colour scheme and width.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::LIGHT.into_iter().chain(Self::DARK)
    }

    /// The name of the look, such as `dark-360`.
    pub(crate) fn name(self) -> String {
        format!("{}-{}", if self.dark { "dark" } else { "light" }, self.width)
    }
}

/// The browser, and the page that is open in it. The methods of [`Part`] act on the whole page.
#[derive(Debug)]
pub(crate) struct Page {
    whole: Part,
    origins: Vec<String>,
    expected: Vec<String>,
    record: RefCell<Record>,
    finished: bool,
}

impl Page {
    /// A browser with this language (`en`, `fr`, `es`) and an empty tab.
    pub(crate) fn open(instance: &TestServer, language: &'static str) -> Self {
        Self::open_at(instance.server().url(), language)
    }

    /// Opens a browser for a server behind another origin, such as a proxy's.
    pub(crate) fn open_at(origin: String, language: &'static str) -> Self {
        let driver = Rc::new(Driver::start(language));
        let page = Self {
            whole: Part::whole(driver, Texts::of(language)),
            origins: vec![origin],
            expected: Vec::new(),
            record: RefCell::default(),
            finished: false,
        };
        page.prepare();
        page.looks(Look::DESK);
        page
    }

    /// Opens a path of the server (`/setup`) or a hash of the page (`/#/keys`).
    pub(crate) fn go(&self, path: &str) {
        let url = format!("{}{path}", self.origins.last().unwrap());
        self.driver.run(self.driver.session().goto(url));
    }

    /// Opens a link that the server created.
    pub(crate) fn follow(&self, link: &str) {
        self.driver.run(self.driver.session().goto(link));
    }

    /// Loads the page again, as F5 does.
    pub(crate) fn reload(&self) {
        self.driver.run(self.driver.session().refresh());
    }

    /// Goes back, as Alt+Left does.
    pub(crate) fn back(&self) {
        self.driver.run(self.driver.session().back());
    }

    /// Returns the text of the address bar.
    pub(crate) fn address(&self) -> String {
        self.driver.run(self.driver.session().current_url()).to_string()
    }

    /// Uses the server's new port from now on.
    pub(crate) fn moved(&mut self, instance: &TestServer) {
        self.origins.push(instance.server().url());
    }

    /// Signs in with the form.
    pub(crate) fn sign_in(&self, email: &str, password: &str) {
        self.try_sign_in(email, password);
        self.find("navigation", &self.t("shell.navigation"));
    }

    /// Submits the sign-in form and does not wait for the result.
    pub(crate) fn try_sign_in(&self, email: &str, password: &str) {
        self.fill(&self.t("sign_in.email"), email);
        self.fill(&self.t("sign_in.password"), password);
        self.click("button", &self.t("sign_in.button"));
    }

    /// Chooses an entry of the menu of a key, on its page or in its row of the list.
    pub(crate) fn choose_action(&self, key: &str, entry: &str) {
        self.click("button", &self.t_with("keys.actions_of", &[("name", key)]));
        self.click("button", &self.t(entry));
    }

    /// Signs in with a second factor: a code of the app or a backup code.
    pub(crate) fn sign_in_with_code(&self, email: &str, password: &str, code: &str) {
        self.try_sign_in(email, password);
        self.fill(&self.t("sign_in.code"), code);
        self.click("button", &self.t("sign_in.button"));
    }

    /// Runs a script in every later document of the tab, before the page's own scripts.
    pub(crate) fn before_documents(&self, script: &str) {
        let asked = json!({"source": script});
        self.driver.devtools("Page.addScriptToEvaluateOnNewDocument", asked);
    }

    /// Stores a session's cookie in the browser, as after an earlier sign-in.
    pub(crate) fn bring_cookie(&self, name: &str, value: &str) {
        let url = self.origins.last().unwrap();
        let cookie = json!({"name": name, "value": value, "url": url, "httpOnly": true});
        self.driver.devtools("Network.setCookie", cookie);
    }

    /// Presses keys in order: `["Tab", "Shift+Tab", "Enter"]`.
    pub(crate) fn press(&self, chords: &[&str]) {
        for chord in chords {
            let names: Vec<&str> = chord.split('+').collect();
            let mut chain = self.driver.session().action_chain();
            for name in &names {
                chain = chain.key_down(key(name));
            }
            for name in names.iter().rev() {
                chain = chain.key_up(key(name));
            }
            self.driver.run(chain.perform());
        }
    }

    /// Types into the focused element.
    pub(crate) fn write(&self, text: &str) {
        self.driver.devtools("Input.insertText", json!({"text": text}));
    }

    /// Returns the focused element.
    pub(crate) fn focused(&self) -> Node {
        wait(|| "nothing has the focus".to_owned(), || self.driver.focused_node())
    }

    /// Waits until the focused element has this role and name.
    pub(crate) fn see_focus(&self, role: &str, name: &str) {
        let missing = || format!("{role} {name:?} has no focus, but {:?}", self.focused());
        let is_there = |node: &Node| node.role == role && node.name == name;
        wait(missing, || self.driver.focused_node().filter(is_there));
    }

    /// Waits for a dialog and returns its name.
    pub(crate) fn dialog(&self) -> String {
        let missing = || format!("no dialog is open:\n{}", self.text());
        wait(missing, || self.names("dialog").pop().or_else(|| self.names("alertdialog").pop()))
    }

    /// Waits until no dialog is open.
    pub(crate) fn no_dialog(&self) {
        let still = || format!("a dialog is still open:\n{}", self.text());
        wait(still, || {
            (self.names("dialog").is_empty() && self.names("alertdialog").is_empty()).then_some(())
        });
    }

    /// Returns the content of the clipboard.
    pub(crate) fn clipboard(&self) -> String {
        let asked = json!({"permissions": ["clipboardReadWrite"]});
        self.driver.devtools("Browser.grantPermissions", asked);
        let text = self.driver.evaluate("navigator.clipboard.readText()");
        self.driver.devtools("Browser.resetPermissions", json!({}));
        text.as_str().expect("a text in the clipboard").to_owned()
    }

    /// Opens a new tab and returns the previous tab.
    pub(crate) fn new_tab(&self) -> Tab {
        let session = self.driver.session();
        let tab = Tab(self.driver.run(session.window()));
        let new = self.driver.run(session.new_tab());
        self.driver.run(session.switch_to_window(new));
        self.prepare();
        self.looks(Look::DESK);
        tab
    }

    /// Switches to a tab and returns the previous tab.
    pub(crate) fn turn_to(&self, tab: &Tab) -> Tab {
        let had = Tab(self.driver.run(self.driver.session().window()));
        self.driver.run(self.driver.session().switch_to_window(tab.0.clone()));
        had
    }

    /// Changes colour scheme and width without a reload.
    pub(crate) fn looks(&self, look: Look) {
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.driver.devtools("Emulation.setEmulatedMedia", features);
        self.window(look.width, HEIGHT, false);
    }

    /// Emulates a phone with a touch screen, until the next call of [`Self::looks`].
    pub(crate) fn touches(&self) {
        let (width, height) = PHONE;
        self.window(width, height, true);
    }

    fn window(&self, width: u32, height: u32, touch: bool) {
        self.driver.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": touch}));
        let narrow = width < 600;
        self.driver.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": narrow}),
        );
    }

    /// Sets the latency of each response in milliseconds; `None` disconnects the network.
    pub(crate) fn network(&self, latency: Option<u32>) {
        self.network_conditions(latency, -1);
    }

    /// Slows the network down to that of a phone far from a mast: 400 ms of latency and 400 kbit/s.
    pub(crate) fn slow_network(&self) {
        self.network_conditions(Some(400), 50_000);
    }

    /// Both ways transfer so many bytes per second; -1 is no limit.
    fn network_conditions(&self, latency: Option<u32>, bytes_per_s: i32) {
        self.driver.devtools("Network.enable", json!({}));
        self.driver.devtools(
            "Network.emulateNetworkConditions",
            json!({"offline": latency.is_none(), "latency": latency.unwrap_or(0),
                "downloadThroughput": bytes_per_s, "uploadThroughput": bytes_per_s}),
        );
    }

    /// Slows the page's processor down so many times.
    pub(crate) fn slow_processor(&self, times: u32) {
        self.driver.devtools("Emulation.setCPUThrottlingRate", json!({"rate": times}));
    }

    /// Writes a screenshot of the whole page.
    pub(crate) fn screenshot(&self, file: &Path) {
        let size = self.driver.devtools("Page.getLayoutMetrics", json!({}));
        let size = &size["cssContentSize"];
        let height = size["height"].as_f64().unwrap().min(SHOT_HEIGHT_MAX);
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1});
        let asked = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let reported = self.driver.devtools("Page.captureScreenshot", asked);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes_of_base64(reported["data"].as_str().unwrap())).unwrap();
    }

    /// The value of an expression in the page, for state that is not visible, such as storage.
    pub(crate) fn evaluate(&self, expression: &str) -> Value {
        self.driver.evaluate(expression)
    }

    /// Returns everything that the page has stored in the browser and that scripts can read, as one
    /// text.
    pub(crate) fn kept(&self) -> String {
        self.driver
            .evaluate(
                "(async () => JSON.stringify([...[localStorage, sessionStorage].map((kept) => \
                 Array.from(kept, (_, at) => [kept.key(at), kept.getItem(kept.key(at))])), \
                 document.cookie, window.name, history.state, (await indexedDB.databases()), (await caches.keys()), \
                 (await navigator.serviceWorker.getRegistrations()).length]))()",
            )
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Returns all requests so far, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.record().in_order()
    }

    /// Bytes of all requests so far on the wire, with headers.
    pub(crate) fn wire_bytes(&self) -> u64 {
        self.requests().iter().map(|request| request.wire_bytes).sum()
    }

    /// Returns all events that the browser has reported so far.
    pub(crate) fn record(&self) -> Record {
        let mut record = self.record.borrow_mut();
        record.read(&self.driver);
        record.clone()
    }

    /// From now on, console lines with this text are not faults.
    pub(crate) fn expect(&mut self, part: &str) {
        self.expected.push(part.to_owned());
    }

    /// Asserts that no address of the run and no storage of the browser contains this secret.
    pub(crate) fn assert_keeps_no(&self, secret: &str) {
        let addresses = self.record().addresses;
        let found: Vec<_> = addresses.iter().filter(|url| url.contains(secret)).collect();
        assert!(found.is_empty(), "a secret stands in {found:?}");
        assert!(!self.address().contains(secret), "a secret stands in the address bar");
        assert!(!self.kept().contains(secret), "a secret is left in the browser");
    }

    /// Returns faults that the test did not expect: console errors, CSP reports, requests to other
    /// hosts.
    pub(crate) fn faults(&self) -> Vec<String> {
        let record = self.record();
        let mut faults = record.faults(&self.expected);
        faults.extend(record.foreign(&self.origins).iter().map(|url| format!("asked {url}")));
        faults
    }

    /// Ends the browser. Fails if there are unexpected faults.
    pub(crate) fn finish(mut self) {
        self.finished = true;
        let faults = self.faults();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    fn prepare(&self) {
        self.driver.devtools("Page.enable", json!({}));
        self.driver.devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": WATCH, "worldName": "watch", "runImmediately": true}),
        );
    }
}

/// A tab of the browser.
#[derive(Clone, Debug)]
pub(crate) struct Tab(thirtyfour::WindowHandle);

impl Deref for Page {
    type Target = Part;

    fn deref(&self) -> &Part {
        &self.whole
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let forgotten = !self.finished && !std::thread::panicking();
        assert!(!forgotten, "a test of the page ends with finish()");
    }
}

/// Decodes base64 (RFC 4648, section 4), in which the browser sends pictures.
fn bytes_of_base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.decode(text).expect("base64 from the browser")
}
