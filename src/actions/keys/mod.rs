//! Creates, lists, shows, changes, enables, disables and revokes keys.

use keyhouse_storage::Batch;

use crate::actions::actor::Actor;
use crate::actions::changes::Target;
use crate::actions::{ActionError, Actions};
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::key_text::{self};
use crate::model::moment::Moment;
use crate::model::name;
use crate::model::permission::Patterns;
use crate::model::role::{INSTANCE_VERIFY, KEYS_CREATE, KEYS_MANAGE, KEYS_READ};
use crate::model::secret::Secret;
use crate::records::Revised;
use crate::records::key::{DisabledBy, KeyRecord, SecretRecord};
use crate::records::place::StoreKey;

mod bounds;
mod descendants;
mod draft;
mod holder;
mod import;
mod list;
mod order;
mod purge;
mod query;
mod rotate;
mod search;
mod selection;
mod sharing;
mod standing;
mod transfer;
mod within;

use bounds::{check_lifetime, check_times, refuse_beyond_ceiling, require_access, takes_place};
pub use descendants::{DESCENDANTS_A_REQUEST_MAX, Descendants};
pub use draft::{KeyChange, KeyDraft, KeyKind};
use draft::{apply, new_record};
pub use holder::{HolderRevoked, PresentedKey};
pub use import::{ForeignKey, ForeignPast, ForeignSecret, IMPORT_KEYS_MAX, Import, OwnerName};
pub use list::{COUNTED_MAX, KeyPage, KeyTotal, ListedKeys};
pub use order::{InvalidPosition, InvalidSort, Position, Sort, SortBy};
pub use purge::{ENDED_KEPT, start_purge};
pub use query::{OwnerWanted, Query, TeamWanted, Wanted};
pub use rotate::OVERLAP_MAX;
pub use sharing::TEAMS_A_KEY_MAX;
pub(super) use standing::require_window;
use standing::{KeyRelation, refuse_itself};

/// Actions that a key may apply to keys with more permissions than its own, so that it can stop a
/// leaked key at once.
const STOPS: [AuditAction; 2] = [AuditAction::KEY_REVOKE, AuditAction::KEY_DISABLE];

impl Actions {
    /// Creates a key. Only the response contains the secret of the key.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] if the actor may not create such a key, or does not hold
    /// all that it grants; [`ActionError::SubscriptionRequired`]; [`ActionError::LimitReached`] if
    /// the plan allows no more keys; [`ActionError::Invalid`] for an expiry in the past;
    /// [`ActionError::ProofRequired`].
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
            decided.require_proof()?;
            self.insert(decided, AuditAction::KEY_CREATE, record, batch)
        })?;
        Ok((record, made.secret))
    }

    /// Returns the record of the new key, without its secret, after all checks of the draft.
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

    pub fn key(&self, actor: &Actor, id: KeyId) -> Result<KeyRecord, ActionError> {
        require_window(actor)?;
        let record = self.find_key(actor, id)?.record;
        if self.is_whole_for(actor, &record) {
            Ok(record)
        } else {
            Err(ActionError::PermissionRequired(KEYS_READ.to_owned()))
        }
    }

    /// Returns the record of a key that a check has found, for the explanation of the check.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] if the actor may not see the organization's keys, or if
    /// the key is in another organization; [`ActionError::NotFound`].
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
        let held = self.read::<KeyRecord>(&StoreKey::Key(organization, id))?;
        held.map(|held| held.record).ok_or(ActionError::NotFound("key"))
    }

    /// Changes a key. A key's permissions can be changed by its owner, and by an actor that holds
    /// all of them.
    ///
    /// # Errors
    /// The errors of [`Actions::key`]; [`ActionError::VersionConflict`]; [`ActionError::Conflict`] for a
    /// revoked key.
    pub fn change_key(
        &self,
        actor: &Actor,
        target: &Target<KeyId>,
        change: &KeyChange,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, target, AuditAction::KEY_UPDATE, |today, record, standing, now| {
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
                    KeyRelation::Own if follows_owner(record) => {},
                    KeyRelation::Own => {
                        today.require_all(added(&before, &record.patterns()).as_set())?;
                    },
                    KeyRelation::Manager | KeyRelation::TeamMate => {
                        today.require_all(record.patterns().as_set())?;
                    },
                }
            }
            Ok(())
        })
    }

    /// Revokes a key permanently. Revoking a key again changes nothing.
    ///
    /// # Errors
    /// The errors of [`Actions::key`]; [`ActionError::VersionConflict`].
    pub fn revoke_key(
        &self,
        actor: &Actor,
        target: &Target<KeyId>,
        reason: Option<&str>,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(
            actor,
            target,
            AuditAction::KEY_REVOKE,
            |_today, record, _standing, now| {
                if record.revoked_at.is_none() {
                    record.revoked_at = Some(now);
                    record.revoked_reason = reason.map(str::to_owned);
                }
                Ok(())
            },
        )
    }

    /// Disables a key. If a key manager disabled the key, its owner cannot enable it. If a team
    /// mate disabled the key, its owner can enable it.
    ///
    /// # Errors
    /// The errors of [`Actions::change_key`].
    pub fn disable_key(
        &self,
        actor: &Actor,
        target: &Target<KeyId>,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(
            actor,
            target,
            AuditAction::KEY_DISABLE,
            |today, record, _standing, _now| {
                refuse_revoked(record)?;
                if today.has(KEYS_MANAGE) {
                    record.disabled = Some(DisabledBy::Manager);
                } else {
                    record.disabled.get_or_insert(DisabledBy::Owner);
                }
                Ok(())
            },
        )
    }

    /// Enables a key. If a key manager disabled the key, only a key manager that holds all of its
    /// permissions can enable it.
    ///
    /// # Errors
    /// The errors of [`Actions::change_key`].
    pub fn enable_key(
        &self,
        actor: &Actor,
        target: &Target<KeyId>,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, target, AuditAction::KEY_ENABLE, |today, record, standing, _now| {
            standing.refuse_team_mate()?;
            refuse_revoked(record)?;
            if record.disabled == Some(DisabledBy::Manager) && !today.has(KEYS_MANAGE) {
                return Err(ActionError::PermissionRequired(KEYS_MANAGE.to_owned()));
            }
            refuse_itself(today, record)?;
            if standing == KeyRelation::Manager {
                today.require_all(record.patterns().as_set())?;
            }
            record.disabled = None;
            Ok(())
        })
    }

    /// Reads, changes and writes a key under a guard. If the change has no effect, nothing is
    /// written.
    fn rewrite_key(
        &self,
        actor: &Actor,
        target: &Target<KeyId>,
        action: AuditAction,
        change: impl Fn(&Actor, &mut KeyRecord, KeyRelation, Moment) -> Result<(), ActionError>,
    ) -> Result<KeyRecord, ActionError> {
        Self::until_done(|| {
            let decided = self.authorize(actor)?;
            let now = decided.now;
            let held = self.find_key(&decided.actor, target.id)?;
            let standing = self.standing(&decided.actor, &held.record)?;
            let mut record = target.current(&held)?;
            change(&decided.actor, &mut record, standing, now)?;
            if record != held.record && !STOPS.contains(&action) {
                decided.require_over(&held.record)?;
                decided.require_over(&record)?;
            }
            let mut batch = Batch::new();
            if takes_place(&record, now) && !takes_place(&held.record, now) {
                batch = self.within_limits(batch, record.organization, &[record.owner])?;
            }
            self.update(decided, action, (&held, record), batch)
        })
    }

    /// Checks the start and expiry times that a change sets.
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
        // The organization of the key may differ from that of the operator on the host.
        let organization = self.index.organization(record.organization);
        let organization = organization.ok_or(ActionError::NotFound("organization"))?;
        check_lifetime(&organization, record.created_at, record.expires_at)
    }

    /// Returns a key of the actor's organization that the actor may see. The operator on the host
    /// finds keys of any organization.
    pub(super) fn find_key(
        &self,
        actor: &Actor,
        id: KeyId,
    ) -> Result<Revised<KeyRecord>, ActionError> {
        let organizations = if actor.is_local() {
            self.index.organization_ids()
        } else {
            vec![actor.organization_id()]
        };
        for organization in organizations {
            let held: Option<Revised<KeyRecord>> = self.read(&StoreKey::Key(organization, id))?;
            if let Some(held) = held.filter(|held| !self.is_concealed_from(actor, &held.record)) {
                return Ok(held);
            }
        }
        Err(ActionError::NotFound("key"))
    }

    fn owner_of_new(actor: &Actor, kind: Option<KeyKind>) -> Result<Option<UserId>, ActionError> {
        let required =
            |permission: &str| Err(ActionError::PermissionRequired(permission.to_owned()));
        // An actor that acts for no user can only create service keys.
        let owner = actor.user_id();
        let usual = if owner.is_some() { KeyKind::Personal } else { KeyKind::Service };
        match (kind.unwrap_or(usual), owner) {
            (KeyKind::Service, _) if actor.has(KEYS_MANAGE) => Ok(None),
            (KeyKind::Service, _) => required(KEYS_MANAGE),
            (KeyKind::Personal, Some(user)) if actor.has(KEYS_CREATE) => Ok(Some(user)),
            (KeyKind::Personal, Some(_)) => required(KEYS_CREATE),
            (KeyKind::Personal, None) => Err(ActionError::Invalid(vec![Fault::new(
                "/kind",
                FaultCode::NO_OWNER,
                "a key without an owner is a service key: send \"kind\": \"service\"",
            )])),
        }
    }
}

/// Requires that the actor holds all that a new key grants.
fn require_no_less(actor: &Actor, record: &KeyRecord) -> Result<(), ActionError> {
    let follows = follows_owner(record) && !actor.is_key();
    if follows { Ok(()) } else { actor.require_all(record.patterns().as_set()) }
}

fn refuse_revoked(record: &KeyRecord) -> Result<(), ActionError> {
    if record.revoked_at.is_some() {
        return Err(ActionError::Conflict {
            error: errors::KEY_REVOKED,
            detail: "the key is revoked and cannot be restored: create another key",
        });
    }
    Ok(())
}

/// Whether a key grants what its owner holds, because it has no list. A user who creates such a key
/// for themselves grants nothing beyond their own permissions.
fn follows_owner(record: &KeyRecord) -> bool {
    record.owner.is_some() && record.permissions.is_none()
}

/// Returns the patterns of a new list that the old list did not cover.
fn added(old: &Patterns, new: &Patterns) -> Patterns {
    let wanted = new.as_set().texts().filter(|pattern| !old.as_set().covers(pattern));
    let wanted: Vec<_> = wanted.filter_map(|pattern| pattern.parse().ok()).collect();
    Patterns::new(&wanted).unwrap_or_else(|_too_many| new.clone())
}

#[cfg(test)]
mod listed_keys;
#[cfg(test)]
mod removed_rights;
