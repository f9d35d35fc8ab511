//! The files of the page, as browsers receive them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::ask::{Ask, Expect};
use crate::test_server::TestServer;

const ENTRANCES: [&str; 4] = ["/", "/invitation", "/reset", "/docs"];

#[test]
fn every_entry_path_serves_the_page_with_a_strict_policy() {
    let instance = TestServer::start();
    for path in ENTRANCES {
        let page = instance.bare(&Ask::get(path));
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"));
        let policy = page.header("content-security-policy").unwrap();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.split("; ").any(|it| it == rule), "{rule} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for inline in ["<style", " style=", " onclick", "javascript:"] {
            assert!(!page.body.contains(inline), "{path} has {inline}");
        }
    }
}

/// Browsers cache the files of the hashed folder without expiry, and request the page, which
/// contains the folder's name, each time.
#[test]
fn every_file_the_page_names_exists_and_is_cacheable() {
    let instance = TestServer::start();
    let page = instance.bare(&Ask::get("/"));
    let reference = instance.bare(&Ask::get("/docs"));
    let named = page.body.split('"').chain(reference.body.split('"'));
    let names: BTreeSet<&str> = named.filter(|text| text.starts_with("assets/")).collect();
    for script in ["/app.js", "/reference/start.js"] {
        assert!(names.iter().any(|name| name.ends_with(script)), "{names:?}");
    }
    for name in &names {
        let file = instance.bare(&Ask::get(&format!("/{name}")));
        assert_eq!(file.status, 200, "{name}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
        let policy = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(file.header("content-security-policy"), Some(policy), "{name}");
    }
    let folder = format!("/{}", names.first().unwrap().rsplit_once('/').unwrap().0);
    // Views are loaded only when they are first shown, so no address in the page names them.
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let documents = ["index.html", "reference.html"];
    for name in files_below(&web).iter().filter(|name| !documents.contains(&name.as_str())) {
        // Settings and types of the scripts are for checks. The binary does not contain them.
        let is_for_checks = name.starts_with("types/")
            || ["package.json", "tsconfig.json"].contains(&name.as_str());
        let file = instance.bare(&Ask::get(&format!("{folder}/{name}")));
        assert_eq!(file.status, if is_for_checks { 404 } else { 200 }, "{name}");
    }
    for language in ["en", "fr", "es"] {
        let texts =
            instance.bare(&Ask::get(&format!("{folder}/locales/{language}.json"))).expect(200);
        assert!(texts["keys"]["title"].is_string(), "{language}");
    }
    for nothing in [
        "/assets/app.js",
        "/assets/0000000000000000/app.js",
        &format!("{folder}/nothing.js"),
        &format!("{folder}/index.html"),
        &format!("{folder}/reference.html"),
        &format!("{folder}/views/..%2fapp.js"),
    ] {
        assert_eq!(instance.bare(&Ask::get(nothing)).status, 404, "{nothing}");
    }
}

/// Returns the names of all files in a folder and its subfolders.
fn files_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            let below = files_below(&entry.path());
            names.extend(below.into_iter().map(|file| format!("{name}/{file}")));
        } else {
            names.push(name);
        }
    }
    names
}

#[test]
fn a_cached_page_gets_not_modified() {
    let instance = TestServer::start();
    let tag = instance.bare(&Ask::get("/")).header("etag").unwrap().to_owned();
    let again = instance.bare(&Ask::get("/").header("If-None-Match", &tag));
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(instance.bare(&Ask::get("/").header("If-None-Match", "\"old\"")).status, 200);
}
