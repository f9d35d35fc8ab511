//! `/v1/organization` and `/v1/subscription`, and for operators `/v1/organizations`.

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::actions::changes::Target;
use crate::actions::instance::organizations::{
    OrganizationChange, OrganizationDraft, SeenSubscription, SubscriptionChange,
};
use crate::http::api::invitations::{InvitationView, invitation_view, link};
use crate::http::api::plans::{FeaturesView, LimitsView, features_view, limits_view};
use crate::http::api::{cursor, paging, versions};
use crate::http::endpoint::{Endpoint, get, patch, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{
    Read, ReadText, boolean, email, list, name, number, parsed, patterns, text as any_text,
};
use crate::http::schema::{
    Schema, any_of, choice, count, each, id, moment_as, nullable, text, truth,
};
use crate::http::view::{Page, Revealed, view};
use crate::http::{App, Call, answer};
use crate::model::domain::{DOMAINS_MAX, parse_domain};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::id::{OfOrganization, OrganizationId};
use crate::model::moment::Moment;
use crate::model::plan::{KEY_LIFETIME_DAYS_MAX, SubscriptionStatus};
use crate::model::role::{
    INSTANCE_MANAGE, ORGANIZATION_MANAGE, ORGANIZATION_READ, SUBSCRIPTION_READ,
};
use crate::model::second_factor::{REQUIRED_OF_MAX, RequiredOf};
use crate::records::access::OrganizationRecord;

const ORGANIZATION: &str = "/v1/organizations/{organization}";
const SUBSCRIPTION: &str = "/v1/organizations/{organization}/subscription";

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    [own(), all(), subscriptions()].into_iter().flatten().collect()
}

fn own() -> Vec<Endpoint> {
    vec![
        get("/v1/organization", show_own)
            .named("showOrganization", "Show the caller's organization")
            .needs(&[ORGANIZATION_READ])
            .answers::<OrganizationView>(200, "The organization.")
            .with_etag(),
        patch("/v1/organization", change_own)
            .named("changeOrganization", "Change the caller's organization")
            .details(
                "Only owners can change `second_factor_required_of`. Removing an item requires a \
                 session with a second factor.",
            )
            .needs(&[ORGANIZATION_MANAGE])
            .versioned()
            .may_take(read_own_change, json!({"name": "Example", "members_create_keys": true}))
            .answers::<OrganizationView>(200, "The changed organization.")
            .with_etag()
            .fails(&[errors::SECOND_FACTOR_REQUIRED]),
        get("/v1/subscription", show_own_subscription)
            .named("showSubscription", "Show the caller's subscription")
            .needs(&[SUBSCRIPTION_READ])
            .answers::<SubscriptionView>(200, "Plan, status, limits and current usage.")
            .with_etag(),
    ]
}

fn all() -> Vec<Endpoint> {
    vec![
        get("/v1/organizations", list_all)
            .named("listOrganizations", "List organizations")
            .needs(&[INSTANCE_MANAGE])
            .query(paging::<OfOrganization>)
            .answers::<Page<OrganizationView>>(200, "A page of organizations."),
        post("/v1/organizations", create)
            .named("createOrganization", "Create an organization")
            .needs(&[INSTANCE_MANAGE])
            .takes(
                read_draft,
                json!({"name": "Example", "plan": "pro", "owner_email": "olga@example.org"}),
            )
            .answers::<NewOrganizationView>(
                201,
                "The organization, and the invitation of its first owner.",
            )
            .with_location()
            .fails(&[errors::TOO_MANY_ORGANIZATIONS, errors::PROOF_REQUIRED]),
        get(ORGANIZATION, show)
            .named("showAnyOrganization", "Show an organization")
            .needs(&[INSTANCE_MANAGE])
            .answers::<OrganizationView>(200, "The organization.")
            .with_etag(),
        patch(ORGANIZATION, change)
            .named("changeAnyOrganization", "Change an organization")
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
            .may_take(read_change, json!({"suspended": false, "permissions": ["diagrams:*"]}))
            .answers::<OrganizationView>(200, "The changed organization.")
            .with_etag()
            .fails(&[errors::DOMAIN_TAKEN, errors::SECOND_FACTOR_REQUIRED]),
    ]
}

fn subscriptions() -> Vec<Endpoint> {
    vec![
        get(SUBSCRIPTION, show_subscription)
            .named("showAnySubscription", "Show the subscription of an organization")
            .needs(&[INSTANCE_MANAGE])
            .answers::<SubscriptionView>(200, "The subscription.")
            .with_etag(),
        patch(SUBSCRIPTION, change_subscription)
            .named("changeSubscription", "Change the subscription of an organization")
            .details(
                "The change applies to the next check and deletes nothing. Without API access, \
                 keys are rejected with `SUBSCRIPTION_REQUIRED`.",
            )
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(
                read_subscription_change,
                json!({"plan": "enterprise", "status": "active", "current_period_end": null}),
            )
            .answers::<SubscriptionView>(200, "The changed subscription.")
            .with_etag(),
    ]
}

view! {
    OrganizationView = "Organization" {
        /// Id of the organization.
        id: OrganizationId,
        /// Name of the organization.
        name: String => text("Example"),
        /// Whether the organization is suspended: its keys are rejected.
        suspended: bool => truth(false),
        /// Maximum permissions of all keys of the organization.
        permissions: Vec<String> => each(text("*")),
        /// Whether users with the role `user` may create keys.
        members_create_keys: bool => truth(true),
        /// Longest lifetime of a key in days. Null: unlimited.
        key_lifetime_days_max: Option<u32> => nullable(count(365).into()),
        /// Verified email domains of the organization.
        domains: Vec<Box<str>> => each(text("example.com")),
        /// Users who must have a second factor: operators, or the users of a role.
        second_factor_required_of: Vec<String> => each(required_of()),
        /// Name of the plan.
        plan: Box<str> => text("pro"),
        /// Time of creation.
        created_at: Moment,
        /// Version of the object, for `If-Match`.
        version: u64 => count(1),
    }
}

view! {
    NewOrganizationView {
        /// The new organization.
        organization: OrganizationView,
        /// Invitation of the first owner.
        invitation: InvitationView,
        /// One-time link of the invitation.
        url: Revealed => text("https://keys.example.com/invitation#token=a-secret-token"),
    }
}

view! {
    SubscriptionView = "Subscription" {
        /// Id of the organization.
        organization: OrganizationId,
        /// Name of the plan.
        plan: Box<str> => text("pro"),
        /// Features of the plan.
        features: FeaturesView,
        /// Limits of the plan.
        limits: LimitsView,
        /// Status of the subscription.
        status: String => choice(&STATUSES),
        /// Time at which the paid period ends. Null: never.
        current_period_end: Option<Moment>,
        /// Whether keys of the organization work now.
        access: bool => truth(true),
        /// Numbers that count toward the limits.
        used: UsedView,
        /// Version of the object, for `If-Match`.
        version: u64 => count(1),
    }
}

view! {
    UsedView {
        /// Number of keys.
        keys: u64 => count(3),
        /// Number of users.
        users: usize => count(2),
        /// Number of teams.
        teams: usize => count(1),
    }
}

/// The values of a subscription's `status`.
const STATUSES: [&str; 4] = ["active", "trialing", "past_due", "canceled"];

/// Users that need a second factor: operators, or users with a role.
fn required_of() -> Schema {
    let named = choice(&["operator", "user", "guest", "administrator", "owner"]);
    any_of([named.into(), id("role").into()])
}

fn read_own_change(fields: &mut Fields) -> OrganizationChange {
    OrganizationChange {
        name: fields.optional("name", NAME, name("Example")),
        members_create_keys: fields.optional(
            "members_create_keys",
            "Whether users with the role `user` may create keys.",
            boolean(true),
        ),
        key_lifetime_days_max: fields.nullable(
            "key_lifetime_days_max",
            "Longest lifetime of a key in days. Null: unlimited.",
            number(1, KEY_LIFETIME_DAYS_MAX, 365),
        ),
        second_factor_required_of: fields.optional(
            "second_factor_required_of",
            REQUIRED_OF,
            required_of_reader(),
        ),
        ..OrganizationChange::default()
    }
}

fn read_draft(fields: &mut Fields) -> Option<OrganizationDraft> {
    let name = fields.required("name", NAME, name("Example"));
    let plan = fields.optional("plan", "Name of the plan. Default: `free`.", any_text("free"));
    let about = "Email address of the first owner.";
    let owner_email = fields.required("owner_email", about, email("olga@example.org"));
    Some(OrganizationDraft { name: name?, plan, owner_email: owner_email? })
}

fn read_change(fields: &mut Fields) -> OrganizationChange {
    let domain = parsed(FaultCode::INVALID_DOMAIN, parse_domain, || text("example.com"));
    OrganizationChange {
        name: fields.optional("name", NAME, name("Example")),
        domains: fields.optional(
            "domains",
            "Verified email domains of the organization.",
            list(DOMAINS_MAX, domain),
        ),
        second_factor_required_of: fields.optional(
            "second_factor_required_of",
            REQUIRED_OF,
            required_of_reader(),
        ),
        suspended: fields.optional(
            "suspended",
            "Whether the organization is suspended: its keys are rejected.",
            boolean(false),
        ),
        permissions: fields.nullable(
            "permissions",
            "Maximum permissions of all keys of the organization. Null: unlimited.",
            patterns("diagrams:*"),
        ),
        ..OrganizationChange::default()
    }
}

const NAME: &str = "Name of the organization.";
const REQUIRED_OF: &str = "Users who must have a second factor: operators, or the users of a role.";

fn required_of_reader() -> impl Read<Output = Vec<RequiredOf>> {
    list(REQUIRED_OF_MAX, parsed(FaultCode::INVALID_ROLE, str::parse::<RequiredOf>, required_of))
}

fn read_subscription_change(fields: &mut Fields) -> SubscriptionChange {
    let end = || moment_as("2999-12-31T00:00:00.000Z");
    SubscriptionChange {
        plan: fields.optional("plan", "Name of the plan.", any_text("pro")),
        status: fields.optional("status", "Status of the subscription.", status_reader()),
        current_period_end: fields.nullable(
            "current_period_end",
            "Time at which the paid period ends. Null: never.",
            parsed(FaultCode::INVALID_TIME, str::parse::<Moment>, end),
        ),
    }
}

pub(crate) fn status_reader() -> impl ReadText<Output = SubscriptionStatus> {
    parsed(FaultCode::INVALID_STATUS, str::parse, || choice(&STATUSES))
}

fn show_own(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(&app.actions.own_organization(call.actor()?)?))
}

fn change_own(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let change = call.read(read_own_change)?;
    let changed = app.actions.change_own_organization(call.actor()?, versions(call), &change)?;
    Ok(answer_record(&changed))
}

fn list_all(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging::<OfOrganization>)?;
    let listed = app.actions.list_organizations(call.actor()?, limit, after)?;
    let page = Page::of(&listed, |record| cursor::write(record.id), organization_view);
    Ok(answer::json(&page))
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let draft = call.read_required(read_draft)?;
    let made = app.actions.create_organization(call.actor()?, &draft)?;
    let location = app.location(&format!("/v1/organizations/{}", made.record.id));
    let view = NewOrganizationView {
        organization: organization_view(&made.record),
        invitation: invitation_view(made.invitation),
        url: link(app, &made.token),
    };
    Ok(answer::created_at(location, &view, made.record.version))
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(&app.actions.organization(call.actor()?, named(call)?)?))
}

fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let change = call.read(read_change)?;
    let changed = app.actions.change_organization(call.actor()?, &target(call)?, &change)?;
    Ok(answer_record(&changed))
}

fn show_own_subscription(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_subscription(app.actions.own_subscription(call.actor()?)?))
}

fn show_subscription(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_subscription(app.actions.subscription(call.actor()?, named(call)?)?))
}

fn change_subscription(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let change = call.read(read_subscription_change)?;
    let changed = app.actions.change_subscription(call.actor()?, &target(call)?, &change)?;
    Ok(answer_subscription(changed))
}

/// The id of the organization in the path. A malformed id gives 404.
fn named(call: &Call<'_>) -> Result<OrganizationId, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("organization").into())
}

fn target(call: &Call<'_>) -> Result<Target<OrganizationId>, Problem> {
    Ok(Target { id: named(call)?, versions: versions(call) })
}

fn answer_record(record: &OrganizationRecord) -> Response {
    answer::versioned(&organization_view(record), record.version)
}

fn answer_subscription(seen: SeenSubscription) -> Response {
    let organization = seen.organization;
    let view = SubscriptionView {
        organization: organization.id,
        plan: organization.plan,
        features: features_view(&seen.plan),
        limits: limits_view(&seen.plan),
        status: organization.status.to_string(),
        current_period_end: organization.current_period_end,
        access: seen.has_access,
        used: UsedView { keys: seen.keys, users: seen.users, teams: seen.teams },
        version: organization.version,
    };
    answer::versioned(&view, organization.version)
}

fn organization_view(record: &OrganizationRecord) -> OrganizationView {
    let required_of = record.second_factor_required_of.iter();
    OrganizationView {
        id: record.id,
        name: record.name.clone(),
        suspended: record.suspended,
        permissions: record.ceiling.as_set().texts().map(str::to_owned).collect(),
        members_create_keys: record.members_create_keys,
        key_lifetime_days_max: record.key_lifetime_days_max,
        domains: record.domains.clone(),
        second_factor_required_of: required_of.map(ToString::to_string).collect(),
        plan: record.plan.clone(),
        created_at: record.created_at,
        version: record.version,
    }
}
