//! `GET /v1/instance/probes/{probe}`: watches a probe, and shows what arrived of it.

use std::net::IpAddr;

use http::header::HOST;
use http::{HeaderMap, HeaderValue};
use rouille::Response;

use crate::actions::ActionError;
use crate::http::client::{Hops, printable_host};
use crate::http::endpoint::{Endpoint, get};
use crate::http::forwarded::FORWARDED_FOR;
use crate::http::probes::{ArrivedProbe, HEADER, PATH, ProbeId};
use crate::http::problem::Problem;
use crate::http::schema::{each, nullable, text, truth};
use crate::http::transport::{Arrival, Peer};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::role::INSTANCE_MANAGE;

/// Beginning of the names of identity headers.
const IDENTITY: &str = "x-keyhouse-";
/// Maximum number of entries of `X-Forwarded-For`, and of identity headers, that are kept.
const ENTRIES_MAX: usize = 32;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    let endpoint = get(PATH, show)
        .named("showProbe", "Show what arrived of a probe")
        .details(
            "`keyhouse doctor` uses it to test the proxies before this server. The first call with \
             a new random id starts to watch it for a minute. Then the same request without a \
             credential is the probe: it returns 401 like every other, and the next call with a \
             credential shows what arrived. A request to a gate that is denied is a probe too, if \
             it has the id in `X-Keyhouse-Probe`. At most 16 probes are watched at once.",
        )
        .needs(&[INSTANCE_MANAGE])
        .answers::<ProbeView>(200, "The probe.")
        .fails(&[errors::NOT_FOUND]);
    vec![endpoint]
}

view! {
    ProbeView {
        /// First arrival of the probe. Null: none yet.
        arrived: Option<ArrivedProbeView>,
    }
}

view! {
    ArrivedProbeView {
        /// Host header. Null if it was missing.
        host: Option<String> => nullable(text("keys.example.com").into()),
        /// Address of the proxy that sent the request. Null for a Unix socket.
        peer: Option<IpAddr> => nullable(text("10.0.0.7").into()),
        /// Whether the forwarded headers of the proxy are read.
        trusted: bool => truth(true),
        /// Address that the server takes for the client's. Null if it is unknown.
        client: Option<IpAddr> => nullable(text("192.0.2.7").into()),
        /// Last entries of `X-Forwarded-For`, at most 32.
        forwarded_for: Vec<String> => each(text("192.0.2.7")),
        /// Names of the headers `X-Keyhouse-*`, in lower case, at most 32.
        identity_headers: Vec<String> => each(text("x-keyhouse-user")),
    }
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    call.actor()?.require(INSTANCE_MANAGE)?;
    let id = ProbeId::parse(call.param(0)).ok_or(ActionError::NotFound("probe"))?;
    let arrived = app.probes.watch(id, app.actions.clock().now().ticks);
    Ok(answer::json(&ProbeView { arrived: arrived.map(arrived_view) }))
}

fn arrived_view(arrived: ArrivedProbe) -> ArrivedProbeView {
    let ArrivedProbe { host, peer, is_trusted, client, forwarded_for, identity_headers } = arrived;
    ArrivedProbeView { host, peer, trusted: is_trusted, client, forwarded_for, identity_headers }
}

impl App {
    /// Keeps what arrived of a probe whose id is in the path.
    pub(in crate::http) fn note_probe(&self, arrival: &Arrival<'_>, id: Option<&str>) {
        let Some(id) = id.and_then(ProbeId::parse) else { return };
        let ticks = self.actions.clock().now().ticks;
        self.probes.note(id, ticks, || self.arrived(arrival));
    }

    /// Keeps what arrived of a probe of a gate, which has its id in a header.
    pub(in crate::http) fn note_gate_probe(&self, arrival: &Arrival<'_>) {
        let id = arrival.parts.headers.get(HEADER).map(HeaderValue::to_str);
        self.note_probe(arrival, id.and_then(Result::ok));
    }

    fn arrived(&self, arrival: &Arrival<'_>) -> ArrivedProbe {
        let headers = &arrival.parts.headers;
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let peer = match arrival.peer {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix => None,
        };
        ArrivedProbe {
            host: host.map(|host| printable_host(host).to_owned()),
            peer,
            is_trusted: self.is_trusted(arrival.peer),
            client: self.locate(&Hops::of_arrival(arrival)).address,
            forwarded_for: forwarded_for(headers),
            identity_headers: identity_headers(headers),
        }
    }
}

/// The last entries of `X-Forwarded-For`, in their order.
fn forwarded_for(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(FORWARDED_FOR).iter();
    let texts = lines.map(|line| line.to_str().unwrap_or("?"));
    let entries: Vec<&str> = texts.flat_map(|line| line.split(',')).map(str::trim).collect();
    let skipped = entries.len().saturating_sub(ENTRIES_MAX);
    entries.into_iter().skip(skipped).map(|entry| printable_host(entry).to_owned()).collect()
}

fn identity_headers(headers: &HeaderMap) -> Vec<String> {
    let names = headers.keys().map(http::HeaderName::as_str);
    let names = names.filter(|name| name.starts_with(IDENTITY) && *name != HEADER);
    names.take(ENTRIES_MAX).map(|name| printable_host(name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_the_last_ones_and_identity_headers_are_names() {
        let mut headers = HeaderMap::new();
        let many: Vec<String> = (0..40).map(|number| format!("192.0.2.{number}")).collect();
        headers.append(FORWARDED_FOR, many.join(", ").parse().unwrap());
        headers.append(FORWARDED_FOR, "198.51.100.1".parse().unwrap());
        headers.append(HEADER, "id".parse().unwrap());
        headers.append("x-keyhouse-user", "usr_1".parse().unwrap());
        let entries = forwarded_for(&headers);
        assert_eq!((entries.len(), &*entries[31]), (ENTRIES_MAX, "198.51.100.1"));
        assert_eq!(identity_headers(&headers), ["x-keyhouse-user"]);
    }
}
