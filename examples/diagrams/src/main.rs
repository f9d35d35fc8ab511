//! The binary: reads its arguments, opens the store and serves until a signal.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, value_parser};
use jiff::Timestamp;
use keyhouse_diagrams::{
    Application, AwsCredentials, CloudSettings, Endpoint, Prices, Settings, Sources, Store, scan,
    serve,
};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

const ENVIRONMENT: &str = "The credentials for AWS are in the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, \
    if they are temporary, AWS_SESSION_TOKEN.";

/// Stores architecture diagrams and draws them. Only a proxy with a gate of Keyhouse may reach it.
#[derive(Debug, Parser)]
#[command(name = "keyhouse-diagrams", version, after_help = ENVIRONMENT)]
struct Arguments {
    /// Address to listen on. Every identity header is trusted, so only the proxy may reach this address
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// File of the store, which is created if it does not exist
    #[arg(long)]
    data: PathBuf,
    /// Price table (JSON) in place of the sample
    #[arg(long)]
    prices: Option<PathBuf>,
    /// Number of rendering threads [default: the number of cores]
    #[arg(long)]
    workers: Option<usize>,
    /// Most pictures that wait for a rendering thread
    #[arg(long, default_value_t = 16)]
    waiting_max: usize,
    /// AWS account from which accounts are read, 12 digits
    #[arg(long, default_value = "000000000000", value_parser = aws_account)]
    aws_account: String,
    /// Longest time that a request for a snapshot waits for the scan, in seconds. Proxies must wait longer
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(..=3600))]
    snapshot_wait_s: u64,
    #[command(flatten)]
    clouds: CloudArguments,
}

// A documentation comment would be the text of the whole command.
#[derive(Debug, clap::Args)]
struct CloudArguments {
    /// One server for all services of AWS, in place of those of AWS
    #[arg(long, value_name = "URL")]
    aws_endpoint: Option<Endpoint>,
    /// Server that issues tokens of Azure
    #[arg(long, value_name = "URL", default_value = "https://login.microsoftonline.com")]
    azure_login: Endpoint,
    /// Server with the resources of Azure
    #[arg(long, value_name = "URL", default_value = "https://management.azure.com")]
    azure_endpoint: Endpoint,
    /// File with resources of Azure (JSON, as Resource Graph returns them), read in place of any server
    #[arg(long, value_name = "FILE")]
    azure_export: Option<PathBuf>,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the service ends");
            ExitCode::FAILURE
        },
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let prices = match &arguments.prices {
        Some(path) => Prices::read(&std::fs::read_to_string(path)?)?,
        None => Prices::sample()?,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let settings = Settings {
        workers: arguments.workers.unwrap_or(cores).max(1),
        waiting_max: arguments.waiting_max,
        aws_account: arguments.aws_account,
        snapshot_wait: Duration::from_secs(arguments.snapshot_wait_s),
    };
    let clouds = arguments.clouds.settings(aws_credentials()?);
    let sources = Sources {
        now_ms: Box::new(|| Timestamp::now().as_millisecond()),
        id: Box::new(Uuid::new_v4),
        scanner: Box::new(move |place, secret, region| {
            scan(place, secret, region, &clouds).map_err(|error| error.to_string())
        }),
    };
    let store = Store::open(&arguments.data, || {
        let mut key = [0; 32];
        let (first, second) = key.split_at_mut(16);
        first.copy_from_slice(Uuid::new_v4().as_bytes());
        second.copy_from_slice(Uuid::new_v4().as_bytes());
        key
    })?;
    let application = Arc::new(Application::start(store, prices, settings, sources)?);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async move {
        let (mut terminated, mut interrupted) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let listener = TcpListener::bind(arguments.listen).await?;
        writeln!(io::stderr(), "listening on http://{}", listener.local_addr()?)?;
        let ended = async move {
            tokio::select! {
                _ = terminated.recv() => {},
                _ = interrupted.recv() => {},
            }
        };
        serve(listener, application, ended).await;
        Ok(())
    })
}

impl CloudArguments {
    fn settings(self, aws_credentials: Option<AwsCredentials>) -> CloudSettings {
        CloudSettings {
            aws_credentials,
            aws_endpoint: self.aws_endpoint,
            azure_login: self.azure_login,
            azure_endpoint: self.azure_endpoint,
            azure_export: self.azure_export,
            ..CloudSettings::default()
        }
    }
}

/// The credentials for AWS in the environment; `None` if it has none.
fn aws_credentials() -> Result<Option<AwsCredentials>, String> {
    // Arguments of a process are visible to other processes.
    #[expect(clippy::disallowed_methods, reason = "secrets are not in arguments")]
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (key_id, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
    match (key_id, secret) {
        (None, None) => Ok(None),
        (Some(key_id), Some(secret)) => {
            let credentials = AwsCredentials::of(key_id, secret, variable("AWS_SESSION_TOKEN"));
            let wrong = "the credentials in AWS_* have other characters than those of AWS";
            credentials.map(Some).ok_or_else(|| wrong.to_owned())
        },
        (Some(_), None) => Err("AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY".to_owned()),
        (None, Some(_)) => Err("AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID".to_owned()),
    }
}

fn aws_account(text: &str) -> Result<String, String> {
    let is_account = text.len() == 12 && text.bytes().all(|it| it.is_ascii_digit());
    if is_account { Ok(text.to_owned()) } else { Err("must be 12 digits".to_owned()) }
}
