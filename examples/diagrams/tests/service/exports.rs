//! `/blueprint/{id}/{format}` and `/blueprint/{id}/budget/{format}`.

use serde_json::{Value, json};

use crate::fixture::{ADA, Service, header, json_of, refused};

#[test]
fn a_format_has_its_type_and_no_script_runs_in_an_svg() {
    let service = Service::new();
    let id = service.make(&ADA, &json!({}));
    let ask =
        |rest: &str| service.ask(&ADA, "GET", &format!("/blueprint/{id}/{rest}"), &Value::Null);
    let svg = ask("svg?width=800&height=600&grid=True&transparent=false");
    assert_eq!((svg.status(), header(&svg, "content-type")), (200, Some("image/svg+xml")));
    assert!(header(&svg, "content-security-policy").unwrap().contains("sandbox"));
    assert_eq!(header(&svg, "x-content-type-options"), Some("nosniff"));
    assert_eq!(svg.body(), ask("svg?width=800&height=600&grid=true&transparent=FALSE").body());
    assert_eq!(json_of(&ask("json"))["data"]["name"], "A diagram");
    for rest in ["bmp", "webp", "SVG", "budget/pdf"] {
        refused(&ask(rest), 400, "/format");
    }
    for rest in ["svg/", "budget", "budget/csv/x"] {
        let status = if rest == "budget" { 400 } else { 404 };
        assert_eq!(ask(rest).status(), status, "{rest}");
    }
}

#[test]
fn a_wrong_option_is_refused_with_its_name() {
    let service = Service::new();
    let id = service.make(&ADA, &json!({}));
    let ask =
        |rest: &str| service.ask(&ADA, "GET", &format!("/blueprint/{id}/{rest}"), &Value::Null);
    for (query, name) in [
        ("width=wide", "?width"),
        ("width=0", "?width"),
        ("width=1000000000", "?width"),
        ("height=8193", "?height"),
        ("scale=-1", "?scale"),
        ("scale=NaN", "?scale"),
        ("scale=inf", "?scale"),
        ("grid=maybe", "?grid"),
        ("paperSize=B5", "?paperSize"),
        ("width=1&width=2", "?width"),
    ] {
        for format in ["svg", "png", "pdf"] {
            refused(&ask(&format!("{format}?{query}")), 400, name);
        }
    }
    for (query, name) in
        [("currency=XXX", "?currency"), ("period=decade", "?period"), ("rate=free", "?rate")]
    {
        refused(&ask(&format!("budget/csv?{query}")), 400, name);
    }
}

#[test]
fn a_budget_lists_the_components_and_calculates_no_text() {
    let service = Service::new();
    let nodes = json!([
        {"type": "ec2", "region": "=1+1", "instanceType": "m5", "instanceSize": "large", "platform": "linux"},
        {"type": "s3", "region": "us-east-1", "dataGb": "200"},
    ]);
    let id = service.make(&ADA, &json!({"data": {"name": "n", "nodes": nodes}}));
    let ask = |rest: &str| {
        service.ask(&ADA, "GET", &format!("/blueprint/{id}/budget/{rest}"), &Value::Null)
    };
    let csv = ask("csv");
    assert_eq!(header(&csv, "content-type"), Some("text/csv"));
    let text = String::from_utf8(csv.body().to_vec()).unwrap();
    assert!(text.contains("Compute,ec2,'=1+1,1,"), "{text}");
    assert!(text.contains("Storage,s3,us-east-1,1,4.000000,4.000000,"), "{text}");
    let euros = ask("csv?currency=EUR&period=y&rate=stated");
    assert!(String::from_utf8(euros.body().to_vec()).unwrap().contains(",43.200000,"));
    let xlsx = ask("xlsx");
    assert!(xlsx.body().starts_with(b"PK"));
    assert_eq!(xlsx.body(), ask("xlsx").body());
}
