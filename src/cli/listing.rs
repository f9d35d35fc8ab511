//! Prints responses of the API: lists as tables, objects as one field a line.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::cli::client::{ApiRequest, Client, query};
use crate::cli::exit::{Failure, print, print_message, print_table};
use crate::cli::terminal::cell;

/// All items of a list, fetched page by page.
pub(super) fn all(
    client: &Client,
    path: &str,
    organization: Option<&str>,
) -> Result<Vec<Value>, Failure> {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let parameters = query(&[
            ("limit", Some("100")),
            ("organization", organization),
            ("cursor", cursor.as_deref()),
        ]);
        let target = format!("{path}{parameters}");
        let page = client.send(&ApiRequest { method: "GET", target, body: None })?;
        let found = page.get("items").and_then(Value::as_array).cloned();
        items.extend(found.unwrap_or_default());
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(items);
        }
    }
}

/// Prints a list as a table of the given fields, or as JSON. `none` is the message for an empty
/// list.
pub(super) fn print_all(
    items: Vec<Value>,
    columns: &[&str],
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
        table.add_row(columns.iter().map(|column| cell(item.get(*column))));
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
