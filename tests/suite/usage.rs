//! `/v1/usage` counts every call once, on every path, and shows the counts only to permitted users.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::Person;
use crate::shape::assert_shape;
use crate::test_server::{Made, TestServer};

impl TestServer {
    /// Returns the usage of a key as its owner sees it.
    fn usage(&self, key: &Made) -> Value {
        self.ask(&of(&key.id)).expect(200)
    }

    /// Returns the totals of the usage by code.
    fn counted(&self, key: &Made) -> Value {
        let usage = self.usage(key);
        let sum = |at: &dyn Fn(&Value) -> &Value| {
            let items = usage["items"].as_array().unwrap();
            items.iter().map(|item| at(item).as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!(usage["totals"]["calls"], sum(&|item| &item["calls"]), "{usage}");
        let codes = usage["totals"]["codes"].as_object().unwrap();
        let by_code: u64 = codes.values().map(|calls| calls.as_u64().unwrap()).sum();
        assert_eq!(usage["totals"]["calls"], by_code, "{usage}");
        usage["totals"]["codes"].clone()
    }
}

fn of(key: &str) -> Ask {
    Ask::get(&format!("/v1/usage?key={key}"))
}

fn verify(secret: &str, more: &Value) -> Ask {
    let mut body = json!({"key": secret});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Ask::post("/v1/verify", &body)
}

#[test]
fn every_way_to_present_a_key_is_counted_once_by_its_result() {
    let instance = TestServer::start();
    let permissions = ["a:b", "keyhouse:keys:read", "keyhouse:keys:verify"];
    let key = instance.create(&json!({"kind": "service", "permissions": permissions}));
    let caller = instance.manager();
    assert_eq!(instance.counted(&key), json!({}));
    instance.bare(&Ask::forward_auth(&key.secret)).expect(200);
    assert_eq!(instance.counted(&key), json!({"VALID": 1}));
    assert_shape!("usage", &instance.usage(&key));
    instance.bare(&Ask::get("/v1/whoami").bearer(&key.secret)).expect(200);
    assert_eq!(instance.counted(&key), json!({"VALID": 2}));
    instance.bare(&Ask::get("/v1/keys").bearer(&key.secret)).expect(200);
    assert_eq!(instance.counted(&key), json!({"VALID": 3}), "as one who manages");
    instance.ask(&verify(&key.secret, &json!({"cost": 0}))).expect(200);
    assert_eq!(instance.counted(&key), json!({"VALID": 4}), "by a session");
    instance.bare(&verify(&key.secret, &json!({"permissions": "a:c"})).bearer(&caller.secret));
    let expected = json!({"VALID": 4, "INSUFFICIENT_PERMISSIONS": 1});
    assert_eq!(instance.counted(&key), expected, "by a key");
    assert_eq!(instance.counted(&caller), json!({"VALID": 1}), "which is a call of that one");
    let twice =
        json!({"requests": [{"key": key.secret}, {"key": key.secret, "permissions": "b:b"}]});
    instance.ask(&Ask::post("/v1/verify/batch", &twice)).expect(200);
    let expected = json!({"VALID": 5, "INSUFFICIENT_PERMISSIONS": 2});
    assert_eq!(instance.counted(&key), expected, "each of a batch");
    instance.bare(&verify(&key.secret, &json!({})).bearer(&key.secret)).expect(200);
    let expected = json!({"VALID": 7, "INSUFFICIENT_PERMISSIONS": 2});
    assert_eq!(instance.counted(&key), expected, "about itself");

    // A request about a key that does not present the key is not a call, and neither is a request
    // about an unknown key.
    instance.ask(&verify(&key.secret, &json!({"explain": true}))).expect(200);
    instance.ask(&Ask::post(&format!("/v1/keys/{}/explain", key.id), &json!({}))).expect(200);
    let (_, neighbour) = instance.neighbour("other");
    let reported =
        instance.ask_as(&neighbour, &verify(&key.secret, &json!({"ip": "192.0.2.99"}))).expect(200);
    assert_eq!(reported["code"], "NOT_FOUND");
    instance.ask(&verify(&format!("{}x", key.secret), &json!({}))).expect(200);
    assert_eq!(instance.counted(&key), expected);
    let addresses = instance.usage(&key)["addresses"].to_string();
    assert!(addresses.contains("192.0.2.7") && !addresses.contains("192.0.2.99"), "{addresses}");
    let sum = instance.ask(&Ask::get("/v1/usage")).expect(200);
    assert_eq!(sum["totals"]["calls"], 9 + 1, "{sum}");
    let busiest = json!([
        {"key": key.id, "name": key.key["name"], "codes": expected, "calls": 9, "refused": 2},
        {"key": caller.id, "name": "manager", "codes": {"VALID": 1}, "calls": 1, "refused": 0},
    ]);
    assert_eq!(sum["keys"], busiest);
    assert_eq!(sum["refused_keys"], json!([busiest[0]]), "only keys with refused calls");
}

#[test]
fn rejected_calls_are_counted_by_their_code() {
    let instance = TestServer::start();
    let rate = json!([{"name": "slow", "limit": 1, "window_seconds": 86_400}]);
    let limited = instance.create(&json!({"rate_limits": rate}));
    instance.bare(&Ask::forward_auth(&limited.secret)).expect(200);
    for _ in 0..2 {
        instance.bare(&Ask::forward_auth(&limited.secret)).problem(429, "RATE_LIMITED");
    }
    assert_eq!(instance.counted(&limited), json!({"VALID": 1, "RATE_LIMITED": 2}));
    let quota = json!({"limit": 1, "period": "month", "timezone": "UTC"});
    let used_up = instance.create(&json!({"quota": quota}));
    instance.bare(&Ask::forward_auth(&used_up.secret)).expect(200);
    instance.bare(&Ask::forward_auth(&used_up.secret)).problem(429, "QUOTA_EXCEEDED");
    assert_eq!(instance.counted(&used_up), json!({"VALID": 1, "QUOTA_EXCEEDED": 1}));
    let inside = instance.create(&json!({"ip_rules": {"allow": ["10.0.0.0/8"], "deny": []}}));
    instance.bare(&Ask::forward_auth(&inside.secret)).problem(403, "IP_NOT_ALLOWED");
    assert_eq!(instance.counted(&inside), json!({"IP_NOT_ALLOWED": 1}));
    assert_eq!(instance.usage(&inside)["addresses"], json!([]), "it was not used from there");
    let later = instance.create(&json!({"not_before": "9000-01-01T00:00:00Z"}));
    instance.bare(&Ask::forward_auth(&later.secret)).problem(401, "NOT_YET_VALID");
    assert_eq!(instance.counted(&later), json!({"NOT_YET_VALID": 1}));
    instance.act(&inside.id, "disable").expect(200);
    instance.bare(&Ask::get("/v1/whoami").bearer(&inside.secret)).problem(401, "DISABLED");
    instance.act(&inside.id, "revoke").expect(200);
    instance.bare(&Ask::get("/v1/keys").bearer(&inside.secret)).problem(401, "REVOKED");
    let expected = json!({"IP_NOT_ALLOWED": 1, "DISABLED": 1, "REVOKED": 1});
    assert_eq!(instance.counted(&inside), expected);
    let away = instance.join("away", "user");
    let theirs = away.make(&instance, &json!({}));
    instance.change_user(&away, &json!({"disabled": true}));
    instance.bare(&Ask::forward_auth(&theirs.secret)).problem(401, "OWNER_DISABLED");
    assert_eq!(instance.counted(&theirs), json!({"OWNER_DISABLED": 1}));
    instance.put_on_plan(&instance.organization(), "free");
    instance.bare(&Ask::forward_auth(&limited.secret)).problem(403, "SUBSCRIPTION_REQUIRED");
    let expected = json!({"VALID": 1, "RATE_LIMITED": 2, "SUBSCRIPTION_REQUIRED": 1});
    assert_eq!(instance.counted(&limited), expected);
}

/// The names of gates are those of the operator's other applications.
#[test]
fn calls_are_counted_by_gate_and_only_operators_see_its_name() {
    let mut instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let key = bo.make(&instance, &json!({}));
    let gate = json!({"name": "orders", "routes": [{"path": "/**"}]});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    let through = |instance: &TestServer, gate: &str| {
        let ask = Ask::get(&format!("/v1/forward-auth/{gate}"));
        let ask = ask.header("X-Forwarded-Method", "GET").header("X-Forwarded-Proto", "https");
        let ask = ask.header("X-Forwarded-Host", "api.example.com").header("X-Forwarded-Uri", "/");
        instance.bare(&ask.header("X-Forwarded-For", "192.0.2.7").bearer(&key.secret))
    };
    instance.ask(&verify(&key.secret, &json!({}))).expect(200);
    for _ in 0..3 {
        through(&instance, "orders").expect(200);
    }
    through(&instance, "default").expect(200);
    instance.act(&key.id, "disable").expect(200);
    through(&instance, "orders").problem(401, "DISABLED");
    let gates = |usage: &Value| -> Vec<Value> {
        let calls = |item: &Value| item["calls"].as_u64().unwrap();
        let of = |gate: &Value| {
            let items = gate["items"].as_array().unwrap();
            json!([gate["gate"], gate["totals"], items.iter().map(calls).sum::<u64>()])
        };
        usage["gates"].as_array().unwrap().iter().map(of).collect()
    };
    let orders = json!({"calls": 4, "codes": {"VALID": 3, "DISABLED": 1}});
    let default = json!(["default", {"calls": 1, "codes": {"VALID": 1}}, 1]);
    let seen = [json!(["orders", orders, 4]), default.clone()];
    assert_eq!(gates(&instance.usage(&key)), seen);
    let all = instance.ask(&Ask::get("/v1/usage")).expect(200);
    assert_eq!((gates(&all), &all["totals"]["calls"]), (seen.to_vec(), &json!(6)));
    let own = instance.ask_as(&bo, &of(&key.id)).expect(200);
    assert_eq!(gates(&own), [default, json!(["*", orders, 4])]);
    instance.restart();
    assert_eq!(gates(&instance.usage(&key)), seen);
    instance.ask(&Ask::new("DELETE", "/v1/gates/orders")).expect(204);
    assert_eq!(gates(&instance.usage(&key)), seen, "its calls are kept");
}

#[test]
fn a_clean_stop_loses_no_call_and_a_kill_adds_none() {
    let mut instance = TestServer::start();
    let key = instance.create(&json!({"kind": "service"}));
    let call = |instance: &TestServer, times: u64| {
        let mut line = instance.connect();
        for _ in 0..times {
            line.ask(&Ask::forward_auth(&key.secret)).expect(200);
        }
    };
    let valid =
        |instance: &TestServer| instance.counted(&key)["VALID"].as_u64().unwrap_or_default();
    call(&instance, 17);
    let before = instance.usage(&key);
    instance.restart();
    assert_eq!(instance.usage(&key), before);
    call(&instance, 20);
    assert_eq!(valid(&instance), 37);
    instance.kill();
    instance.restart();
    let left = valid(&instance);
    assert!((17..=37).contains(&left), "{left}");
    call(&instance, 5);
    instance.restart();
    assert_eq!(valid(&instance), left + 5);
    let sum = instance.ask(&Ask::get("/v1/usage?interval=day")).expect(200);
    assert_eq!(sum["totals"]["calls"], left + 5, "{sum}");
}

/// Starts an instance on a plan with teams, where a member of a secret team has shared a key with
/// that team alone.
fn instance_with_a_secret() -> (TestServer, Person, Made, Made) {
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let bo = instance.join("bo", "user");
    let secret = instance.team("Hidden", "secret", &[&bo]);
    let shares = json!([{"id": secret, "access": "read"}]);
    let hidden = bo.make(&instance, &json!({"name": "hidden", "teams": shares}));
    let open = bo.make(&instance, &json!({"name": "open"}));
    for (key, times) in [(&hidden, 3), (&open, 2)] {
        for _ in 0..times {
            instance.bare(&Ask::forward_auth(&key.secret)).expect(200);
        }
    }
    (instance, bo, hidden, open)
}

#[test]
fn usage_of_a_key_is_visible_to_those_who_see_the_key() {
    let (instance, bo, hidden, open) = instance_with_a_secret();
    let cy = instance.join("cy", "user");
    let mate = instance.join("mate", "user");
    let team = instance.team("Blue", "visible", &[&bo, &mate]);
    let share = format!("/v1/keys/{}/teams/{team}", open.id);
    bo.ask(&instance, Ask::new("PUT", &share).json(&json!({"access": "read"}))).expect(200);
    for (person, key, calls) in [(&bo, &open, 2), (&bo, &hidden, 3), (&mate, &open, 2)] {
        let usage = instance.ask_as(person, &of(&key.id)).expect(200);
        assert_eq!(usage["totals"]["calls"], calls, "{usage}");
        assert_eq!(usage["addresses"][0]["ip"], "192.0.2.7", "{usage}");
    }
    instance.ask_as(&cy, &of(&open.id)).problem(403, "permission_required");
    instance.ask_as(&cy, &of(&hidden.id)).problem(404, "not_found");
    instance.ask_as(&cy, &of(&format!("key_{}", "0".repeat(8)))).problem(400, "invalid_input");
    instance.ask_as(&cy, &Ask::get("/v1/usage")).problem(403, "permission_required");
    let (_, neighbour) = instance.neighbour("other");
    instance.ask_as(&neighbour, &of(&open.id)).problem(404, "not_found");
    let theirs = instance.ask_as(&neighbour, &Ask::get("/v1/usage")).expect(200);
    assert_eq!((&theirs["totals"]["calls"], &theirs["keys"]), (&json!(0), &json!([])));
    // A key for a protected API gives no access to usage either.
    instance.bare(&of(&open.id).bearer(&open.secret)).problem(403, "permission_required");
}

#[test]
fn permission_for_usage_alone_shows_counts_and_no_concealed_keys() {
    let (instance, _bo, hidden, open) = instance_with_a_secret();
    let role = instance.role("Counter", &["keyhouse:usage:read"]);
    let person = instance.join("cy", &role);
    let fields = json!({"kind": "service", "permissions": ["keyhouse:usage:read"]});
    let key = instance.create(&fields);
    for by_key in [false, true] {
        let ask = |ask: Ask| {
            if by_key {
                instance.bare(&ask.bearer(&key.secret))
            } else {
                instance.ask_as(&person, &ask)
            }
        };
        let usage = ask(of(&open.id)).expect(200);
        assert_eq!((&usage["totals"]["calls"], usage.get("addresses")), (&json!(2), None));
        ask(of(&hidden.id)).problem(404, "not_found");
        for interval in ["hour", "day"] {
            let sum = ask(Ask::get(&format!("/v1/usage?interval={interval}"))).expect(200);
            let own = instance.usage(&key)["totals"]["calls"].as_u64().unwrap();
            assert_eq!(sum["totals"]["calls"], 2 + own, "{sum}");
            let listed = json!({"key": open.id, "name": null, "calls": 2, "refused": 0,
                "codes": {"VALID": 2}});
            let keys = sum["keys"].as_array().unwrap();
            assert!(keys.contains(&listed), "{sum}");
            assert!(!sum.to_string().contains(&hidden.id), "{sum}");
        }
    }
    let sum = instance.ask(&Ask::get("/v1/usage")).expect(200);
    let own = instance.usage(&key)["totals"]["calls"].as_u64().unwrap();
    assert_eq!(sum["totals"]["calls"], 5 + own, "the owner sees all");
    assert_eq!(sum["keys"].as_array().unwrap().len(), 3, "{sum}");
}

#[test]
fn recent_usage_lists_only_keys_whose_usage_the_actor_may_see() {
    let (instance, bo, hidden, open) = instance_with_a_secret();
    let cy = instance.join("cy", "user");
    let role = instance.role("Counter", &["keyhouse:usage:read"]);
    let counter = instance.join("dee", &role);
    let unused = instance.create(&json!({}));
    let path = format!("/v1/usage/keys?keys={},{},{}", open.id, hidden.id, unused.id);
    let listed = |ask: &dyn Fn(&Ask) -> Value| {
        let usage = ask(&Ask::get(&path));
        let items = usage["items"].as_array().unwrap();
        let sum = |item: &Value| -> u64 {
            let calls = item["calls"].as_array().unwrap();
            assert_eq!((calls.len(), item["refused"].as_array().unwrap().len()), (24, 24));
            calls.iter().map(|calls| calls.as_u64().unwrap()).sum()
        };
        items.iter().map(|item| (item["key"].clone(), sum(item))).collect::<Vec<_>>()
    };
    let both = [(json!(open.id), 2), (json!(hidden.id), 3)];
    assert_eq!(listed(&|ask| instance.ask(ask).expect(200)), both);
    assert_eq!(listed(&|ask| instance.ask_as(&bo, ask).expect(200)), both);
    assert_eq!(listed(&|ask| instance.ask_as(&counter, ask).expect(200)), both[..1]);
    assert_eq!(listed(&|ask| instance.ask_as(&cy, ask).expect(200)), []);
    let (_, neighbour) = instance.neighbour("other");
    assert_eq!(listed(&|ask| instance.ask_as(&neighbour, ask).expect(200)), []);
    // A key for a protected API gives no access to usage.
    instance.bare(&Ask::get(&path).bearer(&open.secret)).problem(403, "permission_required");
    // A repeated id is one.
    let asked = |keys: &str| instance.ask(&Ask::get(&format!("/v1/usage/keys?keys={keys}")));
    let repeated = asked(&vec![open.id.as_str(); 101].join(",")).expect(200);
    assert_eq!(repeated["items"].as_array().unwrap().len(), 1, "{repeated}");
    let others = |count: u32| {
        let id = |number| format!("key_0199f3a2-6f1e-7cc3-98c4-{number:012x}");
        (0..count).map(id).collect::<Vec<_>>().join(",")
    };
    assert_eq!(asked(&others(100)).expect(200)["items"], json!([]));
    for (keys, code) in [("unknown", "invalid_id"), (&*others(101), "too_many")] {
        let problem = asked(keys).problem(400, "invalid_input");
        let error = &problem["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!("?keys"), &json!(code)));
    }
}

#[test]
fn invalid_parameters_are_named() {
    let instance = TestServer::start();
    for (query, pointer, code) in [
        ("key=unknown", "?key", "invalid_id"),
        ("interval=week", "?interval", "invalid_interval"),
        ("from=yesterday", "?from", "invalid_time"),
        ("to=2026-01-01", "?to", "invalid_time"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "?from", "out_of_range"),
        ("limit=3", "?limit", "unknown_parameter"),
        ("interval=day&interval=day", "?interval", "doubled"),
    ] {
        let problem =
            instance.ask(&Ask::get(&format!("/v1/usage?{query}"))).problem(400, "invalid_input");
        let error = &problem["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!(pointer), &json!(code)), "{query}");
    }
    let key = instance.create(&json!({}));
    let usage = instance.usage(&key);
    assert_eq!((&usage["interval"], &usage["items"]), (&json!("hour"), &json!([])), "{usage}");
    assert_eq!(usage["totals"], json!({"calls": 0, "codes": {}}));
    assert_eq!((&usage["addresses"], usage.get("keys")), (&json!([]), None));
}

#[test]
fn the_command_line_shows_usage_with_and_without_a_server() {
    let mut instance = TestServer::start();
    let key = instance.create(&json!({"name": "busy"}));
    for _ in 0..3 {
        instance.bare(&Ask::forward_auth(&key.secret)).expect(200);
    }
    instance.act(&key.id, "disable").expect(200);
    instance.bare(&Ask::forward_auth(&key.secret)).problem(401, "DISABLED");
    for is_running in [true, false] {
        if !is_running {
            instance.stop();
        }
        let ended = instance.home().run_cli(&["usage", &key.id, "--interval", "day"], "");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains("START"), "{ended:?}");
        assert!(ended.stdout.contains("T00:00:00.000Z"), "{ended:?}");
        assert!(ended.stdout.contains("DISABLED=1 VALID=3"), "{ended:?}");
        let ended = instance.home().run_cli(&["usage", "--json"], "");
        let reported: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(
            (&reported["totals"]["calls"], &reported["keys"][0]["refused"]),
            (&json!(4), &json!(1))
        );
    }
}
