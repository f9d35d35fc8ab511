//! The key that `keyhouse key create` prints works in curl with every credential source.
#![expect(
    clippy::unwrap_used,
    reason = "a page or an answer of another shape should stop its test"
)]

use serde_json::Value;

use crate::proxy::{Kind, Proxy};
use crate::server::{Home, Server, run};

/// A line of curl's configuration for each credential source. The key replaces `KEY`.
const CARRIERS: [(&str, &str); 5] = [
    ("Bearer", "header = \"Authorization: Bearer KEY\""),
    ("Basic, as the password", "user = \"anyone:KEY\""),
    ("Basic, as the user name", "user = \"KEY:\""),
    ("X-API-Key", "header = \"X-API-Key: KEY\""),
    ("MC-Api-Key", "header = \"MC-Api-Key: KEY\""),
];

#[test]
fn the_key_from_the_command_line_works_in_curl_with_each_carrier() {
    let server = Server::start();
    let made = server.run_cli(&["key", "create", "--name", "from the host", "--json"], "");
    assert_eq!(made.code, Some(0), "{made:?}");
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let id = made.pointer("/key/id").unwrap().as_str().unwrap();
    let secret = made.pointer("/secret").unwrap().as_str().unwrap();
    let proxies = Kind::ALL.map(|kind| Proxy::start(kind, server.address()));
    let urls = |proxy: &Proxy| format!("http://{}/", proxy.address);

    for (name, carrier) in CARRIERS {
        let (status, body) =
            curl(server.home(), &format!("{}/v1/whoami", server.url()), carrier, secret);
        assert_eq!(status, "200", "{name}: {body}");
        assert!(body.contains(id), "{name}: {body}");
        for proxy in &proxies {
            let (status, body) = curl(server.home(), &urls(proxy), carrier, secret);
            assert_eq!(status, "200", "{name} {:?}: {body}", proxy.kind);
            assert!(
                body.contains(&format!("X-Keyhouse-Key: {id}")),
                "{name} {:?}: {body}",
                proxy.kind
            );
        }
    }

    let revoked = server.run_cli(&["key", "revoke", id], "");
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    for (name, carrier) in CARRIERS {
        let (status, body) =
            curl(server.home(), &format!("{}/v1/whoami", server.url()), carrier, secret);
        assert_eq!(status, "401", "{name}: {body}");
        for proxy in &proxies {
            let (status, body) = curl(server.home(), &urls(proxy), carrier, secret);
            assert_eq!(status, "401", "{name} {:?}: {body}", proxy.kind);
        }
    }
}

#[test]
fn stdout_has_only_the_secret_which_works_at_once() {
    let server = Server::start();
    let made = server.run_cli(&["key", "create", "--name", "plain"], "");
    assert_eq!(made.code, Some(0), "{made:?}");
    let secret = made.stdout.trim_end();
    assert_eq!(made.stdout, format!("{secret}\n"));
    assert!(secret.starts_with("kh_live_") && secret.len() == 57, "{} bytes", secret.len());
    let (_, carrier) = CARRIERS[0];
    let (status, body) =
        curl(server.home(), &format!("{}/v1/whoami", server.url()), carrier, secret);
    assert_eq!(status, "200", "{body}");
}

/// Returns the status and the body. curl reads the key from stdin, so that no list of processes
/// shows it.
fn curl(home: &Home, url: &str, carrier: &str, key: &str) -> (String, String) {
    let mut command = home.command("curl");
    command.args(["--silent", "--show-error", "--max-time", "30", "--config", "-"]);
    command.args(["--write-out", "\n%{http_code}", url]);
    let ended = run(command, carrier.replace("KEY", key).as_bytes());
    assert_eq!(ended.code, Some(0), "curl: {ended:?}");
    let (body, status) = ended.stdout.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}
