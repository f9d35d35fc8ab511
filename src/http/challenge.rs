//! What a 401 offers (RFC 9110, section 11.6.1): every scheme that is accepted where it was asked, from
//! the same list by which credentials are taken.

use crate::http::answer::Header;
use crate::model::credential::{CredentialSource, Scheme, schemes, titled};

/// The realm of every challenge.
pub(super) const REALM: &str = "keyhouse";
const NAME: &str = "WWW-Authenticate";

/// Bearer alone, with these parameters (RFC 6750, section 3): what Keyhouse's management offers. It
/// leaves Basic out, since browsers would open a dialog over Keyhouse's own page.
pub(super) fn bearer(parameters: &str) -> Header {
    (NAME.into(), one(&Scheme::Bearer, parameters).into())
}

/// The challenges for these sources; `parameters` are Bearer's.
///
/// The first line holds all of them, since nginx before 1.23 passes on the first line only. Basic has
/// a line of its own too: clients that wait for it, such as Apache `HttpClient` 4 (Maven), read one
/// challenge a line. Where no scheme is accepted the header's name stands for one: a 401 must offer
/// something, and no client takes it for a scheme that it knows.
pub(super) fn offered(sources: &[CredentialSource], parameters: &str) -> Vec<Header> {
    let schemes = schemes(sources);
    let mut challenges: Vec<String> =
        schemes.iter().map(|scheme| one(scheme, parameters)).collect();
    if challenges.is_empty() {
        challenges = sources.iter().map(|it| realm_of(&titled(it.header()))).collect();
        challenges.dedup();
    }
    let mut lines = vec![(NAME.into(), challenges.join(", ").into())];
    if schemes.len() > 1 && schemes.contains(&&Scheme::Basic) {
        lines.push((NAME.into(), one(&Scheme::Basic, "").into()));
    }
    lines
}

/// Whether Bearer is among the schemes.
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
    fn what_is_accepted_is_offered_and_nothing_else() {
        let bearer = "Bearer realm=\"keyhouse\", error=\"e\"";
        let basic = "Basic realm=\"keyhouse\", charset=\"UTF-8\"";
        let token = "Token realm=\"keyhouse\"";
        for (sources, expected) in [
            (&["authorization", "x-api-key"][..], vec![format!("{bearer}, {basic}"), basic.into()]),
            (&["authorization:bearer", "x-api-key"], vec![bearer.to_owned()]),
            (&["authorization:basic"], vec![basic.to_owned()]),
            (&["authorization:token"], vec![token.to_owned()]),
            (
                &["authorization:token", "authorization", "authorization:basic"],
                vec![format!("{token}, {bearer}, {basic}"), basic.into()],
            ),
            (
                &["x-shop-key", "cookie:a", "cookie:b"],
                vec!["X-Shop-Key realm=\"keyhouse\", Cookie realm=\"keyhouse\"".to_owned()],
            ),
        ] {
            assert_eq!(lines(sources), expected, "{sources:?}");
        }
    }
}
