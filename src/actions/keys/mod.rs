//! Keys: make, list, show, change, switch off and on, revoke.

use keyhouse_storage::Batch;
use serde_json::{Map, Value, json};

use crate::actions::actor::Actor;
use crate::actions::events::Happening;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::fault::Fault;
use crate::model::id::{KeyId, OrganizationId};
use crate::model::key_text::{self, Environment};
use crate::model::limit::RateLimit;
use crate::model::moment::Moment;
use crate::model::name;
use crate::model::network::IpRules;
use crate::model::permission::Patterns;
use crate::model::plan::API_ACCESS;
use crate::model::role::{KEYS_CREATE, KEYS_MANAGE, KEYS_READ};
use crate::model::secret::Secret;
use crate::records::Held;
use crate::records::key::{DisabledBy, KeyRecord, RateLimitRecord, SecretRecord, Status};
use crate::records::place::Place;

mod list;

pub use list::{LIST_LIMIT_MAX, ListedKeys, Query, Wanted};

/// Whether a key is a person's or the organization's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// Never worth more than its owner; ends with them.
    #[default]
    Personal,
    /// Outlives people.
    Service,
}

/// A key to be made.
#[derive(Debug, Default)]
pub struct KeyDraft {
    /// The name; a readable one is made up where there is none.
    pub name: Option<String>,
    /// What it is for.
    pub description: String,
    /// Whose it is; the local operator makes service keys whatever stands here.
    pub kind: KeyKind,
    /// Second part of its text.
    pub environment: Environment,
    /// What it is granted; without a list a personal key has all outside `keyhouse:`, a service
    /// key nothing.
    pub permissions: Option<Patterns>,
    /// Networks.
    pub ip_rules: IpRules,
    /// Rate limits.
    pub rate_limits: Vec<RateLimit>,
    /// What is kept with it.
    pub metadata: Map<String, Value>,
    /// Not valid before.
    pub not_before: Option<Moment>,
    /// Not valid from then on.
    pub expires_at: Option<Moment>,
}

/// What is to change of a key; what is `None` stays.
#[derive(Debug, Default)]
pub struct KeyChange {
    /// Another name.
    pub name: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Another list, or none.
    pub permissions: Option<Option<Patterns>>,
    /// Other networks.
    pub ip_rules: Option<IpRules>,
    /// Other rate limits.
    pub rate_limits: Option<Vec<RateLimit>>,
    /// Other metadata.
    pub metadata: Option<Map<String, Value>>,
    /// Another begin, or none.
    pub not_before: Option<Option<Moment>>,
    /// Another end, or none.
    pub expires_at: Option<Option<Moment>>,
}

impl KeyChange {
    /// Whether it touches what the key may do: more than its label.
    fn touches_power(&self) -> bool {
        self.permissions.is_some()
            || self.ip_rules.is_some()
            || self.rate_limits.is_some()
            || self.not_before.is_some()
            || self.expires_at.is_some()
    }
}

/// What the actor may do with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is the actor's own.
    Own,
    /// The actor manages the organization's keys.
    Manager,
}

impl Actions {
    /// Makes a key. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] where the actor may not make such a key, or does not
    /// hold all that it would be granted; [`ActionError::SubscriptionRequired`];
    /// [`ActionError::Invalid`] for an end that lies behind.
    pub fn create_key(
        &self,
        actor: &Actor,
        draft: KeyDraft,
    ) -> Result<(KeyRecord, Secret), ActionError> {
        let now = self.clock.now().wall;
        let owner = self.owner_of_new(actor, draft.kind)?;
        let organization = actor.organization();
        if !organization.has_access(now) {
            let plan = organization.plan.name.to_string();
            return Err(ActionError::SubscriptionRequired { plan, feature: API_ACCESS });
        }
        check_times(draft.not_before, draft.expires_at, now)?;
        let (made, mut record) = {
            let mut random = self.random();
            let made = key_text::generate(&self.prefix, &draft.environment, &mut *random);
            let name = draft.name.clone().unwrap_or_else(|| name::propose(&mut *random));
            let id = KeyId::new(now, &mut *random);
            (made, new_record(id, organization.id, name, draft, now))
        };
        record.owner = owner;
        record.created_by = actor.author();
        record.secrets = vec![SecretRecord {
            digest: made.digest,
            hint: made.hint,
            created_at: now,
            ends_at: None,
        }];
        require_all(actor, &record.patterns())?;
        let place = record.place();
        let batch = put(Batch::new().absent(place.to_bytes()), &place, &record)?;
        let happening = Happening::by(actor, "key.create", record.id)
            .with_change(&json!({}), &shape(&record));
        let batch = self.record(batch, now, happening)?;
        match self.commit(batch)? {
            Some(_) => Ok((record, made.secret)),
            // An id of 74 random bits that is taken: nobody has seen that yet.
            None => Err(ActionError::Busy),
        }
    }

    /// Shows a key.
    ///
    /// # Errors
    /// [`ActionError::NotFound`], [`ActionError::PermissionRequired`].
    pub fn key(&self, actor: &Actor, id: KeyId) -> Result<KeyRecord, ActionError> {
        let record = self.find_key(actor, id)?.record;
        if is_whole_for(actor, &record) {
            Ok(record)
        } else {
            Err(ActionError::PermissionRequired(KEYS_READ.to_owned()))
        }
    }

    /// Changes a key. What a key may do is changed by its owner, or by one who holds all of it.
    ///
    /// # Errors
    /// Those of [`Actions::key`]; [`ActionError::VersionConflict`];
    /// [`ActionError::Conflict`] for a revoked key.
    pub fn change_key(
        &self,
        actor: &Actor,
        id: KeyId,
        version: Option<u64>,
        change: &KeyChange,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, id, version, "key.update", |record, standing, now| {
            refuse_revoked(record)?;
            let added = change.permissions.as_ref().map(|list| added_to(record, list.as_ref()));
            apply(record, change);
            if change.touches_power() {
                check_times(change.not_before.flatten(), change.expires_at.flatten(), now)?;
                match standing {
                    Standing::Own => require_all(actor, &added.unwrap_or_default())?,
                    Standing::Manager => require_all(actor, &record.patterns())?,
                }
            }
            Ok(())
        })
    }

    /// Revokes a key for ever. Revoking it again changes nothing.
    ///
    /// # Errors
    /// Those of [`Actions::key`]; [`ActionError::VersionConflict`].
    pub fn revoke_key(
        &self,
        actor: &Actor,
        id: KeyId,
        version: Option<u64>,
        reason: Option<&str>,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, id, version, "key.revoke", |record, _standing, now| {
            if record.revoked_at.is_none() {
                record.revoked_at = Some(now);
                record.revoked_reason = reason.map(str::to_owned);
            }
            Ok(())
        })
    }

    /// Switches a key off. One who manages keys does so over the head of its owner.
    ///
    /// # Errors
    /// Those of [`Actions::change_key`].
    pub fn disable_key(
        &self,
        actor: &Actor,
        id: KeyId,
        version: Option<u64>,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, id, version, "key.disable", |record, _standing, _now| {
            refuse_revoked(record)?;
            if actor.has(KEYS_MANAGE) {
                record.disabled = Some(DisabledBy::Manager);
            } else {
                record.disabled.get_or_insert(DisabledBy::Owner);
            }
            Ok(())
        })
    }

    /// Switches a key on again. What a manager switched off, only a manager who holds all of it
    /// switches on.
    ///
    /// # Errors
    /// Those of [`Actions::change_key`].
    pub fn enable_key(
        &self,
        actor: &Actor,
        id: KeyId,
        version: Option<u64>,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, id, version, "key.enable", |record, standing, _now| {
            refuse_revoked(record)?;
            if record.disabled == Some(DisabledBy::Manager) && !actor.has(KEYS_MANAGE) {
                return Err(ActionError::PermissionRequired(KEYS_MANAGE.to_owned()));
            }
            if standing == Standing::Manager {
                require_all(actor, &record.patterns())?;
            }
            record.disabled = None;
            Ok(())
        })
    }

    /// Reads, changes and writes a key under a guard; a change that leaves it as it was writes
    /// nothing.
    fn rewrite_key(
        &self,
        actor: &Actor,
        id: KeyId,
        version: Option<u64>,
        action: &'static str,
        change: impl Fn(&mut KeyRecord, Standing, Moment) -> Result<(), ActionError>,
    ) -> Result<KeyRecord, ActionError> {
        self.until_done(|| {
            let now = self.clock.now().wall;
            let held = self.find_key(actor, id)?;
            let standing = standing(actor, &held.record)?;
            if version.is_some_and(|version| version != held.record.version) {
                return Err(ActionError::VersionConflict { current: held.record.version });
            }
            let mut record = held.record.clone();
            change(&mut record, standing, now)?;
            if record == held.record {
                return Ok(Attempt::Done(record));
            }
            record.version += 1;
            record.updated_at = now;
            let place = record.place();
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            let happening =
                Happening::by(actor, action, id).with_change(&shape(&held.record), &shape(&record));
            let batch = self.record(put(batch, &place, &record)?, now, happening)?;
            let committed = self.commit(batch)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(record)))
        })
    }

    /// A key of the actor's organization; the local operator's may be in any.
    fn find_key(&self, actor: &Actor, id: KeyId) -> Result<Held<KeyRecord>, ActionError> {
        let organizations = if actor.is_local() {
            self.index.organization_ids()
        } else {
            vec![actor.organization_id()]
        };
        for organization in organizations {
            if let Some(held) = self.read(&Place::Key(organization, id))? {
                return Ok(held);
            }
        }
        Err(ActionError::NotFound("key"))
    }

    fn owner_of_new(
        &self,
        actor: &Actor,
        kind: KeyKind,
    ) -> Result<Option<crate::model::id::UserId>, ActionError> {
        let required = |permission: &str| Err(ActionError::PermissionRequired(permission.to_owned()));
        match (kind, actor.user_id()) {
            _ if actor.is_local() => Ok(None),
            (KeyKind::Service, _) if actor.has(KEYS_MANAGE) => Ok(None),
            (KeyKind::Service, _) => required(KEYS_MANAGE),
            (KeyKind::Personal, Some(user)) if actor.has(KEYS_CREATE) => Ok(Some(user)),
            (KeyKind::Personal, Some(_)) => required(KEYS_CREATE),
            (KeyKind::Personal, None) => Err(ActionError::Invalid(vec![Fault::new(
                "/kind",
                "no_owner",
                "a service key can't own a personal key: say \"kind\": \"service\"",
            )])),
        }
    }
}

/// Whether the actor sees all of a key, or only that it exists.
fn is_whole_for(actor: &Actor, record: &KeyRecord) -> bool {
    is_own(actor, record) || actor.has(KEYS_READ) || actor.has(KEYS_MANAGE)
}

fn is_own(actor: &Actor, record: &KeyRecord) -> bool {
    record.owner.is_some() && record.owner == actor.user_id()
}

fn standing(actor: &Actor, record: &KeyRecord) -> Result<Standing, ActionError> {
    if is_own(actor, record) && is_trusted_with_own(actor) {
        Ok(Standing::Own)
    } else if actor.has(KEYS_MANAGE) {
        Ok(Standing::Manager)
    } else {
        Err(ActionError::PermissionRequired(KEYS_MANAGE.to_owned()))
    }
}

/// A session is its user; a key acts for its owner only as far as it names management itself.
fn is_trusted_with_own(actor: &Actor) -> bool {
    match actor.author() {
        crate::records::key::Author::Key(_) => actor.has(KEYS_CREATE),
        crate::records::key::Author::User(_) | crate::records::key::Author::Local => true,
    }
}

fn require_all(actor: &Actor, patterns: &Patterns) -> Result<(), ActionError> {
    match actor.lacks(patterns.as_set()) {
        Some(pattern) => Err(ActionError::PermissionRequired(pattern.to_owned())),
        None => Ok(()),
    }
}

fn refuse_revoked(record: &KeyRecord) -> Result<(), ActionError> {
    if record.revoked_at.is_some() {
        return Err(ActionError::Conflict {
            code: "key_revoked",
            detail: "the key is revoked, for ever: create another one",
        });
    }
    Ok(())
}

fn check_times(
    not_before: Option<Moment>,
    expires_at: Option<Moment>,
    now: Moment,
) -> Result<(), ActionError> {
    let Some(end) = expires_at else { return Ok(()) };
    let detail = if end <= now {
        "must lie ahead; to end a key now, revoke it"
    } else if not_before.is_some_and(|begin| end <= begin) {
        "must lie after not_before"
    } else {
        return Ok(());
    };
    Err(ActionError::Invalid(vec![Fault::new("/expires_at", "out_of_range", detail)]))
}

/// The patterns of a new list that the key did not have.
fn added_to(record: &KeyRecord, list: Option<&Patterns>) -> Patterns {
    let mut wanted = record.clone();
    wanted.permissions = list.cloned();
    let (old, new) = (record.patterns(), wanted.patterns());
    let added: Vec<_> = new
        .as_set()
        .texts()
        .filter(|pattern| !old.as_set().covers(pattern))
        .filter_map(|pattern| pattern.parse().ok())
        .collect();
    Patterns::new(&added).unwrap_or(new)
}

fn apply(record: &mut KeyRecord, change: &KeyChange) {
    if let Some(name) = &change.name {
        record.name.clone_from(name);
    }
    if let Some(description) = &change.description {
        record.description.clone_from(description);
    }
    if let Some(permissions) = &change.permissions {
        record.permissions.clone_from(permissions);
    }
    if let Some(rules) = &change.ip_rules {
        record.ip_allow.clone_from(&rules.allow);
        record.ip_deny.clone_from(&rules.deny);
    }
    if let Some(limits) = &change.rate_limits {
        record.rate_limits = limits.iter().map(stored_limit).collect();
    }
    if let Some(metadata) = &change.metadata {
        record.metadata.clone_from(metadata);
    }
    record.not_before = change.not_before.unwrap_or(record.not_before);
    record.expires_at = change.expires_at.unwrap_or(record.expires_at);
}

fn new_record(
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
        ip_allow: draft.ip_rules.allow,
        ip_deny: draft.ip_rules.deny,
        rate_limits: draft.rate_limits.iter().map(stored_limit).collect(),
        quota: None,
        metadata: draft.metadata,
        not_before: draft.not_before,
        expires_at: draft.expires_at,
        created_at: now,
        created_by: crate::records::key::Author::Local,
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
fn shape(record: &KeyRecord) -> Value {
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
        "permissions": list.map(|list| list.as_set().texts().collect::<Vec<_>>()),
        "ip_allow": texts(&record.ip_allow),
        "ip_deny": texts(&record.ip_deny),
        "rate_limits": record.rate_limits.iter()
            .map(|limit| json!([limit.name, limit.limit, limit.window_seconds]))
            .collect::<Vec<_>>(),
        "not_before": record.not_before.map(|moment| moment.to_string()),
        "expires_at": record.expires_at.map(|moment| moment.to_string()),
        "disabled": record.disabled.is_some(),
        "revoked": record.revoked_at.is_some(),
        "revoked_reason": record.revoked_reason,
        "metadata": record.metadata,
    })
}

/// Whether a list leaves a key out by its status unless it is asked for: revoked ones.
fn is_listed_by_default(status: Status) -> bool {
    status != Status::Revoked
}
