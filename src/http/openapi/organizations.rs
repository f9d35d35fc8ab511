//! The caller's organization and subscription, and for operators all organizations and the plans.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{Operation, operation};
use crate::http::openapi::schema::{
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
        operation(Method::GET, "/v1/organization", "showOrganization", "Show the caller's organization")
            .needs(&[ORGANIZATION_READ])
            .answers(200, the("Organization"), "The organization.")
            .with_etag(),
        operation(Method::PATCH, "/v1/organization", "changeOrganization", "Change the caller's organization")
            .details(
                "Only owners can change `second_factor_required_of`. Removing an item requires a session \
                 with a second factor.",
            )
            .needs(&[ORGANIZATION_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("name", name("Example")),
                    optional("members_create_keys", truth(true)),
                    optional("key_lifetime_days_max", whole(1, KEY_LIFETIME_DAYS_MAX, 365)),
                    optional("second_factor_required_of", list(REQUIRED_OF_MAX, required_of())),
                ]),
                json!({"name": "Example", "members_create_keys": true}),
            )
            .answers(200, the("Organization"), "The changed organization.")
            .with_etag()
            .fails(&["second_factor_required"]),
        operation(Method::GET, "/v1/subscription", "showSubscription", "Show the caller's subscription")
            .needs(&[SUBSCRIPTION_READ])
            .answers(200, the("Subscription"), "Plan, status, limits and current usage.")
            .with_etag(),
    ]
}

fn all() -> Vec<Operation> {
    let made = answer([
        field("organization", the("Organization")),
        field("invitation", the("Invitation")),
        field("url", text("https://keys.example.com/invitation#token=a-secret-token")),
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
                field("name", name("Example")),
                optional("plan", text("free")),
                field("owner_email", email("olga@example.org")),
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
                "`permissions` is the maximum of all keys of the organization; null removes it. \
                 `domains` are the verified email domains of the organization, by exact name; a domain \
                 belongs to at most one organization. A key with an expiry, IP rules or limits can \
                 change neither of them, nor `second_factor_required_of`. Removing an item of \
                 `second_factor_required_of` requires an operator in a session with a second factor.",
            )
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("name", name("Example")),
                    optional("suspended", truth(false)),
                    optional("domains", list(DOMAINS_MAX, domain())),
                    optional("second_factor_required_of", list(REQUIRED_OF_MAX, required_of())),
                    optional("permissions", list(PATTERNS_MAX, pattern("diagrams:*"))),
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

/// Users for whom a second factor is required: operators, or users with a role.
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
        operation(Method::PATCH, path, "changeSubscription", "Change the subscription of an organization")
            .details(
                "The change applies to the next check and deletes nothing. Without API access, keys are \
                 rejected with `SUBSCRIPTION_REQUIRED`.",
            )
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("plan", text("pro")),
                    optional("status", status()),
                    optional("current_period_end", moment_as("2999-12-31T00:00:00.000Z")),
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
        field("items", each(the("Plan"))),
        field("next_cursor", nullable(cursor().into())),
    ]);
    let features =
        ["api_access", "teams", "multiple_teams"].map(|name| optional(name, truth(true)));
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
                "The change applies to the next check of every organization with the plan. A limit of \
                 null means unlimited.",
            )
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(
                request([
                    optional("features", request(features)),
                    optional("limits", request(limits)),
                ]),
                json!({"features": {"teams": true}, "limits": {"keys": 10000, "users": null}}),
            )
            .answers(200, the("Plan"), "The changed plan.")
            .with_etag(),
    ]
}

fn limits(field: fn(&'static str, Schema) -> Field) -> [Field; 5] {
    [
        field("keys_per_user", whole(0, PLAN_LIMIT_MAX, 50).into()),
        field("keys", whole(0, PLAN_LIMIT_MAX, 10_000).into()),
        field("users", whole(0, PLAN_LIMIT_MAX, 500).into()),
        field("requests_per_10s", whole(1, PLAN_LIMIT_MAX, 2_000).into()),
        field("requests_per_month", long(1, QUOTA_CALLS_MAX, 1_000_000).into()),
    ]
}

fn status() -> Schema {
    choice(&["active", "trialing", "past_due", "canceled"]).into()
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let organization = answer([
        field("id", id("org")),
        field("name", text("Example")),
        field("suspended", truth(false)),
        field("permissions", each(text("*"))),
        field("members_create_keys", truth(true)),
        field("key_lifetime_days_max", nullable(count(365).into())),
        field("domains", each(domain())),
        field("second_factor_required_of", each(required_of())),
        field("plan", text("pro")),
        field("created_at", moment()),
        field("version", count(1)),
    ]);
    let used =
        answer([field("keys", count(3)), field("users", count(2)), field("teams", count(1))]);
    let subscription = answer([
        field("organization", id("org")),
        field("plan", text("pro")),
        field("features", the("Features")),
        field("limits", the("Limits")),
        field("status", status()),
        field("current_period_end", nullable(moment().into())),
        field("access", truth(true)),
        field("used", used),
        field("version", count(1)),
    ]);
    let plan = answer([
        field("id", text("pro")),
        field("features", the("Features")),
        field("limits", the("Limits")),
        field("version", count(1)),
    ]);
    let features = ["api_access", "teams", "multiple_teams"].map(|name| field(name, truth(true)));
    let limits = limits(|name, schema| field(name, nullable(schema)));
    vec![
        ("Organization", organization),
        ("Subscription", subscription),
        ("Plan", plan),
        ("Features", answer(features)),
        ("Limits", answer(limits)),
    ]
}
