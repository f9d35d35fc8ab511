//! The people of a test: invited, signed in, each with a role.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::house::{House, Made, made};
use crate::server::wire::Answer;

/// The password of everybody who was invited.
pub(crate) const THEIR_PASSWORD: &str = "a garden of forking paths";

/// Somebody signed in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) cookie: String,
}

impl Person {
    /// Asks as this person.
    pub(crate) fn ask(&self, house: &House, ask: Ask) -> Answer {
        house.bare(&ask.header("Cookie", &self.cookie))
    }

    /// Makes a key, which must work.
    pub(crate) fn make(&self, house: &House, body: &Value) -> Made {
        made(&self.ask(house, Ask::post("/v1/keys", body)).expect(201))
    }
}

impl House {
    /// The owner who made the instance, who is operator.
    pub(crate) fn founder(&self) -> Person {
        let me = self.ask(&Ask::get("/v1/session")).expect(200);
        let text = |pointer: &str| me.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        Person {
            id: text("/user/id"),
            email: text("/user/email"),
            cookie: self.cookie().to_owned(),
        }
    }

    /// Invites somebody as the founder, and accepts for them.
    pub(crate) fn join(&self, name: &str, role: &str) -> Person {
        self.join_by(&self.founder(), name, role)
    }

    /// The same with another host.
    pub(crate) fn join_by(&self, host: &Person, name: &str, role: &str) -> Person {
        let email = format!("{name}@example.com");
        let invitation = json!({"email": email, "role": role});
        let invited = host.ask(self, Ask::post("/v1/invitations", &invitation)).expect(201);
        self.accept(&invited, &email)
    }

    /// A second organization with its owner, made by the founder as operator.
    pub(crate) fn neighbour(&self, name: &str) -> (String, Person) {
        let email = format!("owner@{name}.example");
        let body = json!({"name": name, "plan": "enterprise", "owner_email": email});
        let answer = self.ask(&Ask::post("/v1/organizations", &body)).expect(201);
        let organization = answer.pointer("/organization/id").unwrap().as_str().unwrap().to_owned();
        (organization, self.accept(&answer, &email))
    }

    /// Accepts the invitation in an answer.
    pub(crate) fn accept(&self, invited: &Value, email: &str) -> Person {
        let answer = self.bare(&Self::acceptance(invited));
        let session = answer.expect(201);
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let id = session.pointer("/user/id").unwrap().as_str().unwrap().to_owned();
        Person { id, email: email.to_owned(), cookie }
    }

    /// The request that accepts the invitation in an answer.
    pub(crate) fn acceptance(invited: &Value) -> Ask {
        let url = invited["url"].as_str().unwrap();
        let (_, token) = url.split_once("#token=").unwrap();
        let name = "Somebody";
        let body = json!({"token": token, "name": name, "password": THEIR_PASSWORD});
        Ask::post("/v1/invitations/accept", &body)
    }

    /// Changes a user as the founder.
    pub(crate) fn change_user(&self, person: &Person, change: &Value) -> Value {
        self.ask(&Ask::patch(&format!("/v1/users/{}", person.id), change)).expect(200)
    }

    /// Puts the organization of an id on a plan.
    pub(crate) fn put_on_plan(&self, organization: &str, plan: &str) {
        let path = format!("/v1/organizations/{organization}/subscription");
        self.ask(&Ask::patch(&path, &json!({"plan": plan}))).expect(200);
    }

    /// The id of the founder's organization.
    pub(crate) fn organization(&self) -> String {
        let me = self.ask(&Ask::get("/v1/session")).expect(200);
        me.pointer("/organization/id").unwrap().as_str().unwrap().to_owned()
    }

    /// Makes a team as the founder, with these members.
    pub(crate) fn team(&self, name: &str, visibility: &str, members: &[&Person]) -> String {
        let body = json!({"name": name, "visibility": visibility});
        let team = self.ask(&Ask::post("/v1/teams", &body)).expect(201);
        let id = team["id"].as_str().unwrap().to_owned();
        for member in members {
            let path = format!("/v1/teams/{id}/members/{}", member.id);
            let answer = self.ask(&Ask::new("PUT", &path));
            assert!(matches!(answer.status, 200 | 204), "{}", answer.body);
        }
        id
    }

    /// Makes a custom role as the founder.
    pub(crate) fn role(&self, name: &str, permissions: &[&str]) -> String {
        let body = json!({"name": name, "permissions": permissions});
        let role = self.ask(&Ask::post("/v1/roles", &body)).expect(201);
        role["id"].as_str().unwrap().to_owned()
    }
}
