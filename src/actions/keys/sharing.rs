//! Shares keys with teams, for reading or for writing within the limits of team mates.
//!
//! Shares with a removed team stay in the key's record. Such shares grant nothing, because readers
//! of shares look up the teams in the index. The next change of the key's shares drops shares with
//! removed teams.

use std::sync::Arc;

use crate::actions::actor::Actor;
use crate::actions::changes::Target;
use crate::actions::keys::standing::{KeyRelation, refuse_itself};
use crate::actions::{ActionError, Actions};
use crate::index::facts::TeamFacts;
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::{KeyId, OrganizationId, TeamId};
use crate::model::role::TEAMS_MANAGE;
use crate::records::key::{KeyRecord, ShareRecord, TeamAccess};

/// Maximum number of teams that one key is shared with. The ids of all teams then fit into a header
/// that proxies forward.
pub const TEAMS_A_KEY_MAX: usize = 16;

impl Actions {
    /// Shares a key with a team, or changes what the team may do with it.
    ///
    /// # Errors
    /// The errors of [`Actions::change_key`]; [`ActionError::NotFound`] for a team that the actor may
    /// not see; [`ActionError::PermissionRequired`] for a team that the actor is not in;
    /// [`ActionError::Conflict`] over [`TEAMS_A_KEY_MAX`].
    pub fn share_key(
        &self,
        actor: &Actor,
        target: &Target<KeyId>,
        share: ShareRecord,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(actor, target, AuditAction::KEY_SHARE, |today, record, standing, _now| {
            standing.refuse_team_mate()?;
            super::refuse_revoked(record)?;
            refuse_itself(today, record)?;
            self.require_shareable(today, record.organization, share.team)?;
            if standing == KeyRelation::Manager {
                today.require_all(record.patterns().as_set())?;
            }
            if record.teams.contains(&share) {
                return Ok(());
            }
            record.teams = self.shares_left(record)?;
            if let Some(known) = record.teams.iter_mut().find(|known| known.team == share.team) {
                known.access = share.access;
                return Ok(());
            }
            if record.teams.len() >= TEAMS_A_KEY_MAX {
                let detail = "the key is shared with the maximum number of teams: remove a team \
                    first";
                return Err(ActionError::Conflict { error: errors::TOO_MANY_TEAMS, detail });
            }
            record.teams.push(share);
            Ok(())
        })
    }

    /// Stops sharing a key with a team. The owner of the key may stop sharing even after leaving
    /// the team.
    ///
    /// # Errors
    /// The errors of [`Actions::change_key`]; [`ActionError::NotFound`] for a team that the actor
    /// may not see, unless the key is shared with it.
    pub fn unshare_key(
        &self,
        actor: &Actor,
        target: &Target<KeyId>,
        team: TeamId,
    ) -> Result<KeyRecord, ActionError> {
        self.rewrite_key(
            actor,
            target,
            AuditAction::KEY_UNSHARE,
            |today, record, standing, _now| {
                standing.refuse_team_mate()?;
                if !record.teams.iter().any(|share| share.team == team) {
                    let known = self.known_team(today, team);
                    let ours = known.filter(|known| known.organization == record.organization);
                    return ours.map(|_known| ()).ok_or(ActionError::NotFound("team"));
                }
                record.teams = self.shares_left(record)?;
                record.teams.retain(|share| share.team != team);
                Ok(())
            },
        )
    }

    /// Returns the teams with which a key is shared, without teams that the actor may not see.
    pub fn visible_teams(
        &self,
        actor: &Actor,
        record: &KeyRecord,
    ) -> Vec<(Arc<TeamFacts>, TeamAccess)> {
        let known = |share: &ShareRecord| Some((self.known_team(actor, share.team)?, share.access));
        record.teams.iter().filter_map(known).collect()
    }

    /// Checks the shares of a new key. A team that the actor may not see causes the same fault as a
    /// missing team.
    pub(super) fn check_shares(
        &self,
        actor: &Actor,
        organization: OrganizationId,
        shares: &[ShareRecord],
    ) -> Result<(), ActionError> {
        let mut faults = Vec::new();
        for (at, share) in shares.iter().enumerate() {
            match self.require_shareable(actor, organization, share.team) {
                Ok(()) => {},
                Err(ActionError::NotFound(_)) => {
                    let pointer = format!("/teams/{at}/id");
                    faults.push(Fault::new(
                        pointer,
                        FaultCode::UNKNOWN_TEAM,
                        "is not the id of a team",
                    ));
                },
                Err(error) => return Err(error),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(ActionError::Invalid(faults)) }
    }

    /// Requires that the actor is in the team or manages teams.
    fn require_shareable(
        &self,
        actor: &Actor,
        organization: OrganizationId,
        team: TeamId,
    ) -> Result<(), ActionError> {
        let known = self.known_team(actor, team);
        known
            .filter(|team| team.organization == organization)
            .ok_or(ActionError::NotFound("team"))?;
        if actor.is_in(team) { Ok(()) } else { actor.require(TEAMS_MANAGE) }
    }

    fn shares_left(&self, record: &KeyRecord) -> Result<Vec<ShareRecord>, ActionError> {
        let teams = record.teams.iter().map(|share| share.team).collect();
        let left = self.teams_left(record.organization, teams)?;
        let mut shares = record.teams.clone();
        shares.retain(|share| left.contains(&share.team));
        Ok(shares)
    }
}
