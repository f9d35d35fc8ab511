//! Users: show, list, rename, disable and enable them, and change their roles.
//!
//! An actor cannot change a user who holds a permission that the actor does not hold. An
//! organization always keeps an owner who can sign in, and the instance always keeps such an
//! operator.

use keyhouse_storage::Batch;
use serde_json::{Value, json};

use crate::actions::accounts::people::knows_team;
use crate::actions::actor::Actor;
use crate::actions::changes::{Resource, ResourceRef, Target};
use crate::actions::{ActionError, Actions};
use crate::index::facts::{HeldRole, RoleFacts, UserFacts};
use crate::model::audit_action::AuditAction;
use crate::model::edit::Edit;
use crate::model::errors;
use crate::model::id::{TeamId, UserId};
use crate::model::locale::Locale;
use crate::model::role::{INSTANCE_MANAGE, Role, TEAMS_READ, USERS_MANAGE, USERS_READ};
use crate::records::Revised;
use crate::records::access::UserRecord;
use crate::records::notice::NoticeKind;
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;
use crate::records::rights::RoleRecord;

/// A change of a user. Fields that are `None` do not change.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    pub name: Option<String>,
    /// The new address, in canonical form.
    pub email: Option<String>,
    /// The new language, or the browser's language.
    pub locale: Edit<Locale>,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
    /// Whether the user is an operator.
    pub operator: Option<bool>,
}

/// A user as an actor sees them.
#[derive(Debug)]
pub struct SeenUser {
    /// The record, limited to the teams that the actor may see.
    pub record: UserRecord,
    /// Whether the user has a second factor.
    pub totp: bool,
    /// Whether the address is verified.
    pub email_verified: bool,
}

impl Actions {
    /// Shows a user to that user, or to an actor who may see users.
    pub fn user(&self, actor: &Actor, id: UserId) -> Result<SeenUser, ActionError> {
        // A key sees its owner only with the permission to see users.
        if actor.is_key() || actor.user_id() != Some(id) {
            actor.require(USERS_READ)?;
        }
        let held = self.find_user(actor, id)?;
        self.seen_user(actor, held.record)
    }

    /// Lists the organization's users after `after`, the newest first, at most `limit`. With an
    /// address, lists only the users of the address. Returns the id of the last listed user if more
    /// may follow.
    pub fn list_users(
        &self,
        actor: &Actor,
        limit: usize,
        after: Option<UserId>,
        email: Option<&str>,
    ) -> Result<(Vec<SeenUser>, Option<UserId>), ActionError> {
        actor.require(USERS_READ)?;
        if let Some(email) = email {
            // The operator on the host finds users of every organization by their address.
            let known = if actor.is_local() {
                self.users_of(email, limit)?
            } else {
                let own = self.user_of(actor.organization_id(), email)?;
                own.into_iter().map(|held| held.record).collect()
            };
            let seen = known.into_iter().map(|record| self.seen_user(actor, record));
            return Ok((seen.collect::<Result<_, _>>()?, None));
        }
        let users = self.index.users_of(actor.organization_id());
        let mut behind =
            users.iter().rev().filter(|user| after.is_none_or(|after| user.id < after)).peekable();
        let mut seen = Vec::new();
        while let Some(user) = behind.next_if(|_user| seen.len() < limit) {
            // The index may still contain a user who was just removed.
            if let Some(held) = self.read::<UserRecord>(&StoreKey::User(user.id))? {
                seen.push(self.seen_user(actor, held.record)?);
            }
        }
        let next = seen.last().filter(|_last| behind.peek().is_some());
        let next = next.map(|last| last.record.id);
        Ok((seen, next))
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] if the user, before or after the change, holds a
    /// permission that the actor does not hold; [`ActionError::Conflict`] for the last owner and
    /// the last operator.
    pub fn change_user(
        &self,
        actor: &Actor,
        target: &Target<UserId>,
        change: &UserChange,
    ) -> Result<SeenUser, ActionError> {
        let record = self.in_turn(|| {
            let decided = self.authorize_people(actor, USERS_MANAGE)?;
            let today = &decided.actor;
            let held = self.find_user(today, target.id)?;
            target.current(&held)?;
            let before = &held.record;
            if change.email.is_some() && today.user_id() == Some(target.id) {
                return Err(own_account("change your own address with PATCH /v1/me"));
            }
            self.require_over(today, before)?;
            let mut record = changed(before, change);
            if record.role != before.role {
                today.require_role(&self.requested_role(before.organization, record.role)?)?;
            }
            if record.operator != before.operator {
                today.require(INSTANCE_MANAGE)?;
            }
            if gives_rights(before, &record) {
                decided.require_lasting()?;
            }
            self.keep_the_last(before, Some(&record))?;
            if record.email != before.email {
                record.notices.add(NoticeKind::EmailChanged, actor.author(), decided.now);
            }
            let batch = self.follow_user(Batch::new(), before, &record)?;
            self.update(decided, AuditAction::USER_UPDATE, (&held, record), batch)
        })?;
        self.seen_user(actor, record)
    }

    /// Adds to a batch what follows from a user's changed record: moves the address, and ends the
    /// user's sessions after a change of role, password or address, the loss of operator rights, or
    /// disabling.
    pub(in crate::actions) fn follow_user(
        &self,
        batch: Batch,
        before: &UserRecord,
        record: &UserRecord,
    ) -> Result<Batch, ActionError> {
        let batch = self.move_email(batch, before, record)?;
        let other_rights = before.role != record.role
            || before.password != record.password
            || before.email != record.email
            || (before.operator && !record.operator)
            || record.disabled;
        if other_rights { self.end_sessions(batch, record.id) } else { Ok(batch) }
    }

    /// Requires that the actor holds everything that a user holds, and sees every secret team of
    /// the user.
    pub(in crate::actions) fn require_over(
        &self,
        actor: &Actor,
        user: &UserRecord,
    ) -> Result<(), ActionError> {
        actor.require_rank_over(&self.facts_of(user)?)?;
        self.require_sight_of(actor, &user.teams)
    }

    pub(in crate::actions) fn require_sight_of(
        &self,
        actor: &Actor,
        teams: &[TeamId],
    ) -> Result<(), ActionError> {
        let mut there = teams.iter().filter_map(|id| self.index.team(*id));
        if there.all(|team| knows_team(actor, &team)) { Ok(()) } else { actor.require(TEAMS_READ) }
    }

    /// A user of the actor's organization; for the operator on the host, of any organization.
    pub(in crate::actions) fn find_user(
        &self,
        actor: &Actor,
        id: UserId,
    ) -> Result<Revised<UserRecord>, ActionError> {
        let held: Option<Revised<UserRecord>> = self.read(&StoreKey::User(id))?;
        held.filter(|held| is_reached(actor, &held.record)).ok_or(ActionError::NotFound("user"))
    }

    /// The facts of a user's stored record, which decide the user's rank.
    pub(in crate::actions) fn facts_of(
        &self,
        record: &UserRecord,
    ) -> Result<UserFacts, ActionError> {
        let role = match (self.held_role(record.organization, record.role), record.role) {
            (Ok(role), _) => role,
            (Err(_unknown), Role::Custom(id)) => {
                // If the index does not have the role yet, the stored role decides. A new role
                // would otherwise count as a role without permissions.
                let held: Option<Revised<RoleRecord>> =
                    self.read(&StoreKey::Role(record.organization, id))?;
                let facts =
                    held.map_or_else(|| RoleFacts::unknown(id), |held| (&held.record).into());
                HeldRole::of(facts)
            },
            (Err(error), Role::Builtin(_)) => return Err(error),
        };
        Ok(UserFacts::new(record, role))
    }

    /// Prevents the removal of the last owner who can sign in from an organization, and of the last
    /// such operator from the instance. `after` is the changed record; `None` if the user is
    /// removed.
    pub(in crate::actions) fn keep_the_last(
        &self,
        before: &UserRecord,
        after: Option<&UserRecord>,
    ) -> Result<(), ActionError> {
        let owns = |user: &UserRecord| user.role.is_owner() && !user.disabled;
        let runs = |user: &UserRecord| user.operator && !user.disabled;
        let remains = |user: &UserFacts| user.id != before.id && !user.standing.disabled;
        if owns(before) && !after.is_some_and(owns) {
            let users = self.index.users_of(before.organization);
            if !users.iter().any(|user| remains(user) && user.is_owner()) {
                return Err(ActionError::Conflict {
                    error: errors::LAST_OWNER,
                    detail: "an organization must have an owner: make another user owner first",
                });
            }
        }
        if runs(before) && !after.is_some_and(runs) {
            let operators = self.index.operators();
            if !operators.iter().any(|user| remains(user)) {
                return Err(ActionError::Conflict {
                    error: errors::LAST_OPERATOR,
                    detail: "the instance must have an operator: make another user operator first",
                });
            }
        }
        Ok(())
    }

    /// Whether a user's address is verified.
    pub(in crate::actions) fn is_email_verified(&self, user: &UserRecord) -> bool {
        let organization = self.index.organization(user.organization);
        let vouched = organization.is_some_and(|known| known.vouches_for(&user.email));
        vouched && !user.email_unconfirmed
    }

    fn seen_user(&self, actor: &Actor, mut record: UserRecord) -> Result<SeenUser, ActionError> {
        record.teams.retain(|id| self.index.team(*id).is_some_and(|team| knows_team(actor, &team)));
        let totp: Option<Revised<TotpRecord>> = self.read(&StoreKey::Totp(record.id))?;
        let totp = totp.is_some_and(|held| held.record.confirmed);
        let email_verified = self.is_email_verified(&record);
        Ok(SeenUser { record, totp, email_verified })
    }
}

impl Resource for UserRecord {
    fn identity(&self) -> ResourceRef {
        ResourceRef::new(StoreKey::User(self.id), &self.id, Some(self.organization))
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn audit(&self) -> Value {
        shape(self)
    }
}

fn is_reached(actor: &Actor, user: &UserRecord) -> bool {
    actor.is_local() || user.organization == actor.organization_id()
}

/// Whether a change gives a user rights, enables a disabled user, or assigns an address, by which
/// others identify the user.
fn gives_rights(before: &UserRecord, after: &UserRecord) -> bool {
    before.role != after.role
        || before.email != after.email
        || (after.operator && !before.operator)
        || (before.disabled && !after.disabled)
}

fn changed(before: &UserRecord, change: &UserChange) -> UserRecord {
    let mut record = before.clone();
    if let Some(name) = &change.name {
        record.name.clone_from(name);
    }
    if let Some(email) = &change.email {
        record.email.clone_from(email);
        record.email_unconfirmed = false;
    }
    change.locale.clone().map(|locale| locale.name().into()).apply(&mut record.locale);
    record.role = change.role.unwrap_or(before.role);
    record.disabled = change.disabled.unwrap_or(before.disabled);
    record.operator = change.operator.unwrap_or(before.operator);
    record
}

/// The error of an action that users can only do in their own session.
pub(in crate::actions) fn own_account(detail: &'static str) -> ActionError {
    ActionError::Conflict { error: errors::OWN_ACCOUNT, detail }
}

/// The fields of a user in an audit event.
pub(in crate::actions) fn shape(user: &UserRecord) -> Value {
    json!({
        "name": user.name,
        "email": user.email,
        "email_unconfirmed": user.email_unconfirmed,
        "role": user.role.to_string(),
        "operator": user.operator,
        "disabled": user.disabled,
        "locale": user.locale,
    })
}
