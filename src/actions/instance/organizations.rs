//! Organizations: their settings, which owners change, and the actions of operators on every
//! organization.
//!
//! Checks reject the keys of a suspended organization. Users of a suspended organization can still
//! sign in, so that an operator who suspends their own organization can undo it.
//!
//! The link of an organization's first owner becomes invalid if the operator who created it loses
//! their rights. `keyhouse user invite --organization` on the host creates another link.

use keyhouse_storage::Batch;

use crate::actions::accounts::invitations::{InvitationStatus, SeenInvitation};
use crate::actions::actor::{Actor, OWNER};
use crate::actions::authority::Authorized;
use crate::actions::changes::Target;
use crate::actions::rows::Listed;
use crate::actions::{ActionError, Actions, put};
use crate::model::audit_action::AuditAction;
use crate::model::edit::Edit;
use crate::model::errors;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::model::plan::{PLAN_DEFAULT, SubscriptionStatus};
use crate::model::role::{
    BuiltinRole, INSTANCE_MANAGE, ORGANIZATION_MANAGE, ORGANIZATION_READ, SUBSCRIPTION_READ,
};
use crate::model::second_factor::RequiredOf;
use crate::model::secret::Secret;
use crate::records::Revised;
use crate::records::access::{OrganizationRecord, PlanRecord};
use crate::records::place::StoreKey;
use crate::records::rights::TeamRecord;

pub const ORGANIZATIONS_MAX: usize = 10_000;

/// An organization to be created.
#[derive(Debug)]
pub struct OrganizationDraft {
    pub name: String,
    /// The plan; the default is `free`.
    pub plan: Option<String>,
    /// The address of the organization's first owner, in canonical form.
    pub owner_email: String,
}

/// A new organization with the invitation of its first owner.
#[derive(Debug)]
pub struct NewOrganization {
    pub record: OrganizationRecord,
    pub invitation: SeenInvitation,
    /// The invitation's one-time token, which only the response contains.
    pub token: Secret,
}

/// A change of an organization. Fields that are `None` do not change. The two actions that take
/// such a change check which fields their caller may set.
#[derive(Debug, Default)]
pub struct OrganizationChange {
    pub name: Option<String>,
    /// Whether plain users may create personal keys.
    pub members_create_keys: Option<bool>,
    /// The longest lifetime of a key, in days, or no limit.
    pub key_lifetime_days_max: Edit<u32>,
    /// The users who must have a second factor. Owners and operators change this field.
    pub second_factor_required_of: Option<Vec<RequiredOf>>,
    /// The organization's email domains, in canonical form. Only operators change this field.
    pub domains: Option<Vec<Box<str>>>,
    /// Whether the organization is suspended. Only operators change this field.
    pub suspended: Option<bool>,
    /// The maximum of permissions outside `keyhouse:` for the organization's keys, or no maximum.
    /// Only operators change this field.
    pub permissions: Edit<Patterns>,
}

/// A change of a subscription.
#[derive(Debug, Default)]
pub struct SubscriptionChange {
    pub plan: Option<String>,
    pub status: Option<SubscriptionStatus>,
    pub current_period_end: Edit<Moment>,
}

/// A subscription with its plan.
#[derive(Debug)]
pub struct SeenSubscription {
    /// The organization, which holds the subscription.
    pub organization: OrganizationRecord,
    pub plan: PlanRecord,
    /// Whether the plan and the subscription give API access now.
    pub has_access: bool,
    /// Keys that are neither revoked nor expired.
    pub keys: u64,
    pub users: usize,
    pub teams: usize,
}

impl Actions {
    pub fn own_organization(&self, actor: &Actor) -> Result<OrganizationRecord, ActionError> {
        actor.require(ORGANIZATION_READ)?;
        Ok(self.find_organization(actor.organization_id())?.record)
    }

    /// Changes the settings that the actor's organization controls itself. Only owners decide which
    /// users must have a second factor. An owner who relaxes this rule needs a session with a
    /// second factor.
    ///
    /// # Errors
    /// [`ActionError::Invalid`] for a role that does not exist.
    pub fn change_own_organization(
        &self,
        actor: &Actor,
        versions: Option<Vec<u64>>,
        change: &OrganizationChange,
    ) -> Result<OrganizationRecord, ActionError> {
        let own = OrganizationChange {
            name: change.name.clone(),
            members_create_keys: change.members_create_keys,
            key_lifetime_days_max: change.key_lifetime_days_max.clone(),
            second_factor_required_of: change.second_factor_required_of.clone(),
            ..OrganizationChange::default()
        };
        let target = Target { id: actor.organization_id(), versions };
        let named = (ORGANIZATION_MANAGE, AuditAction::ORGANIZATION_UPDATE);
        self.rewrite_organization(actor, &target, named, |actor, record| {
            if own.second_factor_required_of.is_some() && !actor.is_owner() {
                return Err(ActionError::PermissionRequired(OWNER.to_owned()));
            }
            self.apply(record, &own)
        })
    }

    /// Lists all organizations, the newest first. For operators.
    pub fn list_organizations(
        &self,
        actor: &Actor,
        limit: usize,
        after: Option<OrganizationId>,
    ) -> Result<Listed<OrganizationRecord>, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        let ids = self.index.organization_ids().into_iter().rev();
        let behind = ids.filter(|id| after.is_none_or(|after| *id < after));
        let listed = Listed::first(limit, behind);
        let mut items = Vec::new();
        for id in listed.items {
            // An organization that is only in the index was removed.
            items.extend(self.read(&StoreKey::Organization(id))?.map(|held| held.record));
        }
        Ok(Listed { items, more: listed.more })
    }

    /// Shows an organization. For operators.
    pub fn organization(
        &self,
        actor: &Actor,
        id: OrganizationId,
    ) -> Result<OrganizationRecord, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        Ok(self.find_organization(id)?.record)
    }

    /// Creates an organization and invites its first owner. For operators.
    ///
    /// # Errors
    /// [`ActionError::Invalid`] for a plan that does not exist; [`ActionError::Conflict`] over
    /// [`ORGANIZATIONS_MAX`]; [`ActionError::ProofRequired`].
    pub fn create_organization(
        &self,
        actor: &Actor,
        draft: &OrganizationDraft,
    ) -> Result<NewOrganization, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        self.in_turn(|| {
            let decided = self.authorize_people(actor, INSTANCE_MANAGE)?;
            decided.require_lasting()?;
            if self.index.organization_ids().len() >= ORGANIZATIONS_MAX {
                return Err(ActionError::Conflict {
                    error: errors::TOO_MANY_ORGANIZATIONS,
                    detail: "the instance has the maximum of 10,000 organizations",
                });
            }
            let email = draft.owner_email.clone();
            let plan = draft.plan.as_deref().unwrap_or(PLAN_DEFAULT);
            self.require_plan(plan)?;
            decided.require_proof()?;
            let id = OrganizationId::new(decided.now, &mut *self.random());
            let record = OrganizationRecord::new(id, draft.name.clone(), plan, decided.now);
            let (owner, author) = (BuiltinRole::Owner.into(), decided.actor.author());
            let (invitation, token) = self.new_invitation(id, email, owner, author);
            let place = StoreKey::Invitation(invitation.id);
            let batch = put(Batch::new().absent(place.to_bytes()), &place, &invitation)?;
            let attempt = self.insert(decided, AuditAction::ORGANIZATION_CREATE, record, batch)?;
            let status = InvitationStatus::Pending;
            let invitation = SeenInvitation { record: invitation, status };
            Ok(attempt.map(|record| NewOrganization { record, invitation, token }))
        })
    }

    /// Changes an organization. For operators.
    ///
    /// # Errors
    /// [`ActionError::Invalid`] for a role that does not exist; [`ActionError::Conflict`] for a
    /// domain that belongs to another organization.
    pub fn change_organization(
        &self,
        actor: &Actor,
        target: &Target<OrganizationId>,
        change: &OrganizationChange,
    ) -> Result<OrganizationRecord, ActionError> {
        let named = (INSTANCE_MANAGE, AuditAction::ORGANIZATION_UPDATE);
        self.rewrite_organization(actor, target, named, |_actor, record| self.apply(record, change))
    }

    pub fn own_subscription(&self, actor: &Actor) -> Result<SeenSubscription, ActionError> {
        actor.require(SUBSCRIPTION_READ)?;
        self.seen_subscription(self.find_organization(actor.organization_id())?.record)
    }

    /// Shows an organization's subscription. For operators.
    pub fn subscription(
        &self,
        actor: &Actor,
        id: OrganizationId,
    ) -> Result<SeenSubscription, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        self.seen_subscription(self.find_organization(id)?.record)
    }

    /// Changes an organization's subscription. The change applies to the next check. For operators.
    ///
    /// # Errors
    /// [`ActionError::Invalid`] for a plan that does not exist.
    pub fn change_subscription(
        &self,
        actor: &Actor,
        target: &Target<OrganizationId>,
        change: &SubscriptionChange,
    ) -> Result<SeenSubscription, ActionError> {
        let named = (INSTANCE_MANAGE, AuditAction::SUBSCRIPTION_UPDATE);
        let changed = self.rewrite_organization(actor, target, named, |_actor, record| {
            if let Some(plan) = &change.plan {
                self.require_plan(plan)?;
                record.plan = plan.as_str().into();
            }
            record.status = change.status.unwrap_or(record.status);
            change.current_period_end.apply(&mut record.current_period_end);
            Ok(())
        })?;
        self.seen_subscription(changed)
    }

    fn seen_subscription(
        &self,
        organization: OrganizationRecord,
    ) -> Result<SeenSubscription, ActionError> {
        let plan: Option<Revised<PlanRecord>> =
            self.read(&StoreKey::Plan(organization.plan.clone()))?;
        let plan =
            plan.map_or_else(|| PlanRecord::unlimited(&organization.plan, &[]), |held| held.record);
        let now = self.clock.now().wall;
        let has_access = organization.subscription().gives_access(plan.api_access, now);
        let id = organization.id;
        let keys = self.count_keys(id)?;
        let users = self.index.users_of(id).len();
        let teams = self.read_all::<TeamRecord>(&StoreKey::teams_of(id))?.len();
        Ok(SeenSubscription { organization, plan, has_access, keys, users, teams })
    }

    fn find_organization(
        &self,
        id: OrganizationId,
    ) -> Result<Revised<OrganizationRecord>, ActionError> {
        self.read(&StoreKey::Organization(id))?.ok_or(ActionError::NotFound("organization"))
    }

    /// Plans are never removed, so no guard on the plan is needed.
    fn require_plan(&self, name: &str) -> Result<(), ActionError> {
        if self.read::<PlanRecord>(&StoreKey::Plan(name.into()))?.is_some() {
            return Ok(());
        }
        let detail = "must be a plan of this instance: free, pro or enterprise";
        Err(ActionError::Invalid(vec![Fault::new("/plan", FaultCode::UNKNOWN_PLAN, detail)]))
    }

    fn rewrite_organization(
        &self,
        actor: &Actor,
        target: &Target<OrganizationId>,
        (permission, action): (&str, AuditAction),
        change: impl Fn(&Actor, &mut OrganizationRecord) -> Result<(), ActionError>,
    ) -> Result<OrganizationRecord, ActionError> {
        Self::until_done(|| {
            let decided = self.authorize_holder(actor, permission)?;
            let held = self.find_organization(target.id)?;
            let mut record = target.current(&held)?;
            change(&decided.actor, &mut record)?;
            if record != held.record {
                require_for(&decided, &held.record, &record)?;
            }
            let batch = self.move_domains(Batch::new(), &held.record, &record)?;
            self.update(decided, action, (&held, record), batch)
        })
    }
}

/// Checks what a change requires besides the permission. Every change of an organization outlives
/// the limits of a key, so a key with limits is rejected. Relaxing the rule for second factors
/// requires a session with a second factor.
fn require_for(
    decided: &Authorized,
    before: &OrganizationRecord,
    after: &OrganizationRecord,
) -> Result<(), ActionError> {
    let required = (&before.second_factor_required_of, &after.second_factor_required_of);
    if required.0.iter().any(|of| !required.1.contains(of)) {
        decided.actor.require_own_factor()?;
    }
    decided.require_lasting()
}
