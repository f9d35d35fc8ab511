//! `/v1/roles`: an organization's custom roles beside the four built-in roles, and their limits.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect, losers};
use crate::people::{Person, invitation};
use crate::shape::assert_shape;
use crate::test_server::{Made, TestServer};

impl TestServer {
    /// Creates a key as the given person.
    pub(crate) fn create_as(&self, person: &Person, fields: &Value) -> Made {
        person.make(self, fields)
    }

    /// Whether a key grants a permission, as a service checks it.
    pub(crate) fn code(&self, secret: &str, permission: &str) -> Value {
        let body = json!({"key": secret, "permissions": [permission]});
        self.ask(&Ask::post("/v1/verify", &body)).expect(200)["code"].clone()
    }
}

fn path(id: &str) -> String {
    format!("/v1/roles/{id}")
}

#[test]
fn a_role_can_be_created_read_changed_and_removed() {
    let instance = TestServer::start();
    let body = json!({
        "name": "Drawer", "description": "Draws.", "permissions": ["diagrams:*", "files:read"],
    });
    let answer = instance.ask(&Ask::post("/v1/roles", &body));
    let role = answer.expect(201);
    let id = role["id"].as_str().unwrap();
    assert_shape!("role", &role);
    assert_eq!(answer.header("location"), Some(path(id).as_str()));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(instance.ask(&Ask::get(&path(id))).expect(200), role);

    let change = json!({"permissions": ["diagrams:read"]});
    let stale = Ask::patch(&path(id), &change).header("If-Match", "\"7\"");
    instance.ask(&stale).problem(412, "version_conflict");
    let changed = instance.ask(&Ask::patch(&path(id), &change).header("If-Match", "\"1\""));
    let after = changed.expect(200);
    assert_eq!(after["permissions"], change["permissions"]);
    assert_eq!((&after["name"], &after["version"]), (&role["name"], &json!(2)));
    assert_eq!(changed.header("etag"), Some("\"2\""));
    let same = instance.ask(&Ask::patch(&path(id), &change)).expect(200);
    assert_eq!(same, after, "what changes nothing is no change");

    let stale = Ask::new("DELETE", &path(id)).header("If-Match", "\"1\"");
    instance.ask(&stale).problem(412, "version_conflict");
    let gone = instance.ask(&Ask::new("DELETE", &path(id)));
    assert!(gone.status == 204 && gone.body.is_empty(), "{gone:?}");
    for ask in [
        Ask::get(&path(id)),
        Ask::patch(&path(id), &change),
        Ask::new("DELETE", &path(id)),
        Ask::get(&path("superuser")),
    ] {
        instance.ask(&ask).problem(404, "not_found");
    }
}

#[test]
fn built_in_roles_are_listed_first_and_cannot_be_changed() {
    let instance = TestServer::start();
    let drawer = instance.role("Drawer", &["diagrams:*"]);
    let reader = instance.role("Reader", &["*:read"]);
    let all = instance.ask(&Ask::get("/v1/roles")).expect(200);
    let ids: Vec<_> = all["items"].as_array().unwrap().iter().map(|role| &role["id"]).collect();
    assert_eq!(ids, ["owner", "administrator", "user", "guest", drawer.as_str(), reader.as_str()]);
    assert_eq!(all["next_cursor"], Value::Null);
    assert_eq!(all["items"][2]["permissions"], json!(["*", "keyhouse:keys:create"]));
    assert_eq!(all["items"][0]["builtin"], true);

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = instance.ask(&Ask::get(&format!("/v1/roles?limit=1{cursor}"))).expect(200);
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{page}");
        seen.extend(items.iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(all["items"], json!(seen), "page by page it is the same list");

    for name in ["owner", "administrator", "user", "guest"] {
        assert_eq!(instance.ask(&Ask::get(&path(name))).expect(200)["name"], name);
        let change = Ask::patch(&path(name), &json!({"permissions": ["a:b"]}));
        instance.ask(&change).problem(409, "builtin_role");
        instance.ask(&Ask::new("DELETE", &path(name))).problem(409, "builtin_role");
    }
}

#[test]
fn a_role_name_that_looks_like_a_built_in_one_is_rejected() {
    let instance = TestServer::start();
    let drawer = instance.role("Drawer", &["diagrams:*"]);
    for name in [
        "owner",
        "Owner",
        " ADMINISTRATOR ",
        "user",
        "gUest",
        "o w n e r",
        "ow\u{a0}ner",
        "own\u{fe0f}er",
        "\u{3000}guest\u{2003}",
        "\u{43e}wner",
        "\u{ff4f}wner",
    ] {
        let body = json!({"name": name, "permissions": ["a:b"]});
        for ask in [Ask::post("/v1/roles", &body), Ask::patch(&path(&drawer), &body)] {
            let problem = instance.ask(&ask).problem(400, "invalid_input");
            assert_eq!(problem["errors"][0]["code"], "reserved_name", "{name:?} {problem}");
        }
    }
    for name in ["drawer", "DRAWER", "Draw\u{fe0f}er "] {
        let body = json!({"name": name, "permissions": ["a:b"]});
        instance.ask(&Ask::post("/v1/roles", &body)).problem(409, "name_taken");
    }
    instance.ask(&Ask::patch(&path(&drawer), &json!({"name": "drawer"}))).expect(200);
    let other = instance.role("Writer", &[]);
    let change = Ask::patch(&path(&other), &json!({"name": "dRaWeR"}));
    instance.ask(&change).problem(409, "name_taken");
}

#[test]
fn of_concurrent_roles_with_one_name_exactly_one_is_created() {
    let instance = TestServer::start();
    let body = json!({"name": "Drawer", "permissions": ["diagrams:*"]});
    for answer in losers(6, 201, |_| instance.ask(&Ask::post("/v1/roles", &body))) {
        answer.problem(409, "name_taken");
    }
    let listed = instance.ask(&Ask::get("/v1/roles")).expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 5, "{listed}");
}

#[test]
fn a_role_cannot_exceed_the_permissions_of_its_creator() {
    let instance = TestServer::start();
    let permissions = ["keyhouse:roles:*", "diagrams:*", "files:read"];
    let keeper = instance.role("Keeper", &permissions);
    let keeper = instance.join("keeper", &keeper);
    let strong = instance.role("Strong", &["diagrams:read", "billing:write"]);
    let body = |permissions: Value| json!({"name": "New", "permissions": permissions});
    for more in [
        json!(["*"]),
        json!(["files:*"]),
        json!(["diagrams:read", "files:write"]),
        json!(["keyhouse:*"]),
        json!(["keyhouse:users:manage"]),
        json!(["*:read"]),
    ] {
        let ask = Ask::post("/v1/roles", &body(more));
        instance.ask_as(&keeper, &ask).problem(403, "permission_required");
    }
    for pattern in ["keyhouse:instance:manage", "keyhouse:instance:*", "keyhouse:instance:verify"] {
        let ask = Ask::post("/v1/roles", &body(json!(["diagrams:read", pattern])));
        // The owner is operator and has this permission, but a role still cannot contain it.
        for answer in [instance.ask_as(&keeper, &ask), instance.ask(&ask)] {
            let problem = answer.problem(400, "invalid_input");
            assert_eq!(problem["errors"][0]["code"], "operators_only", "{problem}");
        }
    }
    let made = instance.ask_as(&keeper, &Ask::post("/v1/roles", &body(json!(["diagrams:read"]))));
    let own = path(made.expect(201)["id"].as_str().unwrap());
    let widen = |to: Value| Ask::patch(&own, &json!({"permissions": to}));
    instance.ask_as(&keeper, &widen(json!(["diagrams:*", "files:read"]))).expect(200);
    instance.ask_as(&keeper, &widen(json!(["files:*"]))).problem(403, "permission_required");
    for ask in [
        Ask::patch(&path(&strong), &json!({"permissions": ["diagrams:read"]})),
        Ask::patch(&path(&strong), &json!({"permissions": []})),
        Ask::patch(&path(&strong), &json!({"name": "Weak"})),
        Ask::new("DELETE", &path(&strong)),
    ] {
        instance.ask_as(&keeper, &ask).problem(403, "permission_required");
    }
    assert_eq!(instance.ask_as(&keeper, &Ask::new("DELETE", &own)).status, 204);
}

#[test]
fn managing_roles_requires_its_permission() {
    let instance = TestServer::start();
    let drawer = instance.role("Drawer", &["diagrams:*"]);
    let seer = instance.role("Seer", &["keyhouse:roles:read"]);
    let [user, guest] = ["user", "guest"].map(|role| instance.join(role, role));
    let seer = instance.join("seer", &seer);
    let body = json!({"name": "Another", "permissions": []});
    let reads = [Ask::get("/v1/roles"), Ask::get(&path(&drawer)), Ask::get(&path("owner"))];
    let changes = [
        Ask::post("/v1/roles", &body),
        Ask::patch(&path(&drawer), &body),
        Ask::new("DELETE", &path(&drawer)),
        Ask::patch(&path("owner"), &body),
    ];
    for person in [&user, &guest] {
        for ask in reads.iter().chain(&changes) {
            instance.ask_as(person, ask).problem(403, "permission_required");
        }
    }
    for ask in &reads {
        instance.ask_as(&seer, ask).expect(200);
    }
    for ask in &changes {
        instance.ask_as(&seer, ask).problem(403, "permission_required");
    }
    let key = instance.create(&json!({"permissions": ["*"]}));
    for ask in reads.iter().chain(&changes) {
        instance.bare(&ask.clone().bearer(&key.secret)).problem(403, "permission_required");
    }
}

#[test]
fn removing_a_role_in_use_is_rejected() {
    let instance = TestServer::start();
    let [held, promised] = ["Held", "Promised"].map(|name| instance.role(name, &["diagrams:read"]));
    instance.join("bo", &held);
    let invited = instance.ask(&invitation("cy@example.com", &promised)).expect(201);
    for role in [&held, &promised] {
        instance.ask(&Ask::new("DELETE", &path(role))).problem(409, "role_in_use");
    }
    let invitation = invited["invitation"]["id"].as_str().unwrap();
    let withdraw = Ask::new("DELETE", &format!("/v1/invitations/{invitation}"));
    assert_eq!(instance.ask(&withdraw).status, 204);
    assert_eq!(instance.ask(&Ask::new("DELETE", &path(&promised))).status, 204);
}

#[test]
fn a_wildcard_in_a_role_never_grants_management() {
    let instance = TestServer::start();
    let star = instance.role("Star", &["*", "*:*", "*:*:*"]);
    let star = instance.join("star", &star);
    let personal = instance.create(&json!({"permissions": ["*", "*:*:*"]}));
    let plain = instance.create(&json!({}));
    let service = instance.create(&json!({"kind": "service", "permissions": ["*", "*:*:*"]}));
    let target = instance.create(&json!({"name": "target"}));
    let role = json!({"name": "New", "permissions": []});
    let team = json!({"name": "New", "visibility": "visible"});
    let permission = json!({"name": "a:read"});
    let asks = [
        Ask::post("/v1/keys", &json!({"kind": "service", "permissions": []})),
        Ask::post("/v1/keys", &json!({})),
        Ask::new("DELETE", &format!("/v1/keys/{}", target.id)),
        Ask::post(&format!("/v1/keys/{}/disable", target.id), &json!({})),
        Ask::post("/v1/roles", &role),
        Ask::post("/v1/teams", &team),
        Ask::post("/v1/permissions", &permission),
        invitation("new@example.com", "guest"),
        Ask::post("/v1/verify", &json!({"key": target.secret})),
    ];
    for ask in &asks {
        instance.ask_as(&star, ask).problem(403, "permission_required");
        for key in [&personal, &plain, &service] {
            let answer = instance.bare(&ask.clone().bearer(&key.secret));
            assert_eq!(answer.status, 403, "{} {}: {}", ask.method, ask.target, answer.body);
            assert_eq!(answer.json()["code"], "permission_required", "{}", answer.body);
        }
    }
    for own in ["keyhouse:keys:read", "keyhouse:instance:manage"] {
        for key in [&personal, &plain, &service] {
            assert_eq!(instance.code(&key.secret, own), "INSUFFICIENT_PERMISSIONS");
        }
    }
    assert_eq!(instance.code(&service.secret, "any:thing"), "VALID");
}

#[test]
fn a_reduced_role_limits_its_keys_from_the_next_check_on() {
    let instance = TestServer::start();
    let permissions = ["diagrams:*", "files:read", "keyhouse:keys:create"];
    let role = instance.role("Drawer", &permissions);
    let bo = instance.join("bo", &role);
    let whole = instance.create_as(&bo, &json!({}));
    let listed = instance.create_as(&bo, &json!({"permissions": ["diagrams:write", "files:read"]}));
    let named = instance.create_as(&bo, &json!({"permissions": ["keyhouse:keys:create"]}));
    let codes = |permissions: Value, expected: [&str; 4]| {
        let change = Ask::patch(&path(&role), &json!({"permissions": permissions}));
        instance.ask(&change).expect(200);
        let codes = [
            instance.code(&whole.secret, "diagrams:write"),
            instance.code(&whole.secret, "files:read"),
            instance.code(&listed.secret, "diagrams:write"),
            instance.code(&listed.secret, "files:read"),
        ];
        assert_eq!(codes, expected, "{permissions}");
    };
    let (yes, no) = ("VALID", "INSUFFICIENT_PERMISSIONS");
    codes(json!(permissions), [yes, yes, yes, yes]);
    codes(json!(["diagrams:read", "files:read"]), [no, yes, no, yes]);
    // The session and a management key stay valid, with the role's current permissions.
    instance.ask_as(&bo, &Ask::get("/v1/session")).expect(200);
    let create = Ask::post("/v1/keys", &json!({}));
    instance.ask_as(&bo, &create).problem(403, "permission_required");
    instance.bare(&create.bearer(&named.secret)).problem(403, "permission_required");
    codes(json!([]), [no, no, no, no]);
    codes(json!(permissions), [yes, yes, yes, yes]);
}

#[test]
fn a_custom_role_cannot_create_stronger_keys() {
    let instance = TestServer::start();
    let role = ["diagrams:*", "keyhouse:keys:create"];
    let maker = instance.join("maker", &instance.role("Maker", &role));
    let reader = instance.join("reader", &instance.role("Reader", &["diagrams:*"]));
    let ask = |fields: &Value| Ask::post("/v1/keys", fields);
    instance.ask_as(&reader, &ask(&json!({}))).problem(403, "permission_required");
    for stronger in [
        json!({"permissions": ["*"]}),
        json!({"permissions": ["diagrams:read", "files:read"]}),
        json!({"permissions": ["keyhouse:keys:read"]}),
        json!({"permissions": ["keyhouse:*"]}),
        json!({"kind": "service", "permissions": ["diagrams:read"]}),
        json!({"kind": "service"}),
    ] {
        let answer = instance.ask_as(&maker, &ask(&stronger));
        assert_eq!(answer.status, 403, "{stronger}: {}", answer.body);
    }
    let listed = instance.create_as(&maker, &json!({"permissions": ["diagrams:read"]}));
    assert_eq!(instance.code(&listed.secret, "diagrams:read"), "VALID");
    assert_eq!(instance.code(&listed.secret, "diagrams:write"), "INSUFFICIENT_PERMISSIONS");
    // A key without a list has the current permissions of its owner.
    let whole = instance.create_as(&maker, &json!({}));
    assert_eq!(instance.code(&whole.secret, "diagrams:write"), "VALID");
    assert_eq!(instance.code(&whole.secret, "files:read"), "INSUFFICIENT_PERMISSIONS");
    let wholly = Ask::patch(&format!("/v1/keys/{}", listed.id), &json!({"permissions": null}));
    instance.ask_as(&maker, &wholly).expect(200);
    assert_eq!(instance.code(&listed.secret, "diagrams:write"), "VALID");
    assert_eq!(instance.code(&listed.secret, "files:read"), "INSUFFICIENT_PERMISSIONS");
    // A key does not have its owner's rights: a key that may create keys cannot create a key with
    // more permissions than its own.
    let creator = json!({"permissions": ["keyhouse:keys:create", "diagrams:read"]});
    let creator = instance.create_as(&maker, &creator);
    let by_key = ask(&json!({})).bearer(&creator.secret);
    instance.bare(&by_key).problem(403, "permission_required");
    let path = format!("/v1/keys/{}", listed.id);
    let widen = Ask::patch(&path, &json!({"permissions": ["files:read"]}));
    instance.ask_as(&maker, &widen).problem(403, "permission_required");
}

#[test]
fn all_faults_of_a_role_are_reported_together() {
    let instance = TestServer::start();
    let body = json!({"name": " ", "permissions": ["a"], "builtin": true});
    let problem = instance.ask(&Ask::post("/v1/roles", &body)).problem(400, "invalid_input");
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|it| &it["pointer"]).collect();
    assert_eq!(pointers, ["/name", "/permissions/0", "/builtin"], "{problem}");
    let problem = instance.ask(&Ask::post("/v1/roles", &json!({}))).problem(400, "invalid_input");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
}
