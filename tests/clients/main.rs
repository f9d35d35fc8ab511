//! Third-party programs that check keys at a real server: Authlib, the clients in `examples`, and a
//! program that embeds Keyhouse.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it must be"
)]

#[path = "../server/mod.rs"]
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use server::{BINARY, Ended, Home, MadeKey, Server, Session, run};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A server, and a key of a service that may verify keys.
struct Fixture {
    server: Server,
    owner: Session,
    service: MadeKey,
}

impl Fixture {
    fn set() -> Self {
        let server = Server::start();
        let owner = server.sign_in();
        let service =
            owner.make_key(&json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]}));
        Self { server, owner, service }
    }

    /// Runs a program as the service, with `stdin` as its whole input.
    fn ask(&self, program: &str, arguments: &[&str], stdin: &str) -> Ended {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(ROOT).env_clear();
        command.env("PATH", server::SEARCH_PATH);
        command.env("KEYHOUSE_URL", format!("http://{}", self.server.address()));
        command.env("KEYHOUSE_KEY", &self.service.secret);
        run(command, stdin.as_bytes())
    }
}

fn python() -> String {
    let python = Path::new(ROOT).join(".venv/bin/python");
    assert!(python.exists(), "./test makes .venv from tests/*/requirements.txt");
    python.to_str().unwrap().to_owned()
}

#[test]
fn authlib_accepts_a_valid_key_and_no_other() {
    let fixture = Fixture::set();
    let good = fixture.owner.make_key(&json!({"permissions": ["diagrams:read", "files:*"]}));
    let revoked = fixture.owner.make_key(&json!({"permissions": ["diagrams:read"]}));
    fixture.owner.revoke(&revoked.id);
    let me = fixture.owner.ask("GET", "/v1/session", &Value::Null).json();
    let (secret, gone) = (&good.secret, &revoked.secret);
    let asked = format!(
        "{secret} diagrams:read\n{secret} diagrams:write\n{gone} diagrams:read\nunknown diagrams:read\n"
    );
    let ended = fixture.ask(&python(), &["tests/clients/introspect.py"], &asked);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let active = format!("{} {}", good.id, me["user"]["id"].as_str().unwrap());
    let expected = [&*active, "insufficient_scope", "invalid_token", "invalid_token"];
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn each_example_client_distinguishes_yes_no_and_unknown() {
    let mut fixture = Fixture::set();
    let python = python();
    let codes = ["VALID", "NOT_FOUND", "INSUFFICIENT_PERMISSIONS"];
    // The last columns are the exit codes for an error response and without a connection. Those of
    // the shell are curl's.
    let clients = [
        (&*python, "examples/clients/check.py", codes, 1, 1),
        ("node", "examples/clients/check.mjs", codes, 1, 1),
        ("sh", "examples/clients/check.sh", ["active", "inactive", "inactive"], 22, 7),
    ];
    let good = fixture.owner.make_key(&json!({"permissions": ["diagrams:read"]})).secret;
    let hostile = "x\"},\\\n&token=@/etc/passwd $(id) %0a";
    for (program, file, [yes, unknown, poor], failed, _) in clients {
        let malformed = if unknown == "NOT_FOUND" { "MALFORMED" } else { "inactive" };
        for (key, permission, code, said) in [
            (&*good, "diagrams:read", 0, yes),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "diagrams:read", 4, unknown),
            (&*good, "diagrams:write", 4, poor),
            (hostile, "diagrams:read", 4, malformed),
        ] {
            let ended = fixture.ask(program, &[file, permission], &format!("{key}\n"));
            assert_eq!(ended.code, Some(code), "{file}: {ended:?}");
            assert_eq!(ended.stdout.trim(), said, "{file}: {ended:?}");
        }
        // If the request or the service key is invalid, the response contains nothing about the
        // key.
        let own = std::mem::replace(&mut fixture.service.secret, "kh_live_wrong".to_owned());
        let refused = fixture.ask(program, &[file, "diagrams:read"], &good);
        fixture.service.secret = own;
        let odd = fixture.ask(program, &[file, "no permission"], &good);
        for ended in [refused, odd] {
            assert_eq!(ended.code, Some(failed), "{file}: {ended:?}");
            assert_eq!(ended.stdout, "", "{file}: {ended:?}");
            assert!(!ended.stderr.contains(&good), "{file}: {ended:?}");
        }
    }
    // While Keyhouse is down, a client denies access.
    let Fixture { server, .. } = fixture;
    let address = server.address();
    server.kill();
    for (program, file, _, _, unreachable) in clients {
        let mut command = Command::new(program);
        command.args([file, "diagrams:read"]).current_dir(ROOT).env_clear();
        command.env("PATH", server::SEARCH_PATH).env("KEYHOUSE_KEY", "kh_live_any");
        command.env("KEYHOUSE_URL", format!("http://{address}"));
        let ended = run(command, good.as_bytes());
        assert_eq!((ended.code, &*ended.stdout), (Some(unreachable), ""), "{file}: {ended:?}");
    }
}

#[test]
fn a_program_that_embeds_keyhouse_decides_and_counts_like_a_server() {
    let home = Home::new();
    let server = Server::start_in(&home, &[]);
    let owner = server.sign_in();
    let limit = json!({"limit": 1, "period": "month", "timezone": "UTC"});
    let good = owner.make_key(&json!({"permissions": ["diagrams:read"], "quota": limit}));
    let revoked = owner.make_key(&json!({"permissions": ["diagrams:read"]}));
    owner.revoke(&revoked.id);
    let ask = |directory: PathBuf, key: &str, permission: &str| {
        let program = Path::new(BINARY).parent().unwrap().join("examples/embed");
        assert!(program.exists(), "run cargo build --examples first");
        let mut command = home.command(program);
        command.arg(directory).arg(permission);
        run(command, key.as_bytes())
    };
    let beside = ask(home.data(), &good.secret, "diagrams:read");
    assert_eq!(beside.code, Some(1), "one process at a time holds a store: {beside:?}");
    assert_eq!(server.stop().code, Some(0));

    for (key, permission, code, said) in [
        ("unknown", "diagrams:read", 4, "NOT_FOUND"),
        (&*revoked.secret, "diagrams:read", 4, "REVOKED"),
        (&good.secret, "diagrams:write", 4, "INSUFFICIENT_PERMISSIONS"),
        (&good.secret, "diagrams:read", 0, "VALID"),
        // Quota used in one process stays used in the next.
        (&good.secret, "diagrams:read", 4, "QUOTA_EXCEEDED"),
    ] {
        let ended = ask(home.data(), key, permission);
        assert_eq!((ended.code, ended.stdout.trim()), (Some(code), said), "{ended:?}");
    }
    let nowhere = home.folder().join("nowhere");
    let ended = ask(nowhere.clone(), &good.secret, "diagrams:read");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(!nowhere.exists(), "a wrong path makes no store");

    let server = Server::start_in(&home, &[]);
    let owner = server.sign_in();
    let usage = owner.ask("GET", &format!("/v1/usage?key={}", good.id), &Value::Null).json();
    let counted = ["VALID", "QUOTA_EXCEEDED", "INSUFFICIENT_PERMISSIONS"];
    for code in counted {
        assert_eq!(usage["totals"]["codes"][code], 1, "{usage}");
    }
}

/// In an earlier version, two values of an enum differed only in case, so client generators stopped
/// with an error or omitted fields.
#[test]
fn a_client_generated_from_the_api_description_works_without_warnings() {
    let mut fixture = Fixture::set();
    let permissions =
        ["diagrams:read", "keyhouse:keys:create", "keyhouse:keys:manage", "keyhouse:keys:verify"];
    fixture.service =
        fixture.owner.make_key(&json!({"kind": "service", "permissions": permissions}));
    let folder = fixture.server.home().folder();
    let (description, config, out) =
        (folder.join("openapi.json"), folder.join("generator.json"), folder.join("client"));
    std::fs::write(&description, fixture.server.ask("GET", "/openapi.json", &[], "").body).unwrap();
    std::fs::write(&config, r#"{"post_hooks": []}"#).unwrap();
    let generator = Path::new(&python()).with_file_name("openapi-python-client");
    let [description, config, out] = [&description, &config, &out].map(|it| it.to_str().unwrap());
    let words = ["generate", "--fail-on-warning", "--path", description, "--config", config];
    let words = [&words[..], &["--output-path", out]].concat();
    let generated = fixture.ask(generator.to_str().unwrap(), &words, "");
    assert_eq!(generated.code, Some(0), "{}{}", generated.stdout, generated.stderr);
    let used = fixture.ask(&python(), &["tests/clients/generated.py", out], "");
    assert_eq!(used.stdout.trim(), "ok", "{}", used.stderr);
}
