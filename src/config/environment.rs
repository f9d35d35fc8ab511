//! The variables of the environment, read once at the start.

use std::collections::HashMap;

use crate::config::error::{ConfigError, SettingFault};
use crate::config::origin::Origin;
use crate::config::setting::{VARIABLE_PREFIX, nearest, variables};

/// The environment variables, read once.
#[derive(Clone, Debug, Default)]
pub struct ProcessEnvironment(HashMap<String, String>);

/// A `KEYHOUSE_*` variable that the program does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    pub name: String,
    /// The known variable with the most similar name.
    pub meant: Option<String>,
}

impl ProcessEnvironment {
    /// Reads the environment of the process.
    ///
    /// A `KEYHOUSE_*` variable that is not UTF-8 is a fault. Other variables that are not UTF-8 are
    /// ignored.
    pub fn of_process() -> Result<Self, ConfigError> {
        let (mut known, mut faults) = (HashMap::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => drop(known.insert(name, value)),
                (Ok(name), Err(_)) if name.starts_with(VARIABLE_PREFIX) => {
                    let detail = "must be UTF-8".to_owned();
                    faults.push(SettingFault { name, origin: Origin::Default, detail });
                },
                (Ok(_) | Err(_), _) => {},
            }
        }
        if faults.is_empty() { Ok(Self(known)) } else { Err(ConfigError(faults)) }
    }

    /// The unknown `KEYHOUSE_*` variables, sorted by name.
    pub fn unknown(&self) -> Vec<UnknownVariable> {
        let known = variables();
        let names = self.0.keys().filter(|name| name.starts_with(VARIABLE_PREFIX));
        let unknown = names.filter(|name| !known.contains(name));
        let mut unknown: Vec<UnknownVariable> = unknown
            .map(|name| UnknownVariable { name: name.clone(), meant: meant(name, &known) })
            .collect();
        unknown.sort_by(|one, other| one.name.cmp(&other.name));
        unknown
    }

    /// The value of a variable, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(
            !name.starts_with(VARIABLE_PREFIX) || variables().iter().any(|known| known == name),
            "{name} is missing from the table of settings"
        );
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for ProcessEnvironment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(pairs.into_iter().map(owned).collect())
    }
}

/// The known variable that is most similar to a mistyped one. The prefix that all share does not
/// count.
fn meant(name: &str, known: &[String]) -> Option<String> {
    let short = |name: &str| name.strip_prefix(VARIABLE_PREFIX).map(str::to_owned);
    let meant = nearest(&short(name)?, known.iter().filter_map(|known| short(known)))?;
    Some(format!("{VARIABLE_PREFIX}{meant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_variable_is_reported_with_the_most_similar_known_one() {
        let environment = ProcessEnvironment::from([
            ("KEYHOUSE_LISEN", "127.0.0.1:1"),
            ("KEYHOUSE_LISTEN", "127.0.0.1:2"),
            ("KEYHOUSE_PUBLIC_ULR", "http://localhost"),
            ("KEYHOUSE_SOMETHING_ELSE", "1"),
            ("HOME", "/home/ada"),
        ]);
        let unknown = environment.unknown();
        let found: Vec<_> = unknown.iter().map(|it| (&*it.name, it.meant.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("KEYHOUSE_LISEN", Some("KEYHOUSE_LISTEN")),
                ("KEYHOUSE_PUBLIC_ULR", Some("KEYHOUSE_PUBLIC_URL")),
                ("KEYHOUSE_SOMETHING_ELSE", None),
            ]
        );
    }
}
