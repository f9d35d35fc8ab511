//! Members of etcd in a temporary directory, on free ports of loopback.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keyhouse_storage_etcd::{EtcdSettings, EtcdStore};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The longest wait for a cluster, long enough for a busy machine.
const PATIENCE: u32 = 1_500;
const POLL_EVERY: Duration = Duration::from_millis(20);

/// One or more members. All processes end when the value is dropped.
pub(crate) struct Cluster {
    folder: TempDir,
    members: Vec<Member>,
    flags: Vec<String>,
    scheme: &'static str,
}

struct Member {
    name: String,
    client_port: u16,
    peer_port: u16,
    process: Option<Child>,
}

impl Cluster {
    /// Starts members with additional flags, and waits until they serve.
    pub(crate) fn start(count: usize, flags: &[&str]) -> Self {
        let cluster = Self::starting(count, flags, "http");
        for number in 0..count {
            cluster.wait_until_it_serves(number);
        }
        cluster
    }

    /// Starts one member with TLS, and waits until it listens.
    pub(crate) fn with_tls(flags: &[&str]) -> Self {
        let cluster = Self::starting(1, flags, "https");
        let address = cluster.endpoint(0);
        until("a member listens", || TcpStream::connect(&address).is_ok());
        cluster
    }

    fn starting(count: usize, flags: &[&str], scheme: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // All ports are bound at once, so that they differ.
        let listeners: Vec<TcpListener> =
            (0..count * 2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let mut ports = listeners.iter().map(|it| it.local_addr().unwrap().port());
        let member = |number: usize| Member {
            name: format!("m{number}"),
            client_port: ports.next().unwrap(),
            peer_port: ports.next().unwrap(),
            process: None,
        };
        let members = (0..count).map(member).collect();
        drop(listeners);
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut cluster = Self { folder, members, flags, scheme };
        for number in 0..count {
            cluster.run(number, "new");
        }
        cluster
    }

    fn run(&mut self, number: usize, state: &str) {
        let peers: Vec<String> = self
            .members
            .iter()
            .map(|it| format!("{}=http://127.0.0.1:{}", it.name, it.peer_port))
            .collect();
        let directory = self.directory(number);
        let scheme = self.scheme;
        let member = &mut self.members[number];
        let log = File::options()
            .create(true)
            .append(true)
            .open(directory.with_extension("log"))
            .unwrap();
        let client = format!("{scheme}://127.0.0.1:{}", member.client_port);
        let peer = format!("http://127.0.0.1:{}", member.peer_port);
        let process = Command::new("etcd")
            .args(["--name", &member.name, "--data-dir", directory.to_str().unwrap()])
            .args(["--initial-cluster", &peers.join(","), "--initial-cluster-state", state])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--logger", "zap", "--log-level", "warn", "--log-outputs", "stderr"])
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        member.process = Some(process);
    }

    pub(crate) fn endpoint(&self, number: usize) -> String {
        format!("127.0.0.1:{}", self.members[number].client_port)
    }

    pub(crate) fn directory(&self, number: usize) -> PathBuf {
        self.folder.path().join(&self.members[number].name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The storage URL of a store below a prefix.
    pub(crate) fn url(&self, prefix: &str) -> String {
        self.url_from(0, prefix)
    }

    /// A storage URL whose first member, which a store uses first, is `number`.
    fn url_from(&self, number: usize, prefix: &str) -> String {
        let mut endpoints: Vec<String> =
            (0..self.members.len()).map(|it| self.endpoint(it)).collect();
        endpoints.rotate_left(number);
        format!("etcd://{}/{prefix}", endpoints.join(","))
    }

    /// Opens a store that uses one member.
    pub(crate) fn store_at(&self, number: usize, prefix: &str) -> EtcdStore {
        EtcdStore::open(&EtcdSettings::parse(&self.url_from(number, prefix)).unwrap()).unwrap()
    }

    pub(crate) fn store(&self, prefix: &str) -> EtcdStore {
        self.store_at(0, prefix)
    }

    pub(crate) fn signal(&self, number: usize, signal: Signal) {
        let process = self.members[number].process.as_ref().unwrap();
        kill_process(Pid::from_child(process), signal).unwrap();
    }

    /// Ends a member at once.
    pub(crate) fn kill(&mut self, number: usize) {
        let mut process = self.members[number].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts a member that was killed, and waits until it serves.
    pub(crate) fn restart(&mut self, number: usize) {
        self.run(number, "existing");
        self.wait_until_it_serves(number);
    }

    /// The number of the leader.
    pub(crate) fn leader(&self) -> usize {
        let mut leader = None;
        until("the cluster has a leader", || {
            leader = (0..self.members.len()).find(|number| self.is_leader(*number));
            leader.is_some()
        });
        leader.unwrap()
    }

    fn is_leader(&self, number: usize) -> bool {
        self.metrics(number).lines().any(|line| line == "etcd_server_is_leader 1")
    }

    /// A counter or gauge of a member.
    pub(crate) fn metric(&self, number: usize, name: &str) -> String {
        let metrics = self.metrics(number);
        let line = metrics.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value.to_owned()).unwrap()
    }

    fn metrics(&self, number: usize) -> String {
        self.http_get(number, "/metrics").unwrap_or_default()
    }

    fn wait_until_it_serves(&self, number: usize) {
        until("a member serves", || {
            let health = self.http_get(number, "/health");
            health.is_some_and(|it| it.contains(r#""health":"true""#))
        });
    }

    fn http_get(&self, number: usize, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.endpoint(number)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            if let Some(mut process) = member.process.take() {
                // SIGKILL also ends a process that is stopped.
                drop(process.kill());
                drop(process.wait());
            }
        }
    }
}

/// Waits until a condition of another process is true.
#[expect(clippy::disallowed_methods, reason = "another process gives no sign")]
pub(crate) fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    for _ in 0..PATIENCE {
        if is_true() {
            return;
        }
        std::thread::sleep(POLL_EVERY);
    }
    panic!("not true in time: {what}");
}

/// Copies a directory with its files and folders.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
