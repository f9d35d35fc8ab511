//! Users other than the owner, who are invited, join and send requests with their own session.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::server::wire::Answer;
use crate::test_server::{EMAIL, TestServer};

/// The password of every user of these tests except the owner.
pub(crate) const PASSWORD: &str = "nine wild geese over the lake";

/// A user with a session.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) cookie: String,
}

impl Person {
    /// Adds this person's cookie to a request.
    pub(crate) fn asks(&self, ask: &Ask) -> Ask {
        ask.clone().header("Cookie", &self.cookie)
    }
}

impl TestServer {
    /// Returns the owner of the instance.
    pub(crate) fn owner(&self) -> Person {
        let me = self.ask(&Ask::get("/v1/session")).expect(200);
        let id = me["user"]["id"].as_str().unwrap().to_owned();
        Person { id, email: EMAIL.to_owned(), cookie: self.cookie().to_owned() }
    }

    /// Sends a request as this person.
    pub(crate) fn ask_as(&self, person: &Person, ask: &Ask) -> Answer {
        self.bare(&person.asks(ask))
    }

    /// Adds a user with a session, invited by the owner.
    pub(crate) fn join(&self, name: &str, role: &str) -> Person {
        self.join_by(&self.owner(), name, role)
    }

    /// Adds a user with a session, invited by the given person.
    pub(crate) fn join_by(&self, host: &Person, name: &str, role: &str) -> Person {
        let email = format!("{name}@example.com");
        let invited = self.ask_as(host, &invitation(&email, role)).expect(201);
        let answer = self.bare(&acceptance(&token_in(&invited)));
        let reported = answer.expect(201);
        let id = reported["user"]["id"].as_str().unwrap().to_owned();
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Person { id, email, cookie }
    }
}

/// Returns a `POST /v1/invitations` for an address and a role.
pub(crate) fn invitation(email: &str, role: &str) -> Ask {
    Ask::post("/v1/invitations", &json!({"email": email, "role": role}))
}

/// Returns a `POST /v1/invitations/accept` with a token.
pub(crate) fn acceptance(token: &str) -> Ask {
    let body = json!({"token": token, "name": "Somebody", "password": PASSWORD});
    Ask::post("/v1/invitations/accept", &body)
}

/// Returns the token of the link in a response.
pub(crate) fn token_in(answer: &Value) -> String {
    let url = answer["url"].as_str().unwrap();
    url.rsplit_once("#token=").unwrap().1.to_owned()
}
