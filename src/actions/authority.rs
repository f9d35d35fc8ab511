//! Authority: every change by an actor is decided by what the actor holds at this moment, and is
//! committed only if that still holds.
//!
//! [`Actions::authorize`] returns an [`Authorized`]: the actor as of now, and guards on every record
//! that this was read from. [`Actions::commit_change`] consumes it, and it alone records an event by
//! an actor. What commits without it ([`Actions::commit_upkeep`]) acts for nobody who is signed in.

use keyhouse_storage::{Batch, Guard, InvalidBatch, Revision, Write};

use crate::actions::actor::{Actor, Presented};
use crate::actions::events::Happening;
use crate::actions::keys::is_bounded;
use crate::actions::{ActionError, Actions, put};
use crate::model::code::Code;
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::moment::Moment;
use crate::model::role::Role;
use crate::model::secret::Digest;
use crate::records::access::{OrganizationRecord, PlanRecord, SessionRecord, UserRecord};
use crate::records::key::{Author, KeyRecord, Status};
use crate::records::people::PeopleRecord;
use crate::records::place::Place;
use crate::records::rights::RoleRecord;
use crate::records::{Held, Record};
use crate::verify::{Request, foretell};

/// The right to commit one batch on an actor's behalf.
///
/// Made by [`Actions::authorize`] once an attempt; consumed by [`Actions::commit_change`].
#[derive(Debug)]
pub(super) struct Authorized {
    /// The actor as of now. Every decision of the attempt uses this one.
    pub(super) actor: Actor,
    /// The key that asks, as it is stored; its end is that of the secret presented, where that is
    /// sooner.
    pub(super) key: Option<Box<KeyRecord>>,
    standing: Batch,
}

/// A change by an actor, ready to be committed.
#[derive(Debug)]
pub(super) struct Change(Batch);

impl Change {
    /// Whether it is small enough for one batch.
    pub(super) fn fits(&self) -> bool {
        !matches!(
            self.0.validate(),
            Err(InvalidBatch::TooLarge | InvalidBatch::TooManyWrites | InvalidBatch::TooManyGuards)
        )
    }
}

/// The guards on the records that an actor's rights come from.
#[derive(Default)]
struct Grounds {
    guards: Batch,
    newest: Revision,
}

impl Grounds {
    /// Guards a row as it was read.
    fn note<T>(&mut self, place: &Place, held: Option<&Held<T>>) {
        let guards = std::mem::take(&mut self.guards);
        self.guards = match held {
            Some(held) => {
                self.newest = self.newest.max(held.revision);
                guards.unchanged(place.to_bytes(), held.revision)
            },
            None => guards.absent(place.to_bytes()),
        };
    }
}

impl Actions {
    /// Begins a change by an actor.
    ///
    /// Reads and guards the records that the actor's rights come from: of a session the session, its
    /// user, the user's custom role and the organization; of a key the key, its owner with their
    /// custom role, the organization and its plan. No record is written, so changes of different
    /// actors, and of one actor, do not wait for each other.
    ///
    /// # Errors
    /// [`ActionError::SessionEnded`] and [`ActionError::KeyRefused`] for an actor who may no longer
    /// act; [`ActionError::Busy`] while the index is behind the records that were read.
    pub(super) fn authorize(&self, actor: &Actor) -> Result<Authorized, ActionError> {
        let (mut grounds, mut asking) = (Grounds::default(), None);
        let today = match actor.presented() {
            Presented::Local => {
                let organization = self.index.organization(actor.organization_id());
                Actor::local(organization.ok_or(ActionError::NotFound("organization"))?)
            },
            Presented::Session { user, session } => {
                self.session_today(user, session, &mut grounds)?
            },
            Presented::Key { key, secret } => {
                let organization = actor.organization_id();
                let record = self.note_key(organization, key, &mut grounds)?;
                asking = Some(Box::new(bounded_by(record, secret)));
                self.await_grounds(grounds.newest)?;
                self.key_today(actor, secret)?
            },
        };
        let actor = today.at(actor.address);
        Ok(Authorized { actor, key: asking, standing: grounds.guards })
    }

    /// The same for an actor who holds `permission`.
    ///
    /// # Errors
    /// Those of [`Actions::authorize`]; [`ActionError::PermissionRequired`].
    pub(super) fn authorize_holder(
        &self,
        actor: &Actor,
        permission: &str,
    ) -> Result<Authorized, ActionError> {
        let decided = self.authorize(actor)?;
        decided.actor.require(permission)?;
        Ok(decided)
    }

    /// Begins a change of who may do what, by an actor who holds `permission`. Of two such changes
    /// at once one is decided again.
    ///
    /// # Errors
    /// Those of [`Actions::authorize`]; [`ActionError::PermissionRequired`].
    pub(super) fn authorize_people(
        &self,
        actor: &Actor,
        permission: &str,
    ) -> Result<Authorized, ActionError> {
        // First: after it the index has every earlier change of people.
        let people = self.guard_people()?;
        let mut decided = self.authorize_holder(actor, permission)?;
        decided.standing = joined(decided.standing, people);
        Ok(decided)
    }

    /// Commits a change with its event, and waits until the index has it. `None`: another change was
    /// faster, of what is changed or of what the actor's rights come from; decide again.
    pub(super) fn commit_change(
        &self,
        decided: Authorized,
        batch: Batch,
        now: Moment,
        happening: Happening,
    ) -> Result<Option<Revision>, ActionError> {
        let change = self.complete_change(decided, batch, now, happening)?;
        change.map_or(Ok(None), |change| self.commit_complete(change))
    }

    /// A change with its event and all its guards, for what must know its size first. `None` as for
    /// [`Actions::commit_change`].
    pub(super) fn complete_change(
        &self,
        decided: Authorized,
        batch: Batch,
        now: Moment,
        happening: Happening,
    ) -> Result<Option<Change>, ActionError> {
        let batch = self.record(batch, now, happening)?;
        let holds = !contradict(&decided.standing, &batch);
        Ok(holds.then(|| Change(joined(batch, decided.standing))))
    }

    /// Commits a complete change, as [`Actions::commit_change`] does.
    pub(super) fn commit_complete(&self, change: Change) -> Result<Option<Revision>, ActionError> {
        self.commit(change.0)
    }

    /// Commits what acts for nobody who is signed in: the first start, sign-in, one-time links,
    /// the holder of a secret, and what finishes a change that was authorized earlier.
    pub(super) fn commit_upkeep(&self, batch: Batch) -> Result<Option<Revision>, ActionError> {
        self.commit(batch)
    }

    /// Begins a batch that takes rights from somebody, or checks who holds some: of two such at
    /// once one is decided anew. The index has all that was committed before, so what it says of
    /// users may be gone by.
    pub(super) fn guard_people(&self) -> Result<Batch, ActionError> {
        let place = Place::People;
        let held: Option<Held<PeopleRecord>> = self.read(&place)?;
        let (batch, changes) = match &held {
            Some(held) => {
                self.await_grounds(held.revision)?;
                let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
                (batch, held.record.changes)
            },
            None => (Batch::new().absent(place.to_bytes()), 0),
        };
        put(batch, &place, &PeopleRecord { changes: changes + 1 })
    }

    /// Who made something, as they stand today; `None` once they may no longer act at all.
    pub(super) fn author_today(&self, author: Author, of: OrganizationId) -> Option<Actor> {
        match author {
            Author::Local => self.index.organization(of).map(Actor::local),
            Author::User(id) => {
                let user = self.index.user(id).filter(|user| !user.standing.disabled)?;
                Actor::user(&self.index, user, None)
            },
            Author::Key(id) => {
                let held = self.key_anywhere(id, of).ok()??;
                let is_active = held.record.status(self.clock.now().wall) == Status::Active
                    && !is_bounded(&held.record);
                let digest = held.record.secrets.first().filter(|_secret| is_active)?.digest;
                let grant = self.index.grant(&digest)?;
                let owner_stands =
                    grant.standing.as_ref().is_none_or(|standing| !standing.load().disabled);
                owner_stands.then(|| Actor::key(digest, &grant, None))
            },
        }
    }

    /// Adds to a batch that the author of a link is still who they were when it was decided. A
    /// user's changes are guarded by [`Actions::guard_people`], a key's are not.
    pub(super) fn guard_author(
        &self,
        batch: Batch,
        author: Author,
        of: OrganizationId,
    ) -> Result<Batch, ActionError> {
        let Author::Key(id) = author else { return Ok(batch) };
        let held = self.key_anywhere(id, of)?.ok_or(ActionError::NotFound("key"))?;
        self.await_index(held.revision);
        Ok(batch.unchanged(held.record.place().to_bytes(), held.revision))
    }

    fn session_today(
        &self,
        user: UserId,
        session: Option<Digest>,
        grounds: &mut Grounds,
    ) -> Result<Actor, ActionError> {
        let mut second_factor = false;
        if let Some(digest) = session {
            let place = Place::Session(digest);
            let held: Option<Held<SessionRecord>> = self.read(&place)?;
            let now = self.clock.now().wall;
            let held = held.filter(|held| now < held.record.ends_at(self.session_times));
            let held = held.ok_or(ActionError::SessionEnded)?;
            grounds.note(&place, Some(&held));
            second_factor = held.record.second_factor;
        }
        let organization = self.note_user(user, grounds)?.ok_or(ActionError::SessionEnded)?;
        self.note_organization(organization, grounds)?;
        self.await_grounds(grounds.newest)?;
        let facts = self.index.user(user).filter(|facts| !facts.standing.disabled);
        let facts = facts.ok_or(ActionError::SessionEnded)?;
        let actor = Actor::user(&self.index, facts, session).ok_or(ActionError::SessionEnded)?;
        Ok(actor.with_second_factor(second_factor))
    }

    /// Guards what a key's rights come from.
    fn note_key(
        &self,
        organization: OrganizationId,
        key: KeyId,
        grounds: &mut Grounds,
    ) -> Result<KeyRecord, ActionError> {
        let held: Option<Held<KeyRecord>> = self.noted(&Place::Key(organization, key), grounds)?;
        let held = held.ok_or(ActionError::KeyRefused(Code::NotFound))?;
        if let Some(owner) = held.record.owner {
            self.note_user(owner, grounds)?;
        }
        let record = self.note_organization(organization, grounds)?;
        if let Some(OrganizationRecord { plan, .. }) = record {
            self.noted::<PlanRecord>(&Place::Plan(plan), grounds)?;
        }
        Ok(held.record)
    }

    /// The key that a secret belongs to, decided like any other check but for its limits: the
    /// request has drawn on them already.
    fn key_today(&self, actor: &Actor, secret: Digest) -> Result<Actor, ActionError> {
        let gone = ActionError::KeyRefused(Code::NotFound);
        let grant = self.index.grant(&secret).ok_or(gone)?;
        let request = Request { ip: actor.address, ..Request::default() };
        match foretell(&grant, &request, self.clock.now()).code {
            Code::Valid | Code::RateLimited | Code::QuotaExceeded => {
                Ok(Actor::key(secret, &grant, None))
            },
            code @ (Code::Malformed
            | Code::NotFound
            | Code::Revoked
            | Code::Disabled
            | Code::NotYetValid
            | Code::Expired
            | Code::OwnerDisabled
            | Code::OrganizationSuspended
            | Code::SubscriptionRequired
            | Code::NotAcceptedHere
            | Code::IpNotAllowed
            | Code::InsufficientPermissions) => Err(ActionError::KeyRefused(code)),
        }
    }

    /// Guards a user with the custom role that they have. Returns their organization.
    fn note_user(
        &self,
        user: UserId,
        grounds: &mut Grounds,
    ) -> Result<Option<OrganizationId>, ActionError> {
        let held: Option<Held<UserRecord>> = self.noted(&Place::User(user), grounds)?;
        let Some(Held { record, .. }) = held else { return Ok(None) };
        if let Role::Custom(role) = record.role {
            self.noted::<RoleRecord>(&Place::Role(record.organization, role), grounds)?;
        }
        Ok(Some(record.organization))
    }

    fn note_organization(
        &self,
        organization: OrganizationId,
        grounds: &mut Grounds,
    ) -> Result<Option<OrganizationRecord>, ActionError> {
        Ok(self.noted(&Place::Organization(organization), grounds)?.map(|held| held.record))
    }

    fn noted<T: Record>(
        &self,
        place: &Place,
        grounds: &mut Grounds,
    ) -> Result<Option<Held<T>>, ActionError> {
        let held = self.read(place)?;
        grounds.note(place, held.as_ref());
        Ok(held)
    }

    /// Waits until the index has a revision that the actor's rights come from.
    fn await_grounds(&self, revision: Revision) -> Result<(), ActionError> {
        self.await_index(revision);
        if self.index.revision() < revision {
            // What the index has may be out of date: nothing is decided by it.
            return Err(ActionError::Busy);
        }
        Ok(())
    }
}

/// A key's record with the end of the secret that was presented.
fn bounded_by(record: KeyRecord, secret: Digest) -> KeyRecord {
    let presented = record.secrets.iter().find(|known| known.digest == secret);
    let ends = [record.expires_at, presented.and_then(|known| known.ends_at)];
    KeyRecord { expires_at: ends.into_iter().flatten().min(), ..record }
}

/// A batch with another's guards and writes after its own. A guard that both have stands once.
fn joined(batch: Batch, other: Batch) -> Batch {
    let missing: Vec<Guard> =
        other.guards().iter().filter(|guard| !batch.guards().contains(guard)).cloned().collect();
    let batch = missing.into_iter().fold(batch, |batch, guard| match guard {
        Guard::Absent { key } => batch.absent(key),
        Guard::Unchanged { key, revision } => batch.unchanged(key, revision),
    });
    other.into_writes().into_iter().fold(batch, |batch, write| match write {
        Write::Put { key, value } => batch.put(key, value),
        Write::Delete { key } => batch.delete(key),
    })
}

/// Whether two batches guard one row in two states: it was changed between their reads, so they
/// can't both hold.
fn contradict(one: &Batch, other: &Batch) -> bool {
    one.guards().iter().any(|guard| {
        other.guards().iter().any(|known| known.key() == guard.key() && known != guard)
    })
}
