//! The page and the API behind TLS, with the file for the page in each proxy's example.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::proxy::{Kind, Proxy, free_ports, in_all, make_certificate};
use crate::server::{ADMIN_EMAIL, ADMIN_PASSWORD, Home, Server, run};

pub(crate) const NAME: &str = "keyhouse.example.com";
/// After a visit over TLS, browsers use only TLS for a year.
const TLS_ALONE: &str = "max-age=31536000";
/// The client's source address: a loopback address other than the proxies' address.
pub(crate) const CLIENT: &str = "127.0.0.2";
const FORGED: [&str; 6] = [
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Host: forged.example",
    "X-Forwarded-Proto: http",
    "X_Forwarded_For: 6.6.6.6",
    "X-Real-IP: 6.6.6.6",
    "Forwarded: for=6.6.6.6;host=forged.example;proto=http",
];

/// curl with a jar of cookies.
pub(crate) struct Browser {
    pub(crate) home: Arc<Home>,
    pub(crate) plain: u16,
    pub(crate) encrypted: u16,
    /// The path of the page, without a slash at the end.
    pub(crate) path: &'static str,
}

/// Returns the output of curl.
pub(crate) struct Answer {
    pub(crate) status: u16,
    lines: Vec<(String, String)>,
    pub(crate) body: String,
}

/// In an earlier version, the page returned 421 behind nginx with its default Host header, and a
/// last use showed an address that the client had sent to Envoy.
#[test]
fn the_page_and_the_api_work_behind_tls_through_each_proxy() {
    in_all(|kind| {
        let home = Home::new();
        make_certificate(kind, &home);
        let [plain, encrypted] = free_ports();
        let origin = format!("https://{NAME}:{encrypted}");
        let args = ["--public-url", origin.as_str(), "--trusted-proxy", "127.0.0.1"];
        let server = Server::start_with(&args);
        let _proxy = Proxy::start_page(kind, &home, [plain, encrypted, server.address().port()]);
        let browser = Browser { home, plain, encrypted, path: "" };
        browser.wait_for_route();

        let redirect =
            browser.curl(&["--path-as-is"], &format!("http://{NAME}:{plain}/keys?a=1"), "");
        assert_eq!(redirect.status, redirect_of(kind), "{kind:?}");
        assert_eq!(redirect.line("location"), [format!("{origin}/keys?a=1")], "{kind:?}");

        let page = browser.ask("GET", "/", &Value::Null);
        assert_eq!(page.status, 200, "{kind:?}: {}", page.body);
        assert!(page.body.contains("<!doctype html>"), "{kind:?}: {}", page.body);
        assert_eq!(page.line("strict-transport-security"), [TLS_ALONE], "{kind:?}");

        let person = json!({ "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD });
        let session = browser.ask("POST", "/v1/session", &person);
        assert_eq!(session.status, 201, "{kind:?}: {}", session.body);
        assert_eq!(session.line("strict-transport-security"), [TLS_ALONE], "{kind:?}");
        let cookies = session.line("set-cookie");
        let is_bound = |it: &String| it.starts_with("__Host-keyhouse=") && it.contains("Secure");
        assert!(cookies.iter().any(is_bound), "{kind:?}: {cookies:?}");

        let made = browser.ask("POST", "/v1/keys", &json!({ "name": "behind TLS" }));
        assert_eq!(made.status, 201, "{kind:?}: {}", made.body);
        let made: Value = serde_json::from_str(&made.body).unwrap();
        let secret = made.pointer("/secret").unwrap().as_str().unwrap();
        let id = made.pointer("/key/id").unwrap().as_str().unwrap();

        let header = format!("X-Api-Key: {secret}");
        let whoami = browser.curl(&["--header", &header], &format!("{origin}/v1/whoami"), "");
        assert_eq!(whoami.status, 200, "{kind:?}: {}", whoami.body);
        let key = browser.ask("GET", &format!("/v1/keys/{id}"), &Value::Null);
        let key: Value = serde_json::from_str(&key.body).unwrap();
        assert_eq!(key.pointer("/last_used/ip"), Some(&json!(CLIENT)), "{kind:?}: {key}");

        for path in ["/v1/forward-auth/default", "/v1/ext-authz/default/a"] {
            let asked = browser.ask("GET", path, &Value::Null);
            assert_eq!(asked.status, 404, "{kind:?} {path}: {}", asked.body);
        }
    });
}

/// The status of each proxy's permanent redirect of a GET.
fn redirect_of(kind: Kind) -> u16 {
    if kind == Kind::Traefik { 301 } else { 308 }
}

impl Browser {
    /// A request as the page makes it, with all headers that a client may forge.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let url = format!("https://{NAME}:{}{}{path}", self.encrypted, self.path);
        let origin = format!("Origin: https://{NAME}:{}", self.encrypted);
        let mut args = vec!["--request", method, "--header", &origin];
        if body.is_null() {
            return self.curl(&args, &url, "");
        }
        args.extend(["--header", "Content-Type: application/json", "--data-binary", "@-"]);
        self.curl(&args, &url, &body.to_string())
    }

    pub(crate) fn curl(&self, args: &[&str], url: &str, stdin: &str) -> Answer {
        let mut command = self.home.command("curl");
        command.args(["--silent", "--show-error", "--include", "--max-time", "30"]);
        command.args(["--cacert", "ca.pem", "--cookie", "jar", "--cookie-jar", "jar"]);
        command.args(["--interface", CLIENT]);
        for port in [self.plain, self.encrypted] {
            command.args(["--connect-to", &format!("{NAME}:{port}:127.0.0.1:{port}")]);
        }
        for line in FORGED {
            command.args(["--header", line]);
        }
        let ended = run(
            {
                command.args(args).arg(url);
                command
            },
            stdin.as_bytes(),
        );
        let (head, body) = ended.stdout.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_default();
        let pairs = head.lines().filter_map(|line| line.split_once(':'));
        let lines = pairs.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        Answer { status, lines: lines.collect(), body: body.to_owned() }
    }

    /// Traefik opens its ports before it has loaded a route.
    pub(crate) fn wait_for_route(&self) {
        let url = format!("https://{NAME}:{}{}/readyz", self.encrypted, self.path);
        let is_there = |_: &usize| self.curl(&[], &url, "").status == 200;
        assert!((0..200).any(|it| is_there(&it)), "no route to Keyhouse");
    }
}

impl Answer {
    pub(crate) fn line(&self, name: &str) -> Vec<String> {
        let named = self.lines.iter().filter(|(it, _)| it == name);
        named.map(|(_, value)| value.clone()).collect()
    }
}
