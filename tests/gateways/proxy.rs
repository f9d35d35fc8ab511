//! Starts nginx or Caddy from the files of `examples/` on free loopback ports.
#![expect(clippy::expect_used, clippy::panic, reason = "a broken fixture should stop its test")]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};

use crate::server::wire::{Answer, Connection};
use crate::server::{Home, Log};

/// Which program stands in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Caddy,
}

/// A running proxy. Dropping it ends it and what it started.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    child: Child,
    log: Arc<Log>,
    _home: Arc<Home>,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Nginx, Self::Caddy];

    /// What clients get when Keyhouse can't be reached.
    pub(crate) fn status_without_keyhouse(self) -> u16 {
        match self {
            Self::Nginx => 503,
            Self::Caddy => 502,
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Nginx => "examples/nginx/nginx.conf",
            Self::Caddy => "examples/caddy/Caddyfile",
        }
    }

    /// A line on stderr that says the ports are open.
    fn sign_of_readiness(self) -> &'static str {
        match self {
            Self::Nginx => "start worker process",
            Self::Caddy => "serving initial configuration",
        }
    }

    /// The places of the proxy's own port, Keyhouse's, the application's, and that of the stand-in.
    fn ports(self) -> [&'static str; 4] {
        match self {
            Self::Nginx => [
                "listen 127.0.0.1:8080;",
                "server 127.0.0.1:7117;",
                "server 127.0.0.1:8081;",
                "listen 127.0.0.1:8081;",
            ],
            Self::Caddy => [
                "\n:8080 {",
                "forward_auth 127.0.0.1:7117 {",
                "reverse_proxy 127.0.0.1:8081 {",
                "\n:8081 {",
            ],
        }
    }
}

impl Proxy {
    /// Starts as shipped: the application is the stand-in of the example.
    pub(crate) fn start(kind: Kind, keyhouse: SocketAddr) -> Self {
        Self::start_before(kind, keyhouse, None)
    }

    /// Starts with another application than the stand-in.
    pub(crate) fn start_before(
        kind: Kind,
        keyhouse: SocketAddr,
        application: Option<SocketAddr>,
    ) -> Self {
        let [own, stand_in] = free_ports();
        let application = application.map_or(stand_in, |it| it.port());
        let ports = [own, keyhouse.port(), application, stand_in];
        let home = Home::new();
        let text = with_ports(kind, ports);
        let mut command = match kind {
            Kind::Nginx => {
                fs::write(home.folder().join("nginx.conf"), text).expect("nginx.conf");
                let mut command = home.command("nginx");
                command.args(["-e", "stderr", "-p", ".", "-c", "nginx.conf"]);
                // Says when it is ready; the example itself is silent until something is wrong.
                command.args(["-g", "error_log stderr notice;"]);
                command
            },
            Kind::Caddy => {
                fs::write(home.folder().join("Caddyfile"), text).expect("Caddyfile");
                let mut command = home.command("caddy");
                command.args(["run", "--config", "Caddyfile"]);
                command
            },
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("could not start {kind:?} ({error}): apt-get install nginx caddy")
        });
        let log = Log::follow(child.stderr.take().expect("stderr is piped"));
        let address = SocketAddr::from(([127, 0, 0, 1], own));
        let proxy = Self { kind, address, child, log, _home: home };
        let ready = proxy.log.wait_for(kind.sign_of_readiness());
        assert!(ready.is_some(), "{kind:?} did not start:\n{}", proxy.log.tail());
        proxy
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.open().ask("GET", path, headers, b"")
    }

    /// A connection that can be kept.
    pub(crate) fn open(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Ends it; whether anything it has written on stderr holds `needle`.
    pub(crate) fn end_and_search_log(self, needle: &str) -> bool {
        let log = Arc::clone(&self.log);
        drop(self);
        log.wait_for_end();
        log.wait_for(needle).is_some()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Not SIGKILL: nginx's workers outlive a master that can't tell them.
        let _signalled = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _waited = self.child.wait();
    }
}

fn with_ports(kind: Kind, ports: [u16; 4]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind.file());
    let mut text = fs::read_to_string(&path).expect("the example's file");
    let shipped: [&str; 4] = ["8080", "7117", "8081", "8081"];
    for ((place, port), shipped) in kind.ports().into_iter().zip(ports).zip(shipped) {
        assert_eq!(text.matches(place).count(), 1, "{place:?} in {}", path.display());
        text = text.replace(place, &place.replace(shipped, &port.to_string()));
    }
    text
}

/// Ports that were free a moment ago, all different.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|it| it.local_addr().expect("an address").port())
}
