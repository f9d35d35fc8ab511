//! `POST /v1/seal-key/rotate`: the rotation of the key that encrypts the seeds of second factors.

use rouille::Response;
use serde_json::json;

use crate::http::endpoint::{Endpoint, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::boolean;
use crate::http::schema::{count, text};
use crate::http::view::view;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::role::INSTANCE_MANAGE;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    let endpoint = post("/v1/seal-key/rotate", rotate)
        .named("rotateSealKey", "Rotate the seal key")
        .details(
            "Encrypts the seeds of all second factors with a new key and writes the key to the \
             seal key file. Codes stay valid. After an interruption, a repeated call finishes \
             the rotation.",
        )
        .needs(&[INSTANCE_MANAGE])
        .may_take(read_rotation, json!({"keep_key": false}))
        .answers::<SealKeyRotationView>(200, "The new key's id and the number of seeds.")
        .fails(&[errors::SEAL_KEY_READ_ONLY, errors::TOO_MANY_SEAL_KEYS]);
    vec![endpoint]
}

view! {
    SealKeyRotationView = "SealKeyRotation" {
        /// Id of the key that encrypts the seeds now.
        key: String => text("5d1c0f3a9be27741"),
        /// Number of seeds that were encrypted again.
        seeds: usize => count(12),
        /// Number of seeds whose key is not in the file. Their users need backup codes or a reset.
        unreadable: usize => count(0),
    }
}

fn read_rotation(fields: &mut Fields) -> bool {
    let about = "Whether to encrypt with the first key of the file, instead of a new key. \
        Default: false.";
    fields.optional("keep_key", about, boolean(false)).unwrap_or_default()
}

fn rotate(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let keep_key = call.read(read_rotation)?;
    let done = app.actions.rotate_seal_key(call.actor()?, keep_key)?;
    Ok(answer::json(&SealKeyRotationView {
        key: done.key.to_string(),
        seeds: done.seeds.changed,
        unreadable: done.seeds.unreadable,
    }))
}
