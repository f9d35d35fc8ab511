//! `/v1/usage`: calls per key over time.

use rouille::Response;
use serde_json::{Map, Value, json};

use crate::actions::usage::{Interval, KeyUse, Usage, UsageQuery};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::id::KeyId;
use crate::model::moment::Moment;
use crate::records::usage::CallCounts;
use crate::records::uses::AddressRecord;

pub(in crate::http) fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut parameters = call.parameters();
    let query = UsageQuery {
        key: parameters.old_optional("key", "invalid_id", str::parse::<KeyId>),
        interval: parameters
            .old_optional("interval", "invalid_interval", parse_interval)
            .unwrap_or_default(),
        from: parameters.old_optional("from", "invalid_time", str::parse::<Moment>),
        to: parameters.old_optional("to", "invalid_time", str::parse::<Moment>),
    };
    if let (Some(from), Some(to)) = (query.from, query.to)
        && from >= to
    {
        parameters.fault("from", "out_of_range", "must be before to");
    }
    parameters.finish()?;
    Ok(answer::json(&usage_view(&app.actions.usage(call.actor()?, &query)?)))
}

fn parse_interval(text: &str) -> Result<Interval, &'static str> {
    match text {
        "hour" => Ok(Interval::Hour),
        "day" => Ok(Interval::Day),
        _ => Err("must be hour or day"),
    }
}

fn usage_view(usage: &Usage) -> Value {
    let mut totals = CallCounts::default();
    let mut items = Vec::new();
    for (bucket, counts) in &usage.buckets {
        totals.add(counts);
        let mut item = calls(counts);
        item.insert("start".to_owned(), bucket.begins().to_string().into());
        items.push(Value::Object(item));
    }
    let interval = match usage.interval {
        Interval::Hour => "hour",
        Interval::Day => "day",
    };
    let (addresses, keys) = (usage.addresses.as_ref(), usage.busiest.as_ref());
    let fields = [
        ("interval", Some(interval.into())),
        ("from", Some(usage.from.to_string().into())),
        ("to", Some(usage.to.to_string().into())),
        ("items", Some(items.into())),
        ("totals", Some(calls(&totals).into())),
        ("addresses", addresses.map(|addresses| addresses.iter().map(address).collect())),
        ("keys", keys.map(|keys| keys.iter().map(key).collect())),
    ];
    let reported = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(reported.collect())
}

fn calls(counts: &CallCounts) -> Map<String, Value> {
    let codes = counts.each().map(|(code, calls)| (code.as_str().to_owned(), calls.into()));
    let mut view = Map::new();
    view.insert("calls".to_owned(), counts.calls().into());
    view.insert("codes".to_owned(), Value::Object(codes.collect()));
    view
}

fn address(address: &AddressRecord) -> Value {
    json!({ "ip": address.ip.to_string(), "last_used_at": address.at.to_string() })
}

fn key(used: &KeyUse) -> Value {
    json!({
        "key": used.key.to_string(),
        "name": used.name,
        "calls": used.calls,
        "refused": used.refused,
    })
}
