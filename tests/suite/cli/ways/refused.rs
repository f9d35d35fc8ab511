//! What each command prints if it does not reach an instance, or if its key is not valid.
//!
//! The calls are those of the tables with the weak key, since each of them is well formed.

use std::thread::scope;

use super::PARTS;
use super::instance::{Reached, Seed, Way};
use super::table::{Call, Prompt, Table};
use crate::cli::UNREACHABLE;
use crate::server::{Ended, Home, run};
use crate::test_server::TestServer;

/// A key that no instance has.
const UNKNOWN_KEY: &str = "legacy-key-that-no-instance-has-0123456789";

/// The most calls that a failure of this test shows.
const FAULTS_SHOWN_MAX: usize = 8;

/// What stands between a command and an instance: variables, and the outcome.
struct Obstacle {
    variables: Vec<(&'static str, String)>,
    code: i32,
    stderr: String,
}

#[test]
fn every_command_reports_the_same_obstacle_in_the_same_words() {
    let seed = Seed::sow(2);
    let remote = seed.reach(Way::Remote);
    let url = remote.url();
    let (nowhere, empty) = (Home::new(), TestServer::start_empty());
    let (no_data, not_set_up) = (path(&nowhere), path(empty.home()));
    let none = format!(
        "no instance in {no_data}: run keyhouse serve, or set another directory with --data"
    );
    let obstacle = |variables: &[(&'static str, &str)], code, message: &str| Obstacle {
        variables: variables.iter().map(|(name, text)| (*name, (*text).to_owned())).collect(),
        code,
        stderr: format!("keyhouse: {message}\n"),
    };
    let obstacles = [
        obstacle(
            &[("KEYHOUSE_URL", UNREACHABLE), ("KEYHOUSE_KEY", UNKNOWN_KEY)],
            6,
            "could not reach http://127.0.0.1:1: Connection refused (os error 111): check \
             KEYHOUSE_URL, and that the server runs",
        ),
        obstacle(
            &[("KEYHOUSE_URL", &url)],
            2,
            "KEYHOUSE_URL needs KEYHOUSE_KEY: set KEYHOUSE_KEY to a key",
        ),
        obstacle(
            &[("KEYHOUSE_URL", "http://keys.example.com"), ("KEYHOUSE_KEY", UNKNOWN_KEY)],
            2,
            "KEYHOUSE_URL: http would send the key unencrypted; use https",
        ),
        obstacle(
            &[("KEYHOUSE_URL", "nowhere"), ("KEYHOUSE_KEY", UNKNOWN_KEY)],
            2,
            "KEYHOUSE_URL: must begin with https:// or http://",
        ),
        obstacle(
            &[("KEYHOUSE_URL", &url), ("KEYHOUSE_KEY", UNKNOWN_KEY)],
            4,
            "Key not found (NOT_FOUND): set KEYHOUSE_KEY to a valid key",
        ),
        obstacle(&[("KEYHOUSE_DATA", &no_data)], 6, &none),
        obstacle(
            &[("KEYHOUSE_DATA", &not_set_up)],
            5,
            "Setup not completed (not_set_up): start the server and open its setup link, or start \
             it with --admin-email",
        ),
    ];
    let tables = PARTS.map(|part| Table::read(&format!("wrong/{part}.txt")));
    let calls = tables.iter().flat_map(Table::calls);
    let calls: Vec<&Call> = calls.filter(|call| call.prompt == Prompt::Weak).collect();
    assert!(calls.len() > 40, "{calls:?}");
    let faults: Vec<String> = scope(|threads| {
        let running = obstacles.each_ref().map(|obstacle| {
            let (remote, calls) = (&remote, &calls);
            threads.spawn(move || faults_at(obstacle, remote, calls))
        });
        running.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    let shown: Vec<&str> = faults.iter().map(String::as_str).take(FAULTS_SHOWN_MAX).collect();
    assert!(faults.is_empty(), "{} calls, such as\n{}", faults.len(), shown.join("\n"));
}

fn faults_at(obstacle: &Obstacle, remote: &Reached, calls: &[&Call]) -> Vec<String> {
    let mut faults = Vec::new();
    for call in calls {
        let Ended { code, stdout, stderr } = meet(obstacle, remote, call);
        if (code, &*stdout, &*stderr) != (Some(obstacle.code), "", &*obstacle.stderr) {
            faults.push(format!(
                "{}: {code:?}\n{stdout}{stderr}instead of {}\n{}",
                call.line, obstacle.code, obstacle.stderr
            ));
        }
    }
    faults
}

fn meet(obstacle: &Obstacle, remote: &Reached, call: &Call) -> Ended {
    let mut command = remote.command(call);
    command.env_remove("KEYHOUSE_URL").env_remove("KEYHOUSE_KEY");
    command.envs(obstacle.variables.iter().map(|(name, text)| (name, text)));
    let stdin = call.stdin.as_deref().unwrap_or_default();
    run(command, stdin.as_bytes())
}

fn path(home: &Home) -> String {
    home.data().to_str().unwrap().to_owned()
}
