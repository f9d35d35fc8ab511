//! Keyhouse as a library: opens the store of an instance and checks its keys without HTTP.
//!
//! The library does not manage keys. Create keys with the command line or a server, while no
//! program has the store open: only one process can open a store.

#![warn(missing_docs)]

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::backends;
use crate::config::{ConfigError, ProcessEnvironment, Settings, Written};
use crate::instance::{AssembleError, Instance, InstanceParameters};
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::limit::COST_MAX;
use crate::model::requirement::Requirement;
use crate::verify::{Checker, Code, Decision, Request, ReservationWait, WaitPayer};

/// An instance that is open in this process. Threads may share the instance.
///
/// ```no_run
/// use keyhouse::{Check, Keyhouse};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keyhouse = Keyhouse::open("/var/lib/keyhouse")?;
/// let check = Check { permissions: Some("diagrams:read".parse()?), ..Check::default() };
/// let verdict = keyhouse.verify(b"kh_live_what-the-client-presented", &check)?;
/// println!("{}", verdict.code);
/// keyhouse.close()?;
/// # Ok(())
/// # }
/// ```
pub struct Keyhouse {
    instance: Instance,
    checker: Checker<InThread>,
}

impl fmt::Debug for Keyhouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyhouse").finish_non_exhaustive()
    }
}

/// The inputs of a check, besides the secret.
#[derive(Clone, Debug)]
pub struct Check {
    /// The requirement that the key must satisfy, such as `"a:b AND (c:d OR e:f)".parse()`.
    pub permissions: Option<Requirement>,
    /// The client's address. Without an address, a key that has address rules is rejected.
    pub ip: Option<IpAddr>,
    /// Units that the call takes from the key's rate limits and quota, 0 to 1,000.
    pub cost: u32,
}

impl Default for Check {
    /// A check without a requirement and an address, at a cost of 1.
    fn default() -> Self {
        Self { permissions: None, ip: None, cost: 1 }
    }
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// [`Code::Valid`], or the code of the first rule that rejected the key.
    pub code: Code,
    /// The wait before the next call, if a rate limit or quota is used up.
    pub retry_after: Option<Duration>,
    /// The id of the key, if it was found. The key may be revoked.
    pub key: Option<KeyId>,
    /// The owner of the key. `None` for a service key, and while a former owner may have the secret:
    /// until the first rotation after a transfer.
    pub owner: Option<UserId>,
    /// The organization of the key.
    pub organization: Option<OrganizationId>,
}

impl Verdict {
    /// Whether the code is [`Code::Valid`].
    pub fn is_valid(&self) -> bool {
        self.code == Code::Valid
    }
}

/// Why an instance could not be opened or closed.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The directory has no store: the path is wrong, or the server was never started.
    #[error("no store in {0}")]
    Missing(String),
    /// Another process holds the store.
    #[error("{0}")]
    InUse(String),
    /// The directory's `keyhouse.toml` has faults.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// Any other failure, such as a damaged store, or a clock that is far behind the audit log.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
}

impl From<AssembleError> for InstanceError {
    fn from(error: AssembleError) -> Self {
        if let AssembleError::InUse(cause) = error {
            Self::InUse(cause.to_string())
        } else {
            Self::Failed(error.into())
        }
    }
}

/// Why there is no verdict. The caller must then deny the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The cost is above the maximum.
    #[error("cost must be at most {COST_MAX}")]
    Cost,
    /// The store is unavailable, or the index is behind the store. The text is the code that the
    /// server's API would return. Retry later.
    #[error("the key can't be checked now: {0}")]
    Unavailable(&'static str),
}

impl Keyhouse {
    /// Opens the instance of a data directory and starts the threads that follow its store. Opening
    /// reads the whole store, which takes seconds for a million keys.
    ///
    /// The settings come from the directory's `keyhouse.toml`, if that file exists. The environment
    /// is ignored, so settings that the server gets from flags or the environment, such as
    /// `--key-prefix`, must also be in that file.
    ///
    /// # Errors
    /// [`InstanceError`]. If the store is missing or in use, nothing was created or changed.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, InstanceError> {
        let flags = Written::of_data(directory.as_ref())?;
        let settings = Settings::new(flags, None, &ProcessEnvironment::default())?;
        if !backends::exists(&settings.storage) {
            return Err(InstanceError::Missing(directory.as_ref().display().to_string()));
        }
        let instance = Instance::open(&settings.storage, InstanceParameters::from(&settings))?;
        if let Some(behind) = instance.clock_behind() {
            tracing::warn!("{behind}; accepted");
        }
        let checker = instance.checker(InThread);
        Ok(Self { instance, checker })
    }

    /// Checks a presented secret and counts the call, as the server does: the call takes its cost from
    /// rate limits and quota, and updates the key's last use.
    ///
    /// A check reads only memory. A check blocks only to reserve quota in the store, at most 2 s
    /// each time, so do not call this method on the thread of a single-threaded async runtime.
    ///
    /// # Errors
    /// [`Undecided`]. The call was not counted.
    pub fn verify(&self, presented: &[u8], check: &Check) -> Result<Verdict, Undecided> {
        if check.cost > COST_MAX {
            return Err(Undecided::Cost);
        }
        let request = Request {
            ip: check.ip,
            requirement: check.permissions.as_ref(),
            cost: check.cost,
            ..Request::default()
        };
        let report = |decision: Decision<'_>| Verdict {
            code: decision.verdict.code,
            retry_after: decision.verdict.retry_after,
            key: decision.grant.map(|grant| grant.live.key),
            owner: decision.named_owner(),
            organization: decision.grant.map(|grant| grant.organization.id()),
        };
        self.checker
            .check(presented, &request, report)
            .map_err(|unavailable| Undecided::Unavailable(unavailable.code()))
    }

    /// Writes pending usage, returns unused quota reservations, and closes the store.
    ///
    /// Without a call of `close`, the threads hold the store until the process ends. The store is
    /// then intact, as after a crash, but reserved quota counts as used.
    ///
    /// # Errors
    /// [`InstanceError::Failed`] if the store did not close in order.
    pub fn close(self) -> Result<(), InstanceError> {
        drop(self.checker);
        self.instance.close().map_err(|error| InstanceError::Failed(error.into()))
    }
}

/// Waits on the caller's thread. In an async runtime, other tasks move to another thread meanwhile.
#[derive(Debug)]
struct InThread;

impl ReservationWait for InThread {
    fn wait(&self, _payer: WaitPayer, wait: impl FnOnce() -> bool) -> Option<bool> {
        Some(tokio::task::block_in_place(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_can_share_an_instance() {
        fn is_shared<T: Send + Sync>() {}
        is_shared::<Keyhouse>();
    }

    #[test]
    fn a_missing_store_or_a_faulty_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Keyhouse::open(folder.path().join("missing")).unwrap_err();
        assert!(matches!(missing, InstanceError::Missing(_)), "{missing}");
        std::fs::write(folder.path().join("keyhouse.toml"), "no = settings").unwrap();
        let odd = Keyhouse::open(folder.path()).unwrap_err();
        assert!(matches!(odd, InstanceError::Settings(_)), "{odd}");
    }
}
