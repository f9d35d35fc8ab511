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

use crate::actions::accounts::people::knows_team;
use crate::actions::actor::Actor;
use crate::actions::changes::{Resource, ResourceRef, Target, require_free_name};
use crate::actions::events::AuditEntry;
use crate::actions::rows::Listed;
use crate::actions::{ActionError, Actions, Attempt};
use crate::index::facts::{TeamFacts, UserFacts};
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::id::{OrganizationId, TeamId, UserId};
use crate::model::plan::{MULTIPLE_TEAMS, TEAMS};
use crate::model::role::{TEAMS_MANAGE, TEAMS_READ};
use crate::records::Revised;
use crate::records::access::UserRecord;
use crate::records::place::StoreKey;
use crate::records::rights::TeamRecord;

pub const TEAMS_MAX: usize = 1_000;
/// Maximum number of teams of one user.
pub const TEAMS_A_USER_MAX: usize = 100;
const NAME_TAKEN: &str = "the organization already has a team with this name: use another name";

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

    /// Lists the members of a team, the oldest user first. Only members, and actors who may see
    /// every team, may list the members.
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
    /// # Errors
    /// [`ActionError::SubscriptionRequired`] if the plan allows no team, or no further team;
    /// [`ActionError::Conflict`] for a name that exists, and over [`TEAMS_MAX`].
    pub fn create_team(&self, actor: &Actor, draft: &TeamDraft) -> Result<TeamRecord, ActionError> {
        let organization = actor.organization_id();
        self.in_turn(|| {
            // The guard also covers the number of teams and the uniqueness of their names.
            let decided = self.authorize_people(actor, TEAMS_MANAGE)?;
            decided.require_lasting()?;
            let others: Vec<TeamRecord> = self.read_all(&StoreKey::teams_of(organization))?;
            require_feature(&decided.actor, others.len())?;
            if others.len() >= TEAMS_MAX {
                let detail = "the organization has the maximum number of teams: remove a team \
                    first";
                return Err(ActionError::Conflict { error: errors::TOO_MANY_TEAMS, detail });
            }
            require_free_name(names(&others, None), &draft.name, NAME_TAKEN)?;
            let record = TeamRecord {
                id: TeamId::new(decided.now, &mut *self.random()),
                organization,
                name: draft.name.clone(),
                description: draft.description.clone(),
                secret: draft.secret,
                created_at: decided.now,
                version: 1,
            };
            self.insert(decided, AuditAction::TEAM_CREATE, record, Batch::new())
        })
    }

    /// Changes a team.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] for a name that exists.
    pub fn change_team(
        &self,
        actor: &Actor,
        target: &Target<TeamId>,
        change: &TeamChange,
    ) -> Result<TeamRecord, ActionError> {
        self.in_turn(|| {
            let decided = self.authorize_people(actor, TEAMS_MANAGE)?;
            let held = self.find_team(&decided.actor, target.id)?;
            decided.require_lasting()?;
            let mut record = target.current(&held)?;
            if let Some(name) = &change.name {
                let others: Vec<TeamRecord> =
                    self.read_all(&StoreKey::teams_of(record.organization))?;
                require_free_name(names(&others, Some(record.id)), name, NAME_TAKEN)?;
                record.name.clone_from(name);
            }
            if let Some(description) = &change.description {
                record.description.clone_from(description);
            }
            record.secret = change.secret.unwrap_or(record.secret);
            self.update(decided, AuditAction::TEAM_UPDATE, (&held, record), Batch::new())
        })
    }

    /// Removes a team. The records of its members, and of keys shared with it, keep its id until
    /// their next change. Ids are never reused.
    pub fn remove_team(&self, actor: &Actor, target: &Target<TeamId>) -> Result<(), ActionError> {
        self.in_turn(|| {
            let decided = self.authorize_people(actor, TEAMS_MANAGE)?;
            let held = self.find_team(&decided.actor, target.id)?;
            target.current(&held)?;
            self.delete(decided, AuditAction::TEAM_REMOVE, &held)
        })
    }

    /// Adds a user to a team. Adding a member again has no effect.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] over [`TEAMS_A_USER_MAX`].
    pub fn add_member(&self, actor: &Actor, team: TeamId, user: UserId) -> Result<(), ActionError> {
        self.rewrite_membership(actor, (team, user), AuditAction::TEAM_ADD_MEMBER, |teams| {
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
        self.rewrite_membership(actor, (team, user), AuditAction::TEAM_REMOVE_MEMBER, |teams| {
            teams.retain(|known| *known != team);
        })
    }

    fn rewrite_membership(
        &self,
        actor: &Actor,
        (team, user): (TeamId, UserId),
        action: AuditAction,
        change: impl Fn(&mut Vec<TeamId>),
    ) -> Result<(), ActionError> {
        self.in_turn(|| {
            let decided = self.authorize_people(actor, TEAMS_MANAGE)?;
            let found = self.find_team(&decided.actor, team)?;
            let organization = found.record.organization;
            let held: Option<Revised<UserRecord>> = self.read(&StoreKey::User(user))?;
            let ours = held.filter(|held| held.record.organization == organization);
            let held = ours.ok_or(ActionError::NotFound("user"))?;
            let was_in = held.record.teams.contains(&team);
            let mut record = held.record.clone();
            change(&mut record.teams);
            if record.teams.contains(&team) == was_in {
                self.await_index(held.revision);
                return Ok(Attempt::Done(record));
            }
            if !was_in {
                decided.require_lasting()?;
            }
            record.teams = self.teams_left(organization, record.teams)?;
            if record.teams.len() > TEAMS_A_USER_MAX {
                let detail = "the user is in the maximum number of teams: remove the user from a \
                    team first";
                return Err(ActionError::Conflict { error: errors::TOO_MANY_TEAMS, detail });
            }
            // A guard on the team prevents adding a user to a team that was just removed.
            let place = StoreKey::Team(organization, team).to_bytes();
            let batch = Batch::new().unchanged(place, found.revision);
            let mut audit_entry = AuditEntry::by(&decided, action, team);
            let side = if was_in { &mut audit_entry.before } else { &mut audit_entry.after };
            side.insert("user".to_owned(), user.to_string().into());
            self.update_as(decided, audit_entry, (&held, record), batch)
        })
        .map(|_member| ())
    }

    /// The existing teams of a list.
    pub(in crate::actions) fn teams_left(
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

/// The names of all teams except the changed team.
fn names(teams: &[TeamRecord], except: Option<TeamId>) -> impl Iterator<Item = &str> {
    teams.iter().filter(move |team| except != Some(team.id)).map(|team| &*team.name)
}

impl Resource for TeamRecord {
    fn identity(&self) -> ResourceRef {
        ResourceRef::new(
            StoreKey::Team(self.organization, self.id),
            &self.id,
            Some(self.organization),
        )
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn audit(&self) -> Value {
        json!({
            "name": self.name,
            "description": self.description,
            "visibility": if self.secret { "secret" } else { "visible" },
        })
    }
}
