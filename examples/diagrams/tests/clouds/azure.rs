//! Azure with recorded responses, and from an export.

use std::path::PathBuf;

use keyhouse_diagrams::{CloudPlace, CloudSettings, Inventory, ScanError, scan};
use serde_json::{Value, json};

use crate::recorded::{Reply, Request, Server};
use crate::settings;

const APPLICATION: &str = "11111111-1111-4111-8111-111111111111";
const DIRECTORY: &str = "22222222-2222-4222-8222-222222222222";
const SUBSCRIPTION: &str = "33333333-3333-4333-8333-333333333333";
const SECRET: &str = "s3cret&value=1";

fn place() -> CloudPlace {
    CloudPlace::Azure {
        application: APPLICATION.to_owned(),
        directory: DIRECTORY.to_owned(),
        subscription: SUBSCRIPTION.to_owned(),
        hint: "s3c".to_owned(),
    }
}

/// A subscription: two machines behind a load balancer, with groups, and some more. The last two are of another region
/// and of another subscription.
fn rows() -> Vec<Value> {
    serde_json::from_str(include_str!("azure/rows.json")).unwrap()
}

/// Its inventory.
fn expected() -> Value {
    serde_json::from_str(include_str!("azure/inventory.json")).unwrap()
}

/// Answers the rows in pages of five, for a token.
fn azure(request: &Request) -> Reply {
    if request.action().ends_with("/token") {
        let body =
            json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "token.of-azure"});
        return Reply::Of(200, body.to_string());
    }
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let first: usize =
        body["options"]["$skipToken"].as_str().map_or(0, |token| token.parse().unwrap());
    let rows = rows();
    let page: Vec<&Value> = rows.iter().skip(first).take(5).collect();
    let mut answer = json!({"totalRecords": rows.len(), "count": page.len(), "resultTruncated": "false", "data": page});
    if first + 5 < rows.len() {
        answer["$skipToken"] = json!((first + 5).to_string());
    }
    Reply::Of(200, answer.to_string())
}

fn scanned(server: &Server) -> Result<Inventory, ScanError> {
    scan(&place(), Some(SECRET), "westeurope", &settings(server.address()))
}

fn failed(server: &Server) -> String {
    scanned(server).unwrap_err().to_string()
}

/// A server that gives a token, and answers each search alike.
fn graph(status: u16, body: &Value) -> Server {
    let body = body.to_string();
    Server::start(move |request| {
        let is_token = request.action().ends_with("/token");
        if is_token { azure(request) } else { Reply::Of(status, body.clone()) }
    })
}

#[test]
fn a_subscription_is_read_in_pages_with_a_token() {
    let server = Server::start(azure);
    let inventory = scanned(&server).unwrap();
    assert_eq!(serde_json::to_value(inventory).unwrap(), expected());
    let requests = server.requests();
    let (token, searches) = requests.split_first().unwrap();
    assert_eq!(token.line, format!("POST /{DIRECTORY}/oauth2/v2.0/token"));
    assert_eq!(token.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(
        token.body,
        format!(
            "grant_type=client_credentials&client_id={APPLICATION}&client_secret=s3cret%26value%3D1\
             &scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
        )
    );
    assert_eq!(searches.len(), 3);
    for (search, next) in searches.iter().zip([json!(null), json!("5"), json!("10")]) {
        assert_eq!(
            search.line,
            "POST /providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
        );
        assert_eq!(search.header("authorization"), "Bearer token.of-azure");
        assert_eq!(search.header("content-type"), "application/json");
        let body: Value = serde_json::from_str(&search.body).unwrap();
        let query = "Resources | where location =~ 'westeurope' \
            | project id, name, type, location, subscriptionId, tags, \
            properties = iff(type startswith 'microsoft.compute/' or type startswith 'microsoft.network/', \
            properties, dynamic(null)) | order by id asc";
        let mut options = json!({"resultFormat": "objectArray", "$top": 500});
        if !next.is_null() {
            options["$skipToken"] = next;
        }
        let whole = json!({"subscriptions": [SUBSCRIPTION], "query": query, "options": options});
        assert_eq!(body, whole);
        assert!(!format!("{search:?}").contains("s3cret"), "{search:?}");
    }
}

#[test]
fn an_export_gives_the_same_without_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("export.json");
    let mut rows = rows();
    // Other tools write regions as people read them, and leave out the subscription.
    for row in &mut rows {
        if row["location"] == "westeurope" && row["subscriptionId"] == SUBSCRIPTION {
            row["location"] = json!("West Europe");
            row.as_object_mut().unwrap().remove("subscriptionId");
        }
    }
    for text in [json!(rows).to_string(), json!({"count": 15, "data": rows}).to_string()] {
        std::fs::write(&path, text).unwrap();
        let server = Server::start(azure);
        let settings =
            CloudSettings { azure_export: Some(path.clone()), ..settings(server.address()) };
        let inventory = scan(&place(), None, "westeurope", &settings).unwrap();
        assert_eq!(serde_json::to_value(inventory).unwrap(), expected());
        assert!(server.requests().is_empty());
    }
}

#[test]
fn a_refused_application_is_named_without_its_secret() {
    let body =
        json!({"error": "invalid_client", "error_description": format!("AADSTS7000215: {SECRET}")});
    for status in [400, 401] {
        let body = body.to_string();
        let server = Server::start(move |_| Reply::Of(status, body.clone()));
        assert_eq!(
            failed(&server),
            "Azure refused the application (invalid_client): check applicationId, directoryId and clientSecret"
        );
    }
    let nothing = scan(&place(), None, "westeurope", &settings("http://127.0.0.1:9")).unwrap_err();
    assert_eq!(
        nothing.to_string(),
        "the account has no client secret: update it with clientSecret"
    );
}

#[test]
fn errors_of_a_search_are_named() {
    let action = "Microsoft.ResourceGraph/resources/read";
    let refused = graph(403, &json!({"error": {"code": "AuthorizationFailed", "message": "no"}}));
    assert_eq!(
        failed(&refused),
        format!(
            "{action} was refused (AuthorizationFailed): check the permissions, and that the region is enabled"
        )
    );
    let throttled = graph(429, &json!({"error": {"code": "RateLimiting"}}));
    assert_eq!(
        failed(&throttled),
        format!("{action} is refused for now, because of too many requests: retry later")
    );
    assert_eq!(throttled.requests().len(), 1 + 4);
    let endless = graph(200, &json!({"data": [], "$skipToken": "again"}));
    assert_eq!(failed(&endless), format!("{action} has more than 100 pages"));
    assert_eq!(endless.requests().len(), 1 + 100);
    let cut = graph(200, &json!({"data": [], "resultTruncated": "true"}));
    assert_eq!(
        failed(&cut),
        format!(
            "the response of {action} is not readable: the list has an end without a next page"
        )
    );
    let wrong = graph(200, &json!({"data": {}}));
    assert!(failed(&wrong).starts_with(&format!("the response of {action} is not readable: ")));
}

#[test]
fn a_token_that_is_no_header_is_refused() {
    for token in ["", "two words", "line\r\nx: y"] {
        let body = json!({"access_token": token}).to_string();
        let server = Server::start(move |_| Reply::Of(200, body.clone()));
        let shown = failed(&server);
        assert_eq!(
            shown,
            "the response of the request for a token of Azure is not readable: no token"
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn nothing_is_sent_for_a_wrong_region() {
    let server = Server::start(azure);
    for region in ["", "west-europe", "West Europe", "westeurope' or 1 == 1"] {
        let settings = settings(server.address());
        let error = scan(&place(), Some(SECRET), region, &settings).unwrap_err().to_string();
        assert_eq!(error, "the region is not in the form of Azure: use a region such as eastus");
    }
    assert!(server.requests().is_empty());
}
