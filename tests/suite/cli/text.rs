//! Text input from files, stdin and users, and text output to a terminal.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::Builder;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::deadlines::run_within;
use crate::server::{BINARY, Ended, Home, Server, Session, run};
use crate::test_server::{TestServer, serve_empty, write_settings};

/// A refused start ends immediately.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);
/// Sequences that would colour a terminal, set its title, reverse a line, forge a line and hide
/// text.
const WILD: &str =
    "a\u{9b}31mb\u{1b}]0;own\u{7}c\u{202e}d\u{2066}e\u{7f}f\u{e0041}g\r\nkeyhouse: done";

/// Asserts that no output controls a terminal, and that no line starts with the caller's text.
fn assert_tame(ended: &Ended) {
    for said in [&ended.stdout, &ended.stderr] {
        let wild = |it: char| {
            (it.is_control() && it != '\n')
                || matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
        };
        assert!(!said.chars().any(wild), "{said:?}");
        assert!(!said.lines().any(|line| line.starts_with("keyhouse: done")), "{said:?}");
    }
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("a\\u009b31mb\\u001b]0;own\\u0007c\\u202ed"), "{said:?}");
}

/// Starts a remote server that returns this response to every request.
fn hostile(status: u16, body: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Wild\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let serve = move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4_096];
            let _read = stream.read(&mut request).unwrap();
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    };
    Builder::new().name("hostile".to_owned()).spawn(serve).unwrap();
    url
}

fn far(home: &Home, url: &str, args: &[&str]) -> Ended {
    let mut command = home.command(BINARY);
    command.args(args).env("KEYHOUSE_URL", url).env("KEYHOUSE_KEY", "kh_live_x");
    run(command, b"")
}

/// Responses of a remote server: lists, objects, JSON, and the texts of errors.
#[test]
fn output_of_a_remote_server_cannot_control_the_terminal() {
    let home = Home::new();
    let wild = json!({
        "id": WILD, "name": WILD, "email": WILD, "role": WILD, "status": WILD, "hint": WILD,
        "description": WILD, "at": WILD, "action": WILD, "target": WILD, "address": WILD,
        "actor": { "name": WILD }, "last_used": { "at": WILD, "ip": WILD, "user_agent": WILD },
        "permissions": [WILD], "members": WILD, "ok": true, "head": { "hash": WILD }, WILD: WILD,
        "faults": [{ "kind": WILD, "event": WILD }],
    });
    let url = hostile(200, &wild);
    for args in [
        &["key", "show", "key_1"][..],
        &["user", "show", "usr_1"],
        &["team", "show", "team_1"],
        &["role", "show", "role_1"],
        &["gate", "show", "orders"],
        &["audit", "check"],
    ] {
        assert_tame(&far(&home, &url, args));
        let json = far(&home, &url, &[args, &["--json"]].concat());
        assert_tame(&json);
        assert_eq!(serde_json::from_str::<Value>(&json.stdout).unwrap(), wild, "{args:?}");
    }
    let url = hostile(200, &json!({ "items": [wild], "next_cursor": null }));
    for args in [
        &["key", "list"][..],
        &["user", "list"],
        &["team", "list"],
        &["role", "list"],
        &["audit", "list"],
    ] {
        assert_tame(&far(&home, &url, args));
        assert_tame(&far(&home, &url, &[args, &["--json"]].concat()));
    }
    for problem in [
        json!({ "title": WILD, "detail": WILD, "code": WILD }),
        json!({ "title": WILD, "code": WILD, "errors": [{ "pointer": WILD, "detail": WILD }] }),
    ] {
        let ended = far(&home, &hostile(403, &problem), &["key", "list"]);
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert_tame(&ended);
    }
}

/// The caller of a key may choose any user agent; characters that are not plain ASCII are not
/// stored.
#[test]
fn a_user_agent_is_plain_ascii_on_every_path() {
    let instance = TestServer::start();
    let reader = instance.create(&json!({
        "name": "reader", "kind": "service", "permissions": ["keyhouse:keys:read"],
    }));
    let id = reader.key["id"].as_str().unwrap();
    let path = format!("/v1/keys/{id}");
    // The pool serves the first endpoint, the event loop the second.
    for target in ["/v1/keys", "/v1/whoami"] {
        let ask = Ask::get(target).bearer(&reader.secret);
        let _listed = instance.bare(&ask.clone().header("User-Agent", "curl/8.5.0")).expect(200);
        let agent = |instance: &TestServer| {
            instance.ask(&Ask::get(&path)).expect(200)["last_used"]["user_agent"].clone()
        };
        assert_eq!(agent(&instance), "curl/8.5.0", "{target}");
        let _listed = instance.bare(&ask.header("User-Agent", "curl\u{9b}31m")).expect(200);
        assert_eq!(agent(&instance), Value::Null, "{target}");
    }
}

/// Editors and shells of Windows write a byte order mark, or UTF-16.
#[test]
fn files_and_stdin_may_begin_with_a_byte_order_mark_but_not_utf_16() {
    const PASSWORD: &str = "a long quince password 7";
    let utf_16 = |text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    let with_mark = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    // Tests the owner's password and the settings.
    let home = Home::new();
    let password = home.folder().join("password");
    let settings = write_settings(&home, "");
    let serve = || {
        let mut command = serve_empty(&home);
        command.args(["--admin-email", "ada@example.com", "--admin-password-file"]).arg(&password);
        command
    };
    fs::write(&password, utf_16(PASSWORD)).unwrap();
    let ended = run_within(REFUSED_WITHIN, &mut serve());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("is UTF-16: save it as UTF-8"), "{ended:?}");
    fs::write(&settings, utf_16("key_prefix = \"acme\"\n")).unwrap();
    let ended = run_within(REFUSED_WITHIN, &mut serve());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("keyhouse.toml: is UTF-16"), "{ended:?}");
    fs::write(&settings, with_mark("key_prefix = \"acme\"\n")).unwrap();
    fs::write(&password, with_mark(&format!("{PASSWORD}\r\n"))).unwrap();
    let server = Server::launch_command(&home, serve()).unwrap();
    let session = Session::sign_in(server.address(), "ada@example.com", PASSWORD);
    assert!(session.make_key(&json!({ "name": "bot" })).secret.starts_with("acme_live_"));

    let instance = TestServer::start();
    let key = instance.create(&json!({ "name": "bot" }));
    let verify = |input: &[u8]| {
        let mut command = instance.home().command(BINARY);
        command.arg("verify").arg("--data").arg(instance.home().data());
        run(command, input)
    };
    let ended = verify(&with_mark(&format!("{}\r\n", key.secret)));
    assert_eq!((ended.code, ended.stdout.starts_with("VALID")), (Some(0), true), "{ended:?}");
    let ended = verify(&utf_16(&key.secret));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("stdin is UTF-16: save it as UTF-8"), "{ended:?}");

    let import = instance.home().folder().join("keys.jsonl");
    fs::write(
        &import,
        with_mark("{\"key\":\"legacy-0123456789abcdef0123456789\",\"name\":\"old\"}\n"),
    )
    .unwrap();
    let ended = instance.home().run_cli(&["import", import.to_str().unwrap(), "--dry-run"], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    fs::write(&import, utf_16("{}")).unwrap();
    let ended = instance.home().run_cli(&["import", import.to_str().unwrap()], "");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("keys.jsonl is UTF-16"), "{ended:?}");
}

/// In an earlier version, names in two Unicode forms counted as two names, and a name could be
/// invisible or reverse the text around it.
#[test]
fn names_are_normalized_visible_and_found_in_every_form() {
    let instance = TestServer::start();
    let made = instance.create(&json!({ "name": "Cafe\u{301} Zoë", "kind": "service" }));
    assert_eq!(made.key["name"], "Café Zoë");
    for sought in ["cafe", "CAFE%CC%81", "caf%C3%A9", "zoe", "ZO%C3%8B"] {
        let listed = instance.ask(&Ask::get(&format!("/v1/keys?search={sought}"))).expect(200);
        assert_eq!(listed["items"][0]["id"], made.key["id"], "{sought}");
    }
    for name in ["a\u{202e}b", "a\u{2028}b", "\u{200b}", "a\u{e0041}", "a\u{200d}b", "\u{301}"] {
        let fault = ("/name", "invalid_name");
        let body = json!({ "name": name });
        for path in ["/v1/keys", "/v1/teams", "/v1/roles"] {
            let answer = instance.ask(&Ask::post(path, &body));
            let reported = answer.problem(400, "invalid_input");
            let faults = reported["errors"].as_array().unwrap();
            let is_reported = faults.iter().any(|it| {
                (it["pointer"].as_str(), it["code"].as_str()) == (Some(fault.0), Some(fault.1))
            });
            assert!(is_reported, "{path} {name:?}: {reported}");
        }
    }
    let role = |name: &str| {
        instance.ask(&Ask::post("/v1/roles", &json!({ "name": name, "permissions": ["a:b"] })))
    };
    let _made = role("Café \u{1f469}\u{200d}\u{1f4bb}").expect(201);
    let _taken = role("CAFE\u{301} \u{1f469}\u{200d}\u{1f4bb}").problem(409, "name_taken");
    let _made = role("Нина").expect(201);
    let _taken = role("нина").problem(409, "name_taken");
    let _alike = role("\u{430}dministrator").problem(400, "invalid_input");
}
