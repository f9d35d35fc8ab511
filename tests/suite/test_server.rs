//! A running Keyhouse with its owner signed in, and the requests that most tests send.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::server::wire::{Answer, Connection};
use crate::server::{ADMIN_EMAIL, ADMIN_PASSWORD, BINARY, Home, Server, Session};

pub(crate) use crate::server::{ADMIN_EMAIL as EMAIL, ADMIN_PASSWORD as PASSWORD};

/// The server, its folder, and the owner's session.
#[derive(Debug)]
pub(crate) struct TestServer {
    home: Arc<Home>,
    server: Option<Server>,
    args: Vec<String>,
    has_owner: bool,
    cookie: String,
}

/// A newly created key.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) key: Value,
}

impl TestServer {
    /// Starts a new instance and signs in its owner.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a new instance with more arguments after `serve`, and signs in its owner.
    pub(crate) fn start_with(args: &[&str]) -> Self {
        let mut instance = Self::build(args, true);
        instance.restart();
        instance.sign_in();
        instance
    }

    /// Starts a new instance with this `keyhouse.toml`, and signs in its owner.
    pub(crate) fn start_with_settings(settings: &str) -> Self {
        let mut instance = Self::build(&[], true);
        write_settings(&instance.home, settings);
        instance.restart();
        instance.sign_in();
        instance
    }

    /// Starts a new instance without an owner.
    pub(crate) fn start_empty() -> Self {
        let mut instance = Self::build(&[], false);
        instance.restart();
        instance
    }

    fn build(args: &[&str], has_owner: bool) -> Self {
        let args = args.iter().map(|&word| word.to_owned()).collect();
        Self { home: Home::new(), server: None, args, has_owner, cookie: String::new() }
    }

    /// Stops a running server, and starts a server on the same data and another port.
    pub(crate) fn restart(&mut self) {
        if self.server.is_some() {
            self.stop();
        }
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        self.server = Some(if self.has_owner {
            Server::start_in(&self.home, &args)
        } else {
            Server::launch_command(&self.home, serve_empty(&self.home)).unwrap()
        });
    }

    /// Stops the server with SIGTERM, as a supervisor does.
    pub(crate) fn stop(&mut self) {
        let ended = self.server.take().unwrap().stop();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server().address()
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    pub(crate) fn sign_in(&mut self) {
        self.cookie = Session::sign_in(self.address(), ADMIN_EMAIL, ADMIN_PASSWORD).cookie;
    }

    /// Returns the setup link of an instance without an owner.
    pub(crate) fn setup_link(&self) -> String {
        let line = self.server().log().wait_for("set up at ").unwrap();
        let (_, link) = line.split_once("set up at ").unwrap();
        link.split_whitespace().next().unwrap().to_owned()
    }

    /// A keep-alive connection.
    pub(crate) fn connect(&self) -> Line {
        Line(Connection::open(self.address()))
    }

    /// Sends a request without a credential on its own connection.
    pub(crate) fn bare(&self, ask: &Ask) -> Answer {
        self.connect().ask(ask)
    }

    /// Sends a request as the owner on its own connection.
    pub(crate) fn ask(&self, ask: &Ask) -> Answer {
        self.bare(&self.as_owner(ask.clone()))
    }

    /// Adds the owner's cookie to a request.
    pub(crate) fn as_owner(&self, ask: Ask) -> Ask {
        ask.header("Cookie", &self.cookie)
    }

    /// Creates a key with these fields.
    pub(crate) fn create(&self, fields: &Value) -> Made {
        made(&self.ask(&Ask::post("/v1/keys", fields)).expect(201))
    }

    /// Creates a service key that may manage and verify keys.
    pub(crate) fn manager(&self) -> Made {
        let permissions =
            ["keyhouse:keys:manage", "keyhouse:keys:read", "keyhouse:keys:verify", "*"];
        self.create(&json!({"name": "manager", "kind": "service", "permissions": permissions}))
    }

    /// Returns the current state of the key with this id.
    pub(crate) fn key(&self, id: &str) -> Value {
        self.ask(&Ask::get(&format!("/v1/keys/{id}"))).expect(200)
    }

    /// Changes a key as the owner: `revoke`, `disable`, `enable`.
    pub(crate) fn act(&self, id: &str, action: &str) -> Answer {
        self.ask(&Ask::post(&format!("/v1/keys/{id}/{action}"), &json!({})))
    }

    /// Returns the response of `POST /v1/verify` about this key.
    pub(crate) fn verify(&self, secret: &str) -> Value {
        self.ask(&Ask::post("/v1/verify", &json!({"key": secret}))).expect(200)
    }

    /// Returns every key of the list, page by page.
    pub(crate) fn all_keys(&self) -> Vec<Value> {
        let (mut line, mut keys, mut cursor) = (self.connect(), Vec::new(), String::new());
        loop {
            let ask = Ask::get(&format!("/v1/keys?status=all&limit=100{cursor}"));
            let page = line.ask(&self.as_owner(ask)).expect(200);
            keys.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else { return keys };
            cursor = format!("&cursor={next}");
        }
    }
}

/// A keep-alive connection.
#[derive(Debug)]
pub(crate) struct Line(pub(crate) Connection);

impl Line {
    pub(crate) fn ask(&mut self, ask: &Ask) -> Answer {
        self.0.ask(&ask.method, &ask.target, &ask.lines(), &ask.body)
    }
}

/// `keyhouse serve` on the data of `home`, without arguments for an owner.
pub(crate) fn serve_empty(home: &Home) -> Command {
    let mut command = home.command(BINARY);
    command.arg("serve").arg("--data").arg(home.data()).args(["--listen", "127.0.0.1:0"]);
    command
}

/// Writes a `keyhouse.toml` where `serve` reads it.
pub(crate) fn write_settings(home: &Home, settings: &str) -> PathBuf {
    fs::create_dir_all(home.data()).unwrap();
    fs::set_permissions(home.data(), Permissions::from_mode(0o700)).unwrap();
    let file = home.data().join("keyhouse.toml");
    fs::write(&file, settings).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    file
}

/// Returns the key in the response of `POST /v1/keys`.
pub(crate) fn made(created: &Value) -> Made {
    let text = |pointer: &str| created.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    Made { id: text("/key/id"), secret: text("/secret"), key: created["key"].clone() }
}
