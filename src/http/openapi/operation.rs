//! What the description says of one operation.

use http::Method;
use serde_json::Value;

use crate::http::check;
use crate::http::input::{FORM, JSON};
use crate::http::openapi::schema::{Schema, cursor, fitting, whole};

/// What one method on one path does.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// The name by which clients know it.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) details: &'static str,
    pub(super) asker: Asker,
    /// The permissions, one of which it needs; which one, the details say.
    pub(super) permissions: &'static [&'static str],
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    /// The codes of its own errors, beside those that all of its kind have.
    pub(super) errors: Vec<&'static str>,
}

/// Who may ask at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Anybody, without a look at who it is or what else they send.
    Probe,
    /// Anybody.
    Open,
    /// A program, with a key of its own.
    Program,
    /// Anybody; a session is looked at where there is one.
    Visitor,
    /// A session's user or a key.
    Known,
    /// People, through their session.
    Person,
    /// The holder of a key, who asks about that key.
    Holder,
    /// A proxy, about the key that its client presented.
    Proxy,
}

/// A parameter of the query or a header.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) required: bool,
    pub(super) says: &'static str,
    pub(super) schema: Schema,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Query,
    Header,
}

/// What is sent.
pub(super) struct Body {
    /// Its content type.
    pub(super) kind: &'static str,
    pub(super) schema: Schema,
    pub(super) example: Value,
    /// Whether an empty body is refused.
    pub(super) required: bool,
}

/// What is answered when all is well.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) says: &'static str,
    /// By content type; none where there is no body.
    pub(super) content: Vec<(&'static str, Schema)>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

/// An operation for anybody who is known, without a word about the rest.
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
        asker: Asker::Known,
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

    /// Who asks, where it is not anybody who is known.
    pub(super) fn asked_by(mut self, asker: Asker) -> Self {
        self.asker = asker;
        self
    }

    /// Needs one of these permissions.
    pub(super) fn needs(mut self, permissions: &'static [&'static str]) -> Self {
        self.permissions = permissions;
        self
    }

    pub(super) fn query(
        mut self,
        name: &'static str,
        schema: impl Into<Schema>,
        says: &'static str,
    ) -> Self {
        let (place, required, schema) = (Place::Query, false, schema.into());
        self.parameters.push(Parameter { name, place, required, says, schema });
        self
    }

    /// A header that must be sent.
    pub(super) fn header(
        mut self,
        name: &'static str,
        schema: impl Into<Schema>,
        says: &'static str,
    ) -> Self {
        let (place, required, schema) = (Place::Header, true, schema.into());
        self.parameters.push(Parameter { name, place, required, says, schema });
        self
    }

    /// Lists: `limit` and `cursor`.
    pub(super) fn paged(self) -> Self {
        self.query("limit", whole(1, 100, 50), "How many a page holds; 50 unless given.").query(
            "cursor",
            cursor(),
            "The `next_cursor` of the page before.",
        )
    }

    /// Changes what has a version, and takes `If-Match`.
    pub(super) fn versioned(mut self) -> Self {
        self.parameters.push(Parameter {
            name: "If-Match",
            place: Place::Header,
            required: false,
            says: "Only where its version is still this one: an `ETag` that was answered, or `*`.",
            schema: fitting(r#"^(\*|"[1-9][0-9]{0,15}")$"#, "*").into(),
        });
        self.errors.push("version_conflict");
        self
    }

    pub(super) fn takes(mut self, schema: Schema, example: Value) -> Self {
        self.body = Some(Body { kind: JSON, schema, example, required: true });
        self
    }

    /// The same as a form, the way OAuth clients send it.
    pub(super) fn takes_form(mut self, schema: Schema, example: Value) -> Self {
        self.body = Some(Body { kind: FORM, schema, example, required: true });
        self
    }

    /// The same, where nothing must be sent.
    pub(super) fn may_take(mut self, schema: Schema, example: Value) -> Self {
        self.body = Some(Body { kind: JSON, schema, example, required: false });
        self
    }

    /// Answers JSON.
    pub(super) fn answers(self, status: u16, schema: Schema, says: &'static str) -> Self {
        self.answers_with(status, vec![(JSON, schema)], says)
    }

    /// Answers without a body.
    pub(super) fn answers_empty(self, status: u16, says: &'static str) -> Self {
        self.answers_with(status, Vec::new(), says)
    }

    pub(super) fn answers_with(
        mut self,
        status: u16,
        content: Vec<(&'static str, Schema)>,
        says: &'static str,
    ) -> Self {
        self.answers.push(Answer { status, says, content, headers: Vec::new() });
        self
    }

    /// A header of the last answer.
    pub(super) fn with(mut self, name: &'static str, says: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push((name, says));
        }
        self
    }

    /// The last answer names the object's version.
    pub(super) fn with_etag(self) -> Self {
        self.with("ETag", "The object's version, in quotes.")
    }

    /// The last answer says where the new object is.
    pub(super) fn with_location(self) -> Self {
        self.with("Location", "Where it is.").with_etag()
    }

    pub(super) fn fails(mut self, codes: &[&'static str]) -> Self {
        self.errors.extend(codes);
        self
    }

    /// Whether it answers as checks do.
    pub(super) fn is_check(&self) -> bool {
        check::is_check_path(self.path)
    }

    /// Whether it only reads.
    pub(super) fn reads(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}
