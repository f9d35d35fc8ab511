//! `/v1/audit`: the audit events, the newest seal, and the verification of the log.

use rouille::Response;
use serde_json::{Map, Value, json};

use crate::actions::audit::AuditHead;
use crate::actions::audit::check::{CheckedLog, Cut, LogFault};
use crate::actions::audit::list::{EventQuery, ListedEvent, WantedAction, WantedActor};
use crate::http::api::{cursor, paging};
use crate::http::input::{Fields, parsed};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::key::Author;

/// Longest action, and longest target id, in a filter.
const FILTER_CHARACTERS_MAX: usize = 100;
/// The actor of events without an authenticated actor.
const NO_ACTOR: &str = "none";

pub(in crate::http) fn list_events(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let (limit, after) = paging(&mut parameters);
    let query = EventQuery {
        limit,
        after,
        actor: parameters.old_optional("actor", "invalid_actor", parse_actor),
        action: parameters.old_optional("action", "invalid_action", parse_action),
        target: parameters.old_optional("target", "too_long", parse_target),
        since: parameters.old_optional("since", "invalid_time", str::parse::<Moment>),
        until: parameters.old_optional("until", "invalid_time", str::parse::<Moment>),
    };
    parameters.finish()?;
    let listed = app.actions.list_events(call.actor()?, &query)?;
    let items: Vec<Value> = listed.events.iter().map(event_view).collect();
    Ok(answer::json(&json!({ "items": items, "next_cursor": listed.next.map(cursor::write) })))
}

pub(in crate::http) fn show_head(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer::json(&head_view(&app.actions.audit_head(call.actor()?)?)))
}

pub(in crate::http) fn check(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let head = fields.old_optional("head", parsed("invalid_hash", str::parse::<Digest>));
    fields.finish().map_err(Problem::invalid)?;
    Ok(answer::json(&check_view(&app.actions.check_audit(call.actor()?, head)?)))
}

fn parse_actor(text: &str) -> Result<WantedActor, &'static str> {
    if text == NO_ACTOR {
        return Ok(WantedActor::Unauthenticated);
    }
    text.parse()
        .map(WantedActor::Only)
        .map_err(|_source| "must be the id of a user or a key, or local, or none")
}

/// Parses an action, or a prefix of actions that ends in `.*`.
fn parse_action(text: &str) -> Result<WantedAction, &'static str> {
    let (name, is_start) = text.strip_suffix(".*").map_or((text, false), |name| (name, true));
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = text.len() <= FILTER_CHARACTERS_MAX
        && name.split('.').all(|word| !word.is_empty() && word.bytes().all(plain));
    match (is_name, is_start) {
        (true, true) => Ok(WantedAction::Below(format!("{name}."))),
        (true, false) => Ok(WantedAction::Only(name.to_owned())),
        (false, _) => Err("must be an action such as key.create, or a prefix such as key.*"),
    }
}

fn parse_target(text: &str) -> Result<String, String> {
    let fits = text.chars().count() <= FILTER_CHARACTERS_MAX;
    fits.then(|| text.to_owned())
        .ok_or_else(|| format!("must be at most {FILTER_CHARACTERS_MAX} characters"))
}

fn event_view(event: &ListedEvent) -> Value {
    let record = &event.record;
    let (kind, id) = match record.actor {
        Some(Author::User(id)) => ("user", Some(id.to_string())),
        Some(Author::Key(id)) => ("key", Some(id.to_string())),
        Some(Author::Local) => ("local", None),
        None => (NO_ACTOR, None),
    };
    json!({
        "id": record.id.to_string(),
        "at": record.at.to_string(),
        "actor": { "kind": kind, "id": id, "name": event.actor_name },
        "address": record.address.map(|address| address.to_string()),
        "organization": record.organization.map(|id| id.to_string()),
        "action": record.action,
        "target": record.target,
        "before": record.before,
        "after": record.after,
    })
}

fn head_view(head: &AuditHead) -> Value {
    json!({
        "number": head.number,
        "hash": head.hash.to_string(),
        "at": head.at.map(|at| at.to_string()),
    })
}

fn check_view(checked: &CheckedLog) -> Value {
    json!({
        "ok": checked.faults.is_empty(),
        "seals": checked.seals,
        "events": checked.events,
        "unsealed": checked.unsealed,
        "head": head_view(&checked.head),
        "cut": checked.cut.as_ref().map(cut_view),
        "faults": checked.faults.iter().map(fault_view).collect::<Vec<_>>(),
    })
}

fn cut_view(cut: &Cut) -> Value {
    json!({
        "number": cut.number,
        "at": cut.at.to_string(),
        "retention": cut.retention.map(|retention| retention.to_string()),
    })
}

fn fault_view(fault: &LogFault) -> Value {
    let mut view = Map::new();
    view.insert("kind".to_owned(), fault.kind.name().into());
    if let Some(seal) = fault.seal {
        view.insert("seal".to_owned(), seal.into());
    }
    if let Some(event) = fault.event {
        view.insert("event".to_owned(), event.to_string().into());
    }
    view.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_filter_is_a_name_or_a_prefix() {
        for (text, wanted) in [
            ("key.create", Ok(WantedAction::Only("key.create".to_owned()))),
            ("key.*", Ok(WantedAction::Below("key.".to_owned()))),
            ("key.team.*", Ok(WantedAction::Below("key.team.".to_owned()))),
        ] {
            assert_eq!(parse_action(text), wanted, "{text}");
        }
        for wrong in ["", "*", ".*", "key*", "key.*.x", "Key.create", "key..create", "a b"] {
            assert!(parse_action(wrong).is_err(), "{wrong}");
        }
    }
}
