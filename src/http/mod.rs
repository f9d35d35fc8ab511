//! HTTP: from bytes on a socket to an action, a check, a page, and back.

mod action_errors;
mod admission;
mod answer;
mod api;
mod challenge;
mod check;
mod client;
mod credential;
mod encoding;
mod forwarded;
mod health;
mod input;
mod json;
mod metrics;
mod openapi;
mod page;
mod parameters;
mod passage;
mod problem;
mod refusal;
mod route;
mod router;
mod session;
pub mod transport;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{HeaderMap, Method};
use rouille::{Request, Response};

use crate::actions::Actions;
use crate::actions::actor::Actor;
use crate::actions::pace::Paces;
use crate::actions::throttle::Source;
use crate::index::{self, Index};
use crate::model::credential::CREDENTIALS;
use crate::model::pace::Pace;
use crate::model::public_url::{Links, PublicUrl};
use client::{Hops, Hourly};
use encoding::Encoded;
use metrics::counts::Counts;
pub(crate) use openapi::{error_codes, identity_headers};
use parameters::Parameters;
use problem::Problem;
use router::{Found, Route, Run};
use transport::{
    Application, Arrival, Aside, Caller, Counters, Head, Lane, Origin, Part, Peer, Refusal,
    Surface, Take, TrustedProxies,
};

/// What the HTTP side needs to know beside actions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where browsers reach this instance.
    pub public_url: PublicUrl,
    /// Where the page's links lead; see [`App::set_links`].
    pub links: Links,
    /// Whose forwarded headers count.
    pub trusted_proxies: TrustedProxies,
}

/// The application behind the transport.
#[derive(Debug)]
pub struct App {
    actions: Arc<Actions>,
    settings: Settings,
    links: ArcSwap<Links>,
    stopping: AtomicBool,
    /// What the next request's id is made of; begins at random, so that ids of two starts differ.
    request_ids: AtomicU64,
    /// Checks that wait for the store to hold a reservation.
    waiting: Aside,
    counts: Counts,
    /// In which second of the monotonic clock a refused proxy was last told of in the log.
    warned_at: AtomicU64,
    /// How many changes each actor may make.
    paces: Paces,
    /// A trusted proxy sent no `X-Forwarded-For`.
    unforwarded: Hourly,
    /// A browser came by another name than the public one.
    misdirected: Hourly,
    /// The API's description, made when it is first asked for.
    description: OnceLock<Encoded>,
}

/// A management request on its way to its handler. Its body may hold secrets: it prints nothing.
struct Call<'a> {
    request: &'a Request,
    origin: Origin,
    /// What stood in the place of `{..}` in the route's path.
    params: Vec<&'a str>,
    body: Vec<u8>,
    /// The client's address; none where it is unknown.
    address: Option<IpAddr>,
    /// Whether the client runs on this host.
    on_host: bool,
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

    /// Where the client asks from.
    fn source(&self) -> Source {
        Source { address: self.address, on_host: self.on_host }
    }

    /// The same for people to read: from which address, and in which browser.
    fn browser(&self) -> index::Origin<'_> {
        index::Origin { ip: self.address, user_agent: self.user_agent() }
    }

    /// What the client calls itself, as checks take it: visible ASCII, or nothing.
    fn user_agent(&self) -> Option<&str> {
        let is_visible = |text: &&str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        self.request.header("User-Agent").filter(is_visible)
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
        let counts = Counts::new();
        let paces = Paces::new(Pace::OFF, Pace::OFF);
        let (unforwarded, misdirected) = (Hourly::default(), Hourly::default());
        let links = ArcSwap::from_pointee(settings.links.clone());
        Self {
            actions,
            settings,
            links,
            stopping,
            request_ids,
            waiting,
            counts,
            warned_at,
            paces,
            unforwarded,
            misdirected,
            description,
        }
    }

    /// Replaces where the page's links lead.
    pub fn set_links(&self, links: Links) {
        self.links.store(Arc::new(links));
    }

    /// The same with a bound on how many changes each actor may make.
    #[must_use]
    pub fn paced_by(self, sessions: Pace, keys: Pace) -> Self {
        Self { paces: Paces::new(sessions, keys), ..self }
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

    /// The response for a problem of a request to this target.
    fn told(&self, target: &str, problem: Problem, request_id: String) -> Response {
        let offers_all = check::offers_all(target);
        let problem = if offers_all { problem.offering(&CREDENTIALS) } else { problem };
        let problem = problem.with_prices(self.links.load().pricing.as_ref());
        answer::finish(problem.into_response(request_id))
    }

    fn index(&self) -> &Index {
        self.actions.index()
    }

    fn is_trusted(&self, peer: Peer) -> bool {
        match peer {
            Peer::Unix => true,
            Peer::Tcp(address) => self.settings.trusted_proxies.contains(address.ip()),
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
        let Source { address, on_host } = self.locate(&Hops::of_request(origin, request));
        let mut call = Call { request, origin, params, body, address, on_host, actor: None };
        call.actor = self.authenticate(route, &call)?;
        self.count_change(route, &call)?;
        if !route.reads_query {
            call.parameters().finish()?;
        }
        let response = handler(self, &call)?;
        if route.has_no_secret() {
            return Ok(encoding::compressed(response, request.header("Accept-Encoding")));
        }
        Ok(response)
    }

    /// Counts a change by the actor who asks. One that is refused by what follows counts as well: to
    /// find that out costs as much. Without a known actor nothing is counted here.
    fn count_change(&self, route: &Route, call: &Call<'_>) -> Result<(), Problem> {
        let Some(actor) = call.actor.as_ref().filter(|_actor| route.is_change()) else {
            return Ok(());
        };
        let now = self.actions.clock().now();
        self.paces.count(actor, now).map_err(|soon| Problem::too_many_changes(&soon))
    }

    /// Finds out who asks, as far as the route wants to know, and whether they may at all.
    fn authenticate(&self, route: &Route, call: &Call<'_>) -> Result<Option<Actor>, Problem> {
        match route.access {
            router::Access::Open | router::Access::Holder | router::Access::Client => Ok(None),
            router::Access::Enrolling => self.actor(call).map(Some),
            router::Access::Actor => {
                let actor = self.actor(call)?;
                // A key is not its owner: it goes on.
                if let Some(user) = actor.user_facts().filter(|_user| !actor.is_key())
                    && self.actions.must_enrol(actor.organization(), user)?
                {
                    return Err(Problem::second_factor_required());
                }
                Ok(Some(actor))
            },
        }
    }
}

impl Application for App {
    fn lane(&self, arrival: &Arrival<'_>) -> Lane {
        match router::find_head(arrival.parts, arrival.surface) {
            Found::Route { route, .. } => {
                let by_session = self.is_sessions(arrival.surface, &arrival.parts.headers);
                route.run.lane(arrival.surface, by_session)
            },
            Found::Nothing if check::is_below_gates(path_of(arrival.parts)) => {
                Lane::Check { body: None }
            },
            // Refused on admission.
            Found::MethodNotAllowed(_) | Found::Nothing => {
                Lane::Pool { body: Take { part: Part::Page, body_bytes_max: 0 } }
            },
        }
    }

    fn admit(&self, arrival: &Arrival<'_>) -> Result<Caller, Box<Response>> {
        self.admit_head(arrival).map_err(|problem| Box::new(self.refused_head(arrival, problem)))
    }

    fn check(&self, arrival: &Arrival<'_>, body: &[u8]) -> Response {
        let found = router::find_head(arrival.parts, arrival.surface);
        if let Found::Route { route, params } = found
            && let Run::Check { handler, .. } | Run::ByCaller { check: handler, .. } = route.run
        {
            handler(self, arrival, &params, body)
        } else {
            self.deny_path(arrival)
        }
    }

    fn handle(&self, origin: Origin, request: &Request) -> Response {
        let id = self.id_or_new(request.header(passage::REQUEST_ID.as_str()));
        let answer = self.answer_management(origin, request);
        answer.map_or_else(|problem| self.told(request.raw_url(), problem, id), answer::finish)
    }

    fn refuse(&self, arrival: &Arrival<'_>, refusal: &Refusal) -> Response {
        if check::is_check(arrival.parts) {
            return self.deny_refusal(arrival, refusal);
        }
        answer::finish(Problem::refused(refusal).into_response(self.id_of(arrival.parts)))
    }

    fn repeats_a_head(&self, arrival: &Arrival<'_>) -> bool {
        check::is_below_gates(path_of(arrival.parts))
    }

    fn receive(&self, headers: &mut HeaderMap) {
        self.name_request(headers);
    }

    fn send_off(&self, arrival: &Arrival<'_>, answer: &mut Head<'_>, took: Duration) {
        self.let_go(arrival, answer, took);
    }

    fn counters(&self) -> Arc<Counters> {
        self.counts.transport()
    }
}

/// The path of a request's target, raw.
fn path_of(parts: &Parts) -> &str {
    parts.uri.path()
}
