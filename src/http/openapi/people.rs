//! People: invited, shown, changed, reset, removed.

use http::Method;
use serde_json::json;

use crate::actions::teams::TEAMS_A_USER_MAX;
use crate::http::openapi::account::{ENTRANCE, opened};
use crate::http::openapi::operation::{Asker, Operation, operation};
use crate::http::openapi::schema::{
    Schema, answer, any_of, choice, count, each, email, field, formatted, id, list, moment, name,
    nullable, optional, page, password, request, text, the, truth, whole,
};
use crate::model::role::{INSTANCE_MANAGE, KEYS_READ, USERS_MANAGE, USERS_READ};

const PASSWORD: &str = "correct horse battery staple 17";

pub(super) fn operations() -> Vec<Operation> {
    [invitations(), users(), sessions(), lockouts(), resets()].into_iter().flatten().collect()
}

/// The name of a role: one of the four, or an id.
pub(super) fn role() -> Schema {
    any_of([choice(&["user", "guest", "administrator", "owner"]).into(), id("role").into()])
}

fn invitations() -> Vec<Operation> {
    let team = list(TEAMS_A_USER_MAX, id("team"));
    vec![
        operation(Method::GET, "/v1/invitations", "listInvitations", "Lists invitations.")
            .needs(&[USERS_READ])
            .paged()
            .answers(200, page(the("Invitation")), "A page, the newest first."),
        operation(Method::POST, "/v1/invitations", "invite", "Invites somebody.")
            .details(
                "The link works once and for 24 hours, and only while its maker may still give \
                 what it gives. Nobody invites to more than they hold.",
            )
            .needs(&[USERS_MANAGE])
            .takes(
                request([
                    field("email", email("grace@example.com")),
                    field("role", role()),
                    optional("name", name("Grace")),
                    optional("teams", team),
                ]),
                json!({"email": "grace@example.com", "role": "user", "name": "Grace"}),
            )
            .answers(
                201,
                answer([field("invitation", the("Invitation")), field("url", link())]),
                "The invitation, and the link to hand over.",
            )
            .with("Location", "Where it is.")
            .fails(&["subscription_limit", "email_taken", "too_many_invitations"]),
        operation(
            Method::POST,
            "/v1/invitations/accept",
            "acceptInvitation",
            "Comes in by a link.",
        )
        .asked_by(Asker::Open)
        .takes(
            request([
                field("token", text("what stands behind #token= in the link")),
                optional("name", name("Grace")),
                field("password", password(PASSWORD)),
            ]),
            json!({
                "token": "what stands behind #token= in the link", "name": "Grace",
                "password": PASSWORD,
            }),
        )
        .answers(201, opened(), "The user, signed in.")
        .with("Set-Cookie", "The session.")
        .fails(&ENTRANCE)
        .fails(&["subscription_limit", "email_taken"]),
        operation(Method::GET, "/v1/invitations/{invitation}", "showInvitation", "Shows one.")
            .needs(&[USERS_READ])
            .answers(200, the("Invitation"), "The invitation, without its link."),
        operation(Method::DELETE, "/v1/invitations/{invitation}", "withdraw", "Withdraws one.")
            .needs(&[USERS_MANAGE])
            .answers_empty(204, "Its link is dead."),
    ]
}

fn link() -> Schema {
    text("https://keys.example.com/invitation#token=what-only-its-holder-knows").into()
}

fn users() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/users", "listUsers", "Lists users.")
            .needs(&[USERS_READ])
            .paged()
            .query("email", email("grace@example.com"), "Only those with this address.")
            .answers(200, page(the("User")), "A page."),
        operation(Method::GET, "/v1/users/{user}", "showUser", "Shows a user.")
            .details("Oneself, or anybody with `keyhouse:users:read`.")
            .answers(200, the("User"), "The user.")
            .with_etag()
            .fails(&["permission_required"]),
        operation(Method::PATCH, "/v1/users/{user}", "changeUser", "Changes a user.")
            .details(
                "Nobody changes a user who holds more than they do, or who is in a secret team that \
                 they don't see, or gives more than they hold; `operator` is given and taken by \
                 operators alone. A new `email` ends the user's sessions and confirms the address.",
            )
            .needs(&[USERS_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("name", name("Grace")),
                    optional("email", email("grace@example.com")),
                    optional("locale", choice(&["en", "fr", "es"])),
                    optional("role", role()),
                    optional("disabled", truth(false)),
                    optional("operator", truth(false)),
                ]),
                json!({"name": "Grace Hopper", "role": "guest"}),
            )
            .answers(200, the("User"), "The user as they are now.")
            .with_etag()
            .fails(&["last_owner", "last_operator", "email_taken", "own_account"]),
        operation(Method::DELETE, "/v1/users/{user}", "removeUser", "Removes a user.")
            .details(
                "Their keys are revoked, or handed over with what they granted at that moment as \
                 their ceiling.",
            )
            .needs(&[USERS_MANAGE])
            .versioned()
            .query("keys", choice(&["revoke", "transfer"]), "What becomes of their keys.")
            .query(
                "to",
                formatted("heir", "organization"),
                "With `transfer`: a user, or `organization`.",
            )
            .answers_empty(204, "Removed.")
            .fails(&["last_owner", "last_operator", "removal_under_way"]),
        operation(
            Method::GET,
            "/v1/users/{user}/keys",
            "listKeysOfUser",
            "What a removal touches.",
        )
        .needs(&[KEYS_READ, USERS_MANAGE])
        .paged()
        .answers(
            200,
            page(any_of([the("Key"), the("HiddenKey")])),
            "A page of their keys.",
        ),
    ]
}

fn sessions() -> Vec<Operation> {
    vec![
        operation(
            Method::GET,
            "/v1/users/{user}/sessions",
            "listSessionsOfUser",
            "Lists another user's sessions.",
        )
        .details("One's own are at `/v1/sessions`.")
        .needs(&[USERS_MANAGE])
        .paged()
        .answers(200, page(the("OpenSession")), "A page, the newest first.")
        .fails(&["own_account"]),
        operation(
            Method::DELETE,
            "/v1/users/{user}/sessions",
            "endSessionsOfUser",
            "Ends all sessions of another user.",
        )
        .details("The user is told at the next sign-in.")
        .needs(&[USERS_MANAGE])
        .answers_empty(204, "Ended.")
        .fails(&["own_account"]),
        operation(
            Method::DELETE,
            "/v1/users/{user}/sessions/{session}",
            "endSessionOfUser",
            "Ends one session of another user.",
        )
        .details("The user is told at the next sign-in.")
        .needs(&[USERS_MANAGE])
        .answers_empty(204, "Ended.")
        .fails(&["own_account"]),
    ]
}

fn lockouts() -> Vec<Operation> {
    vec![
        operation(
            Method::GET,
            "/v1/sign-in-lockouts",
            "listLockouts",
            "Lists what waits after failed sign-ins.",
        )
        .details(
            "Owners see the accounts of their organization; operators see all accounts, and \
             networks. It is what the answering node knows at this moment, the longest first: there \
             is one page.",
        )
        .needs(&[INSTANCE_MANAGE])
        .query("limit", whole(1, 100, 50), "How many; 50 unless given.")
        .answers(200, page(the("Lockout")), "The page."),
        operation(
            Method::DELETE,
            "/v1/sign-in-lockouts/{lockout}",
            "liftLockout",
            "Lets an account or a network try again.",
        )
        .details("Owners those of their organization's accounts; operators all.")
        .needs(&[INSTANCE_MANAGE])
        .answers_empty(204, "Its failures are forgotten."),
    ]
}

fn resets() -> Vec<Operation> {
    let made = answer([
        field("url", text("https://keys.example.com/reset#token=what-only-its-holder-knows")),
        field("expires_at", moment()),
    ]);
    let linked = answer([
        field("kind", choice(&["invitation", "reset"])),
        field("email", email("grace@example.com")),
        field("name", nullable(text("Grace").into())),
        field("organization", text("example.com")),
    ]);
    vec![
        operation(Method::POST, "/v1/users/{user}/reset", "resetUser", "Makes a reset link.")
            .details(
                "`totp` also takes the second factor away when the link is used: for owners in a \
                 session that was opened with a second factor, and for the host. Never for oneself: \
                 whoever finds an open session must not take the account over.",
            )
            .needs(&[USERS_MANAGE])
            .may_take(request([optional("totp", truth(false))]), json!({"totp": false}))
            .answers(201, made, "The link to hand over: once, for 24 hours.")
            .fails(&["own_account", "second_factor_required"]),
        operation(Method::POST, "/v1/reset", "resetPassword", "Sets a new password by a link.")
            .details("Ends all sessions; a second factor stays.")
            .asked_by(Asker::Open)
            .takes(
                request([
                    field("token", text("what stands behind #token= in the link")),
                    field("password", password(PASSWORD)),
                ]),
                json!({"token": "what stands behind #token= in the link", "password": PASSWORD}),
            )
            .answers_empty(204, "Set: sign in with it.")
            .fails(&["link_invalid", "misdirected_request", "cross_site"]),
        operation(Method::POST, "/v1/links", "showLink", "Whom is a one-time link for?")
            .details("For the holder of an invitation's or a reset's link, which works on.")
            .asked_by(Asker::Open)
            .takes(
                request([field("token", text("what stands behind #token= in the link"))]),
                json!({"token": "what stands behind #token= in the link"}),
            )
            .answers(200, linked, "The account that it makes, or whose password it sets.")
            .fails(&["link_invalid", "misdirected_request", "cross_site"]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let invitation = answer([
        field("id", id("inv")),
        field("email", email("grace@example.com")),
        field("name", nullable(text("Grace").into())),
        field("role", text("user")),
        field("teams", each(id("team"))),
        field("status", choice(&["pending", "expired", "void"])),
        field("created_by", text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f")),
        field("created_at", moment()),
        field("expires_at", moment()),
    ]);
    let user = answer([
        field("id", id("usr")),
        field("name", text("Grace")),
        field("email", email("grace@example.com")),
        field("email_verified", truth(true)),
        field("organization", id("org")),
        field("role", text("user")),
        field("operator", truth(false)),
        field("disabled", truth(false)),
        field("teams", each(id("team"))),
        field("locale", nullable(choice(&["en", "fr", "es"]).into())),
        field("totp", truth(false)),
        field("created_at", moment()),
        field("version", count(1)),
    ]);
    vec![("Invitation", invitation), ("User", user), ("Lockout", lockout())]
}

fn lockout() -> Schema {
    let user = answer([
        field("id", id("usr")),
        field("name", text("Grace")),
        field("email", email("grace@example.com")),
        field("organization", id("org")),
    ]);
    answer([
        field("id", text("203.0.113.7_32")),
        field("kind", choice(&["account", "network"])),
        field("user", nullable(user)),
        field("network", nullable(text("203.0.113.7/32").into())),
        field("failures", nullable(count(12).into())),
        field("until", nullable(moment().into())),
    ])
}
