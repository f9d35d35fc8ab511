//! `/v1/ext-authz/{gate}/...`: Envoy's `ext_authz` over HTTP, which repeats the client's request below a
//! prefix.
//!
//! The endpoint reads only its own request line, `Host`, the last entry of `X-Forwarded-For` and
//! the credential.

use crate::http::check::admit::{forwarded_for, passing};
use crate::http::endpoint::{Endpoint, check};
use crate::http::transport::PreparedResponse;
use crate::http::{App, CheckCall, forwarded};

pub(super) fn endpoint() -> Endpoint {
    let endpoint = check("/v1/ext-authz/{gate}/{path}", answer)
        .named("extAuthz", "Authorize a request (Envoy)")
        .details(
            "Called by a proxy whose address is in `trusted_proxies`, with any method. The \
             request repeats the method, `Host`, path and credential of the client's \
             request, with this prefix before the path. The client's address is the last \
             entry of `X-Forwarded-For`.",
        )
        .header(forwarded_for());
    passing(endpoint)
}

fn answer(app: &App, call: &CheckCall<'_>) -> PreparedResponse {
    let parts = call.arrival.parts;
    let line = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let target = call.params.after(0, line).unwrap_or_default();
    app.answer_proxy(call, forwarded::read_repeated(parts, target))
}
