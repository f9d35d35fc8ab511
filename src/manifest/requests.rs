//! The requests that make one change. Objects that do not exist yet are in them by name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::manifest::names::{ObjectKind, ObjectName};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Create,
    Change,
    Delete,
}

/// A change of one object.
#[derive(Debug)]
pub(crate) struct PlannedChange {
    pub(crate) kind: ChangeKind,
    pub(crate) name: ObjectName,
    /// The name of the object for people.
    pub(crate) label: String,
    pub(crate) fields: Vec<FieldDifference>,
    pub(crate) requests: Vec<PlannedRequest>,
}

/// The value of a field before and after a change; `None` if the object does not exist then.
#[derive(Debug)]
pub(crate) struct FieldDifference {
    pub(crate) field: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// A request in which objects are named.
#[derive(Debug)]
pub(crate) struct PlannedRequest {
    pub(super) method: &'static str,
    pub(super) path: Vec<PathPart>,
    /// The organization in which the request acts, if it is not about the instance.
    pub(super) within: Option<String>,
    pub(super) body: Option<Map<String, Value>>,
    /// The fields of the body that hold ids instead of names.
    pub(super) ids: Vec<(&'static str, Vec<RoleOrObject>)>,
    /// The object whose version must not have changed.
    pub(super) guard: Option<ObjectName>,
}

#[derive(Debug)]
pub(super) enum PathPart {
    Text(&'static str),
    Id(ObjectName),
}

/// An entry of a field with ids: a word of the API, such as a built-in role, or an object.
#[derive(Clone, Debug)]
pub(super) enum RoleOrObject {
    Word(String),
    Object(ObjectName),
}

impl PlannedRequest {
    /// The key that the request imports.
    pub(super) fn imported_key(&self) -> Option<&Value> {
        self.body.as_ref()?.get("keys")?.get(0)
    }

    fn new(method: &'static str, path: impl IntoIterator<Item = PathPart>) -> Self {
        let path = path.into_iter().collect();
        Self { method, path, within: None, body: None, ids: Vec::new(), guard: None }
    }

    /// A request about an object of this path.
    fn about(method: &'static str, above: &'static str, name: &ObjectName) -> Self {
        let path = [PathPart::Text(above), PathPart::Id(name.clone())];
        Self { guard: Some(name.clone()), ..Self::new(method, path) }.inside(name)
    }

    fn inside(self, name: &ObjectName) -> Self {
        Self { within: name.organization.clone(), ..self }
    }

    fn with(self, body: Map<String, Value>) -> Self {
        Self { body: Some(body), ..self }
    }

    fn with_ids(mut self, field: &'static str, ids: Vec<RoleOrObject>) -> Self {
        self.ids.push((field, ids));
        self
    }

    fn then(mut self, text: &'static str) -> Self {
        self.path.push(PathPart::Text(text));
        self
    }

    fn id(mut self, name: ObjectName) -> Self {
        self.path.push(PathPart::Id(name));
        self
    }

    fn unguarded(self) -> Self {
        Self { guard: None, ..self }
    }
}

/// The path of the objects of a kind, with a last slash.
const fn path_of(kind: ObjectKind) -> (&'static str, &'static str) {
    match kind {
        ObjectKind::Permission => ("/v1/permissions", "/v1/permissions/"),
        ObjectKind::Plan => ("/v1/plans", "/v1/plans/"),
        ObjectKind::Organization | ObjectKind::Subscription => {
            ("/v1/organizations", "/v1/organizations/")
        },
        ObjectKind::Role => ("/v1/roles", "/v1/roles/"),
        ObjectKind::User => ("/v1/users", "/v1/users/"),
        ObjectKind::Team => ("/v1/teams", "/v1/teams/"),
        ObjectKind::Key => ("/v1/keys/import", "/v1/keys/"),
        ObjectKind::Gate => ("/v1/gates", "/v1/gates/"),
    }
}

/// A role as the API names it: a built-in role by its name, a custom role by its id.
pub(super) fn role(organization: &str, name: &str) -> RoleOrObject {
    let is_word = name == "operator" || name.parse::<crate::model::role::BuiltinRole>().is_ok();
    if is_word {
        RoleOrObject::Word(name.to_owned())
    } else {
        RoleOrObject::Object(ObjectName::within(ObjectKind::Role, organization, name))
    }
}

/// The requests that create an object with these fields. An organization gets its owner and its plan
/// here, and its other fields by a change.
pub(super) fn creation(name: &ObjectName, fields: &Map<String, Value>) -> Vec<PlannedRequest> {
    let post = PlannedRequest::new("POST", [PathPart::Text(path_of(name.kind).0)]).inside(name);
    let mut body = fields.clone();
    match name.kind {
        ObjectKind::Key => {
            let teams = body.remove("teams");
            let import = json!({ "keys": [body], "applied": true });
            let import = post.with(import.as_object().cloned().unwrap_or_default());
            let shares = teams.as_ref().and_then(Value::as_object).into_iter().flatten();
            let shares = shares.map(|(team, access)| share(name, team, access));
            [import].into_iter().chain(shares).collect()
        },
        ObjectKind::Team => {
            let members = body.remove("members");
            body.insert("name".to_owned(), name.name.clone().into());
            let members = texts(members.as_ref()).into_iter();
            let members = members.map(|email| membership("PUT", name, &email));
            [post.with(body)].into_iter().chain(members).collect()
        },
        ObjectKind::Gate => {
            let accepted = body.remove("organizations");
            body.insert("name".to_owned(), name.name.clone().into());
            vec![with_accepted(post.with(body), accepted)]
        },
        ObjectKind::Organization
        | ObjectKind::Permission
        | ObjectKind::Role
        | ObjectKind::Plan
        | ObjectKind::Subscription
        | ObjectKind::User => {
            body.insert("name".to_owned(), name.name.clone().into());
            vec![post.with(body)]
        },
    }
}

/// The requests that change these fields of an object.
pub(super) fn change(name: &ObjectName, differences: &[FieldDifference]) -> Vec<PlannedRequest> {
    let changed = differences.iter();
    let changed = changed.map(|it| (it.field.clone(), it.after.clone().unwrap_or_default()));
    let mut body: Map<String, Value> = changed.collect();
    let patch = || PlannedRequest::about("PATCH", path_of(name.kind).1, name);
    let before = |field: &str| {
        differences.iter().find(|it| it.field == field).and_then(|it| it.before.as_ref())
    };
    match name.kind {
        ObjectKind::Permission | ObjectKind::Plan | ObjectKind::Role => vec![patch().with(body)],
        ObjectKind::Gate => {
            let accepted = body.remove("organizations");
            vec![with_accepted(patch().with(body), accepted)]
        },
        ObjectKind::User => {
            let organization = name.organization.as_deref().unwrap_or_default();
            let chosen = texts(body.get("role").map(|role| json!([role])).as_ref());
            let roles = chosen.iter().map(|chosen| role(organization, chosen)).collect();
            vec![patch().with_ids("role", roles)]
        },
        ObjectKind::Subscription => {
            let organization =
                ObjectName::organization(name.organization.as_deref().unwrap_or_default());
            let path = PlannedRequest::about("PATCH", path_of(name.kind).1, &organization);
            vec![path.then("/subscription").with(body)]
        },
        ObjectKind::Organization => change_organization(name, body),
        ObjectKind::Team => {
            let after = body.remove("members");
            let before: BTreeSet<String> = texts(before("members")).into_iter().collect();
            let after: BTreeSet<String> = texts(after.as_ref()).into_iter().collect();
            let (added, gone) = (after.difference(&before), before.difference(&after));
            let own = (!body.is_empty()).then(|| patch().with(body));
            let added = added.map(|email| membership("PUT", name, email));
            let gone = gone.map(|email| membership("DELETE", name, email));
            own.into_iter().chain(gone).chain(added).collect()
        },
        ObjectKind::Key => change_key(name, body, before("teams")),
    }
}

fn change_organization(name: &ObjectName, mut body: Map<String, Value>) -> Vec<PlannedRequest> {
    let mut own = Map::new();
    for field in ["members_create_keys", "key_lifetime_days_max"] {
        own.extend(body.remove_entry(field));
    }
    let required = body.remove("second_factor_required_of");
    let mut requests = Vec::new();
    if !body.is_empty() || required.is_some() {
        let patch = PlannedRequest::about("PATCH", path_of(name.kind).1, name).with(body);
        requests.push(match required {
            Some(required) => {
                let roles = texts(Some(&required));
                let roles = roles.iter().map(|entry| role(&name.name, entry)).collect();
                patch.with_ids("second_factor_required_of", roles)
            },
            None => patch,
        });
    }
    if !own.is_empty() {
        let patch = PlannedRequest::new("PATCH", [PathPart::Text("/v1/organization")]);
        let (within, guard) = (Some(name.name.clone()), Some(name.clone()));
        requests.push(PlannedRequest { within, guard, ..patch.with(own) });
    }
    requests
}

/// A key is disabled before its other fields change, and enabled after that.
fn change_key(
    name: &ObjectName,
    mut body: Map<String, Value>,
    teams_before: Option<&Value>,
) -> Vec<PlannedRequest> {
    let about = |method| PlannedRequest::about(method, path_of(name.kind).1, name);
    let disabled = body.remove("disabled");
    let teams = body.remove("teams");
    let mut requests = Vec::new();
    if disabled == Some(Value::Bool(true)) {
        requests.push(about("POST").then("/disable").with(Map::new()));
    }
    if !body.is_empty() {
        requests.push(about("PATCH").with(body));
    }
    if let Some(Value::Object(after)) = &teams {
        let none = Map::new();
        let before = teams_before.and_then(Value::as_object).unwrap_or(&none);
        for team in before.keys().filter(|team| !after.contains_key(*team)) {
            let organization = name.organization.as_deref().unwrap_or_default();
            let team = ObjectName::within(ObjectKind::Team, organization, team);
            requests.push(about("DELETE").then("/teams/").id(team));
        }
        let added = after.iter().filter(|(team, access)| before.get(*team) != Some(access));
        requests.extend(added.map(|(team, access)| share(name, team, access)));
    }
    if disabled == Some(Value::Bool(false)) {
        requests.push(about("POST").then("/enable").with(Map::new()));
    }
    requests
}

/// The requests that delete an object. A key is revoked.
pub(super) fn deletion(name: &ObjectName) -> Vec<PlannedRequest> {
    let above = path_of(name.kind).1;
    vec![if name.kind == ObjectKind::Key {
        let reason = json!({ "reason": "removed from the configuration files" });
        let body = reason.as_object().cloned().unwrap_or_default();
        PlannedRequest::about("POST", above, name).then("/revoke").with(body)
    } else {
        PlannedRequest::about("DELETE", above, name)
    }]
}

fn share(key: &ObjectName, team: &str, access: &Value) -> PlannedRequest {
    let organization = key.organization.as_deref().unwrap_or_default();
    let team = ObjectName::within(ObjectKind::Team, organization, team);
    let body = Map::from_iter([("access".to_owned(), access.clone())]);
    PlannedRequest::about("PUT", path_of(key.kind).1, key).then("/teams/").id(team).with(body)
}

fn membership(method: &'static str, team: &ObjectName, email: &str) -> PlannedRequest {
    let organization = team.organization.as_deref().unwrap_or_default();
    let user = ObjectName::within(ObjectKind::User, organization, email);
    let about = PlannedRequest::about(method, path_of(team.kind).1, team).unguarded();
    let about = about.then("/members/").id(user);
    if method == "PUT" { about.with(Map::new()) } else { about }
}

/// Adds the accepted organizations to the request of a gate; null accepts all organizations.
fn with_accepted(mut request: PlannedRequest, accepted: Option<Value>) -> PlannedRequest {
    match accepted {
        Some(Value::Null) => {
            request.body.get_or_insert_default().insert("organizations".to_owned(), Value::Null);
            request
        },
        Some(names) => {
            let names = texts(Some(&names));
            let objects = names.iter().map(ObjectName::organization).map(RoleOrObject::Object);
            request.with_ids("organizations", objects.collect())
        },
        None => request,
    }
}

/// The texts of a list.
pub(super) fn texts(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The organization of each domain; the first by name, if several organizations have it.
pub(super) fn domains_of<'a>(
    objects: impl Iterator<Item = (&'a ObjectName, &'a Map<String, Value>)>,
) -> BTreeMap<&'a str, &'a ObjectName> {
    let mut owners = BTreeMap::new();
    for (name, fields) in objects.filter(|(name, _)| name.kind == ObjectKind::Organization) {
        let domains = fields.get("domains").and_then(Value::as_array).into_iter().flatten();
        for domain in domains.filter_map(Value::as_str) {
            owners.entry(domain).or_insert(name);
        }
    }
    owners
}
