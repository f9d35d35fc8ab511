//! Takes the credential out of a request's headers: at most one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use zeroize::Zeroizing;

/// Headers that carry a key by itself.
pub(super) const KEY_HEADERS: [&str; 2] = ["x-api-key", "mc-api-key"];

/// What the headers hold.
pub(super) enum Credential {
    /// None of ours.
    None,
    /// This text, whatever it is worth.
    Presented(Zeroizing<Vec<u8>>),
    /// Two that differ, one header twice, or one that can't be read.
    Unreadable,
}

/// Takes the credential: `Authorization: Bearer`, Basic (the password, or the user name when that
/// is empty), `X-API-Key` or `MC-Api-Key`. The same text twice is one; query parameters never count.
pub(super) fn take(headers: &HeaderMap) -> Credential {
    let mut found: Option<Zeroizing<Vec<u8>>> = None;
    let authorization = headers.get_all(http::header::AUTHORIZATION).iter().map(authorized);
    let plain = KEY_HEADERS
        .iter()
        .flat_map(|name| headers.get_all(*name))
        .map(|value| Credential::Presented(Zeroizing::new(value.as_bytes().to_vec())));
    for credential in authorization.chain(plain) {
        match (credential, &found) {
            (Credential::None, _) => {},
            (Credential::Unreadable, _) => return Credential::Unreadable,
            (Credential::Presented(text), Some(known)) if text != *known => {
                return Credential::Unreadable;
            },
            (Credential::Presented(text), _) => found = Some(text),
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

    fn taken(lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        match take(&headers) {
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
}
