//! One endpoint of the API: its route, and its description for the `OpenAPI` document.
//!
//! Each resource lists its endpoints beside their handlers. The router and the document are made
//! from these lists.

use http::Method;
use serde_json::Value;

use crate::http::input::{FORM, Fields, JSON};
use crate::http::metrics::counts::CheckEndpoint;
use crate::http::parameters::Parameters;
use crate::http::route::{CheckHandler, HttpRoute, ManageHandler, RequiredCaller, Run, take};
use crate::http::schema::{Field, Schema, fitting, request, the};
use crate::http::transport::Part;
use crate::http::view::{Described, Schemas};
use crate::model::errors::{self, ErrorCode};

/// A route with its description. A new endpoint requires a session or a key.
pub(super) struct Endpoint {
    pub(super) route: HttpRoute,
    pub(super) operation: Operation,
}

/// The description of an endpoint.
pub(super) struct Operation {
    /// The `operationId`, from which generated clients name their functions.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) details: &'static str,
    pub(super) caller: CallerKind,
    /// The operation requires one of these permissions. If the request determines which, `details`
    /// describes the rule.
    pub(super) permissions: &'static [&'static str],
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<RequestBody>,
    pub(super) answers: Vec<Answer>,
    /// Its own errors, in addition to those of its kind.
    pub(super) errors: Vec<&'static ErrorCode>,
    /// The named schemas to which its schemas refer.
    pub(super) schemas: Schemas,
}

/// The authentication that an operation requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallerKind {
    /// None, and parameters are ignored.
    Probe,
    /// None. Unknown parameters are rejected.
    Open,
    /// A key, but no session.
    Program,
    /// None, but a session is read if there is one.
    Visitor,
    /// A session or a key.
    Known,
    /// A session of a user.
    Person,
    /// The key that the operation is about.
    Holder,
    /// The key that the proxy's client presented.
    Proxy,
}

/// A query parameter or a header.
pub(super) struct Parameter {
    pub(super) place: ParameterLocation,
    pub(super) field: Field,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParameterLocation {
    Query,
    Header,
}

pub(super) struct RequestBody {
    pub(super) kind: &'static str,
    pub(super) schema: Schema,
    pub(super) example: Value,
    /// Whether an empty body is rejected.
    pub(super) required: bool,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    /// Schemas by content type; empty without a body.
    pub(super) content: Vec<(&'static str, Schema)>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

pub(super) fn get(path: &'static str, handler: ManageHandler) -> Endpoint {
    manage(Method::GET, path, handler)
}

pub(super) fn post(path: &'static str, handler: ManageHandler) -> Endpoint {
    manage(Method::POST, path, handler)
}

pub(super) fn put(path: &'static str, handler: ManageHandler) -> Endpoint {
    manage(Method::PUT, path, handler)
}

pub(super) fn patch(path: &'static str, handler: ManageHandler) -> Endpoint {
    manage(Method::PATCH, path, handler)
}

pub(super) fn delete(path: &'static str, handler: ManageHandler) -> Endpoint {
    manage(Method::DELETE, path, handler)
}

fn manage(method: Method, path: &'static str, handler: ManageHandler) -> Endpoint {
    let run = Run::Manage { handler, take: take(Part::Management) };
    run_by(Some(method), path, run)
}

/// An endpoint for proxies, which accepts every method and presents the key of the proxy's client.
pub(super) fn check(path: &'static str, handler: CheckHandler) -> Endpoint {
    let run = Run::Check { handler, body_bytes_max: None };
    let mut endpoint = run_by(None, path, run).open().called_by(CallerKind::Proxy);
    endpoint.route.reads_query = true;
    endpoint
}

/// A GET on the event loop, without authentication.
pub(super) fn probe(path: &'static str, handler: CheckHandler) -> Endpoint {
    let run = Run::Check { handler, body_bytes_max: None };
    let mut endpoint = run_by(Some(Method::GET), path, run).open().called_by(CallerKind::Probe);
    endpoint.route.reads_query = true;
    endpoint
}

/// An endpoint whose handler runs elsewhere than on the pool of management requests. `None` accepts
/// every method.
pub(super) fn run_by(method: Option<Method>, path: &'static str, run: Run) -> Endpoint {
    let access = RequiredCaller::Actor;
    let route = HttpRoute { method, path, access, run, reads_query: false };
    let operation = Operation {
        id: "",
        summary: "",
        details: "",
        caller: CallerKind::Known,
        permissions: &[],
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        errors: Vec::new(),
        schemas: Schemas::new(),
    };
    Endpoint { route, operation }
}

impl Endpoint {
    // The route.

    /// Requires no authentication. A POST without authentication starts a session or uses a one-time
    /// link, and hashes a password.
    pub(super) fn open(mut self) -> Self {
        self.route.access = RequiredCaller::Open;
        self.operation.caller = CallerKind::Open;
        let part = if self.route.method == Some(Method::POST) { Part::SignIn } else { Part::Page };
        self.in_part(part)
    }

    /// Also accepts the session of a user who must first enrol a second factor.
    pub(super) fn enrolling(mut self) -> Self {
        self.route.access = RequiredCaller::Enrolling;
        self.called_by(CallerKind::Person)
    }

    /// Accepts a key, valid or not, and no session.
    pub(super) fn for_holder(mut self) -> Self {
        self.route.access = RequiredCaller::Holder;
        self.called_by(CallerKind::Holder)
    }

    /// Accepts a valid key, as OAuth clients send it, and no session.
    pub(super) fn for_client(mut self) -> Self {
        self.route.access = RequiredCaller::Client;
        self.called_by(CallerKind::Program)
    }

    /// Uses the capacity of this part, with the part's default limit for bodies.
    pub(super) fn in_part(mut self, part: Part) -> Self {
        if let Run::Manage { take: taken, .. } | Run::LongCheck { take: taken, .. } =
            &mut self.route.run
        {
            *taken = take(part);
        }
        self
    }

    /// Reads or writes many records.
    pub(super) fn long(self) -> Self {
        self.in_part(Part::Long)
    }

    /// Accepts bodies of at most this number of bytes.
    pub(super) fn body_bytes_max(mut self, bytes: usize) -> Self {
        match &mut self.route.run {
            Run::Manage { take, .. } | Run::LongCheck { take, .. } => take.body_bytes_max = bytes,
            Run::Check { body_bytes_max, .. } | Run::ByCaller { body_bytes_max, .. } => {
                *body_bytes_max = Some(bytes);
            },
        }
        self
    }

    // The description.

    /// Names the operation. The summary is an imperative without a full stop.
    pub(super) fn named(mut self, id: &'static str, summary: &'static str) -> Self {
        (self.operation.id, self.operation.summary) = (id, summary);
        self
    }

    pub(super) fn details(mut self, details: &'static str) -> Self {
        self.operation.details = details;
        self
    }

    /// Describes the caller otherwise than the route's access does.
    pub(super) fn called_by(mut self, caller: CallerKind) -> Self {
        self.operation.caller = caller;
        self
    }

    /// Requires one of these permissions.
    pub(super) fn needs(mut self, permissions: &'static [&'static str]) -> Self {
        self.operation.permissions = permissions;
        self
    }

    /// Reads these parameters of the query. The handler calls `read` too.
    pub(super) fn query<T>(mut self, read: impl FnOnce(&mut Parameters) -> T) -> Self {
        self.route.reads_query = true;
        let described = Parameters::describe(|parameters| drop(read(parameters)));
        let place = ParameterLocation::Query;
        let described = described.into_iter().map(|field| Parameter { place, field });
        self.operation.parameters.extend(described);
        self
    }

    pub(super) fn header(mut self, field: Field) -> Self {
        let place = ParameterLocation::Header;
        self.operation.parameters.push(Parameter { place, field });
        self
    }

    /// Applies the change only to the version in `If-Match`.
    pub(super) fn versioned(self) -> Self {
        let field = crate::http::schema::field(
            "If-Match",
            fitting(r#"^(\*|"[1-9][0-9]{0,15}")$"#, "*"),
            "Apply the change only if the object has this version: an `ETag` of an earlier \
             response, or `*` for any version.",
        );
        self.header(field.seldom()).fails(&[errors::VERSION_CONFLICT])
    }

    /// Requires a JSON body. The handler calls `read` too.
    pub(super) fn takes<T>(self, read: impl FnOnce(&mut Fields) -> T, example: Value) -> Self {
        self.body_of(JSON, read, example, true)
    }

    /// Accepts a JSON body, which may be empty. The handler calls `read` too.
    pub(super) fn may_take<T>(self, read: impl FnOnce(&mut Fields) -> T, example: Value) -> Self {
        self.body_of(JSON, read, example, false)
    }

    /// Accepts an empty JSON object.
    pub(super) fn takes_no_fields(self) -> Self {
        self.may_take(|_fields| (), Value::Object(serde_json::Map::new()))
    }

    fn body_of<T>(
        mut self,
        kind: &'static str,
        read: impl FnOnce(&mut Fields) -> T,
        example: Value,
        required: bool,
    ) -> Self {
        let schemas = &mut self.operation.schemas;
        let schema = request(Fields::describe(schemas, |fields| drop(read(fields))));
        self.operation.body = Some(RequestBody { kind, schema, example, required });
        self
    }

    /// Requires a form, as OAuth clients send it. The handler calls `read` too.
    pub(super) fn takes_form<T>(
        mut self,
        read: impl FnOnce(&mut Parameters) -> T,
        example: Value,
    ) -> Self {
        let schema = request(Parameters::describe(|parameters| drop(read(parameters))));
        self.operation.body = Some(RequestBody { kind: FORM, schema, example, required: true });
        self
    }

    /// Gives the schema of the body a name.
    pub(super) fn body_named(mut self, name: &'static str) -> Self {
        if let Some(body) = &mut self.operation.body {
            let schema = std::mem::replace(&mut body.schema, the(name));
            self.operation.schemas.insert(name, schema);
        }
        self
    }

    /// Replaces the schema of the body, for a body that is not one list of fields.
    pub(super) fn body_schema(mut self, schema: impl FnOnce(&mut Schemas) -> Schema) -> Self {
        let schema = schema(&mut self.operation.schemas);
        if let Some(body) = &mut self.operation.body {
            body.schema = schema;
        }
        self
    }

    /// Returns this view as JSON, with this status.
    pub(super) fn answers<V: Described>(mut self, status: u16, description: &'static str) -> Self {
        let schema = V::schema(&mut self.operation.schemas);
        self.answers_with(status, vec![(JSON, schema)], description)
    }

    pub(super) fn answers_empty(self, status: u16, description: &'static str) -> Self {
        self.answers_with(status, Vec::new(), description)
    }

    /// Returns contents by content type.
    pub(super) fn answers_with(
        mut self,
        status: u16,
        content: Vec<(&'static str, Schema)>,
        description: &'static str,
    ) -> Self {
        let headers = Vec::new();
        self.operation.answers.push(Answer { status, description, content, headers });
        self
    }

    /// Adds a header to the last response.
    pub(super) fn with(mut self, name: &'static str, description: &'static str) -> Self {
        if let Some(answer) = self.operation.answers.last_mut() {
            answer.headers.push((name, description));
        }
        self
    }

    pub(super) fn with_etag(self) -> Self {
        self.with("ETag", "Version of the object, in quotes, for `If-Match`.")
    }

    pub(super) fn with_location(self) -> Self {
        self.with("Location", "URL of the new object.").with_etag()
    }

    pub(super) fn fails(mut self, errors: &[&'static ErrorCode]) -> Self {
        self.operation.errors.extend(errors);
        self
    }

    // What the document needs.

    /// Whether its errors are those of a check endpoint.
    pub(super) fn is_check(&self) -> bool {
        CheckEndpoint::of_route(self.route.path).is_some()
    }

    /// Whether the endpoint changes nothing.
    pub(super) fn reads(&self) -> bool {
        !matches!(&self.route.method, Some(method) if !method.is_safe())
    }

    /// The method and `operationId` of each described operation. An endpoint for every method is
    /// described with GET and HEAD, which proxies use.
    pub(super) fn operations(&self) -> Vec<(Method, String)> {
        let id = self.operation.id;
        match &self.route.method {
            Some(method) => vec![(method.clone(), id.to_owned())],
            None => vec![(Method::GET, id.to_owned()), (Method::HEAD, format!("{id}Head"))],
        }
    }
}
