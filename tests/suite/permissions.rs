//! `/v1/permissions` and the presets that are derived from it.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::shape::assert_shape;
use crate::test_server::TestServer;

fn path(name: &str) -> String {
    format!("/v1/permissions/{name}")
}

fn entry(name: &str) -> Value {
    json!({
        "name": name, "group": "Diagrams",
        "description": {"en": "See it", "fr": "Le voir", "es": "Verlo"},
    })
}

impl TestServer {
    fn catalogue(&self, names: &[&str]) {
        for name in names {
            self.ask(&Ask::post("/v1/permissions", &entry(name))).expect(201);
        }
    }
}

#[test]
fn an_entry_can_be_created_read_changed_and_removed() {
    let instance = TestServer::start();
    let answer = instance.ask(&Ask::post("/v1/permissions", &entry("diagrams:read")));
    let made = answer.expect(201);
    assert_eq!(answer.header("location"), Some(path("diagrams:read").as_str()));
    assert_shape!("permission", &made);
    for encoded in ["diagrams:read", "diagrams%3Aread", "diagrams%3aread"] {
        assert_eq!(instance.ask(&Ask::get(&path(encoded))).expect(200), made);
    }
    instance.ask(&Ask::post("/v1/permissions", &entry("diagrams:read"))).problem(409, "name_taken");

    let change = json!({"description": {"fr": "Regarder"}});
    let stale = Ask::patch(&path("diagrams:read"), &change).header("If-Match", "\"3\"");
    instance.ask(&stale).problem(412, "version_conflict");
    let after = instance.ask(&Ask::patch(&path("diagrams:read"), &change)).expect(200);
    assert_eq!(after["description"], json!({"en": "See it", "fr": "Regarder", "es": "Verlo"}));
    assert_eq!((&after["group"], &after["version"]), (&made["group"], &json!(2)));

    assert_eq!(instance.ask(&Ask::new("DELETE", &path("diagrams:read"))).status, 204);
    for ask in [
        Ask::get(&path("diagrams:read")),
        Ask::patch(&path("diagrams:read"), &change),
        Ask::new("DELETE", &path("diagrams:read")),
        Ask::get(&path("nothing")),
        Ask::get(&path("diagrams%2Fread")),
    ] {
        instance.ask(&ask).problem(404, "not_found");
    }
    for (body, pointer) in [
        (json!({"name": "diagrams"}), "/name"),
        (json!({"name": "diagrams:*"}), "/name"),
        (json!({"name": "keyhouse:keys:read"}), "/name"),
        (json!({"name": "keyhouse:my:own"}), "/name"),
        (json!({"name": "a:b", "description": {"de": "Sehen"}}), "/description/de"),
        (json!({"name": "a:b", "description": "See"}), "/description"),
    ] {
        let problem =
            instance.ask(&Ask::post("/v1/permissions", &body)).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[test]
fn all_users_read_the_catalogue_and_only_operators_change_it() {
    let instance = TestServer::start();
    instance.catalogue(&["zebras:read", "diagrams:read", "diagrams:write"]);
    let (admin, guest) = (instance.join("admin", "administrator"), instance.join("guest", "guest"));
    let key = instance.create(&json!({"permissions": ["a:b"]}));
    let all = instance.ask(&Ask::get("/v1/permissions?limit=100")).expect(200);
    let items = all["items"].as_array().unwrap();
    let names: Vec<_> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted() && names.len() == 24, "{names:?}");
    let own: Vec<_> = items.iter().filter(|item| item["own"] == true).collect();
    assert_eq!(own.len(), 21);
    for item in own {
        assert_eq!(item["group"], "keyhouse", "{item}");
        for language in ["en", "fr", "es"] {
            assert!(!item["description"][language].as_str().unwrap().is_empty(), "{item}");
        }
    }
    let get = Ask::get("/v1/permissions?limit=100");
    assert_eq!(instance.ask_as(&guest, &get).expect(200), all);
    assert_eq!(instance.bare(&get.bearer(&key.secret)).expect(200), all);
    instance.bare(&Ask::get("/v1/permissions")).problem(401, "NO_CREDENTIAL");

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = instance.ask(&Ask::get(&format!("/v1/permissions?limit=7{cursor}"))).expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(all["items"], json!(seen));

    let changes = [
        Ask::post("/v1/permissions", &entry("files:read")),
        Ask::patch(&path("diagrams:read"), &json!({"group": "Mine"})),
        Ask::new("DELETE", &path("diagrams:read")),
        Ask::patch(&path("keyhouse:keys:read"), &json!({"group": "Mine"})),
    ];
    for person in [&admin, &guest] {
        for ask in &changes {
            instance.ask_as(person, ask).problem(403, "permission_required");
        }
    }
    for ask in [
        Ask::patch(&path("keyhouse:keys:read"), &json!({"group": "Mine"})),
        Ask::new("DELETE", &path("keyhouse:instance:manage")),
    ] {
        instance.ask(&ask).problem(409, "own_permission");
    }
}

#[test]
fn presets_expand_to_read_or_write_permissions() {
    let instance = TestServer::start();
    let names =
        ["diagrams:read", "diagrams:write", "diagrams:delete", "files:page:read", "site:deploy"];
    instance.catalogue(&names);
    let deployer = instance.create(&json!({"preset": "deploy"}));
    assert_eq!(
        deployer.key["permissions"],
        json!([
            "*:read",
            "*:deploy",
            "*:publish",
            "*:release",
            "diagrams:read",
            "files:page:read",
            "site:deploy"
        ])
    );
    let reader = instance.create(&json!({"preset": "read"}));
    assert_eq!(reader.key["permissions"], json!(["*:read", "diagrams:read", "files:page:read"]));
    let writer = instance.create(&json!({"preset": "read-write", "kind": "service"}));
    for (key, granted) in [
        (&reader, [true, false, false, true, true, false, false]),
        (&writer, [true, true, false, true, true, true, false]),
    ] {
        let asked = [
            "diagrams:read",
            "diagrams:write",
            "diagrams:delete",
            "files:page:read",
            "other:read",
            "other:write",
            "keyhouse:keys:read",
        ];
        for (permission, granted) in asked.into_iter().zip(granted) {
            let code = if granted { "VALID" } else { "INSUFFICIENT_PERMISSIONS" };
            assert_eq!(instance.code(&key.secret, permission), code, "{permission}");
        }
    }
    let key = format!("/v1/keys/{}", writer.id);
    let changed = instance.ask(&Ask::patch(&key, &json!({"preset": "read"}))).expect(200);
    assert_eq!(changed["permissions"], reader.key["permissions"]);
    assert_eq!(instance.code(&writer.secret, "diagrams:write"), "INSUFFICIENT_PERMISSIONS");
    for (fields, code) in [
        (json!({"preset": "read", "permissions": ["a:b"]}), "contradiction"),
        (json!({"preset": "write"}), "invalid_preset"),
        (json!({"preset": 1}), "wrong_type"),
    ] {
        for ask in [Ask::post("/v1/keys", &fields), Ask::patch(&key, &fields)] {
            let problem = instance.ask(&ask).problem(400, "invalid_input");
            assert_eq!(problem["errors"][0]["code"], code, "{problem}");
        }
    }
}

#[test]
fn a_preset_cannot_exceed_the_permissions_of_its_user() {
    let instance = TestServer::start();
    instance.catalogue(&["diagrams:read", "diagrams:write", "files:read"]);
    let permissions = ["diagrams:*", "keyhouse:keys:create"];
    let drawer = instance.join("drawer", &instance.role("Drawer", &permissions));
    let reader = instance.create_as(&drawer, &json!({"preset": "read"}));
    assert_eq!(reader.key["permissions"], json!(["diagrams:read"]));
    let writer = instance.create_as(&drawer, &json!({"preset": "read-write"}));
    assert_eq!(writer.key["permissions"], json!(["diagrams:read", "diagrams:write"]));
    let nothing = ["files:delete", "keyhouse:keys:create"];
    let anonymous = instance.join("without-permissions", &instance.role("Nothing", &nothing));
    let ask = Ask::post("/v1/keys", &json!({"preset": "read"}));
    instance.ask_as(&anonymous, &ask).problem(403, "permission_required");
    // Changes of the catalogue do not change grants: the catalogue only describes permissions.
    assert_eq!(instance.ask(&Ask::new("DELETE", &path("diagrams:read"))).status, 204);
    assert_eq!(instance.code(&reader.secret, "diagrams:read"), "VALID");
}

#[test]
fn a_preset_of_many_entries_fits_into_one_list() {
    let instance = TestServer::start();
    let names: Vec<String> = (0..120).map(|number| format!("things-{number}:read")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    instance.catalogue(&names);
    let made = instance.create(&json!({"preset": "read"}));
    assert_eq!(made.key["permissions"], json!(["*:read"]));
    let things = ["keyhouse:keys:create"];
    let some = instance.join("some", &instance.role("Some", &things));
    let create = Ask::post("/v1/keys", &json!({"preset": "read"}));
    instance.ask_as(&some, &create).problem(403, "permission_required");
}
