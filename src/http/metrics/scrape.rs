//! Collects all metrics for one scrape, and encodes them in the Prometheus text format.
//!
//! A label's value is from a list in this program, or the name of a gate. A label's value is never
//! a key, a user, an address or other text from a client.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;

use crate::http::{App, health};
use crate::index::IndexState;
use crate::telemetry::measure::{Distribution, Histogram};

/// The metrics of one scrape.
#[derive(Debug)]
pub(super) struct Scrape(Vec<Family>);

/// A metric with its samples. Counters end in `_total`.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    samples: Vec<Sample>,
}

type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
struct Sample {
    labels: Labels,
    value: MetricValue,
}

#[derive(Debug)]
enum MetricValue {
    Whole(u64),
    Real(f64),
    Spread(Distribution),
}

impl Scrape {
    pub(super) fn of(app: &App) -> Self {
        let mut families = of_process(app);
        families.extend(of_checks(app));
        families.extend(of_requests(app));
        families.extend(of_transport(app));
        families.extend(of_index(app));
        families.extend(of_actions(app));
        families.extend(of_export(app));
        families.extend(of_backups(app));
        Self(families)
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in &self.0 {
            let kind = family.kind;
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for sample in &family.samples {
                if sample.labels.is_empty() {
                    sample.value.encode(&mut metric)?;
                } else {
                    sample.value.encode(&mut metric.encode_family(&sample.labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl MetricValue {
    /// Counters are encoded like gauges: in this text format, `_total` is part of the family's
    /// name.
    fn encode(&self, metric: &mut MetricEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Whole(value) => metric.encode_gauge(value),
            Self::Real(value) => metric.encode_gauge(value),
            Self::Spread(spread) => {
                let exemplars = None::<&HashMap<_, _>>;
                let (seconds, count) = (spread.seconds, spread.count);
                metric.encode_histogram::<Labels>(seconds, count, &spread.buckets, exemplars)
            },
        }
    }
}

fn counter(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family { name, help, kind: MetricType::Counter, samples }
}

fn gauge(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family { name, help, kind: MetricType::Gauge, samples }
}

fn histogram(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family { name, help, kind: MetricType::Histogram, samples }
}

fn whole(value: u64) -> Sample {
    Sample { labels: Vec::new(), value: MetricValue::Whole(value) }
}

fn amount(value: usize) -> Sample {
    whole(u64::try_from(value).unwrap_or(u64::MAX))
}

fn real(value: f64) -> Sample {
    Sample { labels: Vec::new(), value: MetricValue::Real(value) }
}

fn spread(histogram: &Histogram) -> Sample {
    Sample { labels: Vec::new(), value: MetricValue::Spread(histogram.distribution()) }
}

fn read(counter: &AtomicU64) -> Vec<Sample> {
    vec![whole(counter.load(Ordering::Relaxed))]
}

impl Sample {
    fn label(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((name, value.into()));
        self
    }
}

fn outcomes<const N: usize>(outcomes: [(&'static str, u64); N]) -> Vec<Sample> {
    outcomes.into_iter().map(|(name, count)| whole(count).label("outcome", name)).collect()
}

fn of_process(app: &App) -> Vec<Family> {
    let ticks = app.actions.clock().now().ticks;
    let build = whole(1).label("version", env!("CARGO_PKG_VERSION"));
    vec![
        gauge(
            "keyhouse_build_info",
            "Version of Keyhouse, as a label of the constant 1.",
            vec![build],
        ),
        gauge(
            "keyhouse_uptime_seconds",
            "Seconds since the process started.",
            vec![real(Duration::from_nanos(ticks).as_secs_f64())],
        ),
        gauge(
            "keyhouse_ready",
            "1 while /readyz returns 200 (changes and checks work), else 0.",
            vec![whole(u64::from(health::not_ready_reason(app).is_none()))],
        ),
    ]
}

fn of_checks(app: &App) -> Vec<Family> {
    let counts = &app.counts;
    let checked = counts.checks().into_iter().map(|it| {
        let sample = whole(it.count).label("endpoint", it.endpoint.name());
        let sample = if it.gate.is_empty() { sample } else { sample.label("gate", it.gate) };
        sample.label("code", it.code)
    });
    let took = counts.took().map(|(it, took)| spread(took).label("endpoint", it.name()));
    vec![
        counter(
            "keyhouse_checks_total",
            "Checks by endpoint, gate and code. Every code except VALID is a rejected call.",
            checked.collect(),
        ),
        histogram(
            "keyhouse_check_duration_seconds",
            "Seconds from the end of a check's request head to its response.",
            took.collect(),
        ),
        gauge(
            "keyhouse_checks_waiting",
            "Checks that currently wait for the store to write a quota reservation.",
            vec![amount(app.waits().waiting())],
        ),
    ]
}

fn of_requests(app: &App) -> Vec<Family> {
    let answered = app.counts.requests().flat_map(|(on, requests)| {
        let statuses = requests.statuses();
        statuses.map(move |(status, count)| {
            whole(count).label("surface", on.name()).label("status", status.to_string())
        })
    });
    let took = app.counts.requests().map(|(on, it)| spread(&it.took).label("surface", on.name()));
    vec![
        counter(
            "keyhouse_http_requests_total",
            "Requests other than checks, by listener and status. Status 0 counts rare statuses.",
            answered.collect(),
        ),
        histogram(
            "keyhouse_http_request_duration_seconds",
            "Seconds from the end of a request's head to its response, for requests other than \
             checks.",
            took.collect(),
        ),
    ]
}

fn of_transport(app: &App) -> Vec<Family> {
    let counters = &app.counts.transport;
    let total = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (busy, panics) = (total(&counters.busy), total(&counters.panics));
    let malformed = total(&counters.requests_refused).saturating_sub(busy.saturating_add(panics));
    let refused = [("busy", busy), ("malformed", malformed), ("panic", panics)];
    let crowded = whole(total(&counters.connections_refused)).label("reason", "per_address");
    vec![
        gauge("keyhouse_connections_open", "Open connections.", read(&counters.connections_open)),
        counter(
            "keyhouse_connections_accepted_total",
            "Accepted connections, including those closed at once.",
            read(&counters.connections_accepted),
        ),
        counter(
            "keyhouse_connections_refused_total",
            "Connections closed at once because their client address had too many open connections.",
            vec![crowded],
        ),
        counter(
            "keyhouse_connections_waited_total",
            "Times that accepting paused because the total number of connections was at its limit.",
            read(&counters.connections_waited),
        ),
        counter(
            "keyhouse_accept_errors_total",
            "Failed attempts to accept a connection, such as with too many open files.",
            read(&counters.accept_errors),
        ),
        counter(
            "keyhouse_http_requests_refused_total",
            "Requests that the transport rejected, by reason. Reason busy: the pool or memory was \
             full.",
            refused.map(|(reason, count)| whole(count).label("reason", reason)).into(),
        ),
        gauge(
            "keyhouse_pool_in_flight",
            "Requests that currently run on the blocking pool.",
            read(&counters.pool_in_flight),
        ),
        histogram(
            "keyhouse_pool_wait_seconds",
            "Seconds that requests waited for a thread of the blocking pool.",
            vec![spread(&counters.pool_wait)],
        ),
    ]
}

fn of_index(app: &App) -> Vec<Family> {
    let index = app.index();
    let entries = index.size().into_iter().map(|(kind, count)| amount(count).label("kind", kind));
    let state = index.state().name();
    let states = IndexState::NAMES
        .into_iter()
        .map(|name| whole(u64::from(name == state)).label("state", name));
    vec![
        gauge(
            "keyhouse_index_entries",
            "Entries of the index by kind. A key in rotation has two secrets.",
            entries.collect(),
        ),
        gauge(
            "keyhouse_index_revision",
            "Store revision up to which the index has applied changes.",
            vec![whole(index.revision().0)],
        ),
        gauge(
            "keyhouse_index_behind",
            "1 while the index lacks an acknowledged change, so that checks return 503, else 0.",
            vec![whole(u64::from(index.is_behind()))],
        ),
        histogram(
            "keyhouse_index_step_seconds",
            "Seconds the index took to apply a record. Slower than 5 ms is logged with the \
             record's id.",
            vec![spread(index.steps())],
        ),
        gauge(
            "keyhouse_store_state",
            "State of the index; 1 for the current state, else 0.",
            states.collect(),
        ),
    ]
}

fn of_actions(app: &App) -> Vec<Family> {
    let (actions, now) = (&app.actions, app.actions.clock().now());
    let lag = Duration::from_nanos(now.ticks.saturating_sub(actions.index().flushed_at()));
    vec![
        counter(
            "keyhouse_store_commits_total",
            "Batches submitted to the store, by outcome.",
            outcomes(actions.commits().outcomes()),
        ),
        histogram(
            "keyhouse_store_commit_duration_seconds",
            "Seconds from submitting a batch until it was durable.",
            vec![spread(&actions.commits().took)],
        ),
        gauge(
            "keyhouse_last_use_flush_lag_seconds",
            "Seconds since pending last-use data was last fully written.",
            vec![real(lag.as_secs_f64())],
        ),
        counter(
            "keyhouse_sign_ins_total",
            "Sign-in attempts, by outcome.",
            outcomes(actions.sign_ins().outcomes()),
        ),
    ]
}

/// The metrics of the export. All values are 0 if the audit log is not exported.
fn of_export(app: &App) -> Vec<Family> {
    let exported = app.actions.exported().now(app.actions.clock().now().wall);
    vec![
        gauge(
            "keyhouse_audit_export_last_seal",
            "Number of the last exported seal of the audit log.",
            vec![whole(exported.last_seal)],
        ),
        counter(
            "keyhouse_audit_export_failures_total",
            "Failed exports: the destination was unreachable, or rejected the data.",
            vec![whole(exported.failures)],
        ),
        gauge(
            "keyhouse_audit_export_lag_seconds",
            "Age in seconds of the oldest seal that is not exported yet, 0 if there is none.",
            vec![real(exported.lag.as_secs_f64())],
        ),
    ]
}

/// The metrics of scheduled backups. All values are 0 if no backup is scheduled.
fn of_backups(app: &App) -> Vec<Family> {
    let backups = app.actions.scheduled_backups().now();
    let last_success = backups.last_success.map_or(0, |at| at.milliseconds() / 1_000);
    vec![
        gauge(
            "keyhouse_backup_interval_seconds",
            "Interval of scheduled backups in seconds, 0 if no backup is scheduled.",
            vec![whole(backups.every.as_secs())],
        ),
        gauge(
            "keyhouse_backup_last_success_timestamp_seconds",
            "Unix time of the newest scheduled backup, 0 if there is none.",
            vec![whole(u64::try_from(last_success).unwrap_or_default())],
        ),
        gauge(
            "keyhouse_backup_last_size_bytes",
            "Size of the newest scheduled backup that this process has written.",
            vec![whole(backups.last_bytes)],
        ),
        counter(
            "keyhouse_backup_failures_total",
            "Scheduled backups that failed.",
            vec![whole(backups.failures)],
        ),
    ]
}
