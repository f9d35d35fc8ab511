//! `POST /v1/links`: returns the facts of a one-time link to its holder.
//!
//! The page shows the facts before the user enters a password, and fills in the account so that a password
//! manager stores the password for it. The link stays usable. The token is in the body because proxies log
//! the addresses of requests.

use rouille::Response;
use serde_json::json;

use crate::actions::accounts::acceptance::LinkKind;
use crate::http::endpoint::{Endpoint, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::secret;
use crate::http::schema::{choice, email, nullable, text};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::errors::{self, ErrorCode};
use crate::model::moment::Moment;
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
                "Returns the kind, the account and the expiry of an invitation, reset or setup \
                 link. The link stays usable. A link that was used, has expired or does not exist \
                 is rejected with the same error as when it is used.",
            )
            .open()
            .takes(read_link, json!({"token": TOKEN}))
            .answers::<LinkView>(200, "The facts of the link.")
            .fails(&LINK_ERRORS),
    ]
}

view! {
    LinkView {
        /// Kind of the link.
        kind: &'static str => choice(&["invitation", "reset", "setup"]),
        /// Email address of the account. Null for a setup link.
        email: Option<String> => nullable(email("grace@example.com").into()),
        /// Name of the user. Null if the invitation has no name, and for a setup link.
        name: Option<String> => nullable(text("Grace").into()),
        /// Name of the organization. Null for a setup link.
        organization: Option<String> => nullable(text("example.com").into()),
        /// Name of the user who created the link. Null if the operator on the host or a service key
        /// created the link.
        created_by: Option<String> => nullable(text("Ada").into()),
        /// Time at which the link expires.
        expires_at: Moment,
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
    let facts = app.actions.link_facts(&token)?;
    let kind = match facts.kind {
        LinkKind::Invitation => "invitation",
        LinkKind::Reset => "reset",
        LinkKind::Setup => "setup",
    };
    let (email, name, organization, created_by) = match facts.account {
        Some(account) => {
            (Some(account.email), account.name, Some(account.organization), account.created_by)
        },
        None => (None, None, None, None),
    };
    let expires_at = facts.ends_at;
    Ok(answer::json(&LinkView { kind, email, name, organization, created_by, expires_at }))
}
