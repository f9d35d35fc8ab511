//! What a key shall be: drafts of new ones, changes of old ones, and what an event tells of either.
//!
//! A key without a list follows its owner, so creating one for oneself needs `keyhouse:keys:create` and
//! nothing else. An actor that gives a list or a preset must hold all of it. `KeyChange::is_label`
//! names every field: a new field is closed to team mates until it is added there.

use serde_json::{Map, Value, json};

use crate::model::catalogue::Preset;
use crate::model::edit::Edit;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::key_text::Environment;
use crate::model::limit::{Quota, RateLimit};
use crate::model::moment::Moment;
use crate::model::network::IpRules;
use crate::model::permission::Patterns;
use crate::records::key::{Author, KeyRecord, RateLimitRecord, ShareRecord};

/// Whether a key is a person's or the organization's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Never worth more than its owner; ends with them.
    Personal,
    /// Outlives people.
    Service,
}

/// A key to be made.
#[derive(Clone, Debug, Default)]
pub struct KeyDraft {
    /// The name; a readable one is made up where there is none.
    pub name: Option<String>,
    /// What it is for.
    pub description: String,
    /// Whose it is: personal unless said; a service key where the actor acts for no person.
    pub kind: Option<KeyKind>,
    /// Second part of its text.
    pub environment: Environment,
    /// What it is granted; without a list a personal key has all outside `keyhouse:`, a service
    /// key nothing.
    pub permissions: Option<Patterns>,
    /// Instead of a list: what it stands for, as far as the actor holds it.
    pub preset: Option<Preset>,
    /// The teams it is shared with.
    pub teams: Vec<ShareRecord>,
    /// Networks.
    pub ip_rules: IpRules,
    /// Rate limits.
    pub rate_limits: Vec<RateLimit>,
    /// Quota.
    pub quota: Option<Quota>,
    /// What is kept with it.
    pub metadata: Map<String, Value>,
    /// Not valid before.
    pub not_before: Option<Moment>,
    /// Not valid from then on.
    pub expires_at: Option<Moment>,
}

/// What is to change of a key; what is not named stays.
#[derive(Debug, Default)]
pub struct KeyChange {
    /// Another name.
    pub name: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Another list, or none.
    pub permissions: Edit<Patterns>,
    /// Instead of a list: what it stands for, as far as the actor holds it.
    pub preset: Option<Preset>,
    /// Other networks, or none.
    pub ip_rules: Edit<IpRules>,
    /// Other rate limits, or none.
    pub rate_limits: Edit<Vec<RateLimit>>,
    /// Another quota, or none.
    pub quota: Edit<Quota>,
    /// Other metadata, or none.
    pub metadata: Edit<Map<String, Value>>,
    /// Another begin, or none.
    pub not_before: Edit<Moment>,
    /// Another end, or none.
    pub expires_at: Edit<Moment>,
}

impl KeyChange {
    /// Whether it names nothing but the label: name and description. A new field is none of it
    /// until somebody says so here.
    pub(super) fn is_label(&self) -> bool {
        let Self {
            name: _,
            description: _,
            permissions,
            preset,
            ip_rules,
            rate_limits,
            quota,
            metadata,
            not_before,
            expires_at,
        } = self;
        permissions.is_keep()
            && preset.is_none()
            && ip_rules.is_keep()
            && rate_limits.is_keep()
            && quota.is_keep()
            && metadata.is_keep()
            && not_before.is_keep()
            && expires_at.is_keep()
    }

    /// Whether it touches what the key may do: more than its label.
    pub(super) fn touches_power(&self) -> bool {
        !(self.permissions.is_keep()
            && self.preset.is_none()
            && self.ip_rules.is_keep()
            && self.rate_limits.is_keep()
            && self.quota.is_keep()
            && self.not_before.is_keep()
            && self.expires_at.is_keep())
    }
}

/// Carries a change out on a record.
pub(super) fn apply(record: &mut KeyRecord, change: &KeyChange) {
    if let Some(name) = &change.name {
        record.name.clone_from(name);
    }
    if let Some(description) = &change.description {
        record.description.clone_from(description);
    }
    change.permissions.apply(&mut record.permissions);
    change.not_before.apply(&mut record.not_before);
    change.expires_at.apply(&mut record.expires_at);
    change.quota.clone().map(|quota| (&quota).into()).apply(&mut record.quota);
    change.metadata.apply_or_default(&mut record.metadata);
    let networks = |list: fn(&IpRules) -> &Vec<ipnet::IpNet>| {
        change.ip_rules.clone().map(|rules| list(&rules).clone())
    };
    networks(|rules| &rules.allow).apply_or_default(&mut record.ip_allow);
    networks(|rules| &rules.deny).apply_or_default(&mut record.ip_deny);
    let limits = change.rate_limits.clone();
    limits
        .map(|limits| limits.iter().map(stored_limit).collect())
        .apply_or_default(&mut record.rate_limits);
}

/// The record of a new key; its owner, author and secret are the caller's to add.
pub(super) fn new_record(
    id: KeyId,
    organization: OrganizationId,
    name: String,
    draft: KeyDraft,
    now: Moment,
) -> KeyRecord {
    KeyRecord {
        id,
        organization,
        name,
        description: draft.description,
        owner: None,
        environment: draft.environment,
        secrets: Vec::new(),
        permissions: draft.permissions,
        maxima: Vec::new(),
        rotation_advised: false,
        imported: None,
        teams: draft.teams,
        ip_allow: draft.ip_rules.allow,
        ip_deny: draft.ip_rules.deny,
        rate_limits: draft.rate_limits.iter().map(stored_limit).collect(),
        quota: draft.quota.as_ref().map(Into::into),
        metadata: draft.metadata,
        not_before: draft.not_before,
        expires_at: draft.expires_at,
        created_at: now,
        created_by: Author::Local,
        descends_from: None,
        updated_at: now,
        disabled: None,
        revoked_at: None,
        revoked_reason: None,
        version: 1,
    }
}

fn stored_limit(limit: &RateLimit) -> RateLimitRecord {
    RateLimitRecord {
        name: limit.name.clone(),
        limit: limit.limit,
        window_seconds: limit.window_seconds,
    }
}

/// What an event may tell of a key: nothing of its secrets but the hint.
pub(super) fn shape(record: &KeyRecord) -> Value {
    let texts = |networks: &[ipnet::IpNet]| -> Vec<String> {
        networks.iter().map(ToString::to_string).collect()
    };
    let list = record.permissions.as_ref();
    json!({
        "name": record.name,
        "description": record.description,
        "kind": if record.is_service() { "service" } else { "personal" },
        "owner": record.owner.map(|owner| owner.to_string()),
        "environment": record.environment.as_str(),
        "hint": record.secrets.first().map(|secret| secret.hint.clone()),
        "old_secret": record.secrets.get(1).map(|secret| json!({
            "hint": secret.hint,
            "ends_at": secret.ends_at.map(|moment| moment.to_string()),
        })),
        "rotation_advised": record.rotation_advised,
        "permissions": list.map(|list| list.as_set().texts().collect::<Vec<_>>()),
        "teams": record.teams.iter()
            .map(|share| json!([share.team.to_string(), share.access.name()]))
            .collect::<Vec<_>>(),
        "ip_allow": texts(&record.ip_allow),
        "ip_deny": texts(&record.ip_deny),
        "rate_limits": record.rate_limits.iter()
            .map(|limit| json!([limit.name, limit.limit, limit.window_seconds]))
            .collect::<Vec<_>>(),
        "quota": record.quota.as_ref()
            .map(|quota| json!([quota.limit, quota.period.to_string(), quota.zone.to_string()])),
        "not_before": record.not_before.map(|moment| moment.to_string()),
        "expires_at": record.expires_at.map(|moment| moment.to_string()),
        "disabled": record.disabled.is_some(),
        "revoked": record.revoked_at.is_some(),
        "revoked_reason": record.revoked_reason,
        "metadata": record.metadata,
    })
}
