//! Shapes of requests through each proxy. An application behind the gate receives the same bytes as
//! behind the bare proxy, and the gate refuses requests of every shape in the same way.
//!
//! The bare proxies of `bare/` are the setup before Keyhouse is added. Each shape goes through the
//! bare proxy, and through the example's proxy with and without a key.

mod application;
mod client;
mod message;
mod table;

use std::net::SocketAddr;

use serde_json::json;

use crate::claims::IDENTITY;
use crate::proxy::{Between, Kind, Proxy, in_all};
use crate::server::{MadeKey, Server};

use application::{Application, Seen};
use client::{Received, Request};
use message::Body;
use table::{Shape, shapes};

/// Headers whose value a proxy always rewrites for the next hop.
const OF_ONE_HOP: [&str; 3] = ["connection", "upgrade", "expect"];

/// A proxy without a gate, a proxy with a gate, and the application behind both proxies.
struct Fixture<'a> {
    bare: Proxy,
    gate: Proxy,
    application: Application,
    key: &'a MadeKey,
}

/// The result of a shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Outcome {
    /// The status; `None` if the connection ended without a response.
    received: Option<Received>,
    code: Option<String>,
    seen: Vec<Seen>,
}

#[test]
fn every_shape_arrives_the_same_with_and_without_a_gate() {
    compare(|_kind| &[], |_kind| &[]);
}

#[test]
fn every_shape_arrives_through_proxies_with_raised_limits() {
    compare(raised_in_bare, raised_in_example);
}

type Changes = &'static [(&'static str, &'static str)];

/// Whether the proxy accepts requests whose target is longer than Keyhouse reads.
fn takes_long_targets(kind: Kind) -> bool {
    matches!(kind, Kind::Caddy | Kind::Traefik)
}

fn raised_in_bare(kind: Kind) -> Changes {
    match kind {
        Kind::Nginx => &[(
            "location / {",
            "client_max_body_size 0; large_client_header_buffers 32 64k; location / {",
        )],
        Kind::Haproxy => {
            &[("maxconn 4000", "maxconn 4000\n tune.bufsize 131072\n tune.http.maxhdr 400")]
        },
        Kind::Envoy => &[(
            "use_remote_address: true",
            "use_remote_address: true\n                max_request_headers_kb: 96\n                common_http_protocol_options: { max_headers_count: 400 }",
        )],
        Kind::Caddy | Kind::Traefik => &[],
    }
}

fn raised_in_example(kind: Kind) -> Changes {
    match kind {
        Kind::Nginx => &[
            ("auth_request /_keyhouse;", "client_max_body_size 0; auth_request /_keyhouse;"),
            (
                "underscores_in_headers off;",
                "underscores_in_headers off; large_client_header_buffers 32 64k;",
            ),
        ],
        Kind::Envoy => &[
            ("max_headers_count: 120", "max_headers_count: 420"),
            (
                "use_remote_address: true",
                "use_remote_address: true\n                max_request_headers_kb: 96",
            ),
        ],
        Kind::Caddy | Kind::Traefik | Kind::Haproxy => raised_in_bare(kind),
    }
}

#[expect(clippy::print_stderr, reason = "the numbers are worth a line in the log of a run")]
fn compare(of_bare: fn(Kind) -> Changes, of_example: fn(Kind) -> Changes) {
    let server = Server::start();
    let key = server.sign_in().make_key(&json!({ "name": "in every shape", "kind": "service" }));
    let shapes = shapes(option_env!("KEYHOUSE_TEST_LONG").is_some());
    in_all(|kind| {
        let application = Application::start();
        let bare = Proxy::start_bare(kind, application.address, of_bare(kind));
        let between = Between {
            keyhouse: server.address(),
            application: Some(application.address),
            gate: "default",
        };
        let gate = Proxy::start_between(kind, between, of_example(kind));
        let fixture = Fixture { bare, gate, application, key: &key };
        let (mut faults, mut arrived) = (Vec::new(), 0);
        for (at, shape) in shapes.iter().enumerate() {
            if shape.is_over_limit && !takes_long_targets(kind) {
                continue;
            }
            match fixture.compare(at, shape) {
                Ok(is_let_through) => arrived += usize::from(is_let_through),
                Err(fault) => faults.push(format!("{}: {fault}", shape.name)),
            }
        }
        eprintln!("{kind:?}: {arrived} of {} shapes arrived", shapes.len());
        assert!(faults.is_empty(), "{kind:?}:\n{}", faults.join("\n"));
        assert!(arrived * 3 > shapes.len() * 2, "{kind:?}: only {arrived} arrived");
    });
}

impl Fixture<'_> {
    /// Returns whether the application received the request, and all differences.
    fn compare(&self, at: usize, shape: &Shape) -> Result<bool, String> {
        let key = Some(self.key.secret.as_str());
        let bare = self.send(self.bare.address, shape, &format!("{at}-bare"), key);
        let mut allowed = self.send(self.gate.address, shape, &format!("{at}-allowed"), key);
        let refused = self.send(self.gate.address, shape, &format!("{at}-refused"), None);
        if !refused.seen.is_empty() {
            return Err(format!("it arrived without a key: {refused:?}"));
        }
        let status = |it: &Outcome| it.received.as_ref().map(|it| it.status);
        if bare.seen.is_empty() {
            // The proxy itself refuses requests that announce such a length. For a chunked body the
            // proxy knows the length only later.
            let of_proxy = status(&bare);
            let is_late = matches!(shape.body, Body::Chunked(_));
            let without_key = if is_late { Some(401) } else { of_proxy };
            let statuses = (status(&allowed), status(&refused));
            return if statuses == (of_proxy, without_key) && allowed.seen.is_empty() {
                Ok(false)
            } else {
                Err(format!("bare {of_proxy:?}, with a key and without one {statuses:?}"))
            };
        }
        if shape.is_over_limit {
            for outcome in [&allowed, &refused] {
                let answer = (status(outcome), outcome.code.as_deref(), outcome.seen.len());
                if answer != (Some(403), Some("REQUEST_REFUSED"), 0) {
                    return Err(format!("over Keyhouse's limit: {outcome:?}"));
                }
            }
            return Ok(false);
        }
        let answer = (status(&refused), refused.code.as_deref());
        if answer != (Some(401), Some("NO_CREDENTIAL")) {
            return Err(format!("without a key: {refused:?}"));
        }
        for seen in &mut allowed.seen {
            if seen.identity != IDENTITY.len() {
                return Err(format!("the identity is not whole: {allowed:?}"));
            }
            seen.identity = 0;
        }
        if allowed == bare { Ok(true) } else { Err(format!("bare {bare:?}\n  gate {allowed:?}")) }
    }

    fn send(&self, to: SocketAddr, shape: &Shape, tag: &str, key: Option<&str>) -> Outcome {
        let request = Request { shape, tag, key };
        let answer = client::send(to, request, &self.application).ok();
        let mut seen = self.application.seen(tag);
        for seen in &mut seen {
            // Headers that proxies add are ignored: the client's lines count.
            let is_sent = |name: &str| {
                shape.lines.iter().any(|(it, _)| it.eq_ignore_ascii_case(name))
                    && !OF_ONE_HOP.contains(&name)
            };
            seen.lines.retain(|(name, _)| is_sent(name));
            seen.lines.sort();
        }
        let code = answer.as_ref().and_then(|it| it.code.clone());
        Outcome { received: answer.map(|it| it.received), code, seen }
    }
}
