//! `POST /v1/keys/{id}/rotate`: creates a new secret for a key.

use std::time::Duration;

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::keys::OVERLAP_MAX;
use crate::http::api::keys::shape::key_view;
use crate::http::api::keys::target;
use crate::http::api::with_etag;
use crate::http::input::{Fields, parsed, wrong};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::fault::Fault;
use crate::model::moment::parse_span;

pub(in crate::http) fn rotate(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let overlap = fields.old_optional("overlap", overlap).unwrap_or_default();
    fields.finish().map_err(Problem::invalid)?;
    let actor = call.actor()?;
    let (record, secret) = app.actions.rotate_key(actor, &target(call)?, overlap)?;
    let made = json!({ "key": key_view(app, actor, &record), "secret": secret.reveal() });
    Ok(with_etag(answer::json(&made), record.version))
}

fn overlap(value: Value, pointer: &str) -> Result<Duration, Vec<Fault>> {
    let overlap = parsed("invalid_duration", parse_span)(value, pointer)?;
    if overlap > OVERLAP_MAX {
        return wrong(pointer, "out_of_range", "must be at most 30d");
    }
    Ok(overlap)
}
