//! The ids and versions of objects, with which named requests become requests of the API.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::manifest::current::Current;
use crate::manifest::names::{ObjectKind, ObjectName};
use crate::manifest::requests::{PathPart, PlannedChange, PlannedRequest, RoleOrObject};

/// A request with ids, ready to be sent.
#[derive(Debug)]
pub(crate) struct ReadyRequest {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    /// The id of the organization in which the request acts.
    pub(crate) organization: Option<String>,
    pub(crate) body: Option<Value>,
    /// The version that the object must have.
    pub(crate) version: Option<u64>,
}

/// The ids and versions of objects, which grow as objects are created.
#[derive(Debug, Default)]
pub(crate) struct KnownObjects {
    known: BTreeMap<ObjectName, (String, Option<u64>)>,
}

impl KnownObjects {
    pub(super) fn of(current: &Current) -> Self {
        let known = current.objects.iter();
        let known = known.map(|(name, it)| (name.clone(), (it.id.clone(), it.version)));
        Self { known: known.collect() }
    }

    /// The id of the organization in which a request acts. `None` if the organization does not exist
    /// yet, or if the request is about the instance.
    pub(super) fn organization_of(&self, request: &PlannedRequest) -> Option<&str> {
        let name = ObjectName::organization(request.within.as_deref()?);
        self.known.get(&name).map(|(id, _)| id.as_str())
    }

    /// The request with the ids of its objects. `None` if an object is unknown, which is the case only
    /// if the response to its creation had no id.
    pub(crate) fn ready(&self, request: &PlannedRequest) -> Option<ReadyRequest> {
        let id = |name: &ObjectName| self.known.get(name).map(|(id, _)| id.clone());
        let mut path = String::new();
        for part in &request.path {
            match part {
                PathPart::Text(text) => path.push_str(text),
                PathPart::Id(name) => path.push_str(&id(name)?),
            }
        }
        let organization = match &request.within {
            Some(name) => Some(id(&ObjectName::organization(name))?),
            None => None,
        };
        let mut body = request.body.clone();
        for (field, entries) in &request.ids {
            let ids = entries.iter().map(|entry| match entry {
                RoleOrObject::Word(word) => Some(Value::String(word.clone())),
                RoleOrObject::Object(name) => id(name).map(Value::String),
            });
            let ids: Vec<Value> = ids.collect::<Option<_>>()?;
            // A user has one role; the other fields are lists.
            let value = if *field == "role" { ids.into_iter().next()? } else { Value::Array(ids) };
            body.get_or_insert_default().insert((*field).to_owned(), value);
        }
        let version = request.guard.as_ref().and_then(|name| self.known.get(name)?.1);
        let body = body.map(Value::Object);
        Some(ReadyRequest { method: request.method, path, organization, body, version })
    }

    /// Takes the id and the version from the response to a request.
    pub(crate) fn learn(
        &mut self,
        change: &PlannedChange,
        request: &PlannedRequest,
        response: &Value,
    ) {
        let name = request.guard.as_ref().unwrap_or(&change.name);
        let object = match name.kind {
            ObjectKind::Organization => response.get("organization").unwrap_or(response),
            ObjectKind::Key => response.pointer("/keys/0").unwrap_or(response),
            ObjectKind::Permission
            | ObjectKind::Plan
            | ObjectKind::Subscription
            | ObjectKind::Role
            | ObjectKind::User
            | ObjectKind::Team
            | ObjectKind::Gate => response,
        };
        let id = match name.kind {
            ObjectKind::Permission | ObjectKind::Plan | ObjectKind::Gate => Some(name.name.clone()),
            ObjectKind::Organization
            | ObjectKind::Subscription
            | ObjectKind::Role
            | ObjectKind::User
            | ObjectKind::Team
            | ObjectKind::Key => object["id"].as_str().map(str::to_owned),
        };
        let known = id.or_else(|| Some(self.known.get(name)?.0.clone()));
        if let Some(id) = known {
            self.known.insert(name.clone(), (id, object["version"].as_u64()));
        }
    }
}
