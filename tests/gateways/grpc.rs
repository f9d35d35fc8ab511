//! Calls gRPC through each proxy, configured as in `docs/clients.md`: a real client and a real service.
#![expect(clippy::expect_used, reason = "a broken fixture should stop its test")]

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::json;

use crate::proxy::{Between, Kind, Proxy, free_ports, in_all};
use crate::server::{Ended, Home, Server, run};

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python");
const ORDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gateways/grpc/orders.py");

/// The service. Dropping the value stops the service.
struct Orders {
    child: Child,
    address: SocketAddr,
}

#[test]
fn grpc_passes_each_proxy_with_a_key_and_is_refused_without_one() {
    let server = Server::start();
    let session = server.sign_in();
    let routes = json!([{ "path": "/shop.Orders/*", "methods": ["POST"] }]);
    let made = session.ask("POST", "/v1/gates", &json!({ "name": "grpc", "routes": routes }));
    assert_eq!(made.status, 201, "{made:?}");
    let key = session.make_key(&json!({ "name": "caller", "kind": "service" })).secret;
    in_all(|kind| {
        let home = Home::new();
        let orders = Orders::serve(&home);
        let application = Some(orders.address);
        let between = Between { keyhouse: server.address(), application, gate: "grpc" };
        let changes = changes(kind);
        let changes: Vec<_> = changes.iter().map(|(at, it)| (at.as_str(), it.as_str())).collect();
        let proxy = Proxy::start_between(kind, between, &changes);
        for method in ["List", "Watch"] {
            let passed = call(&home, proxy.address, method, &key);
            assert!(passed.contains("status OK"), "{kind:?} {method}: {passed}");
            assert!(passed.contains("('orders-sum', '7')"), "{kind:?} {method}: {passed}");
            assert!(passed.contains("x-keyhouse-key-name=caller"), "{kind:?} {method}: {passed}");
            assert!(!passed.contains(&key), "{kind:?} {method}: {passed}");
        }
        let refused = call(&home, proxy.address, "List", "");
        assert!(refused.contains("status UNAUTHENTICATED"), "{kind:?}: {refused}");
        let elsewhere = call(&home, proxy.address, "Other/Path", &key);
        assert!(elsewhere.contains("status PERMISSION_DENIED"), "{kind:?}: {elsewhere}");
    });
}

/// The changes to the example that `docs/clients.md` describes, for the connection to the client
/// and to the application.
fn changes(kind: Kind) -> Vec<(String, String)> {
    let own = |rows: &[(&str, &str)]| {
        rows.iter().map(|(at, it)| ((*at).to_owned(), (*it).to_owned())).collect()
    };
    match kind {
        Kind::Nginx => nginx(),
        Kind::Caddy => own(&[
            ("\tauto_https off\n", "\tauto_https off\n\tservers {\n\t\tprotocols h1 h2 h2c\n\t}\n"),
            ("reverse_proxy 127.0.0.1:", "reverse_proxy h2c://127.0.0.1:"),
        ]),
        Kind::Traefik => own(&[("url: \"http://", "url: \"h2c://")]),
        Kind::Haproxy => own(&[
            (
                "\n\n    # Many applications read any",
                " proto h2\n\n    # Many applications read any",
            ),
            (
                "\n\n# A stand-in for the application",
                " proto h2\n\n# A stand-in for the application",
            ),
        ]),
        Kind::Envoy => own(&[(
            "    - name: application\n      connect_timeout: 2s\n",
            "    - name: application\n      connect_timeout: 2s\n      http2_protocol_options: {}\n",
        )]),
    }
}

/// `grpc_pass` needs its own form of the directives that `proxy_pass` has in `location /`.
fn nginx() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nginx/nginx.conf");
    let text = fs::read_to_string(path).expect("the example");
    let from = text.find("location / {").expect("the application's location");
    let to = text.find("location = /_keyhouse {").expect("the question's location");
    let location = text.get(from..to).expect("one before the other");
    let of_grpc = location
        .replace("proxy_set_header", "grpc_set_header")
        .replace("grpc_set_header Upgrade    $kh_upgrade;", "")
        .replace("grpc_set_header Connection $kh_connection;", "")
        .replace("proxy_http_version 1.1;", "grpc_set_header TE trailers;")
        .replace("proxy_pass http://application;", "grpc_pass grpc://application;");
    let begin = ";\n\n        location / {\n            auth_request";
    let listen = (begin.to_owned(), format!(" http2{begin}"));
    vec![(location.to_owned(), of_grpc), listen]
}

fn call(home: &Home, address: SocketAddr, method: &str, key: &str) -> String {
    let mut command = home.command(PYTHON);
    command.args([ORDERS, "call", &address.to_string(), method]);
    let ended: Ended = run(command, key.as_bytes());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

impl Orders {
    fn serve(home: &Home) -> Self {
        let [port] = free_ports();
        let mut command: Command = home.command(PYTHON);
        command.args([ORDERS, "serve", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("./test tests gets Python's grpcio");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while TcpStream::connect(address).is_err() {
            assert!(matches!(child.try_wait(), Ok(None)), "the service has ended");
            thread::yield_now();
        }
        Self { child, address }
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}
