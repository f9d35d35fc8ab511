//! The caller's organization and subscription, and for operators all organizations and the plans.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{Operation, operation};
use crate::http::schema::{
    Field, Schema, answer, any_of, choice, count, each, email, field, id, list, long, moment,
    moment_as, name, nullable, optional, page, pattern, request, text, the, truth, whole,
};
use crate::model::domain::DOMAINS_MAX;
use crate::model::limit::QUOTA_CALLS_MAX;
use crate::model::permission::PATTERNS_MAX;
use crate::model::plan::{KEY_LIFETIME_DAYS_MAX, PLAN_LIMIT_MAX};
use crate::model::role::{
    INSTANCE_MANAGE, ORGANIZATION_MANAGE, ORGANIZATION_READ, SUBSCRIPTION_READ,
};
use crate::model::second_factor::REQUIRED_OF_MAX;

pub(super) fn operations() -> Vec<Operation> {
    [own(), all(), subscriptions(), plans()].into_iter().flatten().collect()
}

fn own() -> Vec<Operation> {
    vec![
        operation(
            Method::GET,
            "/v1/organization",
            "showOrganization",
            "Show the caller's organization",
        )
        .needs(&[ORGANIZATION_READ])
        .answers(200, the("Organization"), "The organization.")
        .with_etag(),
        operation(
            Method::PATCH,
            "/v1/organization",
            "changeOrganization",
            "Change the caller's organization",
        )
        .details(
            "Only owners can change `second_factor_required_of`. Removing an item requires a \
             session with a second factor.",
        )
        .needs(&[ORGANIZATION_MANAGE])
        .versioned()
        .may_take(
            request([
                optional("name", name("Example"), "Name of the organization."),
                optional(
                    "members_create_keys",
                    truth(true),
                    "Whether users with the role `user` may create keys.",
                ),
                optional(
                    "key_lifetime_days_max",
                    whole(1, KEY_LIFETIME_DAYS_MAX, 365),
                    "Longest lifetime of a key in days. Null: unlimited.",
                ),
                optional(
                    "second_factor_required_of",
                    list(REQUIRED_OF_MAX, required_of()),
                    "Users who must have a second factor: operators, or the users of a role.",
                ),
            ]),
            json!({"name": "Example", "members_create_keys": true}),
        )
        .answers(200, the("Organization"), "The changed organization.")
        .with_etag()
        .fails(&["second_factor_required"]),
        operation(
            Method::GET,
            "/v1/subscription",
            "showSubscription",
            "Show the caller's subscription",
        )
        .needs(&[SUBSCRIPTION_READ])
        .answers(200, the("Subscription"), "Plan, status, limits and current usage.")
        .with_etag(),
    ]
}

fn all() -> Vec<Operation> {
    let made = answer([
        field("organization", the("Organization"), "The new organization."),
        field("invitation", the("Invitation"), "Invitation of the first owner."),
        field(
            "url",
            text("https://keys.example.com/invitation#token=a-secret-token"),
            "One-time link of the invitation.",
        ),
    ]);
    let path = "/v1/organizations/{organization}";
    vec![
        operation(Method::GET, "/v1/organizations", "listOrganizations", "List organizations")
            .needs(&[INSTANCE_MANAGE])
            .paged()
            .answers(200, page(the("Organization")), "A page of organizations."),
        operation(
            Method::POST,
            "/v1/organizations",
            "createOrganization",
            "Create an organization",
        )
        .needs(&[INSTANCE_MANAGE])
        .takes(
            request([
                field("name", name("Example"), "Name of the organization."),
                optional("plan", text("free"), "Name of the plan. Default: `free`."),
                field(
                    "owner_email",
                    email("olga@example.org"),
                    "Email address of the first owner.",
                ),
            ]),
            json!({"name": "Example", "plan": "pro", "owner_email": "olga@example.org"}),
        )
        .answers(201, made, "The organization, and the invitation of its first owner.")
        .with_location()
        .fails(&["too_many_organizations"]),
        operation(Method::GET, path, "showAnyOrganization", "Show an organization")
            .needs(&[INSTANCE_MANAGE])
            .answers(200, the("Organization"), "The organization.")
            .with_etag(),
        operation(Method::PATCH, path, "changeAnyOrganization", "Change an organization")
            .details(
                "`permissions` is the maximum of all keys of the organization; null removes \
                 it. `domains` are the verified email domains of the organization, by exact \
                 name; a domain belongs to at most one organization. A key with an expiry, \
                 IP rules or limits can change neither of them, nor \
                 `second_factor_required_of`. Removing an item of \
                 `second_factor_required_of` requires an operator in a session with a second \
                 factor.",
            )
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("name", name("Example"), "Name of the organization."),
                    optional(
                        "suspended",
                        truth(false),
                        "Whether the organization is suspended: its keys are rejected.",
                    ),
                    optional(
                        "domains",
                        list(DOMAINS_MAX, domain()),
                        "Verified email domains of the organization.",
                    ),
                    optional(
                        "second_factor_required_of",
                        list(REQUIRED_OF_MAX, required_of()),
                        "Users who must have a second factor: operators, or the users of a role.",
                    ),
                    optional(
                        "permissions",
                        list(PATTERNS_MAX, pattern("diagrams:*")),
                        "Maximum permissions of all keys of the organization. Null: unlimited.",
                    ),
                ]),
                json!({"suspended": false, "permissions": ["diagrams:*"]}),
            )
            .answers(200, the("Organization"), "The changed organization.")
            .with_etag()
            .fails(&["domain_taken", "second_factor_required"]),
    ]
}

fn domain() -> Schema {
    text("example.com").into()
}

/// Users that need a second factor: operators, or users with a role.
fn required_of() -> Schema {
    let named = choice(&["operator", "user", "guest", "administrator", "owner"]);
    any_of([named.into(), id("role").into()])
}

fn subscriptions() -> Vec<Operation> {
    let path = "/v1/organizations/{organization}/subscription";
    vec![
        operation(
            Method::GET,
            path,
            "showAnySubscription",
            "Show the subscription of an organization",
        )
        .needs(&[INSTANCE_MANAGE])
        .answers(200, the("Subscription"), "The subscription.")
        .with_etag(),
        operation(
            Method::PATCH,
            path,
            "changeSubscription",
            "Change the subscription of an organization",
        )
        .details(
            "The change applies to the next check and deletes nothing. Without API access, \
             keys are rejected with `SUBSCRIPTION_REQUIRED`.",
        )
        .needs(&[INSTANCE_MANAGE])
        .versioned()
        .may_take(
            request([
                optional("plan", text("pro"), "Name of the plan."),
                optional("status", status(), "Status of the subscription."),
                optional(
                    "current_period_end",
                    moment_as("2999-12-31T00:00:00.000Z"),
                    "Time at which the paid period ends. Null: never.",
                ),
            ]),
            json!({"plan": "enterprise", "status": "active", "current_period_end": null}),
        )
        .answers(200, the("Subscription"), "The changed subscription.")
        .with_etag(),
    ]
}

fn plans() -> Vec<Operation> {
    let cursor = || choice(&["ZW50ZXJwcmlzZQ", "ZnJlZQ", "cHJv"]);
    let listed = answer([
        field("items", each(the("Plan")), "Items of the page."),
        field(
            "next_cursor",
            nullable(cursor().into()),
            "Cursor of the next page. Null on the last page.",
        ),
    ]);
    let features = FEATURES.map(|(name, description)| optional(name, truth(true), description));
    let limits = limits(optional);
    vec![
        operation(Method::GET, "/v1/plans", "listPlans", "List plans")
            .needs(&[INSTANCE_MANAGE])
            .paged_by(cursor())
            .answers(200, listed, "A page of plans, by name."),
        operation(Method::GET, "/v1/plans/{plan}", "showPlan", "Show a plan")
            .needs(&[INSTANCE_MANAGE])
            .answers(200, the("Plan"), "The plan.")
            .with_etag(),
        operation(Method::PATCH, "/v1/plans/{plan}", "changePlan", "Change a plan")
            .details(
                "The change applies to the next check of every organization with the plan. A \
                 limit of null means unlimited.",
            )
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("features", request(features), "Features to change."),
                    optional("limits", request(limits), "Limits to change."),
                ]),
                json!({"features": {"teams": true}, "limits": {"keys": 10000, "users": null}}),
            )
            .answers(200, the("Plan"), "The changed plan.")
            .with_etag(),
    ]
}

/// The features of a plan.
const FEATURES: [(&str, &str); 3] = [
    ("api_access", "Whether keys work."),
    ("teams", "Whether teams are included."),
    ("multiple_teams", "Whether more than one team is included."),
];

fn limits(field: fn(&'static str, Schema, &'static str) -> Field) -> [Field; 5] {
    [
        field(
            "keys_per_user",
            whole(0, PLAN_LIMIT_MAX, 50).into(),
            "Most personal keys of a user. Null: unlimited.",
        ),
        field(
            "keys",
            whole(0, PLAN_LIMIT_MAX, 10_000).into(),
            "Most keys of the organization. Null: unlimited.",
        ),
        field(
            "users",
            whole(0, PLAN_LIMIT_MAX, 500).into(),
            "Most users of the organization. Null: unlimited.",
        ),
        field(
            "requests_per_10s",
            whole(1, PLAN_LIMIT_MAX, 2_000).into(),
            "Calls in 10 seconds with all keys together. Null: unlimited.",
        ),
        field(
            "requests_per_month",
            long(1, QUOTA_CALLS_MAX, 1_000_000).into(),
            "Calls in a month with all keys together. Null: unlimited.",
        ),
    ]
}

fn status() -> Schema {
    choice(&["active", "trialing", "past_due", "canceled"]).into()
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let organization = answer([
        field("id", id("org"), "Id of the organization."),
        field("name", text("Example"), "Name of the organization."),
        field(
            "suspended",
            truth(false),
            "Whether the organization is suspended: its keys are rejected.",
        ),
        field(
            "permissions",
            each(text("*")),
            "Maximum permissions of all keys of the organization.",
        ),
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
        field("domains", each(domain()), "Verified email domains of the organization."),
        field(
            "second_factor_required_of",
            each(required_of()),
            "Users who must have a second factor: operators, or the users of a role.",
        ),
        field("plan", text("pro"), "Name of the plan."),
        field("created_at", moment(), "Time of creation."),
        field("version", count(1), "Version of the object, for `If-Match`."),
    ]);
    let used = answer([
        field("keys", count(3), "Number of keys."),
        field("users", count(2), "Number of users."),
        field("teams", count(1), "Number of teams."),
    ]);
    let subscription = answer([
        field("organization", id("org"), "Id of the organization."),
        field("plan", text("pro"), "Name of the plan."),
        field("features", the("Features"), "Features of the plan."),
        field("limits", the("Limits"), "Limits of the plan."),
        field("status", status(), "Status of the subscription."),
        field(
            "current_period_end",
            nullable(moment().into()),
            "Time at which the paid period ends. Null: never.",
        ),
        field("access", truth(true), "Whether keys of the organization work now."),
        field("used", used, "Numbers that count toward the limits."),
        field("version", count(1), "Version of the object, for `If-Match`."),
    ]);
    let plan = answer([
        field("id", text("pro"), "Name of the plan."),
        field("features", the("Features"), "Features of the plan."),
        field("limits", the("Limits"), "Limits of the plan."),
        field("version", count(1), "Version of the object, for `If-Match`."),
    ]);
    let features = FEATURES.map(|(name, description)| field(name, truth(true), description));
    let limits = limits(|name, schema, description| field(name, nullable(schema), description));
    vec![
        ("Organization", organization),
        ("Subscription", subscription),
        ("Plan", plan),
        ("Features", answer(features)),
        ("Limits", answer(limits)),
    ]
}
