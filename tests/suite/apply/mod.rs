//! `keyhouse apply`, `keyhouse export` and `keyhouse schema`: configuration as code.

mod files;
mod moving;
mod prune;
mod schema;
mod start;

use std::fs;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::server::{BINARY, Ended, Home, run};
use crate::test_server::TestServer;

/// A file about the organization of the setup and the instance, with every kind of object.
pub(super) const WHOLE: &str = r#"
[[permissions]]
name = "orders:read"
group = "Orders"
description = { en = "Reads orders." }

[[plans]]
name = "pro"
features = { multiple_teams = true }
limits = { keys = 500, users = "none" }

[[gates]]
name = "orders"
organizations = ["Acme"]
environments = ["test", "live"]
cost = 2

[[gates.routes]]
path = "/health"
access = "public"

[[gates.routes]]
path = "/orders/**"
methods = ["GET"]
permissions = ["orders:read"]

[[organizations]]
name = "Acme"
first = true
domains = ["acme.example"]
members_create_keys = false
second_factor_required_of = ["Auditor"]

[organizations.subscription]
plan = "pro"

[[organizations.roles]]
name = "Deployer"
description = "Deploys the shop."
permissions = ["orders:*", "keyhouse:keys:create"]

[[organizations.roles]]
name = "Auditor"
permissions = ["keyhouse:audit:read"]

[[organizations.users]]
email = "ada@example.com"
role = "owner"

[[organizations.teams]]
name = "Build"
members = ["Ada@Example.com", "stranger@acme.example"]

[[organizations.teams]]
name = "Run"
visibility = "secret"

[[organizations.keys]]
name = "shop"
digest = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
permissions = ["orders:read"]
expires_at = 2029-10-01T00:00:00Z
teams = { Build = "read", Run = "write" }
ip_rules = { allow = ["192.0.2.0/24"] }
rate_limits = [{ name = "burst", limit = 20, window_seconds = 10 }]
quota = { limit = 1000, period = "month", timezone = "Europe/Paris" }
metadata = { ticket = "OPS-7", deep = { list = [1, 2.5, "x"] } }

[[organizations.keys]]
name = "from a file"
secret_file = "secret.txt"
expires_at = 2029-10-01T00:00:00Z
disabled = true
"#;
pub(super) const SECRET: &str = "sk_live_0123456789abcdef0123456789";

pub(super) fn file(home: &Home, name: &str, text: &str) -> String {
    let path = home.folder().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Writes [`WHOLE`] and the secret that it names.
pub(super) fn whole(home: &Home) -> String {
    file(home, "secret.txt", &format!("{SECRET}\n"));
    file(home, "whole.toml", WHOLE)
}

pub(super) fn succeeded(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

pub(super) fn apply(home: &Home, args: &[&str]) -> Value {
    succeeded(&home.run_cli(&[&["apply", "--json"], args].concat(), ""))
}

pub(super) fn export(home: &Home) -> String {
    let ended = home.run_cli(&["export"], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

fn events(home: &Home) -> usize {
    let listed = succeeded(&home.run_cli(&["audit", "list", "--limit", "1000", "--json"], ""));
    listed.as_array().unwrap().len()
}

/// The permissions that a key needs to apply [`WHOLE`] from another host.
fn remote_permissions() -> Value {
    let own = ["keys", "roles", "teams", "users", "organization"];
    let own =
        own.iter().flat_map(|it| [format!("keyhouse:{it}:read"), format!("keyhouse:{it}:manage")]);
    let instance = ["manage", "import"].map(|it| format!("keyhouse:instance:{it}"));
    let rest =
        ["*".to_owned(), "keyhouse:keys:create".to_owned(), "keyhouse:audit:read".to_owned()];
    own.chain(instance).chain(rest).collect::<Vec<_>>().into()
}

/// Runs a command from another host, with a key.
fn remote(instance: &TestServer, key: &str, args: &[&str]) -> Ended {
    let mut command = instance.home().command(BINARY);
    command.args(args).env("KEYHOUSE_URL", instance.server().url()).env("KEYHOUSE_KEY", key);
    run(command, b"")
}

#[test]
fn a_second_apply_changes_nothing_in_any_of_the_three_ways() {
    let mut reports = Vec::new();
    for way in ["socket", "store", "remote"] {
        let mut instance = TestServer::start();
        let key =
            json!({"kind": "service", "name": "applier", "permissions": remote_permissions()});
        let secret = instance.create(&key).secret;
        let home = std::sync::Arc::clone(instance.home());
        let path = whole(&home);
        if way == "store" {
            instance.stop();
        }
        let apply = |more: &[&str]| {
            let args = [&["apply", &path, "--json"], more].concat();
            let ended = match way {
                "remote" => remote(&instance, &secret, &args),
                _ => home.run_cli(&args, ""),
            };
            succeeded(&ended)
        };
        let before = events(&home);
        let previewed = apply(&["--dry-run"]);
        assert_eq!(events(&home), before, "{way}: a dry run changes nothing");
        let first = apply(&[]);
        assert_eq!(first["waiting"].as_array().unwrap().len(), 1, "{first}");
        let made = first["changes"].as_array().unwrap();
        assert!(made.iter().all(|change| change["done"] == true), "{way}: {first}");
        let fields = |report: &Value| -> Vec<Value> {
            let changes = report["changes"].as_array().unwrap().iter();
            changes.map(|it| json!([it["action"], it["kind"], it["name"], it["fields"]])).collect()
        };
        assert_eq!(fields(&previewed), fields(&first), "{way}: the preview is what happens");
        let after = events(&home);
        // A membership, two shares and the two halves of the organization have their own events.
        assert_eq!((made.len(), after - before), (10, 14), "{way}: {first}");
        let second = apply(&[]);
        assert_eq!(second["changes"], json!([]), "{way}: {second}");
        assert_eq!(second["unchanged"], 12, "{way}: {second}");
        assert_eq!(events(&home), after, "{way}: a second apply writes no event");
        let text = match way {
            "remote" => remote(&instance, &secret, &["apply", &path]),
            _ => home.run_cli(&["apply", &path], ""),
        };
        assert_eq!((text.code, text.stdout.as_str()), (Some(0), ""), "{way}: {text:?}");
        assert!(text.stderr.contains("0 created, 0 changed, 0 deleted, 12 unchanged"), "{text:?}");
        reports.push(first);
    }
    assert_eq!(reports[0], reports[1], "socket and store");
    assert_eq!(reports[0], reports[2], "socket and remote");
}

#[test]
fn a_dry_run_prints_the_difference_and_changes_nothing() {
    let instance = TestServer::start();
    let home = instance.home();
    let path = file(home, "a.toml", "[[plans]]\nname = \"pro\"\nlimits = { keys = 7 }\n");
    let ended = home.run_cli(&["apply", &path, "--dry-run"], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "  change plan \"pro\"");
    assert!(
        lines[1].starts_with("-     limits = ") && !lines[1].contains("\"keys\":7"),
        "{lines:?}"
    );
    assert!(
        lines[2].starts_with("+     limits = ") && lines[2].contains("\"keys\":7"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(ended.stderr.contains("0 to create, 1 to change, 0 to delete"), "{ended:?}");
    let plan = instance.ask(&Ask::get("/v1/plans/pro")).expect(200);
    assert_eq!(plan["limits"]["keys"], Value::Null);
}

#[test]
fn applied_objects_work() {
    let instance = TestServer::start();
    let home = instance.home();
    let path = whole(home);
    apply(home, &[&path]);
    instance.bare(&Ask::forward_auth(SECRET)).problem(401, "DISABLED");
    // Without the line, the key has the default of the field again.
    let text = fs::read_to_string(&path).unwrap().replace("disabled = true\n", "");
    let text =
        text.replace("permissions = [\"orders:*\", \"keyhouse:keys:create\"]", "permissions = []");
    let text =
        text.replace("members = [\"Ada@Example.com\", \"stranger@acme.example\"]", "members = []");
    fs::write(&path, text).unwrap();
    let report = apply(home, &[&path]);
    let changed: Vec<_> =
        report["changes"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(changed, ["Deployer", "Build", "from a file"], "{report}");
    assert_eq!(instance.verify(SECRET)["code"], "VALID");
    let roles = instance.ask(&Ask::get("/v1/roles")).expect(200);
    let deployer = roles["items"].as_array().unwrap().iter().find(|it| it["name"] == "Deployer");
    assert_eq!(deployer.unwrap()["permissions"], json!([]));
}

#[test]
fn a_rotated_key_is_still_the_key_of_its_file() {
    let instance = TestServer::start();
    let home = instance.home();
    let path = whole(home);
    apply(home, &[&path]);
    let listed = succeeded(&home.run_cli(&["key", "list", "--search", "shop", "--json"], ""));
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(home.run_cli(&["key", "rotate", id], "").code, Some(0));
    let report = apply(home, &[&path, "--prune", "--yes"]);
    assert_eq!(report["changes"], json!([]), "{report}");
}

#[test]
fn an_apply_that_stops_reports_its_changes() {
    let instance = TestServer::start();
    let home = instance.home();
    let key = |number: usize| {
        format!(
            "[[organizations.keys]]\nname = \"key {number}\"\ndigest = \"blake3:{number:064x}\"\n"
        )
    };
    let keys: Vec<String> = (1..=3).map(key).collect();
    let text = |keys_max: usize| {
        format!(
            "[[plans]]\nname = \"pro\"\nlimits = {{ keys = {keys_max} }}\n\
             [[organizations]]\nname = \"Acme\"\nfirst = true\n\
             [organizations.subscription]\nplan = \"pro\"\n{}",
            keys.concat()
        )
    };
    let ended = home.run_cli(&["apply", &file(home, "a.toml", &text(2)), "--json"], "");
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let done = report["changes"].as_array().unwrap().iter().filter(|it| it["done"] == true).count();
    let total = report["changes"].as_array().unwrap().len();
    assert_eq!(done + 1, total, "two of three keys fit: {report}");
    let claim = format!("stopped after {done} of {total} changes; apply again to continue");
    assert!(ended.stderr.contains(&claim), "{ended:?}");
    let report = apply(home, &[&file(home, "a.toml", &text(3))]);
    let kinds: Vec<_> =
        report["changes"].as_array().unwrap().iter().map(|it| it["kind"].clone()).collect();
    assert_eq!(kinds, ["plan", "key"], "{report}");
}

#[test]
fn several_files_are_one_declaration() {
    let instance = TestServer::start();
    let home = instance.home();
    let head = "[[organizations]]\nname = \"Acme\"\n";
    file(home, "10-acme.toml", &format!("{head}first = true\ndomains = [\"acme.example\"]\n"));
    file(home, "20-roles.toml", &format!("{head}[[organizations.roles]]\nname = \"Reader\"\n"));
    let json = json!({"organizations": [{"name": "Acme", "members_create_keys": false}]});
    file(home, "30-keys.toml", &json.to_string());
    let pattern = home.folder().join("*0-*.toml");
    let report = apply(home, &[pattern.to_str().unwrap()]);
    let names: Vec<_> = report["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["action"].clone(), it["name"].clone()))
        .collect();
    assert_eq!(
        names,
        [(json!("create"), json!("Reader")), (json!("change"), json!("Acme"))],
        "{report}"
    );
}

#[test]
fn a_key_manages_only_its_own_organization() {
    let instance = TestServer::start();
    let key = json!({"kind": "service", "permissions": remote_permissions()});
    let secret = instance.create(&key).secret;
    let created = ["org", "create", "Other", "--owner", "olga@other.example", "--json"];
    assert_eq!(instance.server().run_cli(&created, "").code, Some(0));
    let text = "[[organizations]]\nname = \"Other\"\nsuspended = true\n\
                [[organizations.roles]]\nname = \"Reader\"\n";
    let path = file(instance.home(), "a.toml", text);
    let ended = remote(&instance, &secret, &["apply", &path]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("a.toml:4:") && ended.stderr.contains("own organization"),
        "{ended:?}"
    );
    // Operators change the organization itself.
    let path =
        file(instance.home(), "b.toml", "[[organizations]]\nname = \"Other\"\nsuspended = true\n");
    let ended = remote(&instance, &secret, &["apply", &path]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_key_of_another_organization_does_not_change_its_own_as_the_first() {
    // The only organization that the key reads was taken for the organization of the setup.
    let instance = TestServer::start();
    let home = instance.home();
    let (_, stranger) = instance.neighbour("beta");
    let permissions = ["read", "manage"].map(|it| format!("keyhouse:organization:{it}"));
    let key = json!({"kind": "service", "name": "applier", "permissions": permissions});
    let key = stranger.make(&instance, &key);
    let own = || stranger.ask(&instance, Ask::get("/v1/organization")).expect(200);
    let (before, written) = (own(), events(home));
    let text = "[[organizations]]\nname = \"Acme\"\nfirst = true\nmembers_create_keys = false\n";
    let ended = remote(&instance, &key.secret, &["apply", &file(home, "a.toml", text)]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let claim = "a.toml:3: organizations.first: KEYHOUSE_KEY cannot read";
    assert!(ended.stderr.contains(claim), "{ended:?}");
    assert_eq!((own(), events(home)), (before, written), "nothing was changed");
}

#[test]
fn a_remote_file_names_a_role_that_it_does_not_declare() {
    // The roles were read only if the file declared roles or users.
    let instance = TestServer::start();
    let home = instance.home();
    let key = json!({"kind": "service", "permissions": remote_permissions()});
    let secret = instance.create(&key).secret;
    instance.role("Auditor", &["keyhouse:audit:read"]);
    let text = "[[organizations]]\nname = \"Acme\"\nfirst = true\n\
                second_factor_required_of = [\"Auditor\"]\n";
    let path = file(home, "a.toml", text);
    let report = succeeded(&remote(&instance, &secret, &["apply", &path, "--json"]));
    assert_eq!(report["changes"][0]["done"], true, "{report}");
}
