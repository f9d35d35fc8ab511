//! The access policy: every operation of the API description, requested by every actor for every
//! kind of target, must match the table beside this file.

mod described;
mod fixture;

use crate::policy::fixture::Relation;
use std::collections::BTreeMap;

use crate::policy::described::{Described, described};

pub(crate) use described::{described as operations, statuses_of_success};
pub(crate) use fixture::{Actor, Fixture, Relation as About};

const TABLE: &str = include_str!("table.txt");
const ACTORS: &str = "oaugckpn";
const RELATIONS: [Relation; 5] =
    [Relation::Own, Relation::Team, Relation::Same, Relation::Other, Relation::Missing];
/// Marks a combination that cannot exist.
const NONE: char = '.';

/// Reads the rows of the table: for each operation the response to each actor, by relation.
fn table() -> BTreeMap<String, Vec<String>> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut table = BTreeMap::new();
    for row in rows {
        let mut words = row.split_whitespace().map(str::to_owned);
        let operation = words.next().unwrap();
        let cells: Vec<String> = words
            .map(|word| if word == "." { NONE.to_string().repeat(ACTORS.len()) } else { word })
            .collect();
        let whole = cells.len() == RELATIONS.len()
            && cells.iter().all(|cells| cells.chars().count() == ACTORS.len());
        assert!(whole, "not {} groups of {} answers: {row}", RELATIONS.len(), ACTORS.len());
        assert!(table.insert(operation, cells).is_none(), "two rows: {row}");
    }
    table
}

fn symbol(status: u16) -> char {
    match status {
        200..=299 => '+',
        401 => 'x',
        403 => '-',
        404 => '0',
        409 => '!',
        _ => '?',
    }
}

#[test]
fn every_actor_may_do_exactly_what_the_policy_allows() {
    let fixture = Fixture::set();
    let mut table = table();
    let mut faults = Vec::new();
    for operation in described(&fixture.instance) {
        match table.remove(&operation.id) {
            None => faults.push(format!("{} has no row in the table", operation.id)),
            Some(row) => compare(&fixture, &operation, &row, &mut faults),
        }
    }
    faults.extend(table.into_keys().map(|id| format!("{id} is no operation")));
    assert!(faults.is_empty(), "{} differ:\n{}", faults.len(), faults.join("\n"));
}

fn compare(fixture: &Fixture, operation: &Described, row: &[String], faults: &mut Vec<String>) {
    for (relation, cells) in RELATIONS.into_iter().zip(row) {
        for (letter, expected) in ACTORS.chars().zip(cells.chars()) {
            if expected == NONE {
                continue;
            }
            let actor = fixture.actor(letter, operation, relation);
            let path = fixture.path(operation, relation, &actor);
            let ask = operation.ask(&path, &fixture.body(operation));
            let (status, body) = fixture.status(ask, &actor);
            if symbol(status) != expected {
                let id = &operation.id;
                faults.push(format!(
                    "{id} {relation:?} {letter}: not {expected} but {status} {body}"
                ));
            }
        }
    }
}
