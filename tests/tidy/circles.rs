//! No two files of the source import each other, directly or through others.
//!
//! A file imports another if it names an item that the other defines. The entry file of a folder
//! that passes an item on with `pub use` does not define it.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a path that is not found should stop the check at once"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::rust_files;

type Module = Vec<String>;

/// The modules of one crate, and what each names.
struct Sources {
    files: BTreeMap<Module, PathBuf>,
    names: BTreeMap<Module, Vec<Named>>,
}

/// A path that a file names, from the root of its crate.
struct Named {
    path: Vec<String>,
    /// Whether the file only passes the item on.
    passed_on: bool,
}

#[test]
fn files_do_not_import_each_other() {
    let roots = ["src", "storage/contract/src", "storage/redb/src"];
    let circles: Vec<String> =
        roots.iter().flat_map(|root| Sources::read(root).circles()).collect();
    assert_eq!(circles, [""; 0], "cut these circles of imports");
}

impl Sources {
    fn read(root: &str) -> Self {
        let mut files = BTreeMap::new();
        for path in rust_files(root) {
            let inside = path.strip_prefix(root).unwrap().with_extension("");
            let mut module: Module =
                inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|last| last == "mod" || last == "lib") {
                module.pop();
            }
            files.insert(module, path);
        }
        let mut sources = Self { files, names: BTreeMap::new() };
        for (module, path) in &sources.files {
            let names = sources.named_by(module, path);
            sources.names.insert(module.clone(), names);
        }
        sources
    }

    /// The paths below the crate that a file names outside its tests.
    fn named_by(&self, module: &Module, path: &Path) -> Vec<Named> {
        let text = fs::read_to_string(path).unwrap();
        let code: Vec<&str> = text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let code = code.join("\n").replace("pub(in crate", "pub(in ");
        let mut names = Vec::new();
        for statement in code.split(';') {
            let Some((before, tree)) = statement.rsplit_once("use ").filter(|(before, _)| {
                let line = before.rsplit('\n').next().unwrap_or_default().trim();
                line.is_empty() || line.starts_with("pub")
            }) else {
                names.extend(inline(statement));
                continue;
            };
            names.extend(inline(before));
            let passed_on = before.rsplit('\n').next().unwrap_or_default().trim() != "";
            for path in branches(&tree.split_whitespace().collect::<String>()) {
                names.extend(self.absolute(module, &path).map(|path| Named { path, passed_on }));
            }
        }
        names
    }

    /// A path from the root of the crate; `None` for the path of another crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let child: Module = module.iter().cloned().chain([first.clone()]).collect();
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module.as_slice(), rest].concat()),
            "super" => Some([module.split_last()?.1, rest].concat()),
            _ if self.files.contains_key(&child) => Some([child.as_slice(), rest].concat()),
            _ => None,
        }
    }

    /// The module that defines an item.
    fn definer(&self, path: &[String], steps: usize) -> Module {
        let module = (0..=path.len()).rev().map(|length| path[..length].to_vec());
        let module = module.into_iter().find(|it| self.files.contains_key(it)).unwrap_or_default();
        let Some(item) = path.get(module.len()).filter(|_item| steps > 0) else { return module };
        let passed_on = self.names.get(&module).into_iter().flatten();
        let source = passed_on.filter(|it| it.passed_on && it.path.last() == Some(item));
        match source.map(|it| self.definer(&it.path, steps - 1)).next() {
            Some(definer) => definer,
            None => module,
        }
    }

    fn imports(&self, module: &Module) -> BTreeSet<Module> {
        let names = self.names[module].iter().filter(|named| !named.passed_on);
        names.map(|named| self.definer(&named.path, 8)).filter(|it| it != module).collect()
    }

    /// The sets of files in which each reaches each other, as lists of paths.
    fn circles(&self) -> Vec<String> {
        let imports: BTreeMap<&Module, BTreeSet<Module>> =
            self.files.keys().map(|module| (module, self.imports(module))).collect();
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.files.keys().map(|module| (module, reached_from(module, &imports))).collect();
        let mut circles = BTreeSet::new();
        for (module, others) in &reached {
            let circle = others.iter().filter(|other| reached[other].contains(*module));
            let paths: Vec<_> = circle.map(|it| self.files[it].display().to_string()).collect();
            if !paths.is_empty() {
                circles.insert(paths.join(", "));
            }
        }
        circles.into_iter().collect()
    }
}

fn reached_from(
    module: &Module,
    imports: &BTreeMap<&Module, BTreeSet<Module>>,
) -> BTreeSet<Module> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![module.clone()]);
    while let Some(module) = next.pop() {
        for import in &imports[&module] {
            if reached.insert(import.clone()) {
                next.push(import.clone());
            }
        }
    }
    reached
}

/// The paths of a `use` tree without spaces.
fn branches(tree: &str) -> Vec<Vec<String>> {
    let Some((prefix, rest)) = tree.split_once('{') else {
        return vec![tree.split("::").map(str::to_owned).collect()];
    };
    let inside = rest.strip_suffix('}').unwrap_or(rest);
    let prefix: Vec<String> =
        prefix.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for letter in inside.chars() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if letter == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(letter);
        }
    }
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.flat_map(|part| branches(part)).map(|part| [prefix.clone(), part].concat()).collect()
}

/// Paths from `crate::` outside a `use`.
fn inline(code: &str) -> Vec<Named> {
    let paths = code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && !"_:".contains(letter));
        let path = rest[..end.unwrap_or(rest.len())].trim_end_matches(':');
        Named { path: path.split("::").map(str::to_owned).collect(), passed_on: false }
    });
    paths.collect()
}
