//! A server answers while its instance starts.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::unix_sockets::ask;
use crate::server::{BINARY, Home, Log};

#[test]
fn a_starting_server_is_alive_and_shows_how_far_it_is() {
    let home = Home::new();
    let (socket, password) = (home.folder().join("main.sock"), home.folder().join("fifo"));
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&password).status().unwrap().success());
    let mut command = home.command(BINARY);
    command.args(["serve", "--public-url", "https://keys.example.com"]);
    command.arg("--data").arg(home.data());
    command.args(["--listen", &format!("unix:{}", socket.display())]);
    command.args(["--admin-email", "ada@example.com"]).arg("--admin-password-file").arg(&password);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let log = Log::follow(child.stderr.take().unwrap());
    // The server opens the file after its store, and waits for the password.
    let mut writer = File::options().write(true).open(&password).unwrap();
    let json_of = |text: &str| -> Value {
        serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    assert_eq!(ask(&socket, "GET", "/healthz", &[], "").0, 200);
    for path in ["/readyz", "/v1/session", "/v1/forward-auth/default"] {
        let (status, text) = ask(&socket, "GET", path, &[], "");
        let problem = json_of(&text);
        assert_eq!((status, &problem["code"]), (503, &json!("not_ready")), "{path}");
        assert_eq!(problem["start"]["stage"], "loading", "{path}");
        assert!(problem["start"]["records"].is_u64(), "{path}");
        assert!(text.to_lowercase().contains("cache-control: no-store"), "{path}");
    }
    let listed = home.run_cli(&["key", "list"], "");
    assert_eq!(listed.code, Some(6), "{listed:?}");
    assert!(listed.stderr.contains("the server is starting, loading the index"), "{listed:?}");
    writer.write_all(b"correct horse battery staple\n").unwrap();
    drop(writer);
    assert!(log.wait_for("listening on").is_some(), "{}", log.tail());
    assert_eq!(ask(&socket, "GET", "/readyz", &[], "").0, 200);
    assert_eq!(home.run_cli(&["key", "list"], "").code, Some(0));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{}", log.tail());
    assert!(!fs::exists(&socket).unwrap());
}
