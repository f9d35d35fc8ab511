//! `/v1/whoami` describes the key that the caller presents.

mod revoke;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::shape::assert_shape;
use crate::test_server::TestServer;

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[test]
fn a_key_is_accepted_through_every_carrier() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "me", "permissions": ["a:b"]}));
    let secret = made.secret.as_str();
    for (name, value) in [
        ("Authorization", format!("Bearer {secret}")),
        ("authorization", format!("bearer {secret}")),
        ("Authorization", format!("BEARER  {secret}")),
        ("Authorization", basic("any-name", secret)),
        ("Authorization", basic(secret, "")),
        ("X-API-Key", secret.to_owned()),
        ("x-api-key", secret.to_owned()),
        ("MC-Api-Key", secret.to_owned()),
    ] {
        let answer = instance.bare(&Ask::get("/v1/whoami").header(name, &value));
        assert_eq!(answer.status, 200, "{name}: {value:.9}: {}", answer.body);
        let me = answer.json();
        assert_shape!("whoami", &me);
        assert_eq!(me["key"]["id"], made.id.as_str());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(!answer.body.contains(secret.get(13..).unwrap()), "{me}");
        assert_eq!(instance.bare(&Ask::forwarded().header(name, &value)).status, 200, "{name}");
    }
}

#[test]
fn an_invalid_credential_is_rejected() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "me"}));
    let secret = made.secret.as_str();
    for (claim, name, value, code) in [
        ("a scheme alone", "Authorization", "Bearer".to_owned(), "MALFORMED"),
        ("nothing behind the scheme", "Authorization", "Bearer ".to_owned(), "MALFORMED"),
        ("two words", "Authorization", format!("Bearer {secret} {secret}"), "MALFORMED"),
        ("two keys and a comma", "Authorization", format!("Bearer {secret},{secret}"), "NOT_FOUND"),
        ("no base64", "Authorization", "Basic !!!!".to_owned(), "MALFORMED"),
        (
            "base64 without a colon",
            "Authorization",
            format!("Basic {}", STANDARD.encode(secret)),
            "MALFORMED",
        ),
        ("nothing in it", "Authorization", basic("", ""), "MALFORMED"),
        ("two texts that are no keys", "Authorization", basic("me", "x"), "NOT_FOUND"),
        ("a character too many", "X-API-Key", format!("{secret}x"), "NOT_FOUND"),
        ("a typing error", "X-API-Key", secret.replace("kh_live_", "kh_life_"), "MALFORMED"),
        ("another's", "X-API-Key", "sk_live_4eC39HqLyjWDarjtT1zdp7dc".to_owned(), "NOT_FOUND"),
        (
            "a made-up scheme in another header",
            "X-API-Key",
            format!("Bearer {secret}"),
            "MALFORMED",
        ),
    ] {
        for ask in [Ask::get("/v1/whoami"), Ask::forwarded()] {
            let target = ask.target.clone();
            let answer = instance.bare(&ask.header(name, &value));
            assert_eq!(answer.status, 401, "{claim} at {target}: {}", answer.body);
            assert_eq!(answer.code(), code, "{claim} at {target}");
            let challenge = answer.challenges();
            assert!(
                challenge.contains("error=\"invalid_token\""),
                "{claim} at {target}: {challenge}"
            );
            assert!(!answer.body.contains(secret), "{claim} at {target}");
        }
    }
}

#[test]
fn a_key_in_the_url_is_rejected() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "me"}));
    for name in ["key", "api_key", "apikey", "access_token", "token", "x-api-key"] {
        for path in ["/v1/whoami", "/v1/forward-auth/default"] {
            let mut ask = Ask::forwarded();
            ask.target = format!("{path}?{name}={}", made.secret);
            instance.bare(&ask).problem(401, "NO_CREDENTIAL");
        }
    }
    let cookie = format!("keyhouse={}", made.secret);
    instance.bare(&Ask::get("/v1/whoami").header("Cookie", &cookie)).problem(401, "NO_CREDENTIAL");
}

#[test]
fn two_different_credentials_are_rejected() {
    let instance = TestServer::start();
    let [one, two] = ["one", "two"].map(|name| instance.create(&json!({"name": name})).secret);
    let doubled = |first: (&str, &str), second: (&str, &str)| {
        let add = |ask: Ask| ask.header(first.0, first.1).header(second.0, second.1);
        let api = instance.bare(&add(Ask::get("/v1/keys")));
        let me = instance.bare(&add(Ask::get("/v1/whoami")));
        let check = instance.bare(&add(Ask::forwarded()));
        (api, me, check)
    };
    let (bearer, other) = (format!("Bearer {one}"), format!("Bearer {two}"));
    for (first, second) in [
        (("Authorization", bearer.as_str()), ("Authorization", other.as_str())),
        (("Authorization", bearer.as_str()), ("authorization", bearer.as_str())),
        (("X-API-Key", one.as_str()), ("x-api-key", two.as_str())),
        (("MC-Api-Key", one.as_str()), ("MC-Api-Key", one.as_str())),
    ] {
        let (api, me, check) = doubled(first, second);
        api.problem(400, "doubled_header");
        me.problem(401, "MALFORMED");
        check.problem(401, "MALFORMED");
    }
    let (api, me, check) = doubled(("Authorization", &bearer), ("X-API-Key", &two));
    api.problem(400, "doubled_credential");
    me.problem(401, "MALFORMED");
    check.problem(401, "MALFORMED");
    // The same key in two credential sources is unambiguous.
    let (_, me, check) = doubled(("Authorization", &bearer), ("X-API-Key", &one));
    assert_eq!((me.status, check.status), (200, 200));
    // An empty credential beside the key counts as a second credential.
    let (_, me, check) = doubled(("Authorization", &bearer), ("X-API-Key", ""));
    assert_eq!((me.status, check.status), (401, 401));
}

#[test]
fn an_unsupported_scheme_counts_as_no_credential() {
    let instance = TestServer::start();
    let secret = instance.create(&json!({"name": "me"})).secret;
    let others = [
        format!("Digest {secret}"),
        format!("Bearer\t{secret}"),
        secret.clone(),
        format!("Token {secret}"),
        String::new(),
    ];
    let asks = others.iter().map(|value| Ask::get("/v1/whoami").header("Authorization", value));
    for ask in asks.chain([Ask::get("/v1/whoami")]) {
        let answer = instance.bare(&ask);
        answer.problem(401, "NO_CREDENTIAL");
        assert!(!answer.challenges().contains("error="), "{ask:?}");
    }
}
