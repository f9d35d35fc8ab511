//! Descriptions of operations that are not yet beside their handlers.

use http::Method;
use serde_json::Value;

pub(super) use crate::http::endpoint::CallerKind;
use crate::http::endpoint::{self, Answer, Parameter, ParameterLocation, RequestBody};
use crate::http::input::JSON;
use crate::http::schema::{Schema, cursor, field, fitting, whole};
use crate::http::view::Schemas;
use crate::model::errors::{self, ErrorCode};

pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) inner: endpoint::Operation,
}

fn error(name: &str) -> &'static ErrorCode {
    errors::ALL
        .iter()
        .chain(errors::check::ALL)
        .find(|it| it.name == name)
        .unwrap_or(&errors::INTERNAL)
}

/// An operation that requires a session or a key.
pub(super) fn operation(
    method: Method,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
) -> Operation {
    let inner = endpoint::Operation {
        id,
        summary,
        details: "",
        caller: CallerKind::Known,
        permissions: &[],
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        errors: Vec::new(),
        schemas: Schemas::new(),
    };
    Operation { method, path, inner }
}

impl Operation {
    pub(super) fn details(mut self, details: &'static str) -> Self {
        self.inner.details = details;
        self
    }

    /// Requires one of these permissions.
    pub(super) fn needs(mut self, permissions: &'static [&'static str]) -> Self {
        self.inner.permissions = permissions;
        self
    }

    pub(super) fn query(
        mut self,
        name: &'static str,
        schema: impl Into<Schema>,
        description: &'static str,
    ) -> Self {
        let field = field(name, schema, description).seldom();
        self.inner.parameters.push(Parameter { place: ParameterLocation::Query, field });
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
        let about = "Apply the change only if the object has this version: an `ETag` of an earlier \
                     response, or `*` for any version.";
        let field = field("If-Match", fitting(r#"^(\*|"[1-9][0-9]{0,15}")$"#, "*"), about).seldom();
        self.inner.parameters.push(Parameter { place: ParameterLocation::Header, field });
        self.inner.errors.push(errors::VERSION_CONFLICT);
        self
    }

    pub(super) fn takes(mut self, schema: Schema, example: Value) -> Self {
        self.inner.body = Some(RequestBody { kind: JSON, schema, example, required: true });
        self
    }

    /// Accepts a JSON body, which may be empty.
    pub(super) fn may_take(mut self, schema: Schema, example: Value) -> Self {
        self.inner.body = Some(RequestBody { kind: JSON, schema, example, required: false });
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
        self.inner.answers.push(Answer { status, description, content, headers: Vec::new() });
        self
    }

    /// Adds a header to the last response.
    pub(super) fn with(mut self, name: &'static str, description: &'static str) -> Self {
        if let Some(answer) = self.inner.answers.last_mut() {
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
        self.inner.errors.extend(codes.iter().map(|code| error(code)));
        self
    }
}
