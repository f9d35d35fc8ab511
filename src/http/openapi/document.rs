//! Builds the `OpenAPI` document from the table of routes and the description of each.

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{
    OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, Required, ServerBuilder};

use crate::http::endpoint::{
    CallerKind, Endpoint, Operation, Parameter, ParameterLocation, RequestBody,
};
use crate::http::openapi::components::{DescribedInstance, SCHEMES, components, place};
use crate::http::openapi::example::Examples;
use crate::http::openapi::resources::{parts, tag, tags};
use crate::http::openapi::responses::responses;

const INTRODUCTION: &str = "API keys for a team, self-hosted.\n\n\
    Times are RFC 3339 in UTC. Lists are `{items, next_cursor}`: send `next_cursor` as `cursor` to \
    get the next page.\n\n\
    Errors are problem+json (RFC 9457) with a stable `code`. Unknown fields and parameters are \
    rejected. Every GET operation also supports HEAD.\n\n\
    `x-permission` lists what an operation requires: one of the listed permissions, or `none` (any session or valid key), \
    `session` (a session), `key` (the key that the operation is about), `open` (no \
    authentication).";

/// Builds the document from the endpoints.
pub(super) fn document(endpoints: &[Endpoint], instance: &DescribedInstance<'_>) -> OpenApi {
    let components = components(endpoints, instance);
    let examples = Examples::of(&components);
    let mut items: BTreeMap<&str, PathItemBuilder> = BTreeMap::new();
    for endpoint in endpoints {
        for (method, id) in endpoint.operations() {
            let Some(known) = http_method(&method) else { continue };
            let path = endpoint.route.path;
            let item = items.remove(path).unwrap_or_default();
            let operation = described(endpoint, &method, &examples).operation_id(Some(id));
            items.insert(path, item.operation(known, operation));
        }
    }
    let paths = items
        .into_iter()
        .fold(PathsBuilder::new(), |paths, (path, item)| paths.path(path, item.build()));
    let title = InfoBuilder::new()
        .title("Keyhouse")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(INTRODUCTION));
    let mut document = OpenApiBuilder::new()
        .info(title.build())
        .servers(Some([ServerBuilder::new().url(instance.url).build()]))
        .tags(Some(tags()))
        .paths(paths.build())
        .components(Some(components))
        .build();
    document.extensions = Some(ExtensionsBuilder::new().add("x-tagGroups", parts()).build());
    document
}

fn http_method(method: &Method) -> Option<HttpMethod> {
    let known = [
        (Method::GET, HttpMethod::Get),
        (Method::HEAD, HttpMethod::Head),
        (Method::POST, HttpMethod::Post),
        (Method::PUT, HttpMethod::Put),
        (Method::PATCH, HttpMethod::Patch),
        (Method::DELETE, HttpMethod::Delete),
    ];
    known.into_iter().find_map(|(known, named)| (known == *method).then_some(named))
}

fn described(endpoint: &Endpoint, method: &Method, examples: &Examples) -> OperationBuilder {
    let (operation, path) = (&endpoint.operation, endpoint.route.path);
    let needs: Vec<Value> = needs(operation).iter().map(|&it| it.into()).collect();
    let details = Some(operation.details).filter(|text| !text.is_empty());
    let mut builder = OperationBuilder::new()
        .summary(Some(operation.summary))
        .description(details)
        .tag(tag(path))
        .responses(responses(endpoint, method, examples))
        .securities(Some(securities(operation.caller)))
        .extensions(Some(ExtensionsBuilder::new().add("x-permission", needs).build()));
    for name in places(path) {
        builder = builder.parameter(in_path(name));
    }
    for parameter in &operation.parameters {
        builder = builder.parameter(beside(parameter));
    }
    match &operation.body {
        Some(body) => builder.request_body(Some(sent(body))),
        None => builder,
    }
}

pub(super) fn needs(operation: &Operation) -> Vec<&'static str> {
    if !operation.permissions.is_empty() {
        return operation.permissions.to_vec();
    }
    vec![match operation.caller {
        CallerKind::Probe | CallerKind::Open | CallerKind::Visitor => "open",
        CallerKind::Known | CallerKind::Program => "none",
        CallerKind::Person => "session",
        CallerKind::Holder | CallerKind::Proxy => "key",
    }]
}

/// The accepted security schemes; any one is enough.
fn securities(caller: CallerKind) -> Vec<SecurityRequirement> {
    let require = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    let (session, keys) = SCHEMES;
    match caller {
        CallerKind::Probe | CallerKind::Open => Vec::new(),
        CallerKind::Visitor => vec![require(session), SecurityRequirement::default()],
        CallerKind::Person => vec![require(session)],
        CallerKind::Known => keys.iter().chain([&session]).map(|name| require(name)).collect(),
        CallerKind::Program | CallerKind::Holder | CallerKind::Proxy => {
            keys.iter().map(|name| require(name)).collect()
        },
    }
}

/// The names of the parameters in a path.
pub(super) fn places(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn in_path(name: &str) -> ParameterBuilder {
    let (schema, description) = place(name);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
}

fn beside(parameter: &Parameter) -> ParameterBuilder {
    let place = match parameter.place {
        ParameterLocation::Query => ParameterIn::Query,
        ParameterLocation::Header => ParameterIn::Header,
    };
    let (name, schema, description, required) = parameter.field.clone().into_parameter();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(if required { Required::True } else { Required::False })
        .description(Some(description))
        .schema(Some(schema))
}

fn sent(body: &RequestBody) -> utoipa::openapi::request_body::RequestBody {
    let content = ContentBuilder::new()
        .schema(Some(body.schema.clone()))
        .example(Some(body.example.clone()))
        .build();
    let required = if body.required { Required::True } else { Required::False };
    RequestBodyBuilder::new().content(body.kind, content).required(Some(required)).build()
}
