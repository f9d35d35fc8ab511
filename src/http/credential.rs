//! Takes the credential out of a request's headers: at most one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use zeroize::Zeroizing;

use crate::model::gate::AUTHORIZATION;

/// What the headers hold.
pub(super) enum Credential {
    /// None of ours.
    None,
    /// This text, whatever it is worth.
    Presented(Zeroizing<Vec<u8>>),
    /// Two that differ, one header twice, or one that can't be read.
    Unreadable,
}

/// Takes the credential out of the headers that may carry one: of `Authorization`, Bearer or Basic
/// (the password, or the user name when that is empty); of any other, its whole value. The same text
/// in two headers is one; query parameters never count.
pub(super) fn take<N: AsRef<str>>(headers: &HeaderMap, carriers: &[N]) -> Credential {
    let mut found: Option<Zeroizing<Vec<u8>>> = None;
    for name in carriers.iter().map(AsRef::as_ref) {
        let mut lines = headers.get_all(name).iter();
        if let Some(value) = lines.next() {
            // Of two lines a proxy may show us one, and the upstream another.
            if lines.next().is_some() {
                return Credential::Unreadable;
            }
            let credential = if name == AUTHORIZATION {
                authorized(value)
            } else {
                Credential::Presented(Zeroizing::new(value.as_bytes().to_vec()))
            };
            match (credential, &found) {
                (Credential::None, _) => {},
                (Credential::Unreadable, _) => return Credential::Unreadable,
                (Credential::Presented(text), Some(known)) if text != *known => {
                    return Credential::Unreadable;
                },
                (Credential::Presented(text), _) => found = Some(text),
            }
        }
    }
    found.map_or(Credential::None, Credential::Presented)
}

fn authorized(value: &http::HeaderValue) -> Credential {
    let bytes = value.as_bytes();
    let cut = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    let (scheme, rest) = bytes.split_at(cut);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        Credential::Presented(Zeroizing::new(rest.to_vec()))
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        basic(rest).map_or(Credential::Unreadable, Credential::Presented)
    } else {
        // Another scheme is somebody else's business.
        Credential::None
    }
}

/// RFC 7617: base64 of user name, colon, password.
fn basic(encoded: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let pair = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let cut = pair.iter().position(|byte| *byte == b':')?;
    let (user, password) = pair.split_at_checked(cut)?;
    let password = password.get(1..).unwrap_or_default();
    let text = if password.is_empty() { user } else { password };
    Some(Zeroizing::new(text.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gate::CREDENTIALS;

    fn taken(lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        match take(&headers, &CREDENTIALS) {
            Credential::None => "none".to_owned(),
            Credential::Unreadable => "unreadable".to_owned(),
            Credential::Presented(text) => String::from_utf8(text.to_vec()).unwrap(),
        }
    }

    #[test]
    fn one_credential_is_taken_from_wherever_it_stands() {
        for (lines, expected) in [
            (&[][..], "none"),
            (&[("authorization", "Bearer abc")], "abc"),
            (&[("authorization", "bEARER   abc ")], "abc"),
            (&[("authorization", "Basic dXNlcjphYmM=")], "abc"),
            (&[("authorization", "Basic YWJjOg==")], "abc"),
            (&[("authorization", "Basic !!")], "unreadable"),
            (&[("authorization", "Basic YWJj")], "unreadable"),
            (&[("authorization", "Bearer")], ""),
            (&[("authorization", "Digest abc")], "none"),
            (&[("x-api-key", "abc")], "abc"),
            (&[("mc-api-key", "abc")], "abc"),
            (&[("x-api-key", "abc"), ("mc-api-key", "abc")], "abc"),
            (&[("x-api-key", "abc"), ("authorization", "Bearer abd")], "unreadable"),
            (&[("x-api-key", "")], ""),
        ] {
            assert_eq!(taken(lines), expected, "{lines:?}");
        }
    }
    #[test]
    fn only_what_may_carry_a_key_is_looked_at() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", "Basic !!"), ("x-key", "abc")] {
            headers.append(name, value.parse().unwrap());
        }
        assert!(
            matches!(take(&headers, &["x-key"]), Credential::Presented(text) if *text == b"abc")
        );
        assert!(matches!(take(&headers, &["x-api-key"]), Credential::None));
        headers.append("x-key", "abc".parse().unwrap());
        assert!(matches!(take(&headers, &["x-key"]), Credential::Unreadable));
    }
}
