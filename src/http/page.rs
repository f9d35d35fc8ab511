//! The page: static files, embedded, under a content security policy without exceptions.
//!
//! So far it is the forms behind one-time links: of the first start, of an invitation, of a reset.

use rouille::{Response, ResponseBody};

use crate::http::problem::Problem;
use crate::http::{App, Call};

/// Nothing but our own files, no inline code or style, no frames, no other host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

const SETUP: &str = include_str!("../../web/setup.html");
const INVITATION: &str = include_str!("../../web/invitation.html");
const RESET: &str = include_str!("../../web/reset.html");
const HTML: &str = "text/html; charset=utf-8";
/// Name, content type, text.
const ASSETS: [(&str, &str, &str); 2] = [
    ("link.js", "text/javascript; charset=utf-8", include_str!("../../web/link.js")),
    ("style.css", "text/css; charset=utf-8", include_str!("../../web/style.css")),
];

/// The form of the first start; gone once that is over.
pub(super) fn setup(app: &App, _call: &Call<'_>) -> Result<Response, Problem> {
    if app.actions.is_founded()? {
        return Err(Problem::not_found());
    }
    Ok(file(HTML, SETUP))
}

/// The form of an invitation. Whether the link is good only its token tells, which comes later.
#[expect(clippy::unnecessary_wraps, reason = "a handler of the table")]
pub(super) fn invitation(_app: &App, _call: &Call<'_>) -> Result<Response, Problem> {
    Ok(file(HTML, INVITATION))
}

/// The form of a reset.
#[expect(clippy::unnecessary_wraps, reason = "a handler of the table")]
pub(super) fn reset(_app: &App, _call: &Call<'_>) -> Result<Response, Problem> {
    Ok(file(HTML, RESET))
}

pub(super) fn asset(_app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let found = ASSETS.iter().find(|(name, ..)| *name == call.param(0));
    found.map(|(_, content_type, text)| file(content_type, text)).ok_or_else(Problem::not_found)
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers = vec![
        ("Content-Type".into(), content_type.into()),
        ("Content-Security-Policy".into(), POLICY.into()),
        ("Cache-Control".into(), "no-cache".into()),
    ];
    Response { status_code: 200, headers, data: ResponseBody::from_data(text), upgrade: None }
}
