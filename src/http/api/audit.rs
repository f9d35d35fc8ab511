//! `/v1/audit`: the audit events, the newest seal, and the verification of the log.

use std::net::IpAddr;

use rouille::Response;
use serde_json::{Map, Value, json};

use crate::actions::audit::AuditHead;
use crate::actions::audit::check::{CheckedLog, Cut, LogFault};
use crate::actions::audit::list::{EventQuery, ListedEvent, WantedAction, WantedActor};
use crate::http::api::{cursor, paging};
use crate::http::endpoint::{Endpoint, get, post};
use crate::http::input::Fields;
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::reading::{moment, parsed};
use crate::http::schema::{anything, choice, count, fitting, formatted, nullable, text, truth};
use crate::http::view::{Page, view};
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::id::{EventId, OfEvent, OrganizationId};
use crate::model::moment::Moment;
use crate::model::role::{AUDIT_READ, INSTANCE_MANAGE};
use crate::model::secret::Digest;
use crate::records::event::NO_ACTOR;

/// Longest action, and longest target id, in a filter.
const FILTER_CHARACTERS_MAX: usize = 100;
/// Examples of the API description.
const HASH: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
const TARGET: &str = "key_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f";

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/audit", list_events)
            .long()
            .named("listEvents", "List audit events")
            .details(
                "Returns the newest events first. The permission is not needed with the \
                 `target` of a key of which the caller can see all fields; `address`, \
                 `before` and `after` are then empty, and events about teams that the caller \
                 may not see are left out.",
            )
            .needs(&[AUDIT_READ])
            .query(read_query)
            .answers::<Page<EventView>>(200, "A page of events.")
            .fails(&[errors::NOT_FOUND]),
        get("/v1/audit/head", show_head)
            .named("showAuditHead", "Show the newest seal")
            .details(
                "Store the hash outside of Keyhouse. Later it proves that no event before \
                 the seal was altered.",
            )
            .needs(&[AUDIT_READ])
            .answers::<HeadView>(200, "Number and hash of the seal."),
        post("/v1/audit/check", check)
            .long()
            .named("checkAudit", "Verify the audit log")
            .details(
                "Verifies that the log is complete and unaltered. With `head`, a hash that \
                 was stored earlier, also that the log still contains that seal.",
            )
            .needs(&[INSTANCE_MANAGE])
            .may_take(read_head, json!({}))
            .answers::<CheckedLogView>(200, "Result of the verification."),
    ]
}

view! {
    EventView = "Event" {
        /// Id of the event.
        id: EventId,
        /// Time of the event.
        at: Moment,
        /// Actor of the event.
        actor: EventActorView,
        /// IP address of the actor. Null if it is unknown.
        address: Option<IpAddr> => nullable(text("192.0.2.7").into()),
        /// Organization of the event. Null for events of the instance.
        organization: Option<OrganizationId>,
        /// Name of the action.
        action: Box<str> => text("key.create"),
        /// Id of the object that the action changed.
        target: String => nullable(text(TARGET).into()),
        /// Current name of that object; if it was removed, the name in the event. Null if the
        /// object has no name, or the caller may not see it.
        target_name: Option<String> => nullable(text("deploy").into()),
        /// Changed fields before the action.
        before: Map<String, Value> => anything(json!({})),
        /// Changed fields after the action.
        after: Map<String, Value> => anything(json!({"name": "deploy"})),
    }
}

view! {
    EventActorView {
        /// Kind of the actor; `none` if it was not authenticated.
        kind: &'static str => choice(&["user", "key", "local", NO_ACTOR]),
        /// Id of the user or key. Null for other kinds.
        id: Option<String> => nullable(text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f").into()),
        /// Name of the user or key at that time.
        name: Option<String> => nullable(text("Ada").into()),
    }
}

view! {
    HeadView = "Head" {
        /// Number of the seal.
        number: u64 => count(7),
        /// Hash that covers all events up to the seal.
        hash: String => text(HASH),
        /// Time of the seal. Null if there is no seal yet.
        at: Option<Moment>,
    }
}

view! {
    CheckedLogView = "Checked" {
        /// Whether the log is complete and unaltered.
        ok: bool => truth(true),
        /// Number of verified seals.
        seals: u64 => count(7),
        /// Number of verified events.
        events: u64 => count(40),
        /// Number of events after the newest seal.
        unsealed: u64 => count(1),
        /// Newest seal.
        head: HeadView,
        /// Last deletion of old events. Null if there was none.
        cut: Option<CutView>,
        /// Faults of the log.
        faults: Vec<LogFaultView>,
    }
}

view! {
    CutView {
        /// Number of the last deleted seal.
        number: u64 => count(3),
        /// Time of the deletion.
        at: Moment,
        /// Retention period by which the events were deleted. Null if an earlier version deleted
        /// them.
        retention: Option<String> => nullable(text("400d").into()),
    }
}

view! {
    LogFaultView {
        /// Kind of the fault.
        kind: &'static str => text("altered"),
        /// Number of the affected seal.
        seal: u64 | absent => count(7),
        /// Id of the affected event.
        event: EventId | absent,
    }
}

fn read_query(query: &mut Parameters) -> EventQuery {
    let (limit, after) = paging::<OfEvent>(query);
    let actor = parsed(FaultCode::INVALID_ACTOR, parse_actor, || formatted("author", "local"));
    let pattern = r"^[a-z0-9_]{1,40}(\.[a-z0-9_]{1,20}){0,2}(\.\*)?$";
    let action = parsed(FaultCode::INVALID_ACTION, parse_action, || fitting(pattern, "key.create"));
    let of_target = || text(TARGET).max_length(Some(FILTER_CHARACTERS_MAX));
    let target = parsed(FaultCode::TOO_LONG, parse_target, of_target);
    let of_search = || text("deploy").max_length(Some(FILTER_CHARACTERS_MAX));
    let search = parsed(FaultCode::TOO_LONG, parse_target, of_search);
    let about_search = "Only events that contain this text in the name or id of the actor or of the \
                        object, or in the IP address. A whole IP address finds only itself, and a \
                        text without `.` or `:` is not searched in IP addresses. Case and accents do \
                        not matter. A page can have fewer events than `limit`, or none, \
                        although `next_cursor` is set: the next page continues the search.";
    let of_actor = "Only events of this actor: a user or key id, `local`, or `none`.";
    let of_action = "Only events with this action, or with a prefix such as `key.*`.";
    EventQuery {
        limit,
        after,
        actor: query.optional("actor", of_actor, actor),
        action: query.optional("action", of_action, action),
        target: query.optional("target", "Only events about the object with this id.", target),
        since: query.optional("since", "Only events at or after this time.", moment()),
        until: query.optional("until", "Only events before this time.", moment()),
        search: query.optional("search", about_search, search).filter(|text| !text.is_empty()),
    }
}

fn read_head(fields: &mut Fields) -> Option<Digest> {
    let head =
        parsed(FaultCode::INVALID_HASH, str::parse::<Digest>, || fitting("^[0-9a-f]{64}$", HASH));
    fields.optional("head", "Hash of a seal that was stored earlier.", head)
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

fn list_events(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let query = call.query(read_query)?;
    let listed = app.actions.list_events(call.actor()?, &query)?;
    let items = listed.events.into_iter().map(event_view).collect();
    Ok(answer::json(&Page { items, next_cursor: listed.next.map(cursor::write) }))
}

fn show_head(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(answer::json(&head_view(&app.actions.audit_head(call.actor()?)?)))
}

fn check(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let head = call.read(read_head)?;
    Ok(answer::json(&checked_log_view(&app.actions.check_audit(call.actor()?, head)?)))
}

fn event_view(event: ListedEvent) -> EventView {
    let (record, name, target_name) = (event.record, event.actor_name, event.target_name);
    let (kind, id) = record.actor_parts();
    EventView {
        id: record.id,
        at: record.at,
        actor: EventActorView { kind, id, name },
        address: record.address,
        organization: record.organization,
        action: record.action,
        target: record.target,
        target_name,
        before: record.before,
        after: record.after,
    }
}

fn head_view(head: &AuditHead) -> HeadView {
    HeadView { number: head.number, hash: head.hash.to_string(), at: head.at }
}

fn checked_log_view(checked: &CheckedLog) -> CheckedLogView {
    let cut_view = |cut: &Cut| CutView {
        number: cut.number,
        at: cut.at,
        retention: cut.retention.map(|retention| retention.to_string()),
    };
    let fault_view = |fault: &LogFault| LogFaultView {
        kind: fault.kind.name(),
        seal: fault.seal,
        event: fault.event,
    };
    CheckedLogView {
        ok: checked.faults.is_empty(),
        seals: checked.seals,
        events: checked.events,
        unsealed: checked.unsealed,
        head: head_view(&checked.head),
        cut: checked.cut.as_ref().map(cut_view),
        faults: checked.faults.iter().map(fault_view).collect(),
    }
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
