//! Usage of keys over time.

use http::Method;
use serde_json::json;

use crate::http::openapi::operation::{Operation, operation};
use crate::http::schema::{
    Schema, answer, anything, choice, count, each, field, id, moment, nullable, sometimes, text,
    the,
};
use crate::model::role::USAGE_READ;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/v1/usage", "showUsage", "Show usage")
            .details(
                "Returns the number of calls by code, including those of the last seconds. \
                 Hourly numbers are kept for 7 days, daily ones (in UTC) for 90. Without \
                 `key`, returns the sum over all keys of the organization. The permission is \
                 not needed for a key of which the caller can see all fields.",
            )
            .needs(&[USAGE_READ])
            .query("key", id("key"), "Only calls with this key.")
            .query("interval", choice(&["hour", "day"]), "Interval of the sums. Default: `hour`.")
            .query(
                "from",
                moment(),
                "Start, rounded down to its hour or day. Default: 24 hours, or 30 days, ago.",
            )
            .query("to", moment(), "End, rounded up to its hour or day. Default: now.")
            .answers(200, the("Usage"), "The usage. Hours and days without calls are left out.")
            .fails(&["not_found"]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Schema)> {
    let codes = || anything(json!({"VALID": 12, "RATE_LIMITED": 3}));
    let item = answer([
        field("start", moment(), "Start of the hour or day."),
        field("calls", count(15), "Number of calls."),
        field("codes", codes(), "Number of calls by code."),
    ]);
    let address = answer([
        field("ip", text("192.0.2.7"), "IP address."),
        field("last_used_at", moment(), "Time of the last call from the address."),
    ]);
    let key = answer([
        field("key", id("key"), "Id of the key."),
        field(
            "name",
            nullable(text("deploy").into()),
            "Name of the key. Null if the caller may not see it.",
        ),
        field("calls", count(15), "Number of calls."),
        field("refused", count(3), "Number of rejected calls."),
    ]);
    let usage = answer([
        field("interval", choice(&["hour", "day"]), "Interval of the sums."),
        field("from", moment(), "Start of the first interval."),
        field("to", moment(), "End of the last interval."),
        field("items", each(item), "Sums by hour or day."),
        field(
            "totals",
            answer([
                field("calls", count(15), "Number of calls."),
                field("codes", codes(), "Number of calls by code."),
            ]),
            "Sums over the whole time.",
        ),
        sometimes("addresses", each(address), "Addresses that used the key last."),
        sometimes("keys", each(key), "Keys with the most calls."),
    ]);
    vec![("Usage", usage)]
}
