//! `/v1/me/totp`: the second factor of the signed-in user.

use qrcodegen::{QrCode, QrCodeEcc};
use rouille::Response;
use serde_json::{Value, json};

use crate::actions::signing_in::totp::Proof;
use crate::http::input::{Fields, text};
use crate::http::problem::Problem;
use crate::http::{App, Call, answer};
use crate::model::secret::Secret;

/// Starts an enrolment if the body has `current_password`, and confirms it if the body has `code`.
pub(in crate::http) fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let code = fields.old_optional("code", text).map(Secret::new);
    let password = fields.old_optional("current_password", text).map(Secret::new);
    match (&code, &password) {
        (None, None) => {
            fields.fault(
                "current_password",
                "required",
                "is required to start the setup; to confirm the setup, send code instead",
            );
        },
        (Some(_), Some(_)) => {
            fields.fault(
                "code",
                "contradiction",
                "cannot be combined with current_password: send one of them",
            );
        },
        (Some(_), None) | (None, Some(_)) => {},
    }
    fields.finish().map_err(Problem::invalid)?;
    match (code, password) {
        (Some(code), _) => {
            let codes = app.actions.confirm_totp(&own.me(), &code)?;
            let codes: Vec<_> = codes.iter().map(Secret::reveal).collect();
            Ok(answer::json(&json!({ "backup_codes": codes })))
        },
        (None, Some(password)) => {
            let begun = app.actions.begin_totp(&own.me(), &password)?;
            let (secret, url) = (begun.seed.reveal(), begun.url.reveal());
            let begun = json!({ "secret": secret, "url": url, "modules": modules(url) });
            Ok(answer::created(&begun))
        },
        (None, None) => Err(Problem::invalid(Vec::new())),
    }
}

pub(in crate::http) fn delete(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    app.actions.remove_totp(&own.me(), &proof(call)?)?;
    Ok(answer::empty())
}

pub(in crate::http) fn renew_codes(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    let codes = app.actions.renew_backup_codes(&own.me(), &proof(call)?)?;
    let codes: Vec<_> = codes.iter().map(Secret::reveal).collect();
    Ok(answer::json(&json!({ "backup_codes": codes })))
}

/// Reads the proof that a change of an enrolled second factor requires.
fn proof(call: &Call<'_>) -> Result<Proof, Problem> {
    let mut fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    let password = fields.old_required("current_password", text).map(Secret::new);
    let code = fields.old_required("code", text).map(Secret::new);
    fields.finish().map_err(Problem::invalid)?;
    match (password, code) {
        (Some(current_password), Some(code)) => Ok(Proof { current_password, code }),
        (None, _) | (_, None) => Err(Problem::invalid(Vec::new())),
    }
}

/// The rows of a QR code, 1 for dark. The page draws the rows itself. Null if the text is too long
/// for a QR code; the page then shows the text.
fn modules(text: &str) -> Value {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return Value::Null };
    let row = |y: i32| -> String {
        (0..code.size()).map(|x| if code.get_module(x, y) { '1' } else { '0' }).collect()
    };
    (0..code.size()).map(row).collect()
}
