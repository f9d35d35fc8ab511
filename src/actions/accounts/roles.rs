//! Custom roles: named sets of permissions that an organization adds to the four built-in roles.
//!
//! A change of a role applies to the next check of every user who has the role, and of their keys,
//! since checks look up the role.
//!
//! An actor may give a role whose permissions the actor holds, regardless of the organization's
//! maximum. If the maximum applied, an owner under a low maximum would not hold the `*` of a plain
//! user's role.

use keyhouse_storage::Batch;
use serde_json::{Value, json};

use crate::actions::actor::Actor;
use crate::actions::changes::{Resource, ResourceRef, Target, require_free_name};
use crate::actions::rows::Listed;
use crate::actions::{ActionError, Actions};
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::RoleId;
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::model::role::{
    BuiltinRole, ROLES_MANAGE, ROLES_READ, Role, check_role_name, check_role_patterns,
};
use crate::records::Revised;
use crate::records::people::InvitationRecord;
use crate::records::place::StoreKey;
use crate::records::rights::RoleRecord;

pub const ROLES_MAX: usize = 200;
const NAME_TAKEN: &str = "the organization already has a role with this name: use another name";

/// A role in a list of roles.
#[derive(Clone, Debug)]
pub enum KnownRole {
    /// A built-in role, with the permissions that it grants in this organization now.
    Builtin(BuiltinRole, Patterns),
    Custom(RoleRecord),
}

/// A role to be created.
#[derive(Debug)]
pub struct RoleDraft {
    pub name: String,
    pub description: String,
    pub permissions: Patterns,
}

/// A change of a role. Fields that are `None` do not change.
#[derive(Debug, Default)]
pub struct RoleChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub permissions: Option<Patterns>,
}

impl Actions {
    /// Lists the roles of the actor's organization: the four built-in roles, then the custom roles,
    /// the oldest first. `after` is the last role of the previous page.
    pub fn list_roles(
        &self,
        actor: &Actor,
        limit: usize,
        after: Option<RoleId>,
    ) -> Result<Listed<KnownRole>, ActionError> {
        require_sight(actor)?;
        let custom: Vec<RoleRecord> =
            self.read_all(&StoreKey::roles_of(actor.organization_id()))?;
        let known = BuiltinRole::ALL
            .into_iter()
            .map(|role| builtin(actor, role))
            .chain(custom.into_iter().map(KnownRole::Custom));
        let behind = known.filter(|role| after.is_none_or(|after| role.place_in_list() > after));
        Ok(Listed::first(limit, behind))
    }

    pub fn role(&self, actor: &Actor, role: Role) -> Result<KnownRole, ActionError> {
        require_sight(actor)?;
        match role {
            Role::Builtin(role) => Ok(builtin(actor, role)),
            Role::Custom(id) => Ok(KnownRole::Custom(self.find_role(actor, id)?.record)),
        }
    }

    /// Creates a role with permissions that the actor holds.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] for a name that exists, and over [`ROLES_MAX`].
    pub fn create_role(&self, actor: &Actor, draft: &RoleDraft) -> Result<RoleRecord, ActionError> {
        let organization = actor.organization_id();
        self.in_turn(|| {
            let decided = self.authorize_people(actor, ROLES_MANAGE)?;
            decided.require_lasting()?;
            check(Some(&draft.name), Some(&draft.permissions))?;
            decided.actor.require_all(draft.permissions.as_set())?;
            let others: Vec<RoleRecord> = self.read_all(&StoreKey::roles_of(organization))?;
            if others.len() >= ROLES_MAX {
                let detail = "the organization has the maximum number of roles: remove a role \
                    first";
                return Err(ActionError::Conflict { error: errors::TOO_MANY_ROLES, detail });
            }
            require_free_name(names(&others, None), &draft.name, NAME_TAKEN)?;
            let record = RoleRecord {
                id: RoleId::new(decided.now, &mut *self.random()),
                organization,
                name: draft.name.clone(),
                description: draft.description.clone(),
                permissions: draft.permissions.clone(),
                created_at: decided.now,
                version: 1,
            };
            self.insert(decided, AuditAction::ROLE_CREATE, record, Batch::new())
        })
    }

    /// Changes a role. Requires everything that the role grants, before and after the change.
    pub fn change_role(
        &self,
        actor: &Actor,
        target: &Target<Role>,
        change: &RoleChange,
    ) -> Result<RoleRecord, ActionError> {
        self.in_turn(|| {
            // The change may change the rights of every user who has the role.
            let decided = self.authorize_people(actor, ROLES_MANAGE)?;
            let today = &decided.actor;
            decided.require_lasting()?;
            check(change.name.as_deref(), change.permissions.as_ref())?;
            let held = self.find_role(today, custom(target.id)?)?;
            let mut record = target.current(&held)?;
            today.require_rank(record.permissions.as_set())?;
            if let Some(permissions) = &change.permissions {
                today.require_all(permissions.as_set())?;
                record.permissions.clone_from(permissions);
            }
            if let Some(name) = &change.name {
                let others: Vec<RoleRecord> =
                    self.read_all(&StoreKey::roles_of(record.organization))?;
                require_free_name(names(&others, Some(record.id)), name, NAME_TAKEN)?;
                record.name.clone_from(name);
            }
            if let Some(description) = &change.description {
                record.description.clone_from(description);
            }
            self.update(decided, AuditAction::ROLE_UPDATE, (&held, record), Batch::new())
        })
    }

    /// Removes a role that no user and no invitation has.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] while the role is in use.
    pub fn remove_role(&self, actor: &Actor, target: &Target<Role>) -> Result<(), ActionError> {
        self.in_turn(|| {
            let decided = self.authorize_people(actor, ROLES_MANAGE)?;
            let held = self.find_role(&decided.actor, custom(target.id)?)?;
            let record = target.current(&held)?;
            decided.actor.require_rank(record.permissions.as_set())?;
            if self.is_in_use(&record, decided.now)? {
                let detail = "users or open invitations have this role: assign another role to \
                    them first";
                return Err(ActionError::Conflict { error: errors::ROLE_IN_USE, detail });
            }
            self.delete(decided, AuditAction::ROLE_REMOVE, &held)
        })
    }

    fn find_role(&self, actor: &Actor, id: RoleId) -> Result<Revised<RoleRecord>, ActionError> {
        let held = self.read(&StoreKey::Role(actor.organization_id(), id))?;
        held.ok_or(ActionError::NotFound("role"))
    }

    /// Whether a user or a pending invitation has a role. The caller holds the guard of
    /// [`Actions::authorize_people`], as does every action that assigns a role.
    fn is_in_use(&self, role: &RoleRecord, now: Moment) -> Result<bool, ActionError> {
        let named = Role::Custom(role.id);
        let users = self.index.users_of(role.organization);
        if users.iter().any(|user| user.role.role() == named) {
            return Ok(true);
        }
        let invitations: Vec<InvitationRecord> = self.read_all(StoreKey::INVITATIONS)?;
        let counts = |open: &InvitationRecord| open.role == named && now < open.ends_at;
        Ok(invitations.iter().any(counts))
    }
}

impl KnownRole {
    /// The role's position in the list, for cursors. The built-in roles come before all ids.
    pub fn place_in_list(&self) -> RoleId {
        match self {
            Self::Builtin(role, _) => {
                let at = BuiltinRole::ALL.iter().position(|known| known == role);
                let mut bytes = [0; 16];
                let [.., last] = &mut bytes;
                *last = u8::try_from(at.unwrap_or_default()).unwrap_or_default();
                RoleId::from_bytes(bytes)
            },
            Self::Custom(record) => record.id,
        }
    }
}

/// Rejects the built-in roles, which cannot be changed.
fn custom(role: Role) -> Result<RoleId, ActionError> {
    match role {
        Role::Custom(id) => Ok(id),
        Role::Builtin(_) => Err(ActionError::Conflict {
            error: errors::BUILTIN_ROLE,
            detail: "built-in roles cannot be changed: create a custom role",
        }),
    }
}

fn require_sight(actor: &Actor) -> Result<(), ActionError> {
    if actor.has(ROLES_MANAGE) { Ok(()) } else { actor.require(ROLES_READ) }
}

fn builtin(actor: &Actor, role: BuiltinRole) -> KnownRole {
    let switch = actor.organization().members_create_keys;
    KnownRole::Builtin(role, role.patterns(switch).into())
}

fn check(name: Option<&str>, permissions: Option<&Patterns>) -> Result<(), ActionError> {
    let mut faults = Vec::new();
    if let Some(Err(error)) = name.map(check_role_name) {
        faults.push(Fault::new("/name", FaultCode::RESERVED_NAME, error));
    }
    if let Some(Err(error)) = permissions.map(check_role_patterns) {
        faults.push(Fault::new("/permissions", FaultCode::OPERATORS_ONLY, error));
    }
    if faults.is_empty() { Ok(()) } else { Err(ActionError::Invalid(faults)) }
}

/// The names of all roles except the changed role.
fn names(roles: &[RoleRecord], except: Option<RoleId>) -> impl Iterator<Item = &str> {
    roles.iter().filter(move |role| except != Some(role.id)).map(|role| &*role.name)
}

impl Resource for RoleRecord {
    fn identity(&self) -> ResourceRef {
        ResourceRef::new(
            StoreKey::Role(self.organization, self.id),
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
            "permissions": self.permissions.as_set().texts().collect::<Vec<_>>(),
        })
    }
}
