//! `POST /v1/keys/{id}/rotate`: creates a new secret for a key.

use std::time::Duration;

use rouille::Response;
use serde_json::json;

use crate::actions::keys::OVERLAP_MAX;
use crate::http::api::keys::target;
use crate::http::api::keys::view::{RotatedKeyView, key_view};
use crate::http::endpoint::{Endpoint, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{Read as _, parsed, wrong};
use crate::http::schema::span;
use crate::http::view::Revealed;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::moment::parse_span;

pub(super) fn endpoint() -> Endpoint {
    post("/v1/keys/{key}/rotate", rotate)
        .named("rotateKey", "Rotate a key")
        .details(
            "Creates a new secret, which cannot be shown again. The old secret works for \
             `overlap`, at most 30 days; without it, the old secret stops working at once. Only \
             the owner can rotate a personal key. The caller must have everything that a service \
             key grants.",
        )
        .versioned()
        .may_take(read_overlap, json!({"overlap": "24h"}))
        .answers::<RotatedKeyView>(200, "The key and its new secret.")
        .with_etag()
        .fails(&[errors::PERMISSION_REQUIRED, errors::KEY_REVOKED, errors::KEY_EXPIRED])
        .fails(&[errors::OWN_KEY, errors::SUBSCRIPTION_REQUIRED, errors::PROOF_REQUIRED])
}

fn read_overlap(fields: &mut Fields) -> Duration {
    let reader = parsed(FaultCode::INVALID_DURATION, parse_span, || span("24h"));
    let reader = reader.then(|overlap, pointer| {
        if overlap > OVERLAP_MAX {
            return wrong(pointer, FaultCode::OUT_OF_RANGE, "must be at most 30d");
        }
        Ok(overlap)
    });
    let about = "Duration for which the old secret still works. Default: none.";
    fields.optional("overlap", about, reader).unwrap_or_default()
}

fn rotate(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let overlap = call.read(read_overlap)?;
    let actor = call.actor()?;
    let (record, secret) = app.actions.rotate_key(actor, &target(call)?, overlap)?;
    let key = key_view(app, actor, &record);
    Ok(answer::versioned(&RotatedKeyView { key, secret: Revealed(secret) }, record.version))
}
