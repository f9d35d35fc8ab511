//! The application's state, and requests as handlers receive them.
//!
//! The routes are not part of the state: [`crate::http::application`] connects the two.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use rouille::Request;

use crate::actions::Actions;
use crate::actions::actor::Actor;
use crate::actions::pace::Paces;
use crate::actions::signing_in::throttle::Source;
use crate::http::encoding::Encoded;
use crate::http::hourly::Hourly;
use crate::http::input::Fields;
use crate::http::metrics::counts::HttpCounts;
use crate::http::parameters::Parameters;
use crate::http::path_params::PathParams;
use crate::http::probes::Probes;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::http::transport::{Arrival, BlockInPlace, Peer, RequestOrigin, TrustedProxies};
use crate::index::{self, Index};
use crate::model::pace::Pace;
use crate::model::public_url::{Links, PublicUrl};
use crate::verify::Checker;

/// Settings of the HTTP side.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The URL at which browsers reach this instance.
    pub public_url: PublicUrl,
    /// Targets of the page's links; see [`App::set_links`].
    pub links: Links,
    /// The proxies whose forwarded headers are read.
    pub trusted_proxies: TrustedProxies,
}

/// The application behind the transport.
#[derive(Debug)]
pub struct App {
    pub(super) actions: Arc<Actions>,
    pub(super) settings: HttpSettings,
    pub(super) links: ArcSwap<Links>,
    pub(super) stopping: AtomicBool,
    /// Number of the next request id. The first number is random, so that the ids of two starts
    /// differ.
    pub(super) request_ids: AtomicU64,
    /// Checks keys. It counts the checks that wait for the store to write a reservation.
    pub(super) checker: Checker<BlockInPlace>,
    pub(super) counts: HttpCounts,
    /// The second of the monotonic clock in which a rejected proxy request was last logged.
    pub(super) warned_at: AtomicU64,
    /// Limits on the changes of each actor.
    pub(super) paces: Paces,
    /// The warning that a trusted proxy sent no `X-Forwarded-For`.
    pub(super) unforwarded: Hourly,
    /// The warning that a browser's Host is not the public name.
    pub(super) misdirected: Hourly,
    /// The probes that an operator watches.
    pub(super) probes: Probes,
    /// The `OpenAPI` document, created on the first request for it.
    pub(super) description: OnceLock<Encoded>,
}

/// A request of a check endpoint, for its handler on the event loop.
#[derive(Debug)]
pub(super) struct CheckCall<'a> {
    pub(super) arrival: &'a Arrival<'a>,
    /// The values of the path parameters.
    pub(super) params: PathParams,
    pub(super) id: RequestId,
    pub(super) body: &'a [u8],
}

/// A management request for its handler. The type has no `Debug`, since the body may contain
/// secrets.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) origin: RequestOrigin,
    /// The values of the path parameters.
    pub(super) params: PathParams,
    pub(super) body: Vec<u8>,
    /// The client's address; `None` if it is unknown.
    pub(super) address: Option<IpAddr>,
    /// Whether the client runs on this host.
    pub(super) on_host: bool,
    pub(super) actor: Option<Actor>,
}

impl CheckCall<'_> {
    /// The gate in the path. Routes of check endpoints have no other parameter.
    pub(super) fn gate(&self) -> Option<&str> {
        self.params.get(0, self.arrival.parts.uri.path())
    }
}

impl Call<'_> {
    /// The actor. Every request of a route that requires authentication has an actor.
    pub(super) fn actor(&self) -> Result<&Actor, Problem> {
        self.actor.as_ref().ok_or_else(Problem::no_credential)
    }

    /// The query's parameters. The local operator's `organization` is left out, since it selects
    /// the actor.
    pub(super) fn parameters(&self) -> Parameters {
        let parameters = Parameters::parse(self.request.raw_url());
        let names_one = self.actor.as_ref().is_some_and(Actor::is_local);
        if names_one { parameters.without_organization() } else { parameters }
    }

    /// Reads the query with `read`. Unknown parameters are faults.
    pub(super) fn query<T>(&self, read: impl FnOnce(&mut Parameters) -> T) -> Result<T, Problem> {
        let mut parameters = self.parameters();
        let value = read(&mut parameters);
        parameters.finish()?;
        Ok(value)
    }

    /// Reads the JSON body with `read`. Unknown fields are faults.
    pub(super) fn read<T>(&self, read: impl FnOnce(&mut Fields) -> T) -> Result<T, Problem> {
        let mut fields = Fields::parse(self.request.header("Content-Type"), &self.body)?;
        let value = read(&mut fields);
        fields.finish().map_err(Problem::invalid)?;
        Ok(value)
    }

    /// Reads a JSON body with required fields. `read` returns `None` only if a required field is
    /// missing or has a fault.
    pub(super) fn read_required<T>(
        &self,
        read: impl FnOnce(&mut Fields) -> Option<T>,
    ) -> Result<T, Problem> {
        self.read(read)?.ok_or_else(|| Problem::invalid(Vec::new()))
    }

    pub(super) fn source(&self) -> Source {
        Source { address: self.address, on_host: self.on_host }
    }

    /// The client's address and user agent, for people to read.
    pub(super) fn browser(&self) -> index::CallOrigin<'_> {
        index::CallOrigin {
            ip: self.address,
            user_agent: self.user_agent(),
            ..index::CallOrigin::default()
        }
    }

    /// The `User-Agent`, if it is visible ASCII. Checks have the same rule.
    pub(super) fn user_agent(&self) -> Option<&str> {
        let is_visible = |text: &&str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        self.request.header("User-Agent").filter(is_visible)
    }

    pub(super) fn param(&self, at: usize) -> &str {
        self.params.get(at, self.request.raw_url()).unwrap_or_default()
    }
}

impl App {
    /// Creates the application. `request_id_seed` should be random.
    pub fn new(actions: Arc<Actions>, settings: HttpSettings, request_id_seed: u64) -> Self {
        let (stopping, request_ids) = (AtomicBool::new(false), AtomicU64::new(request_id_seed));
        let warned_at = AtomicU64::new(u64::MAX);
        let (index, clock) = (Arc::clone(actions.index()), Arc::clone(actions.clock()));
        let checker = Checker::new(index, clock, BlockInPlace::default());
        let description = OnceLock::new();
        let counts = HttpCounts::new();
        let paces = Paces::new(Pace::OFF, Pace::OFF);
        let (unforwarded, misdirected) = (Hourly::default(), Hourly::default());
        let links = ArcSwap::from_pointee(settings.links.clone());
        Self {
            actions,
            settings,
            links,
            stopping,
            request_ids,
            checker,
            counts,
            warned_at,
            paces,
            unforwarded,
            misdirected,
            probes: Probes::default(),
            description,
        }
    }

    /// Replaces the targets of the page's links.
    pub fn set_links(&self, links: Links) {
        self.links.store(Arc::new(links));
    }

    /// Sets the limits on changes with a session and on changes with a key.
    #[must_use]
    pub fn paced_by(self, sessions: Pace, keys: Pace) -> Self {
        self.set_paces(sessions, keys);
        self
    }

    /// Changes the limits on changes.
    pub fn set_paces(&self, sessions: Pace, keys: Pace) {
        self.paces.set(sessions, keys);
    }

    /// Makes `/readyz` answer 503 from now on, so that load balancers send no more requests.
    pub fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// The path of a route as clients outside the proxy see it, for the header `Location`.
    pub(super) fn location(&self, route_path: &str) -> String {
        format!("{}{route_path}", self.settings.public_url.path())
    }

    pub(super) fn index(&self) -> &Index {
        self.actions.index()
    }

    /// The places for checks that wait.
    pub(super) fn waits(&self) -> &BlockInPlace {
        self.checker.waits()
    }

    pub(super) fn is_trusted(&self, peer: Peer) -> bool {
        match peer {
            Peer::Unix => true,
            Peer::Tcp(address) => self.settings.trusted_proxies.contains(address.ip()),
        }
    }
}
