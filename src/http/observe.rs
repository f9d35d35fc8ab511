//! Request metrics and the access log, and the choice of a request's id.
//!
//! The log line repeats nothing that a client sent, except a request id that passes validation. The
//! line contains the route's pattern instead of the path, `other` for an unknown method, and no
//! header and no query.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{HeaderMap, STRICT_TRANSPORT_SECURITY};
use http::request::Parts;

use crate::http::App;
use crate::http::problem::CODE;
use crate::http::request_id::{REQUEST_ID, RequestId};
use crate::http::routing::Routing;
use crate::http::transport::{Arrival, ResponseHead};
use crate::model::key_text::{Prefix, is_like_ours};

/// Longest request id that is accepted from a client.
const REQUEST_ID_BYTES_MAX: usize = 64;
/// The HSTS policy (RFC 6797): browsers use only TLS for a year. Subdomains are not included,
/// because other services may use them.
const TLS_ALONE: &str = "max-age=31536000";
/// Placeholder in the log for an absent value.
const NOTHING: &str = "-";

impl App {
    /// Gives a request exactly one id: the client's id if it is valid, otherwise a new id.
    pub(super) fn request_id(&self, headers: &HeaderMap) -> RequestId {
        let mut lines = headers.get_all(&REQUEST_ID).iter();
        let only = lines.next().filter(|_line| lines.next().is_none());
        if only.is_some_and(|id| is_fit(id.as_bytes(), self.actions.prefix())) {
            return RequestId::OfClient;
        }
        self.new_request_id()
    }

    pub(super) fn new_request_id(&self) -> RequestId {
        RequestId::New(self.request_ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds the request id and HSTS to a response, counts it, and logs it.
    pub(super) fn record_end(
        &self,
        arrival: &Arrival<'_>,
        routing: Option<&Routing>,
        answer: &mut ResponseHead<'_>,
        took: Duration,
    ) {
        // Without a routing, the response has an id already.
        if let Some(routing) = routing {
            routing.id.push_to(answer.lines, arrival.parts);
        }
        // Proxies forward a gate's denial to clients of another host, for which this policy must
        // not apply.
        let is_below_gates = routing.is_some_and(Routing::is_below_gates);
        if self.settings.public_url.is_https() && !is_below_gates {
            answer.lines.push(&STRICT_TRANSPORT_SECURITY, TLS_ALONE);
        }
        let code = if answer.status.is_success() { None } else { answer.lines.get(CODE.as_str()) };
        match routing.and_then(|routing| Some((routing, routing.endpoint?))) {
            Some((routing, endpoint)) => {
                let gate = routing.counted_gate(arrival.parts.uri.path());
                self.counts.note_response(endpoint, gate, code, took);
            },
            None => self.counts.note_request(arrival.listener, answer.status, took),
        }
        if tracing::enabled!(tracing::Level::DEBUG) {
            tracing::debug!(
                surface = arrival.listener.name(),
                method = method(arrival.parts),
                route = routing.and_then(|it| it.route).map_or(NOTHING, |route| route.path),
                status = answer.status.as_u16(),
                code = code.unwrap_or(NOTHING),
                duration_seconds = took.as_secs_f64(),
                request_id = answer.lines.get(REQUEST_ID.as_str()).unwrap_or(NOTHING),
                "answered"
            );
        }
    }
}

/// The method's name. An unknown method becomes `other`, since it may be any text, even a secret.
fn method(parts: &Parts) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    let own = parts.method.as_str();
    known.into_iter().find(|known| *known == own).unwrap_or("other")
}

/// Whether an id may be repeated in headers, bodies and logs: it must not look like a key.
fn is_fit(id: &[u8], prefix: &Prefix) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
        && id.iter().all(plain)
        && !is_like_ours(id, prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_short_plain_and_not_a_key() {
        for (id, fits) in [
            ("a", true),
            ("4bf92f35-77b3.4da6_a3ce", true),
            ("0af7651916cd43dd8448eb211c80319c", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("é", false),
            ("kh_live_and_more", false),
            ("other_live_0000000000000000000000000000000000000000000000000", false),
        ] {
            assert_eq!(is_fit(id.as_bytes(), &Prefix::default()), fits, "{id:?}");
        }
        let longest = "x".repeat(REQUEST_ID_BYTES_MAX);
        assert!(is_fit(longest.as_bytes(), &Prefix::default()));
        assert!(!is_fit(format!("{longest}x").as_bytes(), &Prefix::default()));
    }
}
