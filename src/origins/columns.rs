//! CSV with a header, whose columns have the names of an import's fields.

use serde_json::json;

use crate::model::moment::Moment;
use crate::origins::draft::Draft;
use crate::origins::entry::ExportedKey;
use crate::origins::{Converted, UnreadableExport, entries};

/// Columns whose value is a text of the same field.
const TEXTS: [&str; 8] =
    ["key", "algorithm", "digest", "head", "hint", "owner", "organization", "environment"];
/// Columns that are read in a way of their own.
const OTHERS: [&str; 13] = [
    "name",
    "description",
    "permissions",
    "ip_allow",
    "ip_deny",
    "rate_limit",
    "quota",
    "metadata",
    "not_before",
    "expires_at",
    "created_at",
    "last_used_at",
    "disabled",
];
/// The lengths of the units in which a rate limit counts, in seconds.
const UNITS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400)];

pub(super) fn convert(text: &str, now: Moment) -> Result<Converted, UnreadableExport> {
    let (columns, sources) = entries::of_csv(text)?;
    let is_known = |name: &&String| TEXTS.iter().chain(&OTHERS).any(|known| known == name);
    if let Some(column) = columns.iter().find(|name| !is_known(name)) {
        let known: Vec<_> = TEXTS.iter().chain(&OTHERS).copied().collect();
        let place = columns.iter().position(|name| name == column).unwrap_or_default() + 1;
        return Err(UnreadableExport(format!(
            "column {place} of the header is unknown; known are: {}",
            known.join(", ")
        )));
    }
    let mut converted = Converted::default();
    for source in sources {
        let source = source.named_by(&["name"]);
        let drafted = draft(&source, now);
        converted.add(&source, drafted);
    }
    Ok(converted)
}

fn draft(source: &ExportedKey, now: Moment) -> Result<Draft, String> {
    let mut draft = Draft::plain();
    for field in TEXTS {
        draft.set_some(field, source.text(&[field])?);
    }
    draft.set_some("name", source.text(&["name"])?);
    draft.set_some("description", source.text(&["description"])?);
    draft.set_some("permissions", words(source, "permissions")?);
    let (allow, deny) = (words(source, "ip_allow")?, words(source, "ip_deny")?);
    if allow.is_some() || deny.is_some() {
        let (allow, deny) = (allow.unwrap_or_default(), deny.unwrap_or_default());
        draft.set("ip_rules", json!({ "allow": allow, "deny": deny }));
    }
    for limit in words(source, "rate_limit")?.unwrap_or_default() {
        rate_limit(&mut draft, &limit)?;
    }
    if let Some(quota) = words(source, "quota")? {
        let [limit, zone @ ..] = &*quota else { return Err("quota is empty".to_owned()) };
        let zone = zone.first().map_or("UTC", |zone| zone);
        let (calls, period) = per(limit).ok_or("quota is not of the form 1000/month")?;
        draft.quota(calls, period, zone);
    }
    draft.metadata(source.object(&["metadata"])?);
    draft.end(source.time(&["expires_at"])?, now)?;
    for field in ["not_before", "created_at", "last_used_at"] {
        draft.set_time(field, source.time(&[field])?);
    }
    draft.set_some("disabled", source.truth(&["disabled"])?);
    Ok(draft)
}

/// Adds a limit such as `100/minute` or `20/10s`, under that name.
fn rate_limit(draft: &mut Draft, text: &str) -> Result<(), String> {
    let wrong = "rate_limit is not of the form 100/minute or 20/10s";
    let (calls, window) = per(text).ok_or(wrong)?;
    let unit = UNITS.iter().find(|(name, _)| *name == window).map(|(_, seconds)| *seconds);
    let given = || window.strip_suffix('s')?.parse().ok();
    let seconds: u64 = unit.or_else(given).ok_or(wrong)?;
    draft.rate_limit(&format!("per-{window}"), calls, seconds.saturating_mul(1_000))
}

/// The calls and the period of a limit such as `100/minute`.
fn per(text: &str) -> Option<(u64, &str)> {
    let (calls, period) = text.split_once('/')?;
    Some((calls.parse().ok()?, period))
}

/// The words of a column, which are separated by spaces.
fn words(source: &ExportedKey, column: &str) -> Result<Option<Vec<String>>, String> {
    let text = source.text(&[column])?;
    Ok(text.map(|text| text.split_whitespace().map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origins::{SourceSystem, convert};

    #[test]
    fn an_unknown_column_is_named_by_its_place_and_not_by_its_text() {
        let text = "key,secret-in-a-header\nx,y\n";
        let error = convert(SourceSystem::Csv, text, Moment::BEGINNING).err().unwrap().to_string();
        assert!(error.starts_with("column 2 of the header is unknown"), "{error}");
        assert!(!error.contains("secret-in-a-header"), "{error}");
    }

    #[test]
    fn a_column_that_occurs_twice_is_named_by_both_places() {
        let text = "key,name,key\na,b,c\n";
        let error = convert(SourceSystem::Csv, text, Moment::BEGINNING).err().unwrap().to_string();
        assert_eq!(error, "column 3 of the header has the name of column 1");
    }

    #[test]
    fn a_line_is_that_of_the_file_also_after_a_value_with_line_breaks() {
        let text = "key,description,rate_limit\na,\"two\nlines\",\nb,,often\n";
        let converted = convert(SourceSystem::Csv, text, Moment::BEGINNING).ok().unwrap();
        assert_eq!(converted.rows[0].line, 2);
        assert_eq!((converted.refused.len(), converted.refused[0].line), (1, 4));
    }
}
