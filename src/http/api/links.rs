//! `POST /v1/links`: shows the account of a one-time link to its holder.
//!
//! The page's form contains the account, for password managers. The link is not used up.

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::http::endpoint::{Endpoint, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::secret;
use crate::http::schema::{choice, email, nullable, text};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::errors::{self, ErrorCode};
use crate::model::secret::Secret;

/// Errors of operations that use a one-time link.
pub(super) const LINK_ERRORS: [&ErrorCode; 3] =
    [errors::LINK_INVALID, errors::MISDIRECTED_REQUEST, errors::CROSS_SITE];

/// The token in the examples of requests.
pub(super) const TOKEN: &str = "the text after #token= in the link";

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/links", show)
            .named("showLink", "Show a one-time link")
            .details(
                "Returns the account of an invitation or reset link to its holder. The link \
                 stays usable.",
            )
            .open()
            .takes(read_link, json!({"token": TOKEN}))
            .answers::<LinkView>(200, "The account of the link.")
            .fails(&LINK_ERRORS),
    ]
}

view! {
    LinkView {
        /// Kind of the link.
        kind: &'static str => choice(&["invitation", "reset"]),
        /// Email address of the account.
        email: String => email("grace@example.com"),
        /// Name of the user. Null if the invitation has none.
        name: Option<String> => nullable(text("Grace").into()),
        /// Name of the organization.
        organization: String => text("example.com"),
    }
}

/// Reads the token of a one-time link.
pub(super) fn read_token(fields: &mut Fields, about: &'static str) -> Option<Secret> {
    fields.required("token", about, secret(TOKEN))
}

fn read_link(fields: &mut Fields) -> Option<Secret> {
    read_token(fields, "Token of the link.")
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.guard(call)?;
    let token = call.read_required(read_link)?;
    let (kind, user) = match app.actions.invited(&token) {
        Err(ActionError::LinkInvalid) => ("reset", app.actions.reset_for(&token)?),
        invited => ("invitation", invited?),
    };
    Ok(answer::json(&LinkView {
        kind,
        email: user.email,
        name: user.name,
        organization: user.organization,
    }))
}
