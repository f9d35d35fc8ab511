//! An instance on a sub-path: the proxy removes the path, and every address that Keyhouse creates has it.
//!
//! `tests/gateways/sub_path.rs` does the same through nginx and Caddy with TLS, `tests/e2e` in a browser.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::people::{acceptance, invitation, token_in};
use crate::server::{BINARY, Home, Launch, Server, run};
use crate::test_server::{EMAIL, PASSWORD, TestServer, serve_empty};

const URL: &str = "http://localhost/keys";
const FLAG: [&str; 2] = ["--public-url", "http://localhost/keys/"];

#[test]
fn every_link_begins_with_the_public_url() {
    let instance = TestServer::start_with(&FLAG);
    let facts = instance.bare(&Ask::get("/v1/instance")).expect(200);
    assert_eq!((&facts["public_url"], &facts["endpoint_url"]), (&json!(URL), &json!(URL)));
    // A proxy that does not remove the path reaches nothing.
    instance.bare(&Ask::get("/keys/v1/instance")).problem(404, "not_found");
    let described = instance.bare(&Ask::get("/openapi.json")).expect(200);
    assert_eq!(described["servers"], json!([{ "url": URL }]));

    let invited = instance.ask(&invitation("bo@example.com", "user")).expect(201);
    let link = invited["url"].as_str().unwrap();
    assert!(link.starts_with("http://localhost/keys/invitation#token="), "{link}");
    let joined = instance.bare(&acceptance(&token_in(&invited))).expect(201);
    let user = joined["user"]["id"].as_str().unwrap();
    let reset = instance.ask(&Ask::post(&format!("/v1/users/{user}/reset"), &json!({})));
    let reset = reset.expect(201);
    let link = reset["url"].as_str().unwrap();
    assert!(link.starts_with("http://localhost/keys/reset#token="), "{link}");

    let checker = json!({"name": "checker", "permissions": ["keyhouse:keys:verify"]});
    let checker = instance.create(&checker);
    let form = format!("token={}", checker.secret);
    let introspected = instance.server().ask(
        "POST",
        "/v1/introspect",
        &[
            ("Authorization", &format!("Bearer {}", checker.secret)),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ],
        &form,
    );
    assert_eq!(introspected.json()["iss"], json!(URL));
}

#[test]
fn the_setup_link_begins_with_the_public_url() {
    let home = Home::new();
    let mut command = serve_empty(&home);
    let server = Server::launch_command(&home, {
        command.args(FLAG);
        command
    });
    let line = server.unwrap().log().wait_for("set up at ").unwrap();
    assert!(line.contains("set up at http://localhost/keys/setup#token="), "{line}");
}

#[test]
fn every_location_begins_with_the_path() {
    let instance = TestServer::start_with(&FLAG);
    let organization = json!({"name": "Acme", "plan": "free", "owner_email": "o@example.com"});
    for (route, body, name) in [
        ("keys", json!({"name": "first"}), "/key/id"),
        ("teams", json!({"name": "makers", "visibility": "visible"}), "/id"),
        ("roles", json!({"name": "auditor", "permissions": ["keyhouse:audit:read"]}), "/id"),
        ("permissions", json!({"name": "orders:read"}), "/name"),
        ("gates", json!({"name": "orders"}), "/name"),
        ("organizations", organization, "/organization/id"),
        ("invitations", json!({"email": "bo@example.com", "role": "user"}), "/invitation/id"),
    ] {
        let made = instance.ask(&Ask::post(&format!("/v1/{route}"), &body));
        let view = made.expect(201);
        let id = view.pointer(name).unwrap_or_else(|| panic!("{route}: {view}")).as_str().unwrap();
        let expected = format!("/keys/v1/{route}/{id}");
        assert_eq!(made.header("location"), Some(expected.as_str()));
        // The proxy removes the path.
        instance.ask(&Ask::get(expected.strip_prefix("/keys").unwrap())).expect(200);
    }
}

#[test]
fn cookies_are_sent_only_below_the_path() {
    let instance = TestServer::start_with(&FLAG);
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let signed_in = instance.bare(&Ask::post("/v1/session", &body));
    let cookies = set_cookies(&signed_in.headers);
    let names: Vec<_> = cookies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["keyhouse", "keyhouse-device"]);
    let signed_out = instance.ask(&Ask::new("DELETE", "/v1/session"));
    let gone = set_cookies(&signed_out.headers);
    assert_eq!(gone.len(), 1);
    for (name, path) in cookies.into_iter().chain(gone) {
        assert_eq!(path, "Path=/keys/", "{name}");
    }
}

/// Browsers send no path in `Origin`.
#[test]
fn the_origin_of_a_request_is_compared_without_the_path() {
    let instance = TestServer::start_with(&FLAG);
    let change = |origin: &str| {
        instance.ask(&Ask::post("/v1/keys", &json!({"name": "k"})).header("Origin", origin))
    };
    change("http://localhost").expect(201);
    for origin in ["http://localhost/keys", "http://localhost:81", "https://localhost", "null"] {
        change(origin).problem(403, "cross_site");
    }
}

/// Addresses in the page are relative, since the page does not know the path.
#[test]
fn the_page_names_no_path_of_its_own() {
    let instance = TestServer::start_with(&FLAG);
    for entrance in ["/", "/invitation", "/reset", "/docs"] {
        let page = instance.bare(&Ask::get(entrance)).body;
        let mut links = page.split(" href=\"").chain(page.split(" src=\"")).skip(1).peekable();
        assert!(links.peek().is_some());
        for link in links.filter(|text| !text.starts_with("<!doctype")) {
            assert!(link.starts_with("assets/"), "{entrance}: {link:.60}");
        }
    }
}

#[test]
fn a_wrong_public_url_is_reported_with_the_correction() {
    for (url, error) in [
        ("https://example.com/keys", "must end with / if it has a path: https://example.com/keys/"),
        ("https://example.com/keys/?a", "must not contain a query or a fragment"),
        ("https://example.com/#keys/", "must not contain a query or a fragment"),
        ("https://ada:secret@example.com/keys/", "must not contain a user or a password"),
        ("example.com/keys/", "must begin with https:// or http://"),
        ("ada:secret@example.com/keys/", "must begin with https:// or http://"),
        ("https://example.com/a/../keys/", "has an invalid path"),
    ] {
        let home = Home::new();
        let launch = Launch { home: &home, wrapper: &[], args: &["--public-url", url] };
        let ended = Server::launch(&launch).unwrap_err();
        assert_eq!(ended.code, Some(2), "{url}: {}", ended.stderr);
        assert!(ended.stderr.contains("public-url (flag)"), "{url}: {}", ended.stderr);
        assert!(ended.stderr.contains(error), "{url}: {}", ended.stderr);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
}

#[test]
fn commands_reach_a_remote_server_below_its_path() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys/", listener.local_addr().unwrap());
    let named = thread::Builder::new().name("proxy".to_owned());
    let proxy = named.spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = String::new();
        BufReader::new(&stream).read_line(&mut first).unwrap();
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
        first
    });
    let home = Home::new();
    let mut command = home.command(BINARY);
    command.args(["key", "show", "key_1"]);
    command.env("KEYHOUSE_URL", &url).env("KEYHOUSE_KEY", "kh_none");
    run(command, b"");
    assert_eq!(proxy.unwrap().join().unwrap().trim_end(), "GET /keys/v1/keys/key_1 HTTP/1.1");
}

/// The name and the path of each `Set-Cookie` line.
fn set_cookies(headers: &[(String, String)]) -> Vec<(String, String)> {
    let lines = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let parts = lines.map(|(_, value)| {
        let (name, attributes) = value.split_once('=').unwrap();
        let path = attributes.split("; ").find(|it| it.starts_with("Path=")).unwrap_or_default();
        (name.to_owned(), path.to_owned())
    });
    parts.collect()
}
