//! What an upstream is told of whom it serves, and what a client is told of its limits.

use std::fmt::Write as _;

use crate::clock::Now;
use crate::http::answer::Header;
use crate::http::problem::seconds_up;
use crate::index::Index;
use crate::index::grant::Grant;
use crate::model::plan::PLAN_QUOTA;
use crate::verify::{Limits, with_granted};

/// Longest list of permissions that is passed on: nginx answers 500 to a response head of more
/// than 4 KiB, its `proxy_buffer_size`.
const PERMISSIONS_BYTES_MAX: usize = 2_048;
/// Longest name, and longest address, that is passed on, for the same reason.
const TEXT_BYTES_MAX: usize = 256;
/// What a key's quota is called among its limits.
const QUOTA: &str = "quota";
/// What stands where nothing applies: an empty or missing header would let a proxy pass the
/// client's own through.
const NOTHING: &str = "-";

/// The headers that tell an upstream whom it serves, and what each says.
pub(in crate::http) const HEADERS: [(&str, &str); 10] = [
    ("X-Keyhouse-Key", "The key's id."),
    ("X-Keyhouse-Key-Name", "Its name."),
    ("X-Keyhouse-User", "Its owner's id."),
    ("X-Keyhouse-Email", "Its owner's address, where the organization vouches for it."),
    ("X-Keyhouse-Organization", "The organization's id."),
    ("X-Keyhouse-Role", "Its owner's role."),
    ("X-Keyhouse-Teams", "The teams it is shared with, by commas."),
    (
        "X-Keyhouse-Permissions",
        "What it is granted today, by commas; `-` where that is nothing, or too long to list.",
    ),
    ("X-Keyhouse-Plan", "The organization's plan."),
    ("X-Keyhouse-Environment", "Its environment."),
];

/// The values of [`HEADERS`], each encoded and none empty.
#[derive(Debug)]
pub(super) struct Identity([String; HEADERS.len()]);

impl Identity {
    /// Nobody's: of a request whose credential was not read.
    pub(super) fn nobody() -> Self {
        Self(HEADERS.map(|_header| NOTHING.to_owned()))
    }

    /// The identity behind a grant.
    pub(super) fn of(index: &Index, grant: &Grant) -> Self {
        let owner = grant.owner.as_ref().map(|owner| owner.facts());
        let organization = grant.organization.load();
        let user = |value: fn(&crate::index::facts::UserFacts) -> String| {
            owner.as_deref().map_or_else(|| NOTHING.to_owned(), |owner| encoded(&value(owner)))
        };
        let email = owner.as_deref().and_then(|owner| organization.verified_email(owner));
        let permissions = with_granted(grant, |granted| {
            granted.map_or_else(|| NOTHING.to_owned(), |granted| joined(granted.texts()))
        });
        let teams = index.teams_of(grant);
        let teams = teams.iter().filter(|(_, stands)| *stands);
        let teams: Vec<_> = teams.map(|(team, _)| team.id.to_string()).collect();
        Self([
            encoded(&grant.live.key.to_string()),
            within(TEXT_BYTES_MAX, encoded(grant.name())),
            user(|owner| owner.id.to_string()),
            within(TEXT_BYTES_MAX, email.map_or_else(|| NOTHING.to_owned(), encoded)),
            encoded(&organization.id.to_string()),
            user(|owner| owner.role.role().to_string()),
            joined(teams.iter().map(String::as_str)),
            within(PERMISSIONS_BYTES_MAX, permissions),
            encoded(&organization.subscription.plan),
            encoded(grant.environment()),
        ])
    }

    pub(super) fn into_headers(self) -> Vec<Header> {
        HEADERS
            .into_iter()
            .zip(self.0)
            .map(|((name, _), value)| (name.into(), value.into()))
            .collect()
    }
}

/// A value, or that there is nothing, where the value is too long to be passed on.
fn within(bytes_max: usize, value: String) -> String {
    if value.len() <= bytes_max { value } else { NOTHING.to_owned() }
}

fn joined<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let encoded: Vec<_> = values.map(encoded).collect();
    if encoded.is_empty() { NOTHING.to_owned() } else { encoded.join(",") }
}

/// Percent-encodes every byte outside `A-Za-z0-9._~@:*-`. Never empty, and never the `-` that means
/// nothing.
fn encoded(value: &str) -> String {
    if value.is_empty() {
        return NOTHING.to_owned();
    }
    if value == NOTHING {
        return "%2D".to_owned();
    }
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"._~@:*-".contains(&byte) {
            text.push(char::from(byte));
        } else if write!(text, "%{byte:02X}").is_err() {
            // Writing into a string does not fail.
        }
    }
    text
}

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers, still a draft).
///
/// The key's own limits by their names, its quota as `quota`; those of the plan, which all keys of
/// the organization share, as `plan` and `plan_quota`.
pub(super) fn limit_headers(grant: &Grant, now: Now) -> Vec<(&'static str, String)> {
    let organization = grant.organization.load();
    let plan = organization.plan.load();
    let limits = Limits::of(grant, &organization, &plan);
    let (mut policies, mut states) = (Vec::new(), Vec::new());
    for (limit, counter) in limits.rates() {
        let arrival = counter.arrival();
        let remaining = limit.remaining(arrival, now.ticks);
        let reset = seconds_up(limit.full_after(arrival, now.ticks));
        policies.push(format!("\"{}\";q={};w={}", limit.name, limit.limit, limit.window_seconds));
        states.push(format!("\"{}\";r={remaining};t={reset}", limit.name));
    }
    for (name, rule) in [QUOTA, PLAN_QUOTA].into_iter().zip(limits.quotas()) {
        let Some(rule) = rule else { continue };
        let span = rule.span(now.wall);
        let remaining = rule.quota().limit.saturating_sub(rule.used(now.wall));
        let window = seconds_up(span.ends.since(span.begins));
        let reset = seconds_up(span.ends.since(now.wall));
        policies.push(format!("\"{name}\";q={};w={window}", rule.quota().limit));
        states.push(format!("\"{name}\";r={remaining};t={reset}"));
    }
    if policies.is_empty() {
        return Vec::new();
    }
    vec![("RateLimit-Policy", policies.join(", ")), ("RateLimit", states.join(", "))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_never_empty_and_never_the_placeholder() {
        for (value, expected) in [
            ("usr_1-a", "usr_1-a"),
            ("ada@example.com", "ada@example.com"),
            ("diagrams:*", "diagrams:*"),
            ("a b,c%", "a%20b%2Cc%25"),
            ("é\r\nX: y", "%C3%A9%0D%0AX:%20y"),
            ("", "-"),
            ("-", "%2D"),
        ] {
            assert_eq!(encoded(value), expected, "{value:?}");
        }
        assert_eq!(joined(["a:b", "c:*"].into_iter()), "a:b,c:*");
        assert_eq!(joined([].into_iter()), "-");
    }
}
