//! `/v1/organization` and `/v1/subscription`, and for operators `/v1/organizations`.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::actions::changes::Target;
use crate::actions::instance::organizations::{
    OrganizationChange, OrganizationDraft, SeenSubscription, SubscriptionChange,
};
use crate::http::api::keys::patterns;
use crate::http::api::{cursor, invitations, paging, plans, versions, with_etag};
use crate::http::input::{Fields, boolean, list, number, parsed, text};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::domain::{DOMAINS_MAX, parse_domain};
use crate::model::fault::Fault;
use crate::model::id::{OfOrganization, OrganizationId};
use crate::model::moment::Moment;
use crate::model::name::{parse_email, parse_name};
use crate::model::plan::{KEY_LIFETIME_DAYS_MAX, SubscriptionStatus};
use crate::model::second_factor::{REQUIRED_OF_MAX, RequiredOf};
use crate::records::access::OrganizationRecord;

pub(in crate::http) fn show_own(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(&app.actions.own_organization(call.actor()?)?))
}

pub(in crate::http) fn change_own(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let change = OrganizationChange {
        name: fields.old_optional("name", parsed("invalid_name", parse_name)),
        members_create_keys: fields.old_optional("members_create_keys", boolean),
        key_lifetime_days_max: fields
            .old_nullable("key_lifetime_days_max", number(1, KEY_LIFETIME_DAYS_MAX)),
        second_factor_required_of: required_of(&mut fields),
        ..OrganizationChange::default()
    };
    fields.finish().map_err(Problem::invalid)?;
    let changed = app.actions.change_own_organization(call.actor()?, versions(call), &change)?;
    Ok(answer_record(&changed))
}

pub(in crate::http) fn list_all(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let (limit, after) = paging::<OfOrganization>(&mut parameters);
    parameters.finish()?;
    let listed = app.actions.list_organizations(call.actor()?, limit, after)?;
    let last = listed.items.last().filter(|_last| listed.more).map(|last| last.id);
    let items: Vec<Value> = listed.items.iter().map(organization_view).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": last.map(cursor::write) })))
}

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let name = fields.old_required("name", parsed("invalid_name", parse_name));
    let plan = fields.old_optional("plan", text);
    let email = fields.old_required("owner_email", parsed("invalid_email", parse_email));
    fields.finish().map_err(Problem::invalid)?;
    let (Some(name), Some(owner_email)) = (name, email) else {
        return Err(Problem::invalid(Vec::new()));
    };
    let draft = OrganizationDraft { name, plan, owner_email };
    let made = app.actions.create_organization(call.actor()?, &draft)?;
    let location = format!("/v1/organizations/{}", made.record.id);
    let reported = json!({
        "organization": organization_view(&made.record),
        "invitation": invitations::invitation_view(&made.invitation),
        "url": invitations::link(app, &made.token),
    });
    let answer = answer::created(&reported).with_additional_header("Location", location);
    Ok(with_etag(answer, made.record.version))
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(&app.actions.organization(call.actor()?, named(call)?)?))
}

pub(in crate::http) fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let change = OrganizationChange {
        name: fields.old_optional("name", parsed("invalid_name", parse_name)),
        domains: fields.old_optional("domains", list(DOMAINS_MAX, domain)),
        second_factor_required_of: required_of(&mut fields),
        suspended: fields.old_optional("suspended", boolean),
        permissions: fields.old_nullable("permissions", patterns),
        ..OrganizationChange::default()
    };
    fields.finish().map_err(Problem::invalid)?;
    let changed = app.actions.change_organization(call.actor()?, &target(call)?, &change)?;
    Ok(answer_record(&changed))
}

pub(in crate::http) fn show_own_subscription(
    app: &App,
    call: &Call<'_>,
) -> Result<Response, Problem> {
    Ok(answer_subscription(&app.actions.own_subscription(call.actor()?)?))
}

pub(in crate::http) fn show_subscription(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_subscription(&app.actions.subscription(call.actor()?, named(call)?)?))
}

pub(in crate::http) fn change_subscription(
    app: &App,
    call: &Call<'_>,
) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let change = SubscriptionChange {
        plan: fields.old_optional("plan", text),
        status: fields
            .old_optional("status", parsed("invalid_status", str::parse::<SubscriptionStatus>)),
        current_period_end: fields
            .old_nullable("current_period_end", parsed("invalid_time", str::parse::<Moment>)),
    };
    fields.finish().map_err(Problem::invalid)?;
    let changed = app.actions.change_subscription(call.actor()?, &target(call)?, &change)?;
    Ok(answer_subscription(&changed))
}

fn domain(value: Value, pointer: &str) -> Result<Box<str>, Vec<Fault>> {
    parsed("invalid_domain", parse_domain)(value, pointer)
}

/// Reads the list of the users who must have a second factor.
fn required_of(fields: &mut Fields) -> Option<Vec<RequiredOf>> {
    let entry =
        |value, pointer: &str| parsed("invalid_role", str::parse::<RequiredOf>)(value, pointer);
    fields.old_optional("second_factor_required_of", list(REQUIRED_OF_MAX, entry))
}

/// The id of the organization in the path. A malformed id gives 404.
fn named(call: &Call<'_>) -> Result<OrganizationId, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("organization").into())
}

fn target(call: &Call<'_>) -> Result<Target<OrganizationId>, Problem> {
    Ok(Target { id: named(call)?, versions: versions(call) })
}

fn answer_record(record: &OrganizationRecord) -> Response {
    with_etag(answer::json(&organization_view(record)), record.version)
}

fn answer_subscription(seen: &SeenSubscription) -> Response {
    let organization = &seen.organization;
    let plan = plans::plan_view(&seen.plan);
    let reported = json!({
        "organization": organization.id.to_string(),
        "plan": organization.plan,
        "features": plan.get("features"),
        "limits": plan.get("limits"),
        "status": organization.status.to_string(),
        "current_period_end": organization.current_period_end.map(|end| end.to_string()),
        "access": seen.has_access,
        "used": { "keys": seen.keys, "users": seen.users, "teams": seen.teams },
        "version": organization.version,
    });
    with_etag(answer::json(&reported), organization.version)
}

fn organization_view(record: &OrganizationRecord) -> Value {
    json!({
        "id": record.id.to_string(),
        "name": record.name,
        "suspended": record.suspended,
        "permissions": record.ceiling.as_set().texts().collect::<Vec<_>>(),
        "members_create_keys": record.members_create_keys,
        "key_lifetime_days_max": record.key_lifetime_days_max,
        "domains": record.domains,
        "second_factor_required_of":
            record.second_factor_required_of.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "plan": record.plan,
        "created_at": record.created_at.to_string(),
        "version": record.version,
    })
}
