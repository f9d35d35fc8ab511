//! Authenticates a request: a session's user, a management key, or the local operator.

use rouille::{Request, Response};
use zeroize::Zeroizing;

use crate::actions::actor::Actor;
use crate::actions::signing_in::devices::DEVICE_LIFETIME;
use crate::actions::signing_in::session_user::Me;
use crate::actions::signing_in::throttle::Source;
use crate::http::client::printable_host;
use crate::http::credential::{self, Credential};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::transport::ListenerKind;
use crate::http::{App, Call};
use crate::model::credential::CREDENTIALS;
use crate::model::id::UserId;
use crate::model::public_url::PublicUrl;
use crate::model::secret::Secret;

/// The name of the session cookie. Browsers accept the prefix `__Host-` only with the path `/`, so a
/// public URL with a path gets `__Secure-` and the path: otherwise browsers would send the session to
/// every application of the host.
pub(super) fn cookie_name(url: &PublicUrl) -> &'static str {
    match (url.is_https(), url.path()) {
        (false, _) => "keyhouse",
        (true, "") => "__Host-keyhouse",
        (true, _) => "__Secure-keyhouse",
    }
}

/// The name of the cookie that marks a browser in which a user signed in before.
fn device_cookie_name(url: &PublicUrl) -> &'static str {
    match (url.is_https(), url.path()) {
        (false, _) => "keyhouse-device",
        (true, "") => "__Host-keyhouse-device",
        (true, _) => "__Secure-keyhouse-device",
    }
}

fn cookie(url: &PublicUrl, name: &str, value: &str, max_age_seconds: u64) -> String {
    let secure = if url.is_https() { "; Secure" } else { "" };
    let path = url.path();
    format!(
        "{name}={value}; Path={path}/; HttpOnly; SameSite=Strict; Max-Age={max_age_seconds}{secure}"
    )
}

/// The `Set-Cookie` value of a new session.
pub(super) fn cookie_of(url: &PublicUrl, token: &Secret, seconds: u64) -> String {
    cookie(url, cookie_name(url), token.reveal(), seconds)
}

/// The `Set-Cookie` value that deletes the session cookie.
pub(super) fn cookie_gone(url: &PublicUrl) -> String {
    cookie(url, cookie_name(url), "", 0)
}

/// The session of the request, and its user.
pub(super) struct OwnSession<'a> {
    actor: &'a Actor,
    user: UserId,
    token: Secret,
    source: Source,
}

impl OwnSession<'_> {
    pub(super) fn me(&self) -> Me<'_> {
        Me { actor: self.actor, user: self.user, token: &self.token, source: self.source }
    }
}

impl App {
    /// The actor of a request. On the control socket, a presented key is the actor instead of the
    /// local operator, so that the local operator can test a key's permissions.
    pub(super) fn actor(&self, call: &Call<'_>) -> Result<Actor, Problem> {
        let token = match call.origin.listener {
            ListenerKind::Main | ListenerKind::Control => self.session_token(call.request)?,
            // The listeners for checks and metrics ignore cookies, even if the request also has a
            // key.
            ListenerKind::Checks | ListenerKind::Metrics => None,
        };
        match (credential::take(&header_map(call.request)?, &CREDENTIALS), token) {
            (Credential::Unusable(unusable), _) => {
                Err(Problem::doubled_credential(unusable.to_string()))
            },
            (Credential::Presented(_), Some(_)) => {
                Err(Problem::doubled_credential("a key and a session cookie were sent: send one"))
            },
            (Credential::Presented(text), None) => self.key_actor(call, &text),
            (Credential::None { .. }, Some(token)) => self.session_actor(call, &token),
            (Credential::None { .. }, None) => match call.origin.listener {
                ListenerKind::Control => self.local_actor_in(call.request.raw_url()),
                ListenerKind::Main | ListenerKind::Checks | ListenerKind::Metrics => {
                    Err(Problem::no_credential())
                },
            },
        }
    }

    /// The local operator, on the control socket only.
    pub(super) fn local_actor(&self, listener: ListenerKind) -> Result<Actor, Problem> {
        match listener {
            ListenerKind::Control => {
                let first = self.index().first_organization();
                first.map(Actor::local).ok_or_else(Problem::not_set_up)
            },
            ListenerKind::Main | ListenerKind::Checks | ListenerKind::Metrics => {
                Err(Problem::no_credential())
            },
        }
    }

    /// The local operator, in the organization that the query names.
    fn local_actor_in(&self, raw_url: &str) -> Result<Actor, Problem> {
        match Parameters::organization(raw_url)? {
            None => self.local_actor(ListenerKind::Control),
            Some(id) => {
                let known = self.index().organization(id);
                known
                    .map(Actor::local)
                    .ok_or_else(|| Problem::not_found().detail("organization not found"))
            },
        }
    }

    fn key_actor(&self, call: &Call<'_>, text: &Zeroizing<Vec<u8>>) -> Result<Actor, Problem> {
        self.caller_by_key(text, call.browser())
    }

    fn session_actor(&self, call: &Call<'_>, token: &Secret) -> Result<Actor, Problem> {
        self.guard_host(call.request.header("Host"))?;
        if !matches!(call.request.method(), "GET" | "HEAD") {
            self.guard_origin(|name| call.request.header(name))?;
        }
        let (session, user) = self.actions.session(token)?;
        let actor = Actor::user(self.index(), user, Some(token.digest()));
        let actor = actor.ok_or_else(Problem::session_ended)?.at(call.address);
        Ok(actor.with_second_factor(session.second_factor))
    }

    /// The caller's session, for the endpoints of the user's own account. A key may not use these
    /// endpoints.
    pub(super) fn own_session<'a>(&self, call: &'a Call<'_>) -> Result<OwnSession<'a>, Problem> {
        let actor = call.actor()?;
        let user = actor.user_id().filter(|_user| !actor.is_key());
        match (user, self.session_token(call.request)?) {
            (Some(user), Some(token)) => {
                Ok(OwnSession { actor, user, token, source: call.source() })
            },
            (None, _) | (_, None) => Err(Problem::session_required()),
        }
    }

    /// Whether the request has a session cookie and no key.
    pub(super) fn is_sessions(&self, listener: ListenerKind, headers: &http::HeaderMap) -> bool {
        if matches!(listener, ListenerKind::Checks | ListenerKind::Metrics) {
            return false;
        }
        let name = cookie_name(&self.settings.public_url);
        let keyed = CREDENTIALS.iter().any(|known| headers.contains_key(known.header()));
        let lines = headers.get_all(http::header::COOKIE).iter();
        let mut pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(cookies);
        !keyed && pairs.any(|(known, _)| known == name)
    }

    /// The device cookie, if the request has exactly one. The cookie only selects the counter for a
    /// sign-in attempt.
    pub(super) fn device_cookie_of(&self, request: &Request) -> Option<Secret> {
        self.device_cookie_in(request.header("Cookie")?)
    }

    /// The device cookie in a `Cookie` header.
    pub(super) fn device_cookie_in(&self, header: &str) -> Option<Secret> {
        let name = device_cookie_name(&self.settings.public_url);
        let mut values =
            cookies(header).filter_map(|(known, value)| (known == name).then_some(value));
        match (values.next(), values.next()) {
            (Some(value), None) => Some(Secret::new(value.to_owned())),
            (None, _) | (Some(_), Some(_)) => None,
        }
    }

    /// Adds a device cookie to the response of a successful sign-in. If the cookie cannot be
    /// created, the sign-in succeeds without a cookie.
    pub(super) fn with_device(&self, call: &Call<'_>, user: UserId, answer: Response) -> Response {
        let old = self.device_cookie_of(call.request);
        match self.actions.device_cookie(old.as_ref(), user) {
            Ok(device) => {
                let url = &self.settings.public_url;
                let seconds = DEVICE_LIFETIME.as_secs();
                let device = cookie(url, device_cookie_name(url), device.reveal(), seconds);
                answer.with_additional_header("Set-Cookie", device)
            },
            Err(error) => {
                tracing::warn!(%error, "session: could not make a device cookie; the sign-in \
                                        succeeds without it");
                answer
            },
        }
    }

    /// The token in the session cookie, if the request has one.
    pub(super) fn session_token(&self, request: &Request) -> Result<Option<Secret>, Problem> {
        self.token_in(request.header("Cookie"))
    }

    /// The session token in a `Cookie` header.
    pub(super) fn token_in(&self, cookie: Option<&str>) -> Result<Option<Secret>, Problem> {
        let Some(header) = cookie else { return Ok(None) };
        let name = cookie_name(&self.settings.public_url);
        let ours = |(known, value): (_, _)| (known == name).then_some(value);
        let mut values = cookies(header).filter_map(ours);
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(Some(Secret::new(value.to_owned()))),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(Problem::doubled_credential(
                "the session cookie was sent more than once: send it once",
            )),
        }
    }

    /// Rejects requests that are not for this instance, and cross-site requests of browsers.
    pub(super) fn guard(&self, call: &Call<'_>) -> Result<(), Problem> {
        self.guard_host(call.request.header("Host"))?;
        self.guard_origin(|name| call.request.header(name))
    }

    /// Rejects requests with a session whose Host does not name this instance. A request with
    /// another Host may come from a page whose host name was resolved to this address (DNS
    /// rebinding).
    pub(super) fn guard_host(&self, host: Option<&str>) -> Result<(), Problem> {
        let public_url = &self.settings.public_url;
        match host {
            Some(host) if public_url.is_named_by(host) => Ok(()),
            host => {
                let host = host.unwrap_or("-");
                self.warn_misdirected(host);
                Err(Problem::misdirected(printable_host(host), &public_url.to_string()))
            },
        }
    }

    /// Rejects cross-site requests of browsers. A client that sends neither `Origin` nor
    /// `Sec-Fetch-Site` is not a browser.
    pub(super) fn guard_origin<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<(), Problem> {
        let (site, origin) = (header("Sec-Fetch-Site"), header("Origin"));
        let same_site = matches!(site, Some("same-origin" | "none"));
        let same_origin = origin.is_some_and(|origin| origin == self.settings.public_url.origin());
        if same_site || same_origin || (site.is_none() && origin.is_none()) {
            Ok(())
        } else {
            Err(Problem::cross_site())
        }
    }
}

fn cookies(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(';').filter_map(|pair| pair.trim().split_once('='))
}

/// The credential headers as a `HeaderMap`. A header that is not valid in a `HeaderMap` is an
/// error, and is never skipped.
pub(super) fn header_map(request: &Request) -> Result<http::HeaderMap, Problem> {
    let mut headers = http::HeaderMap::new();
    for (name, value) in request.headers() {
        let ours = CREDENTIALS.iter().any(|known| name.eq_ignore_ascii_case(known.header()));
        if !ours {
            continue;
        }
        let name = http::HeaderName::from_bytes(name.as_bytes()).ok();
        let (Some(name), Ok(value)) = (name, value.parse()) else {
            return Err(Problem::doubled_credential(
                "a credential header is not readable: send only visible ASCII characters",
            ));
        };
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_bound_to_scheme_and_path() {
        let secret = Secret::new("abc".to_owned());
        for (url, name, path, secure) in [
            ("https://a.example", "__Host-keyhouse", "/", "; Secure"),
            ("https://a.example/keys/", "__Secure-keyhouse", "/keys/", "; Secure"),
            ("http://localhost", "keyhouse", "/", ""),
            ("http://localhost/keys/", "keyhouse", "/keys/", ""),
        ] {
            let url: PublicUrl = url.parse().unwrap();
            let attributes = format!("Path={path}; HttpOnly; SameSite=Strict; Max-Age=60{secure}");
            assert_eq!(cookie_of(&url, &secret, 60), format!("{name}=abc; {attributes}"));
            assert_eq!(device_cookie_name(&url), format!("{name}-device"));
        }
    }
}
