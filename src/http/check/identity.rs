//! Identity headers for the upstream, and rate limit headers for the client.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock::Now;
use crate::http::answer::Header;
use crate::http::problem::seconds_up;
use crate::index::Index;
use crate::index::grant::Grant;
use crate::model::plan::PLAN_QUOTA;
use crate::verify::{CallLimits, with_granted};

/// Longest list of permissions in a header: nginx answers 500 to a response head of more than 4 KiB, its
/// `proxy_buffer_size`.
const PERMISSIONS_BYTES_MAX: usize = 2_048;
/// Longest name, and longest email address, in a header: a response head has to stay below 4 KiB.
const TEXT_BYTES_MAX: usize = 256;
/// Name of the key's quota in the rate limit headers.
const QUOTA: &str = "quota";
/// Placeholder for an absent value. With an empty or missing header, a proxy could forward the client's
/// own header.
const NOTHING: &str = "-";

/// The identity headers and their descriptions.
pub(in crate::http) const HEADERS: [(&str, &str); 10] = [
    ("X-Keyhouse-Key", "Id of the key."),
    ("X-Keyhouse-Key-Name", "Name of the key."),
    (
        "X-Keyhouse-User",
        "Id of the key's owner; `-` for a service key. Also `-` for a secret from before the first \
         rotation after a transfer, because a former owner may have this secret.",
    ),
    (
        "X-Keyhouse-Email",
        "Verified email address of the user in `X-Keyhouse-User`; `-` if there is none.",
    ),
    ("X-Keyhouse-Organization", "Id of the organization."),
    ("X-Keyhouse-Role", "Role of the user in `X-Keyhouse-User`; `-` if there is none."),
    (
        "X-Keyhouse-Teams",
        "Ids of the teams with which the key is shared, separated by commas. For a personal key only \
         the teams of the user in `X-Keyhouse-User`.",
    ),
    (
        "X-Keyhouse-Permissions",
        "Permissions that the key is granted now, separated by commas; `-` \
         if there are none, or if the list is too long.",
    ),
    ("X-Keyhouse-Plan", "Plan of the organization."),
    ("X-Keyhouse-Environment", "Environment of the key."),
];

/// The values of [`HEADERS`], each encoded and none empty.
#[derive(Debug)]
pub(super) struct IdentityHeaders([String; HEADERS.len()]);

impl IdentityHeaders {
    /// The identity of a request whose credential was not read: every value is the placeholder.
    pub(super) fn anonymous() -> Self {
        Self(HEADERS.map(|_header| NOTHING.to_owned()))
    }

    pub(super) fn of(index: &Index, grant: &Grant) -> Self {
        let owner = grant.named_owner();
        let organization = grant.organization.load();
        let user = |value: fn(&crate::index::facts::UserFacts) -> String| {
            owner.as_deref().map_or_else(|| NOTHING.to_owned(), |owner| encoded(&value(owner)))
        };
        let email = owner.as_deref().and_then(|owner| organization.verified_email(owner));
        let permissions = with_granted(grant, |granted| {
            granted.map_or_else(|| NOTHING.to_owned(), |granted| joined(granted.texts()))
        });
        let teams = index.teams_of(grant);
        let teams = teams.iter().filter(|(_, is_represented)| *is_represented);
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

/// The value, or the placeholder if the value is too long.
fn within(bytes_max: usize, value: String) -> String {
    if value.len() <= bytes_max { value } else { NOTHING.to_owned() }
}

fn joined<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let encoded: Vec<_> = values.map(encoded).collect();
    if encoded.is_empty() { NOTHING.to_owned() } else { encoded.join(",") }
}

/// The characters of a value that are percent-encoded: all outside `A-Za-z0-9._~@:*-`.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b':')
    .remove(b'*')
    .remove(b'-');

/// Percent-encodes a value. The result is never empty. A value `-` is
/// encoded, because `-` is the placeholder.
fn encoded(value: &str) -> String {
    if value.is_empty() {
        return NOTHING.to_owned();
    }
    if value == NOTHING {
        return "%2D".to_owned();
    }
    Cow::from(utf8_percent_encode(value, UNSAFE)).into_owned()
}

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers, still a draft).
///
/// Each rate limit of the key appears under its name, and the key's quota as `quota`. The plan's
/// limits, which all keys of the organization share, appear as `plan` and `plan_quota`.
pub(super) fn limit_headers(grant: &Grant, now: Now) -> Vec<(&'static str, String)> {
    let organization = grant.organization.load();
    let plan = organization.plan.limiting();
    let limits = CallLimits::of(grant, &organization, plan.as_deref().map(AsRef::as_ref));
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
    fn encoded_values_are_never_empty_or_the_placeholder() {
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
