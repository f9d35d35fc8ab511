//! Teams: create, list, show, change and remove them, and manage their members.
//!
//! Actors outside a secret team receive the same responses as if the team did not exist. Every
//! access to a team uses [`Actions::known_team`], and a missing permission is reported before the
//! team is looked up.
//!
//! Removing a team deletes one row. The records of users and keys keep the ids of removed teams
//! until their next change, so readers look up in the index which teams exist.

use std::sync::Arc;

use keyhouse_storage::Batch;
use serde_json::{Value, json};

use crate::actions::actor::Actor;
use crate::actions::events::AuditEntry;
use crate::actions::people::knows_team;
use crate::actions::roles::fields;
use crate::actions::rows::Listed;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::index::facts::{TeamFacts, UserFacts};
use crate::model::id::{OrganizationId, TeamId, UserId};
use crate::model::plan::{MULTIPLE_TEAMS, TEAMS};
use crate::model::role::{TEAMS_MANAGE, TEAMS_READ};
use crate::model::text::Likeness;
use crate::records::Revised;
use crate::records::access::UserRecord;
use crate::records::place::StoreKey;
use crate::records::rights::TeamRecord;

pub const TEAMS_MAX: usize = 1_000;
/// Most teams of one user.
pub const TEAMS_A_USER_MAX: usize = 100;

/// A team to be created.
#[derive(Debug)]
pub struct TeamDraft {
    pub name: String,
    pub description: String,
    /// Whether the team is hidden from actors outside it.
    pub secret: bool,
}

/// A change of a team. Fields that are `None` do not change.
#[derive(Debug, Default)]
pub struct TeamChange {
    pub name: Option<String>,
    pub description: Option<String>,
    /// Whether the team becomes hidden from actors outside it.
    pub secret: Option<bool>,
}

/// The team to change.
#[derive(Clone, Debug)]
pub struct TeamTarget {
    pub id: TeamId,
    /// The accepted versions (`If-Match`), if the caller sent any.
    pub versions: Option<Vec<u64>>,
}

impl Actions {
    /// The facts of a team that the actor may see: a visible team of the actor's organization, a
    /// team of the actor, or any team if a permission allows it. `None` for every other id, whether
    /// or not the team exists.
    pub fn known_team(&self, actor: &Actor, id: TeamId) -> Option<Arc<TeamFacts>> {
        let team = self.index.team(id)?;
        // The operator on the host has access to every organization.
        let reached = actor.is_local() || actor.organization_id() == team.organization;
        (reached && knows_team(actor, &team)).then_some(team)
    }

    /// Lists the teams of the actor's organization that the actor may see, the oldest first.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for a key without a permission to see teams.
    pub fn list_teams(
        &self,
        actor: &Actor,
        limit: usize,
        after: Option<TeamId>,
    ) -> Result<Listed<TeamRecord>, ActionError> {
        require_window(actor)?;
        let teams: Vec<TeamRecord> = self.read_all(&StoreKey::teams_of(actor.organization_id()))?;
        let known = teams.into_iter().filter(|team| knows_team(actor, &team.into()));
        let behind = known.filter(|team| after.is_none_or(|after| team.id > after));
        Ok(Listed::first(limit, behind))
    }

    pub fn team(&self, actor: &Actor, id: TeamId) -> Result<TeamRecord, ActionError> {
        require_window(actor)?;
        Ok(self.find_team(actor, id)?.record)
    }

    /// Lists the members of a team, the oldest user first. Only for members and for actors who may
    /// see every team.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for other actors who see the team.
    pub fn team_members(
        &self,
        actor: &Actor,
        id: TeamId,
        limit: usize,
        after: Option<UserId>,
    ) -> Result<Listed<Arc<UserFacts>>, ActionError> {
        let team = self.team(actor, id)?;
        if !actor.is_in(id) && !sees_all(actor) {
            return Err(ActionError::PermissionRequired(TEAMS_READ.to_owned()));
        }
        let users = self.index.users_of(team.organization).into_iter();
        let members = users.filter(|user| user.teams.contains(&id));
        let behind = members.filter(|user| after.is_none_or(|after| user.id > after));
        Ok(Listed::first(limit, behind))
    }

    /// Creates a team.
    ///
    /// # Errors [`ActionError::SubscriptionRequired`] if the plan allows no team, or no further
    /// team; [`ActionError::Conflict`] for a name that exists, and over [`TEAMS_MAX`].
    pub fn create_team(&self, actor: &Actor, draft: &TeamDraft) -> Result<TeamRecord, ActionError> {
        let organization = actor.organization_id();
        self.in_turn(|| {
            let now = self.clock.now().wall;
            // The guard also covers the number of teams and the uniqueness of their names.
            let decided = self.authorize_people(actor, TEAMS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            decided.require_lasting()?;
            let others: Vec<TeamRecord> = self.read_all(&StoreKey::teams_of(organization))?;
            require_feature(today, others.len())?;
            if others.len() >= TEAMS_MAX {
                let detail = "the organization has the maximum number of teams: remove a team \
                    first";
                return Err(ActionError::Conflict { code: "too_many_teams", detail });
            }
            require_free_name(&others, &draft.name, None)?;
            let record = TeamRecord {
                id: TeamId::new(now, &mut *self.random()),
                organization,
                name: draft.name.clone(),
                description: draft.description.clone(),
                secret: draft.secret,
                created_at: now,
                version: 1,
            };
            let audit_entry = AuditEntry::by(&decided, "team.create", record.id)
                .with_change(&json!({}), &shape(&record));
            let place = StoreKey::Team(organization, record.id);
            let batch = batch.absent(place.to_bytes());
            let batch = put(batch, &place, &record)?;
            let committed = self.commit_change(decided, batch, now, audit_entry)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(record)))
        })
    }

    /// Changes a team.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] for a name that exists.
    pub fn change_team(
        &self,
        actor: &Actor,
        target: &TeamTarget,
        change: &TeamChange,
    ) -> Result<TeamRecord, ActionError> {
        self.in_turn(|| {
            let now = self.clock.now().wall;
            let decided = self.authorize_people(actor, TEAMS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            let held = self.find_team(today, target.id)?;
            decided.require_lasting()?;
            let before = &held.record;
            Self::check_version(target.versions.as_ref(), before.version)?;
            let mut record = before.clone();
            if let Some(name) = &change.name {
                let others: Vec<TeamRecord> =
                    self.read_all(&StoreKey::teams_of(record.organization))?;
                require_free_name(&others, name, Some(record.id))?;
                record.name.clone_from(name);
            }
            if let Some(description) = &change.description {
                record.description.clone_from(description);
            }
            record.secret = change.secret.unwrap_or(record.secret);
            if record == *before {
                self.await_index(held.revision);
                return Ok(Attempt::Done(record));
            }
            record.version += 1;
            let audit_entry = AuditEntry::by(&decided, "team.update", record.id)
                .with_change(&shape(before), &shape(&record));
            let place = StoreKey::Team(record.organization, record.id);
            let batch = batch.unchanged(place.to_bytes(), held.revision);
            let batch = put(batch, &place, &record)?;
            let committed = self.commit_change(decided, batch, now, audit_entry)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(record)))
        })
    }

    /// Removes a team. The records of its members, and of keys shared with it, keep its id until
    /// their next change. Ids are never reused.
    pub fn remove_team(&self, actor: &Actor, target: &TeamTarget) -> Result<(), ActionError> {
        self.in_turn(|| {
            let now = self.clock.now().wall;
            let decided = self.authorize_people(actor, TEAMS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            let held = self.find_team(today, target.id)?;
            let record = &held.record;
            Self::check_version(target.versions.as_ref(), record.version)?;
            let place = StoreKey::Team(record.organization, record.id).to_bytes();
            let batch = batch.unchanged(place.clone(), held.revision).delete(place);
            let audit_entry = AuditEntry {
                before: fields(shape(record)),
                ..AuditEntry::by(&decided, "team.remove", record.id)
            };
            let committed = self.commit_change(decided, batch, now, audit_entry)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(())))
        })
    }

    /// Adds a user to a team. Adding a member again has no effect.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] over [`TEAMS_A_USER_MAX`].
    pub fn add_member(&self, actor: &Actor, team: TeamId, user: UserId) -> Result<(), ActionError> {
        self.rewrite_membership(actor, (team, user), "team.add_member", |teams| {
            if !teams.contains(&team) {
                teams.push(team);
            }
        })
    }

    /// Removes a user from a team. Removing a user who is not a member has no effect.
    pub fn remove_member(
        &self,
        actor: &Actor,
        team: TeamId,
        user: UserId,
    ) -> Result<(), ActionError> {
        self.rewrite_membership(actor, (team, user), "team.remove_member", |teams| {
            teams.retain(|known| *known != team);
        })
    }

    fn rewrite_membership(
        &self,
        actor: &Actor,
        (team, user): (TeamId, UserId),
        action: &'static str,
        change: impl Fn(&mut Vec<TeamId>),
    ) -> Result<(), ActionError> {
        self.in_turn(|| {
            let now = self.clock.now().wall;
            let decided = self.authorize_people(actor, TEAMS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            let found = self.find_team(today, team)?;
            let organization = found.record.organization;
            let place = StoreKey::User(user);
            let held: Option<Revised<UserRecord>> = self.read(&place)?;
            let ours = held.filter(|held| held.record.organization == organization);
            let held = ours.ok_or(ActionError::NotFound("user"))?;
            let was_in = held.record.teams.contains(&team);
            let mut record = held.record.clone();
            change(&mut record.teams);
            if record.teams.contains(&team) == was_in {
                self.await_index(held.revision);
                return Ok(Attempt::Done(()));
            }
            if !was_in {
                decided.require_lasting()?;
            }
            record.teams = self.teams_left(organization, record.teams)?;
            if record.teams.len() > TEAMS_A_USER_MAX {
                let detail = "the user is in the maximum number of teams: remove the user from a \
                    team first";
                return Err(ActionError::Conflict { code: "too_many_teams", detail });
            }
            record.version += 1;
            // A guard on the team prevents adding a user to a team that was just removed.
            let batch = batch
                .unchanged(place.to_bytes(), held.revision)
                .unchanged(StoreKey::Team(organization, team).to_bytes(), found.revision);
            let mut audit_entry = AuditEntry::by(&decided, action, team);
            let side = if was_in { &mut audit_entry.before } else { &mut audit_entry.after };
            side.insert("user".to_owned(), user.to_string().into());
            let batch = put(batch, &place, &record)?;
            let committed = self.commit_change(decided, batch, now, audit_entry)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(())))
        })
    }

    /// The existing teams of a list.
    pub(super) fn teams_left(
        &self,
        organization: OrganizationId,
        teams: Vec<TeamId>,
    ) -> Result<Vec<TeamId>, ActionError> {
        let mut left = Vec::with_capacity(teams.len());
        for team in teams {
            if self.read::<TeamRecord>(&StoreKey::Team(organization, team))?.is_some() {
                left.push(team);
            }
        }
        Ok(left)
    }

    /// A team of the actor's organization that the actor may see.
    fn find_team(&self, actor: &Actor, id: TeamId) -> Result<Revised<TeamRecord>, ActionError> {
        let held: Option<Revised<TeamRecord>> =
            self.read(&StoreKey::Team(actor.organization_id(), id))?;
        let known = held.filter(|held| knows_team(actor, &(&held.record).into()));
        known.ok_or(ActionError::NotFound("team"))
    }
}

fn sees_all(actor: &Actor) -> bool {
    actor.has(TEAMS_READ) || actor.has(TEAMS_MANAGE)
}

/// A key sees teams only with a permission on teams. Users see the teams of their organization.
fn require_window(actor: &Actor) -> Result<(), ActionError> {
    if actor.is_key() && !sees_all(actor) { actor.require(TEAMS_READ) } else { Ok(()) }
}

/// The first team requires the plan's feature `teams`, every further team `multiple_teams`.
/// Existing teams stay if the plan loses a feature.
fn require_feature(actor: &Actor, teams: usize) -> Result<(), ActionError> {
    let plan = actor.organization().plan.facts();
    let plan = &plan.plan;
    let lacking = if !plan.teams {
        TEAMS
    } else if teams > 0 && !plan.multiple_teams {
        MULTIPLE_TEAMS
    } else {
        return Ok(());
    };
    Err(ActionError::SubscriptionRequired { plan: plan.name.to_string(), feature: lacking })
}

fn require_free_name(
    others: &[TeamRecord],
    name: &str,
    own: Option<TeamId>,
) -> Result<(), ActionError> {
    let read = Likeness::of(name);
    let taken =
        |other: &&TeamRecord| own != Some(other.id) && Likeness::of(&other.name).is_alike(&read);
    match others.iter().find(taken) {
        None => Ok(()),
        Some(_) => Err(ActionError::Conflict {
            code: "name_taken",
            detail: "the organization already has a team with this name: use another name",
        }),
    }
}

/// The fields of a team in an audit event.
fn shape(record: &TeamRecord) -> Value {
    json!({
        "name": record.name,
        "description": record.description,
        "visibility": if record.secret { "secret" } else { "visible" },
    })
}
