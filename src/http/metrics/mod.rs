//! `GET /metrics`: metrics in the Prometheus text format.
//!
//! On the listener of `--metrics-listen`, which serves only metrics and health, a scrape needs no
//! credential. On other listeners, a scrape needs the permission to manage the instance. A scrape
//! reads no store and runs on the event loop, so that a full pool cannot block it.

pub(super) mod counts;
mod scrape;

use http::Method;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;
use rouille::{Response, ResponseBody};

use crate::actions::actor::Actor;
use crate::http::check::verify::caller;
use crate::http::endpoint::{Endpoint, run_by};
use crate::http::problem::Problem;
use crate::http::route::{METRICS, Run};
use crate::http::schema::text;
use crate::http::transport::{ListenerKind, PreparedResponse, TransportRefusal};
use crate::http::{App, Call, CheckCall, answer};
use crate::model::role::INSTANCE_MANAGE;
use scrape::Scrape;

pub(super) const PATH: &str = METRICS;
/// The text format of Prometheus, which every scraper reads.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let run = Run::ByCaller { check: answer, manage: answer_session, body_bytes_max: None };
    let endpoint = run_by(Some(Method::GET), PATH, run)
        .named("showMetrics", "Show metrics")
        .details(
            "Returns the metrics in the Prometheus text format. The listener of \
             --metrics-listen serves them without a credential.",
        )
        .needs(&[INSTANCE_MANAGE])
        .answers_with(
            200,
            vec![("text/plain", text("keyhouse_ready 1\n").into())],
            "Counters, gauges and histograms.",
        );
    vec![endpoint]
}

/// Answers a scraper, a key or the local operator, on the event loop.
fn answer(app: &App, call: &CheckCall<'_>) -> PreparedResponse {
    let arrival = call.arrival;
    let allowed = match arrival.listener {
        ListenerKind::Metrics => Ok(()),
        ListenerKind::Main | ListenerKind::Checks | ListenerKind::Control => {
            caller(app, arrival).and_then(|actor| require(&actor))
        },
    };
    match allowed.and_then(|()| scraped(app)) {
        Ok(response) => answer::finish(response).into(),
        Err(problem) => app.deny(arrival, call.id, None, &problem),
    }
}

/// Answers a session, on the pool.
fn answer_session(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    require(call.actor()?)?;
    scraped(app)
}

fn require(actor: &Actor) -> Result<(), Problem> {
    Ok(actor.require(INSTANCE_MANAGE)?)
}

fn scraped(app: &App) -> Result<Response, Problem> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape::of(app)));
    let mut text = String::new();
    if let Err(error) = encode_registry(&mut text, &registry) {
        tracing::error!(%error, "metrics: could not encode them");
        return Err(Problem::refused(&TransportRefusal::ResponseNotSendable));
    }
    let headers = vec![("Content-Type".into(), CONTENT_TYPE.into())];
    let body = ResponseBody::from_string(text);
    Ok(Response { status_code: 200, headers, data: body, upgrade: None })
}
