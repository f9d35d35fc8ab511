//! Removal of users: first a tombstone, then their keys, in steps that can be resumed.
//!
//! The tombstone rejects all keys of the user at once. Each step is atomic, and repeating it has no
//! effect. The tombstone contains the permissions of the role and the organization's maximum. A
//! start of the server resumes an unfinished removal.

use keyhouse_storage::Batch;
use serde_json::json;

use crate::actions::accounts::users::shape;
use crate::actions::actor::Actor;
use crate::actions::changes::Target;
use crate::actions::events::AuditEntry;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::{OrganizationId, UserId};
use crate::model::permission::Patterns;
use crate::model::role::{KEYS_MANAGE, USERS_MANAGE};
use crate::records::Revised;
use crate::records::access::UserRecord;
use crate::records::people::{KeyDisposition, RemovalRecord};
use crate::records::place::StoreKey;

impl Actions {
    /// Removes a user, and revokes or transfers the user's keys. A repeated call resumes an
    /// unfinished removal.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] if the user holds a permission that the actor does not
    /// hold, or if keys are transferred by an actor who does not manage keys;
    /// [`ActionError::Invalid`] for a new owner who cannot have keys; [`ActionError::Conflict`] for
    /// the last owner or operator, and for an unfinished removal with another choice for the keys.
    pub fn remove_user(
        &self,
        actor: &Actor,
        target: &Target<UserId>,
        disposition: KeyDisposition,
    ) -> Result<(), ActionError> {
        self.in_turn(|| {
            let decided = self.authorize_people(actor, USERS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            if self.is_leaving(today, target.id, disposition)? {
                return Ok(Attempt::Done(()));
            }
            if disposition != KeyDisposition::Revoke {
                decided.require_lasting()?;
            }
            let held = self.find_user(today, target.id)?;
            target.current(&held)?;
            // An actor who holds everything that the user holds also holds everything that the
            // user's keys grant.
            self.require_over(today, &held.record)?;
            self.keep_the_last(&held.record, None)?;
            self.require_new_owner(today, &held.record, disposition)?;
            let batch = self.write_tombstone(
                batch,
                &held,
                &self.removal(actor, &held.record, disposition)?,
            )?;
            let audit_entry = AuditEntry::by(&decided, AuditAction::USER_REMOVE, target.id)
                .inside(held.record.organization)
                .with_change(&shape(&held.record), &json!({ "email": null, "role": null }));
            self.commit_change(decided, batch, audit_entry, ())
        })?;
        self.finish_removal(target.id)
    }

    /// Resumes all removals that were interrupted.
    pub fn resume_removals(&self) -> Result<(), ActionError> {
        let removals: Vec<RemovalRecord> = self.read_all(StoreKey::REMOVALS)?;
        removals.into_iter().try_for_each(|user_removed| self.finish_removal(user_removed.user))
    }

    fn finish_removal(&self, user: UserId) -> Result<(), ActionError> {
        let place = StoreKey::Removal(user);
        let Some(held) = self.read::<RemovalRecord>(&place)? else { return Ok(()) };
        self.hand_keys_on(&held.record)?;
        let done = Batch::new().unchanged(place.to_bytes(), held.revision);
        // If the guard does not hold, another process finished the removal.
        self.commit_upkeep(done.delete(place.to_bytes()))?;
        Ok(())
    }

    /// Whether there is an unfinished removal of the user. Fails if it has another choice for the
    /// keys.
    fn is_leaving(
        &self,
        actor: &Actor,
        user: UserId,
        disposition: KeyDisposition,
    ) -> Result<bool, ActionError> {
        let held: Option<Revised<RemovalRecord>> = self.read(&StoreKey::Removal(user))?;
        let reached = |of: OrganizationId| actor.is_local() || of == actor.organization_id();
        match held.filter(|held| reached(held.record.organization)) {
            None => Ok(false),
            Some(held) if held.record.disposition == disposition => Ok(true),
            Some(_) => Err(ActionError::Conflict {
                error: errors::REMOVAL_UNDER_WAY,
                detail: "the user is already being removed with another choice for their keys: \
                    repeat the first choice",
            }),
        }
    }

    fn require_new_owner(
        &self,
        actor: &Actor,
        user_removed: &UserRecord,
        disposition: KeyDisposition,
    ) -> Result<(), ActionError> {
        match disposition {
            KeyDisposition::Revoke => return Ok(()),
            KeyDisposition::Organization => {},
            KeyDisposition::User(id) => {
                let held: Option<Revised<UserRecord>> = self.read(&StoreKey::User(id))?;
                let fits = held.is_some_and(|held| {
                    let user = held.record;
                    user.organization == user_removed.organization
                        && !user.disabled
                        && user.id != user_removed.id
                });
                if !fits {
                    let detail = "must be another enabled user of the organization";
                    return Err(ActionError::Invalid(vec![Fault::new(
                        "?to",
                        FaultCode::UNKNOWN_USER,
                        detail,
                    )]));
                }
            },
        }
        actor.require(KEYS_MANAGE)
    }

    /// The tombstone of a user with the user's current rights.
    fn removal(
        &self,
        actor: &Actor,
        user_removed: &UserRecord,
        disposition: KeyDisposition,
    ) -> Result<RemovalRecord, ActionError> {
        let organization = self.index.organization(user_removed.organization);
        let organization = organization.ok_or(ActionError::NotFound("organization"))?;
        let role = self.facts_of(user_removed)?.role;
        let holds: Patterns = role.patterns(organization.members_create_keys);
        Ok(RemovalRecord {
            user: user_removed.id,
            organization: user_removed.organization,
            removed_by: actor.author(),
            disposition,
            holds,
            operator: user_removed.operator,
            ceiling: organization.ceiling.as_set().into(),
        })
    }

    /// Adds the deletion of a user to a batch: deletes the address, second factor and reset, ends
    /// the sessions, and writes the tombstone.
    fn write_tombstone(
        &self,
        batch: Batch,
        held: &Revised<UserRecord>,
        removal: &RemovalRecord,
    ) -> Result<Batch, ActionError> {
        let id = held.record.id;
        let user = StoreKey::User(id).to_bytes();
        let batch = batch.unchanged(user.clone(), held.revision).delete(user);
        let email = StoreKey::Email(held.record.email.clone(), held.record.organization);
        let gone = [email, StoreKey::Totp(id), StoreKey::Reset(id)];
        let batch = gone.iter().fold(batch, |batch, place| batch.delete(place.to_bytes()));
        let batch = self.end_sessions(batch, id)?;
        put(batch, &StoreKey::Removal(id), removal)
    }
}
