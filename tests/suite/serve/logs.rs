//! The log has one line per request and never a secret, at any log level.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::people::token_in;
use crate::server::{Home, Server};
use crate::test_server::{EMAIL, PASSWORD, TestServer, serve_empty};

/// Sends the last request of a test, and returns all log lines up to that request.
fn log_of(server: &Server) -> String {
    server.ask("GET", "/healthz", &[("X-Request-Id", "the-last-one")], "");
    server.log().wait_for("the-last-one").unwrap();
    server.log().whole()
}

/// Texts that must not be in a log, each with every form in which it was sent.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    /// Records a text, and the part of it that cannot be guessed, and returns it.
    fn note(&mut self, text: &str) -> String {
        self.0.push(text.to_owned());
        if let Some(middle) = text.get(10..26) {
            self.0.push(middle.to_owned());
        }
        text.to_owned()
    }

    /// Returns the Basic credentials for `user:password`, and records their base64 text.
    fn basic(&mut self, pair: &str) -> String {
        let encoded = self.note(&STANDARD.encode(pair));
        format!("Basic {encoded}")
    }

    fn assert_unsaid(&self, log: &str) {
        for secret in &self.0 {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{secret} is in the log: {line:?}");
        }
    }
}

/// Sends a text in every place where a client may put a credential: correct, malformed or twice.
fn carriers(secrets: &mut Secrets, text: &str) -> Vec<Ask> {
    let text = &secrets.note(text);
    let (password, name) =
        (secrets.basic(&format!("any:{text}")), secrets.basic(&format!("{text}:")));
    let bearer = format!("Bearer {text}");
    let mut asks = Vec::new();
    for ask in [Ask::forwarded(), Ask::get("/v1/whoami"), Ask::get("/v1/keys"), Ask::get("/none")] {
        let with = |name: &str, value: &str| ask.clone().header(name, value);
        asks.extend([
            with("Authorization", &bearer),
            with("Authorization", &password),
            with("Authorization", &name),
            with("Authorization", text),
            with("Authorization", &format!("Digest {text}")),
            with("X-API-Key", text),
            with("MC-Api-Key", text),
            with("Cookie", &format!("keyhouse={text}")),
            with("Cookie", &format!("keyhouse={text}; keyhouse={text}2")),
            with("Authorization", &bearer).header("Authorization", &bearer),
            with("Authorization", &bearer).header("X-API-Key", text),
            with("X-API-Key", text).header("X-API-Key", text),
            with("User-Agent", text),
            with("Content-Type", text),
            with("Host", text),
            with("X-Forwarded-For", text),
            with("X-Forwarded-Host", text),
        ]);
        // The log repeats a request id. A text in the format of a Keyhouse key is never an id; any
        // other text may be the client's id.
        if text.starts_with("kh_") {
            asks.push(with("X-Request-Id", text));
        }
        let query = format!("{}?api_key={text}", ask.target);
        asks.push(Ask { target: query, ..ask.clone() });
        asks.push(Ask {
            method: text.chars().filter(char::is_ascii_alphanumeric).collect(),
            ..ask
        });
    }
    let uri = format!("/orders?api_key={text}");
    asks.push(Ask::forwarded().without("X-Forwarded-Uri").header("X-Forwarded-Uri", &uri));
    asks.push(Ask::forwarded().without("X-Forwarded-Uri").header("X-Forwarded-Uri", text));
    let repeated = format!("/v1/ext-authz/default/orders/{text}?api_key={text}");
    asks.push(Ask::get(&repeated).bearer(text));
    let tried =
        json!({"method": "GET", "url": format!("https://a.example/?api_key={text}"), "key": text});
    asks.push(Ask::post("/v1/gates/default/test", &tried).bearer(text));
    for path in ["/v1/keys", "/v1/forward-auth", "/v1/users", ""] {
        asks.push(Ask::get(&format!("{path}/{text}")));
    }
    for path in ["/v1/verify", "/v1/introspect", "/v1/setup", "/v1/reset", "/v1/session"] {
        asks.push(Ask::post(path, &json!({"key": text, "token": text, "password": text})));
        asks.push(Ask::new("POST", path).bytes("application/json", text.as_bytes()));
        let form = format!("token={text}");
        let kind = "application/x-www-form-urlencoded";
        asks.push(Ask::new("POST", path).bytes(kind, form.as_bytes()).bearer(text));
    }
    asks
}

/// Sends every kind of request to an instance; returns the texts that must not be logged.
fn provoke(instance: &TestServer) -> Secrets {
    let mut secrets = Secrets::default();
    let good = instance.create(&json!({})).secret;
    let verifier = instance
        .create(&json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]}))
        .secret;
    let mistyped = good.replacen(good.chars().nth(20).unwrap(), "0", 2);
    let foreign = "sk-proj-4fzECMkVHDrOT3BlbkFJ9XQKs";
    for text in [&good, &verifier, &mistyped, foreign] {
        for ask in carriers(&mut secrets, text) {
            instance.bare(&ask);
        }
    }
    let ask = Ask::post("/v1/verify", &json!({"key": good, "explain": true}));
    instance.bare(&ask.bearer(&verifier));
    let batch =
        json!({"requests": [{"key": good}, {"key": mistyped}, {"key": foreign, "more": good}]});
    instance.bare(&Ask::post("/v1/verify/batch", &batch).bearer(&verifier));

    secrets.note(instance.cookie().split_once('=').unwrap().1);
    let (wrong, new) =
        (secrets.note("a wrong password, mistyped"), secrets.note("a new password, to be"));
    secrets.note(PASSWORD);
    for body in [
        json!({"email": EMAIL, "password": wrong}),
        json!({"email": EMAIL, "password": PASSWORD, "code": wrong}),
        json!({"email": wrong, "password": PASSWORD}),
        json!({"email": EMAIL, "password": [PASSWORD]}),
        json!({"email": EMAIL, "pasword": PASSWORD}),
    ] {
        instance.bare(&Ask::post("/v1/session", &body));
    }
    instance.ask(&Ask::patch("/v1/me", &json!({"current_password": wrong, "password": new})));
    let begun =
        instance.ask(&Ask::post("/v1/me/totp", &json!({"current_password": PASSWORD}))).json();
    secrets.note(begun["secret"].as_str().unwrap());
    let invited = json!({"email": "bob@example.com", "role": "user"});
    let invited = instance.ask(&Ask::post("/v1/invitations", &invited)).json();
    let token = secrets.note(&token_in(&invited));
    for body in [
        json!({"token": token, "name": "Bob", "password": "short"}),
        json!({"token": token, "name": "Bob", "password": new}),
        json!({"token": token, "name": "Bob", "password": new}),
    ] {
        instance.bare(&Ask::post("/v1/invitations/accept", &body));
    }
    let imported = secrets.note("another-systems-key-0123456789");
    instance.ask(&Ask::post("/v1/keys/import", &json!({"keys": [{"key": imported}]})));
    // Bytes that hyper does not recognize as HTTP.
    let mut line = instance.connect();
    line.0.send(format!("GET /{good} HTTP/1.1\r\nX-API-Key {good}\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(line.0.read().unwrap().status, 400);
    secrets
}

#[test]
fn no_secret_is_logged_at_any_level() {
    for (filter, format) in
        [("debug", "text"), ("debug", "json"), ("keyhouse=trace", "text"), ("trace", "json")]
    {
        let instance = TestServer::start_with(&["--log", filter, "--log-format", format]);
        let secrets = provoke(&instance);
        let log = log_of(instance.server());
        assert!(log.lines().count() > 400, "{filter} {format}: a line a request\n{log}");
        secrets.assert_unsaid(&log);
    }
}

#[test]
fn the_link_for_the_first_owner_is_printed_once_and_never_logged() {
    let home = Home::new();
    let mut command = serve_empty(&home);
    command.args(["--log", "trace"]);
    let server = Server::launch_command(&home, command).unwrap();
    let link = server.log().wait_for("set up at ").unwrap();
    let token = link.split_once("#token=").unwrap().1.to_owned();
    let mut secrets = Secrets::default();
    let password = secrets.note("a password, for the owner");
    for name in ["", "Ada", "Ada"] {
        let body = json!({"token": token, "name": name, "email": EMAIL, "password": password});
        server.ask_json("POST", "/v1/setup", &[], &body);
    }
    let log = log_of(&server);
    assert_eq!(log.matches(&token).count(), 1, "{log}");
    secrets.assert_unsaid(&log);
}

#[test]
fn a_request_is_one_line_at_debug_and_none_at_info() {
    let instance = TestServer::start_with(&["--log", "debug", "--log-format", "json"]);
    let key = instance.create(&json!({}));
    let path = format!("/v1/keys/{}?x=1", key.id);
    instance.bare(&Ask::get(&path).header("X-Request-Id", "the-first-one").bearer(&key.secret));
    instance.bare(&Ask::forwarded().header("X-Request-Id", "the-second-one"));
    instance.bare(&Ask::new("BREW", "/coffee").header("X-Request-Id", "the-third-one"));
    let log = log_of(instance.server());
    let line = |id: &str| {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(id)).collect();
        assert_eq!(lines.len(), 1, "{id}: {lines:?}");
        serde_json::from_str::<Value>(lines[0]).unwrap()
    };
    for (id, method, route, status, code) in [
        ("the-first-one", "GET", "/v1/keys/{key}", 400, "invalid_input"),
        ("the-second-one", "GET", "/v1/forward-auth/{gate}", 401, "NO_CREDENTIAL"),
        ("the-third-one", "other", "-", 404, "not_found"),
        ("the-last-one", "GET", "/healthz", 200, "-"),
    ] {
        let line = line(id);
        assert_eq!(line["level"], "DEBUG", "{line}");
        let reported = &line["fields"];
        let (request_id, took) = (&reported["request_id"], reported["duration_seconds"].as_f64());
        assert_eq!(request_id, id, "{line}");
        assert!(took.is_some_and(|took| took > 0.0), "{line}");
        let named = json!([
            reported["method"],
            reported["route"],
            reported["status"],
            reported["code"],
            reported["surface"]
        ]);
        assert_eq!(named, json!([method, route, status, code, "main"]), "{line}");
        assert!(!line.to_string().contains(&key.id), "{line}");
    }
    let quiet = TestServer::start();
    quiet.bare(&Ask::forwarded());
    quiet.server().ask("GET", "/healthz", &[("X-Request-Id", "unsaid")], "");
    let log = quiet.server().log().whole();
    assert!(!log.contains("answered") && !log.contains("unsaid"), "{log}");
}
