//! Teams: make, list, show, change, remove, and who is in them.
//!
//! A secret team does not exist for those outside: every way to a team goes through
//! [`Actions::known_team`], and what is refused for want of a permission is refused before anybody
//! looks whether the team is there.
//!
//! Users and keys keep the ids of removed teams until they are written again, so that removing a team
//! is one row. Readers of such a list ask the index which teams exist.

use std::sync::Arc;

use keyhouse_storage::Batch;
use serde_json::{Value, json};

use crate::actions::actor::Actor;
use crate::actions::events::Happening;
use crate::actions::people::knows_team;
use crate::actions::roles::fields;
use crate::actions::rows::Listed;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::index::facts::{TeamFacts, UserFacts};
use crate::model::id::{OrganizationId, TeamId, UserId};
use crate::model::plan::{MULTIPLE_TEAMS, TEAMS};
use crate::model::role::{TEAMS_MANAGE, TEAMS_READ};
use crate::model::text::Likeness;
use crate::records::Held;
use crate::records::access::UserRecord;
use crate::records::place::Place;
use crate::records::rights::TeamRecord;

/// Most teams of an organization.
pub const TEAMS_MAX: usize = 1_000;
/// Most teams one user is in.
pub const TEAMS_A_USER_MAX: usize = 100;

/// A team to be made.
#[derive(Debug)]
pub struct TeamDraft {
    /// The name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it does not exist for those outside.
    pub secret: bool,
}

/// What is to change of a team; what is not named stays.
#[derive(Debug, Default)]
pub struct TeamChange {
    /// Another name.
    pub name: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Whether it no longer exists for those outside.
    pub secret: Option<bool>,
}

/// The team that a change is meant for.
#[derive(Clone, Debug)]
pub struct TeamTarget {
    /// The team.
    pub id: TeamId,
    /// The versions it may have (`If-Match`), where the caller says so.
    pub versions: Option<Vec<u64>>,
}

impl Actions {
    /// The facts of a team that the actor may know of: one of their organization that is visible,
    /// theirs, or open to them by a permission. `None` for any other, there or not.
    pub fn known_team(&self, actor: &Actor, id: TeamId) -> Option<Arc<TeamFacts>> {
        let team = self.index.team(id)?;
        // The operator on the host looks into every organization.
        let reached = actor.is_local() || actor.organization_id() == team.organization;
        (reached && knows_team(actor, &team)).then_some(team)
    }

    /// The teams of the actor's organization that the actor may know of, the oldest first.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for a key that names no sight of teams.
    pub fn list_teams(
        &self,
        actor: &Actor,
        limit: usize,
        after: Option<TeamId>,
    ) -> Result<Listed<TeamRecord>, ActionError> {
        require_window(actor)?;
        let teams: Vec<TeamRecord> = self.read_all(&Place::teams_of(actor.organization_id()))?;
        let known = teams.into_iter().filter(|team| knows_team(actor, &team.into()));
        let behind = known.filter(|team| after.is_none_or(|after| team.id > after));
        Ok(Listed::first(limit, behind))
    }

    /// Shows a team.
    ///
    /// # Errors
    /// [`ActionError::NotFound`]; those of [`Actions::list_teams`].
    pub fn team(&self, actor: &Actor, id: TeamId) -> Result<TeamRecord, ActionError> {
        require_window(actor)?;
        Ok(self.find_team(actor, id)?.record)
    }

    /// Who is in a team, the oldest user first: for its members, and for who may see every team.
    ///
    /// # Errors
    /// Those of [`Actions::team`]; [`ActionError::PermissionRequired`] outside a visible team.
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

    /// Makes a team.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`], [`ActionError::BeyondKey`];
    /// [`ActionError::SubscriptionRequired`] where the plan gives no team, or no further one; [`ActionError::Conflict`] for a name that is taken, and
    /// over [`TEAMS_MAX`].
    pub fn create_team(&self, actor: &Actor, draft: &TeamDraft) -> Result<TeamRecord, ActionError> {
        let organization = actor.organization_id();
        self.in_turn(|| {
            let now = self.clock.now().wall;
            // Its guard is also that of what is counted and named once in an organization.
            let decided = self.authorize_people(actor, TEAMS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            decided.require_lasting()?;
            let others: Vec<TeamRecord> = self.read_all(&Place::teams_of(organization))?;
            require_feature(today, others.len())?;
            if others.len() >= TEAMS_MAX {
                let detail = "the organization has as many teams as one can have";
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
            let happening = Happening::by(&decided, "team.create", record.id)
                .with_change(&json!({}), &shape(&record));
            let place = Place::Team(organization, record.id);
            let batch = batch.absent(place.to_bytes());
            let batch = put(batch, &place, &record)?;
            let committed = self.commit_change(decided, batch, now, happening)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(record)))
        })
    }

    /// Changes a team.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`], [`ActionError::BeyondKey`], [`ActionError::NotFound`],
    /// [`ActionError::VersionConflict`]; [`ActionError::Conflict`] for a name that is taken.
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
                    self.read_all(&Place::teams_of(record.organization))?;
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
            let happening = Happening::by(&decided, "team.update", record.id)
                .with_change(&shape(before), &shape(&record));
            let place = Place::Team(record.organization, record.id);
            let batch = batch.unchanged(place.to_bytes(), held.revision);
            let batch = put(batch, &place, &record)?;
            let committed = self.commit_change(decided, batch, now, happening)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(record)))
        })
    }

    /// Removes a team. Whoever was in it, and the keys that were shared with it, keep its id until
    /// they are written again; it names nothing by then, and no id is given twice.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`], [`ActionError::NotFound`],
    /// [`ActionError::VersionConflict`].
    pub fn remove_team(&self, actor: &Actor, target: &TeamTarget) -> Result<(), ActionError> {
        self.in_turn(|| {
            let now = self.clock.now().wall;
            let decided = self.authorize_people(actor, TEAMS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            let held = self.find_team(today, target.id)?;
            let record = &held.record;
            Self::check_version(target.versions.as_ref(), record.version)?;
            let place = Place::Team(record.organization, record.id).to_bytes();
            let batch = batch.unchanged(place.clone(), held.revision).delete(place);
            let happening = Happening {
                before: fields(shape(record)),
                ..Happening::by(&decided, "team.remove", record.id)
            };
            let committed = self.commit_change(decided, batch, now, happening)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(())))
        })
    }

    /// Puts a user into a team, with all that this opens to them. One who is in it stays.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`]; [`ActionError::NotFound`] for the team or the user;
    /// [`ActionError::Conflict`] over [`TEAMS_A_USER_MAX`].
    pub fn add_member(&self, actor: &Actor, team: TeamId, user: UserId) -> Result<(), ActionError> {
        self.rewrite_membership(actor, (team, user), "team.add_member", |teams| {
            if !teams.contains(&team) {
                teams.push(team);
            }
        })
    }

    /// Takes a user out of a team. One who is not in it stays out.
    ///
    /// # Errors
    /// Those of [`Actions::add_member`].
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
            let place = Place::User(user);
            let held: Option<Held<UserRecord>> = self.read(&place)?;
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
                let detail = "the user is in as many teams as one can be in";
                return Err(ActionError::Conflict { code: "too_many_teams", detail });
            }
            record.version += 1;
            // The team is guarded too: nobody is put into one that has just gone.
            let batch = batch
                .unchanged(place.to_bytes(), held.revision)
                .unchanged(Place::Team(organization, team).to_bytes(), found.revision);
            let mut happening = Happening::by(&decided, action, team);
            let side = if was_in { &mut happening.before } else { &mut happening.after };
            side.insert("user".to_owned(), user.to_string().into());
            let batch = put(batch, &place, &record)?;
            let committed = self.commit_change(decided, batch, now, happening)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(())))
        })
    }

    /// Those of these teams that are still there.
    pub(super) fn teams_left(
        &self,
        organization: OrganizationId,
        teams: Vec<TeamId>,
    ) -> Result<Vec<TeamId>, ActionError> {
        let mut left = Vec::with_capacity(teams.len());
        for team in teams {
            if self.read::<TeamRecord>(&Place::Team(organization, team))?.is_some() {
                left.push(team);
            }
        }
        Ok(left)
    }

    /// A team of the actor's organization that the actor may know of.
    fn find_team(&self, actor: &Actor, id: TeamId) -> Result<Held<TeamRecord>, ActionError> {
        let held: Option<Held<TeamRecord>> =
            self.read(&Place::Team(actor.organization_id(), id))?;
        let known = held.filter(|held| knows_team(actor, &(&held.record).into()));
        known.ok_or(ActionError::NotFound("team"))
    }
}

fn sees_all(actor: &Actor) -> bool {
    actor.has(TEAMS_READ) || actor.has(TEAMS_MANAGE)
}

/// A key is no window on teams unless its list says so; people see those of their organization.
fn require_window(actor: &Actor) -> Result<(), ActionError> {
    if actor.is_key() && !sees_all(actor) { actor.require(TEAMS_READ) } else { Ok(()) }
}

/// The first team needs one feature of the plan, every further one another. A plan that lost them
/// takes no team away.
fn require_feature(actor: &Actor, teams: usize) -> Result<(), ActionError> {
    let plan = actor.organization().plan.load();
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
            detail: "the organization has a team of this name",
        }),
    }
}

/// What an event tells of a team.
fn shape(record: &TeamRecord) -> Value {
    json!({
        "name": record.name,
        "description": record.description,
        "visibility": if record.secret { "secret" } else { "visible" },
    })
}
