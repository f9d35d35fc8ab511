//! `/v1/whoami`: describes the presented key to its holder, and revokes it.

use rouille::Response;
use serde_json::Value;

use crate::actions::ActionError;
use crate::actions::keys::{HolderRevoked, PresentedKey};
use crate::clock::Now;
use crate::http::api::no_fields;
use crate::http::check::{malformed, verify};
use crate::http::problem::Problem;
use crate::http::session::header_map;
use crate::http::transport::Arrival;
use crate::http::{App, Call, CheckCall, answer};
use crate::model::credential::CREDENTIALS;
use crate::verify::{Code, Request, Verdict, digest_of};

/// Maximum number of bytes of the body of a revocation. The body has no fields, and the caller's
/// key may be invalid.
pub(in crate::http) const REVOKE_BODY_BYTES_MAX: usize = 64;

pub(in crate::http) fn answer(app: &App, call: &CheckCall<'_>) -> Response {
    match describe(app, call.arrival) {
        Ok(value) => answer::finish(answer::json(&value)),
        Err(problem) => app.deny(call.arrival, None, problem),
    }
}

fn describe(app: &App, arrival: &Arrival<'_>) -> Result<Value, Problem> {
    let headers = &arrival.parts.headers;
    let presented = App::presented(headers, &CREDENTIALS)?;
    let origin = app.direct_origin(arrival);
    app.decide(&presented, &Request::from_holder(origin), |grant, now: Now| {
        let mut fields = verify::described(app.index(), grant, now);
        fields.insert("permissions".to_owned(), verify::permissions(grant));
        Value::Object(fields)
    })
}

/// Revokes the presented key without a check: no limit, network, role or subscription prevents the
/// revocation of a leaked key.
pub(in crate::http) fn revoke(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let presented = App::presented(&header_map(call.request)?, &CREDENTIALS)?;
    no_fields(call)?;
    // While the index is behind, it may lack a new key, so the response is not "not found".
    let unknown = || {
        if app.index().is_behind() {
            return Problem::index_behind();
        }
        Problem::denied(Verdict::of(Code::NotFound), None)
    };
    let digest = digest_of(app.index(), &presented).ok_or_else(malformed)?;
    let grant = app.index().grant(&digest).ok_or_else(unknown)?;
    let (organization, key) = (grant.organization.load().id, grant.live.key);
    match app.actions.revoke_by_holder(PresentedKey { organization, key, digest }, call.address) {
        Ok(HolderRevoked::Done) => Ok(answer::empty()),
        Ok(HolderRevoked::SecretEnded) => Err(Problem::denied(Verdict::of(Code::Expired), None)),
        Err(ActionError::NotFound(_)) => Err(unknown()),
        Err(error) => Err(error.into()),
    }
}
