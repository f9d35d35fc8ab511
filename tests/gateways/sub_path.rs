//! The page and the API on a sub-path of a host with another application, behind nginx and Caddy with TLS.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a page or an answer of another shape should stop its test"
)]

use serde_json::{Value, json};

use crate::page::{Browser, CLIENT, NAME};
use crate::proxy::{Kind, Proxy, free_ports, make_certificate};
use crate::server::{ADMIN_EMAIL, ADMIN_PASSWORD, Home, Server};

#[test]
fn page_and_api_work_on_a_sub_path_behind_nginx() {
    work_on_a_sub_path_behind(Kind::Nginx);
}

#[test]
fn page_and_api_work_on_a_sub_path_behind_caddy() {
    work_on_a_sub_path_behind(Kind::Caddy);
}

/// Keyhouse at `/keys/`, behind a proxy that serves another application on the same host.
struct SubPath {
    browser: Browser,
    origin: String,
    /// The public URL.
    url: String,
    _server: Server,
    _proxy: Proxy,
}

fn work_on_a_sub_path_behind(kind: Kind) {
    let host = SubPath::start(kind);
    host.page_is_whole();
    host.cookies_have_the_path();
    host.a_key_is_created_and_used();
    host.an_invitation_opens_the_page();
    host.checks_are_not_reachable();
    host.the_other_application_receives_no_cookie();
}

impl SubPath {
    fn start(kind: Kind) -> Self {
        let home = Home::new();
        make_certificate(kind, &home);
        let [plain, encrypted, application] = free_ports();
        let origin = format!("https://{NAME}:{encrypted}");
        let url = format!("{origin}/keys/");
        let server = Server::start_with(&["--public-url", &url, "--trusted-proxy", "127.0.0.1"]);
        let ports = [plain, encrypted, server.address().port(), application];
        let proxy = Proxy::start_sub_path(kind, &home, ports);
        let browser = Browser { home, plain, encrypted, path: "/keys" };
        browser.wait_for_route();
        Self { browser, origin, url, _server: server, _proxy: proxy }
    }

    fn page_is_whole(&self) {
        let to_slash = self.browser.ask("GET", "", &Value::Null);
        assert_eq!(to_slash.status, 308, "{}", to_slash.body);
        let to = only(&to_slash.line("location"));
        // nginx completes the path to a URL.
        assert_eq!(to.strip_prefix(&self.origin).unwrap_or(&to), "/keys/");

        let page = self.browser.ask("GET", "/", &Value::Null);
        assert_eq!(page.status, 200, "{}", page.body);
        let texts = page.body.split('"');
        let assets: Vec<&str> = texts.filter(|text| text.starts_with("assets/")).collect();
        assert!(assets.iter().any(|name| name.ends_with("/app.js")), "{assets:?}");
        for asset in assets {
            let file = self.browser.ask("GET", &format!("/{asset}"), &Value::Null);
            assert_eq!(file.status, 200, "{asset}");
        }
    }

    fn cookies_have_the_path(&self) {
        let person = json!({ "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD });
        let session = self.browser.ask("POST", "/v1/session", &person);
        assert_eq!(session.status, 201, "{}", session.body);
        let cookies = session.line("set-cookie");
        assert_eq!(cookies.len(), 2, "{cookies:?}");
        for cookie in cookies {
            assert!(cookie.starts_with("__Secure-keyhouse"), "{cookie}");
            assert!(cookie.contains("; Path=/keys/;") && cookie.contains("; Secure"), "{cookie}");
        }
    }

    fn a_key_is_created_and_used(&self) {
        let made = self.browser.ask("POST", "/v1/keys", &json!({ "name": "on a sub-path" }));
        assert_eq!(made.status, 201, "{}", made.body);
        let location = only(&made.line("location"));
        let made: Value = serde_json::from_str(&made.body).unwrap();
        let secret = made.pointer("/secret").unwrap().as_str().unwrap();
        let header = format!("X-Api-Key: {secret}");
        let url = format!("{}v1/whoami", self.url);
        let whoami = self.browser.curl(&["--header", &header], &url, "");
        assert_eq!(whoami.status, 200, "{}", whoami.body);
        let key = self.browser.curl(&[], &format!("{}{location}", self.origin), "");
        assert_eq!(key.status, 200, "{location}: {}", key.body);
        let key: Value = serde_json::from_str(&key.body).unwrap();
        assert_eq!(key.pointer("/last_used/ip"), Some(&json!(CLIENT)), "{key}");
    }

    fn an_invitation_opens_the_page(&self) {
        let invitation = json!({ "email": "bo@example.com", "role": "user" });
        let invited = self.browser.ask("POST", "/v1/invitations", &invitation);
        let invited: Value = serde_json::from_str(&invited.body).unwrap();
        let link = invited.pointer("/url").unwrap().as_str().unwrap();
        assert!(link.starts_with(&format!("{}invitation#token=", self.url)), "{link}");
        let form = self.browser.curl(&[], link, "");
        assert_eq!(form.status, 200, "{link}: {}", form.body);
    }

    fn checks_are_not_reachable(&self) {
        for path in ["/v1/forward-auth/default", "/v1/ext-authz/default/a"] {
            let asked = self.browser.ask("GET", path, &Value::Null);
            assert_eq!(asked.status, 404, "{path}: {}", asked.body);
            assert_eq!(asked.line("x-keyhouse-code"), [""; 0], "{path}");
        }
    }

    /// The path of the other application begins with the same letters.
    fn the_other_application_receives_no_cookie(&self) {
        let url = format!("{}/keysmith/", self.origin);
        let other = self.browser.curl(&["--cookie", "theirs=1"], &url, "");
        assert_eq!((other.status, other.body.trim()), (200, "Cookie: theirs=1"));
    }
}

/// The value of the only line.
fn only(lines: &[String]) -> String {
    let [line] = lines else { panic!("one line: {lines:?}") };
    line.clone()
}
