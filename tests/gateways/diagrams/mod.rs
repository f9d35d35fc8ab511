//! `examples/diagrams` behind Caddy and its gate, used by the unmodified client `cloudcraftco`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "an example of another shape should stop its test"
)]

mod run_script;

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::proxy::{Proxy, free_ports};
use crate::server::{ADMIN_EMAIL, BINARY, CHECKOUT, Ended, Home, Log, Server, Session, run};

const CONFIGURATION: &str = "examples/diagrams/keyhouse.toml";
const CADDYFILE: &str = "examples/diagrams/Caddyfile";
const CLIENT: &str = "tests/gateways/diagrams/client.py";
const CLOUDS: &str = "tests/gateways/diagrams/clouds.py";
/// The region of the account of AWS.
const REGION: &str = "eu-west-1";
/// What the keys of the tests may do.
const ALL: [&str; 3] = ["diagrams:*", "accounts:*", "team:read"];
const READ: [&str; 3] = ["diagrams:read", "accounts:read", "team:read"];
/// The claims of the client, in their order.
const CLAIMS: [&str; 26] = [
    "a_key_reads_its_own_user",
    "an_unknown_key_is_refused",
    "a_diagram_is_created_and_listed",
    "its_content_comes_back_whole",
    "it_is_changed_and_a_stale_change_is_refused",
    "members_of_the_service_are_ignored_in_a_change",
    "wrong_requests_are_refused_with_the_place",
    "an_id_with_dots_is_authorized_as_the_path_that_arrives",
    "json_is_exported",
    "an_svg_is_the_same_at_each_call_and_has_the_requested_size",
    "a_png_has_the_requested_size_scale_and_background",
    "a_pdf_has_the_requested_paper",
    "an_mxgraph_is_a_diagram_of_diagrams_net",
    "a_wrong_option_of_a_picture_is_refused",
    "a_budget_is_a_table_that_calculates_nothing",
    "accounts_of_aws_are_linked",
    "accounts_of_azure_are_linked",
    "a_snapshot_of_aws_is_drawn_in_every_format",
    "a_snapshot_of_azure_is_drawn_in_every_format",
    "a_revoked_key_is_refused",
    "a_read_key_reads_and_does_not_write",
    "a_key_of_a_free_organization_is_refused",
    "teams_are_listed_and_share_a_diagram",
    "a_key_outside_of_the_team_finds_nothing",
    "past_the_limit_the_reason_is_in_the_message",
    "the_diagram_is_deleted",
];

/// The service as a process. Dropping the value kills it.
struct Service {
    child: Child,
    _log: Arc<Log>,
}

/// Servers that play AWS and Azure, in one process. Dropping the value ends it.
struct Clouds {
    child: Child,
    /// Where each cloud is, by name.
    urls: Value,
}

/// Keyhouse with the example's gate, the service, and Caddy in front of both.
struct Stage {
    keyhouse: Server,
    owner: Session,
    home: Arc<Home>,
    port: u16,
    _service: Service,
    _clouds: Clouds,
    _caddy: Proxy,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

impl Drop for Clouds {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

impl Clouds {
    fn start(home: &Home) -> Self {
        let mut command = home.command(python());
        command.arg(Path::new(CHECKOUT).join(CLOUDS));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let urls = serde_json::from_str(&line).expect("the clouds start");
        Self { child, urls }
    }

    fn url(&self, name: &str) -> &str {
        self.urls[name].as_str().unwrap()
    }
}

impl Service {
    fn start(home: &Home, port: u16, clouds: &Clouds) -> Self {
        let program = Path::new(BINARY).with_file_name("keyhouse-diagrams");
        assert!(program.exists(), "run cargo build -p keyhouse-diagrams first");
        let mut command = home.command(program);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--data", "diagrams.redb"]);
        command.args(["--aws-endpoint", clouds.url("aws")]);
        command.args([
            "--azure-login",
            clouds.url("azure"),
            "--azure-endpoint",
            clouds.url("azure"),
        ]);
        command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        log.wait_for("listening on http://").expect("the service listens");
        Self { child, _log: log }
    }
}

impl Stage {
    fn set() -> Self {
        let keyhouse = Server::start();
        let home = Home::new();
        let [port, of_service] = free_ports();
        let clouds = Clouds::start(&home);
        let service = Service::start(&home, of_service, &clouds);
        let mut text = fs::read_to_string(Path::new(CHECKOUT).join(CADDYFILE)).unwrap();
        for (shipped, used) in [
            ("\n:8080 {", format!("\n:{port} {{")),
            ("forward_auth 127.0.0.1:7117 {", format!("forward_auth {} {{", keyhouse.address())),
            ("reverse_proxy 127.0.0.1:8081 {", format!("reverse_proxy 127.0.0.1:{of_service} {{")),
        ] {
            assert_eq!(text.matches(shipped).count(), 1, "{shipped}");
            text = text.replace(shipped, &used);
        }
        let caddy = Proxy::start_caddy(&home, port, &text);
        let owner = keyhouse.sign_in();
        let stage =
            Self { keyhouse, owner, home, port, _service: service, _clouds: clouds, _caddy: caddy };
        let configuration = Path::new(CHECKOUT).join(CONFIGURATION);
        stage.apply(configuration.to_str().unwrap());
        stage
    }

    fn apply(&self, file: &str) {
        let ended = self.keyhouse.run_cli(&["apply", file], "");
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// Applies a text.
    fn apply_text(&self, name: &str, text: &str) {
        let path = self.home.folder().join(name);
        fs::write(&path, text).unwrap();
        self.apply(path.to_str().unwrap());
    }

    /// Runs the client with these keys.
    fn drive(&self, keys: &Value) -> Ended {
        let mut command = self.home.command(python());
        command.arg(Path::new(CHECKOUT).join(CLIENT));
        run(command, json!({"port": self.port, "keys": keys}).to_string().as_bytes())
    }
}

/// Python with the client.
fn python() -> PathBuf {
    let python = Path::new(CHECKOUT).join(".venv/bin/python");
    assert!(python.exists(), "./test makes .venv from tests/*/requirements.txt");
    python
}

/// The width in the head of a PNG.
fn width_of_png(png: &[u8]) -> u32 {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "not a PNG");
    u32::from_be_bytes(png[16..20].try_into().unwrap())
}

/// A key in the form of the vendor: 44 characters of base64.
fn foreign(number: u8) -> String {
    STANDARD.encode(blake3::hash(&[number]).as_bytes())
}

fn digest(text: &str) -> String {
    let bytes = Sha256::digest(text);
    let mut hex = "sha256:".to_owned();
    for byte in bytes {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

/// The declaration of a service key by its digest, shared with the team `Build` or with none.
fn declared(name: &str, secret: &str, permissions: &[&str], more: &str) -> String {
    let digest = digest(secret);
    format!(
        "[[organizations.keys]]\nname = \"{name}\"\ndigest = \"{digest}\"\npermissions = {permissions:?}\n{more}\n"
    )
}

/// The keys of the client's roles, all of one form.
#[derive(Debug, Default)]
struct Keys {
    main: String,
    reader: String,
    revoked: String,
    free: String,
    outsider: String,
    limited: String,
}

impl Keys {
    fn json(&self) -> Value {
        json!({
            "main": self.main, "reader": self.reader, "revoked": self.revoked, "free": self.free,
            "outsider": self.outsider, "limited": self.limited,
        })
    }

    fn all(&self) -> [&String; 6] {
        [&self.main, &self.reader, &self.revoked, &self.free, &self.outsider, &self.limited]
    }
}

impl Stage {
    /// Imports keys of 44 characters: those of the organization `Example`, and one of `Trial`.
    fn import(&self) -> Keys {
        let [main, reader, revoked, free, outsider, limited] = [1, 2, 3, 4, 5, 6].map(foreign);
        let in_team = "teams = { Build = \"read\" }";
        let limit = "rate_limits = [{ name = \"api\", limit = 20, window_seconds = 10 }]";
        let text = [
            "[[organizations]]\nname = \"Example\"\nfirst = true\n".to_owned(),
            "[[organizations.teams]]\nname = \"Build\"\n".to_owned(),
            declared("imported", &main, &ALL, in_team),
            declared("imported reader", &reader, &READ, in_team),
            declared("imported revoked", &revoked, &ALL, in_team),
            declared("imported outsider", &outsider, &ALL, ""),
            declared("imported limited", &limited, &ALL, limit),
            "[[organizations]]\nname = \"Trial\"\nowner = \"olga@trial.example\"\n".to_owned(),
            "subscription = { plan = \"pro\", status = \"active\" }\n".to_owned(),
            declared("imported free", &free, &ALL, ""),
        ];
        self.apply_text("keys.toml", &text.concat());
        self.owner.revoke(&self.found("/v1/keys", "imported revoked"));
        Keys { main, reader, revoked, free, outsider, limited }
    }

    /// Creates keys of Keyhouse for the same roles, in the organizations of the imported ones.
    fn create(&self) -> Keys {
        let make = |name: &str, permissions: &[&str], more: &Value| {
            let mut fields = json!({"name": name, "kind": "service", "permissions": permissions});
            fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            self.owner.make_key(&fields)
        };
        let none = json!({});
        let limit = json!({"rate_limits": [{"name": "api", "limit": 20, "window_seconds": 10}]});
        let (main, reader) = (make("native", &ALL, &none), make("native reader", &READ, &none));
        let revoked = make("native revoked", &ALL, &none);
        self.owner.revoke(&revoked.id);
        let team = self.team();
        for key in [&main, &reader] {
            let path = format!("/v1/keys/{}/teams/{team}", key.id);
            let shared = self.owner.ask("PUT", &path, &json!({"access": "read"}));
            assert_eq!(shared.status, 200, "{shared:?}");
        }
        let trial = self.found("/v1/organizations", "Trial");
        let mut words = vec!["key", "create", "--name", "native free", "--organization", &trial];
        words.extend(ALL.iter().flat_map(|permission| ["--permission", permission]));
        let free = self.keyhouse.run_cli(&words, "");
        assert_eq!(free.code, Some(0), "{free:?}");
        Keys {
            main: main.secret,
            reader: reader.secret,
            revoked: revoked.secret,
            free: free.stdout.trim().to_owned(),
            outsider: make("native outsider", &ALL, &none).secret,
            limited: make("native limited", &ALL, &limit).secret,
        }
    }

    /// Ends the subscription of the organization `Trial`, whose plan then has no API access.
    fn end_the_trial(&self) {
        let ended = "[[organizations]]\nname = \"Trial\"\nsubscription = { plan = \"free\" }\n";
        self.apply_text("free.toml", ended);
    }

    /// The id of the item with a name.
    fn found(&self, path: &str, name: &str) -> String {
        let list = self.owner.ask("GET", path, &Value::Null).json();
        let items = list.get("items").and_then(Value::as_array).unwrap();
        let item = items.iter().find(|item| item.get("name") == Some(&json!(name)));
        let id = item.and_then(|item| item.get("id")).and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("{name}: {list}")).to_owned()
    }

    fn team(&self) -> String {
        self.found("/v1/teams", "Build")
    }

    /// Personal keys of the owner, who is in the team: what one key creates, the other may read. The first pair was
    /// imported.
    fn of_the_owner(&self) -> [[String; 2]; 2] {
        let users = self.owner.ask("GET", "/v1/users", &Value::Null).json();
        let user = users.pointer("/items/0/id").and_then(Value::as_str).unwrap();
        let path = format!("/v1/teams/{}/members/{user}", self.team());
        assert_eq!(self.owner.ask("PUT", &path, &json!({})).status, 204);
        let imported = [7, 8].map(foreign);
        let mut table = "name,key,owner,permissions\n".to_owned();
        let mut native = Vec::new();
        for (secret, permissions) in imported.iter().zip([ALL, READ]) {
            let words = permissions.join(" ");
            writeln!(table, "judge,{secret},{ADMIN_EMAIL},{words}").unwrap();
            let fields = json!({"name": "judge", "kind": "personal", "permissions": permissions});
            native.push(self.owner.make_key(&fields).secret);
        }
        let path = self.home.folder().join("judge.csv");
        fs::write(&path, table).unwrap();
        let words = ["import", "--from", "csv", path.to_str().unwrap()];
        let ended = self.keyhouse.run_cli(&words, "");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        [imported, native.try_into().unwrap()]
    }

    /// Runs a script from outside of the repository, which ends with 0 if each of its steps passes.
    fn be_judged(&self, script: &OsStr, [main, reader]: &[String; 2], keys: &Keys) {
        let mut command = self.home.command(python());
        command.arg(script).args(["127.0.0.1", &self.port.to_string(), main]);
        for (option, value) in [
            ("--read-key", reader),
            ("--revoked-key", &keys.revoked),
            ("--free-key", &keys.free),
            ("--other-key", &keys.outsider),
            ("--limit-key", &keys.limited),
            ("--team", &self.team()),
            ("--region", &REGION.to_owned()),
        ] {
            command.args([option, value]);
        }
        let ended = run(command, b"");
        println!("{}", ended.stdout);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains(" 0 failed, 0 skipped"), "{}", ended.stdout);
    }
}

#[expect(clippy::disallowed_methods, reason = "how a run is given a script")]
fn judge() -> Option<OsString> {
    std::env::var_os("KEYHOUSE_DIAGRAMS_JUDGE")
}

#[test]
fn the_real_client_works_with_imported_keys_and_with_those_of_keyhouse() {
    let stage = Stage::set();
    let sets = [(44, stage.import()), (57, stage.create())];
    stage.end_the_trial();
    for (length, keys) in &sets {
        assert!(keys.all().iter().all(|key| key.len() == *length), "{length}");
        let ended = stage.drive(&keys.json());
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), CLAIMS);
    }
    if let Some(script) = judge() {
        let of_the_owner = stage.of_the_owner();
        for ((_, keys), pair) in sets.iter().zip(&of_the_owner) {
            stage.be_judged(&script, pair, keys);
        }
    }
}
