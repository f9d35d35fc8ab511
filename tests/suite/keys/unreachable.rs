//! Settings that could never apply are rejected when they are written, with the fault and its
//! field.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::keys::import::{foreign, import};
use crate::server::wire::Answer;
use crate::test_server::TestServer;

fn fault(answer: &Answer) -> (String, String) {
    let problem = answer.problem(400, "invalid_input");
    let errors = problem["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{problem}");
    let text = |name: &str| errors[0][name].as_str().unwrap().to_owned();
    (text("pointer"), text("code"))
}

/// Fields of a key that no call could ever satisfy, and the expected fault.
fn hopeless() -> Vec<(&'static str, Value, (&'static str, &'static str))> {
    let rules = |allow: Value, deny: Value| json!({"ip_rules": {"allow": allow, "deny": deny}});
    let excluded = ("/ip_rules/deny", "contradiction");
    let translated = ("/ip_rules/allow/0", "invalid_network");
    vec![
        ("the same twice", rules(json!(["10.0.0.0/8"]), json!(["10.0.0.0/8"])), excluded),
        ("within", rules(json!(["10.1.2.3", "10.9.0.0/16"]), json!(["10.0.0.0/8"])), excluded),
        (
            "covered by two",
            rules(json!(["10.0.0.0/8"]), json!(["10.128.0.0/9", "10.0.0.0/9"])),
            excluded,
        ),
        ("through NAT64", rules(json!(["64:ff9b::a00:1"]), json!(["10.0.0.1"])), excluded),
        ("everything", rules(json!([]), json!(["0.0.0.0/0", "::/0"])), excluded),
        ("a NAT64 prefix", rules(json!(["64:ff9b:1::/48"]), json!([])), translated),
        (
            "an end before the begin",
            json!({"not_before": "2998-01-02T00:00:00Z", "expires_at": "2998-01-01T00:00:00Z"}),
            ("/expires_at", "out_of_range"),
        ),
        (
            "an end at the begin",
            json!({"not_before": "2998-01-01T00:00:00Z", "expires_at": "2998-01-01T00:00:00Z"}),
            ("/expires_at", "out_of_range"),
        ),
        (
            "an end behind",
            json!({"expires_at": "2020-01-01T00:00:00Z"}),
            ("/expires_at", "out_of_range"),
        ),
    ]
}

#[test]
fn a_key_that_no_call_could_pass_is_rejected_on_every_write() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "k"}));
    let path = format!("/v1/keys/{}", key.id);
    for (claim, fields, (pointer, code)) in hopeless() {
        let expected = (pointer.to_owned(), code.to_owned());
        assert_eq!(
            fault(&instance.ask(&Ask::post("/v1/keys", &fields))),
            expected,
            "{claim}: made"
        );
        assert_eq!(fault(&instance.ask(&Ask::patch(&path, &fields))), expected, "{claim}: changed");
        let mut line = fields;
        line["key"] = foreign(1).into();
        let reported = fault(&import(&instance, &json!({"keys": [line]})));
        assert_eq!(reported, (format!("/keys/0{pointer}"), code.to_owned()), "{claim}: imported");
    }
    for (allow, deny) in [
        (json!(["10.0.0.0/8"]), json!(["10.0.0.0/9"])),
        (json!(["10.0.0.0/8", "192.0.2.1"]), json!(["10.0.0.0/8"])),
        (json!([]), json!(["0.0.0.0/0"])),
        (json!(["64:ff9b::/96"]), json!(["10.0.0.0/8"])),
    ] {
        let fields = json!({"ip_rules": {"allow": allow, "deny": deny}});
        instance.ask(&Ask::patch(&path, &fields)).expect(200);
    }
}

#[test]
fn a_route_that_no_request_could_match_is_rejected() {
    let instance = TestServer::start();
    for (route, code) in [
        (json!({"path": "/a", "methods": ["TRACE"]}), "invalid_route"),
        (json!({"path": "/a/../b"}), "invalid_path"),
        (json!({"path": "/a//b"}), "invalid_path"),
        (json!({"path": "/a%2fb"}), "invalid_path"),
        (json!({"path": "/a;b"}), "invalid_path"),
        (json!({"path": "/a?b"}), "invalid_path"),
        (json!({"path": "/a./b"}), "invalid_path"),
        (json!({"path": "/a%20"}), "invalid_path"),
        (json!({"path": "/a%ef%bc%8fb", "allow": ["trailing_dot"]}), "invalid_path"),
        (json!({"path": "/.%20", "allow": ["trailing_dot"]}), "invalid_path"),
    ] {
        let gate = json!({"name": "shop", "routes": [route]});
        let (pointer, reported) = fault(&instance.ask(&Ask::post("/v1/gates", &gate)));
        assert!(pointer.starts_with("/routes/0/"), "{pointer}");
        assert_eq!(reported, code, "{route}");
    }
    let routes = json!([
        {"path": "/a", "methods": ["TRACE", "GET"]},
        {"path": "/a./b", "allow": ["trailing_dot"]},
        {"path": "/a%ef%bc%8fb", "allow": ["compatibility_form"]},
    ]);
    instance.ask(&Ask::post("/v1/gates", &json!({"name": "shop", "routes": routes}))).expect(201);
}

/// In an earlier version, `deny 10.0.0.0/8` did not match `64:ff9b::a00:1`.
#[test]
fn an_address_that_embeds_ipv4_is_treated_as_ipv4() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"ip_rules": {"deny": ["10.0.0.0/8"]}}));
    let from = |address: &str| {
        let ask = Ask::forward_auth(&key.secret).without("X-Forwarded-For");
        instance.bare(&ask.header("X-Forwarded-For", address))
    };
    for address in
        ["10.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::10.0.0.1"]
    {
        from(address).problem(403, "IP_NOT_ALLOWED");
        let body = json!({"key": key.secret, "ip": address});
        let reported = instance.ask(&Ask::post("/v1/verify", &body)).expect(200);
        assert_eq!(reported["code"], "IP_NOT_ALLOWED", "{address}");
    }
    assert_eq!(from("64:ff9b::cb00:7109").status, 200);
    assert_eq!(instance.key(&key.id)["last_used"]["ip"], "203.0.113.9");
    assert_eq!(from("2002:a00:1::1").status, 200, "6to4 is IPv6");
    // An IPv6 address that embeds the address of a proxy or of this host is not trusted.
    from("10.0.0.1, 64:ff9b::7f00:1").expect(200);
    assert_eq!(instance.key(&key.id)["last_used"]["ip"], "127.0.0.1");
}
