//! Gates that read keys from a custom scheme, a cookie or a subprotocol, through each proxy, with
//! the changes of `docs/clients.md`.

use serde_json::json;

use crate::claims::base64;
use crate::proxy::{Between, Kind, Proxy, in_all};
use crate::server::Server;
use crate::witness::Witness;

type Changes = &'static [(&'static str, &'static str)];

#[test]
fn a_gate_reads_its_configured_key_sources_through_each_proxy() {
    let server = Server::start();
    let session = server.sign_in();
    let credentials = ["authorization:token", "cookie:feed", "websocket-protocol:key."];
    let routes = json!([{ "path": "/**" }]);
    let fields = json!({ "name": "places", "routes": routes, "credentials": credentials });
    let made = session.ask("POST", "/v1/gates", &fields);
    assert_eq!(made.status, 201, "{made:?}");
    let key = session.make_key(&json!({ "name": "placed", "kind": "service" })).secret;
    let basic = format!("Basic {}", base64(&format!("any:{key}")));
    let filled = |template: &str| template.replace("KEY", &key).replace("BASIC", &basic);
    let rows = [
        ("Authorization", "Token KEY", 200),
        ("Authorization", "token KEY", 200),
        ("Cookie", "a=b; feed=KEY; c=d", 200),
        ("Sec-WebSocket-Protocol", "chat, key.KEY", 200),
        ("Authorization", "Token another-systems-key-of-some-length", 401),
        ("Authorization", "Bearer KEY", 401),
        ("Authorization", "BASIC", 401),
        ("Cookie", "another=KEY", 401),
        ("Sec-WebSocket-Protocol", "KEY", 401),
        ("X-Api-Key", "KEY", 401),
        ("X-Harmless", "KEY", 401),
    ];
    in_all(|kind| {
        let witness = Witness::start();
        let application = Some(witness.address);
        let between = Between { keyhouse: server.address(), application, gate: "places" };
        let proxy = Proxy::start_between(kind, between, changes(kind));
        for (name, template, status) in rows {
            let answer = proxy.ask("/feed", &[(name, &filled(template))]);
            assert_eq!(answer.status, status, "{kind:?} {name}: {template}: {answer:?}");
            if status == 401 {
                let offered = answer.challenges();
                assert!(offered.contains("Token realm="), "{kind:?} {name}: {offered}");
                assert!(!offered.contains("Basic"), "{kind:?} {name}: {offered}");
            }
        }
        assert_eq!(witness.count(), 4, "{kind:?}");
    });
}

fn changes(kind: Kind) -> Changes {
    match kind {
        Kind::Nginx => &[(
            "            proxy_set_header User-Agent    $http_user_agent;",
            "proxy_set_header User-Agent $http_user_agent; proxy_set_header Cookie $http_cookie;
             proxy_set_header Sec-WebSocket-Protocol $http_sec_websocket_protocol;",
        )],
        Kind::Caddy => &[("header_up -Cookie\n", "\n"), ("header_up -Sec-*\n", "\n")],
        Kind::Traefik => {
            &[("Origin, Access-Control", "Cookie, Sec-WebSocket-Protocol, Origin, Access-Control")]
        },
        Kind::Haproxy => {
            &[("    \"origin\",", "\"cookie\", \"sec-websocket-protocol\", \"origin\",")]
        },
        Kind::Envoy => &[(
            "- exact: origin\n",
            "- exact: origin\n                          - exact: cookie\n                          - exact: sec-websocket-protocol\n",
        )],
    }
}

#[test]
fn preflights_reasons_and_allowed_paths_pass_through_each_proxy() {
    let server = Server::start();
    let session = server.sign_in();
    let packages = json!({ "path": "/packages/**", "allow": ["encoded_slash"] });
    let routes = json!([packages, { "path": "/**" }]);
    let fields = json!({ "name": "doors", "routes": routes, "preflight": "allow" });
    let made = session.ask("POST", "/v1/gates", &fields);
    assert_eq!(made.status, 201, "{made:?}");
    let key = session.make_key(&json!({ "name": "scoped", "kind": "service" })).secret;
    let with_key = [("X-Api-Key", key.as_str())];
    let origin = ("Origin", "https://app.example.com");
    in_all(|kind| {
        let witness = Witness::start();
        let application = Some(witness.address);
        let between = Between { keyhouse: server.address(), application, gate: "doors" };
        let proxy = Proxy::start_between(kind, between, &[]);
        let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
            proxy.open().ask(method, path, headers, b"")
        };
        let preflight = ask("OPTIONS", "/a", &[origin, ("Access-Control-Request-Method", "PUT")]);
        assert_eq!(preflight.status, 200, "{kind:?}: {preflight:?}");
        assert!(preflight.body.starts_with("OPTIONS /a "), "{kind:?}: {}", preflight.body);
        let plain = ask("OPTIONS", "/a", &[origin]);
        assert_eq!(plain.status, 401, "{kind:?}: {plain:?}");

        let scoped = ask("GET", "/packages/@scope%2fname", &with_key);
        assert_eq!(scoped.status, 200, "{kind:?}: {scoped:?}");
        // Traefik writes encodings in capitals.
        let seen = scoped.body.to_ascii_lowercase();
        assert!(seen.starts_with("get /packages/@scope%2fname "), "{kind:?}: {seen}");
        let refused = ask("GET", "/a%2fb", &with_key);
        assert_eq!(refused.status, 403, "{kind:?}: {refused:?}");
        assert_eq!(refused.header("X-Keyhouse-Reason"), Some("encoded_slash"), "{kind:?}");
        let body = refused.json();
        assert_eq!(body.pointer("/reason"), Some(&json!("encoded_slash")), "{kind:?}: {body}");
        assert_eq!(witness.count(), 2, "{kind:?}");
    });
}
