//! Starts a proxy from the files of `examples/` on free loopback ports.
#![expect(clippy::expect_used, clippy::panic, reason = "a broken fixture should stop its test")]

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::server::wire::{Answer, Connection};
use crate::server::{CHECKOUT, Home, Log, run};

/// Traefik cannot generate answers, so its example has a separate application.
const STAND_IN: &str = "application.py";
const ROUTE_WAIT: Duration = Duration::from_millis(500);

/// The kind of proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Caddy,
    Traefik,
    Haproxy,
    Envoy,
}

/// A running proxy. Dropping it stops it and its child processes.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    child: Child,
    stand_in: Option<Child>,
    log: Arc<Log>,
    _home: Arc<Home>,
}

/// The servers behind a proxy, and the gate that it uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Between<'a> {
    pub(crate) keyhouse: SocketAddr,
    /// The application that replaces the example's stand-in.
    pub(crate) application: Option<SocketAddr>,
    /// The gate that replaces `default`.
    pub(crate) gate: &'a str,
}

/// How to detect that a proxy is ready.
enum Sign {
    /// The proxy is ready when its log contains a line.
    Line(&'static str),
    /// The proxy is ready when it accepts a connection.
    Port,
    /// The proxy is ready when it returns another status than 404: it opens its port before it has
    /// loaded a route.
    Route,
}

/// A file of an example, unchanged or with replacements.
#[derive(Default)]
struct File {
    name: &'static str,
    text: String,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Nginx, Self::Caddy, Self::Traefik, Self::Haproxy, Self::Envoy];

    /// The answer to clients when Keyhouse cannot be reached.
    pub(crate) fn status_without_keyhouse(self) -> u16 {
        match self {
            Self::Nginx | Self::Haproxy | Self::Envoy => 503,
            Self::Caddy => 502,
            Self::Traefik => 500,
        }
    }

    /// The answer to clients when Keyhouse accepts a connection and then sends nothing.
    pub(crate) fn status_with_silent_keyhouse(self) -> u16 {
        match self {
            Self::Nginx | Self::Haproxy | Self::Envoy => 503,
            Self::Caddy => 504,
            Self::Traefik => 500,
        }
    }

    /// The maximum time that clients wait if Keyhouse sends nothing. Traefik's limit of 30 s cannot
    /// be configured.
    pub(crate) fn waits_for_keyhouse_max(self) -> Duration {
        let seconds = if self == Self::Traefik { 40 } else { 10 };
        Duration::from_secs(seconds)
    }

    /// Whether the proxy resolves dot segments and doubled slashes before it forwards or checks a
    /// path.
    pub(crate) fn mends_paths(self) -> bool {
        self == Self::Traefik
    }

    /// The example's folder.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Nginx => "examples/nginx",
            Self::Caddy => "examples/caddy",
            Self::Traefik => "examples/traefik",
            Self::Haproxy => "examples/haproxy",
            Self::Envoy => "examples/envoy",
        }
    }

    fn files(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx.conf"],
            Self::Caddy => &["Caddyfile"],
            Self::Traefik => &["traefik.yaml", "routes.yaml", STAND_IN],
            Self::Haproxy => &["haproxy.cfg", "keyhouse.lua", "stand-in.txt"],
            Self::Envoy => &["envoy.yaml"],
        }
    }

    /// The files of the plain reverse proxy.
    fn bare_files(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx.conf"],
            Self::Caddy => &["Caddyfile"],
            Self::Traefik => &["traefik.yaml", "routes.yaml"],
            Self::Haproxy => &["haproxy.cfg"],
            Self::Envoy => &["envoy.yaml"],
        }
    }

    /// The example's file for Keyhouse's own page on a sub-path, and the name that the program expects.
    /// Only nginx and Caddy have such a file.
    fn sub_path_files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Nginx => &[("page-sub-path.conf", "nginx.conf")],
            Self::Caddy => &[("page-sub-path.Caddyfile", "Caddyfile")],
            Self::Traefik | Self::Haproxy | Self::Envoy => &[],
        }
    }

    /// The example's files for Keyhouse's own page, and the names that the program expects.
    fn page_files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Nginx => &[("page.conf", "nginx.conf")],
            Self::Caddy => &[("page.Caddyfile", "Caddyfile")],
            Self::Traefik => {
                &[("page.yaml", "traefik.yaml"), ("page-routes.yaml", "page-routes.yaml")]
            },
            Self::Haproxy => &[("page.cfg", "haproxy.cfg")],
            Self::Envoy => &[("page.yaml", "envoy.yaml")],
        }
    }

    /// Returns the program, from Debian or from `.venv` (installed by `./test`), and its arguments.
    fn command(self, home: &Home) -> Command {
        let venv = |name: &str| format!("{CHECKOUT}/.venv/bin/{name}");
        let (program, arguments): (_, &[&str]) = match self {
            // With `error_log`, nginx logs when it is ready; the example itself logs only errors.
            Self::Nginx => (
                "nginx".to_owned(),
                &["-e", "stderr", "-p", ".", "-c", "nginx.conf", "-g", "error_log stderr notice;"],
            ),
            Self::Caddy => ("caddy".to_owned(), &["run", "--config", "Caddyfile"]),
            Self::Traefik => (venv("traefik"), &["--configFile=traefik.yaml"]),
            Self::Haproxy => ("haproxy".to_owned(), &["-f", "haproxy.cfg"]),
            Self::Envoy => (
                venv("envoy"),
                &["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1"],
            ),
        };
        let mut command = home.command(program);
        command.args(arguments);
        command
    }

    fn sign_of_readiness(self) -> Sign {
        match self {
            Self::Nginx => Sign::Line("start worker process"),
            Self::Caddy => Sign::Line("serving initial configuration"),
            Self::Traefik => Sign::Route,
            Self::Haproxy => Sign::Port,
            Self::Envoy => Sign::Line("starting main dispatch loop"),
        }
    }

    /// The texts with the four ports in the files: the proxy's, Keyhouse's, the application's and the
    /// stand-in's.
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
            Self::Traefik => [
                "address: \"127.0.0.1:8080\"",
                "http://127.0.0.1:7117/",
                "url: \"http://127.0.0.1:8081\"",
                "(\"127.0.0.1\", 8081)",
            ],
            Self::Haproxy => [
                "bind 127.0.0.1:8080\n",
                "http://127.0.0.1:7117/",
                "server application 127.0.0.1:8081\n",
                "bind 127.0.0.1:8081\n",
            ],
            Self::Envoy => [
                "port_value: 8080",
                "port_value: 7117",
                "lb_endpoints:\n              - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 8081",
                "stand_in\n      address: { socket_address: { address: 127.0.0.1, port_value: 8081",
            ],
        }
    }

    /// The text with the gate's name in the files.
    fn gate(self) -> &'static str {
        if self == Self::Envoy { "/v1/ext-authz/default" } else { "/v1/forward-auth/default" }
    }
}

impl Proxy {
    /// Starts the example unchanged: the application is the example's stand-in.
    pub(crate) fn start(kind: Kind, keyhouse: SocketAddr) -> Self {
        Self::start_before(kind, keyhouse, None)
    }

    /// Starts the example with another application than the stand-in.
    pub(crate) fn start_before(
        kind: Kind,
        keyhouse: SocketAddr,
        application: Option<SocketAddr>,
    ) -> Self {
        Self::start_between(kind, Between { keyhouse, application, gate: "default" }, &[])
    }

    /// Starts the example after `changes`. The text of each change must occur once in the example.
    pub(crate) fn start_between(
        kind: Kind,
        between: Between<'_>,
        changes: &[(&str, &str)],
    ) -> Self {
        let [own, stand_in] = free_ports();
        let application = between.application.map_or(stand_in, |it| it.port());
        let home = Home::new();
        let mut files = read(kind.folder(), kind.files());
        let shipped_ports: [&str; 4] = ["8080", "7117", "8081", "8081"];
        let ports = [own, between.keyhouse.port(), application, stand_in];
        for ((place, port), shipped) in kind.ports().into_iter().zip(ports).zip(shipped_ports) {
            replace(&mut files, place, &place.replace(shipped, &port.to_string()));
        }
        replace(&mut files, kind.gate(), &kind.gate().replace("default", between.gate));
        for (place, other) in changes {
            replace(&mut files, place, other);
        }
        for file in files {
            fs::write(home.folder().join(file.name), file.text).expect("a file of the example");
        }

        let needs_stand_in = kind == Kind::Traefik && between.application.is_none();
        let stand_in = needs_stand_in.then(|| {
            let mut python = home.command("python3");
            python.arg(STAND_IN).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut python = python.spawn().expect("python3 can be started");
            let address = ("127.0.0.1", stand_in);
            assert!(wait_until(&mut python, || TcpStream::connect(address).is_ok()), "{STAND_IN}");
            python
        });
        Self::run(kind, home, own, stand_in)
    }

    /// Starts the plain reverse proxy of `shapes/bare`, which checks no keys.
    pub(crate) fn start_bare(
        kind: Kind,
        application: SocketAddr,
        changes: &[(&str, &str)],
    ) -> Self {
        let [own] = free_ports();
        let home = Home::new();
        let folder = kind.folder().replace("examples/", "tests/gateways/shapes/bare/");
        let mut files = read(&folder, kind.bare_files());
        let [own_place, _, application_place, _] = kind.ports();
        replace(&mut files, own_place, &own_place.replace("8080", &own.to_string()));
        let port = application.port().to_string();
        replace(&mut files, application_place, &application_place.replace("8081", &port));
        for (place, other) in changes {
            replace(&mut files, place, other);
        }
        for file in files {
            fs::write(home.folder().join(file.name), file.text).expect("a file of the bare proxy");
        }
        Self::run(kind, home, own, None)
    }

    /// Starts the example's files for Keyhouse's own page, in `home`, which contains a certificate.
    /// `ports` are the ports of plain HTTP, of TLS and of Keyhouse.
    pub(crate) fn start_page(kind: Kind, home: &Arc<Home>, ports: [u16; 3]) -> Self {
        Self::start_tls(kind, kind.page_files(), home, &ports)
    }

    /// Like [`Self::start_page`], with the page on a sub-path. The last port is that of the stand-in for
    /// the application on the same host.
    pub(crate) fn start_sub_path(kind: Kind, home: &Arc<Home>, ports: [u16; 4]) -> Self {
        Self::start_tls(kind, kind.sub_path_files(), home, &ports)
    }

    fn start_tls(
        kind: Kind,
        files: &[(&'static str, &str)],
        home: &Arc<Home>,
        ports: &[u16],
    ) -> Self {
        for (name, as_name) in files {
            let [file] = read(kind.folder(), &[name]).try_into().unwrap_or_default();
            let shipped = ["8080", "8443", "7117", "8081"].into_iter().zip(ports);
            let text = shipped.fold(file.text, |text, (shipped, port)| {
                assert!(text.contains(shipped) || kind == Kind::Traefik, "{name} has no {shipped}");
                text.replace(shipped, &port.to_string())
            });
            fs::write(home.folder().join(as_name), text).expect("a file of the page's recipe");
        }
        let own = *ports.first().expect("a port of plain HTTP");
        Self::run(kind, Arc::clone(home), own, None)
    }

    /// Starts Caddy on a text, in `home`. `own` is a port on which it listens.
    pub(crate) fn start_caddy(home: &Arc<Home>, own: u16, text: &str) -> Self {
        fs::write(home.folder().join("Caddyfile"), text).expect("the Caddyfile");
        Self::run(Kind::Caddy, Arc::clone(home), own, None)
    }

    /// Starts the program on the files in `home`, and waits until it answers.
    fn run(kind: Kind, home: Arc<Home>, own: u16, stand_in: Option<Child>) -> Self {
        let mut command = kind.command(&home);
        let (reader, writer) = io::pipe().expect("a pipe");
        command.stdin(Stdio::null()).stdout(writer.try_clone().expect("a pipe")).stderr(writer);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("could not start {kind:?} ({error}): ./test tests gets it")
        });
        // Closes this process's write end, so that the log ends when the proxy ends.
        drop(command);
        let address = SocketAddr::from(([127, 0, 0, 1], own));
        let mut proxy =
            Self { kind, address, child, stand_in, log: Log::follow(reader), _home: home };
        proxy.wait_until_ready();
        proxy
    }

    /// Sends one request on its own connection.
    pub(crate) fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.open().ask("GET", path, headers, b"")
    }

    /// Opens a keep-alive connection.
    pub(crate) fn open(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Stops the proxy and returns whether its output contains `needle`.
    pub(crate) fn end_and_search_log(self, needle: &str) -> bool {
        let log = Arc::clone(&self.log);
        drop(self);
        log.wait_for_end();
        log.wait_for(needle).is_some()
    }

    fn wait_until_ready(&mut self) {
        let address = self.address;
        let ready = match self.kind.sign_of_readiness() {
            Sign::Line(line) => self.log.wait_for(line).is_some(),
            Sign::Port => wait_until(&mut self.child, || TcpStream::connect(address).is_ok()),
            Sign::Route => wait_until(&mut self.child, || knows_a_route(address)),
        };
        assert!(ready, "{:?} did not start:\n{}", self.kind, self.log.tail());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for child in self.stand_in.iter_mut().chain([&mut self.child]) {
            // SIGKILL would end only nginx's master, and its workers would keep running.
            let _signalled = kill_process(Pid::from_child(child), Signal::TERM);
            let _waited = child.wait();
        }
    }
}

/// Returns whether a route exists: with a route, Traefik sends a check to Keyhouse, which may delay
/// the response; without a route, the response is an immediate 404.
fn knows_a_route(address: SocketAddr) -> bool {
    let Ok(mut connection) = Connection::try_open(address) else { return false };
    connection.socket().set_read_timeout(Some(ROUTE_WAIT)).expect("a timeout");
    match connection.try_ask("GET", "/", &[], b"") {
        Ok(answer) => answer.status != 404,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Writes a certificate of `keyhouse.example.com` and `api.example.com`, and its key, to `home`, as the
/// examples name them. The certificate is also in `ca.pem`.
pub(crate) fn make_certificate(kind: Kind, home: &Home) {
    let mut openssl = home.command("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl.args(["-days", "2", "-subj", "/CN=keyhouse.example.com", "-keyout", "key.pem"]);
    openssl.args([
        "-addext",
        "subjectAltName=DNS:keyhouse.example.com,DNS:api.example.com",
        "-out",
        "certificate.pem",
    ]);
    let ended = run(openssl, b"");
    assert_eq!(ended.code, Some(0), "apt-get install openssl: {ended:?}");
    let read = |name: &str| fs::read(home.folder().join(name)).expect("a file of openssl");
    fs::write(home.folder().join("ca.pem"), read("certificate.pem")).expect("ca.pem");
    // HAProxy reads certificate and key from one file.
    if kind == Kind::Haproxy {
        let both = [read("certificate.pem"), read("key.pem")].concat();
        fs::write(home.folder().join("certificate.pem"), both).expect("certificate.pem");
    }
}

/// Reads the files of a folder.
fn read(folder: &str, names: &[&'static str]) -> Vec<File> {
    let folder = Path::new(CHECKOUT).join(folder);
    let read = |name: &&'static str| File {
        name,
        text: fs::read_to_string(folder.join(name)).expect("a file of the proxy"),
    };
    names.iter().map(read).collect()
}

/// Replaces a text that must occur once in a file.
fn replace(files: &mut [File], place: &str, other: &str) {
    let count: usize = files.iter().map(|file| file.text.matches(place).count()).sum();
    assert_eq!(count, 1, "{place:?} is there once");
    for file in files {
        file.text = file.text.replace(place, other);
    }
}

/// Polls until the proxy is ready; false if the program has exited.
fn wait_until(child: &mut Child, is_so: impl Fn() -> bool) -> bool {
    loop {
        if is_so() {
            return true;
        }
        if !matches!(child.try_wait(), Ok(None)) {
            return false;
        }
        thread::yield_now();
    }
}

/// Runs a test with all five proxies in parallel.
pub(crate) fn in_all(body: impl Fn(Kind) + Sync) {
    thread::scope(|scope| {
        for kind in Kind::ALL {
            let body = &body;
            let named = thread::Builder::new().name(format!("{kind:?}"));
            named.spawn_scoped(scope, move || body(kind)).expect("a thread");
        }
    });
}

/// Returns different free ports, which no other test process gets while this one runs. They are below
/// the kernel's range for outgoing connections, because such a connection once took a port before the
/// proxy could bind it.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    /// An abstract socket for each port given so far. The kernel removes them with the process.
    static CLAIMS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let first = u16::try_from(std::process::id() % 20_000).expect("below 20,000");
    let mut free = (0..20_000).filter_map(|_| {
        let offset = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let port = 12_000 + offset;
        let name = format!("keyhouse-test-port-{port}");
        let name = UnixAddress::from_abstract_name(name).expect("a short name");
        let claim = UnixListener::bind_addr(&name).ok()?;
        let held = TcpListener::bind(("127.0.0.1", port)).ok()?;
        CLAIMS.lock().unwrap_or_else(PoisonError::into_inner).push(claim);
        Some(held)
    });
    let held: [TcpListener; N] = std::array::from_fn(|_| free.next().expect("a free port"));
    held.map(|it| it.local_addr().expect("an address").port())
}
