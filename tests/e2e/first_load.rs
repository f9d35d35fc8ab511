//! The cost of the first view of ten thousand keys: bytes on the wire and successive round trips.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::driver::wait;
use crate::page::Page;
use crate::record::Request;
use crate::test_server::TestServer;

/// The start of each key's name.
const NAME: &str = "exporter of region";
const KEYS: usize = 10_000;
/// Maximum number of keys in one import request.
const KEYS_A_REQUEST: usize = 500;
const WIRE_BYTES_MAX: u64 = 100_000;
/// Maximum number of round trips: the document; its files; session and texts; the keys.
const ROUNDS_MAX: usize = 4;
/// The latency of each response while round trips are counted.
const LATENCY_MS: u32 = 600;

#[test]
fn first_load_with_ten_thousand_keys_is_small() {
    let instance = TestServer::start();
    import(&instance);
    let page = Page::open(&instance, "en");
    let (name, value) = instance.cookie().split_once('=').unwrap();
    page.bring_cookie(name, value);
    page.go("/#/keys");
    let listed = listed(&page, 0);
    println!("the list could be used after {} ms", page.evaluate("Math.round(performance.now())"));

    let first = page.requests();
    let bytes: u64 = first.iter().map(|request| request.wire_bytes).sum();
    println!("{} requests, {bytes} bytes", first.len());
    assert!(first.iter().all(|it| it.status == 200 && !it.from_cache), "{first:#?}");
    assert!(bytes <= WIRE_BYTES_MAX, "{bytes} bytes: {first:#?}");
    is_kept_and_compressed(&first);
    // The list shows its first page only.
    assert!(listed <= 100, "{listed} keys are listed");
    page.click("button", &page.t("lists.more"));
    assert_eq!(self::listed(&page, listed), 2 * listed);

    // The second load requests only resources that may have changed.
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

/// Prints two times that depend on the machine: until the list can be used with a processor of a quarter of the speed,
/// and, over a slow network, from the first byte of a style sheet to the painted frame.
#[test]
fn first_load_on_slow_devices_paints_the_frame_before_the_script_is_there() {
    let instance = TestServer::start();
    import(&instance);
    let page = Page::open(&instance, "en");
    let (name, value) = instance.cookie().split_once('=').unwrap();
    page.bring_cookie(name, value);
    page.before_documents(&LISTED_AT.replace("NAME", NAME));
    page.slow_processor(4);
    page.go("/#/keys");
    println!("slow processor: the list could be used after {} ms", listed_at(&page));

    page.slow_processor(1);
    page.driver.devtools("Network.setCacheDisabled", json!({"cacheDisabled": true}));
    page.slow_network();
    page.reload();
    listed_at(&page);
    let painted = |name: &str| page.evaluate(name).as_f64().expect(name);
    let (styles, frame, script) = (painted(FIRST_STYLE), painted(FRAME), painted(APP_SCRIPT));
    println!(
        "slow network: the frame was painted {} ms after the first byte of a style sheet",
        frame - styles
    );
    assert!(
        frame < script,
        "the frame was painted after {frame} ms, the script was there after {script} ms"
    );
    page.finish();
}

/// The time at which the first key was listed, in milliseconds. The question is small, because each
/// answer is work for the page's processor.
fn listed_at(page: &Page) -> u64 {
    let at = || page.evaluate("globalThis.listedAt ?? null").as_u64();
    wait(|| format!("no keys:\n{}", page.text()), at)
}

/// Keeps the time at which the first key is listed.
const LISTED_AT: &str =
    "addEventListener('DOMContentLoaded', () => new MutationObserver((_, observer) => {
    if (![...document.links].some((link) => link.textContent.startsWith('NAME'))) return;
    globalThis.listedAt = Math.round(performance.now());
    observer.disconnect();
}).observe(document, {childList: true, subtree: true}))";
const FIRST_STYLE: &str = "Math.min(...performance.getEntriesByType('resource')\
    .filter(({name}) => name.endsWith('.css')).map((it) => it.responseStart))";
const FRAME: &str = "performance.getEntriesByName('first-contentful-paint')[0].startTime";
const APP_SCRIPT: &str = "performance.getEntriesByType('resource')\
    .find(({name}) => name.endsWith('/app.js')).responseEnd";

#[test]
fn first_load_needs_few_round_trips() {
    let instance = TestServer::start();
    instance.create(&json!({"name": NAME}));
    let page = Page::open(&instance, "en");
    let (name, value) = instance.cookie().split_once('=').unwrap();
    page.bring_cookie(name, value);
    page.network(Some(LATENCY_MS));
    page.go("/#/keys");
    listed(&page, 0);
    let first = page.requests();
    assert!(rounds(&first) <= ROUNDS_MAX, "{} rounds: {first:#?}", rounds(&first));
    page.finish();
}

/// Files are compressed and cached permanently; all other requests are for the page and the API.
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

fn import(instance: &TestServer) {
    for from in (0..KEYS).step_by(KEYS_A_REQUEST) {
        let key = |number: usize| -> Value {
            json!({"name": format!("{NAME} {number}"), "algorithm": "sha256", "digest": format!("{number:064x}"),
                "permissions": ["diagrams:read", "diagrams:write"]})
        };
        let keys: Vec<Value> = (from..from + KEYS_A_REQUEST).map(key).collect();
        instance.ask(&Ask::post("/v1/keys/import", &json!({"keys": keys}))).expect(201);
    }
}

/// Returns the number of listed keys, once it exceeds the given number.
fn listed(page: &Page, before: usize) -> usize {
    let count = || page.names("link").iter().filter(|name| name.starts_with(NAME)).count();
    wait(|| format!("no keys:\n{}", page.text()), || Some(count()).filter(|now| *now > before))
}

fn is_compressed(request: &Request) -> bool {
    ["br", "gzip"].contains(&request.header("content-encoding"))
}

/// The number of round trips: requests that started only after a response. The network delays each response by
/// [`LATENCY_MS`], so that requests of one round start close together, and requests of the next round much
/// later.
fn rounds(requests: &[Request]) -> usize {
    let mut begun: Vec<f64> = requests.iter().map(|request| request.began_s).collect();
    begun.sort_by(f64::total_cmp);
    let apart = f64::from(LATENCY_MS) / 1_000.0 * 0.7;
    1 + begun.windows(2).filter(|pair| pair[1] - pair[0] > apart).count()
}
