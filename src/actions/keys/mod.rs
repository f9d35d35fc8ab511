//! Keys: make, list, show, change, switch off and on, revoke.

use keyhouse_storage::Batch;
use serde_json::json;

use crate::actions::actor::Actor;
use crate::actions::events::Happening;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::fault::Fault;
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::key_text::{self};
use crate::model::moment::Moment;
use crate::model::name;
use crate::model::permission::Patterns;
use crate::model::role::{INSTANCE_VERIFY, KEYS_CREATE, KEYS_MANAGE, KEYS_READ};
use crate::model::secret::Secret;
use crate::records::Held;
use crate::records::key::{DisabledBy, KeyRecord, SecretRecord, Status};
use crate::records::place::Place;

mod bounds;
mod descendants;
mod draft;
mod holder;
mod import;
mod list;
mod purge;
mod rotate;
mod sharing;
mod sorted;
mod standing;
mod succession;
mod within;

use bounds::{check_lifetime, check_times, refuse_beyond_ceiling, require_access, takes_place};
pub use descendants::{DESCENDANTS_A_REQUEST_MAX, Descendants};
pub use draft::{KeyChange, KeyDraft, KeyKind};
use draft::{apply, new_record, shape};
pub use holder::{HolderRevoked, Shown};
pub use import::{ForeignKey, ForeignSecret, IMPORT_KEYS_MAX, Import, OwnerName};
pub use list::{ListedKeys, OwnerWanted, Query, Wanted};
pub use purge::{ENDED_KEPT, KeyPurge};
pub use rotate::OVERLAP_MAX;
pub use sharing::TEAMS_A_KEY_MAX;
pub use sorted::{
    InvalidPosition, InvalidSort, Position, SORTED_KEYS_MAX, Sort, SortBy, SortedKeys,
};
pub(super) use standing::require_window;
use standing::{Standing, refuse_itself};
pub(super) use within::is_bounded;

/// Changes that a key makes also to keys that are wider than itself: a leak is stopped first.
const STOPS: [&str; 2] = ["key.revoke", "key.disable"];

/// The key that a change is meant for.
#[derive(Clone, Debug)]
pub struct Target {
    /// The key.
    pub id: KeyId,
    /// The versions it may have (`If-Match`), where the caller says so.
    pub versions: Option<Vec<u64>>,
}

impl Actions {
    /// Makes a key. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] where the actor may not make such a key, or does not
    /// hold all that it would be granted; [`ActionError::SubscriptionRequired`];
    /// [`ActionError::LimitReached`] where the plan gives no more keys;
    /// [`ActionError::Invalid`] for an end that lies behind.
    pub fn create_key(
        &self,
        actor: &Actor,
        mut draft: KeyDraft,
    ) -> Result<(KeyRecord, Secret), ActionError> {
        let now = self.clock.now().wall;
        check_times(draft.not_before, draft.expires_at, now)?;
        let (made, id) = {
            let mut random = self.random();
            let made = key_text::generate(&self.prefix, &draft.environment, &mut *random);
            draft.name.get_or_insert_with(|| name::propose(&mut *random));
            (made, KeyId::new(now, &mut *random))
        };
        let secret = SecretRecord::of(&made, now);
        let record = self.in_turn(|| {
            let decided = self.authorize(actor)?;
            let mut record = self.draft_of(&decided.actor, &draft, id, now)?;
            decided.require_within(&record)?;
            record.secrets = vec![secret.clone()];
            let batch = self.within_limits(Batch::new(), record.organization, &[record.owner])?;
            let place = record.place();
            let batch = put(batch.absent(place.to_bytes()), &place, &record)?;
            let happening =
                Happening::by(&decided, "key.create", id).with_change(&json!({}), &shape(&record));
            let committed = self.commit_change(decided, batch, now, happening)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(record)))
        })?;
        Ok((record, made.secret))
    }

    /// The record of a new key as the actor may make it, without its secret.
    fn draft_of(
        &self,
        actor: &Actor,
        draft: &KeyDraft,
        id: KeyId,
        now: Moment,
    ) -> Result<KeyRecord, ActionError> {
        let owner = Self::owner_of_new(actor, draft.kind)?;
        let organization = actor.organization();
        require_access(organization, now)?;
        self.check_shares(actor, organization.id, &draft.teams)?;
        let mut draft = draft.clone();
        if let Some(preset) = draft.preset {
            draft.permissions = Some(self.preset(actor, preset)?);
        }
        let name = draft.name.clone().unwrap_or_default();
        let mut record = new_record(id, organization.id, name, draft, now);
        record.owner = owner;
        record.created_by = actor.author();
        require_no_less(actor, &record)?;
        check_lifetime(organization, now, record.expires_at)?;
        Ok(record)
    }

    /// Shows a key.
    ///
    /// # Errors
    /// [`ActionError::NotFound`], [`ActionError::PermissionRequired`].
    pub fn key(&self, actor: &Actor, id: KeyId) -> Result<KeyRecord, ActionError> {
        require_window(actor)?;
        let record = self.find_key(actor, id)?.record;
        if self.is_whole_for(actor, &record) {
            Ok(record)
        } else {
            Err(ActionError::PermissionRequired(KEYS_READ.to_owned()))
        }
    }

    /// The record of a key that a check has found, for one who explains that check.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for one who may not see the organization's keys, or asks
    /// about another organization's; [`ActionError::NotFound`].
    pub fn stored_key(
        &self,
        actor: &Actor,
        organization: OrganizationId,
        id: KeyId,
    ) -> Result<KeyRecord, ActionError> {
        actor.require(KEYS_READ)?;
        if organization != actor.organization_id() {
            actor.require(INSTANCE_VERIFY)?;
        }
        let held = self.read::<KeyRecord>(&Place::Key(organization, id))?;
        held.map(|held| held.record).ok_or(ActionError::NotFound("key"))
    }

    /// Changes a key. What a key may do is changed by its owner, or by one who holds all of it.
    ///
    /// # Errors
    /// Those of [`Actions::key`]; [`ActionError::VersionConflict`];
    /// [`ActionError::Conflict`] for a revoked key.
    pub fn change_key(
        &self,
        actor: &Actor,
        target: &Target,
        change: &KeyChange,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, target, "key.update", |today, record, standing, now| {
            if !change.is_label() {
                standing.refuse_team_mate()?;
            }
            refuse_revoked(record)?;
            let had_none = follows_owner(record);
            let before = if had_none { Patterns::default() } else { record.patterns() };
            apply(record, change);
            if let Some(preset) = change.preset {
                record.permissions = Some(self.preset(today, preset)?);
            }
            if !change.permissions.is_keep() || change.preset.is_some() {
                refuse_beyond_ceiling(record)?;
            }
            if change.touches_power() {
                self.check_new_times(change, record, now)?;
                refuse_itself(today, record)?;
                match standing {
                    Standing::Own if follows_owner(record) => {},
                    Standing::Own => {
                        today.require_all(added(&before, &record.patterns()).as_set())?;
                    },
                    Standing::Manager | Standing::TeamMate => {
                        today.require_all(record.patterns().as_set())?;
                    },
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
        target: &Target,
        reason: Option<&str>,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, target, "key.revoke", |_today, record, _standing, now| {
            if record.revoked_at.is_none() {
                record.revoked_at = Some(now);
                record.revoked_reason = reason.map(str::to_owned);
            }
            Ok(())
        })
    }

    /// Switches a key off. One who manages keys does so over the head of its owner; what a team mate
    /// switched off, the owner switches on again.
    ///
    /// # Errors
    /// Those of [`Actions::change_key`].
    pub fn disable_key(&self, actor: &Actor, target: &Target) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, target, "key.disable", |today, record, _standing, _now| {
            refuse_revoked(record)?;
            if today.has(KEYS_MANAGE) {
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
    pub fn enable_key(&self, actor: &Actor, target: &Target) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, target, "key.enable", |today, record, standing, _now| {
            standing.refuse_team_mate()?;
            refuse_revoked(record)?;
            if record.disabled == Some(DisabledBy::Manager) && !today.has(KEYS_MANAGE) {
                return Err(ActionError::PermissionRequired(KEYS_MANAGE.to_owned()));
            }
            refuse_itself(today, record)?;
            if standing == Standing::Manager {
                today.require_all(record.patterns().as_set())?;
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
        target: &Target,
        action: &'static str,
        change: impl Fn(&Actor, &mut KeyRecord, Standing, Moment) -> Result<(), ActionError>,
    ) -> Result<KeyRecord, ActionError> {
        Self::until_done(|| {
            let now = self.clock.now().wall;
            let decided = self.authorize(actor)?;
            let held = self.find_key(&decided.actor, target.id)?;
            let standing = self.standing(&decided.actor, &held.record)?;
            Self::check_version(target.versions.as_ref(), held.record.version)?;
            let mut record = held.record.clone();
            change(&decided.actor, &mut record, standing, now)?;
            if record == held.record {
                // Somebody else's change, as the store has it; the index may not have it yet.
                self.await_index(held.revision);
                return Ok(Attempt::Done(record));
            }
            if !STOPS.contains(&action) {
                decided.require_over(&held.record)?;
                decided.require_over(&record)?;
            }
            record.version += 1;
            record.updated_at = now;
            let place = record.place();
            let mut batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            if takes_place(&record, now) && !takes_place(&held.record, now) {
                batch = self.within_limits(batch, record.organization, &[record.owner])?;
            }
            let happening = Happening::by(&decided, action, target.id)
                .inside(record.organization)
                .with_change(&shape(&held.record), &shape(&record));
            let batch = put(batch, &place, &record)?;
            let committed = self.commit_change(decided, batch, now, happening)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(record)))
        })
    }

    /// Checks begin and end where a change names them.
    fn check_new_times(
        &self,
        change: &KeyChange,
        record: &KeyRecord,
        now: Moment,
    ) -> Result<(), ActionError> {
        if !change.not_before.is_keep() || !change.expires_at.is_keep() {
            check_times(record.not_before, record.expires_at, now)?;
        }
        if change.expires_at.is_keep() {
            return Ok(());
        }
        // The key's organization: the operator on the host may be acting in another.
        let organization = self.index.organization(record.organization);
        let organization = organization.ok_or(ActionError::NotFound("organization"))?;
        check_lifetime(&organization, record.created_at, record.expires_at)
    }

    /// A key of the actor's organization that is there for them; the local operator's may be in any.
    pub(super) fn find_key(
        &self,
        actor: &Actor,
        id: KeyId,
    ) -> Result<Held<KeyRecord>, ActionError> {
        let organizations = if actor.is_local() {
            self.index.organization_ids()
        } else {
            vec![actor.organization_id()]
        };
        for organization in organizations {
            let held: Option<Held<KeyRecord>> = self.read(&Place::Key(organization, id))?;
            if let Some(held) = held.filter(|held| !self.is_concealed_from(actor, &held.record)) {
                return Ok(held);
            }
        }
        Err(ActionError::NotFound("key"))
    }

    fn owner_of_new(actor: &Actor, kind: Option<KeyKind>) -> Result<Option<UserId>, ActionError> {
        let required =
            |permission: &str| Err(ActionError::PermissionRequired(permission.to_owned()));
        // Who acts for no person can only make keys of the organization.
        let owner = actor.user_id();
        let usual = if owner.is_some() { KeyKind::Personal } else { KeyKind::Service };
        match (kind.unwrap_or(usual), owner) {
            (KeyKind::Service, _) if actor.has(KEYS_MANAGE) => Ok(None),
            (KeyKind::Service, _) => required(KEYS_MANAGE),
            (KeyKind::Personal, Some(user)) if actor.has(KEYS_CREATE) => Ok(Some(user)),
            (KeyKind::Personal, Some(_)) => required(KEYS_CREATE),
            (KeyKind::Personal, None) => Err(ActionError::Invalid(vec![Fault::new(
                "/kind",
                "no_owner",
                "nobody would own it: say \"kind\": \"service\"",
            )])),
        }
    }
}

/// Requires that who makes a key holds all that it would be granted.
fn require_no_less(actor: &Actor, record: &KeyRecord) -> Result<(), ActionError> {
    let follows = follows_owner(record) && !actor.is_key();
    if follows { Ok(()) } else { actor.require_all(record.patterns().as_set()) }
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

/// Whether a key is worth what its owner is, at each moment: it says nothing of its own, so whoever
/// makes it for themselves gives it nothing that they don't hold.
fn follows_owner(record: &KeyRecord) -> bool {
    record.owner.is_some() && record.permissions.is_none()
}

/// The patterns of a new list that the old one did not cover.
fn added(old: &Patterns, new: &Patterns) -> Patterns {
    let wanted = new.as_set().texts().filter(|pattern| !old.as_set().covers(pattern));
    let wanted: Vec<_> = wanted.filter_map(|pattern| pattern.parse().ok()).collect();
    Patterns::new(&wanted).unwrap_or_else(|_too_many| new.clone())
}

/// Whether a list leaves a key out by its status unless it is asked for: revoked ones.
fn is_listed_by_default(status: Status) -> bool {
    status != Status::Revoked
}

#[cfg(test)]
mod dismissed;
