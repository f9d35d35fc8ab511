//! `/v1/plans`, former operators, and the same operations from the host.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{acceptance, token_in};
use crate::server::{Ended, Home};
use crate::shape::assert_shape;
use crate::test_server::TestServer;

fn path(plan: &str) -> String {
    format!("/v1/plans/{plan}")
}

#[test]
fn pages_list_every_plan() {
    let instance = TestServer::start();
    for limit in 1..=4 {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let ask = Ask::get(&format!("/v1/plans?limit={limit}{cursor}"));
            let page = instance.ask(&ask).expect(200);
            let items = page["items"].as_array().unwrap();
            assert!((1..=limit).contains(&items.len()), "{page}");
            names.extend(items.iter().map(|plan| plan["id"].clone()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(names, ["enterprise", "free", "pro"], "{limit} at a time");
    }
    assert_shape!("plans", &instance.ask(&Ask::get("/v1/plans")).expect(200));
    assert_shape!("plan", &instance.ask(&Ask::get(&path("pro"))).expect(200));
    instance.ask(&Ask::get("/v1/plans?cursor=!")).problem(400, "invalid_input");
}

#[test]
fn a_first_owner_link_ends_with_its_operator_and_the_host_makes_another() {
    let instance = TestServer::start();
    let operator = instance.join("operator", "user");
    instance.change_user(&operator, &json!({"operator": true}));
    let body = json!({"name": "acme", "plan": "pro", "owner_email": "owner@acme.example"});
    let made = operator.ask(&instance, Ask::post("/v1/organizations", &body)).expect(201);
    let id = made["organization"]["id"].as_str().unwrap();
    instance.change_user(&operator, &json!({"operator": false}));
    instance.bare(&acceptance(&token_in(&made))).problem(403, "link_invalid");

    let invite = ["user", "invite", "owner@acme.example", "--role", "owner", "--organization", id];
    let ended = instance.server().run_cli(&invite, "");
    let url = ended.stdout.trim();
    let (_, token) = url.split_once("#token=").unwrap_or_else(|| panic!("{ended:?}"));
    let session = instance.bare(&acceptance(token)).expect(201);
    assert_eq!(session["organization"]["id"], id);
    assert_eq!(session["user"]["role"], "owner");
}

#[test]
fn only_a_management_key_of_an_operator_manages_the_instance() {
    let instance = TestServer::start();
    let permissions = json!(["keyhouse:instance:manage"]);
    let operators = instance.create(&json!({"permissions": permissions}));
    let all = instance.create(&json!({"permissions": ["*", "keyhouse:*"]}));
    let change = Ask::patch(&path("free"), &json!({"features": {"api_access": true}}));
    instance.bare(&change.clone().bearer(&all.secret)).problem(403, "permission_required");
    let changed = instance.bare(&change.bearer(&operators.secret)).expect(200);
    assert_eq!(changed["features"]["api_access"], true);
    let name = json!({"name": "a", "owner_email": "owner@a.example"});
    let ask = Ask::post("/v1/organizations", &name).bearer(&operators.secret);
    let made = instance.bare(&ask).expect(201);
    assert_eq!(made["organization"]["plan"], "free", "unless said otherwise");
    // The key created the link, so revoking the key invalidates the link.
    instance.act(&operators.id, "revoke").expect(200);
    instance.bare(&acceptance(&token_in(&made))).problem(403, "link_invalid");
}

fn fine(home: &Home, args: &[&str]) -> String {
    let ended: Ended = home.run_cli(args, "");
    assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
    ended.stdout
}

fn json_of(home: &Home, args: &[&str]) -> Value {
    serde_json::from_str(&fine(home, &[args, &["--json"]].concat())).unwrap()
}

fn organizations_plans_and_subscriptions(home: &Home, name: &str) {
    let owner = format!("owner@{name}.example");
    let create = ["org", "create", name, "--owner", &owner, "--plan", "pro"];
    let ended = home.run_cli(&create, "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let link = ended.stdout.strip_suffix('\n').unwrap();
    assert!(link.contains("/invitation#token=") && !link.contains('\n'), "{link:?}");
    let listed = json_of(home, &["org", "list"]);
    let id = listed[0]["id"].as_str().unwrap();
    assert!(ended.stderr.contains(id), "{}", ended.stderr);
    assert!(fine(home, &["org", "list"]).contains(name));
    assert_eq!(json_of(home, &["org", "show", id])["name"], name);

    let key = fine(home, &["key", "create", "--organization", id, "--name", "n"]);
    let verify = || home.run_cli(&["verify"], &key).stdout;
    for (command, code) in [
        (vec!["org", "suspend", id], "ORGANIZATION_SUSPENDED"),
        (vec!["org", "resume", id], "VALID"),
        (vec!["subscription", "set", id, "--plan", "free"], "SUBSCRIPTION_REQUIRED"),
        (vec!["plan", "set", "free", "--feature", "api_access=true"], "VALID"),
        (vec!["subscription", "set", id, "--status", "canceled"], "SUBSCRIPTION_REQUIRED"),
        (vec!["subscription", "set", id, "--status", "active", "--plan", "enterprise"], "VALID"),
        (
            vec!["subscription", "set", id, "--current-period-end", "2020-01-01T00:00:00Z"],
            "SUBSCRIPTION_REQUIRED",
        ),
        (vec!["subscription", "set", id, "--current-period-end", "none"], "VALID"),
        (vec!["plan", "set", "free", "--feature", "api_access=false"], "VALID"),
    ] {
        fine(home, &command);
        assert!(verify().starts_with(code), "{command:?}: {}", verify());
    }
    let reported = json_of(home, &["subscription", "show", id]);
    assert_eq!((&reported["plan"], &reported["used"]["keys"]), (&json!("enterprise"), &json!(1)));
    assert_eq!(json_of(home, &["subscription", "show"])["plan"], "pro", "the first one's");

    let set = ["plan", "set", "enterprise", "--limit", "keys=1", "--limit", "users=none"];
    assert_eq!(json_of(home, &set)["limits"]["keys"], 1);
    let refused = home.run_cli(&["key", "create", "--organization", id], "");
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("enterprise"), "{}", refused.stderr);
    fine(home, &["plan", "set", "enterprise", "--limit", "keys=none"]);
    assert_eq!(json_of(home, &["plan", "show", "enterprise"])["limits"]["keys"], Value::Null);
    assert_eq!(json_of(home, &["plan", "list"]).as_array().unwrap().len(), 3);

    let unknown = "org_01890000-0000-7000-8000-000000000000";
    for (command, code) in [
        (vec!["org", "show", unknown], 3),
        (vec!["org", "suspend", "../plans/free"], 3),
        (vec!["plan", "show", "gold"], 3),
        (vec!["plan", "set", "pro", "--limit", "keys"], 2),
        (vec!["plan", "set", "pro", "--limit", "keys=many"], 2),
        (vec!["subscription", "set", id, "--plan", "gold"], 2),
    ] {
        let ended = home.run_cli(&command, "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{command:?}: {ended:?}");
    }
}

#[test]
fn the_host_manages_organizations_plans_and_subscriptions() {
    let mut instance = TestServer::start();
    let home = Arc::clone(instance.home());
    organizations_plans_and_subscriptions(&home, "acme");
    instance.stop();
    organizations_plans_and_subscriptions(&home, "umbrella");
}
