//! The operations of `/openapi.json`, reduced to the parts that tests need.

use std::collections::HashMap;

use serde_json::Value;

use crate::ask::{Ask, Expect};
use crate::test_server::TestServer;

/// An operation as the running server describes it.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The permissions that `x-permission` names.
    pub(crate) needs: Vec<String>,
    /// The example of the request body; null without a body.
    pub(crate) example: Value,
    /// Whether the body is a form instead of JSON.
    pub(crate) is_form: bool,
    /// Required headers, with an example of each.
    pub(crate) headers: Vec<(String, String)>,
    /// The possible statuses of the response.
    pub(crate) statuses: Vec<u16>,
}

impl Described {
    /// Returns the status of a change that takes effect. An import, which also documents 200,
    /// returns 200 only if all keys exist already.
    pub(crate) fn status_of_success(&self) -> u16 {
        *self.statuses.iter().filter(|status| (200..300).contains(*status)).max().unwrap()
    }

    /// Returns the request with this path and body.
    pub(crate) fn ask(&self, path: &str, body: &Value) -> Ask {
        let ask = Ask::new(&self.method, path);
        let ask = match (body.is_null(), self.is_form) {
            (true, _) => ask,
            (false, true) => ask.form(body),
            (false, false) => ask.json(body),
        };
        self.headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
    }
}

pub(crate) fn described(instance: &TestServer) -> Vec<Described> {
    let document = instance.bare(&Ask::get("/openapi.json")).expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push(read(path, method, operation));
        }
    }
    all
}

/// Returns the status of a change that takes effect, by method and path.
pub(crate) fn statuses_of_success(instance: &TestServer) -> HashMap<String, u16> {
    let operations = described(instance).into_iter();
    operations.map(|it| (format!("{} {}", it.method, it.path), it.status_of_success())).collect()
}

fn read(path: &str, method: &str, operation: &Value) -> Described {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let needed = parameters.iter().filter(|it| it["in"] == "header" && it["required"] == true);
    let header = |it: &Value| {
        let examples = &it["schema"]["examples"][0];
        (it["name"].as_str().unwrap().to_owned(), examples.as_str().unwrap().to_owned())
    };
    let responses = operation["responses"].as_object().unwrap();
    let permissions = operation["x-permission"].as_array().unwrap();
    let content = operation["requestBody"]["content"].as_object();
    let sent = content.and_then(|content| content.iter().next());
    Described {
        id: operation["operationId"].as_str().unwrap().to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        needs: permissions.iter().map(|it| it.as_str().unwrap().to_owned()).collect(),
        example: sent.map_or(Value::Null, |(_, content)| content["example"].clone()),
        is_form: sent.is_some_and(|(kind, _)| kind == "application/x-www-form-urlencoded"),
        headers: needed.map(header).collect(),
        statuses: responses.keys().map(|status| status.parse().unwrap()).collect(),
    }
}
