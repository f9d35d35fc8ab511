//! The deployment examples: Compose and Kubernetes agree with schemas, program and each other, and Caddy of the
//! Compose example is run.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "an example of another shape should stop its test"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::page::{Browser, CLIENT, NAME};
use crate::proxy::{Kind, Proxy, free_ports, make_certificate};
use crate::server::{
    ADMIN_EMAIL, ADMIN_PASSWORD, BINARY, CHECKOUT, Ended, Home, SEARCH_PATH, Server, run,
};

/// The name of the protected API in the Compose example.
const API: &str = "api.example.com";
const COMPOSE: &str = "examples/compose/compose.yaml";
const CADDYFILE: &str = "examples/compose/Caddyfile";
const KEYHOUSE: &str = "examples/kubernetes/keyhouse.yaml";
const ENVOY: &str = "examples/kubernetes/envoy-gateway.yaml";
const INGRESS: &str = "examples/kubernetes/ingress-nginx.yaml";
const TRAEFIK: &str = "examples/kubernetes/traefik.yaml";

#[test]
fn examples_agree_with_schemas_program_and_each_other() {
    let ended = checked(Path::new(CHECKOUT));
    assert_eq!((ended.code, ended.stdout.trim(), ended.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn each_wrong_line_of_an_example_is_found() {
    let home = Home::new();
    for (file, line, wrong, fault) in [
        (COMPOSE, "read_only: true", "readonly: true", "extension key `readonly`"),
        (COMPOSE, "image: localhost/keyhouse:0", "image: localhost/keyhouse:9", "compose image"),
        (KEYHOUSE, "name: KEYHOUSE_LOG_FORMAT,", "name: KEYHOUSE_LOGS,", "unknown variable"),
        (COMPOSE, "KEYHOUSE_BACKUP_EVERY: 6h", "KEYHOUSE_BACKUP_EVERY: soon", "must be a duration"),
        (COMPOSE, "PROXY: 172.30.71.254", "PROXY: 172.30.71.0/24", "compose proxy"),
        (CADDYFILE, "request_header -X-Keyhouse*", "request_header -X-Key*", "Caddyfile's route"),
        (KEYHOUSE, "readOnlyRootFilesystem", "readonlyRootFilesystem", "StatefulSet: Additional"),
        (KEYHOUSE, "/var/lib/keyhouse/data", "/var/lib/keyhouse", "KEYHOUSE_DATA: "),
        (KEYHOUSE, "port: 7118, targetPort", "port: 7119, targetPort", "Service keyhouse-checks"),
        (KEYHOUSE, "publishNotReadyAddresses: true", "", "without readiness"),
        (KEYHOUSE, "https://keyhouse.example.com", "https://keyhouse.example.com/a", "end with /"),
        (ENVOY, "failOpen: false", "failOpen: true", "Envoy Gateway"),
        (ENVOY, "x-keyhouse-teams, ", "", "Envoy Gateway headers"),
        (INGRESS, "X-Keyhouse-Teams,", "", "ingress-nginx headers"),
        (INGRESS, ":7118/v1", ":7117/v1", "ingress-nginx.yaml Ingress application"),
        (TRAEFIK, "        - { name: credentials }\n", "", "traefik.yaml order"),
        (TRAEFIK, "X-Original-Uri: \"\"", "X-Original-Uri: a", "traefik.yaml Middleware untrusted"),
    ] {
        let checkout = home.folder().join("checkout");
        copy_into(&checkout);
        let path = checkout.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(line), "{file} has no {line:?}");
        fs::write(&path, text.replacen(line, wrong, 1)).unwrap();
        let ended = checked(&checkout);
        assert_eq!(ended.code, Some(1), "{file} {wrong:?}: {ended:?}");
        assert!(ended.stdout.contains(fault), "{file} {wrong:?}: {ended:?}");
    }
}

/// Caddy of the Compose example serves the page, checks keys, and lets no header and no address of the client through.
#[test]
fn the_compose_example_serves_the_page_and_protects_the_api() {
    let home = Home::new();
    make_certificate(Kind::Caddy, &home);
    let [plain, encrypted, application] = free_ports();
    let origin = format!("https://{NAME}:{encrypted}");
    let server = Server::start_with(&["--public-url", &origin, "--trusted-proxy", "127.0.0.1"]);
    let text = on_loopback([plain, encrypted, server.address().port(), application]);
    let _proxy = Proxy::start_caddy(&home, plain, &text);
    let browser = Browser { home: Arc::clone(&home), plain, encrypted, path: "" };
    browser.wait_for_route();

    let person = json!({ "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD });
    assert_eq!(browser.ask("POST", "/v1/session", &person).status, 201);
    let made = browser.ask("POST", "/v1/keys", &json!({ "name": "composed" }));
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let secret = made.pointer("/secret").unwrap().as_str().unwrap();
    let id = made.pointer("/key/id").unwrap().as_str().unwrap();
    let user = made.pointer("/key/owner").unwrap().as_str().unwrap();
    assert_eq!(browser.ask("GET", "/v1/forward-auth/default", &Value::Null).status, 404);

    let connect = format!("{API}:{encrypted}:127.0.0.1:{encrypted}");
    let url = format!("https://{API}:{encrypted}/orders?page=2");
    let ask = |headers: &[&str]| {
        let mut args = vec!["--connect-to", connect.as_str()];
        for header in headers {
            args.extend(["--header", *header]);
        }
        browser.curl(&args, &url, "")
    };
    let refused = ask(&[]);
    assert_eq!(
        (refused.status, refused.line("x-keyhouse-code")),
        (401, vec!["NO_CREDENTIAL".into()])
    );
    let header = format!("X-Api-Key: {secret}");
    let passed = ask(&[
        &header,
        "X-Keyhouse-User: usr_forged",
        "X_Keyhouse_Role: owner",
        "X-Keyhouse-Plan-Extra: forged",
    ]);
    assert_eq!(passed.status, 200, "{}", passed.body);
    let expected =
        format!("X-Keyhouse-Key: {id}\nX-Keyhouse-Key-Name: composed\nX-Keyhouse-User: {user}\n");
    assert!(passed.body.starts_with(&expected), "{}", passed.body);
    assert!(!passed.body.contains("forged"), "{}", passed.body);
    assert!(
        passed.body.ends_with("Authorization: \nX-Api-Key: \nMC-Api-Key: \n"),
        "{}",
        passed.body
    );

    let key = browser.ask("GET", &format!("/v1/keys/{id}"), &Value::Null);
    let key: Value = serde_json::from_str(&key.body).unwrap();
    assert_eq!(key.pointer("/last_used/ip"), Some(&json!(CLIENT)), "{key}");
}

/// The Caddyfile with ports on loopback and a certificate of the test, in place of 80, 443 and automatic ones.
fn on_loopback([plain, encrypted, keyhouse, application]: [u16; 4]) -> String {
    let text = fs::read_to_string(Path::new(CHECKOUT).join(CADDYFILE)).unwrap();
    let options = format!(
        "\tadmin off\n\thttp_port {plain}\n\thttps_port {encrypted}\n\tdefault_bind 127.0.0.1\n"
    );
    let mut text = text.replacen("\tadmin off\n", &options, 1);
    for site in [NAME, API] {
        let start = format!("\n{site} {{\n");
        assert_eq!(text.matches(&start).count(), 1, "{site}");
        text = text.replace(&start, &format!("{start}\ttls certificate.pem key.pem\n"));
    }
    text.replace("keyhouse:7117", &format!("127.0.0.1:{keyhouse}"))
        .replace(":8081", &format!(":{application}"))
}

/// Runs the check on a checkout.
fn checked(checkout: &Path) -> Ended {
    let mut command = Command::new(format!("{CHECKOUT}/.venv/bin/python"));
    command.env_clear().env("PATH", SEARCH_PATH);
    command.arg(format!("{CHECKOUT}/tests/deployments/check.py")).args([BINARY]).arg(checkout);
    run(command, b"")
}

/// Copies what the check reads.
fn copy_into(checkout: &Path) {
    for folder in ["examples/compose", "examples/kubernetes", "examples/caddy", "examples/traefik"]
    {
        fs::create_dir_all(checkout.join(folder)).unwrap();
        for entry in fs::read_dir(Path::new(CHECKOUT).join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), checkout.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    fs::create_dir_all(checkout.join("docs/reference")).unwrap();
    for file in ["Cargo.toml", "docs/reference/headers.md"] {
        fs::copy(Path::new(CHECKOUT).join(file), checkout.join(file))
            .expect("a file of the checkout");
    }
}
