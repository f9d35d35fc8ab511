//! The conformance suite with one member: plain, wrapped, and reopened.
//!
//! Every store has a prefix of its own, and nothing else uses the member.

use std::cell::Cell;
use std::rc::Rc;

use keyhouse_storage::{FaultyStore, Store, conformance};

use crate::cluster::Cluster;

/// The prefixes of one member.
#[derive(Default)]
struct Prefixes(Cell<usize>);

impl Prefixes {
    fn next(&self) -> String {
        self.0.set(self.0.get() + 1);
        format!("store-{}", self.0.get())
    }
}

#[test]
fn etcd_store_passes_the_suite() {
    let (cluster, prefixes) = (Cluster::start(1, &[]), Prefixes::default());
    let checked = conformance::run(|| Box::new(cluster.store(&prefixes.next())));
    checked.unwrap_or_else(|broken| panic!("{broken}"));
}

#[test]
fn wrapped_etcd_store_passes_the_suite() {
    let (cluster, prefixes) = (Cluster::start(1, &[]), Prefixes::default());
    let checked = conformance::run(|| Box::new(FaultyStore::new(cluster.store(&prefixes.next()))));
    checked.unwrap_or_else(|broken| panic!("{broken}"));
}

#[test]
fn etcd_store_passes_the_reopening_suite() {
    let (cluster, prefixes) = (Rc::new(Cluster::start(3, &[])), Prefixes::default());
    let checked = conformance::run_reopening(|| {
        let (cluster, prefix) = (Rc::clone(&cluster), prefixes.next());
        move || -> Box<dyn Store> { Box::new(cluster.store(&prefix)) }
    });
    checked.unwrap_or_else(|broken| panic!("{broken}"));
}
