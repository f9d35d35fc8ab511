//! HTTP: transport, routes, check endpoints, management API, page and metrics.

mod action_errors;
mod admission;
mod answer;
mod api;
mod challenge;
mod check;
mod client;
mod credential;
mod encoding;
mod endpoint;
mod forwarded;
mod health;
mod input;
mod json;
mod matching;
mod metrics;
mod observe;
mod openapi;
mod page;
mod parameters;
mod problem;
mod reading;
mod refusal;
mod route;
mod router;
mod schema;
mod session;
pub mod transport;
mod view;

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
use crate::actions::signing_in::throttle::Source;
use crate::index::{self, Index};
use crate::model::credential::CREDENTIALS;
use crate::model::pace::Pace;
use crate::model::public_url::{Links, PublicUrl};
use crate::verify::Checker;
use client::{Hops, Hourly};
use encoding::Encoded;
use input::Fields;
use metrics::counts::HttpCounts;
pub(crate) use openapi::{error_codes, identity_headers};
use parameters::Parameters;
use problem::Problem;
use router::{HttpRoute, RouteFound, Run};
use transport::{
    Application, Arrival, BlockInPlace, Caller, Executor, ListenerKind, Part, Peer, RequestOrigin,
    ResponseHead, Take, TransportCounters, TransportRefusal, TrustedProxies,
};

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
    actions: Arc<Actions>,
    settings: HttpSettings,
    links: ArcSwap<Links>,
    stopping: AtomicBool,
    /// Number of the next request id. The first number is random, so that the ids of two starts
    /// differ.
    request_ids: AtomicU64,
    /// Checks keys. It counts the checks that wait for the store to write a reservation.
    checker: Checker<BlockInPlace>,
    counts: HttpCounts,
    /// The second of the monotonic clock in which a rejected proxy request was last logged.
    warned_at: AtomicU64,
    /// Limits on the changes of each actor.
    paces: Paces,
    /// The warning that a trusted proxy sent no `X-Forwarded-For`.
    unforwarded: Hourly,
    /// The warning that a browser's Host is not the public name.
    misdirected: Hourly,
    /// The `OpenAPI` document, created on the first request for it.
    description: OnceLock<Encoded>,
}

/// A management request for its handler. The type has no `Debug`, since the body may contain
/// secrets.
struct Call<'a> {
    request: &'a Request,
    origin: RequestOrigin,
    /// The values of the path parameters.
    params: Vec<&'a str>,
    body: Vec<u8>,
    /// The client's address; `None` if it is unknown.
    address: Option<IpAddr>,
    /// Whether the client runs on this host.
    on_host: bool,
    actor: Option<Actor>,
}

impl Call<'_> {
    /// The actor. Every request of a route that requires authentication has an actor.
    fn actor(&self) -> Result<&Actor, Problem> {
        self.actor.as_ref().ok_or_else(Problem::no_credential)
    }

    /// The query's parameters. The local operator's `organization` is left out, since it selects
    /// the actor.
    fn parameters(&self) -> Parameters {
        let parameters = Parameters::parse(self.request.raw_url());
        let names_one = self.actor.as_ref().is_some_and(Actor::is_local);
        if names_one { parameters.without_organization() } else { parameters }
    }

    /// Reads the query with `read`. Unknown parameters are faults.
    fn query<T>(&self, read: impl FnOnce(&mut Parameters) -> T) -> Result<T, Problem> {
        let mut parameters = self.parameters();
        let value = read(&mut parameters);
        parameters.finish()?;
        Ok(value)
    }

    /// Reads the JSON body with `read`. Unknown fields are faults.
    fn read<T>(&self, read: impl FnOnce(&mut Fields) -> T) -> Result<T, Problem> {
        let mut fields = Fields::parse(self.request.header("Content-Type"), &self.body)?;
        let value = read(&mut fields);
        fields.finish().map_err(Problem::invalid)?;
        Ok(value)
    }

    /// Reads a JSON body with required fields. `read` returns `None` only if a required field is
    /// missing or has a fault.
    fn read_required<T>(&self, read: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, Problem> {
        self.read(read)?.ok_or_else(|| Problem::invalid(Vec::new()))
    }

    fn source(&self) -> Source {
        Source { address: self.address, on_host: self.on_host }
    }

    /// The client's address and user agent, for people to read.
    fn browser(&self) -> index::CallOrigin<'_> {
        index::CallOrigin { ip: self.address, user_agent: self.user_agent() }
    }

    /// The `User-Agent`, if it is visible ASCII. Checks have the same rule.
    fn user_agent(&self) -> Option<&str> {
        let is_visible = |text: &&str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        self.request.header("User-Agent").filter(is_visible)
    }

    fn param(&self, at: usize) -> &str {
        self.params.get(at).copied().unwrap_or_default()
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
        Self { paces: Paces::new(sessions, keys), ..self }
    }

    /// Makes `/readyz` answer 503 from now on, so that load balancers send no more requests.
    pub fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Answers a request of the local operator without a transport. The command line uses this
    /// function when no server runs.
    pub fn answer_locally(&self, request: &Request) -> Response {
        self.handle(RequestOrigin { listener: ListenerKind::Control, peer: Peer::Unix }, request)
    }

    /// The response for a problem, with the challenges and links of this target.
    fn reported(&self, target: &str, problem: Problem, request_id: String) -> Response {
        let offers_all = check::offers_all(target);
        let problem = if offers_all { problem.offering(&CREDENTIALS) } else { problem };
        let problem = problem.with_prices(self.links.load().pricing.as_ref());
        answer::finish(problem.into_response(request_id))
    }

    fn index(&self) -> &Index {
        self.actions.index()
    }

    /// The places for checks that wait.
    fn waits(&self) -> &BlockInPlace {
        self.checker.waits()
    }

    fn is_trusted(&self, peer: Peer) -> bool {
        match peer {
            Peer::Unix => true,
            Peer::Tcp(address) => self.settings.trusted_proxies.contains(address.ip()),
        }
    }

    fn answer_management(
        &self,
        origin: RequestOrigin,
        request: &Request,
    ) -> Result<Response, Problem> {
        let url = request.raw_url();
        let path = url.split_once('?').map_or(url, |(path, _)| path);
        let method = Method::from_bytes(request.method().as_bytes())
            .map_err(|_source| Problem::not_found())?;
        let (route, params) = match router::find(&method, path, origin.listener) {
            RouteFound::Route { route, params } => (route, params),
            RouteFound::MethodNotAllowed(allowed) => {
                return Err(Problem::method_not_allowed(&allowed));
            },
            RouteFound::Nothing => return Err(Problem::not_found()),
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

    /// Counts a change of the actor. A change that is rejected later also counts, because it costs
    /// as much as an accepted change. Requests without an actor are not counted here.
    fn count_change(&self, route: &HttpRoute, call: &Call<'_>) -> Result<(), Problem> {
        let Some(actor) = call.actor.as_ref().filter(|_actor| route.is_change()) else {
            return Ok(());
        };
        let now = self.actions.clock().now();
        self.paces.count(actor, now).map_err(|soon| Problem::too_many_changes(&soon))
    }

    /// The actor, if the route requires authentication.
    fn authenticate(&self, route: &HttpRoute, call: &Call<'_>) -> Result<Option<Actor>, Problem> {
        match route.access {
            router::RequiredCaller::Open
            | router::RequiredCaller::Holder
            | router::RequiredCaller::Client => Ok(None),
            router::RequiredCaller::Enrolling => self.actor(call).map(Some),
            router::RequiredCaller::Actor => {
                let actor = self.actor(call)?;
                // The rule applies to the sessions of a user, not to the user's keys.
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
    fn executor(&self, arrival: &Arrival<'_>) -> Executor {
        match router::find_head(arrival.parts, arrival.listener) {
            RouteFound::Route { route, .. } => {
                let by_session = self.is_sessions(arrival.listener, &arrival.parts.headers);
                route.run.executor(arrival.listener, by_session)
            },
            RouteFound::Nothing if check::is_below_gates(path_of(arrival.parts)) => {
                Executor::Check { body: None }
            },
            // Admission has already rejected such requests.
            RouteFound::MethodNotAllowed(_) | RouteFound::Nothing => {
                Executor::Pool { body: Take { part: Part::Page, body_bytes_max: 0 } }
            },
        }
    }

    fn admit(&self, arrival: &Arrival<'_>) -> Result<Caller, Box<Response>> {
        self.admit_head(arrival).map_err(|problem| Box::new(self.refused_head(arrival, problem)))
    }

    fn check(&self, arrival: &Arrival<'_>, body: &[u8]) -> Response {
        let found = router::find_head(arrival.parts, arrival.listener);
        if let RouteFound::Route { route, params } = found
            && let Run::Check { handler, .. } | Run::ByCaller { check: handler, .. } = route.run
        {
            handler(self, arrival, &params, body)
        } else {
            self.deny_path(arrival)
        }
    }

    fn handle(&self, origin: RequestOrigin, request: &Request) -> Response {
        let id = self.id_or_new(request.header(observe::REQUEST_ID.as_str()));
        let answer = self.answer_management(origin, request);
        answer.map_or_else(|problem| self.reported(request.raw_url(), problem, id), answer::finish)
    }

    fn refuse(&self, arrival: &Arrival<'_>, refusal: &TransportRefusal) -> Response {
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

    fn send_off(&self, arrival: &Arrival<'_>, answer: &mut ResponseHead<'_>, took: Duration) {
        self.record_end(arrival, answer, took);
    }

    fn counters(&self) -> Arc<TransportCounters> {
        self.counts.transport()
    }
}

fn path_of(parts: &Parts) -> &str {
    parts.uri.path()
}
