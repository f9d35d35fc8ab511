//! Invitations as tests send them, and asking as somebody of the cast.

use serde_json::{Value, json};

use crate::ask::Ask;
pub(crate) use crate::cast::{Person, THEIR_PASSWORD as PASSWORD};
use crate::house::House;
use crate::server::wire::Answer;

impl House {
    /// Asks as somebody.
    pub(crate) fn ask_as(&self, person: &Person, ask: &Ask) -> Answer {
        person.ask(self, ask.clone())
    }
}

/// `POST /v1/invitations` for an address and a role.
pub(crate) fn invitation(email: &str, role: &str) -> Ask {
    Ask::post("/v1/invitations", &json!({"email": email, "role": role}))
}

/// `POST /v1/invitations/accept` with a token.
pub(crate) fn acceptance(token: &str) -> Ask {
    let body = json!({"token": token, "name": "Somebody", "password": PASSWORD});
    Ask::post("/v1/invitations/accept", &body)
}

/// The token of the link that an answer holds.
pub(crate) fn token_in(answer: &Value) -> String {
    let url = answer["url"].as_str().unwrap();
    url.rsplit_once("#token=").unwrap().1.to_owned()
}
