//! Removal of users: first a tombstone, then their keys, in steps that can be resumed.
//!
//! The tombstone rejects all keys of the user at once. Each step is atomic, and repeating it has no
//! effect. The tombstone holds the permissions of the role and the organization's maximum. A start
//! of the server resumes an unfinished removal.

use std::ops::ControlFlow;

use keyhouse_storage::{Batch, Range};
use serde_json::json;

use crate::actions::actor::Actor;
use crate::actions::events::Happening;
use crate::actions::users::{UserTarget, shape};
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::fault::Fault;
use crate::model::id::{OrganizationId, UserId};
use crate::model::permission::Patterns;
use crate::model::role::{KEYS_MANAGE, USERS_MANAGE};
use crate::records::Held;
use crate::records::access::UserRecord;
use crate::records::people::{Heir, LeavingRecord};
use crate::records::place::Place;

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
        target: &UserTarget,
        heir: Heir,
    ) -> Result<(), ActionError> {
        self.in_turn(|| {
            let decided = self.authorize_people(actor, USERS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            if self.is_leaving(today, target.id, heir)? {
                return Ok(Attempt::Done(()));
            }
            if heir != Heir::Nobody {
                decided.require_lasting()?;
            }
            let held = self.find_user(today, target.id)?;
            Self::check_version(target.versions.as_ref(), held.record.version)?;
            // An actor who outranks the user holds everything that the user's keys grant.
            self.require_over(today, &held.record)?;
            self.keep_the_last(&held.record, None)?;
            self.require_heir(today, &held.record, heir)?;
            let batch = self.entomb(batch, &held, &self.leaving(actor, &held.record, heir)?)?;
            let happening = Happening::by(&decided, "user.remove", target.id)
                .inside(held.record.organization)
                .with_change(&shape(&held.record), &json!({ "email": null, "role": null }));
            let committed = self.commit_change(decided, batch, self.clock.now().wall, happening)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(())))
        })?;
        self.finish_removal(target.id)
    }

    /// Resumes unfinished removals. Their keys are rejected meanwhile.
    pub fn resume_removals(&self) -> Result<(), ActionError> {
        let mut leavers = Vec::new();
        self.each_record(&Range::prefix(Place::LEAVERS), |held: Held<LeavingRecord>| {
            leavers.push(held.record.user);
            ControlFlow::Continue(())
        })?;
        leavers.into_iter().try_for_each(|user| self.finish_removal(user))
    }

    fn finish_removal(&self, user: UserId) -> Result<(), ActionError> {
        let place = Place::Leaving(user);
        let Some(held) = self.read::<LeavingRecord>(&place)? else { return Ok(()) };
        self.hand_keys_on(&held.record)?;
        let done = Batch::new().unchanged(place.to_bytes(), held.revision);
        // If the guard does not hold, another process finished the removal.
        self.commit_upkeep(done.delete(place.to_bytes()))?;
        Ok(())
    }

    /// Whether an unfinished removal of a user has the same choice for the keys.
    fn is_leaving(&self, actor: &Actor, user: UserId, heir: Heir) -> Result<bool, ActionError> {
        let held: Option<Held<LeavingRecord>> = self.read(&Place::Leaving(user))?;
        let reached = |of: OrganizationId| actor.is_local() || of == actor.organization_id();
        match held.filter(|held| reached(held.record.organization)) {
            None => Ok(false),
            Some(held) if held.record.heir == heir => Ok(true),
            Some(_) => Err(ActionError::Conflict {
                code: "removal_under_way",
                detail: "the user is already being removed with another choice for their keys: \
                    repeat the first choice",
            }),
        }
    }

    fn require_heir(
        &self,
        actor: &Actor,
        leaver: &UserRecord,
        heir: Heir,
    ) -> Result<(), ActionError> {
        match heir {
            Heir::Nobody => return Ok(()),
            Heir::Organization => {},
            Heir::User(id) => {
                let held: Option<Held<UserRecord>> = self.read(&Place::User(id))?;
                let fits = held.is_some_and(|held| {
                    let user = held.record;
                    user.organization == leaver.organization
                        && !user.disabled
                        && user.id != leaver.id
                });
                if !fits {
                    let detail = "must be another enabled user of the organization";
                    return Err(ActionError::Invalid(vec![Fault::new(
                        "?to",
                        "unknown_user",
                        detail,
                    )]));
                }
            },
        }
        actor.require(KEYS_MANAGE)
    }

    /// The tombstone of a user with the user's current rights.
    fn leaving(
        &self,
        actor: &Actor,
        leaver: &UserRecord,
        heir: Heir,
    ) -> Result<LeavingRecord, ActionError> {
        let organization = self.index.organization(leaver.organization);
        let organization = organization.ok_or(ActionError::NotFound("organization"))?;
        let role = self.facts_of(leaver)?.role;
        let holds: Patterns = role.patterns(organization.members_create_keys);
        Ok(LeavingRecord {
            user: leaver.id,
            organization: leaver.organization,
            removed_by: actor.author(),
            heir,
            holds,
            operator: leaver.operator,
            ceiling: organization.ceiling.as_set().into(),
        })
    }

    /// Adds the deletion of a user to a batch: deletes the address, second factor and reset, ends
    /// the sessions, and writes the tombstone.
    fn entomb(
        &self,
        batch: Batch,
        held: &Held<UserRecord>,
        leaving: &LeavingRecord,
    ) -> Result<Batch, ActionError> {
        let id = held.record.id;
        let user = Place::User(id).to_bytes();
        let batch = batch.unchanged(user.clone(), held.revision).delete(user);
        let email = Place::Email(held.record.email.clone(), held.record.organization);
        let gone = [email, Place::Totp(id), Place::Reset(id)];
        let batch = gone.iter().fold(batch, |batch, place| batch.delete(place.to_bytes()));
        let batch = self.end_sessions(batch, id)?;
        put(batch, &Place::Leaving(id), leaving)
    }
}
