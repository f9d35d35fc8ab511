//! `POST /v1/session/proof`: the user of a session enters the password or a code again.

use rouille::Response;
use serde_json::json;

use crate::actions::signing_in::proof::PresentedFactor;
use crate::http::api::session::PASSWORD;
use crate::http::endpoint::{CallerKind, Endpoint, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{password, secret};
use crate::http::schema::{self, any_of, field, request, text};
use crate::http::transport::Part;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/session/proof", create)
            .named("proveSession", "Confirm the session")
            .details(
                "Send the password, or a code of the second factor if the account has one. A backup \
                 code is not accepted. Requests whose response contains a new secret are then \
                 accepted in this session for 15 minutes; without a proof, they are rejected with \
                 `proof_required`. The request does not extend the session. Failures count as \
                 failed sign-ins.",
            )
            .called_by(CallerKind::Person)
            .in_part(Part::SignIn)
            .takes(read_factor, json!({"password": PASSWORD}))
            .body_schema(|_schemas| {
                let known = schema::password(PASSWORD);
                let known = field("password", known, "Password of the account.");
                let code = field("code", text("123456"), "Code of the second factor.");
                any_of([request([known]), request([code])])
            })
            .answers_empty(204, "The session is confirmed.")
            .fails(&[errors::TOO_MANY_ATTEMPTS]),
    ]
}

fn read_factor(fields: &mut Fields) -> Option<PresentedFactor> {
    let about = "Password of the account.";
    let password = fields.optional("password", about, password(PASSWORD));
    let code = fields.optional("code", "Code of the second factor.", secret("123456"));
    match (password, code) {
        (Some(password), None) => Some(PresentedFactor::Password(password)),
        (None, Some(code)) => Some(PresentedFactor::Code(code)),
        (None, None) => {
            fields.fault("password", FaultCode::REQUIRED, "is required, unless code is sent");
            None
        },
        (Some(_), Some(_)) => {
            let detail = "cannot be combined with password: send one of them";
            fields.fault("code", FaultCode::CONTRADICTION, detail);
            None
        },
    }
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    app.actions.prove_session(&own.me(), &call.read_required(read_factor)?)?;
    Ok(answer::empty())
}
