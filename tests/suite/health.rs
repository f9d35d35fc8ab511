//! `/healthz` and `/readyz` respond to supervisors and load balancers without a credential.

use crate::ask::{Ask, Expect};
use crate::test_server::TestServer;

#[test]
fn a_running_server_is_healthy_and_ready_without_a_credential() {
    let instance = TestServer::start();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(instance.bare(&Ask::get(path)).status, 200, "{path}");
        assert_eq!(instance.bare(&Ask::new("HEAD", path)).status, 200, "HEAD {path}");
        let refused = instance.bare(&Ask::new("POST", path));
        refused.problem(405, "method_not_allowed");
        assert!(refused.header("allow").unwrap().contains("GET"), "{path}");
    }
}

#[test]
fn the_user_agent_of_a_health_checker_gives_no_access() {
    let instance = TestServer::start();
    for path in ["/healthz/v1/keys", "/healthz/../v1/keys", "//healthz", "/healthz%2f..%2fv1/keys"]
    {
        instance.bare(&Ask::get(path)).problem(404, "not_found");
    }
    // The user agent of a health checker gives no access (oauth2-proxy, CVE-2026-34457).
    let ask = Ask::forwarded().header("User-Agent", "GoogleHC/1.0");
    instance.bare(&ask).problem(401, "NO_CREDENTIAL");
}
