//! What an operator sets for scans: servers, credentials and times.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ureq::http::Uri;

/// Where the clouds are reached, and with which credentials of this service.
#[derive(Debug, Clone)]
pub struct CloudSettings {
    /// The credentials with which the service assumes the roles of accounts.
    pub aws_credentials: Option<AwsCredentials>,
    /// One server for all services of AWS; `None` for the servers of AWS.
    pub aws_endpoint: Option<Endpoint>,
    /// The server that issues tokens of Azure.
    pub azure_login: Endpoint,
    /// The server with the resources of Azure.
    pub azure_endpoint: Endpoint,
    /// A file with resources of Azure, which is read in place of any server.
    pub azure_export: Option<PathBuf>,
    pub times: CloudTimes,
}

/// The longest times of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloudTimes {
    /// From the name of a host to a connection.
    pub connect: Duration,
    /// Of one request, until the end of its response.
    pub call: Duration,
    /// Of all requests of a scan.
    pub scan: Duration,
    /// The pause before a request is repeated for the first time. It doubles each time.
    pub pause: Duration,
}

/// Credentials for AWS.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsCredentials {
    pub(super) key_id: String,
    pub(super) secret: String,
    /// Temporary credentials have a token.
    pub(super) token: Option<String>,
}

/// The address of a server, such as `https://example.com:8443`: without a path, and without encryption only on this
/// machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// A text is no [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("must be https://HOST or https://HOST:PORT, without a path")]
    Form,
    #[error(
        "must begin with https://, because secrets are sent to it; http:// is for 127.0.0.1, [::1] and localhost"
    )]
    Plain,
}

impl Default for CloudSettings {
    fn default() -> Self {
        Self {
            aws_credentials: None,
            aws_endpoint: None,
            azure_login: Endpoint("https://login.microsoftonline.com".to_owned()),
            azure_endpoint: Endpoint("https://management.azure.com".to_owned()),
            azure_export: None,
            times: CloudTimes {
                connect: Duration::from_secs(10),
                call: Duration::from_secs(30),
                scan: Duration::from_secs(90),
                pause: Duration::from_millis(500),
            },
        }
    }
}

impl AwsCredentials {
    /// `None` if a part cannot be sent: not ASCII, empty, or with spaces.
    pub fn of(key_id: String, secret: String, token: Option<String>) -> Option<Self> {
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_graphic());
        let all = [Some(key_id.as_str()), Some(secret.as_str()), token.as_deref()];
        let is_fine = all.into_iter().flatten().all(is_word);
        is_fine.then_some(Self { key_id, secret, token })
    }
}

impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCredentials").finish_non_exhaustive()
    }
}

impl Endpoint {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let uri: Uri = text.parse().map_err(|_source| EndpointError::Form)?;
        let (scheme, host) = uri.scheme_str().zip(uri.host()).ok_or(EndpointError::Form)?;
        // A URI without a path is shown with one.
        let is_bare = uri.authority().is_some_and(|it| text == format!("{scheme}://{it}"));
        if !is_bare || text.contains('@') || host.is_empty() {
            return Err(EndpointError::Form);
        }
        match (scheme, host) {
            ("https", _) | ("http", "127.0.0.1" | "[::1]" | "localhost") => {
                Ok(Self(text.to_owned()))
            },
            ("http", _) => Err(EndpointError::Plain),
            _ => Err(EndpointError::Form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_server_that_may_receive_secrets() {
        for (text, endpoint) in [
            ("https://example.com", Ok("https://example.com")),
            ("https://example.com:8443/", Ok("https://example.com:8443")),
            ("http://127.0.0.1:5000", Ok("http://127.0.0.1:5000")),
            ("http://[::1]:5000", Ok("http://[::1]:5000")),
            ("http://localhost", Ok("http://localhost")),
            ("http://example.com", Err(EndpointError::Plain)),
            ("http://127.0.0.1.example.com", Err(EndpointError::Plain)),
            ("http://127.0.0.1@example.com", Err(EndpointError::Form)),
            ("https://user@example.com", Err(EndpointError::Form)),
            ("https://example.com/path", Err(EndpointError::Form)),
            ("https://example.com?query", Err(EndpointError::Form)),
            ("ftp://example.com", Err(EndpointError::Form)),
            ("example.com", Err(EndpointError::Form)),
            ("https://", Err(EndpointError::Form)),
            ("", Err(EndpointError::Form)),
        ] {
            let parsed: Result<Endpoint, EndpointError> = text.parse();
            assert_eq!(
                parsed.as_ref().map(Endpoint::as_str),
                endpoint.as_ref().map(|it| *it),
                "{text}"
            );
        }
    }

    #[test]
    fn credentials_are_words_and_are_not_shown() {
        let of = |id: &str, secret: &str, token: Option<&str>| {
            AwsCredentials::of(id.to_owned(), secret.to_owned(), token.map(str::to_owned))
        };
        assert_eq!(of("", "secret", None), None);
        assert_eq!(of("id", "two words", None), None);
        assert_eq!(of("id", "secret", Some("line\n")), None);
        let credentials = of("AKIDEXAMPLE", "secret-value", Some("token-value"));
        let settings = CloudSettings { aws_credentials: credentials, ..CloudSettings::default() };
        let shown = format!("{settings:?}");
        assert!(shown.contains("AwsCredentials { .. }"), "{shown}");
        for part in ["AKIDEXAMPLE", "secret-value", "token-value"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }
}
