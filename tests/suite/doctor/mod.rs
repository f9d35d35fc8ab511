//! `keyhouse doctor` finds each planted fault, and none on a clean instance.

mod proxy;

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ask::{Ask, Expect};
use crate::server::{BINARY, Ended, Home, Launch, Server, run};
use crate::test_server::{TestServer, serve_empty, write_settings};
use proxy::{GATE, Mistake, Proxy};

/// An instance behind a proxy, without any fault. The data and the backups are on different disks.
struct ProxiedInstance {
    home: Arc<Home>,
    proxy: Proxy,
    backups: TempDir,
    server: Option<Server>,
}

impl ProxiedInstance {
    /// Writes the settings of a clean instance, and starts no server.
    fn prepare() -> Self {
        let (home, proxy) = (Home::on_disk(), Proxy::start());
        let backups = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::set_permissions(backups.path(), Permissions::from_mode(0o700)).unwrap();
        let instance = Self { home, proxy, backups, server: None };
        write_settings(&instance.home, &instance.settings(instance.backups.path()));
        instance
    }

    fn start() -> Self {
        let mut instance = Self::prepare();
        instance.restart(&[]);
        let required = json!({"second_factor_required_of": ["operator"]});
        let session = instance.server().sign_in();
        let changed = session.ask("PATCH", "/v1/organization", &required);
        assert_eq!(changed.status, 200, "{changed:?}");
        instance
    }

    fn settings(&self, backups: &Path) -> String {
        let (url, backups) = (self.proxy.url(), backups.display());
        format!(
            "public_url = \"{url}\"\n[limits]\nconnections_max = 200\ndrain_timeout = \"1s\"\n\
             [backup]\nevery = \"6h\"\ndirectory = \"{backups}\"\n"
        )
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn restart(&mut self, args: &[&str]) {
        self.restart_in(&[], args);
    }

    fn restart_in(&mut self, wrapper: &[&str], args: &[&str]) {
        self.stop();
        let server = Server::launch(&Launch { home: &self.home, wrapper, args }).unwrap();
        self.proxy.forward_to(server.address());
        self.server = Some(server);
    }

    fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            assert_eq!(server.stop().code, Some(0));
        }
    }

    fn doctor(&self, args: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut command = self.home.command(BINARY);
        command.arg("doctor").arg("--data").arg(self.home.data()).args(args);
        command.env_remove("KEYHOUSE_CHANGE_RATE").envs(variables.iter().copied());
        run(command, b"")
    }

    /// Asserts that the command finds exactly this fault, and exits with the code of findings.
    fn finds_with(&self, code: &str, args: &[&str], variables: &[(&str, &str)]) {
        let ended = self.doctor(&[&["--json"], args].concat(), variables);
        assert_eq!(ended.code, Some(1), "{code}: {ended:?}");
        assert_eq!(codes(&ended), [code], "{ended:?}");
    }

    fn finds(&self, code: &str, args: &[&str]) {
        self.finds_with(code, args, &[]);
    }

    fn is_clean(&self, args: &[&str]) {
        let ended = self.doctor(&[&["--json"], args].concat(), &[]);
        assert_eq!((codes(&ended), ended.code), (Vec::new(), Some(0)), "{ended:?}");
    }

    /// Plants a fault in the mode of a file, and removes it.
    fn finds_mode(&self, code: &str, path: &Path, mode: u32) {
        let proper = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        self.finds(code, &[]);
        fs::set_permissions(path, proper).unwrap();
    }

    fn in_data(&self, name: &str) -> PathBuf {
        self.home.data().join(name)
    }

    fn gate(&self) -> String {
        format!("{}{GATE}orders", self.proxy.url())
    }
}

fn codes(ended: &Ended) -> Vec<String> {
    let findings: Value = serde_json::from_str(&ended.stdout).unwrap();
    let findings = findings["findings"].as_array().unwrap().clone();
    findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_clean_instance_has_no_findings() {
    let instance = ProxiedInstance::start();
    let gate = instance.gate();
    let ended = instance.doctor(&["--gate-url", &gate], &[]);
    assert_eq!((ended.code, &*ended.stdout), (Some(0), ""), "{ended:?}");
    assert_eq!(ended.stderr, "no findings\n", "everything was checked");
    instance.is_clean(&["--gate-url", &gate]);
    let ended = instance.doctor(&[], &[]);
    assert!(ended.stderr.contains("not checked: gates:"), "{ended:?}");
}

#[test]
fn a_finding_has_a_place_and_a_remedy() {
    let instance = ProxiedInstance::start();
    let file = instance.in_data("keyhouse.redb");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let ended = instance.doctor(&[], &[]);
    let expected = format!(
        "Files\n  error store_file_open: other users of the host can read or write the store\n    \
         {} has mode 644\n    Run `chmod 600` on the file. The server refuses to start with this \
         mode.\n",
        file.display()
    );
    assert_eq!((ended.code, ended.stdout), (Some(1), expected));
}

#[test]
fn faults_of_files_and_backups_are_found() {
    let mut instance = ProxiedInstance::start();
    instance.finds_mode("data_directory_open", &instance.home.data(), 0o755);
    instance.finds_mode("store_file_open", &instance.in_data("keyhouse.redb"), 0o640);
    instance.finds_mode("seal_key_open", &instance.in_data("seal.key"), 0o644);
    instance.finds_mode("configuration_writable", &instance.in_data("keyhouse.toml"), 0o666);
    instance.finds_mode("backup_directory_open", instance.backups.path(), 0o755);
    let password = instance.home.password_file();
    let password = password.to_str().unwrap();
    let owner = ["--admin-email", "ada@example.com", "--admin-password-file", password];
    instance.finds("password_file_left", &owner);

    instance.server().log().wait_for("backups: backup written").unwrap();
    let written = fs::read_dir(instance.backups.path()).unwrap().next().unwrap().unwrap().path();
    let old = instance.backups.path().join("keyhouse-20200101T000000Z.khb");
    fs::rename(&written, &old).unwrap();
    instance.finds("backup_old", &[]);
    fs::rename(&old, &written).unwrap();
    instance.is_clean(&[]);

    let key = instance.backups.path().join("seal.key");
    fs::copy(instance.in_data("seal.key"), &key).unwrap();
    let args = ["--seal-key-file", key.to_str().unwrap()];
    instance.restart(&args);
    instance.finds("seal_key_with_backups", &args);
    fs::remove_file(&key).unwrap();

    let beside = instance.home.folder().join("backups");
    write_settings(&instance.home, &instance.settings(&beside));
    instance.restart(&[]);
    instance.server().log().wait_for("backups: backup written").unwrap();
    instance.finds("backup_beside_store", &[]);
    let in_file = instance.in_data("keyhouse.toml").join("backups");
    write_settings(&instance.home, &instance.settings(&in_file));
    instance.restart(&[]);
    instance.server().log().wait_for("a scheduled backup failed").unwrap();
    instance.finds("backup_failed", &[]);
    let settings = instance.settings(&beside);
    let (settings, _) = settings.split_once("[backup]").unwrap();
    write_settings(&instance.home, settings);
    instance.restart(&[]);
    instance.finds("backup_unscheduled", &[]);
}

#[test]
fn faults_of_settings_are_found() {
    let mut instance = ProxiedInstance::start();
    let local = ["--trusted-proxy", "127.0.0.0/8"];
    for (code, args) in [
        ("plain_http", &["--allow-plain-http"][..]),
        ("listen_public", &["--listen", "0.0.0.0:0", local[0], local[1]]),
        ("check_listen_public", &["--check-listen", "0.0.0.0:0", local[0], local[1]]),
        ("metrics_public", &["--metrics-listen", "0.0.0.0:0"]),
        ("trusted_proxies_wide", &["--trusted-proxy", "0.0.0.0/0"]),
        ("trusted_proxy_unknown", &["--trusted-proxy", "none.invalid", local[0], local[1]]),
        ("clock_accepted", &["--accept-clock"]),
        ("log_verbose", &["--log", "debug"]),
        ("proxy_not_trusted", &["--trusted-proxy", "10.0.0.7"]),
    ] {
        instance.restart(args);
        instance.finds(code, args);
    }
    instance.restart(&[]);
    instance.finds_with("change_rate_off", &[], &[("KEYHOUSE_CHANGE_RATE", "off")]);
    instance.finds_with("variable_unknown", &[], &[("KEYHOUSE_LISEN", "127.0.0.1:1")]);
    let other = instance.proxy.url().replace("127.0.0.1", "localhost");
    instance.finds("settings_differ", &["--public-url", &other]);
    instance.is_clean(&[]);
}

#[test]
fn faults_of_the_server_are_found() {
    let mut instance = ProxiedInstance::prepare();
    let server = Server::launch_command(&instance.home, serve_empty(&instance.home)).unwrap();
    instance.proxy.forward_to(server.address());
    instance.server = Some(server);
    instance.finds("not_set_up", &[]);
    instance.restart(&[]);
    instance.finds("operator_without_second_factor", &[]);
    let mut instance = ProxiedInstance::start();
    instance.restart_in(&["prlimit", "--nofile=231"], &[]);
    instance.finds("open_files_few", &[]);
    instance.restart_in(&["prlimit", "--nofile=232"], &[]);
    instance.is_clean(&[]);
    instance.stop();
    instance.finds("server_down", &[]);
}

#[test]
fn faults_of_the_proxy_of_the_page_are_found() {
    let mut instance = ProxiedInstance::start();
    for (mistake, code) in [
        (Mistake::ReplacesHost, "proxy_host_changed"),
        (Mistake::OmitsForwardedFor, "forwarded_for_missing"),
        (Mistake::PassesForwardedFor, "forwarded_for_forged"),
        (Mistake::AnswersItself, "public_url_elsewhere"),
        (Mistake::ReplacesUnauthorized, "unauthorized_changed"),
        (Mistake::StoresResponses, "responses_cached"),
        (Mistake::AddsAge, "responses_cached"),
        (Mistake::RemovesPolicy, "page_policy_missing"),
        (Mistake::HasAnotherDate, "clocks_differ"),
    ] {
        instance.proxy.make(mistake);
        instance.finds(code, &[]);
    }
    instance.proxy.make(Mistake::None);
    instance.is_clean(&[]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // The proxy does not speak TLS.
    for url in [format!("http://{closed}"), format!("https://{}", instance.proxy.address)] {
        let args = ["--public-url", &url];
        instance.restart(&args);
        instance.finds("public_url_unreachable", &args);
    }
}

#[test]
fn faults_of_the_proxy_of_a_gate_are_found() {
    let instance = ProxiedInstance::start();
    let gate = instance.gate();
    for (mistake, code) in [
        (Mistake::OmitsCheck, "gate_open"),
        (Mistake::BreaksCheck, "gate_broken"),
        (Mistake::ReplacesDenial, "gate_challenge_missing"),
        (Mistake::PassesIdentity, "identity_headers_passed"),
    ] {
        instance.proxy.make(mistake);
        instance.finds(code, &["--gate-url", &gate]);
    }
    instance.proxy.make(Mistake::None);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    instance.finds("gate_unreachable", &["--gate-url", &format!("http://{closed}/orders")]);
}

/// The server reports what arrived only to operators, and only of a probe that one of them watches.
#[test]
fn a_probe_is_shown_to_operators_alone() {
    let instance = TestServer::start();
    let path = "/v1/instance/probes/00112233445566778899aabbccddeeff";
    let probe = || Ask::get(path).header("X-Forwarded-For", "6.6.6.6, 192.0.2.9");
    let arrived = || instance.ask(&Ask::get(path)).expect(200)["arrived"].clone();
    let denied = instance.bare(&probe());
    assert!(!denied.body.contains("192.0.2.9"), "{denied:?}");
    denied.problem(401, "NO_CREDENTIAL");
    assert_eq!(arrived(), Value::Null, "the probe was not watched before");
    let probe = probe().header("X-Keyhouse-User", "usr_1");
    instance.bare(&probe).problem(401, "NO_CREDENTIAL");
    let expected = json!({
        "host": instance.address().to_string(),
        "peer": "127.0.0.1",
        "trusted": true,
        "client": "192.0.2.9",
        "forwarded_for": ["6.6.6.6", "192.0.2.9"],
        "identity_headers": ["x-keyhouse-user"],
    });
    assert_eq!(arrived(), expected);
}
