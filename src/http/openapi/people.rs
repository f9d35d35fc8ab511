//! Users: invitations, changes, sessions, password resets and removal.

use http::Method;
use serde_json::json;

use crate::actions::accounts::teams::TEAMS_A_USER_MAX;
use crate::http::openapi::account::{ENTRANCE, opened};
use crate::http::openapi::operation::{CallerKind, Operation, operation};
use crate::http::schema::{
    Schema, answer, any_of, choice, count, each, email, field, formatted, id, list, moment, name,
    nullable, optional, page, password, request, text, the, truth,
};
use crate::model::role::{KEYS_READ, USERS_MANAGE, USERS_READ};

const PASSWORD: &str = "correct horse battery staple 17";

pub(super) fn operations() -> Vec<Operation> {
    [invitations(), users(), sessions(), resets()].into_iter().flatten().collect()
}

/// A role: the name of a built-in role, or the id of a custom role.
pub(super) fn role() -> Schema {
    any_of([choice(&["user", "guest", "administrator", "owner"]).into(), id("role").into()])
}

fn invitations() -> Vec<Operation> {
    let team = list(TEAMS_A_USER_MAX, id("team"));
    vec![
        operation(Method::GET, "/v1/invitations", "listInvitations", "List invitations")
            .needs(&[USERS_READ])
            .paged()
            .answers(200, page(the("Invitation")), "A page of invitations, the newest first."),
        operation(Method::POST, "/v1/invitations", "invite", "Create an invitation")
            .details(
                "Returns a one-time link, which expires after 24 hours. The caller must have \
                 every permission of the role. The link stops working if its creator loses \
                 one of them.",
            )
            .needs(&[USERS_MANAGE])
            .takes(
                request([
                    field("email", email("grace@example.com"), "Email address of the new user."),
                    field(
                        "role",
                        role(),
                        "Role of the new user: name of a built-in role, or id of a custom role.",
                    ),
                    optional("name", name("Grace"), "Name of the new user."),
                    optional("teams", team, "Teams of the new user."),
                ]),
                json!({"email": "grace@example.com", "role": "user", "name": "Grace"}),
            )
            .answers(
                201,
                answer([
                    field("invitation", the("Invitation"), "The new invitation."),
                    field("url", link(), "One-time link, which cannot be shown again."),
                ]),
                "The invitation, and the link for the new user.",
            )
            .with("Location", "URL of the new object.")
            .fails(&["subscription_limit", "email_taken", "too_many_invitations"]),
        operation(
            Method::POST,
            "/v1/invitations/accept",
            "acceptInvitation",
            "Accept an invitation",
        )
        .called_by(CallerKind::Open)
        .takes(
            request([
                field(
                    "token",
                    text("the text after #token= in the link"),
                    "Token of the invitation link.",
                ),
                optional(
                    "name",
                    name("Grace"),
                    "Name of the user. Default: the name in the invitation.",
                ),
                field("password", password(PASSWORD), "Password: at least 15 characters."),
            ]),
            json!({
                "token": "the text after #token= in the link", "name": "Grace",
                "password": PASSWORD,
            }),
        )
        .answers(201, opened(), "The session of the new user.")
        .with("Set-Cookie", "The session cookie.")
        .fails(&ENTRANCE)
        .fails(&["subscription_limit", "email_taken"]),
        operation(
            Method::GET,
            "/v1/invitations/{invitation}",
            "showInvitation",
            "Show an invitation",
        )
        .needs(&[USERS_READ])
        .answers(200, the("Invitation"), "The invitation, without its link."),
        operation(
            Method::DELETE,
            "/v1/invitations/{invitation}",
            "withdraw",
            "Delete an invitation",
        )
        .details("The link of the invitation stops working.")
        .needs(&[USERS_MANAGE])
        .answers_empty(204, "The invitation is deleted."),
    ]
}

fn link() -> Schema {
    text("https://keys.example.com/invitation#token=what-only-its-holder-knows").into()
}

fn users() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/users", "listUsers", "List users")
            .needs(&[USERS_READ])
            .paged()
            .query("email", email("grace@example.com"), "Only users with this email address.")
            .answers(200, page(the("User")), "A page of users."),
        operation(Method::GET, "/v1/users/{user}", "showUser", "Show a user")
            .details(
                "The caller's own user needs no permission, other users \
                 `keyhouse:users:read`.",
            )
            .answers(200, the("User"), "The user.")
            .with_etag()
            .fails(&["permission_required"]),
        operation(Method::PATCH, "/v1/users/{user}", "changeUser", "Change a user")
            .details(
                "The caller must have every permission that the user has before and after \
                 the change, and must be able to see every secret team of the user. Only \
                 operators can change `operator`. A new `email` ends the user's sessions and \
                 is verified.",
            )
            .needs(&[USERS_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("name", name("Grace"), "Name of the user."),
                    optional("email", email("grace@example.com"), "Email address of the user."),
                    optional(
                        "locale",
                        choice(&["en", "fr", "es"]),
                        "Preferred language. Null: the language of the browser.",
                    ),
                    optional("role", role(), "Name of a built-in role, or id of a custom role."),
                    optional(
                        "disabled",
                        truth(false),
                        "Whether the user is disabled: sign-in and personal keys are rejected.",
                    ),
                    optional(
                        "operator",
                        truth(false),
                        "Whether the user administers the instance.",
                    ),
                ]),
                json!({"name": "Grace Hopper", "role": "guest"}),
            )
            .answers(200, the("User"), "The changed user.")
            .with_etag()
            .fails(&["last_owner", "last_operator", "email_taken", "own_account"]),
        operation(Method::DELETE, "/v1/users/{user}", "removeUser", "Remove a user")
            .details(
                "The user's keys are revoked or transferred. A transferred key keeps at most \
                 the permissions that it grants at that moment.",
            )
            .needs(&[USERS_MANAGE])
            .versioned()
            .query(
                "keys",
                choice(&["revoke", "transfer"]),
                "What happens to the user's keys. Default: `revoke`.",
            )
            .query(
                "to",
                formatted("heir", "organization"),
                "New owner of the keys, required with `transfer`: a user id, or `organization`.",
            )
            .answers_empty(204, "The user is removed.")
            .fails(&["last_owner", "last_operator", "removal_under_way"]),
        operation(
            Method::GET,
            "/v1/users/{user}/keys",
            "listKeysOfUser",
            "List the keys of a user",
        )
        .details("Lists the keys that a removal of the user would affect.")
        .needs(&[KEYS_READ, USERS_MANAGE])
        .paged()
        .answers(200, page(any_of([the("Key"), the("HiddenKey")])), "A page of keys."),
    ]
}

fn sessions() -> Vec<Operation> {
    vec![
        operation(
            Method::GET,
            "/v1/users/{user}/sessions",
            "listSessionsOfUser",
            "List the sessions of a user",
        )
        .details("The caller's own sessions are at `/v1/sessions`.")
        .needs(&[USERS_MANAGE])
        .paged()
        .answers(200, page(the("OpenSession")), "A page of sessions, the newest first.")
        .fails(&["own_account"]),
        operation(
            Method::DELETE,
            "/v1/users/{user}/sessions",
            "endSessionsOfUser",
            "End all sessions of a user",
        )
        .details("The user gets a notice at the next sign-in.")
        .needs(&[USERS_MANAGE])
        .answers_empty(204, "The sessions have ended.")
        .fails(&["own_account"]),
        operation(
            Method::DELETE,
            "/v1/users/{user}/sessions/{session}",
            "endSessionOfUser",
            "End a session of a user",
        )
        .details("The user gets a notice at the next sign-in.")
        .needs(&[USERS_MANAGE])
        .answers_empty(204, "The session has ended.")
        .fails(&["own_account"]),
    ]
}

fn resets() -> Vec<Operation> {
    let made = answer([
        field(
            "url",
            text("https://keys.example.com/reset#token=what-only-its-holder-knows"),
            "One-time link, which cannot be shown again.",
        ),
        field("expires_at", moment(), "Time at which the link expires."),
    ]);
    let linked = answer([
        field("kind", choice(&["invitation", "reset"]), "Kind of the link."),
        field("email", email("grace@example.com"), "Email address of the account."),
        field(
            "name",
            nullable(text("Grace").into()),
            "Name of the user. Null if the invitation has none.",
        ),
        field("organization", text("example.com"), "Name of the organization."),
    ]);
    vec![
        operation(
            Method::POST,
            "/v1/users/{user}/reset",
            "resetUser",
            "Create a password reset link",
        )
        .details(
            "With `totp`, using the link also removes the second factor; this requires an \
             owner who signed in with a second factor, or the local operator. A user cannot \
             create a reset link for the own account, so that an unattended session cannot \
             be used to take over the account.",
        )
        .needs(&[USERS_MANAGE])
        .may_take(
            request([optional(
                "totp",
                truth(false),
                "Whether the link also removes the second factor. Default: false.",
            )]),
            json!({"totp": false}),
        )
        .answers(201, made, "The one-time link for the user, which expires after 24 hours.")
        .fails(&["own_account", "second_factor_required"]),
        operation(Method::POST, "/v1/reset", "resetPassword", "Reset a password")
            .details(
                "Sets a new password with the token of a reset link. All sessions of the \
                 user end. A second factor stays on, unless the link removes it.",
            )
            .called_by(CallerKind::Open)
            .takes(
                request([
                    field(
                        "token",
                        text("the text after #token= in the link"),
                        "Token of the reset link.",
                    ),
                    field(
                        "password",
                        password(PASSWORD),
                        "New password: at least 15 characters, or 8 with a second factor.",
                    ),
                ]),
                json!({"token": "the text after #token= in the link", "password": PASSWORD}),
            )
            .answers_empty(204, "The password is set. Sign in with it.")
            .fails(&["link_invalid", "misdirected_request", "cross_site"]),
        operation(Method::POST, "/v1/links", "showLink", "Show a one-time link")
            .details(
                "Returns the account of an invitation or reset link to its holder. The link \
                 stays usable.",
            )
            .called_by(CallerKind::Open)
            .takes(
                request([field(
                    "token",
                    text("the text after #token= in the link"),
                    "Token of the link.",
                )]),
                json!({"token": "the text after #token= in the link"}),
            )
            .answers(200, linked, "The account of the link.")
            .fails(&["link_invalid", "misdirected_request", "cross_site"]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let invitation = answer([
        field("id", id("inv"), "Id of the invitation."),
        field("email", email("grace@example.com"), "Email address of the invited user."),
        field(
            "name",
            nullable(text("Grace").into()),
            "Name of the invited user. Null if none was given.",
        ),
        field("role", text("user"), "Role of the invited user."),
        field("teams", each(id("team")), "Ids of the teams of the invited user."),
        field(
            "status",
            choice(&["pending", "expired", "void"]),
            "`void`: the creator has lost a permission that the invitation grants.",
        ),
        field(
            "created_by",
            text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f"),
            "Id of the user or key that created the invitation, or `local`.",
        ),
        field("created_at", moment(), "Time of creation."),
        field("expires_at", moment(), "Time at which the link expires."),
    ]);
    let user = answer([
        field("id", id("usr"), "Id of the user."),
        field("name", text("Grace"), "Name of the user."),
        field("email", email("grace@example.com"), "Email address of the user."),
        field("email_verified", truth(true), "Whether the email address is verified."),
        field("organization", id("org"), "Id of the organization."),
        field("role", text("user"), "Name of a built-in role, or id of a custom role."),
        field("operator", truth(false), "Whether the user administers the instance."),
        field(
            "disabled",
            truth(false),
            "Whether the user is disabled: sign-in and personal keys are rejected.",
        ),
        field("teams", each(id("team")), "Ids of the teams of the user that the caller may see."),
        field(
            "locale",
            nullable(choice(&["en", "fr", "es"]).into()),
            "Preferred language. Null: the language of the browser.",
        ),
        field("totp", truth(false), "Whether the second factor is on."),
        field("created_at", moment(), "Time of creation."),
        field("version", count(1), "Version of the object, for `If-Match`."),
    ]);
    vec![("Invitation", invitation), ("User", user)]
}
