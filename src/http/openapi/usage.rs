//! How much keys were used, over time.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{Operation, operation};
use crate::http::openapi::schema::{
    Schema, answer, anything, choice, count, each, field, id, moment, nullable, sometimes, text,
    the,
};
use crate::model::role::USAGE_READ;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/usage", "showUsage", "How much were keys used?")
            .details(
                "Calls by what they came to, those of the last seconds among them: hours are kept 7 \
                 days, days of UTC 90. Without `key`, the sum over the organization's keys. Whoever \
                 sees all of a key sees its use without the permission.",
            )
            .needs(&[USAGE_READ])
            .query("key", id("key"), "Of this key alone.")
            .query("interval", choice(&["hour", "day"]), "By what calls are summed; by hour.")
            .query("from", moment(), "From its hour or day on; the last 24 hours, or 30 days.")
            .query("to", moment(), "Before, up to the end of its hour or day.")
            .answers(200, the("Usage"), "Only hours or days in which there were calls.")
            .fails(&["not_found"]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let codes = || anything(json!({"VALID": 12, "RATE_LIMITED": 3}));
    let item =
        answer([field("start", moment()), field("calls", count(15)), field("codes", codes())]);
    let address = answer([field("ip", text("192.0.2.7")), field("last_used_at", moment())]);
    let key = answer([
        field("key", id("key")),
        field("name", nullable(text("deploy").into())),
        field("calls", count(15)),
        field("refused", count(3)),
    ]);
    let usage = answer([
        field("interval", choice(&["hour", "day"])),
        field("from", moment()),
        field("to", moment()),
        field("items", each(item)),
        field("totals", answer([field("calls", count(15)), field("codes", codes())])),
        sometimes("addresses", each(address)),
        sometimes("keys", each(key)),
    ]);
    vec![("Usage", usage)]
}
