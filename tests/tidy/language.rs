//! Checks the words of comments, texts and documents, and the names of types.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::{files, rust_files};

/// Words that make a sentence hard to read, and what to write instead.
const BANNED: &[(&str, &str)] = &[
    ("told", "name the subject: `the server reports`, `the request contains`"),
    ("whoever", "name the person or program: the client, the owner, the caller"),
    ("nobody", "say what is rejected, absent or never done"),
    ("somebody", "name the person or program"),
    ("anybody", "name the person or program"),
    ("whom", "name the person or program"),
    ("anew", "again"),
    ("of late", "recently"),
    ("for ever", "permanently, or without end"),
    ("heir", "the new owner"),
    ("entomb", "write a tombstone"),
    ("dismissed", "removed or demoted"),
    ("hindrance", "the reason"),
    ("lets go", "releases, or deletes"),
    ("purse", "budget"),
];

/// Permitted uses of a banned word: the file, the text around the word, and the reason.
const ALLOWED: &[(&str, &str, &str)] = &[("tests/tidy/language.rs", "", "this list")];

/// A banned word that tests use as the name of a person.
const TEST_NAME: &str = "somebody";

/// Minimum number of words in a doc comment. Shorter comments only repeat the name.
const DOC_WORDS_MIN: usize = 5;

/// The file with the first type, the name of several types, and the reason.
const NAMES_SHARED: &[(&str, &str, &str)] = &[
    ("src/embed.rs", "Verdict", "embed's public form of a verdict, without the parts of a gate"),
    (
        "src/http/view.rs",
        "Page",
        "a page of views for HTTP, as the page of the store is one of rows",
    ),
];

/// Names of arguments of clap, which each file of `src/cli` may declare.
const ARGUMENTS: &[&str] = &["Command", "List", "Create", "Set", "Change", "Flags"];

#[test]
fn no_text_has_a_banned_word() {
    let mut faults = Vec::new();
    for path in written() {
        let text = fs::read_to_string(&path).unwrap();
        let is_test = path.starts_with("tests") && path.extension().is_none_or(|it| it != "py");
        for (number, whole) in text.lines().enumerate() {
            let allowed =
                ALLOWED.iter().any(|(file, part, _)| path.ends_with(file) && whole.contains(part));
            for (word, instead) in BANNED {
                let is_name = is_test && *word == TEST_NAME;
                let line = if is_name { claim_or_comment(whole) } else { whole };
                if !allowed && has_word(line, word) {
                    let place = format!("{}:{}", path.display(), number + 1);
                    faults.push(format!("{place}: \"{word}\": {instead}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} lines:\n{}", faults.len(), faults.join("\n"));
}

/// Returns the comment in a line of a test, or the line if it declares a function.
fn claim_or_comment(line: &str) -> &str {
    let line = line.trim_start();
    if line.starts_with("fn ") || line.starts_with("//") {
        return line;
    }
    line.split_once(" // ").map_or("", |(_, comment)| comment)
}

/// Returns all files with text for readers: sources, tests, documents, the page and its English
/// texts.
fn written() -> impl Iterator<Item = PathBuf> {
    let sources =
        ["src", "storage", "tests", "benches", "examples", "fuzz", "web", "docs", "packaging"];
    let extensions = ["rs", "js", "mjs", "py", "md", "css", "html", "yml", "trycmd", "toml"];
    let inside = sources.into_iter().flat_map(move |folder| {
        extensions.into_iter().flat_map(move |extension| files(folder, extension))
    });
    let single = [
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "test",
        "bench",
        "run",
        "package",
    ];
    let is_english = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        name == "en" || name.ends_with("-en")
    };
    let texts = files("web/locales", "json").into_iter().filter(is_english);
    inside.chain(single.map(PathBuf::from)).chain(texts)
}

fn has_word(line: &str, word: &str) -> bool {
    let line = line.to_lowercase();
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|it| it.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|it| it.chars().next());
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

#[test]
fn doc_comments_say_more_than_the_name() {
    let mut faults = Vec::new();
    for path in rust_files("src") {
        // Other programs use this file, so each item has a comment.
        if path.ends_with("embed.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // The comments of a view's fields are descriptions in the API document.
        let mut in_view = false;
        let code = text.lines().map(|line| {
            in_view = line == "view! {" || (in_view && line != "}");
            if in_view { "" } else { line.trim() }
        });
        let lines: Vec<&str> = code.collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(doc) = line.strip_prefix("/// ") else { continue };
            let alone = |at: Option<usize>| {
                at.and_then(|at| lines.get(at)).is_none_or(|other| !other.starts_with("///"))
            };
            let whole = alone(number.checked_sub(1)) && alone(Some(number + 1));
            let words = doc.split_whitespace().count();
            // clap prints the doc comment of a flag or a command as its help.
            let help = path.starts_with("src/cli");
            if whole && !help && words < DOC_WORDS_MIN {
                faults.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{} comments:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn doc_comments_stand_alone() {
    let mut faults = Vec::new();
    for path in ["src", "storage"].into_iter().flat_map(rust_files) {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().map(str::trim).enumerate() {
            let leans = ["/// The same", "/// As ["].iter().any(|start| line.starts_with(start));
            if leans {
                faults.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{} comments:\n{}", faults.len(), faults.join("\n"));
}

/// A type name, public or private, has one meaning in all crates.
#[test]
fn no_two_types_have_one_name() {
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in ["src", "storage"].into_iter().flat_map(rust_files) {
        if path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().take_while(|line| !is_test_module(line));
        for name in lines.filter_map(declared_type) {
            if !(path.starts_with("src/cli") && ARGUMENTS.contains(&name)) {
                places.entry(name.to_owned()).or_default().push(path.clone());
            }
        }
    }
    let mut faults = Vec::new();
    for (file, name, _) in NAMES_SHARED {
        let paths = places.get_mut(*name).filter(|paths| paths.len() > 1);
        match paths.and_then(|paths| Some((paths.iter().position(|it| it.ends_with(file))?, paths)))
        {
            Some((at, paths)) => drop(paths.remove(at)),
            None => faults.push(format!("{name}: no longer shared, remove the exception")),
        }
    }
    let shared = places.into_iter().filter(|(_, paths)| paths.len() > 1);
    faults.extend(shared.map(|(name, paths)| format!("{name}: {paths:?}")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether a line opens the module of a file's unit tests.
fn is_test_module(line: &str) -> bool {
    line.ends_with("mod tests {")
}

/// Returns the name of the type that a line declares. An indented `type` belongs to a trait.
fn declared_type(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    let is_indented = rest.len() < line.len();
    if let Some(public) = rest.strip_prefix("pub") {
        let after = public.strip_prefix('(').and_then(|it| it.split_once(')'));
        rest = after.map_or(public, |(_, after)| after).trim_start();
    }
    let (kind, name) = rest.split_once(' ')?;
    let is_type = match kind {
        "struct" | "enum" | "trait" | "union" => true,
        "type" => !is_indented,
        _ => false,
    };
    let end = |it: char| !it.is_alphanumeric() && it != '_';
    // The name is empty in a macro.
    is_type.then(|| name.split(end).next().unwrap_or_default()).filter(|name| !name.is_empty())
}

#[test]
fn type_declarations_are_found() {
    for (line, name) in [
        ("pub struct Key {", Some("Key")),
        ("pub(in crate::actions) enum Cause<'a> {", Some("Cause")),
        ("    trait Inner: Send {", Some("Inner")),
        ("type Rows = Vec<Row>;", Some("Rows")),
        ("    type Item = Row;", None),
        ("pub const fn structure() {", None),
        ("/// A struct Key.", None),
    ] {
        assert_eq!(declared_type(line), name, "{line}");
    }
}

#[test]
fn module_comments_open_with_a_sentence() {
    let mut faults = Vec::new();
    for path in ["src", "storage", "tests"].into_iter().flat_map(rust_files) {
        let text = fs::read_to_string(&path).unwrap();
        let opening: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .map(|line| line.trim_start_matches("//!").trim())
            .take_while(|line| !line.is_empty())
            .collect();
        let sentence = opening.join(" ");
        let starts = sentence.chars().next().is_some_and(|it| it.is_uppercase() || it == '`');
        let ends = sentence.contains(". ") || sentence.ends_with(['.', ':']);
        if sentence.split_whitespace().count() < DOC_WORDS_MIN || !starts || !ends {
            faults.push(format!("{}: {sentence}", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_word_is_found_whole() {
    assert!(has_word("// Nobody knows.", "nobody"));
    assert!(has_word("for ever, it", "for ever"));
    assert!(!has_word("their own", "heir"));
    assert!(!has_word("untold", "told"));
}
