//! `/aws/account/{id}/{region}/{format}` and the same of Azure, over clouds that the tests play.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use keyhouse_diagrams::{Answer, CloudPlace, Inventory, Scanner};
use serde_json::{Value, json};

use crate::fixture::{ADA, As, BOB, Service, header, json_of, refused};

/// A wait that no test reaches.
pub(crate) const LONG: Duration = Duration::from_mins(1);
pub(crate) const ELSEWHERE: As = As { organization: "org_2", user: "usr_eve", key: "key_3", ..ADA };

fn inventory(region: &str) -> Inventory {
    let inventory = json!({
        "account": "123456789012",
        "region": region,
        "networks": [{"id": "vpc-1", "name": "main", "subnets": [{"id": "subnet-1", "zone": "a"}]}],
        "groups": [{"id": "sg-1", "name": "web"}],
        "resources": [
            {"id": "i-1", "name": "web <1>", "kind": "ec2", "members": {"instanceType": "m5", "instanceSize": "large"},
             "network": "vpc-1", "subnets": ["subnet-1"], "groups": ["sg-1"], "tags": {"env": "prod"}},
            {"id": "elb-1", "name": "entry", "kind": "elb", "network": "vpc-1", "forwards_to": ["i-1"]},
            {"id": "files", "name": "files", "kind": "s3"},
        ],
    });
    serde_json::from_value(inventory).unwrap()
}

/// A cloud that answers at once, and counts scans.
fn quick() -> (Scanner, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let scanner: Scanner = Box::new(move |_, _, region| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(inventory(region))
    });
    (scanner, count)
}

/// A cloud that reports the start of each scan of the region `slow`, and ends one for each message that it gets.
pub(crate) fn slow() -> (Scanner, Receiver<()>, Sender<()>) {
    let (started, starts) = channel();
    let (release, released) = channel();
    let (started, released) = (Mutex::new(started), Mutex::new(released));
    let scanner: Scanner = Box::new(move |_, _, region| {
        if region == "slow" {
            started.lock().unwrap().send(()).unwrap();
            // The test may have ended.
            let _released = released.lock().unwrap().recv();
        }
        Ok(inventory(region))
    });
    (scanner, starts, release)
}

/// Links an account, and returns its path.
pub(crate) fn link(service: &Service, caller: &As, cloud: &str) -> String {
    let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let mut body = json!({"name": "Main", "roleArn": "arn:aws:iam::123456789012:role/reader"});
    if cloud == "azure" {
        body = json!({"name": "Main", "applicationId": id, "directoryId": id, "subscriptionId": id, "clientSecret": "a-long-secret"});
    }
    let made = service.ask(caller, "POST", &format!("/{cloud}/account"), &body);
    assert_eq!(made.status(), 201, "{made:?}");
    let made = json_of(&made);
    format!("/{cloud}/account/{}", made.get("id").and_then(Value::as_str).unwrap())
}

fn get(service: &Service, caller: &As, path: &str) -> Answer {
    service.ask(caller, "GET", path, &Value::Null)
}

fn types(answer: &Answer) -> BTreeSet<String> {
    assert_eq!(answer.status(), 200, "{answer:?}");
    let body = json_of(answer);
    let nodes = body.pointer("/data/nodes").and_then(Value::as_array).unwrap().iter();
    let types = nodes.map(|node| node.get("type").and_then(Value::as_str).unwrap());
    types.map(str::to_owned).collect()
}

fn is_processing(answer: &Answer) {
    assert_eq!(answer.status(), 202, "{answer:?}");
    let body = json_of(answer);
    let member = |name: &str| body.get(name).cloned().unwrap_or_default();
    assert_eq!((member("code"), member("retry")), (json!("STILL_PROCESSING"), json!(true)));
    assert!(member("message").is_string(), "{body}");
}

#[test]
fn a_snapshot_has_all_formats_from_one_scan_and_can_be_stored() {
    let (scanner, scans) = quick();
    let service = Service::with(scanner, LONG);
    for (cloud, region) in [("aws", "eu-west-1"), ("azure", "eastus")] {
        let path = format!("{}/{region}", link(&service, &ADA, cloud));
        let snapshot = get(&service, &ADA, &format!("{path}/json"));
        assert_eq!(types(&snapshot), BTreeSet::from(["ec2", "elb", "s3"].map(str::to_owned)));
        let body = json_of(&snapshot);
        assert_eq!(body["data"]["name"], format!("Main {region}"));
        let id = path.split('/').nth(3).unwrap();
        assert_eq!(body["data"]["liveAccount"], json!({"id": id, "type": cloud}));
        let made = service.ask(&ADA, "POST", "/blueprint", &body);
        assert_eq!(made.status(), 201, "{made:?}");
        assert_eq!(json_of(&made)["data"], body["data"]);
        for (format, media_type, start) in [
            ("svg", "image/svg+xml", "<svg"),
            ("png", "image/png", "\u{fffd}PNG"),
            ("pdf", "application/pdf", "%PDF"),
            ("mxGraph", "application/xml", "<?xml"),
        ] {
            let picture = get(&service, &ADA, &format!("{path}/{format}"));
            assert_eq!(
                (picture.status(), header(&picture, "content-type")),
                (200, Some(media_type))
            );
            let text = String::from_utf8_lossy(picture.body());
            assert!(text.starts_with(start), "{format}");
            assert_eq!(picture, get(&service, &ADA, &format!("{path}/{format}")));
        }
        let svg = get(&service, &ADA, &format!("{path}/svg"));
        assert!(header(&svg, "content-security-policy").unwrap().contains("sandbox"));
        let text = String::from_utf8(svg.body().to_vec()).unwrap();
        assert!(text.contains("web &lt;1&gt;") && !text.contains("web <1>"));
        // The stored diagram is drawn like the snapshot.
        let stored = json_of(&made)["id"].as_str().unwrap().to_owned();
        assert_eq!(get(&service, &ADA, &format!("/blueprint/{stored}/svg")).body(), svg.body());
    }
    assert_eq!(scans.load(Ordering::Relaxed), 2);
}

#[test]
fn the_cloud_gets_the_place_and_the_secret() {
    let (sender, seen) = channel();
    let sender = Mutex::new(sender);
    let scanner: Scanner = Box::new(move |place: &CloudPlace, secret, region| {
        let message = (format!("{place:?}"), secret.map(str::to_owned), region.to_owned());
        sender.lock().unwrap().send(message).unwrap();
        Ok(inventory(region))
    });
    let service = Service::with(scanner, LONG);
    let path = link(&service, &ADA, "aws");
    assert_eq!(get(&service, &ADA, &format!("{path}/us-east-1/json")).status(), 200);
    let (place, secret, region) = seen.recv().unwrap();
    assert!(place.contains("arn:aws:iam::123456789012:role/reader"), "{place}");
    assert_eq!((secret, region.as_str()), (None, "us-east-1"));
    let path = link(&service, &ADA, "azure");
    assert_eq!(get(&service, &ADA, &format!("{path}/eastus/json")).status(), 200);
    let (_, secret, region) = seen.recv().unwrap();
    assert_eq!((secret.as_deref(), region.as_str()), (Some("a-long-secret"), "eastus"));
}

#[test]
fn options_change_what_they_name() {
    let service = Service::with(quick().0, LONG);
    let path = format!("{}/eu-west-1", link(&service, &ADA, "aws"));
    let ask = |query: &str| get(&service, &ADA, &format!("{path}/json?{query}"));
    for (query, expected) in [
        ("exclude=ec2&exclude=nothing", vec!["elb", "s3"]),
        ("exclude=ec2%2Cs3", vec!["elb"]),
        ("filter=env%3Dprod", vec!["ec2"]),
        ("filter=type%3Dec2+OR+files", vec!["ec2", "s3"]),
        ("filter=NOT+(type%3Dec2+OR+files)", vec!["elb"]),
        ("filter=vpc%3Dmain%2Centry", vec!["elb"]),
    ] {
        let expected = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(types(&ask(query)), expected, "{query}");
    }
    let content = |query: &str| json_of(&ask(query))["data"].clone();
    assert!(content("")["nodes"][0]["name"].is_string());
    assert_eq!(content("label=False")["nodes"][0].get("name"), None);
    assert_eq!(content("")["edges"].as_array().map(Vec::len), Some(1));
    assert_eq!(content("autoconnect=false")["edges"], json!([]));
    assert_eq!(content("projection=2d")["projection"], "2d");
    assert_eq!(content("theme=dark")["theme"]["base"], "dark");
    let svg = |query: &str| get(&service, &ADA, &format!("{path}/svg?{query}"));
    let plain = svg("");
    for query in [
        "projection=2d",
        "theme=dark",
        "scale=2",
        "width=640&height=480",
        "grid=True",
        "transparent=true",
    ] {
        let changed = svg(query);
        assert_eq!(changed.status(), 200, "{query}: {changed:?}");
        assert_ne!(changed.body(), plain.body(), "{query}");
    }
    let pdf = |query: &str| get(&service, &ADA, &format!("{path}/pdf?{query}"));
    assert_ne!(pdf("paperSize=A3").body(), pdf("").body());
    assert_ne!(pdf("paperSize=A3&landscape=true").body(), pdf("paperSize=A3").body());
}

#[test]
fn a_wrong_request_is_refused_before_a_scan() {
    let (scanner, scans) = quick();
    let service = Service::with(scanner, LONG);
    let (aws, azure) = (link(&service, &ADA, "aws"), link(&service, &ADA, "azure"));
    let deep = format!("filter={}a", "(".repeat(1000));
    let long = format!("filter={}", "a".repeat(60 << 10));
    let many = "exclude=".to_owned() + &"a%2C".repeat(101);
    for (query, name) in [
        ("filter=(", "?filter: character 2: a term is missing"),
        ("filter=a)", "?filter: character 2: the parenthesis was not opened"),
        (&deep, "?filter: character 21: at most 20 parentheses"),
        (&long, "?filter: character 1: a filter has at most 2048 bytes"),
        (&many, "?exclude: must have at most 100 words"),
        ("label=maybe", "?label"),
        ("autoconnect=1", "?autoconnect"),
        ("projection=3d", "?projection"),
        ("theme=blue", "?theme"),
        ("width=0", "?width"),
        ("scale=NaN", "?scale"),
        ("paperSize=B5", "?paperSize"),
        ("label=true&label=true", "?label"),
    ] {
        for format in ["json", "svg", "pdf"] {
            refused(&get(&service, &ADA, &format!("{aws}/eu-west-1/{format}?{query}")), 400, name);
        }
    }
    for path in [
        format!("{aws}/EU-WEST-1/png"),
        format!("{aws}/eu--west/png"),
        format!("{aws}/-/png"),
        format!("{aws}/{}/png", "a".repeat(33)),
        format!("{aws}/eu.example.com/png"),
        format!("{azure}/east-us/png"),
    ] {
        refused(&get(&service, &ADA, &path), 400, "/region");
    }
    refused(&get(&service, &ADA, &format!("{aws}/eu-west-1/webp")), 400, "/format");
    refused(&get(&service, &ADA, &format!("{aws}//png")), 404, "not found");
    assert_eq!(scans.load(Ordering::Relaxed), 0);
}

#[test]
fn a_request_that_has_waited_gets_202_and_a_later_one_the_result() {
    let (scanner, starts, release) = slow();
    let service = Service::with(scanner, Duration::from_millis(20));
    let path = format!("{}/slow/json", link(&service, &ADA, "aws"));
    is_processing(&get(&service, &ADA, &path));
    starts.recv().unwrap();
    is_processing(&get(&service, &ADA, &path));
    // The second request has started no scan.
    assert!(starts.try_recv().is_err());
    release.send(()).unwrap();
    // Like the public client: until another answer comes.
    let answer = loop {
        let answer = get(&service, &ADA, &path);
        if answer.status() != 202 {
            break answer;
        }
    };
    assert_eq!(types(&answer).len(), 3);
    assert!(starts.try_recv().is_err());
}

#[test]
fn a_result_is_kept_for_a_minute_and_a_failure_for_seconds() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let scanner: Scanner = Box::new(move |_, _, region| {
        counted.fetch_add(1, Ordering::Relaxed);
        if region == "down" {
            Err("the role cannot be assumed".to_owned())
        } else {
            Ok(inventory(region))
        }
    });
    let service = Service::with(scanner, LONG);
    let path = link(&service, &ADA, "aws");
    let mut expected = 0;
    for (region, status, life_ms) in [("up", 200, 60_000), ("down", 502, 5_000)] {
        let ask = || {
            let answer = get(&service, &ADA, &format!("{path}/{region}/png"));
            assert_eq!(answer.status(), status, "{answer:?}");
            count.load(Ordering::Relaxed)
        };
        expected += 1;
        assert_eq!(ask(), expected, "{region}");
        service.pass_ms(life_ms - 1);
        assert_eq!(ask(), expected, "{region}");
        service.pass_ms(1);
        expected += 1;
        assert_eq!(ask(), expected, "{region}");
    }
    refused(&get(&service, &ADA, &format!("{path}/down/png")), 502, "the role cannot be assumed");
}

#[test]
fn access_is_checked_before_each_result_and_a_change_needs_a_new_scan() {
    let (scanner, scans) = quick();
    let service = Service::with(scanner, LONG);
    let account = link(&service, &ADA, "aws");
    let path = format!("{account}/eu-west-1/json");
    let status = |caller: &As| get(&service, caller, &path).status();
    let in_a = As { teams: "team_a", ..BOB };
    let change = |lists: &Value| {
        let mut body = json!({"name": "Main", "roleArn": "arn:aws:iam::123456789012:role/reader"});
        body.as_object_mut().unwrap().extend(lists.as_object().unwrap().clone());
        assert_eq!(service.ask(&ADA, "PUT", &account, &body).status(), 200);
    };
    assert_eq!((status(&ADA), status(&in_a), status(&ELSEWHERE)), (200, 404, 404));
    change(&json!({"readAccess": ["team/team_a"]}));
    assert_eq!((status(&ADA), status(&in_a), status(&BOB)), (200, 200, 404));
    change(&json!({"readAccess": null, "writeAccess": ["team/team_a"]}));
    assert_eq!((status(&ADA), status(&in_a)), (200, 404));
    // One scan for each version of the account, although no time has passed.
    assert_eq!(scans.load(Ordering::Relaxed), 3);
    refused(
        &get(&service, &ADA, &path.replace("aws", "azure").replace("eu-west-1", "eastus")),
        404,
        "not found",
    );
    assert_eq!(service.ask(&ADA, "DELETE", &account, &Value::Null).status(), 204);
    refused(&get(&service, &ADA, &path), 404, "not found");
    assert_eq!(scans.load(Ordering::Relaxed), 3);
}

#[test]
fn an_account_that_changes_during_the_wait_gives_no_old_result() {
    let (scanner, starts, release) = slow();
    let service = Service::with(scanner, LONG);
    let [changed, deleted, unshared] = [(), (), ()].map(|()| link(&service, &ADA, "aws"));
    let lists = |read: &Value| json!({"name": "Main", "roleArn": "arn:aws:iam::123456789012:role/other", "readAccess": read});
    let all = json!(["customer/org_1"]);
    assert_eq!(service.ask(&ADA, "PUT", &unshared, &lists(&all)).status(), 200);
    thread::scope(|scope| {
        let waiting = [(&changed, ADA), (&deleted, ADA), (&unshared, BOB)].map(|(path, caller)| {
            let service = &service;
            scope.spawn(move || get(service, &caller, &format!("{path}/slow/json")))
        });
        for _ in 0..3 {
            starts.recv().unwrap();
        }
        assert_eq!(service.ask(&ADA, "PUT", &changed, &lists(&Value::Null)).status(), 200);
        assert_eq!(service.ask(&ADA, "DELETE", &deleted, &Value::Null).status(), 204);
        assert_eq!(service.ask(&ADA, "PUT", &unshared, &lists(&Value::Null)).status(), 200);
        for _ in 0..3 {
            release.send(()).unwrap();
        }
        let [changed, deleted, unshared] = waiting.map(|thread| thread.join().unwrap());
        is_processing(&changed);
        refused(&deleted, 404, "not found");
        refused(&unshared, 404, "not found");
    });
}

#[test]
fn a_scan_that_fails_unexpectedly_is_an_internal_error() {
    let scanner: Scanner = Box::new(|_, _, _| panic!("a bug of the scanner"));
    let service = Service::with(scanner, LONG);
    let path = link(&service, &ADA, "aws");
    refused(&get(&service, &ADA, &format!("{path}/eu-west-1/png")), 500, "internal error");
}
