//! The names of objects in configuration files, and the default of each field.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::model::credential::CREDENTIALS;

/// The kinds of objects, in the order in which a file and an export list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ObjectKind {
    Permission,
    Plan,
    Organization,
    Subscription,
    Role,
    User,
    Team,
    Key,
    Gate,
}

impl ObjectKind {
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::Plan => "plan",
            Self::Organization => "organization",
            Self::Subscription => "subscription",
            Self::Role => "role",
            Self::User => "user",
            Self::Team => "team",
            Self::Key => "key",
            Self::Gate => "gate",
        }
    }

    /// The field that lists objects of this kind.
    pub(super) const fn list(self) -> &'static str {
        match self {
            Self::Permission => "permissions",
            Self::Plan => "plans",
            Self::Organization => "organizations",
            Self::Subscription => "subscription",
            Self::Role => "roles",
            Self::User => "users",
            Self::Team => "teams",
            Self::Key => "keys",
            Self::Gate => "gates",
        }
    }

    /// The defaults of the fields that a file may leave out. A kind without defaults keeps a field that
    /// is left out: its objects exist without the file.
    ///
    /// The members of a team have no default, and also stay.
    pub(super) fn defaults(self) -> Map<String, Value> {
        let credentials: Vec<String> = CREDENTIALS.iter().map(ToString::to_string).collect();
        let defaults = match self {
            Self::Plan | Self::Organization | Self::Subscription | Self::User => json!({}),
            Self::Permission => {
                json!({ "group": "", "description": { "en": "", "fr": "", "es": "" } })
            },
            Self::Role => json!({ "description": "", "permissions": [] }),
            Self::Team => json!({ "description": "", "visibility": "visible" }),
            Self::Key => json!({
                "description": "", "environment": "live", "permissions": [],
                "ip_rules": { "allow": [], "deny": [] }, "rate_limits": [], "quota": null,
                "metadata": {}, "not_before": null, "expires_at": null, "disabled": false,
                "teams": {},
            }),
            Self::Gate => json!({
                "description": "", "credentials": credentials, "routes": [], "organizations": null,
                "environments": null, "cost": 1, "preflight": "check",
            }),
        };
        match defaults {
            Value::Object(defaults) => defaults,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        }
    }
}

/// The name of an object. A key's name here is the digest by which the instance knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectName {
    pub(crate) kind: ObjectKind,
    /// The name of the organization, for an object that belongs to one.
    pub(crate) organization: Option<String>,
    pub(crate) name: String,
}

impl ObjectName {
    pub(super) fn of_instance(kind: ObjectKind, name: impl Into<String>) -> Self {
        Self { kind, organization: None, name: name.into() }
    }

    pub(super) fn within(kind: ObjectKind, organization: &str, name: impl Into<String>) -> Self {
        Self { kind, organization: Some(organization.to_owned()), name: name.into() }
    }

    pub(super) fn organization(name: impl Into<String>) -> Self {
        Self::of_instance(ObjectKind::Organization, name)
    }
}

/// The object as people read it: its kind, its label and its organization.
pub(crate) struct Titled<'a> {
    pub(crate) name: &'a ObjectName,
    pub(crate) label: &'a str,
}

impl fmt::Display for Titled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.name.kind;
        match (&self.name.organization, kind) {
            (Some(organization), ObjectKind::Subscription) => {
                write!(f, "subscription of {organization:?}")
            },
            (Some(organization), _) => {
                write!(f, "{} {:?} of {organization:?}", kind.noun(), self.label)
            },
            (None, _) => write!(f, "{} {:?}", kind.noun(), self.label),
        }
    }
}
