//! Every command gives the same output in each of the three ways to an instance: through the control
//! socket, in the store and over the network.
//!
//! `right` has the calls of each part of the command line that succeed, `wrong` the mistakes. Three copies
//! of one instance run the calls in the order of the file, and the outputs must be equal. The list of
//! commands comes from the program itself: a new command, and a new flag, needs a call.

mod coverage;
mod instance;
mod labels;
mod refused;
mod table;

use std::thread::scope;

use instance::{Reached, Seed, Way};
use table::{Printed, Table};

/// The files of `right` and of `wrong`.
const PARTS: [&str; 6] = ["files", "gates", "host", "instance", "keys", "people"];

/// Runs the calls of a table on three copies of one instance.
fn check(name: &str) {
    let table = Table::read(name);
    // An export of a key has one organization.
    let seed = Seed::sow(if name.ends_with("files.txt") { 1 } else { 2 });
    let outputs = scope(|threads| {
        let ways = [Way::Socket, Way::Store, Way::Remote].map(|way| {
            let (table, seed) = (&table, &seed);
            threads.spawn(move || run_in(seed.reach(way), table))
        });
        ways.map(|way| way.join().unwrap())
    });
    let [socket, store, remote] = outputs;
    let (mut first, mut differences) = (Vec::new(), Vec::new());
    for (at, call) in table.calls().enumerate() {
        let of_ways = [("socket", &socket[at]), ("store", &store[at]), ("remote", &remote[at])];
        let mut printed = of_ways.iter().filter_map(|(way, it)| it.as_ref().map(|it| (way, it)));
        let (one_way, one) = printed.next().unwrap();
        for (way, other) in printed.filter(|(_, other)| *other != one) {
            let differences_of = one.differences(other);
            differences.push(format!("{}: {one_way}, {way}\n{differences_of}", call.line));
        }
        first.push(one.clone());
    }
    if name.starts_with("wrong/") {
        for (call, printed) in table.calls().zip(&first) {
            assert!(printed.code != 0, "{} succeeds", call.line);
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    table.require(&first);
}

/// The output of each call that runs in the way of this instance.
fn run_in(mut reached: Reached, table: &Table) -> Vec<Option<Printed>> {
    if table.path.ends_with("right/people.txt") {
        reached.lock_out("ben@example.com");
        reached.lock_out("cleo@example.com");
    }
    let way = reached.way();
    let mut outputs = Vec::new();
    for call in table.calls() {
        let runs = call.prompt.ways().contains(&way);
        outputs.push(runs.then(|| reached.run(call)));
    }
    outputs
}

#[test]
fn key_commands_print_the_same_in_three_ways() {
    check("right/keys.txt");
}

#[test]
fn people_commands_print_the_same_in_three_ways() {
    check("right/people.txt");
}

#[test]
fn gate_commands_print_the_same_in_three_ways() {
    check("right/gates.txt");
}

#[test]
fn instance_commands_print_the_same_in_three_ways() {
    check("right/instance.txt");
}

#[test]
fn commands_with_files_print_the_same_in_three_ways() {
    check("right/files.txt");
}

#[test]
fn commands_of_the_host_print_what_the_table_says() {
    check("right/host.txt");
}

#[test]
fn wrong_key_commands_fail_the_same_in_three_ways() {
    check("wrong/keys.txt");
}

#[test]
fn wrong_people_commands_fail_the_same_in_three_ways() {
    check("wrong/people.txt");
}

#[test]
fn wrong_gate_commands_fail_the_same_in_three_ways() {
    check("wrong/gates.txt");
}

#[test]
fn wrong_instance_commands_fail_the_same_in_three_ways() {
    check("wrong/instance.txt");
}

#[test]
fn wrong_commands_with_files_fail_the_same_in_three_ways() {
    check("wrong/files.txt");
}

#[test]
fn wrong_commands_of_the_host_fail_as_the_table_says() {
    check("wrong/host.txt");
}
