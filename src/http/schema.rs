//! Builders for the schemas of the `OpenAPI` document.
//!
//! Each schema has an example, so that the example of an object can be made from those of its fields.

use serde_json::Value;
use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder,
    SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

use crate::model::locale::Locale;
use crate::model::permission::PERMISSION_BYTES_MAX;
use crate::model::requirement::REQUIREMENT_NAMES_MAX;

/// A schema, or a reference to one.
pub(crate) type Schema = RefOr<utoipa::openapi::Schema>;

/// The UUID of all ids in examples.
pub(crate) const EXAMPLE_UUID: &str = "0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f";
const EXAMPLE_MOMENT: &str = "2025-01-31T12:00:00.000Z";
/// Regular expression of a permission.
const PERMISSION: &str = r"^[a-z0-9_-]+(:[a-z0-9_-]+){1,7}$";
/// Regular expression of the part of an id behind its prefix.
const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
/// Regular expression of a permission pattern.
const PATTERN: &str = r"^(\*|([a-z0-9_-]+|\*)(:([a-z0-9_-]+|\*)){1,7})$";
/// Regular expression of a text without control characters, which could forge lines in a terminal.
const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// A field of an object, or a parameter.
#[derive(Clone)]
pub(crate) struct Field {
    name: &'static str,
    schema: Schema,
    description: &'static str,
    required: bool,
}

/// A field that is always present.
pub(crate) fn field(
    name: &'static str,
    schema: impl Into<Schema>,
    description: &'static str,
) -> Field {
    Field { name, schema: schema.into(), description, required: true }
}

/// A field that a request may omit or set to null, with the same meaning.
pub(crate) fn optional(
    name: &'static str,
    schema: impl Into<Schema>,
    description: &'static str,
) -> Field {
    field(name, nullable(schema.into()), description).seldom()
}

/// A field of a response that may be absent.
pub(crate) fn sometimes(
    name: &'static str,
    schema: impl Into<Schema>,
    description: &'static str,
) -> Field {
    field(name, schema, description).seldom()
}

impl Field {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The name, schema, description and necessity of a parameter.
    pub(crate) fn into_parameter(self) -> (&'static str, Schema, &'static str, bool) {
        (self.name, self.schema, self.description, self.required)
    }

    /// Makes the field optional, but not nullable.
    pub(crate) fn seldom(mut self) -> Self {
        self.required = false;
        self
    }
}

/// The schema with a description. `OpenAPI` 3.1 allows a description next to a reference.
fn described(schema: Schema, description: &'static str) -> Schema {
    use utoipa::openapi::Schema::{AllOf, AnyOf, Array, Object, OneOf};
    let text = Some(description.to_owned());
    match schema {
        RefOr::Ref(mut reference) => {
            description.clone_into(&mut reference.description);
            RefOr::Ref(reference)
        },
        RefOr::T(mut schema) => {
            match &mut schema {
                Array(array) => array.description = text,
                Object(object) => object.description = text,
                OneOf(one) => one.description = text,
                AllOf(all) => all.description = text,
                AnyOf(any) => any.description = text,
                _ => {},
            }
            RefOr::T(schema)
        },
    }
}

/// The schema of a request body. Unknown fields are rejected.
pub(crate) fn request(fields: impl IntoIterator<Item = Field>) -> Schema {
    object(fields).additional_properties(Some(AdditionalProperties::FreeForm(false))).into()
}

/// The schema of a response. Clients must ignore unknown fields, since later versions may add some.
pub(crate) fn answer(fields: impl IntoIterator<Item = Field>) -> Schema {
    object(fields).into()
}

fn object(fields: impl IntoIterator<Item = Field>) -> ObjectBuilder {
    fields.into_iter().fold(ObjectBuilder::new(), |object, field| {
        let object = object.property(field.name, described(field.schema, field.description));
        if field.required { object.required(field.name) } else { object }
    })
}

/// An object with arbitrary fields.
pub(crate) fn anything(example: Value) -> ObjectBuilder {
    ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .examples([example])
}

/// An object with arbitrary field names, whose values have one schema.
pub(crate) fn map_of(value: impl Into<Schema>, example: Value) -> ObjectBuilder {
    ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::RefOr(value.into())))
        .examples([example])
}

pub(crate) fn any(example: Value) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).examples([example])
}

/// A reference to a component.
pub(crate) fn the(name: &str) -> Schema {
    Ref::from_schema_name(name).into()
}

pub(crate) fn nullable(schema: Schema) -> Schema {
    use utoipa::openapi::Schema::{Array, Object};
    let with_null = |kind: SchemaType| match kind {
        SchemaType::Type(kind) => SchemaType::from_iter([kind, Type::Null]),
        SchemaType::Array(_) | SchemaType::AnyValue => kind,
    };
    if let RefOr::T(Object(mut object)) = schema {
        object.schema_type = with_null(object.schema_type);
        if let Some(values) = &mut object.enum_values {
            values.push(Value::Null);
        }
        RefOr::T(Object(object))
    } else if let RefOr::T(Array(mut array)) = schema {
        array.schema_type = with_null(array.schema_type);
        RefOr::T(Array(array))
    } else {
        any_of([schema, ObjectBuilder::new().schema_type(Type::Null).into()])
    }
}

pub(crate) fn any_of(schemas: impl IntoIterator<Item = Schema>) -> Schema {
    schemas.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item).into()
}

/// An object with the fields of both schemas.
pub(crate) fn both(one: Schema, other: Schema) -> Schema {
    AllOfBuilder::new().item(one).item(other).into()
}

pub(crate) fn text(example: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).examples([example])
}

/// A text that matches a regular expression.
pub(crate) fn fitting(pattern: &str, example: &str) -> ObjectBuilder {
    text(example).pattern(Some(pattern))
}

/// A text in a named format.
pub(crate) fn formatted(format: &str, example: &str) -> ObjectBuilder {
    text(example).format(Some(SchemaFormat::Custom(format.to_owned())))
}

pub(crate) fn address() -> Schema {
    any_of([formatted("ipv4", "192.0.2.7").into(), formatted("ipv6", "2001:db8::7").into()])
}

/// A requirement: permissions that must all be granted, or an expression.
pub(crate) fn requirement() -> Schema {
    let listed = list(REQUIREMENT_NAMES_MAX, permission("diagrams:read")).min_items(Some(1));
    any_of([listed.into(), formatted("requirement", "a:read AND (b:list OR c:list)").into()])
}

/// A network in CIDR notation, without bits set beyond its prefix, or a single address.
pub(crate) fn network() -> ObjectBuilder {
    formatted("cidr", "192.0.2.0/24")
}

/// A duration: one or several pairs of a number and `y`, `mo`, `w`, `d`, `h`, `m` or `s`.
pub(crate) fn span(example: &str) -> ObjectBuilder {
    formatted("span", example).max_length(Some(32))
}

/// A text of one line, without control characters.
pub(crate) fn line(characters_max: usize, example: &str) -> ObjectBuilder {
    fitting(LINE, example).max_length(Some(characters_max))
}

/// A name: one line that is not blank.
pub(crate) fn name(example: &str) -> ObjectBuilder {
    // Spaces at both ends are trimmed, so one character must not be a space.
    fitting(r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$", example)
        .min_length(Some(1))
        .max_length(Some(crate::model::name::NAME_CHARACTERS_MAX))
}

pub(crate) fn email(example: &str) -> ObjectBuilder {
    text(example).format(Some(SchemaFormat::KnownFormat(KnownFormat::Email))).max_length(Some(254))
}

pub(crate) fn password(example: &str) -> ObjectBuilder {
    text(example).format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
}

pub(crate) fn choice(words: &[&'static str]) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words.iter().copied()))
        .examples(words.first().copied())
}

pub(crate) fn whole(min: u32, max: u32, example: u32) -> ObjectBuilder {
    count(example).minimum(Some(min)).maximum(Some(max))
}

/// A whole number that may exceed 32 bits.
pub(crate) fn long(min: u64, max: u64, example: u32) -> ObjectBuilder {
    // The library's numbers are floats; these are small enough to be exact.
    let exact = |number: u64| u32::try_from(number / 1_000).map(|it| f64::from(it) * 1_000.0).ok();
    count(example).minimum(Some(u32::try_from(min).unwrap_or(0))).maximum(exact(max))
}

/// A whole number of at least 0.
pub(crate) fn count(example: u32) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .examples([example])
}

pub(crate) fn truth(example: bool) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).examples([example])
}

/// A language of the page.
pub(crate) fn locale() -> ObjectBuilder {
    choice(&Locale::ALL.map(Locale::name))
}

/// A role: the name of a built-in role, or the id of a custom role.
pub(crate) fn role() -> Schema {
    any_of([choice(&["user", "guest", "administrator", "owner"]).into(), id("role").into()])
}

/// A time in RFC 3339.
pub(crate) fn moment() -> ObjectBuilder {
    moment_as(EXAMPLE_MOMENT)
}

/// A time with this example.
pub(crate) fn moment_as(example: &str) -> ObjectBuilder {
    text(example).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

pub(crate) fn id(prefix: &str) -> ObjectBuilder {
    fitting(&format!("^{prefix}_{UUID}$"), &format!("{prefix}_{EXAMPLE_UUID}"))
}

/// Ids, separated by commas: at least one, and at most `most`.
pub(crate) fn ids(prefix: &str, most: usize) -> ObjectBuilder {
    let (id, rest) = (format!("{prefix}_{UUID}"), most.saturating_sub(1));
    fitting(&format!("^{id}(,{id}){{0,{rest}}}$"), &format!("{prefix}_{EXAMPLE_UUID}"))
}

pub(crate) fn permission(example: &str) -> ObjectBuilder {
    fitting(PERMISSION, example).max_length(Some(PERMISSION_BYTES_MAX))
}

pub(crate) fn pattern(example: &str) -> ObjectBuilder {
    fitting(PATTERN, example).max_length(Some(PERMISSION_BYTES_MAX))
}

pub(crate) fn gate_name() -> Schema {
    fitting("^[a-z][a-z0-9-]{0,62}$", "default").into()
}

/// A list of at most `items_max` items.
pub(crate) fn list(items_max: usize, item: impl Into<Schema>) -> ArrayBuilder {
    each(item).max_items(Some(items_max))
}

/// A list without a maximum.
pub(crate) fn each(item: impl Into<Schema>) -> ArrayBuilder {
    ArrayBuilder::new().items(item.into())
}

pub(crate) fn page(item: Schema) -> Schema {
    page_by(cursor().into(), item)
}

/// A page of a list that is sorted by name.
pub(crate) fn page_by_name(item: Schema) -> Schema {
    page_by(name_cursor().into(), item)
}

fn page_by(cursor: Schema, item: Schema) -> Schema {
    answer([
        field("items", each(item), "Items of the page."),
        field("next_cursor", nullable(cursor), "Cursor of the next page. Null on the last page."),
    ])
}

/// The cursor of a list that is sorted by name.
pub(crate) fn name_cursor() -> ObjectBuilder {
    formatted("name-cursor", "ZGlhZ3JhbXM6cmVhZA")
}

/// The cursor of a list of keys, whose form depends on the sort order.
pub(crate) fn key_cursor() -> ObjectBuilder {
    formatted("key-cursor", "AZnzom8efMOYxNwMDAc5jw")
}

pub(crate) fn cursor() -> ObjectBuilder {
    fitting("^[A-Za-z0-9_-]{21}[AQgw]$", "AZnzom8efMOYxNwMDAc5jw")
}
