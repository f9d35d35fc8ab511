//! The record of a gate and its routes, as stored.

use serde::{Deserialize, Serialize};

use crate::model::credential::{CREDENTIALS, CredentialSource};
use crate::model::gate::{Gate, GateNumber, Preflight, RouteAccess, Rule};
use crate::model::id::{GateId, OrganizationId};
use crate::model::key_text::Environment;
use crate::model::moment::Moment;
use crate::model::requirement::Requirement;
use crate::model::route::{
    Ambiguity, EqualRoutes, HostPattern, InvalidRoute, Methods, PathPattern, Route, RouteTable,
};
use crate::records::codec::Record;
use crate::records::place::StoreKey;
use crate::records::text;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateRecord {
    /// The name, stored in the row key.
    #[serde(skip)]
    pub name: Box<str>,
    #[serde(rename = "i", with = "text")]
    pub id: GateId,
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The places in a request that may carry the key.
    #[serde(rename = "h", with = "text::list")]
    pub credentials: Vec<CredentialSource>,
    /// The routes, in the order in which they were written.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteRecord>,
    /// The organizations whose keys are accepted. `None` accepts the keys of all organizations.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub organizations: Option<Ids>,
    /// The accepted environments. `None` accepts all environments.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<Environments>,
    /// Units that a call draws from limits.
    #[serde(rename = "u")]
    pub cost: u32,
    /// How CORS preflight requests are handled.
    #[serde(rename = "f", default, with = "text", skip_serializing_if = "is_default")]
    pub preflight: Preflight,
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// The version: number of changes, from 1.
    #[serde(rename = "v")]
    pub version: u64,
}

/// Marks that a proxy asked a gate about a key of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateCallRecord {}

impl Record for GateCallRecord {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ids(#[serde(with = "text::list")] pub Vec<OrganizationId>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environments(#[serde(with = "text::list")] pub Vec<Environment>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteRecord {
    /// The host. `None` matches any host.
    #[serde(rename = "h", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub host: Option<HostPattern>,
    #[serde(rename = "p", with = "text")]
    pub path: PathPattern,
    /// The methods. An empty list matches any method.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    #[serde(rename = "a", with = "text")]
    pub access: RouteAccess,
    /// The permission that the key must have. `None` accepts any valid key.
    #[serde(rename = "q", default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub requirement: Option<Requirement>,
    /// Units that a call draws. `None` uses the gate's value.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u32>,
    /// Ambiguous spellings that the route's paths may contain. An empty list allows none.
    #[serde(rename = "x", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Ambiguity>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_default(preflight: &Preflight) -> bool {
    *preflight == Preflight::default()
}

/// Reasons why routes do not form a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutesFault {
    /// The position of a route whose methods are invalid, with the reason.
    Methods(usize, InvalidRoute),
    /// Two routes that match the same requests.
    Equal(EqualRoutes),
}

impl RouteRecord {
    /// Returns the record of a route and its rule.
    pub fn of(route: &Route, rule: &Rule) -> Self {
        let methods = route.methods.iter().flat_map(Methods::names);
        Self {
            host: route.host.clone(),
            path: route.path.clone(),
            methods: methods.map(str::to_owned).collect(),
            access: rule.access,
            requirement: rule.requirement.clone(),
            cost: rule.cost,
            allow: route.allow.iter().collect(),
        }
    }

    /// Returns the routes in the form that decides about requests.
    ///
    /// # Errors
    /// [`RoutesFault`]: never for the routes of a stored gate.
    pub fn table(routes: &[Self]) -> Result<RouteTable<Rule>, RoutesFault> {
        let mut rules = Vec::with_capacity(routes.len());
        for (at, record) in routes.iter().enumerate() {
            let names = record.methods.iter().map(String::as_str);
            let methods = (!record.methods.is_empty()).then(|| Methods::new(names)).transpose();
            let methods = methods.map_err(|error| RoutesFault::Methods(at, error))?;
            let (host, path) = (record.host.clone(), record.path.clone());
            let rule = Rule {
                access: record.access,
                requirement: record.requirement.clone(),
                cost: record.cost,
            };
            let allow = record.allow.iter().copied().collect();
            rules.push((Route { host, path, methods, allow }, rule));
        }
        RouteTable::new(rules).map_err(RoutesFault::Equal)
    }
}

impl GateRecord {
    /// Returns the credential sources of a new gate that names none.
    pub fn credentials_by_default() -> Vec<CredentialSource> {
        CREDENTIALS.to_vec()
    }

    /// Returns the gate in the form that decides about requests.
    ///
    /// # Errors
    /// [`RoutesFault`]: never for a stored gate.
    pub fn gate(&self) -> Result<Gate, RoutesFault> {
        Ok(Gate {
            number: GateNumber::NONE,
            credentials: self.credentials.clone().into(),
            routes: Some(RouteRecord::table(&self.routes)?),
            organizations: self.organizations.as_ref().map(|ids| ids.0.clone().into()),
            environments: self.environments.as_ref().map(|names| names.0.clone().into()),
            cost: self.cost,
            preflight: self.preflight,
        })
    }
}

impl Record for GateRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Gate(name) = place {
            self.name.clone_from(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::codec::{decode, encode};

    fn sample() -> GateRecord {
        let route = RouteRecord {
            host: Some("API.example.com".parse().unwrap()),
            path: "/orders/{id}".parse().unwrap(),
            methods: vec!["GET".to_owned()],
            access: RouteAccess::Key,
            requirement: Some("orders:read".parse().unwrap()),
            cost: Some(2),
            allow: vec![Ambiguity::EncodedSlash, Ambiguity::Utf8],
        };
        GateRecord {
            name: "orders".into(),
            id: GateId::default(),
            description: String::new(),
            credentials: GateRecord::credentials_by_default(),
            routes: vec![route],
            organizations: Some(Ids(vec![OrganizationId::default()])),
            environments: Some(Environments(vec![Environment::default()])),
            cost: 1,
            preflight: Preflight::Allow,
            created_at: Moment::from_milliseconds(5),
            version: 1,
        }
    }

    #[test]
    fn a_gate_comes_back_as_it_was_written() {
        let place = StoreKey::Gate("orders".into());
        let mut record = sample();
        let bytes = encode(&place, &record).unwrap();
        let mut read: GateRecord = decode(&place, &bytes).unwrap();
        read.take_ids_from(&place);
        assert_eq!(read, record);
        assert!(record.gate().is_ok());
        record.routes.extend(record.routes.clone());
        assert!(matches!(record.gate(), Err(RoutesFault::Equal(_))));
    }

    /// The record is from a version whose routes could not allow ambiguous paths, and whose gates
    /// had no preflight setting.
    #[test]
    fn a_gate_of_before_is_read_as_it_decided() {
        let place = StoreKey::Gate("orders".into());
        let text = r#"{"i":"gate_00000000-0000-0000-0000-000000000000","h":["authorization","x-api-key"],
            "r":[{"p":"/files/Inc.","a":"public"},{"p":"/.../a","a":"denied"}],"u":1,
            "c":5,"v":1}"#;
        let current = encode(&place, &sample()).unwrap();
        let bytes = [&current[..1], text.as_bytes()].concat();
        let read: GateRecord = decode(&place, &bytes).unwrap();
        assert_eq!(read.preflight, Preflight::Check);
        assert_eq!(read.credentials.len(), 2);
        assert!(read.routes.iter().all(|route| route.allow.is_empty()));
        assert!(read.gate().is_ok());
    }
}
