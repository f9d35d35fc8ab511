//! The row of a key while it is made.

use serde_json::{Map, Value, json};

use crate::model::foreign::{HINT_CHARACTERS_MAX, parse_hint};
use crate::model::limit::{RATE_LIMIT_NAME_BYTES_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX};
use crate::model::moment::Moment;
use crate::model::name::parse_name;
use crate::model::permission::{Permission, is_own};

const DAY_SECONDS: u64 = 86_400;
/// The field of the metadata with the facts that have no field of their own.
const IMPORTED_FROM: &str = "imported_from";

pub(super) struct Draft {
    key: Map<String, Value>,
    metadata: Map<String, Value>,
    facts: Map<String, Value>,
    rate_limits: Vec<Value>,
    left_out: Vec<String>,
}

impl Draft {
    /// A draft of a key of a system.
    pub(super) fn of(system: &str) -> Self {
        let mut facts = Map::new();
        facts.insert("system".to_owned(), system.into());
        Self { facts, ..Self::plain() }
    }

    /// A draft without facts about a system.
    pub(super) fn plain() -> Self {
        Self {
            key: Map::new(),
            metadata: Map::new(),
            facts: Map::new(),
            rate_limits: Vec::new(),
            left_out: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.key.insert(field.to_owned(), value.into());
    }

    pub(super) fn set_some(&mut self, field: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(field, value);
        }
    }

    pub(super) fn set_time(&mut self, field: &str, time: Option<Moment>) {
        self.set_some(field, time.map(|time| time.to_string()));
    }

    pub(super) fn sha256(&mut self, hash: &str) {
        self.set("algorithm", "sha256");
        self.set("digest", hash);
    }

    /// Sets the end of the key. A key that has ended is not imported.
    pub(super) fn end(&mut self, end: Option<Moment>, now: Moment) -> Result<(), String> {
        if let Some(end) = end.filter(|end| *end <= now) {
            return Err(format!("expired at {end}"));
        }
        self.set_time("expires_at", end);
        Ok(())
    }

    pub(super) fn name(&mut self, name: Option<&str>) {
        match name.map(parse_name) {
            Some(Ok(name)) => self.set("name", name),
            Some(Err(error)) => self.leave_out(format!("name: {error}")),
            None => {},
        }
    }

    /// The start of the key, which the other system shows too.
    pub(super) fn hint(&mut self, start: Option<String>) {
        let start = start.map(|start| start.chars().take(HINT_CHARACTERS_MAX).collect::<String>());
        self.set_some("hint", start.and_then(|start| parse_hint(&start).ok()));
    }

    pub(super) fn metadata(&mut self, metadata: Option<Map<String, Value>>) {
        self.metadata = metadata.unwrap_or_default();
    }

    /// Adds a fact that has no field of its own. It becomes part of the metadata.
    pub(super) fn fact(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.facts.insert(name.to_owned(), value.into());
        }
    }

    pub(super) fn leave_out(&mut self, what: impl Into<String>) {
        self.left_out.push(what.into());
    }

    /// Adds permissions. `documents.read` becomes `documents:read`. A wildcard of another system is
    /// not one of Keyhouse, and management permissions of Keyhouse are not those of another system.
    /// If the key has permissions and none of them is taken, its list is empty.
    pub(super) fn permissions(&mut self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        let (mut taken, mut others) = (Vec::new(), Vec::new());
        for name in names {
            let permission = name.replace('.', ":");
            if permission.parse::<Permission>().is_ok() && !is_own(&permission) {
                taken.push(Value::String(permission));
            } else {
                others.push(name.as_str());
            }
        }
        taken.dedup();
        self.set("permissions", taken);
        if !others.is_empty() {
            let others = others.join(", ");
            self.leave_out(format!("permissions that Keyhouse cannot have: {others}"));
        }
    }

    /// Adds a rate limit. A window of a part of a second becomes a whole second.
    pub(super) fn rate_limit(
        &mut self,
        name: &str,
        calls: u64,
        window_ms: u64,
    ) -> Result<(), String> {
        let seconds = window_ms.div_ceil(1_000);
        if !(1..=u64::from(RATE_LIMIT_WINDOW_SECONDS_MAX)).contains(&seconds) {
            return Err(format!(
                "has a limit of {calls} calls in {seconds} s, but a rate limit has a window of 1 \
                 s to 1 day"
            ));
        }
        let allowed = |character: char| {
            let is_allowed = character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
            if is_allowed { character.to_ascii_lowercase() } else { '-' }
        };
        let name: String = name.chars().map(allowed).take(RATE_LIMIT_NAME_BYTES_MAX).collect();
        self.rate_limits.push(json!({ "name": name, "limit": calls, "window_seconds": seconds }));
        Ok(())
    }

    /// Adds the rate limit of a system that has a number of calls and a window, or neither.
    pub(super) fn rate_limit_of(
        &mut self,
        name: &str,
        calls: Option<u64>,
        window_ms: Option<u64>,
    ) -> Result<(), String> {
        match (calls, window_ms) {
            (None, None) => Ok(()),
            (Some(calls), Some(window_ms)) => self.rate_limit(name, calls, window_ms),
            (Some(calls), None) => {
                Err(format!("has a rate limit of {calls} calls without a window"))
            },
            (None, Some(_)) => Err("has the window of a rate limit without its calls".to_owned()),
        }
    }

    pub(super) fn quota(&mut self, calls: u64, period: &str, zone: &str) {
        self.set("quota", json!({ "limit": calls, "period": period, "timezone": zone }));
    }

    /// Adds a limit that is renewed after some seconds: a quota for a day, a week or a month,
    /// otherwise a rate limit.
    pub(super) fn renewed(&mut self, calls: u64, seconds: u64) -> Result<(), String> {
        let period = match seconds {
            DAY_SECONDS => "day",
            seconds if seconds == 7 * DAY_SECONDS => "week",
            seconds if (28..=31).any(|days| seconds == days * DAY_SECONDS) => "month",
            seconds if (1..DAY_SECONDS).contains(&seconds) => {
                return self.rate_limit("quota", calls, seconds.saturating_mul(1_000));
            },
            _ => {
                return Err(format!(
                    "has a quota of {calls} calls that is renewed every {seconds} s, but a quota \
                     is for a day, a week or a month"
                ));
            },
        };
        self.quota(calls, period, "UTC");
        Ok(())
    }

    /// The fields of the key, and the facts that it lacks.
    pub(super) fn finish(mut self) -> (Value, Vec<String>) {
        if !self.facts.is_empty() {
            self.metadata.insert(IMPORTED_FROM.to_owned(), Value::Object(self.facts));
        }
        if !self.metadata.is_empty() {
            self.key.insert("metadata".to_owned(), Value::Object(self.metadata));
        }
        if !self.rate_limits.is_empty() {
            self.key.insert("rate_limits".to_owned(), Value::Array(self.rate_limits));
        }
        (Value::Object(self.key), self.left_out)
    }
}
