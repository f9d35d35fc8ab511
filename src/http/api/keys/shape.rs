//! The JSON of a key: all fields, or only the fields that every member of the organization may see.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::actions::actor::Actor;
use crate::http::App;
use crate::http::api::teams::visibility;
use crate::index::facts::TeamFacts;
use crate::index::grant::Grant;
use crate::index::uses::LastUse;
use crate::model::id::UserId;
use crate::model::moment::Moment;
use crate::records::key::{Author, KeyRecord, QuotaRecord, SecretRecord, Status, TeamAccess};

/// A key with all fields. Teams that the actor may not see are left out.
pub(super) fn key_view(app: &App, actor: &Actor, record: &KeyRecord) -> Value {
    let now = app.actions.clock().now().wall;
    let time = |moment: Option<Moment>| moment.map(|moment| moment.to_string());
    let networks =
        |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    let list = record.permissions.as_ref().map(|list| list.as_set().texts().collect::<Vec<_>>());
    let permissions = list.or_else(|| record.is_service().then(Vec::new));
    let limits: Vec<Value> = record
        .rate_limits
        .iter()
        .map(|limit| {
            json!({
                "name": limit.name, "limit": limit.limit, "window_seconds": limit.window_seconds,
            })
        })
        .collect();
    let secrets: Vec<Value> = record
        .secrets
        .iter()
        .map(|secret| {
            json!({
                "hint": secret.hint,
                "created_at": secret.created_at.to_string(),
                "ends_at": time(secret.ends_at),
                "last_used": last_used(app, Some(secret), Grant::last_use),
            })
        })
        .collect();
    json!({
        "id": record.id.to_string(),
        "name": record.name,
        "description": record.description,
        "kind": kind_name(record),
        "owner": record.owner.map(|owner| owner.to_string()),
        "owner_name": record.owner.and_then(|owner| user_name(app, record, owner)),
        "environment": record.environment.as_str(),
        "hint": record.secrets.first().map(|secret| secret.hint.as_str()),
        "permissions": permissions,
        "teams": teams(app, actor, record),
        "ip_rules": { "allow": networks(&record.ip_allow), "deny": networks(&record.ip_deny) },
        "rate_limits": limits,
        "quota": record.quota.as_ref().map(quota),
        "metadata": record.metadata,
        "status": record.status(now).name(),
        "not_before": time(record.not_before),
        "expires_at": time(record.expires_at),
        "created_at": record.created_at.to_string(),
        "created_by": record.created_by.to_string(),
        "created_by_name": match record.created_by {
            Author::User(user) => user_name(app, record, user),
            Author::Key(_) | Author::Local => None,
        },
        "updated_at": record.updated_at.to_string(),
        "last_used": last_used(app, record.secrets.first(), |grant| grant.live.last_use()),
        "revoked_at": time(record.revoked_at),
        "revoked_reason": record.revoked_reason,
        "secrets": secrets,
        "rotation_advised": record.rotation_advised,
        "origin": if record.imported.is_some() { "imported" } else { "created" },
        "version": record.version,
    })
}

/// The name of a user of the key's organization; `None` for a removed user.
fn user_name(app: &App, record: &KeyRecord, user: UserId) -> Option<String> {
    let user = app.index().user(user)?;
    (user.organization == record.organization).then(|| user.name.clone())
}

fn teams(app: &App, actor: &Actor, record: &KeyRecord) -> Vec<Value> {
    let teams = app.actions.visible_teams(actor, record);
    let shape = |(team, access): &(Arc<TeamFacts>, TeamAccess)| {
        json!({
            "id": team.id.to_string(),
            "name": team.name,
            "visibility": visibility(team.secret),
            "access": access.name(),
        })
    };
    teams.iter().map(shape).collect()
}

/// A key with the fields that every member of the organization may see.
pub(super) fn hidden_key_view(app: &App, record: &KeyRecord) -> Value {
    let status: Status = record.status(app.actions.clock().now().wall);
    json!({
        "id": record.id.to_string(),
        "kind": kind_name(record),
        "status": status.name(),
        "owner_kind": if record.is_service() { "organization" } else { "user" },
    })
}

fn quota(quota: &QuotaRecord) -> Value {
    let (period, timezone) = (quota.period.to_string(), quota.zone.to_string());
    json!({ "limit": quota.limit, "period": period, "timezone": timezone })
}

fn kind_name(record: &KeyRecord) -> &'static str {
    if record.is_service() { "service" } else { "personal" }
}

/// The last use, from the key's counters. The stored last use may be older.
fn last_used(
    app: &App,
    secret: Option<&SecretRecord>,
    of: impl FnOnce(&Grant) -> Option<LastUse>,
) -> Value {
    let live = secret.and_then(|secret| app.index().with_grant(&secret.digest, |grant| of(grant?)));
    live.map_or(Value::Null, |last| {
        json!({
            "at": last.at.to_string(),
            "ip": last.ip.map(|ip: IpAddr| ip.to_string()),
            "user_agent": last.agent_name(),
        })
    })
}
