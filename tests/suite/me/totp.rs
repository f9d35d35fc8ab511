//! `/v1/me/totp`: the second factor, none of whose codes works twice.

use std::thread;

use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::ask::{Ask, Expect};
use crate::deadlines::seconds_since_1970;
use crate::server::Session;
use crate::server::wire::Answer;
use crate::session::sign_in::assert_failed_or_throttled;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// A user's second factor: the app's seed and the backup codes.
pub(crate) struct Factor {
    pub(crate) seed: String,
    pub(crate) backup: Vec<String>,
}

impl Factor {
    /// Returns the code of the given number of steps after now. Tests use only the current and the
    /// next code, which the server accepts at any second.
    pub(crate) fn code(&self, steps_ahead: u64) -> String {
        code_of(&self.seed, steps_ahead)
    }
}

/// Returns the code of a seed, the given number of steps after now.
pub(crate) fn code_of(seed: &str, steps_ahead: u64) -> String {
    let secret = Secret::try_from_base32(seed).unwrap();
    let totp = Builder::new().with_secret(secret).build().unwrap();
    totp.generate(seconds_since_1970() + 30 * steps_ahead).to_string()
}

fn begin(instance: &TestServer) -> Value {
    instance.ask(&Ask::post("/v1/me/totp", &json!({"current_password": PASSWORD}))).expect(201)
}

fn confirm(instance: &TestServer, code: &str) -> Answer {
    instance.ask(&Ask::post("/v1/me/totp", &json!({"code": code})))
}

pub(crate) fn set_up(instance: &TestServer) -> Factor {
    let begun = begin(instance);
    let mut factor =
        Factor { seed: begun["secret"].as_str().unwrap().to_owned(), backup: Vec::new() };
    let confirmed = confirm(instance, &factor.code(0)).expect(200);
    let codes = confirmed["backup_codes"].as_array().unwrap();
    factor.backup = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    factor
}

pub(crate) fn sign_in(instance: &TestServer, code: &str) -> Answer {
    let body = json!({"email": EMAIL, "password": PASSWORD, "code": code});
    instance.bare(&Ask::post("/v1/session", &body))
}

fn remove(instance: &TestServer, password: &str, code: &str) -> Answer {
    let body = json!({"current_password": password, "code": code});
    instance.ask(&Ask::new("DELETE", "/v1/me/totp").json(&body))
}

#[test]
fn a_factor_can_be_begun_confirmed_used_and_removed() {
    let instance = TestServer::start();
    let other = Session::sign_in(instance.address(), EMAIL, PASSWORD);
    let begun = begin(&instance);
    let url = begun["url"].as_str().unwrap();
    assert!(url.starts_with("otpauth://totp/Keyhouse:ada%40example.com?secret="), "{url}");
    let rows = begun["modules"].as_array().unwrap();
    let fits = |row: &Value| {
        let row = row.as_str().unwrap();
        row.len() == rows.len() && row.bytes().all(|byte| matches!(byte, b'0' | b'1'))
    };
    assert!(rows.len() >= 21 && rows.iter().all(fits), "{rows:?}");
    assert!(rows[0].as_str().unwrap().starts_with("11111110"), "a finder pattern");

    // An unconfirmed second factor has no effect, and sign-in does not require its code.
    Session::sign_in(instance.address(), EMAIL, PASSWORD);
    let me = |field: &str| instance.ask(&Ask::get("/v1/me")).expect(200)[field].clone();
    assert_eq!(me("totp"), json!(false));
    let wrong = confirm(&instance, "000000").problem(400, "invalid_input");
    assert_eq!(wrong["errors"][0]["pointer"], "/code");

    let factor = set_up(&instance);
    assert_ne!(
        Some(factor.seed.as_str()),
        begun["secret"].as_str(),
        "each set-up has a new secret"
    );
    assert_eq!(factor.backup.len(), 8);
    assert_eq!(me("totp"), json!(true));
    assert_eq!(other.ask("GET", "/v1/me", &Value::Null).status, 401, "other sessions end");
    for again in [json!({"current_password": PASSWORD}), json!({"code": factor.code(1)})] {
        instance.ask(&Ask::post("/v1/me/totp", &again)).problem(409, "totp_already_on");
    }

    let body = json!({"email": EMAIL, "password": PASSWORD});
    instance.bare(&Ask::post("/v1/session", &body)).problem(401, "code_required");
    let body = json!({"email": EMAIL, "password": "not the password at all"});
    instance.bare(&Ask::post("/v1/session", &body)).problem(401, "sign_in_failed");
    sign_in(&instance, &factor.code(1)).expect(201);

    remove(&instance, "not my password", &factor.backup[0]).problem(400, "invalid_input");
    let wrong = remove(&instance, PASSWORD, "123").problem(400, "invalid_input");
    assert_eq!(wrong["errors"][0]["pointer"], "/code");
    assert_eq!(remove(&instance, PASSWORD, &factor.backup[0]).status, 204);
    remove(&instance, PASSWORD, &factor.backup[1]).problem(404, "not_found");
    Session::sign_in(instance.address(), EMAIL, PASSWORD);
}

#[test]
fn a_code_and_a_backup_code_work_once_even_after_a_restart() {
    let mut instance = TestServer::start();
    let factor = set_up(&instance);
    // The code that confirmed the second factor is used up too.
    sign_in(&instance, &factor.code(0)).problem(401, "sign_in_failed");
    let code = factor.code(1);
    sign_in(&instance, &code).expect(201);
    sign_in(&instance, &code).problem(401, "sign_in_failed");
    sign_in(&instance, &factor.backup[0]).expect(201);
    sign_in(&instance, &factor.backup[0]).problem(401, "sign_in_failed");
    for stop in [TestServer::stop as fn(&mut TestServer), TestServer::kill] {
        stop(&mut instance);
        instance.restart();
        sign_in(&instance, &code).problem(401, "sign_in_failed");
        sign_in(&instance, &factor.code(0)).problem(401, "sign_in_failed");
        sign_in(&instance, &factor.backup[0]).problem(401, "sign_in_failed");
    }
    sign_in(&instance, &factor.backup[1].to_uppercase().replace('-', "")).expect(201);
}

#[test]
fn of_concurrent_uses_of_one_code_exactly_one_succeeds() {
    for code in [|factor: &Factor| factor.code(1), |factor: &Factor| factor.backup[3].clone()] {
        let instance = TestServer::start();
        let factor = set_up(&instance);
        let code = code(&factor);
        let answers: Vec<Answer> = thread::scope(|scope| {
            let tries: Vec<_> =
                (0..32).map(|_| scope.spawn(|| sign_in(&instance, &code))).collect();
            tries.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let (successes, refusals): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == 201);
        assert_eq!(successes.len(), 1, "{answers:?}");
        refusals.into_iter().for_each(assert_failed_or_throttled);
        let sessions = instance.ask(&Ask::get("/v1/sessions")).expect(200);
        assert_eq!(sessions["items"].as_array().unwrap().len(), 2, "{sessions}");
    }
}

/// An attacker who knows the password must not get more attempts at the code by sending the
/// password without a code.
#[test]
fn guesses_of_codes_are_throttled_like_passwords() {
    let instance = TestServer::start();
    set_up(&instance);
    let password_alone = json!({"email": EMAIL, "password": PASSWORD});
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(sign_in(&instance, "000000").status);
        instance.bare(&Ask::post("/v1/session", &password_alone));
    }
    assert!(statuses.starts_with(&[401; 5]), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
}

/// An open session and the user's password do not permit unlimited guesses at the second factor.
#[test]
fn guesses_of_codes_are_throttled_in_a_session() {
    let proof = json!({"current_password": PASSWORD, "code": "000000"});
    let address =
        json!({"email": "ada@new.example", "current_password": PASSWORD, "code": "000000"});
    for ask in [
        Ask::patch("/v1/me", &address),
        Ask::post("/v1/me/totp/backup-codes", &proof),
        Ask::new("DELETE", "/v1/me/totp").json(&proof),
    ] {
        let instance = TestServer::start();
        set_up(&instance);
        let mut guesses = 0;
        let refused = loop {
            let answer = instance.ask(&ask);
            if answer.status == 429 || guesses >= 20 {
                break answer;
            }
            let problem = answer.problem(400, "invalid_input");
            assert_eq!(problem["errors"][0]["code"], "wrong_code", "{problem}");
            guesses += 1;
        };
        refused.problem(429, "too_many_attempts");
        assert!(guesses >= 5, "{guesses}");
    }
}

#[test]
fn a_factor_allows_a_short_password_and_then_cannot_be_removed() {
    let instance = TestServer::start();
    let short = "kx7 pa2q";
    let change = json!({"password": short, "current_password": PASSWORD});
    instance.ask(&Ask::patch("/v1/me", &change)).problem(400, "invalid_input");
    let factor = set_up(&instance);
    let answer = instance.ask(&Ask::patch("/v1/me", &change));
    answer.expect(200);
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap();
    let with = |ask: Ask| instance.bare(&ask.header("Cookie", cookie));
    let removal = json!({"current_password": short, "code": factor.backup[0]});
    let remove = || with(Ask::new("DELETE", "/v1/me/totp").json(&removal));
    let problem = remove().problem(409, "password_too_short");
    assert!(problem["detail"].as_str().unwrap().contains("15"), "{problem}");
    let long = json!({"password": "a longer walk in the snow", "current_password": short});
    let answer = with(Ask::patch("/v1/me", &long));
    answer.expect(200);
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap();
    let removal =
        json!({"current_password": "a longer walk in the snow", "code": factor.backup[0]});
    let ask = Ask::new("DELETE", "/v1/me/totp").json(&removal).header("Cookie", cookie);
    assert_eq!(instance.bare(&ask).status, 204);
}

/// In an earlier version, used backup codes could be replaced only by removing the second factor.
#[test]
fn backup_codes_can_be_renewed_and_their_number_is_returned() {
    let instance = TestServer::start();
    let left = || instance.ask(&Ask::get("/v1/me")).expect(200)["backup_codes_left"].clone();
    let renew = |password: &str, code: &str| {
        let body = json!({"current_password": password, "code": code});
        instance.ask(&Ask::post("/v1/me/totp/backup-codes", &body))
    };
    assert_eq!(left(), Value::Null);
    renew(PASSWORD, "123456").problem(404, "not_found");
    let factor = set_up(&instance);
    assert_eq!(left(), 8);
    sign_in(&instance, &factor.backup[0]).expect(201);
    assert_eq!(left(), 7);
    for (password, code, pointer) in [
        ("not my password", &*factor.backup[1], "/current_password"),
        (PASSWORD, &*factor.backup[0], "/code"),
    ] {
        let problem = renew(password, code).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_eq!(left(), 7, "what failed used nothing up");
    let renewed = renew(PASSWORD, &factor.backup[1]).expect(200);
    let renewed = renewed["backup_codes"].as_array().unwrap();
    assert_eq!((renewed.len(), left()), (8, json!(8)));
    sign_in(&instance, &factor.backup[2]).problem(401, "sign_in_failed");
    sign_in(&instance, renewed[0].as_str().unwrap()).expect(201);
}

#[test]
fn no_event_and_no_log_holds_a_seed_a_code_or_a_password() {
    let mut instance = TestServer::start();
    let factor = set_up(&instance);
    sign_in(&instance, &factor.backup[0]).expect(201);
    let change = json!({"password": "a longer walk in the snow", "current_password": PASSWORD});
    let answer = instance.ask(&Ask::patch("/v1/me", &change));
    answer.expect(200);
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let with = |ask: Ask| instance.bare(&ask.header("Cookie", &cookie));
    let removal =
        json!({"current_password": "a longer walk in the snow", "code": factor.backup[1]});
    assert_eq!(with(Ask::new("DELETE", "/v1/me/totp").json(&removal)).status, 204);
    let events = with(Ask::get("/v1/audit?limit=100")).expect(200).to_string();
    for action in ["totp.begin", "totp.enable", "totp.disable", "user.update", "session.begin"] {
        assert!(events.contains(action), "{action}: {events}");
    }
    let said = instance.server().log().tail();
    let codes = factor.backup.iter().map(String::as_str);
    let token = cookie.split('=').nth(1).unwrap();
    for secret in codes.chain([factor.seed.as_str(), "in the snow", PASSWORD, token]) {
        assert!(!events.contains(secret) && !said.contains(secret), "{events} {said}");
    }
    instance.stop();
}

#[test]
fn input_that_is_neither_password_nor_code_is_rejected() {
    let instance = TestServer::start();
    for (fields, pointer) in [
        (json!({}), "/current_password"),
        (json!({"code": "123456", "current_password": PASSWORD}), "/code"),
        (json!({"code": 123_456}), "/code"),
        (json!({"current_password": PASSWORD, "secret": "x"}), "/secret"),
        (json!({"current_password": "not my password"}), "/current_password"),
    ] {
        let problem =
            instance.ask(&Ask::post("/v1/me/totp", &fields)).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    confirm(&instance, "123456").problem(409, "totp_not_begun");
    remove(&instance, PASSWORD, "123456").problem(404, "not_found");
}
