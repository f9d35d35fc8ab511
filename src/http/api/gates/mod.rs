//! `/v1/gates`: the access policies of protected APIs, for operators.

pub(in crate::http) mod declared;
mod reading;
mod trial;
pub(in crate::http) mod view;

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::actions::changes::Target;
use crate::http::api::{cursor, paging_by_name, versions};
use crate::http::endpoint::{Endpoint, delete, get, patch, post};
use crate::http::problem::Problem;
use crate::http::view::{NamePage, Page};
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::gate::GateName;
use crate::model::role::INSTANCE_MANAGE;
use crate::records::gate::GateRecord;
use reading::{read_change, read_draft};
use view::{GateView, gate_view};

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/gates", list_gates)
            .named("listGates", "List gates")
            .details(
                "Returns gates by name. The built-in gate `default`, which accepts any valid key \
                 on any route, is not listed.",
            )
            .needs(&[INSTANCE_MANAGE])
            .query(paging_by_name::<GateName>)
            .answers::<NamePage<GateView>>(200, "A page of gates."),
        post("/v1/gates", create)
            .named("createGate", "Create a gate")
            .details(CREATE_DETAILS)
            .needs(&[INSTANCE_MANAGE])
            .takes(
                read_draft,
                json!({
                    "name": "orders",
                    "routes": [
                        {"path": "/health", "access": "public"},
                        {"path": "/orders/**", "methods": ["GET"], "permissions": "orders:read"},
                        {"path": "/orders/**", "permissions": "orders:write", "cost": 5},
                    ],
                }),
            )
            .answers::<GateView>(201, "The gate.")
            .with_location()
            .fails(&[errors::NAME_TAKEN, errors::TOO_MANY_GATES]),
        get("/v1/gates/{gate}", show)
            .named("showGate", "Show a gate")
            .needs(&[INSTANCE_MANAGE])
            .answers::<GateView>(200, "The gate.")
            .with_etag(),
        patch("/v1/gates/{gate}", change)
            .named("changeGate", "Change a gate")
            .details(
                "The change applies to the next check. The name cannot be changed, because \
                 proxies use it in their check URL.",
            )
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .may_take(read_change, json!({"cost": 2}))
            .answers::<GateView>(200, "The changed gate.")
            .with_etag(),
        delete("/v1/gates/{gate}", remove)
            .named("removeGate", "Delete a gate")
            .details("Proxies that still use the gate get `GATE_NOT_FOUND`.")
            .needs(&[INSTANCE_MANAGE])
            .versioned()
            .answers_empty(204, "The gate is deleted."),
        trial::endpoint(),
    ]
}

const CREATE_DETAILS: &str = "A request that matches no route is denied, so a gate without routes denies every \
     request.\n\n\
     **Routes.** The most specific route applies: by host, then by path from the \
     left, then by methods. A path consists of literal segments, `{name}` or `*` for \
     any one segment, and a trailing `**` for zero or more segments. A trailing slash \
     is ignored. Paths are case-sensitive: if the upstream serves `/admin` for \
     `/Admin` too, add a route for each. Two routes that match the same requests are \
     rejected.\n\n\
     **Credentials.** `credentials` lists the places of a request that may hold the \
     key: `authorization` (Bearer and Basic); `authorization:bearer`, \
     `authorization:basic` or another scheme, such as `authorization:token`; the name \
     of a header that holds only the key; `cookie:NAME`; `websocket-protocol:PREFIX`, \
     an entry of `Sec-WebSocket-Protocol` with this prefix. A 401 offers exactly the \
     accepted schemes; without Basic, browsers open no dialog. Browsers send a cookie \
     with cross-site requests too, so the application must reject those itself.\n\n\
     **CORS.** With `preflight` set to `allow`, a CORS preflight (OPTIONS with \
     `Origin` and `Access-Control-Request-Method`) passes without a key if the \
     announced request has a route, so that the application can answer it. A route \
     for OPTIONS takes precedence.\n\n\
     **Ambiguous paths.** Paths that programs interpret differently are rejected, \
     unless `allow` of the route lists the reason: `encoded_slash` (`%2F`, which \
     never separates segments), `double_slash`, `semicolon`, `utf8` (not \
     percent-encoded), `trailing_dot` (or a trailing space of a segment), \
     `compatibility_form` (of `.` or `/`). If another interpretation of the path \
     matches a more specific route, the request is still rejected.";

fn list_gates(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging_by_name::<GateName>)?;
    let after = after.as_ref().map(GateName::as_str);
    let listed = app.actions.list_gates(call.actor()?, limit, after)?;
    let page = Page::of(&listed, |gate| cursor::write_name(&gate.name), gate_view);
    Ok(answer::json(&NamePage(page)))
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (name, draft) = call.read_required(read_draft)?;
    let record = app.actions.create_gate(call.actor()?, &name, &draft)?;
    let location = app.location(&format!("/v1/gates/{name}"));
    Ok(answer::created_at(location, &gate_view(&record), record.version))
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer_record(&app.actions.gate(call.actor()?, &name(call)?)?))
}

fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let change = call.read(read_change)?;
    Ok(answer_record(&app.actions.change_gate(call.actor()?, &target(call)?, &change)?))
}

fn remove(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.remove_gate(call.actor()?, &target(call)?)?;
    Ok(answer::empty())
}

fn name(call: &Call<'_>) -> Result<GateName, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("gate").into())
}

fn target(call: &Call<'_>) -> Result<Target<GateName>, Problem> {
    Ok(Target { id: name(call)?, versions: versions(call) })
}

fn answer_record(record: &GateRecord) -> Response {
    answer::versioned(&gate_view(record), record.version)
}
