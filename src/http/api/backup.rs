//! `GET /v1/backup`: a backup of the whole instance, sent while it is read.

use http::Method;
use rouille::{Response, ResponseBody};

use crate::backup::Recipients;
use crate::http::endpoint::{Endpoint, get};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::reading::parsed;
use crate::http::schema::text;
use crate::http::{App, Call};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::role::INSTANCE_MANAGE;

const CONTENT_TYPE: &str = "application/octet-stream";
const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    let endpoint = get("/v1/backup", begin)
        .long()
        .named("createBackup", "Create a backup")
        .details(
            "Returns all records of one revision, while checks and changes go on. The audit log \
             records each backup. The backup contains every organization and password hashes, so \
             encrypt it: the parameter `recipient` names recipients of age.\n\n\
             `keyhouse restore` reads the file, and refuses one that is incomplete. The response \
             has no length, and its connection is cut if the backup fails, for example because the \
             client reads too slowly. At most two backups are read at once.",
        )
        .needs(&[INSTANCE_MANAGE])
        .query(read_recipients)
        .answers_with(200, vec![(CONTENT_TYPE, text("").into())], "The backup.")
        .fails(&[errors::BUSY]);
    vec![endpoint]
}

fn read_recipients(parameters: &mut Parameters) -> Recipients {
    let about = "Recipients of age that can decrypt the backup, separated by commas. Default: \
                 not encrypted.";
    let recipients =
        parsed(FaultCode::INVALID_RECIPIENT, Recipients::parse_list, || text(RECIPIENT));
    parameters.optional("recipient", about, recipients).unwrap_or_default()
}

fn begin(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let recipients = call.query(read_recipients)?;
    let headers = vec![("Content-Type".into(), CONTENT_TYPE.into())];
    let mut response =
        Response { status_code: 200, headers, data: ResponseBody::empty(), upgrade: None };
    if call.request.method() == Method::HEAD.as_str() {
        // A backup that is not read is not recorded.
        call.actor()?.require(INSTANCE_MANAGE)?;
        return Ok(response);
    }
    let backup = app.actions.begin_backup(call.actor()?, &recipients)?;
    response.data = ResponseBody::from_reader(backup);
    Ok(response)
}
