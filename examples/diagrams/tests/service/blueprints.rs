//! `/blueprint`: the life of a diagram.

use serde_json::{Value, json};

use crate::fixture::{ADA, As, Service, header, json_of, refused};

#[test]
fn a_diagram_is_created_read_changed_listed_and_deleted() {
    let service = Service::new();
    let data = json!({"name": "One", "grid": "standard", "version": 6, "nodes": [{"new": [1.5]}]});
    let made = service.ask(&ADA, "POST", "/blueprint", &json!({"data": data, "tags": ["a"]}));
    assert_eq!(made.status(), 201);
    let body = json_of(&made);
    let path = format!("/blueprint/{}", body["id"].as_str().unwrap());
    assert_eq!(
        (&body["data"], &body["name"], &body["tags"]),
        (&data, &json!("One"), &json!(["a"]))
    );
    assert_eq!((&body["CreatorId"], &body["LastUserId"]), (&json!("usr_ada"), &json!("usr_ada")));
    assert_eq!((&body["readAccess"], &body["writeAccess"]), (&Value::Null, &Value::Null));
    assert_eq!(body["createdAt"], "2027-01-15T08:00:00.000Z");

    service.pass_ms(1500);
    let change = json!({
        "id": "x", "createdAt": "0001-01-01T00:00:00Z", "CreatorId": "x", "LastUserId": "x",
        "CurrentVersionId": "x", "name": "x", "data": {"name": "Two"},
    });
    let changed = service.ask(&ADA, "PUT", &path, &change);
    assert_eq!((changed.status(), changed.body().len()), (204, 0));
    assert_ne!(header(&changed, "etag"), header(&made, "etag"));
    let read = service.ask(&ADA, "GET", &path, &Value::Null);
    assert_eq!(header(&read, "etag"), header(&changed, "etag"));
    let body = json_of(&read);
    assert_eq!((&body["name"], &body["tags"]), (&json!("Two"), &json!(["a"])));
    assert_eq!(
        (&body["createdAt"], &body["updatedAt"]),
        (&json!("2027-01-15T08:00:00.000Z"), &json!("2027-01-15T08:00:01.500Z"))
    );
    assert_eq!((&body["CreatorId"], &body["data"]["version"]), (&json!("usr_ada"), &json!(1)));
}

#[test]
fn a_diagram_is_listed_until_it_is_deleted() {
    let service = Service::new();
    let path = format!("/blueprint/{}", service.make(&ADA, &json!({})));
    let list = json_of(&service.ask(&ADA, "GET", "/blueprint", &Value::Null));
    assert_eq!(list.as_object().unwrap().keys().collect::<Vec<_>>(), ["blueprints"]);
    let [row] = list["blueprints"].as_array().unwrap().as_slice() else { panic!("{list}") };
    assert!(row.get("data").is_none() && row["CurrentVersionId"].is_string(), "{row}");

    assert_eq!(service.ask(&ADA, "DELETE", &path, &Value::Null).status(), 204);
    for method in ["GET", "DELETE"] {
        refused(&service.ask(&ADA, method, &path, &Value::Null), 404, "not found");
    }
    refused(&service.ask(&ADA, "PUT", &path, &json!({"data": {"name": "x"}})), 404, "not found");
    let list = json_of(&service.ask(&ADA, "GET", "/blueprint", &Value::Null));
    assert_eq!(list, json!({"blueprints": []}));
}

/// A parser would write other digits, and another order of members.
#[test]
fn the_content_survives_byte_by_byte() {
    let service = Service::new();
    let content = "{ \"z\": 0.10000000000000000555, \"name\":\"n\", \"big\": 123456789012345678901234567890, \"version\": 6, \"a\": {} }";
    let body = format!("{{\"data\": {content}}}");
    let made = service.ask_text(&ADA, ("POST", "/blueprint"), &[], body);
    assert_eq!(made.status(), 201, "{made:?}");
    let path = format!("/blueprint/{}", json_of(&made)["id"].as_str().unwrap());
    for target in [path.clone(), format!("{path}/json")] {
        let read = service.ask(&ADA, "GET", &target, &Value::Null);
        let text = String::from_utf8(read.body().to_vec()).unwrap();
        assert!(text.contains(content), "{target}: {text}");
    }
}

#[test]
fn a_change_of_another_version_is_refused() {
    let service = Service::new();
    let path = format!("/blueprint/{}", service.make(&ADA, &json!({})));
    let tag = header(&service.ask(&ADA, "GET", &path, &Value::Null), "etag").unwrap().to_owned();
    assert!(tag.len() == 34 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let body = json!({"data": {"name": "x"}}).to_string();
    let put = |tag: &str| {
        service.ask_text(&ADA, ("PUT", path.as_str()), &[("if-match", tag)], body.clone())
    };
    for wrong in ["\"0\"", "", "W/\"0\"", &format!("W/{tag}")] {
        refused(&put(wrong), 412, "changed");
    }
    let changed = put(&format!("\"0\", {tag}"));
    assert_eq!(changed.status(), 204);
    refused(&put(&tag), 412, "changed");
    // Some clients send it without quotes.
    let bare = header(&changed, "etag").unwrap().trim_matches('"').to_owned();
    assert_eq!(put(&bare).status(), 204);
    assert_eq!(put("*").status(), 204);
    let delete = service.ask_text(&ADA, ("DELETE", path.as_str()), &[("if-match", "\"0\"")], "");
    refused(&delete, 412, "changed");
}

#[test]
fn a_wrong_body_is_refused_with_pointers_and_stores_nothing() {
    let service = Service::new();
    for (body, status, part) in [
        ("", 400, "not JSON"),
        ("{\"data\": {\"name\": \"a\"}", 400, "not JSON"),
        ("{\"data\": {\"name\": \"a\", \"x\": NaN}}", 400, "not JSON"),
        ("{\"data\": {\"name\": \"a\", \"x\": 1e999}}", 400, "not JSON"),
        ("{\"data\": {\"name\": \"a\"}, \"data\": {\"name\": \"b\"}}", 400, "duplicate"),
        ("[]", 400, "must be an object"),
        ("{}", 400, "/data: must be an object"),
        ("{\"data\": {}}", 400, "/data/name"),
        (
            "{\"data\": {\"name\": \"a\", \"nodes\": [1, 2]}}",
            400,
            "/data/nodes/0: must be an object (and 1 more)",
        ),
        ("{\"data\": {\"name\": \"a\"}, \"tags\": [1]}", 400, "/tags"),
        ("{\"data\": {\"name\": \"a\"}, \"readAccess\": \"all\"}", 400, "/readAccess"),
        ("{\"data\": {\"name\": \"a\"}, \"writeAccess\": [\"team/\"]}", 400, "/writeAccess/0"),
        (
            "{\"data\": {\"name\": \"a\"}, \"readAccess\": [\"customer/org_2\"]}",
            400,
            "/readAccess/0",
        ),
    ] {
        let made = service.ask_text(&ADA, ("POST", "/blueprint"), &[], body);
        refused(&made, status, part);
    }
    let deep =
        format!("{{\"data\": {{\"name\": \"a\", \"x\": {}{}}}}}", "[".repeat(200), "]".repeat(200));
    refused(&service.ask_text(&ADA, ("POST", "/blueprint"), &[], deep), 400, "recursion");
    for media_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let more = [("content-type", media_type)];
        let body = "{\"data\": {\"name\": \"a\"}}";
        refused(&service.ask_text(&ADA, ("POST", "/blueprint"), &more, body), 415, "Content-Type");
    }
    let list = json_of(&service.ask(&ADA, "GET", "/blueprint", &Value::Null));
    assert_eq!(list, json!({"blueprints": []}));
}

#[test]
fn unknown_paths_methods_and_callers_are_refused_in_json() {
    let service = Service::new();
    let none = &Value::Null;
    for path in ["/", "/blueprint/", "/blueprints", "/blueprint/not-an-id", "/gcp/account"] {
        refused(&service.ask(&ADA, "GET", path, none), 404, "not found");
    }
    let answer = service.ask(&ADA, "PATCH", "/blueprint", none);
    refused(&answer, 405, "GET, HEAD, POST");
    assert_eq!(header(&answer, "allow"), Some("GET, HEAD, POST"));
    assert_eq!(service.ask(&ADA, "HEAD", "/blueprint", none).status(), 200);
    assert_eq!(service.ask(&ADA, "GET", "/healthz", none).status(), 200);
    let unknown = As { organization: "-", ..ADA };
    refused(&service.ask(&unknown, "GET", "/blueprint", none), 401, "gate");
}

#[test]
fn an_organization_has_a_maximum_of_diagrams() {
    let service = Service::new();
    for _ in 0..1000 {
        service.make(&ADA, &json!({}));
    }
    let body = json!({"data": {"name": "one more"}});
    refused(&service.ask(&ADA, "POST", "/blueprint", &body), 403, "1000 diagrams");
    let other = As { organization: "org_2", ..ADA };
    assert_eq!(service.ask(&other, "POST", "/blueprint", &body).status(), 201);
}
