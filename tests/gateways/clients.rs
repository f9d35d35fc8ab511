//! Clients that can send only a URL: the configuration of `docs/clients.md`, added to the examples.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a page or an answer of another shape should stop its test"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::proxy::{Between, Kind, Proxy, free_ports, in_all};
use crate::server::Server;
use crate::witness::Witness;

const PAGE: &str = "docs/clients.md";
const ENVOY_FILTER: &str = "                  - name: keyhouse\n                    typed_config:";
const HAPROXY_LINE: &str = "    http-request set-var(txn.keyhouse) str(unasked)\n";
const NGINX_ASKED: &str = "            proxy_set_header X-Api-Key     $http_x_api_key;\n";
const NGINX_URI: &str = "            proxy_set_header X-Forwarded-Uri    $request_uri;\n";

#[test]
fn the_documented_lines_turn_a_query_parameter_into_a_header() {
    let server = Server::start();
    let key = server.sign_in().make_key(&json!({ "name": "feed", "kind": "service" })).secret;
    in_all(|kind| {
        let changes = changes(kind);
        if changes.is_empty() {
            return;
        }
        let changes: Vec<_> = changes.iter().map(|(at, it)| (at.as_str(), it.as_str())).collect();
        let witness = Witness::start();
        let start = |application| {
            let between = Between { keyhouse: server.address(), application, gate: "default" };
            Proxy::start_between(kind, between, &changes)
        };
        let proxy = start(Some(witness.address));
        let good = |template: &str| template.replace("KEY", &key);
        for (asked, arrives) in [
            ("/feed?api_key=KEY", "/feed"),
            ("/feed?api_key=KEY&a=1", "/feed?a=1"),
            ("/feed?a=1&api_key=KEY", "/feed?a=1"),
            ("/feed?a=1&api_key=KEY&b=%20x&b=2", "/feed?a=1&b=%20x&b=2"),
            ("/a%20feed?my_api_key=1&api_key=KEY", "/a%20feed?my_api_key=1"),
        ] {
            let answer = proxy.ask(&good(asked), &[]);
            assert_eq!(answer.status, 200, "{kind:?} {asked}: {answer:?}");
            assert!(!answer.body.contains(&key), "{kind:?} {asked}: {}", answer.body);
            let line = answer.body.lines().next().unwrap_or_default();
            let target = line.split(' ').nth(1).unwrap_or_default();
            assert_eq!(target.trim_end_matches('?'), arrives, "{kind:?} {asked}");
        }
        let passed = witness.count();
        let header = proxy.ask("/feed?a=1&api_key=another", &[("X-Api-Key", &key)]);
        assert_eq!(header.status, 200, "{kind:?}: the header counts: {header:?}");
        assert!(header.body.starts_with("GET /feed?a=1 "), "{kind:?}: {}", header.body);
        for (asked, status) in [
            ("/feed?a=1", 401),
            ("/feed?my_api_key=KEY", 401),
            ("/feed?api_key=", 401),
            ("/feed?api_key=another-systems-key-of-some-length", 401),
            ("/feed?api_key=KEY&api_key=KEY", 400),
            ("/feed?api_key=KEY&a=1&api_key=other", 400),
        ] {
            assert_eq!(proxy.ask(&good(asked), &[]).status, status, "{kind:?} {asked}");
        }
        assert_eq!(witness.count(), passed + 1, "{kind:?}");
        assert!(!proxy.end_and_search_log(&key), "{kind:?} logs the key");

        // Returns the log lines of a proxy about a failed request.
        let [closed] = free_ports();
        let proxy = start(Some(SocketAddr::from(([127, 0, 0, 1], closed))));
        let failed = proxy.ask(&good("/feed?api_key=KEY"), &[]);
        let unreachable = match kind {
            Kind::Nginx | Kind::Caddy | Kind::Traefik => 502,
            Kind::Haproxy | Kind::Envoy => 503,
        };
        assert_eq!(failed.status, unreachable, "{kind:?}: {failed:?}");
        assert!(!proxy.end_and_search_log(&key), "{kind:?} logs the key of a failed request");
    });
}

/// The text in the example at which `docs/clients.md` inserts its lines.
fn changes(kind: Kind) -> Vec<(String, String)> {
    let blocks = |name| blocks_below(name);
    let before = |at: &str, block: &str| (at.to_owned(), format!("{block}\n{at}"));
    match kind {
        Kind::Nginx => {
            let [maps, of_location, of_question] = blocks("nginx").try_into().expect("3 blocks");
            vec![
                before("    # nginx forwards only upgrades to WebSocket", &maps),
                ("            proxy_pass http://application;\n".to_owned(), of_location),
                (NGINX_ASKED.to_owned(), of_question),
                (NGINX_URI.to_owned(), String::new()),
            ]
        },
        Kind::Caddy => {
            let [of_route, of_log] = blocks("Caddy").try_into().expect("2 blocks");
            vec![
                before("\t\tforward_auth 127.0.0.1:", &of_route),
                before("\t\t\t\trequest>headers>X-Api-Key delete", &of_log),
            ]
        },
        Kind::Haproxy => {
            let [lines] = blocks("HAProxy").try_into().expect("1 block");
            vec![before(HAPROXY_LINE, &lines)]
        },
        Kind::Envoy => {
            let [filter] = blocks("Envoy").try_into().expect("1 block");
            vec![before(ENVOY_FILTER, &filter)]
        },
        Kind::Traefik => Vec::new(),
    }
}

/// The blocks of code below a heading.
fn blocks_below(heading: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
    let (_, rest) = page.split_once(&format!("\n### {heading}\n")).unwrap();
    let section = rest.split("\n##").next().unwrap_or_default();
    let blocks = section.split("\n```").skip(1).step_by(2);
    blocks.map(|block| format!("{}\n", block.split_once('\n').unwrap().1)).collect()
}
