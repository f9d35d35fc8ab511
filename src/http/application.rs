//! Answers requests: routes each once, and passes it to its handler.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use rouille::{Request, Response};

use crate::actions::actor::Actor;
use crate::actions::signing_in::throttle::Source;
use crate::http::client::Hops;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::http::route::{HttpRoute, RequiredCaller, Run};
use crate::http::routing::Routing;
use crate::http::transport::{
    Application, Arrival, Caller, Executor, ListenerKind, Peer, PreparedResponse, RequestOrigin,
    ResponseHead, TransportCounters, TransportRefusal,
};
use crate::http::{App, Call, CheckCall, answer, encoding, input, request_id, router};
use crate::model::credential::CREDENTIALS;

impl Application for App {
    type Routing = Routing;

    fn route(&self, arrival: &Arrival<'_>) -> Routing {
        let Arrival { listener, parts, .. } = *arrival;
        let found = router::find(&parts.method, parts.uri.path(), listener);
        let by_session = found.is_by_caller() && self.is_sessions(listener, &parts.headers);
        Routing { by_session, id: self.request_id(&parts.headers), ..found }
    }

    fn executor(&self, routing: &Routing) -> Executor {
        routing.executor()
    }

    fn admit(
        &self,
        arrival: &Arrival<'_>,
        routing: &Routing,
    ) -> Result<Caller, Box<PreparedResponse>> {
        self.admit_head(arrival, routing)
            .map_err(|problem| Box::new(self.refused_head(arrival, routing, problem)))
    }

    fn check(&self, arrival: &Arrival<'_>, routing: &Routing, body: &[u8]) -> PreparedResponse {
        match routing.route.map(|route| route.run) {
            Some(Run::Check { handler, .. } | Run::ByCaller { check: handler, .. }) => {
                handler(self, &CheckCall { arrival, params: routing.params, id: routing.id, body })
            },
            Some(Run::Manage { .. } | Run::LongCheck { .. }) | None => {
                self.deny_path(arrival, routing)
            },
        }
    }

    fn handle(&self, origin: RequestOrigin, routing: &Routing, request: &Request) -> Response {
        let answer = self.answer_management(origin, routing, request);
        answer.map_or_else(
            |problem| {
                let id = routing.id.text(request.header(request_id::REQUEST_ID.as_str()));
                answer::finish(self.reported(routing, problem).into_response(&id))
            },
            answer::finish,
        )
    }

    fn refuse(
        &self,
        arrival: &Arrival<'_>,
        routing: Option<&Routing>,
        refusal: &TransportRefusal,
    ) -> PreparedResponse {
        match routing {
            Some(routing) if routing.is_check() => self.deny_refusal(arrival, routing, refusal),
            Some(routing) => Problem::refused(refusal).prepared(&routing.id.of_head(arrival.parts)),
            None => {
                let id = self.new_request_id().text(None);
                let problem = Problem::refused(refusal);
                problem.header(request_id::REQUEST_ID_TITLE, id.clone()).prepared(&id)
            },
        }
    }

    fn repeats_a_head(&self, routing: &Routing) -> bool {
        routing.is_below_gates()
    }

    fn send_off(
        &self,
        arrival: &Arrival<'_>,
        routing: Option<&Routing>,
        answer: &mut ResponseHead<'_>,
        took: Duration,
    ) {
        self.record_end(arrival, routing, answer, took);
    }

    fn counters(&self) -> Arc<TransportCounters> {
        self.counts.transport()
    }
}

impl App {
    /// Answers a request of the local operator without a transport. The command line uses this
    /// function when no server runs.
    pub fn answer_locally(&self, request: &Request) -> Response {
        let origin = RequestOrigin { listener: ListenerKind::Control, peer: Peer::Unix };
        self.answer_from(origin, request)
    }

    /// Answers a request of the blocking pool without a transport, and without its admission.
    pub fn answer_from(&self, origin: RequestOrigin, request: &Request) -> Response {
        let url = request.raw_url();
        let path = url.split_once('?').map_or(url, |(path, _)| path);
        // No route serves CONNECT, and none serves text that is not a method.
        let method = Method::from_bytes(request.method().as_bytes()).unwrap_or(Method::CONNECT);
        let given = request.header(request_id::REQUEST_ID.as_str());
        let id = given.map_or_else(|| self.new_request_id(), |_given| RequestId::OfClient);
        let routing = Routing { id, ..router::find(&method, path, origin.listener) };
        self.handle(origin, &routing, request)
    }

    /// The problem with the challenges and links of its route.
    pub(super) fn reported(&self, routing: &Routing, problem: Problem) -> Problem {
        let offers_all = routing.offers_all();
        let problem = if offers_all { problem.offering(&CREDENTIALS) } else { problem };
        problem.with_prices(self.links.load().pricing.as_ref())
    }

    fn answer_management(
        &self,
        origin: RequestOrigin,
        routing: &Routing,
        request: &Request,
    ) -> Result<Response, Problem> {
        let (route, params) = (routing.require_route()?, routing.params);
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
            RequiredCaller::Open | RequiredCaller::Holder | RequiredCaller::Client => Ok(None),
            RequiredCaller::Enrolling => self.actor(call).map(Some),
            RequiredCaller::Actor => {
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
