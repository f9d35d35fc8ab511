//! Reads the fields of a gate and its routes from a request body.

use crate::actions::instance::gates::GateChange;
use crate::http::api::gates::view::{ACCESS, PREFLIGHT, ambiguities};
use crate::http::check::verify;
use crate::http::input::{Fields, object};
use crate::http::reading::{Read, ReadText, list, number, parsed};
use crate::http::schema::{choice, fitting, gate_name, id};
use crate::model::credential::{CREDENTIALS_MAX, CredentialSource};
use crate::model::fault::FaultCode;
use crate::model::gate::{ACCEPTED_MAX, GateName, Preflight, ROUTES_MAX, RouteAccess};
use crate::model::id::OrganizationId;
use crate::model::key_text::Environment;
use crate::model::limit::COST_MAX;
use crate::model::route::{Ambiguities, Ambiguity, HostPattern, METHODS_MAX, Methods, PathPattern};
use crate::records::gate::RouteRecord;

pub(super) fn read_draft(fields: &mut Fields) -> Option<(GateName, GateChange)> {
    let about = "Name of the gate, which proxies use in their check URL.";
    let name =
        fields.required("name", about, parsed(FaultCode::INVALID_GATE_NAME, str::parse, gate_name));
    let draft = read_change(fields);
    Some((name?, draft))
}

/// Reads the fields of a gate that a client can set, without its name.
pub(super) fn read_change(fields: &mut Fields) -> GateChange {
    let organization = parsed(FaultCode::INVALID_ID, str::parse::<OrganizationId>, || id("org"));
    let organizations = fields.nullable(
        "organizations",
        "Only keys of these organizations are accepted. Default: keys of all.",
        some(ACCEPTED_MAX, organization),
    );
    GateChange { organizations, ..read_policy(fields) }
}

/// Reads the fields of a gate that name no other object.
pub(super) fn read_policy(fields: &mut Fields) -> GateChange {
    let environment = || fitting("^[a-z][a-z0-9]{0,15}$", "live");
    let environment =
        parsed(FaultCode::INVALID_ENVIRONMENT, str::parse::<Environment>, environment);
    let preflight =
        parsed(FaultCode::INVALID_CHOICE, str::parse::<Preflight>, || choice(&PREFLIGHT));
    GateChange {
        description: fields.description(
            "description",
            "Description for people.",
            "The shop's orders.",
        ),
        credentials: fields.optional(
            "credentials",
            "Places of a request that may hold the key. Default: the standard headers.",
            some(CREDENTIALS_MAX, credential()),
        ),
        routes: fields.optional(
            "routes",
            "Routes of the gate.",
            list(ROUTES_MAX, object(read_route)),
        ),
        environments: fields.nullable(
            "environments",
            "Only keys of these environments are accepted. Default: keys of all.",
            some(ACCEPTED_MAX, environment),
        ),
        cost: fields.optional(
            "cost",
            "Number of calls to count for each request. Default: 1.",
            number(0, COST_MAX, 1),
        ),
        preflight: fields.optional(
            "preflight",
            "Whether CORS preflights are checked like other requests, or pass without a key. \
             Default: `check`.",
            preflight,
        ),
        ..GateChange::default()
    }
}

fn read_route(fields: &mut Fields) -> Option<RouteRecord> {
    let host = || fitting(r"^(\*\.)?[a-z0-9]{1,9}(\.[a-z0-9]{1,9}){0,3}$", "api.example.com");
    let host = fields.optional(
        "host",
        "Host, or `*.` and a domain. Default: any host.",
        parsed(FaultCode::INVALID_HOST, str::parse::<HostPattern>, host),
    );
    let path = || fitting(r"^(/[a-z0-9]{1,9}){1,5}(/\*\*)?$", "/orders/**");
    let path = fields.required(
        "path",
        "Path, with `{name}` or `*` for one segment and a trailing `**` for the rest.",
        parsed(FaultCode::INVALID_PATH, str::parse::<PathPattern>, path),
    );
    let about = "Methods. Default: all.";
    let methods = fields.optional("methods", about, some(METHODS_MAX, method()));
    let access = fields.optional(
        "access",
        "`key` requires a valid key, `public` lets every request pass, `denied` none. \
         Default: `key`.",
        parsed(FaultCode::INVALID_CHOICE, str::parse::<RouteAccess>, || choice(&ACCESS)),
    );
    let access = access.unwrap_or(RouteAccess::Key);
    let requirement = fields.optional(
        "permissions",
        "Required permissions: a list, or an expression. Default: none.",
        verify::requirement(),
    );
    let about = "Number of calls to count. Default: the cost of the gate.";
    let cost = fields.optional("cost", about, number(0, COST_MAX, 1));
    for (name, is_set) in [("permissions", requirement.is_some()), ("cost", cost.is_some())] {
        if is_set && access != RouteAccess::Key {
            fields.fault(
                name,
                FaultCode::CONTRADICTION,
                "is only for routes with access key: remove this field, or set access to key",
            );
        }
    }
    let about = "Ambiguities that the paths of this route may contain.";
    let allow = fields.optional("allow", about, allow()).unwrap_or_default();
    if let Some(path) = &path
        && let Some(doubt) = path.unreachable(allow.iter().copied().collect())
    {
        fields.fault("path", FaultCode::INVALID_PATH, doubt);
    }
    let methods = methods.unwrap_or_default();
    Some(RouteRecord { host, path: path?, methods, access, requirement, cost, allow })
}

/// Reads a list that must not be empty. Repeated items are dropped.
fn some<R>(items_max: usize, item: R) -> impl Read<Output = Vec<R::Output>>
where
    R: Read<Output: PartialEq>,
{
    list(items_max, item).not_empty().then(|items, _pointer| {
        let mut distinct = Vec::new();
        for item in items {
            if !distinct.contains(&item) {
                distinct.push(item);
            }
        }
        Ok(distinct)
    })
}

fn credential() -> impl ReadText<Output = CredentialSource> {
    parsed(FaultCode::INVALID_HEADER, str::parse, || {
        fitting(
            "^(authorization(:[a-z]{1,9}x)?|x-[a-z]{1,20}-key|cookie:[a-z]{1,9}-key|websocket-protocol:[a-z]{1,9}[.])$",
            "x-api-key",
        )
    })
}

pub(super) fn method() -> impl ReadText<Output = String> {
    let parse = |text: &str| Methods::new([text]).map(|_set| text.to_owned());
    parsed(FaultCode::INVALID_METHOD, parse, || fitting("^[A-Z-]{1,32}$", "GET"))
}

/// Reads the ambiguities that a route allows. The list may be empty; repeated items are dropped.
fn allow() -> impl Read<Output = Vec<Ambiguity>> {
    let kind =
        parsed(FaultCode::INVALID_CHOICE, str::parse::<Ambiguity>, || choice(&ambiguities()));
    list(Ambiguity::ALL.len(), kind).then(|kinds, _pointer| {
        let kinds: Ambiguities = kinds.into_iter().collect();
        Ok(kinds.iter().collect())
    })
}
