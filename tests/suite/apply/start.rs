//! `keyhouse serve --apply`: files are applied before the server listens.

use std::process::Command;

use serde_json::json;

use crate::apply::{SECRET, file, whole};
use crate::ask::Ask;
use crate::server::{BINARY, Home, Server, run};
use crate::test_server::TestServer;

fn serve(home: &Home, pattern: &str) -> Command {
    let mut command = home.command(BINARY);
    command.arg("serve").arg("--data").arg(home.data()).args(["--listen", "127.0.0.1:0"]);
    command.env("KEYHOUSE_APPLY", pattern);
    command
}

#[test]
fn files_of_the_environment_are_applied_at_each_start() {
    let home = Home::new();
    let path = whole(&home);
    let pattern = home.folder().join("*.toml");
    let mut first = serve(&home, pattern.to_str().unwrap());
    first.args(["--admin-email", "ada@example.com", "--admin-password-file"]);
    first.arg(home.password_file());
    let server = Server::launch_command(&home, first).unwrap();
    let log = server.log().whole();
    assert!(log.contains("apply: + create gate \"orders\""), "{log}");
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // The second start finds nothing to do, then one line less.
    let server = Server::launch_command(&home, serve(&home, pattern.to_str().unwrap())).unwrap();
    let log = server.log().whole();
    assert!(log.contains("apply: 0 created, 0 changed, 0 deleted, 12 unchanged"), "{log}");
    server.stop();
    let text = std::fs::read_to_string(&path).unwrap().replace("disabled = true\n", "");
    std::fs::write(&path, text).unwrap();
    let server = Server::launch_command(&home, serve(&home, pattern.to_str().unwrap())).unwrap();
    let answer = server.ask_json(
        "GET",
        "/v1/whoami",
        &[("Authorization", &format!("Bearer {SECRET}"))],
        &json!(null),
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn a_wrong_file_stops_the_start_with_all_faults() {
    let mut instance = TestServer::start();
    instance.stop();
    let home = instance.home();
    file(home, "wrong.toml", "[[plans]]\nname = \"gold\"\n[[gates]]\nname = \"default\"\n");
    let pattern = home.folder().join("*.toml");
    let ended = run(serve(home, pattern.to_str().unwrap()), b"");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for claim in ["wrong.toml:2: plans.name: ", "wrong.toml:4: gates.name: "] {
        assert!(ended.stderr.contains(claim), "{claim}: {ended:?}");
    }
    let ended = run(serve(home, home.folder().join("*.none").to_str().unwrap()), b"");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("no file matches"), "{ended:?}");
    instance.restart();
    assert_eq!(instance.bare(&Ask::get("/readyz")).status, 200);
}

#[test]
fn an_instance_that_is_not_set_up_applies_nothing() {
    let home = Home::new();
    let path = file(&home, "a.toml", "[[plans]]\nname = \"pro\"\n");
    let ended = run(serve(&home, &path), b"");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--apply needs an instance that is set up"), "{ended:?}");
}
