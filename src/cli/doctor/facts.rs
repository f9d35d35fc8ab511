//! What the rules examine: facts that were read before, without a judgement.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Settings, UnknownVariable};
use crate::model::moment::Moment;

/// All facts about an instance. Facts that could not be read are `None`, and `not_checked` says why.
#[derive(Debug)]
pub(super) struct HostFacts {
    pub(super) now: Moment,
    pub(super) settings: Settings,
    pub(super) unknown_variables: Vec<UnknownVariable>,
    pub(super) files: Vec<FileFacts>,
    pub(super) disks: Vec<DiskFacts>,
    /// `None` without a schedule.
    pub(super) backups: Option<BackupFacts>,
    /// Names of trusted proxies that do not resolve.
    pub(super) unresolved: Vec<String>,
    /// Whether no server answers on the control socket.
    pub(super) is_down: bool,
    /// `None` if no server answers, or if this user has no access to its socket.
    pub(super) server: Option<ServerFacts>,
    pub(super) process: Option<ProcessFacts>,
    /// `None` without a public URL.
    pub(super) public: Option<PublicFacts>,
    pub(super) gates: Vec<GateFacts>,
    /// What was not examined, and why.
    pub(super) not_checked: Vec<String>,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileRole {
    DataDirectory,
    Store,
    SealKey,
    /// The settings file, or a configuration file that is applied at each start.
    Configuration,
    Password,
    BackupDirectory,
}

#[derive(Clone, Debug)]
pub(super) struct FileFacts {
    pub(super) role: FileRole,
    pub(super) path: PathBuf,
    /// The permission bits.
    pub(super) mode: u32,
    /// The user id of the owner.
    pub(super) owner: u32,
}

/// The file system of a directory.
#[derive(Clone, Debug)]
pub(super) struct DiskFacts {
    pub(super) directory: PathBuf,
    pub(super) free_bytes: u64,
    /// The size of the store.
    pub(super) store_bytes: u64,
}

#[derive(Clone, Debug)]
pub(super) struct BackupFacts {
    pub(super) directory: PathBuf,
    pub(super) every: Duration,
    pub(super) newest: Option<Moment>,
    pub(super) is_encrypted: bool,
    /// Whether the directory is on the file system of the store.
    pub(super) is_beside_store: bool,
}

/// What the running server reports.
#[derive(Clone, Debug)]
pub(super) struct ServerFacts {
    /// Why the server is not ready; `None` if it is.
    pub(super) not_ready: Option<String>,
    pub(super) version: String,
    pub(super) public_url: String,
    pub(super) is_set_up: bool,
    /// Email addresses of operators who can sign in with a password alone.
    pub(super) open_operators: Vec<String>,
    /// The time of the newest audit event.
    pub(super) newest_event: Option<Moment>,
    /// The number of scheduled backups that failed since the start.
    pub(super) backup_failures: u64,
}

/// The process of the running server.
#[derive(Clone, Debug)]
pub(super) struct ProcessFacts {
    /// The effective user id.
    pub(super) user: u32,
    /// Limit of open files. `None`: unlimited.
    pub(super) open_files: Option<u64>,
    /// Limit of the size of core dumps in bytes. `None`: unlimited.
    pub(super) core_bytes: Option<u64>,
}

/// What the requests to the public URL brought.
#[derive(Clone, Debug)]
pub(super) struct PublicFacts {
    pub(super) url: String,
    /// The answer to a probe, or why there is none.
    pub(super) answer: Result<ProbeAnswer, String>,
    /// Whether the server watched the probe, and reported what arrived.
    pub(super) is_watched: bool,
    /// What arrived of the probe.
    pub(super) arrived: Option<ArrivedFacts>,
    /// Whether the page has a `Content-Security-Policy`. `None` if there is no page.
    pub(super) page_has_policy: Option<bool>,
    /// The answer to plain HTTP, if the URL is HTTPS on the standard port.
    pub(super) plain: Option<ProbeAnswer>,
}

/// A response to a probe.
#[derive(Clone, Debug, Default)]
pub(super) struct ProbeAnswer {
    pub(super) status: u16,
    /// The challenges of `WWW-Authenticate`.
    pub(super) challenges: String,
    pub(super) content_type: String,
    pub(super) cache_control: String,
    /// Whether a cache added `Age`.
    pub(super) has_age: bool,
    pub(super) date: Option<Moment>,
    pub(super) location: String,
    /// The code of a problem.
    pub(super) code: String,
    /// The explanation of a problem.
    pub(super) detail: String,
}

/// What arrived of a probe at the server.
#[derive(Clone, Debug, Default)]
pub(super) struct ArrivedFacts {
    pub(super) host: String,
    /// The address of the proxy. `None`: a Unix socket.
    pub(super) peer: Option<IpAddr>,
    pub(super) is_trusted: bool,
    /// The address that the server takes for the client's.
    pub(super) client: Option<IpAddr>,
    pub(super) forwarded_for: Vec<String>,
    pub(super) identity_headers: Vec<String>,
}

/// What a probe of a gate brought.
#[derive(Clone, Debug)]
pub(super) struct GateFacts {
    pub(super) url: String,
    pub(super) answer: Result<ProbeAnswer, String>,
    /// The identity headers of the client that reached the check.
    pub(super) identity_headers: Vec<String>,
}

impl HostFacts {
    /// The value of a setting as it is used; empty if it has none.
    pub(super) fn setting(&self, key: &str) -> &str {
        let used = self.settings.used.iter().find(|it| it.setting.key == key);
        used.and_then(|it| it.value.as_deref()).unwrap_or_default()
    }
}
