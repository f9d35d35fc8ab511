//! `keyhouse role` and `keyhouse team`, with and without a running server.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{Ended, Home};
use crate::test_server::TestServer;

fn stdout_of(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.clone()
}

fn json_of(home: &Home, args: &[&str]) -> Value {
    let args = [args, &["--json"]].concat();
    serde_json::from_str(&stdout_of(&home.run_cli(&args, ""))).unwrap()
}

fn roles_and_teams(home: &Home, user: &str) {
    let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
    let role = ["role", "create", "Reader", "--permission", "a:read", "--permission", "b:read"];
    let role = json_of(home, &role);
    assert_eq!(role["permissions"], json!(["a:read", "b:read"]));
    let listed = stdout_of(&home.run_cli(&["role", "list"], ""));
    assert!(listed.contains("administrator") && listed.contains("Reader"), "{listed}");
    assert_eq!(json_of(home, &["role", "show", &id(&role)]), role);
    let shown = stdout_of(&home.run_cli(&["role", "show", "user"], ""));
    assert!(shown.contains("* keyhouse:keys:create"), "{shown}");
    assert_eq!(stdout_of(&home.run_cli(&["role", "delete", &id(&role)], "")), "");
    assert_eq!(home.run_cli(&["role", "delete", &id(&role)], "").code, Some(3));
    assert_eq!(home.run_cli(&["role", "delete", "owner"], "").code, Some(5));
    assert_eq!(home.run_cli(&["role", "create", "owner"], "").code, Some(2));

    let team = json_of(home, &["team", "create", "Blue", "--secret"]);
    assert_eq!(team["visibility"], "secret");
    let team = id(&team);
    assert_eq!(home.run_cli(&["team", "create", "Red"], "").code, Some(4), "the plan has one team");
    stdout_of(&home.run_cli(&["team", "add", &team, user], ""));
    assert_eq!(json_of(home, &["team", "members", &team])[0]["id"], user);
    let listed = stdout_of(&home.run_cli(&["team", "list"], ""));
    assert!(listed.contains("Blue") && listed.contains(&team), "{listed}");
    stdout_of(&home.run_cli(&["team", "remove", &team, user], ""));
    assert_eq!(json_of(home, &["team", "members", &team]), json!([]));
    assert!(stdout_of(&home.run_cli(&["team", "show", &team], "")).contains("secret"));
    stdout_of(&home.run_cli(&["team", "delete", &team], ""));
    let none = home.run_cli(&["team", "list"], "");
    assert!(stdout_of(&none).is_empty() && none.stderr.contains("no teams"), "{none:?}");
}

#[test]
fn roles_and_teams_are_managed_with_and_without_a_server() {
    let mut instance = TestServer::start();
    let (home, user) = (Arc::clone(instance.home()), instance.owner().id);
    roles_and_teams(&home, &user);
    instance.stop();
    roles_and_teams(&home, &user);
}
