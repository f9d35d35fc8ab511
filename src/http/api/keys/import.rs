//! `POST /v1/keys/import`: imports keys of other systems, by digest or as plain text.

use rouille::Response;
use serde_json::{Value, json};

use crate::actions::keys::{
    ForeignKey, ForeignPast, ForeignSecret, IMPORT_KEYS_MAX, Import, KeyDraft, OwnerName,
};
use crate::http::api::keys::reading::{preset, read_environment, read_settable};
use crate::http::api::keys::view::{ImportedKeyView, key_fields};
use crate::http::endpoint::{Endpoint, post};
use crate::http::input::{Fields, LARGE_BODY_BYTES_MAX, object};
use crate::http::problem::Problem;
use crate::http::reading::{Read, boolean, parsed, reader, wrong};
use crate::http::schema::{
    Schema, any_of, choice, count, email, fitting, formatted, id, list, moment_as, request, truth,
};
use crate::http::view::{Schemas, named, view};
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::{Fault, FaultCode};
use crate::model::foreign::{
    Algorithm, DERIVED, HINT_UNKNOWN, HashForm, InvalidForeign, check_hash, check_text, hint_of,
    parse_hash, parse_head, parse_hint,
};
use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::model::name::parse_email;
use crate::model::role::INSTANCE_IMPORT;
use crate::model::secret::{Digest, Secret};

const HASH: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

pub(super) fn endpoint() -> Endpoint {
    post("/v1/keys/import", import)
        .named("importKeys", "Import keys")
        .details(
            "Imports keys of another system, all or none. Each is given by `algorithm` and \
             `digest`, or as plain text in `key`, which is hashed on arrival. A dry run returns \
             the result without importing. Keys with `last_used_at` take more room: send at most \
             300 of them.",
        )
        .long()
        .body_bytes_max(LARGE_BODY_BYTES_MAX)
        .needs(&[INSTANCE_IMPORT])
        .takes(
            read_import,
            json!({"keys": [{
                "algorithm": "sha256", "name": "old deploy key", "permissions": ["diagrams:read"],
                "digest": HASH,
            }]}),
        )
        .answers::<ImportView>(200, "Result of a dry run.")
        .answers::<ImportView>(201, "The imported keys.")
        .fails(&[errors::SUBSCRIPTION_REQUIRED, errors::SUBSCRIPTION_LIMIT])
        .fails(&[errors::PROOF_REQUIRED])
}

view! {
    ImportView {
        /// Whether this was a dry run.
        dry_run: bool => truth(false),
        /// Number of imported keys.
        imported: usize => count(1),
        /// The keys, in the order of the request.
        keys: Vec<ImportedKeyView>,
    }
}

fn import(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let import = call.read_required(read_import)?;
    let actor = call.actor()?;
    let records = app.actions.import_keys(actor, &import)?;
    let dry_run = import.dry_run;
    // A dry run returns no ids, since the import creates new ones.
    let keys = records.iter().map(|record| ImportedKeyView {
        id: (!dry_run).then_some(record.id),
        fields: key_fields(app, actor, record),
    });
    let imported = if dry_run { 0 } else { records.len() };
    let view = ImportView { dry_run, imported, keys: keys.collect() };
    Ok(if dry_run { answer::json(&view) } else { answer::created(&view) })
}

fn read_import(fields: &mut Fields) -> Option<Import> {
    let read = fields.required("keys", "Keys to import.", ForeignKeys);
    let about = "Whether to validate without importing.";
    let dry_run = fields.optional("dry_run", about, boolean(false)).unwrap_or(false);
    let about = "Whether the keys come from a configuration file. Such keys are imported even if the \
                 organization has no API access. `keyhouse apply --prune` revokes only such keys.";
    let applied = fields.optional("applied", about, boolean(false)).unwrap_or(false);
    let (keys, faults) = read?;
    Some(Import { keys, faults, applied, dry_run })
}

/// Reads the valid keys, and the faults of the invalid keys.
struct ForeignKeys;

impl Read for ForeignKeys {
    type Output = (Vec<ForeignKey>, Vec<Fault>);

    fn read(&self, value: Value, pointer: &str) -> Result<Self::Output, Vec<Fault>> {
        let Value::Array(values) = value else {
            return wrong(pointer, FaultCode::WRONG_TYPE, "must be a list");
        };
        if values.is_empty() || values.len() > IMPORT_KEYS_MAX {
            let code = if values.is_empty() { FaultCode::REQUIRED } else { FaultCode::TOO_MANY };
            return wrong(pointer, code, format!("must have 1 to {IMPORT_KEYS_MAX} keys"));
        }
        let (mut keys, mut faults) = (Vec::new(), Vec::new());
        for (at, value) in values.into_iter().enumerate() {
            let pointer = format!("{pointer}/{at}");
            match object(|fields| read_key(fields, &pointer)).read(value, &pointer) {
                Ok(key) => keys.push(key),
                Err(more) => faults.extend(more),
            }
        }
        Ok((keys, faults))
    }

    fn schema(&self, schemas: &mut Schemas) -> Schema {
        let key = named(schemas, "ForeignKey", |schemas| {
            let fields = Fields::describe(schemas, |fields| drop(read_key(fields, "")));
            let without = |others: &[&str]| {
                request(fields.iter().filter(|field| !others.contains(&field.name())).cloned())
            };
            any_of([without(&["key"]), without(&["algorithm", "digest", "head"])])
        });
        list(IMPORT_KEYS_MAX, key).min_items(Some(1)).into()
    }
}

fn read_key(fields: &mut Fields, pointer: &str) -> Option<ForeignKey> {
    let secret = read_secret(fields);
    let about = "Owner of a personal key: a user id or an email address. Default: a service key.";
    let schema = || any_of([id("usr").into(), email("ada@example.com").into()]);
    let owner =
        fields.optional("owner", about, parsed(FaultCode::INVALID_OWNER, parse_owner, schema));
    let about = "Organization of the key. Default: the caller's.";
    let reader = parsed(FaultCode::INVALID_ID, str::parse::<OrganizationId>, || id("org"));
    let organization = fields.optional("organization", about, reader);
    let environment = read_environment(fields);
    let change = read_settable(fields, |fields| fields.undescribed("preset", preset()));
    if change.preset.is_some() {
        fields.fault(
            "preset",
            FaultCode::UNKNOWN_FIELD,
            "is not accepted in an import: send permissions instead",
        );
    }
    let past = read_past(fields);
    let draft = KeyDraft { environment, ..change.into() };
    let pointer = pointer.to_owned();
    Some(ForeignKey { pointer, secret: secret?, owner, organization, past, draft })
}

/// Reads what happened to a key in the other system.
fn read_past(fields: &mut Fields) -> ForeignPast {
    let time =
        |example| parsed(FaultCode::INVALID_TIME, str::parse::<Moment>, move || moment_as(example));
    let about = "Time of creation in the other system. Default: now.";
    let created_at = fields.optional("created_at", about, time("2024-02-03T04:05:06.000Z"));
    let about = "Last call with the key in the other system.";
    let last_used_at = fields.optional("last_used_at", about, time("2024-05-06T07:08:09.000Z"));
    let about = "Whether the key is disabled. An actor that manages keys can enable it.";
    let disabled = fields.optional("disabled", about, boolean(false)).unwrap_or(false);
    ForeignPast { created_at, last_used_at, disabled }
}

/// Reads the secret: a digest with its algorithm, or the key itself.
fn read_secret(fields: &mut Fields) -> Option<ForeignSecret> {
    let schema = || choice(&["sha256", "blake3", DERIVED[0], DERIVED[1]]);
    let reader_of = parsed(FaultCode::INVALID_ALGORITHM, str::parse::<HashForm>, schema);
    let about = "Hash algorithm of `digest`. The derived forms are those of an export, for keys that were \
                 imported by their SHA-256.";
    let algorithm = fields.alternative("algorithm", about, reader_of);
    let reader_of =
        parsed(FaultCode::INVALID_DIGEST, parse_hash, || fitting("^[0-9a-f]{64}$", HASH));
    let hash = fields.alternative("digest", "Digest of the key, in hexadecimal.", reader_of);
    let about = "Beginning of the key, up to and including the last `|` or `.`, if `digest` is \
                 that of the rest: `17|` of `17|secret`. Only with `sha256`.";
    let reader_of =
        parsed(FaultCode::INVALID_HEAD, parse_head, || fitting("^[!-~]{1,127}[|.]$", "17|"));
    let head = fields.optional("head", about, reader_of);
    let schema = || formatted("foreign-key", "sk_old_0123456789abcdef0123456789");
    let about = "The key as plain text. It is hashed on arrival and not stored.";
    let text = fields.alternative("key", about, reader(read_text, schema));
    let reader_of =
        parsed(FaultCode::INVALID_HINT, parse_hint, || fitting("^[!-~]{1,16}$", "sk_old_"));
    let hint = fields.optional("hint", "Text that identifies the key to people.", reader_of);
    if let Some(Err(error)) = hash.as_ref().map(check_hash) {
        fields.fault("digest", FaultCode::INVALID_DIGEST, error);
    }
    match (text, algorithm, hash) {
        (Some(text), None, None) if head.is_none() => Some(ForeignSecret {
            field: "key",
            digest: text.digest(),
            algorithm: Algorithm::Blake3,
            other_digest: Some(Digest::by_sha256(text.reveal().as_bytes())),
            last_part_digest: Digest::by_last_part(text.reveal().as_bytes()),
            hint: hint.unwrap_or_else(|| hint_of(&text)),
        }),
        (None, Some(algorithm), Some(hash)) => match algorithm.digest(&hash, head.as_deref()) {
            Ok((digest, algorithm)) => Some(ForeignSecret {
                field: "digest",
                digest,
                algorithm,
                other_digest: None,
                last_part_digest: None,
                hint: hint.unwrap_or_else(|| HINT_UNKNOWN.to_owned()),
            }),
            Err(error) => {
                fields.fault("head", FaultCode::CONTRADICTION, error);
                None
            },
        },
        (Some(_), _, _) => {
            let detail = "cannot be combined with algorithm, digest or head";
            fields.fault("key", FaultCode::CONTRADICTION, detail);
            None
        },
        (None, _, _) => {
            fields.incomplete("digest", "is required with algorithm, or send key instead");
            None
        },
    }
}

fn read_text(value: Value, pointer: &str) -> Result<Secret, Vec<Fault>> {
    let Value::String(text) = value else {
        return wrong(pointer, FaultCode::WRONG_TYPE, "must be a string");
    };
    let text = Secret::new(text);
    check_text(&text).or_else(|error| {
        let code = match error {
            InvalidForeign::OwnShape => FaultCode::OWN_SHAPE,
            InvalidForeign::Text
            | InvalidForeign::Checksum
            | InvalidForeign::Algorithm
            | InvalidForeign::Digest
            | InvalidForeign::EmptyText
            | InvalidForeign::Head
            | InvalidForeign::HeadAlgorithm
            | InvalidForeign::Hint => FaultCode::INVALID_KEY,
        };
        wrong(pointer, code, error)
    })?;
    Ok(text)
}

fn parse_owner(text: &str) -> Result<OwnerName, &'static str> {
    let by_id = text.parse().map(OwnerName::Id);
    let name = by_id.or_else(|_no_id| parse_email(text).map(OwnerName::Email));
    name.map_err(|_no_email| "must be a user id or an email address")
}
