//! `WWW-Authenticate` challenges of a 401 (RFC 9110, section 11.6.1).
//!
//! A 401 offers exactly the schemes that are accepted: challenges are created from the list of
//! credential sources.
//!
//! Each challenge has a `WWW-Authenticate` line of its own, as Apache `HttpClient` 4 and wget
//! require. `X-Keyhouse-Challenge` repeats all challenges after the first, for nginx before 1.23,
//! which forwards only one line. Management offers Bearer only: with Basic, browsers would open a
//! password dialog over the page.

use http::HeaderName;
use http::header::WWW_AUTHENTICATE;

use crate::http::answer::Header;
use crate::http::transport::HeaderLines;
use crate::model::credential::{CredentialSource, Scheme, schemes, titled};

/// The realm of every challenge.
pub(super) const REALM: &str = "keyhouse";
const NAME: &str = "WWW-Authenticate";
/// The header with all challenges after the first.
pub(super) const OTHERS: &str = "X-Keyhouse-Challenge";
static OTHERS_LINE: HeaderName = HeaderName::from_static("x-keyhouse-challenge");
/// The parameters of Basic after the realm (RFC 7617, section 2.1).
const OF_BASIC: &str = ", charset=\"UTF-8\"";

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

/// Adds the lines of [`offered`] to a response.
pub(super) fn push_offered(
    lines: &mut HeaderLines,
    sources: &[CredentialSource],
    parameters: &str,
) {
    let schemes = schemes(sources);
    if schemes.is_empty() {
        for (name, value) in offered(sources, parameters) {
            lines.push_named(&name, &value);
        }
        return;
    }
    for scheme in &schemes {
        lines.write(&WWW_AUTHENTICATE, |line| write_one(line, scheme, parameters));
    }
    let others = schemes.get(1..).unwrap_or_default();
    if !others.is_empty() {
        lines.write(&OTHERS_LINE, |line| {
            for (at, scheme) in others.iter().enumerate() {
                line.extend_from_slice(if at == 0 { b"" } else { b", " });
                write_one(line, scheme, parameters);
            }
        });
    }
}

pub(super) fn offers_bearer(sources: &[CredentialSource]) -> bool {
    schemes(sources).contains(&&Scheme::Bearer)
}

fn one(scheme: &Scheme, of_bearer: &str) -> String {
    let parameters = match scheme {
        Scheme::Bearer => of_bearer,
        Scheme::Basic => OF_BASIC,
        Scheme::Named(_) => "",
    };
    realm_of(&scheme.title()) + parameters
}

/// Like [`one`], for a line that is being written.
fn write_one(line: &mut Vec<u8>, scheme: &Scheme, of_bearer: &str) {
    match scheme {
        Scheme::Bearer => {
            line.extend_from_slice(b"Bearer realm=\"keyhouse\"");
            line.extend_from_slice(of_bearer.as_bytes());
        },
        Scheme::Basic => {
            line.extend_from_slice(b"Basic realm=\"keyhouse\"");
            line.extend_from_slice(OF_BASIC.as_bytes());
        },
        Scheme::Named(_) => line.extend_from_slice(one(scheme, of_bearer).as_bytes()),
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
            let sources: Vec<_> = sources.iter().map(|it| it.parse().unwrap()).collect();
            let mut pushed = HeaderLines::default();
            push_offered(&mut pushed, &sources, ", error=\"e\"");
            let mut named = HeaderLines::default();
            for (name, value) in offered(&sources, ", error=\"e\"") {
                named.push_named(&name, &value);
            }
            assert!(pushed.iter().eq(named.iter()), "{sources:?}");
        }
    }
}
