//! Requests to the running server over its control socket, as the local operator.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::cli::client::{USER_AGENT, json_of, query};
use crate::cli::doctor::facts::{ArrivedFacts, ServerFacts};
use crate::cli::listing::pages;
use crate::cli::terminal::text;
use crate::http::probes::PATH;
use crate::http::transport::client::send;
use crate::model::moment::Moment;

/// Time that the server has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of organizations, and of users of each, whose operators are examined.
const ORGANIZATIONS_MAX: usize = 100;
const USERS_MAX: usize = 1_000;
const FAILED_BACKUPS: &str = "keyhouse_backup_failures_total";

/// The control socket of a server.
pub(super) struct LocalServer<'a> {
    socket: &'a Path,
    /// What the server did not answer, and why.
    not_checked: RefCell<Vec<String>>,
}

impl<'a> LocalServer<'a> {
    pub(super) fn new(socket: &'a Path) -> Self {
        Self { socket, not_checked: RefCell::default() }
    }

    /// Takes what the server did not answer so far.
    pub(super) fn not_checked(&self) -> Vec<String> {
        self.not_checked.take()
    }

    /// What the server reports of itself.
    ///
    /// # Errors
    /// If no server answers, or this user has no access to its socket.
    pub(super) fn server(&self) -> io::Result<ServerFacts> {
        let (status, ready) = self.send("/readyz")?;
        let ready = json_of(&ready);
        let not_ready = (status != 200).then(|| text(&ready, "detail"));
        let instance = self.get("/v1/instance")?;
        let is_set_up = instance.get("set_up").and_then(Value::as_bool).unwrap_or_default();
        // A server that is not ready may have no answer to these.
        let open_operators =
            if is_set_up { self.checked("operators", self.open_operators()) } else { Vec::new() };
        let newest_event =
            if is_set_up { self.checked("the clock", self.newest_event()) } else { None };
        let backup_failures = self.checked("failed backups", self.backup_failures());
        Ok(ServerFacts {
            not_ready,
            version: text(&instance, "version"),
            public_url: text(&instance, "public_url"),
            is_set_up,
            open_operators,
            newest_event,
            backup_failures,
        })
    }

    /// Starts to watch a probe. Returns whether the server watches it.
    pub(super) fn watch(&self, id: &str) -> bool {
        let watched = self.get(&probe_of(id)).map(|_nothing_yet| true);
        self.checked("what arrives of probes", watched)
    }

    /// Whether the server reported what arrived of a watched probe, and what arrived.
    pub(super) fn arrived(&self, id: &str) -> (bool, Option<ArrivedFacts>) {
        let reported = self.get(&probe_of(id)).map(|probe| (true, arrived_facts(&probe)));
        self.checked("what arrives of probes", reported)
    }

    /// Operators without a second factor, of organizations that do not require one of them.
    fn open_operators(&self) -> io::Result<Vec<String>> {
        let get = |target: String| self.get(&target);
        let mut open = Vec::new();
        let organizations = pages(ORGANIZATIONS_MAX, "/v1/organizations", &[], get)?;
        let mut is_complete = organizations.len() < ORGANIZATIONS_MAX;
        for organization in organizations {
            let required = organization.get("second_factor_required_of").and_then(Value::as_array);
            let is_required =
                |of: &str| required.is_some_and(|list| list.iter().any(|item| item == of));
            let id = text(&organization, "id");
            let users = pages(USERS_MAX, "/v1/users", &[("organization", Some(&*id))], get)?;
            is_complete &= users.len() < USERS_MAX;
            for user in users {
                let is = |name: &str| user.get(name).and_then(Value::as_bool).unwrap_or_default();
                let is_open = is("operator") && !is("totp") && !is("disabled");
                if is_open && !is_required("operator") && !is_required(&text(&user, "role")) {
                    open.push(text(&user, "email"));
                }
            }
        }
        if !is_complete {
            self.not_checked.borrow_mut().push(format!(
                "operators beyond the first {ORGANIZATIONS_MAX} organizations, and the first \
                 {USERS_MAX} users of each"
            ));
        }
        Ok(open)
    }

    fn newest_event(&self) -> io::Result<Option<Moment>> {
        let page = self.get(&format!("/v1/audit{}", query(&[("limit", Some("1"))])))?;
        let newest = page.get("items").and_then(|items| items.get(0));
        Ok(newest.and_then(|event| text(event, "at").parse().ok()))
    }

    fn backup_failures(&self) -> io::Result<u64> {
        let (_, metrics) = self.send("/metrics")?;
        let metrics = String::from_utf8_lossy(&metrics);
        let value = metrics.lines().find_map(|line| line.strip_prefix(FAILED_BACKUPS));
        Ok(value.and_then(|value| value.trim().parse().ok()).unwrap_or_default())
    }

    /// The facts, or none of them, with a line in `not_checked`.
    fn checked<T: Default>(&self, what: &str, facts: io::Result<T>) -> T {
        facts.unwrap_or_else(|error| {
            self.not_checked.borrow_mut().push(format!("{what}: {error}"));
            T::default()
        })
    }

    /// The JSON of a 200.
    fn get(&self, target: &str) -> io::Result<Value> {
        let (status, body) = self.send(target)?;
        if status == 200 {
            Ok(json_of(&body))
        } else {
            Err(io::Error::other(format!("the server answered with {status}")))
        }
    }

    fn send(&self, target: &str) -> io::Result<(u16, Vec<u8>)> {
        let request = http::Request::builder()
            .uri(target)
            .header("Host", "localhost")
            .header("User-Agent", USER_AGENT)
            .body(Vec::new())
            .map_err(io::Error::other)?;
        send(self.socket, request, TIMEOUT)
    }
}

/// The path of a probe, for the server and below the public URL.
pub(super) fn probe_of(id: &str) -> String {
    PATH.replace("{probe}", id)
}

/// `None` if no probe with this id has arrived.
fn arrived_facts(probe: &Value) -> Option<ArrivedFacts> {
    let arrived = probe.get("arrived").filter(|it| it.is_object())?;
    let texts = |name: &str| {
        let list = arrived.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Some(ArrivedFacts {
        host: text(arrived, "host"),
        peer: text(arrived, "peer").parse().ok(),
        is_trusted: arrived.get("trusted").and_then(Value::as_bool).unwrap_or_default(),
        client: text(arrived, "client").parse().ok(),
        forwarded_for: texts("forwarded_for"),
        identity_headers: texts("identity_headers"),
    })
}
