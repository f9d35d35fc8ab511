//! The page's texts by key, in the language of a test.

use std::fs;

use serde_json::{Map, Value};

/// The languages of the page.
pub(crate) const LANGUAGES: [&str; 3] = ["en", "fr", "es"];

/// The texts of a language.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    pub(crate) language: &'static str,
    texts: Value,
}

impl Texts {
    /// Reads the files of the language: `en.json`, and parts such as `audit-en.json`.
    pub(crate) fn of(language: &'static str) -> Self {
        let folder = format!("{}/../../web/locales", env!("CARGO_MANIFEST_DIR"));
        let mut texts = Map::new();
        for entry in fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap();
            if name == language || name.ends_with(&format!("-{language}")) {
                let text = fs::read_to_string(&file).unwrap();
                texts.extend(serde_json::from_str::<Map<String, Value>>(&text).unwrap());
            }
        }
        Self { language, texts: texts.into() }
    }

    /// The text with this key. Fails the test if it is missing.
    pub(crate) fn t(&self, key: &str) -> String {
        self.with(key, &[])
    }

    /// The text with its parameters: `[("name", "Ada")]`. For a plural text, returns the form
    /// `other`.
    pub(crate) fn with(&self, key: &str, parameters: &[(&str, &str)]) -> String {
        let found = self.texts.pointer(&format!("/{}", key.replace('.', "/")));
        let found = found.map(|text| text.get("other").unwrap_or(text));
        let Some(text) = found.and_then(Value::as_str) else {
            panic!("{}.json has no text {key}", self.language)
        };
        parameters.iter().fold(text.to_owned(), |text, (name, value)| {
            let place = format!("{{{name}}}");
            assert!(text.contains(&place), "{key} has no place {place}: {text}");
            text.replace(&place, value)
        })
    }
}
