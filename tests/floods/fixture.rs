//! One running instance, its users, and the address of a stranger.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::floods::crossing;
use crate::server::wire::{Answer, Connection};
use crate::server::{Home, MadeKey, Server, Session, ask_json};

/// The gate at which one call costs as many units as one reservation holds.
pub(crate) const COSTLY: &str = "/v1/forward-auth/costly";
/// The password of every user except the first owner.
pub(crate) const PASSWORD: &str = "nine wild geese over the lake";
/// Number of keys in the owner's list.
const KEYS_IMPORTED: usize = 3_000;
const IMPORTED_AT_ONCE: usize = 500;
/// Number of keys that were transferred from one user to another.
const KEYS_TRANSFERRED: usize = 16;
/// Maximum wait of a stranger for a connection or a response.
const PATIENCE: Duration = Duration::from_secs(5);

/// The instance and its users.
pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) checks: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) owner: Session,
    pub(crate) guest: Session,
    pub(crate) user: Session,
    /// The owner of another organization.
    pub(crate) neighbour: Session,
    /// Service keys of the other organization with every permission in it.
    pub(crate) keys: Vec<MadeKey>,
    /// A key of the other organization whose calls at the costly gate each wait for a reservation.
    pub(crate) counted: MadeKey,
    /// Keys of the other organization that were transferred between two users with crossing lists,
    /// and then to the organization.
    pub(crate) transferred: Vec<String>,
    /// The address of a user who signs in again and again.
    pub(crate) visitor: String,
    /// The device cookie of the browser in which this user signed in before.
    pub(crate) device: String,
    /// A key that a gate accepts and that may look itself up.
    pub(crate) passing: MadeKey,
    doomed: Mutex<Vec<String>>,
}

impl Fixture {
    /// Starts the instance with as many keys to revoke as the test needs.
    pub(crate) fn start(doomed: usize) -> Self {
        open_many_files();
        let server = Server::start_in(
            &Home::on_disk(),
            &[
                "--trusted-proxy",
                "127.0.0.1/32",
                "--check-listen",
                "127.0.0.1:0",
                "--metrics-listen",
                "127.0.0.1:0",
                "--log",
                "keyhouse=debug",
            ],
        );
        let (checks, metrics) = (address(&server, "checks on "), address(&server, "metrics on "));
        let owner = server.sign_in();
        let guest = join(&owner, "guest", "guest");
        let user = join(&owner, "user", "user");
        let visitor = "visitor".to_owned();
        let device = join_in_browser(&owner, &visitor, "user").1;
        let neighbour = neighbour(&owner);
        let all = json!({"kind": "service", "permissions": ["*", "keyhouse:*"]});
        let transferred = transferred(&neighbour);
        let keys = (0..6).map(|_| neighbour.make_key(&all)).collect();
        let quota = json!({"limit": 1_000_000_000, "period": "month", "timezone": "UTC"});
        let counted = json!({"kind": "service", "permissions": ["*"], "quota": quota});
        let counted = neighbour.make_key(&counted);
        make_costly_gate(&owner);
        let passing = owner.make_key(&json!({
            "kind": "service",
            "permissions": ["*", "keyhouse:keys:verify"],
        }));
        let maker = owner.make_key(&json!({
            "kind": "service",
            "permissions": ["*", "keyhouse:*", "keyhouse:instance:import"],
        }));
        import(&server, &maker.secret);
        let doomed = (0..doomed).map(|_| made_by(&server, &maker.secret)).collect();
        let doomed = Mutex::new(doomed);
        Self {
            server,
            checks,
            metrics,
            owner,
            guest,
            user,
            neighbour,
            keys,
            counted,
            transferred,
            visitor,
            device,
            passing,
            doomed,
        }
    }

    /// Returns a key that was not revoked yet.
    pub(crate) fn next_doomed(&self) -> String {
        self.doomed.lock().unwrap().pop().expect("enough keys to revoke")
    }

    /// Returns the address of a listener.
    pub(crate) fn main(&self) -> SocketAddr {
        self.server.address()
    }
}

fn address(server: &Server, words: &str) -> SocketAddr {
    let line = server.log().wait_for(words).expect("a listener says where it is");
    let (_, rest) = line.split_once("http://").unwrap();
    rest.trim().parse().unwrap()
}

/// Accepts an invitation; returns the session and the browser's device cookie.
fn accept(owner: &Session, invited: &Answer) -> (Session, String) {
    assert_eq!(invited.status, 201, "{invited:?}");
    let reported = invited.json();
    let (_, token) = reported["url"].as_str().unwrap().rsplit_once("#token=").unwrap();
    let body = json!({"token": token, "name": "Somebody", "password": PASSWORD});
    let answer = ask_json(owner.address, "POST", "/v1/invitations/accept", &[], &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    let cookies = answer.headers_named("set-cookie");
    let [session, device] = cookies[..] else { panic!("{answer:?}") };
    let pair = |line: &str| line.split(';').next().unwrap().to_owned();
    (Session { address: owner.address, cookie: pair(session) }, pair(device))
}

fn join(owner: &Session, name: &str, role: &str) -> Session {
    join_in_browser(owner, name, role).0
}

fn join_in_browser(owner: &Session, name: &str, role: &str) -> (Session, String) {
    let body = json!({"email": format!("{name}@example.com"), "role": role});
    accept(owner, &owner.ask("POST", "/v1/invitations", &body))
}

/// Adds a user whose role holds a list of patterns that cross.
fn join_crossing(owner: &Session, name: &str) -> (Session, String) {
    let mut list: Vec<String> = (0..96).map(|number| crossing(name, number)).collect();
    list.push("keyhouse:keys:create".to_owned());
    let role = json!({"name": format!("role {name}"), "permissions": list});
    let role = owner.ask("POST", "/v1/roles", &role);
    assert_eq!(role.status, 201, "{role:?}");
    let user = join(owner, name, role.json()["id"].as_str().unwrap());
    let id = user.ask("GET", "/v1/session", &Value::Null).json()["user"]["id"].clone();
    (user, id.as_str().unwrap().to_owned())
}

/// Creates keys whose grant is bounded by three lists that cross each other.
fn transferred(owner: &Session) -> Vec<String> {
    let [(first, first_id), (_, second_id)] = ["d", "e"].map(|name| join_crossing(owner, name));
    let list: Vec<String> = (0..96).map(|number| crossing("d", number)).collect();
    let made = || first.make_key(&json!({"kind": "personal", "permissions": list})).id;
    let keys = (0..KEYS_TRANSFERRED).map(|_| made()).collect();
    for (user, disposition) in [(&first_id, second_id.as_str()), (&second_id, "organization")] {
        let path = format!("/v1/users/{user}?keys=transfer&to={disposition}");
        let removed = owner.ask("DELETE", &path, &Value::Null);
        assert_eq!(removed.status, 204, "{removed:?}");
    }
    keys
}

fn make_costly_gate(owner: &Session) {
    let any = json!({"path": "/**", "permissions": "a:b"});
    let made =
        owner.ask("POST", "/v1/gates", &json!({"name": "costly", "cost": 1_000, "routes": [any]}));
    assert_eq!(made.status, 201, "{made:?}");
}

fn neighbour(owner: &Session) -> Session {
    let body = json!({"name": "b", "plan": "enterprise", "owner_email": "owner@b.example"});
    accept(owner, &owner.ask("POST", "/v1/organizations", &body)).0
}

fn import(server: &Server, secret: &str) {
    let bearer = format!("Bearer {secret}");
    for from in (0..KEYS_IMPORTED).step_by(IMPORTED_AT_ONCE) {
        let key = |number: usize| {
            let digest = blake3::hash(&number.to_be_bytes()).to_hex();
            json!({
                "name": format!("key {number}"),
                "algorithm": "blake3",
                "digest": digest.as_str(),
                "permissions": ["a:b"],
            })
        };
        let keys: Vec<Value> = (from..from + IMPORTED_AT_ONCE).map(key).collect();
        let body = json!({"keys": keys});
        let answer =
            server.ask_json("POST", "/v1/keys/import", &[("Authorization", &bearer)], &body);
        assert_eq!(answer.status, 201, "{answer:?}");
    }
}

fn made_by(server: &Server, secret: &str) -> String {
    let bearer = format!("Bearer {secret}");
    let body = json!({"kind": "service", "permissions": ["a:b"]});
    let answer = server.ask_json("POST", "/v1/keys", &[("Authorization", &bearer)], &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["key"]["id"].as_str().unwrap().to_owned()
}

/// A connection from another address of this host, which is not that of a trusted proxy.
pub(crate) fn stranger(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends bytes; returns an error if the connection is refused.
pub(crate) fn send_all(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)
}

/// Formats a request of method, path, header lines and body.
type Asked<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8]);

/// Sends a request on a kept connection, and opens another connection if the server closed the
/// first.
pub(crate) fn ask_again(
    line: &mut Option<Connection>,
    to: SocketAddr,
    (method, path, headers, body): Asked<'_>,
) -> Option<Answer> {
    if line.is_none() {
        *line = Connection::try_open(to).ok();
    }
    let answered = line.as_mut().and_then(|it| it.try_ask(method, path, headers, body).ok());
    if answered.as_ref().is_none_or(|answer| answer.header("connection") == Some("close")) {
        *line = None;
    }
    answered
}

/// Whether a response or the end of the connection arrived on an idle connection.
pub(crate) fn has_ended(line: &TcpStream) -> bool {
    line.set_nonblocking(true).unwrap();
    let came = line.peek(&mut [0]);
    line.set_nonblocking(false).unwrap();
    came.map_or_else(|error| error.kind() != io::ErrorKind::WouldBlock, |_bytes| true)
}

/// Raises the limit of open connections of this process and its server to the system's maximum.
fn open_many_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}
