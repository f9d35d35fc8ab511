//! Identity headers for the upstream, and rate limit headers for the client.

use http::HeaderName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock::Now;
use crate::http::answer;
use crate::http::problem::seconds_up;
use crate::http::transport::HeaderLines;
use crate::index::Index;
use crate::index::grant::Grant;
use crate::model::plan::PLAN_QUOTA;
use crate::model::role::Role;
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

/// The names of [`HEADERS`], in their order.
static NAMES: [HeaderName; HEADERS.len()] = [
    HeaderName::from_static("x-keyhouse-key"),
    HeaderName::from_static("x-keyhouse-key-name"),
    HeaderName::from_static("x-keyhouse-user"),
    HeaderName::from_static("x-keyhouse-email"),
    HeaderName::from_static("x-keyhouse-organization"),
    HeaderName::from_static("x-keyhouse-role"),
    HeaderName::from_static("x-keyhouse-teams"),
    HeaderName::from_static("x-keyhouse-permissions"),
    HeaderName::from_static("x-keyhouse-plan"),
    HeaderName::from_static("x-keyhouse-environment"),
];

/// The header lines of a response with the identity: each header of [`HEADERS`], encoded, none empty.
#[derive(Debug)]
pub(super) struct IdentityLines(HeaderLines);

impl IdentityLines {
    /// The identity of a request whose credential was not read: every value is the placeholder.
    pub(super) fn anonymous() -> Self {
        let mut lines = answer::lines();
        for name in &NAMES {
            lines.push(name, NOTHING);
        }
        Self(lines)
    }

    /// The lines are written for each check: kept with each grant they would take more memory
    /// than the grant.
    pub(super) fn of(index: &Index, grant: &Grant) -> Self {
        let [key, name, user, email, in_organization, role, teams, permissions, plan, environment] =
            &NAMES;
        let mut lines = answer::lines();
        let owner = grant.named_owner();
        let organization = grant.organization.load();
        lines.write(key, |out| grant.live.key.append_to(out));
        lines.write(name, |out| within(TEXT_BYTES_MAX, out, |out| encode(out, grant.name())));
        let verified = owner.as_deref().and_then(|owner| organization.verified_email(owner));
        match owner.as_deref() {
            Some(owner) => lines.write(user, |out| owner.id.append_to(out)),
            None => lines.push(user, NOTHING),
        }
        match verified {
            Some(text) => {
                lines.write(email, |out| within(TEXT_BYTES_MAX, out, |out| encode(out, text)));
            },
            None => lines.push(email, NOTHING),
        }
        lines.write(in_organization, |out| organization.id.append_to(out));
        match owner.as_deref().map(|owner| owner.role.role()) {
            Some(Role::Builtin(builtin)) => lines.push(role, builtin.name()),
            Some(Role::Custom(id)) => lines.write(role, |out| id.append_to(out)),
            None => lines.push(role, NOTHING),
        }
        lines.write(teams, |out| represented_teams(out, index, grant));
        lines.write(permissions, |out| {
            within(PERMISSIONS_BYTES_MAX, out, |out| granted_permissions(out, grant));
        });
        lines.write(plan, |out| encode(out, &organization.subscription.plan));
        lines.write(environment, |out| encode(out, grant.environment()));
        Self(lines)
    }

    pub(super) fn into_lines(self) -> HeaderLines {
        self.0
    }
}

/// Writes a value, or the placeholder if the value is too long.
fn within(bytes_max: usize, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    if out.len() - start > bytes_max {
        out.truncate(start);
        out.extend_from_slice(NOTHING.as_bytes());
    }
}

/// The ids of the teams that the key represents.
fn represented_teams(out: &mut Vec<u8>, index: &Index, grant: &Grant) {
    let start = out.len();
    for (team, _) in index.teams_of(grant).iter().filter(|(_, is_represented)| *is_represented) {
        separate(out, start);
        team.id.append_to(out);
    }
    fill(out, start);
}

fn granted_permissions(out: &mut Vec<u8>, grant: &Grant) {
    with_granted(grant, |granted| match granted {
        Some(granted) => join(out, granted.texts()),
        None => out.extend_from_slice(NOTHING.as_bytes()),
    });
}

fn join<'a>(out: &mut Vec<u8>, values: impl Iterator<Item = &'a str>) {
    let start = out.len();
    for value in values {
        separate(out, start);
        encode(out, value);
    }
    fill(out, start);
}

/// Writes a comma between values that begin at `start`.
fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

/// Writes the placeholder if there is no value.
fn fill(out: &mut Vec<u8>, start: usize) {
    if out.len() == start {
        out.extend_from_slice(NOTHING.as_bytes());
    }
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

/// Whether a byte stays as it is. [`UNSAFE`] and this function agree, and this one reads a text
/// faster.
fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'@' | b':' | b'*' | b'-')
}

/// Percent-encodes a value. The result is never empty. A value `-` is
/// encoded, because `-` is the placeholder.
fn encode(out: &mut Vec<u8>, value: &str) {
    match value {
        "" => out.extend_from_slice(NOTHING.as_bytes()),
        NOTHING => out.extend_from_slice(b"%2D"),
        _ if value.bytes().fold(true, |safe, byte| safe & is_safe(byte)) => {
            out.extend_from_slice(value.as_bytes());
        },
        _ => {
            for piece in utf8_percent_encode(value, UNSAFE) {
                out.extend_from_slice(piece.as_bytes());
            }
        },
    }
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
            let mut out = Vec::new();
            encode(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{value:?}");
        }
        for (values, expected) in [(&["a:b", "c:*"][..], "a:b,c:*"), (&[], "-")] {
            let mut out = b"x".to_vec();
            join(&mut out, values.iter().copied());
            assert_eq!(String::from_utf8(out).unwrap(), format!("x{expected}"));
        }
    }

    #[test]
    fn only_safe_bytes_stay_as_they_are() {
        for byte in 0..=0x7f_u8 {
            let text = char::from(byte).to_string();
            let kept = utf8_percent_encode(&text, UNSAFE).eq([text.as_str()]);
            assert_eq!(is_safe(byte), kept, "{byte:#x}");
        }
        assert!((0x80..=0xff).all(|byte| !is_safe(byte)));
    }

    #[test]
    fn a_value_that_is_too_long_becomes_the_placeholder() {
        for (length, expected) in [(3, "xaaa"), (4, "x-")] {
            let mut out = b"x".to_vec();
            within(3, &mut out, |out| encode(out, &"a".repeat(length)));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn each_identity_header_has_its_name() {
        for ((name, _), own) in HEADERS.iter().zip(&NAMES) {
            assert!(name.eq_ignore_ascii_case(own.as_str()), "{name}");
        }
    }
}
