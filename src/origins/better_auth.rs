//! Better Auth: rows of the table `apikey`, in JSON or CSV.
//!
//! Better Auth stores SHA-256 of the whole key, in base64url without padding, or with
//! `disableKeyHashing` the key itself.

use serde_json::{Map, Value};

use crate::model::foreign::parse_hash;
use crate::model::moment::Moment;
use crate::origins::draft::Draft;
use crate::origins::entry::ExportedKey;
use crate::origins::{Converted, UnreadableExport, entries};

/// The length of a hash in base64url without padding.
const HASH_CHARACTERS: usize = 43;

pub(super) fn convert(text: &str, now: Moment) -> Result<Converted, UnreadableExport> {
    let is_json = text.trim_start().starts_with(['[', '{']);
    let sources = if is_json {
        entries::of_json(text, &["apikey", "data"])?
    } else {
        entries::of_csv(text)?.1
    };
    let mut converted = Converted::default();
    for source in sources {
        let source = source.named_by(&["id"]);
        let drafted = draft(&source, now);
        converted.add(&source, drafted);
    }
    Ok(converted)
}

fn draft(source: &ExportedKey, now: Moment) -> Result<Draft, String> {
    let mut draft = Draft::of("better-auth");
    let text = source.secret(&["key"])?.ok_or("has no key")?;
    if text.len() == HASH_CHARACTERS && parse_hash(&text).is_ok() {
        draft.sha256(&text);
    } else {
        draft.set("key", text);
    }
    draft.end(source.time(&["expiresAt"])?, now)?;
    draft.name(source.text(&["name"])?.as_deref());
    draft.hint(source.text(&["start", "prefix"])?);
    draft.set_time("created_at", source.time(&["createdAt"])?);
    draft.set_time("last_used_at", source.time(&["lastRequest"])?);
    draft.set("disabled", source.truth(&["enabled"])? == Some(false));
    if source.truth(&["rateLimitEnabled"])? != Some(false) {
        let limit = source.positive(&["rateLimitMax"])?;
        let window = source.positive(&["rateLimitTimeWindow"])?;
        draft.rate_limit_of("better-auth", limit, window)?;
    }
    remaining(source, &mut draft)?;
    permissions(source, &mut draft)?;
    draft.metadata(source.object(&["metadata"])?);
    draft.fact("id", source.text(&["id"])?);
    draft.fact("owner", source.text(&["referenceId", "userId"])?);
    draft.fact("config", source.text(&["configId"])?);
    Ok(draft)
}

/// Calls that are left until the next refill.
fn remaining(source: &ExportedKey, draft: &mut Draft) -> Result<(), String> {
    let Some(left) = source.number(&["remaining"])? else { return Ok(()) };
    let amount = source.positive(&["refillAmount"])?;
    let Some((amount, interval)) = amount.zip(source.positive(&["refillInterval"])?) else {
        return Err(format!(
            "has {left} calls left that are never renewed, but a quota is for a day, a week or a \
             month"
        ));
    };
    draft.renewed(amount, interval.div_ceil(1_000))?;
    draft.leave_out(format!(
        "the {left} calls left until the next refill: the quota starts in full"
    ));
    Ok(())
}

/// `{"files": ["read", "write"]}` becomes `files:read` and `files:write`.
fn permissions(source: &ExportedKey, draft: &mut Draft) -> Result<(), String> {
    let resources: Map<String, Value> = source.object(&["permissions"])?.unwrap_or_default();
    let mut names = Vec::new();
    for (resource, actions) in &resources {
        let actions = actions.as_array().ok_or("permissions is not an object of lists")?;
        for action in actions {
            let action = action.as_str().ok_or("permissions is not an object of lists of texts")?;
            names.push(format!("{resource}:{action}"));
        }
    }
    draft.permissions(&names);
    Ok(())
}
