//! Plans: the features and limits of subscriptions. Operators edit plans, and cannot remove them.

use keyhouse_storage::Batch;
use serde_json::{Value, json};

use crate::actions::actor::Actor;
use crate::actions::changes::{Resource, ResourceRef, Target};
use crate::actions::rows::Listed;
use crate::actions::{ActionError, Actions};
use crate::model::audit_action::AuditAction;
use crate::model::edit::Edit;
use crate::model::role::INSTANCE_MANAGE;
use crate::records::Revised;
use crate::records::access::PlanRecord;
use crate::records::place::StoreKey;

/// A change of a plan. Fields that are `None` do not change.
#[derive(Debug, Default)]
pub struct PlanChange {
    /// Whether keys of the plan's organizations pass checks.
    pub api_access: Option<bool>,
    /// Whether an organization may have a team.
    pub teams: Option<bool>,
    /// Whether an organization may have more than one team.
    pub multiple_teams: Option<bool>,
    /// Maximum number of personal keys of a user, or no limit.
    pub keys_per_user: Edit<u32>,
    pub keys: Edit<u32>,
    pub users: Edit<u32>,
    /// Maximum number of calls in ten seconds, or no limit.
    pub requests_per_10s: Edit<u32>,
    /// Maximum number of calls in a month, or no limit.
    pub requests_per_month: Edit<u64>,
}

impl Actions {
    /// Lists the plans by name. For operators.
    pub fn list_plans(
        &self,
        actor: &Actor,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<PlanRecord>, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        let plans: Vec<PlanRecord> = self.read_all(StoreKey::PLANS)?;
        let behind = plans.into_iter().filter(|plan| after.is_none_or(|after| *plan.name > *after));
        Ok(Listed::first(limit, behind))
    }

    /// Shows a plan. For operators.
    pub fn plan(&self, actor: &Actor, name: &str) -> Result<PlanRecord, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        Ok(self.find_plan(name)?.record)
    }

    /// Changes a plan. The change applies to the next check of every organization on the plan. For
    /// operators.
    pub fn change_plan(
        &self,
        actor: &Actor,
        target: &Target<String>,
        change: &PlanChange,
    ) -> Result<PlanRecord, ActionError> {
        Self::until_done(|| {
            let decided = self.authorize_holder(actor, INSTANCE_MANAGE)?;
            decided.require_lasting()?;
            let held = self.find_plan(&target.id)?;
            let mut record = target.current(&held)?;
            apply(&mut record, change);
            self.update(decided, AuditAction::PLAN_UPDATE, (&held, record), Batch::new())
        })
    }

    fn find_plan(&self, name: &str) -> Result<Revised<PlanRecord>, ActionError> {
        self.read(&StoreKey::Plan(name.into()))?.ok_or(ActionError::NotFound("plan"))
    }
}

fn apply(record: &mut PlanRecord, change: &PlanChange) {
    record.api_access = change.api_access.unwrap_or(record.api_access);
    record.teams = change.teams.unwrap_or(record.teams);
    record.multiple_teams = change.multiple_teams.unwrap_or(record.multiple_teams);
    change.keys_per_user.apply(&mut record.keys_per_user);
    change.keys.apply(&mut record.keys);
    change.users.apply(&mut record.users);
    change.requests_per_10s.apply(&mut record.requests_per_10s);
    change.requests_per_month.apply(&mut record.requests_per_month);
}

impl Resource for PlanRecord {
    fn identity(&self) -> ResourceRef {
        ResourceRef::new(StoreKey::Plan(self.name.clone()), &self.name, None)
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn audit(&self) -> Value {
        json!({
            "api_access": self.api_access,
            "teams": self.teams,
            "multiple_teams": self.multiple_teams,
            "keys_per_user": self.keys_per_user,
            "keys": self.keys,
            "users": self.users,
            "requests_per_10s": self.requests_per_10s,
            "requests_per_month": self.requests_per_month,
        })
    }
}
