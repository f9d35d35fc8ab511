//! Credential sources: the places of a request that may carry a key.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The most sources of a gate.
pub const CREDENTIALS_MAX: usize = 8;
/// The longest name of a header, scheme or cookie, and the longest prefix of a subprotocol, in
/// bytes.
const NAME_BYTES_MAX: usize = 64;
/// The header with a scheme before the key.
pub const AUTHORIZATION: &str = "authorization";
pub const COOKIE: &str = "cookie";
/// The header of [`CredentialSource::WebSocketProtocol`] (RFC 6455, section 11.3.4).
pub const WEBSOCKET_PROTOCOL: &str = "sec-websocket-protocol";
/// The names of Keyhouse's own session cookie, which is never a gate's credential.
const OWN_COOKIES: [&str; 3] = ["keyhouse", "__host-keyhouse", "__secure-keyhouse"];

/// A place of a request that may carry a key. Sources are written as `authorization` (Bearer and
/// Basic), `authorization:SCHEME`, a header's name, `cookie:NAME` or `websocket-protocol:PREFIX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// `Authorization` with the scheme Bearer or Basic.
    Authorization,
    /// `Authorization` with only this scheme.
    Scheme(Scheme),
    /// The whole value of a header; the name is in lower case.
    Header(Cow<'static, str>),
    /// The value of a cookie. Cookie names are case-sensitive.
    Cookie(Box<str>),
    /// The rest of an entry of `Sec-WebSocket-Protocol` after this prefix.
    WebSocketProtocol(Box<str>),
}

/// An authentication scheme (RFC 9110, section 11.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    Bearer,
    Basic,
    /// Any other scheme, in lower case: the text after it is the key.
    Named(Box<str>),
}

/// The sources of the gate `default`, of new gates and of Keyhouse's own endpoints.
pub static CREDENTIALS: [CredentialSource; 3] = [
    CredentialSource::Authorization,
    CredentialSource::Header(Cow::Borrowed("x-api-key")),
    CredentialSource::Header(Cow::Borrowed("mc-api-key")),
];

/// The text is not a credential source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    #[error(
        "must be a header that can carry a key, such as x-my-api-key, or authorization:SCHEME, \
         cookie:NAME or websocket-protocol:PREFIX"
    )]
    Header,
    #[error(
        "must name a scheme that carries a key, such as authorization:token; digest, negotiate \
         and ntlm carry no key"
    )]
    Scheme,
    #[error(
        "must be a cookie name of 1 to {NAME_BYTES_MAX} characters of A-Z, a-z, 0-9, '-', '_' and '.'"
    )]
    Cookie,
    #[error("must not be the cookie of Keyhouse's own sessions")]
    OwnCookie,
    #[error(
        "must be a prefix of 1 to {NAME_BYTES_MAX} characters of A-Z, a-z, 0-9, '-', '_' and '.'"
    )]
    WebSocketProtocol,
}

impl CredentialSource {
    /// The header that carries the source, in lower case.
    pub fn header(&self) -> &str {
        match self {
            Self::Authorization | Self::Scheme(_) => AUTHORIZATION,
            Self::Header(name) => name,
            Self::Cookie(_) => COOKIE,
            Self::WebSocketProtocol(_) => WEBSOCKET_PROTOCOL,
        }
    }

    /// The accepted schemes of `Authorization`.
    pub fn schemes(&self) -> &[Scheme] {
        const BOTH: [Scheme; 2] = [Scheme::Bearer, Scheme::Basic];
        match self {
            Self::Authorization => &BOTH,
            Self::Scheme(scheme) => std::slice::from_ref(scheme),
            Self::Header(_) | Self::Cookie(_) | Self::WebSocketProtocol(_) => &[],
        }
    }

    /// The place in a request, for people.
    pub fn place(&self) -> String {
        match self {
            Self::Authorization | Self::Scheme(_) | Self::Header(_) => titled(self.header()),
            Self::Cookie(name) => format!("the cookie {name}"),
            Self::WebSocketProtocol(prefix) => format!("Sec-WebSocket-Protocol ({prefix})"),
        }
    }
}

/// All schemes that these sources accept, without duplicates.
pub fn schemes(sources: &[CredentialSource]) -> Vec<&Scheme> {
    let mut schemes = Vec::new();
    for scheme in sources.iter().flat_map(CredentialSource::schemes) {
        if !schemes.contains(&scheme) {
            schemes.push(scheme);
        }
    }
    schemes
}

/// The places that may carry a key, without duplicates, as a list in a sentence.
pub fn listed(sources: &[CredentialSource]) -> String {
    let schemes: Vec<String> = schemes(sources).into_iter().map(Scheme::title).collect();
    let mut places: Vec<String> = Vec::new();
    for source in sources {
        let place = match source {
            CredentialSource::Authorization | CredentialSource::Scheme(_) => {
                format!("Authorization ({})", schemes.join(", "))
            },
            CredentialSource::Header(_)
            | CredentialSource::Cookie(_)
            | CredentialSource::WebSocketProtocol(_) => source.place(),
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places.join(", ")
}

impl Scheme {
    pub fn name(&self) -> &str {
        match self {
            Self::Bearer => "bearer",
            Self::Basic => "basic",
            Self::Named(name) => name,
        }
    }

    /// The name as challenges write it.
    pub fn title(&self) -> String {
        titled(self.name())
    }
}

pub fn titled(name: &str) -> String {
    let parts = name.split('-').map(|part| {
        let (first, rest) = part.split_at_checked(1).unwrap_or((part, ""));
        first.to_ascii_uppercase() + rest
    });
    parts.collect::<Vec<_>>().join("-")
}

impl FromStr for CredentialSource {
    type Err = InvalidSource;

    fn from_str(text: &str) -> Result<Self, InvalidSource> {
        let lower = text.to_ascii_lowercase();
        if lower == AUTHORIZATION {
            return Ok(Self::Authorization);
        }
        let Some((kind, _)) = lower.split_once(':') else { return header(&lower) };
        // The names of cookies and subprotocols are case-sensitive.
        let named = text.get(kind.len() + 1..).unwrap_or_default();
        match kind {
            AUTHORIZATION => scheme(&named.to_ascii_lowercase()),
            "cookie" => cookie(named),
            "websocket-protocol" if is_plain(named) => Ok(Self::WebSocketProtocol(named.into())),
            "websocket-protocol" => Err(InvalidSource::WebSocketProtocol),
            _ => Err(InvalidSource::Header),
        }
    }
}

fn header(name: &str) -> Result<CredentialSource, InvalidSource> {
    let taken = CARRY_OTHER_THINGS.contains(&name)
        || CARRY_OTHER_THINGS_BEGIN.iter().any(|begin| name.starts_with(begin));
    if is_word(name) && !taken {
        Ok(CredentialSource::Header(name.to_owned().into()))
    } else {
        Err(InvalidSource::Header)
    }
}

fn scheme(name: &str) -> Result<CredentialSource, InvalidSource> {
    match name {
        "bearer" => Ok(CredentialSource::Scheme(Scheme::Bearer)),
        "basic" => Ok(CredentialSource::Scheme(Scheme::Basic)),
        "digest" | "negotiate" | "ntlm" => Err(InvalidSource::Scheme),
        name if is_word(name) => Ok(CredentialSource::Scheme(Scheme::Named(name.into()))),
        _ => Err(InvalidSource::Scheme),
    }
}

fn cookie(name: &str) -> Result<CredentialSource, InvalidSource> {
    if OWN_COOKIES.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(InvalidSource::OwnCookie);
    }
    if is_plain(name) {
        Ok(CredentialSource::Cookie(name.into()))
    } else {
        Err(InvalidSource::Cookie)
    }
}

/// Whether a text is a lower-case name that every proxy can write. `_` is excluded: some servers
/// treat it as `-`.
fn is_word(name: &str) -> bool {
    let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    begins && name.len() <= NAME_BYTES_MAX && name.bytes().all(fits)
}

fn is_plain(name: &str) -> bool {
    let fits = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorization => f.write_str(AUTHORIZATION),
            Self::Scheme(scheme) => write!(f, "{AUTHORIZATION}:{}", scheme.name()),
            Self::Header(name) => f.write_str(name),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::WebSocketProtocol(prefix) => write!(f, "websocket-protocol:{prefix}"),
        }
    }
}

/// Headers that cannot carry a key: they have another meaning, or a proxy sets, changes or drops
/// them.
const CARRY_OTHER_THINGS: [&str; 21] = [
    "accept",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "origin",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-real-ip",
    // Responses and logs repeat this header's value.
    "x-request-id",
];
const CARRY_OTHER_THINGS_BEGIN: [&str; 9] = [
    "accept-",
    "access-control-",
    "content-",
    "if-",
    "proxy-",
    "sec-",
    "x-forwarded-",
    "x-keyhouse-",
    "x-original-",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_written_as_they_are_read() {
        for (text, written) in [
            ("authorization", "authorization"),
            ("Authorization", "authorization"),
            ("authorization:Token", "authorization:token"),
            ("AUTHORIZATION:bearer", "authorization:bearer"),
            ("authorization:basic", "authorization:basic"),
            ("X-My-Key", "x-my-key"),
            ("apikey", "apikey"),
            ("cookie:Session_Key", "cookie:Session_Key"),
            ("Cookie:a", "cookie:a"),
            ("websocket-protocol:Keyhouse.", "websocket-protocol:Keyhouse."),
        ] {
            let source: CredentialSource = text.parse().unwrap();
            assert_eq!(source.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(source), "{text}");
        }
        for source in &CREDENTIALS {
            assert_eq!(source.to_string().parse().as_ref(), Ok(source));
        }
    }

    #[test]
    fn sources_that_cannot_carry_a_key_are_rejected() {
        for (text, error) in [
            ("", InvalidSource::Header),
            ("x_api_key", InvalidSource::Header),
            ("cookie", InvalidSource::Header),
            ("x-forwarded-for", InvalidSource::Header),
            ("x-request-id", InvalidSource::Header),
            ("access-control-request-method", InvalidSource::Header),
            ("sec-websocket-protocol", InvalidSource::Header),
            ("a b", InvalidSource::Header),
            ("query:key", InvalidSource::Header),
            ("authorization:", InvalidSource::Scheme),
            ("authorization:Digest", InvalidSource::Scheme),
            ("authorization:a b", InvalidSource::Scheme),
            ("authorization:a\"b", InvalidSource::Scheme),
            ("cookie:", InvalidSource::Cookie),
            ("cookie:a b", InvalidSource::Cookie),
            ("cookie:a=b", InvalidSource::Cookie),
            ("cookie:keyhouse", InvalidSource::OwnCookie),
            ("cookie:__Host-Keyhouse", InvalidSource::OwnCookie),
            ("cookie:__Secure-Keyhouse", InvalidSource::OwnCookie),
            ("websocket-protocol:", InvalidSource::WebSocketProtocol),
            ("websocket-protocol:a,b", InvalidSource::WebSocketProtocol),
            (&format!("x{}", "y".repeat(64)), InvalidSource::Header),
        ] {
            assert_eq!(text.parse::<CredentialSource>(), Err(error), "{text}");
        }
    }

    #[test]
    fn places_are_listed_once() {
        let sources = ["authorization", "authorization:token", "x-api-key", "cookie:a"];
        let sources = sources.map(|text| text.parse().unwrap());
        assert_eq!(
            listed(&sources),
            "Authorization (Bearer, Basic, Token), X-Api-Key, the cookie a"
        );
    }
}
