//! The audit log: its events, its newest seal, and its verification.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{Operation, operation};
use crate::http::openapi::schema::{
    Schema, answer, anything, choice, count, each, field, fitting, formatted, id, moment, nullable,
    optional, page, request, sometimes, text, the, truth,
};
use crate::model::role::{AUDIT_READ, INSTANCE_MANAGE};

const HASH: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/audit", "listEvents", "List audit events")
            .details(
                "Returns the newest events first. The permission is not needed with the `target` of a \
                 key of which the caller can see all fields; `address`, `before` and `after` are then \
                 empty, and events about teams that the caller may not see are left out.",
            )
            .needs(&[AUDIT_READ])
            .paged()
            .query("actor", formatted("author", "local"), "Only events of this actor: a user or key id, `local`, or `none`.")
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
                "Store the hash outside of Keyhouse. Later it proves that no event before the seal was \
                 altered.",
            )
            .needs(&[AUDIT_READ])
            .answers(200, the("Head"), "Number and hash of the seal."),
        operation(Method::POST, "/v1/audit/check", "checkAudit", "Verify the audit log")
            .details(
                "Verifies that the log is complete and unaltered. With `head`, a hash that was stored \
                 earlier, also that the log still contains that seal.",
            )
            .needs(&[INSTANCE_MANAGE])
            .may_take(request([optional("head", fitting("^[0-9a-f]{64}$", HASH))]), json!({}))
            .answers(200, the("Checked"), "Result of the verification."),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let actor = answer([
        field("kind", choice(&["user", "key", "local", "none"])),
        field("id", nullable(text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f").into())),
        field("name", nullable(text("Ada").into())),
    ]);
    let event = answer([
        field("id", id("evt")),
        field("at", moment()),
        field("actor", actor),
        field("address", nullable(text("192.0.2.7").into())),
        field("organization", nullable(id("org").into())),
        field("action", text("key.create")),
        field("target", nullable(text("key_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f").into())),
        field("before", anything(json!({}))),
        field("after", anything(json!({"name": "deploy"}))),
    ]);
    let head = answer([
        field("number", count(7)),
        field("hash", text(HASH)),
        field("at", nullable(moment().into())),
    ]);
    let fault = answer([
        field("kind", text("altered")),
        sometimes("seal", count(7)),
        sometimes("event", id("evt")),
    ]);
    let cut = answer([
        field("number", count(3)),
        field("at", moment()),
        field("retention", nullable(text("400d").into())),
    ]);
    let checked = answer([
        field("ok", truth(true)),
        field("seals", count(7)),
        field("events", count(40)),
        field("unsealed", count(1)),
        field("head", the("Head")),
        field("cut", nullable(cut)),
        field("faults", each(fault)),
    ]);
    vec![("Event", event), ("Head", head), ("Checked", checked)]
}
