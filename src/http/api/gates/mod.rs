//! `/v1/gates`: the access policies of protected APIs, for operators.

pub(in crate::http) mod trial;

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::ActionError;
use crate::actions::changes::Target;
use crate::actions::instance::gates::{GateChange, shape};
use crate::http::api::{cursor, page_limit, versions, with_etag};
use crate::http::check::verify;
use crate::http::input::{Fields, list, number, object, parsed, text, wrong};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::credential::{CREDENTIALS_MAX, CredentialSource};
use crate::model::fault::Fault;
use crate::model::gate::{ACCEPTED_MAX, GateName, Preflight, ROUTES_MAX, RouteAccess};
use crate::model::id::OrganizationId;
use crate::model::key_text::Environment;
use crate::model::limit::COST_MAX;
use crate::model::route::{Ambiguities, Ambiguity, HostPattern, METHODS_MAX, Methods, PathPattern};
use crate::records::gate::{GateRecord, RouteRecord};

pub(in crate::http) fn list_gates(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let limit = page_limit(&mut parameters);
    let after = parameters.old_optional("cursor", "invalid_cursor", cursor::read_text::<GateName>);
    parameters.finish()?;
    let after = after.as_ref().map(GateName::as_str);
    let listed = app.actions.list_gates(call.actor()?, limit, after)?;
    let last = listed.items.last().filter(|_last| listed.more);
    let next = last.map(|gate| cursor::write_name(&gate.name));
    let items: Vec<Value> = listed.items.iter().map(gate_view).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": next })))
}

pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let name = fields.old_required("name", parsed("invalid_gate_name", str::parse::<GateName>));
    let draft = read_change(&mut fields);
    fields.finish().map_err(Problem::invalid)?;
    let name = name.ok_or_else(|| Problem::invalid(Vec::new()))?;
    let record = app.actions.create_gate(call.actor()?, &name, &draft)?;
    let location = format!("/v1/gates/{name}");
    let made = answer::created(&gate_view(&record)).with_additional_header("Location", location);
    Ok(with_etag(made, record.version))
}

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(&app.actions.gate(call.actor()?, &name(call)?)?))
}

pub(in crate::http) fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let change = read_change(&mut fields);
    fields.finish().map_err(Problem::invalid)?;
    Ok(answer_record(&app.actions.change_gate(call.actor()?, &target(call)?, &change)?))
}

pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.remove_gate(call.actor()?, &target(call)?)?;
    Ok(answer::empty())
}

fn name(call: &Call<'_>) -> Result<GateName, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("gate").into())
}

fn target(call: &Call<'_>) -> Result<Target<GateName>, Problem> {
    Ok(Target { id: name(call)?, versions: versions(call) })
}

fn read_change(fields: &mut Fields) -> GateChange {
    let environment = |value: Value, pointer: &str| {
        parsed("invalid_environment", str::parse::<Environment>)(value, pointer)
    };
    let organization = |value: Value, pointer: &str| {
        parsed("invalid_id", str::parse::<OrganizationId>)(value, pointer)
    };
    GateChange {
        description: fields.old_description("description"),
        credentials: fields.old_optional("credentials", some(CREDENTIALS_MAX, credential)),
        routes: fields.old_optional("routes", list(ROUTES_MAX, route)),
        organizations: fields.old_nullable("organizations", some(ACCEPTED_MAX, organization)),
        environments: fields.old_nullable("environments", some(ACCEPTED_MAX, environment)),
        cost: fields.old_optional("cost", number(0, COST_MAX)),
        preflight: fields
            .old_optional("preflight", parsed("invalid_choice", str::parse::<Preflight>)),
    }
}

/// Reads a list that must not be empty. Repeated items are dropped.
fn some<T: PartialEq>(
    max: usize,
    read: impl Fn(Value, &str) -> Result<T, Vec<Fault>>,
) -> impl FnOnce(Value, &str) -> Result<Vec<T>, Vec<Fault>> {
    move |value, pointer| {
        let mut named = Vec::new();
        for one in list(max, read)(value, pointer)? {
            if !named.contains(&one) {
                named.push(one);
            }
        }
        if named.is_empty() {
            return wrong(pointer, "required", "must have at least one item");
        }
        Ok(named)
    }
}

fn credential(value: Value, pointer: &str) -> Result<CredentialSource, Vec<Fault>> {
    parsed("invalid_header", str::parse::<CredentialSource>)(value, pointer)
}

fn route(value: Value, pointer: &str) -> Result<RouteRecord, Vec<Fault>> {
    object(|fields| {
        let host = fields.old_optional("host", parsed("invalid_host", str::parse::<HostPattern>));
        let path = fields.old_required("path", parsed("invalid_path", str::parse::<PathPattern>));
        let methods = fields.old_optional("methods", methods).unwrap_or_default();
        let access =
            fields.old_optional("access", parsed("invalid_choice", str::parse::<RouteAccess>));
        let access = access.unwrap_or(RouteAccess::Key);
        let requirement = fields.old_optional("permissions", verify::requirement);
        let cost = fields.old_optional("cost", number(0, COST_MAX));
        for (name, is_said) in [("permissions", requirement.is_some()), ("cost", cost.is_some())] {
            if is_said && access != RouteAccess::Key {
                fields.fault(
                    name,
                    "contradiction",
                    "is only for routes with access key: remove this field, or set access to key",
                );
            }
        }
        let allow = fields.old_optional("allow", allow).unwrap_or_default();
        if let Some(path) = &path
            && let Some(doubt) = path.unreachable(allow.iter().copied().collect())
        {
            fields.fault("path", "invalid_path", doubt);
        }
        Some(RouteRecord { host, path: path?, methods, access, requirement, cost, allow })
    })(value, pointer)
}

/// Reads the ambiguities that a route allows. The list may be empty; repeated items are dropped.
fn allow(value: Value, pointer: &str) -> Result<Vec<Ambiguity>, Vec<Fault>> {
    let kind = |value: Value, pointer: &str| {
        parsed("invalid_choice", str::parse::<Ambiguity>)(value, pointer)
    };
    let kinds: Ambiguities =
        list(Ambiguity::ALL.len(), kind)(value, pointer)?.into_iter().collect();
    Ok(kinds.iter().collect())
}

fn methods(value: Value, pointer: &str) -> Result<Vec<String>, Vec<Fault>> {
    let method = |value: Value, pointer: &str| {
        let method = text(value, pointer)?;
        let checked = Methods::new([method.as_str()]);
        checked.map(|_set| method).or_else(|error| wrong(pointer, "invalid_method", error))
    };
    some(METHODS_MAX, method)(value, pointer)
}

fn answer_record(record: &GateRecord) -> Response {
    with_etag(answer::json(&gate_view(record)), record.version)
}

fn gate_view(record: &GateRecord) -> Value {
    let mut view = shape(record);
    if let Value::Object(fields) = &mut view {
        fields.insert("id".to_owned(), record.id.to_string().into());
        fields.insert("created_at".to_owned(), record.created_at.to_string().into());
        fields.insert("version".to_owned(), record.version.into());
    }
    view
}
