//! The binary on a socket: limits, and a graceful end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const IDENTITY: &str = "X-Keyhouse-Key: key_1\r\nX-Keyhouse-Key-Name: k\r\nX-Keyhouse-User: usr_1\r\n\
    X-Keyhouse-Email: -\r\nX-Keyhouse-Organization: org_1\r\nX-Keyhouse-Role: user\r\nX-Keyhouse-Teams: -\r\n\
    Content-Type: application/json\r\n";

struct Running {
    child: Child,
    address: String,
    folder: TempDir,
    /// Kept open, so that the service can write its log.
    _stderr: BufReader<ChildStderr>,
}

impl Running {
    fn start_in(folder: TempDir) -> Self {
        Self::start_with(folder, &[])
    }

    fn start_with(folder: TempDir, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keyhouse-diagrams"))
            .args(["--listen", "127.0.0.1:0", "--workers", "1", "--data"])
            .arg(folder.path().join("diagrams.redb"))
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address, folder, _stderr: stderr }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// Sends a request on its own connection, and reads until its end.
    fn ask(&self, line: &str, body: &[u8]) -> String {
        let mut stream = self.connect();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{IDENTITY}Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A service that refuses a long body closes before it is sent.
        let _sent = stream.write_all(body);
        let mut answer = String::new();
        let _read = stream.read_to_string(&mut answer);
        answer
    }

    fn stop(mut self) -> (Option<i32>, TempDir) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        (self.child.wait().unwrap().code(), self.folder)
    }
}

#[test]
fn a_body_has_a_maximum_and_what_was_answered_survives_a_restart() {
    let running = Running::start_in(tempfile::tempdir().unwrap());
    let padded = |bytes: usize| {
        let (head, tail) = ("{\"data\": {\"name\": \"big\", \"x\": \"", "\"}}");
        format!("{head}{}{tail}", "x".repeat(bytes - head.len() - tail.len())).into_bytes()
    };
    let made = running.ask("POST /blueprint", &padded(2 << 20));
    assert!(made.starts_with("HTTP/1.1 201 "), "{}", made.get(..200).unwrap_or(&made));
    let mut head = running.connect();
    let length = (2 << 20) + 1;
    write!(
        head,
        "POST /blueprint HTTP/1.1\r\nHost: a\r\n{IDENTITY}Content-Length: {length}\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    head.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\"error\":\"the body is too large"), "{answer}");
    let (code, folder) = running.stop();
    assert_eq!(code, Some(0));

    let running = Running::start_in(folder);
    let list = running.ask("GET /blueprint", b"");
    assert!(list.contains("\"name\":\"big\""), "{list}");
    assert_eq!(running.stop().0, Some(0));
}

#[test]
fn a_price_table_is_replaced_by_a_file_or_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.json");
    let sample = include_str!("../../prices.json");
    std::fs::write(
        &file,
        sample.replace("\"price\": 0.02, \"per\": \"month\"", "\"price\": 7, \"per\": \"month\""),
    )
    .unwrap();
    let running = Running::start_with(folder, &["--prices", file.to_str().unwrap()]);
    let made = running.ask(
        "POST /blueprint",
        br#"{"data": {"name": "n", "nodes": [{"type": "s3", "region": "eastus"}]}}"#,
    );
    let (_, rest) = made.split_once("\"id\":\"").unwrap();
    let (id, _) = rest.split_once('"').unwrap();
    let table = running.ask(&format!("GET /blueprint/{id}/budget/csv"), b"");
    assert!(table.contains("Storage,s3,eastus,1,70.000000,70.000000,"), "{table}");
    let (_, folder) = running.stop();
    std::fs::write(&file, sample.replace("\"EUR\": 0.9", "\"EUR\": -1")).unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_keyhouse-diagrams"))
        .args(["--listen", "127.0.0.1:0", "--data", "unused.redb", "--prices"])
        .arg(&file)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(stderr.contains("currencies.EUR must be a number of 0 or more"), "{stderr}");
    assert!(!folder.path().join("unused.redb").exists());
}

#[test]
fn an_export_of_azure_is_drawn_by_the_service() {
    let export = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clouds/azure/rows.json");
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start_with(folder, &["--azure-export", export]);
    let id = "33333333-3333-4333-8333-333333333333";
    let account = format!(
        r#"{{"name": "a", "applicationId": "{id}", "directoryId": "{id}", "subscriptionId": "{id}", "clientSecret": "a-long-secret"}}"#
    );
    let made = running.ask("POST /azure/account", account.as_bytes());
    let (_, rest) = made.split_once("\"id\":\"").unwrap();
    let (account, _) = rest.split_once('"').unwrap();
    let drawn = running.ask(&format!("GET /azure/account/{account}/westeurope/json"), b"");
    assert!(drawn.starts_with("HTTP/1.1 200 "), "{drawn}");
    for part in ["\"name\":\"app-1\"", "\"instance\":\"D2sv3\"", "\"type\":\"azureloadbalancer\""] {
        assert!(drawn.contains(part), "{part}: {drawn}");
    }
    assert_eq!(running.stop().0, Some(0));
}

#[test]
fn wrong_settings_of_clouds_end_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, variables, code, text) in [
        (
            &[][..],
            &[("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")][..],
            1,
            "is set without AWS_SECRET_ACCESS_KEY",
        ),
        (&[], &[("AWS_SECRET_ACCESS_KEY", "s3cret")], 1, "is set without AWS_ACCESS_KEY_ID"),
        (
            &[],
            &[("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s3cret two")],
            1,
            "the credentials in AWS_* have other characters than those of AWS",
        ),
        (&["--aws-endpoint", "http://example.com"], &[], 2, "http:// is for 127.0.0.1"),
        (&["--azure-login", "https://example.com/path"], &[], 2, "must be https://HOST"),
    ] {
        let ended = Command::new(env!("CARGO_BIN_EXE_keyhouse-diagrams"))
            .args(["--listen", "127.0.0.1:0", "--data", "unused.redb"])
            .args(arguments)
            .env_clear()
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(text), "{stderr}");
        assert!(!stderr.contains("s3cret"), "{stderr}");
        assert!(!folder.path().join("unused.redb").exists());
    }
}

#[test]
fn an_organization_with_many_slow_requests_leaves_connections_to_the_others() {
    let running = Running::start_in(tempfile::tempdir().unwrap());
    let slow = || {
        let mut stream = running.connect();
        let head = format!(
            "POST /blueprint HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{IDENTITY}Content-Length: 9\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The service waits for the body.
        let mut asked = [0; 25];
        stream.read_exact(&mut asked).unwrap();
        assert!(asked.starts_with(b"HTTP/1.1 100 Continue"));
        stream
    };
    let requests: Vec<TcpStream> = (0..128).map(|_| slow()).collect();
    let refused = running.ask("GET /blueprint", b"");
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("too many requests of the organization are in work"), "{refused}");
    let mut other = running.connect();
    let identity = IDENTITY.replace("org_1", "org_2");
    write!(other, "GET /blueprint HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{identity}\r\n")
        .unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(requests);
    assert_eq!(running.stop().0, Some(0));
}

#[test]
fn a_request_in_work_is_answered_before_the_end() {
    let running = Running::start_in(tempfile::tempdir().unwrap());
    let body = b"{\"data\": {\"name\": \"late\"}}";
    let mut stream = running.connect();
    let head = format!(
        "POST /blueprint HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{IDENTITY}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The service reads the body: the request is in work.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100 Continue"));
    kill_process(Pid::from_child(&running.child), Signal::TERM).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let Running { mut child, .. } = running;
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
