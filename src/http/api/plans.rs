//! `/v1/plans`: features and limits of the plans, for operators.

use rouille::Response;
use serde_json::json;
use utoipa::openapi::schema::ObjectBuilder;

use crate::actions::changes::Target;
use crate::actions::instance::plans::PlanChange;
use crate::http::api::{CURSOR, cursor, page_limit, versions};
use crate::http::endpoint::{Endpoint, get, patch};
use crate::http::input::{Fields, object};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::reading::{boolean, long, number, parsed};
use crate::http::schema::{self, choice, count, nullable, text, truth, whole};
use crate::http::view::{Page, view};
use crate::http::{App, Call, answer};
use crate::model::fault::FaultCode;
use crate::model::limit::QUOTA_CALLS_MAX;
use crate::model::plan::PLAN_LIMIT_MAX;
use crate::model::role::INSTANCE_MANAGE;
use crate::records::access::PlanRecord;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/plans", list_plans)
            .named("listPlans", "List plans")
            .needs(&[INSTANCE_MANAGE])
            .query(paging)
            .answers::<PlanPage>(200, "A page of plans, by name."),
        get("/v1/plans/{plan}", show)
            .named("showPlan", "Show a plan")
            .needs(&[INSTANCE_MANAGE])
            .answers::<PlanView>(200, "The plan.")
            .with_etag(),
        patch("/v1/plans/{plan}", change)
            .named("changePlan", "Change a plan")
            .details(
                "The change applies to the next check of every organization with the plan. A \
                 limit of null means unlimited.",
            )
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(
                read_change,
                json!({"features": {"teams": true}, "limits": {"keys": 10000, "users": null}}),
            )
            .answers::<PlanView>(200, "The changed plan.")
            .with_etag(),
    ]
}

view! {
    PlanPage {
        /// Items of the page.
        items: Vec<PlanView>,
        /// Cursor of the next page. Null on the last page.
        next_cursor: Option<String> => nullable(plan_cursor().into()),
    }
}

view! {
    PlanView = "Plan" {
        /// Name of the plan.
        id: Box<str> => text("pro"),
        /// Features of the plan.
        features: FeaturesView,
        /// Limits of the plan.
        limits: LimitsView,
        /// Version of the object, for `If-Match`.
        version: u64 => count(1),
    }
}

view! {
    FeaturesView = "Features" {
        /// Whether keys work.
        api_access: bool => truth(true),
        /// Whether teams are included.
        teams: bool => truth(true),
        /// Whether more than one team is included.
        multiple_teams: bool => truth(true),
    }
}

view! {
    LimitsView = "Limits" {
        /// Most personal keys of a user. Null: unlimited.
        keys_per_user: Option<u32> => nullable(whole(0, PLAN_LIMIT_MAX, 50).into()),
        /// Most keys of the organization. Null: unlimited.
        keys: Option<u32> => nullable(whole(0, PLAN_LIMIT_MAX, 10_000).into()),
        /// Most users of the organization. Null: unlimited.
        users: Option<u32> => nullable(whole(0, PLAN_LIMIT_MAX, 500).into()),
        /// Calls in 10 seconds with all keys together. Null: unlimited.
        requests_per_10s: Option<u32> => nullable(whole(1, PLAN_LIMIT_MAX, 2_000).into()),
        /// Calls in a month with all keys together. Null: unlimited.
        requests_per_month: Option<u64> =>
            nullable(schema::long(1, QUOTA_CALLS_MAX, 1_000_000).into()),
    }
}

/// The cursors of a list of plans: plans cannot be added or removed.
fn plan_cursor() -> ObjectBuilder {
    choice(&["ZW50ZXJwcmlzZQ", "ZnJlZQ", "cHJv"])
}

fn paging(parameters: &mut Parameters) -> (usize, Option<&'static str>) {
    let limit = page_limit(parameters);
    let reader = parsed(FaultCode::INVALID_CURSOR, cursor::read_plan, plan_cursor);
    (limit, parameters.optional("cursor", CURSOR, reader))
}

fn read_change(fields: &mut Fields) -> PlanChange {
    let features = fields.optional(
        "features",
        "Features to change.",
        object(|fields| Some(read_features(fields))),
    );
    let limits =
        fields.optional("limits", "Limits to change.", object(|fields| Some(read_limits(fields))));
    let features = features.unwrap_or_default();
    PlanChange {
        api_access: features.api_access,
        teams: features.teams,
        multiple_teams: features.multiple_teams,
        ..limits.unwrap_or_default()
    }
}

fn read_features(fields: &mut Fields) -> PlanChange {
    let mut feature = |name, about| fields.optional(name, about, boolean(true));
    PlanChange {
        api_access: feature("api_access", "Whether keys work."),
        teams: feature("teams", "Whether teams are included."),
        multiple_teams: feature("multiple_teams", "Whether more than one team is included."),
        ..PlanChange::default()
    }
}

fn read_limits(fields: &mut Fields) -> PlanChange {
    let mut limit = |name, about, min, example| {
        fields.nullable(name, about, number(min, PLAN_LIMIT_MAX, example))
    };
    PlanChange {
        keys_per_user: limit(
            "keys_per_user",
            "Most personal keys of a user. Null: unlimited.",
            0,
            50,
        ),
        keys: limit("keys", "Most keys of the organization. Null: unlimited.", 0, 10_000),
        users: limit("users", "Most users of the organization. Null: unlimited.", 0, 500),
        requests_per_10s: limit(
            "requests_per_10s",
            "Calls in 10 seconds with all keys together. Null: unlimited.",
            1,
            2_000,
        ),
        requests_per_month: fields.nullable(
            "requests_per_month",
            "Calls in a month with all keys together. Null: unlimited.",
            long(1, QUOTA_CALLS_MAX, 1_000_000),
        ),
        ..PlanChange::default()
    }
}

fn list_plans(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging)?;
    let listed = app.actions.list_plans(call.actor()?, limit, after)?;
    let Page { items, next_cursor } =
        Page::of(&listed, |plan| cursor::write_name(&plan.name), plan_view);
    Ok(answer::json(&PlanPage { items, next_cursor }))
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(&app.actions.plan(call.actor()?, call.param(0))?))
}

fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let change = call.read(read_change)?;
    let target = Target { id: call.param(0).to_owned(), versions: versions(call) };
    Ok(answer_record(&app.actions.change_plan(call.actor()?, &target, &change)?))
}

fn answer_record(record: &PlanRecord) -> Response {
    answer::versioned(&plan_view(record), record.version)
}

fn plan_view(record: &PlanRecord) -> PlanView {
    PlanView {
        id: record.name.clone(),
        features: features_view(record),
        limits: limits_view(record),
        version: record.version,
    }
}

pub(super) fn features_view(record: &PlanRecord) -> FeaturesView {
    FeaturesView {
        api_access: record.api_access,
        teams: record.teams,
        multiple_teams: record.multiple_teams,
    }
}

pub(super) fn limits_view(record: &PlanRecord) -> LimitsView {
    LimitsView {
        keys_per_user: record.keys_per_user,
        keys: record.keys,
        users: record.users,
        requests_per_10s: record.requests_per_10s,
        requests_per_month: record.requests_per_month,
    }
}
