//! `keyhouse import --from SYSTEM` takes the keys of another system's export. The files in `exports`
//! have the documented forms of these systems. The keys are invented.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ask::Expect;
use crate::gates::forwarded;
use crate::server::{BINARY, Ended, run};
use crate::shape::assert_shape;
use crate::test_server::TestServer;

const DOCUMENTS: (&str, &str, &str) = ("GET", "shop.example.com", "/documents/1");
const ELSEWHERE: (&str, &str, &str) = ("GET", "shop.example.com", "/health");

/// How a command reaches the instance.
#[derive(Clone, Copy, Debug)]
enum Way {
    Socket,
    Store,
    Remote,
}

const WAYS: [Way; 3] = [Way::Socket, Way::Store, Way::Remote];

/// An instance with a gate, of which one route requires a permission.
fn instance() -> TestServer {
    let instance = TestServer::start();
    let routes =
        json!([{"path": "/documents/*", "permissions": "documents:read"}, {"path": "/**"}]);
    instance.gate("shop", &json!({ "routes": routes }));
    instance
}

fn export(name: &str) -> String {
    format!("{}/tests/suite/keys/exports/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn command(instance: &mut TestServer, way: Way, args: &[&str]) -> Ended {
    let args = [&["import"], args].concat();
    match way {
        Way::Socket => instance.home().run_cli(&args, ""),
        Way::Store => {
            instance.stop();
            let ended = instance.home().run_cli(&args, "");
            instance.restart();
            instance.sign_in();
            ended
        },
        Way::Remote => {
            let name = format!("importer {}", instance.all_keys().len());
            let importer = instance.create(&json!({
                "name": name, "kind": "service",
                "permissions": ["*", "keyhouse:*", "keyhouse:instance:import"],
            }));
            let mut far = instance.home().command(BINARY);
            far.args(&args);
            far.env("KEYHOUSE_URL", instance.server().url()).env("KEYHOUSE_KEY", &importer.secret);
            let ended = run(far, b"");
            instance.act(&importer.id, "revoke").expect(200);
            ended
        },
    }
}

/// The imported keys by name, without the fields that differ between runs.
fn imported_keys(instance: &TestServer) -> Vec<Value> {
    let mut keys = instance.all_keys();
    keys.retain(|key| key["origin"] == "imported");
    for key in &mut keys {
        let fields = key.as_object_mut().unwrap();
        for same in [
            "id",
            "created_by",
            "created_by_name",
            "description",
            "not_before",
            "origin",
            "owner",
            "revoked_at",
            "revoked_reason",
            "rotation_advised",
            "secrets",
            "teams",
            "updated_at",
            "version",
        ] {
            fields.remove(same);
        }
        // A key without a name gets a random one.
        if fields["name"].as_str().is_some_and(|name| name.split('-').count() == 3) {
            fields["name"] = "[generated]".into();
        }
    }
    keys.sort_by_key(|key| key["name"].to_string());
    keys
}

/// Previews the import, imports, and imports again. Returns what the command reported and the keys.
fn moved(instance: &mut TestServer, way: Way, from: &str, file: &str) -> Value {
    let file = export(file);
    let keys_before = imported_keys(instance);
    let dry = command(instance, way, &["--from", from, &file, "--dry-run"]);
    assert_eq!(imported_keys(instance), keys_before, "a dry run changes nothing");
    let first = command(instance, way, &["--from", from, &file, "--json"]);
    let keys = imported_keys(instance);
    let again = command(instance, way, &["--from", from, &file, "--json"]);
    assert_eq!(imported_keys(instance), keys, "a second run changes nothing");
    assert_eq!((first.code, again.code, dry.code), (Some(1), Some(1), Some(1)), "{first:?}");
    let [first, again]: [Value; 2] =
        [first, again].map(|ended| serde_json::from_str(&ended.stdout).unwrap());
    assert_eq!((&again["imported"], &again["skipped"]), (&json!(0), &first["imported"]));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    json!({
        "dry_run": {"stdout": lines(&dry.stdout), "stderr": lines(&dry.stderr)},
        "report": first,
        "keys": keys,
    })
}

/// The outcomes of these texts at the gate: for the route that requires a permission, and for the
/// route that requires none.
fn outcomes(instance: &TestServer, texts: &[&str]) -> Vec<(String, String)> {
    let outcome = |text: &str, wanted| {
        let answer = instance.bare(&forwarded("shop", wanted).bearer(text));
        let code = answer.header("x-keyhouse-code").unwrap_or("VALID");
        format!("{} {code}", answer.status)
    };
    texts.iter().map(|text| (outcome(text, DOCUMENTS), outcome(text, ELSEWHERE))).collect()
}

fn expected(outcomes: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
    outcomes.iter().map(owned).collect()
}

const UNKNOWN: (&str, &str) = ("401 NOT_FOUND", "401 NOT_FOUND");
const DISABLED: (&str, &str) = ("401 DISABLED", "401 DISABLED");
/// A key without permissions passes only routes that require none.
const WITHOUT_PERMISSIONS: (&str, &str) = ("403 INSUFFICIENT_PERMISSIONS", "200 VALID");

fn unkey_text(name: &str) -> String {
    format!("shop_live_{name}_3ZHfeYgkmq2X5tRv")
}

#[test]
fn keys_of_unkey_work_through_a_gate() {
    let mut instance = instance();
    let moved = moved(&mut instance, Way::Socket, "unkey", "unkey.json");
    assert_shape!("from_unkey", &moved);
    let texts = ["full", "disabled", "expired", "oneoff", "nohash", "recoverable", "slow"];
    let texts = texts.map(unkey_text);
    let texts = texts.each_ref().map(String::as_str);
    assert_eq!(
        outcomes(&instance, &texts),
        expected(&[
            ("200 VALID", "200 VALID"),
            DISABLED,
            UNKNOWN,
            UNKNOWN,
            UNKNOWN,
            WITHOUT_PERMISSIONS,
            UNKNOWN,
        ])
    );
    let third = outcomes(&instance, &texts[..1]);
    assert_eq!(third, expected(&[("429 RATE_LIMITED", "429 RATE_LIMITED")]), "2 calls a minute");
}

#[test]
fn rows_of_unkeys_table_are_keys_too() {
    let mut instance = instance();
    let moved = moved(&mut instance, Way::Store, "unkey", "unkey-table.jsonl");
    assert_shape!("from_unkey_table", &moved);
    let texts = ["row", "deleted"].map(unkey_text);
    let texts = texts.each_ref().map(String::as_str);
    assert_eq!(outcomes(&instance, &texts), expected(&[WITHOUT_PERMISSIONS, UNKNOWN]));
}

#[test]
fn keys_of_kong_work_through_a_gate() {
    let mut instance = instance();
    let moved = moved(&mut instance, Way::Store, "kong", "kong.yaml");
    assert_shape!("from_kong", &moved);
    let texts = [
        "zVrT7YQk2mXc9LpBd4HsNw6EfUa8Jg1R",
        "Qe5tBn8WxYz2KsLp7RdFg3HjMc6Vu9Ao",
        "short",
        "12345678901234567890123456",
        "Hn4Vb7Mz1Xc8Qw5Er2Ty9Ui6Op3As0Df",
    ];
    let works = WITHOUT_PERMISSIONS;
    assert_eq!(outcomes(&instance, &texts), expected(&[works, works, UNKNOWN, UNKNOWN, works]));
    let file = export("kong-admin.json");
    let args = ["--from", "kong", &file, "--permission", "documents:read"];
    let page = command(&mut instance, Way::Socket, &args);
    assert_eq!((page.code, &*page.stdout), (Some(0), "1 imported, 0 already exist\n"), "{page:?}");
    let granted = ("200 VALID", "200 VALID");
    assert_eq!(outcomes(&instance, &["Kd83jf9sLq01mZx7Yt5Rv2Bn6Wc4Ep8G"]), expected(&[granted]));
}

#[test]
fn keys_of_better_auth_work_through_a_gate() {
    let mut instance = instance();
    let moved = moved(&mut instance, Way::Remote, "better-auth", "better-auth.csv");
    assert_shape!("from_better_auth", &moved);
    let text = |letters: &str| format!("proj_{}", letters.repeat(11).get(..64).unwrap());
    let texts = ["AbCdEf", "gHiJkL", "MnOpQr", "sTuVwX", "yZaBcD", "eFgHiJ", "kLmNoP"].map(text);
    let texts = texts.each_ref().map(String::as_str);
    assert_eq!(
        outcomes(&instance, &texts),
        expected(&[
            WITHOUT_PERMISSIONS,
            DISABLED,
            UNKNOWN,
            UNKNOWN,
            WITHOUT_PERMISSIONS,
            UNKNOWN,
            UNKNOWN,
        ])
    );
    let limited = ("403 INSUFFICIENT_PERMISSIONS", "200 VALID");
    assert_eq!(outcomes(&instance, &texts[..1]), expected(&[limited]), "a refused call is no call");
    let last = outcomes(&instance, &texts[..1]);
    assert_eq!(last, expected(&[("403 INSUFFICIENT_PERMISSIONS", "429 RATE_LIMITED")]));
    let file = export("better-auth.json");
    let ended = command(&mut instance, Way::Socket, &["--from", "better-auth", &file]);
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "1 imported, 0 already exist\n"),
        "{ended:?}"
    );
    assert_eq!(outcomes(&instance, &[&text("qRsTuV")]), expected(&[WITHOUT_PERMISSIONS]));
}

#[test]
fn keys_of_tyk_work_through_a_gate() {
    let mut instance = instance();
    let moved = moved(&mut instance, Way::Socket, "tyk", "tyk-redis.json");
    assert_shape!("from_tyk", &moved);
    let named = STANDARD.encode(
        r#"{"org":"53ac07777cbb8c2d53000002","id":"9978dd940cd349bcaef7bd20414f7bc2","h":"sha256"}"#,
    );
    let texts = [
        &*named,
        "tyk-off",
        "tyk-expired",
        "53ac07777cbb8c2d53000002a9859041e05a09d61a4704c4c6f8456b",
        "tyk-once",
        "tyk-basic",
    ];
    let works = WITHOUT_PERMISSIONS;
    assert_eq!(
        outcomes(&instance, &texts),
        expected(&[works, DISABLED, UNKNOWN, works, UNKNOWN, UNKNOWN])
    );
    let file = export("tyk-dashboard.jsonl");
    let ended = command(&mut instance, Way::Socket, &["--from", "tyk", &file]);
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(1), "1 imported, 0 already exist\n"),
        "{ended:?}"
    );
    let text = "53ac07777cbb8c2d53000002bb859041e05a09d61a4704c4c6f8456b";
    assert_eq!(outcomes(&instance, &[text]), expected(&[works]));
}

#[test]
fn keys_of_a_table_work_through_a_gate() {
    let mut instance = instance();
    let moved = moved(&mut instance, Way::Store, "csv", "keys.csv");
    assert_shape!("from_csv", &moved);
    let secret = "VSwn9FCqLFivSUGJKMukhq7kcrnXDK8h6JQmleJX97994aca";
    let texts = [
        &*format!("17|{secret}"),
        &*format!("18|{secret}"),
        secret,
        "shop_2f9a.jW3kXp0qRz7LmB5v",
        "an-old-secret-known-by-blake3",
        "an-old-secret-of-the-reports-1",
        "an-old-secret-of-ada-lovelace-1",
        "an-old-secret-of-a-former-user",
        "an-old-secret-that-has-expired",
    ];
    let works = ("200 VALID", "200 VALID");
    assert_eq!(
        outcomes(&instance, &texts),
        expected(&[
            works,
            UNKNOWN,
            UNKNOWN,
            WITHOUT_PERMISSIONS,
            WITHOUT_PERMISSIONS,
            DISABLED,
            works,
            UNKNOWN,
            UNKNOWN,
        ])
    );
}

#[test]
fn each_way_to_an_instance_reports_the_same() {
    let mut instance = instance();
    for file in [
        ("unkey", "unkey.json"),
        ("kong", "kong.yaml"),
        ("better-auth", "better-auth.csv"),
        ("tyk", "tyk-redis.json"),
    ] {
        let args = ["--from", file.0, &export(file.1), "--dry-run"];
        let [socket, store, remote] = WAYS
            .map(|way| command(&mut instance, way, &args))
            .map(|it| (it.code, it.stdout, it.stderr));
        assert_eq!(socket, store, "{file:?}");
        assert_eq!(socket, remote, "{file:?}");
    }
    assert_eq!(imported_keys(&instance), Vec::<Value>::new());
}

#[test]
fn an_export_that_cannot_be_read_is_a_usage_error_without_its_content() {
    let instance = TestServer::start();
    let secret = "s3cr3t-0123456789abcdef0123456789";
    for (from, text, words) in [
        (
            "unkey",
            format!("{{\"data\": [{secret}]}}"),
            "not a JSON object or list: error at line 1, column ",
        ),
        ("unkey", format!("[\"{secret}\"]"), "key 1 is not a JSON object"),
        (
            "tyk",
            format!("{{}}\n{{\"{secret}\""),
            "not a JSON object or list: error at line 2, column ",
        ),
        ("kong", format!("- {secret}\n"), "its top is not an object"),
        ("kong", format!("a: b\nc: [{secret}\n"), "is not YAML"),
        ("better-auth", format!("id,key\n1,{secret},3\n"), "line 2 does not have the columns"),
        ("csv", format!("name,key\n{secret}\n"), "line 2 does not have the columns"),
        ("csv", format!("name,{secret}\n"), "column 2 of the header is unknown"),
        ("mongo", String::new(), "must be one of unkey, kong, better-auth, tyk, csv"),
    ] {
        let ended = instance.home().run_cli(&["import", "--from", from, "-"], &text);
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{from} {words}: {ended:?}");
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
        assert!(!ended.stderr.contains(secret), "{words}: {ended:?}");
    }
    assert!(instance.all_keys().is_empty());
}

/// One batch of the store has room for 1,024 rows, and a key with a last use has three.
#[test]
fn a_long_export_is_imported_in_steps() {
    const KEYS: usize = 900;
    let instance = TestServer::start();
    let lines: Vec<String> = (0..KEYS)
        .map(|number| format!("an-old-secret-of-number-{number:06},2024-01-01T00:00:00Z"))
        .collect();
    let text = format!("key,last_used_at\n{}\n", lines.join("\n"));
    let run = || instance.home().run_cli(&["import", "--from", "csv", "-"], &text);
    let ended = run();
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "900 imported, 0 already exist\n"));
    assert_eq!(instance.all_keys().len(), KEYS);
    assert_eq!(run().stdout, "0 imported, 900 already exist\n");
}
