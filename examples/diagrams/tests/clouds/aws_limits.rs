//! AWS that throttles, sends too much, too little or nothing: the limits of a scan.

use std::time::Duration;

use keyhouse_diagrams::scan;

use crate::aws::{REGION, empty, error, failed, instances, scanned, server};
use crate::recorded::Reply;
use crate::{aws_place, settings};

#[test]
fn a_throttled_request_is_repeated_a_few_times() {
    for (status, code) in [
        (503, "Unavailable"),
        (400, "Throttling"),
        (429, "TooManyRequestsException"),
        (400, "RequestLimitExceeded"),
    ] {
        let throttled = server("DescribeVpcs", move |_| Reply::Of(status, error(code)));
        assert_eq!(
            failed(&throttled),
            "ec2:DescribeVpcs is refused for now, because of too many requests: retry later"
        );
        assert_eq!(throttled.requests().len(), 1 + 4);
    }
    let failing = server("DescribeVpcs", |_| Reply::Of(500, error("InternalError")));
    assert_eq!(failed(&failing), "ec2:DescribeVpcs failed with status 500 (InternalError)");
    assert_eq!(failing.requests().len(), 1 + 4);
    let attempts = std::sync::atomic::AtomicUsize::new(0);
    let soon = server("DescribeVpcs", move |request| {
        match attempts.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..3 => Reply::Of(503, error("RequestLimitExceeded")),
            _ => empty(request),
        }
    });
    assert!(scanned(&soon).is_ok());
}

#[test]
fn all_pages_are_read_until_the_maximum() {
    let server_of_pages = server("DescribeDBInstances", |request| {
        let (name, next) = match request.body.split_once("Marker=") {
            None => ("one", "<Marker>a b&amp;c</Marker>"),
            Some((_, "a+b%26c")) => ("two", "<Marker></Marker>"),
            Some((_, other)) => panic!("{other}"),
        };
        Reply::Of(
            200,
            format!(
                "<DescribeDBInstancesResponse><DescribeDBInstancesResult>{next}<DBInstances><DBInstance>\
                 <DBInstanceArn>arn:{name}</DBInstanceArn></DBInstance></DBInstances></DescribeDBInstancesResult>\
                 </DescribeDBInstancesResponse>"
            ),
        )
    });
    let inventory = scanned(&server_of_pages).unwrap();
    let ids: Vec<&str> = inventory.resources.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["arn:one", "arn:two"]);

    // Pages without an end.
    for (action, body, shown) in [
        ("DescribeInstances", "<R><nextToken>again</nextToken></R>", "ec2:DescribeInstances"),
        (
            "/2015-03-31/functions/",
            "{\"Functions\": [], \"NextMarker\": \"again\"}",
            "lambda:ListFunctions",
        ),
        ("/", "<R><ContinuationToken>again</ContinuationToken></R>", "s3:ListAllMyBuckets"),
    ] {
        let endless = server(action, move |_| Reply::Of(200, body.to_owned()));
        assert_eq!(failed(&endless), format!("{shown} has more than 100 pages"));
        let count = endless.requests().iter().filter(|it| it.action() == action).count();
        assert_eq!(count, 100, "{action}");
    }
}

#[test]
fn an_account_with_too_many_resources_is_not_shown_in_part() {
    let of =
        |count: usize| server("DescribeInstances", move |_| Reply::Of(200, instances(count, "")));
    assert_eq!(scanned(&of(2000)).unwrap().resources.len(), 2000);
    assert_eq!(failed(&of(2001)), "the account has more than 2000 resources in the region");
}

#[test]
fn responses_have_a_maximum_of_bytes() {
    let large = server("DescribeVpcs", |_| Reply::Of(200, "x".repeat((8 << 20) + 1)));
    assert_eq!(failed(&large), "the response of ec2:DescribeVpcs has more than 8 MiB");
    let together = server("DescribeInstances", |_| {
        let padding = " ".repeat(7 << 20);
        Reply::Of(200, format!("<R>{padding}<nextToken>again</nextToken></R>"))
    });
    assert_eq!(failed(&together), "all responses together have more than 64 MiB");
}

#[test]
fn a_silent_server_ends_a_scan_in_time() {
    for action in ["AssumeRole", "DescribeVpcs"] {
        let silent = server(action, |_| Reply::Silence);
        let mut settings = settings(silent.address());
        settings.times.call = Duration::from_millis(200);
        let error = scan(&aws_place(), None, REGION, &settings).unwrap_err().to_string();
        let service = if action == "AssumeRole" { "sts" } else { "ec2" };
        assert_eq!(error, format!("{service}:{action} was not answered in time: retry later"));
    }
    // The time of all requests together.
    let silent = server("DescribeVpcs", |_| Reply::Silence);
    let mut settings = settings(silent.address());
    settings.times.scan = Duration::from_millis(500);
    let error = scan(&aws_place(), None, REGION, &settings).unwrap_err().to_string();
    assert_eq!(error, "ec2:DescribeVpcs was not answered in time: retry later");
}

#[test]
fn a_server_that_is_not_there_is_named_by_its_action() {
    // The port of a service of the past, on which nothing listens.
    let settings = settings("http://127.0.0.1:9");
    let error = scan(&aws_place(), None, REGION, &settings).unwrap_err().to_string();
    assert!(error.starts_with("sts:AssumeRole could not be sent: Connection refused"), "{error}");
    assert!(error.ends_with(": retry later"), "{error}");
}

#[test]
fn an_unreadable_response_is_an_error() {
    for (action, body, text) in [
        (
            "AssumeRole",
            "<AssumeRoleResponse/>",
            "the response of sts:AssumeRole is not readable: no credentials",
        ),
        ("DescribeVpcs", "{}", "the response of ec2:DescribeVpcs is not readable: "),
        (
            "DescribeVpcs",
            "<!DOCTYPE r [<!ENTITY a \"a\">]><r>&a;</r>",
            "the response of ec2:DescribeVpcs is not readable: XML with DTD detected",
        ),
        (
            "/2015-03-31/functions/",
            "<r/>",
            "the response of lambda:ListFunctions is not readable: ",
        ),
        (
            "/2015-03-31/functions/",
            "{}",
            "the response of lambda:ListFunctions is not readable: no list of functions",
        ),
        (
            "/",
            "<R><Buckets><Bucket><Name>../x?</Name></Bucket></Buckets></R>",
            "the response of s3:ListAllMyBuckets is not readable: a bucket has an impossible name",
        ),
    ] {
        let server = server(action, move |_| Reply::Of(200, body.to_owned()));
        let shown = failed(&server);
        assert!(shown.starts_with(text), "{shown}");
    }
    // A header with a line break would be another header.
    let broken = server("AssumeRole", |request| {
        let Reply::Of(_, body) = empty(request) else { panic!("no body") };
        Reply::Of(200, body.replace("role-token", "role&#13;&#10;token"))
    });
    assert_eq!(failed(&broken), "the response of sts:AssumeRole is not readable: no credentials");
}
