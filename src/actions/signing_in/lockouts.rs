//! Lockouts: the accounts and networks whose sign-ins wait after failures.
//!
//! The list shows the current state of this process only.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use keyhouse_storage::Batch;

use crate::actions::accounts::emails::account_of;
use crate::actions::actor::{Actor, OWNER};
use crate::actions::events::AuditEntry;
use crate::actions::{ActionError, Actions};
use crate::index::facts::UserFacts;
use crate::model::audit_action::AuditAction;
use crate::model::id::UserId;
use crate::model::moment::Moment;
use crate::model::role::INSTANCE_MANAGE;
use crate::model::secret::Digest;

/// The part of the id for all clients whose address is unknown.
const UNKNOWN: &str = "unknown";
/// Replaces the slash of a network in an id, which must be one path segment.
const SLASH: char = '_';
const COLON: &str = "-";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockoutId {
    User(UserId),
    /// A network. `None` for all clients whose address is unknown.
    Network(Option<IpNet>),
}

impl fmt::Display for LockoutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Network(Some(network)) => {
                let address = network.addr().to_string().replace(':', COLON);
                write!(f, "{address}{SLASH}{}", network.prefix_len())
            },
            Self::Network(None) => f.write_str(UNKNOWN),
        }
    }
}

/// The text is not the id of a lockout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of a lockout")]
pub struct InvalidLockoutId;

impl FromStr for LockoutId {
    type Err = InvalidLockoutId;

    fn from_str(text: &str) -> Result<Self, InvalidLockoutId> {
        if text == UNKNOWN {
            return Ok(Self::Network(None));
        }
        if let Ok(user) = text.parse() {
            return Ok(Self::User(user));
        }
        let network = text.replacen(SLASH, "/", 1).replace(COLON, ":").parse::<IpNet>();
        network.map(|network| Self::Network(Some(network))).map_err(|_source| InvalidLockoutId)
    }
}

#[derive(Debug)]
pub struct Lockout {
    pub id: LockoutId,
    /// The user, for a lockout of an account.
    pub user: Option<Arc<UserFacts>>,
    /// Failures in a row, for a lockout of an account.
    pub failures: Option<u32>,
    /// When the next attempt is accepted; `None` if it is accepted now.
    pub until: Option<Moment>,
}

impl Actions {
    /// Lists the lockouts that an actor may lift, the longest first, at most `limit`. Owners see
    /// the accounts of their organization, operators see all lockouts. Accounts that do not exist
    /// are left out. If an organization does not vouch for an account's address, its owners see
    /// only failures that cannot come from the user's sign-ins to another organization.
    pub fn lockouts(&self, actor: &Actor, limit: usize) -> Result<Vec<Lockout>, ActionError> {
        let sees_all = sees_all(actor)?;
        let now = self.clock.now();
        let slowed = self.throttle.slowed(now.ticks);
        let until = |wait: std::time::Duration| (!wait.is_zero()).then(|| now.wall.after(wait));
        let mut found = Vec::new();
        if !slowed.accounts.is_empty() {
            let organizations = if sees_all {
                self.index.organization_ids()
            } else {
                vec![actor.organization_id()]
            };
            let users = organizations.into_iter().flat_map(|id| self.index.users_of(id));
            found.extend(users.filter_map(|user| {
                let is_shown = sees_all || self.is_vouched_for(&user);
                let accounts = if is_shown { &slowed.accounts } else { &slowed.guessed };
                let account = accounts.get(&Digest::of(account_of(user.id).as_bytes()))?;
                Some(Lockout {
                    id: LockoutId::User(user.id),
                    user: Some(user),
                    failures: Some(account.failures),
                    until: until(account.wait),
                })
            }));
        }
        if sees_all {
            found.extend(slowed.networks.into_iter().map(|(network, wait)| Lockout {
                id: LockoutId::Network(network),
                user: None,
                failures: None,
                until: until(wait),
            }));
        }
        found.sort_by_key(|lockout| Reverse((lockout.until, lockout.failures)));
        found.truncate(limit);
        Ok(found)
    }

    /// A user of the actor's organization whose lockout the list may hide, because it may come from
    /// sign-ins to another organization. The actor can lift this lockout without seeing it.
    fn hidden_lockout(&self, actor: &Actor, id: UserId) -> Result<Arc<UserFacts>, ActionError> {
        let user = self.index.user(id).filter(|user| user.organization == actor.organization_id());
        user.filter(|user| !actor.has(INSTANCE_MANAGE) && !self.is_vouched_for(user))
            .ok_or(ActionError::NotFound("lockout"))
    }

    fn is_vouched_for(&self, user: &UserFacts) -> bool {
        let organization = self.index.organization(user.organization);
        organization.is_some_and(|organization| organization.verified_email(user).is_some())
    }

    /// Clears the failed sign-ins of an account or a network.
    ///
    /// # Errors
    /// [`ActionError::NotFound`] if there is no such lockout, or the actor may not lift it. For a
    /// user whose lockouts the list may hide, the call succeeds in any case.
    pub fn lift_lockout(&self, actor: &Actor, id: LockoutId) -> Result<(), ActionError> {
        Self::until_done(|| {
            let decided = self.authorize(actor)?;
            // Lifting lockouts repeatedly allows any number of guesses, and a guessed password
            // outlives a key.
            decided.require_lasting()?;
            let listed = self.lockouts(&decided.actor, usize::MAX)?;
            let user = match (listed.into_iter().find(|it| it.id == id), id) {
                (Some(listed), _) => listed.user,
                (None, LockoutId::User(user)) => Some(self.hidden_lockout(&decided.actor, user)?),
                (None, LockoutId::Network(_)) => return Err(ActionError::NotFound("lockout")),
            };
            let target = match id {
                LockoutId::User(user) => user.to_string(),
                LockoutId::Network(Some(network)) => network.to_string(),
                LockoutId::Network(None) => UNKNOWN.to_owned(),
            };
            let lifted = AuditEntry::by(&decided, AuditAction::LOCKOUT_LIFT, target);
            let lifted = match &user {
                Some(user) => lifted.inside(user.organization),
                None => lifted.of_instance(),
            };
            self.commit_change(decided, Batch::new(), lifted, user)
        })
        .map(|user| match (user, id) {
            (Some(user), _) => self.throttle.forgive(&account_of(user.id)),
            (None, LockoutId::Network(network)) => self.throttle.forgive_network(network),
            (None, LockoutId::User(_)) => {},
        })
    }
}

/// Whether an actor sees the lockouts of all organizations and of networks.
fn sees_all(actor: &Actor) -> Result<bool, ActionError> {
    if actor.has(INSTANCE_MANAGE) {
        return Ok(true);
    }
    if actor.is_owner() {
        return Ok(false);
    }
    // A key is never an owner.
    let needed = if actor.is_key() { INSTANCE_MANAGE } else { OWNER };
    Err(ActionError::PermissionRequired(needed.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_parsed_from_their_texts() {
        for text in ["203.0.113.7_32", "2001-db8-1-2--_64", "203.0.113.0_24", "unknown"] {
            assert_eq!(text.parse::<LockoutId>().unwrap().to_string(), text);
        }
        for text in ["", "203.0.113.7", "203.0.113.7/32/1", "other", "usr_1"] {
            assert!(text.parse::<LockoutId>().is_err(), "{text}");
        }
    }
}
