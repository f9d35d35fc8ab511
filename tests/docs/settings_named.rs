//! Every variable and flag of Keyhouse in an example or a how-to page exists.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::{all_files, text_of};

const FOLDERS: [&str; 2] = ["examples", "docs"];
const PREFIX: &str = "KEYHOUSE_";

#[test]
fn every_variable_is_one_of_the_reference() {
    let known = variables(&text_of("docs/reference/settings.md"));
    assert!(known.contains("KEYHOUSE_PUBLIC_URL") && known.contains("KEYHOUSE_URL"), "{known:?}");
    let mut count = 0;
    for (path, text) in texts() {
        for name in variables(&text) {
            count += 1;
            assert!(known.contains(&name), "{}: {name} is no setting", path.display());
        }
    }
    assert!(count >= 20, "only {count} variables were found");
}

/// Flags after `keyhouse serve`, and in lists of arguments such as `args: [restore, FILE, --replace]`.
#[test]
fn every_flag_is_one_of_the_reference() {
    let reference = text_of("docs/reference/cli.md");
    let mut count = 0;
    for (path, text) in texts() {
        for line in text.lines() {
            let is_list = line.trim_start().starts_with("args: [");
            let serve = line.split_once("keyhouse serve ").map(|(_, rest)| rest);
            let Some(words) = serve.or(is_list.then_some(line)) else { continue };
            for word in
                words.split([' ', ',', ']', '`', '=', ';']).filter(|it| it.starts_with("--"))
            {
                count += 1;
                let known = reference.contains(&format!("`{word}`"))
                    || reference.contains(&format!("`{word} "));
                assert!(known, "{}: {word} is no flag: {line}", path.display());
            }
        }
    }
    assert!(count >= 10, "only {count} flags were found");
}

/// The names with the prefix in a text.
fn variables(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    words.filter(|word| word.starts_with(PREFIX) && *word != PREFIX).map(str::to_owned).collect()
}

/// The examples and the documentation, apart from pictures and fonts.
fn texts() -> impl Iterator<Item = (PathBuf, String)> {
    let all = FOLDERS.into_iter().flat_map(all_files);
    let texts = all.filter(|path| path.extension().is_none_or(|it| it != "png" && it != "otf"));
    texts.map(|path| {
        let text = text_of(&path);
        (path, text)
    })
}
