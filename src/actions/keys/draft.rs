//! Drafts of new keys, changes of existing keys, and the fields of a key that an event shows.
//!
//! A key without a list grants what its owner holds, so a user who creates such a key for
//! themselves needs only `keyhouse:keys:create`. An actor that passes a list or a preset must hold
//! all of its permissions. `KeyChange::is_label` names every field, so that team mates may change a
//! new field only after it is added there.

use serde_json::{Map, Value, json};

use crate::actions::changes::{Resource, ResourceRef};
use crate::model::catalogue::Preset;
use crate::model::edit::Edit;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::key_text::Environment;
use crate::model::limit::{Quota, RateLimit};
use crate::model::moment::Moment;
use crate::model::network::IpRules;
use crate::model::permission::Patterns;
use crate::records::key::{KeyRecord, RateLimitRecord, ShareRecord};

/// Whether a key belongs to a user or to the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Grants at most what its owner holds, and is revoked with its owner.
    Personal,
    /// Belongs to the organization and stays when users leave.
    Service,
}

#[derive(Clone, Debug, Default)]
pub struct KeyDraft {
    /// The name. Without a name, a readable name is generated.
    pub name: Option<String>,
    pub description: String,
    /// The kind. Without a kind, the key is personal, or a service key if the actor has no user.
    pub kind: Option<KeyKind>,
    /// The environment, which is the second part of the key's text.
    pub environment: Environment,
    /// The permissions. Without a list a personal key has everything outside `keyhouse:` and a
    /// service key has nothing.
    pub permissions: Option<Patterns>,
    /// A preset instead of a list, limited to what the actor holds.
    pub preset: Option<Preset>,
    /// The teams that the key is shared with.
    pub teams: Vec<ShareRecord>,
    pub ip_rules: IpRules,
    pub rate_limits: Vec<RateLimit>,
    pub quota: Option<Quota>,
    pub metadata: Map<String, Value>,
    /// Time before which the key is not valid.
    pub not_before: Option<Moment>,
    /// Time from which the key is not valid.
    pub expires_at: Option<Moment>,
}

/// Changes to a key. Fields that are not set do not change.
#[derive(Debug, Default)]
pub struct KeyChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub permissions: Edit<Patterns>,
    /// A preset instead of a list, limited to what the actor holds.
    pub preset: Option<Preset>,
    pub ip_rules: Edit<IpRules>,
    pub rate_limits: Edit<Vec<RateLimit>>,
    pub quota: Edit<Quota>,
    pub metadata: Edit<Map<String, Value>>,
    pub not_before: Edit<Moment>,
    pub expires_at: Edit<Moment>,
}

/// A draft with the fields of a change. Cleared fields are empty.
impl From<KeyChange> for KeyDraft {
    fn from(change: KeyChange) -> Self {
        Self {
            name: change.name,
            description: change.description.unwrap_or_default(),
            permissions: change.permissions.value(),
            preset: change.preset,
            ip_rules: change.ip_rules.value().unwrap_or_default(),
            rate_limits: change.rate_limits.value().unwrap_or_default(),
            quota: change.quota.value(),
            metadata: change.metadata.value().unwrap_or_default(),
            not_before: change.not_before.value(),
            expires_at: change.expires_at.value(),
            ..Self::default()
        }
    }
}

impl KeyChange {
    /// Whether the change touches only the label: name and description.
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

    /// Whether the change touches a field outside the label.
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

/// Applies a change to a record.
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

/// Returns the record of a new key. The caller adds owner, author and secret.
pub(super) fn new_record(
    id: KeyId,
    organization: OrganizationId,
    name: String,
    draft: KeyDraft,
    now: Moment,
) -> KeyRecord {
    KeyRecord {
        description: draft.description,
        environment: draft.environment,
        permissions: draft.permissions,
        teams: draft.teams,
        ip_allow: draft.ip_rules.allow,
        ip_deny: draft.ip_rules.deny,
        rate_limits: draft.rate_limits.iter().map(stored_limit).collect(),
        quota: draft.quota.as_ref().map(Into::into),
        metadata: draft.metadata,
        not_before: draft.not_before,
        expires_at: draft.expires_at,
        ..KeyRecord::new(id, organization, name, now)
    }
}

fn stored_limit(limit: &RateLimit) -> RateLimitRecord {
    RateLimitRecord {
        name: limit.name.clone(),
        limit: limit.limit,
        window_seconds: limit.window_seconds,
    }
}

impl Resource for KeyRecord {
    fn identity(&self) -> ResourceRef {
        ResourceRef::new(self.place(), &self.id, Some(self.organization))
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn audit(&self) -> Value {
        shape(self)
    }

    fn note_change(&mut self, now: Moment) {
        self.updated_at = now;
    }
}

/// Returns the fields of a key that an event may show. The result contains the hints of the
/// secrets, and no digest.
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
