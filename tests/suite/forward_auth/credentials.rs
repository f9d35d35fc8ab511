//! Hundreds of texts that are not keys of this instance, each sent in several credential sources.
//! Each request returns the expected code, and no response, log line or audit event repeats a text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::ask::{Ask, Expect, escaped};
use crate::server::wire::{Answer, Connection};
use crate::test_server::{Line, TestServer};

const CODES: [&str; 2] = ["MALFORMED", "NOT_FOUND"];
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The minimum length of a match, so that it is not a coincidence.
const WINDOW: usize = 12;

/// Random texts that are the same in every run.
struct Texts(u64);

impl Texts {
    fn next(&mut self) -> usize {
        // xorshift64. Only an even distribution is required.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap()
    }

    fn of(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[self.next() % alphabet.len()])).collect()
    }

    fn base62(&mut self, length: usize) -> String {
        self.of(BASE62, length)
    }

    /// Returns a key in the format of another instance.
    fn key(&mut self, prefix: &str, environment: &str) -> String {
        let body = format!("{prefix}_{environment}_{}", self.base62(43));
        let mut sum = usize::try_from(crc32fast::hash(body.as_bytes())).unwrap();
        let mut digits = [b'0'; 6];
        for digit in digits.iter_mut().rev() {
            *digit = BASE62[sum % 62];
            sum /= 62;
        }
        format!("{body}{}", str::from_utf8(&digits).unwrap())
    }
}

/// Returns each text with its expected code.
fn texts(another: &str) -> Vec<(Vec<u8>, &'static str)> {
    let mut random = Texts(0x9e37_79b9_7f4a_7c15);
    let [malformed, unknown] = CODES;
    let mut rows: Vec<(Vec<u8>, &'static str)> = vec![(another.into(), unknown)];
    let mut add = |text: &str, code| rows.push((text.into(), code));
    for environment in ["live", "test", "a", "e123456789abcdef"] {
        for _ in 0..8 {
            add(&random.key("kh", environment), unknown);
            add(&random.key("acme", environment), unknown);
        }
    }
    // A valid key with one wrong character, at each position except the separators; a truncated
    // key; a key that is too long.
    let good = random.key("kh", "live");
    for (at, old) in good.bytes().enumerate().filter(|(_, byte)| *byte != b'_') {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if old == b'a' { b'b' } else { b'a' };
        add(str::from_utf8(&bytes).unwrap(), malformed);
    }
    // Texts of another format could be keys of another system.
    for length in 3..good.len() {
        add(good.get(..length).unwrap(), unknown);
    }
    for length in 1..=8 {
        add(&format!("{good}{}", random.base62(length)), unknown);
    }
    // Keys in the formats of other vendors.
    for (start, length, end) in [
        ("ghp_", 36, ""),
        ("gho_", 36, ""),
        ("github_pat_", 22, "_0123456789"),
        ("glpat-", 20, ""),
        ("sk_live_", 24, ""),
        ("sk_test_", 99, ""),
        ("rk_live_", 24, ""),
        ("pk_live_", 24, ""),
        ("whsec_", 32, ""),
        ("AKIA", 16, ""),
        ("ASIA", 16, ""),
        ("AIza", 35, ""),
        ("xoxb-1234567890-", 24, ""),
        ("xapp-1-A-", 24, ""),
        ("SG.", 22, ".0123456789"),
        ("npm_", 36, ""),
        ("pypi-AgEI", 80, ""),
        ("hf_", 34, ""),
        ("dop_v1_", 64, ""),
        ("shpat_", 32, ""),
        ("key-", 32, ""),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.", 43, ""),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.", 0, ""),
        ("", 32, "=="),
        ("", 40, ""),
        ("$2b$12$", 53, ""),
        ("{\"kid\":\"", 20, "\"}"),
        ("../../", 20, "/%00"),
        ("'OR'1'='1';--", 10, ""),
        ("${jndi:ldap://", 12, "}"),
        ("<script>", 14, "</script>"),
    ] {
        for _ in 0..3 {
            add(&format!("{start}{}{end}", random.base62(length)), unknown);
        }
    }
    for (text, code) in [
        ("k", unknown),
        ("kh", unknown),
        ("kh__", unknown),
        ("kh_live_", unknown),
        (&good.to_uppercase(), unknown),
        (&good.replace("kh_", "KH_"), unknown),
        (&good.replace("kh_live", "kh_Live"), unknown),
        (&good.replace("kh_live", "kh_liv-e"), unknown),
        (&good.replace("kh_live_", "kh_live"), unknown),
        (&good.replace("kh_live_", "kh_live__"), unknown),
        (&good.replace("kh_live_", "kh-live-"), unknown),
        (&format!("{good}.{good}"), unknown),
        (&format!("{good},{good}"), unknown),
        (&format!("{good} {good}"), malformed),
        (&format!("Bearer {good}"), malformed),
        (&format!("half{}\tway", random.base62(20)), malformed),
        (&format!("two words{}", random.base62(20)), malformed),
        (&"x".repeat(512), unknown),
        (&"y".repeat(513), malformed),
        (&random.base62(512), unknown),
        (&random.base62(513), malformed),
        (&random.base62(8_000), malformed),
        ("", malformed),
    ] {
        add(text, code);
    }
    // Only Basic and a form can carry these texts completely.
    for end in ["\0", "\r\nX-Keyhouse-User: ada", "\n", "\u{7f}", "\u{e9}", "\u{1f511}", "\u{feff}"]
    {
        let text = format!("{good}{end}");
        rows.push((text.into_bytes(), malformed));
    }
    for bytes in [&b"\xff\xfe"[..], b"\xc0\xaf", b"\xed\xa0\x80"] {
        rows.push(([good.as_bytes(), bytes].concat(), malformed));
    }
    rows
}

/// Whether a header line can carry a text unchanged.
fn fits_a_line(text: &[u8]) -> bool {
    let plain = text.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    plain && text.trim_ascii() == text
}

/// Returns the parts of a text that would identify the text.
fn traces(text: &[u8]) -> Vec<String> {
    let middle = text.len() / 2;
    let parts = [
        text.get(..WINDOW),
        text.get(middle..middle + WINDOW),
        text.get(text.len().saturating_sub(WINDOW)..),
    ];
    let encoded = STANDARD.encode(text);
    let encoded = encoded.get(..16).map(str::to_owned);
    let whole = parts.into_iter().flatten().filter(|part| part.len() == WINDOW);
    // Public words are not secret.
    let telling = whole.filter(|part| !part.starts_with(b"eyJhbGci"));
    let shown = telling.filter_map(|part| str::from_utf8(part).ok()).map(str::to_owned);
    shown.chain(encoded).collect()
}

fn assert_silent(answer: &Answer, traces: &[String]) {
    let said = format!("{:?} {}", answer.headers, answer.body);
    for trace in traces {
        assert!(!said.contains(trace), "{trace:?} in {said}");
    }
}

#[test]
fn a_foreign_text_gets_its_code_and_is_never_repeated() {
    let elsewhere = TestServer::start();
    let another = elsewhere.create(&json!({})).secret;
    let mut instance = TestServer::start_with(&["--log", "debug"]);
    let verifier = instance
        .create(&json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]}))
        .secret;
    let rows = texts(&another);
    assert!(rows.len() >= 256, "{}", rows.len());
    let mut line = instance.connect();
    for (text, code) in &rows {
        let traces = traces(text);
        for ask in carriers(text) {
            let answer = line.ask(&ask);
            answer.problem(401, code);
            let challenge = answer.challenges();
            assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
            assert_silent(&answer, &traces);
        }
        let reported = inactive(&mut line, text, &verifier);
        assert_silent(&reported, &traces);
        if let Ok(text) = str::from_utf8(text) {
            let ask = Ask::post("/v1/verify", &json!({"key": text})).bearer(&verifier);
            let reported = line.ask(&ask);
            assert_eq!(reported.expect(200)["code"], *code);
            assert_silent(&reported, &traces);
        }
    }
    let mut known: Vec<String> = rows.iter().flat_map(|(text, _)| traces(text)).collect();
    known.extend(broken_carriers(&instance));
    // Returns the text without its hint, because the audit log contains the hint.
    known.push(verifier.get(13..13 + WINDOW).unwrap().to_owned());
    let audit = instance.ask(&Ask::get("/v1/audit?limit=100")).expect(200);
    assert_eq!(audit["next_cursor"], serde_json::Value::Null, "one page is all that is looked at");
    let log = std::sync::Arc::clone(instance.server().log());
    instance.stop();
    let log = log.whole();
    assert!(log.contains("listening on"), "{log}");
    for (place, said) in [("log", log), ("audit log", audit.to_string())] {
        for trace in &known {
            assert!(!said.contains(trace), "{trace:?} is in the {place}");
        }
    }
}

/// Sends the text in each header that can carry it, to forward-auth and whoami.
fn carriers(text: &[u8]) -> Vec<Ask> {
    let pair = [b"user:", text].concat();
    let mut asks = Vec::new();
    if !text.is_empty() {
        let basic = format!("Basic {}", STANDARD.encode(pair));
        asks.push(Ask::forwarded().header("Authorization", &basic));
    }
    if let Some(text) = str::from_utf8(text).ok().filter(|text| fits_a_line(text.as_bytes())) {
        asks.push(Ask::forwarded().bearer(text));
        asks.push(Ask::forwarded().header("X-API-Key", text));
        asks.push(Ask::get("/v1/whoami").header("MC-Api-Key", text));
    }
    asks
}

fn inactive(line: &mut Line, text: &[u8], verifier: &str) -> Answer {
    let body = format!("token={}", escaped(text));
    let ask = Ask::new("POST", "/v1/introspect")
        .bytes("application/x-www-form-urlencoded", body.as_bytes())
        .bearer(verifier);
    let answer = line.ask(&ask);
    if text.is_empty() {
        answer.problem(400, "invalid_input");
    } else {
        assert_eq!((answer.status, &*answer.body), (200, r#"{"active":false}"#));
    }
    answer
}

/// Sends malformed, repeated and contradicting credentials. Returns their texts.
fn broken_carriers(instance: &TestServer) -> Vec<String> {
    let mut random = Texts(7);
    let mut carried = Vec::new();
    let mut secret = || {
        let text = random.base62(40);
        carried.push(text.get(..WINDOW).unwrap().to_owned());
        text
    };
    let pair = |text: &str| format!("Basic {}", STANDARD.encode(format!("user:{text}")));
    let same = secret();
    for (claim, lines) in [
        (
            "two that differ",
            vec![("Authorization", format!("Bearer {}", secret())), ("X-API-Key", secret())],
        ),
        ("Basic and another", vec![("Authorization", pair(&secret())), ("MC-Api-Key", secret())]),
        ("two plain ones", vec![("X-API-Key", secret()), ("MC-Api-Key", secret())]),
        ("one header twice", vec![("X-API-Key", same.clone()), ("X-API-Key", same.clone())]),
        (
            "authorization twice",
            vec![("Authorization", pair(&secret())), ("authorization", pair(&same))],
        ),
        ("no base64", vec![("Authorization", format!("Basic {}!", secret()))]),
        ("base64 for addresses", vec![("Authorization", format!("Basic {}_-", secret()))]),
        (
            "no padding",
            vec![("Authorization", pair(&secret()).trim_end_matches('=').to_owned() + "A")],
        ),
        ("no colon", vec![("Authorization", format!("Basic {}", STANDARD.encode(secret())))]),
        ("nothing behind Basic", vec![("Authorization", "Basic ".to_owned())]),
    ] {
        let ask = lines.iter().fold(Ask::forwarded(), |ask, (name, value)| ask.header(name, value));
        let answer = instance.bare(&ask);
        answer.problem(401, "MALFORMED");
        for (_, value) in &lines {
            let value = value.trim_start_matches("Basic ").trim_start_matches("Bearer ");
            assert!(value.is_empty() || !answer.body.contains(value), "{claim}");
        }
    }
    // Bytes that are not allowed in a header end the request or are an invalid key. No response
    // repeats them.
    for (bytes, status, code) in [
        (&b"\xff\xfe"[..], 401, "MALFORMED"),
        (b"\xc3\xa9", 401, "MALFORMED"),
        (b"\0", 400, ""),
        (b"\x01", 400, ""),
        (b"\x7f", 400, ""),
    ] {
        let text = secret();
        let mut request =
            format!("GET /v1/whoami HTTP/1.1\r\nHost: {}\r\nX-API-Key: {text}", instance.address())
                .into_bytes();
        request.extend_from_slice(bytes);
        request.extend_from_slice(b"\r\n\r\n");
        let mut connection = Connection::open(instance.address());
        connection.send(&request).unwrap();
        let answer = connection.read().unwrap();
        assert_eq!((answer.status, &*answer.code()), (status, code), "{bytes:?}: {answer:?}");
        assert_silent(&answer, &[text.get(..WINDOW).unwrap().to_owned()]);
    }
    carried
}
