//! Checks the page's source: its languages have the same keys, scripts contain no texts,
//! one file fetches, one creates elements, none turns text into markup.
#![expect(clippy::unwrap_used, reason = "a missing source file should stop the check at once")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

mod script;
use script::literals;

const LANGUAGES: [&str; 3] = ["en", "fr", "es"];
/// Plural forms (CLDR). `other` is required.
const PLURAL_FORMS: [&str; 3] = ["one", "many", "other"];
const LINES_MAX: usize = 400;
const LINE_CHARACTERS_MAX: usize = 120;
/// APIs that turn text into markup or code, or that store data in the browser.
const BANNED: &[&str] = &[
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "eval(",
    "new Function",
    "DOMParser",
    "createContextualFragment",
    "srcdoc",
    "localStorage",
    "sessionStorage",
    "indexedDB",
    "document.cookie",
    "console.",
    "debugger",
    "http://",
    "https://",
];
/// Names and protocol words in the code that are not texts for users.
const NO_TEXT: &[&str] = &[
    "Keyhouse",
    "English",
    "Français",
    "Español",
    "Caddy",
    "Traefik",
    "Envoy",
    "Content-Type",
    "Retry-After",
    "Enter",
    "Escape",
    "curl -H \"Authorization: Bearer",
];
/// Functions whose first argument is a selector.
const TAKE_SELECTORS: &[&str] = &["querySelector", "querySelectorAll", "matches", "closest"];

#[test]
fn languages_have_the_same_keys_and_parameters() {
    let [english, others @ ..] = LANGUAGES.map(texts);
    let mut faults = Vec::new();
    for (name, other) in LANGUAGES.iter().skip(1).zip(&others) {
        let (known, reported): (BTreeSet<_>, BTreeSet<_>) =
            (english.keys().collect(), other.keys().collect());
        faults.extend(known.difference(&reported).map(|key| format!("{name} lacks {key}")));
        faults.extend(reported.difference(&known).map(|key| format!("en lacks {key} of {name}")));
        for (key, text) in &english {
            let Some(translated) = other.get(key) else { continue };
            if places(text) != places(translated) {
                faults.push(format!("{name}: {key} has other places than in en"));
            }
            if text.is_object() != translated.is_object()
                || text.is_array() != translated.is_array()
            {
                faults.push(format!("{name}: {key} is of another kind than in en"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_text_is_set_and_every_plural_is_complete() {
    for language in LANGUAGES {
        for (key, text) in texts(language) {
            if let Some(forms) = text.as_object() {
                assert!(forms.contains_key("other"), "{language}: {key} has no other");
                let known = forms.keys().all(|form| PLURAL_FORMS.contains(&form.as_str()));
                assert!(known, "{language}: {key} has forms that no language has");
            }
            let forms = text.as_object().map(|forms| forms.values().collect());
            let words = text.as_array().map(|words| words.iter().collect());
            let said: Vec<&Value> = forms.or(words).unwrap_or_else(|| vec![&text]);
            for one in said {
                let one = one.as_str().unwrap_or_else(|| panic!("{language}: {key} is no text"));
                assert!(!one.trim().is_empty() && one.trim() == one, "{language}: {key}: {one:?}");
                let typed = one.contains('\'') || one.contains("...");
                assert!(!typed, "{language}: {key}: use ’ and …: {one}");
            }
        }
    }
}

/// A key built from parts, such as `status.${status}`, uses all keys with that beginning.
#[test]
fn every_used_key_exists_and_every_key_is_used() {
    let known: BTreeSet<String> = texts("en").into_keys().collect();
    let sections: BTreeSet<&str> = known.iter().filter_map(|key| key.split('.').next()).collect();
    let (mut faults, mut asked, mut beginnings) = (Vec::new(), BTreeSet::new(), Vec::new());
    for path in scripts() {
        for literal in literals(&fs::read_to_string(&path).unwrap()) {
            let Some((section, _)) = literal.text.split_once('.') else { continue };
            if !sections.contains(section) || literal.text.contains(' ') {
                continue;
            }
            if literal.is_begun {
                let begins = known.iter().any(|key| key.starts_with(&literal.text));
                if !begins {
                    faults.push(format!("{}: no text begins {}", path.display(), literal.text));
                }
                beginnings.push(literal.text);
            } else if known.contains(&literal.text) {
                asked.insert(literal.text);
            } else if literal.is_argument_of(&["t", "parts", "optionalText", "words"]) {
                faults.push(format!("{}: there is no {}", path.display(), literal.text));
            }
        }
    }
    let is_asked = |key: &String| {
        asked.contains(key)
            || beginnings.iter().any(|beginning| key.starts_with(beginning.as_str()))
    };
    faults.extend(known.iter().filter(|key| !is_asked(key)).map(|key| format!("unused: {key}")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn scripts_contain_no_texts_for_users() {
    let mut faults = Vec::new();
    for path in scripts() {
        for literal in literals(&fs::read_to_string(&path).unwrap()) {
            let is_selector = literal.is_argument_of(TAKE_SELECTORS);
            if !is_selector && reads_like_text(&literal.text) {
                faults.push(format!("{}:{}: {:?}", path.display(), literal.line, literal.text));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn texts_are_distinguished_from_code_strings() {
    for (text, is) in [
        ("Save", true),
        ("Try again", true),
        ("no keys yet", true),
        ("last used:", true),
        ("button.primary", false),
        ("keys.title", false),
        ("submit", false),
        ("GET", false),
        ("If-Match", false),
        ("aria-label", false),
        ("TimeoutError", false),
        ("/v1/keys", false),
        ("Fermé", true),
        ("été passé", true),
        ("…", false),
        ("0 0 100 20", false),
    ] {
        assert_eq!(reads_like_text(text), is, "{text}");
    }
    let code =
        "h('p', {}, \"Saved\"); // \"Not this\"\nx = /\"nor this\"/.test(`a ${t(\"b.c\")} d`);";
    let found: Vec<String> = literals(code).into_iter().map(|literal| literal.text).collect();
    assert_eq!(found, ["p", "Saved", "a ", "b.c", " d"]);
}

#[test]
fn every_api_error_has_a_text() {
    let known = texts("en");
    let source = fs::read_to_string("src/http/openapi/errors.rs").unwrap();
    let (_, list) = source.split_once("ERRORS: &[ErrorDescription]").unwrap();
    // Upper-case codes are for proxies and services, which send a key; the page never does.
    let for_people = |code: &&str| code.starts_with(|first: char| first.is_ascii_lowercase());
    let codes = list.split("reported(").skip(1).filter_map(|one| one.split('"').nth(1));
    let missing: Vec<_> = codes
        .filter(for_people)
        .filter(|code| !known.contains_key(&format!("problems.{code}")))
        .collect();
    assert!(missing.is_empty(), "no words in web/locales for {missing:?}");
}

#[test]
fn every_input_fault_has_a_text() {
    let known = texts("en");
    let mut sources = Vec::new();
    walk(Path::new("src/http"), &mut sources);
    let text: String = sources.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let codes: BTreeSet<&str> =
        text.split('"').filter(|one| one.starts_with("invalid_") && is_code(one)).collect();
    assert!(codes.contains("invalid_network"), "{codes:?}");
    // Errors of RFC 6749 are for introspection clients, not for the page.
    let of_oauth = ["invalid_client", "invalid_request"];
    let is_known = |code: &&str| {
        of_oauth.contains(code)
            || ["faults", "problems"]
                .iter()
                .any(|section| known.contains_key(&format!("{section}.{code}")))
    };
    let missing: Vec<_> = codes.into_iter().filter(|code| !is_known(code)).collect();
    assert!(missing.is_empty(), "no words in web/locales for {missing:?}");
}

#[test]
fn every_reason_against_a_password_has_its_words() {
    let known = texts("en");
    let source = fs::read_to_string("src/model/password.rs").unwrap();
    let codes: BTreeSet<&str> = source
        .lines()
        .filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\","))
        .filter(|code| is_code(code))
        .collect();
    assert!(codes.contains("too_short") && codes.contains("sequence"), "{codes:?}");
    let is_known = |code: &&str| known.contains_key(&format!("password_reasons.{code}"));
    let missing: Vec<_> = codes.iter().filter(|code| !is_known(code)).collect();
    assert!(missing.is_empty(), "no words in web/locales for {missing:?}");
}

fn is_code(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

#[test]
fn scripts_follow_the_rules_of_the_page() {
    let mut faults = Vec::new();
    for path in scripts() {
        let (text, name) = (fs::read_to_string(&path).unwrap(), path.display());
        let code: Vec<&str> =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        if !text.starts_with("// ") {
            faults.push(format!("{name}: the first line says what the file is"));
        }
        if text.lines().count() > LINES_MAX {
            faults.push(format!("{name}: more than {LINES_MAX} lines"));
        }
        let long = |line: &&str| line.chars().count() > LINE_CHARACTERS_MAX;
        if let Some(line) = text.lines().find(long) {
            faults.push(format!("{name}: a line of more than {LINE_CHARACTERS_MAX}: {line}"));
        }
        for word in BANNED {
            // The SVG namespace is a name, not an address.
            let names = |line: &&&str| line.contains(word) && !line.contains("const SVG = ");
            if let Some(line) = code.iter().find(names) {
                faults.push(format!("{name}: {word}: {line}"));
            }
        }
        for (word, home) in
            [("fetch(", "lib/api.js"), ("createElement", "lib/dom.js"), ("Intl.", "lib/text.js")]
        {
            let calls = |line: &&&str| {
                line.split(|c: char| !c.is_alphanumeric() && !"(.".contains(c))
                    .any(|it| it.starts_with(word))
            };
            if !path.ends_with(home) && code.iter().find(calls).is_some() {
                faults.push(format!("{name}: only {home} may say {word}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn reads_like_text(text: &str) -> bool {
    if NO_TEXT.iter().any(|known| text.trim_end().trim_end_matches(':') == *known) {
        return false;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_word = |word: &str| {
        let letters = word.trim_end_matches(|c: char| !c.is_alphabetic());
        letters.chars().count() > 1 && letters.chars().all(|c| c.is_alphabetic() || c == '’')
    };
    let spoken = words.iter().filter(|word| is_word(word)).count();
    let mut letters = text.chars();
    let capital = letters.next().is_some_and(char::is_uppercase);
    let title = capital && text.chars().count() > 1 && letters.all(char::is_lowercase);
    title || spoken > 1
}

/// The texts of a language by full key. Plural forms and word lists are one text each.
fn texts(language: &str) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(format!("web/locales/{language}.json")).unwrap();
    let mut all = BTreeMap::new();
    flatten("", serde_json::from_str(&text).unwrap(), &mut all);
    all
}

fn flatten(prefix: &str, value: Value, all: &mut BTreeMap<String, Value>) {
    let is_plural = value.get("other").is_some();
    if let (false, Some(members)) = (is_plural, value.as_object()) {
        for (name, value) in members {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            flatten(&key, value.clone(), all);
        }
    } else {
        all.insert(prefix.to_owned(), value);
    }
}

/// The parameters of a text. Forms of a plural may omit some ("one key"), so all forms count together.
fn places(text: &Value) -> BTreeSet<String> {
    let text = text.to_string();
    let forms = text.split("{\"one\"").last().unwrap_or_default();
    forms
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name.to_owned()))
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect()
}

fn scripts() -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(Path::new("web"), &mut found);
    found.retain(|path| path.extension().is_some_and(|it| it == "js"));
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}
