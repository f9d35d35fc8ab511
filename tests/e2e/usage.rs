//! The usage of the organization: calls by outcome, by gate and by key, as a chart, as tables and as CSV.

use serde_json::json;

use crate::ask::{Ask, Expect};
use crate::page::{Look, Page};
use crate::people::PASSWORD as THEIRS;
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::texts::LANGUAGES;

/// The narrowest window (WCAG 2.2, 1.4.10).
const NARROWEST: Look = Look { dark: false, width: 320 };

/// An organization whose key was used three times through the built-in gate, twice through another gate,
/// of which once it was disabled, and once without a gate.
fn furnished() -> TestServer {
    let instance = TestServer::start();
    let key = instance.create(&json!({"name": "exporter"}));
    let gate = json!({"name": "orders", "routes": [{"path": "/**"}]});
    instance.ask(&Ask::post("/v1/gates", &gate)).expect(201);
    let through_orders = || {
        let ask = Ask::get("/v1/forward-auth/orders").header("X-Forwarded-Method", "GET");
        let ask =
            ask.header("X-Forwarded-Proto", "https").header("X-Forwarded-Host", "a.example.com");
        let ask = ask.header("X-Forwarded-Uri", "/").header("X-Forwarded-For", "192.0.2.7");
        instance.bare(&ask.bearer(&key.secret))
    };
    for _ in 0..3 {
        instance.bare(&Ask::forward_auth(&key.secret)).expect(200);
    }
    through_orders().expect(200);
    instance.ask(&Ask::post("/v1/verify", &json!({"key": key.secret}))).expect(200);
    instance.act(&key.id, "disable").expect(200);
    through_orders().problem(401, "DISABLED");
    instance
}

fn open(instance: &TestServer, path: &str, language: &'static str) -> Page {
    let page = Page::open(instance, language);
    page.go(path);
    page.sign_in(EMAIL, PASSWORD);
    page
}

#[test]
fn calls_are_shown_by_outcome_by_gate_and_by_key() {
    let instance = furnished();
    for language in LANGUAGES {
        let page = open(&instance, "/#/teams", language);
        page.click("link", &page.t("usage.title"));
        page.find("heading", &page.t("usage.title"));
        page.within("list", &page.t("usage.legend")).see(&page.t("codes.DISABLED"));
        page.click("button", &page.t("usage_page.by_gate"));
        assert!(page.address().ends_with("#/usage?by=gate"), "{}", page.address());
        let legend = page.within("list", &page.t("usage_page.of_gates"));
        for gate in ["default", "orders", &page.t("usage_page.no_gate")] {
            legend.see(gate);
        }
        page.click("button", &page.t("usage.only_refused"));
        legend.see_no("default");
        legend.see("orders");
        let gates = page.within("table", &page.t("usage_page.of_gates"));
        gates.within("row", "default").see("3");
        gates.within("row", "orders").see("2");
        gates.within("row", &page.t("usage_page.no_gate")).see("1");
        page.within("table", &page.t("usage_page.of_codes"))
            .within("row", &page.t("codes.VALID"))
            .see("5");
        page.click("button", &page.t("usage_page.span_90d"));
        assert!(page.address().ends_with("#/usage?span=90d&by=gate"), "{}", page.address());
        page.within("table", &page.t("overview.busiest")).click("link", "exporter");
        page.find("heading", "exporter");
        page.finish();
    }
}

#[test]
fn calls_and_keys_are_saved_as_csv() {
    let instance = furnished();
    let page = open(&instance, "/#/usage", "en");
    let export_of = |title: &str| page.t_with("usage_page.export_of", &[("title", &page.t(title))]);
    page.find("button", &export_of("usage_page.of_gates"));
    page.evaluate(
        "{ const made = URL.createObjectURL; \
         URL.createObjectURL = (file) => { window.saved = file; return made.call(URL, file); }; }",
    );
    page.click("button", &export_of("usage_page.of_gates"));
    let csv = page.evaluate("window.saved.text()");
    let csv = csv.as_str().unwrap();
    assert!(csv.starts_with("start,gate,code,calls\r\n"), "{csv}");
    for line in [",,VALID,1", ",default,VALID,3", ",orders,DISABLED,1", ",orders,VALID,1"] {
        assert!(csv.lines().any(|it| it.ends_with(line)), "{line}: {csv}");
    }
    page.click("button", &export_of("overview.busiest"));
    let csv = page.evaluate("window.saved.text()");
    let csv = csv.as_str().unwrap();
    assert!(csv.starts_with("key,name,code,calls\r\n"), "{csv}");
    for line in [",exporter,VALID,5", ",exporter,DISABLED,1"] {
        assert!(csv.lines().any(|it| it.ends_with(line)), "{line}: {csv}");
    }
    page.finish();
}

/// The narrowest window that must show everything without sideways scrolling.
#[test]
fn usage_fits_the_narrowest_window_and_needs_its_permission() {
    let instance = furnished();
    let page = open(&instance, "/#/usage?by=gate", "en");
    page.find("table", &page.t("usage_page.of_gates"));
    // The rule for the counts of the navigation once moved these tables to the end of their cards.
    let widths = "[...document.querySelectorAll('.usage table')].filter((table) => table.checkVisibility())\
        .map((table) => [table.clientWidth, table.closest('.counts').parentElement.clientWidth])";
    let widths: Vec<[f64; 2]> = serde_json::from_value(page.evaluate(widths)).unwrap();
    assert!(
        widths.len() >= 3 && widths.iter().all(|[table, card]| *table > card * 0.9),
        "{widths:?}"
    );
    page.looks(NARROWEST);
    assert_eq!(page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
    page.finish();
    let mate = instance.join("mate", "user");
    let mut page = Page::open(&instance, "en");
    page.go("/#/usage");
    page.sign_in(&mate.email, THEIRS);
    page.find("heading", &page.t("problems.no_access"));
    page.find_no("link", &page.t("usage.title"));
    page.expect("status of 403");
    page.finish();
}
