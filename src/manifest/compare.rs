//! Compares what files declare with the objects of an instance, and orders the changes.
//!
//! Objects that a file can create and delete are declared whole: a field that is left out has its
//! default. Plans, organizations, subscriptions and users exist without the file: a field that is left
//! out does not change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::manifest::current::{Current, CurrentObject, new_organization};
use crate::manifest::declared::{Declared, DeclaredObject};
use crate::manifest::known::KnownObjects;
use crate::manifest::names::{ObjectKind, ObjectName};
use crate::manifest::order::{place_of, unnamed};
use crate::manifest::requests::{
    ChangeKind, FieldDifference, PlannedChange, change, creation, deletion, domains_of, texts,
};
use crate::manifest::source::FileFault;
use crate::model::plan::PLAN_DEFAULT;

/// What an apply may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlanOptions {
    /// Whether to delete the objects that the files' lists do not name.
    pub(crate) prune: bool,
    /// The only organization whose roles, teams, users and keys the caller manages; `None` for all.
    pub(crate) only: Option<String>,
}

/// The changes that make an instance match the files.
#[derive(Debug)]
pub(crate) struct ApplyPlan {
    /// The changes, in the order in which they must be made.
    pub(crate) changes: Vec<PlannedChange>,
    /// The declared users without an account.
    pub(crate) waiting: BTreeSet<String>,
    /// Number of objects that a prune would delete and this plan keeps.
    pub(crate) kept: usize,
    /// Number of declared objects that need no change.
    pub(crate) unchanged: usize,
    pub(crate) known: KnownObjects,
}

/// Compares the files with the instance.
///
/// # Errors
/// All names that no object has, and all changes that are impossible.
pub(crate) fn compare(
    declared: &Declared,
    current: &Current,
    options: &PlanOptions,
) -> Result<ApplyPlan, Vec<FileFault>> {
    let unnamed = unnamed(declared, current);
    let kept = if options.prune { 0 } else { unnamed.len() };
    let held = current.objects.iter().map(|(name, object)| (name, &object.fields));
    let wanted = declared.objects.iter().map(|(name, object)| (name, &object.fields));
    let mut comparison = Comparison {
        declared,
        current,
        wanted: BTreeMap::new(),
        deleted: if options.prune { unnamed } else { BTreeSet::new() },
        held_domains: domains_of(held),
        declared_domains: domains_of(wanted),
        faults: Vec::new(),
        changes: Vec::new(),
        waiting: BTreeSet::new(),
        unchanged: 0,
    };
    comparison.name_keys();
    let wanted: Vec<_> = comparison.wanted.iter().map(|(name, it)| (name.clone(), *it)).collect();
    for (name, object) in &wanted {
        comparison.require_reach(name, object, options);
        comparison.compare(name, object);
    }
    for name in std::mem::take(&mut comparison.deleted) {
        comparison.delete(name);
    }
    if !comparison.faults.is_empty() {
        return Err(comparison.faults);
    }
    let Comparison { mut changes, waiting, unchanged, .. } = comparison;
    changes.sort_by_key(|change| place_of(change.kind, change.name.kind));
    Ok(ApplyPlan { changes, waiting, kept, unchanged, known: KnownObjects::of(current) })
}

pub(super) struct Comparison<'a> {
    pub(super) declared: &'a Declared,
    pub(super) current: &'a Current,
    /// The declared objects, each key by the name that the instance has for it.
    pub(super) wanted: BTreeMap<ObjectName, &'a DeclaredObject>,
    deleted: BTreeSet<ObjectName>,
    /// The organization of each domain, in the instance.
    pub(super) held_domains: BTreeMap<&'a str, &'a ObjectName>,
    /// The first organization for which the files declare a domain.
    pub(super) declared_domains: BTreeMap<&'a str, &'a ObjectName>,
    faults: Vec<FileFault>,
    changes: Vec<PlannedChange>,
    waiting: BTreeSet<String>,
    unchanged: usize,
}

impl Comparison<'_> {
    pub(super) fn fault(
        &mut self,
        object: &DeclaredObject,
        field: &str,
        detail: impl std::fmt::Display,
    ) {
        let fault = self.declared.fault(object, field, detail);
        self.faults.push(fault);
    }

    /// Names each declared key as the instance does. A key that was rotated has several digests.
    fn name_keys(&mut self) {
        for (name, object) in &self.declared.objects {
            let is_key = name.kind == ObjectKind::Key;
            let known = if is_key { self.current.name_of_key(name) } else { name.clone() };
            if let Some(earlier) = self.wanted.get(&known) {
                let detail = format!("is a digest of the same key as that of {:?}", earlier.label);
                self.fault(object, "digest", detail);
            }
            self.wanted.insert(known, object);
        }
    }

    /// Whether an object exists, or will exist, when another object that names it is changed.
    pub(super) fn will_exist(&self, name: &ObjectName) -> bool {
        self.wanted.contains_key(name)
            || self.current.objects.contains_key(name) && !self.deleted.contains(name)
    }

    fn compare(&mut self, name: &ObjectName, object: &DeclaredObject) {
        let organization = name.organization.as_deref().unwrap_or_default();
        let mut fields = object.fields.clone();
        match name.kind {
            ObjectKind::Organization => {
                self.require_own_domains(name, object);
                for named in texts(fields.get("second_factor_required_of")) {
                    self.require_role(object, "second_factor_required_of", &name.name, &named);
                }
            },
            ObjectKind::User => {
                if !self.current.objects.contains_key(name) {
                    let missing = format!("{} has no account in {organization:?} yet", name.name);
                    self.waiting.insert(missing);
                    return;
                }
                if let Some(named) = fields.get("role").and_then(Value::as_str) {
                    self.require_role(object, "role", organization, named);
                }
            },
            ObjectKind::Team => self.leave_out_unknown_users(organization, &mut fields),
            ObjectKind::Key => {
                for team in
                    fields.get("teams").and_then(Value::as_object).into_iter().flat_map(Map::keys)
                {
                    let name = ObjectName::within(ObjectKind::Team, organization, team);
                    if !self.will_exist(&name) {
                        self.fault(object, "teams", format!("no team has the name {team:?}"));
                    }
                }
            },
            ObjectKind::Gate => {
                for named in texts(fields.get("organizations")) {
                    if !self.will_exist(&ObjectName::organization(&named)) {
                        let detail = format!("no organization has the name {named:?}");
                        self.fault(object, "organizations", detail);
                    }
                }
            },
            ObjectKind::Permission
            | ObjectKind::Plan
            | ObjectKind::Subscription
            | ObjectKind::Role => {},
        }
        match self.current.objects.get(name) {
            Some(current) => self.compare_with(name, object, current, &fields),
            None => self.create(name, object, fields),
        }
    }

    /// Leaves out members without an account: they join when a later apply finds their account.
    fn leave_out_unknown_users(&mut self, organization: &str, fields: &mut Map<String, Value>) {
        let Some(members) = fields.get("members") else { return };
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for email in texts(Some(members)) {
            let user = ObjectName::within(ObjectKind::User, organization, email.as_str());
            if self.current.objects.contains_key(&user) {
                known.push(email);
            } else {
                unknown.push(email);
            }
        }
        for email in unknown {
            self.waiting.insert(format!("{email} has no account in {organization:?} yet"));
        }
        fields.insert("members".to_owned(), known.into());
    }

    fn compare_with(
        &mut self,
        name: &ObjectName,
        object: &DeclaredObject,
        current: &CurrentObject,
        fields: &Map<String, Value>,
    ) {
        let mut wanted = name.kind.defaults();
        for (field, value) in fields {
            wanted.insert(field.clone(), over(name.kind, current.fields.get(field), value));
        }
        let identity = ["algorithm", "digest", "hint"];
        let differs = |field: &str, value: &Value| current.fields.get(field) != Some(value);
        let differences: Vec<_> = wanted
            .into_iter()
            .filter(|(field, value)| {
                differs(field, value)
                    && !(name.kind == ObjectKind::Key && identity.contains(&&**field))
            })
            .map(|(field, after)| {
                let before = current.fields.get(&field).cloned();
                FieldDifference { field, before, after: Some(after) }
            })
            .collect();
        if differences.iter().any(|it| it.field == "environment") && name.kind == ObjectKind::Key {
            let environment = current.fields.get("environment").and_then(Value::as_str);
            let detail = format!("is {:?} and cannot be changed", environment.unwrap_or_default());
            self.fault(object, "environment", detail);
        }
        if differences.is_empty() {
            self.unchanged += 1;
            return;
        }
        self.push(ChangeKind::Change, name, &object.label, differences);
    }

    fn create(&mut self, name: &ObjectName, object: &DeclaredObject, fields: Map<String, Value>) {
        let organization = name.organization.as_deref().unwrap_or_default();
        if matches!(name.kind, ObjectKind::Role | ObjectKind::Team) {
            self.require_own_name(name, object);
        }
        if name.kind == ObjectKind::Team {
            self.require_teams_in_plan(name, object);
        }
        match name.kind {
            ObjectKind::Plan => self.fault(object, "name", "the instance has no plan of this name"),
            ObjectKind::Organization => self.create_organization(name, object, &fields),
            ObjectKind::Subscription => {
                // The creation of the organization sets the plan.
                let plan = fields.get("plan").cloned().unwrap_or_else(|| PLAN_DEFAULT.into());
                self.change_new(
                    name,
                    object,
                    &new_organization(name.kind, organization, &plan),
                    &fields,
                );
            },
            ObjectKind::Permission
            | ObjectKind::Role
            | ObjectKind::User
            | ObjectKind::Team
            | ObjectKind::Key
            | ObjectKind::Gate => {
                let defaults = name.kind.defaults();
                let mut fields = fields;
                fields.retain(|field, value| defaults.get(field) != Some(value));
                let differences = additions(&fields);
                if name.kind == ObjectKind::Role {
                    // The API requires the list.
                    fields.entry("permissions").or_insert_with(|| Vec::<Value>::new().into());
                }
                let requests = creation(name, &fields);
                let (kind, label) = (ChangeKind::Create, object.label.clone());
                self.changes.push(PlannedChange {
                    kind,
                    name: name.clone(),
                    label,
                    fields: differences,
                    requests,
                });
            },
        }
    }

    fn create_organization(
        &mut self,
        name: &ObjectName,
        object: &DeclaredObject,
        fields: &Map<String, Value>,
    ) {
        if object.first {
            let detail = "KEYHOUSE_KEY cannot read the organization of the setup: use the key of an \
                          operator";
            self.fault(object, "first", detail);
            return;
        }
        let Some(owner) = &object.owner else {
            let detail = "no organization has this name: to create it, add owner, the email address of \
                          its first owner";
            self.fault(object, "name", detail);
            return;
        };
        let subscription = ObjectName::within(ObjectKind::Subscription, &name.name, "");
        let subscription = self.declared.objects.get(&subscription);
        let plan = subscription.and_then(|object| object.fields.get("plan")).cloned();
        let mut body = Map::from_iter([("owner_email".to_owned(), Value::from(owner.as_str()))]);
        body.extend(plan.map(|plan| ("plan".to_owned(), plan)));
        let (kind, label, name_of) = (ChangeKind::Create, object.label.clone(), name.clone());
        let (differences, requests) = (additions(&body), creation(name, &body));
        self.changes.push(PlannedChange {
            kind,
            name: name_of,
            label,
            fields: differences,
            requests,
        });
        let new = new_organization(name.kind, &name.name, &Value::Null);
        self.change_new(name, object, &new, fields);
    }

    /// Changes an object that another creation of this apply creates with these fields.
    fn change_new(
        &mut self,
        name: &ObjectName,
        object: &DeclaredObject,
        new: &Map<String, Value>,
        fields: &Map<String, Value>,
    ) {
        let differs = |(field, value): &(&String, &Value)| new.get(*field) != Some(value);
        let differences: Vec<_> = fields
            .iter()
            .filter(differs)
            .map(|(field, after)| FieldDifference {
                field: field.clone(),
                before: new.get(field).cloned(),
                after: Some(after.clone()),
            })
            .collect();
        if !differences.is_empty() {
            self.push(ChangeKind::Change, name, &object.label, differences);
        }
    }

    fn push(
        &mut self,
        kind: ChangeKind,
        name: &ObjectName,
        label: &str,
        fields: Vec<FieldDifference>,
    ) {
        let requests = change(name, &fields);
        let (name, label) = (name.clone(), label.to_owned());
        self.changes.push(PlannedChange { kind, name, label, fields, requests });
    }

    fn delete(&mut self, name: ObjectName) {
        let Some(current) = self.current.objects.get(&name) else { return };
        if name.kind == ObjectKind::Role {
            self.require_unused(&name);
        }
        let fields = current.fields.iter().filter(|(field, _)| is_shown(field));
        let fields = fields.map(|(field, value)| FieldDifference {
            field: field.clone(),
            before: Some(value.clone()),
            after: None,
        });
        let (fields, requests) = (fields.collect(), deletion(&name));
        let (kind, label) = (ChangeKind::Delete, current.label.clone());
        self.changes.push(PlannedChange { kind, name, label, fields, requests });
    }
}

/// Whether a field is shown in a difference. The digest of a key is not, since output ends up in logs.
fn is_shown(field: &str) -> bool {
    !matches!(field, "algorithm" | "digest" | "hint")
}

/// A declared value. The features and limits of a plan that are left out do not change.
fn over(kind: ObjectKind, current: Option<&Value>, declared: &Value) -> Value {
    match (current, declared) {
        (Some(Value::Object(current)), Value::Object(declared)) if kind == ObjectKind::Plan => {
            let mut merged = current.clone();
            merged.extend(declared.iter().map(|(field, value)| (field.clone(), value.clone())));
            Value::Object(merged)
        },
        (_, declared) => declared.clone(),
    }
}

fn additions(fields: &Map<String, Value>) -> Vec<FieldDifference> {
    let added = fields.iter().filter(|(field, _)| is_shown(field));
    let added = added.map(|(field, value)| FieldDifference {
        field: field.clone(),
        before: None,
        after: Some(value.clone()),
    });
    added.collect()
}
