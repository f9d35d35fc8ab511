//! The first owner, signing in and out, and who one is.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{Asker, Operation, operation};
use crate::http::openapi::schema::{
    Schema, answer, both, each, email, field, id, moment, name, nullable, optional, password,
    request, text, the, truth,
};

pub(super) fn operations() -> Vec<Operation> {
    let opened = || both(the("Session"), answer([field("ends_at", moment())]));
    vec![
        operation(Method::POST, "/v1/setup", "setUp", "Makes the first owner, who is operator.")
            .details(
                "For the holder of the one-time link of the first start; gone once it was used.",
            )
            .asked_by(Asker::Open)
            .takes(
                request([
                    field("token", text("")),
                    optional("name", name("Ada")),
                    field("email", email("ada@example.com")),
                    field("password", password("correct horse battery staple 17")),
                ]),
                json!({
                    "token": "what stands behind #token= in the link", "name": "Ada",
                    "email": "ada@example.com", "password": "correct horse battery staple 17",
                }),
            )
            .answers(201, opened(), "The owner, signed in.")
            .with("Set-Cookie", "The session.")
            .fails(&[
                "link_invalid",
                "not_found",
                "misdirected_request",
                "cross_site",
                "index_behind",
            ]),
        operation(Method::POST, "/v1/session", "signIn", "Signs in.")
            .asked_by(Asker::Open)
            .takes(
                request([
                    field("email", text("ada@example.com")),
                    field("password", password("correct horse battery staple 17")),
                ]),
                json!({"email": "ada@example.com", "password": "correct horse battery staple 17"}),
            )
            .answers(201, opened(), "Signed in.")
            .with("Set-Cookie", "The session.")
            .fails(&["sign_in_failed", "misdirected_request", "cross_site", "index_behind"]),
        operation(Method::GET, "/v1/session", "showSession", "Who am I?")
            .asked_by(Asker::Person)
            .answers(200, the("Session"), "User, organization, and what they may do."),
        operation(Method::DELETE, "/v1/session", "signOut", "Signs out.")
            .details("Without a session there is nothing to end, which is as good.")
            .asked_by(Asker::Visitor)
            .answers_empty(204, "Signed out.")
            .with("Set-Cookie", "Takes the session's cookie away."),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let user = answer([
        field("id", id("usr")),
        field("name", text("Ada")),
        field("email", email("ada@example.com")),
        field("role", text("owner")),
        field("operator", truth(true)),
    ]);
    let organization = answer([
        field("id", id("org")),
        field("name", text("example.com")),
        field("plan", text("pro")),
    ]);
    let session = answer([
        field("user", nullable(user)),
        field("organization", organization),
        field("permissions", each(text("keyhouse:keys:create"))),
    ]);
    vec![("Session", session)]
}
