//! Resource Graph, the search over all resources of a subscription.

use form_urlencoded::Serializer;
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::http::Request;

use super::{Application, ROWS, Row};
use crate::cloud::client::{Client, Reply};
use crate::cloud::settings::CloudSettings;
use crate::cloud::{PAGES_MAX, ScanError, plain};

const SCOPE: &str = "https://management.azure.com/.default";
const PATH: &str = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01";
const TOKEN: &str = "the request for a token of Azure";
const QUERY: &str = "Microsoft.ResourceGraph/resources/read";
/// The number of resources of a page. The server allows 1000, whose responses could be too large.
const PAGE_ROWS: usize = 500;
/// Longer error codes are cut.
const CODE_CHARS_MAX: usize = 64;

#[derive(Deserialize)]
struct TokenBody {
    access_token: String,
}

#[derive(Deserialize)]
struct PageBody {
    data: Vec<Row>,
    #[serde(rename = "$skipToken")]
    next: Option<String>,
    #[serde(rename = "resultTruncated")]
    truncated: Option<String>,
}

/// Reads the resources of a subscription in a region, which has the form of a region.
pub(super) fn rows(
    application: &Application<'_>,
    subscription: &str,
    region: &str,
    settings: &CloudSettings,
) -> Result<Vec<Row>, ScanError> {
    let servers = [&settings.azure_login, &settings.azure_endpoint];
    let client = Client::of(settings.times, servers.iter().all(|server| server.is_encrypted()));
    let token = token(&client, application, settings)?;
    let url = format!("{}{PATH}", settings.azure_endpoint.as_str());
    // Properties of other types are not read. Those of dashboards, which users fill freely, would take
    // much memory.
    let query = format!(
        "Resources | where location =~ '{region}' \
         | project id, name, type, location, subscriptionId, tags, \
         properties = iff(type startswith 'microsoft.compute/' or type startswith 'microsoft.network/', \
         properties, dynamic(null)) | order by id asc"
    );
    let mut options = json!({"resultFormat": "objectArray", "$top": PAGE_ROWS});
    let mut rows = Vec::new();
    for _ in 0..PAGES_MAX {
        let body = json!({"subscriptions": [subscription], "query": query, "options": options});
        let reply = ask(&client, QUERY, |request| {
            let request = request.uri(&url).header("authorization", format!("Bearer {token}"));
            request.header("content-type", "application/json").body(body.to_string().into_bytes())
        })?;
        let page: PageBody = match reply.status {
            200 => {
                serde_json::from_slice(&reply.body).map_err(|error| unreadable(QUERY, &error))?
            },
            401 | 403 => {
                return Err(ScanError::Refused { action: QUERY.to_owned(), code: code(&reply) });
            },
            status => {
                let code = code(&reply);
                return Err(ScanError::Failed { action: QUERY.to_owned(), status, code });
            },
        };
        for row in page.data {
            ROWS.push(&mut rows, row)?;
        }
        let Some(next) = page.next.filter(|next| !next.is_empty()) else {
            if page.truncated.as_deref() == Some("true") {
                return Err(unreadable(QUERY, &"the list has an end without a next page"));
            }
            return Ok(rows);
        };
        if let Some(options) = options.as_object_mut() {
            options.insert("$skipToken".to_owned(), json!(next));
        }
    }
    Err(ScanError::TooManyPages { action: QUERY.to_owned(), maximum: PAGES_MAX })
}

/// A token for the application (RFC 6749, section 4.4).
fn token(
    client: &Client,
    application: &Application<'_>,
    settings: &CloudSettings,
) -> Result<String, ScanError> {
    let Application { id, directory, secret } = *application;
    let secret = secret.ok_or(ScanError::NoSecret)?;
    let form = Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", id)
        .append_pair("client_secret", secret)
        .append_pair("scope", SCOPE)
        .finish();
    let url = format!("{}/{directory}/oauth2/v2.0/token", settings.azure_login.as_str());
    let reply = ask(client, TOKEN, |request| {
        let request = request.uri(&url).header("content-type", "application/x-www-form-urlencoded");
        request.body(form.clone().into_bytes())
    })?;
    match reply.status {
        // An error of the parser could show a part of the token.
        200 => serde_json::from_slice(&reply.body)
            .map(|body: TokenBody| body.access_token)
            .ok()
            .filter(|token| !token.is_empty() && token.bytes().all(|it| it.is_ascii_graphic()))
            .ok_or_else(|| unreadable(TOKEN, &"no token")),
        400 | 401 | 403 => Err(ScanError::SecretRefused { code: code(&reply) }),
        status => Err(ScanError::Failed { action: TOKEN.to_owned(), status, code: code(&reply) }),
    }
}

fn ask(
    client: &Client,
    action: &'static str,
    make: impl Fn(ureq::http::request::Builder) -> Result<Request<Vec<u8>>, ureq::http::Error>,
) -> Result<Reply, ScanError> {
    client.ask(
        &action,
        |_| false,
        || {
            make(Request::builder().method("POST")).map_err(|error| ScanError::NotReached {
                action: action.to_owned(),
                cause: error.to_string(),
            })
        },
    )
}

fn unreadable(action: &str, detail: &dyn std::fmt::Display) -> ScanError {
    ScanError::Unreadable { action: action.to_owned(), detail: detail.to_string() }
}

/// The code of an error: `error` of a token server (RFC 6749, section 5.2), or `error.code`.
fn code(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let found = body.pointer("/error/code").or_else(|| body.get("error")).and_then(Value::as_str);
    let is_letter = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_');
    let code = plain(found.unwrap_or_default());
    let code: String = code.chars().filter(is_letter).take(CODE_CHARS_MAX).collect();
    if code.is_empty() { "no code".to_owned() } else { code }
}
