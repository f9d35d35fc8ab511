//! Reads the fields of a key from a request body.

use ipnet::IpNet;
use serde_json::{Map, Value};

use crate::actions::keys::{KeyChange, KeyKind, OwnerWanted, TEAMS_A_KEY_MAX};
use crate::http::input::{Fields, list, number, object, parsed, text, whole, wrong};
use crate::model::catalogue::Preset;
use crate::model::edit::Edit;
use crate::model::fault::Fault;
use crate::model::id::{InvalidId, TeamId};
use crate::model::limit::{
    Period, QUOTA_CALLS_MAX, Quota, RATE_LIMIT_CALLS_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX,
    RATE_LIMITS_MAX, RateLimit, Zone,
};
use crate::model::moment::{Moment, moment_after};
use crate::model::name::parse_name;
use crate::model::network::{
    IpRules, NETWORKS_MAX, canonical_network, is_translated_away, parse_network,
};
use crate::model::permission::{PATTERNS_MAX, Pattern, Patterns};
use crate::records::key::{METADATA_BYTES_MAX, ShareRecord, TeamAccess};

pub(super) fn parse_kind(text: &str) -> Result<KeyKind, &'static str> {
    match text {
        "personal" => Ok(KeyKind::Personal),
        "service" => Ok(KeyKind::Service),
        _ => Err("must be personal or service"),
    }
}

/// Parses the owner filter: a user id, or `me`.
pub(super) fn parse_owner(text: &str) -> Result<OwnerWanted, InvalidId> {
    if text == "me" { Ok(OwnerWanted::Me) } else { text.parse().map(OwnerWanted::User) }
}

/// Reads the fields that creation and change have in common.
pub(super) fn read_change(fields: &mut Fields) -> KeyChange {
    let change = KeyChange {
        name: name(fields),
        description: fields.old_description("description"),
        permissions: fields.old_nullable("permissions", patterns),
        preset: preset(fields),
        ip_rules: fields.old_nullable("ip_rules", object(|fields| Some(ip_rules(fields)))),
        rate_limits: fields.old_nullable("rate_limits", rate_limits),
        quota: fields.old_nullable("quota", object(quota)),
        metadata: fields.old_nullable("metadata", metadata),
        not_before: fields.old_nullable("not_before", parsed("invalid_time", str::parse::<Moment>)),
        expires_at: fields.old_nullable("expires_at", parsed("invalid_time", str::parse::<Moment>)),
    };
    if change.preset.is_some() && !change.permissions.is_keep() {
        fields.fault(
            "preset",
            "contradiction",
            "cannot be combined with permissions: send one of them",
        );
    }
    change
}

fn preset(fields: &mut Fields) -> Option<Preset> {
    fields.old_optional("preset", parsed("invalid_preset", str::parse::<Preset>))
}

/// Reads the teams with which a new key is shared.
pub(super) fn shares(value: Value, pointer: &str) -> Result<Vec<ShareRecord>, Vec<Fault>> {
    let one = |value: Value, pointer: &str| object(share)(value, pointer);
    let shares = list(TEAMS_A_KEY_MAX, one)(value, pointer)?;
    for (at, share) in shares.iter().enumerate() {
        if shares.iter().take(at).any(|earlier| earlier.team == share.team) {
            let pointer = format!("{pointer}/{at}/id");
            return wrong(&pointer, "doubled", "repeats a team");
        }
    }
    Ok(shares)
}

fn share(fields: &mut Fields) -> Option<ShareRecord> {
    let team = fields.old_required(
        "id",
        parsed("unknown_team", |text| {
            text.parse::<TeamId>().map_err(|_no_id| "is not the id of a team")
        }),
    );
    let access = access(fields);
    Some(ShareRecord { team: team?, access: access? })
}

/// Reads the access of a team's members.
pub(super) fn access(fields: &mut Fields) -> Option<TeamAccess> {
    fields.old_required("access", parsed("invalid_access", str::parse::<TeamAccess>))
}

fn name(fields: &mut Fields) -> Option<String> {
    let name = fields.old_nullable("name", parsed("invalid_name", parse_name));
    if name == Edit::Clear {
        fields.fault(
            "name",
            "required",
            "must not be null: omit the field to keep the name, or to generate a name",
        );
    }
    name.value()
}

pub(in crate::http) fn patterns(value: Value, pointer: &str) -> Result<Patterns, Vec<Fault>> {
    let one = |value: Value, pointer: &str| {
        parsed("invalid_permission", str::parse::<Pattern>)(value, pointer)
    };
    let patterns = list(PATTERNS_MAX, one)(value, pointer)?;
    Patterns::new(&patterns).or_else(|error| wrong(pointer, "too_many", error))
}

fn ip_rules(fields: &mut Fields) -> IpRules {
    let one = |value: Value, pointer: &str| -> Result<IpNet, Vec<Fault>> {
        let network = parsed("invalid_network", parse_network)(value, pointer)?;
        if is_translated_away(network) {
            let detail = "is a NAT64 prefix, whose addresses are converted to IPv4: \
                          send the IPv4 networks instead";
            return wrong(pointer, "invalid_network", detail);
        }
        Ok(canonical_network(network))
    };
    let allow = fields.old_optional("allow", list(NETWORKS_MAX, one)).unwrap_or_default();
    let deny = fields.old_optional("deny", list(NETWORKS_MAX, one)).unwrap_or_default();
    let rules = IpRules { allow, deny };
    if rules.denies_all() {
        let detail =
            "denies every allowed network, so no address could use the key: remove a network";
        fields.fault("deny", "contradiction", detail);
    }
    rules
}

fn rate_limits(value: Value, pointer: &str) -> Result<Vec<RateLimit>, Vec<Fault>> {
    let one = |value: Value, pointer: &str| object(rate_limit)(value, pointer);
    let limits = list(RATE_LIMITS_MAX, one)(value, pointer)?;
    for (at, limit) in limits.iter().enumerate() {
        if limits.iter().take(at).any(|earlier| earlier.name == limit.name) {
            return wrong(
                &format!("{pointer}/{at}/name"),
                "doubled",
                "repeats the name of another limit",
            );
        }
    }
    Ok(limits)
}

fn rate_limit(fields: &mut Fields) -> Option<RateLimit> {
    let name = fields.old_required("name", |value, pointer| {
        let name = text(value, pointer)?;
        if RateLimit::is_name(&name) {
            Ok(name)
        } else {
            wrong(pointer, "invalid_name", "must be 1 to 32 characters of a-z, 0-9, _ and -")
        }
    });
    let limit = fields.old_required("limit", number(1, RATE_LIMIT_CALLS_MAX));
    let window = fields.old_required("window_seconds", number(1, RATE_LIMIT_WINDOW_SECONDS_MAX));
    Some(RateLimit { name: name?.into(), limit: limit?, window_seconds: window? })
}

fn quota(fields: &mut Fields) -> Option<Quota> {
    let limit = fields.old_required("limit", calls);
    let period = fields.old_required("period", parsed("invalid_period", str::parse::<Period>));
    let zone = fields.old_required("timezone", parsed("invalid_timezone", str::parse::<Zone>));
    Some(Quota { limit: limit?, period: period?, zone: zone? })
}

/// Reads a change, in which start and expiry may also be durations from now.
pub(super) fn read_change_from(fields: &mut Fields, now: Moment) -> KeyChange {
    let mut change = read_change(fields);
    read_span(fields, ("not_before_in", "not_before"), now, &mut change.not_before);
    read_span(fields, ("expires_in", "expires_at"), now, &mut change.expires_at);
    change
}

fn read_span(
    fields: &mut Fields,
    (name, instead_of): (&'static str, &'static str),
    now: Moment,
    edit: &mut Edit<Moment>,
) {
    let moment = fields.old_optional(name, |value, pointer| {
        let after = |text: &str| moment_after(now, text);
        let moment = parsed("invalid_duration", after)(value, pointer)?;
        if moment > now && moment <= Moment::LATEST {
            Ok(moment)
        } else {
            wrong(
                pointer,
                "out_of_range",
                "must be a positive duration that ends before the year 10000",
            )
        }
    });
    match moment {
        Some(_) if !edit.is_keep() => {
            let detail = format!("cannot be combined with {instead_of}: send one of them");
            fields.fault(name, "contradiction", detail);
        },
        Some(moment) => *edit = Edit::Set(moment),
        None => {},
    }
}

#[expect(clippy::needless_pass_by_value, reason = "all field readers have this signature")]
pub(in crate::http) fn calls(value: Value, pointer: &str) -> Result<u64, Vec<Fault>> {
    let number = whole(&value).filter(|number| (1..=QUOTA_CALLS_MAX).contains(number));
    number.ok_or(()).or_else(|()| {
        let code = if value.is_number() { "out_of_range" } else { "wrong_type" };
        wrong(pointer, code, format!("must be a whole number from 1 to {QUOTA_CALLS_MAX}"))
    })
}

fn metadata(value: Value, pointer: &str) -> Result<Map<String, Value>, Vec<Fault>> {
    match value {
        Value::Object(fields) if size(&fields) <= METADATA_BYTES_MAX => Ok(fields),
        Value::Object(_) => wrong(
            pointer,
            "too_large",
            format!("must be at most {METADATA_BYTES_MAX} bytes as JSON"),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            wrong(pointer, "wrong_type", "must be an object")
        },
    }
}

fn size(fields: &Map<String, Value>) -> usize {
    serde_json::to_vec(fields).map_or(usize::MAX, |bytes| bytes.len())
}
