//! Reads the credential from a request's headers. A request has at most one credential.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use crate::model::credential::{AUTHORIZATION, CredentialSource, Scheme, titled};
use crate::model::key_text::has_key_shape;

/// The presented text, wiped from memory on drop.
type Text = Zeroizing<Vec<u8>>;

/// Result of reading the headers.
pub(super) enum Credential {
    /// No accepted source holds a credential.
    None {
        /// `Authorization` was sent with a scheme that is not accepted.
        authorization_ignored: bool,
    },
    /// A presented text, which may be a valid key.
    Presented(Text),
    Unusable(Unusable),
}

/// Why no single credential could be read. The error names the places, never the texts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("two different credentials were sent, in {0} and in {1}: send one")]
    Two(String, String),
    /// One header or cookie appears twice. A proxy may check one line while the upstream reads the
    /// other.
    #[error("{0} was sent more than once: send it once")]
    Doubled(String),
    /// The user name and the password are two different keys.
    #[error(
        "two different credentials were sent in Authorization (Basic), as user name and as \
         password: send one"
    )]
    TwoInBasic,
    #[error("Authorization (Basic) is not readable: send the base64 of user:password")]
    Basic,
}

/// Reads the credential from these sources. The same text in two places counts as one credential. Query
/// parameters are never read.
pub(super) fn take(headers: &HeaderMap, sources: &[CredentialSource]) -> Credential {
    let mut found: Option<(&CredentialSource, Text)> = None;
    for source in sources {
        let text = match read(headers, source) {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            Err(fault) => return Credential::Unusable(fault),
        };
        match &found {
            Some((first, known)) if text != *known => {
                return Credential::Unusable(Unusable::Two(first.place(), source.place()));
            },
            Some(_) => {},
            None => found = Some((source, text)),
        }
    }
    match found {
        Some((_, text)) => Credential::Presented(text),
        None => Credential::None { authorization_ignored: headers.contains_key(AUTHORIZATION) },
    }
}

impl Unusable {
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Two(..) | Self::TwoInBasic => "two_credentials",
            Self::Doubled(_) => "credential_doubled",
            Self::Basic => "credential_unreadable",
        }
    }

    /// The error of a header that appears on two lines.
    pub(super) fn doubled_header(name: &str) -> Self {
        Self::Doubled(titled(name))
    }
}

fn read(headers: &HeaderMap, source: &CredentialSource) -> Result<Option<Text>, Unusable> {
    match source {
        CredentialSource::Authorization | CredentialSource::Scheme(_) => {
            let line = single(headers, source)?;
            line.map_or(Ok(None), |line| authorized(line.as_bytes(), source.schemes()))
        },
        CredentialSource::Header(_) => {
            Ok(single(headers, source)?.map(|line| text_of(line.as_bytes())))
        },
        CredentialSource::Cookie(name) => entry(headers, source, b';', |pair| {
            let cut = pair.iter().position(|byte| *byte == b'=')?;
            let (known, value) = pair.split_at_checked(cut)?;
            let is_named = known.trim_ascii() == name.as_bytes();
            is_named.then(|| value.get(1..).unwrap_or_default().trim_ascii())
        }),
        CredentialSource::WebSocketProtocol(prefix) => {
            entry(headers, source, b',', |entry| entry.strip_prefix(prefix.as_bytes()))
        },
    }
}

/// The only line of the header.
fn single<'a>(
    headers: &'a HeaderMap,
    source: &CredentialSource,
) -> Result<Option<&'a HeaderValue>, Unusable> {
    let mut lines = headers.get_all(source.header()).iter();
    let line = lines.next();
    if lines.next().is_some() { Err(Unusable::Doubled(source.place())) } else { Ok(line) }
}

/// The only entry of a list header that `pick` accepts, on any of its lines.
fn entry(
    headers: &HeaderMap,
    source: &CredentialSource,
    separator: u8,
    pick: impl Fn(&[u8]) -> Option<&[u8]>,
) -> Result<Option<Text>, Unusable> {
    let lines = headers.get_all(source.header()).iter().map(HeaderValue::as_bytes);
    let entries = lines.flat_map(|line| line.split(|byte| *byte == separator));
    let mut picked = entries.filter_map(|entry| pick(entry.trim_ascii()));
    let first = picked.next().map(text_of);
    if picked.next().is_some() { Err(Unusable::Doubled(source.place())) } else { Ok(first) }
}

/// The text after the scheme, if the scheme is one of these.
fn authorized(line: &[u8], schemes: &[Scheme]) -> Result<Option<Text>, Unusable> {
    let cut = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (name, rest) = line.split_at(cut);
    let rest = rest.trim_ascii();
    let is_sent = |scheme: &&Scheme| name.eq_ignore_ascii_case(scheme.name().as_bytes());
    match schemes.iter().find(is_sent) {
        Some(Scheme::Basic) => basic(rest).map(Some),
        Some(Scheme::Bearer | Scheme::Named(_)) => Ok(Some(text_of(rest))),
        None => Ok(None),
    }
}

/// RFC 7617: base64 of user name, colon, password. The key is the password, or the user name if the
/// password is empty or a filler, because some clients let users fill only one of the two fields.
fn basic(encoded: &[u8]) -> Result<Text, Unusable> {
    let pair = Zeroizing::new(STANDARD.decode(encoded).map_err(|_source| Unusable::Basic)?);
    let cut = pair.iter().position(|byte| *byte == b':').ok_or(Unusable::Basic)?;
    let (user, password) = pair.split_at(cut);
    let password = password.get(1..).unwrap_or_default();
    let is_users = match (has_key_shape(user), has_key_shape(password)) {
        (true, true) if user != password => return Err(Unusable::TwoInBasic),
        (true, false) => true,
        (true | false, _) => password.is_empty(),
    };
    Ok(text_of(if is_users { user } else { password }))
}

fn text_of(bytes: &[u8]) -> Text {
    Zeroizing::new(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::credential::CREDENTIALS;

    const KEY: &str = "kh_live_0000000000000000000000000000000000000000000000000";
    const OTHER: &str = "kh_live_1111111111111111111111111111111111111111111111111";

    fn sources(texts: &[&str]) -> Vec<CredentialSource> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn taken(lines: &[(&'static str, &str)], sources: &[CredentialSource]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        match take(&headers, sources) {
            Credential::None { authorization_ignored: false } => "none".to_owned(),
            Credential::None { authorization_ignored: true } => "ignored".to_owned(),
            Credential::Unusable(fault) => fault.to_string(),
            Credential::Presented(text) => String::from_utf8(text.to_vec()).unwrap(),
        }
    }

    fn encoded(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn a_credential_is_read_from_every_accepted_place() {
        let unreadable = Unusable::Basic.to_string();
        for (lines, expected) in [
            (&[][..], "none"),
            (&[("authorization", "Bearer abc")], "abc"),
            (&[("authorization", "bEARER   abc ")], "abc"),
            (&[("authorization", "Basic dXNlcjphYmM=")], "abc"),
            (&[("authorization", "Basic YWJjOg==")], "abc"),
            (&[("authorization", "Basic !!")], &unreadable),
            (&[("authorization", "Basic YWJj")], &unreadable),
            (&[("authorization", "Bearer")], ""),
            (&[("authorization", "Digest abc")], "ignored"),
            (&[("x-api-key", "abc")], "abc"),
            (&[("mc-api-key", "abc")], "abc"),
            (&[("x-api-key", "abc"), ("mc-api-key", "abc")], "abc"),
            (
                &[("x-api-key", "abc"), ("authorization", "Bearer abd")],
                "two different credentials were sent, in Authorization and in X-Api-Key: send one",
            ),
            (
                &[("x-api-key", "abc"), ("x-api-key", "abc")],
                "X-Api-Key was sent more than once: send it once",
            ),
            (&[("x-api-key", "")], ""),
            (&[("cookie", "a=abc"), ("sec-websocket-protocol", "keyhouse.abc")], "none"),
        ] {
            assert_eq!(taken(lines, &CREDENTIALS), expected, "{lines:?}");
        }
    }

    /// Regression: clients that let users fill one of the two fields fill the other themselves:
    /// `key:x`, `key:x-oauth-basic`, `token:key`. Keyhouse looked up the filler as the key.
    #[test]
    fn in_basic_the_part_with_the_shape_of_a_key_is_used() {
        for (pair, expected) in [
            (format!("{KEY}:"), KEY),
            (format!("{KEY}:x"), KEY),
            (format!("{KEY}:x-oauth-basic"), KEY),
            (format!("token:{KEY}"), KEY),
            (format!(":{KEY}"), KEY),
            (format!("{KEY}:{KEY}"), KEY),
            (format!("{KEY}:{OTHER}"), "two"),
            ("foreign:secret".to_owned(), "secret"),
            ("foreign:".to_owned(), "foreign"),
            // The user name begins like a key.
            ("kh_admin:secret".to_owned(), "secret"),
            ("a:b:c".to_owned(), "b:c"),
        ] {
            let text = taken(&[("authorization", &encoded(&pair))], &CREDENTIALS);
            let expected =
                if expected == "two" { Unusable::TwoInBasic.to_string() } else { expected.into() };
            assert_eq!(text, expected, "{pair}");
        }
    }

    #[test]
    fn only_the_schemes_of_the_sources_are_accepted() {
        let named = sources(&["authorization:token", "authorization:bearer"]);
        for (line, expected) in [
            ("Token abc", "abc"),
            ("tOKEN abc", "abc"),
            ("Bearer abc", "abc"),
            ("Token", ""),
            ("Token token=\"abc\"", "token=\"abc\""),
            ("Tokens abc", "ignored"),
            // The gate does not accept Basic, so even malformed Basic credentials are ignored.
            ("Basic !!", "ignored"),
        ] {
            assert_eq!(taken(&[("authorization", line)], &named), expected, "{line}");
        }
        let basic = sources(&["authorization:basic"]);
        assert_eq!(taken(&[("authorization", "Basic dXNlcjphYmM=")], &basic), "abc");
        assert_eq!(taken(&[("authorization", "Bearer abc")], &basic), "ignored");
    }

    #[test]
    fn a_cookie_or_subprotocol_is_read_by_name_and_must_be_single() {
        let named = sources(&["cookie:feed", "websocket-protocol:keyhouse."]);
        let doubled = "the cookie feed was sent more than once: send it once";
        for (lines, expected) in [
            (&[("cookie", "a=b; feed=abc; c=d")][..], "abc"),
            (&[("cookie", "feed=abc=")], "abc="),
            (&[("cookie", " feed = abc ")], "abc"),
            (&[("cookie", "a=b"), ("cookie", "feed=abc")], "abc"),
            (&[("cookie", "feed=abc; feed=abc")], doubled),
            (&[("cookie", "feed=abc"), ("cookie", "feed=other")], doubled),
            (&[("cookie", "Feed=abc; xfeed=abc; feed")], "none"),
            (&[("cookie", "a=\"; feed=abc; \"")], "abc"),
            (&[("sec-websocket-protocol", "chat, keyhouse.abc")], "abc"),
            (&[("sec-websocket-protocol", "chat,keyhouse.")], ""),
            (&[("sec-websocket-protocol", "Keyhouse.abc, chat")], "none"),
            (
                &[
                    ("sec-websocket-protocol", "keyhouse.abc"),
                    ("sec-websocket-protocol", "keyhouse.abc"),
                ],
                "Sec-WebSocket-Protocol (keyhouse.) was sent more than once: send it once",
            ),
            (
                &[("cookie", "feed=abc"), ("sec-websocket-protocol", "keyhouse.abd")],
                "two different credentials were sent, in the cookie feed and in \
                 Sec-WebSocket-Protocol (keyhouse.): send one",
            ),
            (&[("authorization", "Bearer abc")], "ignored"),
        ] {
            assert_eq!(taken(lines, &named), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_accepted_sources_are_read() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", "Basic !!"), ("x-key", "abc")] {
            headers.append(name, value.parse().unwrap());
        }
        let own = sources(&["x-key"]);
        assert!(matches!(take(&headers, &own), Credential::Presented(text) if *text == b"abc"));
        assert!(matches!(
            take(&headers, &sources(&["x-api-key"])),
            Credential::None { authorization_ignored: true }
        ));
        headers.append("x-key", "abc".parse().unwrap());
        assert!(matches!(take(&headers, &own), Credential::Unusable(Unusable::Doubled(_))));
    }
}
