//! `/aws/account` and `/azure/account`.

use serde_json::{Value, json};

use crate::fixture::{ADA, As, BOB, Service, json_of, refused};

const ID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
const SECRET: &str = "s3cret-value";

fn body_of(cloud: &str) -> Value {
    match cloud {
        "aws" => {
            json!({"name": "Main", "roleArn": "arn:aws:iam::123456789012:role/reader", "region": "eu-west-1"})
        },
        _ => {
            json!({"name": "Main", "applicationId": ID, "directoryId": ID, "subscriptionId": ID, "clientSecret": SECRET})
        },
    }
}

#[test]
fn an_account_is_created_listed_changed_and_deleted() {
    let service = Service::new();
    for cloud in ["aws", "azure"] {
        let path = format!("/{cloud}/account");
        let made = service.ask(&ADA, "POST", &path, &body_of(cloud));
        assert_eq!(made.status(), 201, "{made:?}");
        let made = json_of(&made);
        assert_eq!((&made["source"], &made["CreatorId"]), (&json!(cloud), &json!("usr_ada")));
        let own = format!("{path}/{}", made["id"].as_str().unwrap());
        let list = json_of(&service.ask(&ADA, "GET", &path, &Value::Null));
        assert_eq!(list, json!({"accounts": [made]}));
        let mut change = body_of(cloud);
        change["name"] = json!("Other");
        change.as_object_mut().unwrap().remove("clientSecret");
        let changed = service.ask(&ADA, "PUT", &own, &change);
        assert_eq!((changed.status(), &json_of(&changed)["name"]), (200, &json!("Other")));
        refused(&service.ask(&BOB, "PUT", &own, &change), 404, "not found");
        refused(&service.ask(&BOB, "DELETE", &own, &Value::Null), 404, "not found");
        // The account of one cloud is not one of another.
        let other = own.replace(cloud, if cloud == "aws" { "azure" } else { "aws" });
        refused(&service.ask(&ADA, "DELETE", &other, &Value::Null), 404, "not found");
        let region = if cloud == "aws" { "eu-west-1" } else { "eastus" };
        let picture = format!("{own}/{region}/png");
        refused(&service.ask(&ADA, "GET", &picture, &Value::Null), 502, "no cloud answers");
        refused(&service.ask(&BOB, "GET", &picture, &Value::Null), 404, "not found");
        assert_eq!(service.ask(&ADA, "DELETE", &own, &Value::Null).status(), 204);
        refused(&service.ask(&ADA, "PUT", &own, &change), 404, "not found");
        refused(&service.ask(&ADA, "GET", &picture, &Value::Null), 404, "not found");
    }
}

#[test]
fn no_response_has_the_client_secret() {
    let service = Service::new();
    let made = service.ask(&ADA, "POST", "/azure/account", &body_of("azure"));
    let id = json_of(&made)["id"].as_str().unwrap().to_owned();
    assert_eq!(json_of(&made)["hint"], "s3c");
    let mut change = body_of("azure");
    change["clientSecret"] = json!("another-secret");
    let changed = service.ask(&ADA, "PUT", &format!("/azure/account/{id}"), &change);
    assert_eq!(json_of(&changed)["hint"], "ano");
    let list = service.ask(&ADA, "GET", "/azure/account", &Value::Null);
    for answer in [made, changed, list] {
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn a_wrong_account_is_refused_with_pointers() {
    let service = Service::new();
    for (cloud, member, value) in [
        ("aws", "name", json!("")),
        ("aws", "roleArn", json!("reader")),
        ("aws", "roleArn", json!("arn:aws:iam::1:role/reader")),
        ("aws", "roleArn", json!("arn:aws:iam::123456789012:user/reader")),
        ("aws", "region", json!("EU")),
        ("azure", "applicationId", json!("x")),
        ("azure", "directoryId", Value::Null),
        ("azure", "subscriptionId", json!(7)),
        ("azure", "clientSecret", json!("")),
        ("azure", "clientSecret", Value::Null),
        ("azure", "clientSecret", json!("eleven-char")),
    ] {
        let mut body = body_of(cloud);
        body[member] = value;
        let made = service.ask(&ADA, "POST", &format!("/{cloud}/account"), &body);
        refused(&made, 400, &format!("/{member}"));
    }
}

#[test]
fn each_caller_has_its_own_external_id() {
    let service = Service::new();
    let of = |caller: &As| {
        json_of(&service.ask(caller, "GET", "/aws/account/iamParameters", &Value::Null))
    };
    let (ada, bob) = (of(&ADA), of(&BOB));
    assert_eq!(ada, of(&ADA));
    assert_ne!(ada["externalId"], bob["externalId"]);
    assert_ne!(ada["externalId"], of(&As { organization: "org_2", ..ADA })["externalId"]);
    assert_eq!(ada["accountId"], "210987654321");
    let made = json_of(&service.ask(&ADA, "POST", "/aws/account", &body_of("aws")));
    assert_eq!(made["externalId"], ada["externalId"]);
    let policy =
        service.ask(&ADA, "GET", "/aws/account/iamParameters/policy/minimal", &Value::Null);
    assert_eq!(json_of(&policy)["Version"], "2012-10-17");
}
