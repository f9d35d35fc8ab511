//! `POST /v1/verify/batch`: many checks in one request, each independent of the others.

use rouille::Response;
use serde_json::{Value, json};

use crate::http::check::verify::{VerifyRequest, read_request, require_verify, verify_counted};
use crate::http::input::{Fields, list, object};
use crate::http::metrics::counts::CheckEndpoint;
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::fault::Fault;

/// Maximum number of checks in one request.
pub(in crate::http) const REQUESTS_MAX: usize = 1_000;

pub(in crate::http) fn answer(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let actor = call.actor()?;
    require_verify(actor)?;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    // A check with faults gives an error in its own result, and does not affect the other checks.
    let one = |value: Value, pointer: &str| Ok(object(read_request)(value, pointer));
    let requests = fields.old_required("requests", list(REQUESTS_MAX, one));
    fields.finish().map_err(Problem::invalid)?;
    let answered = |request: Result<VerifyRequest, Vec<Fault>>| {
        let input = request.map_err(Problem::invalid);
        let answered =
            input.and_then(|input| verify_counted(app, actor, &input, CheckEndpoint::VerifyBatch));
        answered.unwrap_or_else(|problem| json!({ "error": problem.into_item() }))
    };
    let results: Vec<Value> = requests.into_iter().flatten().map(answered).collect();
    Ok(answer::json(&json!({ "results": results })))
}
