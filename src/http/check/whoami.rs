//! `GET /v1/whoami`: what the presented key is and may do, told to its holder.

use rouille::Response;
use serde_json::{Value, json};

use crate::clock::Now;
use crate::http::check::{Caller, user_agent, verify};
use crate::http::problem::Problem;
use crate::http::transport::Arrival;
use crate::http::{App, answer};
use crate::verify::Request;

pub(in crate::http) fn answer(
    app: &App,
    arrival: &Arrival<'_>,
    _params: &[&str],
    _body: &[u8],
) -> Response {
    match tell(app, arrival) {
        Ok(value) => answer::finish(answer::json(&value)),
        Err(problem) => app.deny(problem),
    }
}

fn tell(app: &App, arrival: &Arrival<'_>) -> Result<Value, Problem> {
    let headers = &arrival.parts.headers;
    let presented = App::presented(headers)?;
    let address = app.direct_address(arrival);
    let request = Request { ip: address, ..Request::default() };
    let caller = Caller { address, user_agent: user_agent(headers) };
    app.judge(&presented, &request, caller, |grant, now: Now| {
        let mut told = verify::described(app.index(), grant, now);
        told.insert("permissions".to_owned(), json!(verify::permissions(grant)));
        Value::Object(told)
    })
}
