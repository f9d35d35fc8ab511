//! Attacks on a gate through each proxy: for every request of a client, the application receives
//! only allowed requests with the checked identity.
//!
//! Every byte of an attack is written on a socket. A witness in the application's place records
//! every byte that arrives, and one function judges the bytes.
#![expect(clippy::unwrap_used, reason = "an answer of another shape should stop the test")]

mod oracle;
mod table;

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::proxy::{Between, Kind, Proxy, in_all};
use crate::server::wire::Connection;
use crate::server::{MadeKey, Server};
use crate::witness::Witness;

use oracle::{Truth, judge};
use table::{ATTACKS, Shape};

const IDENTITY: [&str; 10] = crate::claims::IDENTITY;
/// The gate denies this to all callers.
const PROTECTED_HOST: &str = "admin.example.com";
/// The source address of all attacks.
const CLIENT: &str = "127.0.0.1";
/// Part of every forged value.
const FORGED: [&str; 2] = ["forged", "6.6.6."];
/// The mark of the honest request that follows each attack on the same connection.
const HONEST: &str = "honest";
/// nginx removes headers by name, so an application must not trust a header that Keyhouse does not
/// set.
const UNKNOWN_TO_NGINX: &str = "identity that Keyhouse doesn't set: ";
/// HAProxy forwards trailers: an application must not treat them as headers.
const TRAILER_OF_HAPROXY: &str = "identity in a trailer: ";
const GATE: &str = "attacked";
/// How long a proxy may leave a partial request unanswered.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// How many connections attack one proxy at a time.
const LANES: usize = 8;

/// A request that the gate refuses. Smuggled behind another request, it would pass without a check.
const INNER: &str =
    "GET /admin/smuggled HTTP/1.1\r\nHost: api.example.com\r\nX-Attack: smuggled\r\n{key}\r\n";

/// A Keyhouse with a gate and a key whose only permission is to read orders.
struct Fixture {
    server: Server,
    key: MadeKey,
    truth: Truth,
}

/// The result of the attacks on one proxy.
#[derive(Debug)]
struct Outcome {
    /// Requests that the application received although the gate denies them, by the attack's name.
    bypasses: Vec<String>,
    /// How many attacks got through as allowed requests.
    harmless: usize,
    /// How many honest requests got through.
    honest: usize,
}

#[test]
fn no_attack_gets_past_any_proxy() {
    let fixture = Fixture::set();
    in_all(|kind| {
        let Outcome { mut bypasses, harmless, honest } = fixture.attack(kind, &[]);
        let mut attacks = ATTACKS.len();
        if let Some(left) = left_to_the_application(kind) {
            let known = bypasses.extract_if(.., |it| it.starts_with(left)).count();
            assert_eq!(known, 1, "{kind:?} knows better now: its README says otherwise");
            attacks -= known;
        }
        let found = bypasses.len();
        eprintln!("{kind:?}: {found} bypasses of {attacks} attacks, {harmless} arrived harmless");
        assert!(bypasses.is_empty(), "{kind:?}:\n{}", bypasses.join("\n"));
        // The other connections ended before their honest request.
        assert!(honest >= 60 && harmless >= 30, "{kind:?}: {honest} honest, {harmless} harmless");
    });
}

#[test]
fn an_insecure_proxy_configuration_is_detected() {
    let fixture = Fixture::set();
    let careless = [
        ("underscores_in_headers off;", "underscores_in_headers on;"),
        ("ignore_invalid_headers on;", "ignore_invalid_headers off;"),
        ("proxy_set_header X-HTTP-Method-Override \"\";", ""),
        ("proxy_set_header X-Keyhouse-Code         \"\";", ""),
        (
            "proxy_set_header X-Forwarded-Method $request_method;",
            "proxy_set_header X-Forwarded-Method GET;",
        ),
        (
            "proxy_set_header X-Forwarded-Host   $http_host;",
            "proxy_set_header X-Forwarded-Host api;",
        ),
        (
            "proxy_set_header Host              $http_host;",
            "proxy_set_header Host $host; proxy_set_header X-Api-Key $http_x_api_key;",
        ),
        ("proxy_set_header X-Api-Key     \"\";\n", ""),
    ];
    let found = fixture.attack(Kind::Nginx, &careless).bypasses.join("\n");
    for name in [
        "identity, all underscores",
        "identity, dots",
        "the denial's code",
        "method override",
        "method, another",
        "host, capitals",
        "credential, in three headers",
    ] {
        let is_there = found.lines().any(|line| line.starts_with(&format!("{name}: ")));
        assert!(is_there, "{name} is not among:\n{found}");
    }
}

#[test]
fn the_oracle_detects_each_kind_of_bypass() {
    let fixture = Fixture::set();
    let good = fixture.example();
    assert_eq!(judge(good.as_bytes(), &fixture.truth), Ok(()));
    let public = fixture.truth.identity.iter().fold(good.clone(), |text, (name, value)| {
        text.replace(&format!("{name}: {value}\r\n"), &format!("{name}: -\r\n"))
    });
    let public = public.replace("/orders/7", "/open/x");
    assert_eq!(judge(public.as_bytes(), &fixture.truth), Ok(()));

    let line = |more: &str| good.replace("X-Attack", &format!("{more}\r\nX-Attack"));
    let target = |other: &str| public.replace("/open/x", other);
    let secret = format!("Cookie: {}", fixture.key.secret);
    let rows = [
        ("identity, doubled", line("X-Keyhouse-User: -")),
        ("identity, another name", line("X_Keyhouse_Admin: 1")),
        ("identity, missing", good.replace("X-Keyhouse-Role: -\r\n", "")),
        ("identity, another", good.replace("X-Keyhouse-Role: -", "X-Keyhouse-Role: owner")),
        ("identity, on a public route", good.replace("/orders/7", "/open/x")),
        ("none, on a key's route", target("/orders/7")),
        ("credential", line("Authorization: Bearer x")),
        ("credential, dots", line("X.Api.Key: x")),
        ("secret", line(&secret)),
        ("method override", line("X_HTTP-Method-Override: PUT")),
        ("original URL", line("X-Original-URL: /")),
        ("forged value", line("X-Forwarded-Host: forged.example")),
        ("forged client", line("X-Forwarded-For: 10.0.0.1")),
        ("another method", good.replacen("GET", "PUT", 1)),
        ("odd method", good.replacen("GET", "get", 1)),
        ("protected path", good.replace("/orders/7", "/admin/x")),
        ("no route", good.replace("/orders/7", "/elsewhere")),
        ("dot segments", target("/open/../admin/x")),
        ("encoded letter", target("/open/%61dmin")),
        ("encoded twice", target("/open/%2561dmin")),
        ("overlong", target("/open/%c0%ae%c0%ae/admin")),
        ("backslash", target("/open/..\\admin")),
        ("encoded slash", target("/open/..%2Fadmin")),
        ("parameter", target("/open/admin;x/y")),
        ("NUL", target("/open/admin%00x")),
        ("fragment", target("/open/admin#x")),
        ("whole URL", target("http://api.example.com/open/admin")),
        ("whole URL, another host", target("http://other.example/open/x")),
        ("protected host", public.replace("api.example.com", "Admin.Example.com.:80")),
        ("two hosts", line("Host: api.example.com")),
        ("two lengths", line("Content-Length: 0\r\nContent-Length: 0")),
        ("length and coding", line("Content-Length: 0\r\nTransfer-Encoding: chunked")),
        ("odd length", line("Content-Length: +0")),
        ("odd coding", line("Transfer-Encoding: identity, chunked")),
        ("folded", line("X-A: b\r\n c")),
        ("bare LF", line("X-A: b\nX-C: d")),
        ("space in a name", line("X-A : b")),
        ("Connection", line("Connection: X-Keyhouse-User")),
        ("h2c", line("Connection: Upgrade\r\nUpgrade: h2c")),
        ("a word more", good.replacen(" HTTP/1.1", " x HTTP/1.1", 1)),
        ("unmarked", good.replace("X-Attack", "X-Other")),
        ("with an unknown mark", good.replace("X-Attack: honest", "X-Attack: smuggled")),
    ];
    for (name, record) in rows {
        assert!(judge(record.as_bytes(), &fixture.truth).is_err(), "{name}: {record}");
    }
}

/// The only attack that an example leaves to the application, as its README states.
fn left_to_the_application(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Nginx => Some(UNKNOWN_TO_NGINX),
        Kind::Haproxy => Some(TRAILER_OF_HAPROXY),
        Kind::Caddy | Kind::Traefik | Kind::Envoy => None,
    }
}

impl Fixture {
    fn set() -> Self {
        let server = Server::start();
        let session = server.sign_in();
        let routes = json!([
            { "path": "/open/**", "access": "public" },
            { "path": "/open/admin/**", "permissions": "admin:all" },
            { "path": "/admin/**", "permissions": "admin:all" },
            { "path": "/orders/{id}", "methods": ["GET"], "permissions": "orders:read" },
            { "path": "/orders/**", "methods": ["POST"], "permissions": "orders:write" },
            { "host": PROTECTED_HOST, "path": "/**", "access": "denied" },
        ]);
        let made = session.ask("POST", "/v1/gates", &json!({ "name": GATE, "routes": routes }));
        assert_eq!(made.status, 201, "{made:?}");
        let fields =
            json!({ "name": "attacker", "kind": "service", "permissions": ["orders:read"] });
        let key = session.make_key(&fields);
        let identity = identity(&server, &key);
        let basic = crate::claims::base64(&format!("anyone:{}", key.secret));
        let marks = (0..ATTACKS.len()).map(|index| index.to_string());
        let truth = Truth {
            secrets: vec![key.secret.clone(), basic],
            identity,
            marks: marks.chain([HONEST.to_owned()]).collect(),
        };
        Self { server, key, truth }
    }

    /// Sends all attacks through one proxy, and judges what the application received.
    fn attack(&self, kind: Kind, changes: &[(&str, &str)]) -> Outcome {
        let witness = Witness::start();
        let between = Between {
            keyhouse: self.server.address(),
            application: Some(witness.address),
            gate: GATE,
        };
        let proxy = Proxy::start_between(kind, between, changes);
        let honest =
            self.filled(b"GET /orders/7 HTTP/1.1\r\n{to}{key}Connection: close\r\n\r\n", HONEST);
        let answer = send(&proxy, &[&honest]);
        assert_eq!(answer, Some(200), "{kind:?}: an honest request passes");
        // Most of the time is spent waiting for responses to partial requests.
        thread::scope(|scope| {
            for executor in 0..LANES {
                let (proxy, honest) = (&proxy, &honest);
                let body = move || self.attack_in_lane(proxy, executor, honest);
                let named = thread::Builder::new().name(format!("{kind:?} {executor}"));
                named.spawn_scoped(scope, body).unwrap();
            }
        });
        drop(proxy);

        let mut outcome = Outcome { bypasses: Vec::new(), harmless: 0, honest: 0 };
        for record in witness.into_records() {
            let mark = mark(&record);
            match judge(&record, &self.truth) {
                Ok(()) if mark == HONEST => outcome.honest += 1,
                Ok(()) => outcome.harmless += 1,
                Err(why) => {
                    let attack = mark.parse().ok().and_then(|at: usize| ATTACKS.get(at));
                    let name = attack.map_or("unknown", |(name, _)| name);
                    let shown = String::from_utf8_lossy(record.get(..400).unwrap_or(&record));
                    outcome.bypasses.push(format!("{name}: {why}: {shown:?}"));
                },
            }
        }
        outcome
    }

    /// Sends the attacks of one lane, and an honest request after each attack.
    fn attack_in_lane(&self, proxy: &Proxy, executor: usize, honest: &[u8]) {
        for (index, (_, shape)) in ATTACKS.iter().enumerate().skip(executor).step_by(LANES) {
            send(proxy, &[&self.bytes(*shape, &index.to_string()), honest]);
        }
    }

    /// A request that the application may receive.
    fn example(&self) -> String {
        let mut text =
            format!("GET /orders/7 HTTP/1.1\r\nHost: api.example.com\r\nX-Attack: {HONEST}\r\n");
        for (name, value) in &self.truth.identity {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        text + "\r\n"
    }

    fn bytes(&self, shape: Shape, mark: &str) -> Vec<u8> {
        let template = match shape {
            Shape::Lines(lines) => {
                format!("GET /orders/7 HTTP/1.1\r\n{{to}}{{key}}{lines}\r\n\r\n").into_bytes()
            },
            Shape::Target(target) => [b"GET ", target, b" HTTP/1.1\r\n{to}{key}\r\n"].concat(),
            Shape::Method(words) => format!("{words} HTTP/1.1\r\n{{to}}{{key}}\r\n").into_bytes(),
            Shape::Bytes(bytes) => bytes.to_vec(),
        };
        self.filled(&template, mark)
    }

    fn filled(&self, template: &[u8], mark: &str) -> Vec<u8> {
        let rows = [
            ("{inner}", INNER.to_owned()),
            ("{to}", "Host: api.example.com\r\n{mark}".to_owned()),
            ("{mark}", format!("X-Attack: {mark}\r\n")),
            ("{key}", "Authorization: Bearer {secret}\r\n".to_owned()),
            ("{secret}", self.key.secret.clone()),
            ("{64k}", "a".repeat(65_536)),
        ];
        rows.iter().fold(template.to_vec(), |bytes, (place, text)| {
            oracle::replaced(&bytes, place.as_bytes(), text.as_bytes())
        })
    }
}

/// Sends these requests on one connection while it is open, each after the response to the previous
/// request. Returns the status of the first answer.
fn send(proxy: &Proxy, requests: &[&[u8]]) -> Option<u16> {
    let mut connection = Connection::open(proxy.address);
    connection.socket().set_read_timeout(Some(ANSWER_WAIT)).unwrap();
    let mut first = None;
    for request in requests {
        // The server may refuse a request and close the connection before the whole request is
        // written.
        let _sent = connection.send(request);
        let Ok(answer) = connection.read() else { break };
        first = first.or(Some(answer.status));
        if answer.headers_named("connection").contains(&"close") {
            break;
        }
    }
    first
}

/// The key's identity headers as Keyhouse returns them to a proxy, for comparison with the headers
/// that the application received.
fn identity(server: &Server, key: &MadeKey) -> Vec<(String, String)> {
    let bearer = format!("Bearer {}", key.secret);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "api.example.com"),
        ("X-Forwarded-Uri", "/orders/7"),
        ("X-Forwarded-For", CLIENT),
    ];
    let answer = server.ask("GET", &format!("/v1/forward-auth/{GATE}"), &headers, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let value = |name: &str| answer.header(name).unwrap().to_owned();
    let identity: Vec<_> = IDENTITY.iter().map(|name| ((*name).to_owned(), value(name))).collect();
    let of_key = identity.iter().find(|(name, _)| name == "X-Keyhouse-Key");
    assert_eq!(of_key.map(|(_, value)| value.as_str()), Some(key.id.as_str()));
    identity
}

fn mark(record: &[u8]) -> String {
    let text = String::from_utf8_lossy(record).to_ascii_lowercase();
    let marks = text.lines().filter_map(|line| line.strip_prefix("x-attack:"));
    marks.map(str::trim).collect::<Vec<_>>().join("+")
}
