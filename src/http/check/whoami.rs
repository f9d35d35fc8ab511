//! `/v1/whoami`: describes the presented key to its holder, and revokes it.

use rouille::Response;

use crate::actions::ActionError;
use crate::actions::keys::{HolderRevoked, PresentedKey};
use crate::clock::Now;
use crate::http::api::no_fields;
use crate::http::check::held::{HeldView, held_view, patterns, permissions};
use crate::http::check::malformed;
use crate::http::endpoint::{CallerKind, Endpoint, post, probe};
use crate::http::problem::Problem;
use crate::http::session::header_map;
use crate::http::transport::{Arrival, PreparedResponse};
use crate::http::view::view;
use crate::http::{App, Call, CheckCall, answer};
use crate::model::credential::CREDENTIALS;
use crate::model::errors;
use crate::verify::{Code, Request, Verdict, digest_of};

/// Maximum number of bytes of the body of a revocation. The body has no fields, and the caller's
/// key may be invalid.
const REVOKE_BODY_BYTES_MAX: usize = 64;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        probe("/v1/whoami", answer)
            .called_by(CallerKind::Holder)
            .named("whoAmI", "Show the presented key")
            .details(
                "`permissions` lists what the key is granted now; it is null if a list of \
                 100 patterns cannot express that. `owner` is null as for `POST /v1/verify`.",
            )
            .answers::<HoldingView>(200, "The presented key."),
        post("/v1/whoami/revoke", revoke)
            .for_holder()
            .body_bytes_max(REVOKE_BODY_BYTES_MAX)
            .named("revokeMe", "Revoke the presented key")
            .details(
                "Revokes the key permanently. A limit, IP rule, role or subscription does \
                 not prevent it.",
            )
            .takes_no_fields()
            .answers_empty(204, "The key is revoked.")
            .fails(&[
                errors::INVALID_INPUT,
                errors::STORAGE_UNAVAILABLE,
                errors::STORAGE_FULL,
                errors::OUTCOME_UNKNOWN,
            ]),
    ]
}

view! {
    HoldingView = "Holding" {
        /// Permission patterns that the key is granted now. Null if a short list cannot express
        /// them.
        permissions: Option<Vec<String>> => patterns(),
        ..held: HeldView,
    }
}

fn answer(app: &App, call: &CheckCall<'_>) -> PreparedResponse {
    match describe(app, call.arrival) {
        Ok(holding) => answer::prepared(&holding),
        Err(problem) => app.deny(call.arrival, call.id, None, &problem),
    }
}

fn describe(app: &App, arrival: &Arrival<'_>) -> Result<HoldingView, Problem> {
    let headers = &arrival.parts.headers;
    let presented = App::presented(headers, &CREDENTIALS)?;
    let origin = app.direct_origin(arrival);
    app.decide(&presented, &Request::from_holder(origin), |grant, now: Now| HoldingView {
        permissions: permissions(grant),
        held: held_view(app.index(), grant, now),
    })
}

/// Revokes the presented key without a check: no limit, network, role or subscription prevents the
/// revocation of a leaked key.
fn revoke(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
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
