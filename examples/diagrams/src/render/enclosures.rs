//! The grounds of groups: rectangles around the members of each group and around the groups inside it.

use std::collections::BTreeMap;

use super::blueprint::{Blueprint, Group};
use super::limits::COORDINATE_MAX;
use super::plane::Rect;

/// The depth of the name of a group, in grid units.
pub(super) const TAB_DEPTH: f64 = 0.62;

/// A group with its ground.
#[derive(Debug)]
pub(super) struct Enclosed<'a> {
    pub group: &'a Group,
    pub ground: Rect,
}

/// A set of components, a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Members(Vec<u64>);

#[derive(Debug, Clone, Copy)]
enum Member {
    Component(usize),
    Group(usize),
}

/// The groups with a ground, the outermost first.
///
/// A group is inside another one if all its components are members of that one too. Groups may name each
/// other, in circles too: the members of a group are all components that can be reached.
pub(super) fn enclose<'a>(blueprint: &'a Blueprint<'_>, is_flat: bool) -> Vec<Enclosed<'a>> {
    let groups = &blueprint.groups;
    let direct = resolve(blueprint);
    let sets: Vec<Members> =
        (0..groups.len()).map(|start| reach(start, &direct, blueprint.components.len())).collect();
    let mut order: Vec<(usize, &Group, &Members)> = groups
        .iter()
        .zip(&sets)
        .enumerate()
        .map(|(index, (group, set))| (index, group, set))
        .collect();
    order.sort_by_key(|(index, group, set)| (group.enclosure, set.count(), *index));
    let mut done: Vec<(&Members, Enclosed<'a>)> = Vec::new();
    for (_, group, set) in order {
        let own = set.places().filter_map(|place| blueprint.components.get(place));
        let own = own.map(|component| component.ground).reduce(Rect::union);
        let inner = done.iter().filter(|(other, _)| other.is_inside(set));
        let inner = inner.map(|(_, enclosed)| enclosed.ground).reduce(Rect::union);
        let around = own.into_iter().chain(inner).reduce(Rect::union);
        let ground = group.ground.or_else(|| around.map(|rect| padded(rect, group, is_flat)));
        if let Some(ground) = ground {
            done.push((set, Enclosed { group, ground }));
        }
    }
    done.into_iter().rev().map(|(_, enclosed)| enclosed).collect()
}

/// The ground with its padding, and room for the name: in front, or at the top of a flat diagram.
fn padded(rect: Rect, group: &Group, is_flat: bool) -> Rect {
    let mut ground = rect.grown(group.padding);
    let room = if group.name.is_empty() { 0.0 } else { TAB_DEPTH + 0.3 - group.padding };
    if room > 0.0 && is_flat {
        ground.y0 -= room;
    } else if room > 0.0 {
        ground.y1 += room;
    }
    let most = COORDINATE_MAX * 2.0;
    Rect {
        x0: ground.x0.max(-most),
        y0: ground.y0.max(-most),
        x1: ground.x1.min(most),
        y1: ground.y1.min(most),
    }
}

/// The members of each group that the diagram has.
fn resolve(blueprint: &Blueprint<'_>) -> Vec<Vec<Member>> {
    let mut ids: BTreeMap<&str, Member> = BTreeMap::new();
    for (index, group) in blueprint.groups.iter().enumerate().rev() {
        ids.insert(&group.id, Member::Group(index));
    }
    for (index, component) in blueprint.components.iter().enumerate().rev() {
        ids.insert(&component.id, Member::Component(index));
    }
    let members = |group: &Group| {
        group.members.iter().filter_map(|id| ids.get(id.as_str()).copied()).collect()
    };
    blueprint.groups.iter().map(members).collect()
}

/// The components that can be reached from a group.
fn reach(start: usize, direct: &[Vec<Member>], components: usize) -> Members {
    let mut found = Members::none(components);
    let mut is_seen = vec![false; direct.len()];
    let mut waiting = vec![start];
    while let Some(group) = waiting.pop() {
        let Some(seen) = is_seen.get_mut(group) else { continue };
        if std::mem::replace(seen, true) {
            continue;
        }
        for member in direct.get(group).into_iter().flatten() {
            match member {
                Member::Component(place) => found.insert(*place),
                Member::Group(other) => waiting.push(*other),
            }
        }
    }
    found
}

impl Members {
    fn none(components: usize) -> Self {
        Self(vec![0; components.div_ceil(64)])
    }

    fn insert(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether this set is a part of `other`, and not empty.
    fn is_inside(&self, other: &Self) -> bool {
        self.count() > 0 && self.0.iter().zip(&other.0).all(|(one, two)| one & !two == 0)
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        let bits = |(index, word): (usize, &u64)| {
            let word = *word;
            (0..64).filter(move |bit| (word >> bit) & 1 == 1).map(move |bit| index * 64 + bit)
        };
        self.0.iter().enumerate().flat_map(bits)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_that_name_each_other_end_and_hold_the_same_components() {
        let value = json!({
            "nodes": [{"id": "a", "type": "ec2", "mapPos": [0, 0]}],
            "groups": [
                {"id": "one", "type": "vpc", "nodes": ["two", "one"]},
                {"id": "two", "type": "subnet", "nodes": ["one", "a"]},
                {"id": "three", "type": "vpc", "nodes": ["three", "nothing"]},
            ],
        });
        let blueprint = Blueprint::read(&value).unwrap();
        let enclosed = enclose(&blueprint, false);
        let ids: Vec<&str> = enclosed.iter().map(|one| one.group.id.as_str()).collect();
        assert_eq!(ids, ["one", "two"]);
        let [outer, inner] = &enclosed[..] else { panic!("two groups") };
        assert!(outer.ground.x0 < inner.ground.x0 && outer.ground.y1 > inner.ground.y1);
    }

    #[test]
    fn a_network_is_larger_than_each_subnet_of_its_components() {
        let value = json!({
            "nodes": [
                {"id": "a", "type": "ec2", "mapPos": [0, 0]},
                {"id": "b", "type": "ec2", "mapPos": [9, 0]},
            ],
            "groups": [
                {"type": "subnet", "name": "public", "nodes": ["a"], "padding": 1},
                {"type": "vpc", "name": "main", "nodes": ["b", "a"], "padding": 1},
            ],
        });
        let blueprint = Blueprint::read(&value).unwrap();
        let enclosed = enclose(&blueprint, false);
        let [network, subnet] = &enclosed[..] else { panic!("two groups") };
        assert_eq!((network.group.name.as_str(), subnet.ground.x0), ("main", -1.0));
        assert!((network.ground.x0 + 2.0).abs() < 1e-9, "{:?}", network.ground);
    }
}
