//! Clients that send their first request without a key, and read the challenge of the 401.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a page or an answer of another shape should stop its test"
)]

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::json;

use crate::proxy::{Between, Proxy, free_ports, in_all};
use crate::server::{Home, Server, run};

/// A folder served by Python's own server. Dropping the value stops the server.
struct Files {
    child: Child,
    address: SocketAddr,
}

/// A client that sends its first request without a key, and reads the challenge.
struct Waiting {
    name: &'static str,
    run: fn(&Home, &str) -> Command,
}

const WAITING: [Waiting; 4] = [
    Waiting { name: "curl --anyauth", run: curl },
    Waiting { name: "wget", run: wget },
    Waiting { name: "git", run: git },
    Waiting { name: "urllib", run: urllib },
];

/// In an earlier version, Keyhouse accepted Basic without offering it, so git, wget, `curl
/// --anyauth` and urllib never sent their credential.
#[test]
fn clients_that_wait_for_a_challenge_authenticate_through_each_proxy() {
    let server = Server::start();
    let key = server.sign_in().make_key(&json!({ "name": "waiting", "kind": "service" }));
    in_all(|kind| {
        let home = home_with(&key.secret);
        let files = Files::serve(&home);
        let application = Some(files.address);
        let between = Between { keyhouse: server.address(), application, gate: "default" };
        let proxy = Proxy::start_between(kind, between, &[]);
        for client in &WAITING {
            let url = format!("http://{}/repository", proxy.address);
            let ended = run((client.run)(&home, &url), b"");
            assert_eq!(ended.code, Some(0), "{kind:?} {}: {ended:?}", client.name);
            assert!(
                ended.stdout.contains("refs/heads/main"),
                "{kind:?} {}: {ended:?}",
                client.name
            );
        }
    });
}

#[test]
fn clients_that_wait_for_a_challenge_authenticate_at_keyhouse_itself() {
    let server = Server::start();
    let key = server.sign_in().make_key(&json!({ "name": "waiting", "kind": "service" }));
    let home = home_with(&key.secret);
    for (name, client) in
        [("curl", curl as fn(&Home, &str) -> Command), ("wget", wget), ("urllib", urllib)]
    {
        // Each client requests `URL/info/refs`; the query makes that suffix harmless.
        let ended = run(client(&home, &format!("{}/v1/whoami?", server.url())), b"");
        assert!(ended.stdout.contains(&key.id), "{name}: {ended:?}");
    }
}

/// A home in which each client finds the key, and a repository with one branch.
fn home_with(secret: &str) -> Arc<Home> {
    let home = Home::new();
    let folder = home.folder();
    let lines = format!("user = \"any:{secret}\"\nsilent\nshow-error\n");
    fs::write(folder.join(".curlrc"), lines).unwrap();
    fs::write(folder.join(".wgetrc"), format!("user=any\npassword={secret}\n")).unwrap();
    fs::write(folder.join("key"), secret).unwrap();
    fs::create_dir_all(folder.join("repository/info")).unwrap();
    let refs = format!("{}\trefs/heads/main\n", "0123456789".repeat(4));
    fs::write(folder.join("repository/info/refs"), refs).unwrap();
    fs::write(folder.join("repository/HEAD"), "ref: refs/heads/main\n").unwrap();
    home
}

fn curl(home: &Home, url: &str) -> Command {
    let mut command = home.command("curl");
    command.args(["--anyauth", "--fail", "--max-time", "30", &format!("{url}/info/refs")]);
    command
}

fn wget(home: &Home, url: &str) -> Command {
    let mut command = home.command("wget");
    command.args(["--quiet", "--tries=1", "--output-document=-", &format!("{url}/info/refs")]);
    command
}

fn git(home: &Home, url: &str) -> Command {
    let helper = "credential.helper=!f() { echo username=any; echo \"password=$(cat ~/key)\"; }; f";
    let mut command = home.command("git");
    command.args(["-c", helper, "ls-remote", url]).env("GIT_TERMINAL_PROMPT", "0");
    command
}

fn urllib(home: &Home, url: &str) -> Command {
    let script = "import sys, urllib.request as r, pathlib as p\n\
        keys = r.HTTPPasswordMgrWithDefaultRealm()\n\
        keys.add_password(None, sys.argv[1], 'any', p.Path('key').read_text())\n\
        opener = r.build_opener(r.HTTPBasicAuthHandler(keys))\n\
        print(opener.open(sys.argv[1] + '/info/refs', timeout=30).read().decode())\n";
    let mut command = home.command("python3");
    command.args(["-c", script, url]);
    command
}

impl Files {
    fn serve(home: &Home) -> Self {
        let [port] = free_ports();
        let mut command = home.command("python3");
        command.args(["-m", "http.server", &port.to_string(), "--bind", "127.0.0.1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("python3 can be started");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while TcpStream::connect(address).is_err() {
            assert!(matches!(child.try_wait(), Ok(None)), "python3 -m http.server has ended");
            std::thread::yield_now();
        }
        Self { child, address }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}
