//! The response to invalid input names each fault and its field, and the request changes nothing.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::shape::assert_shape;
use crate::test_server::TestServer;

/// An input to one field, and the pointer of the fault in the expected response.
struct Wrong {
    claim: &'static str,
    input: Value,
    pointer: &'static str,
}

fn wrong(claim: &'static str, input: Value, pointer: &'static str) -> Wrong {
    Wrong { claim, input, pointer }
}

/// Values that are invalid both in a new key and in a change.
fn wrong_fields() -> Vec<Wrong> {
    let limit = |limit: Value| json!({"rate_limits": [limit]});
    let allow = |network: &str| json!({"ip_rules": {"allow": ["10.0.0.0/8", network], "deny": []}});
    vec![
        wrong("number as name", json!({"name": 7}), "/name"),
        wrong("blank name", json!({"name": " \u{3000} "}), "/name"),
        wrong("long name", json!({"name": "n".repeat(257)}), "/name"),
        wrong("line feed in a name", json!({"name": "a\nb"}), "/name"),
        wrong("escape in a name", json!({"name": "a\u{1b}[2Jb"}), "/name"),
        wrong("C1 control in a name", json!({"name": "a\u{9b}2Jb"}), "/name"),
        wrong("zero byte in a name", json!({"name": "a\0b"}), "/name"),
        wrong("long description", json!({"description": "d".repeat(1_001)}), "/description"),
        wrong("list as description", json!({"description": []}), "/description"),
        wrong("unknown field", json!({"nmae": "typo"}), "/nmae"),
        wrong("field of the server's", json!({"status": "active"}), "/status"),
        wrong("pointer characters in a field", json!({"a/b~c": 1}), "/a~1b~0c"),
        wrong("text as permissions", json!({"permissions": "a:b"}), "/permissions"),
        wrong("number among permissions", json!({"permissions": ["a:b", 7]}), "/permissions/1"),
        wrong("one segment", json!({"permissions": ["a:b", "c:d", "read"]}), "/permissions/2"),
        wrong("capital", json!({"permissions": ["A:b"]}), "/permissions/0"),
        wrong("empty segment", json!({"permissions": ["a::b"]}), "/permissions/0"),
        wrong("part of a wildcard", json!({"permissions": ["a:b*"]}), "/permissions/0"),
        wrong("space", json!({"permissions": ["a:b c:d"]}), "/permissions/0"),
        wrong("nine segments", json!({"permissions": ["a:a:a:a:a:a:a:a:a"]}), "/permissions/0"),
        wrong(
            "too many permissions",
            json!({"permissions": (0..101).map(|at| format!("a:b{at}")).collect::<Vec<_>>()}),
            "/permissions",
        ),
        wrong("text as rules", json!({"ip_rules": "10.0.0.0/8"}), "/ip_rules"),
        wrong("no network", allow("nonsense"), "/ip_rules/allow/1"),
        wrong("prefix too long", allow("10.0.0.0/33"), "/ip_rules/allow/1"),
        wrong("bits beyond the prefix", allow("10.0.0.1/8"), "/ip_rules/allow/1"),
        wrong("octal address", allow("010.0.0.1"), "/ip_rules/allow/1"),
        wrong("unknown rule", json!({"ip_rules": {"alow": []}}), "/ip_rules/alow"),
        wrong(
            "limit without a name",
            limit(json!({"limit": 5, "window_seconds": 10})),
            "/rate_limits/0/name",
        ),
        wrong(
            "limit with a bad name",
            limit(json!({"name": "A b", "limit": 5, "window_seconds": 10})),
            "/rate_limits/0/name",
        ),
        wrong(
            "limit of nothing",
            limit(json!({"name": "a", "limit": 0, "window_seconds": 10})),
            "/rate_limits/0/limit",
        ),
        wrong(
            "limit below nothing",
            limit(json!({"name": "a", "limit": -1, "window_seconds": 10})),
            "/rate_limits/0/limit",
        ),
        wrong(
            "half a call",
            limit(json!({"name": "a", "limit": 1.5, "window_seconds": 10})),
            "/rate_limits/0/limit",
        ),
        wrong(
            "limit beyond numbers",
            limit(json!({"name": "a", "limit": 1e300, "window_seconds": 10})),
            "/rate_limits/0/limit",
        ),
        wrong(
            "no window",
            limit(json!({"name": "a", "limit": 5, "window_seconds": 0})),
            "/rate_limits/0/window_seconds",
        ),
        wrong(
            "window over a day",
            limit(json!({"name": "a", "limit": 5, "window_seconds": 86_401})),
            "/rate_limits/0/window_seconds",
        ),
        wrong(
            "two limits of one name",
            json!({"rate_limits": [
                {"name": "a", "limit": 5, "window_seconds": 10}, {"name": "a", "limit": 6, "window_seconds": 10},
            ]}),
            "/rate_limits/1/name",
        ),
        wrong(
            "too many limits",
            json!({"rate_limits": (0..9).map(|at| json!({"name": format!("n{at}"), "limit": 5, "window_seconds": 10})).collect::<Vec<_>>()}),
            "/rate_limits",
        ),
        wrong("list as metadata", json!({"metadata": [1]}), "/metadata"),
        wrong("no moment", json!({"not_before": "tomorrow"}), "/not_before"),
        wrong(
            "moment without an offset",
            json!({"not_before": "2027-01-31T12:00:00"}),
            "/not_before",
        ),
        wrong("number as moment", json!({"expires_at": 1_800_000_000}), "/expires_at"),
        wrong("day that is not", json!({"expires_at": "2027-02-30T00:00:00Z"}), "/expires_at"),
        wrong("end in the past", json!({"expires_at": "2020-01-01T00:00:00Z"}), "/expires_at"),
    ]
}

/// Values that are invalid in a new key only.
fn wrong_drafts() -> Vec<Wrong> {
    vec![
        wrong("no kind", json!({"kind": "robot"}), "/kind"),
        wrong("capital environment", json!({"environment": "Live"}), "/environment"),
        wrong("long environment", json!({"environment": "e".repeat(17)}), "/environment"),
        wrong("underscore in an environment", json!({"environment": "a_b"}), "/environment"),
        wrong("empty environment", json!({"environment": ""}), "/environment"),
        wrong("no span", json!({"expires_in": "soon"}), "/expires_in"),
        wrong("number as span", json!({"expires_in": 90}), "/expires_in"),
        wrong("span of months backwards", json!({"expires_in": "-1mo"}), "/expires_in"),
        wrong("span backwards", json!({"expires_in": "-1d"}), "/expires_in"),
        wrong(
            "two ends",
            json!({"expires_in": "1d", "expires_at": "2999-01-01T00:00:00Z"}),
            "/expires_in",
        ),
        wrong(
            "end before the beginning",
            json!({"not_before": "2999-01-02T00:00:00Z", "expires_at": "2999-01-01T00:00:00Z"}),
            "/expires_at",
        ),
        wrong("field of a change alone", json!({"version": 1}), "/version"),
        wrong("field of a later issue", json!({"secret": "kh_live_mine"}), "/secret"),
    ]
}

fn assert_points_at(answer: &Value, case: &Wrong) {
    let errors = answer["errors"].as_array().unwrap_or_else(|| panic!("{}: {answer}", case.claim));
    let error = errors.iter().find(|error| error["pointer"] == case.pointer);
    let error =
        error.unwrap_or_else(|| panic!("{}: not at {}: {answer}", case.claim, case.pointer));
    let code = error["code"].as_str().unwrap();
    assert!(
        !code.is_empty()
            && code.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_'),
        "{code}"
    );
    assert!(error["detail"].as_str().unwrap().len() > 10, "{}: {error}", case.claim);
    assert_eq!(errors.len(), 1, "{}: {answer}", case.claim);
}

#[test]
fn an_invalid_field_is_named_and_no_key_is_created() {
    let instance = TestServer::start();
    let mut line = instance.connect();
    for case in wrong_fields().into_iter().chain(wrong_drafts()) {
        let answer = line.ask(&instance.as_owner(Ask::post("/v1/keys", &case.input)));
        assert_eq!(answer.status, 400, "{}: {}", case.claim, answer.body);
        assert_points_at(&answer.problem(400, "invalid_input"), &case);
    }
    assert_eq!(instance.all_keys(), Vec::<Value>::new());
}

#[test]
fn an_invalid_change_is_named_and_not_applied() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "as it was"}));
    let path = format!("/v1/keys/{}", made.id);
    let mut line = instance.connect();
    let fixed =
        ["kind", "environment", "id", "hint", "owner"].map(|name| (name, format!("/{name}")));
    for case in wrong_fields() {
        let answer = line.ask(&instance.as_owner(Ask::patch(&path, &case.input)));
        assert_eq!(answer.status, 400, "{}: {}", case.claim, answer.body);
        assert_points_at(&answer.problem(400, "invalid_input"), &case);
    }
    for (name, pointer) in fixed {
        let problem = line
            .ask(&instance.as_owner(Ask::patch(&path, &json!({name: "x"}))))
            .problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert_eq!(problem["errors"][0]["code"], "unknown_field", "{problem}");
    }
    let nulls = line.ask(&instance.as_owner(Ask::patch(&path, &json!({"name": null}))));
    let problem = nulls.problem(400, "invalid_input");
    assert_eq!(problem["errors"][0]["pointer"], "/name", "{problem}");
    assert_eq!(problem["errors"][0]["code"], "required", "{problem}");
    assert_eq!(instance.key(&made.id), made.key);
}

#[test]
fn all_faults_are_reported_together() {
    let instance = TestServer::start();
    let body =
        json!({"name": "", "kind": "robot", "permissions": ["x"], "expires_in": "soon", "typo": 1});
    let problem = instance.ask(&Ask::post("/v1/keys", &body)).problem(400, "invalid_input");
    assert_shape!("problem_with_faults", &problem);
}

#[test]
fn a_body_that_is_not_a_json_object_is_rejected() {
    let instance = TestServer::start();
    let deep =
        |levels: usize| format!("{}1{}", "{\"metadata\":".repeat(levels), "}".repeat(levels));
    let lists =
        |levels: usize| format!("{{\"metadata\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let bracket_text = format!("{{\"name\":\"{}\"}}", "[{".repeat(100));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("blank", b"   ".to_vec(), "invalid_json"),
        ("no JSON", b"name=x".to_vec(), "invalid_json"),
        ("cut short", br#"{"name": "x"#.to_vec(), "invalid_json"),
        ("two documents", br#"{"name": "x"} {"name": "y"}"#.to_vec(), "invalid_json"),
        ("a comma too many", br#"{"name": "x",}"#.to_vec(), "invalid_json"),
        ("a comment", br#"{"name": "x" /* y */}"#.to_vec(), "invalid_json"),
        ("single quotes", b"{'name': 'x'}".to_vec(), "invalid_json"),
        ("not UTF-8", b"{\"name\": \"\xff\"}".to_vec(), "invalid_json"),
        ("half a surrogate", br#"{"name": "\ud800"}"#.to_vec(), "invalid_json"),
        ("a byte order mark", b"\xef\xbb\xbf{\"name\": \"x\"}".to_vec(), "invalid_json"),
        ("not a number", br#"{"metadata": {"a": NaN}}"#.to_vec(), "invalid_json"),
        ("33 levels of objects", deep(33).into_bytes(), "invalid_json"),
        ("33 levels with lists", lists(32).into_bytes(), "invalid_json"),
        ("30,000 levels", vec![b'['; 30_000], "invalid_json"),
        ("a list", b"[]".to_vec(), "invalid_json"),
        ("a text", b"\"x\"".to_vec(), "invalid_json"),
        ("null", b"null".to_vec(), "invalid_json"),
        ("one name twice", br#"{"name": "x", "name": "y"}"#.to_vec(), "invalid_json"),
        ("one name twice inside", br#"{"metadata": {"a": 1, "a": 2}}"#.to_vec(), "invalid_json"),
        (
            "one name twice, once escaped",
            br#"{"name": "x", "n\u0061me": "y"}"#.to_vec(),
            "invalid_json",
        ),
    ];
    let mut line = instance.connect();
    for (claim, body, code) in cases {
        let ask = Ask::new("POST", "/v1/keys").bytes("application/json", &body);
        let answer = line.ask(&instance.as_owner(ask));
        assert_eq!(answer.code(), code, "{claim}: {}", answer.body);
        answer.problem(400, code);
    }
    assert_eq!(instance.all_keys(), Vec::<Value>::new());
    // Brackets in a text do not count as depth.
    let ask = Ask::new("POST", "/v1/keys").bytes("application/json", bracket_text.as_bytes());
    assert_eq!(instance.ask(&ask).status, 201);
}

#[test]
fn a_body_of_another_content_type_is_rejected() {
    let instance = TestServer::start();
    let body = br#"{"name": "x"}"#;
    for (content_type, taken) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("application/json;charset=UTF-8", true),
        ("Application/JSON", true),
        ("text/plain", false),
        ("application/x-www-form-urlencoded", false),
        ("multipart/form-data; boundary=a", false),
        ("application/jsonp", false),
        ("text/plain; application/json", false),
        ("application/json, text/plain", false),
        ("", false),
    ] {
        let answer = instance.ask(&Ask::new("POST", "/v1/keys").bytes(content_type, body));
        if taken {
            answer.expect(201);
        } else {
            answer.problem(415, "unsupported_media_type");
        }
    }
    let none = Ask::new("POST", "/v1/keys").bytes("", body).without("Content-Type");
    instance.ask(&none).problem(415, "unsupported_media_type");
    let doubled = Ask::new("POST", "/v1/keys")
        .bytes("application/json", body)
        .header("Content-Type", "text/plain");
    instance.ask(&doubled).problem(400, "doubled_header");
}

#[test]
fn an_unknown_path_or_method_is_rejected() {
    let instance = TestServer::start();
    let id = instance.create(&json!({})).id;
    for path in [
        "/nowhere",
        "/v1",
        "/v1/",
        "/v2/keys",
        "/v1/keys/",
        "/V1/keys",
        "/v1//keys",
        "/v1/keys/x/y/z",
        "/v1/keys/../keys",
        "/v1/%6beys/nothing",
        "/v1/forward-auth",
        "/metrics/x",
        "/index.php",
        "/.env",
    ] {
        let answer = instance.ask(&Ask::get(path));
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        answer.problem(404, "not_found");
    }
    for (method, path) in [
        ("PUT", "/v1/keys".to_owned()),
        ("DELETE", "/v1/keys".to_owned()),
        ("GET", "/v1/verify".to_owned()),
        ("POST", format!("/v1/keys/{id}")),
        ("GET", format!("/v1/keys/{id}/revoke")),
        ("POST", "/v1/whoami".to_owned()),
        ("PATCH", "/v1/session".to_owned()),
        ("TRACE", "/v1/keys".to_owned()),
        ("get", "/v1/keys".to_owned()),
        ("BREW", "/v1/keys".to_owned()),
    ] {
        let answer = instance.ask(&Ask::new(method, &path).json(&json!({})));
        answer.problem(405, "method_not_allowed");
        let allow = answer.header("allow").unwrap();
        assert!(
            !allow.is_empty() && !allow.split(", ").any(|it| it == method),
            "{method}: {allow}"
        );
    }
    assert_eq!(instance.all_keys().len(), 1);
}

#[test]
fn an_invalid_id_gets_key_not_found() {
    let instance = TestServer::start();
    let id = instance.create(&json!({})).id;
    let bare = id.strip_prefix("key_").unwrap();
    for wrong in [
        bare.to_owned(),
        id.to_uppercase(),
        id.replace('-', ""),
        format!("usr_{bare}"),
        format!("{id}0"),
        format!("{id}%20"),
        format!("{id}%00"),
        format!("%6bey_{bare}x"),
        "key_".to_owned(),
        "..".to_owned(),
        "1".to_owned(),
        "k".repeat(5_000),
    ] {
        for ask in [
            Ask::get(&format!("/v1/keys/{wrong}")),
            Ask::new("DELETE", &format!("/v1/keys/{wrong}")),
        ] {
            instance.ask(&ask).problem(404, "not_found");
        }
    }
    assert_eq!(instance.key(&id)["status"], "active");
}

#[test]
fn an_invalid_list_parameter_is_named() {
    let instance = TestServer::start();
    for _ in 0..3 {
        instance.create(&json!({}));
    }
    let page = instance.ask(&Ask::get("/v1/keys?limit=1")).expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    for (query, pointer) in [
        ("limit=0".to_owned(), "?limit"),
        ("limit=-1".to_owned(), "?limit"),
        ("limit=101".to_owned(), "?limit"),
        ("limit=ten".to_owned(), "?limit"),
        ("limit=".to_owned(), "?limit"),
        ("limit=1e1".to_owned(), "?limit"),
        ("limit=99999999999999999999".to_owned(), "?limit"),
        ("limit=1&limit=2".to_owned(), "?limit"),
        ("cursor=nonsense".to_owned(), "?cursor"),
        ("cursor=".to_owned(), "?cursor"),
        (format!("cursor={cursor}A"), "?cursor"),
        (format!("cursor={cursor}%3D%3D"), "?cursor"),
        ("cursor=%FF%FE".to_owned(), "?cursor"),
        ("status=gone".to_owned(), "?status"),
        ("status=Active".to_owned(), "?status"),
        ("sort=colour".to_owned(), "?sort"),
        ("sort=--name".to_owned(), "?sort"),
        ("sort=".to_owned(), "?sort"),
        ("order=name".to_owned(), "?order"),
        (format!("sort=name&cursor={cursor}"), "?cursor"),
        ("used=".to_owned(), "?used"),
        ("expires_within=-7d".to_owned(), "?expires_within"),
        ("expires_within=-1mo".to_owned(), "?expires_within"),
        (format!("search={}", "s".repeat(2_000)), "?search"),
    ] {
        let answer = instance.ask(&Ask::get(&format!("/v1/keys?{query}")));
        assert_eq!(answer.status, 400, "{query:.60}: {}", answer.body);
        let problem = answer.problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query:.60}: {problem}");
    }
}

#[test]
fn an_invalid_verify_request_is_named_without_the_secret() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    for (claim, input, pointer) in [
        ("no key", json!({}), "/key"),
        ("number as key", json!({"key": 7}), "/key"),
        ("null as key", json!({"key": null}), "/key"),
        ("number as permissions", json!({"key": made.secret, "permissions": 7}), "/permissions"),
        (
            "bad permission",
            json!({"key": made.secret, "permissions": ["a:b", "c"]}),
            "/permissions",
        ),
        ("wildcard asked for", json!({"key": made.secret, "permissions": ["a:*"]}), "/permissions"),
        ("open parenthesis", json!({"key": made.secret, "permissions": "(a:b"}), "/permissions"),
        ("two names", json!({"key": made.secret, "permissions": "a:b c:d"}), "/permissions"),
        ("operator alone", json!({"key": made.secret, "permissions": "AND"}), "/permissions"),
        ("nothing asked for", json!({"key": made.secret, "permissions": ""}), "/permissions"),
        (
            "long requirement",
            json!({"key": made.secret, "permissions": "a:b AND ".repeat(200)}),
            "/permissions",
        ),
        ("no address", json!({"key": made.secret, "ip": "localhost"}), "/ip"),
        ("network as address", json!({"key": made.secret, "ip": "10.0.0.0/8"}), "/ip"),
        ("cost over the limit", json!({"key": made.secret, "cost": 1_001}), "/cost"),
        ("cost below nothing", json!({"key": made.secret, "cost": -1}), "/cost"),
        ("half a call", json!({"key": made.secret, "cost": 0.5}), "/cost"),
        ("unknown field", json!({"key": made.secret, "permission": ["a:b"]}), "/permission"),
    ] {
        let answer = instance.ask(&Ask::post("/v1/verify", &input));
        assert_eq!(answer.status, 400, "{claim}: {}", answer.body);
        let problem = answer.problem(400, "invalid_input");
        let found = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(found.starts_with(pointer), "{claim}: {problem}");
        assert!(!answer.body.contains(&made.secret), "{claim}");
    }
    assert!(instance.key(&made.id)["last_used"].is_null());
}

#[test]
fn an_invalid_reason_is_named_and_the_key_is_not_revoked() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    for (input, pointer) in [
        (json!({"reason": 7}), "/reason"),
        (json!({"reason": "a\u{1b}[2J"}), "/reason"),
        (json!({"reason": "r".repeat(5_000)}), "/reason"),
        (json!({"resaon": "typo"}), "/resaon"),
    ] {
        let ask = Ask::post(&format!("/v1/keys/{}/revoke", made.id), &input);
        let problem = instance.ask(&ask).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_eq!(instance.verify(&made.secret)["code"], "VALID");
    // An empty body means no reason, which is valid.
    instance.ask(&Ask::new("POST", &format!("/v1/keys/{}/revoke", made.id))).expect(200);
}

#[test]
fn a_body_over_its_limit_is_rejected_before_it_is_read() {
    let instance = TestServer::start();
    let just = json!({"name": "n", "description": "d".repeat(70 * 1024)});
    instance.ask(&Ask::post("/v1/keys", &just)).problem(413, "body_too_large");
    assert_eq!(instance.all_keys(), Vec::<Value>::new());
}

#[test]
fn a_zero_duration_is_rejected_under_its_own_field() {
    let instance = TestServer::start();
    let problem = instance
        .ask(&Ask::post("/v1/keys", &json!({"expires_in": "0s"})))
        .problem(400, "invalid_input");
    assert_eq!(problem["errors"][0]["pointer"], "/expires_in", "{problem}");
}

#[test]
fn the_last_day_of_the_calendar_is_accepted_and_a_later_one_rejected() {
    let instance = TestServer::start();
    let far = instance.ask(&Ask::post("/v1/keys", &json!({"expires_at": "9999-12-31T23:59:59Z"})));
    assert_eq!(far.status, 201, "{}", far.body);
    let beyond = instance.ask(&Ask::post("/v1/keys", &json!({"expires_in": "7304400d"})));
    let problem = beyond.problem(400, "invalid_input");
    assert_eq!(problem["errors"][0]["pointer"], "/expires_in", "{problem}");
}

#[test]
fn an_unknown_query_parameter_is_rejected_by_every_key_operation() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    let organization = "organization=org_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
    for (method, path) in [
        ("POST", "/v1/keys".to_owned()),
        ("GET", format!("/v1/keys/{}", made.id)),
        ("PATCH", format!("/v1/keys/{}", made.id)),
        ("POST", format!("/v1/keys/{}/disable", made.id)),
    ] {
        let ask = Ask::new(method, &format!("{path}?{organization}")).json(&json!({}));
        let problem = instance.ask(&ask).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], "?organization", "{method}: {problem}");
    }
    assert_eq!(instance.all_keys().len(), 1);
}
