//! The fields of a service key as configuration files declare them.

use serde_json::{Map, Value, json};

use crate::http::api::keys::reading::{ACCESSES, ip_rules, metadata, quota, rate_limits};
use crate::http::input::Fields;
use crate::http::reading::{Read as _, boolean, moment, name, parsed, patterns, reader, wrong};
use crate::http::schema::{any_of, anything, choice, fitting, formatted, map_of, text};
use crate::model::fault::{Fault, FaultCode, in_pointer};
use crate::model::foreign::{Algorithm, HashForm, check_hash, parse_hash, parse_hint};
use crate::model::key_text::Environment;
use crate::model::permission::Patterns;
use crate::model::secret::Digest;
use crate::records::key::TeamAccess;

/// The digest of a declared key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeclaredDigest {
    form: HashForm,
    hash: [u8; 32],
    stored: Digest,
}

/// Where a file gives the secret of a key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DeclaredSecret {
    Digest(DeclaredDigest),
    /// The path of a file with the secret.
    File(String),
}

impl DeclaredDigest {
    /// The digest of a secret whose text is known.
    pub(crate) fn of_text(digest: Digest) -> Self {
        Self { form: HashForm::Given(Algorithm::Blake3), hash: *digest.bytes(), stored: digest }
    }

    /// The name of the hash algorithm in an import.
    pub(crate) const fn algorithm(&self) -> &'static str {
        self.form.name()
    }

    /// The hash as an import takes it.
    pub(crate) fn hash(&self) -> String {
        Digest::from_bytes(self.hash).to_string()
    }

    /// The digest by which the instance knows the key.
    pub(crate) fn stored(&self) -> String {
        self.stored.to_string()
    }
}

/// Reads the name, the secret and the other fields of a key, the latter in the form in which responses
/// show them. Fields that are not given are absent.
#[expect(
    clippy::too_many_lines,
    reason = "one entry for each field, with its text and its example"
)]
pub(crate) fn declared_key(
    fields: &mut Fields,
) -> Option<(String, DeclaredSecret, Map<String, Value>)> {
    let key_name = fields.required("name", "Name of the key.", name("deploy"));
    let about = "Digest of the key: `sha256:` or `blake3:`, and the hash in hexadecimal or base64; in an \
                 export also a derived form. It identifies the key: another digest is another key.";
    let digest = parsed(FaultCode::INVALID_DIGEST, parse_digest, || {
        fitting(
            "^(sha256|blake3|sha256-derived|sha256-part-derived):[0-9A-Za-z+/=_-]{43,64}$",
            DIGEST,
        )
    });
    let digest = fields.optional("digest", about, digest);
    let about = "File with the key as text in its first line, instead of `digest`. The path is relative \
                 to the configuration file. Only the digest of the text is sent.";
    let path = |text: &str| {
        if text.is_empty() { Err("must be a path") } else { Ok(text.to_owned()) }
    };
    let file = parsed(FaultCode::INVALID_PATH, path, || text("/run/secrets/deploy-key"));
    let file = fields.optional("secret_file", about, file);
    let mut read = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        read.extend(value.map(|value| (name.to_owned(), value)));
    };
    let about = "Beginning of the key, for people. Used only when the key is created.";
    let hint =
        parsed(FaultCode::INVALID_HINT, parse_hint, || fitting("^[!-~]{1,16}$", "kh_live_0123"));
    add("hint", fields.optional("hint", about, hint).map(Value::from));
    let about = "Environment of the key, which does not change. Default: `live`.";
    let environment = parsed(FaultCode::INVALID_ENVIRONMENT, str::parse::<Environment>, || {
        fitting("^[a-z][a-z0-9]{0,15}$", "live")
    });
    add("environment", fields.optional("environment", about, environment).map(shown));
    add(
        "description",
        fields.description("description", "Description for people.", "Deploys.").map(Value::from),
    );
    let about = "Granted permission patterns. Default: none.";
    add(
        "permissions",
        fields.optional("permissions", about, patterns("diagrams:read")).map(listed),
    );
    let about = "Networks from which the key may be used. Default: all.";
    add(
        "ip_rules",
        fields
            .optional("ip_rules", about, ip_rules())
            .map(|rules| json!({ "allow": sorted(&rules.allow), "deny": sorted(&rules.deny) })),
    );
    let about = "Rate limits of the key. Default: none.";
    let limits = fields.optional("rate_limits", about, rate_limits());
    add(
        "rate_limits",
        limits.map(|limits| {
            let shown = limits.iter().map(|limit| {
            json!({
                "name": limit.name, "limit": limit.limit, "window_seconds": limit.window_seconds,
            })
        });
            shown.collect()
        }),
    );
    add(
        "quota",
        fields.optional("quota", "Quota of the key. Default: none.", quota()).map(|quota| {
            json!({
                "limit": quota.limit, "period": quota.period.to_string(),
                "timezone": quota.zone.to_string(),
            })
        }),
    );
    let about = "Any object, or its JSON as a text. Default: empty.";
    let written = reader(read_metadata, || {
        any_of([anything(json!({"ticket": "OPS-7"})).into(), formatted("json", "{}").into()])
    });
    add("metadata", fields.optional("metadata", about, written).map(Value::Object));
    let about = "Time from which the key is valid. Default: at once.";
    add("not_before", fields.optional("not_before", about, moment()).map(shown));
    let about = "Time of expiry. Default: never.";
    add("expires_at", fields.optional("expires_at", about, moment()).map(shown));
    let about = "Whether the key is disabled. Default: false.";
    add("disabled", fields.optional("disabled", about, boolean(false)).map(Value::from));
    let about = "Teams with which the key is shared, by name, and their access. Default: none.";
    add(
        "teams",
        fields
            .optional(
                "teams",
                about,
                reader(read_teams, || map_of(choice(&ACCESSES), json!({"Build": "read"}))),
            )
            .map(Value::Object),
    );
    let secret = match (digest, file) {
        (Some(digest), None) => Some(DeclaredSecret::Digest(digest)),
        (None, Some(file)) => Some(DeclaredSecret::File(file)),
        (Some(_), Some(_)) => {
            fields.fault("secret_file", FaultCode::CONTRADICTION, "cannot be combined with digest");
            None
        },
        (None, None) => {
            fields.incomplete("digest", "is required, or secret_file");
            None
        },
    };
    Some((key_name?, secret?, read))
}

const DIGEST: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

fn parse_digest(text: &str) -> Result<DeclaredDigest, String> {
    let (form, hash) = text
        .split_once(':')
        .ok_or("must be sha256: or blake3:, and the hash in hexadecimal or base64")?;
    let form: HashForm =
        form.parse().map_err(|error| format!("the part before the colon {error}"))?;
    let hash = parse_hash(hash).map_err(|error| format!("the part after the colon {error}"))?;
    check_hash(&hash).map_err(|error| error.to_string())?;
    let (stored, _) = form.digest(&hash, None).map_err(|error| error.to_string())?;
    Ok(DeclaredDigest { form, hash, stored })
}

fn read_metadata(value: Value, pointer: &str) -> Result<Map<String, Value>, Vec<Fault>> {
    let value = match value {
        Value::String(text) => crate::http::json::parse(text.as_bytes()).or_else(|_error| {
            wrong(
                pointer,
                FaultCode::INVALID_JSON,
                "must be an object, or a text that is a JSON object",
            )
        })?,
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_)) => other,
    };
    metadata().read(value, pointer)
}

fn read_teams(value: Value, pointer: &str) -> Result<Map<String, Value>, Vec<Fault>> {
    let Value::Object(teams) = value else {
        return wrong(
            pointer,
            FaultCode::WRONG_TYPE,
            "must be an object of team names with read or write",
        );
    };
    let mut faults = Vec::new();
    for (team, access) in &teams {
        let is_access = access.as_str().is_some_and(|text| text.parse::<TeamAccess>().is_ok());
        if !is_access {
            let pointer = format!("{pointer}/{}", in_pointer(team));
            faults.push(Fault::new(pointer, FaultCode::INVALID_ACCESS, "must be read or write"));
        }
    }
    if faults.is_empty() { Ok(teams) } else { Err(faults) }
}

#[expect(clippy::needless_pass_by_value, reason = "a reader's result")]
fn shown(value: impl ToString) -> Value {
    Value::String(value.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "a reader's result")]
fn listed(patterns: Patterns) -> Value {
    let mut texts: Vec<&str> = patterns.as_set().texts().collect();
    texts.sort_unstable();
    texts.dedup();
    texts.into()
}

fn sorted<T: ToString>(values: &[T]) -> Vec<String> {
    let mut texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}
