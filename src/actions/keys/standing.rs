//! The relation of an actor to a key: owner, manager, team mate, or none.
//!
//! Every action finds a key through `find_key`, which applies `is_concealed_from`. A missing
//! permission is reported before the lookup.

use crate::actions::actor::Actor;
use crate::actions::{ActionError, Actions};
use crate::model::errors;
use crate::model::id::{TeamId, UserId};
use crate::model::role::{KEYS_CREATE, KEYS_MANAGE, KEYS_READ};
use crate::records::key::{Author, KeyRecord, TeamAccess};

/// Relation that allows an actor to change a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyRelation {
    /// The actor owns the key.
    Own,
    /// The actor manages the organization's keys.
    Manager,
    /// The key is shared for writing with one of the actor's teams. The actor may only rename,
    /// disable and revoke the key.
    TeamMate,
}

impl KeyRelation {
    /// Rejects team mates, for an action that team mates may not do.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`].
    pub(super) fn refuse_team_mate(self) -> Result<(), ActionError> {
        match self {
            Self::Own | Self::Manager => Ok(()),
            Self::TeamMate => Err(ActionError::PermissionRequired(KEYS_MANAGE.to_owned())),
        }
    }
}

impl Actions {
    /// Returns the relation of an actor to a key that the actor may change.
    ///
    /// A key does not act as its owner: it changes the permissions of the owner's other keys only
    /// if it manages keys and holds all of these permissions.
    pub(super) fn standing(
        &self,
        actor: &Actor,
        record: &KeyRecord,
    ) -> Result<KeyRelation, ActionError> {
        let own = is_own(actor, record.owner);
        if own && !actor.is_key() {
            Ok(KeyRelation::Own)
        } else if own || actor.has(KEYS_MANAGE) {
            Ok(KeyRelation::Manager)
        } else if self.access_by_team(actor, record) == Some(TeamAccess::Write) {
            Ok(KeyRelation::TeamMate)
        } else {
            Err(ActionError::PermissionRequired(KEYS_MANAGE.to_owned()))
        }
    }

    /// Whether the actor sees the whole key. An actor that does not see the whole key sees at most
    /// that the key exists.
    pub(in crate::actions) fn is_whole_for(&self, actor: &Actor, record: &KeyRecord) -> bool {
        sees_every_key(actor)
            || is_own(actor, record.owner)
            || self.team_sight(actor, teams_of(record)).opens
    }

    /// Whether a key is hidden from the actor: it is shared only with secret teams, and the actor
    /// is in none of them. Permission to see every team does not reveal the teams' keys.
    pub(in crate::actions) fn is_concealed_from(&self, actor: &Actor, record: &KeyRecord) -> bool {
        self.team_sight(actor, teams_of(record)).conceals && !self.is_whole_for(actor, record)
    }

    /// Returns what an actor sees of a key that is shared with these teams.
    pub(super) fn team_sight(
        &self,
        actor: &Actor,
        teams: impl Iterator<Item = TeamId>,
    ) -> TeamSight {
        let (mut is_shared, mut is_in, mut is_secret) = (false, false, true);
        for team in teams.filter_map(|team| self.index.team(team)) {
            is_shared = true;
            is_in |= actor.is_in(team.id);
            is_secret &= team.secret && !actor.is_in(team.id);
        }
        let opens = is_in && has_access_of_user(actor);
        TeamSight { opens, conceals: is_shared && is_secret }
    }

    /// Returns the access that the actor has through its existing teams.
    fn access_by_team(&self, actor: &Actor, record: &KeyRecord) -> Option<TeamAccess> {
        if !has_access_of_user(actor) {
            return None;
        }
        let theirs = record.teams.iter().filter(|share| actor.is_in(share.team));
        let live = theirs.filter(|share| self.index.team(share.team).is_some());
        live.map(|share| share.access).max()
    }
}

/// Requires that an acting key has a permission on keys before it sees other keys. Every key may
/// use `whoami`.
pub(in crate::actions) fn require_window(actor: &Actor) -> Result<(), ActionError> {
    let opens = [KEYS_READ, KEYS_MANAGE, KEYS_CREATE].iter().any(|name| actor.has(name));
    if actor.is_key() && !opens {
        return Err(ActionError::PermissionRequired(KEYS_READ.to_owned()));
    }
    Ok(())
}

/// What an actor sees of a key because of the teams that the key is shared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct TeamSight {
    /// Whether the teams give the actor access to the whole key.
    pub(super) opens: bool,
    /// Whether all of the teams are secret and the actor is in none of them. The actor then does not see
    /// that the key exists, unless it sees the whole key for another reason.
    pub(super) conceals: bool,
}

fn teams_of(record: &KeyRecord) -> impl Iterator<Item = TeamId> {
    record.teams.iter().map(|share| share.team)
}

/// Whether the actor sees each key of the organization whole.
pub(super) fn sees_every_key(actor: &Actor) -> bool {
    actor.has(KEYS_READ) || actor.has(KEYS_MANAGE)
}

/// Whether a key of this owner is the actor's own, and the actor has its user's access to it.
pub(super) fn is_own(actor: &Actor, owner: Option<UserId>) -> bool {
    owner.is_some() && owner == actor.user_id() && has_access_of_user(actor)
}

/// Whether the actor has its user's access to keys: to the user's own keys and to those of the user's
/// teams. A management key has it only with the permission to create personal keys. Otherwise every key
/// for a protected API could read management data.
fn has_access_of_user(actor: &Actor) -> bool {
    !actor.is_key() || actor.has(KEYS_CREATE)
}

/// Rejects a key that changes itself. A leaked key could otherwise remove its own expiry and
/// address rules.
pub(super) fn refuse_itself(actor: &Actor, record: &KeyRecord) -> Result<(), ActionError> {
    if actor.author() == Author::Key(record.id) {
        return Err(ActionError::Conflict {
            error: errors::OWN_KEY,
            detail: "a key cannot change its own permissions: sign in, or use another key",
        });
    }
    Ok(())
}
