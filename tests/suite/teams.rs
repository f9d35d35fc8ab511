//! `/v1/teams`: creation, membership and visibility of teams.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::Person;
use crate::shape::assert_shape;
use crate::test_server::TestServer;

/// An id that no team has.
pub(crate) const NO_TEAM: &str = "team_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";

impl TestServer {
    /// Creates a visible or secret team, as the owner.
    pub(crate) fn show_team(&self, team: &str, visibility: &str) {
        let change = json!({"visibility": visibility});
        self.ask(&Ask::patch(&path(team), &change)).expect(200);
    }

    /// Adds a user to a team, as the owner.
    pub(crate) fn put_in(&self, team: &str, person: &Person) {
        let answer = self.ask(&Ask::new("PUT", &member(team, &person.id)));
        assert_eq!(answer.status, 204, "{}", answer.body);
    }

    /// Removes a user from a team, as the owner.
    pub(crate) fn take_out(&self, team: &str, person: &Person) {
        let answer = self.ask(&Ask::new("DELETE", &member(team, &person.id)));
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
}

fn path(team: &str) -> String {
    format!("/v1/teams/{team}")
}

fn members(team: &str) -> String {
    format!("/v1/teams/{team}/members")
}

fn member(team: &str, user: &str) -> String {
    format!("/v1/teams/{team}/members/{user}")
}

/// Returns the ids on a page.
pub(crate) fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[test]
fn a_team_can_be_created_read_changed_and_removed() {
    let instance = TestServer::start();
    let body = json!({"name": "Blue", "visibility": "visible", "description": "The blue ones."});
    let answer = instance.ask(&Ask::post("/v1/teams", &body));
    let team = answer.expect(201);
    let id = team["id"].as_str().unwrap();
    assert_shape!("team", &team);
    assert_eq!(answer.header("location"), Some(path(id).as_str()));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(instance.ask(&Ask::get(&path(id))).expect(200), team);
    assert_eq!(instance.ask(&Ask::get("/v1/teams")).expect(200)["items"], json!([team]));

    let change = json!({"visibility": "secret", "name": "Navy"});
    let stale = Ask::patch(&path(id), &change).header("If-Match", "\"9\"");
    instance.ask(&stale).problem(412, "version_conflict");
    let after = instance.ask(&Ask::patch(&path(id), &change)).expect(200);
    assert_eq!((&after["visibility"], &after["name"]), (&json!("secret"), &json!("Navy")));
    assert_eq!((&after["description"], &after["version"]), (&team["description"], &json!(2)));

    let stale = Ask::new("DELETE", &path(id)).header("If-Match", "\"1\"");
    instance.ask(&stale).problem(412, "version_conflict");
    let gone = instance.ask(&Ask::new("DELETE", &path(id)));
    assert!(gone.status == 204 && gone.body.is_empty(), "{gone:?}");
    for ask in [
        Ask::get(&path(id)),
        Ask::get(&members(id)),
        Ask::patch(&path(id), &change),
        Ask::new("DELETE", &path(id)),
        Ask::new("PUT", &member(id, &instance.owner().id)),
        Ask::get(&path("team_1")),
    ] {
        instance.ask(&ask).problem(404, "not_found");
    }
    let body = json!({"name": "Red", "visibility": "hidden"});
    let problem = instance.ask(&Ask::post("/v1/teams", &body)).problem(400, "invalid_input");
    assert_eq!(problem["errors"][0]["pointer"], "/visibility", "{problem}");
    let plain = instance.ask(&Ask::post("/v1/teams", &json!({"name": "Red"}))).expect(201);
    assert_eq!(plain["visibility"], "visible", "a team is hidden only on request");
}

#[test]
fn the_plan_limits_teams_and_a_removed_one_frees_its_place() {
    let instance = TestServer::start();
    let blue = instance.team("Blue", "visible", &[]);
    let body = json!({"name": "Red", "visibility": "visible"});
    let problem =
        instance.ask(&Ask::post("/v1/teams", &body)).problem(403, "subscription_required");
    let said = (&problem["plan"], &problem["feature"]);
    assert_eq!(said, (&json!("pro"), &json!("multiple_teams")), "{problem}");
    assert_eq!(instance.ask(&Ask::new("DELETE", &path(&blue))).status, 204);
    instance.ask(&Ask::post("/v1/teams", &body)).expect(201);
}

#[test]
fn members_can_be_added_and_removed() {
    let instance = TestServer::start();
    let team = instance.team("Blue", "visible", &[]);
    let [bo, cy] = ["bo", "cy"].map(|name| instance.join(name, "user"));
    assert_eq!(instance.ask(&Ask::get(&members(&team))).expect(200)["items"], json!([]));
    instance.put_in(&team, &bo);
    instance.put_in(&team, &bo);
    instance.put_in(&team, &cy);
    let listed = instance.ask(&Ask::get(&members(&team))).expect(200);
    assert_eq!(ids(&listed), [bo.id.as_str(), cy.id.as_str()]);
    assert_eq!(listed["items"][0]["email"], bo.email);
    let page = instance.ask(&Ask::get(&format!("{}?limit=1", members(&team)))).expect(200);
    let next = page["next_cursor"].as_str().unwrap();
    let second = Ask::get(&format!("{}?limit=1&cursor={next}", members(&team)));
    let second = instance.ask(&second).expect(200);
    assert_eq!((ids(&second), &second["next_cursor"]), (vec![cy.id.as_str()], &Value::Null));
    assert_eq!(instance.ask_as(&bo, &Ask::get(&path(&team))).expect(200)["is_member"], true);

    instance.take_out(&team, &bo);
    instance.take_out(&team, &bo);
    assert_eq!(ids(&instance.ask(&Ask::get(&members(&team))).expect(200)), [cy.id.as_str()]);
    let stranger = "usr_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
    for user in [stranger, "usr_1", &team] {
        instance.ask(&Ask::new("PUT", &member(&team, user))).problem(404, "not_found");
        instance.ask(&Ask::new("DELETE", &member(&team, user))).problem(404, "not_found");
    }
}

#[test]
fn only_team_managers_create_teams_and_add_members() {
    let instance = TestServer::start();
    let team = instance.team("Blue", "visible", &[]);
    let seer = instance.role("Seer", &["keyhouse:teams:read"]);
    let seer = instance.join("seer", &seer);
    let keeper = instance.role("Keeper", &["keyhouse:teams:manage"]);
    let keeper = instance.join("keeper", &keeper);
    let bo = instance.join("bo", "user");
    instance.put_in(&team, &bo);
    let changes = [
        Ask::post("/v1/teams", &json!({"name": "Red", "visibility": "visible"})),
        Ask::patch(&path(&team), &json!({"name": "Red"})),
        Ask::new("DELETE", &path(&team)),
        Ask::new("PUT", &member(&team, &seer.id)),
        Ask::new("DELETE", &member(&team, &bo.id)),
    ];
    // Membership in a team does not include the right to manage the team.
    for person in [&bo, &seer] {
        for ask in &changes {
            instance.ask_as(person, ask).problem(403, "permission_required");
        }
    }
    let key = instance.create(&json!({"permissions": ["*", "keyhouse:keys:*"]}));
    for ask in changes.iter().chain(&[Ask::get("/v1/teams"), Ask::get(&path(&team))]) {
        instance.bare(&ask.clone().bearer(&key.secret)).problem(403, "permission_required");
    }
    assert_eq!(instance.ask_as(&keeper, &changes[3]).status, 204);
    instance.ask_as(&keeper, &changes[1]).expect(200);
    assert_eq!(instance.ask_as(&keeper, &changes[4]).status, 204);
    assert_eq!(instance.ask_as(&keeper, &changes[2]).status, 204);
}

#[test]
fn a_visible_team_is_listed_for_all_and_its_members_for_members() {
    let instance = TestServer::start();
    let team = instance.team("Blue", "visible", &[]);
    let [bo, cy] = ["bo", "cy"].map(|name| instance.join(name, "guest"));
    instance.put_in(&team, &bo);
    for person in [&bo, &cy] {
        assert_eq!(
            ids(&instance.ask_as(person, &Ask::get("/v1/teams")).expect(200)),
            [team.as_str()]
        );
        instance.ask_as(person, &Ask::get(&path(&team))).expect(200);
    }
    instance.ask_as(&bo, &Ask::get(&members(&team))).expect(200);
    instance.ask_as(&cy, &Ask::get(&members(&team))).problem(403, "permission_required");
}

#[test]
fn a_secret_team_is_hidden_from_non_members() {
    let instance = TestServer::start();
    let team = instance.team("Black", "secret", &[]);
    let seer = instance.role("Seer", &["keyhouse:teams:read"]);
    let seer = instance.join("seer", &seer);
    let roles = ["*", "keyhouse:keys:*", "keyhouse:users:*", "keyhouse:roles:*"];
    let strong = instance.join("strong", &instance.role("Strong", &roles));
    let [inside, outside] = ["inside", "outside"].map(|name| instance.join(name, "user"));
    instance.put_in(&team, &inside);
    let own = instance.create_as(&outside, &json!({}));
    let strong_own = instance.create_as(&strong, &json!({}));

    for (person, key) in [(&outside, &own), (&strong, &strong_own)] {
        // The responses about an existing secret team and about a missing team are equal.
        let answers = |team: &str| -> Vec<String> {
            let share = format!("/v1/keys/{}/teams/{team}", key.id);
            let invited = json!({"email": "x@example.com", "role": "guest", "teams": [team]});
            let shared = json!({"teams": [{"id": team, "access": "read"}]});
            [
                Ask::get("/v1/teams"),
                Ask::get(&path(team)),
                Ask::get(&members(team)),
                Ask::patch(&path(team), &json!({"name": "Mine"})),
                Ask::new("DELETE", &path(team)),
                Ask::new("PUT", &member(team, &person.id)),
                Ask::new("DELETE", &member(team, &inside.id)),
                Ask::new("PUT", &share).json(&json!({"access": "read"})),
                Ask::new("DELETE", &share),
                Ask::post("/v1/keys", &shared),
                Ask::post("/v1/invitations", &invited),
                Ask::get(&format!("/v1/keys?team={team}")),
            ]
            .iter()
            .map(|ask| {
                let answer = instance.ask_as(person, ask);
                let mut body = answer.json();
                body["request_id"] = Value::Null;
                format!(
                    "{} {}: {} {body}",
                    ask.method,
                    ask.target.replace(team, "T"),
                    answer.status
                )
            })
            .collect()
        };
        assert_eq!(answers(&team), answers(NO_TEAM));
        assert_eq!(instance.ask_as(person, &Ask::get("/v1/teams")).expect(200)["items"], json!([]));
        instance.ask_as(person, &Ask::get(&path(&team))).problem(404, "not_found");
        assert!(!instance.ask_as(person, &Ask::get(&path(&team))).body.contains("Black"));
    }
    for person in [&inside, &seer, &instance.owner()] {
        assert_eq!(
            ids(&instance.ask_as(person, &Ask::get("/v1/teams")).expect(200)),
            [team.as_str()]
        );
        instance.ask_as(person, &Ask::get(&path(&team))).expect(200);
        let listed = instance.ask_as(person, &Ask::get(&members(&team))).expect(200);
        assert_eq!(ids(&listed), [inside.id.as_str()]);
    }
    instance.take_out(&team, &inside);
    instance.ask_as(&inside, &Ask::get(&path(&team))).problem(404, "not_found");
}

#[test]
fn teams_survive_a_restart() {
    let mut instance = TestServer::start();
    let team = instance.team("Blue", "secret", &[]);
    let bo = instance.join("bo", "user");
    instance.put_in(&team, &bo);
    instance.restart();
    assert_eq!(ids(&instance.ask(&Ask::get(&members(&team))).expect(200)), [bo.id.as_str()]);
    instance.ask_as(&bo, &Ask::get(&path(&team))).expect(200);
}

#[test]
fn a_downgrade_keeps_teams_and_shares() {
    let instance = TestServer::start();
    let organization = instance.organization();
    instance.put_on_plan(&organization, "enterprise");
    let blue = instance.team("Blue", "visible", &[]);
    let green = instance.team("Green", "secret", &[]);
    let body = json!({"name": "BLUE", "visibility": "visible"});
    instance.ask(&Ask::post("/v1/teams", &body)).problem(409, "name_taken");
    let rename = Ask::patch(&path(&green), &json!({"name": "blue"}));
    instance.ask(&rename).problem(409, "name_taken");
    let bo = instance.join("bo", "user");
    instance.put_in(&green, &bo);
    let key = instance.create(&json!({"teams": [{"id": green, "access": "read"}]}));
    let red = json!({"name": "Red", "visibility": "visible"});
    for (plan, feature) in [("pro", "multiple_teams"), ("free", "teams")] {
        instance.put_on_plan(&organization, plan);
        let problem =
            instance.ask(&Ask::post("/v1/teams", &red)).problem(403, "subscription_required");
        let said = (&problem["plan"], &problem["feature"]);
        assert_eq!(said, (&json!(plan), &json!(feature)), "{problem}");
        let listed = instance.ask(&Ask::get("/v1/teams")).expect(200);
        assert_eq!(ids(&listed), [blue.as_str(), green.as_str()]);
        instance.ask(&Ask::patch(&path(&blue), &json!({"description": plan}))).expect(200);
        let seen = instance.ask_as(&bo, &Ask::get(&format!("/v1/keys/{}", key.id))).expect(200);
        assert_eq!(seen["teams"][0]["name"], "Green");
    }
    instance.put_on_plan(&organization, "enterprise");
    instance.ask(&Ask::post("/v1/teams", &red)).expect(201);
}

#[test]
fn teams_and_roles_of_another_organization_are_hidden() {
    let instance = TestServer::start();
    let team = instance.team("Blue", "visible", &[]);
    let role = instance.role("Drawer", &["diagrams:*"]);
    let (_, stranger) = instance.neighbour("acme");
    let theirs = instance.join_by(&stranger, "they", "user");
    for ask in [
        Ask::get(&path(&team)),
        Ask::get(&members(&team)),
        Ask::patch(&path(&team), &json!({"name": "Ours"})),
        Ask::new("DELETE", &path(&team)),
        Ask::new("PUT", &member(&team, &stranger.id)),
        Ask::get(&format!("/v1/roles/{role}")),
        Ask::patch(&format!("/v1/roles/{role}"), &json!({"name": "Ours"})),
        Ask::new("DELETE", &format!("/v1/roles/{role}")),
    ] {
        instance.ask_as(&stranger, &ask).problem(404, "not_found");
    }
    // Team names are unique within an organization only, and users cannot join a team of another
    // organization.
    let body = json!({"name": "Blue", "visibility": "visible"});
    instance.ask_as(&stranger, &Ask::post("/v1/teams", &body)).expect(201);
    let body = json!({"name": "Drawer", "permissions": []});
    instance.ask_as(&stranger, &Ask::post("/v1/roles", &body)).expect(201);
    instance.ask(&Ask::new("PUT", &member(&team, &theirs.id))).problem(404, "not_found");
}
