//! Where a gate reads the key: schemes, cookies and subprotocols, and the response to a key that
//! was sent elsewhere or twice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::gates::{CodeOf, forwarded, repeated};
use crate::test_server::TestServer;

const WANTED: (&str, &str, &str) = ("GET", "a.org", "/a");

impl TestServer {
    fn takes(&self, name: &str, credentials: &Value) {
        self.gate(name, &json!({"routes": [{"path": "/**"}], "credentials": credentials}));
    }

    /// Returns the code and the detail of the response to these header lines, which must be the
    /// same at both endpoints.
    fn reported(&self, gate: &str, lines: &[(&str, &str)]) -> (String, String) {
        let [one, other] = [forwarded(gate, WANTED), repeated(gate, WANTED)].map(|ask| {
            let ask = lines.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
            let answer = self.bare(&ask);
            let code = answer.code_of();
            let detail =
                if code == "VALID" { Value::Null } else { answer.json()["detail"].clone() };
            (code, detail.as_str().unwrap_or_default().to_owned())
        });
        assert_eq!(one, other, "{gate} {lines:?}: forward-auth, ext-authz");
        one
    }
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[test]
fn a_gate_accepts_its_configured_schemes() {
    let instance = TestServer::start();
    let secret = instance.create(&json!({})).secret;
    instance.takes("schemes", &json!(["authorization:Token", "authorization:ApiKey", "x-api-key"]));
    for (scheme, code) in [
        ("Token", "VALID"),
        ("tOKEN", "VALID"),
        ("ApiKey", "VALID"),
        ("Bearer", "NO_CREDENTIAL"),
        ("Key", "NO_CREDENTIAL"),
    ] {
        let line = format!("{scheme} {secret}");
        assert_eq!(instance.reported("schemes", &[("Authorization", &line)]).0, code, "{scheme}");
    }
    let (code, detail) =
        instance.reported("schemes", &[("Authorization", &format!("Key {secret}"))]);
    assert_eq!(code, "NO_CREDENTIAL");
    assert_eq!(
        detail,
        "the scheme in Authorization is not accepted: send a key in one of Authorization \
         (Token, Apikey), X-Api-Key"
    );
    let answer = instance.bare(&forwarded("schemes", WANTED).header("Authorization", "Key x"));
    let offered = answer.challenges();
    assert_eq!(offered, "Token realm=\"keyhouse\", Apikey realm=\"keyhouse\"");
    let shown = instance.ask(&Ask::get("/v1/gates/schemes")).expect(200);
    let written = json!(["authorization:token", "authorization:apikey", "x-api-key"]);
    assert_eq!(shown["credentials"], written);
}

#[test]
fn a_gate_accepts_its_configured_cookie_and_subprotocol() {
    let mut instance = TestServer::start();
    let [secret, other] = [(); 2].map(|()| instance.create(&json!({})).secret);
    instance.takes("browsers", &json!(["cookie:Feed", "websocket-protocol:keyhouse."]));
    let feed = format!("theme=dark; Feed={secret}; a=b");
    let doubled = format!("Feed={secret}; Feed={secret}");
    let socket = format!("chat, keyhouse.{secret}");
    let others = format!("chat, keyhouse.{other}");
    for restarted in [false, true] {
        for (lines, code) in [
            (&[("Cookie", feed.as_str())][..], "VALID"),
            (&[("Cookie", "theme=dark"), ("Cookie", &feed)], "VALID"),
            (&[("Cookie", &feed.replace("Feed", "feed"))], "NO_CREDENTIAL"),
            (&[("Cookie", "theme=dark")], "NO_CREDENTIAL"),
            (&[("Cookie", &doubled)], "MALFORMED"),
            (&[("Cookie", &feed), ("Cookie", &feed)], "MALFORMED"),
            (&[("Sec-WebSocket-Protocol", &socket)], "VALID"),
            (&[("Sec-WebSocket-Protocol", "chat"), ("Sec-WebSocket-Protocol", &socket)], "VALID"),
            (&[("Sec-WebSocket-Protocol", "chat")], "NO_CREDENTIAL"),
            (&[("Sec-WebSocket-Protocol", "keyhouse.")], "MALFORMED"),
            (&[("Sec-WebSocket-Protocol", &format!("{socket}, keyhouse.x"))], "MALFORMED"),
            (&[("Cookie", &feed), ("Sec-WebSocket-Protocol", &socket)], "VALID"),
            (&[("Cookie", &feed), ("Sec-WebSocket-Protocol", &others)], "MALFORMED"),
            (&[("Sec_WebSocket_Protocol", "chat")], "REQUEST_REFUSED"),
        ] {
            let (reported, _) = instance.reported("browsers", lines);
            assert_eq!(reported, code, "{lines:?}, restarted: {restarted}");
        }
        instance.restart();
    }
    // Other gates ignore the cookie and the subprotocol.
    assert_eq!(instance.reported("default", &[("Cookie", &feed)]).0, "NO_CREDENTIAL");
    assert_eq!(
        instance.reported("default", &[("Sec-WebSocket-Protocol", &socket)]).0,
        "NO_CREDENTIAL"
    );
}

/// For `key:x` and `key:x-oauth-basic`, an earlier version looked up the password, and returned
/// that the key does not exist.
#[test]
fn a_filler_next_to_the_key_in_basic_is_ignored() {
    let instance = TestServer::start();
    let [secret, other] = [(); 2].map(|()| instance.create(&json!({})).secret);
    for (pair, code) in [
        (format!("{secret}:x"), "VALID"),
        (format!("{secret}:x-oauth-basic"), "VALID"),
        (format!("token:{secret}"), "VALID"),
        (format!("{secret}:"), "VALID"),
        (format!("{secret}:{secret}"), "VALID"),
        (format!("{secret}:{other}"), "MALFORMED"),
        (format!("{}:x", secret.replace("kh_live", "kh_liev")), "MALFORMED"),
        ("ada:x".to_owned(), "NOT_FOUND"),
    ] {
        let line = basic(&pair);
        assert_eq!(instance.reported("default", &[("Authorization", &line)]).0, code, "{pair}");
        let whoami = instance.bare(&Ask::get("/v1/whoami").header("Authorization", &line));
        assert_eq!(whoami.status == 200, code == "VALID", "{pair}");
    }
}

/// In an earlier version, two credentials caused the same response as a mistyped credential, so
/// users looked for a typing error.
#[test]
fn two_credentials_are_rejected_with_their_positions() {
    let instance = TestServer::start();
    let [one, two] = [(); 2].map(|()| instance.create(&json!({})).secret);
    instance.takes("own", &json!(["authorization", "x-shop-key", "cookie:k"]));
    let bearer = format!("Bearer {one}");
    let twice = |place: &str| format!("{place} was sent more than once: send it once");
    let differ = |first: &str, second: &str| {
        format!("two different credentials were sent, in {first} and in {second}: send one")
    };
    for (gate, lines, detail) in [
        (
            "default",
            [("Authorization", bearer.as_str()), ("X-API-Key", &two)],
            differ("Authorization", "X-Api-Key"),
        ),
        ("default", [("x-api-key", &one), ("mc-api-key", &two)], differ("X-Api-Key", "Mc-Api-Key")),
        ("own", [("X-Shop-Key", &one), ("Cookie", "k=x")], differ("X-Shop-Key", "the cookie k")),
        ("own", [("X-Shop-Key", &one), ("X-Shop-Key", &one)], twice("X-Shop-Key")),
        ("own", [("Cookie", "k=x"), ("Cookie", "k=x")], twice("the cookie k")),
        (
            "default",
            [("Authorization", &bearer), ("Authorization", &bearer)],
            twice("Authorization"),
        ),
    ] {
        let (code, reported) = instance.reported(gate, &lines);
        assert_eq!((code.as_str(), reported), ("MALFORMED", detail), "{gate}");
    }
    let both = Ask::get("/v1/keys").bearer(&one).header("X-API-Key", &two);
    let problem = instance.bare(&both).problem(400, "doubled_credential");
    assert_eq!(problem["detail"], differ("Authorization", "X-Api-Key"));
}
