//! Organizations: what each says of itself, and what operators decide about all of them.
//!
//! Suspending an organization stops its keys, not its people: an operator who suspends their own
//! can still sign in and take it back.
//!
//! The link of an organization's first owner becomes invalid with the rights of the operator who
//! created it. The host creates another with `keyhouse user invite --organization`.

use keyhouse_storage::Batch;
use serde_json::json;

use crate::actions::actor::{Actor, OWNER};
use crate::actions::authority::Authorized;
use crate::actions::events::Happening;
use crate::actions::invitations::{InvitationStatus, SeenInvitation};
use crate::actions::organization_record::{new_organization, shape};
use crate::actions::rows::Listed;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::edit::Edit;
use crate::model::fault::Fault;
use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::model::plan::SubscriptionStatus;
use crate::model::role::{
    BuiltinRole, INSTANCE_MANAGE, ORGANIZATION_MANAGE, ORGANIZATION_READ, SUBSCRIPTION_READ,
};
use crate::model::second_factor::RequiredOf;
use crate::model::secret::Secret;
use crate::records::Held;
use crate::records::access::{OrganizationRecord, PlanRecord};
use crate::records::place::Place;
use crate::records::rights::TeamRecord;

/// Most organizations of an instance.
pub const ORGANIZATIONS_MAX: usize = 10_000;
/// The plan of an organization for which operators name none.
const PLAN_DEFAULT: &str = "free";

/// An organization to be made.
#[derive(Debug)]
pub struct OrganizationDraft {
    /// Its name.
    pub name: String,
    /// Its plan; `free` where there is none.
    pub plan: Option<String>,
    /// The address of its first owner, in its one form.
    pub owner_email: String,
}

/// An organization that was just made, with the invitation of its owner.
#[derive(Debug)]
pub struct NewOrganization {
    /// The organization.
    pub record: OrganizationRecord,
    /// The invitation.
    pub invitation: SeenInvitation,
    /// The invitation's one-time token, which is nowhere else.
    pub token: Secret,
}

/// The organization that a change is meant for.
#[derive(Clone, Debug)]
pub struct OrganizationTarget {
    /// The organization.
    pub id: OrganizationId,
    /// The versions it may have (`If-Match`), where the caller says so.
    pub versions: Option<Vec<u64>>,
}

/// What is to change of an organization; what is not named stays. Which fields a caller may name is
/// the business of the two actions that take this.
#[derive(Debug, Default)]
pub struct OrganizationChange {
    /// Another name.
    pub name: Option<String>,
    /// Whether plain users may make personal keys.
    pub members_create_keys: Option<bool>,
    /// The longest a key may last, in days, or no bound.
    pub key_lifetime_days_max: Edit<u32>,
    /// Whom it requires a second factor of. For owners, and for operators.
    pub second_factor_required_of: Option<Vec<RequiredOf>>,
    /// Its e-mail domains, each in its canonical form. For operators.
    pub domains: Option<Vec<Box<str>>>,
    /// Whether it is stopped. For operators.
    pub suspended: Option<bool>,
    /// The ceiling of what its keys are granted outside `keyhouse:`; none for all. For operators.
    pub permissions: Edit<Patterns>,
}

/// What is to change of a subscription.
#[derive(Debug, Default)]
pub struct SubscriptionChange {
    /// Another plan.
    pub plan: Option<String>,
    /// Another status.
    pub status: Option<SubscriptionStatus>,
    /// Another end, or none.
    pub current_period_end: Edit<Moment>,
}

/// A subscription, with the plan it is to.
#[derive(Debug)]
pub struct SeenSubscription {
    /// The organization, which holds the subscription.
    pub organization: OrganizationRecord,
    /// The plan.
    pub plan: PlanRecord,
    /// Whether keys work now.
    pub has_access: bool,
    /// Keys that were not revoked and have not expired.
    pub keys: u64,
    /// Users.
    pub users: usize,
    /// Teams.
    pub teams: usize,
}

impl Actions {
    /// Shows the actor's organization.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`].
    pub fn own_organization(&self, actor: &Actor) -> Result<OrganizationRecord, ActionError> {
        actor.require(ORGANIZATION_READ)?;
        Ok(self.find_organization(actor.organization_id())?.record)
    }

    /// Changes the actor's organization, as far as that is its own business. Whom it requires a
    /// second factor of is its owners' to decide; who lets somebody off shows one themselves.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`], [`ActionError::SecondFactorRequired`],
    /// [`ActionError::BeyondKey`], [`ActionError::VersionConflict`];
    /// [`ActionError::Invalid`] for a role that is none.
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
        let target = OrganizationTarget { id: actor.organization_id(), versions };
        let named = (ORGANIZATION_MANAGE, "organization.update");
        self.rewrite_organization(actor, &target, named, |actor, record| {
            if own.second_factor_required_of.is_some() && !actor.is_owner() {
                return Err(ActionError::PermissionRequired(OWNER.to_owned()));
            }
            self.apply(record, &own)
        })
    }

    /// Lists all organizations, the newest first. For operators.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`].
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
            // One that the index has and the store no longer is gone by now.
            items.extend(self.read(&Place::Organization(id))?.map(|held| held.record));
        }
        Ok(Listed { items, more: listed.more })
    }

    /// Shows an organization. For operators.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`], [`ActionError::NotFound`].
    pub fn organization(
        &self,
        actor: &Actor,
        id: OrganizationId,
    ) -> Result<OrganizationRecord, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        Ok(self.find_organization(id)?.record)
    }

    /// Makes an organization and invites its first owner. For operators.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`], [`ActionError::BeyondKey`]; [`ActionError::Invalid`] for
    /// a plan that is none; [`ActionError::Conflict`] for one organization too many.
    pub fn create_organization(
        &self,
        actor: &Actor,
        draft: &OrganizationDraft,
    ) -> Result<NewOrganization, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        self.in_turn(|| {
            let decided = self.authorize_people(actor, INSTANCE_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            decided.require_lasting()?;
            if self.index.organization_ids().len() >= ORGANIZATIONS_MAX {
                return Err(ActionError::Conflict {
                    code: "too_many_organizations",
                    detail: "an instance takes at most 10,000 organizations",
                });
            }
            let email = draft.owner_email.clone();
            let plan = draft.plan.as_deref().unwrap_or(PLAN_DEFAULT);
            self.require_plan(plan)?;
            let now = self.clock.now().wall;
            let id = OrganizationId::new(now, &mut *self.random());
            let record = new_organization(id, draft.name.clone(), plan, now);
            let owner = BuiltinRole::Owner.into();
            let (invitation, token) = self.new_invitation(id, email, owner, today.author());
            let places = [Place::Organization(id), Place::Invitation(invitation.id)];
            let batch = places.iter().fold(batch, |batch, place| batch.absent(place.to_bytes()));
            let batch = put(batch, &Place::Organization(id), &record)?;
            let batch = put(batch, &Place::Invitation(invitation.id), &invitation)?;
            let happening = Happening::by(&decided, "organization.create", id)
                .inside(id)
                .with_change(&json!({}), &shape(&record));
            let committed = self.commit_change(decided, batch, now, happening)?;
            let status = InvitationStatus::Pending;
            let invitation = SeenInvitation { record: invitation, status };
            let made = NewOrganization { record, invitation, token };
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(made)))
        })
    }

    /// Changes an organization. For operators.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`], [`ActionError::BeyondKey`], [`ActionError::NotFound`],
    /// [`ActionError::VersionConflict`]; [`ActionError::Invalid`] for a role that is none;
    /// [`ActionError::Conflict`] for a domain that is another organization's.
    pub fn change_organization(
        &self,
        actor: &Actor,
        target: &OrganizationTarget,
        change: &OrganizationChange,
    ) -> Result<OrganizationRecord, ActionError> {
        let named = (INSTANCE_MANAGE, "organization.update");
        self.rewrite_organization(actor, target, named, |_actor, record| self.apply(record, change))
    }

    /// Shows the subscription of the actor's organization.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`].
    pub fn own_subscription(&self, actor: &Actor) -> Result<SeenSubscription, ActionError> {
        actor.require(SUBSCRIPTION_READ)?;
        self.seen_subscription(self.find_organization(actor.organization_id())?.record)
    }

    /// Shows an organization's subscription. For operators.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`], [`ActionError::NotFound`].
    pub fn subscription(
        &self,
        actor: &Actor,
        id: OrganizationId,
    ) -> Result<SeenSubscription, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        self.seen_subscription(self.find_organization(id)?.record)
    }

    /// Changes an organization's subscription, which holds for the very next check. For operators.
    ///
    /// # Errors
    /// Those of [`Actions::change_organization`]; [`ActionError::Invalid`] for a plan that is none.
    pub fn change_subscription(
        &self,
        actor: &Actor,
        target: &OrganizationTarget,
        change: &SubscriptionChange,
    ) -> Result<SeenSubscription, ActionError> {
        let named = (INSTANCE_MANAGE, "subscription.update");
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
        let plan: Option<Held<PlanRecord>> = self.read(&Place::Plan(organization.plan.clone()))?;
        let plan =
            plan.map_or_else(|| PlanRecord::unlimited(&organization.plan, &[]), |held| held.record);
        let now = self.clock.now().wall;
        let has_access = organization.subscription().gives_access(&(&plan).into(), now);
        let id = organization.id;
        let keys = self.count_keys(id)?;
        let users = self.index.users_of(id).len();
        let teams = self.read_all::<TeamRecord>(&Place::teams_of(id))?.len();
        Ok(SeenSubscription { organization, plan, has_access, keys, users, teams })
    }

    fn find_organization(
        &self,
        id: OrganizationId,
    ) -> Result<Held<OrganizationRecord>, ActionError> {
        self.read(&Place::Organization(id))?.ok_or(ActionError::NotFound("organization"))
    }

    /// Plans are never removed, so one that is there stays.
    fn require_plan(&self, name: &str) -> Result<(), ActionError> {
        if self.read::<PlanRecord>(&Place::Plan(name.into()))?.is_some() {
            return Ok(());
        }
        let detail = "must be a plan of this instance: free, pro or enterprise";
        Err(ActionError::Invalid(vec![Fault::new("/plan", "unknown_plan", detail)]))
    }

    fn rewrite_organization(
        &self,
        actor: &Actor,
        target: &OrganizationTarget,
        (permission, action): (&str, &'static str),
        change: impl Fn(&Actor, &mut OrganizationRecord) -> Result<(), ActionError>,
    ) -> Result<OrganizationRecord, ActionError> {
        Self::until_done(|| {
            let decided = self.authorize_holder(actor, permission)?;
            let id = target.id;
            let held = self.find_organization(id)?;
            Self::check_version(target.versions.as_ref(), held.record.version)?;
            let mut record = held.record.clone();
            change(&decided.actor, &mut record)?;
            if record == held.record {
                self.await_index(held.revision);
                return Ok(Attempt::Done(record));
            }
            require_for(&decided, &held.record, &record)?;
            record.version += 1;
            let place = Place::Organization(id);
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            let batch = self.move_domains(batch, &held.record, &record)?;
            let happening = Happening::by(&decided, action, id)
                .inside(id)
                .with_change(&shape(&held.record), &shape(&record));
            let now = self.clock.now().wall;
            let batch = put(batch, &place, &record)?;
            let committed = self.commit_change(decided, batch, now, happening)?;
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(record)))
        })
    }
}

/// Requires what a change needs beside the permission. Every change of an organization outlives a key
/// with bounds, and letting users off a second factor takes a session that used one.
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
