//! The views of a gate and its routes.

use crate::http::schema::{choice, count, each, nullable, text};
use crate::http::view::view;
use crate::model::id::{GateId, OrganizationId};
use crate::model::moment::Moment;
use crate::model::route::Ambiguity;
use crate::records::gate::{GateRecord, RouteRecord};

/// The values of a route's `access`.
pub(super) const ACCESS: [&str; 3] = ["key", "public", "denied"];
/// The values of a gate's `preflight`.
pub(super) const PREFLIGHT: [&str; 2] = ["check", "allow"];

view! {
    GateView = "Gate" {
        /// Id of the gate.
        id: GateId,
        /// Name of the gate.
        name: Box<str> => text("orders"),
        /// Description for people.
        description: String => text("The shop's orders."),
        /// Places of a request that may hold the key.
        credentials: Vec<String> => each(text("x-api-key")),
        /// Routes of the gate.
        routes: Vec<RouteView>,
        /// Only keys of these organizations are accepted. Null: keys of all.
        organizations: Option<Vec<OrganizationId>>,
        /// Only keys of these environments are accepted. Null: keys of all.
        environments: Option<Vec<String>> => nullable(each(text("live")).into()),
        /// Number of calls to count for each request.
        cost: u32 => count(1),
        /// Whether CORS preflights are checked like other requests, or pass without a key.
        preflight: String => choice(&PREFLIGHT),
        /// Time of creation.
        created_at: Moment,
        /// Version of the object, for `If-Match`.
        version: u64 => count(1),
    }
}

view! {
    RouteView = "Route" {
        /// Host, or `*.` and a domain. Null: any host.
        host: Option<String> => nullable(text("api.example.com").into()),
        /// Path, with `{name}` or `*` for one segment and a trailing `**` for the rest.
        path: String => text("/orders/{id}"),
        /// Methods. Null: all.
        methods: Option<Vec<String>> => nullable(each(text("GET")).into()),
        /// `key` requires a valid key, `public` lets every request pass, `denied` none.
        access: &'static str => choice(&ACCESS),
        /// Required permissions, as an expression. Null: none.
        permissions: Option<String> => nullable(text("orders:read").into()),
        /// Number of calls to count. Null: the cost of the gate.
        cost: Option<u32> => nullable(count(1).into()),
        /// Ambiguities that the paths of this route may contain.
        allow: Vec<&'static str> => each(choice(&ambiguities())),
    }
}

pub(super) fn ambiguities() -> [&'static str; 6] {
    Ambiguity::ALL.map(Ambiguity::name)
}

pub(super) fn gate_view(record: &GateRecord) -> GateView {
    GateView {
        id: record.id,
        name: record.name.clone(),
        description: record.description.clone(),
        credentials: texts(&record.credentials),
        routes: record.routes.iter().map(route_view).collect(),
        organizations: record.organizations.as_ref().map(|ids| ids.0.clone()),
        environments: record.environments.as_ref().map(|names| texts(&names.0)),
        cost: record.cost,
        preflight: record.preflight.to_string(),
        created_at: record.created_at,
        version: record.version,
    }
}

pub(super) fn route_view(route: &RouteRecord) -> RouteView {
    RouteView {
        host: route.host.as_ref().map(ToString::to_string),
        path: route.path.to_string(),
        methods: (!route.methods.is_empty()).then(|| route.methods.clone()),
        access: route.access.name(),
        permissions: route.requirement.as_ref().map(ToString::to_string),
        cost: route.cost,
        allow: route.allow.iter().map(|kind| kind.name()).collect(),
    }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
