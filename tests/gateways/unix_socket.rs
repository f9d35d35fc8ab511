//! Keyhouse on a Unix socket: the nginx example with one replaced line, and the unit of
//! `examples/systemd`.
#![expect(clippy::expect_used, reason = "a broken fixture should stop its test")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::proxy::free_ports;
use crate::server::wire::Connection;
use crate::server::{BINARY, Home, Log, Server};

/// Stops nginx with SIGTERM, because the workers keep running after a killed master.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _signalled = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _waited = self.0.wait();
    }
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    fs::read_to_string(path).expect("the example's file")
}

#[test]
fn nginx_checks_keys_over_a_unix_socket() {
    let home = Home::new();
    let socket = home.folder().join("checks.sock");
    let at = format!("unix:{}", socket.display());
    let server = Server::start_in(&home, &["--check-listen", &at]);
    let session = server.sign_in();
    let key =
        session.make_key(&json!({ "name": "by socket", "ip_rules": { "allow": ["127.0.0.1"] } }));
    let elsewhere =
        session.make_key(&json!({ "name": "no", "ip_rules": { "allow": ["192.0.2.1"] } }));

    let [own, application]: [u16; 2] = free_ports();
    let mut text = example("nginx/nginx.conf");
    for (shipped, used) in [
        ("server 127.0.0.1:7117;", format!("server {at};")),
        ("listen 127.0.0.1:8080;", format!("listen 127.0.0.1:{own};")),
        ("server 127.0.0.1:8081;", format!("server 127.0.0.1:{application};")),
        ("listen 127.0.0.1:8081;", format!("listen 127.0.0.1:{application};")),
    ] {
        assert_eq!(text.matches(shipped).count(), 1, "{shipped}");
        text = text.replace(shipped, &used);
    }
    fs::write(home.folder().join("nginx.conf"), text).expect("nginx.conf");
    let mut command = home.command("nginx");
    command.args(["-e", "stderr", "-p", ".", "-c", "nginx.conf"]);
    // When root starts nginx, its workers run as an unprivileged user, who may not connect.
    command.args(["-g", "error_log stderr notice; user root;"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut nginx = Nginx(command.spawn().expect("apt-get install nginx"));
    let log = Log::follow(nginx.0.stderr.take().expect("stderr is piped"));
    assert!(log.wait_for("start worker process").is_some(), "{}", log.tail());

    let ask = |headers: &[(&str, &str)]| {
        let address = SocketAddr::from(([127, 0, 0, 1], own));
        Connection::open(address).ask("GET", "/orders", headers, b"")
    };
    let good = [("X-Api-Key", key.secret.as_str())];
    let answer = ask(&good);
    assert_eq!(answer.status, 200, "{answer:?}\n{}", log.tail());
    assert!(answer.body.contains(&format!("X-Keyhouse-Key: {}\n", key.id)), "{}", answer.body);
    let denied = ask(&[]);
    assert_eq!((denied.status, denied.header("X-Keyhouse-Code")), (401, Some("NO_CREDENTIAL")));
    // Keyhouse uses the client's address that nginx sends, and ignores an address that the client
    // sends.
    let forged = ask(&[("X-Api-Key", &elsewhere.secret), ("X-Forwarded-For", "192.0.2.1")]);
    assert_eq!(forged.status, 403, "{forged:?}");
    session.revoke(&key.id);
    assert_eq!(ask(&good).status, 401);
    server.stop();
    assert_eq!(ask(&good).status, 503, "nothing passes without Keyhouse");
}

#[test]
fn systemd_accepts_the_unit_and_rates_it_secure() {
    let shipped = "ExecStart=/usr/local/bin/keyhouse ";
    let text = example("systemd/keyhouse.service");
    assert_eq!(text.matches(shipped).count(), 1);
    let home = Home::new();
    let unit = home.folder().join("keyhouse.service");
    // The program must exist for the unit to be valid.
    fs::write(&unit, text.replace(shipped, &format!("ExecStart={BINARY} "))).expect("the unit");
    let analyze_unit = |args: &[&str], unit: &Path| {
        let mut command: Command = home.command("systemd-analyze");
        let ended = command.args(args).arg(unit).output().expect("apt-get install systemd");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        (ended.status.success(), said)
    };
    let analyze = |args: &[&str]| analyze_unit(args, &unit);
    let (fits, said) = analyze(&["verify", "--man=no"]);
    assert!(fits && said.is_empty(), "{said}");
    for name in ["keyhouse.socket", "keyhouse-checks.socket"] {
        let socket = home.folder().join(name);
        fs::write(&socket, example(&format!("systemd/{name}"))).expect("the unit");
        let (fits, said) = analyze_unit(&["verify", "--man=no"], &socket);
        assert!(fits && said.is_empty(), "{name}: {said}");
    }
    // The exposure is in tenths: the limit is 2.0 of 10.
    let (fits, said) = analyze(&["security", "--offline=true", "--threshold=19"]);
    assert!(fits, "{said}");
    fs::write(&unit, text.replace("ProtectSystem=strict", "ProtectSystm=strict"))
        .expect("the unit");
    assert!(
        !analyze(&["verify", "--man=no"]).1.is_empty(),
        "a wrong unit differs from a correct one"
    );
}
