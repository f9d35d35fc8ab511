//! Inventories for tests, the same in each run.

use serde_json::json;

use crate::inventory::{Inventory, Network, Resource, SecurityGroup, Subnet};

pub(super) const KINDS: [&str; 7] = ["ec2", "rds", "elb", "lambda", "s3", "azurevm", "a-new-type"];
/// Texts that would change a picture, a path or a table if they were more than text.
pub(super) const HOSTILE: [&str; 5] =
    ["<script>alert(1)</script>", "\"/><x y='", "]]>\u{0}\u{202e}", "=1+1", "../../etc"];

/// Numbers that look random and are the same in each run (a linear congruential generator of Knuth).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }

    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

/// An inventory with networks, subnets in zones, groups and `count` resources at any place.
pub(super) fn generated(seed: u64, count: usize) -> Inventory {
    let mut numbers = Numbers(seed);
    let networks: Vec<Network> = (0..numbers.below(6))
        .map(|network| Network {
            id: format!("vpc-{network}"),
            name: format!("network {}", numbers.below(3)),
            range: format!("10.{network}.0.0/16"),
            subnets: (0..numbers.below(9))
                .map(|subnet| Subnet {
                    id: format!("subnet-{network}-{subnet}"),
                    range: format!("10.{network}.{subnet}.0/24"),
                    zone: ["", "a", "b", "c"][numbers.below(4)].to_owned(),
                    ..Subnet::default()
                })
                .collect(),
            ..Network::default()
        })
        .collect();
    let groups: Vec<SecurityGroup> = (0..6)
        .map(|group| SecurityGroup {
            id: format!("sg-{group}"),
            name: format!("group {group}"),
            accepts_from: (0..3).map(|_| format!("sg-{}", numbers.below(7))).collect(),
        })
        .collect();
    let resources = (0..count).map(|at| resource(&mut numbers, at, (count, &networks))).collect();
    Inventory {
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        networks,
        groups,
        resources,
    }
}

fn resource(numbers: &mut Numbers, at: usize, (count, networks): (usize, &[Network])) -> Resource {
    // One in five is outside of networks, or in one that the inventory does not have.
    let network = networks.get(numbers.below(networks.len() + networks.len().div_ceil(4)));
    let subnets = network.map(|it| it.subnets.as_slice()).unwrap_or_default();
    let count_in = [1, 1, 1, 0, 2][numbers.below(5)];
    let some: Vec<&Subnet> =
        (0..count_in).filter_map(|_| subnets.get(numbers.below(subnets.len()))).collect();
    let name = if at.is_multiple_of(9) { HOSTILE[at % 5].to_owned() } else { format!("name-{at}") };
    Resource {
        id: format!("id-{at}"),
        name,
        kind: KINDS[numbers.below(7)].to_owned(),
        members: json!({"instanceType": "m5", "name": "other", "deep": [[]]})
            .as_object()
            .unwrap()
            .clone(),
        subnets: some.iter().map(|subnet| subnet.id.clone()).collect(),
        network: network.map(|it| it.id.clone()),
        groups: vec![format!("sg-{}", numbers.below(7))],
        forwards_to: (0..numbers.below(3))
            .map(|_| format!("id-{}", numbers.below(count)))
            .collect(),
        ..Resource::default()
    }
}
