//! `keyhouse config`: the settings with their values and origins, and all their faults.

use serde_json::{Value, json};

use crate::cli::{assert_failed, json_of, stdout_of};
use crate::server::{BINARY, Ended, Home, run};
use crate::test_server::write_settings;

fn config(home: &Home, variables: &[(&str, &str)], args: &[&str]) -> Ended {
    let mut command = home.command(BINARY);
    command.arg("config").args(args).arg("--data").arg(home.data());
    command.env_remove("KEYHOUSE_CHANGE_RATE").envs(variables.iter().copied());
    run(command, b"")
}

#[test]
fn show_prints_each_value_as_used_with_its_origin() {
    let home = Home::new();
    let file = write_settings(
        &home,
        "log = \"warn\"\nlisten = \"127.0.0.1:1\"\n\n[limits]\nheaders_max = 0x50\n",
    );
    let variables = [("KEYHOUSE_LISTEN", "127.0.0.1:2"), ("KEYHOUSE_LIMITS_IDLE_TIMEOUT", "1m")];
    let serve = ["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "proxy", "--allow-plain-http"];
    let args = [&["show", "--json"][..], &serve].concat();
    let shown = json_of(&config(&home, &variables, &args));
    let row = |key: &str| {
        let rows = shown.as_array().unwrap();
        rows.iter().find(|row| row["setting"] == key).unwrap_or_else(|| panic!("{key}: {shown}"))
    };
    let at = |line: usize| format!("{}:{line}", file.display());
    let data = home.data().display().to_string();
    for (key, value, origin) in [
        ("listen", json!("127.0.0.1:2"), "environment KEYHOUSE_LISTEN"),
        ("limits.idle_timeout", json!("1m"), "environment KEYHOUSE_LIMITS_IDLE_TIMEOUT"),
        ("log", json!("warn"), &at(1)),
        ("limits.headers_max", json!(80), &at(5)),
        ("trusted_proxies", json!(["10.0.0.0/8", "proxy"]), "flag"),
        ("allow_plain_http", json!(true), "flag"),
        ("data", json!(data), "flag"),
        ("storage", json!(format!("redb:{data}")), "default"),
        ("public_url", json!("http://127.0.0.1:2"), "default"),
        ("limits.head_timeout", json!("10s"), "default"),
        ("accept_clock", Value::Null, "default"),
    ] {
        assert_eq!(row(key), &json!({"setting": key, "value": value, "origin": origin}));
    }
    let table = stdout_of(&config(&home, &variables, &["show"]));
    let line = table.lines().find(|line| line.contains("limits.headers_max")).unwrap();
    assert!(line.contains("80") && line.contains("keyhouse.toml:5"), "{table}");
}

/// A file of secrets is shown as its path, and is not opened.
#[test]
fn show_prints_the_path_of_a_file_of_secrets() {
    let home = Home::new();
    let path = home.password_file().display().to_string();
    let args =
        ["show", "--json", "--admin-email", "ada@example.com", "--admin-password-file", &path];
    let ended = config(&home, &[], &args);
    let shown = stdout_of(&ended);
    assert!(shown.contains(&path), "{shown}");
    assert!(!shown.contains(crate::server::ADMIN_PASSWORD), "{shown}");
}

#[test]
fn check_reports_all_faults_and_unknown_variables() {
    let home = Home::new();
    let file =
        write_settings(&home, "listen = 7\nlog = \"inof\"\n[limits]\nhead_timeot = \"1s\"\n");
    let variables = [
        ("KEYHOUSE_LIMITS_HEADERS_MAX", "0"),
        ("KEYHOUSE_ALLOW_PLAIN_HTTP", "maybe"),
        ("KEYHOUSE_CHANGE_RATE", "on"),
        ("KEYHOUSE_PUBLIC_ULR", "x"),
    ];
    let ended = config(&home, &variables, &["check", "--storage", "mysql:"]);
    let file = file.display();
    assert_failed(
        &ended,
        2,
        &[
            "KEYHOUSE_PUBLIC_ULR is ignored: did you mean KEYHOUSE_PUBLIC_URL?",
            &format!("listen ({file}:1): must be a string, not integer"),
            &format!("log ({file}:2): \"inof\" must be a level"),
            &format!(
                "limits.head_timeot ({file}:4): is not a setting: did you mean limits.head_timeout?"
            ),
            "limits.headers_max (environment KEYHOUSE_LIMITS_HEADERS_MAX): \"0\" must be a whole number, at least 1",
            "allow-plain-http (environment KEYHOUSE_ALLOW_PLAIN_HTTP): \"maybe\" must be true or false",
            "KEYHOUSE_CHANGE_RATE: must be off",
            "storage (flag): \"mysql:\" must be redb:PATH or memory:",
        ],
    );
    let ended = config(&home, &variables, &["check", "--storage", "mysql:", "--json"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["faults"].as_array().unwrap().len(), 7, "{report}");
    let unknown = json!([{"name": "KEYHOUSE_PUBLIC_ULR", "meant": "KEYHOUSE_PUBLIC_URL"}]);
    assert_eq!(report["unknown_variables"], unknown);
    let storage = json!({"name": "storage", "origin": "flag", "detail": "\"mysql:\" must be redb:PATH or memory:"});
    assert!(report["faults"].as_array().unwrap().contains(&storage), "{report}");
}

#[test]
fn check_of_settings_without_faults_needs_no_instance() {
    let home = Home::new();
    let ended = config(&home, &[], &["check"]);
    assert_eq!((ended.code, &*ended.stdout), (Some(0), ""), "{ended:?}");
    let ended = config(&home, &[], &["check", "--json"]);
    assert_eq!(json_of(&ended), json!({"faults": [], "unknown_variables": []}));
    assert!(!home.data().exists(), "the command creates nothing");
}
