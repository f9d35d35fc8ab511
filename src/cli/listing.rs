//! Prints responses of the API: lists as tables, objects as one field a line.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::cli::client::{Client, query};
use crate::cli::exit::{Failure, print, print_message, print_table};
use crate::cli::terminal::cell;
use crate::http::views::FieldNames;

/// Maximum number of items of a page.
const PAGE_LIMIT: usize = 100;

/// Names of fields of a view. A name that the view does not have does not compile, if the result is a
/// constant.
pub(super) const fn fields_of<V: FieldNames, const N: usize>(
    names: [&'static str; N],
) -> [&'static str; N] {
    let mut left: &[&str] = &names;
    while let [name, others @ ..] = left {
        assert!(has_field(V::NAMES, name), "the view has no field of this name");
        left = others;
    }
    names
}

const fn has_field(mut lists: &[&[&str]], name: &str) -> bool {
    while let [fields, others @ ..] = lists {
        let mut left = *fields;
        while let [field, others @ ..] = left {
            if is_equal(field.as_bytes(), name.as_bytes()) {
                return true;
            }
            left = others;
        }
        lists = others;
    }
    false
}

const fn is_equal(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([first, one @ ..], [second, other @ ..]) => *first == *second && is_equal(one, other),
        _ => false,
    }
}

/// All items of a list, fetched page by page. Parameters without a value are left out.
pub(super) fn all(
    client: &Client,
    path: &str,
    parameters: &[(&str, Option<&str>)],
) -> Result<Vec<Value>, Failure> {
    first(usize::MAX, client, path, parameters)
}

/// The first `items_max` items of a list.
pub(super) fn first(
    items_max: usize,
    client: &Client,
    path: &str,
    parameters: &[(&str, Option<&str>)],
) -> Result<Vec<Value>, Failure> {
    pages(items_max, path, parameters, |target| client.get(target))
}

/// The first `items_max` items of a list. `get` fetches each page.
pub(super) fn pages<E>(
    items_max: usize,
    path: &str,
    parameters: &[(&str, Option<&str>)],
    get: impl Fn(String) -> Result<Value, E>,
) -> Result<Vec<Value>, E> {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    while items.len() < items_max {
        let limit = (items_max - items.len()).min(PAGE_LIMIT).to_string();
        let paging = [("limit", Some(&*limit)), ("cursor", cursor.as_deref())];
        let parameters = query(&[parameters, &paging].concat());
        let page = get(format!("{path}{parameters}"))?;
        let found = page.get("items").and_then(Value::as_array).cloned();
        items.extend(found.unwrap_or_default());
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    Ok(items)
}

/// Prints a list as a table of the given fields, or as JSON. `none` is the message for an empty
/// list.
pub(super) fn print_all(
    items: Vec<Value>,
    columns: &[&str],
    none: &str,
    json: bool,
) -> Result<(), Failure> {
    let row = |item: &Value| columns.iter().map(|column| cell(item.get(*column))).collect();
    print_rows(items, columns, row, none, json)
}

/// Prints a list as a table with a row for each item, or as JSON. `none` is the message for an empty
/// list.
pub(super) fn print_rows(
    items: Vec<Value>,
    columns: &[&str],
    row: impl Fn(&Value) -> Vec<String>,
    none: &str,
    json: bool,
) -> Result<(), Failure> {
    if json {
        return print(&Value::Array(items).to_string());
    }
    if items.is_empty() {
        print_message(none);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|column| column.to_uppercase()));
    for item in &items {
        table.add_row(row(item));
    }
    print_table(&table.trim_fmt())
}

/// Prints the given fields of an object, one a line, or the whole object as JSON.
pub(super) fn print_one(object: &Value, fields: &[&str], json: bool) -> Result<(), Failure> {
    if json {
        return print(&object.to_string());
    }
    for name in fields {
        print(&format!("{name:<15} {}", cell(object.get(*name))))?;
    }
    Ok(())
}

/// Prints those of the given fields that an object has, or the whole object as JSON.
pub(super) fn print_known(object: &Value, fields: &[&str], json: bool) -> Result<(), Failure> {
    let known: Vec<_> = fields.iter().copied().filter(|name| object.get(name).is_some()).collect();
    print_one(object, &known, json)
}
