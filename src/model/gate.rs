//! Gates: named policies for what a proxy protects. Which headers carry the key, which route needs
//! what, whose keys are taken.

use std::fmt;
use std::str::FromStr;

use crate::model::credential::{CREDENTIALS, CredentialSource};
use crate::model::id::OrganizationId;
use crate::model::key_text::Environment;
use crate::model::requirement::Requirement;
use crate::model::route::{Ambiguity, Asked, DoubtfulPath, Route, RouteTable};

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
    /// Nothing that becomes of preflights.
    #[error("must be check or allow")]
    Preflight,
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
    /// What becomes of CORS preflights.
    pub preflight: Preflight,
}

/// What becomes of CORS preflights: browsers send them without a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preflight {
    /// They are requests like any other.
    #[default]
    Check,
    /// They pass where the request that they announce could.
    Allow,
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
    /// Nowhere: no rule fits, or one that denies; or, of a path with a `;`, one that allows none.
    NotAllowed(Option<DoubtfulPath>),
    /// Nowhere: the path can be read in two ways.
    Refused(DoubtfulPath),
}

impl Gate {
    /// The gate that every instance has.
    pub fn any_key() -> Self {
        let credentials = CREDENTIALS.clone().into();
        let (organizations, environments, preflight) = (None, None, Preflight::Check);
        Self { credentials, routes: None, organizations, environments, cost: 1, preflight }
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
    ///
    /// # Errors
    /// [`DoubtfulPath`] for a path that can be read in two ways.
    pub fn rule(&self, asked: Asked<'_>) -> Result<Option<(&Route, &Rule)>, DoubtfulPath> {
        match &self.routes {
            Some(routes) => routes.find(asked),
            // Such a gate has always passed a `;` on.
            None => match asked.path.holds().iter().next() {
                None | Some(Ambiguity::Semicolon) => Ok(None),
                Some(kind) => Err(DoubtfulPath::NotAllowed(kind)),
            },
        }
    }

    /// The request whose rule decides: of a CORS preflight that passes here the one that it
    /// announces, unless a rule names OPTIONS itself.
    pub fn decisive<'a>(&self, asked: Asked<'a>, announced: Option<&'a str>) -> Asked<'a> {
        let is_preflight = self.preflight == Preflight::Allow && asked.method == "OPTIONS";
        let Some(method) = announced.filter(|_method| is_preflight) else { return asked };
        let names_options = |route: &Route| {
            route.methods.as_ref().is_some_and(|methods| methods.names_itself("OPTIONS"))
        };
        match self.rule(asked) {
            Ok(Some((route, _))) if names_options(route) => asked,
            Ok(_) | Err(_) => Asked { method, ..asked },
        }
    }

    /// Where a request is led. `announced` is the method that a CORS preflight announces.
    pub fn way<'a>(&'a self, asked: Asked<'a>, announced: Option<&'a str>) -> Way<'a> {
        let decisive = self.decisive(asked, announced);
        let way = self.way_of(decisive);
        let is_keyed = matches!(way, Way::Key { .. });
        if is_keyed && decisive.method != asked.method { Way::Public } else { way }
    }

    fn way_of(&self, asked: Asked<'_>) -> Way<'_> {
        let rule = match self.rule(asked) {
            Ok(rule) => rule,
            // Refused like a path that no rule is for, as it has always been.
            Err(doubt @ DoubtfulPath::NotAllowed(Ambiguity::Semicolon)) => {
                return Way::NotAllowed(Some(doubt));
            },
            Err(doubt) => return Way::Refused(doubt),
        };
        match rule {
            Some((_, rule)) => match rule.access {
                Access::Key => Way::Key {
                    requirement: rule.requirement.as_ref(),
                    cost: rule.cost.unwrap_or(self.cost),
                },
                Access::Public => Way::Public,
                Access::Denied => Way::NotAllowed(None),
            },
            None if self.routes.is_none() => Way::Key { requirement: None, cost: self.cost },
            None => Way::NotAllowed(None),
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

    fn asked<'a>(method: &'a str, path: &'a str) -> Asked<'a> {
        Asked { host: "x", path: raw_path(path).unwrap(), method }
    }

    fn rule(methods: &str, path: &str, access: Access) -> (Route, Rule) {
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
        let open = gate(vec![rule("", "/open/**", Access::Public)]);
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
            assert_eq!(named(&gate.way(asked("GET", path), None)), expected, "{path}");
        }
    }

    fn named(way: &Way<'_>) -> &'static str {
        match way {
            Way::Public => "public",
            Way::Key { .. } => "key",
            Way::NotAllowed(_) => "not allowed",
            Way::Refused(_) => "refused",
        }
    }

    #[test]
    fn a_preflight_passes_where_what_it_announces_could() {
        let rules = vec![
            rule("PUT", "/orders", Access::Key),
            rule("", "/orders", Access::Denied),
            rule("OPTIONS", "/closed", Access::Denied),
            rule("", "/closed", Access::Key),
            rule("", "/open", Access::Public),
        ];
        let allowing = Gate { preflight: Preflight::Allow, ..gate(rules) };
        for (method, path, announced, expected) in [
            ("OPTIONS", "/orders", Some("PUT"), "public"),
            ("OPTIONS", "/orders", Some("GET"), "not allowed"),
            ("OPTIONS", "/orders", None, "not allowed"),
            ("OPTIONS", "/open", Some("GET"), "public"),
            ("OPTIONS", "/nowhere", Some("GET"), "not allowed"),
            // A rule that names OPTIONS goes first.
            ("OPTIONS", "/closed", Some("GET"), "not allowed"),
            ("PUT", "/orders", Some("PUT"), "key"),
            ("GET", "/closed", Some("PUT"), "key"),
        ] {
            let way = allowing.way(asked(method, path), announced);
            assert_eq!(named(&way), expected, "{method} {path} {announced:?}");
        }
        let checking = Gate { preflight: Preflight::Check, ..allowing };
        let way = checking.way(asked("OPTIONS", "/orders"), Some("PUT"));
        assert!(matches!(way, Way::NotAllowed(None)));
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
