//! Tests of the recording of faults: each test causes a fault and expects its report.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process_group};
use serde_json::json;

use crate::driver::{Driver, wait};
use crate::page::{Look, Page};
use crate::test_server::TestServer;

/// Starts an empty instance and opens its page with a form.
fn at_the_door(language: &'static str) -> (TestServer, Page) {
    let instance = TestServer::start();
    let page = Page::open(&instance, language);
    page.go("/");
    page.find("button", &page.t("sign_in.button"));
    (instance, page)
}

/// Waits until a recorded fault contains this text.
fn reported(page: &Page, part: &str) -> String {
    let missing = || format!("no fault contains {part:?}: {:?}", page.faults());
    wait(missing, || page.faults().into_iter().find(|fault| fault.contains(part)))
}

#[test]
fn policy_violation_is_reported_even_after_leaving_the_page() {
    let (_house, mut page) = at_the_door("en");
    assert_eq!(page.faults(), Vec::<String>::new());
    for (breach, directive) in [
        ("document.body.setAttribute('style', 'color: red')", "style-src-attr"),
        ("try { document.body.innerHTML = '<p>' } catch {}", "require-trusted-types-for"),
        ("document.body.append(Object.assign(new Image(), {src: 'data:,'}))", "img-src"),
        ("fetch('http://keyhouse.invalid/').catch(() => {})", "connect-src"),
    ] {
        page.evaluate(breach);
        // The page writes the report; the test reads it only after the page was closed.
        page.go("/");
        reported(&page, &format!("\"POLICY\" \"enforce\" \"{directive}\""));
    }
    for known in ["POLICY", "Content Security Policy", "'TrustedHTML'", "keyhouse.invalid"] {
        page.expect(known);
    }
    page.finish();
}

#[test]
fn console_error_fails_a_test() {
    let (_house, mut page) = at_the_door("en");
    for (script, fault) in [
        ("console.error('loud')", "loud"),
        ("console.warn('wary')", "wary"),
        ("setTimeout(() => { throw new Error('thrown') })", "thrown"),
        ("void Promise.reject(new Error('lost'))", "lost"),
    ] {
        page.evaluate(script);
        reported(&page, fault);
        page.expect(fault);
    }
    page.expect("unseen in this run");
    page.finish();
}

#[test]
fn fault_of_the_run_fails_finish() {
    let (_house, page) = at_the_door("en");
    page.evaluate("console.error('loud')");
    reported(&page, "loud");
    assert!(catch_unwind(AssertUnwindSafe(|| page.finish())).is_err());
}

#[test]
fn request_to_another_host_is_reported() {
    let (instance, other) = (TestServer::start(), TestServer::start());
    let mut page = Page::open(&instance, "en");
    page.follow(&other.server().url());
    reported(&page, &other.server().url());
    page.moved(&other);
    page.finish();
}

#[test]
fn stored_secret_is_found() {
    let (_house, page) = at_the_door("en");
    page.assert_keeps_no("kh_secret");
    for script in [
        "history.replaceState(null, '', '#kh_secret')",
        "history.replaceState('kh_secret', '', '/')",
        "history.replaceState(null, '', '/'); localStorage.setItem('key', 'kh_secret')",
        "localStorage.clear(); sessionStorage.setItem('key', 'kh_secret')",
        "sessionStorage.clear(); document.cookie = 'key=kh_secret'",
        "document.cookie = 'key=; max-age=0'; window.name = 'kh_secret'",
        "window.name = ''; fetch('/healthz?key=kh_secret')",
    ] {
        page.evaluate(script);
        let looked = catch_unwind(AssertUnwindSafe(|| page.assert_keeps_no("kh_secret")));
        assert!(looked.is_err(), "not found after {script}");
    }
    page.finish();
}

#[test]
fn axe_finds_violations() {
    let (_house, page) = at_the_door("en");
    page.axe();
    page.evaluate(
        "const image = Object.assign(new Image(), {src: '/assets/none'}); \
         const text = document.createElement('p'); text.textContent = 'hardly there'; \
         Object.assign(text.style, {color: '#ddd', backgroundColor: '#fff'}); \
         const small = document.createElement('p'); \
         for (const name of ['a', 'b']) { \
           const button = document.createElement('button'); button.textContent = name; \
           Object.assign(button.style, {all: 'unset', fontSize: '8px', padding: 0}); small.append(button); \
         } \
         const drawing = document.createElementNS('http://www.w3.org/2000/svg', 'svg'); \
         const drawn = document.createElementNS('http://www.w3.org/2000/svg', 'text'); \
         drawn.textContent = 'drawn'; drawn.style.fill = '#bbb'; drawing.append(drawn); \
         document.querySelector('main').append(image, text, small, drawing)",
    );
    let faults = page.axe_faults().join("\n");
    for rule in ["image-alt", "color-contrast", "target-size", "drawn has a contrast of"] {
        assert!(faults.contains(rule), "{rule} is not in:\n{faults}");
    }
    let mut page = page;
    page.expect("/assets/none");
    page.finish();
}

#[test]
fn browser_follows_its_settings() {
    let (_house, page) = at_the_door("fr");
    assert_eq!(page.evaluate("navigator.languages"), json!(["fr"]));
    for look in Look::all() {
        page.looks(look);
        assert_eq!(page.evaluate("innerWidth"), look.width);
        assert_eq!(page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"), look.dark);
        assert_eq!(page.evaluate("matchMedia('(prefers-reduced-motion)').matches"), true);
    }
    page.finish();
}

#[test]
fn bytes_on_the_wire_are_counted() {
    let (_house, page) = at_the_door("en");
    let before = page.wire_bytes();
    page.evaluate("fetch('/openapi.json').then((answer) => answer.text())");
    let fetched = page.requests().into_iter().find(|it| it.url.ends_with("/openapi.json")).unwrap();
    assert_eq!((fetched.status, fetched.method.as_str()), (200, "GET"));
    let grown = page.wire_bytes() - before;
    assert!(grown >= fetched.wire_bytes && fetched.wire_bytes > 1_000, "{grown} {fetched:?}");
    // Files that never change come from the cache on the second load.
    page.reload();
    page.find("button", &page.t("sign_in.button"));
    assert!(page.requests().iter().any(|it| it.from_cache && it.url.contains("/assets/")));
    page.finish();
}

#[test]
fn failed_test_leaves_no_process_and_no_file() {
    let mut left = None;
    let test = catch_unwind(AssertUnwindSafe(|| {
        let driver = Driver::start("en");
        let folder = driver.folder().to_owned();
        let of_it = processes_naming(folder.to_str().unwrap());
        assert!(of_it > 3, "Chromium's processes name their profile: {of_it}");
        left = Some((driver.group(), folder));
        panic!("on purpose");
    }));
    assert!(test.is_err());
    let (group, folder) = left.unwrap();
    let group = Pid::from_raw(group.try_into().unwrap()).unwrap();
    wait(
        || format!("the group {group:?} lives on"),
        || (test_kill_process_group(group) == Err(Errno::SRCH)).then_some(()),
    );
    let named = || processes_naming(folder.to_str().unwrap());
    wait(|| format!("{} processes live on", named()), || (named() == 0).then_some(()));
    assert!(!folder.exists(), "{} is left", folder.display());
}

/// Counts the running programs with this text in their arguments.
fn processes_naming(text: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let arguments = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    arguments.filter(|words| String::from_utf8_lossy(words).contains(text)).count()
}
