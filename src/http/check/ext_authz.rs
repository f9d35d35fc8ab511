//! `/v1/ext-authz/{gate}/...`: Envoy's `ext_authz` over HTTP, which repeats the client's request below a
//! prefix.
//!
//! The endpoint reads only its own request line, `Host`, the last entry of `X-Forwarded-For` and
//! the credential.

use rouille::Response;

use crate::http::{App, CheckCall, forwarded};

pub(in crate::http) fn answer(app: &App, call: &CheckCall<'_>) -> Response {
    let parts = call.arrival.parts;
    let line = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let target = call.params.after(0, line).unwrap_or_default();
    app.answer_proxy(call, forwarded::read_repeated(parts, target))
}
