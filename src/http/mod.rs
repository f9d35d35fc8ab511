//! HTTP: from bytes on a socket to an action, a check, a page, and back.

mod answer;
mod api;
mod check;
mod credential;
mod forwarded;
mod health;
mod input;
mod json;
mod openapi;
mod page;
mod parameters;
mod problem;
mod refusal;
mod router;
mod session;
pub mod transport;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use http::Method;
use http::request::Parts;
use ipnet::IpNet;
use rouille::{Request, Response};

use crate::actions::Actions;
use crate::actions::actor::Actor;
use crate::actions::throttle::Source;
use crate::index::{self, Index};
use crate::model::public_url::{Links, PublicUrl};
use parameters::Parameters;
use problem::Problem;
use router::{Found, Route, Run};
use transport::{Application, Arrival, Aside, Lane, Origin, Peer, Refusal, Surface};

/// What the HTTP side needs to know beside actions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where browsers reach this instance.
    pub public_url: PublicUrl,
    /// Where the page's links lead.
    pub links: Links,
    /// Whose forwarded headers count.
    pub trusted_proxies: Vec<IpNet>,
}

/// The application behind the transport.
#[derive(Debug)]
pub struct App {
    actions: Arc<Actions>,
    settings: Settings,
    stopping: AtomicBool,
    /// What the next request's id is made of; begins at random, so that ids of two starts differ.
    request_ids: AtomicU64,
    /// Checks that wait for the store to hold a reservation.
    waiting: Aside,
    /// In which second of the monotonic clock a refused proxy was last told of in the log.
    warned_at: AtomicU64,
    /// The API's description, made when it is first asked for.
    description: OnceLock<Box<str>>,
}

/// A management request on its way to its handler. Its body may hold secrets: it prints nothing.
struct Call<'a> {
    request: &'a Request,
    origin: Origin,
    /// What stood in the place of `{..}` in the route's path.
    params: Vec<&'a str>,
    body: Vec<u8>,
    /// The client's address; none where it can't be told.
    address: Option<IpAddr>,
    actor: Option<Actor>,
}

impl Call<'_> {
    /// The actor, who is known on every route that isn't open to all.
    fn actor(&self) -> Result<&Actor, Problem> {
        self.actor.as_ref().ok_or_else(Problem::no_credential)
    }

    /// The query's parameters, but for the organization, which says who acts.
    fn parameters(&self) -> Parameters {
        let parameters = Parameters::parse(self.request.raw_url());
        let names_one = self.actor.as_ref().is_some_and(Actor::is_local);
        if names_one { parameters.without_organization() } else { parameters }
    }

    /// Where the client asks from. A header that only proxies set, whatever it says, means that one
    /// stands between; where it says nothing of the kind, this host is taken for the client.
    fn source(&self) -> Source {
        let on_host = match (self.origin.surface, self.origin.peer) {
            (Surface::Control, _) => true,
            (Surface::Main | Surface::Checks, Peer::Unix) => false,
            (Surface::Main | Surface::Checks, Peer::Tcp(peer)) => {
                let forwarded =
                    self.request.headers().any(|(name, _)| forwarded::is_set_by_proxies(name));
                peer.ip().is_loopback() && !forwarded
            },
        };
        Source { address: self.address, on_host }
    }

    /// The same for people to read: from which address, and in which browser.
    fn browser(&self) -> index::Origin<'_> {
        index::Origin { ip: self.address, user_agent: self.request.header("User-Agent") }
    }

    fn param(&self, at: usize) -> &str {
        self.params.get(at).copied().unwrap_or_default()
    }
}

impl App {
    /// Puts the application together. `request_id_seed` should be random.
    pub fn new(actions: Arc<Actions>, settings: Settings, request_id_seed: u64) -> Self {
        let (stopping, request_ids) = (AtomicBool::new(false), AtomicU64::new(request_id_seed));
        let warned_at = AtomicU64::new(u64::MAX);
        let (waiting, description) = (Aside::default(), OnceLock::new());
        Self { actions, settings, stopping, request_ids, waiting, warned_at, description }
    }

    /// From now on not ready: whoever balances load sends nothing more.
    pub fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Answers a request without a transport, as the operator on the host: what the command line
    /// does where no server runs.
    pub fn answer_locally(&self, request: &Request) -> Response {
        self.handle(Origin { surface: Surface::Control, peer: Peer::Unix }, request)
    }

    fn index(&self) -> &Index {
        self.actions.index()
    }

    fn request_id(&self) -> String {
        format!("req_{:016x}", self.request_ids.fetch_add(1, Ordering::Relaxed))
    }

    fn is_trusted(&self, peer: Peer) -> bool {
        match peer {
            Peer::Unix => true,
            Peer::Tcp(address) => {
                let address = address.ip().to_canonical();
                self.settings.trusted_proxies.iter().any(|network| network.contains(&address))
            },
        }
    }

    fn answer_management(&self, origin: Origin, request: &Request) -> Result<Response, Problem> {
        let url = request.raw_url();
        let path = url.split_once('?').map_or(url, |(path, _)| path);
        let method = Method::from_bytes(request.method().as_bytes())
            .map_err(|_source| Problem::not_found())?;
        let (route, params) = match router::find(&method, path, origin.surface) {
            Found::Route { route, params } => (route, params),
            Found::MethodNotAllowed(allowed) => return Err(Problem::method_not_allowed(&allowed)),
            Found::Nothing => return Err(Problem::not_found()),
        };
        let handler = match route.run {
            Run::Manage { handler, .. }
            | Run::LongCheck { handler, .. }
            | Run::ByCaller { manage: handler, .. } => handler,
            Run::Check { .. } => return Err(Problem::not_found()),
        };
        let body = input::read_body(request)?;
        let address = self.client_address(origin, request);
        let mut call = Call { request, origin, params, body, address, actor: None };
        call.actor = self.admit(route, &call)?;
        if !route.reads_query {
            call.parameters().finish()?;
        }
        handler(self, &call)
    }

    /// Finds out who asks, as far as the route wants to know, and whether they may at all.
    fn admit(&self, route: &Route, call: &Call<'_>) -> Result<Option<Actor>, Problem> {
        match route.access {
            router::Access::Open => Ok(None),
            router::Access::Actor => self.actor(call).map(Some),
        }
    }

    fn client_address(&self, origin: Origin, request: &Request) -> Option<IpAddr> {
        let lines = request
            .headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case(forwarded::FORWARDED_FOR));
        let chain: Vec<_> = lines.map(|(_, value)| value).collect();
        self.address_behind(origin.peer, &chain)
    }

    /// The client's address: the peer's, or what a trusted peer says. `None` where a trusted peer's
    /// word can't be read: no address then fits any rule.
    fn address_behind(&self, peer: Peer, forwarded_for: &[&str]) -> Option<IpAddr> {
        let direct = match peer {
            Peer::Tcp(address) => Some(address.ip().to_canonical()),
            Peer::Unix => None,
        };
        if forwarded_for.is_empty() || !self.is_trusted(peer) {
            return direct;
        }
        forwarded::client(forwarded_for, &self.settings.trusted_proxies)
    }
}

impl Application for App {
    fn lane(&self, arrival: &Arrival<'_>) -> Lane {
        match router::find_head(arrival.parts, arrival.surface) {
            Found::Route { route, .. } => route.run.lane(self.is_sessions(&arrival.parts.headers)),
            Found::Nothing if check::is_below_gates(path_of(arrival.parts)) => {
                Lane::Check { body_bytes_max: None }
            },
            Found::MethodNotAllowed(_) | Found::Nothing => {
                Lane::Pool { body_bytes_max: input::BODY_BYTES_MAX }
            },
        }
    }

    fn check(&self, arrival: &Arrival<'_>, body: &[u8]) -> Response {
        let found = router::find_head(arrival.parts, arrival.surface);
        if let Found::Route { route, params } = found
            && let Run::Check { handler, .. } | Run::ByCaller { check: handler, .. } = route.run
        {
            handler(self, arrival, &params, body)
        } else {
            self.deny_path()
        }
    }

    fn handle(&self, origin: Origin, request: &Request) -> Response {
        let id = request_id_of(request).unwrap_or_else(|| self.request_id());
        let answer = self.answer_management(origin, request);
        let told = |problem: Problem| {
            problem.with_prices(self.settings.links.pricing.as_ref()).into_response(id)
        };
        answer::finish(answer.unwrap_or_else(told))
    }

    fn refuse(&self, arrival: &Arrival<'_>, refusal: &Refusal) -> Response {
        if check::is_check(arrival.parts) {
            return self.deny_refusal(refusal);
        }
        answer::finish(Problem::refused(refusal).into_response(self.request_id()))
    }
}

/// The request's own id, where a proxy gave it one that is fit to be repeated.
fn request_id_of(request: &Request) -> Option<String> {
    let id = request.header("X-Request-Id")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    ((1..=64).contains(&id.len()) && id.bytes().all(plain)).then(|| id.to_owned())
}

/// The path of a request's target, raw.
fn path_of(parts: &Parts) -> &str {
    parts.uri.path()
}
