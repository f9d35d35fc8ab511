//! `examples/diagrams/run` starts Keyhouse, the service and Caddy, makes a picture, and stops all three.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "an output of another shape should stop its test"
)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{python, width_of_png};
use crate::proxy::free_ports;
use crate::server::{CHECKOUT, Ended, Home, Log, run};

const SCRIPT: &str = "examples/diagrams/run";
/// The width of the saved picture, and of the one that the printed lines for Python save.
const WIDTHS: [u32; 2] = [1_200, 800];

/// Ports of the proxy, the service and Keyhouse.
type Ports = [u16; 3];

/// The script, which is stopped if the test fails.
struct Running {
    script: Child,
    log: std::sync::Arc<Log>,
}

impl Running {
    /// Starts the script, and waits for its last line.
    fn start(home: &Home, kept: &Path, ports: Ports) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = script(home, kept, ports);
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().unwrap();
        drop(command);
        let running = Self { script: child, log: Log::follow(reader) };
        let ready = running.log.wait_for("  Stop ");
        ready.unwrap_or_else(|| panic!("{}", running.log.whole()));
        running
    }

    /// The text after a label.
    fn line(&self, label: &str) -> Option<String> {
        let after = |line: &str| {
            Some(line.trim_start().strip_prefix(label)?.strip_prefix("  ")?.trim().to_owned())
        };
        self.log.whole().lines().find_map(after)
    }

    /// The lines with this indentation of one block, between two empty lines.
    fn block(&self, heading: &str) -> String {
        let whole = self.log.whole();
        let (_, rest) = whole.split_once(heading).unwrap();
        let (_, rest) = rest.split_once("\n\n").unwrap();
        let (block, _) = rest.split_once("\n\n").unwrap();
        block.lines().map(|line| line.trim_start().to_owned() + "\n").collect()
    }

    fn stop(mut self) {
        self.end();
        assert_eq!(self.script.wait().unwrap().code(), Some(0), "{}", self.log.whole());
    }

    fn end(&self) {
        kill_process(Pid::from_child(&self.script), Signal::TERM).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.script.try_wait(), Ok(None)) {
            self.end();
            let _waited = self.script.wait();
        }
    }
}

/// The script with a debug build, which needs the caller's cargo.
#[expect(clippy::disallowed_methods, reason = "the build needs the caller's cargo")]
fn script(home: &Home, kept: &Path, [port, of_service, of_keyhouse]: Ports) -> Command {
    let mut command = home.command(Path::new(CHECKOUT).join(SCRIPT));
    command.args(["--debug", "--data"]).arg(kept);
    for (option, port) in
        [("--port", port), ("--service-port", of_service), ("--keyhouse-port", of_keyhouse)]
    {
        command.args([option, &port.to_string()]);
    }
    for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_TARGET_DIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The command lines of all processes.
fn command_lines() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    // A process that ends meanwhile has no file.
    let lines = processes.filter_map(|folder| fs::read(folder.join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
}

fn bash(home: &Home, text: &str) -> Ended {
    let mut command = home.command("bash");
    command.args(["-c", text]);
    run(command, b"")
}

/// No command line and no log has the key.
fn is_secret(key: &str, kept: &Path) {
    assert!(!command_lines().iter().any(|line| line.contains(key)), "a command line has the key");
    for name in ["keyhouse.log", "service.log", "caddy.log"] {
        let log = fs::read_to_string(kept.join(name)).unwrap();
        assert!(!log.contains(key), "{name} has the key");
    }
}

fn refuses_a_port_in_use(home: &Home, ports: Ports) {
    let second = run(script(home, &home.folder().join("other"), ports), b"");
    assert_eq!(second.code, Some(1), "{second:?}");
    let text = format!("another program uses port {}", ports[0]);
    assert!(second.stderr.contains(&text) && second.stderr.contains("--port"), "{second:?}");
}

/// No process of the script is left, and its ports are free.
fn leaves_nothing(kept: &Path, ports: Ports) {
    let folder = kept.to_str().unwrap();
    let left: Vec<String> =
        command_lines().into_iter().filter(|line| line.contains(folder)).collect();
    assert!(left.is_empty(), "{left:?}");
    for port in ports {
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}

#[test]
fn one_command_starts_all_makes_a_picture_and_leaves_no_process() {
    let home = Home::new();
    let kept = home.folder().join("run data");
    let ports: Ports = free_ports();
    let running = Running::start(&home, &kept, ports);
    let picture = fs::read(running.line("Picture").unwrap()).unwrap();
    assert_eq!(width_of_png(&picture), WIDTHS[0]);
    let curl = running.block("With curl:");
    let first = curl.lines().next().unwrap();
    let listed = bash(&home, &format!("{first} --silent")).stdout;
    assert_eq!(listed.matches("\"createdAt\"").count(), 1, "{listed}");
    let ended = run(home.command(python()), running.block("With Python").as_bytes());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(width_of_png(&fs::read(home.folder().join("picture.png")).unwrap()), WIDTHS[1]);

    let key = running.line("Key").unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(key.starts_with("kh_live_"), "the first run prints the key");
    is_secret(&key, &kept);
    refuses_a_port_in_use(&home, ports);

    running.stop();
    leaves_nothing(&kept, ports);

    let again = Running::start(&home, &kept, free_ports());
    assert!(!again.log.whole().contains(&key), "the second run prints the key's file only");
    assert_eq!(again.line("Password"), None);
    let curl = again.block("With curl:");
    let first = curl.lines().next().unwrap();
    assert_eq!(bash(&home, &format!("{first} --silent")).stdout, listed, "one sample");
    again.stop();
}

#[test]
fn without_caddy_the_command_names_the_package() {
    let home = Home::new();
    let tools = home.folder().join("tools");
    fs::create_dir(&tools).unwrap();
    for name in ["bash", "dirname", "mkdir", "sed", "curl", "cargo"] {
        let found = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(name));
        let target = found.into_iter().find(|it| it.exists()).unwrap_or_else(|| "/bin/true".into());
        symlink(target, tools.join(name)).unwrap();
    }
    let mut command = Command::new("/bin/bash");
    command.arg(Path::new(CHECKOUT).join(SCRIPT)).args(["--data", "data"]);
    command.env_clear().env("PATH", &tools).env("HOME", home.folder());
    command.current_dir(home.folder());
    let ended = run(command, b"");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("sudo apt-get install caddy"), "{ended:?}");
}

#[test]
fn a_wrong_option_is_refused_and_the_help_names_each() {
    let home = Home::new();
    let call = |word: &str| {
        let mut command = home.command(Path::new(CHECKOUT).join(SCRIPT));
        command.args(word.split(' '));
        run(command, b"")
    };
    for (words, text) in [
        ("--port 0", "--port needs a port"),
        ("--service-port 99999", "--service-port needs a port"),
        ("--data", "--data needs a directory"),
        ("--fast", "unknown option '--fast'"),
    ] {
        let ended = call(words);
        assert_eq!(ended.code, Some(2), "{words}: {ended:?}");
        assert!(ended.stderr.contains(text), "{words}: {ended:?}");
    }
    let help = call("--help");
    assert_eq!(help.code, Some(0));
    for option in ["--port", "--service-port", "--keyhouse-port", "--data", "--debug", "--help"] {
        assert!(help.stdout.contains(option), "{option}: {}", help.stdout);
    }
}
