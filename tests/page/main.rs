//! Checks the page's texts: its languages have the same keys, and every code of the API has a text.
//!
//! `tests/web` checks the scripts.
#![expect(clippy::unwrap_used, reason = "a missing source file should stop the check at once")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use keyhouse::model::audit_action::AuditAction;
use keyhouse::model::fault::FaultCode;
use keyhouse::model::password::PASSWORD_REASONS;
use serde_json::Value;

const LANGUAGES: [&str; 3] = ["en", "fr", "es"];
/// Plural forms (CLDR). `other` is required.
const PLURAL_FORMS: [&str; 3] = ["one", "many", "other"];

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

#[test]
fn every_api_error_has_a_text() {
    let known = texts("en");
    // Codes of checks are for proxies and services, which send a key; the page never does.
    let codes = keyhouse::model::errors::ALL.iter().map(|error| error.name);
    let missing: Vec<_> =
        codes.filter(|code| !known.contains_key(&format!("problems.{code}"))).collect();
    assert!(missing.is_empty(), "no words in web/locales for {missing:?}");
}

#[test]
fn every_input_fault_has_a_text() {
    let known = texts("en");
    let is_known = |code: &&str| {
        ["faults", "problems"]
            .iter()
            .any(|section| known.contains_key(&format!("{section}.{code}")))
    };
    let codes = FaultCode::ALL.iter().map(|code| code.name);
    let missing: Vec<_> = codes.filter(|code| !is_known(code)).collect();
    assert!(missing.is_empty(), "no words in web/locales for {missing:?}");
}

#[test]
fn every_reason_against_a_password_has_its_words() {
    let known = texts("en");
    let is_known = |code: &&&str| known.contains_key(&format!("password_reasons.{code}"));
    let missing: Vec<_> = PASSWORD_REASONS.iter().filter(|code| !is_known(code)).collect();
    assert!(missing.is_empty(), "no words in web/locales for {missing:?}");
}

#[test]
fn every_audit_action_has_a_sentence() {
    let known = texts("en");
    let keys = AuditAction::ALL.iter().map(|it| format!("events.{}", it.name.replace('.', "_")));
    let missing: Vec<_> = keys.filter(|key| !known.contains_key(key)).collect();
    assert!(missing.is_empty(), "no words in web/locales for {missing:?}");
}

/// The texts of a language by full key. Plural forms and word lists are one text each.
fn texts(language: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    // Only the views that need them load the other parts, such as `audit-en.json`.
    let files = fs::read_dir("web/locales").unwrap().map(|entry| entry.unwrap().path());
    let is_of_language = |name: &str| name == language || name.ends_with(&format!("-{language}"));
    for file in files.filter(|file| is_of_language(file.file_stem().unwrap().to_str().unwrap())) {
        let text = fs::read_to_string(file).unwrap();
        flatten("", serde_json::from_str(&text).unwrap(), &mut all);
    }
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
