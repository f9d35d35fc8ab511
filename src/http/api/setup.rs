//! `POST /v1/setup`: creates the first owner with the one-time setup link. After the setup, the
//! response is 404.

use rouille::Response;
use serde_json::json;

use crate::actions::signing_in::setup::FirstOwner;
use crate::http::api::links::{TOKEN, read_token};
use crate::http::api::session::{ENTRANCE_ERRORS, OpenedView, PASSWORD, opened};
use crate::http::endpoint::{Endpoint, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{Read as _, password, text};
use crate::http::schema::{email, name};
use crate::http::{App, Call};
use crate::model::secret::Secret;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    let example = json!({
        "token": TOKEN, "name": "Ada", "email": "ada@example.com", "password": PASSWORD,
    });
    vec![
        post("/v1/setup", create)
            .named("setUp", "Create the first owner")
            .details(
                "Creates the first user, who is owner and operator, with the token of the \
                 setup link that the first start prints. Afterwards this operation returns \
                 404.",
            )
            .open()
            .takes(read_owner, example)
            .answers::<OpenedView>(201, "The session of the new owner.")
            .with("Set-Cookie", "The session cookie.")
            .fails(&ENTRANCE_ERRORS),
    ]
}

/// Reads the token of the setup link, and the first owner.
fn read_owner(fields: &mut Fields) -> Option<(Secret, FirstOwner)> {
    let token = read_token(fields, "Token of the setup link.");
    let name = fields.optional("name", "Name of the user.", text("").shown(|| name("Ada")));
    let email = text("").shown(|| email("ada@example.com"));
    let email = fields.required("email", "Email address of the user.", email);
    let about = "Password: at least 15 characters.";
    let password = fields.required("password", about, password(PASSWORD));
    Some((token?, FirstOwner { name, email: email?, password: password? }))
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.guard(call)?;
    let (token, owner) = call.read_required(read_owner)?;
    opened(app, call, &app.actions.set_up(&token, &owner, call.browser())?)
}
