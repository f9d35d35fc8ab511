//! Where the components of a scene are: subnets in their networks, networks beside each other, and what is outside of
//! networks behind them.
//!
//! Requests go along x: what receives them from outside, such as load balancers, is in front of the subnets, and the
//! other components that are in several subnets are behind them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::blocks::{Block, Corner, Zone};
use super::scene::{Grounds, Home, Scene, natural};

/// The space of groups around their components, in halves of a grid unit.
pub(super) const SUBNET_PADDING: usize = 3;
pub(super) const NETWORK_PADDING: usize = 4;
pub(super) const REGION_PADDING: usize = 4;
/// The ground of a zone around its subnets. It is a part of the space of the network.
const ZONE_PADDING: usize = 2;
const SUBNET_GAP: usize = 2;
const ZONE_GAP: usize = 2;
const SIDE_GAP: usize = 2;
const NETWORK_GAP: usize = 6;
const OUTSIDE_GAP: usize = 4;
/// Types that receive requests from outside.
const ENTRIES: [&str; 8] = [
    "elb",
    "apigateway",
    "cloudfront",
    "igw",
    "internetgateway",
    "nat",
    "natgateway",
    "azureloadbalancer",
];
/// The subnets of a zone whose places are the same in each zone of a network.
const ALIGNED_MAX: usize = 6;

/// The corner of each component, by its place in the scene, and the grounds of zones.
#[derive(Debug)]
pub(super) struct Arrangement {
    pub corners: Vec<Corner>,
    pub zones: Vec<Zone>,
}

impl Arrangement {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let homes = scene.by_home();
        let places = |home: Home| homes.get(&home).map(Vec::as_slice).unwrap_or_default();
        let networks: Vec<Block> = scene
            .networks
            .iter()
            .enumerate()
            .map(|(at, grounds)| {
                let subnet = |subnet: usize| {
                    Block::square(places(Home::Subnet(at, subnet))).padded(SUBNET_PADDING)
                };
                let subnets = (0..grounds.subnets.len()).map(subnet).collect();
                network(scene, grounds, subnets, places(Home::Network(at)))
            })
            .collect();
        let region = region(scene, networks, places(Home::Outside));
        let mut corners = vec![Corner { x: 0, y: 0 }; scene.components.len()];
        for (place, corner) in region.components {
            if let Some(slot) = corners.get_mut(place) {
                *slot = corner;
            }
        }
        Self { corners, zones: region.zones }
    }
}

/// The networks, and the components that are in none of them: behind the networks or among them, whichever wastes less
/// space. The deepest or the widest networks come first.
fn region(scene: &Scene<'_>, networks: Vec<Block>, outside: &[usize]) -> Block {
    let (front, others) = entries_and_others(scene, outside);
    let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for place in others {
        if let Some(shown) = scene.components.get(place) {
            kinds.entry(&shown.resource.kind).or_default().push(place);
        }
    }
    let (mut by_depth, mut by_width) = (networks.clone(), networks);
    by_depth.sort_by_key(|block| Reverse((block.depth, block.width)));
    by_width.sort_by_key(|block| Reverse((block.width, block.depth)));
    let squares = kinds.values().map(|places| Block::square(places)).collect();
    let area = Block::shelves(squares, OUTSIDE_GAP);
    let arranged = [by_depth, by_width].map(|networks| {
        let alone = Block::shelves(networks.clone(), NETWORK_GAP);
        let depth = alone.depth;
        let behind = kinds.values().map(|places| Block::columns(places, depth)).collect();
        let behind = columns(behind, depth);
        let among = networks.into_iter().chain([area.clone()]).collect();
        [Block::row(vec![alone, behind], NETWORK_GAP), Block::shelves(among, NETWORK_GAP)]
    });
    let smallest = arranged.into_iter().flatten().min_by_key(|it| it.width + it.depth);
    let all = smallest.unwrap_or_default();
    let front = Block::columns(&front, all.depth);
    Block::row(vec![front, all], NETWORK_GAP).padded(REGION_PADDING)
}

/// Blocks above each other in columns of at most `depth_max`.
fn columns(blocks: Vec<Block>, depth_max: usize) -> Block {
    let mut columns: Vec<Vec<Block>> = Vec::new();
    let mut depth = usize::MAX;
    for block in blocks {
        depth = depth.saturating_add(OUTSIDE_GAP + block.depth);
        if let Some(column) = columns.last_mut().filter(|_| depth <= depth_max) {
            column.push(block);
        } else {
            depth = block.depth;
            columns.push(vec![block]);
        }
    }
    let columns = columns.into_iter().map(|blocks| Block::stack(blocks, OUTSIDE_GAP));
    Block::row(columns.collect(), OUTSIDE_GAP)
}

/// A network with the blocks of its subnets, and the components that are in no single subnet of it.
fn network(
    scene: &Scene<'_>,
    grounds: &Grounds<'_>,
    subnets: Vec<Block>,
    others: &[usize],
) -> Block {
    let subnets = in_zones(grounds, subnets);
    let (front, behind) = entries_and_others(scene, others);
    let side = |places: &[usize]| Block::columns(places, subnets.depth).padded(ZONE_PADDING);
    let (front, behind) = (side(&front), side(&behind));
    Block::row(vec![front, subnets, behind], SIDE_GAP).padded(NETWORK_PADDING - ZONE_PADDING)
}

/// The subnets of a network. Those of one zone are in one row if the network has several in several zones.
fn in_zones(grounds: &Grounds<'_>, subnets: Vec<Block>) -> Block {
    let mut zones: BTreeMap<String, (&str, Vec<Block>)> = BTreeMap::new();
    let count = subnets.len();
    for (subnet, block) in grounds.subnets.iter().zip(subnets) {
        let zone = zones.entry(natural(&subnet.zone)).or_insert((subnet.zone.as_str(), Vec::new()));
        zone.1.push(block);
    }
    if zones.len() < 2 || zones.len() == count {
        let blocks = zones.into_values().flat_map(|(_, blocks)| blocks).collect();
        return Block::shelves(blocks, SUBNET_GAP).padded(ZONE_PADDING);
    }
    let most = zones.values().map(|(_, blocks)| blocks.len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..most)
        .map(|at| {
            let column = zones.values().filter_map(|(_, blocks)| blocks.get(at));
            column.map(|block| block.width).max().unwrap_or_default()
        })
        .collect();
    let row = |blocks: Vec<Block>| {
        if most <= ALIGNED_MAX {
            let wide = |(block, width): (Block, &usize)| Block { width: *width, ..block };
            Block::row(blocks.into_iter().zip(&widths).map(wide).collect(), SUBNET_GAP)
        } else {
            Block::shelves(blocks, SUBNET_GAP)
        }
    };
    let rows: Vec<(&str, Block)> = zones
        .into_values()
        .map(|(name, blocks)| (name, row(blocks).padded(ZONE_PADDING)))
        .collect();
    let width = rows.iter().map(|(_, row)| row.width).max().unwrap_or_default();
    let zone = |(name, row): (&str, Block)| Block { width, ..row }.in_zone(name.to_owned());
    Block::stack(rows.into_iter().map(zone).collect(), ZONE_GAP)
}

fn entries_and_others(scene: &Scene<'_>, places: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let is_entry = |place: &usize| {
        let kind = scene.components.get(*place).map(|shown| shown.resource.kind.as_str());
        kind.is_some_and(|kind| ENTRIES.contains(&kind))
    };
    places.iter().copied().partition(is_entry)
}
