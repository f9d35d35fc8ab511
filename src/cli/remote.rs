//! Sends a request to a remote server over the network.

use std::io;
use std::time::Duration;

use serde_json::Value;

use crate::backup::STREAM_TIME_MAX;
use crate::cli::api_request::{ApiRequest, USER_AGENT, tag};
use crate::cli::exit::{Exit, Failure};
use crate::model::secret::Secret;

/// Timeout of a download, which ends a backup after [`STREAM_TIME_MAX`].
const DOWNLOAD_TIMEOUT: Duration = STREAM_TIME_MAX.saturating_add(Duration::from_mins(1));
/// Timeout of a request to a remote server; of a download until its first byte.
const REMOTE_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn send_to_remote(
    url: &str,
    key: &Secret,
    request: &ApiRequest<'_>,
    sink: Option<&mut dyn io::Write>,
) -> Result<(u16, Vec<u8>), Failure> {
    let whole = if sink.is_some() { DOWNLOAD_TIMEOUT } else { REMOTE_TIMEOUT };
    let agent = agent(url, whole, REMOTE_TIMEOUT);
    let unreachable = |error: ureq::Error| {
        // The text of an I/O error of ureq begins with `io: `.
        let cause = error.to_string();
        let cause = cause.strip_prefix("io: ").unwrap_or(&cause);
        let advice = "check KEYHOUSE_URL, and that the server runs";
        Failure::new(Exit::Unreachable, format!("could not reach {url}: {cause}: {advice}"))
    };
    let bearer = zeroize::Zeroizing::new(format!("Bearer {}", key.reveal()));
    let authorization = http::HeaderValue::from_str(&bearer)
        .map_err(|_source| Failure::new(Exit::Usage, "KEYHOUSE_KEY is not a valid key"))?;
    let builder = match request.version {
        Some(version) => http::Request::builder().header("If-Match", tag(version)),
        None => http::Request::builder(),
    };
    let request = builder
        .method(request.method)
        .uri(format!("{url}{}", request.target))
        .header("Authorization", authorization)
        .header("User-Agent", USER_AGENT)
        .header("Content-Type", "application/json")
        .body(request.body.as_ref().map(Value::to_string).unwrap_or_default())
        .map_err(|error| Failure::new(Exit::Usage, format!("KEYHOUSE_URL: {error}")))?;
    let mut response = agent.run(request).map_err(unreachable)?;
    let status = response.status().as_u16();
    match sink {
        Some(sink) if status == 200 => {
            // Unlike `read_to_vec`, a reader has no limit of 10 MiB.
            io::copy(&mut response.body_mut().as_reader(), sink)
                .map_err(|error| unreachable(error.into()))?;
            Ok((status, Vec::new()))
        },
        Some(_) | None => Ok((status, response.body_mut().read_to_vec().map_err(unreachable)?)),
    }
}

/// A client for requests to a URL, with the certificates of the system. `whole` is the longest time of
/// an exchange, `step` that of its connection and of its wait for the first byte.
pub(super) fn agent(url: &str, whole: Duration, step: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(whole))
        .timeout_connect(Some(step))
        .timeout_recv_response(Some(step))
        .http_status_as_error(false)
        // A redirect could send the key to another host. Without encryption, an HTTP proxy from the
        // environment could read the key.
        .max_redirects(0)
        .proxy(url.starts_with("https:").then(ureq::Proxy::try_from_env).flatten())
        .tls_config(
            ureq::tls::TlsConfig::builder()
                .root_certs(ureq::tls::RootCerts::PlatformVerifier)
                .build(),
        )
        .build()
        .into()
}
