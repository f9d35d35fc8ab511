//! Sends probes through the public URL and to the URLs behind gates.
//!
//! A probe carries no credential. It claims another address and the identity of another user, so that
//! the server can report what a proxy does with such claims.

use std::time::Duration;

use http::HeaderMap;
use rand::Rng as _;
use serde_json::Value;

use crate::cli::client::{USER_AGENT, json_of};
use crate::cli::doctor::facts::{GateFacts, ProbeAnswer, PublicFacts};
use crate::cli::doctor::local_server::{LocalServer, probe_of};
use crate::cli::doctor::proxy::FORGED_ADDRESS;
use crate::cli::exit::{Exit, Failure};
use crate::cli::remote::agent;
use crate::cli::terminal::text;
use crate::http::identity_headers;
use crate::http::probes::HEADER;
use crate::instance::system_random;
use crate::model::moment::Moment;
use crate::model::public_url::{PublicUrl, WebUrl};

/// Time that a proxy has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest body of an answer that is read, in bytes.
const BODY_BYTES_MAX: u64 = 256 * 1024;
const POLICY: &str = "Content-Security-Policy";
/// The user that a probe claims to be.
const FORGED_USER: &str = "usr_doctor";

/// Sends the probe of the public URL, a request for the page, and one over plain HTTP.
///
/// # Errors
/// If the system has no randomness.
pub(super) fn public(url: &PublicUrl, local: &LocalServer<'_>) -> Result<PublicFacts, Failure> {
    let id = probe_id()?;
    let is_watched = local.watch(&id);
    let probe = format!("{url}{}", probe_of(&id));
    let answer = get(&probe, &[("X-Forwarded-For", FORGED_ADDRESS)]).map(|(_, answer)| answer);
    let (is_watched, arrived) = if is_watched { local.arrived(&id) } else { (false, None) };
    let page = get(&format!("{url}/"), &[("Accept", "text/html")]).ok();
    let page = page.filter(|(_, answer)| answer.status == 200);
    let plain = plain_url(url).and_then(|plain| get(&plain, &[]).ok());
    Ok(PublicFacts {
        url: url.to_string(),
        answer,
        is_watched,
        arrived,
        page_has_policy: page.map(|(headers, _)| headers.contains_key(POLICY)),
        plain: plain.map(|(_, answer)| answer),
    })
}

/// Sends the probe of a gate.
///
/// # Errors
/// If the system has no randomness.
pub(super) fn gate(url: &WebUrl, local: &LocalServer<'_>) -> Result<GateFacts, Failure> {
    let id = probe_id()?;
    let is_watched = local.watch(&id);
    let names = identity_headers().map(|(name, _)| (name, FORGED_USER));
    let headers: Vec<_> =
        [(HEADER, &*id), ("X-Forwarded-For", FORGED_ADDRESS)].into_iter().chain(names).collect();
    let answer = get(&url.to_string(), &headers).map(|(_, answer)| answer);
    let arrived = if is_watched { local.arrived(&id).1 } else { None };
    let identity_headers = arrived.unwrap_or_default().identity_headers;
    Ok(GateFacts { url: url.to_string(), answer, identity_headers })
}

/// A random id of 128 bits.
fn probe_id() -> Result<String, Failure> {
    let mut random =
        system_random().map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    Ok(format!("{:016x}{:016x}", random.next_u64(), random.next_u64()))
}

/// The plain URL of an https URL on the standard port.
fn plain_url(url: &PublicUrl) -> Option<String> {
    let origin = url.origin();
    let authority = origin.strip_prefix("https://")?;
    let after_host = authority.rsplit(']').next().unwrap_or(authority);
    (!after_host.contains(':')).then(|| format!("http://{authority}{}/", url.path()))
}

/// Sends a GET. The error says why there is no response.
fn get(url: &str, headers: &[(&str, &str)]) -> Result<(HeaderMap, ProbeAnswer), String> {
    let mut builder = http::Request::builder().uri(url).header("User-Agent", USER_AGENT);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let request = builder.body(()).map_err(|error| error.to_string())?;
    let response = agent(url, TIMEOUT, TIMEOUT).run(request).map_err(|error| error.to_string())?;
    let (parts, mut body) = response.into_parts();
    let body = body.with_config().limit(BODY_BYTES_MAX).read_to_vec().unwrap_or_default();
    let answer = answer(parts.status.as_u16(), &parts.headers, &json_of(&body));
    Ok((parts.headers, answer))
}

fn answer(status: u16, headers: &HeaderMap, body: &Value) -> ProbeAnswer {
    let all = |name: &str| {
        let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.collect::<Vec<_>>().join(", ")
    };
    ProbeAnswer {
        status,
        challenges: all("WWW-Authenticate"),
        content_type: all("Content-Type"),
        cache_control: all("Cache-Control"),
        has_age: headers.contains_key("Age"),
        date: date(&all("Date")),
        location: all("Location"),
        code: text(body, "code"),
        detail: text(body, "detail"),
    }
}

/// The time of a `Date` header (RFC 9110, 5.6.7).
fn date(text: &str) -> Option<Moment> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let timestamp = parser.parse_timestamp(text).ok()?;
    Some(Moment::from_milliseconds(timestamp.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_responses_are_read() {
        let read = date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(read.to_string(), "1994-11-06T08:49:37.000Z");
        assert_eq!(date("yesterday"), None);
    }

    #[test]
    fn only_https_on_the_standard_port_has_a_plain_url() {
        for (url, plain) in [
            ("https://keys.example.com", Some("http://keys.example.com/")),
            ("https://[2001:db8::1]", Some("http://[2001:db8::1]/")),
            ("https://keys.example.com/below/", Some("http://keys.example.com/below/")),
            ("https://[2001:db8::1]:8443", None),
            ("https://keys.example.com:8443", None),
            ("http://localhost", None),
        ] {
            assert_eq!(plain_url(&url.parse().unwrap()).as_deref(), plain, "{url}");
        }
    }
}
