//! `GET /v1/keys/export`: lists the service keys with their digests, so that they can be imported into
//! another instance.

use rouille::Response;

use crate::actions::actor::Actor;
use crate::http::api::keys::view::{KeyFields, key_fields};
use crate::http::api::{cursor, paging};
use crate::http::endpoint::{Endpoint, get};
use crate::http::problem::Problem;
use crate::http::schema::{choice, each, text, truth};
use crate::http::view::{Page, view};
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::foreign::{DERIVED, HashForm};
use crate::model::id::{KeyId, OfKey};
use crate::model::role::INSTANCE_IMPORT;
use crate::records::key::{KeyRecord, SecretRecord};

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

view! {
    ExportedKeyView = "ExportedKey" {
        /// Id of the key.
        id: KeyId,
        /// Hash algorithm of `digest`, as an import takes it.
        algorithm: &'static str => choice(&["blake3", DERIVED[0], DERIVED[1]]),
        /// Digest of the newest secret, in hexadecimal.
        digest: String => text(DIGEST),
        /// Other digests of the key: of the same text, of a secret that a rotation replaced, and of
        /// an import.
        other_digests: Vec<String> => each(text(DIGEST)),
        /// Whether a transfer gave the key a maximum, which an import cannot set.
        has_maximum: bool => truth(false),
        ..fields: KeyFields,
    }
}

/// A digest of an example.
const DIGEST: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

fn export(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (limit, after) = call.query(paging::<OfKey>)?;
    let actor = call.actor()?;
    let listed = app.actions.list_service_keys(actor, limit, after)?;
    let keys = listed.keys.iter();
    let items = keys.filter_map(|(record, _whole)| exported_key_view(app, actor, record)).collect();
    Ok(answer::json(&Page { items, next_cursor: listed.next.map(cursor::write) }))
}

/// A key with its digests. `None` for a key without a secret.
fn exported_key_view(app: &App, actor: &Actor, record: &KeyRecord) -> Option<ExportedKeyView> {
    let newest = record.secrets.first()?;
    let of_secret = |it: &SecretRecord| [Some(it.digest), it.other_digest, it.last_part_digest];
    let digests = record.secrets.iter().flat_map(of_secret);
    let mut others: Vec<String> = Vec::new();
    for digest in digests.chain([record.imported]).flatten() {
        let text = digest.to_string();
        if digest != newest.digest && !others.contains(&text) {
            others.push(text);
        }
    }
    Some(ExportedKeyView {
        id: record.id,
        algorithm: HashForm::Stored(newest.algorithm).name(),
        digest: newest.digest.to_string(),
        other_digests: others,
        has_maximum: !record.maxima.is_empty(),
        fields: key_fields(app, actor, record),
    })
}
