//! The commands of README.md, `docs` and `examples` do what their pages say.
//!
//! The `sh` blocks of a page run as one script, in a folder with the examples and the data of a fresh
//! instance. The test replaces only ports. A `text` block after them lists lines that the block before it
//! prints.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::links::prose;
use crate::server::{ADMIN_EMAIL, BINARY, Ended, Home, SEARCH_PATH, Server, run};
use crate::{files, text_of};

/// Pages whose commands this test runs.
const RUN: &[&str] = &[
    "docs/README.md",
    "docs/cors.md",
    "docs/how-to/configuration.md",
    "docs/how-to/import.md",
    "docs/how-to/backup.md",
    "docs/how-to/check.md",
    "docs/how-to/offboarding.md",
    "docs/how-to/proxies.md",
    "docs/how-to/rotation.md",
    "docs/how-to/seal-key.md",
    "docs/how-to/service.md",
    "docs/how-to/teams.md",
    "docs/tutorial.md",
    "examples/README.md",
];
/// Pages whose commands run in another test.
const ELSEWHERE: &[(&str, &str)] = &[
    ("examples/caddy/README.md", "tests/gateways/readme.rs and page.rs"),
    ("examples/diagrams/README.md", "tests/gateways/diagrams/run_script.rs and tests of the crate"),
    ("examples/envoy/README.md", "tests/gateways/readme.rs and page.rs"),
    ("examples/haproxy/README.md", "tests/gateways/readme.rs and page.rs"),
    ("examples/nginx/README.md", "tests/gateways/readme.rs and page.rs"),
    ("examples/traefik/README.md", "tests/gateways/readme.rs and page.rs"),
];
/// Beginnings of commands that do not run, with the reason.
const NOT_RUN: &[(&str, &str)] = &[
    ("./run", "tests/suite/serve/run_script.rs runs it"),
    ("./test", "runs this test"),
    ("./package", "the step package of ./test runs it"),
    ("cargo install", "builds the program once more"),
    ("sudo ", "changes the machine: packages, users, system services"),
];
/// Starts a line that separates the outputs of two blocks.
const BLOCK: &str = "@@ block";

#[test]
fn every_command_runs_in_a_test_or_has_a_reason() {
    let mut unused: Vec<&str> = NOT_RUN.iter().map(|(start, _)| *start).collect();
    let mut faults = Vec::new();
    for path in files(".", "md") {
        let page = path.to_str().unwrap();
        let blocks = blocks(&text_of(page));
        let lines: Vec<&str> = blocks.iter().flat_map(|block| block.commands.lines()).collect();
        unused.retain(|start| !lines.iter().any(|line| line.starts_with(start)));
        let left = lines.iter().any(|line| is_run(line));
        let named = RUN.contains(&page) || ELSEWHERE.iter().any(|(other, _)| *other == page);
        if left != named {
            faults.push(format!("{page}: has commands: {left}; listed in this test: {named}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(unused.is_empty(), "no page has these commands: {unused:?}");
}

/// Commands within a sentence, such as `keyhouse key list`, have no block that runs them.
#[test]
fn commands_in_sentences_exist() {
    let reference = text_of("docs/reference/cli.md");
    let mut faults = Vec::new();
    for path in files(".", "md") {
        // The changelog names commands of earlier versions.
        if path == Path::new("CHANGELOG.md") || path.starts_with("docs/reference") {
            continue;
        }
        let text = text_of(&path);
        let sentences: Vec<&str> = prose(&text).map(str::trim).collect();
        let sentences = sentences.join(" ");
        let spans = sentences.split('`').skip(1).step_by(2);
        for command in spans.filter(|it| it.starts_with("keyhouse ")) {
            if !exists(command, &reference) {
                faults.push(format!("{}: {command}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "not in docs/reference/cli.md:\n{}", faults.join("\n"));
}

/// Whether the reference has a section for a command, with all flags that it names.
fn exists(command: &str, reference: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    // The command that writes the reference is hidden.
    if words.get(1) == Some(&"docs") {
        return true;
    }
    let section = (2..=words.len().min(3)).rev().find_map(|count| {
        let heading = format!("\n## {}\n", words.get(..count)?.join(" "));
        let (_, section) = reference.split_once(&heading)?;
        let section = section.split("\n## ").next()?;
        // A group of commands has no usage, and takes no argument.
        let is_whole = words.len() == count || section.contains("```text\nkeyhouse ");
        is_whole.then_some(section)
    });
    let global = reference.split("\n## ").find(|it| it.starts_with("Options of every command"));
    section.is_some_and(|section| {
        let mut flags = words.iter().filter(|word| word.starts_with("--"));
        flags.all(|flag| {
            let listed = |text: &str| text.contains(&format!("| `{flag}"));
            listed(section) || global.is_some_and(listed)
        })
    })
}

#[test]
fn index_commands_work() {
    follow("docs/README.md", "");
}

#[test]
fn tutorial_leads_to_a_revoked_key() {
    follow(
        "docs/tutorial.md",
        // The files that ./run creates.
        "keyhouse key create --name first | sed 's/^/Authorization: Bearer /' >data/first-key.header",
    );
}

#[test]
fn proxy_guide_creates_and_tries_a_gate() {
    follow("docs/how-to/proxies.md", "");
}

#[test]
fn cors_guide_lets_a_preflight_pass() {
    follow("docs/cors.md", "keyhouse gate create orders --route '/orders/** orders:write'");
}

#[test]
fn team_guide_shares_a_key() {
    follow("docs/how-to/teams.md", "keyhouse key create --name deploy --permission orders:read");
}

#[test]
fn backup_guide_backs_up_and_tests_a_restore() {
    follow("docs/how-to/backup.md", "");
}

#[test]
fn rotation_guide_rotates_and_revokes_a_key() {
    follow("docs/how-to/rotation.md", "keyhouse key create --name deploy");
}

#[test]
fn offboarding_guide_removes_a_user() {
    follow(
        "docs/how-to/offboarding.md",
        "link=$(keyhouse user invite ben@example.com --name Ben)
        printf '{\"token\": \"%s\", \"password\": \"nine purple otters sing at dawn\"}' \"${link#*token=}\" |
            curl --silent --show-error --fail --header 'Content-Type: application/json' --data @- http://127.0.0.1:7117/v1/invitations/accept",
    );
}

#[test]
fn configuration_guide_applies_and_prunes_files() {
    follow("docs/how-to/configuration.md", "");
}

#[test]
fn import_guide_moves_keys() {
    follow("docs/how-to/import.md", "");
}

#[test]
fn example_client_checks_a_key() {
    follow("examples/README.md", "");
}

#[test]
fn service_guide_starts_an_instance() {
    let home = Home::new();
    let [port] = free_ports();
    let setup = format!("export KEYHOUSE_LISTEN=127.0.0.1:{port}");
    let page = Page::read("docs/how-to/service.md");
    page.follow(&home, &setup, &[("7117", port)]);
}

/// Runs the commands of a page against a separate instance.
fn follow(page: &str, setup: &str) {
    let server = Server::start();
    let [clients, application] = free_ports();
    let ports = [("7117", server.address().port()), ("8080", clients), ("8081", application)];
    assert!(server.home().password_file().exists() && ADMIN_EMAIL == "ada@example.com");
    Page::read(page).follow(server.home(), setup, &ports);
}

/// A page with commands.
struct Page {
    name: String,
    blocks: Vec<Block>,
}

/// One block of commands, and lines that the block prints.
struct Block {
    commands: String,
    printed: Vec<String>,
}

impl Page {
    fn read(name: &str) -> Self {
        Self { name: name.to_owned(), blocks: blocks(&text_of(name)) }
    }

    fn follow(&self, home: &Home, setup: &str, ports: &[(&str, u16)]) {
        let replaced = |text: &str| {
            ports.iter().fold(text.to_owned(), |text, (shipped, port)| {
                text.replace(shipped, &port.to_string())
            })
        };
        copy_examples(home.folder(), replaced);
        let mut script =
            "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n".to_owned();
        writeln!(script, "{}", replaced(setup)).unwrap();
        for (at, block) in self.blocks.iter().enumerate() {
            let commands: Vec<&str> = block.commands.lines().filter(|line| is_run(line)).collect();
            writeln!(script, "echo '{BLOCK} {at}'\n{}", replaced(&commands.join("\n"))).unwrap();
        }
        let ended = bash(home, &script);
        assert_eq!(ended.code, Some(0), "{}:\n{script}\n{ended:?}", self.name);
        let outputs: Vec<&str> = ended.stdout.split(BLOCK).skip(1).collect();
        for (block, output) in self.blocks.iter().zip(outputs) {
            for line in &block.printed {
                let found = output.lines().any(|it| it.trim_end() == line);
                assert!(found, "{}: {line:?} is not printed:\n{output}\n{ended:?}", self.name);
            }
        }
    }
}

/// The blocks of commands of a page.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("```") {
        let (kind, after) = after.split_once('\n').unwrap();
        let (body, after) = after.split_once("```").unwrap();
        match (kind, blocks.last_mut()) {
            ("sh", _) => blocks.push(Block { commands: body.to_owned(), printed: Vec::new() }),
            ("text", Some(block)) => block.printed.extend(body.lines().map(str::to_owned)),
            _ => {},
        }
        rest = after;
    }
    blocks
}

fn is_run(line: &str) -> bool {
    !NOT_RUN.iter().any(|(start, _)| line.starts_with(start))
}

fn copy_examples(folder: &Path, replaced: impl Fn(&str) -> String) {
    for path in ["configuration.toml", "nginx/nginx.conf", "clients/check.sh"] {
        let (from, to) = (Path::new("examples").join(path), folder.join("examples").join(path));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&from, &to).unwrap();
        fs::write(&to, replaced(&text_of(&from))).unwrap();
    }
}

fn bash(home: &Home, script: &str) -> Ended {
    let folder = Path::new(BINARY).parent().unwrap().display();
    let mut command = home.command("bash");
    command.env("PATH", format!("{folder}:{SEARCH_PATH}")).env("KEYHOUSE_DATA", home.data());
    command.args(["-c", script]);
    run(command, b"")
}

/// Returns ports that are currently free.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
