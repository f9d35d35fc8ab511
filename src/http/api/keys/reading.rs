//! Reads the fields of a key from a request body.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::actions::keys::{KeyChange, KeyDraft, KeyKind, TEAMS_A_KEY_MAX};
use crate::http::input::{Fields, object};
use crate::http::reading::{
    Read, ReadText, list, long, name, number, parsed, patterns, reader, wrong,
};
use crate::http::schema::{
    anything, choice, fitting, formatted, id, moment, moment_as, network, span,
};
use crate::model::catalogue::Preset;
use crate::model::edit::Edit;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::TeamId;
use crate::model::key_text::Environment;
use crate::model::limit::{
    Period, QUOTA_CALLS_MAX, Quota, RATE_LIMIT_CALLS_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX,
    RATE_LIMITS_MAX, RateLimit, Zone,
};
use crate::model::moment::{Moment, moment_after};
use crate::model::network::{
    IpRules, NETWORKS_MAX, canonical_network, is_translated_away, parse_network,
};
use crate::records::key::{METADATA_BYTES_MAX, ShareRecord, TeamAccess};

/// The names of the kinds of keys.
pub(super) const KINDS: [&str; 2] = ["personal", "service"];
/// The names of the accesses of a team's members.
pub(super) const ACCESSES: [&str; 2] = ["read", "write"];

pub(super) fn read_draft(fields: &mut Fields, now: Moment) -> KeyDraft {
    let about = "A personal key belongs to a user, a service key to the organization. Default: \
                 `personal`.";
    let kind = fields.optional("kind", about, kind());
    let environment = read_environment(fields);
    let change = read_change(fields, now);
    let teams = fields.optional("teams", "Teams with which the key is shared.", shares());
    KeyDraft { kind, environment, teams: teams.unwrap_or_default(), ..change.into() }
}

/// Reads a change, in which start and expiry may also be durations from now.
pub(super) fn read_change(fields: &mut Fields, now: Moment) -> KeyChange {
    let mut change = read_settable(fields, |fields| {
        let about = "Predefined set of permissions, instead of `permissions`.";
        fields.optional("preset", about, preset())
    });
    let about = "Duration after which the key becomes valid, instead of `not_before`.";
    let start = fields.optional("not_before_in", about, duration(now, "1h"));
    set_moment(fields, ("not_before_in", "not_before"), start, &mut change.not_before);
    let about = "Duration after which the key expires, instead of `expires_at`.";
    let end = fields.optional("expires_in", about, duration(now, "90d"));
    set_moment(fields, ("expires_in", "expires_at"), end, &mut change.expires_at);
    change
}

/// Reads the fields that creation, change and import have in common, with `read_preset` between
/// them.
pub(super) fn read_settable(
    fields: &mut Fields,
    read_preset: impl FnOnce(&mut Fields) -> Option<Preset>,
) -> KeyChange {
    let change = KeyChange {
        name: fields.not_null(
            "name",
            "Name of the key. Generated if it is left out at creation.",
            name("deploy"),
            "must not be null: omit the field to keep the name, or to generate a name",
        ),
        description: fields.description(
            "description",
            "Description for people.",
            "What it is for.",
        ),
        permissions: fields.nullable(
            "permissions",
            "Granted permission patterns. Default for a personal key: the permissions of its \
             owner outside `keyhouse:`.",
            patterns("diagrams:read"),
        ),
        preset: read_preset(fields),
        ip_rules: fields.nullable(
            "ip_rules",
            "Networks from which the key may be used. Default: all.",
            ip_rules(),
        ),
        rate_limits: fields.nullable("rate_limits", "Rate limits of the key.", rate_limits()),
        quota: fields.nullable("quota", "Quota of the key. Null: none.", quota()),
        metadata: fields.nullable("metadata", "Any JSON object, for your own use.", metadata()),
        not_before: fields.nullable(
            "not_before",
            "Time from which the key is valid. Null: at once.",
            parsed(FaultCode::INVALID_TIME, str::parse::<Moment>, moment),
        ),
        expires_at: fields.nullable(
            "expires_at",
            "Time of expiry. Null: never.",
            parsed(FaultCode::INVALID_TIME, str::parse::<Moment>, || {
                moment_as("2999-12-31T00:00:00.000Z")
            }),
        ),
    };
    if change.preset.is_some() && !change.permissions.is_keep() {
        fields.fault(
            "preset",
            FaultCode::CONTRADICTION,
            "cannot be combined with permissions: send one of them",
        );
    }
    change
}

pub(super) fn read_environment(fields: &mut Fields) -> Environment {
    let about = "Environment of the key. Default: `live`.";
    fields.optional("environment", about, environment()).unwrap_or_default()
}

pub(super) fn environment() -> impl ReadText<Output = Environment> {
    let schema = || fitting("^[a-z][a-z0-9]{0,15}$", "live");
    parsed(FaultCode::INVALID_ENVIRONMENT, str::parse::<Environment>, schema)
}

/// Reads the share of a key with a team, without the team.
pub(super) fn read_access(fields: &mut Fields) -> Option<TeamAccess> {
    let about = "`read` shows the key and its usage to members; `write` also lets them rename, \
                 disable and revoke it.";
    let reader = parsed(FaultCode::INVALID_ACCESS, str::parse::<TeamAccess>, || choice(&ACCESSES));
    fields.required("access", about, reader)
}

pub(super) fn kind() -> impl ReadText<Output = KeyKind> {
    let parse = |text: &str| match text {
        "personal" => Ok(KeyKind::Personal),
        "service" => Ok(KeyKind::Service),
        _ => Err("must be personal or service"),
    };
    parsed(FaultCode::INVALID_KIND, parse, || choice(&KINDS))
}

pub(super) fn preset() -> impl Read<Output = Preset> {
    parsed(FaultCode::INVALID_PRESET, str::parse::<Preset>, || {
        choice(&Preset::ALL.map(|(_, name)| name))
    })
}

/// Reads the teams with which a new key is shared.
fn shares() -> impl Read<Output = Vec<ShareRecord>> {
    let share = object(|fields| {
        let parse = |text: &str| text.parse::<TeamId>().map_err(|_no_id| "is not the id of a team");
        let reader = parsed(FaultCode::UNKNOWN_TEAM, parse, || id("team"));
        let team = fields.required("id", "Id of the team.", reader);
        let access = read_access(fields);
        Some(ShareRecord { team: team?, access: access? })
    });
    list(TEAMS_A_KEY_MAX, share).then(|shares, pointer| {
        for (at, share) in shares.iter().enumerate() {
            if shares.iter().take(at).any(|earlier| earlier.team == share.team) {
                return wrong(&format!("{pointer}/{at}/id"), FaultCode::DOUBLED, "repeats a team");
            }
        }
        Ok(shares)
    })
}

pub(super) fn ip_rules() -> impl Read<Output = IpRules> {
    let read = |fields: &mut Fields| {
        let about = "Networks from which the key may be used. Empty: all.";
        let allow = fields.optional("allow", about, list(NETWORKS_MAX, network_reader()));
        let about = "Networks from which the key may not be used.";
        let deny = fields.optional("deny", about, list(NETWORKS_MAX, network_reader()));
        let rules = IpRules { allow: allow.unwrap_or_default(), deny: deny.unwrap_or_default() };
        if rules.denies_all() {
            let detail =
                "denies every allowed network, so no address could use the key: remove a network";
            fields.fault("deny", FaultCode::CONTRADICTION, detail);
        }
        Some(rules)
    };
    object(read).named("IpRules")
}

fn network_reader() -> impl Read<Output = IpNet> {
    let parse = |text: &str| {
        let network = parse_network(text).map_err(|error| error.to_string())?;
        if is_translated_away(network) {
            return Err("is a NAT64 prefix, whose addresses are converted to IPv4: send the IPv4 \
                        networks instead"
                .to_owned());
        }
        Ok(canonical_network(network))
    };
    parsed(FaultCode::INVALID_NETWORK, parse, network)
}

pub(super) fn rate_limits() -> impl Read<Output = Vec<RateLimit>> {
    list(RATE_LIMITS_MAX, rate_limit()).then(|limits, pointer| {
        for (at, limit) in limits.iter().enumerate() {
            if limits.iter().take(at).any(|earlier| earlier.name == limit.name) {
                let pointer = format!("{pointer}/{at}/name");
                return wrong(&pointer, FaultCode::DOUBLED, "repeats the name of another limit");
            }
        }
        Ok(limits)
    })
}

pub(super) fn rate_limit() -> impl Read<Output = RateLimit> {
    let parse = |text: &str| {
        let is_name = RateLimit::is_name(text);
        is_name.then(|| text.into()).ok_or("must be 1 to 32 characters of a-z, 0-9, _ and -")
    };
    let read = move |fields: &mut Fields| {
        let reader =
            parsed(FaultCode::INVALID_NAME, parse, || fitting("^[a-z0-9_-]{1,32}$", "burst"));
        let name = fields.required("name", "Name of the rate limit.", reader);
        let calls = number(1, RATE_LIMIT_CALLS_MAX, 20);
        let limit = fields.required("limit", "Calls per window.", calls);
        let seconds = number(1, RATE_LIMIT_WINDOW_SECONDS_MAX, 10);
        let window = fields.required("window_seconds", "Length of the window in seconds.", seconds);
        Some(RateLimit { name: name?, limit: limit?, window_seconds: window? })
    };
    object(read).named("RateLimit")
}

pub(super) fn quota() -> impl Read<Output = Quota> {
    let read = |fields: &mut Fields| {
        let calls = long(1, QUOTA_CALLS_MAX, 100_000);
        let limit = fields.required("limit", "Calls per period.", calls);
        let periods = || choice(&["month", "week", "day"]);
        let reader = parsed(FaultCode::INVALID_PERIOD, str::parse::<Period>, periods);
        let period = fields.required("period", "Calendar period of the quota.", reader);
        let zones = || formatted("timezone", "Europe/Paris");
        let reader = parsed(FaultCode::INVALID_TIMEZONE, str::parse::<Zone>, zones);
        let about = "IANA name of the time zone in which the periods start.";
        let zone = fields.required("timezone", about, reader);
        Some(Quota { limit: limit?, period: period?, zone: zone? })
    };
    object(read).named("Quota")
}

pub(super) fn metadata() -> impl Read<Output = Map<String, Value>> {
    // The schema has a name, because client generators create two types for an inline nullable
    // object.
    reader(read_metadata, || anything(json!({"ticket": "OPS-7"}))).named("Metadata")
}

fn read_metadata(value: Value, pointer: &str) -> Result<Map<String, Value>, Vec<Fault>> {
    let Value::Object(fields) = value else {
        return wrong(pointer, FaultCode::WRONG_TYPE, "must be an object");
    };
    let bytes = serde_json::to_vec(&fields).map_or(usize::MAX, |bytes| bytes.len());
    if bytes > METADATA_BYTES_MAX {
        let detail = format!("must be at most {METADATA_BYTES_MAX} bytes as JSON");
        return wrong(pointer, FaultCode::TOO_LARGE, detail);
    }
    Ok(fields)
}

/// Reads a duration from now, as the moment at which it ends.
fn duration(now: Moment, example: &'static str) -> impl Read<Output = Moment> {
    let parse = move |text: &str| moment_after(now, text);
    parsed(FaultCode::INVALID_DURATION, parse, move || span(example)).then(
        move |moment, pointer| {
            if moment > now && moment <= Moment::LATEST {
                return Ok(moment);
            }
            let detail = "must be a positive duration that ends before the year 10000";
            wrong(pointer, FaultCode::OUT_OF_RANGE, detail)
        },
    )
}

/// Sets a moment that was read from the field `name`, instead of `instead_of`.
fn set_moment(
    fields: &mut Fields,
    (name, instead_of): (&str, &str),
    moment: Option<Moment>,
    edit: &mut Edit<Moment>,
) {
    match moment {
        Some(_) if !edit.is_keep() => {
            let detail = format!("cannot be combined with {instead_of}: send one of them");
            fields.fault(name, FaultCode::CONTRADICTION, detail);
        },
        Some(moment) => *edit = Edit::Set(moment),
        None => {},
    }
}
