//! Gates: named policies for what a proxy protects. Which headers carry the key, which route needs
//! what, whose keys are taken.

use std::fmt;
use std::str::FromStr;

use crate::model::id::OrganizationId;
use crate::model::key_text::Environment;
use crate::model::requirement::Requirement;
use crate::model::route::{Asked, Route, RouteTable};

/// The gate that every instance has: any valid key, for any route. It is never changed.
pub const DEFAULT_GATE: &str = "default";
/// Most routes of a gate.
pub const ROUTES_MAX: usize = 256;
/// Most headers that may carry a key.
pub const CREDENTIALS_MAX: usize = 8;
/// Most organizations, and most environments, that a gate names.
pub const ACCEPTED_MAX: usize = 100;
/// Longest name of a gate, in bytes.
const NAME_BYTES_MAX: usize = 63;
/// Longest name of a header, in bytes.
const HEADER_BYTES_MAX: usize = 64;
/// Where a key may stand unless a gate says otherwise.
pub const CREDENTIALS: [&str; 3] = [AUTHORIZATION, "x-api-key", "mc-api-key"];
/// The header with a scheme before the key: Bearer or Basic.
pub const AUTHORIZATION: &str = "authorization";

/// A text that names no gate, header or access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGate {
    /// No name.
    #[error("must be 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -, beginning with a letter")]
    Name,
    /// A header that carries something else, or no header at all.
    #[error("must be a header that may carry a key, in lower case, such as x-my-api-key")]
    Header,
    /// No access.
    #[error("must be key, public or denied")]
    Access,
}

/// The name of a gate: it stands in the proxy's configuration, so it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GateName(Box<str>);

/// A header that may carry a key, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialHeader(Box<str>);

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
    pub credentials: Box<[CredentialHeader]>,
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
        let credentials = CREDENTIALS.map(|name| CredentialHeader(name.into())).into();
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

impl AsRef<str> for CredentialHeader {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl CredentialHeader {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialHeader {
    type Err = InvalidGate;

    fn from_str(text: &str) -> Result<Self, InvalidGate> {
        // `_` is left out: some servers take it for `-`.
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
        let taken = CARRY_OTHER_THINGS.contains(&text)
            || CARRY_OTHER_THINGS_BEGIN.iter().any(|begin| text.starts_with(begin));
        if begins && text.len() <= HEADER_BYTES_MAX && text.bytes().all(fits) && !taken {
            Ok(Self(text.into()))
        } else {
            Err(InvalidGate::Header)
        }
    }
}

impl fmt::Display for CredentialHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Headers that say something else, or that a proxy sets, changes or drops on its way.
const CARRY_OTHER_THINGS: [&str; 21] = [
    "accept",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "origin",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-real-ip",
    // It is repeated in answers and logs.
    "x-request-id",
];
const CARRY_OTHER_THINGS_BEGIN: [&str; 8] =
    ["accept-", "content-", "if-", "proxy-", "sec-", "x-forwarded-", "x-keyhouse-", "x-original-"];

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
    fn names_and_headers_are_what_a_proxy_can_write() {
        for name in ["default", "a", "orders-v2"] {
            assert!(name.parse::<GateName>().is_ok(), "{name}");
        }
        for name in ["", "2", "Orders", "a_b", "a/b", "-a", "é", &"a".repeat(64)] {
            assert!(name.parse::<GateName>().is_err(), "{name}");
        }
        for name in CREDENTIALS.into_iter().chain(["x-my-key", "apikey"]) {
            assert!(name.parse::<CredentialHeader>().is_ok(), "{name}");
        }
        for name in
            ["", "X-Api-Key", "x_api_key", "cookie", "x-forwarded-for", "x-request-id", "a b"]
        {
            assert!(name.parse::<CredentialHeader>().is_err(), "{name}");
        }
    }
}
