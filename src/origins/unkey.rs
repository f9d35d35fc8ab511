//! Unkey: responses of `/v2/apis.listKeys`, and rows of the table `keys`.
//!
//! Unkey stores SHA-256 of the whole key, in base64. A response has no hash, but `plaintext` if it
//! was requested with `decrypt`. The rate limits, permissions and roles of a row are in other tables.

use serde_json::Value;

use crate::model::foreign::parse_hash;
use crate::model::key_text::Environment;
use crate::model::moment::Moment;
use crate::origins::draft::Draft;
use crate::origins::entry::ExportedKey;
use crate::origins::{Converted, UnreadableExport, entries};

/// What a key of a response has, and a row of the present table `keys` does not.
const NOT_IN_ROWS: [&str; 6] =
    ["keyId", "ratelimit", "ratelimits", "ratelimitLimit", "permissions", "roles"];

pub(super) fn convert(text: &str, now: Moment) -> Result<Converted, UnreadableExport> {
    let mut converted = Converted::default();
    for source in entries::of_json(text, &["data", "keys"])? {
        let source = source.named_by(&["keyId", "id"]);
        let drafted = draft(&source, now);
        converted.add(&source, drafted);
    }
    Ok(converted)
}

fn draft(source: &ExportedKey, now: Moment) -> Result<Draft, String> {
    let mut draft = Draft::of("unkey");
    if source.has(&["deletedAt", "deletedAtM"]) {
        return Err("was deleted".to_owned());
    }
    match (source.secret(&["hash"])?, source.secret(&["plaintext"])?) {
        (Some(hash), _) => {
            parse_hash(&hash).map_err(|error| format!("hash {error}"))?;
            draft.sha256(&hash);
        },
        (None, Some(text)) => draft.set("key", text),
        (None, None) => {
            return Err(
                "has neither hash nor plaintext: export the column hash of the table keys, \
                        or list the keys with decrypt"
                    .to_owned(),
            );
        },
    }
    draft.end(source.time(&["expires"])?, now)?;
    draft.name(source.text(&["name"])?.as_deref());
    draft.hint(source.text(&["start"])?);
    draft.set_time("created_at", source.time(&["createdAt", "createdAtM"])?);
    draft.set_time("last_used_at", source.time(&["lastUsedAt"])?);
    draft.set("disabled", source.truth(&["enabled"])? == Some(false));
    environment(source, &mut draft)?;
    credits(source, &mut draft)?;
    rate_limits(source, &mut draft)?;
    draft.permissions(&source.texts(&["permissions"])?);
    let roles = source.texts(&["roles"])?;
    if !roles.is_empty() {
        draft.leave_out(format!("roles: {}", roles.join(", ")));
    }
    if !source.has(&NOT_IN_ROWS) {
        draft.leave_out("the rate limits, permissions and roles, which are in other tables");
    }
    draft.metadata(source.object(&["meta"])?);
    draft.fact("id", source.text(&["keyId", "id"])?);
    let identity = source.part(&["identity"])?;
    let external = identity.map(|it| it.text(&["externalId"])).transpose()?.flatten();
    draft.fact("owner", source.text(&["externalId", "ownerId"])?.or(external));
    Ok(draft)
}

fn environment(source: &ExportedKey, draft: &mut Draft) -> Result<(), String> {
    let Some(text) = source.text(&["environment"])? else { return Ok(()) };
    match text.parse::<Environment>() {
        Ok(environment) => draft.set("environment", environment.as_str()),
        Err(error) => draft.leave_out(format!("environment: {error}")),
    }
    Ok(())
}

/// Calls that are left. Keyhouse knows them only with a period in which they are renewed.
fn credits(source: &ExportedKey, draft: &mut Draft) -> Result<(), String> {
    let credits = source.part(&["credits"])?;
    let place = credits.as_ref().unwrap_or(source);
    let Some(left) = place.number(&["remaining", "remainingRequests"])? else { return Ok(()) };
    let refill = place.part(&["refill"])?;
    let renewal = refill.as_ref().unwrap_or(place);
    let Some(amount) = renewal.positive(&["amount", "refillAmount"])? else {
        return Err(format!(
            "has {left} calls left that are never renewed, but a quota is for a day, a week or a \
             month"
        ));
    };
    let day = renewal.number(&["refillDay"])?;
    let is_monthly = match renewal.text(&["interval", "refillInterval"])?.as_deref() {
        Some("daily") => false,
        Some("monthly") => true,
        Some(_) => return Err("the interval of the refill is neither daily nor monthly".to_owned()),
        // In the table, a refill has a day of the month, or none if it is daily.
        None => day.is_some(),
    };
    draft.quota(amount, if is_monthly { "month" } else { "day" }, "UTC");
    if is_monthly && day.is_some_and(|day| day != 1) {
        draft.leave_out("the day of the refill: the quota is renewed on the first of a month");
    }
    draft.leave_out(format!(
        "the {left} calls left until the next refill: the quota starts in full"
    ));
    Ok(())
}

fn rate_limits(source: &ExportedKey, draft: &mut Draft) -> Result<(), String> {
    single_rate_limit(source, draft)?;
    for item in source.list(&["ratelimits"])? {
        let Value::Object(fields) = item else {
            return Err("ratelimits is not a list of objects".to_owned());
        };
        let item = ExportedKey::new(source.line, fields);
        let name = item.text(&["name"])?.unwrap_or_else(|| "default".to_owned());
        if item.truth(&["autoApply"])? == Some(false) {
            draft.leave_out(format!("the rate limit {name}, which a call has to name"));
            continue;
        }
        let (limit, window) = (item.positive(&["limit"])?, item.positive(&["duration"])?);
        if limit.is_none() && window.is_none() {
            return Err(format!("the rate limit {name} has no limit"));
        }
        draft.rate_limit_of(&name, limit, window)?;
    }
    Ok(())
}

/// The only rate limit of a key in older versions, in an object or in columns. In the oldest form,
/// `limit` is the size of a bucket that gets `refillRate` calls in each `refillInterval`.
fn single_rate_limit(source: &ExportedKey, draft: &mut Draft) -> Result<(), String> {
    let single = source.part(&["ratelimit"])?;
    let place = single.as_ref().unwrap_or(source);
    let [limit, duration, rate, interval] = if single.is_some() {
        ["limit", "duration", "refillRate", "refillInterval"]
    } else {
        // The column `refill_interval` is that of the credits.
        ["ratelimitLimit", "ratelimitDuration", "ratelimitRefillRate", "ratelimitRefillInterval"]
    };
    let (limit, duration) = (place.positive(&[limit])?, place.positive(&[duration])?);
    let (rate, interval) = (place.positive(&[rate])?, place.positive(&[interval])?);
    if duration.is_none() && interval.is_some() && rate != limit {
        return Err("has a rate limit whose limit and refillRate are not the same: a limit of \
                    Keyhouse is refilled completely in its window"
            .to_owned());
    }
    draft.rate_limit_of("default", limit, duration.or(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(fields: &str) -> Converted {
        let text = format!(r#"{{"hash": "{}", {fields}}}"#, "ab".repeat(32));
        convert(&text, Moment::BEGINNING).ok().unwrap()
    }

    #[test]
    fn a_rate_limit_is_whole_or_its_key_is_not_imported() {
        for (fields, expected) in [
            (r#""ratelimit": {"limit": 9, "refillRate": 9, "refillInterval": 1000}"#, ""),
            (r#""ratelimit": {"limit": 9, "refillRate": 1, "refillInterval": 1000}"#, "has a rate"),
            (r#""ratelimit": {"limit": 9}"#, "has a rate limit of 9 calls without a window"),
            (r#""ratelimit_limit": 9, "refill_interval": "daily""#, "has a rate limit of 9 calls"),
            (r#""ratelimit_duration": 1000"#, "has the window of a rate limit"),
            (r#""ratelimits": [{"limit": 9}]"#, "has a rate limit of 9 calls without a window"),
        ] {
            let refused = converted(fields).refused;
            let reason = refused.first().map_or("", |remark| remark.reason.as_str());
            assert!(reason.starts_with(expected), "{fields}: {reason}");
            assert_eq!(reason.is_empty(), expected.is_empty(), "{fields}: {reason}");
        }
    }

    #[test]
    fn a_row_without_rate_limits_is_reported() {
        for (fields, expected) in [(r#""id": "k""#, 1), (r#""keyId": "k""#, 0)] {
            assert_eq!(converted(fields).left_out.len(), expected, "{fields}");
        }
    }
}
