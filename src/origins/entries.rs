//! The entries of an export in JSON or CSV.

use std::collections::HashMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::origins::UnreadableExport;
use crate::origins::entry::ExportedKey;

/// A JSON document, whose fields are in the order of the text.
enum Document {
    Fields(Vec<(String, Value)>),
    Items(Vec<Value>),
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Document::Fields(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Document, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Document::Items(items))
    }
}

/// Reads the objects of a JSON document, or of one document for each line. A document is a key, a
/// list of keys, or an object with such a list in one of the `lists`: a page of an API's response.
pub(super) fn of_json(text: &str, lists: &[&str]) -> Result<Vec<ExportedKey>, UnreadableExport> {
    let ordered = of_ordered_json(text, lists)?.into_iter();
    Ok(ordered.map(|(line, fields)| ExportedKey::new(line, fields.into_iter().collect())).collect())
}

/// The fields of an object in the order of the text, and the object's number.
type Ordered = (usize, Vec<(String, Value)>);

/// Reads what [`of_json`] reads, with fields in the order of the text, as far as they are the fields
/// of a document.
pub(super) fn of_ordered_json(
    text: &str,
    lists: &[&str],
) -> Result<Vec<Ordered>, UnreadableExport> {
    let mut entries = Vec::new();
    for document in serde_json::Deserializer::from_str(text).into_iter::<Document>() {
        let document = document.map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            UnreadableExport(format!("not a JSON object or list: error at {place}"))
        })?;
        let items = match document {
            Document::Items(items) => items,
            Document::Fields(mut fields) => {
                let is_list = |(name, value): &(String, Value)| {
                    lists.contains(&name.as_str()) && value.is_array()
                };
                let list = fields.iter().position(is_list).map(|at| fields.swap_remove(at).1);
                let Some(Value::Array(items)) = list else {
                    entries.push((entries.len() + 1, fields));
                    continue;
                };
                items
            },
        };
        for item in items {
            let line = entries.len() + 1;
            let Value::Object(fields) = item else {
                return Err(UnreadableExport(format!("key {line} is not a JSON object")));
            };
            entries.push((line, fields.into_iter().collect()));
        }
    }
    Ok(entries)
}

/// Reads the rows of CSV with a header. Empty values are absent. A column that occurs twice is an
/// error, which names it by its number: a header may be a secret.
pub(super) fn of_csv(text: &str) -> Result<(Vec<String>, Vec<ExportedKey>), UnreadableExport> {
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let unreadable = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        UnreadableExport(format!("line {line} does not have the columns of the header"))
    };
    let header = reader.headers().map_err(|error| unreadable(&error))?.clone();
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    let mut columns = HashMap::new();
    for (name, column) in names.iter().zip(1_usize..) {
        if let Some(first) = columns.insert(name, column) {
            let detail = format!("column {column} of the header has the name of column {first}");
            return Err(UnreadableExport(detail));
        }
    }
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let values = names.iter().zip(&record).filter(|(_, value)| !value.is_empty());
        let fields: Map<_, _> =
            values.map(|(name, value)| (name.clone(), Value::String(value.to_owned()))).collect();
        entries.push(ExportedKey::new(usize::try_from(line).unwrap_or(usize::MAX), fields));
    }
    Ok((names, entries))
}
