//! `GET /v1/keys/export`: lists the service keys with their digests, so that they can be imported into
//! another instance.

use rouille::Response;

use crate::http::api::keys::view::{ExportedKeyView, exported_key_view};
use crate::http::api::{cursor, paging};
use crate::http::endpoint::{Endpoint, get};
use crate::http::problem::Problem;
use crate::http::view::Page;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::id::OfKey;
use crate::model::role::INSTANCE_IMPORT;

pub(super) fn endpoint() -> Endpoint {
    get("/v1/keys/export", export)
        .named("exportKeys", "Export keys")
        .details(
            "Returns the service keys of the organization with their digests, without revoked keys, \
             the newest first. An import accepts the digests. A digest is not a key, but the text \
             of a short key can be found from it. The caller also needs `keyhouse:keys:read`.",
        )
        .long()
        .needs(&[INSTANCE_IMPORT])
        .query(paging::<OfKey>)
        .answers::<Page<ExportedKeyView>>(200, "A page of keys.")
        .fails(&[errors::PERMISSION_REQUIRED])
}

fn export(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging::<OfKey>)?;
    let actor = call.actor()?;
    let listed = app.actions.list_service_keys(actor, limit, after)?;
    let keys = listed.keys.iter();
    let items = keys.filter_map(|(record, _whole)| exported_key_view(app, actor, record)).collect();
    Ok(answer::json(&Page { items, next_cursor: listed.next.map(cursor::write) }))
}
