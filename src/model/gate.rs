//! Gates: named policies for the routes that a proxy protects.
//!
//! A gate sets which headers carry the key, what each route requires, and which keys are accepted.

use std::fmt;
use std::str::FromStr;

use crate::model::credential::{CREDENTIALS, CredentialSource};
use crate::model::id::OrganizationId;
use crate::model::key_text::Environment;
use crate::model::requirement::Requirement;
use crate::model::route::{Ambiguity, DoubtfulPath, Route, RouteQuery, RouteTable};

/// The gate that every instance has. The gate `default` accepts any valid key for any route, and
/// never changes.
pub const DEFAULT_GATE: &str = "default";
/// The most routes of a gate.
pub const ROUTES_MAX: usize = 256;
/// The most organizations, and the most environments, that a gate names.
pub const ACCEPTED_MAX: usize = 100;
/// The longest name of a gate, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// The text is not a gate name, an access or a preflight mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGate {
    #[error("must be 1 to {NAME_BYTES_MAX} characters of a-z, 0-9 and -, starting with a letter")]
    Name,
    #[error("must be key, public or denied")]
    Access,
    #[error("must be check or allow")]
    Preflight,
}

/// The name of a gate. A name never changes, since the proxy's configuration contains it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GateName(Box<str>);

/// The number of a gate's name in this process, by which the calls through the gate are counted. The
/// index assigns the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateNumber(u16);

impl GateNumber {
    /// The number of calls without a gate.
    pub const NONE: Self = Self(0);
    /// The number of all gates that have none of their own.
    pub const OTHER: Self = Self((1 << Self::BITS) - 1);
    /// The number of bits of a gate number.
    pub const BITS: u32 = 11;

    /// The number of the gate at a position in the list of names.
    pub fn at(position: usize) -> Self {
        let number = position.checked_add(1).and_then(|number| u16::try_from(number).ok());
        number.map_or(Self::OTHER, |number| Self(number.min(Self::OTHER.0)))
    }

    /// The position in the list of names. `None` for the numbers that are of no one gate.
    pub fn position(self) -> Option<usize> {
        let is_own = self != Self::NONE && self != Self::OTHER;
        usize::from(self.0).checked_sub(1).filter(|_position| is_own)
    }

    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The number with these bits.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
}

/// The access that a route requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteAccess {
    /// A key that is granted the requirement.
    Key,
    /// No key: credentials are not read.
    Public,
    Denied,
}

/// The policy of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub access: RouteAccess,
    /// The permissions that the key needs; `None` accepts any valid key.
    pub requirement: Option<Requirement>,
    /// Units drawn from limits; `None` uses the gate's cost.
    pub cost: Option<u32>,
}

/// A gate in the form that decides about requests.
#[derive(Debug)]
pub struct Gate {
    /// The number of the gate's name. [`GateNumber::NONE`] outside of the index.
    pub number: GateNumber,
    /// The places that may carry a key.
    pub credentials: Box<[CredentialSource]>,
    /// The routes; `None` accepts any key for every request.
    pub routes: Option<RouteTable<Rule>>,
    /// The organizations whose keys are accepted; `None` accepts all.
    pub organizations: Option<Box<[OrganizationId]>>,
    /// The environments whose keys are accepted; `None` accepts all.
    pub environments: Option<Box<[Environment]>>,
    /// Units that a call draws from limits.
    pub cost: u32,
    /// The handling of CORS preflights.
    pub preflight: Preflight,
}

/// The handling of CORS preflights, which browsers send without a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preflight {
    /// A preflight is handled like any other request.
    #[default]
    Check,
    /// A preflight passes if the request that it announces could pass.
    Allow,
}

/// The organizations and environments whose keys are accepted; `None` accepts all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acceptance<'a> {
    pub organizations: Option<&'a [OrganizationId]>,
    pub environments: Option<&'a [Environment]>,
}

/// The gate's decision on a request.
#[derive(Clone, Copy, Debug)]
pub enum GateDecision<'a> {
    Key {
        /// The permissions that the key needs.
        requirement: Option<&'a Requirement>,
        cost: u32,
    },
    /// The request passes without a key.
    Public,
    /// Denied: no rule matches, or the rule denies; or the path holds a `;` that the rule does not
    /// allow.
    NotAllowed(Option<DoubtfulPath>),
    /// Denied: the path is ambiguous.
    Refused(DoubtfulPath),
}

impl Gate {
    /// The gate that every instance has.
    pub fn any_key() -> Self {
        let credentials = CREDENTIALS.clone().into();
        let (organizations, environments, preflight) = (None, None, Preflight::Check);
        let number = GateNumber::NONE;
        Self { number, credentials, routes: None, organizations, environments, cost: 1, preflight }
    }

    /// A gate that denies every request.
    pub fn closed() -> Self {
        Self { routes: Some(RouteTable::default()), ..Self::any_key() }
    }

    /// The keys that the gate accepts.
    pub fn acceptance(&self) -> Acceptance<'_> {
        Acceptance {
            organizations: self.organizations.as_deref(),
            environments: self.environments.as_deref(),
        }
    }

    /// The rule that matches a request, if the gate has rules.
    ///
    /// # Errors
    ///
    /// [`DoubtfulPath`] for a path that can be read in two ways.
    pub fn rule(&self, query: RouteQuery<'_>) -> Result<Option<(&Route, &Rule)>, DoubtfulPath> {
        match &self.routes {
            Some(routes) => routes.find(query),
            // For compatibility, a gate without routes accepts a path with `;`.
            None => match query.path.holds().iter().next() {
                None | Some(Ambiguity::Semicolon) => Ok(None),
                Some(kind) => Err(DoubtfulPath::NotAllowed(kind)),
            },
        }
    }

    /// The request whose rule decides. For a CORS preflight that this gate allows, the request that
    /// the preflight announces decides, unless a rule names OPTIONS itself.
    pub fn decisive<'a>(
        &self,
        query: RouteQuery<'a>,
        announced: Option<&'a str>,
    ) -> RouteQuery<'a> {
        let is_preflight = self.preflight == Preflight::Allow && query.method == "OPTIONS";
        let Some(method) = announced.filter(|_method| is_preflight) else { return query };
        let names_options = |route: &Route| {
            route.methods.as_ref().is_some_and(|methods| methods.names_itself("OPTIONS"))
        };
        match self.rule(query) {
            Ok(Some((route, _))) if names_options(route) => query,
            Ok(_) | Err(_) => RouteQuery { method, ..query },
        }
    }

    /// The decision on a request. `announced` is the method that a CORS preflight announces.
    pub fn decision<'a>(
        &'a self,
        query: RouteQuery<'a>,
        announced: Option<&'a str>,
    ) -> GateDecision<'a> {
        let decisive = self.decisive(query, announced);
        let decided = self.decision_of(decisive);
        let is_keyed = matches!(decided, GateDecision::Key { .. });
        if is_keyed && decisive.method != query.method { GateDecision::Public } else { decided }
    }

    fn decision_of(&self, query: RouteQuery<'_>) -> GateDecision<'_> {
        let rule = match self.rule(query) {
            Ok(rule) => rule,
            // For compatibility, such a path is denied like a path that matches no rule.
            Err(doubt @ DoubtfulPath::NotAllowed(Ambiguity::Semicolon)) => {
                return GateDecision::NotAllowed(Some(doubt));
            },
            Err(doubt) => return GateDecision::Refused(doubt),
        };
        match rule {
            Some((_, rule)) => match rule.access {
                RouteAccess::Key => GateDecision::Key {
                    requirement: rule.requirement.as_ref(),
                    cost: rule.cost.unwrap_or(self.cost),
                },
                RouteAccess::Public => GateDecision::Public,
                RouteAccess::Denied => GateDecision::NotAllowed(None),
            },
            None if self.routes.is_none() => {
                GateDecision::Key { requirement: None, cost: self.cost }
            },
            None => GateDecision::NotAllowed(None),
        }
    }
}

impl GateName {
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

impl RouteAccess {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Public => "public",
            Self::Denied => "denied",
        }
    }
}

impl fmt::Display for RouteAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RouteAccess {
    type Err = InvalidGate;

    fn from_str(text: &str) -> Result<Self, InvalidGate> {
        [Self::Key, Self::Public, Self::Denied]
            .into_iter()
            .find(|access| access.name() == text)
            .ok_or(InvalidGate::Access)
    }
}

impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Check => "check",
            Self::Allow => "allow",
        })
    }
}

impl FromStr for Preflight {
    type Err = InvalidGate;

    fn from_str(text: &str) -> Result<Self, InvalidGate> {
        match text {
            "check" => Ok(Self::Check),
            "allow" => Ok(Self::Allow),
            _ => Err(InvalidGate::Preflight),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::route::{Ambiguities, Methods, PathPattern, Route, raw_path};

    fn query<'a>(method: &'a str, path: &'a str) -> RouteQuery<'a> {
        RouteQuery { host: "x", path: raw_path(path).unwrap(), method }
    }

    fn rule(methods: &str, path: &str, access: RouteAccess) -> (Route, Rule) {
        let path: PathPattern = path.parse().unwrap();
        let methods = (!methods.is_empty()).then(|| Methods::new([methods]).unwrap());
        let route = Route { host: None, path, methods, allow: Ambiguities::default() };
        (route, Rule { access, requirement: None, cost: None })
    }

    fn gate(rules: Vec<(Route, Rule)>) -> Gate {
        Gate { routes: Some(RouteTable::new(rules).unwrap()), ..Gate::any_key() }
    }

    #[test]
    fn without_a_rule_nothing_passes() {
        let open = gate(vec![rule("", "/open/**", RouteAccess::Public)]);
        let (closed, any) = (Gate::closed(), Gate::any_key());
        for (gate, path, expected) in [
            (&open, "/open/a", "public"),
            (&open, "/open/a;b", "not allowed"),
            (&open, "/open//a", "refused"),
            (&open, "/closed", "not allowed"),
            (&closed, "/", "not allowed"),
            (&any, "/", "key"),
            (&any, "/a;b", "key"),
            (&any, "/a%2fb", "refused"),
        ] {
            assert_eq!(named(&gate.decision(query("GET", path), None)), expected, "{path}");
        }
    }

    fn named(decided: &GateDecision<'_>) -> &'static str {
        match decided {
            GateDecision::Public => "public",
            GateDecision::Key { .. } => "key",
            GateDecision::NotAllowed(_) => "not allowed",
            GateDecision::Refused(_) => "refused",
        }
    }

    #[test]
    fn a_preflight_passes_where_what_it_announces_could() {
        let rules = vec![
            rule("PUT", "/orders", RouteAccess::Key),
            rule("", "/orders", RouteAccess::Denied),
            rule("OPTIONS", "/closed", RouteAccess::Denied),
            rule("", "/closed", RouteAccess::Key),
            rule("", "/open", RouteAccess::Public),
        ];
        let allowing = Gate { preflight: Preflight::Allow, ..gate(rules) };
        for (method, path, announced, expected) in [
            ("OPTIONS", "/orders", Some("PUT"), "public"),
            ("OPTIONS", "/orders", Some("GET"), "not allowed"),
            ("OPTIONS", "/orders", None, "not allowed"),
            ("OPTIONS", "/open", Some("GET"), "public"),
            ("OPTIONS", "/nowhere", Some("GET"), "not allowed"),
            // A rule that names OPTIONS takes precedence.
            ("OPTIONS", "/closed", Some("GET"), "not allowed"),
            ("PUT", "/orders", Some("PUT"), "key"),
            ("GET", "/closed", Some("PUT"), "key"),
        ] {
            let decided = allowing.decision(query(method, path), announced);
            assert_eq!(named(&decided), expected, "{method} {path} {announced:?}");
        }
        let checking = Gate { preflight: Preflight::Check, ..allowing };
        let decided = checking.decision(query("OPTIONS", "/orders"), Some("PUT"));
        assert!(matches!(decided, GateDecision::NotAllowed(None)));
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
