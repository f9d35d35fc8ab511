//! Keyhouse inside another program: the store of an instance, opened in process, and its keys verified
//! without HTTP.
//!
//! It deliberately manages nothing: keys are made with the command line or a server, which both must
//! be closed meanwhile, since one process at a time holds a store.

#![warn(missing_docs)]

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use crate::backends;
use crate::cli::instance::{Instance, OpenFailure};
use crate::config::{ConfigError, Environment, Settings, Written};
use crate::http::App;
use crate::http::transport::TrustedProxies;
use crate::index::grant::Grant;
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::model::limit::COST_MAX;
use crate::model::public_url::PublicUrl;
use crate::model::requirement::Requirement;
use crate::verify::{Code, Request};

/// An instance in this process. It may be asked from many threads at once.
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
    app: App,
}

impl fmt::Debug for Keyhouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyhouse").finish_non_exhaustive()
    }
}

/// What is asked of a key.
#[derive(Clone, Debug)]
pub struct Check {
    /// What it must be granted, such as `"a:b AND (c:d OR e:f)".parse()`.
    pub permissions: Option<Requirement>,
    /// The client's address. A key with address rules is refused without one.
    pub ip: Option<IpAddr>,
    /// How much is drawn from its limits, 0 to 1,000.
    pub cost: u32,
}

impl Default for Check {
    /// A valid key, at a cost of 1.
    fn default() -> Self {
        Self { permissions: None, ip: None, cost: 1 }
    }
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// [`Code::Valid`], or the first rule that refused.
    pub code: Code,
    /// How long a limit is used up.
    pub retry_after: Option<Duration>,
    /// The key, where there is one; it may be revoked.
    pub key: Option<KeyId>,
    /// Its owner; a service key has none.
    pub owner: Option<UserId>,
    /// The organization that it belongs to.
    pub organization: Option<OrganizationId>,
}

impl Verdict {
    /// Whether the call may pass.
    pub fn is_valid(&self) -> bool {
        self.code == Code::Valid
    }
}

/// Why an instance could not be opened or closed.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// There is no store: the path is wrong, or the instance was never started.
    #[error("no store in {0}")]
    Missing(String),
    /// Another process holds the store.
    #[error("{0}")]
    InUse(String),
    /// Its `keyhouse.toml` can't be used.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// Anything else, such as damage.
    #[error("{0}")]
    Failed(String),
}

/// Why there is no verdict. Whoever asked is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The cost is more than may be drawn at once.
    #[error("cost must be at most {COST_MAX}")]
    Cost,
    /// The store does not answer, or the index has not caught up with it; the same codes as the
    /// server's. Worth another try.
    #[error("no decision is possible now: {0}")]
    Unavailable(&'static str),
}

impl Keyhouse {
    /// Opens the instance of a data directory, with the `keyhouse.toml` in it where there is one, and
    /// starts the threads that follow its store. What a server is told by flags or its environment, such
    /// as another `--key-prefix`, is not known here: it belongs into that file. Reads all of the store:
    /// seconds for a million keys.
    ///
    /// # Errors
    /// [`InstanceError`]; nothing was made or changed where there is no store, or it is in use.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, InstanceError> {
        let flags = Written { data: Some(directory.as_ref().to_owned()), ..Written::default() };
        let settings = Settings::new(flags, None, &Environment::default())?;
        if !backends::exists(&settings.storage) {
            return Err(InstanceError::Missing(directory.as_ref().display().to_string()));
        }
        let instance = Instance::open(&settings).map_err(|failure| match failure {
            OpenFailure::InUse(said) => InstanceError::InUse(said),
            OpenFailure::Other(failure) => InstanceError::Failed(failure.into_said()),
        })?;
        // Nobody is told of it: no link is made here.
        let public_url = settings.public_url.clone().map_or_else(nowhere, Ok)?;
        let app = instance.app(&settings, public_url, TrustedProxies::default());
        let app = app.map_err(|failure| InstanceError::Failed(failure.into_said()))?;
        Ok(Self { instance, app })
    }

    /// Decides about a presented text and counts the call, as a server does: limits are drawn from,
    /// the use is noted.
    ///
    /// Reads memory alone, and blocks only where a quota must be reserved in the store: at most 2 s
    /// each time. Not for the thread of a single-threaded async runtime.
    ///
    /// # Errors
    /// [`Undecided`], with nothing drawn.
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
        let told = |code, retry_after, grant: Option<&Grant>| Verdict {
            code,
            retry_after,
            key: grant.map(|grant| grant.live.key),
            owner: grant.and_then(|grant| Some(grant.owner.as_ref()?.facts().id)),
            organization: grant.map(|grant| grant.organization.load().id),
        };
        self.app.decide_in_process(presented, &request, told).map_err(Undecided::Unavailable)
    }

    /// Writes the uses that wait, gives back what was reserved and not used, and lets go of the store.
    /// Without this, its threads hold the store until the process ends, and leave it as a crash would:
    /// whole, but what was reserved counts as used.
    ///
    /// # Errors
    /// [`InstanceError::Failed`] where the store did not close in order.
    pub fn close(self) -> Result<(), InstanceError> {
        drop(self.app);
        self.instance.close().map_err(|failure| InstanceError::Failed(failure.into_said()))
    }
}

fn nowhere() -> Result<PublicUrl, InstanceError> {
    let url = format!("http://{}", Ipv4Addr::LOCALHOST).parse();
    url.map_err(|error: crate::model::public_url::InvalidPublicUrl| {
        InstanceError::Failed(error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_may_share_one() {
        fn is_shared<T: Send + Sync>() {}
        is_shared::<Keyhouse>();
    }

    #[test]
    fn what_is_no_instance_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Keyhouse::open(folder.path().join("nowhere")).unwrap_err();
        assert!(matches!(missing, InstanceError::Missing(_)), "{missing}");
        std::fs::write(folder.path().join("keyhouse.toml"), "no = settings").unwrap();
        let odd = Keyhouse::open(folder.path()).unwrap_err();
        assert!(matches!(odd, InstanceError::Settings(_)), "{odd}");
    }
}
