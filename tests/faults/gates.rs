//! Decisions of gates while the index lacks an answered change, and while the store is unavailable.

use http::Request;
use http::request::Builder;
use keyhouse::http::transport::{Application as _, Arrival, ListenerKind, Peer};
use keyhouse_storage::{InjectedFault, StoreOperation, TestGate};
use serde_json::json;

use crate::LONG;
use crate::test_instance::{TestInstance, status_and_code};

impl TestInstance {
    /// Status and code of the answer to a check.
    fn answered(&self, listener: ListenerKind, request: Builder, body: &[u8]) -> (u16, String) {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let peer = Peer::Tcp(([127, 0, 0, 1], 1).into());
        let arrival = Arrival { listener, peer, parts: &parts };
        status_and_code(&self.app.check(&arrival, &self.app.route(&arrival), body))
    }

    /// Returns the decision of a gate on a path, which must be the same at both endpoints.
    fn through(&self, path: &str) -> (u16, String) {
        let by_headers = Request::get("/v1/forward-auth/shop")
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "a.org")
            .header("x-forwarded-uri", path)
            .header("x-forwarded-for", "192.0.2.7");
        let by_line = Request::get(format!("/v1/ext-authz/shop{path}"))
            .header("host", "a.org")
            .header("x-forwarded-for", "192.0.2.7");
        let said = self.answered(ListenerKind::Main, by_headers, b"");
        assert_eq!(said, self.answered(ListenerKind::Checks, by_line, b""), "{path}");
        said
    }

    fn open_gate(&self) {
        let routes = json!([{"path": "/open", "access": "public"}, {"path": "/keyed"}]);
        let gate = json!({"name": "shop", "routes": routes});
        assert_eq!(self.manage("POST", "/v1/gates", &gate).0, 201);
        assert_eq!(self.through("/open").0, 200);
    }
}

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn a_gate_denies_all_while_the_index_lacks_an_answered_change() {
    let instance = TestInstance::start();
    instance.open_gate();
    let permissions = json!({"kind": "service", "permissions": ["keyhouse:keys:verify"]});
    let (status, made) = instance.manage("POST", "/v1/keys", &permissions);
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap();
    let introspect = || {
        let asked = Request::post("/v1/introspect")
            .header("x-api-key", secret)
            .header("content-type", "application/x-www-form-urlencoded");
        instance.answered(ListenerKind::Checks, asked, format!("token={secret}").as_bytes())
    };
    assert_eq!(introspect().0, 200);

    let gate = TestGate::new();
    instance.store.inject_always(StoreOperation::Next, InjectedFault::Wait(gate.clone()));
    assert!(gate.wait_for_arrivals(1, LONG), "the index waits for the store");
    let closed = json!({"routes": [{"path": "/open", "access": "denied"}]});
    assert_eq!(instance.manage("PATCH", "/v1/gates/shop", &closed).0, 200);
    for path in ["/open", "/keyed", "/none"] {
        assert_eq!(instance.through(path), code(503, "index_behind"), "{path}");
    }
    assert_eq!(introspect(), code(503, "index_behind"));
    instance.store.heal();
    gate.open();
    instance.assert_index_equals_store();
    for path in ["/open", "/keyed"] {
        assert_eq!(instance.through(path), code(403, "ROUTE_NOT_ALLOWED"), "{path}");
    }
    assert_eq!(introspect().0, 200);
}

#[test]
fn gates_decide_from_memory_while_the_store_is_unavailable() {
    let instance = TestInstance::start();
    instance.open_gate();
    instance.store.inject_always(StoreOperation::Submit, InjectedFault::Unavailable);
    let closed = json!({"routes": []});
    assert_eq!(instance.manage("PATCH", "/v1/gates/shop", &closed).0, 503);
    assert_eq!(instance.manage("DELETE", "/v1/gates/shop", &json!({})).0, 503);
    assert_eq!(instance.through("/open").0, 200);
    assert_eq!(instance.through("/keyed"), code(401, "NO_CREDENTIAL"));
    assert_eq!(instance.through("/none"), code(403, "ROUTE_NOT_ALLOWED"));
}
