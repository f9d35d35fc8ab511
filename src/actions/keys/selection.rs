//! Decides which keys of a list match an actor's query, and which of these the actor sees whole.
//!
//! An actor sees of some keys only that they exist. Filters on fields that the actor does not see match
//! none of these keys, so that neither a page nor the total reveals their fields.

use std::ops::Range;

use crate::actions::actor::Actor;
use crate::actions::keys::KeyKind;
use crate::actions::keys::query::{OwnerWanted, Query, TeamWanted, Wanted};
use crate::actions::keys::search::Needle;
use crate::actions::keys::standing::{TeamSight, is_own, require_window, sees_every_key};
use crate::actions::{ActionError, Actions};
use crate::index::grant::Grant;
use crate::index::key_lists::{ChunkPart, Common, Entry, SlotMemo};
use crate::model::id::UserId;
use crate::model::moment::Moment;
use crate::model::role::USERS_READ;
use crate::records::key::{KeyRecord, Status};

/// An actor's query, and the decisions about values that keys have in common: each is made once for a
/// value, not for each key.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    actions: &'a Actions,
    actor: &'a Actor,
    query: &'a Query,
    now: Moment,
    sees_every_key: bool,
    sees_users: bool,
    needle: Option<Needle>,
    owner: Option<UserId>,
    ends: Option<Range<Moment>>,
    owners: SlotMemo<OwnerSeen>,
    sharings: SlotMemo<SharingSeen>,
    profiles: SlotMemo<ProfileSeen>,
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts about one user")]
#[derive(Clone, Copy, Debug)]
struct OwnerSeen {
    is_own: bool,
    is_wanted: bool,
    is_found: bool,
}

#[derive(Clone, Copy, Debug)]
struct SharingSeen {
    sight: TeamSight,
    is_wanted: bool,
}

#[derive(Clone, Copy, Debug)]
struct ProfileSeen {
    /// Whether the environment is the wanted one, or none is.
    is_wanted: bool,
    /// Whether the list of permissions contains the text of the search.
    is_found: bool,
}

impl SharingSeen {
    /// The decision for a key that is not shared.
    const NONE: Self =
        Self { sight: TeamSight { opens: false, conceals: false }, is_wanted: false };
}

impl<'a> Selection<'a> {
    /// Returns `None` if no key can match.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for a key without a permission on keys.
    pub(super) fn new(
        actions: &'a Actions,
        actor: &'a Actor,
        query: &'a Query,
    ) -> Result<Option<Self>, ActionError> {
        require_window(actor)?;
        let owner = query.owner.map(|owner| match owner {
            OwnerWanted::Me => actor.user_id(),
            OwnerWanted::User(user) => Some(user),
        });
        let is_unknown = |team| match team {
            TeamWanted::Mine => actor.user_id().is_none(),
            TeamWanted::Team(team) => actions.known_team(actor, team).is_none(),
        };
        if owner == Some(None) || query.team.is_some_and(is_unknown) {
            // An actor without a user owns no keys and is in no team. The result for a team that the actor
            // may not see is the same as for a team that does not exist.
            return Ok(None);
        }
        let now = actions.clock.now().wall;
        let (owners, sharings, profiles) = Default::default();
        Ok(Some(Self {
            actions,
            actor,
            query,
            now,
            sees_every_key: sees_every_key(actor),
            sees_users: actor.has(USERS_READ),
            needle: query.search.as_deref().map(Needle::new),
            owner: owner.flatten(),
            ends: query.expires_before.map(|until| now..until),
            owners,
            sharings,
            profiles,
        }))
    }

    /// Whether the actor sees the whole key; `None` if the key is not listed.
    pub(super) fn listed(&mut self, common: &Common, entry: Entry<'_>) -> Option<bool> {
        if !self.has_wanted_status(entry) || !self.is_of_kind(entry.is_service()) {
            return None;
        }
        let is_filtered = self.filters_whole_keys();
        if self.sees_every_key && !is_filtered {
            return Some(true);
        }
        let sharing = self.sharing(common, entry);
        if self.query.team.is_some() && !sharing.is_wanted {
            return None;
        }
        let owner = self.owner(common, entry);
        let whole = self.sees_every_key || owner.is_some_and(|it| it.is_own) || sharing.sight.opens;
        if !whole {
            return (!is_filtered && !sharing.sight.conceals).then_some(false);
        }
        (!is_filtered || self.fits(common, entry, owner)).then_some(true)
    }

    /// The number of keys that match, if it is known without a look at each key. Otherwise `None`.
    pub(super) fn count(&self, part: ChunkPart<'_>) -> Option<usize> {
        let is_plain =
            self.sees_every_key && !self.filters_whole_keys() && self.query.kind.is_none();
        match self.query.status {
            Wanted::Current if is_plain => Some(part.not_revoked()),
            Wanted::All if is_plain => Some(part.len()),
            Wanted::Current | Wanted::All | Wanted::Only(_) => None,
        }
    }

    /// Decides again, by the record from the store, which may be newer than the list: whether the actor
    /// sees the whole key; `None` if the key is not listed. Filters that match only whole keys are not
    /// applied again.
    pub(super) fn is_still_listed(&self, record: &KeyRecord) -> Option<bool> {
        let is_wanted = self.is_wanted(|| record.status(self.now), record.revoked_at.is_some());
        if !is_wanted || !self.is_of_kind(record.is_service()) {
            return None;
        }
        if self.actions.is_whole_for(self.actor, record) {
            return Some(true);
        }
        let is_concealed = self.actions.is_concealed_from(self.actor, record);
        (!self.filters_whole_keys() && !is_concealed).then_some(false)
    }

    fn has_wanted_status(&self, entry: Entry<'_>) -> bool {
        self.is_wanted(|| entry.status(self.now), entry.is_revoked())
    }

    fn is_wanted(&self, status: impl FnOnce() -> Status, is_revoked: bool) -> bool {
        match self.query.status {
            Wanted::Current => !is_revoked,
            Wanted::All => true,
            Wanted::Only(only) => status() == only,
        }
    }

    fn is_of_kind(&self, is_service: bool) -> bool {
        match self.query.kind {
            None => true,
            Some(KeyKind::Service) => is_service,
            Some(KeyKind::Personal) => !is_service,
        }
    }

    /// Whether the query has a filter that matches only keys that the actor sees whole.
    fn filters_whole_keys(&self) -> bool {
        self.needle.is_some()
            || self.owner.is_some()
            || self.query.team.is_some()
            || self.query.environment.is_some()
            || self.ends.is_some()
            || self.query.unused
            || self.query.unused_since.is_some()
            || self.query.endless
            || self.query.old_secret_used
    }

    /// Whether a key fits all filters that match only whole keys, except the filter by team.
    fn fits(&mut self, common: &Common, entry: Entry<'_>, owner: Option<OwnerSeen>) -> bool {
        let ends = |span: &Range<Moment>| entry.expires_at().is_some_and(|end| span.contains(&end));
        (self.owner.is_none() || owner.is_some_and(|it| it.is_wanted))
            && self.ends.as_ref().is_none_or(ends)
            && (self.query.environment.is_none() || self.profile(common, entry).is_wanted)
            && (!self.query.endless || entry.expires_at().is_none())
            && (!self.query.unused || entry.last_used_at().is_none())
            && self.query.unused_since.is_none_or(|since| is_unused_since(entry, since))
            && (!self.query.old_secret_used || self.is_old_secret_used(entry))
            && self.is_found(common, entry, owner)
    }

    /// Whether a replaced secret of an active key still works and was used since the rotation.
    fn is_old_secret_used(&self, entry: Entry<'_>) -> bool {
        let is_on = || entry.status(self.now) == Status::Active;
        entry.old_secret_in_use().filter(|_digest| is_on()).is_some_and(|digest| {
            let works = |grant: &Grant| grant.expires_at > self.now;
            self.actions.index.with_grant(&digest, |grant| grant.is_some_and(works))
        })
    }

    fn is_found(&mut self, common: &Common, entry: Entry<'_>, owner: Option<OwnerSeen>) -> bool {
        let Some(needle) = &mut self.needle else { return true };
        if owner.is_some_and(|it| it.is_found) || needle.is_in(entry) {
            return true;
        }
        self.profile(common, entry).is_found
    }

    fn profile(&mut self, common: &Common, entry: Entry<'_>) -> ProfileSeen {
        let (needle, wanted) = (self.needle.as_ref(), self.query.environment.as_ref());
        let seen = self.profiles.of(&common.profiles, entry.profile(), |profile| ProfileSeen {
            is_wanted: wanted.is_none_or(|wanted| *wanted == profile.environment),
            is_found: needle
                .is_some_and(|needle| needle.is_in_list(profile.permissions.as_deref())),
        });
        seen.unwrap_or(ProfileSeen { is_wanted: false, is_found: false })
    }

    fn owner(&mut self, common: &Common, entry: Entry<'_>) -> Option<OwnerSeen> {
        let (actions, actor, wanted) = (self.actions, self.actor, self.owner);
        let (needle, sees_users) = (self.needle.as_ref(), self.sees_users);
        self.owners.of(&common.owners, entry.owner(), |id| {
            // A management key may see its owner's email address only with the permission to see users.
            let sees_email = sees_users || (!actor.is_key() && actor.user_id() == Some(*id));
            let is_found = |needle: &Needle| {
                let user = actions.index.user(*id);
                let user = user.filter(|user| user.organization == actor.organization_id());
                user.is_some_and(|user| needle.is_in_user(&user, sees_email))
            };
            OwnerSeen {
                is_own: is_own(actor, Some(*id)),
                is_wanted: wanted == Some(*id),
                is_found: needle.is_some_and(is_found),
            }
        })
    }

    fn sharing(&mut self, common: &Common, entry: Entry<'_>) -> SharingSeen {
        let (actions, actor, wanted) = (self.actions, self.actor, self.query.team);
        let seen = self.sharings.of(&common.sharings, entry.sharing(), |teams| {
            let sight = actions.team_sight(actor, teams.iter().copied());
            let is_wanted = wanted.is_some_and(|wanted| match wanted {
                TeamWanted::Mine => teams
                    .iter()
                    .any(|&team| actor.is_in(team) && actions.index.team(team).is_some()),
                TeamWanted::Team(team) => teams.contains(&team),
            });
            SharingSeen { sight, is_wanted }
        });
        seen.unwrap_or(SharingSeen::NONE)
    }
}

fn is_unused_since(entry: Entry<'_>, since: Moment) -> bool {
    entry.created_at() < since && entry.last_used_at().is_none_or(|at| at < since)
}
