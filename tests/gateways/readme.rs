//! The commands in the examples' pages work as documented. `tests/docs` runs the commands of all
//! other pages.
#![expect(
    clippy::unwrap_used,
    reason = "a page or an answer of another shape should stop its test"
)]

use std::fs;
use std::path::Path;

use crate::proxy::{Kind, Proxy};
use crate::server::{BINARY, Home, SEARCH_PATH, Server, run};

#[test]
fn the_commands_of_the_examples_return_the_identity() {
    let server = Server::start();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, server.address());
        let page = format!("{}/README.md", kind.folder());
        let commands = first_block(&page);
        let [_start, ask] = commands.lines().collect::<Vec<_>>()[..] else {
            panic!("{page} has two commands: {commands}");
        };
        assert!(ask.contains("127.0.0.1:8080"), "{ask}");
        let script = format!(
            "set -euo pipefail\nexport KEYHOUSE_DATA={}\n{}",
            server.home().data().display(),
            ask.replace("127.0.0.1:8080", &proxy.address.to_string())
        );
        let ended = bash(server.home(), &script);
        assert!(ended.stdout.starts_with("HTTP/1.1 200 OK"), "{script}\n{ended:?}");
        assert!(ended.stdout.contains("X-Keyhouse-Key: key_"), "{script}\n{ended:?}");
        for said in ["Keyhouse is down", "Keyhouse takes longer", "a limit is used up"] {
            assert!(page_text(&page).contains(said), "{page} says what happens when {said}");
        }
    }
}

fn bash(home: &Home, script: &str) -> crate::server::Ended {
    let folder = Path::new(BINARY).parent().unwrap().display();
    let mut command = home.command("bash");
    command.env("PATH", format!("{folder}:{SEARCH_PATH}"));
    command.args(["-c", script]);
    run(command, b"")
}

/// The first block of shell commands of a page.
fn first_block(page: &str) -> String {
    let text = page_text(page);
    let (_, rest) = text.split_once("```sh\n").unwrap();
    rest.split_once("\n```").unwrap().0.to_owned()
}

fn page_text(page: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap()
}
