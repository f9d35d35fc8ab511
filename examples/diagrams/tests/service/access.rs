//! Who reads and changes which diagram: keys, teams and access lists.

use serde_json::{Value, json};

use crate::fixture::{ADA, As, BOB, Service, json_of, refused};

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct May {
    read: bool,
    write: bool,
}

const ALL: May = May { read: true, write: true };
const READ: May = May { read: true, write: false };
const WRITE: May = May { read: false, write: true };
const NOTHING: May = May { read: false, write: false };

#[test]
fn a_table_of_callers_and_lists() {
    let service = Service::new();
    let in_a = As { teams: "team_a", ..BOB };
    let in_both = As { teams: "team_b,team_a", ..BOB };
    let in_c = As { teams: "team_c,team_aa", ..BOB };
    let service_key = As { user: "-", role: "-", teams: "team_a", ..BOB };
    let elsewhere = As { organization: "org_2", teams: "team_a", ..ADA };
    let owner = As { role: "owner", ..BOB };
    let (a, b, all) = (json!(["team/team_a"]), json!(["team/team_b"]), json!(["customer/org_1"]));
    let (none, empty) = (Value::Null, json!([]));
    let rows: [(&str, &Value, &Value, [May; 7]); 7] = [
        // Columns: ADA, in_a, in_both, in_c, service_key, elsewhere, owner.
        ("private", &none, &none, [ALL, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING]),
        ("unshared", &empty, &empty, [ALL, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING]),
        ("read by a", &a, &none, [ALL, READ, READ, NOTHING, READ, NOTHING, NOTHING]),
        ("written by a", &none, &a, [ALL, WRITE, WRITE, NOTHING, WRITE, NOTHING, NOTHING]),
        ("read by a, written by b", &a, &b, [ALL, READ, ALL, NOTHING, READ, NOTHING, NOTHING]),
        ("read by all", &all, &none, [ALL, READ, READ, READ, READ, NOTHING, READ]),
        ("written by all", &all, &all, [ALL, ALL, ALL, ALL, ALL, NOTHING, ALL]),
    ];
    let callers = [&ADA, &in_a, &in_both, &in_c, &service_key, &elsewhere, &owner];
    for (name, read, write, expected) in rows {
        let lists = json!({"readAccess": read, "writeAccess": write});
        let found: Vec<May> =
            callers.iter().map(|caller| rights(&service, caller, &lists)).collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// Tries each request on a diagram of Ada's with these lists.
fn rights(service: &Service, caller: &As, lists: &Value) -> May {
    let id = service.make(&ADA, lists);
    let path = format!("/blueprint/{id}");
    let status =
        |method: &str, path: &str, body: &Value| service.ask(caller, method, path, body).status();
    let read = status("GET", &path, &Value::Null);
    assert_eq!(status("GET", &format!("{path}/svg"), &Value::Null), read);
    assert_eq!(status("GET", &format!("{path}/budget/csv"), &Value::Null), read);
    let listed = json_of(&service.ask(caller, "GET", "/blueprint", &Value::Null));
    let is_listed = listed
        .pointer("/blueprints")
        .and_then(Value::as_array)
        .unwrap()
        .iter()
        .any(|row| row.get("id") == Some(&json!(id)));
    assert_eq!(is_listed, read == 200);
    let wrong = status("PUT", &path, &json!({}));
    let change = status("PUT", &path, &json!({"data": {"name": "changed"}}));
    let removal = status("DELETE", &path, &Value::Null);
    let (read, write) = (read == 200, change == 204);
    let refusal = if read { 403 } else { 404 };
    assert_eq!(change, if write { 204 } else { refusal });
    assert_eq!(removal, if write { 204 } else { refusal });
    assert_eq!(wrong, if write { 400 } else { refusal }, "a fault is shown to writers only");
    May { read, write }
}

#[test]
fn only_the_creator_and_managers_change_the_lists() {
    let service = Service::new();
    let lists = json!({"readAccess": ["team/team_a"], "writeAccess": ["team/team_a"]});
    let path = format!("/blueprint/{}", service.make(&ADA, &lists));
    let in_a = As { teams: "team_a", ..BOB };
    let wider = json!({"data": {"name": "x"}, "readAccess": ["customer/org_1"]});
    refused(&service.ask(&in_a, "PUT", &path, &wider), 403, "access lists");
    let mut same = lists.clone();
    same["data"] = json!({"name": "y"});
    assert_eq!(service.ask(&in_a, "PUT", &path, &same).status(), 204);
    assert_eq!(service.ask(&in_a, "PUT", &path, &json!({"data": {"name": "z"}})).status(), 204);
    let read = json_of(&service.ask(&in_a, "GET", &path, &Value::Null));
    assert_eq!(
        (&read["readAccess"], &read["LastUserId"]),
        (&lists["readAccess"], &json!("usr_bob"))
    );
    let admin = As { role: "admin", ..in_a };
    assert_eq!(service.ask(&admin, "PUT", &path, &wider).status(), 204);
    let unshared = json!({"data": {"name": "x"}, "readAccess": [], "writeAccess": null});
    assert_eq!(service.ask(&ADA, "PUT", &path, &unshared).status(), 204);
    let read = json_of(&service.ask(&ADA, "GET", &path, &Value::Null));
    assert_eq!((&read["readAccess"], &read["writeAccess"]), (&json!([]), &Value::Null));
    refused(&service.ask(&admin, "GET", &path, &Value::Null), 404, "not found");
}

#[test]
fn a_caller_sees_itself_and_its_teams() {
    let service = Service::new();
    let member = As { teams: "team_a,team_b", ..ADA };
    let me = json_of(&service.ask(&member, "GET", "/user/me", &Value::Null));
    assert_eq!((&me["id"], &me["name"]), (&json!("usr_ada"), &json!("a key")));
    assert_eq!(me["email"], "usr_ada@service.invalid");
    assert_eq!(me["settings"], json!({"currency": "USD", "firstTime": true}));
    service.pass_ms(1000);
    let again = json_of(&service.ask(&member, "GET", "/user/me", &Value::Null));
    assert_eq!(
        (&again["createdAt"], &again["settings"]["firstTime"]),
        (&me["createdAt"], &json!(false))
    );
    assert_eq!(again["accessedAt"], "2027-01-15T08:00:01.000Z");
    let teams = json_of(&service.ask(&member, "GET", "/team", &Value::Null));
    let ids: Vec<_> = teams.as_array().unwrap().iter().map(|team| &team["id"]).collect();
    assert_eq!(ids, ["team_a", "team_b"]);
    assert_eq!(json_of(&service.ask(&ADA, "GET", "/team", &Value::Null)), json!([]));
}
