//! The client's address on each listener, with and without a proxy.

use keyhouse::http::transport::{Application as _, Arrival, ListenerKind, Peer};
use serde_json::json;

use crate::test_instance::TestInstance;

/// A trusted peer on another host counts as the client on the check listener alone, and only where
/// its request shows no sign of a proxy.
#[test]
fn the_address_of_a_remote_proxy_is_never_used_as_the_client() {
    let instance = TestInstance::start();
    let body = json!({"ip_rules": {"allow": ["10.0.0.0/8"]}});
    let (status, made) = instance.manage("POST", "/v1/keys", &body);
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap();
    let code = |listener: ListenerKind, host: &str, line: Option<(&str, &str)>| {
        let request = http::Request::builder().uri("/v1/whoami").header("host", host);
        let request =
            line.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let (parts, ()) = request.header("x-api-key", secret).body(()).unwrap().into_parts();
        let peer = Peer::Tcp(([10, 0, 0, 7], 1).into());
        let arrival = Arrival { listener, peer, parts: &parts };
        instance.app.check(&arrival, &instance.app.route(&arrival), b"").status()
    };
    for (claim, listener, host, line, expected) in [
        ("asks for itself", ListenerKind::Checks, "keyhouse:7118", None, 200),
        ("by the public name", ListenerKind::Checks, "localhost", None, 403),
        ("on the main listener", ListenerKind::Main, "keyhouse:7117", None, 403),
        ("a header of proxies", ListenerKind::Checks, "keyhouse:7118", Some(("via", "1.1 a")), 403),
        (
            "a client elsewhere",
            ListenerKind::Checks,
            "keyhouse:7118",
            Some(("x-forwarded-for", "192.0.2.7")),
            403,
        ),
        (
            "a client within",
            ListenerKind::Checks,
            "keyhouse:7118",
            Some(("x-forwarded-for", "10.9.9.9")),
            200,
        ),
    ] {
        assert_eq!(code(listener, host, line), expected, "{claim}");
    }
}
