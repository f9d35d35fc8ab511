//! `--prune` deletes what the lists of the files do not name, and nothing else.

use serde_json::{Value, json};

use crate::apply::{SECRET, apply, export, file, whole};
use crate::ask::{Ask, Expect};
use crate::test_server::TestServer;

fn names(report: &Value) -> Vec<String> {
    let shown = |it: &Value| {
        let text = |field: &str| it[field].as_str().unwrap().to_owned();
        format!("{} {} {}", text("action"), text("kind"), text("name"))
    };
    report["changes"].as_array().unwrap().iter().map(shown).collect()
}

#[test]
fn a_prune_previews_its_deletions_asks_and_deletes_exactly_these() {
    let instance = TestServer::start();
    let home = instance.home();
    apply(home, &[&whole(home)]);
    let own = instance.create(&json!({"name": "made on the page", "kind": "service"}));
    let line = json!({"key": "another-system-key-0123456789"});
    let imported =
        instance.ask(&Ask::post("/v1/keys/import", &json!({"keys": [line]}))).expect(201);
    let imported = imported["keys"][0]["id"].as_str().unwrap().to_owned();
    let organization = "[[organizations]]\nname = \"Acme\"\nsecond_factor_required_of = []\n";
    let text = format!(
        "permissions = []\n{organization}roles = []\nkeys = []\n\
         [[organizations.teams]]\nname = \"Build\"\nmembers = [\"ada@example.com\"]\n"
    );
    let path = file(home, "less.toml", &text);

    let kept = apply(home, &[&path, "--dry-run"]);
    assert_eq!(names(&kept), ["change organization Acme"], "{kept}");
    assert_eq!(kept["kept"], 6, "{kept}");

    let preview = apply(home, &[&path, "--prune", "--dry-run"]);
    let deleted = [
        "delete key shop",
        "delete key from a file",
        "delete team Run",
        "delete role Auditor",
        "delete role Deployer",
        "delete permission orders:read",
    ];
    let mut found = names(&preview);
    found.sort();
    let mut expected: Vec<_> = deleted.iter().map(|it| (*it).to_owned()).collect();
    expected.push("change organization Acme".to_owned());
    expected.sort();
    assert_eq!(found, expected, "{preview}");

    let unconfirmed = home.run_cli(&["apply", &path, "--prune"], "");
    assert_eq!(unconfirmed.code, Some(2), "{unconfirmed:?}");
    assert!(unconfirmed.stdout.contains("- delete team \"Run\" of \"Acme\""), "{unconfirmed:?}");
    assert!(unconfirmed.stderr.contains("--prune would delete 6 objects"), "{unconfirmed:?}");
    assert!(export(home).contains("[[permissions]]"), "nothing was changed yet");

    let done = apply(home, &[&path, "--prune", "--yes"]);
    assert_eq!(names(&done), names(&preview), "exactly what was previewed");
    assert!(done["changes"].as_array().unwrap().iter().all(|it| it["done"] == true), "{done}");
    instance.bare(&Ask::forward_auth(SECRET)).problem(401, "REVOKED");
    assert_eq!(instance.key(&own.id)["status"], "active", "a key of the page stays");
    assert_eq!(instance.key(&imported)["status"], "active", "an imported key stays");
    let gates = instance.ask(&Ask::get("/v1/gates")).expect(200);
    assert_eq!(gates["items"].as_array().unwrap().len(), 1, "the file does not list gates");
    let users = instance.ask(&Ask::get("/v1/users")).expect(200);
    assert_eq!(users["items"].as_array().unwrap().len(), 1, "users stay");
    let again = apply(home, &[&path, "--prune", "--yes"]);
    assert_eq!(names(&again), Vec::<String>::new());
}

#[test]
fn a_revoked_key_does_not_return() {
    let instance = TestServer::start();
    let home = instance.home();
    let path = whole(home);
    apply(home, &[&path]);
    let none = "[[organizations]]\nname = \"Acme\"\nkeys = []\n";
    apply(home, &[&file(home, "none.toml", none), "--prune", "--yes"]);
    let ended = home.run_cli(&["apply", &path], "");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stderr.matches("a revoked key cannot return").count(), 2, "{ended:?}");
}

#[test]
fn a_role_that_a_user_keeps_is_not_pruned() {
    let instance = TestServer::start();
    let home = instance.home();
    apply(home, &[&whole(home)]);
    let roles = instance.ask(&Ask::get("/v1/roles")).expect(200);
    let roles = roles["items"].as_array().unwrap();
    let id = roles.iter().find(|it| it["name"] == "Deployer").unwrap()["id"].as_str().unwrap();
    instance.join("grace", id);
    let path = file(home, "none.toml", "[[organizations]]\nname = \"Acme\"\nroles = []\n");
    let ended = home.run_cli(&["apply", &path, "--prune", "--yes"], "");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("none.toml:3: organizations.roles: "), "{ended:?}");
    assert!(ended.stderr.contains("grace@example.com has"), "{ended:?}");
}
