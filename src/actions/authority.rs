//! Authority: the actor's current rights decide about every change, and the change is committed
//! only if these rights are unchanged.
//!
//! [`Actions::authorize`] returns an [`Authorized`]: the actor with the current rights, and guards
//! on every record from which these rights were read. [`Actions::commit_change`] consumes the
//! [`Authorized`], and is the only function that records an event by an actor.
//! [`Actions::commit_upkeep`] commits changes that no signed-in actor makes.

use keyhouse_storage::{Batch, Guard, InvalidBatch, Revision, Write};

use crate::actions::actor::{Actor, ActorCredential};
use crate::actions::events::AuditEntry;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::audit_action::AuditAction;
use crate::model::code::Code;
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::moment::Moment;
use crate::model::role::Role;
use crate::model::secret::Digest;
use crate::records::access::{OrganizationRecord, PlanRecord, SessionRecord, UserRecord};
use crate::records::key::{Author, KeyRecord, Status};
use crate::records::people::PeopleRecord;
use crate::records::place::StoreKey;
use crate::records::rights::RoleRecord;
use crate::records::{Record, Revised};
use crate::verify::{Request, preview};
use serde_json::Map;

/// The right to commit one batch on behalf of an actor.
///
/// [`Actions::authorize`] creates the right for each attempt; [`Actions::commit_change`] consumes
/// it.
#[derive(Debug)]
pub(super) struct Authorized {
    /// The actor with the current rights. Every decision of the attempt uses this actor.
    pub(super) actor: Actor,
    /// The stored record of the key that sent the request, with the expiry of the presented secret
    /// if the secret ends earlier.
    pub(super) key: Option<Box<KeyRecord>>,
    /// The time of the attempt.
    pub(super) now: Moment,
    standing: Batch,
}

#[derive(Debug)]
pub(super) struct Change(Batch);

impl Change {
    /// Whether the change fits in one batch.
    pub(super) fn fits(&self) -> bool {
        !matches!(
            self.0.validate(),
            Err(InvalidBatch::TooLarge | InvalidBatch::TooManyWrites | InvalidBatch::TooManyGuards)
        )
    }
}

/// The guards on the records from which an actor's rights were read.
#[derive(Default)]
struct Grounds {
    guards: Batch,
    newest: Revision,
}

impl Grounds {
    /// Adds a guard on a row as it was read.
    fn note<T>(&mut self, place: &StoreKey, held: Option<&Revised<T>>) {
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

impl Authorized {
    /// Requires a recent proof in the actor's session; see [`Actor::require_proof`]. This is the last
    /// check of an action, so that no user enters a password for a request that is then rejected.
    pub(super) fn require_proof(&self) -> Result<(), ActionError> {
        self.actor.require_proof(self.now)
    }
}

impl AuditEntry {
    /// A change that an actor makes in the actor's organization.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass ids by value")]
    pub(super) fn by(decided: &Authorized, action: AuditAction, target: impl ToString) -> Self {
        let actor = &decided.actor;
        Self {
            actor: Some(actor.author()),
            address: actor.address,
            organization: Some(actor.organization_id()),
            action,
            target: target.to_string(),
            before: Map::new(),
            after: Map::new(),
        }
    }
}

impl Actions {
    /// Begins a change by an actor.
    ///
    /// Reads and guards the records that give the actor rights. For a session, these are the
    /// session, its user, the user's custom role and the organization; for a key, the key, its
    /// owner with their custom role, the organization and its plan. No record is written, so
    /// changes do not wait for each other, not even those of one actor.
    ///
    /// # Errors
    /// [`ActionError::SessionEnded`] and [`ActionError::KeyRefused`] if the actor may no longer
    /// act; [`ActionError::Busy`] while the index is behind the records that were read.
    pub(super) fn authorize(&self, actor: &Actor) -> Result<Authorized, ActionError> {
        let (mut grounds, mut asking) = (Grounds::default(), None);
        let today = match actor.presented() {
            ActorCredential::Local => {
                let organization = self.index.organization(actor.organization_id());
                Actor::local(organization.ok_or(ActionError::NotFound("organization"))?)
            },
            ActorCredential::Session { user, session } => {
                self.session_today(user, session, &mut grounds)?
            },
            ActorCredential::Key { key, secret } => {
                let organization = actor.organization_id();
                let record = self.note_key(organization, key, &mut grounds)?;
                asking = Some(Box::new(bounded_by(record, secret)));
                self.await_grounds(grounds.newest)?;
                self.key_today(actor, secret)?
            },
        };
        let actor = today.at(actor.address);
        let now = self.clock.now().wall;
        Ok(Authorized { actor, key: asking, now, standing: grounds.guards })
    }

    /// Like [`Actions::authorize`], and requires `permission`.
    pub(super) fn authorize_holder(
        &self,
        actor: &Actor,
        permission: &str,
    ) -> Result<Authorized, ActionError> {
        let decided = self.authorize(actor)?;
        decided.actor.require(permission)?;
        Ok(decided)
    }

    /// Begins a change of users' rights and requires `permission`. Of two such changes at once, one
    /// is decided again.
    pub(super) fn authorize_people(
        &self,
        actor: &Actor,
        permission: &str,
    ) -> Result<Authorized, ActionError> {
        // The guard is taken first, since taking it waits until the index has every earlier change
        // of users' rights.
        let people = self.guard_people()?;
        let mut decided = self.authorize_holder(actor, permission)?;
        decided.standing = joined(decided.standing, people);
        Ok(decided)
    }

    /// Commits a change with its event, waits until the index has the change, and returns `done`.
    /// If another change to the same records, or to the records of the actor's rights, was faster,
    /// the caller decides again.
    pub(super) fn commit_change<T>(
        &self,
        decided: Authorized,
        batch: Batch,
        audit_entry: AuditEntry,
        done: T,
    ) -> Result<Attempt<T>, ActionError> {
        let change = self.complete_change(decided, batch, audit_entry)?;
        let committed = change.map(|change| self.commit_complete(change)).transpose()?.flatten();
        Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(done)))
    }

    /// Builds a change with its event and all guards, for callers that need its size before the
    /// commit. `None` if the records of the actor's rights have changed meanwhile.
    pub(super) fn complete_change(
        &self,
        decided: Authorized,
        batch: Batch,
        audit_entry: AuditEntry,
    ) -> Result<Option<Change>, ActionError> {
        let batch = self.record(batch, decided.now, audit_entry)?;
        let holds = !contradict(&decided.standing, &batch);
        Ok(holds.then(|| Change(joined(batch, decided.standing))))
    }

    /// Commits a change that [`Actions::complete_change`] built.
    pub(super) fn commit_complete(&self, change: Change) -> Result<Option<Revision>, ActionError> {
        self.commit(change.0)
    }

    /// Commits a change that no signed-in actor makes: the first start, a sign-in, a one-time link,
    /// a change by the holder of a secret, or the rest of a change that was authorized earlier.
    pub(super) fn commit_upkeep(&self, batch: Batch) -> Result<Option<Revision>, ActionError> {
        self.commit(batch)
    }

    /// Begins a batch that takes rights from a user or checks which users hold rights. Of two such
    /// batches at once, one is decided again. When this returns, the index has all earlier such
    /// commits. A user in the index may have been removed since.
    pub(super) fn guard_people(&self) -> Result<Batch, ActionError> {
        let place = StoreKey::People;
        let held: Option<Revised<PeopleRecord>> = self.read(&place)?;
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

    /// The author of a record, with the author's current rights; `None` if the author may no longer
    /// act.
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
                    && !held.record.is_bounded();
                let digest = held.record.secrets.first().filter(|_secret| is_active)?.digest;
                let grant = self.index.grant(&digest)?;
                let owner_stands = grant.owner_status().is_none_or(|owner| !owner.disabled);
                owner_stands.then(|| Actor::key(digest, &grant, None))
            },
        }
    }

    /// Adds guards to a batch so that it is committed only if the rights of a link's author are
    /// unchanged. [`Actions::guard_people`] guards against changes of users, but not of keys.
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
        let mut proven = None;
        if let Some(digest) = session {
            let place = StoreKey::Session(digest);
            let held: Option<Revised<SessionRecord>> = self.read(&place)?;
            let now = self.clock.now().wall;
            let held = held.filter(|held| now < held.record.ends_at(self.session_times));
            let held = held.ok_or(ActionError::SessionEnded)?;
            grounds.note(&place, Some(&held));
            proven = Some(held.record);
        }
        let organization = self.note_user(user, grounds)?.ok_or(ActionError::SessionEnded)?;
        self.note_organization(organization, grounds)?;
        self.await_grounds(grounds.newest)?;
        let facts = self.index.user(user).filter(|facts| !facts.standing.disabled);
        let facts = facts.ok_or(ActionError::SessionEnded)?;
        let actor = Actor::user(&self.index, facts, session).ok_or(ActionError::SessionEnded)?;
        Ok(match proven {
            Some(session) => {
                actor.with_second_factor(session.second_factor).with_proof(session.proven_at())
            },
            None => actor,
        })
    }

    /// Guards the records that give a key rights.
    fn note_key(
        &self,
        organization: OrganizationId,
        key: KeyId,
        grounds: &mut Grounds,
    ) -> Result<KeyRecord, ActionError> {
        let held: Option<Revised<KeyRecord>> =
            self.noted(&StoreKey::Key(organization, key), grounds)?;
        let held = held.ok_or(ActionError::KeyRefused(Code::NotFound))?;
        if let Some(owner) = held.record.owner {
            self.note_user(owner, grounds)?;
        }
        let record = self.note_organization(organization, grounds)?;
        if let Some(OrganizationRecord { plan, .. }) = record {
            self.noted::<PlanRecord>(&StoreKey::Plan(plan), grounds)?;
        }
        Ok(held.record)
    }

    /// The key of a secret as an actor. The decision is that of a check without limits, since the
    /// request was already counted.
    fn key_today(&self, actor: &Actor, secret: Digest) -> Result<Actor, ActionError> {
        let gone = ActionError::KeyRefused(Code::NotFound);
        let grant = self.index.grant(&secret).ok_or(gone)?;
        let request = Request { ip: actor.address, ..Request::default() };
        match preview(&grant, &request, self.clock.now()).code {
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

    /// Guards a user and the user's custom role. Returns the user's organization.
    fn note_user(
        &self,
        user: UserId,
        grounds: &mut Grounds,
    ) -> Result<Option<OrganizationId>, ActionError> {
        let held: Option<Revised<UserRecord>> = self.noted(&StoreKey::User(user), grounds)?;
        let Some(Revised { record, .. }) = held else { return Ok(None) };
        if let Role::Custom(role) = record.role {
            self.noted::<RoleRecord>(&StoreKey::Role(record.organization, role), grounds)?;
        }
        Ok(Some(record.organization))
    }

    fn note_organization(
        &self,
        organization: OrganizationId,
        grounds: &mut Grounds,
    ) -> Result<Option<OrganizationRecord>, ActionError> {
        Ok(self.noted(&StoreKey::Organization(organization), grounds)?.map(|held| held.record))
    }

    fn noted<T: Record>(
        &self,
        place: &StoreKey,
        grounds: &mut Grounds,
    ) -> Result<Option<Revised<T>>, ActionError> {
        let held = self.read(place)?;
        grounds.note(place, held.as_ref());
        Ok(held)
    }

    /// Waits until the index has the revision from which the actor's rights were read.
    fn await_grounds(&self, revision: Revision) -> Result<(), ActionError> {
        self.await_index(revision);
        if self.index.revision() < revision {
            // The index may lack this revision, so no decision may use it.
            return Err(ActionError::Busy);
        }
        Ok(())
    }
}

/// A key's record that expires no later than the presented secret.
fn bounded_by(record: KeyRecord, secret: Digest) -> KeyRecord {
    let presented = record.secrets.iter().find(|known| known.digest == secret);
    let ends = [record.expires_at, presented.and_then(|known| known.ends_at)];
    KeyRecord { expires_at: ends.into_iter().flatten().min(), ..record }
}

/// Appends another batch's guards and writes to a batch. A guard that is in both is kept once.
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

/// Whether two batches guard one row at two revisions. The row changed between the two reads, so
/// both guards cannot hold.
fn contradict(one: &Batch, other: &Batch) -> bool {
    one.guards().iter().any(|guard| {
        other.guards().iter().any(|known| known.key() == guard.key() && known != guard)
    })
}
