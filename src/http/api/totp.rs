//! `/v1/me/totp`: the second factor of the signed-in user.

use qrcodegen::{QrCode, QrCodeEcc};
use rouille::Response;
use serde_json::json;

use crate::actions::signing_in::totp::{NewTotp, Proof};
use crate::http::api::session::PASSWORD;
use crate::http::endpoint::{CallerKind, Endpoint, delete, post};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{password, secret};
use crate::http::schema::{self, any_of, each, field, nullable, request, text};
use crate::http::transport::Part;
use crate::http::view::{Revealed, view};
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::secret::Secret;

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    let proof = json!({"current_password": PASSWORD, "code": "123456"});
    vec![
        post("/v1/me/totp", create)
            .named("turnOnTotp", "Enable the second factor")
            .details(
                "Takes two requests. The first one, with `current_password`, returns 201 \
                 with the secret and the rows of its QR code. The second one, with a `code` \
                 from the authenticator, returns 200 with the backup codes, which cannot be \
                 shown again.",
            )
            .enrolling()
            .in_part(Part::SignIn)
            .takes(read_step, json!({"current_password": PASSWORD}))
            .body_schema(|_schemas| {
                let password = schema::password(PASSWORD);
                let begin = field("current_password", password, "Password of the account.");
                let confirm = field("code", text("123456"), "Code from the authenticator.");
                any_of([request([begin]), request([confirm])])
            })
            .answers::<BackupCodesView>(200, "The second factor is on.")
            .answers::<NewTotpView>(
                201,
                "The secret: add it to an authenticator, then send a `code`.",
            )
            .fails(&[errors::TOTP_ALREADY_ON, errors::TOTP_NOT_BEGUN, errors::TOO_MANY_ATTEMPTS]),
        delete("/v1/me/totp", remove)
            .named("turnOffTotp", "Disable the second factor")
            .called_by(CallerKind::Person)
            .in_part(Part::SignIn)
            .takes(read_proof, proof.clone())
            .answers_empty(204, "The second factor is off.")
            .fails(&[errors::NOT_FOUND, errors::PASSWORD_TOO_SHORT, errors::TOO_MANY_ATTEMPTS]),
        post("/v1/me/totp/backup-codes", renew_codes)
            .named("renewBackupCodes", "Create new backup codes")
            .details("The previous backup codes stop working. `code` may be one of them.")
            .called_by(CallerKind::Person)
            .in_part(Part::SignIn)
            .takes(read_proof, proof)
            .answers::<BackupCodesView>(200, "The new backup codes, which cannot be shown again.")
            .fails(&[errors::NOT_FOUND, errors::TOO_MANY_ATTEMPTS]),
    ]
}

view! {
    NewTotpView {
        /// Secret of the second factor, in base32.
        secret: Revealed => text("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
        /// `otpauth` URL of the secret, for authenticators.
        url: Revealed => text("otpauth://totp/Keyhouse:ada@example.com"),
        /// Rows of the QR code of `url`; 1 is dark. Null if the URL is too long.
        modules: Option<Vec<Revealed>> => nullable(each(text("1111111001111111")).into()),
    }
}

view! {
    BackupCodesView {
        /// Codes that each replace a code of the second factor once.
        backup_codes: Vec<Revealed> => each(text("k7qd-93bx-m2vh")),
    }
}

/// The two steps of an enrolment.
enum EnrolmentStep {
    Begin(Secret),
    Confirm(Secret),
}

fn read_step(fields: &mut Fields) -> Option<EnrolmentStep> {
    let code = fields.optional("code", "Code from the authenticator.", secret("123456"));
    let password = password(PASSWORD);
    let password = fields.optional("current_password", "Password of the account.", password);
    match (code, password) {
        (None, None) => {
            fields.fault(
                "current_password",
                FaultCode::REQUIRED,
                "is required to start the setup; to confirm the setup, send code instead",
            );
            None
        },
        (Some(_), Some(_)) => {
            fields.fault(
                "code",
                FaultCode::CONTRADICTION,
                "cannot be combined with current_password: send one of them",
            );
            None
        },
        (Some(code), None) => Some(EnrolmentStep::Confirm(code)),
        (None, Some(password)) => Some(EnrolmentStep::Begin(password)),
    }
}

/// Reads the proof that a change of an enrolled second factor requires.
fn read_proof(fields: &mut Fields) -> Option<Proof> {
    let password = password(PASSWORD);
    let password = fields.required("current_password", "Password of the account.", password);
    let about = "Code of the second factor, or a backup code.";
    let code = fields.required("code", about, secret("123456"));
    Some(Proof { current_password: password?, code: code? })
}

/// Starts an enrolment if the body has `current_password`, and confirms it if the body has `code`.
fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    match call.read_required(read_step)? {
        EnrolmentStep::Begin(password) => {
            Ok(answer::created(&new_totp_view(app.actions.begin_totp(&own.me(), &password)?)))
        },
        EnrolmentStep::Confirm(code) => {
            Ok(answer_codes(app.actions.confirm_totp(&own.me(), &code)?))
        },
    }
}

fn remove(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    app.actions.remove_totp(&own.me(), &call.read_required(read_proof)?)?;
    Ok(answer::empty())
}

fn renew_codes(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let own = app.own_session(call)?;
    let proof = call.read_required(read_proof)?;
    Ok(answer_codes(app.actions.renew_backup_codes(&own.me(), &proof)?))
}

fn answer_codes(codes: Vec<Secret>) -> Response {
    let backup_codes = codes.into_iter().map(Revealed).collect();
    answer::json(&BackupCodesView { backup_codes })
}

fn new_totp_view(begun: NewTotp) -> NewTotpView {
    let modules = modules(begun.url.reveal());
    NewTotpView { secret: Revealed(begun.seed), url: Revealed(begun.url), modules }
}

/// The rows of a QR code, 1 for dark. The page draws the rows itself. `None` if the text is too
/// long for a QR code; the page then shows the text.
fn modules(text: &str) -> Option<Vec<Revealed>> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let row = |y: i32| -> String {
        (0..code.size()).map(|x| if code.get_module(x, y) { '1' } else { '0' }).collect()
    };
    Some((0..code.size()).map(|y| Revealed(Secret::new(row(y)))).collect())
}
