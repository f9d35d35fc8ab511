//! Tests of the documents: generated pages are current, commands run, links lead to a page and a heading.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a page of another shape should stop its test"
)]

mod commands;
mod links;
mod reference;
mod settings_named;

#[path = "../server/mod.rs"]
mod server;

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are not part of the source.
const APART: &[&str] = &["target", ".git", ".venv", "data", "node_modules"];

/// Returns the files with this extension below a folder, sorted, as paths from the root of the
/// repository.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = all_files(folder);
    found.retain(|path| path.extension().is_some_and(|it| it == extension));
    found
}

/// Returns all files below a folder, sorted, as paths from the root of the repository.
fn all_files(folder: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if !path.is_dir() {
                found.push(path.strip_prefix(".").unwrap_or(&path).to_owned());
            } else if !APART.contains(&&*name) {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text_of(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("could not read {}: {error}", path.as_ref().display()))
}
