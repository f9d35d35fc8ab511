//! The views of a key: all fields, or only the fields that every member of the organization may see.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::actions::actor::Actor;
use crate::actions::keys::Descendants;
use crate::http::App;
use crate::http::api::keys::reading::{ACCESSES, KINDS, ip_rules, metadata, quota, rate_limit};
use crate::http::api::teams::{VISIBILITIES, visibility};
use crate::http::reading::Read as _;
use crate::http::schema::{Schema, any_of, choice, count, each, nullable, text, truth};
use crate::http::view::{Described, Revealed, Schemas, view};
use crate::index::grant::Grant;
use crate::index::uses::LastUse;
use crate::model::id::{KeyId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::records::key::{Author, KeyRecord, SecretRecord, Status};

view! {
    KeyView = "Key" {
        /// Id of the key.
        id: KeyId,
        ..fields: KeyFields,
    }
}

view! {
    ImportedKeyView = "ImportedKey" {
        /// Id of the key. Null in a dry run.
        id: Option<KeyId>,
        ..fields: KeyFields,
    }
}

view! {
    /// The fields of a key, without its id.
    KeyFields {
        /// Name of the key.
        name: String => text("deploy"),
        /// Description for people.
        description: String => text("What it is for."),
        /// A personal key belongs to a user, a service key to the organization.
        kind: &'static str => choice(&KINDS),
        /// Id of the owner. Null for a service key.
        owner: Option<UserId>,
        /// Name of the owner. Null for a service key.
        owner_name: Option<String> => nullable(text("Ada").into()),
        /// Environment of the key.
        environment: String => text("live"),
        /// Beginning of the newest secret, to identify it.
        hint: Option<String> => nullable(text("kh_live_0123").into()),
        /// Granted permission patterns. Null: the permissions of the owner outside `keyhouse:`.
        permissions: Option<Vec<String>> => nullable(each(text("diagrams:read")).into()),
        /// Teams with which the key is shared.
        teams: Vec<KeyTeamView>,
        /// Networks from which the key may be used.
        ip_rules: IpRulesView,
        /// Rate limits of the key.
        rate_limits: Vec<RateLimitView>,
        /// Quota of the key. Null: none.
        quota: Option<QuotaView>,
        /// JSON object that a client has set.
        metadata: MetadataView,
        /// Status of the key.
        status: &'static str => choice(&statuses()),
        /// Time from which the key is valid. Null: at once.
        not_before: Option<Moment>,
        /// Time of expiry. Null: never.
        expires_at: Option<Moment>,
        /// Time of creation.
        created_at: Moment,
        /// Id of the user or key that created the key, or `local`.
        created_by: String => text("usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f"),
        /// Name of the creator. Null if it is not available.
        created_by_name: Option<String> => nullable(text("Ada").into()),
        /// Time of the last change.
        updated_at: Moment,
        /// Last call with the key. Null if there was none.
        last_used: Option<UseView>,
        /// Time of the revocation. Null if the key is not revoked.
        revoked_at: Option<Moment>,
        /// Reason of the revocation. Null if none was given.
        revoked_reason: Option<String> => nullable(text("laptop stolen").into()),
        /// Secrets of the key; two during a rotation with overlap.
        secrets: Vec<SecretView>,
        /// Whether the key should be rotated.
        rotation_advised: bool => truth(false),
        /// Whether the key was created here, imported, or applied from a configuration file.
        origin: &'static str => choice(&["created", "imported", "applied"]),
        /// Version of the object, for `If-Match`.
        version: u64 => count(1),
    }
}

view! {
    KeyTeamView {
        /// Id of the team.
        id: TeamId,
        /// Name of the team.
        name: String => text("Build"),
        /// Secret teams are shown only to members and managers.
        visibility: &'static str => choice(&VISIBILITIES),
        /// Access of the team's members.
        access: &'static str => choice(&ACCESSES),
    }
}

view! {
    SecretView {
        /// Beginning of the secret, to identify it.
        hint: String => text("kh_live_0123"),
        /// Time of creation.
        created_at: Moment,
        /// Time at which the secret stops working. Null: with the key.
        ends_at: Option<Moment>,
        /// Last call with this secret. Null if there was none.
        last_used: Option<UseView>,
    }
}

view! {
    UseView = "Use" {
        /// Time of the call.
        at: Moment,
        /// IP address of the client. Null if it is unknown.
        ip: Option<String> => nullable(text("192.0.2.7").into()),
        /// `User-Agent` of the client. Null if it is unknown.
        user_agent: Option<String> => nullable(text("curl/8.5.0").into()),
    }
}

view! {
    HiddenKeyView = "HiddenKey" {
        /// Id of the key.
        id: KeyId,
        /// A personal key belongs to a user, a service key to the organization.
        kind: &'static str => choice(&KINDS),
        /// Status of the key.
        status: &'static str => choice(&statuses()),
        /// Kind of the owner.
        owner_kind: &'static str => choice(&["user", "organization"]),
    }
}

view! {
    CreatedKeyView {
        /// The new key.
        key: KeyView,
        /// Secret of the key. It cannot be shown again.
        secret: Revealed => secret(),
    }
}

view! {
    RotatedKeyView {
        /// The key.
        key: KeyView,
        /// New secret of the key. It cannot be shown again.
        secret: Revealed => secret(),
    }
}

view! {
    RevokedKeyView {
        /// Result for the descendants.
        descendants: DescendantsView | absent,
        ..key: KeyView,
    }
}

view! {
    DescendantsView {
        /// Number of revoked descendants.
        revoked: usize => count(3),
        /// Number of descendants that the caller may not revoke.
        left: usize => count(0),
        /// Whether descendants remain, so that the request must be repeated.
        more: bool => truth(false),
    }
}

view! {
    DescendantsCountView {
        /// Number of descendants.
        count: usize => count(3),
    }
}

/// A key of a list, with the fields that the caller may see.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::http) enum ListedKeyView {
    Whole(Box<KeyView>),
    Hidden(HiddenKeyView),
}

impl Described for ListedKeyView {
    fn schema(schemas: &mut Schemas) -> Schema {
        any_of([KeyView::schema(schemas), HiddenKeyView::schema(schemas)])
    }
}

// The next four views have the schemas of requests, since a client sends back what it has received.

#[derive(Debug, Serialize)]
pub(in crate::http) struct IpRulesView {
    allow: Vec<String>,
    deny: Vec<String>,
}

impl Described for IpRulesView {
    fn schema(schemas: &mut Schemas) -> Schema {
        ip_rules().schema(schemas)
    }
}

#[derive(Debug, Serialize)]
pub(in crate::http) struct RateLimitView {
    name: Box<str>,
    limit: u32,
    window_seconds: u32,
}

impl Described for RateLimitView {
    fn schema(schemas: &mut Schemas) -> Schema {
        rate_limit().schema(schemas)
    }
}

#[derive(Debug, Serialize)]
pub(in crate::http) struct QuotaView {
    limit: u64,
    period: String,
    timezone: String,
}

impl Described for QuotaView {
    fn schema(schemas: &mut Schemas) -> Schema {
        quota().schema(schemas)
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(in crate::http) struct MetadataView(Map<String, Value>);

impl Described for MetadataView {
    fn schema(schemas: &mut Schemas) -> Schema {
        metadata().schema(schemas)
    }
}

/// The names of all statuses.
pub(super) fn statuses() -> [&'static str; 5] {
    Status::NAMES.map(|(_, name)| name)
}

/// A secret that Keyhouse generated.
fn secret() -> Schema {
    text("kh_live_01234567890123456789012345678901234567890123456").into()
}

/// A key with all fields. Teams that the actor may not see are left out.
pub(super) fn key_view(app: &App, actor: &Actor, record: &KeyRecord) -> KeyView {
    KeyView { id: record.id, fields: key_fields(app, actor, record) }
}

pub(super) fn key_fields(app: &App, actor: &Actor, record: &KeyRecord) -> KeyFields {
    let texts = |list: &[ipnet::IpNet]| list.iter().map(ToString::to_string).collect();
    let permissions = record.permissions.as_ref();
    let permissions =
        permissions.map(|list| list.as_set().texts().map(str::to_owned).collect::<Vec<_>>());
    let teams = app.actions.visible_teams(actor, record).into_iter();
    let rate_limits = record.rate_limits.iter().map(|limit| RateLimitView {
        name: limit.name.clone(),
        limit: limit.limit,
        window_seconds: limit.window_seconds,
    });
    let quota = record.quota.as_ref().map(|quota| QuotaView {
        limit: quota.limit,
        period: quota.period.to_string(),
        timezone: quota.zone.to_string(),
    });
    let secrets = record.secrets.iter().map(|secret| SecretView {
        hint: secret.hint.clone(),
        created_at: secret.created_at,
        ends_at: secret.ends_at,
        last_used: last_used(app, Some(secret), Grant::last_use),
    });
    KeyFields {
        name: record.name.clone(),
        description: record.description.clone(),
        kind: kind_name(record),
        owner: record.owner,
        owner_name: record.owner.and_then(|owner| user_name(app, record, owner)),
        environment: record.environment.to_string(),
        hint: record.secrets.first().map(|secret| secret.hint.clone()),
        permissions: permissions.or_else(|| record.is_service().then(Vec::new)),
        teams: teams
            .map(|(team, access)| KeyTeamView {
                id: team.id,
                name: team.name.clone(),
                visibility: visibility(team.secret),
                access: access.name(),
            })
            .collect(),
        ip_rules: IpRulesView { allow: texts(&record.ip_allow), deny: texts(&record.ip_deny) },
        rate_limits: rate_limits.collect(),
        quota,
        metadata: MetadataView(record.metadata.clone()),
        status: status(app, record),
        not_before: record.not_before,
        expires_at: record.expires_at,
        created_at: record.created_at,
        created_by: record.created_by.to_string(),
        created_by_name: match record.created_by {
            Author::User(user) => user_name(app, record, user),
            Author::Key(_) | Author::Local => None,
        },
        updated_at: record.updated_at,
        last_used: last_used(app, record.secrets.first(), |grant| grant.live.last_use()),
        revoked_at: record.revoked_at,
        revoked_reason: record.revoked_reason.clone(),
        secrets: secrets.collect(),
        rotation_advised: record.rotation_advised,
        origin: match (record.applied, record.imported) {
            (true, _) => "applied",
            (false, Some(_)) => "imported",
            (false, None) => "created",
        },
        version: record.version,
    }
}

/// A key with the fields that every member of the organization may see.
pub(super) fn hidden_key_view(app: &App, record: &KeyRecord) -> HiddenKeyView {
    HiddenKeyView {
        id: record.id,
        kind: kind_name(record),
        status: status(app, record),
        owner_kind: if record.is_service() { "organization" } else { "user" },
    }
}

pub(super) fn descendants_view(descendants: &Descendants) -> DescendantsView {
    let Descendants { revoked, left, more } = *descendants;
    DescendantsView { revoked, left, more }
}

/// The name of a user of the key's organization; `None` for a removed user.
fn user_name(app: &App, record: &KeyRecord, user: UserId) -> Option<String> {
    let user = app.index().user(user)?;
    (user.organization == record.organization).then(|| user.name.clone())
}

fn kind_name(record: &KeyRecord) -> &'static str {
    if record.is_service() { "service" } else { "personal" }
}

fn status(app: &App, record: &KeyRecord) -> &'static str {
    record.status(app.actions.clock().now().wall).name()
}

/// The last use, from the key's counters. The stored last use may be older.
fn last_used(
    app: &App,
    secret: Option<&SecretRecord>,
    of: impl FnOnce(&Grant) -> Option<LastUse>,
) -> Option<UseView> {
    let last = app.index().with_grant(&secret?.digest, |grant| of(grant?))?;
    Some(UseView {
        at: last.at,
        ip: last.ip.map(|ip| ip.to_string()),
        user_agent: last.agent_name().map(str::to_owned),
    })
}
