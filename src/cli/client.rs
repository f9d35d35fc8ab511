//! How a command reaches an instance: over the control socket of the server on this host, by opening
//! the store itself where none runs, or from afar with a key. All three end in the same handlers.

use std::io;
use std::time::Duration;

use rouille::Request;
use serde_json::Value;

use crate::backends;
use crate::cli::exit::{Exit, Failure};
use crate::cli::instance::{Instance, OpenFailure};
use crate::config::{ConfigError, Environment, Settings, Written};
use crate::http::transport::TrustedProxies;
use crate::http::transport::client::send;
use crate::index::halt::Halt;
use crate::model::public_url::PublicUrl;
use crate::model::secret::Secret;

/// How long a request to a far server may take.
const FAR_TIMEOUT: Duration = Duration::from_secs(30);
/// How often, and how long apart, the host's instance is tried while another process holds it.
const TRIES: u32 = 60;
const TRY_WAIT: Duration = Duration::from_millis(50);
const USER_AGENT: &str = concat!("keyhouse-cli/", env!("CARGO_PKG_VERSION"));

/// The way to an instance.
pub(super) enum Client {
    /// The instance of this host.
    Host(Box<Settings>),
    /// A far one.
    Far { url: String, key: Secret },
}

/// One request of a command.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) target: String,
    pub(super) body: Option<Value>,
}

impl Client {
    /// Finds the way: `KEYHOUSE_URL` means afar.
    pub(super) fn new(
        environment: &Environment,
        settings: impl FnOnce(Written) -> Result<Settings, ConfigError>,
    ) -> Result<Self, Failure> {
        let Some(url) = environment.get("KEYHOUSE_URL") else {
            return Ok(Self::Host(Box::new(settings(Written::default())?)));
        };
        let wrong = |said: String| Failure::new(Exit::Usage, said);
        let url: PublicUrl =
            url.parse().map_err(|error| wrong(format!("KEYHOUSE_URL: {error}")))?;
        let key = environment.get("KEYHOUSE_KEY").map(|key| Secret::new(key.to_owned()));
        let key = key.ok_or_else(|| wrong("KEYHOUSE_URL needs KEYHOUSE_KEY, a key".to_owned()))?;
        if !url.is_https() && !url.is_loopback() {
            let said = "KEYHOUSE_URL: a key is not sent over a network in the clear; use https";
            return Err(wrong(said.to_owned()));
        }
        Ok(Self::Far { url: url.to_string(), key })
    }

    /// Asks, and returns the answer's JSON.
    ///
    /// # Errors
    /// The failure that the instance told, or that nobody was reached.
    pub(super) fn ask(&self, ask: &Ask<'_>) -> Result<Value, Failure> {
        let (status, value) = self.answer(ask)?;
        if (200..300).contains(&status) {
            Ok(value)
        } else {
            Err(Failure::of_problem(status, &value))
        }
    }

    /// Asks, and returns the answer's status and JSON, whatever they say.
    ///
    /// # Errors
    /// That nobody was reached.
    pub(super) fn answer(&self, ask: &Ask<'_>) -> Result<(u16, Value), Failure> {
        let (status, body) = match self {
            Self::Host(settings) => ask_host(settings, ask)?,
            Self::Far { url, key } => ask_far(url, key, ask)?,
        };
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}

fn ask_host(settings: &Settings, ask: &Ask<'_>) -> Result<(u16, Vec<u8>), Failure> {
    let patience = Halt::default();
    let mut held = String::new();
    for _ in 0..TRIES {
        match send(&settings.control_socket, request(ask)?) {
            Ok(answer) => return Ok(answer),
            Err(error) if is_nobody(&error) => {},
            Err(error) => {
                let socket = settings.control_socket.display();
                let said = format!("the server behind {socket} broke off: {error}");
                return Err(Failure::new(Exit::Unreachable, said));
            },
        }
        if !backends::exists(&settings.storage) {
            let said = format!(
                "no instance at {}: start one with keyhouse serve, or name another with --data",
                settings.data.display()
            );
            return Err(Failure::new(Exit::Unreachable, said));
        }
        match Instance::open(settings) {
            Ok(instance) => {
                let answer = ask_instance(&instance, settings, ask);
                instance.close()?;
                return answer;
            },
            // Another command, or a server that is starting or stopping: it won't be long.
            Err(OpenFailure::InUse(said)) => held = said,
            Err(OpenFailure::Other(failure)) => return Err(failure),
        }
        patience.pause(TRY_WAIT);
    }
    let said = format!("{held}, and its control socket does not answer");
    Err(Failure::new(Exit::Unreachable, said))
}

/// Nobody listens there, or nothing is there.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn request(ask: &Ask<'_>) -> Result<http::Request<Vec<u8>>, Failure> {
    let builder = http::Request::builder()
        .method(ask.method)
        .uri(&ask.target)
        .header("Host", "localhost")
        .header("User-Agent", USER_AGENT)
        .header("Content-Type", "application/json");
    let body = ask.body.as_ref().map(Value::to_string).unwrap_or_default();
    builder.body(body.into_bytes()).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

fn ask_instance(
    instance: &Instance,
    settings: &Settings,
    ask: &Ask<'_>,
) -> Result<(u16, Vec<u8>), Failure> {
    let app = instance.app(settings, public_url(settings)?, TrustedProxies::default())?;
    let headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("User-Agent".to_owned(), USER_AGENT.to_owned()),
    ];
    let body = ask.body.as_ref().map(Value::to_string).unwrap_or_default();
    let nowhere = ([127, 0, 0, 1], 0).into();
    let request = Request::fake_http_from(
        nowhere,
        ask.method,
        ask.target.clone(),
        headers,
        body.into_bytes(),
    );
    let response = app.answer_locally(&request);
    let (mut reader, _) = response.data.into_reader_and_size();
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut reader, &mut bytes)
        .map_err(|error| Failure::io("read the answer", &error))?;
    Ok((response.status_code, bytes))
}

/// Where browsers will reach the instance once it is served: what links begin with.
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

fn ask_far(url: &str, key: &Secret, ask: &Ask<'_>) -> Result<(u16, Vec<u8>), Failure> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(FAR_TIMEOUT))
        .http_status_as_error(false)
        // A redirect could carry the key to another host, and so could a proxy of the environment
        // where the way is not encrypted.
        .max_redirects(0)
        .proxy(url.starts_with("https:").then(ureq::Proxy::try_from_env).flatten())
        .tls_config(
            ureq::tls::TlsConfig::builder()
                .root_certs(ureq::tls::RootCerts::PlatformVerifier)
                .build(),
        )
        .build()
        .into();
    let unreachable = |error: ureq::Error| {
        Failure::new(Exit::Unreachable, format!("could not reach {url}: {error}"))
    };
    let bearer = zeroize::Zeroizing::new(format!("Bearer {}", key.reveal()));
    let request = http::Request::builder()
        .method(ask.method)
        .uri(format!("{url}{}", ask.target))
        .header("Authorization", bearer.as_str())
        .header("User-Agent", USER_AGENT)
        .header("Content-Type", "application/json")
        .body(ask.body.as_ref().map(Value::to_string).unwrap_or_default())
        .map_err(|_source| Failure::new(Exit::Usage, "KEYHOUSE_KEY is no key"))?;
    let mut response = agent.run(request).map_err(unreachable)?;
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_vec().map_err(unreachable)?;
    Ok((status, body))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(settings) => write!(f, "Host({})", settings.data.display()),
            Self::Far { url, .. } => write!(f, "Far({url})"),
        }
    }
}

/// A text as part of a query.
pub(super) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            text.append_pair(name, value);
        }
    }
    let text = text.finish();
    if text.is_empty() { text } else { format!("?{text}") }
}

/// A text as one segment of a path: what could mean something else there is encoded.
pub(super) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
