//! Embeds the files of `web/`, and the configurations of proxies in `examples/`, compressed, in the binary.
//!
//! The page loads them below `assets/{hash of web/}/`. Browsers can therefore cache them without
//! expiry and never mix two versions. All addresses are relative, so that the page works on a
//! sub-path, and imports between modules need no change.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The documents, with their names in the code. Their own paths have no hash. The browser preloads these modules of
/// each, and all their imports.
const DOCUMENTS: [(&str, &str, &[&str]); 2] = [
    ("index.html", "INDEX", &["app.js", "views/keys.js"]),
    ("reference.html", "REFERENCE", &["reference/start.js"]),
];
/// The configurations that the page shows, by the folder in `examples/`. The tests of these examples start the
/// proxies with them.
const PROXIES: [(&str, &[&str]); 5] = [
    ("caddy", &["Caddyfile"]),
    ("envoy", &["envoy.yaml"]),
    ("haproxy", &["haproxy.cfg", "keyhouse.lua"]),
    ("nginx", &["nginx.conf"]),
    ("traefik", &["traefik.yaml", "routes.yaml"]),
];
/// Replaced by the list of preloaded modules.
const MODULES_MARK: &str = "<!-- modules of the first view -->";
/// Settings and types of the scripts. Only checks read them.
const NOT_SERVED: [&str; 3] = ["package.json", "tsconfig.json", "types"];
/// Replaced by the hash of all files.
const HASH_MARK: &str = "{hash}";
/// Size of brotli's window, as a power of two. No file of the page is larger.
const BROTLI_WINDOW_BITS: u32 = 20;

type Files = BTreeMap<String, Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=web");
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo passes the output directory to build scripts this way"
    )]
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Files::new();
    read_into(&mut files, Path::new("web"), "")?;
    for (proxy, names) in PROXIES {
        files.insert(format!("proxies/{proxy}.json"), configurations_of(proxy, names)?);
    }
    let hash = hash_of(&files);
    let mut code = format!("const HASH: &str = \"{hash}\";\n");
    for (name, constant, first_modules) in DOCUMENTS {
        let document = files.remove(name).ok_or_else(|| format!("web/{name} is missing"))?;
        let document = finished(&String::from_utf8(document)?, first_modules, &files, &hash)?;
        writeln!(
            code,
            "static {constant}: File = {};",
            embedded(&out, name, document.as_bytes())?
        )?;
    }
    code.push_str("static FILES: &[File] = &[\n");
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
        if NOT_SERVED.contains(&name.as_str()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            // The routes serve one level of folders below the hash.
            if name.contains('/') {
                return Err(
                    format!("web/{name} is nested too deeply: use one level of folders").into()
                );
            }
            read_into(files, &entry.path(), &name)?;
        } else {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// The files of a proxy's example as JSON: `[{"name", "text"}]`.
fn configurations_of(proxy: &str, names: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut items = Vec::new();
    for name in names {
        let path = format!("examples/{proxy}/{name}");
        println!("cargo::rerun-if-changed={path}");
        let text = fs::read_to_string(&path)?;
        // Rust and JSON escape the characters of a configuration in the same way, except those that Rust
        // writes by number.
        let quoted = format!("{text:?}");
        if !text.is_ascii() || quoted.contains("\\u{") {
            return Err(format!("{path} has a character that JSON escapes in another way").into());
        }
        items.push(format!("{{\"name\":{name:?},\"text\":{quoted}}}"));
    }
    Ok(format!("[{}]", items.join(",")).into_bytes())
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

/// A document with its preloaded modules and the hash.
fn finished(
    document: &str,
    first_modules: &[&str],
    files: &Files,
    hash: &str,
) -> Result<String, Box<dyn Error>> {
    let mut modules = Vec::new();
    for first in first_modules {
        follow_imports(first, files, &mut modules)?;
    }
    let links = modules
        .iter()
        .map(|name| format!("<link rel=\"modulepreload\" href=\"assets/{HASH_MARK}/{name}\">"));
    let links = links.collect::<Vec<_>>().join("\n  ");
    Ok(document.replace(MODULES_MARK, &links).replace(HASH_MARK, hash))
}

/// Adds a module and its static imports, each once. Dynamic imports (`import(`) are left out.
fn follow_imports(
    name: &str,
    files: &Files,
    modules: &mut Vec<String>,
) -> Result<(), Box<dyn Error>> {
    if modules.iter().any(|known| known == name) {
        return Ok(());
    }
    let bytes =
        files.get(name).ok_or_else(|| format!("web/{name} is imported but does not exist"))?;
    modules.push(name.to_owned());
    for line in str::from_utf8(bytes)?.lines() {
        let after = line.split_once(" from \"").or_else(|| line.split_once("import \""));
        if let Some((target, _)) = after.and_then(|(_, rest)| rest.split_once('"')) {
            follow_imports(&resolved(name, target), files, modules)?;
        }
    }
    Ok(())
}

/// The path of a relative import in the file `from`.
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

/// Writes a file and its compressed forms to `out` and returns the code that embeds them.
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
        _ => {
            Err(format!("web/{name} has an unknown type: add it to content_type in build.rs")
                .into())
        },
    }
}
