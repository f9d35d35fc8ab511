//! `/v1/session`: sign-in, the session's own user, and sign-out.

mod proof;
pub(crate) mod sign_in;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::server::wire::Answer;
use crate::shape::assert_shape;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

fn sign_in(email: &str, password: &str) -> Ask {
    Ask::post("/v1/session", &json!({"email": email, "password": password}))
}

fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[test]
fn a_sign_in_returns_the_owner() {
    let instance = TestServer::start();
    let answer = instance.bare(&sign_in(EMAIL, PASSWORD));
    let signed_in = answer.expect(201);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("keyhouse="), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{attribute} is missing: {cookie}");
    }
    // On a plain http public_url a browser would not send a Secure cookie back.
    assert!(!cookie.contains("Secure"), "{cookie}");
    assert!(!answer.body.contains(cookie.split(['=', ';']).nth(1).unwrap()));
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    let me =
        instance.bare(&Ask::get("/v1/session").header("Cookie", &cookie_of(&answer))).expect(200);
    for field in ["user", "organization", "permissions"] {
        assert_eq!(me[field], signed_in[field], "{field}");
    }
    assert_shape!("new_session", &signed_in);
    assert_shape!("session", &me);
    assert!(!me.to_string().contains("argon2"), "{me}");
}

/// The page can show users who may not read the organization's settings why they cannot create
/// keys, and what is missing.
#[test]
fn a_session_returns_the_settings_that_apply_to_a_plain_user() {
    let instance = TestServer::start();
    let organization = instance.organization();
    instance.put_on_plan(&organization, "enterprise");
    let bo = instance.join("bo", "user");
    let blue = instance.team("Blue", "visible", &[&bo]);
    let black = instance.team("Black", "secret", &[&bo]);
    let gone = instance.team("Gone", "visible", &[&bo]);
    instance.team("Red", "visible", &[]);
    assert_eq!(instance.ask(&Ask::new("DELETE", &format!("/v1/teams/{gone}"))).status, 204);
    let who = |forwarded: &str| {
        let ask = Ask::get("/v1/session").header("X-Forwarded-For", forwarded);
        instance.ask_as(&bo, &ask).expect(200)
    };
    let me = who("192.0.2.7");
    let teams = json!([
        {"id": blue, "name": "Blue", "visibility": "visible"},
        {"id": black, "name": "Black", "visibility": "secret"},
    ]);
    assert_eq!(me["user"]["teams"], teams);
    assert_eq!(instance.ask_as(&bo, &Ask::get("/v1/me")).expect(200)["teams"], teams);
    assert_eq!((&me["user"]["locale"], &me["user"]["totp"]), (&Value::Null, &json!(false)));
    // The client's address as Keyhouse sees it, for the networks of a key; null if the address is
    // unknown.
    assert_eq!(me["address"], "192.0.2.7");
    assert_eq!(who("somewhere")["address"], Value::Null);
    let features = json!({"api_access": true, "teams": true, "multiple_teams": true});
    let reported = json!({
        "id": organization, "name": me["organization"]["name"], "plan": "enterprise",
        "features": features, "subscription_status": "active", "api_access": true,
        "members_create_keys": true, "key_lifetime_days_max": null,
    });
    assert_eq!(me["organization"], reported);
    instance.ask_as(&bo, &Ask::get("/v1/organization")).problem(403, "permission_required");

    instance.ask_as(&bo, &Ask::patch("/v1/me", &json!({"locale": "fr"}))).expect(200);
    let bounds = json!({"members_create_keys": false, "key_lifetime_days_max": 30});
    instance.ask(&Ask::patch("/v1/organization", &bounds)).expect(200);
    let ended = json!({"status": "canceled"});
    let path = format!("/v1/organizations/{organization}/subscription");
    instance.ask(&Ask::patch(&path, &ended)).expect(200);
    let me = who("192.0.2.7");
    assert_eq!(me["user"]["locale"], "fr");
    for (field, value) in [
        ("members_create_keys", json!(false)),
        ("key_lifetime_days_max", json!(30)),
        ("subscription_status", json!("canceled")),
        ("api_access", json!(false)),
        ("features", features),
    ] {
        assert_eq!(me["organization"][field], value, "{field}: {me}");
    }
    assert!(!me["permissions"].as_array().unwrap().contains(&json!("keyhouse:keys:create")));
}

#[test]
fn sign_in_ignores_the_case_of_an_email_address() {
    let instance = TestServer::start();
    instance.bare(&sign_in("  ADA@Example.COM", PASSWORD)).expect(201);
}

#[test]
fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let instance = TestServer::start();
    let mut problems = Vec::new();
    for (email, password) in [
        (EMAIL, "correct horse battery stapl"),
        (EMAIL, "Correct horse battery staple"),
        (EMAIL, ""),
        ("unknown@example.com", PASSWORD),
    ] {
        let answer = instance.bare(&sign_in(email, password));
        let mut problem = answer.problem(401, "sign_in_failed");
        assert!(answer.header("set-cookie").is_none());
        problem.as_object_mut().unwrap().remove("request_id");
        problems.push(problem);
    }
    problems.dedup();
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn a_signed_out_cookie_is_rejected() {
    let instance = TestServer::start();
    let cookie = cookie_of(&instance.bare(&sign_in(EMAIL, PASSWORD)));
    let with = |ask: Ask| instance.bare(&ask.header("Cookie", &cookie));
    with(Ask::get("/v1/keys")).expect(200);
    assert_eq!(with(Ask::new("DELETE", "/v1/session")).status, 204);
    with(Ask::get("/v1/keys")).problem(401, "session_ended");
    with(Ask::get("/v1/session")).problem(401, "session_ended");
    // The other session of the same person stays active.
    instance.ask(&Ask::get("/v1/session")).expect(200);
}

#[test]
fn requests_without_a_session_are_rejected() {
    let instance = TestServer::start();
    for path in ["/v1/session", "/v1/keys"] {
        let answer = instance.bare(&Ask::get(path));
        answer.problem(401, "NO_CREDENTIAL");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        assert!(!challenge.contains("error="), "{challenge}");
    }
}

#[test]
fn a_cookie_that_was_never_issued_is_rejected() {
    let instance = TestServer::start();
    let good = instance.cookie().to_owned();
    let (name, value) = good.split_once('=').unwrap();
    let other_case: String = value
        .chars()
        .map(|it| if it.is_lowercase() { it.to_ascii_uppercase() } else { it.to_ascii_lowercase() })
        .collect();
    let (ended, doubled) = ((401, "session_ended"), (400, "doubled_credential"));
    for (claim, cookie, (status, code)) in [
        ("cut short", format!("{name}={}", value.get(1..).unwrap()), ended),
        ("longer", format!("{name}={value}A"), ended),
        ("other case", format!("{name}={other_case}"), ended),
        ("empty", format!("{name}="), ended),
        ("huge", format!("{name}={}", "A".repeat(8_000)), ended),
        ("two of them, the good one first", format!("{good}; {name}=AAAA"), doubled),
        ("two of them, the good one last", format!("{name}=AAAA; {good}"), doubled),
        ("the other name", format!("__Host-keyhouse={value}"), (401, "NO_CREDENTIAL")),
    ] {
        let answer = instance.bare(&Ask::get("/v1/session").header("Cookie", &cookie));
        assert_eq!((answer.status, &*answer.code()), (status, code), "{claim}");
        answer.problem(status, code);
    }
    let two_lines = Ask::get("/v1/session").header("Cookie", &good).header("Cookie", "a=b");
    instance.bare(&two_lines).problem(400, "doubled_header");
}

/// The origin headers of a request by a browser, and whether the request may change anything.
#[test]
fn another_site_cannot_use_the_session_of_a_browser() {
    let instance = TestServer::start();
    let own = format!("http://{}", instance.address());
    let cases: [(&str, &[(&str, &str)], bool); 8] = [
        ("same origin", &[("Sec-Fetch-Site", "same-origin")], true),
        ("typed by the user", &[("Sec-Fetch-Site", "none")], true),
        ("another site", &[("Sec-Fetch-Site", "cross-site")], false),
        ("a sister site", &[("Sec-Fetch-Site", "same-site")], false),
        ("a word of tomorrow", &[("Sec-Fetch-Site", "friendly")], false),
        ("own origin, old browser", &[("Origin", &own)], true),
        ("foreign origin", &[("Origin", "http://evil.example")], false),
        ("no origin to speak of", &[("Origin", "null")], false),
    ];
    for (claim, headers, allowed) in cases {
        let add = |ask: Ask| headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let body = json!({"name": claim});
        let created = instance.ask(&add(Ask::post("/v1/keys", &body)));
        let signed_in = instance.bare(&add(sign_in(EMAIL, PASSWORD)));
        if allowed {
            created.expect(201);
            signed_in.expect(201);
        } else {
            created.problem(403, "cross_site");
            signed_in.problem(403, "cross_site");
        }
        // Reading does not need a matching origin.
        instance.ask(&add(Ask::get("/v1/session"))).expect(200);
    }
    let names = instance.ask(&Ask::get("/v1/keys?limit=100")).expect(200);
    assert_eq!(names["items"].as_array().unwrap().len(), 3, "{names}");
}

#[test]
fn a_session_under_another_host_is_rejected() {
    let instance = TestServer::start();
    let port = instance.address().port();
    for (host, served) in [
        (format!("127.0.0.1:{port}"), true),
        (format!("localhost:{port}"), true),
        (format!("[::1]:{port}"), true),
        (format!("LOCALHOST:{port}"), true),
        (format!("evil.example:{port}"), false),
        ("evil.example".to_owned(), false),
        (format!("127.0.0.1.evil.example:{port}"), false),
        (format!("localhost.evil.example:{port}"), false),
    ] {
        let answer = instance.ask(&Ask::get("/v1/session").header("Host", &host));
        if served {
            answer.expect(200);
        } else {
            let problem = answer.problem(421, "misdirected_request");
            assert!(problem.to_string().contains("--public-url"), "{problem}");
            instance
                .bare(&sign_in(EMAIL, PASSWORD).header("Host", &host))
                .problem(421, "misdirected_request");
        }
    }
}

#[test]
fn a_session_together_with_a_key_is_rejected() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "both"}));
    let answer = instance.ask(&Ask::get("/v1/keys").bearer(&made.secret));
    answer.problem(400, "doubled_credential");
}

#[test]
fn a_session_survives_a_restart_of_the_server() {
    let mut instance = TestServer::start();
    let before = instance.ask(&Ask::get("/v1/session")).expect(200);
    instance.restart();
    let after = instance.ask(&Ask::get("/v1/session")).expect(200);
    assert_eq!(before["user"], after["user"]);
}

#[test]
fn the_twenty_first_session_of_a_user_ends_the_oldest() {
    let instance = TestServer::start();
    let cookies: Vec<_> = (0..21)
        .map(|_| {
            let answer = instance.bare(&sign_in(EMAIL, PASSWORD));
            answer.expect(201);
            cookie_of(&answer)
        })
        .collect();
    let status =
        |cookie: &str| instance.bare(&Ask::get("/v1/session").header("Cookie", cookie)).status;
    assert_eq!(status(&cookies[0]), 401);
    assert_eq!(status(&cookies[1]), 200);
    assert_eq!(status(&cookies[20]), 200);
}
