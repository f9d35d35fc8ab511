//! `POST /v1/verify/batch`: many checks in one request, each independent of the others.

use http::Method;
use rouille::Response;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::check::verify::{
    VERIFY, VerdictView, VerifyRequest, read_request, require_verify, verify_counted,
};
use crate::http::endpoint::{Endpoint, run_by};
use crate::http::input::{Fields, LARGE_BODY_BYTES_MAX, object};
use crate::http::metrics::counts::CheckEndpoint;
use crate::http::problem::{FaultView, Problem};
use crate::http::reading::{Read, list, reader};
use crate::http::route::{Run, take};
use crate::http::schema::{Schema, any, any_of, text};
use crate::http::transport::Part;
use crate::http::view::{Described, Schemas, view};
use crate::http::{App, Call, answer};
use crate::model::fault::Fault;

/// Maximum number of checks in one request.
const REQUESTS_MAX: usize = 1_000;

pub(super) fn endpoint() -> Endpoint {
    let run = Run::LongCheck { handler: answer, take: take(Part::Batch) };
    let example = json!({"requests": [{"key": "kh_live_one"}, {"key": "kh_live_two", "cost": 0}]});
    run_by(Some(Method::POST), "/v1/verify/batch", run)
        .body_bytes_max(LARGE_BODY_BYTES_MAX)
        .named("verifyBatch", "Verify many keys")
        .details(
            "Each check is independent of the others. A faulty check has an `error` in its result.",
        )
        .needs(VERIFY)
        .takes(read_batch, example)
        .answers::<BatchView>(200, "The results, in the order of the checks.")
}

view! {
    BatchView {
        /// A verdict or an error for each check.
        results: Vec<BatchResult>,
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::http) enum BatchResult {
    Verdict(Box<VerdictView>),
    Faulty(FaultyView),
}

view! {
    FaultyView {
        /// Error of a faulty check.
        error: CheckErrorView,
    }
}

view! {
    CheckErrorView {
        /// Code of the error.
        code: &'static str => text("invalid_input"),
        /// Short description of the error.
        title: &'static str => text("Invalid input"),
        /// Explanation of this error.
        detail: String | absent => text("see errors"),
        /// Invalid fields.
        errors: Vec<FaultView> | absent,
        /// Missing permission.
        permission: Value | absent => text("keyhouse:keys:read"),
    }
}

impl Described for BatchResult {
    fn schema(schemas: &mut Schemas) -> Schema {
        any_of([VerdictView::schema(schemas), FaultyView::schema(schemas)])
    }
}

/// Reads the checks. A check with faults gives an error in its own result, and does not affect the
/// other checks.
fn read_batch(fields: &mut Fields) -> Option<Vec<Result<VerifyRequest, Vec<Fault>>>> {
    let one = |value: Value, pointer: &str| Ok(object(read_request).read(value, pointer));
    let check = reader(one, || any(json!({"key": "kh_live_one"})));
    let about = "Checks, each as in `POST /v1/verify`.";
    fields.required("requests", about, list(REQUESTS_MAX, check))
}

fn answer(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let actor = call.actor()?;
    require_verify(actor)?;
    let answered = |request: Result<VerifyRequest, Vec<Fault>>| {
        let input = request.map_err(Problem::invalid);
        let answered =
            input.and_then(|input| verify_counted(app, actor, &input, CheckEndpoint::VerifyBatch));
        match answered {
            Ok(verdict) => BatchResult::Verdict(Box::new(verdict)),
            Err(problem) => BatchResult::Faulty(FaultyView { error: check_error_view(&problem) }),
        }
    };
    let results = call.read_required(read_batch)?.into_iter().map(answered).collect();
    Ok(answer::json(&BatchView { results }))
}

fn check_error_view(problem: &Problem) -> CheckErrorView {
    CheckErrorView {
        code: problem.code(),
        title: problem.title(),
        detail: problem.detail_text().map(str::to_owned),
        errors: Some(problem.faults()).filter(|faults| !faults.is_empty()),
        permission: problem.member("permission").cloned(),
    }
}
