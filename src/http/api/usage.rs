//! `/v1/usage`: calls per key over time.

use std::collections::HashSet;
use std::net::IpAddr;

use rouille::Response;
use serde_json::json;

use crate::actions::LIST_LIMIT_MAX;
use crate::actions::usage::{
    Buckets, GATES_LISTED_MAX, GateUse, Interval, KeyHours, KeyUse, RecentCalls, Usage, UsageQuery,
};
use crate::http::endpoint::{Endpoint, get};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::reading::{moment, parsed};
use crate::http::schema::{anything, choice, count, each, id, ids, nullable, text};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::id::{InvalidId, KeyId, Kind as _, OfKey};
use crate::model::moment::Moment;
use crate::model::role::USAGE_READ;
use crate::records::usage::CallCounts;
use crate::records::uses::AddressRecord;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    let endpoint = get("/v1/usage", show)
        .long()
        .named("showUsage", "Show usage")
        .details(
            "Returns the number of calls by code and by gate, including those of the last \
             seconds. Hourly numbers are kept for 7 days, daily ones (in UTC) for 90. Without \
             `key`, returns the sum over all keys of the organization. The permission is \
             not needed for a key of which the caller can see all fields.",
        )
        .needs(&[USAGE_READ])
        .query(read_query)
        .answers::<UsageView>(200, "The usage. Hours and days without calls are left out.")
        .fails(&[errors::NOT_FOUND]);
    let of_keys = get("/v1/usage/keys", show_of_keys)
        .long()
        .named("showUsageOfKeys", "Show recent usage of keys")
        .details(
            "Returns the number of calls of several keys in each of the last 24 hours, for a list \
             of keys. Keys without calls, and keys whose usage the caller may not see, are left \
             out: see `GET /v1/usage`.",
        )
        .query(read_keys)
        .answers::<RecentUsageView>(200, "The calls of each key, by hour.")
        .fails(&[errors::PERMISSION_REQUIRED]);
    vec![endpoint, of_keys]
}

view! {
    UsageView = "Usage" {
        /// Interval of the sums.
        interval: &'static str => choice(&INTERVALS),
        /// Start of the first interval.
        from: Moment,
        /// End of the last interval.
        to: Moment,
        /// Sums by hour or day.
        items: Vec<UsageItemView>,
        /// Sums over the whole time.
        totals: CallsView,
        /// Calls through gates: the 20 gates with the most calls, and the sum of other gates. Callers
        /// who are not operators see the name `default` only. The difference to `totals` are calls
        /// without a gate, and calls that an earlier version counted.
        gates: Vec<GateUseView>,
        /// Addresses that used the key last.
        addresses: Vec<UsageAddressView> | absent,
        /// Keys with the most calls.
        keys: Vec<KeyUseView> | absent,
        /// Keys with the most rejected calls.
        refused_keys: Vec<KeyUseView> | absent,
    }
}

view! {
    GateUseView = "GateUsage" {
        /// Name of the gate; `*` for the sum of other gates.
        gate: String => text("orders"),
        /// Sums by hour or day.
        items: Vec<UsageItemView>,
        /// Sums over the whole time.
        totals: CallsView,
    }
}

view! {
    UsageItemView {
        /// Start of the hour or day.
        start: Moment,
        ..sums: CallsView,
    }
}

view! {
    CallsView {
        /// Number of calls.
        calls: u64 => count(15),
        /// Number of calls by code.
        codes: CallCounts => anything(json!({"VALID": 12, "RATE_LIMITED": 3})),
    }
}

view! {
    UsageAddressView {
        /// IP address.
        ip: IpAddr => text("192.0.2.7"),
        /// Time of the last call from the address.
        last_used_at: Moment,
    }
}

view! {
    KeyUseView {
        /// Id of the key.
        key: KeyId,
        /// Name of the key. Null if the caller may not see it.
        name: Option<String> => nullable(text("deploy").into()),
        /// Number of calls by code.
        codes: CallCounts => anything(json!({"VALID": 12, "RATE_LIMITED": 3})),
        /// Number of calls.
        calls: u64 => count(15),
        /// Number of rejected calls.
        refused: u64 => count(3),
    }
}

view! {
    RecentUsageView {
        /// Start of the first hour.
        from: Moment,
        /// End of the last hour.
        to: Moment,
        /// The keys with calls, in the order of the request.
        items: Vec<KeyHoursView>,
    }
}

view! {
    KeyHoursView = "KeyHours" {
        /// Id of the key.
        key: KeyId,
        /// Number of calls in each hour.
        calls: Vec<u64> => each(count(15)),
        /// Number of rejected calls in each hour.
        refused: Vec<u64> => each(count(3)),
    }
}

const INTERVALS: [&str; 2] = ["hour", "day"];
const _: () = assert!(GATES_LISTED_MAX == 20, "the description of `gates` names this number");
const _: () = assert!(LIST_LIMIT_MAX == 100, "the description of `keys` names this number");

fn read_query(query: &mut Parameters) -> UsageQuery {
    let key = parsed(FaultCode::INVALID_ID, str::parse::<KeyId>, || id(OfKey::PREFIX));
    let key = query.optional("key", "Only calls with this key.", key);
    let interval = parsed(FaultCode::INVALID_INTERVAL, parse_interval, || choice(&INTERVALS));
    let interval = query.optional("interval", "Interval of the sums. Default: `hour`.", interval);
    let about = "Start, rounded down to its hour or day. Default: 24 hours, or 30 days, ago.";
    let from = query.optional("from", about, moment());
    let to = query.optional("to", "End, rounded up to its hour or day. Default: now.", moment());
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        query.fault("from", FaultCode::OUT_OF_RANGE, "must be before to");
    }
    UsageQuery { key, interval: interval.unwrap_or_default(), from, to }
}

fn read_keys(query: &mut Parameters) -> Vec<KeyId> {
    let parse = |text: &str| {
        let (mut ids, mut seen) = (Vec::new(), HashSet::new());
        for id in text.split(',') {
            let id: KeyId = id.parse()?;
            if seen.insert(id) {
                ids.push(id);
            }
        }
        Ok::<_, InvalidId>(ids)
    };
    let about = "Ids of keys, separated by commas, at most 100 different ones. Default: none.";
    let keys = parsed(FaultCode::INVALID_ID, parse, || ids("key", LIST_LIMIT_MAX));
    let keys = query.optional("keys", about, keys).unwrap_or_default();
    if keys.len() > LIST_LIMIT_MAX {
        query.fault("keys", FaultCode::TOO_MANY, &format!("must be at most {LIST_LIMIT_MAX} ids"));
    }
    keys
}

fn parse_interval(text: &str) -> Result<Interval, &'static str> {
    match text {
        "hour" => Ok(Interval::Hour),
        "day" => Ok(Interval::Day),
        _ => Err("must be hour or day"),
    }
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let query = call.query(read_query)?;
    Ok(answer::json(&usage_view(app.actions.usage(call.actor()?, &query)?)))
}

fn show_of_keys(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let keys = call.query(read_keys)?;
    let RecentCalls { from, to, keys } = app.actions.recent_calls(call.actor()?, &keys)?;
    let items = keys.iter().map(key_hours_view).collect();
    Ok(answer::json(&RecentUsageView { from, to, items }))
}

fn key_hours_view(hours: &KeyHours) -> KeyHoursView {
    let KeyHours { key, calls, refused } = hours;
    KeyHoursView { key: *key, calls: calls.to_vec(), refused: refused.to_vec() }
}

fn usage_view(usage: Usage) -> UsageView {
    let (items, totals) = sums(&usage.buckets);
    UsageView {
        interval: match usage.interval {
            Interval::Hour => "hour",
            Interval::Day => "day",
        },
        from: usage.from,
        to: usage.to,
        items,
        totals,
        gates: usage.gates.iter().map(gate_use_view).collect(),
        addresses: usage.addresses.map(|used| used.iter().map(address_view).collect()),
        keys: usage.busiest.map(|keys| keys.into_iter().map(key_use_view).collect()),
        refused_keys: usage.most_refused.map(|keys| keys.into_iter().map(key_use_view).collect()),
    }
}

/// The sums of each hour or day, and over the whole time.
fn sums(buckets: &Buckets) -> (Vec<UsageItemView>, CallsView) {
    let mut totals = CallCounts::default();
    let mut items = Vec::new();
    for (bucket, counts) in buckets {
        totals.add(counts);
        items.push(UsageItemView { start: bucket.begins(), sums: calls_view(*counts) });
    }
    (items, calls_view(totals))
}

fn gate_use_view(of: &GateUse) -> GateUseView {
    let (items, totals) = sums(&of.buckets);
    GateUseView { gate: of.gate.to_string(), items, totals }
}

fn calls_view(codes: CallCounts) -> CallsView {
    CallsView { calls: codes.calls(), codes }
}

fn address_view(used: &AddressRecord) -> UsageAddressView {
    UsageAddressView { ip: used.ip, last_used_at: used.at }
}

fn key_use_view(used: KeyUse) -> KeyUseView {
    let (calls, refused) = (used.counts.calls(), used.refused());
    KeyUseView { key: used.key, name: used.name, codes: used.counts, calls, refused }
}
