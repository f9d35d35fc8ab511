//! The connectors of a scene: where resources forward requests, and what security groups let through.
//!
//! A picture with a line for each pair of two large groups cannot be read. If a load balancer has many targets, it has
//! one line to each subnet of them. If many resources are on one side of a rule, only the first one in each subnet has
//! lines, so that a rule gives at most `SIDE_MAX`² of them.

use std::collections::{BTreeMap, BTreeSet};

use super::EDGES_MAX;
use super::scene::Scene;

/// The targets of one resource that are connected one by one.
const TARGETS_MAX: usize = 12;
/// The resources on one side of a rule that are connected one by one.
const SIDE_MAX: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Forwards,
    Accepts,
}

/// A connector between two components, by their places in the scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connection {
    pub from: usize,
    pub to: usize,
    pub reason: Reason,
}

/// Connectors without repetition. Two components have at most one.
#[derive(Debug, Default)]
struct Connections {
    list: Vec<Connection>,
    pairs: BTreeSet<(usize, usize)>,
}

/// At most `EDGES_MAX` connectors, those of forwarded requests first.
pub(super) fn connections(scene: &Scene<'_>) -> Vec<Connection> {
    let mut found = Connections::default();
    forwards(scene, &mut found);
    rules(scene, &mut found);
    found.list
}

fn forwards(scene: &Scene<'_>, found: &mut Connections) {
    let places: BTreeMap<&str, usize> = scene
        .components
        .iter()
        .zip(0..)
        .map(|(shown, at)| (shown.resource.id.as_str(), at))
        .collect();
    for (from, shown) in scene.components.iter().enumerate() {
        let ids = shown.resource.forwards_to.iter();
        let targets: BTreeSet<usize> =
            ids.filter_map(|id| places.get(id.as_str()).copied()).collect();
        for to in some_of(scene, &targets, TARGETS_MAX) {
            found.add(Connection { from, to, reason: Reason::Forwards });
        }
    }
}

fn rules(scene: &Scene<'_>, found: &mut Connections) {
    let mut members: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (at, shown) in scene.components.iter().enumerate() {
        for group in &shown.resource.groups {
            members.entry(group).or_default().insert(at);
        }
    }
    let sides: BTreeMap<&str, Vec<usize>> =
        members.iter().map(|(group, all)| (*group, some_of(scene, all, SIDE_MAX))).collect();
    for (id, group) in &scene.groups {
        let Some(targets) = sides.get(id) else { continue };
        let sources: BTreeSet<&str> = group.accepts_from.iter().map(String::as_str).collect();
        // Members of one group that accept each other would all be connected with all.
        for source in sources.into_iter().filter(|source| source != id) {
            if found.is_full() {
                return;
            }
            for from in sides.get(source).into_iter().flatten() {
                for to in targets {
                    found.add(Connection { from: *from, to: *to, reason: Reason::Accepts });
                }
            }
        }
    }
}

/// All places if they are few, and otherwise the first one of each network or subnet.
fn some_of(scene: &Scene<'_>, places: &BTreeSet<usize>, few: usize) -> Vec<usize> {
    if places.len() <= few {
        return places.iter().copied().collect();
    }
    let mut homes = BTreeMap::new();
    for place in places {
        if let Some(shown) = scene.components.get(*place) {
            homes.entry(shown.home).or_insert(*place);
        }
    }
    homes.into_values().take(few).collect()
}

impl Connections {
    fn add(&mut self, connection: Connection) {
        let Connection { from, to, .. } = connection;
        let pair = (from.min(to), from.max(to));
        if from != to && !self.is_full() && self.pairs.insert(pair) {
            self.list.push(connection);
        }
    }

    fn is_full(&self) -> bool {
        self.list.len() >= EDGES_MAX
    }
}
