//! `/metrics`: access, the format for Prometheus, correct numbers, and examples that use only
//! existing metrics.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::policy::operations;
use crate::server::SEARCH_PATH;
use crate::server::wire::{Answer, Connection};
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// Every label name with all its values. Labels for the bound of a bucket, a version or a gate have
/// no fixed values.
const LABELS: &[(&str, &[&str])] = &[
    ("code", &[]),
    ("endpoint", &["forward_auth", "ext_authz", "verify", "verify_batch", "introspect", "whoami"]),
    ("gate", &["default", "(unknown)"]),
    ("kind", &["organization", "role", "secret", "team", "user"]),
    ("le", &[]),
    (
        "outcome",
        &[
            "busy",
            "code_required",
            "organization_required",
            "committed",
            "conflict",
            "failed",
            "full",
            "invalid",
            "succeeded",
            "throttled",
            "unavailable",
            "unknown",
        ],
    ),
    ("reason", &["busy", "malformed", "panic", "per_address"]),
    ("state", &["loading", "following", "unavailable", "ended"]),
    ("status", &[]),
    ("surface", &["main", "checks", "control", "metrics"]),
    ("version", &[]),
];

/// Returns the listener's address from its log line.
fn listener(instance: &TestServer, said: &str) -> SocketAddr {
    let line = instance.server().log().wait_for(said).unwrap();
    let rest = line.split_once("http://").unwrap().1.trim();
    rest.split('/').next().unwrap().parse().unwrap()
}

fn ask_at(address: SocketAddr, ask: &Ask) -> Answer {
    Connection::open(address).ask(&ask.method, &ask.target, &ask.lines(), &ask.body)
}

/// An instance with a listener for metrics.
fn instance() -> (TestServer, SocketAddr) {
    let instance = TestServer::start_with(&["--metrics-listen", "127.0.0.1:0"]);
    let address = listener(&instance, "metrics on http://");
    (instance, address)
}

fn scrape(address: SocketAddr) -> String {
    let answer = ask_at(address, &Ask::get("/metrics"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// Returns the number of a series in the exposition.
fn number(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

fn count(text: &str, series: &str) -> u64 {
    let found = number(text, series).unwrap_or(0.0);
    assert!(found >= 0.0 && found.fract() == 0.0, "{series} {found}");
    format!("{found}").parse().unwrap()
}

/// Reads a file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs promtool, which must report nothing about its input.
fn promtool(words: &[&str], stdin: &str) {
    let mut command = Command::new("promtool");
    command.env("PATH", SEARCH_PATH).current_dir(file("")).args(words);
    let ended = crate::server::run(command, stdin.as_bytes());
    assert_eq!(ended.code, Some(0), "promtool {words:?}: {}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stderr, "", "promtool {words:?}");
}

#[test]
fn metrics_need_instance_management_or_their_own_listener() {
    let instance =
        TestServer::start_with(&["--metrics-listen=127.0.0.1:0", "--check-listen=127.0.0.1:0"]);
    let metrics = Ask::get("/metrics");
    instance.bare(&metrics).problem(401, "NO_CREDENTIAL");
    instance.bare(&metrics.clone().bearer("kh_live_none")).problem(401, "NOT_FOUND");
    instance.bare(&metrics.clone().header("Cookie", "keyhouse=none")).problem(401, "session_ended");
    let plain = instance.create(&json!({}));
    instance.bare(&metrics.clone().bearer(&plain.secret)).problem(403, "permission_required");
    let guest = instance.join("guest", "guest");
    instance
        .bare(&metrics.clone().header("Cookie", &guest.cookie))
        .problem(403, "permission_required");
    assert_eq!(instance.ask(&metrics).status, 200);
    let manager =
        instance.create(&json!({"kind": "service", "permissions": ["keyhouse:instance:manage"]}));
    let reported = instance.bare(&metrics.clone().bearer(&manager.secret));
    assert_eq!(reported.status, 200, "{}", reported.body);
    let kind = Some("text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(
        (reported.header("content-type"), reported.header("cache-control")),
        (kind, Some("no-store"))
    );
    instance.ask(&Ask::get("/metrics?all=1")).problem(400, "invalid_input");

    let checks = listener(&instance, "checks on http://");
    ask_at(checks, &metrics.clone().bearer(&manager.secret)).problem(404, "not_found");
    let own = listener(&instance, "metrics on http://");
    // This listener does not authenticate, so a wrong credential is ignored.
    for ask in [metrics.clone(), metrics.clone().bearer("wrong"), instance.as_owner(metrics)] {
        assert_eq!(ask_at(own, &ask).status, 200);
    }
    assert_eq!(ask_at(own, &Ask::new("HEAD", "/metrics")).status, 200);
    ask_at(own, &Ask::new("POST", "/metrics")).problem(405, "method_not_allowed");
}

#[test]
fn the_metrics_listener_serves_only_metrics_and_health() {
    let (instance, address) = instance();
    let key =
        instance.create(&json!({"kind": "service", "permissions": ["*", "keyhouse:keys:read"]}));
    let open = ["/metrics", "/healthz", "/readyz"];
    for operation in operations(&instance) {
        let ask = operation.ask(&operation.path, &operation.example).without("Authorization");
        for ask in [ask.clone(), instance.as_owner(ask.clone()), ask.bearer(&key.secret)] {
            let answer = ask_at(address, &ask);
            let served = open.contains(&operation.path.as_str());
            let gate =
                ["/forward-auth/", "/ext-authz/"].iter().any(|it| operation.path.contains(it));
            let expected = if served {
                200
            } else if gate {
                403
            } else {
                404
            };
            assert_eq!(answer.status, expected, "{} {}", operation.id, answer.body);
        }
    }
    let ask = Ask::forward_auth(&key.secret);
    ask_at(address, &ask).problem(403, "GATE_NOT_FOUND");
    assert_eq!(instance.bare(&ask).status, 200, "the key itself is good");
}

#[test]
fn prometheus_accepts_a_scrape_and_labels_have_only_known_values() {
    let (instance, address) = instance();
    let made = instance.create(&json!({"name": "named-key"}));
    let mut line = instance.connect();
    line.ask(&Ask::forward_auth(&made.secret)).expect(200);
    line.ask(&Ask::forward_auth("kh_live_mistyped")).problem(401, "NOT_FOUND");
    let gate = "/v1/forward-auth/secret-gate";
    line.ask(&Ask { target: gate.to_owned(), ..Ask::forward_auth(&made.secret) })
        .problem(403, "GATE_NOT_FOUND");
    instance.verify(&made.secret);
    instance.bare(&Ask::new("BREW", "/v1/unknown-path")).problem(404, "not_found");
    let text = scrape(address);
    promtool(&["check", "metrics"], &text);
    let cookie = instance.cookie().split_once('=').unwrap().1;
    let hint = made.secret.get(..13).unwrap();
    for unsaid in [
        hint,
        &made.id,
        "named-key",
        EMAIL,
        cookie,
        "secret-gate",
        "192.0.2.7",
        "127.0.0.1",
        "BREW",
        "unknown-path",
        "usr_",
        "org_",
    ] {
        assert!(!text.contains(unsaid), "{unsaid} in\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, rest)) = line.split_once('{') else { continue };
        for pair in rest.split_once('}').unwrap().0.split(',') {
            let (name, value) = pair.split_once('=').unwrap();
            let known = LABELS.iter().find(|(label, _)| *label == name);
            let (_, values) = known.unwrap_or_else(|| panic!("the label {name} in {line}"));
            let value = value.trim_matches('"');
            assert!(values.is_empty() || values.contains(&value), "{line}");
        }
    }
}

#[test]
fn every_action_is_counted_once_in_its_metric() {
    let (instance, address) = instance();
    let made = instance.create(&json!({}));
    let revoked = instance.create(&json!({}));
    instance.act(&revoked.id, "revoke").expect(200);
    let before = scrape(address);
    let mut line = instance.connect();
    for _ in 0..3 {
        line.ask(&Ask::forward_auth(&made.secret)).expect(200);
    }
    line.ask(&Ask::forwarded()).problem(401, "NO_CREDENTIAL");
    line.ask(&Ask::forward_auth(&revoked.secret)).problem(401, "REVOKED");
    line.ask(&Ask::forward_auth(&made.secret).without("X-Forwarded-Uri"))
        .problem(403, "REQUEST_REFUSED");
    line.ask(&Ask::forward_auth(&made.secret).bearer(&made.secret)).problem(401, "MALFORMED");
    line.ask(&Ask::get("/v1/whoami").bearer(&made.secret)).expect(200);
    instance.verify(&made.secret);
    let batch = json!({"requests": [{"key": made.secret}, {"key": revoked.secret}, {"key": "x"}, {"key": 1}]});
    instance.ask(&Ask::post("/v1/verify/batch", &batch)).expect(200);
    let wrong = json!({"email": EMAIL, "password": "wrong horse battery staple"});
    instance.bare(&Ask::post("/v1/session", &wrong)).problem(401, "sign_in_failed");
    instance
        .bare(&Ask::post("/v1/session", &json!({"email": EMAIL, "password": PASSWORD})))
        .expect(201);
    instance
        .bare(&Ask::get("/none").header("Host", "a").header("Host", "b"))
        .problem(400, "doubled_header");
    let after = scrape(address);
    let checked = |endpoint: &str, code: &str| {
        let gate = if endpoint == "forward_auth" { "gate=\"default\"," } else { "" };
        format!("keyhouse_checks_total{{endpoint=\"{endpoint}\",{gate}code=\"{code}\"}}")
    };
    let requests =
        |status| format!("keyhouse_http_requests_total{{surface=\"main\",status=\"{status}\"}}");
    for (series, more) in [
        (checked("forward_auth", "VALID"), 3),
        (checked("forward_auth", "NO_CREDENTIAL"), 1),
        (checked("forward_auth", "REVOKED"), 1),
        (checked("forward_auth", "REQUEST_REFUSED"), 1),
        (checked("forward_auth", "MALFORMED"), 1),
        (checked("whoami", "VALID"), 1),
        (checked("verify", "VALID"), 1),
        (checked("verify_batch", "VALID"), 1),
        (checked("verify_batch", "REVOKED"), 1),
        (checked("verify_batch", "NOT_FOUND"), 1),
        ("keyhouse_check_duration_seconds_count{endpoint=\"forward_auth\"}".to_owned(), 7),
        (
            "keyhouse_check_duration_seconds_bucket{le=\"+Inf\",endpoint=\"forward_auth\"}"
                .to_owned(),
            7,
        ),
        ("keyhouse_sign_ins_total{outcome=\"failed\"}".to_owned(), 1),
        ("keyhouse_sign_ins_total{outcome=\"succeeded\"}".to_owned(), 1),
        ("keyhouse_http_requests_refused_total{reason=\"malformed\"}".to_owned(), 2),
        (requests(201), 1),
        (requests(400), 1),
        (requests(401), 1),
        // The expected number includes the request that read the previous numbers.
        ("keyhouse_http_requests_total{surface=\"metrics\",status=\"200\"}".to_owned(), 1),
        ("keyhouse_index_entries{kind=\"secret\"}".to_owned(), 0),
    ] {
        assert_eq!(count(&after, &series) - count(&before, &series), more, "{series}");
    }
    let grows =
        |series: &str| assert!(number(&after, series) > number(&before, series), "{series}");
    grows("keyhouse_uptime_seconds");
    grows("keyhouse_check_duration_seconds_sum{endpoint=\"forward_auth\"}");
    grows("keyhouse_connections_accepted_total");
    grows("keyhouse_pool_wait_seconds_count");
    grows("keyhouse_index_step_seconds_count");
    grows("keyhouse_store_commits_total{outcome=\"committed\"}");
    grows("keyhouse_store_commit_duration_seconds_count");
    grows("keyhouse_index_revision");
    for (series, now) in [
        ("keyhouse_ready", 1),
        ("keyhouse_store_state{state=\"following\"}", 1),
        ("keyhouse_store_state{state=\"unavailable\"}", 0),
        ("keyhouse_index_behind", 0),
        ("keyhouse_index_entries{kind=\"secret\"}", 2),
        ("keyhouse_index_entries{kind=\"user\"}", 1),
        ("keyhouse_pool_in_flight", 0),
        ("keyhouse_build_info{version=\"0.1.0\"}", 1),
    ] {
        assert_eq!(number(&after, series), Some(f64::from(now)), "{series}");
    }
}

#[test]
fn each_gate_has_its_own_label() {
    let (instance, address) = instance();
    let made = instance.create(&json!({}));
    let gate = json!({"name": "orders", "routes": [{"path": "/orders/{id}", "methods": ["GET"]}]});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    let request = |path: &str| {
        Ask::get(&format!("/v1/ext-authz/orders{path}"))
            .bearer(&made.secret)
            .header("X-Forwarded-For", "192.0.2.7")
    };
    instance.bare(&request("/orders/7")).expect(200);
    instance.bare(&request("/orders/8")).expect(200);
    instance.bare(&request("/admin")).problem(403, "ROUTE_NOT_ALLOWED");
    instance
        .bare(&Ask { target: "/v1/ext-authz/none/orders/7".to_owned(), ..request("") })
        .problem(403, "GATE_NOT_FOUND");
    let text = scrape(address);
    for (gate, code, expected) in [
        ("orders", "VALID", 2),
        ("orders", "ROUTE_NOT_ALLOWED", 1),
        ("(unknown)", "GATE_NOT_FOUND", 1),
        ("default", "VALID", 0),
    ] {
        let series = format!(
            "keyhouse_checks_total{{endpoint=\"ext_authz\",gate=\"{gate}\",code=\"{code}\"}}"
        );
        assert_eq!(number(&text, &series), Some(f64::from(expected)), "{series}");
    }
    promtool(&["check", "metrics"], &text);
}

/// Returns every metric name in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words.filter(|word| word.starts_with("keyhouse_")).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_and_the_alerts_use_every_existing_metric() {
    let (_house, address) = instance();
    let text = scrape(address);
    let reported: BTreeSet<String> = {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
    };
    for path in ["examples/grafana-dashboard.json", "examples/alerts.yml"] {
        let used = names(&fs::read_to_string(file(path)).unwrap());
        assert!(used.len() > 10, "{path}: {used:?}");
        let missing: Vec<_> = used.difference(&reported).collect();
        assert!(missing.is_empty(), "{path} names what is not measured: {missing:?}");
    }
    // The examples use every metric: a metric that no example shows is not needed.
    let dashboard = fs::read_to_string(file("examples/grafana-dashboard.json")).unwrap();
    let shown = names(&dashboard);
    let family = |name: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    let shown: BTreeSet<String> = shown.iter().map(|name| family(name)).collect();
    let unseen: Vec<_> = reported.iter().filter(|name| !shown.contains(&family(name))).collect();
    assert!(unseen.is_empty(), "the dashboard does not show {unseen:?}");
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
}

#[test]
fn prometheus_accepts_the_alerts_and_they_fire_when_expected() {
    promtool(&["check", "rules", "examples/alerts.yml"], "");
    promtool(&["test", "rules", "tests/suite/metrics/alerts_test.yml"], "");
    // promtool also checks every query of the dashboard, as a rule.
    let text = fs::read_to_string(file("examples/grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter();
    let queries = targets.flat_map(|panel| panel["targets"].as_array().unwrap());
    let rules: Vec<Value> = queries
        .enumerate()
        .map(|(number, target)| {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
            json!({"record": format!("query:{number}"), "expr": query})
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queries.json");
    let groups = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(&path, groups.to_string()).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()], "");
}
