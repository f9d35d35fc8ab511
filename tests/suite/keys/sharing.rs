//! `/v1/keys/{id}/teams/{team}`: what sharing a key allows team members to do, and what it never
//! allows.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::Person;
use crate::shape::assert_shape;
use crate::teams::{NO_TEAM, ids};
use crate::test_server::{Made, TestServer};

impl TestServer {
    /// Shares a key with a team, as the given person.
    pub(crate) fn share(&self, person: &Person, key: &str, team: &str, access: &str) -> Value {
        self.ask_as(person, &sharing(key, team, access)).expect(200)
    }

    /// Returns the fields of a key that the given person sees in the list.
    fn listed(&self, person: &Person, key: &str) -> Option<Value> {
        let page = self.ask_as(person, &Ask::get("/v1/keys?status=all&limit=100")).expect(200);
        page["items"].as_array().unwrap().iter().find(|item| item["id"] == key).cloned()
    }
}

fn sharing(key: &str, team: &str, access: &str) -> Ask {
    Ask::new("PUT", &format!("/v1/keys/{key}/teams/{team}")).json(&json!({"access": access}))
}

fn unsharing(key: &str, team: &str) -> Ask {
    Ask::new("DELETE", &format!("/v1/keys/{key}/teams/{team}"))
}

fn path(key: &str) -> String {
    format!("/v1/keys/{key}")
}

/// Starts an instance with a visible team, two members, and a key of the first member.
fn shared_instance() -> (TestServer, String, Person, Person, Made) {
    let instance = TestServer::start();
    let team = instance.team("Blue", "visible", &[]);
    let [bo, cy] = ["bo", "cy"].map(|name| instance.join(name, "user"));
    instance.put_in(&team, &bo);
    instance.put_in(&team, &cy);
    let key = instance.create_as(&bo, &json!({"name": "deploy", "permissions": ["diagrams:read"]}));
    (instance, team, bo, cy, key)
}

#[test]
fn a_key_can_be_shared_listed_and_unshared() {
    let (instance, team, bo, cy, key) = shared_instance();
    let hidden = instance.listed(&cy, &key.id).unwrap();
    assert_shape!("hidden_key", &hidden);
    assert_eq!(hidden["id"], key.id.as_str());
    instance.ask_as(&cy, &Ask::get(&path(&key.id))).problem(403, "permission_required");

    let answer = instance.ask_as(&bo, &sharing(&key.id, &team, "read"));
    let shared = answer.expect(200);
    let expected = json!([{"id": team, "name": "Blue", "access": "read", "visibility": "visible"}]);
    assert_eq!(shared["teams"], expected);
    assert_eq!(answer.header("etag").unwrap(), format!("\"{}\"", shared["version"]));
    let again = instance.share(&bo, &key.id, &team, "read");
    assert_eq!(again["version"], shared["version"], "what changes nothing is no change");
    assert_eq!(instance.listed(&cy, &key.id).unwrap(), shared);
    assert_eq!(instance.ask_as(&cy, &Ask::get(&path(&key.id))).expect(200), shared);
    let widened = instance.share(&bo, &key.id, &team, "write");
    assert_eq!(widened["teams"][0]["access"], "write");

    assert_eq!(instance.ask_as(&bo, &unsharing(&key.id, &team)).status, 204);
    assert_eq!(instance.ask_as(&bo, &unsharing(&key.id, &team)).status, 204);
    assert_eq!(instance.listed(&cy, &key.id).unwrap(), hidden);

    let teams = json!([{"id": team, "access": "write"}]);
    let made = instance.create_as(&bo, &json!({"teams": teams}));
    assert_eq!(made.key["teams"], widened["teams"]);
    assert_eq!(instance.listed(&cy, &made.id).unwrap(), made.key);
    instance.take_out(&team, &cy);
    assert_eq!(instance.listed(&cy, &made.id).unwrap()["name"], Value::Null);
}

#[test]
fn a_team_member_with_write_access_can_rename_disable_and_revoke() {
    let (instance, team, bo, cy, key) = shared_instance();
    instance.share(&bo, &key.id, &team, "write");
    let rename = Ask::patch(&path(&key.id), &json!({"name": "ours", "description": "All of us."}));
    assert_eq!(instance.ask_as(&cy, &rename).expect(200)["name"], "ours");
    let disable = Ask::post(&format!("{}/disable", path(&key.id)), &json!({}));
    assert_eq!(instance.ask_as(&cy, &disable).expect(200)["status"], "disabled");
    assert_eq!(instance.verify(&key.secret)["code"], "DISABLED");
    let enable = Ask::post(&format!("{}/enable", path(&key.id)), &json!({}));
    instance.ask_as(&cy, &enable).problem(403, "permission_required");
    // The owner can undo changes of a team member, but not changes of an administrator.
    assert_eq!(instance.ask_as(&bo, &enable).expect(200)["status"], "active");
    instance.ask(&disable).expect(200);
    instance.ask_as(&cy, &disable).expect(200);
    instance.ask_as(&bo, &enable).problem(403, "permission_required");
    let reason = Ask::post(&format!("{}/revoke", path(&key.id)), &json!({"reason": "lost"}));
    assert_eq!(instance.ask_as(&cy, &reason).expect(200)["revoked_reason"], "lost");
    assert_eq!(instance.verify(&key.secret)["code"], "REVOKED");
}

#[test]
fn a_team_member_with_write_access_gets_no_secret_and_no_other_change() {
    let (instance, team, bo, cy, key) = shared_instance();
    instance.share(&bo, &key.id, &team, "write");
    let before = instance.ask_as(&bo, &Ask::get(&path(&key.id))).expect(200);
    let patches = [
        json!({"permissions": ["diagrams:*"]}),
        json!({"permissions": []}),
        json!({"permissions": null}),
        json!({"preset": "read"}),
        json!({"ip_rules": {"allow": ["10.0.0.0/8"]}}),
        json!({"ip_rules": null}),
        json!({"rate_limits": [{"name": "a", "limit": 1, "window_seconds": 1}]}),
        json!({"metadata": {"a": "b"}}),
        json!({"not_before": "2020-01-01T00:00:00Z"}),
        json!({"expires_at": "2999-01-01T00:00:00Z"}),
        json!({"expires_at": null}),
        json!({"name": "ours", "permissions": ["diagrams:read"]}),
    ];
    let patches = patches.iter().map(|change| Ask::patch(&path(&key.id), change));
    let posts = [
        Ask::post(&format!("{}/enable", path(&key.id)), &json!({})),
        sharing(&key.id, &team, "read"),
        sharing(&key.id, &team, "write"),
        unsharing(&key.id, &team),
    ];
    for ask in patches.chain(posts) {
        let answer = instance.ask_as(&cy, &ask);
        answer.problem(403, "permission_required");
        assert!(!answer.body.contains("kh_live_"), "{}", answer.body);
    }
    let rotate = instance.ask_as(&cy, &Ask::post(&format!("{}/rotate", path(&key.id)), &json!({})));
    rotate.problem(403, "permission_required");
    assert!(!rotate.body.contains("secret"), "{}", rotate.body);
    assert_eq!(instance.ask_as(&bo, &Ask::get(&path(&key.id))).expect(200), before);
    assert_eq!(instance.verify(&key.secret)["code"], "VALID");
}

#[test]
fn a_team_member_with_read_access_sees_key_and_usage_only() {
    let (instance, team, bo, cy, key) = shared_instance();
    instance.share(&bo, &key.id, &team, "read");
    assert_eq!(instance.bare(&Ask::forward_auth(&key.secret)).status, 200);
    let seen = instance.ask_as(&cy, &Ask::get(&path(&key.id))).expect(200);
    assert_eq!(seen["last_used"]["ip"], "192.0.2.7", "{seen}");
    for ask in [
        Ask::patch(&path(&key.id), &json!({"name": "ours"})),
        Ask::new("DELETE", &path(&key.id)),
        Ask::post(&format!("{}/revoke", path(&key.id)), &json!({})),
        Ask::post(&format!("{}/disable", path(&key.id)), &json!({})),
        Ask::post(&format!("{}/enable", path(&key.id)), &json!({})),
        sharing(&key.id, &team, "write"),
        unsharing(&key.id, &team),
    ] {
        instance.ask_as(&cy, &ask).problem(403, "permission_required");
    }
    // A key of a team member gives access only within its permissions, and to other keys only if
    // its permissions include access to keys.
    let plain = instance.create_as(&cy, &json!({}));
    let get = Ask::get(&path(&key.id));
    instance.bare(&get.clone().bearer(&plain.secret)).problem(403, "permission_required");
    instance.share(&bo, &key.id, &team, "write");
    let rename = Ask::patch(&path(&key.id), &json!({"name": "ours"})).bearer(&plain.secret);
    instance.bare(&rename).problem(403, "permission_required");
    let creator = instance.create_as(&cy, &json!({"permissions": ["keyhouse:keys:create"]}));
    instance.bare(&get.bearer(&creator.secret)).expect(200);
}

#[test]
fn sharing_with_a_foreign_team_is_rejected() {
    let instance = TestServer::start();
    let team = instance.team("Blue", "visible", &[]);
    let [bo, cy] = ["bo", "cy"].map(|name| instance.join(name, "user"));
    instance.put_in(&team, &cy);
    let key = instance.create_as(&bo, &json!({}));
    instance.ask_as(&bo, &sharing(&key.id, &team, "read")).problem(403, "permission_required");
    let create =
        |team: &str| Ask::post("/v1/keys", &json!({"teams": [{"id": team, "access": "read"}]}));
    instance.ask_as(&bo, &create(&team)).problem(403, "permission_required");
    for unknown in [NO_TEAM, "team_1", "blue"] {
        instance.ask_as(&bo, &sharing(&key.id, unknown, "read")).problem(404, "not_found");
        let problem = instance.ask_as(&bo, &create(unknown)).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["code"], "unknown_team", "{problem}");
    }
    // The user must own the key: membership in the team is not enough.
    instance.ask_as(&cy, &sharing(&key.id, &team, "write")).problem(403, "permission_required");
    // A team manager can share with any team and a key manager can share any key, if they hold
    // everything that the key grants.
    instance.share(&instance.owner(), &key.id, &team, "read");
    let manager = ["keyhouse:keys:manage", "keyhouse:teams:manage", "diagrams:*"];
    let manager = instance.join("manager", &instance.role("Manager", &manager));
    let narrow = instance.create_as(&bo, &json!({"permissions": ["diagrams:read"]}));
    instance.share(&manager, &narrow.id, &team, "read");
    instance
        .ask_as(&manager, &sharing(&key.id, &team, "write"))
        .problem(403, "permission_required");
    assert_eq!(instance.ask_as(&manager, &unsharing(&key.id, &team)).status, 204);
    for body in [json!({}), json!({"access": "admin"}), json!({"access": null})] {
        let ask = Ask::new("PUT", &format!("/v1/keys/{}/teams/{team}", key.id)).json(&body);
        let problem = instance.ask(&ask).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], "/access", "{problem}");
    }
    let twice = json!({"teams": [{"id": team, "access": "read"}, {"id": team, "access": "write"}]});
    let problem = instance.ask(&Ask::post("/v1/keys", &twice)).problem(400, "invalid_input");
    assert_eq!(problem["errors"][0]["code"], "doubled", "{problem}");
}

#[test]
fn a_key_shared_only_with_a_secret_team_is_hidden_from_others() {
    let (instance, team, bo, cy, key) = shared_instance();
    let outside = instance.join("outside", "user");
    let seer = instance.join("seer", &instance.role("Seer", &["keyhouse:teams:read"]));
    let reader = instance.join("reader", &instance.role("Reader", &["keyhouse:keys:read"]));
    instance.share(&bo, &key.id, &team, "write");
    assert!(instance.listed(&outside, &key.id).is_some());
    instance.show_team(&team, "secret");
    for person in [&outside, &seer] {
        assert_eq!(instance.listed(person, &key.id), None);
        for ask in [
            Ask::get(&path(&key.id)),
            Ask::patch(&path(&key.id), &json!({"name": "mine"})),
            Ask::new("DELETE", &path(&key.id)),
            Ask::post(&format!("{}/revoke", path(&key.id)), &json!({})),
            Ask::post(&format!("{}/disable", path(&key.id)), &json!({})),
            Ask::post(&format!("{}/enable", path(&key.id)), &json!({})),
            sharing(&key.id, &team, "read"),
            unsharing(&key.id, &team),
        ] {
            instance.ask_as(person, &ask).problem(404, "not_found");
        }
    }
    for person in [&bo, &cy, &reader, &instance.owner()] {
        assert_eq!(instance.listed(person, &key.id).unwrap()["name"], "deploy");
    }
    // Permission to read every key does not reveal the team.
    assert_eq!(instance.listed(&reader, &key.id).unwrap()["teams"], json!([]));
    assert_eq!(instance.listed(&cy, &key.id).unwrap()["teams"][0]["visibility"], "secret");
    // An owner who left the team sees the key without the team, and can still unshare it.
    instance.take_out(&team, &bo);
    assert_eq!(instance.listed(&bo, &key.id).unwrap()["teams"], json!([]));
    assert_eq!(instance.verify(&key.secret)["teams"], json!([]));
    assert_eq!(instance.ask_as(&bo, &unsharing(&key.id, &team)).status, 204);
    instance.ask_as(&bo, &unsharing(&key.id, &team)).problem(404, "not_found");
    instance.ask_as(&cy, &Ask::get(&path(&key.id))).problem(403, "permission_required");
}

#[test]
fn a_removed_team_gives_no_access() {
    let (instance, team, bo, cy, key) = shared_instance();
    instance.share(&bo, &key.id, &team, "write");
    assert_eq!(instance.ask(&Ask::new("DELETE", &format!("/v1/teams/{team}"))).status, 204);
    assert_eq!(instance.listed(&bo, &key.id).unwrap()["teams"], json!([]));
    instance.ask_as(&cy, &Ask::get(&path(&key.id))).problem(403, "permission_required");
    let rename = Ask::patch(&path(&key.id), &json!({"name": "ours"}));
    instance.ask_as(&cy, &rename).problem(403, "permission_required");
    assert_eq!(instance.verify(&key.secret)["teams"], json!([]));
    // The remaining share does not count, and the next change removes it.
    let green = instance.team("Green", "visible", &[]);
    instance.put_in(&green, &bo);
    assert_eq!(instance.share(&bo, &key.id, &green, "read")["teams"][0]["name"], "Green");
}

#[test]
fn searches_and_filters_match_only_fully_visible_keys() {
    let (instance, team, bo, cy, key) = shared_instance();
    let other = instance.create_as(&cy, &json!({"name": "deploy too"}));
    let service =
        instance.create(&json!({"kind": "service", "name": "deploy all", "permissions": []}));
    let find = |person: &Person, query: &str| -> Vec<String> {
        let page = instance.ask_as(person, &Ask::get(&format!("/v1/keys?{query}"))).expect(200);
        let mut found: Vec<_> = ids(&page).into_iter().map(str::to_owned).collect();
        found.sort();
        found
    };
    let sorted = |keys: &[&Made]| {
        let mut sorted: Vec<_> = keys.iter().map(|key| key.id.clone()).collect();
        sorted.sort();
        sorted
    };
    let (by_bo, by_cy) = (format!("owner={}", bo.id), format!("owner={}", cy.id));
    let by_team = format!("team={team}");
    let owner = instance.owner();
    assert_eq!(find(&cy, "search=deploy"), sorted(&[&other]));
    assert_eq!(find(&cy, &by_bo), sorted(&[]));
    instance.share(&bo, &key.id, &team, "read");
    for (person, query, found) in [
        (&cy, "search=deploy", sorted(&[&key, &other])),
        (&cy, "owner=me", sorted(&[&other])),
        (&cy, by_cy.as_str(), sorted(&[&other])),
        (&cy, by_bo.as_str(), sorted(&[&key])),
        (&cy, by_team.as_str(), sorted(&[&key])),
        (&bo, by_cy.as_str(), sorted(&[])),
        (&bo, "owner=me&search=too", sorted(&[])),
        (&owner, by_team.as_str(), sorted(&[&key])),
        (&owner, "owner=me", sorted(&[])),
        (&owner, "search=deploy", sorted(&[&key, &other, &service])),
        (&owner, "search=deploy&kind=service", sorted(&[&service])),
    ] {
        assert_eq!(find(person, query), found, "{} {query}", person.email);
    }
    // A user outside a secret team sees no key as shared with the team, not even the user's own
    // keys.
    instance.show_team(&team, "secret");
    assert_eq!(find(&bo, &by_team), sorted(&[&key]));
    instance.take_out(&team, &bo);
    assert_eq!(find(&bo, &by_team), sorted(&[]));
    assert_eq!(find(&bo, &format!("team={NO_TEAM}")), sorted(&[]));
    for wrong in ["owner=bo", "team=blue", "owner="] {
        let ask = Ask::get(&format!("/v1/keys?{wrong}"));
        instance.ask_as(&bo, &ask).problem(400, "invalid_input");
    }
}

#[test]
fn keys_of_all_teams_of_the_caller_are_one_list() {
    let (instance, blue, bo, cy, both) = shared_instance();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let green = instance.team("Green", "secret", &[&bo, &cy]);
    let red = instance.team("Red", "visible", &[&bo]);
    let make = |name: &str| instance.create_as(&bo, &json!({"name": name}));
    let (hers, theirs) = (make("Alpha"), make("Beta"));
    instance.create_as(&cy, &json!({"name": "deploy of cy alone"}));
    for (key, team) in [(&both, &blue), (&both, &green), (&hers, &green), (&theirs, &red)] {
        instance.share(&bo, &key.id, team, "read");
    }
    let names = |person: &Person, query: &str| {
        let path = format!("/v1/keys?team=mine&{query}");
        let page = instance.ask_as(person, &Ask::get(&path)).expect(200);
        let items = page["items"].as_array().unwrap().clone();
        let names = items.iter().map(|key| key["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), page["total"].as_u64().unwrap())
    };
    let of = |names: &[&str], total| (names.iter().map(|it| (*it).to_owned()).collect(), total);
    for (person, query, expected) in [
        (&cy, "", of(&["Alpha", "deploy"], 2)),
        (&cy, "sort=-name", of(&["deploy", "Alpha"], 2)),
        (&cy, "sort=name&limit=1", of(&["Alpha"], 2)),
        (&cy, "search=DEPLOY", of(&["deploy"], 1)),
        (&cy, "owner=me", of(&[], 0)),
        (&bo, "sort=name", of(&["Alpha", "Beta", "deploy"], 3)),
        (&instance.owner(), "", of(&[], 0)),
    ] {
        assert_eq!(names(person, query), expected, "{} {query}", person.email);
    }
    instance.take_out(&green, &cy);
    assert_eq!(names(&cy, ""), of(&["deploy"], 1));
    // A service key belongs to the organization, which is in no team.
    let reader =
        instance.create(&json!({"kind": "service", "permissions": ["keyhouse:keys:read"]}));
    let listed = instance.bare(&Ask::get("/v1/keys?team=mine").bearer(&reader.secret)).expect(200);
    assert_eq!((&listed["items"], &listed["total"]), (&json!([]), &json!(0)));
}

#[test]
fn services_and_upstreams_get_the_teams_of_a_key() {
    let (instance, team, bo, _cy, key) = shared_instance();
    let header = |key: &Made| {
        let answer = instance.bare(&Ask::forward_auth(&key.secret));
        answer.header("x-keyhouse-teams").unwrap().to_owned()
    };
    assert_eq!(header(&key), "-");
    instance.share(&bo, &key.id, &team, "read");
    assert_eq!(header(&key), team);
    let reported = json!([{"id": team, "name": "Blue"}]);
    assert_eq!(instance.verify(&key.secret)["teams"], reported);
    let whoami = instance.bare(&Ask::get("/v1/whoami").bearer(&key.secret)).expect(200);
    assert_eq!(whoami["teams"], reported);
    let service = json!({
        "kind": "service", "permissions": ["a:b"], "teams": [{"id": team, "access": "read"}],
    });
    let service = instance.create(&service);
    assert_eq!(header(&service), team);
    // An owner who is no longer in the team does not count as its member.
    instance.take_out(&team, &bo);
    assert_eq!(header(&key), "-");
    assert_eq!(header(&service), team);
    assert_eq!(instance.verify(&key.secret)["teams"], reported);
    instance.show_team(&team, "secret");
    assert_eq!(instance.verify(&key.secret)["teams"], json!([]));
    let whoami = instance.bare(&Ask::get("/v1/whoami").bearer(&key.secret)).expect(200);
    assert_eq!(whoami["teams"], json!([]));
}

#[test]
fn the_most_visible_team_decides_the_visibility_of_a_shared_key() {
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let [bo, cy, di] = ["bo", "cy", "di"].map(|name| instance.join(name, "user"));
    let black = instance.team("Black", "secret", &[&bo]);
    let grey = instance.team("Grey", "secret", &[&bo, &cy]);
    let blue = instance.team("Blue", "visible", &[&bo]);
    let key = instance.create_as(&bo, &json!({"name": "deploy"}));
    instance.share(&bo, &key.id, &black, "read");
    for person in [&cy, &di] {
        assert_eq!(instance.listed(person, &key.id), None);
    }
    instance.share(&bo, &key.id, &grey, "write");
    let seen = instance.listed(&cy, &key.id).unwrap();
    assert_eq!(ids(&json!({"items": seen["teams"]})), [grey.as_str()], "{seen}");
    assert_eq!(instance.listed(&di, &key.id), None);
    instance.share(&bo, &key.id, &blue, "read");
    let hidden = instance.listed(&di, &key.id).unwrap();
    assert_eq!(hidden.as_object().unwrap().len(), 4, "{hidden}");
    instance.ask_as(&di, &Ask::get(&path(&key.id))).problem(403, "permission_required");
    // If several shares apply, the strongest share counts.
    instance.put_in(&blue, &cy);
    let rename = Ask::patch(&path(&key.id), &json!({"name": "ours"}));
    instance.ask_as(&cy, &rename).expect(200);
    instance.take_out(&grey, &cy);
    instance.ask_as(&cy, &rename).problem(403, "permission_required");
    instance.ask_as(&cy, &Ask::get(&path(&key.id))).expect(200);
    let answer = instance.bare(&Ask::forward_auth(&key.secret));
    let reported = answer.header("x-keyhouse-teams").unwrap();
    assert_eq!(reported.split(',').collect::<Vec<_>>(), [&black, &grey, &blue]);
}

#[test]
fn sharing_with_more_than_the_maximum_of_teams_is_rejected() {
    const TEAMS_A_KEY_MAX: usize = 16;
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let teams: Vec<_> = (0..=TEAMS_A_KEY_MAX)
        .map(|at| instance.team(&format!("Team {at}"), "visible", &[]))
        .collect();
    let key = instance.create(&json!({}));
    let owner = instance.owner();
    let (last, others) = teams.split_last().unwrap();
    for team in others {
        instance.share(&owner, &key.id, team, "read");
    }
    instance.ask(&sharing(&key.id, last, "read")).problem(409, "too_many_teams");
    instance.share(&owner, &key.id, &others[0], "write");
    let all: Vec<_> = teams.iter().map(|id| json!({"id": id, "access": "read"})).collect();
    let body = json!({"teams": all});
    let problem = instance.ask(&Ask::post("/v1/keys", &body)).problem(400, "invalid_input");
    assert_eq!(problem["errors"][0]["code"], "too_many", "{problem}");
    assert_eq!(instance.ask(&Ask::new("DELETE", &format!("/v1/teams/{}", others[0]))).status, 204);
    instance.share(&owner, &key.id, last, "read");
}
