//! Equal instances, each of which is reached in one way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use age::secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::ask::{Ask, Expect as _};
use crate::cli::ways::labels::Labels;
use crate::cli::ways::table::{Call, Printed, Prompt, folder};
use crate::people::Person;
use crate::server::{Home, Server, binary, run};
use crate::test_server::TestServer;

/// How a command reaches an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Through the control socket of the server on this host.
    Socket,
    /// In the store, while no server runs.
    Store,
    /// Over the network, with a key.
    Remote,
}

/// A stopped instance, and the labels of its objects.
pub(super) struct Seed {
    home: Arc<Home>,
    labels: Labels,
    /// An identity of age, whose recipient has a label.
    identity: String,
}

/// A copy of the seed that commands reach in one way.
pub(super) struct Reached {
    home: Arc<Home>,
    way: Way,
    server: Option<Server>,
    labels: Labels,
}

/// The keys of the remote way: one that grants everything that a key can, and one that manages nothing.
const MANAGER: [&str; 3] = ["*", "keyhouse:*", "keyhouse:instance:*"];
const WEAK: [&str; 1] = ["orders:read"];
/// A UUID that no object has.
const NO_UUID: &str = "0198c5a2-6f1e-7cc3-98c4-000000000000";

impl Seed {
    /// An instance with one or two organizations.
    pub(super) fn sow(organizations: usize) -> Self {
        let mut instance = TestServer::start();
        let mut labels = Labels::default();
        sow_people(&instance, &mut labels);
        if organizations > 1 {
            sow_neighbour(&instance, &mut labels);
        }
        sow_keys(&instance, &mut labels);
        instance.ask(&Ask::post("/v1/gates", &orders_gate())).expect(201);
        let known = json!({"name": "orders:read", "description": {"en": "Reads orders"}});
        instance.ask(&Ask::post("/v1/permissions", &known)).expect(201);
        labels.add("client", concat!("keyhouse-cli/", env!("CARGO_PKG_VERSION")));
        for kind in ["key", "usr", "org", "team", "role"] {
            labels.add(&format!("no_{kind}"), &format!("{kind}_{NO_UUID}"));
        }
        let head = instance.ask(&Ask::get("/v1/audit/head")).expect(200);
        labels.add_for_calls("head", head["hash"].as_str().unwrap());
        let identity = age::x25519::Identity::generate();
        labels.add_for_calls("recipient", &identity.to_public().to_string());
        let identity = identity.to_string().expose_secret().to_owned();
        let home = Arc::clone(instance.home());
        instance.stop();
        Self { home, labels, identity }
    }

    /// A copy of the instance, with a server unless the way is the store.
    pub(super) fn reach(&self, way: Way) -> Reached {
        let home = Home::new();
        copy(&self.home.data(), &home.data());
        copy(&folder().join("files"), home.folder());
        fs::write(home.folder().join("identity.txt"), &self.identity).unwrap();
        let server = (way != Way::Store).then(|| Server::start_in(&home, &[]));
        let mut labels = self.labels.clone();
        labels.add("folder", home.folder().to_str().unwrap());
        if let Some(server) = &server {
            labels.add("process", &format!("process {}", server.id()));
        }
        Reached { home, way, server, labels }
    }
}

/// Users, a role and a team.
fn sow_people(instance: &TestServer, labels: &mut Labels) {
    let organization = instance.organization();
    instance.put_on_plan(&organization, "enterprise");
    labels.add("org", &organization);
    labels.add("ada", &instance.owner().id);
    let reader = instance.role("Reader", &["orders:read"]);
    labels.add("reader", &reader);
    let mut join = |name: &str, role: &str| {
        let person = instance.join(name, role);
        labels.add(name, &person.id);
        person
    };
    let ben = join("ben", "user");
    join("cleo", "user");
    join("dan", "user");
    join("eve", "guest");
    join("gil", &reader);
    let sessions = instance.ask(&Ask::get(&format!("/v1/users/{}/sessions", ben.id))).expect(200);
    labels.add("session", sessions["items"][0]["id"].as_str().unwrap());
    for name in ["cleo", "dan"] {
        let theirs = json!({"name": "laptop", "permissions": ["orders:read"]});
        let person = Person { cookie: sign_in(instance, name), ..ben.clone() };
        let made = instance.ask_as(&person, &Ask::post("/v1/keys", &theirs)).expect(201);
        labels.add(&format!("{name}_key"), made["key"]["id"].as_str().unwrap());
    }
    labels.add("blue", &instance.team("Blue", "visible", &[&ben]));
}

fn sow_neighbour(instance: &TestServer, labels: &mut Labels) {
    let (acme, owner) = instance.neighbour("acme");
    labels.add("acme", &acme);
    labels.add("acme_owner", &owner.id);
    // An address in two organizations.
    labels.add("acme_eve", &instance.join_by(&owner, "eve", "user").id);
}

fn sign_in(instance: &TestServer, name: &str) -> String {
    let email = format!("{name}@example.com");
    let body = json!({"email": email, "password": crate::people::PASSWORD});
    let answer = instance.bare(&Ask::post("/v1/session", &body));
    answer.expect(201);
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// Keys: of the remote way, used, revoked, and one that a key has created.
fn sow_keys(instance: &TestServer, labels: &mut Labels) {
    let mut make = |name: &str, permissions: &[&str]| {
        let body = json!({"name": name, "kind": "service", "permissions": permissions});
        let made = instance.create(&body);
        labels.add(name, &made.id);
        labels.add(&format!("secret_{name}"), &made.secret);
        made
    };
    make("manager", &MANAGER);
    make("weak", &WEAK);
    let deploy = make("deploy", &["orders:*", "files:read"]);
    let gone = make("gone", &["orders:read"]);
    let parent = make("parent", &["orders:read", "keyhouse:keys:manage"]);
    instance.act(&gone.id, "revoke").expect(200);
    let ask = Ask::post(
        "/v1/keys",
        &json!({"name": "child", "kind": "service", "permissions": ["orders:read"]}),
    );
    let child = instance.bare(&ask.bearer(&parent.secret)).expect(201);
    labels.add("child", child["key"]["id"].as_str().unwrap());
    for (permission, code) in [("orders:read", "VALID"), ("a:b", "INSUFFICIENT_PERMISSIONS")] {
        let asked = json!({"key": deploy.secret, "permissions": permission, "ip": "192.0.2.7"});
        let verdict = instance.ask(&Ask::post("/v1/verify", &asked)).expect(200);
        assert_eq!(verdict["code"], code);
    }
    // Every instance has a last use of the keys of the remote way.
    for (name, code) in [("secret_manager", 0), ("secret_weak", 4)] {
        let mut command = instance.home().command(binary());
        let secret = labels.resolve(&format!("[{name}]"));
        command.args(["key", "list"]).env("KEYHOUSE_URL", instance.server().url());
        command.env("KEYHOUSE_KEY", secret);
        assert_eq!(run(command, b"").code, Some(code), "{name}");
    }
}

fn orders_gate() -> Value {
    json!({
        "name": "orders",
        "routes": [
            {"path": "/health", "access": "public"},
            {"methods": ["GET"], "path": "/orders/**", "permissions": "orders:read"},
        ],
    })
}

/// Copies the files of a folder into another.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.file_type().unwrap().is_file(), "{entry:?}");
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

impl Reached {
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// The URL of the server, if there is one.
    pub(super) fn url(&self) -> String {
        self.server.as_ref().unwrap().url()
    }

    /// Runs a call, and labels what differs in its output.
    pub(super) fn run(&mut self, call: &Call) -> Printed {
        let mut command = self.command(call);
        for (name, value) in &call.variables {
            command.env(name, self.labels.resolve(value));
        }
        let stdin = call.stdin.as_ref().map(|text| self.labels.resolve(text) + "\n");
        let ended = run(command, stdin.unwrap_or_default().as_bytes());
        let code = ended.code.unwrap_or_else(|| panic!("{}: killed: {ended:?}", call.line));
        let [stdout, stderr] = [&ended.stdout, &ended.stderr].map(|text| self.labels.redact(text));
        Printed { code, stdout, stderr }
    }

    /// The command of a call, without its own variables.
    pub(super) fn command(&self, call: &Call) -> Command {
        let mut command = self.home.command(binary());
        command.args(call.words.iter().map(|word| self.labels.resolve(word)));
        if self.way != Way::Remote {
            command.env("KEYHOUSE_DATA", self.home.data());
            return command;
        }
        let name = if call.prompt == Prompt::Weak { "[secret_weak]" } else { "[secret_manager]" };
        command.env("KEYHOUSE_URL", self.url()).env("KEYHOUSE_KEY", self.labels.resolve(name));
        command
    }

    /// Fails sign-ins as this user until the account is locked.
    pub(super) fn lock_out(&self, email: &str) {
        let Some(server) = &self.server else { return };
        let body = json!({"email": email, "password": "not the password at all"});
        while server.ask_json("POST", "/v1/session", &[], &body).status != 429 {}
    }
}
