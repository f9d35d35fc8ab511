//! The main flows in Firefox: sign in, create, find, rotate and revoke a key, sign out.
//!
//! The tests speak Marionette, the protocol of Firefox that geckodriver translates for `WebDriver` clients.
//! Debian 12 has no package of geckodriver, and the few commands of these flows need no translation.
//! <https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html>

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ask::{Ask, Expect};
use crate::driver::{in_group, kill, wait};
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::Texts;

/// Maximum time of a response of Firefox, which includes loading a page.
const ANSWER_WAIT_MAX: Duration = Duration::from_mins(1);
/// The name of an element's id in responses (`WebDriver`, 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// A free port, the language of the tests, and no page of the first start.
const PREFERENCES: &str = r#"user_pref("marionette.port", 0);
user_pref("intl.accept_languages", "en");
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
"#;
/// Errors after which a repetition may succeed, because the page changes between look-up and action.
const PASSING: [&str; 4] = [
    "element click intercepted",
    "element not interactable",
    "no such element",
    "stale element reference",
];
/// The visible elements of a selector, in the dialog that is open last or in the page.
const VISIBLE: &str = "const dialogs = document.querySelectorAll('dialog:modal'); \
    const place = dialogs[dialogs.length - 1] ?? document; \
    return [...place.querySelectorAll(arguments[0])].filter((it) => it.checkVisibility());";

/// A Firefox with a new profile and one tab. Dropping the value ends all its processes.
struct Firefox {
    process: Child,
    stream: RefCell<BufReader<TcpStream>>,
    texts: Texts,
    _folder: TempDir,
}

#[test]
fn main_flows_work_in_firefox() {
    let instance = TestServer::start();
    for name in ["laptop", "phone"] {
        instance.create(&json!({"name": name}));
    }
    let firefox = Firefox::start();
    let t = |key: &str| firefox.texts.t(key);
    let origin = instance.server().url();

    firefox.go(&format!("{origin}/#/keys"));
    firefox.fill(&t("sign_in.email"), EMAIL);
    firefox.fill(&t("sign_in.password"), PASSWORD);
    firefox.click("button", &t("sign_in.button"));
    firefox.find("a", "laptop");

    firefox.click("a", &t("keys.new"));
    firefox.fill(&t("new_key.name"), "courier");
    firefox.click("button", &t("new_key.save"));
    let secret = firefox.saved_secret();
    firefox.find("h1", "courier");
    let call = Ask::forward_auth(&secret);
    assert_eq!(instance.bare(&call).status, 200);

    firefox.go(&format!("{origin}/#/keys"));
    firefox.find("a", "laptop");
    firefox.fill(&t("keys.search"), "192.0.2.7");
    firefox.find_no("a", "laptop");
    firefox.find("a", "courier");

    let of = |key: &str| firefox.texts.with(key, &[("name", "courier")]);
    firefox.click("button", &of("keys.actions_of"));
    firefox.click("button", &t("rotate.button"));
    firefox.find("dialog h2", &t("rotate.title"));
    firefox.click("dialog button", &t("rotate.button"));
    let renewed = firefox.saved_secret();
    assert_ne!(secret, renewed);
    for valid in [&secret, &renewed] {
        assert_eq!(instance.bare(&Ask::forward_auth(valid)).status, 200);
    }

    firefox.click("button", &of("keys.revoke"));
    firefox.click("dialog button", &t("key.revoke_confirm"));
    firefox.find_no("dialog button", &t("key.revoke_confirm"));
    instance.bare(&call).problem(401, "REVOKED");

    firefox.click("button", &firefox.texts.with("shell.account", &[("name", "ada")]));
    firefox.click("button", &t("shell.sign_out"));
    firefox.find("h1", &t("sign_in.title"));
}

impl Firefox {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("keyhouse-firefox-").tempdir().unwrap();
        let profile = folder.path().join("profile");
        let program =
            ["firefox-esr", "--headless", "--marionette", "--profile", profile.to_str().unwrap()];
        let mut command = in_group(folder.path(), &program);
        fs::write(profile.join("user.js"), PREFERENCES).unwrap();
        let process = command.spawn().expect("a shell, which starts Firefox");
        let file = profile.join("MarionetteActivePort");
        let port: u16 = wait(
            || "Firefox did not start".to_owned(),
            || fs::read_to_string(&file).ok().and_then(|port| port.trim().parse().ok()),
        );
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(ANSWER_WAIT_MAX)).unwrap();
        let stream = RefCell::new(BufReader::new(stream));
        let firefox = Self { process, stream, texts: Texts::of("en"), _folder: folder };
        let hello = firefox.receive();
        assert_eq!(hello["marionetteProtocol"], 3, "{hello}");
        firefox.run("WebDriver:NewSession", &json!({}));
        firefox
    }

    /// Opens an address, which may differ from the present one by its hash only.
    fn go(&self, url: &str) {
        self.run("WebDriver:Navigate", &json!({"url": url}));
    }

    /// Clicks the only visible element of this selector and name.
    fn click(&self, selector: &str, name: &str) {
        self.act(selector, name, |id| self.ask("WebDriver:ElementClick", &json!({"id": id})));
    }

    /// Replaces the text of the field with this label.
    fn fill(&self, label: &str, text: &str) {
        self.act("input", label, |id| {
            self.ask("WebDriver:ElementClear", &json!({"id": id}))?;
            self.ask("WebDriver:ElementSendKeys", &json!({"id": id, "text": text}))
        });
    }

    /// Waits for the only visible element of this selector and name.
    fn find(&self, selector: &str, name: &str) {
        self.act(selector, name, |_id| Ok(Value::Null));
    }

    /// Waits until no visible element has this selector and name.
    fn find_no(&self, selector: &str, name: &str) {
        let still = || format!("there is still a {selector} {name:?}");
        wait(still, || self.named(selector, name).is_empty().then_some(()));
    }

    /// Reads the secret in its dialog, and closes the dialog with the button that copies the secret.
    fn saved_secret(&self) -> String {
        self.click("dialog button", &self.texts.t("secret.show"));
        let secret = self.evaluate("return document.querySelector('dialog textarea').value", "");
        self.click("dialog button", &self.texts.t("secret.copy_close"));
        self.find_no("dialog button", &self.texts.t("secret.copy_close"));
        secret.as_str().unwrap().to_owned()
    }

    fn act(&self, selector: &str, name: &str, deed: impl Fn(&str) -> Result<Value, Value>) {
        let missing = || {
            let text = self.evaluate("return document.body.innerText", "");
            format!("not one usable {selector} {name:?}:\n{}", text.as_str().unwrap_or_default())
        };
        wait(missing, || {
            let found = self.named(selector, name);
            let [only] = found.as_slice() else { return None };
            match deed(only) {
                Ok(_) => Some(()),
                Err(error) if is_passing(&error) => None,
                Err(error) => panic!("{selector} {name:?}: {error}"),
            }
        });
    }

    /// The ids of the visible elements of this selector and accessible name.
    fn named(&self, selector: &str, name: &str) -> Vec<String> {
        let found = self.evaluate(VISIBLE, selector);
        let ids = found.as_array().unwrap().iter().map(|it| it[ELEMENT].as_str().unwrap());
        let has_name = |id: &&str| match self.ask("WebDriver:GetComputedLabel", &json!({"id": id}))
        {
            Ok(label) => label["value"] == name,
            Err(error) if is_passing(&error) => false,
            Err(error) => panic!("the name of a {selector}: {error}"),
        };
        ids.filter(has_name).map(str::to_owned).collect()
    }

    /// The value that a script returns. The page's CSP does not apply to it.
    fn evaluate(&self, script: &str, argument: &str) -> Value {
        let asked = json!({"script": script, "args": [argument]});
        self.run("WebDriver:ExecuteScript", &asked)["value"].clone()
    }

    fn run(&self, command: &str, parameters: &Value) -> Value {
        self.ask(command, parameters).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Sends a command and waits for its response: the result, or the error.
    fn ask(&self, command: &str, parameters: &Value) -> Result<Value, Value> {
        let text = json!([0, 1, command, parameters]).to_string();
        write!(self.stream.borrow_mut().get_mut(), "{}:{text}", text.len()).unwrap();
        let response = self.receive();
        assert_eq!((&response[0], &response[1]), (&json!(1), &json!(1)), "{command}: {response}");
        if response[2].is_null() { Ok(response[3].clone()) } else { Err(response[2].clone()) }
    }

    /// Receives a message: its length in decimal digits, a colon, JSON.
    fn receive(&self) -> Value {
        let mut stream = self.stream.borrow_mut();
        let mut length = Vec::new();
        stream.read_until(b':', &mut length).expect("a response of Firefox");
        let digits = length.strip_suffix(b":").expect("the length of a message");
        let length: usize = std::str::from_utf8(digits).unwrap().parse().unwrap();
        let mut message = vec![0; length];
        stream.read_exact(&mut message).unwrap();
        serde_json::from_slice(&message).unwrap()
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        kill(&mut self.process);
    }
}

fn is_passing(error: &Value) -> bool {
    PASSING.iter().any(|passing| error["error"] == *passing)
}
