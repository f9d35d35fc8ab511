//! Calls of AWS with the credentials of a role: signed, in pages, and with errors by name.

use std::fmt;

use form_urlencoded::Serializer;
use jiff::Timestamp;
use roxmltree::Node;
use serde_json::Value;
use ureq::http::Request;

use super::partition::Partition;
use super::signature::Signed;
use super::xml;
use crate::cloud::client::{Client, Reply};
use crate::cloud::settings::{AwsCredentials, CloudSettings, Endpoint};
use crate::cloud::{PAGES_MAX, ScanError, plain};

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// Longer error codes are cut.
const CODE_CHARS_MAX: usize = 64;
/// The shortest time of temporary credentials that AWS allows, in seconds.
const ROLE_SECONDS: &str = "900";
/// The name under which AWS logs the requests of a scan.
const SESSION_NAME: &str = "keyhouse-diagrams";
/// Error codes of requests that are refused for now. Their status is 400.
const THROTTLED: [&str; 6] = [
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "TooManyRequestsException",
    "SlowDown",
];
/// Error codes for credentials that AWS does not know, or not any more.
const CREDENTIALS: [&str; 5] = [
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "ExpiredToken",
    "IncompleteSignature",
];

/// An action, as policies name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Action {
    /// The name of the service in host names and signatures.
    pub(super) service: &'static str,
    pub(super) name: &'static str,
}

/// An action of a service that reads forms and answers XML.
#[derive(Debug, Clone, Copy)]
pub(super) struct FormAction {
    pub(super) action: Action,
    pub(super) version: &'static str,
    /// The parameter with the size of pages, and its largest value; `None` for an action without pages.
    pub(super) page_size: Option<(&'static str, &'static str)>,
    /// The parameter with the place of the next page.
    pub(super) next: &'static str,
    /// The path of that place in the response.
    pub(super) next_path: &'static str,
}

/// Credentials of a role, and where its account is read.
pub(super) struct Session<'a> {
    client: Client,
    settings: &'a CloudSettings,
    partition: Partition,
    pub(super) region: &'a str,
    credentials: AwsCredentials,
}

/// A request before its signature.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Vec<(&'static str, String)>,
    /// A request with a body is a POST, another one a GET.
    pub(super) body: Vec<u8>,
}

impl<'a> Session<'a> {
    /// Assumes a role with the credentials of this service.
    pub(super) fn assume(
        (role_arn, external_id): (&str, &str),
        partition: Partition,
        region: &'a str,
        settings: &'a CloudSettings,
    ) -> Result<Self, ScanError> {
        let own = settings.aws_credentials.clone().ok_or(ScanError::NoCredentials)?;
        let is_encrypted = settings.aws_endpoint.as_ref().is_none_or(Endpoint::is_encrypted);
        let client = Client::of(settings.times, is_encrypted);
        // Tokens of this region's server are valid in all regions.
        let region_of_tokens = partition.region_of_tokens();
        let tokens =
            Self { client, settings, partition, region: region_of_tokens, credentials: own };
        let action = Action { service: "sts", name: "AssumeRole" };
        let ask = Ask::form(
            &[("Action", action.name), ("Version", "2011-06-15")],
            &[
                ("RoleArn", role_arn),
                ("ExternalId", external_id),
                ("RoleSessionName", SESSION_NAME),
                ("DurationSeconds", ROLE_SECONDS),
            ],
        );
        let body = tokens.ask(action, &ask).map_err(of_role)?;
        let document = xml::parse(&body).map_err(|detail| action.unreadable(detail))?;
        let path = "AssumeRoleResult/Credentials";
        let member = |name| xml::exact_text(document.root_element(), &format!("{path}/{name}"));
        let credentials = AwsCredentials::of(
            member("AccessKeyId"),
            member("SecretAccessKey"),
            Some(member("SessionToken")),
        );
        let credentials = credentials.ok_or_else(|| action.unreadable("no credentials"))?;
        Ok(Self { region, credentials, ..tokens })
    }

    /// Reads all pages of an action. `each` gets the root of each response.
    pub(super) fn pages(
        &self,
        form: FormAction,
        more: &[(&str, &str)],
        mut each: impl FnMut(Node<'_, '_>) -> Result<(), ScanError>,
    ) -> Result<(), ScanError> {
        let action = form.action;
        let mut next = String::new();
        for _ in 0..PAGES_MAX {
            let mut first = vec![("Action", action.name), ("Version", form.version)];
            first.extend(form.page_size);
            if !next.is_empty() {
                first.push((form.next, &next));
            }
            let body = self.ask(action, &Ask::form(&first, more))?;
            let document = xml::parse(&body).map_err(|detail| action.unreadable(detail))?;
            each(document.root_element())?;
            next = xml::exact_text(document.root_element(), form.next_path);
            if next.is_empty() {
                return Ok(());
            }
        }
        Err(action.too_many_pages())
    }

    /// Sends a request to the service of an action. Returns the body of its success.
    pub(super) fn ask(&self, action: Action, ask: &Ask) -> Result<Vec<u8>, ScanError> {
        let host = match &self.settings.aws_endpoint {
            Some(endpoint) => endpoint.as_str().to_owned(),
            None => self.partition.server(action.service, self.region),
        };
        let url = format!("{host}{}", ask.target);
        let is_throttled = |reply: &Reply| THROTTLED.contains(&code(reply).as_str());
        let reply = self.client.ask(&action, is_throttled, || self.signed(action, &url, ask))?;
        if reply.status == 200 {
            return Ok(reply.body);
        }
        let (code, status) = (code(&reply), reply.status);
        let is_refused = matches!(status, 401 | 403) || CREDENTIALS.contains(&code.as_str());
        let action = action.to_string();
        Err(if is_refused || code == "UnauthorizedOperation" {
            ScanError::Refused { action, code }
        } else {
            ScanError::Failed { action, status, code }
        })
    }

    fn signed(&self, action: Action, url: &str, ask: &Ask) -> Result<Request<Vec<u8>>, ScanError> {
        let method = if ask.body.is_empty() { "GET" } else { "POST" };
        let signed = Signed {
            service: action.service,
            region: self.region,
            at: Timestamp::now().into(),
            method,
            url,
            headers: &ask.headers,
            body: &ask.body,
        };
        let not_sent = |cause: String| ScanError::NotReached { action: action.to_string(), cause };
        let added =
            signed.headers(&self.credentials).map_err(|error| not_sent(error.to_string()))?;
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        for (name, value) in added {
            request = request.header(name, value);
        }
        request.body(ask.body.clone()).map_err(|error| not_sent(error.to_string()))
    }
}

impl Ask {
    pub(super) fn form(first: &[(&str, &str)], more: &[(&str, &str)]) -> Self {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(first).extend_pairs(more);
        Self {
            target: "/".to_owned(),
            headers: vec![("content-type", FORM.to_owned())],
            body: form.finish().into_bytes(),
        }
    }

    pub(super) fn get(target: String) -> Self {
        Self { target, ..Self::default() }
    }
}

impl Action {
    pub(super) fn unreadable(self, detail: impl Into<String>) -> ScanError {
        ScanError::Unreadable { action: self.to_string(), detail: detail.into() }
    }

    pub(super) fn too_many_pages(self) -> ScanError {
        ScanError::TooManyPages { action: self.to_string(), maximum: PAGES_MAX }
    }

    pub(super) fn json(self, body: &[u8]) -> Result<Value, ScanError> {
        serde_json::from_slice(body).map_err(|error| self.unreadable(error.to_string()))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The service of tags has another name in policies.
        let service = if self.service == "tagging" { "tag" } else { self.service };
        write!(f, "{service}:{}", self.name)
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("region", &self.region).finish_non_exhaustive()
    }
}

/// What a refusal means when a role is assumed.
fn of_role(error: ScanError) -> ScanError {
    if let ScanError::Refused { code, .. } | ScanError::Failed { status: 400, code, .. } = error {
        if CREDENTIALS.contains(&code.as_str()) {
            return ScanError::CredentialsRefused { code };
        }
        return ScanError::RoleRefused { code };
    }
    error
}

/// A text of a JSON object; empty if there is none.
pub(super) fn text_of(body: &Value, name: &str) -> String {
    body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The code of an error, such as `AccessDenied`: in XML, in a header, or in JSON.
fn code(reply: &Reply) -> String {
    let header = reply.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let found = if reply.status == 200 {
        None
    } else if let Some(header) = header {
        Some(header.to_owned())
    } else if let Ok(document) = xml::parse(&reply.body) {
        let code = document.descendants().find(|node| node.tag_name().name() == "Code");
        code.and_then(|node| node.text()).map(str::to_owned)
    } else {
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        ["__type", "code"].iter().find_map(|name| Some(body.get(name)?.as_str()?.to_owned()))
    };
    let found = plain(&found.unwrap_or_default());
    // Such as `com.amazonaws.lambda#AccessDeniedException:http://...`.
    let found = found.split(':').next().unwrap_or_default();
    let found = found.rsplit('#').next().unwrap_or_default();
    let is_letter = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_');
    let code: String = found.chars().filter(is_letter).take(CODE_CHARS_MAX).collect();
    if code.is_empty() { "no code".to_owned() } else { code }
}
