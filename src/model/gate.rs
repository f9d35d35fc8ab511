//! Gates: named policies for what a proxy protects. Which headers carry the key, which route needs
//! what, whose keys are taken.

use std::fmt;
use std::str::FromStr;

use crate::model::credential::{CREDENTIALS, CredentialSource};
use crate::model::id::OrganizationId;
use crate::model::key_text::Environment;
use crate::model::requirement::Requirement;
use crate::model::route::{Asked, Route, RouteTable};

/// The gate that every instance has: any valid key, for any route. It is never changed.
pub const DEFAULT_GATE: &str = "default";
/// Most routes of a gate.
pub const ROUTES_MAX: usize = 256;
/// Most organizations, and most environments, that a gate names.
pub const ACCEPTED_MAX: usize = 100;
/// Longest name of a gate, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// A text that names no gate or access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGate {
    /// No name.
    #[error("must be 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -, beginning with a letter")]
    Name,
    /// No access.
    #[error("must be key, public or denied")]
    Access,
}

/// The name of a gate: it stands in the proxy's configuration, so it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GateName(Box<str>);

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A key that may do what is required.
    Key,
    /// Nothing: no credential is even read.
    Public,
    /// Nobody passes.
    Denied,
}

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What is asked for.
    pub access: Access,
    /// What the key must be granted; `None` is any valid key.
    pub requirement: Option<Requirement>,
    /// Units drawn from limits; `None` is what the gate says.
    pub cost: Option<u32>,
}

/// A gate, as it decides.
#[derive(Debug)]
pub struct Gate {
    /// Where a key may stand.
    pub credentials: Box<[CredentialSource]>,
    /// What needs what; `None` is any key for everything.
    pub routes: Option<RouteTable<Rule>>,
    /// Whose keys are taken; `None` is everybody's.
    pub organizations: Option<Box<[OrganizationId]>>,
    /// Of which environments; `None` is all.
    pub environments: Option<Box<[Environment]>>,
    /// Units drawn from limits by a call.
    pub cost: u32,
}

/// Which organizations and environments keys are taken of; `None` is all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acceptance<'a> {
    /// Organizations.
    pub organizations: Option<&'a [OrganizationId]>,
    /// Environments.
    pub environments: Option<&'a [Environment]>,
}

/// Where a request is led.
#[derive(Clone, Copy, Debug)]
pub enum Way<'a> {
    /// To the key's decision.
    Key {
        /// What the key must be granted.
        requirement: Option<&'a Requirement>,
        /// Units drawn from limits.
        cost: u32,
    },
    /// Through.
    Public,
    /// Nowhere: no rule fits, or one that denies.
    NotAllowed,
}

impl Gate {
    /// The gate that every instance has.
    pub fn any_key() -> Self {
        let credentials = CREDENTIALS.clone().into();
        Self { credentials, routes: None, organizations: None, environments: None, cost: 1 }
    }

    /// A gate that lets nothing through.
    pub fn closed() -> Self {
        Self { routes: Some(RouteTable::default()), ..Self::any_key() }
    }

    /// Which keys are taken.
    pub fn acceptance(&self) -> Acceptance<'_> {
        Acceptance {
            organizations: self.organizations.as_deref(),
            environments: self.environments.as_deref(),
        }
    }

    /// The rule that a request takes, where the gate has rules.
    pub fn rule(&self, asked: Asked<'_>) -> Option<(&Route, &Rule)> {
        self.routes.as_ref().and_then(|routes| routes.find(asked))
    }

    /// Where a request is led.
    pub fn way(&self, asked: Asked<'_>) -> Way<'_> {
        match self.rule(asked) {
            Some((_, rule)) => match rule.access {
                Access::Key => Way::Key {
                    requirement: rule.requirement.as_ref(),
                    cost: rule.cost.unwrap_or(self.cost),
                },
                Access::Public => Way::Public,
                Access::Denied => Way::NotAllowed,
            },
            None if self.routes.is_none() => Way::Key { requirement: None, cost: self.cost },
            None => Way::NotAllowed,
        }
    }
}

impl GateName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GateName {
    type Err = InvalidGate;

    fn from_str(text: &str) -> Result<Self, InvalidGate> {
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
        if begins && text.len() <= NAME_BYTES_MAX && text.bytes().all(fits) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidGate::Name)
        }
    }
}

impl fmt::Display for GateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Access {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Public => "public",
            Self::Denied => "denied",
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Access {
    type Err = InvalidGate;

    fn from_str(text: &str) -> Result<Self, InvalidGate> {
        [Self::Key, Self::Public, Self::Denied]
            .into_iter()
            .find(|access| access.name() == text)
            .ok_or(InvalidGate::Access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::route::{PathPattern, Route};

    #[test]
    fn without_a_rule_nothing_passes() {
        let path: PathPattern = "/open/**".parse().unwrap();
        let route = Route { host: None, path, methods: None };
        let rule = Rule { access: Access::Public, requirement: None, cost: None };
        let routes = Some(RouteTable::new(vec![(route, rule)]).unwrap());
        let gate = Gate { routes, ..Gate::any_key() };
        let way = |path| gate.way(Asked { host: "x", path, method: "GET" });
        assert!(matches!(way("/open/a"), Way::Public));
        assert!(matches!(way("/closed"), Way::NotAllowed));
        let anything = Asked { host: "x", path: "/", method: "GET" };
        assert!(matches!(Gate::closed().way(anything), Way::NotAllowed));
        assert!(matches!(Gate::any_key().way(anything), Way::Key { requirement: None, cost: 1 }));
    }

    #[test]
    fn names_are_what_a_proxy_can_write() {
        for name in ["default", "a", "orders-v2"] {
            assert!(name.parse::<GateName>().is_ok(), "{name}");
        }
        for name in ["", "2", "Orders", "a_b", "a/b", "-a", "é", &"a".repeat(64)] {
            assert!(name.parse::<GateName>().is_err(), "{name}");
        }
    }
}
