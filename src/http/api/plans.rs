//! `/v1/plans`: features and limits of the plans, for operators.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::changes::Target;
use crate::actions::instance::plans::PlanChange;
use crate::http::api::keys::calls;
use crate::http::api::{cursor, page_limit, versions, with_etag};
use crate::http::input::{Fields, boolean, number, object};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::plan::PLAN_LIMIT_MAX;
use crate::records::access::PlanRecord;

pub(in crate::http) fn list_plans(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let limit = page_limit(&mut parameters);
    let after = parameters.old_optional("cursor", "invalid_cursor", cursor::read_plan);
    parameters.finish()?;
    let listed = app.actions.list_plans(call.actor()?, limit, after)?;
    let last = listed.items.last().filter(|_last| listed.more);
    let next = last.map(|plan| cursor::write_name(&plan.name));
    let items: Vec<Value> = listed.items.iter().map(plan_view).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": next })))
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(&app.actions.plan(call.actor()?, call.param(0))?))
}

pub(in crate::http) fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let mut change = PlanChange::default();
    fields.old_optional(
        "features",
        object(|fields| {
            change.api_access = fields.old_optional("api_access", boolean);
            change.teams = fields.old_optional("teams", boolean);
            change.multiple_teams = fields.old_optional("multiple_teams", boolean);
            Some(())
        }),
    );
    fields.old_optional(
        "limits",
        object(|fields| {
            let count = || number(0, PLAN_LIMIT_MAX);
            change.keys_per_user = fields.old_nullable("keys_per_user", count());
            change.keys = fields.old_nullable("keys", count());
            change.users = fields.old_nullable("users", count());
            change.requests_per_10s =
                fields.old_nullable("requests_per_10s", number(1, PLAN_LIMIT_MAX));
            change.requests_per_month = fields.old_nullable("requests_per_month", calls);
            Some(())
        }),
    );
    fields.finish().map_err(Problem::invalid)?;
    let target = Target { id: call.param(0).to_owned(), versions: versions(call) };
    let changed = app.actions.change_plan(call.actor()?, &target, &change)?;
    Ok(answer_record(&changed))
}

fn answer_record(record: &PlanRecord) -> Response {
    with_etag(answer::json(&plan_view(record)), record.version)
}

pub(super) fn plan_view(record: &PlanRecord) -> Value {
    json!({
        "id": record.name,
        "features": {
            "api_access": record.api_access,
            "teams": record.teams,
            "multiple_teams": record.multiple_teams,
        },
        "limits": {
            "keys_per_user": record.keys_per_user,
            "keys": record.keys,
            "users": record.users,
            "requests_per_10s": record.requests_per_10s,
            "requests_per_month": record.requests_per_month,
        },
        "version": record.version,
    })
}
