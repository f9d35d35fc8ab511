//! Serves the page: static files, embedded and compressed at build time (`build.rs`).
//!
//! The content security policy has no exceptions. The page uses only the public API.

use rouille::{Response, ResponseBody};

use crate::http::answer::Header;
use crate::http::encoding::Encoding;
use crate::http::endpoint::{Endpoint, get};
use crate::http::problem::Problem;
use crate::http::route::ManageHandler;
use crate::http::schema::text;
use crate::http::{App, Call};
use crate::model::errors;

/// Allows only Keyhouse's own files: no inline code or style, no frames, no other host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";
/// The content security policy of scripts, styles and other files. It matters only if a browser opens the file
/// itself as a document, which may then load nothing. Files that the page loads are subject to the page's policy.
const FILE_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        form("/", index).named("showPage", "Show the page"),
        form("/setup", setup)
            .named("showSetupPage", "Show the setup form")
            .fails(&[errors::NOT_FOUND]),
        form("/invitation", index).named("showInvitationPage", "Show the form of an invitation"),
        form("/reset", index).named("showResetPage", "Show the form for a new password"),
        form("/docs", reference).named("showReferencePage", "Show the API reference"),
        file("/assets/{hash}/{file}", "showAsset"),
        file("/assets/{hash}/{folder}/{part}", "showAssetInFolder"),
    ]
}

fn form(path: &'static str, handler: ManageHandler) -> Endpoint {
    let content = vec![("text/html", text("<!doctype html>").into())];
    get(path, handler).open().answers_with(200, content, "The page.")
}

fn file(path: &'static str, id: &'static str) -> Endpoint {
    let kinds = ["text/css", "text/javascript", "application/json", "image/svg+xml"];
    let content = kinds.map(|kind| (kind, text("").into()));
    get(path, asset).open().named(id, "Show a file of the page").answers_with(
        200,
        content.into(),
        "The file.",
    )
}

/// A file of the page, plain and compressed.
#[derive(Debug)]
struct File {
    name: &'static str,
    content_type: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Returns the page. Its script selects the view by the URL.
#[expect(clippy::unnecessary_wraps, reason = "all handlers in the route table return a Result")]
fn index(_app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(entry(&INDEX, call))
}

/// Returns the API reference, which reads `/openapi.json`.
#[expect(clippy::unnecessary_wraps, reason = "all handlers in the route table return a Result")]
fn reference(_app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    Ok(entry(&REFERENCE, call))
}

/// Returns a document that names the files of its version.
fn entry(document: &File, call: &Call<'_>) -> Response {
    let tag = format!("\"{HASH}\"");
    if call.request.header("If-None-Match") == Some(&tag) {
        let headers =
            vec![("Cache-Control".into(), "no-cache".into()), ("ETag".into(), tag.into())];
        return Response { status_code: 304, headers, data: ResponseBody::empty(), upgrade: None };
    }
    document.answer(call, POLICY, "no-cache").with_additional_header("ETag", tag)
}

/// Returns the page for the setup form, or 404 once the setup is completed.
fn setup(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    if app.actions.is_founded()? {
        return Err(Problem::not_found());
    }
    index(app, call)
}

/// Returns a file of the page. The URL contains the hash of all files, so the file at a URL never
/// changes.
fn asset(_app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let below: Vec<&str> = (1..call.params.count()).map(|at| call.param(at)).collect();
    let name = below.join("/");
    let file = FILES.iter().find(|file| call.param(0) == HASH && file.name == name);
    let file = file.ok_or_else(Problem::not_found)?;
    Ok(file.answer(call, FILE_POLICY, "public, max-age=31536000, immutable"))
}

impl File {
    fn answer(&self, call: &Call<'_>, policy: &'static str, cache: &'static str) -> Response {
        let (encoding, body) = self.encoded(call.request.header("Accept-Encoding"));
        let mut headers: Vec<Header> = vec![
            ("Content-Type".into(), self.content_type.into()),
            ("Content-Security-Policy".into(), policy.into()),
            ("Cross-Origin-Opener-Policy".into(), "same-origin".into()),
            ("Cache-Control".into(), cache.into()),
            ("Vary".into(), "Accept-Encoding".into()),
        ];
        headers.extend(encoding.map(|name| ("Content-Encoding".into(), name.into())));
        Response { status_code: 200, headers, data: ResponseBody::from_data(body), upgrade: None }
    }

    /// The content in the smallest coding that the client accepts.
    fn encoded(&self, accepted: Option<&str>) -> (Option<&'static str>, &'static [u8]) {
        match Encoding::accepted(accepted) {
            Some(Encoding::Brotli) => (Some(Encoding::Brotli.name()), self.brotli),
            Some(Encoding::Gzip) => (Some(Encoding::Gzip.name()), self.gzip),
            None => (None, self.plain),
        }
    }
}
