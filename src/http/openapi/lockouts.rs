//! Descriptions of the lockout endpoints.

use http::Method;

use crate::http::openapi::operation::{Operation, operation};
use crate::http::schema::{
    Schema, answer, choice, count, email, field, id, moment, nullable, page, text, the, whole,
};
use crate::model::role::INSTANCE_MANAGE;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/sign-in-lockouts", "listLockouts", "List sign-in lockouts")
            .details(
                "Lists accounts and networks that are locked after failed sign-ins, the \
                 longest lockout first. Owners see the accounts of their organization, \
                 operators see all accounts and networks. The list is that of the node that \
                 answers, and has only one page.",
            )
            .needs(&[INSTANCE_MANAGE])
            .query("limit", whole(1, 100, 50), "Maximum number of items. Default: 50.")
            .answers(200, page(the("Lockout")), "The lockouts."),
        operation(
            Method::DELETE,
            "/v1/sign-in-lockouts/{lockout}",
            "liftLockout",
            "Lift a sign-in lockout",
        )
        .details(
            "Clears the failed sign-ins of an account or a network. Owners can lift lockouts \
             of their organization's accounts, operators all lockouts.",
        )
        .needs(&[INSTANCE_MANAGE])
        .answers_empty(204, "The lockout is lifted."),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    vec![("Lockout", lockout())]
}

fn lockout() -> Schema {
    let user = answer([
        field("id", id("usr"), "Id of the user."),
        field("name", text("Grace"), "Name of the user."),
        field("email", email("grace@example.com"), "Email address of the user."),
        field("organization", id("org"), "Id of the organization."),
    ]);
    answer([
        field("id", text("203.0.113.7_32"), "Id of the lockout."),
        field(
            "kind",
            choice(&["account", "network"]),
            "Whether an account or a network is locked.",
        ),
        field("user", nullable(user), "Locked user. Null for a network."),
        field(
            "network",
            nullable(text("203.0.113.7/32").into()),
            "Locked network. Null for an account.",
        ),
        field(
            "failures",
            nullable(count(12).into()),
            "Number of failed sign-ins in a row. Null for a network.",
        ),
        field("until", nullable(moment().into()), "Time of the next allowed sign-in. Null: now."),
    ])
}
