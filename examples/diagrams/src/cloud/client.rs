//! Requests to a cloud: with limits of time and bytes, and repeated if the cloud does not serve them now.

use std::cell::Cell;
use std::fmt::Display;
use std::io::Read as _;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;
use ureq::http::{HeaderMap, Request};
use ureq::tls::{RootCerts, TlsConfig};

use super::settings::CloudTimes;
use super::{ATTEMPTS_MAX, RESPONSE_BYTES_MAX, SCAN_BYTES_MAX, ScanError};

const USER_AGENT: &str = concat!("keyhouse-diagrams/", env!("CARGO_PKG_VERSION"));
/// The longest pause that a cloud may request.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The requests of one scan.
pub(super) struct Client {
    agent: ureq::Agent,
    times: CloudTimes,
    /// When the scan ends at the latest.
    deadline: Instant,
    bytes_left: Cell<u64>,
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Client {
    /// `is_encrypted` is whether all servers use TLS: other requests never go through a proxy.
    pub(super) fn of(times: CloudTimes, is_encrypted: bool) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(times.connect))
            .http_status_as_error(false)
            // A redirect could send credentials to another host.
            .max_redirects(0)
            .proxy(is_encrypted.then(ureq::Proxy::try_from_env).flatten())
            .user_agent(USER_AGENT)
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build()
            .into();
        let deadline = Instant::now() + times.scan;
        Self { agent, times, deadline, bytes_left: Cell::new(SCAN_BYTES_MAX) }
    }

    /// Sends the request that `make` gives, which is called for each attempt. Returns the first response that is not
    /// [`Reply::is_temporary`]. `is_throttled` knows further responses of this kind.
    pub(super) fn ask(
        &self,
        action: &dyn Display,
        is_throttled: impl Fn(&Reply) -> bool,
        make: impl Fn() -> Result<Request<Vec<u8>>, ScanError>,
    ) -> Result<Reply, ScanError> {
        let mut pause = self.times.pause;
        for _ in 1..ATTEMPTS_MAX {
            let reply = self.send(action, make()?)?;
            if !(reply.is_temporary() || is_throttled(&reply)) {
                return Ok(reply);
            }
            let wanted =
                reply.retry_after().map_or(pause, |wanted| wanted.max(pause).min(PAUSE_MAX));
            if wanted > self.time_left() {
                return Err(ScanError::Throttled { action: action.to_string() });
            }
            // An early end of the pause does no harm.
            thread::park_timeout(wanted);
            pause = pause.saturating_mul(2);
        }
        let reply = self.send(action, make()?)?;
        if reply.is_throttled() || is_throttled(&reply) {
            return Err(ScanError::Throttled { action: action.to_string() });
        }
        Ok(reply)
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn send(&self, action: &dyn Display, request: Request<Vec<u8>>) -> Result<Reply, ScanError> {
        let left = self.time_left();
        if left.is_zero() {
            return Err(ScanError::Slow { action: action.to_string() });
        }
        let failed = |error| failure(action, &error);
        let time = self.times.call.min(left);
        let (parts, body) = request.into_parts();
        let response = if body.is_empty() && parts.method == ureq::http::Method::GET {
            let request = self.agent.configure_request(Request::from_parts(parts, ()));
            self.agent.run(request.timeout_global(Some(time)).build())
        } else {
            let request = self.agent.configure_request(Request::from_parts(parts, body));
            self.agent.run(request.timeout_global(Some(time)).build())
        };
        let (parts, body) = response.map_err(failed)?.into_parts();
        let mut bytes = Vec::new();
        let mut reader = body.into_reader().take(RESPONSE_BYTES_MAX + 1);
        reader.read_to_end(&mut bytes).map_err(|error| failed(error.into()))?;
        let length = bytes.len() as u64;
        if length > RESPONSE_BYTES_MAX {
            let action = action.to_string();
            return Err(ScanError::TooLarge { action, maximum: RESPONSE_BYTES_MAX });
        }
        let Some(bytes_left) = self.bytes_left.get().checked_sub(length) else {
            return Err(ScanError::TooLargeTogether { maximum: SCAN_BYTES_MAX });
        };
        self.bytes_left.set(bytes_left);
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body: bytes })
    }
}

impl Reply {
    fn is_throttled(&self) -> bool {
        matches!(self.status, 429 | 503)
    }

    /// The same request may succeed later.
    fn is_temporary(&self) -> bool {
        self.is_throttled() || matches!(self.status, 500 | 502 | 504)
    }

    /// The header `Retry-After`, in seconds (RFC 9110, section 10.2.3).
    fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get("retry-after")?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

fn failure(action: &dyn Display, error: &ureq::Error) -> ScanError {
    let action = action.to_string();
    if matches!(error, ureq::Error::Timeout(_)) {
        return ScanError::Slow { action };
    }
    if matches!(error, ureq::Error::HostNotFound) {
        return ScanError::HostNotFound { action };
    }
    // The text of an I/O error of ureq begins with `io: `.
    let cause = error.to_string();
    let cause = cause.strip_prefix("io: ").unwrap_or(&cause).to_owned();
    ScanError::NotReached { action, cause }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}
