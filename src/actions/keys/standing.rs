//! Who stands how to a key: whose it is, who manages it, which team it is shared with, and for whom
//! it is not even there.
//!
//! Every action finds a key through `find_key`, which applies `is_concealed_from`. A missing permission
//! is reported before the lookup.

use crate::actions::actor::Actor;
use crate::actions::{ActionError, Actions};
use crate::model::role::{KEYS_CREATE, KEYS_MANAGE, KEYS_READ};
use crate::records::key::{Access, Author, KeyRecord};

/// What the actor may do with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the actor's own.
    Own,
    /// The actor manages the organization's keys.
    Manager,
    /// It is shared for writing with a team that the actor is in: the actor renames it, disables
    /// it and revokes it, and nothing else.
    TeamMate,
}

impl Standing {
    /// Refuses team mates: what they may do is a short list, and this is not on it.
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
    /// How the actor stands to a key that they may change.
    ///
    /// A key is not its owner: it changes what the owner's other keys may do as a manager would, as
    /// far as it holds all of it.
    pub(super) fn standing(
        &self,
        actor: &Actor,
        record: &KeyRecord,
    ) -> Result<Standing, ActionError> {
        let own = is_own(actor, record);
        if own && !actor.is_key() {
            Ok(Standing::Own)
        } else if own || actor.has(KEYS_MANAGE) {
            Ok(Standing::Manager)
        } else if self.access_by_team(actor, record) == Some(Access::Write) {
            Ok(Standing::TeamMate)
        } else {
            Err(ActionError::PermissionRequired(KEYS_MANAGE.to_owned()))
        }
    }

    /// Whether the actor sees all of a key, or at most that it exists.
    pub(in crate::actions) fn is_whole_for(&self, actor: &Actor, record: &KeyRecord) -> bool {
        is_own(actor, record)
            || actor.has(KEYS_READ)
            || actor.has(KEYS_MANAGE)
            || self.access_by_team(actor, record).is_some()
    }

    /// Whether a key is not there for the actor at all: it is shared, with secret teams alone, and
    /// the actor is in none of them. To see every team is not to see their keys.
    pub(in crate::actions) fn is_concealed_from(&self, actor: &Actor, record: &KeyRecord) -> bool {
        let mut teams =
            record.teams.iter().filter_map(|share| self.index.team(share.team)).peekable();
        teams.peek().is_some()
            && teams.all(|team| team.secret && !actor.is_in(team.id))
            && !self.is_whole_for(actor, record)
    }

    /// What the actor may do with a key as a member of the teams it is shared with: of those that
    /// are still there. A key asks for its owner here too only where it names making personal keys.
    fn access_by_team(&self, actor: &Actor, record: &KeyRecord) -> Option<Access> {
        if actor.is_key() && !actor.has(KEYS_CREATE) {
            return None;
        }
        let theirs = record.teams.iter().filter(|share| actor.is_in(share.team));
        let live = theirs.filter(|share| self.index.team(share.team).is_some());
        live.map(|share| share.access).max()
    }
}

/// A key sees keys only where its list names some management of them; whoami is for all others.
pub(in crate::actions) fn require_window(actor: &Actor) -> Result<(), ActionError> {
    let opens = [KEYS_READ, KEYS_MANAGE, KEYS_CREATE].iter().any(|name| actor.has(name));
    if actor.is_key() && !opens {
        return Err(ActionError::PermissionRequired(KEYS_READ.to_owned()));
    }
    Ok(())
}

/// Whether a key is the actor's own: their user's, and, where a key asks, one that names making
/// personal keys in its list. A key that opens a protected API is no window on management.
fn is_own(actor: &Actor, record: &KeyRecord) -> bool {
    let is_users = record.owner.is_some() && record.owner == actor.user_id();
    is_users && (!actor.is_key() || actor.has(KEYS_CREATE))
}

/// No key widens itself: one that leaked would free itself of its end and its networks.
pub(super) fn refuse_itself(actor: &Actor, record: &KeyRecord) -> Result<(), ActionError> {
    if actor.author() == Author::Key(record.id) {
        return Err(ActionError::Conflict {
            code: "own_key",
            detail: "a key does not change what it may do itself: sign in, or use another",
        });
    }
    Ok(())
}
