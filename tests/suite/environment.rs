//! Creates the environment of a test: teams, roles, other organizations, other plans.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{Person, acceptance, token_in};
use crate::server::wire::Answer;
use crate::test_server::{Made, TestServer, made};

impl Person {
    /// Sends a request as this person.
    #[expect(clippy::needless_pass_by_value, reason = "a question is asked once")]
    pub(crate) fn ask(&self, instance: &TestServer, ask: Ask) -> Answer {
        instance.ask_as(self, &ask)
    }

    /// Creates a key, which must succeed.
    pub(crate) fn make(&self, instance: &TestServer, body: &Value) -> Made {
        made(&self.ask(instance, Ask::post("/v1/keys", body)).expect(201))
    }
}

impl TestServer {
    /// Creates a second organization with its owner. The owner of the instance creates it as
    /// operator.
    pub(crate) fn neighbour(&self, name: &str) -> (String, Person) {
        let email = format!("owner@{name}.example");
        let body = json!({"name": name, "plan": "enterprise", "owner_email": email});
        let invited = self.ask(&Ask::post("/v1/organizations", &body)).expect(201);
        let organization = invited["organization"]["id"].as_str().unwrap().to_owned();
        let answer = self.bare(&acceptance(&token_in(&invited)));
        let session = answer.expect(201);
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let id = session["user"]["id"].as_str().unwrap().to_owned();
        (organization, Person { id, email, cookie })
    }

    /// Changes a user as the owner.
    pub(crate) fn change_user(&self, person: &Person, change: &Value) -> Value {
        self.ask(&Ask::patch(&format!("/v1/users/{}", person.id), change)).expect(200)
    }

    /// Moves the organization with this id to a plan.
    pub(crate) fn put_on_plan(&self, organization: &str, plan: &str) {
        let path = format!("/v1/organizations/{organization}/subscription");
        self.ask(&Ask::patch(&path, &json!({"plan": plan}))).expect(200);
    }

    /// Returns the id of the owner's organization.
    pub(crate) fn organization(&self) -> String {
        let me = self.ask(&Ask::get("/v1/session")).expect(200);
        me["organization"]["id"].as_str().unwrap().to_owned()
    }

    /// Creates a team as the owner, with these members.
    pub(crate) fn team(&self, name: &str, visibility: &str, members: &[&Person]) -> String {
        let body = json!({"name": name, "visibility": visibility});
        let team = self.ask(&Ask::post("/v1/teams", &body)).expect(201);
        let id = team["id"].as_str().unwrap().to_owned();
        for member in members {
            let path = format!("/v1/teams/{id}/members/{}", member.id);
            self.ask(&Ask::new("PUT", &path)).expect(204);
        }
        id
    }

    /// Creates a custom role as the owner.
    pub(crate) fn role(&self, name: &str, permissions: &[&str]) -> String {
        let body = json!({"name": name, "permissions": permissions});
        let role = self.ask(&Ask::post("/v1/roles", &body)).expect(201);
        role["id"].as_str().unwrap().to_owned()
    }
}
