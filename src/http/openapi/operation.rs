//! Builds the description of one operation.

use http::Method;
use serde_json::Value;

use crate::http::check;
use crate::http::input::{FORM, JSON};
use crate::http::openapi::schema::{Schema, cursor, fitting, whole};

/// The description of one method on one path.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
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
    /// The codes of its own errors, in addition to those of its kind.
    pub(super) errors: Vec<&'static str>,
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
    pub(super) name: &'static str,
    pub(super) place: ParameterLocation,
    pub(super) required: bool,
    pub(super) description: &'static str,
    pub(super) schema: Schema,
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

/// An operation that requires a session or a key.
pub(super) fn operation(
    method: Method,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
) -> Operation {
    Operation {
        method,
        path,
        id,
        summary,
        details: "",
        caller: CallerKind::Known,
        permissions: &[],
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        errors: Vec::new(),
    }
}

impl Operation {
    pub(super) fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    pub(super) fn called_by(mut self, caller: CallerKind) -> Self {
        self.caller = caller;
        self
    }

    /// Requires one of these permissions.
    pub(super) fn needs(mut self, permissions: &'static [&'static str]) -> Self {
        self.permissions = permissions;
        self
    }

    pub(super) fn query(
        mut self,
        name: &'static str,
        schema: impl Into<Schema>,
        description: &'static str,
    ) -> Self {
        let (place, required, schema) = (ParameterLocation::Query, false, schema.into());
        self.parameters.push(Parameter { name, place, required, description, schema });
        self
    }

    pub(super) fn header(
        mut self,
        name: &'static str,
        schema: impl Into<Schema>,
        description: &'static str,
    ) -> Self {
        let (place, required, schema) = (ParameterLocation::Header, true, schema.into());
        self.parameters.push(Parameter { name, place, required, description, schema });
        self
    }

    pub(super) fn paged(self) -> Self {
        self.paged_by(cursor())
    }

    /// Adds `limit` and `cursor`, with a schema for the cursor.
    pub(super) fn paged_by(self, cursor: impl Into<Schema>) -> Self {
        self.query("limit", whole(1, 100, 50), "Maximum number of items on the page. Default: 50.")
            .query("cursor", cursor, "The `next_cursor` of the previous page.")
    }

    pub(super) fn versioned(mut self) -> Self {
        self.parameters.push(Parameter {
            name: "If-Match",
            place: ParameterLocation::Header,
            required: false,
            description: "Apply the change only if the object has this version: an `ETag` of an earlier \
                   response, or `*` for any version.",
            schema: fitting(r#"^(\*|"[1-9][0-9]{0,15}")$"#, "*").into(),
        });
        self.errors.push("version_conflict");
        self
    }

    pub(super) fn takes(mut self, schema: Schema, example: Value) -> Self {
        self.body = Some(RequestBody { kind: JSON, schema, example, required: true });
        self
    }

    /// Requires a form, as OAuth clients send it.
    pub(super) fn takes_form(mut self, schema: Schema, example: Value) -> Self {
        self.body = Some(RequestBody { kind: FORM, schema, example, required: true });
        self
    }

    /// Accepts a JSON body, which may be empty.
    pub(super) fn may_take(mut self, schema: Schema, example: Value) -> Self {
        self.body = Some(RequestBody { kind: JSON, schema, example, required: false });
        self
    }

    pub(super) fn answers(self, status: u16, schema: Schema, description: &'static str) -> Self {
        self.answers_with(status, vec![(JSON, schema)], description)
    }

    pub(super) fn answers_empty(self, status: u16, description: &'static str) -> Self {
        self.answers_with(status, Vec::new(), description)
    }

    pub(super) fn answers_with(
        mut self,
        status: u16,
        content: Vec<(&'static str, Schema)>,
        description: &'static str,
    ) -> Self {
        self.answers.push(Answer { status, description, content, headers: Vec::new() });
        self
    }

    /// Adds a header to the last response.
    pub(super) fn with(mut self, name: &'static str, description: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
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

    pub(super) fn fails(mut self, codes: &[&'static str]) -> Self {
        self.errors.extend(codes);
        self
    }

    /// Whether its errors are those of a check endpoint.
    pub(super) fn is_check(&self) -> bool {
        check::is_check_path(self.path)
    }

    pub(super) fn reads(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}
