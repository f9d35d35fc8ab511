//! `keyhouse healthcheck`: asks the server on this host whether it is ready.

use std::io::{self, ErrorKind};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::client::USER_AGENT;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::terminal;
use crate::config::{Listen, Settings};
use crate::http::transport::client::{send, send_over_tcp};

/// Time that the server has to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn run(settings: &Settings, json: bool) -> Result<(), Failure> {
    let (status, body) = ask(settings)?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if status == 200 {
        return if json { print(&json!({"status": "ready"}).to_string()) } else { print("ready") };
    }
    let detail = terminal::text(&body, "detail");
    Err(Failure::new(Exit::Failed, format!("not ready: {detail}")))
}

/// Sends the request to the control socket. If another user runs the server, or the control socket is
/// elsewhere, sends it to the listen address. A control socket without a listener is that of a server
/// that crashed: the listen address may then be that of another server.
fn ask(settings: &Settings) -> Result<(u16, Vec<u8>), Failure> {
    let request = || {
        let builder = http::Request::builder().uri("/readyz").header("Host", "localhost");
        let request = builder.header("User-Agent", USER_AGENT).body(Vec::new());
        request.map_err(|error| Failure::new(Exit::Failed, error.to_string()))
    };
    let elsewhere = |error: &io::Error| {
        [ErrorKind::NotFound, ErrorKind::PermissionDenied].contains(&error.kind())
    };
    let at = match send(&settings.control_socket, request()?, TIMEOUT) {
        Ok(answer) => return Ok(answer),
        Err(error) if elsewhere(&error) => &settings.listen,
        Err(error) => {
            return Err(unreachable(&settings.control_socket.display().to_string(), &error));
        },
    };
    let answer = match at {
        Listen::Tcp(address) => send_over_tcp(*address, request()?, TIMEOUT),
        Listen::Unix(path) => send(path, request()?, TIMEOUT),
    };
    answer.map_err(|error| unreachable(&at.to_string(), &error))
}

fn unreachable(at: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Unreachable, format!("no answer from the server at {at}: {error}"))
}
