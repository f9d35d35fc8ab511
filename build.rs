//! Embeds the page: every file of `web/`, compressed beforehand, under one name made of all of them.
//!
//! The files lie below `/assets/{hash of web/}/`, so that browsers may keep them for ever and a new
//! version is never mixed with an old one; relative imports between modules stay as they are written.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The page that begins, which is not below the hashed folder itself.
const INDEX: &str = "index.html";
/// What the first view is made of, and all that these import, is asked for at once.
const FIRST_MODULES: [&str; 2] = ["app.js", "views/keys.js"];
/// Where in the page the list of these stands.
const MODULES_MARK: &str = "<!-- modules of the first view -->";
/// Where the folder's name stands in the page.
const HASH_MARK: &str = "{hash}";
/// Most bytes of brotli's window, as a power of two: no file of the page is larger.
const BROTLI_WINDOW_BITS: u32 = 20;

type Files = BTreeMap<String, Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=web");
    #[expect(clippy::disallowed_methods, reason = "so cargo tells a build script where to write")]
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Files::new();
    read_into(&mut files, Path::new("web"), "")?;
    let hash = hash_of(&files);
    let index = files.remove(INDEX).ok_or("web/index.html is missing")?;
    let index = finished_index(&String::from_utf8(index)?, &files, &hash)?;
    let mut code = format!("const HASH: &str = \"{hash}\";\nstatic INDEX: File = ");
    code.push_str(&embedded(&out, INDEX, index.as_bytes())?);
    code.push_str(";\nstatic FILES: &[File] = &[\n");
    for (name, bytes) in &files {
        writeln!(code, "{},", embedded(&out, name, bytes)?)?;
    }
    code.push_str("];\n");
    fs::write(out.join("page.rs"), code)?;
    Ok(())
}

fn read_into(files: &mut Files, folder: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let own = entry.file_name().into_string().map_err(|name| format!("{}", name.display()))?;
        let name = if name.is_empty() { own } else { format!("{name}/{own}") };
        if entry.file_type()?.is_dir() {
            // The routes know one folder below the hashed one.
            if name.contains('/') {
                return Err(format!("web/{name} lies too deep to be served").into());
            }
            read_into(files, &entry.path(), &name)?;
        } else {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}

fn hash_of(files: &Files) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, bytes) in files {
        for part in [name.as_bytes(), bytes] {
            hasher.update(&part.len().to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().to_hex().chars().take(16).collect()
}

fn finished_index(index: &str, files: &Files, hash: &str) -> Result<String, Box<dyn Error>> {
    let mut modules = Vec::new();
    for first in FIRST_MODULES {
        follow_imports(first, files, &mut modules)?;
    }
    let links = modules
        .iter()
        .map(|name| format!("<link rel=\"modulepreload\" href=\"/assets/{HASH_MARK}/{name}\">"));
    let links = links.collect::<Vec<_>>().join("\n  ");
    Ok(index.replace(MODULES_MARK, &links).replace(HASH_MARK, hash))
}

/// Adds a module and all it imports, each once. What is imported when needed (`import(`) is left out.
fn follow_imports(
    name: &str,
    files: &Files,
    modules: &mut Vec<String>,
) -> Result<(), Box<dyn Error>> {
    if modules.iter().any(|known| known == name) {
        return Ok(());
    }
    let bytes = files.get(name).ok_or_else(|| format!("web/{name} is imported, but missing"))?;
    modules.push(name.to_owned());
    for line in str::from_utf8(bytes)?.lines() {
        let after = line.split_once(" from \"").or_else(|| line.split_once("import \""));
        if let Some((target, _)) = after.and_then(|(_, rest)| rest.split_once('"')) {
            follow_imports(&resolved(name, target), files, modules)?;
        }
    }
    Ok(())
}

/// What a relative import means, seen from the file that has it.
fn resolved(from: &str, target: &str) -> String {
    let mut path: Vec<&str> = from.split('/').collect();
    path.pop();
    for part in target.split('/') {
        match part {
            "." => {},
            ".." => {
                path.pop();
            },
            name => path.push(name),
        }
    }
    path.join("/")
}

/// The code of one embedded file, whose compressed forms are written beside it.
fn embedded(out: &Path, name: &str, bytes: &[u8]) -> Result<String, Box<dyn Error>> {
    let flat = name.replace('/', "-");
    let write = |kind: &str, bytes: &[u8]| -> Result<PathBuf, Box<dyn Error>> {
        let path = out.join(format!("{flat}.{kind}"));
        fs::write(&path, bytes)?;
        Ok(path)
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes)?;
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 11, BROTLI_WINDOW_BITS);
    writer.write_all(bytes)?;
    let brotli = writer.into_inner();
    let content_type = content_type(name)?;
    let [plain, gzip, brotli] =
        [write("plain", bytes)?, write("gz", &gzip.finish()?)?, write("br", &brotli)?];
    let included = |path: &Path| format!("include_bytes!({:?})", path.display().to_string());
    Ok(format!(
        "File {{ name: {name:?}, content_type: {content_type:?}, plain: {}, gzip: {}, brotli: {} }}",
        included(&plain),
        included(&gzip),
        included(&brotli)
    ))
}

fn content_type(name: &str) -> Result<&'static str, Box<dyn Error>> {
    match Path::new(name).extension().and_then(|it| it.to_str()) {
        Some("html") => Ok("text/html; charset=utf-8"),
        Some("js") => Ok("text/javascript; charset=utf-8"),
        Some("css") => Ok("text/css; charset=utf-8"),
        Some("json") => Ok("application/json"),
        Some("svg") => Ok("image/svg+xml"),
        _ => Err(format!("web/{name} is of no kind that the page serves").into()),
    }
}
