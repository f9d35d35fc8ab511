//! `/v1/ext-authz/{gate}/...`: Envoy's `ext_authz` over HTTP, which repeats the client's request below a
//! prefix.
//!
//! The endpoint reads only its own request line, `Host`, the last entry of `X-Forwarded-For` and
//! the credential.

use rouille::Response;

use crate::http::check::EXT_AUTHZ;
use crate::http::transport::Arrival;
use crate::http::{App, forwarded};

pub(in crate::http) fn answer(
    app: &App,
    arrival: &Arrival<'_>,
    params: &[&str],
    _body: &[u8],
) -> Response {
    let line = arrival.parts.uri.path_and_query().map_or("", |target| target.as_str());
    let below = line.strip_prefix(EXT_AUTHZ).unwrap_or_default();
    let target = below.find('/').and_then(|at| below.get(at..)).unwrap_or_default();
    app.answer_proxy(arrival, params, forwarded::read_repeated(arrival.parts, target))
}
