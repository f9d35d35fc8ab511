//! `WWW-Authenticate` challenges of a 401 (RFC 9110, section 11.6.1).
//!
//! A 401 offers exactly the schemes that are accepted: challenges are created from the list of
//! credential sources.
//!
//! Each challenge has a `WWW-Authenticate` line of its own, as Apache `HttpClient` 4 and wget
//! require. `X-Keyhouse-Challenge` repeats all challenges after the first, for nginx before 1.23,
//! which forwards only one line. Management offers Bearer only: with Basic, browsers would open a
//! password dialog over the page.

use crate::http::answer::Header;
use crate::model::credential::{CredentialSource, Scheme, schemes, titled};

/// The realm of every challenge.
pub(super) const REALM: &str = "keyhouse";
const NAME: &str = "WWW-Authenticate";
/// The header with all challenges after the first.
pub(super) const OTHERS: &str = "X-Keyhouse-Challenge";

/// The Bearer challenge (RFC 6750, section 3), which the management API sends. The management API
/// does not offer Basic, because browsers would open a dialog over Keyhouse's own page.
pub(super) fn bearer(parameters: &str) -> Header {
    (NAME.into(), one(&Scheme::Bearer, parameters).into())
}

/// The challenges for these sources. `parameters` are the parameters of the Bearer challenge.
///
/// Each challenge has its own line: Apache `HttpClient` 4 (Maven) reads one challenge from a line,
/// and wget 1.21 aborts when another line follows a line with two challenges. nginx before 1.23
/// forwards only the first line, so the other challenges are repeated in a header that the nginx
/// recipe reads. A 401 must have a challenge. If no scheme is accepted, the challenge has the name
/// of the credential header as its scheme, which no client implements.
pub(super) fn offered(sources: &[CredentialSource], parameters: &str) -> Vec<Header> {
    let schemes = schemes(sources);
    let mut challenges: Vec<String> =
        schemes.iter().map(|scheme| one(scheme, parameters)).collect();
    if challenges.is_empty() {
        challenges = sources.iter().map(|it| realm_of(&titled(it.header()))).collect();
        challenges.dedup();
    }
    let others = challenges.get(1..).unwrap_or_default().join(", ");
    let mut lines: Vec<Header> =
        challenges.into_iter().map(|challenge| (NAME.into(), challenge.into())).collect();
    if !others.is_empty() {
        lines.push((OTHERS.into(), others.into()));
    }
    lines
}

pub(super) fn offers_bearer(sources: &[CredentialSource]) -> bool {
    schemes(sources).contains(&&Scheme::Bearer)
}

fn one(scheme: &Scheme, of_bearer: &str) -> String {
    let realm = realm_of(&scheme.title());
    match scheme {
        Scheme::Bearer => realm + of_bearer,
        Scheme::Basic => realm + ", charset=\"UTF-8\"",
        Scheme::Named(_) => realm,
    }
}

fn realm_of(name: &str) -> String {
    format!("{name} realm=\"{REALM}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(sources: &[&str]) -> Vec<String> {
        let sources: Vec<CredentialSource> = sources.iter().map(|it| it.parse().unwrap()).collect();
        offered(&sources, ", error=\"e\"").into_iter().map(|(_, value)| value.into()).collect()
    }

    #[test]
    fn a_401_offers_exactly_the_accepted_schemes() {
        let bearer = "Bearer realm=\"keyhouse\", error=\"e\"";
        let basic = "Basic realm=\"keyhouse\", charset=\"UTF-8\"";
        let token = "Token realm=\"keyhouse\"";
        let (shop, cookie) = ("X-Shop-Key realm=\"keyhouse\"", "Cookie realm=\"keyhouse\"");
        let rows: [(&[&str], Vec<String>); 6] = [
            (&["authorization", "x-api-key"], vec![bearer.into(), basic.into(), basic.into()]),
            (&["authorization:bearer", "x-api-key"], vec![bearer.into()]),
            (&["authorization:basic"], vec![basic.into()]),
            (&["authorization:token"], vec![token.into()]),
            (
                &["authorization:token", "authorization", "authorization:basic"],
                vec![token.into(), bearer.into(), basic.into(), format!("{bearer}, {basic}")],
            ),
            (
                &["x-shop-key", "cookie:a", "cookie:b"],
                vec![shop.into(), cookie.into(), cookie.into()],
            ),
        ];
        for (sources, expected) in rows {
            assert_eq!(lines(sources), expected, "{sources:?}");
        }
    }
}
