//! `./run` builds and starts Keyhouse from a checkout, and creates and checks a key.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::server::{Home, Log};

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns a command for `./run` with the debug build and its data in `folder`.
#[expect(clippy::disallowed_methods, reason = "the build needs the caller's cargo")]
fn run_script(home: &Home, folder: &Path) -> Command {
    let mut command = home.command("./run");
    command.current_dir(CHECKOUT).args(["--debug", "--port", "0", "--data"]).arg(folder);
    for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_TARGET_DIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The script and the service that it started. Script and service are stopped if the test fails.
struct Running(Child);

impl Running {
    fn stop(&self) {
        let id = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(id, Signal::TERM).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// Runs the script until it prints how to stop the service, then runs `body` on the output, and
/// stops the script.
fn while_it_runs(home: &Home, folder: &Path, body: impl FnOnce(&str)) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = run_script(home, folder);
    command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut running = Running(command.spawn().unwrap());
    drop(command);
    let log = Log::follow(reader);
    log.wait_for("  Stop ").unwrap();
    body(&log.whole());
    running.stop();
    assert_eq!(running.0.wait().unwrap().code(), Some(0), "{}", log.whole());
}

/// Returns the text after `label`.
fn line<'a>(printed: &'a str, label: &str) -> Option<&'a str> {
    let after = |line| str::trim_start(line).strip_prefix(label)?.strip_prefix("  ");
    printed.lines().find_map(after).map(str::trim)
}

/// Runs the printed curl command unchanged and returns its output.
fn status_of_printed_command(printed: &str) -> String {
    let words = line(printed, "Check it").unwrap();
    let mut shell = Command::new("sh");
    let curl = format!("{words} --silent --output /dev/null --write-out '%{{http_code}}'");
    let output = shell.args(["-c", &curl]).current_dir(CHECKOUT).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_first_run_prints_a_password_and_a_checked_key_and_the_second_reuses_both() {
    let home = Home::new();
    let data = home.folder().join("run data");
    let mut first_password = String::new();
    while_it_runs(&home, &data, |printed| {
        assert!(line(printed, "Key").unwrap().ends_with("checked: valid"), "{printed}");
        assert_eq!(status_of_printed_command(printed), "200", "{printed}");
        let password = line(printed, "Password").unwrap().split_whitespace().next().unwrap();
        password.clone_into(&mut first_password);
        let page = line(printed, "Page").unwrap();
        let body = serde_json::json!({"email": "owner@example.com", "password": password});
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]);
        curl.args(["-H", "Content-Type: application/json", "--data", &body.to_string()]);
        let output = curl.arg(format!("{page}/v1/session")).output().unwrap();
        assert_eq!(output.stdout, b"201", "{printed}");
    });
    assert!(!data.join("owner-password").exists(), "the password is printed, and kept nowhere");
    while_it_runs(&home, &data, |printed| {
        assert_eq!(line(printed, "Password"), None, "{printed}");
        assert_eq!(status_of_printed_command(printed), "200", "{printed}");
    });
    for file in fs::read_dir(&data).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            let bytes = fs::read(file.path()).unwrap();
            let found =
                bytes.windows(first_password.len()).any(|it| it == first_password.as_bytes());
            assert!(!found, "the password is in {:?}", file.path());
        }
    }
}

#[test]
fn missing_programs_are_installed_only_with_consent() {
    // The environment has no compiler, no root rights and no terminal.
    let home = Home::new();
    let [checkout, tools] = checkout_with_tools(&home, &["apt-get", "sudo", "setpriv"]);
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--clear-groups", "./run", "--data", "/"]);
    command.current_dir(&checkout).env_clear().env("PATH", &tools).stdin(Stdio::null());
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("Install gcc") && printed.contains("sudo apt-get"), "{printed}");
    assert!(printed.contains("in a terminal"), "{printed}");
}

#[test]
fn a_download_of_rust_that_fails_is_reported_with_the_next_step() {
    // The environment has a compiler and a curl that reaches no server, but no cargo.
    let home = Home::new();
    let [checkout, tools] = checkout_with_tools(&home, &["cut", "sort", "head", "sh"]);
    for (name, body) in [("cc", "exit 0"), ("curl", "echo 'no route to host' >&2; exit 6")] {
        let program = tools.join(name);
        fs::write(&program, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(checkout.join("run"));
    command.args(["--data", "data"]).current_dir(&checkout).stdin(Stdio::null());
    command.env_clear().env("PATH", &tools).env("HOME", home.folder());
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("https://sh.rustup.rs did not install Rust"), "{printed}");
    assert!(printed.contains("or newer in another way, then start ./run again."), "{printed}");
}

/// Creates a checkout that contains only the script, and a folder with few programs for `PATH`.
fn checkout_with_tools(home: &Home, programs: &[&str]) -> [PathBuf; 2] {
    let [checkout, tools] = ["checkout", "tools"].map(|name| home.folder().join(name));
    for folder in [&checkout, &tools] {
        fs::create_dir(folder).unwrap();
    }
    for name in ["run", "Cargo.toml"] {
        fs::copy(Path::new(CHECKOUT).join(name), checkout.join(name)).unwrap();
    }
    fs::set_permissions(home.folder(), Permissions::from_mode(0o755)).unwrap();
    for name in ["bash", "env", "mkdir", "dirname", "sed"].iter().chain(programs) {
        let at = ["/bin", "/usr/bin"].iter().map(|it| Path::new(it).join(name));
        let target = at.into_iter().find(|it| it.exists()).unwrap_or_else(|| "/bin/false".into());
        symlink(target, tools.join(name)).unwrap();
    }
    [checkout, tools]
}
