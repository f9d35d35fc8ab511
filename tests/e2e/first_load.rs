//! What the first look at ten thousand keys costs: bytes on the wire, and how often the page must ask in turn.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::driver::wait;
use crate::house::House;
use crate::page::Page;
use crate::record::Request;

/// How the name of each key begins.
const NAME: &str = "exporter of region";
const KEYS: usize = 10_000;
/// Most keys in one request of an import.
const KEYS_A_REQUEST: usize = 500;
const WIRE_BYTES_MAX: u64 = 100_000;
/// The page; its files; who is there and in which words; the keys.
const ROUNDS_MAX: usize = 4;

#[test]
fn the_first_look_at_ten_thousand_keys_is_light() {
    let house = House::start();
    import(&house);
    let page = Page::open(&house, "en");
    let (name, value) = house.cookie().split_once('=').unwrap();
    page.bring_cookie(name, value);
    page.go("/#/keys");
    let listed = listed(&page, 0);
    println!("the list could be used after {} ms", page.evaluate("Math.round(performance.now())"));

    let first = page.requests();
    let bytes: u64 = first.iter().map(|request| request.wire_bytes).sum();
    println!("{} requests, {bytes} bytes, {} rounds", first.len(), rounds(&first));
    assert!(first.iter().all(|it| it.status == 200 && !it.from_cache), "{first:#?}");
    assert!(bytes <= WIRE_BYTES_MAX, "{bytes} bytes: {first:#?}");
    assert!(rounds(&first) <= ROUNDS_MAX, "{} rounds: {first:#?}", rounds(&first));
    is_kept_and_compressed(&first);
    // A page of the list, not all of it.
    assert!(listed <= 100, "{listed} keys are listed");
    page.click("button", &page.t("lists.more"));
    assert_eq!(self::listed(&page, listed), 2 * listed);

    // The second time only what may have changed is asked for.
    let seen = page.requests().len();
    page.reload();
    self::listed(&page, 0);
    let second = page.requests().split_off(seen);
    let document = second.iter().find(|it| it.kind == "Document").expect("the page itself");
    assert_eq!(document.status, 304, "{document:?}");
    for request in &second {
        let is_file = request.url.contains("/assets/");
        assert_eq!(is_file, request.from_cache, "{request:?}");
        assert!(
            is_file || request.kind == "Document" || request.url.contains("/v1/"),
            "{request:?}"
        );
    }
    page.finish();
}

/// Files come compressed and are kept for ever; beside them there is the page and the API alone.
fn is_kept_and_compressed(requests: &[Request]) {
    let (files, rest): (Vec<_>, Vec<_>) =
        requests.iter().partition(|it| it.url.contains("/assets/"));
    for file in &files {
        assert!(is_compressed(file), "{file:?}");
        assert!(file.header("cache-control").contains("immutable"), "{file:?}");
    }
    for other in &rest {
        let is_page = other.kind == "Document";
        assert!(is_page || other.url.contains("/v1/"), "{other:?}");
        assert!(!is_page || is_compressed(other), "{other:?}");
    }
}

fn import(house: &House) {
    for from in (0..KEYS).step_by(KEYS_A_REQUEST) {
        let key = |number: usize| -> Value {
            json!({"name": format!("{NAME} {number}"), "algorithm": "sha256", "digest": format!("{number:064x}"),
                "permissions": ["diagrams:read", "diagrams:write"]})
        };
        let keys: Vec<Value> = (from..from + KEYS_A_REQUEST).map(key).collect();
        house.ask(&Ask::post("/v1/keys/import", &json!({"keys": keys}))).expect(201);
    }
}

/// How many keys are listed, once there are more than so many.
fn listed(page: &Page, before: usize) -> usize {
    let count = || page.names("link").iter().filter(|name| name.starts_with(NAME)).count();
    wait(|| format!("no keys:\n{}", page.text()), || Some(count()).filter(|now| *now > before))
}

fn is_compressed(request: &Request) -> bool {
    ["br", "gzip"].contains(&request.header("content-encoding"))
}

/// The longest row of requests of which each began only once the one before had ended.
fn rounds(requests: &[Request]) -> usize {
    let mut sorted: Vec<&Request> = requests.iter().collect();
    sorted.sort_by(|one, other| one.began_s.total_cmp(&other.began_s));
    let mut after: Vec<(f64, usize)> = Vec::new();
    for request in sorted {
        let before = after.iter().filter(|(ended_s, _)| *ended_s <= request.began_s);
        let round = 1 + before.map(|(_, round)| *round).max().unwrap_or_default();
        after.push((request.ended_s, round));
    }
    after.into_iter().map(|(_, round)| round).max().unwrap_or_default()
}
