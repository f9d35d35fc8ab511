//! The API: which handler answers which method and path.
//!
//! Paths are compared as the client sent them. A path with a percent escape, an empty segment or a dot segment has no
//! handler, so that the service and the gate cannot read a path differently.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use uuid::Uuid;

use crate::accounts::minimal_policy;
use crate::answer::{Answer, Request};
use crate::budget::prices::Prices;
use crate::caller::Caller;
use crate::inventory::Inventory;
use crate::places::Places;
use crate::pool::Pool;
use crate::profile;
use crate::refusal::Refusal;
use crate::scans::Scans;
use crate::snapshots::{SnapshotPath, WAITS_MAX, Wait};
use crate::store::records::{Cloud, CloudPlace};
use crate::store::{Store, id_in};

/// What an operator chooses.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The number of rendering threads.
    pub workers: usize,
    /// The most rendering jobs that wait for a thread.
    pub waiting_max: usize,
    /// The AWS account from which this service reads other accounts.
    pub aws_account: String,
    /// The longest time that a request for a snapshot waits for the scan of its account.
    pub snapshot_wait: Duration,
}

/// Reads the inventory of an account of a cloud, with its client secret, in a region. Blocks for a bounded time. An error
/// is a text for the caller, and has no secret.
pub type Scanner =
    Box<dyn Fn(&CloudPlace, Option<&str>, &str) -> Result<Inventory, String> + Send + Sync>;

/// Time, ids and clouds, which tests replace.
pub struct Sources {
    /// Milliseconds since 1970.
    pub now_ms: Box<dyn Fn() -> i64 + Send + Sync>,
    pub id: Box<dyn Fn() -> Uuid + Send + Sync>,
    pub scanner: Scanner,
}

/// The API over a store.
pub struct Application {
    pub(crate) store: Store,
    pub(crate) prices: Arc<Prices>,
    pub(crate) settings: Settings,
    pub(crate) sources: Arc<Sources>,
    pub(crate) pool: Pool,
    pub(crate) scans: Arc<Scans>,
    /// The places of requests that wait for scans.
    pub(crate) waits: Arc<Places>,
    /// Held while a request with a body is handled.
    body: Mutex<()>,
}

/// What a handler has done.
#[derive(Debug)]
pub(crate) enum Turn {
    Answered(Answer),
    /// The request waits for something that takes long. Its handler is called again after the wait.
    Waiting(Wait),
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint<'a> {
    Health,
    User,
    Teams,
    Blueprints,
    Blueprint(Uuid),
    Export(Uuid, &'a str),
    Budget(Uuid, &'a str),
    Accounts(Cloud),
    Account(Cloud, Uuid),
    Snapshot(SnapshotPath<'a>),
    IamParameters,
    MinimalPolicy,
}

impl Application {
    /// Starts the rendering threads.
    pub fn start(
        store: Store,
        prices: Prices,
        settings: Settings,
        sources: Sources,
    ) -> std::io::Result<Self> {
        let pool = Pool::start(settings.workers, settings.waiting_max)?;
        let sources = Arc::new(sources);
        Ok(Self {
            store,
            prices: Arc::new(prices),
            settings,
            scans: Scans::of(Arc::clone(&sources)),
            sources,
            pool,
            waits: Places::of(WAITS_MAX),
            body: Mutex::default(),
        })
    }

    /// The requests that may be in work at once: some more than may render or wait for it.
    pub(crate) fn requests_max(&self) -> usize {
        self.settings.workers + self.settings.waiting_max + 8
    }

    /// The longest time between the turns of a request.
    pub(crate) fn wait_max(&self) -> Duration {
        self.settings.snapshot_wait
    }

    /// Answers a request. Blocks until a change is on disk, a picture is drawn, or an account is scanned.
    pub fn answer(&self, request: &Request) -> Answer {
        match self.first_turn(request) {
            Turn::Answered(answer) => answer,
            Turn::Waiting(wait) => {
                wait.block(self.wait_max());
                self.last_turn(request, &wait)
            },
        }
    }

    /// Answers a request, or says for what it waits. Blocks for a short time only.
    pub(crate) fn first_turn(&self, request: &Request) -> Turn {
        self.handle(request, None).unwrap_or_else(|refusal| Turn::Answered(refusal.into_answer()))
    }

    /// Answers a request that has waited, whether or not the wait ended.
    pub(crate) fn last_turn(&self, request: &Request, wait: &Wait) -> Answer {
        match self.handle(request, Some(wait)) {
            Ok(Turn::Answered(answer)) => answer,
            Ok(Turn::Waiting(_)) => {
                Refusal::Internal("a request waits twice".to_owned()).into_answer()
            },
            Err(refusal) => refusal.into_answer(),
        }
    }

    fn handle(&self, request: &Request, waited: Option<&Wait>) -> Result<Turn, Refusal> {
        let endpoint = Endpoint::of(&request.path).ok_or(Refusal::NotFound)?;
        let method = endpoint.method(&request.method)?;
        if endpoint == Endpoint::Health {
            let answer = Answer::json(200, &serde_json::json!({"status": "ok"}));
            return Ok(Turn::Answered(answer));
        }
        let caller = &Caller::of(&request.headers)?;
        if let Endpoint::Snapshot(path) = endpoint {
            return self.snapshot(request, path, caller, waited);
        }
        self.answer_at((endpoint, method), request, caller).map(Turn::Answered)
    }

    fn answer_at(
        &self,
        (endpoint, method): (Endpoint<'_>, &Method),
        request: &Request,
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        // A parsed body takes up to 100 times its length, such as 200 MiB for 2 MiB of small objects. The store makes
        // its changes one after the other, so that parsing in the same order costs little.
        let has_body = *method == Method::POST || *method == Method::PUT;
        let _turn = has_body.then(|| self.body.lock().unwrap_or_else(PoisonError::into_inner));
        match (endpoint, method) {
            (Endpoint::User, _) => self.user(caller),
            (Endpoint::Teams, _) => Ok(profile::teams(caller)),
            (Endpoint::Blueprints, &Method::GET) => self.list_blueprints(caller),
            (Endpoint::Blueprints, &Method::POST) => self.create_blueprint(request, caller),
            (Endpoint::Blueprint(id), &Method::GET) => self.read_blueprint(&id, caller),
            (Endpoint::Blueprint(id), &Method::PUT) => self.update_blueprint(request, &id, caller),
            (Endpoint::Blueprint(id), &Method::DELETE) => {
                self.delete_blueprint(request, &id, caller)
            },
            (Endpoint::Export(id, format), _) => self.export(request, (&id, format), caller),
            (Endpoint::Budget(id, format), _) => self.budget(request, (&id, format), caller),
            (Endpoint::Accounts(cloud), &Method::GET) => self.list_accounts(cloud, caller),
            (Endpoint::Accounts(cloud), &Method::POST) => {
                self.create_account(request, cloud, caller)
            },
            (Endpoint::Account(cloud, id), &Method::PUT) => {
                self.update_account(request, (cloud, &id), caller)
            },
            (Endpoint::Account(cloud, id), &Method::DELETE) => {
                self.delete_account((cloud, &id), caller)
            },
            (Endpoint::IamParameters, _) => Ok(self.iam_parameters(caller)),
            (Endpoint::MinimalPolicy, _) => Ok(minimal_policy()),
            // `handle` has answered the first two, and `Endpoint::method` has refused other methods.
            (
                Endpoint::Health
                | Endpoint::Snapshot(_)
                | Endpoint::Blueprints
                | Endpoint::Blueprint(_)
                | Endpoint::Accounts(_)
                | Endpoint::Account(..),
                _,
            ) => Err(Refusal::NotFound),
        }
    }
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

impl<'a> Endpoint<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        Some(match *segments.as_slice() {
            ["healthz"] => Self::Health,
            ["user", "me"] => Self::User,
            ["team"] => Self::Teams,
            ["blueprint"] => Self::Blueprints,
            ["blueprint", id] => Self::Blueprint(id_in(id)?),
            ["blueprint", id, format] => Self::Export(id_in(id)?, format),
            ["blueprint", id, "budget", format] => Self::Budget(id_in(id)?, format),
            // This name is in the place of an id, so it comes first.
            ["aws", "account", "iamParameters"] => Self::IamParameters,
            ["aws", "account", "iamParameters", "policy", "minimal"] => Self::MinimalPolicy,
            [cloud, "account"] => Self::Accounts(cloud_in(cloud)?),
            [cloud, "account", id] => Self::Account(cloud_in(cloud)?, id_in(id)?),
            [cloud, "account", id, region, format] if !region.is_empty() => {
                let (cloud, id) = (cloud_in(cloud)?, id_in(id)?);
                Self::Snapshot(SnapshotPath { cloud, id, region, format })
            },
            _ => return None,
        })
    }

    /// The method by which a handler is found: GET for HEAD.
    fn method(&self, method: &'a Method) -> Result<&'a Method, Refusal> {
        let allowed = match self {
            Self::Blueprints | Self::Accounts(_) => "GET, HEAD, POST",
            Self::Blueprint(_) => "GET, HEAD, PUT, DELETE",
            Self::Account(..) => "PUT, DELETE",
            Self::Health
            | Self::User
            | Self::Teams
            | Self::Export(..)
            | Self::Budget(..)
            | Self::Snapshot(..)
            | Self::IamParameters
            | Self::MinimalPolicy => "GET, HEAD",
        };
        if !allowed.split(", ").any(|name| name == method.as_str()) {
            return Err(Refusal::Method(allowed));
        }
        Ok(if method == Method::HEAD { &Method::GET } else { method })
    }
}

fn cloud_in(segment: &str) -> Option<Cloud> {
    [Cloud::Aws, Cloud::Azure].into_iter().find(|cloud| cloud.name() == segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

    #[test]
    fn a_path_has_one_meaning_or_none() {
        let id = Uuid::parse_str(ID).unwrap();
        let snapshot = SnapshotPath { cloud: Cloud::Azure, id, region: "eastus", format: "png" };
        for (path, endpoint) in [
            ("/user/me", Some(Endpoint::User)),
            ("/blueprint", Some(Endpoint::Blueprints)),
            ("/blueprint/ID", Some(Endpoint::Blueprint(id))),
            ("/blueprint/ID/svg", Some(Endpoint::Export(id, "svg"))),
            ("/blueprint/ID/budget/csv", Some(Endpoint::Budget(id, "csv"))),
            ("/aws/account/iamParameters", Some(Endpoint::IamParameters)),
            ("/azure/account/iamParameters", None),
            ("/aws/account/ID", Some(Endpoint::Account(Cloud::Aws, id))),
            ("/azure/account/ID/eastus/png", Some(Endpoint::Snapshot(snapshot))),
            ("/azure/account/ID//png", None),
            ("/gcp/account", None),
            ("/blueprint/", None),
            ("/blueprint//ID", None),
            ("/blueprint/../user/me", None),
            ("/%62lueprint", None),
            ("/blueprint/not-an-id", None),
            ("blueprint", None),
            ("/", None),
        ] {
            assert_eq!(Endpoint::of(&path.replace("ID", ID)), endpoint, "{path}");
        }
    }
}
