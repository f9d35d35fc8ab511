//! Readers: how a value of a request is read, together with its schema.
//!
//! [`Fields`](crate::http::input::Fields) and [`Parameters`](crate::http::parameters::Parameters)
//! read requests with them, and describe requests by running the same function without a request.

use std::fmt;

use serde_json::Value;

use crate::http::schema::{self, Schema};
use crate::http::view::{Schemas, named};
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::{Id, Kind};
use crate::model::locale::Locale;
use crate::model::moment::Moment;
use crate::model::name::{DESCRIPTION_CHARACTERS_MAX, parse_description, parse_email, parse_name};
use crate::model::permission::{PATTERNS_MAX, Pattern, Patterns};
use crate::model::role::Role;
use crate::model::secret::Secret;

/// Reads one value of a JSON body.
pub(crate) trait Read: Sized {
    type Output;

    /// Reads the value at a JSON pointer, or returns its faults.
    fn read(&self, value: Value, pointer: &str) -> Result<Self::Output, Vec<Fault>>;

    /// The schema. A reader with a name adds its schema to `schemas`, and returns a reference to it.
    fn schema(&self, schemas: &mut Schemas) -> Schema;

    /// Replaces the schema of the reader.
    fn shown<S: Into<Schema>>(self, schema: impl Fn() -> S) -> impl Read<Output = Self::Output> {
        reader(move |value, pointer| self.read(value, pointer), schema)
    }

    /// Gives the schema of the reader a name.
    fn named(self, name: &'static str) -> NamedReader<Self> {
        NamedReader { reader: self, name }
    }

    /// Adds a rule for the whole value, which may return another type.
    fn then<T, F>(self, rule: F) -> Then<Self, F>
    where
        F: Fn(Self::Output, &str) -> Result<T, Vec<Fault>>,
    {
        Then { reader: self, rule }
    }
}

/// Reads one text: a string of a JSON body, or a parameter.
pub(crate) trait ReadText: Read {
    /// The code of the fault of a text that does not parse.
    fn code(&self) -> FaultCode;

    /// Parses the text, or returns the detail of its fault.
    fn parse(&self, text: &str) -> Result<Self::Output, String>;
}

/// A reader made of a function and a schema.
pub(crate) struct ValueReader<R, S> {
    read: R,
    schema: S,
}

pub(crate) fn reader<T, S, R, N>(read: R, schema: S) -> ValueReader<R, S>
where
    R: Fn(Value, &str) -> Result<T, Vec<Fault>>,
    S: Fn() -> N,
    N: Into<Schema>,
{
    ValueReader { read, schema }
}

impl<T, R, S, N> Read for ValueReader<R, S>
where
    R: Fn(Value, &str) -> Result<T, Vec<Fault>>,
    S: Fn() -> N,
    N: Into<Schema>,
{
    type Output = T;

    fn read(&self, value: Value, pointer: &str) -> Result<T, Vec<Fault>> {
        (self.read)(value, pointer)
    }

    fn schema(&self, _schemas: &mut Schemas) -> Schema {
        (self.schema)().into()
    }
}

/// A reader whose schema has a name.
pub(crate) struct NamedReader<R> {
    reader: R,
    name: &'static str,
}

impl<R: Read> Read for NamedReader<R> {
    type Output = R::Output;

    fn read(&self, value: Value, pointer: &str) -> Result<R::Output, Vec<Fault>> {
        self.reader.read(value, pointer)
    }

    fn schema(&self, schemas: &mut Schemas) -> Schema {
        named(schemas, self.name, |schemas| self.reader.schema(schemas))
    }
}

/// A reader with a further rule.
pub(crate) struct Then<R, F> {
    reader: R,
    rule: F,
}

impl<R: Read, T, F: Fn(R::Output, &str) -> Result<T, Vec<Fault>>> Read for Then<R, F> {
    type Output = T;

    fn read(&self, value: Value, pointer: &str) -> Result<T, Vec<Fault>> {
        (self.rule)(self.reader.read(value, pointer)?, pointer)
    }

    fn schema(&self, schemas: &mut Schemas) -> Schema {
        self.reader.schema(schemas)
    }
}

/// A reader of a text that is parsed.
pub(crate) struct Parsed<P, S> {
    code: FaultCode,
    parse: P,
    schema: S,
}

/// Reads a parameter that has one value.
pub(crate) fn only(code: FaultCode, value: &'static str) -> impl ReadText<Output = bool> {
    let parse =
        move |text: &str| (text == value).then_some(true).ok_or_else(|| format!("must be {value}"));
    parsed(code, parse, move || schema::choice(&[value]))
}

/// Reads a text and parses it. A text that does not parse is a fault with this code.
pub(crate) fn parsed<T, E, P, S, N>(code: FaultCode, parse: P, schema: S) -> Parsed<P, S>
where
    E: fmt::Display,
    P: Fn(&str) -> Result<T, E>,
    S: Fn() -> N,
    N: Into<Schema>,
{
    Parsed { code, parse, schema }
}

impl<T, E, P, S, N> Read for Parsed<P, S>
where
    E: fmt::Display,
    P: Fn(&str) -> Result<T, E>,
    S: Fn() -> N,
    N: Into<Schema>,
{
    type Output = T;

    fn read(&self, value: Value, pointer: &str) -> Result<T, Vec<Fault>> {
        let Value::String(text) = value else {
            return wrong(pointer, FaultCode::WRONG_TYPE, "must be a string");
        };
        self.parse(&text).or_else(|detail| wrong(pointer, self.code, detail))
    }

    fn schema(&self, _schemas: &mut Schemas) -> Schema {
        (self.schema)().into()
    }
}

impl<T, E, P, S, N> ReadText for Parsed<P, S>
where
    E: fmt::Display,
    P: Fn(&str) -> Result<T, E>,
    S: Fn() -> N,
    N: Into<Schema>,
{
    fn code(&self) -> FaultCode {
        self.code
    }

    fn parse(&self, text: &str) -> Result<T, String> {
        (self.parse)(text).map_err(|error| error.to_string())
    }
}

/// Reads a text without any rule.
pub(crate) fn text(example: &'static str) -> impl ReadText<Output = String> {
    let any = |text: &str| Ok::<_, String>(text.to_owned());
    parsed(FaultCode::WRONG_TYPE, any, move || schema::text(example))
}

/// Reads any text as a secret, without a copy of the text.
pub(crate) fn secret(example: &'static str) -> impl Read<Output = Secret> {
    let read = |value: Value, pointer: &str| match value {
        Value::String(text) => Ok(Secret::new(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            wrong(pointer, FaultCode::WRONG_TYPE, "must be a string")
        },
    };
    reader(read, move || schema::text(example))
}

/// Reads a time in RFC 3339.
pub(crate) fn moment() -> impl ReadText<Output = Moment> {
    parsed(FaultCode::INVALID_TIME, str::parse::<Moment>, schema::moment)
}

pub(crate) fn password(example: &'static str) -> impl Read<Output = Secret> {
    secret(example).shown(move || schema::password(example))
}

/// Reads a name of people, teams, keys and other objects.
pub(crate) fn name(example: &'static str) -> impl ReadText<Output = String> {
    parsed(FaultCode::INVALID_NAME, parse_name, move || schema::name(example))
}

/// Reads a description of one line.
pub(crate) fn description(example: &'static str) -> impl ReadText<Output = String> {
    parsed(FaultCode::INVALID_DESCRIPTION, parse_description, move || {
        schema::line(DESCRIPTION_CHARACTERS_MAX, example)
    })
}

pub(crate) fn email(example: &'static str) -> impl ReadText<Output = String> {
    parsed(FaultCode::INVALID_EMAIL, parse_email, move || schema::email(example))
}

/// Reads a list of permission patterns.
pub(crate) fn patterns(example: &'static str) -> impl Read<Output = Patterns> {
    let schema = move || schema::pattern(example);
    let pattern = parsed(FaultCode::INVALID_PERMISSION, str::parse::<Pattern>, schema);
    list(PATTERNS_MAX, pattern).then(|patterns, pointer| {
        Patterns::new(&patterns).or_else(|error| wrong(pointer, FaultCode::TOO_MANY, error))
    })
}

pub(crate) fn id<K: Kind>() -> impl ReadText<Output = Id<K>> {
    parsed(FaultCode::INVALID_ID, str::parse::<Id<K>>, || schema::id(K::PREFIX))
}

/// Reads a language of the page.
pub(crate) fn locale() -> impl ReadText<Output = Locale> {
    parsed(FaultCode::INVALID_LOCALE, str::parse::<Locale>, schema::locale)
}

pub(crate) fn role() -> impl ReadText<Output = Role> {
    parsed(FaultCode::INVALID_ROLE, str::parse::<Role>, schema::role)
}

pub(crate) fn boolean(example: bool) -> impl Read<Output = bool> {
    let read = |value: Value, pointer: &str| {
        let read = value.as_bool();
        read.map_or_else(|| wrong(pointer, FaultCode::WRONG_TYPE, "must be true or false"), Ok)
    };
    reader(read, move || schema::truth(example))
}

/// Reads a whole number from `min` to `max`.
pub(crate) fn number(min: u32, max: u32, example: u32) -> impl Read<Output = u32> {
    let read = move |value: Value, pointer: &str| {
        let number = whole(&value).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| (min..=max).contains(number));
        number.map_or_else(|| out_of_range(&value, pointer, min, max), Ok)
    };
    reader(read, move || schema::whole(min, max, example))
}

/// Reads a whole number from `min` to `max` that may exceed 32 bits.
pub(crate) fn long(min: u64, max: u64, example: u32) -> impl Read<Output = u64> {
    let read = move |value: Value, pointer: &str| {
        let number = whole(&value).filter(|number| (min..=max).contains(number));
        number.map_or_else(|| out_of_range(&value, pointer, min, max), Ok)
    };
    reader(read, move || schema::long(min, max, example))
}

fn out_of_range<T, N: fmt::Display>(
    value: &Value,
    pointer: &str,
    min: N,
    max: N,
) -> Result<T, Vec<Fault>> {
    let code = if value.is_number() { FaultCode::OUT_OF_RANGE } else { FaultCode::WRONG_TYPE };
    wrong(pointer, code, format!("must be a whole number from {min} to {max}"))
}

/// A reader of a list.
pub(crate) struct List<R> {
    items_min: usize,
    items_max: usize,
    item: R,
}

/// Reads a list of at most `items_max` items.
pub(crate) fn list<R: Read>(items_max: usize, item: R) -> List<R> {
    List { items_min: 0, items_max, item }
}

impl<R> List<R> {
    /// Requires at least one item.
    pub(crate) fn not_empty(self) -> Self {
        Self { items_min: 1, ..self }
    }
}

impl<R: Read> Read for List<R> {
    type Output = Vec<R::Output>;

    fn read(&self, value: Value, pointer: &str) -> Result<Self::Output, Vec<Fault>> {
        let Value::Array(values) = value else {
            return wrong(pointer, FaultCode::WRONG_TYPE, "must be a list");
        };
        if values.len() > self.items_max {
            let detail = format!("must have at most {} items", self.items_max);
            return wrong(pointer, FaultCode::TOO_MANY, detail);
        }
        let (mut good, mut faults) = (Vec::new(), Vec::new());
        for (at, value) in values.into_iter().enumerate() {
            match self.item.read(value, &format!("{pointer}/{at}")) {
                Ok(value) => good.push(value),
                Err(more) => faults.extend(more),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        if good.len() < self.items_min {
            return wrong(pointer, FaultCode::REQUIRED, "must have at least one item");
        }
        Ok(good)
    }

    fn schema(&self, schemas: &mut Schemas) -> Schema {
        let list = schema::list(self.items_max, self.item.schema(schemas));
        list.min_items((self.items_min > 0).then_some(self.items_min)).into()
    }
}

pub(crate) fn wrong<T>(
    pointer: &str,
    code: FaultCode,
    detail: impl fmt::Display,
) -> Result<T, Vec<Fault>> {
    Err(vec![Fault::new(pointer, code, detail)])
}

/// The whole number in a value. `2.0` is accepted, since JSON and many programs do not distinguish
/// it from `2`.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    // The largest whole number up to which every whole number is exact as a float.
    const FLOAT_EXACT_MAX: f64 = 9_007_199_254_740_991.0;
    let exact = |number: &f64| number.fract() == 0.0 && number.abs() <= FLOAT_EXACT_MAX;
    let float = || value.as_f64().filter(exact)?.to_string().parse().ok();
    value.as_u64().or_else(float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_be_written_as_a_float() {
        for (json, expected) in [
            ("2", Some(2)),
            ("2.0", Some(2)),
            ("2e3", Some(2_000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("9007199254740992.0", None),
            ("2.5", None),
            ("-1", None),
            ("-1.0", None),
            ("\"2\"", None),
            ("null", None),
        ] {
            assert_eq!(whole(&serde_json::from_str(json).unwrap()), expected, "{json}");
        }
    }
}
