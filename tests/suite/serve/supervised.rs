//! The server and commands under a supervisor, a shell or a pipe: signals, reloaded settings,
//! closed pipes.

use std::fs;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::server::wire::Connection;
use crate::server::{BINARY, Home, Launch, Server};

fn send(server: &Server, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

/// Returns the code of the response to a proxy on this host that forwards a request without a key.
fn ask_as_proxy(server: &Server) -> Value {
    let headers = [
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example.com"),
        ("X-Forwarded-Uri", "/"),
        ("X-Forwarded-For", "192.0.2.7"),
    ];
    let answer = server.ask("GET", "/v1/forward-auth/default", &headers, "");
    answer.json()["code"].clone()
}

/// In an earlier version, a server that was started under `nohup`, or from a script with `&`, ended
/// on the next hangup or interrupt. The server's exit code was 0, so no supervisor restarted it.
#[test]
fn signals_that_are_ignored_at_start_stay_ignored() {
    let home = Home::new();
    let wrapper = ["sh", "-c", "trap '' HUP INT; exec \"$@\"", "sh"];
    let server = Server::launch(&Launch { home: &home, wrapper: &wrapper, args: &[] }).unwrap();
    for signal in [Signal::HUP, Signal::INT] {
        send(&server, signal);
    }
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    assert_eq!(u64::from_str_radix(ignored.trim(), 16).unwrap() & 0b11, 0b11, "HUP and INT");
    assert_eq!(server.ask("GET", "/healthz", &[], "").status, 200);
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("settings reloaded"), "{}", ended.stderr);
}

#[test]
fn hangup_reloads_the_settings_and_faults_change_nothing() {
    let home = Home::new();
    fs::create_dir(home.data()).unwrap();
    fs::set_permissions(home.data(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let write = |text: &str| fs::write(home.data().join("keyhouse.toml"), text).unwrap();
    let support =
        |server: &Server| server.ask("GET", "/v1/instance", &[], "").json()["support_url"].clone();
    write("support_url = \"https://one.example\"\n");
    // The tests may run under `nohup` themselves.
    let wrapper = ["env", "--default-signal=HUP"];
    let server = Server::launch(&Launch { home: &home, wrapper: &wrapper, args: &[] }).unwrap();
    assert_eq!(support(&server), "https://one.example");

    assert_eq!(ask_as_proxy(&server), "NO_CREDENTIAL");

    write(
        "support_url = \"https://two.example\"\nlog = \"debug\"\nkey_prefix = \"other\"\n\
         trusted_proxies = [\"192.0.2.1\"]\n",
    );
    send(&server, Signal::HUP);
    server.log().wait_for("settings reloaded: support_url, trusted_proxies, log").unwrap();
    server.log().wait_for("take effect at the next start: key_prefix").unwrap();
    assert_eq!(support(&server), "https://two.example");
    server.log().wait_for("/v1/instance").unwrap();
    assert_eq!(ask_as_proxy(&server), "REQUEST_REFUSED");

    // One more header line than the new limit. A connection that is open keeps its limit.
    write("[limits]\nheaders_max = 4\npool_in_flight_max = 3\n");
    let lines = [("A", "1"), ("B", "2"), ("C", "3"), ("D", "4")];
    let mut open = Connection::open(server.address());
    assert_eq!(open.ask("GET", "/healthz", &lines, b"").status, 200);
    send(&server, Signal::HUP);
    server
        .log()
        .wait_for("settings reloaded: support_url, trusted_proxies, log, limits.headers_max")
        .unwrap();
    server.log().wait_for("take effect at the next start: limits.pool_in_flight_max").unwrap();
    assert_eq!(server.ask("GET", "/healthz", &lines, "").status, 431);
    assert_eq!(open.ask("GET", "/healthz", &lines, b"").status, 200);

    write("support_url = \"javascript:alert(1)\"\n[limits]\nheaders_max = 0\n");
    send(&server, Signal::HUP);
    let fault = server.log().wait_for("settings not reloaded").unwrap();
    assert!(fault.contains("invalid settings"), "{fault}");
    server.log().wait_for("support-url (").unwrap();
    server.log().wait_for("limits.headers_max (").unwrap();
    assert_eq!(server.ask("GET", "/healthz", &lines, "").status, 431);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_mistyped_variable_or_log_level_is_reported() {
    let home = Home::new();
    let mut command = home.command(BINARY);
    command.args(["key", "list", "--data"]).arg(home.data()).env("KEYHOUSE_LISEN", "127.0.0.1:1");
    let ended = crate::server::run(command, b"");
    assert!(ended.stderr.contains("KEYHOUSE_LISEN is ignored: did you mean KEYHOUSE_LISTEN?"));
    let ended = home.run_cli(&["serve", "--log", "inof"], "");
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("\"inof\" must be a level"), "{}", ended.stderr);
}

/// In an earlier version, `keyhouse key list | head` ended with an error when `head` closed the
/// pipe.
#[test]
fn a_closed_pipe_is_no_error_for_a_list_and_an_error_for_a_secret() {
    let server = Server::start();
    let into_closed_pipe = |words: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = server.home().command(BINARY);
        command.args(words).arg("--data").arg(server.home().data());
        let child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn();
        let output = child.unwrap().wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(server.run_cli(&["key", "create", "--name", "one"], "").code, Some(0));
    assert_eq!(into_closed_pipe(&["key", "list"]), (Some(0), String::new()));
    assert_eq!(into_closed_pipe(&["key", "list", "--json"]), (Some(0), String::new()));
    for words in [&["key", "create"][..], &["key", "create", "--json"]] {
        let (code, stderr) = into_closed_pipe(words);
        assert_eq!(code, Some(1), "{words:?}: {stderr}");
        assert!(stderr.contains("could not print"), "{words:?}: {stderr}");
    }
    // A closed pipe does not change the exit code of a key that is not valid.
    assert_eq!(into_closed_pipe(&["verify"]).0, Some(4));
}

/// A newly mounted volume is a directory of root with mode 755.
#[test]
fn a_data_directory_that_others_can_access_is_rejected_with_a_remedy() {
    let home = Home::new();
    fs::create_dir(home.data()).unwrap();
    fs::set_permissions(home.data(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ended = home.run_cli(&["serve", "--listen", "127.0.0.1:0"], "");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(home.data()).unwrap());
    for part in [&format!("owned by uid {owner}"), "mode 755", "chmod 700", "that subdirectory"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn forwarded_headers_are_trusted_only_from_a_proxy_name_that_resolves() {
    for (name, code) in [("localhost", "NO_CREDENTIAL"), ("proxy.invalid", "REQUEST_REFUSED")] {
        let server = Server::start_with(&["--trusted-proxy", name]);
        assert_eq!(ask_as_proxy(&server), code, "{name}");
    }
}
