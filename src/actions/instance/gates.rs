//! Gates: the policies of protected APIs, which only operators manage.
//!
//! Gates belong to the instance. Every change applies to the next check. The gate `default` accepts
//! any valid key and has no record.

use keyhouse_storage::Batch;
use serde_json::{Value, json};

use crate::actions::actor::Actor;
use crate::actions::changes::{Resource, ResourceRef, Target};
use crate::actions::rows::Listed;
use crate::actions::{ActionError, Actions};
use crate::model::audit_action::AuditAction;
use crate::model::credential::CredentialSource;
use crate::model::edit::Edit;
use crate::model::errors;
use crate::model::fault::{Fault, FaultCode};
use crate::model::gate::{DEFAULT_GATE, GateName, Preflight};
use crate::model::id::{GateId, OrganizationId};
use crate::model::key_text::Environment;
use crate::model::role::INSTANCE_MANAGE;
use crate::records::Revised;
use crate::records::gate::{Environments, GateRecord, Ids, RouteRecord, RoutesFault};
use crate::records::place::StoreKey;

/// Maximum number of gates, not counting the gate `default`.
pub const GATES_MAX: usize = 256;

/// The fields of a gate besides its name. `None` keeps the field of an existing gate, and means the
/// default for a new gate.
#[derive(Debug, Default)]
pub struct GateChange {
    pub description: Option<String>,
    /// The places in a request that may carry the key.
    pub credentials: Option<Vec<CredentialSource>>,
    /// The permissions that each route requires.
    pub routes: Option<Vec<RouteRecord>>,
    /// The organizations whose keys the gate accepts.
    pub organizations: Edit<Vec<OrganizationId>>,
    /// The environments of keys that the gate accepts.
    pub environments: Edit<Vec<Environment>>,
    /// Units that a call costs against limits.
    pub cost: Option<u32>,
    /// How the gate answers CORS preflights.
    pub preflight: Option<Preflight>,
}

impl Actions {
    /// Lists the gates by name, without the gate `default`. For operators. `after` is the last name
    /// of the previous page.
    pub fn list_gates(
        &self,
        actor: &Actor,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<GateRecord>, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        let gates = self.gates()?.into_iter();
        Ok(Listed::first(limit, gates.filter(|gate| after.is_none_or(|after| *gate.name > *after))))
    }

    /// Shows a gate. For operators.
    pub fn gate(&self, actor: &Actor, name: &GateName) -> Result<GateRecord, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        Ok(self.find_gate(name)?.record)
    }

    /// Creates a gate. A gate without routes accepts no request. For operators.
    ///
    /// # Errors
    /// [`ActionError::Invalid`] for two rules that match the same requests, and for organizations
    /// that do not exist; [`ActionError::Conflict`] for a name that exists, and over [`GATES_MAX`].
    pub fn create_gate(
        &self,
        actor: &Actor,
        name: &GateName,
        draft: &GateChange,
    ) -> Result<GateRecord, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        self.in_turn(|| {
            // The guard also covers the number of gates, which is limited.
            let decided = self.authorize_people(actor, INSTANCE_MANAGE)?;
            decided.require_lasting()?;
            let gates = self.gates()?;
            let is_taken = gates.iter().any(|gate| *gate.name == *name.as_str());
            if is_taken || name.as_str() == DEFAULT_GATE {
                let detail = "a gate with this name already exists: use another name";
                return Err(ActionError::Conflict { error: errors::NAME_TAKEN, detail });
            }
            if gates.len() >= GATES_MAX {
                let detail = "the instance has the maximum number of gates: remove a gate first";
                return Err(ActionError::Conflict { error: errors::TOO_MANY_GATES, detail });
            }
            let mut record = GateRecord {
                name: name.as_str().into(),
                id: GateId::new(decided.now, &mut *self.random()),
                description: String::new(),
                credentials: GateRecord::credentials_by_default(),
                routes: Vec::new(),
                organizations: None,
                environments: None,
                cost: 1,
                preflight: Preflight::default(),
                created_at: decided.now,
                version: 1,
            };
            apply(&mut record, draft);
            self.check_gate(&record)?;
            self.insert(decided, AuditAction::GATE_CREATE, record, Batch::new())
        })
    }

    /// Changes a gate. The change applies to the next check. For operators.
    pub fn change_gate(
        &self,
        actor: &Actor,
        target: &Target<GateName>,
        change: &GateChange,
    ) -> Result<GateRecord, ActionError> {
        Self::until_done(|| {
            let decided = self.authorize_holder(actor, INSTANCE_MANAGE)?;
            decided.require_lasting()?;
            let held = self.find_gate(&target.id)?;
            let mut record = target.current(&held)?;
            apply(&mut record, change);
            if record != held.record {
                self.check_gate(&record)?;
            }
            self.update(decided, AuditAction::GATE_UPDATE, (&held, record), Batch::new())
        })
    }

    /// Removes a gate, which then rejects every request. For operators.
    pub fn remove_gate(&self, actor: &Actor, target: &Target<GateName>) -> Result<(), ActionError> {
        Self::until_done(|| {
            let decided = self.authorize_holder(actor, INSTANCE_MANAGE)?;
            let held = self.find_gate(&target.id)?;
            target.current(&held)?;
            self.delete(decided, AuditAction::GATE_REMOVE, &held)
        })
    }

    fn gates(&self) -> Result<Vec<GateRecord>, ActionError> {
        self.read_all(StoreKey::GATES)
    }

    fn find_gate(&self, name: &GateName) -> Result<Revised<GateRecord>, ActionError> {
        self.read(&StoreKey::Gate(name.as_str().into()))?.ok_or(ActionError::NotFound("gate"))
    }

    /// Rejects a gate with two routes that match the same requests, or with organizations that do
    /// not exist.
    fn check_gate(&self, record: &GateRecord) -> Result<(), ActionError> {
        let mut faults = check_routes(&record.routes);
        let named = record.organizations.iter().flat_map(|ids| ids.0.iter().enumerate());
        for (at, id) in named {
            if self.index.organization(*id).is_none() {
                let pointer = format!("/organizations/{at}");
                faults.push(Fault::new(
                    pointer,
                    FaultCode::UNKNOWN_ORGANIZATION,
                    "organization not found",
                ));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(ActionError::Invalid(faults)) }
    }
}

impl Resource for GateRecord {
    fn identity(&self) -> ResourceRef {
        ResourceRef::new(StoreKey::Gate(self.name.clone()), &self.name, None)
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn audit(&self) -> Value {
        shape(self)
    }
}

/// The faults of routes together: two that match the same requests, and routes that match none.
pub fn check_routes(routes: &[RouteRecord]) -> Vec<Fault> {
    let mut faults = Vec::new();
    match RouteRecord::table(routes) {
        Ok(_table) => {},
        Err(RoutesFault::Methods(at, error)) => {
            faults.push(Fault::new(
                format!("/routes/{at}/methods"),
                FaultCode::INVALID_ROUTE,
                error,
            ));
        },
        Err(RoutesFault::Equal(equal)) => {
            let detail = format!(
                "matches the same requests as /routes/{}, and neither route is more specific",
                equal.first
            );
            faults.push(Fault::new(
                format!("/routes/{}", equal.second),
                FaultCode::EQUAL_ROUTE,
                detail,
            ));
        },
    }
    for (at, route) in routes.iter().enumerate() {
        if !route.methods.is_empty() && route.methods.iter().all(|method| method == "TRACE") {
            let detail = "TRACE is rejected at every gate, so no request matches this route";
            faults.push(Fault::new(
                format!("/routes/{at}/methods"),
                FaultCode::INVALID_ROUTE,
                detail,
            ));
        }
    }
    faults
}

fn apply(record: &mut GateRecord, change: &GateChange) {
    if let Some(description) = &change.description {
        record.description.clone_from(description);
    }
    if let Some(credentials) = &change.credentials {
        record.credentials.clone_from(credentials);
    }
    if let Some(routes) = &change.routes {
        record.routes.clone_from(routes);
    }
    match &change.organizations {
        Edit::Keep => {},
        Edit::Clear => record.organizations = None,
        Edit::Set(ids) => record.organizations = Some(Ids(ids.clone())),
    }
    match &change.environments {
        Edit::Keep => {},
        Edit::Clear => record.environments = None,
        Edit::Set(names) => record.environments = Some(Environments(names.clone())),
    }
    record.cost = change.cost.unwrap_or(record.cost);
    record.preflight = change.preflight.unwrap_or(record.preflight);
}

/// A gate's policy as events show it.
fn shape(record: &GateRecord) -> Value {
    json!({
        "name": record.name,
        "description": record.description,
        "credentials": texts(&record.credentials),
        "routes": record.routes.iter().map(route_shape).collect::<Vec<_>>(),
        "organizations": record.organizations.as_ref().map(|ids| texts(&ids.0)),
        "environments": record.environments.as_ref().map(|names| texts(&names.0)),
        "cost": record.cost,
        "preflight": record.preflight.to_string(),
    })
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn route_shape(route: &RouteRecord) -> Value {
    json!({
        "host": route.host.as_ref().map(ToString::to_string),
        "path": route.path.to_string(),
        "methods": (!route.methods.is_empty()).then_some(&route.methods),
        "access": route.access.name(),
        "permissions": route.requirement.as_ref().map(ToString::to_string),
        "cost": route.cost,
        "allow": texts(&route.allow),
    })
}
