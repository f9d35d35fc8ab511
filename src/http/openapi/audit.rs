//! The audit log: its events, its newest seal, and its verification.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{Operation, operation};
use crate::http::schema::{
    Schema, answer, anything, choice, count, each, field, fitting, formatted, id, moment, nullable,
    optional, page, request, sometimes, text, the, truth,
};
use crate::model::role::{AUDIT_READ, INSTANCE_MANAGE};

const HASH: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/audit", "listEvents", "List audit events")
            .details(
                "Returns the newest events first. The permission is not needed with the \
                 `target` of a key of which the caller can see all fields; `address`, \
                 `before` and `after` are then empty, and events about teams that the caller \
                 may not see are left out.",
            )
            .needs(&[AUDIT_READ])
            .paged()
            .query(
                "actor",
                formatted("author", "local"),
                "Only events of this actor: a user or key id, `local`, or `none`.",
            )
            .query(
                "action",
                fitting(r"^[a-z0-9_]{1,40}(\.[a-z0-9_]{1,20}){0,2}(\.\*)?$", "key.create"),
                "Only events with this action, or with a prefix such as `key.*`.",
            )
            .query(
                "target",
                text("key_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f").max_length(Some(100)),
                "Only events about the object with this id.",
            )
            .query("since", moment(), "Only events at or after this time.")
            .query("until", moment(), "Only events before this time.")
            .answers(200, page(the("Event")), "A page of events.")
            .fails(&["not_found"]),
        operation(Method::GET, "/v1/audit/head", "showAuditHead", "Show the newest seal")
            .details(
                "Store the hash outside of Keyhouse. Later it proves that no event before \
                 the seal was altered.",
            )
            .needs(&[AUDIT_READ])
            .answers(200, the("Head"), "Number and hash of the seal."),
        operation(Method::POST, "/v1/audit/check", "checkAudit", "Verify the audit log")
            .details(
                "Verifies that the log is complete and unaltered. With `head`, a hash that \
                 was stored earlier, also that the log still contains that seal.",
            )
            .needs(&[INSTANCE_MANAGE])
            .may_take(
                request([optional(
                    "head",
                    fitting("^[0-9a-f]{64}$", HASH),
                    "Hash of a seal that was stored earlier.",
                )]),
                json!({}),
            )
            .answers(200, the("Checked"), "Result of the verification."),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let actor = answer([
        field(
            "kind",
            choice(&["user", "key", "local", "none"]),
            "Kind of the actor; `none` if it was not authenticated.",
        ),
        field(
            "id",
            nullable(text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f").into()),
            "Id of the user or key. Null for other kinds.",
        ),
        field("name", nullable(text("Ada").into()), "Name of the user or key at that time."),
    ]);
    let event = answer([
        field("id", id("evt"), "Id of the event."),
        field("at", moment(), "Time of the event."),
        field("actor", actor, "Actor of the event."),
        field(
            "address",
            nullable(text("192.0.2.7").into()),
            "IP address of the actor. Null if it is unknown.",
        ),
        field(
            "organization",
            nullable(id("org").into()),
            "Organization of the event. Null for events of the instance.",
        ),
        field("action", text("key.create"), "Name of the action."),
        field(
            "target",
            nullable(text("key_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f").into()),
            "Id of the object that the action changed.",
        ),
        field("before", anything(json!({})), "Changed fields before the action."),
        field("after", anything(json!({"name": "deploy"})), "Changed fields after the action."),
    ]);
    let head = answer([
        field("number", count(7), "Number of the seal."),
        field("hash", text(HASH), "Hash that covers all events up to the seal."),
        field("at", nullable(moment().into()), "Time of the seal. Null if there is no seal yet."),
    ]);
    let fault = answer([
        field("kind", text("altered"), "Kind of the fault."),
        sometimes("seal", count(7), "Number of the affected seal."),
        sometimes("event", id("evt"), "Id of the affected event."),
    ]);
    let cut = answer([
        field("number", count(3), "Number of the last deleted seal."),
        field("at", moment(), "Time of the deletion."),
        field(
            "retention",
            nullable(text("400d").into()),
            "Retention period by which the events were deleted. Null if an earlier version deleted them.",
        ),
    ]);
    let checked = answer([
        field("ok", truth(true), "Whether the log is complete and unaltered."),
        field("seals", count(7), "Number of verified seals."),
        field("events", count(40), "Number of verified events."),
        field("unsealed", count(1), "Number of events after the newest seal."),
        field("head", the("Head"), "Newest seal."),
        field("cut", nullable(cut), "Last deletion of old events. Null if there was none."),
        field("faults", each(fault), "Faults of the log."),
    ]);
    vec![("Event", event), ("Head", head), ("Checked", checked)]
}
