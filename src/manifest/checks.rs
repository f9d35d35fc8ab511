//! The rules of the API about several objects, which are checked before the first change.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::manifest::compare::{Comparison, PlanOptions};
use crate::manifest::declared::DeclaredObject;
use crate::manifest::names::{ObjectKind, ObjectName, Titled};
use crate::manifest::requests::{RoleOrObject, role, texts};
use crate::model::plan::PLAN_DEFAULT;
use crate::model::text::Likeness;

impl Comparison<'_> {
    /// Rejects an object in an organization that the caller does not manage.
    pub(super) fn require_reach(
        &mut self,
        name: &ObjectName,
        object: &DeclaredObject,
        options: &PlanOptions,
    ) {
        let is_of_people = matches!(
            name.kind,
            ObjectKind::Role | ObjectKind::Team | ObjectKind::User | ObjectKind::Key
        );
        let Some(only) = options.only.as_ref().filter(|_| is_of_people) else { return };
        if name.organization.as_ref() != Some(only) {
            let detail = format!(
                "KEYHOUSE_KEY manages {} only in its own organization, {only:?}: run keyhouse on the \
                 server's host",
                name.kind.list()
            );
            self.fault(object, "", detail);
        }
    }

    pub(super) fn require_role(
        &mut self,
        object: &DeclaredObject,
        field: &str,
        organization: &str,
        named: &str,
    ) {
        if let RoleOrObject::Object(name) = role(organization, named)
            && !self.will_exist(&name)
        {
            self.fault(object, field, format!("no role has the name {named:?}"));
        }
    }

    /// Rejects a new name that people cannot tell apart from one of the instance, as the API does.
    pub(super) fn require_own_name(&mut self, name: &ObjectName, object: &DeclaredObject) {
        let read = Likeness::of(&name.name);
        let mut others = self.current.listed(name.kind, name.organization.as_deref());
        let alike = others.find(|(other, _)| Likeness::of(&other.name).is_alike(&read));
        if let Some((other, _)) = alike {
            let detail = format!("reads like {:?}, which exists: use another name", other.name);
            self.fault(object, "name", detail);
        }
    }

    /// Rejects a domain that another organization has, or that the files declare for another. Changes
    /// of organizations are made in the order of their names, so one apply cannot move a domain.
    pub(super) fn require_own_domains(&mut self, name: &ObjectName, object: &DeclaredObject) {
        for domain in texts(object.fields.get("domains")) {
            let other_of = |owners: &BTreeMap<&str, &ObjectName>| {
                let owner = owners.get(domain.as_str())?;
                (*owner != name).then(|| owner.name.clone())
            };
            let detail = if let Some(other) = other_of(&self.held_domains) {
                format!("{domain:?} belongs to {other:?}: remove it there with an earlier apply")
            } else if let Some(other) = other_of(&self.declared_domains) {
                format!("{domain:?} is also declared for {other:?}: remove one")
            } else {
                continue;
            };
            self.fault(object, "domains", detail);
        }
    }

    /// Rejects a new team that the plan of its organization does not include.
    pub(super) fn require_teams_in_plan(&mut self, name: &ObjectName, object: &DeclaredObject) {
        let organization = name.organization.as_deref().unwrap_or_default();
        let subscription = ObjectName::within(ObjectKind::Subscription, organization, "");
        let chosen = self.declared.objects.get(&subscription).and_then(|it| it.fields.get("plan"));
        let current = self.current.objects.get(&ObjectName::organization(organization));
        let plan =
            chosen.and_then(Value::as_str).or_else(|| current.and_then(|it| it.plan.as_deref()));
        let plan = plan.unwrap_or(PLAN_DEFAULT);
        let plan_name = ObjectName::of_instance(ObjectKind::Plan, plan);
        let feature = |feature: &str| {
            let of = |fields: &Map<String, Value>| fields.get("features")?.get(feature)?.as_bool();
            let declared = self.declared.objects.get(&plan_name).and_then(|it| of(&it.fields));
            let current = || self.current.objects.get(&plan_name).and_then(|it| of(&it.fields));
            // A caller that may not read plans learns this from the response.
            declared.or_else(current).unwrap_or(true)
        };
        // Teams are created in the order of their names.
        let first = ObjectName { name: String::new(), ..name.clone() };
        let earlier = self.wanted.range::<ObjectName, _>(&first..name).next();
        let held = self.current.listed(ObjectKind::Team, Some(organization)).next();
        let others = earlier.is_some() || held.is_some();
        let detail = if !feature("teams") {
            format!("the plan {plan:?} includes no teams")
        } else if others && !feature("multiple_teams") {
            format!("the plan {plan:?} includes only one team")
        } else {
            return;
        };
        self.fault(object, "name", detail);
    }

    /// Rejects the deletion of a role that users keep.
    pub(super) fn require_unused(&mut self, role: &ObjectName) {
        let organization = role.organization.as_deref().unwrap_or_default();
        let users = self.current.listed(ObjectKind::User, Some(organization));
        let holders = users.filter(|(name, user)| {
            let declared = self.wanted.get(*name).and_then(|object| object.fields.get("role"));
            let held = declared.or_else(|| user.fields.get("role")).and_then(Value::as_str);
            held == Some(role.name.as_str())
        });
        let holders: Vec<&str> = holders.map(|(name, _)| name.name.as_str()).collect();
        if holders.is_empty() {
            return;
        }
        let title = Titled { name: role, label: &role.name };
        let detail = format!(
            "--prune would delete the {title}, which {} has: change the role of these users first",
            holders.join(", ")
        );
        if let Some(object) = self.declared.objects.get(&ObjectName::organization(organization)) {
            self.fault(object, "roles", detail);
        }
    }
}
