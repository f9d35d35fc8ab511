//! The objects of an instance, from the responses of its API, in the form of a configuration file.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use crate::manifest::names::{ObjectKind, ObjectName};

/// The responses of the API that describe an instance. A list that was not requested is empty.
#[derive(Debug, Default)]
pub(crate) struct InstanceViews {
    pub(crate) permissions: Vec<Value>,
    pub(crate) plans: Vec<Value>,
    pub(crate) gates: Vec<Value>,
    pub(crate) organizations: Vec<OrganizationViews>,
}

/// The responses of the API that describe an organization.
#[derive(Debug, Default)]
pub(crate) struct OrganizationViews {
    /// The name in the files. It differs from that of the view if the files rename the organization.
    pub(crate) name: String,
    /// Whether this is the organization of the setup.
    pub(crate) first: bool,
    pub(crate) view: Value,
    pub(crate) subscription: Option<Value>,
    pub(crate) roles: Vec<Value>,
    pub(crate) users: Vec<Value>,
    /// Each team with its members.
    pub(crate) teams: Vec<(Value, Vec<Value>)>,
    pub(crate) keys: Vec<Value>,
    pub(crate) invitations: Vec<Value>,
}

/// An object of the instance.
#[derive(Debug)]
pub(crate) struct CurrentObject {
    pub(super) label: String,
    pub(super) id: String,
    pub(super) version: Option<u64>,
    pub(super) fields: Map<String, Value>,
    /// Whether an apply may delete the object.
    pub(super) deletable: bool,
    /// The plan of an organization.
    pub(super) plan: Option<String>,
    /// The email address of an organization's owner, or of the invited owner.
    pub(super) owner: Option<String>,
    /// Whether an export contains the object.
    pub(super) exported: bool,
}

/// The objects of an instance.
#[derive(Debug, Default)]
pub(crate) struct Current {
    pub(super) objects: BTreeMap<ObjectName, CurrentObject>,
    /// The organization of the setup, by name.
    pub(super) first: Option<String>,
    /// The digest that is the name of a key, by each of its digests and organization.
    digests: HashMap<(String, String), String>,
}

impl Current {
    pub(crate) fn of(views: &InstanceViews) -> Self {
        let mut current = Self::default();
        for view in views.permissions.iter().filter(|view| view["own"] == false) {
            let name = ObjectName::of_instance(ObjectKind::Permission, text(view, "name"));
            let fields = chosen(view, &["group", "description"]);
            current.add(name, view, fields, true);
        }
        for view in &views.plans {
            let name = ObjectName::of_instance(ObjectKind::Plan, text(view, "id"));
            current.add(name, view, chosen(view, &["features", "limits"]), false);
        }
        let mut names = HashMap::new();
        for organization in &views.organizations {
            names.insert(text(&organization.view, "id"), organization.name.clone());
            current.add_organization(organization);
        }
        for view in &views.gates {
            let mut fields = chosen(
                view,
                &["description", "credentials", "routes", "environments", "cost", "preflight"],
            );
            sort(fields.get_mut("environments"));
            let ids = view["organizations"].as_array();
            let listed = ids.map(|ids| named(ids, &names));
            fields.insert("organizations".to_owned(), listed.map_or(Value::Null, Value::from));
            let name = ObjectName::of_instance(ObjectKind::Gate, text(view, "name"));
            current.add(name, view, fields, true);
        }
        current
    }

    /// The objects of a kind in an organization, or in the instance if `organization` is `None`.
    pub(super) fn listed(
        &self,
        kind: ObjectKind,
        organization: Option<&str>,
    ) -> impl Iterator<Item = (&ObjectName, &CurrentObject)> {
        let first =
            ObjectName { kind, organization: organization.map(str::to_owned), name: String::new() };
        self.objects.range(first..).take_while(move |(name, _)| {
            (name.kind, name.organization.as_deref()) == (kind, organization)
        })
    }

    /// The name that the instance has for a key with a digest. An unknown key keeps its name.
    pub(super) fn name_of_key(&self, key: &ObjectName) -> ObjectName {
        let organization = key.organization.clone().unwrap_or_default();
        let known = self.digests.get(&(organization, key.name.clone()));
        ObjectName { name: known.unwrap_or(&key.name).clone(), ..key.clone() }
    }

    /// The keys that no file can describe, by label: a transfer has limited them.
    pub(crate) fn left_out(&self) -> Vec<&str> {
        let keys = self.objects.iter().filter(|(name, _)| name.kind == ObjectKind::Key);
        keys.filter(|(_, key)| !key.exported).map(|(_, key)| key.label.as_str()).collect()
    }

    fn add(
        &mut self,
        name: ObjectName,
        view: &Value,
        fields: Map<String, Value>,
        deletable: bool,
    ) -> &mut CurrentObject {
        let label = name.name.clone();
        // Permissions, plans and gates are in paths by name.
        let id = match name.kind {
            ObjectKind::Permission | ObjectKind::Plan | ObjectKind::Gate => name.name.clone(),
            ObjectKind::Organization
            | ObjectKind::Subscription
            | ObjectKind::Role
            | ObjectKind::User
            | ObjectKind::Team
            | ObjectKind::Key => text(view, "id"),
        };
        let version = view["version"].as_u64();
        let object = CurrentObject {
            label,
            id,
            version,
            fields,
            deletable,
            plan: None,
            owner: None,
            exported: true,
        };
        match self.objects.entry(name) {
            Entry::Vacant(place) => place.insert(object),
            Entry::Occupied(mut place) => {
                place.insert(object);
                place.into_mut()
            },
        }
    }

    fn add_organization(&mut self, views: &OrganizationViews) {
        let organization = views.name.as_str();
        if views.first {
            self.first = Some(organization.to_owned());
        }
        let roles: HashMap<String, String> =
            views.roles.iter().map(|role| (text(role, "id"), text(role, "name"))).collect();
        let view = &views.view;
        let mut fields = chosen(
            view,
            &[
                "name",
                "domains",
                "permissions",
                "suspended",
                "members_create_keys",
                "key_lifetime_days_max",
            ],
        );
        sort(fields.get_mut("domains"));
        sort(fields.get_mut("permissions"));
        let required = view["second_factor_required_of"].as_array();
        let required = required.map(|of| named(of, &roles)).unwrap_or_default();
        fields.insert("second_factor_required_of".to_owned(), required.into());
        let people = views.users.iter().chain(&views.invitations);
        let owners = people.filter(|person| person["role"] == "owner");
        let owner = owners.map(|person| text(person, "email")).min();
        let object = self.add(ObjectName::organization(organization), view, fields, false);
        (object.owner, object.plan) = (owner, Some(text(view, "plan")));
        if let Some(view) = &views.subscription {
            let fields = chosen(view, &["plan", "status", "current_period_end"]);
            let name = ObjectName::within(ObjectKind::Subscription, organization, "");
            self.add(name, view, fields, false);
        }
        let within = |kind, name: String| ObjectName::within(kind, organization, name);
        for view in views.roles.iter().filter(|view| view["builtin"] == false) {
            let mut fields = chosen(view, &["description", "permissions"]);
            sort(fields.get_mut("permissions"));
            self.add(within(ObjectKind::Role, text(view, "name")), view, fields, true);
        }
        for view in &views.users {
            let id = text(view, "role");
            let role = roles.get(&id).cloned().unwrap_or(id);
            let fields = Map::from_iter([("role".to_owned(), role.into())]);
            self.add(within(ObjectKind::User, text(view, "email")), view, fields, false);
        }
        for (view, members) in &views.teams {
            let mut fields = chosen(view, &["description", "visibility"]);
            let mut emails: Vec<String> = members.iter().map(|user| text(user, "email")).collect();
            emails.sort_unstable();
            fields.insert("members".to_owned(), emails.into());
            self.add(within(ObjectKind::Team, text(view, "name")), view, fields, true);
        }
        for view in &views.keys {
            self.add_key(organization, view);
        }
    }

    fn add_key(&mut self, organization: &str, view: &Value) {
        let digest = text(view, "digest");
        let mut fields = chosen(
            view,
            &[
                "name",
                "description",
                "environment",
                "hint",
                "algorithm",
                "digest",
                "permissions",
                "ip_rules",
                "rate_limits",
                "quota",
                "metadata",
                "not_before",
                "expires_at",
            ],
        );
        sort(fields.get_mut("permissions"));
        for list in ["allow", "deny"] {
            sort(fields.get_mut("ip_rules").and_then(|rules| rules.get_mut(list)));
        }
        fields.insert("disabled".to_owned(), (view["status"] == "disabled").into());
        let teams = view["teams"].as_array().into_iter().flatten();
        let teams: Map<String, Value> =
            teams.map(|team| (text(team, "name"), team["access"].clone())).collect();
        fields.insert("teams".to_owned(), teams.into());
        let others =
            view["other_digests"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for known in others.chain([digest.as_str()]) {
            self.digests.insert((organization.to_owned(), known.to_owned()), digest.clone());
        }
        let name = ObjectName::within(ObjectKind::Key, organization, digest);
        let key = self.add(name, view, fields, view["origin"] == "applied");
        key.label = text(view, "name");
        key.exported = view["has_maximum"] != true && view["status"] != "expired";
    }
}

/// The fields of a new organization and its subscription, which exist once it is created.
pub(super) fn new_organization(kind: ObjectKind, name: &str, plan: &Value) -> Map<String, Value> {
    let fields = match kind {
        ObjectKind::Organization => json!({
            "name": name, "domains": [], "permissions": ["*"], "suspended": false,
            "second_factor_required_of": [], "members_create_keys": true,
            "key_lifetime_days_max": null,
        }),
        ObjectKind::Subscription => {
            json!({ "plan": plan, "status": "active", "current_period_end": null })
        },
        ObjectKind::Permission
        | ObjectKind::Plan
        | ObjectKind::Role
        | ObjectKind::User
        | ObjectKind::Team
        | ObjectKind::Key
        | ObjectKind::Gate => Value::Null,
    };
    fields.as_object().cloned().unwrap_or_default()
}

/// The text of a field; empty if the view does not have it.
pub(super) fn text(view: &Value, field: &str) -> String {
    view.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn chosen(view: &Value, fields: &[&str]) -> Map<String, Value> {
    let field = |name: &&str| Some(((*name).to_owned(), view.get(name)?.clone()));
    fields.iter().filter_map(field).collect()
}

/// The names of these ids. An id without a name, such as a built-in role, is its own name.
fn named(ids: &[Value], names: &HashMap<String, String>) -> Vec<String> {
    let ids = ids.iter().filter_map(Value::as_str);
    let mut named: Vec<String> =
        ids.map(|id| names.get(id).cloned().unwrap_or_else(|| id.to_owned())).collect();
    named.sort_unstable();
    named
}

/// Sorts a list of texts in which order means nothing.
#[expect(clippy::needless_pass_by_value, reason = "the result of `get_mut`")]
fn sort(list: Option<&mut Value>) {
    if let Some(Value::Array(items)) = list {
        items.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
    }
}
