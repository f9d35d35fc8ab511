//! What changes of who may do what have in common: their guard, and one-time links.

use keyhouse_storage::Batch;

use crate::actions::access::LINK_LIFETIME;
use crate::actions::actor::Actor;
use crate::actions::{ActionError, Actions, put};
use crate::index::facts::HeldRole;
use crate::model::id::{InvitationId, OrganizationId};
use crate::model::role::Role;
use crate::model::secret::Secret;
use crate::records::Held;
use crate::records::key::{Author, KeyRecord, Status};
use crate::records::people::{InvitationRecord, PeopleRecord};
use crate::records::place::Place;

impl Actions {
    /// Begins a batch that takes rights from somebody, or checks who holds some: of two such at
    /// once one is decided anew. The index has all that was committed before, so what it says of
    /// users may be gone by.
    pub(super) fn guard_people(&self) -> Result<Batch, ActionError> {
        let place = Place::People;
        let held: Option<Held<PeopleRecord>> = self.read(&place)?;
        let (batch, changes) = match &held {
            Some(held) => {
                self.await_index(held.revision);
                let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
                (batch, held.record.changes)
            },
            None => (Batch::new().absent(place.to_bytes()), 0),
        };
        put(batch, &place, &PeopleRecord { changes: changes + 1 })
    }

    /// The role's facts, where the organization has such a role.
    pub(super) fn held_role(
        &self,
        organization: OrganizationId,
        role: Role,
    ) -> Result<HeldRole, ActionError> {
        match role {
            Role::Builtin(role) => Ok(HeldRole::Builtin(role)),
            Role::Custom(id) => {
                let known = self.index.shared_role(id, organization);
                known.map(HeldRole::Custom).ok_or(ActionError::NotFound("role"))
            },
        }
    }

    /// A new invitation with its one-time token, not yet written. The caller has authorised it.
    pub(super) fn new_invitation(
        &self,
        organization: OrganizationId,
        email: String,
        role: Role,
        created_by: Author,
    ) -> (InvitationRecord, Secret) {
        let now = self.clock.now().wall;
        let id = InvitationId::new(now, &mut *self.random());
        let token = Secret::new(format!("{id}.{}", self.new_token().reveal()));
        let record = InvitationRecord {
            id,
            organization,
            email,
            name: None,
            role,
            teams: Vec::new(),
            digest: token.digest(),
            created_by,
            created_at: now,
            ends_at: now.after(LINK_LIFETIME),
        };
        (record, token)
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
                let held: Held<KeyRecord> = self.read(&Place::Key(of, id)).ok()??;
                let is_active = held.record.status(self.clock.now().wall) == Status::Active;
                let digest = held.record.secrets.first().filter(|_secret| is_active)?.digest;
                let grant = self.index.grant(&digest)?;
                let owner_stands =
                    grant.standing.as_ref().is_none_or(|standing| !standing.load().disabled);
                owner_stands.then(|| Actor::key(&grant, None))
            },
        }
    }
}
