//! The connection of a command to an instance.
//!
//! A command uses the control socket of the server on this host, opens the store itself if no
//! server runs, or calls a remote server with a key. The request handlers are the same in all three
//! cases.

use std::io::{self, Read as _, Write};
use std::time::Duration;

use rouille::Request;
use serde_json::Value;

use crate::backends;
use crate::cli::api_request::tag;
pub(super) use crate::cli::api_request::{ApiRequest, SendRequest, USER_AGENT, query, segment};
use crate::cli::exit::{Exit, Failure};
use crate::cli::instance::{app, close, open};
use crate::cli::remote::send_to_remote;
use crate::config::{ConfigError, ProcessEnvironment, Settings, Written};
use crate::http::transport::TrustedProxies;
use crate::http::transport::client::{download, send};
use crate::instance::{AssembleError, Instance};
use crate::model::public_url::PublicUrl;
use crate::model::secret::Secret;
use crate::worker::Halt;

/// Timeout of a request to the server on this host.
const HOST_TIMEOUT: Duration = Duration::from_secs(30);
/// Number of attempts to reach the instance while another process holds the store.
const TRIES: u32 = 60;
const TRY_WAIT: Duration = Duration::from_millis(50);

pub(super) enum Client {
    /// The instance on this host.
    Host(Box<Settings>),
    /// A server that the command calls over the network.
    Remote { url: String, key: Secret },
}

/// Why a download failed.
#[derive(Debug)]
pub(super) enum DownloadFailure {
    /// The sink did not accept the body.
    Sink(io::Error),
    Failed(Failure),
}

impl DownloadFailure {
    /// The failure of the command. `of_sink` describes an error of the sink.
    pub(super) fn describe(self, of_sink: impl FnOnce(&io::Error) -> Failure) -> Failure {
        match self {
            Self::Sink(error) => of_sink(&error),
            Self::Failed(failure) => failure,
        }
    }
}

/// The sink of a download. It keeps its error, which the exchange would report as its own.
struct DownloadSink<'a> {
    sink: &'a mut dyn Write,
    error: Option<io::Error>,
}

impl DownloadSink<'_> {
    fn kept(&mut self, outcome: io::Result<()>) -> io::Result<()> {
        outcome.map_err(|error| {
            self.error = Some(error);
            io::Error::other("the sink did not accept the body")
        })
    }
}

impl Write for DownloadSink<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.sink.write_all(buf);
        self.kept(written).map(|()| buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.sink.flush();
        self.kept(flushed)
    }
}

impl Client {
    /// Selects the instance: `KEYHOUSE_URL` if it is set, otherwise the instance on this host.
    pub(super) fn new(
        environment: &ProcessEnvironment,
        settings: impl FnOnce(Written) -> Result<Settings, ConfigError>,
    ) -> Result<Self, Failure> {
        let Some(url) = environment.get("KEYHOUSE_URL") else {
            return Ok(Self::Host(Box::new(settings(Written::default())?)));
        };
        let wrong = |message: String| Failure::new(Exit::Usage, message);
        let url: PublicUrl =
            url.parse().map_err(|error| wrong(format!("KEYHOUSE_URL: {error}")))?;
        let key = environment.get("KEYHOUSE_KEY").map(|key| Secret::new(key.to_owned()));
        let key = key.ok_or_else(|| {
            wrong("KEYHOUSE_URL needs KEYHOUSE_KEY: set KEYHOUSE_KEY to a key".to_owned())
        })?;
        if !url.is_https() && !url.is_loopback() {
            let message = "KEYHOUSE_URL: http would send the key unencrypted; use https";
            return Err(wrong(message.to_owned()));
        }
        Ok(Self::Remote { url: url.to_string(), key })
    }

    /// Whether requests are those of the local operator.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Host(_) => true,
            Self::Remote { .. } => false,
        }
    }

    /// Does work that sends many requests. If no server runs, the store stays open in between.
    pub(super) fn hold<T>(
        &self,
        work: impl FnOnce(&SendRequest<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Self::Host(settings) = self else { return work(&|request| self.answer(request)) };
        let Some(instance) = open_without_server(settings)? else {
            return work(&|request| self.answer(request));
        };
        let outcome = work(&|request| {
            let (status, body) = send_to_instance(&instance, settings, request, None)?;
            Ok((status, json_of(&body)))
        });
        let closed = close(instance);
        let value = outcome?;
        closed.map(|()| value)
    }

    pub(super) fn get(&self, target: impl Into<String>) -> Result<Value, Failure> {
        self.send(&ApiRequest { method: "GET", target: target.into(), body: None, version: None })
    }

    pub(super) fn post(&self, target: impl Into<String>, body: Value) -> Result<Value, Failure> {
        self.send(&ApiRequest {
            method: "POST",
            target: target.into(),
            body: Some(body),
            version: None,
        })
    }

    pub(super) fn patch(&self, target: impl Into<String>, body: Value) -> Result<Value, Failure> {
        self.send(&ApiRequest {
            method: "PATCH",
            target: target.into(),
            body: Some(body),
            version: None,
        })
    }

    pub(super) fn delete(&self, target: impl Into<String>) -> Result<Value, Failure> {
        self.send(&ApiRequest {
            method: "DELETE",
            target: target.into(),
            body: None,
            version: None,
        })
    }

    /// Sends a request and returns the JSON of a 2xx response.
    ///
    /// # Errors
    /// The failure that the response describes, or an unreachable instance.
    pub(super) fn send(&self, request: &ApiRequest<'_>) -> Result<Value, Failure> {
        let (status, value) = self.answer(request)?;
        if (200..300).contains(&status) {
            Ok(value)
        } else {
            Err(Failure::of_problem(status, &value))
        }
    }

    /// Writes the body of a GET to `sink` as it arrives.
    ///
    /// # Errors
    /// [`DownloadFailure::Sink`] if `sink` did not accept the body; otherwise the failure that the
    /// response describes, an unreachable instance, or a body that broke off.
    pub(super) fn download(
        &self,
        target: impl Into<String>,
        sink: &mut dyn Write,
    ) -> Result<(), DownloadFailure> {
        let request =
            ApiRequest { method: "GET", target: target.into(), body: None, version: None };
        let mut sink = DownloadSink { sink, error: None };
        let outcome = match self {
            Self::Host(settings) => send_to_host(settings, &request, Some(&mut sink)),
            Self::Remote { url, key } => send_to_remote(url, key, &request, Some(&mut sink)),
        };
        if let Some(error) = sink.error {
            return Err(DownloadFailure::Sink(error));
        }
        let (status, body) = outcome.map_err(DownloadFailure::Failed)?;
        if status == 200 {
            return Ok(());
        }
        Err(DownloadFailure::Failed(Failure::of_problem(status, &json_of(&body))))
    }

    /// Sends a request and returns the status and the JSON of any response.
    ///
    /// # Errors
    /// If the instance is unreachable.
    pub(super) fn answer(&self, request: &ApiRequest<'_>) -> Result<(u16, Value), Failure> {
        let (status, body) = match self {
            Self::Host(settings) => send_to_host(settings, request, None)?,
            Self::Remote { url, key } => send_to_remote(url, key, request, None)?,
        };
        Ok((status, json_of(&body)))
    }
}

pub(super) fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

/// Opens the instance of this host. `None` if a server runs, which then takes the requests.
fn open_without_server(settings: &Settings) -> Result<Option<Instance>, Failure> {
    let halt = Halt::default();
    let mut in_use = String::new();
    for _ in 0..TRIES {
        match std::os::unix::net::UnixStream::connect(&settings.control_socket) {
            Err(error) if has_no_listener(&error) => {},
            // Any other error is reported by the first request.
            Ok(_) | Err(_) => return Ok(None),
        }
        if !backends::exists(&settings.storage) {
            return Err(no_instance(settings));
        }
        match open(settings) {
            Ok(instance) => return Ok(Some(instance)),
            Err(AssembleError::InUse(cause)) => in_use = cause.to_string(),
            Err(error) => return Err(error.into()),
        }
        halt.pause(TRY_WAIT);
    }
    Err(unreachable_holder(&in_use))
}

fn no_instance(settings: &Settings) -> Failure {
    let message = format!(
        "no instance in {}: run keyhouse serve, or set another directory with --data",
        settings.data.display()
    );
    Failure::new(Exit::Unreachable, message)
}

fn unreachable_holder(in_use: &str) -> Failure {
    let message = format!("{in_use}, and its control socket does not answer");
    Failure::new(Exit::Unreachable, message)
}

/// Sends a request to the instance on this host. The body of a 200 goes to `sink` if there is one, and
/// is returned otherwise.
fn send_to_host(
    settings: &Settings,
    request: &ApiRequest<'_>,
    mut sink: Option<&mut dyn Write>,
) -> Result<(u16, Vec<u8>), Failure> {
    let halt = Halt::default();
    let (mut in_use, mut starting) = (String::new(), None);
    for _ in 0..TRIES {
        let sent = match &mut sink {
            Some(sink) => download(&settings.control_socket, http_request(request)?, sink),
            None => send(&settings.control_socket, http_request(request)?, HOST_TIMEOUT),
        };
        match sent {
            Ok((503, body)) if is_starting(&body) => {
                starting = Some((503, body));
                halt.pause(TRY_WAIT);
                continue;
            },
            Ok(answer) => return Ok(answer),
            Err(error) if has_no_listener(&error) => {},
            Err(error) => {
                let socket = settings.control_socket.display();
                let message = format!("lost the connection to the server at {socket}: {error}");
                return Err(Failure::new(Exit::Unreachable, message));
            },
        }
        if !backends::exists(&settings.storage) {
            return Err(no_instance(settings));
        }
        match open(settings) {
            Ok(instance) => {
                let answer = send_to_instance(&instance, settings, request, sink);
                close(instance)?;
                return answer;
            },
            // Another command holds the store, or a server that starts or stops. The command
            // retries, since the store will soon be free.
            Err(AssembleError::InUse(cause)) => in_use = cause.to_string(),
            Err(error) => return Err(error.into()),
        }
        halt.pause(TRY_WAIT);
    }
    starting.ok_or_else(|| unreachable_holder(&in_use))
}

/// Whether a 503 is that of a server that opens its store. Such a server has not run the request.
fn is_starting(body: &[u8]) -> bool {
    json_of(body).get("start").is_some()
}

/// Whether the socket is missing, or no process listens on it.
fn has_no_listener(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn http_request(request: &ApiRequest<'_>) -> Result<http::Request<Vec<u8>>, Failure> {
    let builder = http::Request::builder()
        .method(request.method)
        .uri(&request.target)
        .header("Host", "localhost")
        .header("User-Agent", USER_AGENT)
        .header("Content-Type", "application/json");
    let builder = match request.version {
        Some(version) => builder.header("If-Match", tag(version)),
        None => builder,
    };
    let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
    builder.body(body.into_bytes()).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

/// Sends a request to an instance of this process. The body of a 200 goes to `sink` if there is one.
pub(super) fn send_to_instance(
    instance: &Instance,
    settings: &Settings,
    request: &ApiRequest<'_>,
    sink: Option<&mut dyn Write>,
) -> Result<(u16, Vec<u8>), Failure> {
    let app = app(instance, settings, public_url(settings)?, TrustedProxies::default())?;
    let mut headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("User-Agent".to_owned(), USER_AGENT.to_owned()),
    ];
    headers.extend(request.version.map(|version| ("If-Match".to_owned(), tag(version))));
    let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
    let nowhere = ([127, 0, 0, 1], 0).into();
    let request = Request::fake_http_from(
        nowhere,
        request.method,
        request.target.clone(),
        headers,
        body.into_bytes(),
    );
    let response = app.answer_locally(&request);
    let (mut reader, _) = response.data.into_reader_and_size();
    let mut bytes = Vec::new();
    match sink {
        Some(sink) if response.status_code == 200 => io::copy(&mut reader, sink).map(drop),
        Some(_) | None => reader.read_to_end(&mut bytes).map(drop),
    }
    .map_err(|error| Failure::io("read the response", &error))?;
    Ok((response.status_code, bytes))
}

/// The base of links: the public URL, or the address on which `serve` would listen.
fn public_url(settings: &Settings) -> Result<PublicUrl, Failure> {
    if let Some(url) = &settings.public_url {
        return Ok(url.clone());
    }
    settings.listen.to_string().parse().map_err(
        |error: crate::model::public_url::InvalidPublicUrl| {
            Failure::new(Exit::Usage, error.to_string())
        },
    )
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(settings) => write!(f, "Host({})", settings.data.display()),
            Self::Remote { url, .. } => write!(f, "Remote({url})"),
        }
    }
}
