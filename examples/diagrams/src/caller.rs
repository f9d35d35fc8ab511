//! The caller of a request, from the identity headers that a gate of Keyhouse sets.
//!
//! This service checks no key. It listens on loopback, and only the proxy may reach it: the proxy removes every
//! identity header that a client sends.

use hyper::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::refusal::Refusal;

/// The value of an identity header without a value.
const NONE: &str = "-";
const TEAMS_MAX: usize = 1000;
const ID_BYTES_MAX: usize = 64;
/// Roles that may change the access lists of an object of another creator.
const ROLES_OF_MANAGERS: [&str; 2] = ["owner", "admin"];

/// The caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    organization: String,
    /// The user, or the key itself for a service key.
    identity: String,
    name: String,
    email: Option<String>,
    role: Option<String>,
    teams: Vec<String>,
}

impl Caller {
    /// Reads the identity headers.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let organization = id(headers, "x-keyhouse-organization")?;
        let key = id(headers, "x-keyhouse-key")?;
        let user = value(headers, "x-keyhouse-user")?.map(checked).transpose()?;
        let key_name = text(headers, "x-keyhouse-key-name")?;
        let teams = match value(headers, "x-keyhouse-teams")? {
            None => Vec::new(),
            Some(list) => list.split(',').take(TEAMS_MAX).map(checked).collect::<Result<_, _>>()?,
        };
        Ok(Self {
            organization,
            name: key_name.unwrap_or_else(|| key.clone()),
            identity: user.unwrap_or(key),
            email: text(headers, "x-keyhouse-email")?,
            role: text(headers, "x-keyhouse-role")?,
            teams,
        })
    }

    pub(crate) fn organization(&self) -> &str {
        &self.organization
    }

    /// The id of the user, or of the key if it is a service key.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// The name of the key.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    pub(crate) fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    pub(crate) fn teams(&self) -> &[String] {
        &self.teams
    }

    /// Whether the caller may change the access lists of objects that others created.
    pub(crate) fn is_manager(&self) -> bool {
        self.role.as_deref().is_some_and(|role| ROLES_OF_MANAGERS.contains(&role))
    }
}

/// The organization of a request whose headers are not checked yet; empty if there is none.
pub(crate) fn organization_in(headers: &HeaderMap) -> &str {
    headers.get("x-keyhouse-organization").and_then(|id| id.to_str().ok()).unwrap_or_default()
}

/// The value of a header that must be present exactly once; `None` for `-`.
fn value<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().ok_or_else(|| Refusal::Caller(format!("the request has no {name}")))?;
    if lines.next().is_some() {
        return Err(Refusal::Caller(format!("the request has {name} twice")));
    }
    match line.to_str() {
        Ok(NONE) => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(_not_ascii) => Err(Refusal::Caller(format!("{name} is not readable"))),
    }
}

/// The decoded value of a header.
fn text(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Refusal> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Ok(value(headers, name)?.map(decoded))
}

/// An id, which must have a value.
fn id(headers: &HeaderMap, name: &'static str) -> Result<String, Refusal> {
    let text = value(headers, name)?;
    checked(text.ok_or_else(|| Refusal::Caller(format!("{name} has no value")))?)
}

/// Ids are parts of the store's keys, so they have no separators.
fn checked(text: &str) -> Result<String, Refusal> {
    let is_fine = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || it == b'-';
    if text.is_empty() || text.len() > ID_BYTES_MAX || !text.bytes().all(is_fine) {
        return Err(Refusal::Caller("an identity header is not an id".to_owned()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 7] = [
        ("x-keyhouse-key", "key_1"),
        ("x-keyhouse-key-name", "Zo%C3%AB%27s"),
        ("x-keyhouse-user", "usr_1"),
        ("x-keyhouse-email", "ada@example.com"),
        ("x-keyhouse-organization", "org_1"),
        ("x-keyhouse-role", "owner"),
        ("x-keyhouse-teams", "team_1,team_2"),
    ];

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_caller_is_the_user_or_the_service_key() {
        let caller = Caller::of(&headers(&ALL)).unwrap();
        assert_eq!((caller.identity(), caller.name()), ("usr_1", "Zoë's"));
        assert_eq!(caller.teams(), ["team_1", "team_2"]);
        assert!(caller.is_manager());
        let service: Vec<_> =
            ALL.iter()
                .map(|(name, value)| match *name {
                    "x-keyhouse-user" | "x-keyhouse-email" | "x-keyhouse-role"
                    | "x-keyhouse-teams" => (*name, NONE),
                    _ => (*name, *value),
                })
                .collect();
        let caller = Caller::of(&headers(&service)).unwrap();
        assert_eq!((caller.identity(), caller.email(), caller.role()), ("key_1", None, None));
        assert!(caller.teams().is_empty() && !caller.is_manager());
    }

    #[test]
    fn a_missing_doubled_or_strange_header_is_no_caller() {
        for (at, line) in ALL.into_iter().enumerate() {
            let mut lines = ALL.to_vec();
            let (name, _) = lines.remove(at);
            assert!(Caller::of(&headers(&lines)).is_err(), "without {name}");
            lines.extend([line, line]);
            assert!(Caller::of(&headers(&lines)).is_err(), "{name} twice");
        }
        for bad in ["-", "", "a/b", "a b", "org_%2e"] {
            let mut lines = ALL.to_vec();
            lines[4].1 = bad;
            assert!(Caller::of(&headers(&lines)).is_err(), "{bad:?} as organization");
        }
    }
}
