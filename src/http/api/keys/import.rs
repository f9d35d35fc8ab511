//! `POST /v1/keys/import`: imports keys of other systems, by digest or as plain text.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::keys::{
    ForeignKey, ForeignSecret, IMPORT_KEYS_MAX, Import, KeyChange, KeyDraft, OwnerName,
};
use crate::http::api::keys::reading::read_change;
use crate::http::api::keys::shape::key_view;
use crate::http::input::{self, Fields, object, parsed, wrong};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::fault::Fault;
use crate::model::foreign::{
    Algorithm, HINT_UNKNOWN, InvalidForeign, check_digest, check_text, hint_of, parse_hash,
    parse_hint,
};
use crate::model::id::OrganizationId;
use crate::model::key_text::Environment;
use crate::model::name::parse_email;
use crate::model::secret::{Digest, Secret};

pub(in crate::http) const IMPORT_BODY_BYTES_MAX: usize = 1024 * 1024;

pub(in crate::http) fn import(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let read = fields.old_required("keys", keys);
    let dry_run = fields.old_optional("dry_run", input::boolean).unwrap_or(false);
    fields.finish().map_err(Problem::invalid)?;
    let (keys, faults) = read.unwrap_or_default();
    let actor = call.actor()?;
    let records = app.actions.import_keys(actor, &Import { keys, faults, dry_run })?;
    let mut keys: Vec<Value> = records.iter().map(|record| key_view(app, actor, record)).collect();
    if dry_run {
        // A dry run returns no ids, since the import creates new ones.
        for key in &mut keys {
            if let Some(fields) = key.as_object_mut() {
                fields.insert("id".to_owned(), Value::Null);
            }
        }
        return Ok(answer::json(&json!({ "dry_run": true, "imported": 0, "keys": keys })));
    }
    Ok(answer::created(&json!({ "dry_run": false, "imported": keys.len(), "keys": keys })))
}

/// Reads the valid keys, and the faults of the invalid keys.
fn keys(value: Value, pointer: &str) -> Result<(Vec<ForeignKey>, Vec<Fault>), Vec<Fault>> {
    let Value::Array(values) = value else {
        return wrong(pointer, "wrong_type", "must be a list");
    };
    if values.is_empty() || values.len() > IMPORT_KEYS_MAX {
        let code = if values.is_empty() { "required" } else { "too_many" };
        return wrong(pointer, code, format!("must have 1 to {IMPORT_KEYS_MAX} keys"));
    }
    let (mut keys, mut faults) = (Vec::new(), Vec::new());
    for (at, value) in values.into_iter().enumerate() {
        let pointer = format!("{pointer}/{at}");
        match object(|fields| key(fields, &pointer))(value, &pointer) {
            Ok(key) => keys.push(key),
            Err(more) => faults.extend(more),
        }
    }
    Ok((keys, faults))
}

fn key(fields: &mut Fields, pointer: &str) -> Option<ForeignKey> {
    let secret = secret(fields);
    let owner = fields.old_optional("owner", parsed("invalid_owner", parse_owner));
    let organization =
        fields.old_optional("organization", parsed("invalid_id", str::parse::<OrganizationId>));
    let environment = fields
        .old_optional("environment", parsed("invalid_environment", str::parse::<Environment>));
    let change = read_change(fields);
    if change.preset.is_some() {
        fields.fault(
            "preset",
            "unknown_field",
            "is not accepted in an import: send permissions instead",
        );
    }
    let draft = draft(change, environment);
    Some(ForeignKey { pointer: pointer.to_owned(), secret: secret?, owner, organization, draft })
}

/// Reads the secret: a digest with its algorithm, or the key itself.
fn secret(fields: &mut Fields) -> Option<ForeignSecret> {
    let algorithm =
        fields.old_optional("algorithm", parsed("invalid_algorithm", str::parse::<Algorithm>));
    let hash = fields.old_optional("digest", parsed("invalid_digest", parse_hash));
    let text = fields.old_optional("key", |value, pointer| {
        let text = Secret::new(input::text(value, pointer)?);
        check_text(&text).or_else(|error| {
            let code = match error {
                InvalidForeign::OwnShape => "own_shape",
                InvalidForeign::Text
                | InvalidForeign::Checksum
                | InvalidForeign::Algorithm
                | InvalidForeign::Digest
                | InvalidForeign::EmptyText
                | InvalidForeign::Hint => "invalid_key",
            };
            wrong(pointer, code, error)
        })?;
        Ok(text)
    });
    let hint = fields.old_optional("hint", parsed("invalid_hint", parse_hint));
    let digest = algorithm.zip(hash).map(|(algorithm, hash)| algorithm.digest(&hash));
    if let Some(Err(error)) = digest.map(check_digest) {
        fields.fault("digest", "invalid_digest", error);
    }
    match (text, algorithm, hash) {
        (Some(text), None, None) => Some(ForeignSecret {
            field: "key",
            digest: text.digest(),
            algorithm: Algorithm::Blake3,
            other_digest: Some(Digest::by_sha256(text.reveal().as_bytes())),
            hint: hint.unwrap_or_else(|| hint_of(&text)),
        }),
        (None, Some(algorithm), Some(hash)) => Some(ForeignSecret {
            field: "digest",
            digest: algorithm.digest(&hash),
            algorithm,
            other_digest: None,
            hint: hint.unwrap_or_else(|| HINT_UNKNOWN.to_owned()),
        }),
        (Some(_), _, _) => {
            fields.fault("key", "contradiction", "cannot be combined with algorithm or digest");
            None
        },
        (None, _, _) => {
            fields.incomplete("digest", "is required with algorithm, or send key instead");
            None
        },
    }
}

fn parse_owner(text: &str) -> Result<OwnerName, &'static str> {
    let by_id = text.parse().map(OwnerName::Id);
    let name = by_id.or_else(|_no_id| parse_email(text).map(OwnerName::Email));
    name.map_err(|_no_email| "must be a user id or an email address")
}

fn draft(change: KeyChange, environment: Option<Environment>) -> KeyDraft {
    KeyDraft {
        name: change.name,
        description: change.description.unwrap_or_default(),
        kind: None,
        environment: environment.unwrap_or_default(),
        permissions: change.permissions.value(),
        preset: None,
        teams: Vec::new(),
        ip_rules: change.ip_rules.value().unwrap_or_default(),
        rate_limits: change.rate_limits.value().unwrap_or_default(),
        quota: change.quota.value(),
        metadata: change.metadata.value().unwrap_or_default(),
        not_before: change.not_before.value(),
        expires_at: change.expires_at.value(),
    }
}
