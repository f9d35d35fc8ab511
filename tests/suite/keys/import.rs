//! `/v1/keys/import` and `keyhouse import` add keys of other systems. A request is applied
//! completely or not at all.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::ask::{Ask, Expect, losers};
use crate::server::BINARY;
use crate::server::wire::Answer;
use crate::shape::assert_shape;
use crate::test_server::{EMAIL, TestServer};

pub(crate) const PATH: &str = "/v1/keys/import";

pub(crate) fn import(instance: &TestServer, body: &Value) -> Answer {
    instance.ask(&Ask::post(PATH, body))
}

pub(crate) fn imported(instance: &TestServer, keys: &Value) -> Vec<Value> {
    let reported = import(instance, &json!({"keys": keys})).expect(201);
    reported["keys"].as_array().unwrap().clone()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(crate) fn sha256(text: &str) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}

pub(crate) fn blake3_of(text: &str) -> Vec<u8> {
    blake3::hash(text.as_bytes()).as_bytes().to_vec()
}

/// A key in the format of another system: 44 characters of base64.
pub(crate) fn foreign(number: u64) -> String {
    STANDARD.encode(blake3::hash(&number.to_be_bytes()).as_bytes())
}

pub(crate) fn faults(answer: &Answer) -> Vec<(String, String)> {
    let problem = answer.problem(400, "invalid_input");
    let text = |fault: &Value, name: &str| fault[name].as_str().unwrap().to_owned();
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|fault| (text(fault, "pointer"), text(fault, "code"))).collect()
}

#[test]
fn an_imported_key_passes_every_check_like_a_native_key() {
    let mut instance = TestServer::start();
    let names = ["diagrams:read", "keyhouse:keys:read", "keyhouse:keys:verify"];
    let text: Vec<String> = (0..9).map(foreign).collect();
    let by = |algorithm: &str, digest: String| json!({"algorithm": algorithm, "digest": digest});
    let mut lines = vec![
        by("sha256", hex(&sha256(&text[0]))),
        by("sha256", hex(&sha256(&text[1])).to_uppercase()),
        by("sha256", STANDARD.encode(sha256(&text[2]))),
        by("sha256", STANDARD_NO_PAD.encode(sha256(&text[3]))),
        by("sha256", URL_SAFE.encode(sha256(&text[4]))),
        by("sha256", URL_SAFE_NO_PAD.encode(sha256(&text[5]))),
        by("blake3", hex(&blake3_of(&text[6]))),
        by("blake3", URL_SAFE_NO_PAD.encode(blake3_of(&text[7]))),
        json!({"key": text[8]}),
    ];
    for line in &mut lines {
        line["permissions"] = json!(names);
    }
    let keys = imported(&instance, &json!(lines));
    for round in ["at once", "after a restart"] {
        for (key, secret) in keys.iter().zip(&text) {
            let id = key["id"].as_str().unwrap();
            let claim = format!("{round}: {}", key["hint"]);
            let me = instance.bare(&Ask::get("/v1/whoami").bearer(secret)).expect(200);
            assert_eq!(me["key"]["id"], id, "{claim}");
            assert_eq!(instance.verify(secret)["code"], "VALID", "{claim}");
            for (name, value) in [
                ("Authorization", format!("Bearer {secret}")),
                ("Authorization", format!("Basic {}", STANDARD.encode(format!("u:{secret}")))),
                ("X-API-Key", secret.clone()),
                ("MC-Api-Key", secret.clone()),
            ] {
                let allowed = instance.bare(&Ask::forwarded().header(name, &value));
                assert_eq!(allowed.status, 200, "{claim}: {name}: {}", allowed.body);
                assert_eq!(allowed.header("x-keyhouse-key"), Some(id), "{claim}");
            }
            let shown =
                instance.bare(&Ask::get(&format!("/v1/keys/{id}")).bearer(secret)).expect(200);
            assert_eq!(
                (&shown["origin"], &shown["status"]),
                (&json!("imported"), &json!("active"))
            );
            assert!(shown["last_used"]["at"].is_string(), "{claim}: {shown}");
            let ask = json!({"key": secret, "permissions": "files:read"});
            let reported = instance.bare(&Ask::post("/v1/verify", &ask).bearer(secret)).expect(200);
            assert_eq!(reported["code"], "INSUFFICIENT_PERMISSIONS", "{claim}");
        }
        instance.restart();
        instance.sign_in();
    }
    for (key, secret) in keys.iter().zip(&text) {
        instance.act(key["id"].as_str().unwrap(), "revoke").expect(200);
        instance.bare(&Ask::forward_auth(secret)).problem(401, "REVOKED");
    }
    instance.bare(&Ask::forward_auth(&foreign(99))).problem(401, "NOT_FOUND");
    let revoke = Ask::new("POST", "/v1/whoami/revoke").bearer(&text[0]);
    assert_eq!(instance.bare(&revoke).status, 204);
}

#[test]
fn every_given_field_is_stored_unchanged() {
    let instance = TestServer::start();
    let me = instance.ask(&Ask::get("/v1/session")).expect(200)["user"]["id"].clone();
    let fields = json!({
        "name": "from the old system", "description": "What it is for.", "environment": "test",
        "permissions": ["diagrams:read", "files:*:list"], "hint": "sk_..Xy9z",
        "ip_rules": {"allow": ["10.0.0.0/8"], "deny": ["10.9.0.0/16"]},
        "rate_limits": [{"name": "burst", "limit": 5, "window_seconds": 10}],
        "metadata": {"ticket": "OPS-7"},
        "not_before": "2020-01-01T00:00:00.000Z", "expires_at": "2999-12-31T21:59:59.999Z",
    });
    let mut lines = Vec::new();
    for (number, owner) in [(0, Value::Null), (1, json!(EMAIL.to_uppercase())), (2, me.clone())] {
        let mut line = fields.clone();
        line["key"] = foreign(number).into();
        line["owner"] = owner;
        lines.push(line);
    }
    let keys = imported(&instance, &json!(lines));
    for (key, owner) in keys.iter().zip([Value::Null, me.clone(), me]) {
        for (field, value) in fields.as_object().unwrap() {
            assert_eq!(&key[field], value, "{field}");
        }
        assert_eq!(key["owner"], owner);
        assert_eq!(key["kind"], if owner.is_null() { "service" } else { "personal" });
        assert_eq!(
            &instance.key(key["id"].as_str().unwrap()),
            key,
            "the key that is read equals the key in the response"
        );
    }
    let past = json!({
        "key": foreign(9), "created_at": "2024-01-02T03:04:05.678Z",
        "last_used_at": "2025-01-02T03:04:05.678Z", "disabled": true,
    });
    let key = &imported(&instance, &json!([past]))[0];
    assert_eq!(
        (&key["created_at"], &key["secrets"][0]["created_at"], &key["last_used"]["at"]),
        (&past["created_at"], &past["created_at"], &past["last_used_at"])
    );
    instance.bare(&Ask::forward_auth(&foreign(9))).problem(401, "DISABLED");
    instance.act(key["id"].as_str().unwrap(), "enable").expect(200);
    assert_eq!(instance.bare(&Ask::forward_auth(&foreign(9))).status, 200);
    let oldest = instance.all_keys().last().unwrap()["id"].clone();
    assert_eq!(oldest, key["id"], "lists are in the order of creation");
    // An omitted field gets a default or stays empty.
    let bare = imported(
        &instance,
        &json!([
            {"key": foreign(3)},
            {"algorithm": "sha256", "digest": hex(&sha256("whatever it was, it is long"))},
        ]),
    );
    assert_eq!(bare[0]["hint"], foreign(3).chars().take(4).collect::<String>());
    assert_eq!(bare[1]["hint"], "imported");
    assert_ne!(bare[0]["name"], bare[1]["name"]);
}

#[test]
fn an_import_is_atomic_and_every_fault_names_its_line() {
    let instance = TestServer::start();
    let own = instance.create(&json!({"name": "ours"}));
    let good = json!({"key": foreign(1), "permissions": ["a:b"]});
    let secret = "not-a-key of ours, clé";
    let answer = import(
        &instance,
        &json!({"keys": [
            good,
            {"key": "short"},
            {"key": own.secret},
            {"key": own.secret.replace("kh_live_", "kh_life_")},
            {"key": secret},
            {"algorithm": "md5", "digest": hex(&[7; 32])},
            {"algorithm": "sha256", "digest": hex(&[7; 31])},
            {"digest": hex(&[7; 32])},
            {"algorithm": "sha256"},
            {},
            {"key": foreign(2), "algorithm": "sha256", "digest": hex(&[7; 32])},
            {"key": foreign(3), "hint": foreign(3)},
            {"key": foreign(4), "owner": "unknown@example.com"},
            {"key": foreign(5), "owner": "usr_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f"},
            {"key": foreign(6), "owner": "unknown"},
            {"key": foreign(7), "organization": "org_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f"},
            {"key": foreign(8), "expires_at": "2020-01-01T00:00:00Z"},
            {"key": foreign(9), "permissions": ["A"]},
            {"key": foreign(10), "secret": "x"},
            "text",
            {"key": foreign(11)},
            {"key": foreign(11)},
            {"algorithm": "blake3", "digest": hex(&blake3_of(&own.secret))},
            {"algorithm": "sha256", "digest": hex(&sha256(""))},
            {"algorithm": "blake3", "digest": hex(&blake3_of(""))},
            {"algorithm": "sha256", "digest": hex(&sha256("x")), "head": "17"},
            {"algorithm": "blake3", "digest": hex(&blake3_of("x")), "head": "17|"},
            {"key": foreign(12), "head": "17|"},
            {"algorithm": "sha256-part", "digest": hex(&sha256("x"))},
            {"algorithm": "sha256", "digest": hex(&sha256("")), "head": "17|"},
            {"key": foreign(13), "created_at": "2999-01-01T00:00:00Z"},
            {"key": foreign(14), "last_used_at": "1969-01-01T00:00:00Z"},
        ]}),
    );
    assert!(!answer.body.contains(&own.secret) && !answer.body.contains(secret), "{}", answer.body);
    let mut reported = faults(&answer);
    reported.sort();
    let mut expected: Vec<(String, String)> = [
        ("1/key", "invalid_key"),
        ("2/key", "own_shape"),
        ("3/key", "invalid_key"),
        ("4/key", "invalid_key"),
        ("5/algorithm", "invalid_algorithm"),
        ("6/digest", "invalid_digest"),
        ("7/digest", "required"),
        ("8/digest", "required"),
        ("9/digest", "required"),
        ("10/key", "contradiction"),
        ("11/hint", "invalid_hint"),
        ("12/owner", "not_found"),
        ("13/owner", "not_found"),
        ("14/owner", "invalid_owner"),
        ("15/organization", "not_found"),
        ("16/expires_at", "out_of_range"),
        ("17/permissions/0", "invalid_permission"),
        ("18/secret", "unknown_field"),
        ("19", "wrong_type"),
        ("21/key", "digest_taken"),
        ("22/digest", "digest_taken"),
        ("23/digest", "invalid_digest"),
        ("24/digest", "invalid_digest"),
        ("25/head", "invalid_head"),
        ("26/head", "contradiction"),
        ("27/key", "contradiction"),
        ("28/algorithm", "invalid_algorithm"),
        ("29/digest", "invalid_digest"),
        ("30/created_at", "out_of_range"),
        ("31/last_used_at", "out_of_range"),
    ]
    .map(|(pointer, code)| (format!("/keys/{pointer}"), code.to_owned()))
    .into();
    expected.sort();
    assert_eq!(reported, expected);
    assert_eq!(instance.all_keys().len(), 1, "nothing was taken over");
    instance.bare(&Ask::forward_auth(&foreign(1))).problem(401, "NOT_FOUND");
    assert_eq!(imported(&instance, &json!([good])).len(), 1, "and nothing is in the way");
}

#[test]
fn a_digest_is_unique_in_the_whole_instance() {
    let instance = TestServer::start();
    let text = foreign(1);
    let sha = json!({"algorithm": "sha256", "digest": hex(&sha256(&text))});
    let blake = json!({"algorithm": "blake3", "digest": hex(&blake3_of(&foreign(2)))});
    let id = imported(&instance, &json!([sha, blake]))[0]["id"].as_str().unwrap().to_owned();
    let taken = |line: &Value| faults(&import(&instance, &json!({"keys": [line]})));
    let at = |field: &str| vec![(format!("/keys/0/{field}"), "digest_taken".to_owned())];
    assert_eq!(taken(&sha), at("digest"));
    assert_eq!(taken(&blake), at("digest"));
    assert_eq!(taken(&json!({"key": foreign(2)})), at("key"));
    assert_eq!(taken(&json!({"key": text})), at("key"), "known by its SHA-256, it is the same key");
    // The same 32 bytes with another algorithm are another key.
    let other = json!({"algorithm": "blake3", "digest": hex(&sha256(&text))});
    imported(&instance, &json!([other]));
    // A rotated or revoked secret still belongs to its key: importing the same file again does not
    // restore the secret.
    for _ in 0..2 {
        instance.ask(&Ask::post(&format!("/v1/keys/{id}/rotate"), &json!({}))).expect(200);
        assert_eq!(taken(&sha), at("digest"));
    }
    instance.bare(&Ask::forward_auth(&text)).problem(401, "NOT_FOUND");
    instance.act(&id, "revoke").expect(200);
    assert_eq!(taken(&sha), at("digest"));
}

#[test]
fn of_concurrent_imports_of_one_digest_exactly_one_succeeds() {
    let instance = TestServer::start();
    let losers = losers(6, 201, |number| {
        let keys = json!([{"key": foreign(100)}, {"key": foreign(number as u64)}]);
        import(&instance, &json!({"keys": keys}))
    });
    for answer in losers {
        answer.problem(400, "invalid_input");
    }
    assert_eq!(instance.all_keys().len(), 2);
}

#[test]
fn a_dry_run_reports_the_result_and_changes_nothing() {
    let instance = TestServer::start();
    let keys = json!([{"key": foreign(1), "name": "one"}, {"key": foreign(2), "name": "two"}]);
    let body = json!({"keys": keys, "dry_run": true});
    for _ in 0..2 {
        assert_shape!("dry_run", &import(&instance, &body).expect(200));
        assert!(instance.all_keys().is_empty());
        instance.bare(&Ask::forward_auth(&foreign(1))).problem(401, "NOT_FOUND");
    }
    let reported = import(&instance, &json!({"keys": keys, "dry_run": false})).expect(201);
    assert_shape!("import", &reported);
    let expected = vec![("/keys/0/key".to_owned(), "digest_taken".to_owned())];
    assert_eq!(faults(&import(&instance, &json!({"keys": [keys[0]], "dry_run": true}))), expected);
}

#[test]
fn an_import_of_more_than_five_hundred_keys_is_rejected() {
    let instance = TestServer::start();
    let lines = |range: std::ops::Range<u64>| -> Vec<Value> {
        range.map(|number| json!({"key": foreign(number), "owner": EMAIL})).collect()
    };
    for keys in [json!([]), json!(lines(0..501)), json!({}), Value::Null] {
        let answer = import(&instance, &json!({"keys": keys}));
        assert!(faults(&answer).iter().all(|(pointer, _)| pointer == "/keys"), "{}", answer.body);
    }
    assert_eq!(imported(&instance, &json!(lines(0..500))).len(), 500);
    assert_eq!(instance.all_keys().len(), 500);
    let again = faults(&import(&instance, &json!({"keys": lines(0..500)})));
    assert_eq!(again.len(), 500, "every line has an error");
    let long = json!({"note": "x".repeat(4_000)});
    let large: Vec<_> =
        (500..760).map(|number| json!({"key": foreign(number), "metadata": long})).collect();
    assert!(json!({"keys": large}).to_string().len() > 1024 * 1024);
    import(&instance, &json!({"keys": large})).problem(413, "body_too_large");
    let fits = &large[..250];
    assert!(json!({"keys": fits}).to_string().len() < 1024 * 1024);
    let expected = vec![("/keys".to_owned(), "too_large".to_owned())];
    assert_eq!(
        faults(&import(&instance, &json!({"keys": fits}))),
        expected,
        "a step must fit a batch"
    );
    assert_eq!(imported(&instance, &json!(&large[..200])).len(), 200);
}

#[test]
fn rotating_an_imported_key_gives_it_a_native_secret() {
    let instance = TestServer::start();
    let line = json!({
        "algorithm": "sha256", "digest": hex(&sha256(&foreign(1))), "environment": "ci",
        "permissions": ["a:b"], "owner": EMAIL,
    });
    let key = imported(&instance, &json!([line]))[0].clone();
    let id = key["id"].as_str().unwrap();
    let ask = Ask::post(&format!("/v1/keys/{id}/rotate"), &json!({"overlap": "24h"}));
    let reported = instance.ask(&ask).expect(200);
    let new = reported["secret"].as_str().unwrap();
    assert!(new.starts_with("kh_ci_"), "{new}");
    assert_eq!(reported["key"]["origin"], "imported");
    assert_eq!(instance.verify(new)["key"]["id"], id);
    assert_eq!(instance.verify(&foreign(1))["key"]["id"], id);
    instance.ask(&Ask::post(&format!("/v1/keys/{id}/rotate"), &json!({}))).expect(200);
    assert_eq!(instance.verify(&foreign(1))["code"], "NOT_FOUND");
}

fn file_of(instance: &TestServer, name: &str, text: &str) -> String {
    let path = instance.home().folder().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn lines_of(range: std::ops::Range<u64>) -> String {
    let line = |number| json!({"key": foreign(number), "name": format!("n{number}")}).to_string();
    range.map(|number| line(number) + "\n").collect()
}

#[test]
fn the_command_reads_files_lists_and_stdin_in_batches() {
    let mut instance = TestServer::start();
    let file = file_of(&instance, "keys.jsonl", &format!("\n{}", lines_of(0..1_100)));
    let run = |instance: &TestServer, args: &[&str], stdin: &str| {
        let ended = instance.home().run_cli(&[&["import"], args].concat(), stdin);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    };
    let reported = run(&instance, &[&file, "--dry-run"], "");
    assert_eq!(reported, "1100 would be imported, 0 already exist\n");
    assert!(instance.all_keys().is_empty());
    let reported: Value = serde_json::from_str(&run(&instance, &[&file, "--json"], "")).unwrap();
    let expected = json!({"dry_run": false, "imported": 1_100, "skipped": 0, "next": 1_102});
    assert_eq!(reported, expected);
    assert_eq!(instance.all_keys().len(), 1_100);
    assert_eq!(run(&instance, &[&file], ""), "0 imported, 1100 already exist\n");
    assert_eq!(run(&instance, &["-"], &lines_of(1_099..1_102)), "2 imported, 1 already exist\n");
    let list = format!("[{}]", lines_of(1_102..1_105).trim_end().replace('\n', ","));
    assert_eq!(run(&instance, &["-", "--from", "2"], &list), "2 imported, 0 already exist\n");
    instance.stop();
    // Import directly into the store, without a running server.
    let reported = run(&instance, &["-"], &lines_of(1_102..1_104));
    assert_eq!(reported, "1 imported, 1 already exist\n");
    instance.restart();
    instance.sign_in();
    assert_eq!(instance.verify(&foreign(1_102))["code"], "VALID");
}

#[test]
fn the_command_reports_errors_and_its_position_without_secrets() {
    let instance = TestServer::start();
    let run = |text: &str| instance.home().run_cli(&["import", "-"], text);
    let secret = "s3cr3t-0123456789abcdef0123456789";
    for (claim, text, code, word) in [
        ("no JSON", format!("{}{secret}\n", lines_of(0..2)), 2, "line 3"),
        ("no object", format!("\"{secret}\"\n"), 2, "line 1"),
        ("no list", format!("[{{\"key\": \"{secret}\"}}, {secret}]"), 2, "line 1"),
    ] {
        let ended = run(&text);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{claim}: {ended:?}");
        assert!(ended.stderr.contains(word), "{claim}: {ended:?}");
        assert!(!ended.stderr.contains(secret), "{claim}: {ended:?}");
        assert!(instance.all_keys().is_empty(), "{claim}: nothing is sent of what does not read");
    }
    let wrong = json!({"key": foreign(900), "owner": "unknown@example.com"});
    let ended = run(&format!("{}{wrong}\n{}", lines_of(0..600), lines_of(600..610)));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for words in ["line 601: owner: user not found", "--from 501"] {
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
    assert_eq!(instance.all_keys().len(), 500, "the step before is done, this one not at all");

    let missing = instance.home().run_cli(&["import", "nowhere.jsonl"], "");
    assert_eq!(missing.code, Some(1), "{missing:?}");
    let key = instance.create(&json!({"name": "weak", "kind": "service", "permissions": ["a:b"]}));
    let file = file_of(&instance, "keys.jsonl", &lines_of(0..1));
    let mut far = instance.home().command(BINARY);
    far.args(["import", &file]);
    far.env("KEYHOUSE_URL", instance.server().url()).env("KEYHOUSE_KEY", &key.secret);
    let denied = crate::server::run(far, b"");
    assert_eq!(denied.code, Some(4), "{denied:?}");
    assert!(denied.stderr.contains("keyhouse:instance:import"), "{denied:?}");
}

#[test]
fn a_killed_import_resumes_where_it_stopped() {
    const KEYS: usize = 3_000;
    let instance = TestServer::start();
    let file = file_of(&instance, "keys.jsonl", &lines_of(0..KEYS as u64));
    let mut command: Command = instance.home().command(BINARY);
    command.args(["import", &file, "--data"]).arg(instance.home().data());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = instance.connect();
    let has_begun = (0..100_000).any(|_| {
        let page = line.ask(&instance.as_owner(Ask::get("/v1/keys?limit=1"))).expect(200);
        page["items"].as_array().is_some_and(|items| !items.is_empty())
    });
    assert!(has_begun);
    child.kill().unwrap();
    child.wait().unwrap();
    let there = instance.all_keys().len();
    let ended = instance.home().run_cli(&["import", &file, "--json"], "");
    let reported: Value = serde_json::from_str(&ended.stdout).unwrap();
    let skipped = usize::try_from(reported["skipped"].as_u64().unwrap()).unwrap();
    // The batch in flight when the command was killed may have been applied afterwards.
    assert!(skipped.is_multiple_of(500) && skipped > 0 && skipped >= there, "{there}: {ended:?}");
    assert_eq!(reported["imported"], KEYS - skipped, "{ended:?}");
    assert_eq!(instance.all_keys().len(), KEYS);
}
