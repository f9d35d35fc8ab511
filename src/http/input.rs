//! Reads JSON request bodies field by field.
//!
//! Every fault of a body is reported at once, each with a JSON pointer.

use std::fmt;
use std::io::Read as _;

use rouille::Request;
use serde_json::{Map, Value};

use crate::http::json;
use crate::http::problem::Problem;
use crate::http::reading::{self, Read, wrong};
use crate::http::schema::{self, Schema, request};
use crate::http::view::Schemas;
use crate::model::edit::Edit;
use crate::model::fault::{Fault, FaultCode, in_pointer};

/// Maximum number of bytes of an ordinary body.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Maximum number of bytes of a body from an unauthenticated caller: a sign-in, a one-time link.
pub(super) const OPEN_BODY_BYTES_MAX: usize = 4 * 1024;
/// Maximum number of bytes of a body with a long list: a batch, an import.
pub(super) const LARGE_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Returns the body that the transport has read within its limit.
pub(super) fn read_body(request: &Request) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    if let Some(mut stream) = request.data() {
        // The body is in memory. Reading fails only if the body was taken before.
        stream
            .read_to_end(&mut body)
            .map_err(|error| Problem::invalid_json(format!("could not read the body: {error}")))?;
    }
    Ok(body)
}

/// Content type of all bodies except forms.
pub(super) const JSON: &str = "application/json";
/// Content type of the forms that OAuth clients send.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn is_json(content_type: Option<&str>) -> bool {
    is_of_type(JSON, content_type)
}

/// Whether a `Content-Type` header has this type; its parameters are ignored.
pub(super) fn is_of_type(taken: &str, content_type: Option<&str>) -> bool {
    let essence = content_type.map(|text| text.split(';').next().unwrap_or(text).trim());
    essence.is_some_and(|text| text.eq_ignore_ascii_case(taken))
}

/// The fields of an object, read one by one. All faults are collected before they are reported.
/// Fields may contain secrets, so `Debug` does not print them.
pub(crate) struct Fields {
    left: Map<String, Value>,
    pointer: String,
    faults: Vec<Fault>,
    /// The fields read so far, if the reading describes a request instead of reading one.
    described: Option<Description>,
}

#[derive(Default)]
struct Description {
    fields: Vec<schema::Field>,
    schemas: Schemas,
}

impl Fields {
    /// Parses a body, which must be a JSON object; an empty body is an empty object.
    pub(super) fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self::of(Map::new(), String::new()));
        }
        if !is_json(content_type) {
            return Err(Problem::media_type(JSON));
        }
        let value = json::parse(body);
        match value.map_err(Problem::invalid_json)? {
            Value::Object(fields) => Ok(Self::of(fields, String::new())),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(Problem::invalid_json("must be a JSON object".to_owned())),
        }
    }

    pub(crate) fn of(left: Map<String, Value>, pointer: String) -> Self {
        Self { left, pointer, faults: Vec::new(), described: None }
    }

    /// The fields that `read` reads, with their schemas. `read` runs without a request: every field
    /// is absent, and faults are dropped. It must read the same fields whatever their values are.
    pub(crate) fn describe(
        schemas: &mut Schemas,
        read: impl FnOnce(&mut Self),
    ) -> Vec<schema::Field> {
        let mut fields = Self::of(Map::new(), String::new());
        let schemas_so_far = std::mem::take(schemas);
        fields.described = Some(Description { fields: Vec::new(), schemas: schemas_so_far });
        read(&mut fields);
        let description = fields.described.unwrap_or_default();
        *schemas = description.schemas;
        description.fields
    }

    /// Notes a field, if the reading describes a request.
    fn note(&mut self, field: impl FnOnce(&mut Schemas) -> schema::Field) {
        if let Some(description) = &mut self.described {
            let field = field(&mut description.schemas);
            description.fields.push(field);
        }
    }

    /// Reads a field that may be absent or null.
    pub(crate) fn optional<R: Read>(
        &mut self,
        name: &'static str,
        about: &'static str,
        reader: R,
    ) -> Option<R::Output> {
        self.nullable(name, about, reader).value()
    }

    /// Reads a field in which null and absent have different meanings.
    #[expect(clippy::needless_pass_by_value, reason = "a reader is made for one call")]
    pub(crate) fn nullable<R: Read>(
        &mut self,
        name: &'static str,
        about: &'static str,
        reader: R,
    ) -> Edit<R::Output> {
        self.note(|schemas| schema::optional(name, reader.schema(schemas), about));
        self.take(name, &reader)
    }

    /// Reads a field that may be absent, but not null. `null_detail` is the detail of the fault of
    /// null.
    #[expect(clippy::needless_pass_by_value, reason = "a reader is made for one call")]
    pub(super) fn not_null<R: Read>(
        &mut self,
        name: &'static str,
        about: &'static str,
        reader: R,
        null_detail: &'static str,
    ) -> Option<R::Output> {
        self.note(|schemas| schema::field(name, reader.schema(schemas), about).seldom());
        let edit = self.take(name, &reader);
        if matches!(edit, Edit::Clear) {
            self.fault(name, FaultCode::REQUIRED, null_detail);
        }
        edit.value()
    }

    /// Reads a field that one form of the object requires and other forms do not have. It is
    /// described as required.
    #[expect(clippy::needless_pass_by_value, reason = "a reader is made for one call")]
    pub(crate) fn alternative<R: Read>(
        &mut self,
        name: &'static str,
        about: &'static str,
        reader: R,
    ) -> Option<R::Output> {
        self.note(|schemas| schema::field(name, reader.schema(schemas), about));
        self.take(name, &reader).value()
    }

    /// Reads a field that requests should not have, so that its fault can be more exact than that of
    /// an unknown field. It is not described.
    #[expect(clippy::needless_pass_by_value, reason = "a reader is made for one call")]
    pub(super) fn undescribed<R: Read>(&mut self, name: &str, reader: R) -> Option<R::Output> {
        self.take(name, &reader).value()
    }

    /// Reads a description. Null means an empty description.
    pub(crate) fn description(
        &mut self,
        name: &'static str,
        about: &'static str,
        example: &'static str,
    ) -> Option<String> {
        match self.nullable(name, about, reading::description(example)) {
            Edit::Keep => None,
            Edit::Clear => Some(String::new()),
            Edit::Set(text) => Some(text),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "a reader is made for one call")]
    pub(crate) fn required<R: Read>(
        &mut self,
        name: &'static str,
        about: &'static str,
        reader: R,
    ) -> Option<R::Output> {
        self.note(|schemas| schema::field(name, reader.schema(schemas), about));
        if self.left.get(name).is_none_or(Value::is_null) {
            self.left.remove(name);
            self.fault(name, FaultCode::REQUIRED, "is required");
            return None;
        }
        self.take(name, &reader).value()
    }

    fn take<R: Read>(&mut self, name: &str, reader: &R) -> Edit<R::Output> {
        let Some(value) = self.left.remove(name) else { return Edit::Keep };
        if value.is_null() {
            return Edit::Clear;
        }
        let pointer = format!("{}/{}", self.pointer, in_pointer(name));
        match reader.read(value, &pointer) {
            Ok(value) => Edit::Set(value),
            Err(faults) => {
                self.faults.extend(faults);
                Edit::Keep
            },
        }
    }

    pub(crate) fn fault(&mut self, name: &str, code: FaultCode, detail: impl fmt::Display) {
        self.faults.push(Fault::new(
            format!("{}/{}", self.pointer, in_pointer(name)),
            code,
            detail,
        ));
    }

    /// Adds a fault whose pointer is relative to this object.
    pub(crate) fn fault_at(&mut self, fault: Fault) {
        let pointer = format!("{}{}", self.pointer, fault.pointer);
        self.faults.push(Fault { pointer, ..fault });
    }

    /// Adds the fault of a missing field, unless the object has other faults, which may be the
    /// cause.
    pub(crate) fn incomplete(&mut self, name: &str, detail: impl fmt::Display) {
        if self.faults.is_empty() {
            self.fault(name, FaultCode::REQUIRED, detail);
        }
    }

    /// Ends the reading. Each field that was not read is unknown, which is a fault.
    pub(crate) fn finish(mut self) -> Result<(), Vec<Fault>> {
        let unknown: Vec<_> = self.left.keys().cloned().collect();
        for name in unknown {
            self.fault(&name, FaultCode::UNKNOWN_FIELD, "is not a known field");
        }
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }
}

/// A reader of an object.
pub(crate) struct Object<F> {
    read: F,
}

/// Reads an object, and its fields with `read`.
pub(crate) fn object<T, F: Fn(&mut Fields) -> Option<T>>(read: F) -> Object<F> {
    Object { read }
}

impl<T, F: Fn(&mut Fields) -> Option<T>> Read for Object<F> {
    type Output = T;

    fn read(&self, value: Value, pointer: &str) -> Result<T, Vec<Fault>> {
        let Value::Object(fields) = value else {
            return wrong(pointer, FaultCode::WRONG_TYPE, "must be an object");
        };
        let mut fields = Fields::of(fields, pointer.to_owned());
        let made = (self.read)(&mut fields);
        fields.finish()?;
        made.map_or_else(|| wrong(pointer, FaultCode::REQUIRED, "is incomplete"), Ok)
    }

    fn schema(&self, schemas: &mut Schemas) -> Schema {
        request(Fields::describe(schemas, |fields| drop((self.read)(fields))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::json::JSON_DEPTH_MAX;

    const JSON: Option<&str> = Some("application/json; charset=utf-8");

    fn outcome(content_type: Option<&str>, body: &str) -> &'static str {
        Fields::parse(content_type, body.as_bytes()).map_or_else(|problem| problem.code(), |_| "ok")
    }

    #[test]
    fn bodies_are_one_json_object() {
        for (content_type, body, code) in [
            (JSON, "{}", "ok"),
            (None, "", "ok"),
            (None, "{}", "unsupported_media_type"),
            (Some("text/plain"), "{}", "unsupported_media_type"),
            (JSON, "[]", "invalid_json"),
            (JSON, "{", "invalid_json"),
            (JSON, "{} {}", "invalid_json"),
            (JSON, "{\"a\":1,\"a\":2}", "invalid_json"),
            (JSON, "{\"a\":{\"b\":1,\"b\":2}}", "invalid_json"),
            (JSON, "{\"a\":\"[[[[\\\"[\"}", "ok"),
        ] {
            assert_eq!(outcome(content_type, body), code, "{body}");
        }
        let nested =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(outcome(JSON, &nested(JSON_DEPTH_MAX - 1)), "ok");
        assert_eq!(outcome(JSON, &nested(JSON_DEPTH_MAX)), "invalid_json");
    }

    #[test]
    fn every_fault_is_reported_with_its_pointer() {
        let body = br#"{"name":1,"limit":0,"list":["a",2],"a/b":true}"#;
        let mut fields = Fields::parse(JSON, body).unwrap();
        fields.optional("name", "", reading::text(""));
        fields.optional("limit", "", reading::number(1, 9, 1));
        fields.optional("list", "", reading::list(5, reading::text("")));
        fields.required("missing", "", reading::text(""));
        let faults: Vec<_> = fields
            .finish()
            .unwrap_err()
            .into_iter()
            .map(|fault| (fault.pointer, fault.code.name))
            .collect();
        let expected = [
            ("/name", "wrong_type"),
            ("/limit", "out_of_range"),
            ("/list/1", "wrong_type"),
            ("/missing", "required"),
            ("/a~1b", "unknown_field"),
        ];
        assert_eq!(faults, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }
}
