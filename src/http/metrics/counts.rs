//! Counters of requests and checks.
//!
//! The counters are atomics. Finding a counter takes no lock and, except for the first call of a
//! gate, no allocation.
//!
//! A name becomes a gate's label only after a gate has answered; other names are counted under
//! `(unknown)`. All other labels have a fixed list of values.

use std::array::from_fn;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use papaya::HashMap;

use crate::actions::instance::gates::GATES_MAX;
use crate::http::transport::{ListenerKind, TransportCounters};
use crate::model::gate::DEFAULT_GATE;
use crate::telemetry::measure::{Counter, Histogram};
use crate::verify::Code;

/// Label for unknown gates and for gates beyond the maximum. No gate can have this name.
const GATE_UNKNOWN: &str = "(unknown)";
/// Codes of check responses that are not verdicts. The last entry counts every other code.
const CODES_BESIDE: [&str; 10] = [
    "REQUEST_REFUSED",
    "GATE_NOT_FOUND",
    "ROUTE_NOT_ALLOWED",
    "NO_CREDENTIAL",
    "permission_required",
    "index_behind",
    "storage_unavailable",
    "busy",
    "internal",
    "other",
];
/// Statuses with a counter of their own. The last entry, 0, counts every other status.
const STATUSES: [u16; 19] =
    [200, 201, 204, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 421, 429, 500, 503, 0];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum CheckEndpoint {
    ForwardAuth,
    ExtAuthz,
    Verify,
    VerifyBatch,
    Introspect,
    WhoAmI,
}

impl CheckEndpoint {
    pub(super) const ALL: [Self; 6] = [
        Self::ForwardAuth,
        Self::ExtAuthz,
        Self::Verify,
        Self::VerifyBatch,
        Self::Introspect,
        Self::WhoAmI,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ForwardAuth => "forward_auth",
            Self::ExtAuthz => "ext_authz",
            Self::Verify => "verify",
            Self::VerifyBatch => "verify_batch",
            Self::Introspect => "introspect",
            Self::WhoAmI => "whoami",
        }
    }

    /// The check endpoint of a route, from the route's path.
    pub(in crate::http) fn of_route(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/forward-auth/{gate}" => Self::ForwardAuth,
            "/v1/ext-authz/{gate}/{path}" => Self::ExtAuthz,
            "/v1/verify" => Self::Verify,
            "/v1/verify/batch" => Self::VerifyBatch,
            "/v1/introspect" => Self::Introspect,
            "/v1/whoami" => Self::WhoAmI,
            _ => return None,
        })
    }

    /// Whether proxies call the endpoint, with the name of a gate in its path.
    pub(in crate::http) const fn has_gate(self) -> bool {
        match self {
            Self::ForwardAuth | Self::ExtAuthz => true,
            Self::Verify | Self::VerifyBatch | Self::Introspect | Self::WhoAmI => false,
        }
    }
}

/// All counters of HTTP responses.
#[derive(Debug)]
pub(in crate::http) struct HttpCounts {
    pub(super) transport: Arc<TransportCounters>,
    checks: [Codes; CheckEndpoint::ALL.len()],
    default_gate: GateCounts,
    unknown_gate: GateCounts,
    /// The counters by gate: at most [`GATES_MAX`], including removed gates.
    gates: HashMap<Box<str>, Arc<GateCounts>>,
    took: [Histogram; CheckEndpoint::ALL.len()],
    surfaces: [Requests; ListenerKind::ALL.len()],
}

/// Number of checks by code.
#[derive(Debug, Default)]
struct Codes {
    verdicts: [Counter; Code::ALL.len()],
    beside: [Counter; CODES_BESIDE.len()],
}

/// Checks of one gate, by endpoint.
#[derive(Debug, Default)]
struct GateCounts {
    forward_auth: Codes,
    ext_authz: Codes,
}

/// Requests of one listener that are not checks.
#[derive(Debug, Default)]
pub(super) struct Requests {
    statuses: [Counter; STATUSES.len()],
    pub(super) took: Histogram,
}

/// Number of checks with one endpoint, gate and code.
#[derive(Debug)]
pub(super) struct CheckCount {
    pub(super) endpoint: CheckEndpoint,
    /// The gate; empty for endpoints without a gate.
    pub(super) gate: String,
    pub(super) code: &'static str,
    pub(super) count: u64,
}

impl HttpCounts {
    pub(in crate::http) fn new() -> Self {
        Self {
            transport: Arc::default(),
            checks: from_fn(|_| Codes::default()),
            default_gate: GateCounts::default(),
            unknown_gate: GateCounts::default(),
            gates: HashMap::new(),
            took: from_fn(|_| Histogram::default()),
            surfaces: from_fn(|_| Requests::default()),
        }
    }

    /// The counters of the transport.
    pub(in crate::http) fn transport(&self) -> Arc<TransportCounters> {
        Arc::clone(&self.transport)
    }

    /// Counts the response to a request of a check endpoint. `gate` is the gate in the path, empty
    /// for endpoints without a gate; `code` is the code of the response's problem.
    pub(in crate::http) fn note_response(
        &self,
        endpoint: CheckEndpoint,
        gate: &str,
        code: Option<&str>,
        took: Duration,
    ) {
        let Some(histogram) = self.took.get(endpoint as usize) else { return };
        histogram.record(took);
        let code = code.unwrap_or(Code::Valid.as_str());
        match endpoint {
            CheckEndpoint::ForwardAuth => self.note_at_gate(gate, code, |gate| &gate.forward_auth),
            CheckEndpoint::ExtAuthz => self.note_at_gate(gate, code, |gate| &gate.ext_authz),
            CheckEndpoint::WhoAmI => self.note_check(endpoint, code),
            // `note_check` counts the checks of these endpoints, whose status does not depend on
            // the verdict.
            CheckEndpoint::Verify | CheckEndpoint::VerifyBatch | CheckEndpoint::Introspect => {},
        }
    }

    /// Counts one check by its code.
    pub(in crate::http) fn note_check(&self, endpoint: CheckEndpoint, code: &str) {
        if let Some(codes) = self.checks.get(endpoint as usize) {
            codes.count(code);
        }
    }

    fn note_at_gate(&self, name: &str, code: &str, of: impl Fn(&GateCounts) -> &Codes) {
        if name == DEFAULT_GATE {
            return of(&self.default_gate).count(code);
        }
        if let Some(gate) = self.gates.pin().get(name) {
            return of(gate).count(code);
        }
        // Only an existing gate returns these codes. A caller must not be able to create labels
        // with invented names.
        if !is_gate_code(code) || self.gates.len() >= GATES_MAX {
            return of(&self.unknown_gate).count(code);
        }
        of(self.gates.pin().get_or_insert_with(name.into(), Arc::default)).count(code);
    }

    /// Counts the response to any other request.
    pub(in crate::http) fn note_request(
        &self,
        listener: ListenerKind,
        status: StatusCode,
        took: Duration,
    ) {
        let Some(requests) = self.surfaces.get(listener as usize) else { return };
        requests.took.record(took);
        let place = STATUSES.iter().position(|known| *known == status.as_u16());
        if let Some(counter) = requests.statuses.get(place.unwrap_or(STATUSES.len() - 1)) {
            counter.count();
        }
    }

    /// All counts above zero, and the count of valid checks of the default gate even if it is zero.
    pub(super) fn checks(&self) -> Vec<CheckCount> {
        let mut checked = Vec::new();
        let mut push = |endpoint, gate: &str, codes: &Codes| {
            for (code, count) in codes.counts() {
                let always = gate == DEFAULT_GATE && code == Code::Valid.as_str();
                if count > 0 || always {
                    checked.push(CheckCount { endpoint, gate: gate.to_owned(), code, count });
                }
            }
        };
        for (endpoint, codes) in CheckEndpoint::ALL.into_iter().zip(&self.checks) {
            push(endpoint, "", codes);
        }
        let gates = self.gates.pin();
        let named = gates.iter().map(|(name, gate)| (&**name, &**gate));
        let fixed = [(DEFAULT_GATE, &self.default_gate), (GATE_UNKNOWN, &self.unknown_gate)];
        for (name, gate) in fixed.into_iter().chain(named) {
            push(CheckEndpoint::ForwardAuth, name, &gate.forward_auth);
            push(CheckEndpoint::ExtAuthz, name, &gate.ext_authz);
        }
        checked
    }

    /// Durations of checks, by endpoint.
    pub(super) fn took(&self) -> impl Iterator<Item = (CheckEndpoint, &Histogram)> {
        CheckEndpoint::ALL.into_iter().zip(&self.took)
    }

    /// Requests that are not checks, by listener.
    pub(super) fn requests(&self) -> impl Iterator<Item = (ListenerKind, &Requests)> {
        ListenerKind::ALL.into_iter().zip(&self.surfaces)
    }
}

impl Requests {
    /// Number of responses by status, without the statuses that never occurred.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        let counted = STATUSES.into_iter().zip(self.statuses.iter().map(Counter::total));
        counted.filter(|(_, count)| *count > 0)
    }
}

impl Codes {
    fn count(&self, code: &str) {
        // The search starts at the end: most checks are valid, which is the last verdict.
        let verdict = Code::ALL.iter().rposition(|known| known.as_str() == code);
        let beside = || {
            let place = CODES_BESIDE.iter().position(|known| *known == code);
            self.beside.get(place.unwrap_or(CODES_BESIDE.len() - 1))
        };
        let counter = verdict.map_or_else(beside, |place| self.verdicts.get(place));
        if let Some(counter) = counter {
            counter.count();
        }
    }

    fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let verdicts = Code::ALL.iter().map(|code| code.as_str()).zip(&self.verdicts);
        let all = verdicts.chain(CODES_BESIDE.into_iter().zip(&self.beside));
        all.map(|(code, counter)| (code, counter.total()))
    }
}

/// Whether only an existing gate returns this code. The gate is looked up before its routes and the
/// key. A request with several credentials may be `MALFORMED` before the gate is looked up.
fn is_gate_code(code: &str) -> bool {
    match code.parse() {
        Ok(Code::Malformed) => false,
        Ok(_) => true,
        Err(_) => matches!(code, "ROUTE_NOT_ALLOWED" | "NO_CREDENTIAL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_gate(counts: &HttpCounts, name: &str, code: &str) {
        counts.note_at_gate(name, code, |gate| &gate.forward_auth);
    }

    fn reported(counts: &HttpCounts) -> Vec<(String, &'static str, u64)> {
        let of_gates =
            counts.checks().into_iter().filter(|it| it.endpoint == CheckEndpoint::ForwardAuth);
        let mut reported: Vec<_> = of_gates.map(|it| (it.gate, it.code, it.count)).collect();
        reported.sort();
        reported
    }

    #[test]
    fn an_unknown_gate_name_gets_no_label() {
        let counts = HttpCounts::new();
        for code in ["GATE_NOT_FOUND", "REQUEST_REFUSED", "MALFORMED", "body_too_large"] {
            at_gate(&counts, "made-up", code);
        }
        at_gate(&counts, "orders", "NO_CREDENTIAL");
        at_gate(&counts, "orders", "MALFORMED");
        let unknown = |code| (GATE_UNKNOWN.to_owned(), code, 1);
        let orders = |code| ("orders".to_owned(), code, 1);
        assert_eq!(
            reported(&counts),
            [
                unknown("GATE_NOT_FOUND"),
                unknown("MALFORMED"),
                unknown("REQUEST_REFUSED"),
                unknown("other"),
                ("default".to_owned(), "VALID", 0),
                orders("MALFORMED"),
                orders("NO_CREDENTIAL"),
            ]
        );
    }

    #[test]
    fn gates_beyond_the_maximum_share_one_label() {
        let counts = HttpCounts::new();
        for number in 0..GATES_MAX + 5 {
            at_gate(&counts, &format!("gate-{number}"), "VALID");
        }
        assert_eq!(counts.gates.len(), GATES_MAX);
        assert!(reported(&counts).contains(&(GATE_UNKNOWN.to_owned(), "VALID", 5)));
    }
}
