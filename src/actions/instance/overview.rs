//! Facts about an organization and the instance that need the attention of their owners: users without
//! a second factor, the age of the last backup, and the first steps that the organization has taken.

use std::time::Duration;

use crate::actions::actor::Actor;
use crate::actions::keys::{Query, Sort, Wanted};
use crate::actions::rows::ROWS_A_PAGE;
use crate::actions::{ActionError, Actions};
use crate::index::grant::Grant;
use crate::model::moment::Moment;
use crate::model::role::{INSTANCE_MANAGE, KEYS_READ, USERS_READ};
use crate::records::Revised;
use crate::records::backup::LastBackupRecord;
use crate::records::gate::GateCallRecord;
use crate::records::key::KeyRecord;
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;

/// Maximum number of users that are read: the newest of the organization.
pub const USERS_READ_MAX: usize = 1_000;

/// The facts that an actor may see.
#[derive(Debug)]
pub struct Overview {
    pub first_steps: Option<FirstSteps>,
    pub users: Option<UserFactors>,
    pub backup: Option<LastBackup>,
}

/// What an organization has done of the first steps.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstSteps {
    /// Whether the organization has a key, revoked or not.
    pub has_key: bool,
    /// Whether one of these keys was used.
    pub has_used_key: bool,
    /// Whether a proxy asked a gate about a key of the organization.
    pub has_gate_call: bool,
    /// Whether the organization has a second user or a pending invitation. `None` if the actor may not see
    /// users.
    pub has_colleague: Option<bool>,
}

/// The second factors of an organization's enabled users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserFactors {
    pub users: usize,
    pub without_second_factor: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastBackup {
    /// When the last complete backup began: a scheduled one, or one that an operator requested.
    pub at: Option<Moment>,
    /// The interval of scheduled backups; zero if no backup is scheduled.
    pub every: Duration,
}

impl Actions {
    /// Returns the facts that the actor may see.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] if the actor may see none; the errors of the store.
    pub fn overview(&self, actor: &Actor) -> Result<Overview, ActionError> {
        let (sees_backups, sees_keys) = (actor.has(INSTANCE_MANAGE), actor.has(KEYS_READ));
        if !sees_backups && !sees_keys {
            actor.require(USERS_READ)?;
        }
        let first_steps = sees_keys.then(|| self.first_steps(actor)).transpose()?;
        let users = actor.has(USERS_READ).then(|| self.user_factors(actor)).transpose()?;
        let backup = sees_backups.then(|| self.last_backup()).transpose()?;
        Ok(Overview { first_steps, users, backup })
    }

    /// Returns what the actor's organization has done of the first steps.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] without `keyhouse:keys:read`; the errors of the store.
    pub fn first_steps(&self, actor: &Actor) -> Result<FirstSteps, ActionError> {
        actor.require(KEYS_READ)?;
        let has_key = self.first_key(actor, Sort::NEWEST_FIRST)?.is_some();
        let has_used_key = has_key && self.has_used_key(actor)?;
        let has_gate_call = self.has_gate_call(actor)?;
        let sees_users = actor.has(USERS_READ);
        let has_colleague = sees_users.then(|| self.has_colleague(actor)).transpose()?;
        Ok(FirstSteps { has_key, has_used_key, has_gate_call, has_colleague })
    }

    /// The first key of the organization in an order, revoked keys included.
    fn first_key(&self, actor: &Actor, sort: Sort) -> Result<Option<KeyRecord>, ActionError> {
        let query = Query { status: Wanted::All, counted: false, ..Query::of(1, sort) };
        Ok(self.list_keys(actor, &query)?.keys.pop().map(|(record, _whole)| record))
    }

    fn has_used_key(&self, actor: &Actor) -> Result<bool, ActionError> {
        let last_used = self.first_key(actor, Sort::LAST_USED_FIRST)?;
        let secret = last_used.as_ref().and_then(|record| record.secrets.first());
        Ok(secret.is_some_and(|secret| {
            let is_used = |grant: &Grant| grant.live.last_used_at().is_some();
            self.index.with_grant(&secret.digest, |grant| grant.is_some_and(is_used))
        }))
    }

    fn has_gate_call(&self, actor: &Actor) -> Result<bool, ActionError> {
        let organization = actor.organization_id();
        let shared = self.index.shared_organization(organization);
        if shared.is_some_and(|shared| shared.has_gate_call()) {
            return Ok(true);
        }
        let stored: Option<Revised<GateCallRecord>> =
            self.read(&StoreKey::GateCall(organization))?;
        Ok(stored.is_some())
    }

    fn has_colleague(&self, actor: &Actor) -> Result<bool, ActionError> {
        let users = {
            let _turn = self.page_turn(actor);
            self.index.users_of(actor.organization_id()).len()
        };
        Ok(users > 1 || self.has_pending_invitation(actor)?)
    }

    fn user_factors(&self, actor: &Actor) -> Result<UserFactors, ActionError> {
        // The index has the users of all organizations in one map.
        let users = {
            let _turn = self.page_turn(actor);
            self.index.users_of(actor.organization_id())
        };
        let newest: Vec<_> = users.iter().rev().take(USERS_READ_MAX).collect();
        let mut factors = UserFactors { users: 0, without_second_factor: 0 };
        for some in newest.chunks(ROWS_A_PAGE) {
            let _turn = self.page_turn(actor);
            for user in some.iter().filter(|user| !user.standing.disabled) {
                let totp: Option<Revised<TotpRecord>> = self.read(&StoreKey::Totp(user.id))?;
                factors.users += 1;
                if !totp.is_some_and(|held| held.record.confirmed) {
                    factors.without_second_factor += 1;
                }
            }
        }
        Ok(factors)
    }

    fn last_backup(&self) -> Result<LastBackup, ActionError> {
        let scheduled = self.scheduled_backups.now();
        let requested: Option<Revised<LastBackupRecord>> = self.read(&StoreKey::LastBackup)?;
        let requested = requested.map(|held| held.record.at);
        Ok(LastBackup { at: requested.max(scheduled.last_success), every: scheduled.every })
    }
}
