//! Setup, sign-in and sign-out, and the account of the signed-in user.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{CallerKind, Operation, operation};
use crate::http::schema::{
    Schema, answer, any_of, both, choice, count, each, email, field, id, moment, name, nullable,
    optional, page, password, request, text, the, truth,
};
use crate::records::notice::NoticeKind;

const PASSWORD: &str = "correct horse battery staple 17";
const LOCALES: [&str; 3] = ["en", "fr", "es"];

pub(super) fn operations() -> Vec<Operation> {
    [sessions(), own_sessions(), me(), totp()].into_iter().flatten().collect()
}

fn sessions() -> Vec<Operation> {
    vec![
        operation(Method::POST, "/v1/setup", "setUp", "Create the first owner")
            .details(
                "Creates the first user, who is owner and operator, with the token of the \
                 setup link that the first start prints. Afterwards this operation returns \
                 404.",
            )
            .called_by(CallerKind::Open)
            .takes(
                request([
                    field(
                        "token",
                        text("the text after #token= in the link"),
                        "Token of the setup link.",
                    ),
                    optional("name", name("Ada"), "Name of the user."),
                    field("email", email("ada@example.com"), "Email address of the user."),
                    field("password", password(PASSWORD), "Password: at least 15 characters."),
                ]),
                json!({
                    "token": "the text after #token= in the link", "name": "Ada",
                    "email": "ada@example.com", "password": PASSWORD,
                }),
            )
            .answers(201, opened(), "The session of the new owner.")
            .with("Set-Cookie", "The session cookie.")
            .fails(&ENTRANCE),
        operation(Method::POST, "/v1/session", "signIn", "Sign in")
            .details(
                "`code` is a code of the second factor, or a backup code, if the account has \
                 one. An email address may belong to users of several organizations. If the \
                 password is correct in more than one, 409 `organization_required` lists \
                 them: repeat the request with `organization`. Without it, at most four \
                 accounts of an address are tried, first those of organizations that have \
                 verified its domain.",
            )
            .called_by(CallerKind::Open)
            .takes(
                request([
                    field("email", text("ada@example.com"), "Email address of the account."),
                    field("password", password(PASSWORD), "Password of the account."),
                    optional(
                        "code",
                        text("123456"),
                        "Code of the second factor, or a backup code.",
                    ),
                    optional(
                        "organization",
                        id("org"),
                        "Organization of the account, if the email address belongs to several.",
                    ),
                ]),
                json!({"email": "ada@example.com", "password": PASSWORD}),
            )
            .answers(201, opened(), "The new session.")
            .with("Set-Cookie", "The session cookie, and the cookie that recognizes this browser.")
            .fails(&["sign_in_failed", "code_required", "organization_required"])
            .fails(&["too_many_attempts", "doubled_credential"])
            .fails(&["misdirected_request", "cross_site", "index_behind"]),
        operation(Method::GET, "/v1/session", "showSession", "Show the session")
            .called_by(CallerKind::Person)
            .answers(200, the("Session"), "The user, the organization and the user's permissions."),
        operation(Method::DELETE, "/v1/session", "signOut", "Sign out")
            .details("Succeeds without a session too.")
            .called_by(CallerKind::Visitor)
            .answers_empty(204, "The session has ended.")
            .with("Set-Cookie", "Deletes the session cookie.")
            .fails(&["misdirected_request", "cross_site", "doubled_credential"]),
    ]
}

/// Errors of operations that sign in with a one-time link.
pub(super) const ENTRANCE: [&str; 5] =
    ["link_invalid", "not_found", "misdirected_request", "cross_site", "index_behind"];

pub(super) fn opened() -> Schema {
    both(the("Session"), answer([field("ends_at", moment(), "Time at which the session ends.")]))
}

fn own_sessions() -> Vec<Operation> {
    let session = both(
        the("OpenSession"),
        answer([field("current", truth(true), "Whether the request uses this session.")]),
    );
    vec![
        operation(Method::GET, "/v1/sessions", "listSessions", "List the user's sessions")
            .details("Returns the sessions of the signed-in user, the newest first.")
            .called_by(CallerKind::Person)
            .paged()
            .answers(200, page(session), "A page of sessions."),
        operation(Method::DELETE, "/v1/sessions/{session}", "endSession", "End a session")
            .details("Ends a session of the signed-in user.")
            .called_by(CallerKind::Person)
            .answers_empty(204, "The session has ended."),
    ]
}

fn me() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/me", "showMe", "Show the user's account")
            .called_by(CallerKind::Person)
            .answers(200, the("Account"), "The account.")
            .with_etag(),
        operation(Method::PATCH, "/v1/me", "changeMe", "Change the user's account")
            .details(
                "Changes of `password` and `email` require `current_password`, and end all \
                 other sessions. A change of `email` also requires `code` if the account has \
                 a second factor. The new address is unverified until a user with \
                 `keyhouse:users:manage` confirms it.",
            )
            .called_by(CallerKind::Person)
            .versioned()
            .may_take(
                request([
                    optional("name", name("Ada"), "New name."),
                    optional(
                        "locale",
                        choice(&LOCALES),
                        "Preferred language. Null: the language of the browser.",
                    ),
                    optional(
                        "password",
                        password("another horse battery staple 18"),
                        "New password.",
                    ),
                    optional("email", email("ada@example.com"), "New email address."),
                    optional(
                        "current_password",
                        password(PASSWORD),
                        "Current password, to change `password` or `email`.",
                    ),
                    optional(
                        "code",
                        text("123456"),
                        "Code of the second factor, to change `email`.",
                    ),
                ]),
                json!({"name": "Ada Lovelace", "locale": "fr"}),
            )
            .answers(200, the("Account"), "The changed account.")
            .with_etag()
            .fails(&["too_many_attempts", "email_taken"]),
        operation(Method::DELETE, "/v1/me/notices", "acknowledgeNotices", "Acknowledge notices")
            .details(
                "Removes `notices` of `GET /v1/session`. Notices about a reset, a removed \
                 second factor or a changed email address stay for 7 days, even if they are \
                 acknowledged.",
            )
            .called_by(CallerKind::Person)
            .query(
                "until",
                moment(),
                "Only notices up to this time, such as the `at` of the last one shown.",
            )
            .answers_empty(204, "The notices are acknowledged."),
    ]
}

fn totp() -> Vec<Operation> {
    let begin =
        request([field("current_password", password(PASSWORD), "Password of the account.")]);
    let confirm = request([field("code", text("123456"), "Code from the authenticator.")]);
    let begun = answer([
        field(
            "secret",
            text("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
            "Secret of the second factor, in base32.",
        ),
        field(
            "url",
            text("otpauth://totp/Keyhouse:ada@example.com"),
            "`otpauth` URL of the secret, for authenticators.",
        ),
        field(
            "modules",
            nullable(each(text("1111111001111111")).into()),
            "Rows of the QR code of `url`; 1 is dark. Null if the URL is too long.",
        ),
    ]);
    let confirmed = answer([field(
        "backup_codes",
        each(text("k7qd-93bx-m2vh")),
        "Codes that each replace a code of the second factor once.",
    )]);
    vec![
        operation(Method::POST, "/v1/me/totp", "turnOnTotp", "Enable the second factor")
            .details(
                "Takes two requests. The first one, with `current_password`, returns 201 \
                 with the secret and the rows of its QR code. The second one, with a `code` \
                 from the authenticator, returns 200 with the backup codes, which cannot be \
                 shown again.",
            )
            .called_by(CallerKind::Person)
            .takes(any_of([begin, confirm]), json!({"current_password": PASSWORD}))
            .answers(200, confirmed, "The second factor is on.")
            .answers(201, begun, "The secret: add it to an authenticator, then send a `code`.")
            .fails(&["totp_already_on", "totp_not_begun", "too_many_attempts"]),
        operation(Method::DELETE, "/v1/me/totp", "turnOffTotp", "Disable the second factor")
            .called_by(CallerKind::Person)
            .takes(
                request([
                    field("current_password", password(PASSWORD), "Password of the account."),
                    field("code", text("123456"), "Code of the second factor, or a backup code."),
                ]),
                json!({"current_password": PASSWORD, "code": "123456"}),
            )
            .answers_empty(204, "The second factor is off.")
            .fails(&["not_found", "password_too_short", "too_many_attempts"]),
        operation(
            Method::POST,
            "/v1/me/totp/backup-codes",
            "renewBackupCodes",
            "Create new backup codes",
        )
        .details("The previous backup codes stop working. `code` may be one of them.")
        .called_by(CallerKind::Person)
        .takes(
            request([
                field("current_password", password(PASSWORD), "Password of the account."),
                field("code", text("123456"), "Code of the second factor, or a backup code."),
            ]),
            json!({"current_password": PASSWORD, "code": "123456"}),
        )
        .answers(
            200,
            answer([field(
                "backup_codes",
                each(text("k7qd-93bx-m2vh")),
                "Codes that each replace a code of the second factor once.",
            )]),
            "The new backup codes, which cannot be shown again.",
        )
        .fails(&["not_found", "too_many_attempts"]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let team = || {
        let visibility = choice(&["visible", "secret"]);
        answer([
            field("id", id("team"), "Id of the team."),
            field("name", text("Build"), "Name of the team."),
            field("visibility", visibility, "Secret teams are shown only to members and managers."),
        ])
    };
    let user = answer([
        field("id", id("usr"), "Id of the user."),
        field("name", text("Ada"), "Name of the user."),
        field("email", email("ada@example.com"), "Email address of the user."),
        field("email_verified", truth(true), "Whether the email address is verified."),
        field("role", text("owner"), "Name of a built-in role, or id of a custom role."),
        field("operator", truth(true), "Whether the user administers the instance."),
        field(
            "locale",
            nullable(choice(&LOCALES).into()),
            "Preferred language. Null: the language of the browser.",
        ),
        field("totp", truth(false), "Whether the second factor is on."),
        field(
            "second_factor_required",
            truth(false),
            "Whether the user must turn on a second factor first.",
        ),
        field("teams", each(team()), "Teams of the user."),
    ]);
    let features = answer([
        field("api_access", truth(true), "Whether keys work."),
        field("teams", truth(true), "Whether teams are included."),
        field("multiple_teams", truth(false), "Whether more than one team is included."),
    ]);
    let organization = answer([
        field("id", id("org"), "Id of the organization."),
        field("name", text("example.com"), "Name of the organization."),
        field("plan", text("pro"), "Name of the plan."),
        field("features", features, "Features of the plan."),
        field("subscription_status", text("active"), "Status of the subscription."),
        field("api_access", truth(true), "Whether keys of the organization work now."),
        field(
            "members_create_keys",
            truth(true),
            "Whether users with the role `user` may create keys.",
        ),
        field(
            "key_lifetime_days_max",
            nullable(count(365).into()),
            "Longest lifetime of a key in days. Null: unlimited.",
        ),
    ]);
    let session = answer([
        field("user", nullable(user), "Signed-in user."),
        field("organization", organization, "Organization of the user."),
        field(
            "permissions",
            each(text("keyhouse:keys:create")),
            "Management permissions of the user.",
        ),
        field("notices", each(the("Notice")), "Changes that others made to the account."),
        field(
            "address",
            nullable(text("192.0.2.7").into()),
            "IP address of the client. Null if it is unknown.",
        ),
    ]);
    let account = answer([
        field("id", id("usr"), "Id of the user."),
        field("name", text("Ada"), "Name of the user."),
        field("email", email("ada@example.com"), "Email address of the user."),
        field("email_verified", truth(true), "Whether the email address is verified."),
        field("role", text("owner"), "Name of a built-in role, or id of a custom role."),
        field("operator", truth(true), "Whether the user administers the instance."),
        field(
            "locale",
            nullable(choice(&LOCALES).into()),
            "Preferred language. Null: the language of the browser.",
        ),
        field("totp", truth(false), "Whether the second factor is on."),
        field(
            "backup_codes_left",
            nullable(count(10).into()),
            "Number of unused backup codes. Null without a second factor.",
        ),
        field("teams", each(team()), "Teams of the user."),
        field("created_at", moment(), "Time of creation."),
        field("version", count(1), "Version of the object, for `If-Match`."),
    ]);
    vec![
        ("Session", session),
        ("Account", account),
        ("Notice", notice()),
        ("OpenSession", open_session()),
    ]
}

fn notice() -> Schema {
    let by = answer([
        field("kind", choice(&["user", "key", "local"]), "Kind of the actor."),
        field(
            "id",
            nullable(text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f").into()),
            "Id of the user or key. Null for the local operator.",
        ),
        field(
            "name",
            nullable(text("Grace").into()),
            "Name of the user or key. Null if it is not available.",
        ),
    ]);
    answer([
        field("kind", choice(&NoticeKind::ALL.map(NoticeKind::name)), "Kind of the change."),
        field("at", moment(), "Time of the change."),
        field("by", by, "Actor of the change."),
    ])
}

/// A session, as its user and the managers of the user see it.
fn open_session() -> Schema {
    answer([
        field("id", id("ses"), "Id of the session."),
        field("created_at", moment(), "Time of the sign-in."),
        field("seen_at", moment(), "Time of the last request."),
        field("ends_at", moment(), "Time at which the session ends."),
        field(
            "address",
            nullable(text("192.0.2.7").into()),
            "IP address of the sign-in. Null if it is unknown.",
        ),
        field(
            "user_agent",
            nullable(text("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0").into()),
            "`User-Agent` of the sign-in. Null if none was sent.",
        ),
    ])
}
