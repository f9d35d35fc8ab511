//! Lays out what a scan found as a diagram: the region, its networks, their subnets and the components in them.
//!
//! A layout is a pure function: the same inventory gives the same diagram, in whatever order its lists are. Networks and
//! subnets without a component are left out. Every text comes from the cloud and is only shown.

mod arrangement;
mod blocks;
mod connections;
mod content;
mod filter;
mod scene;

#[cfg(test)]
mod generated;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::inventory::Inventory;
use crate::render::limits::{COMPONENTS_MAX, GROUPS_MAX};
use crate::render::{Projection, Theme};
use arrangement::Arrangement;
use scene::Scene;

pub use filter::{FILTER_BYTES_MAX, Filter, FilterError};

/// The connectors of a diagram.
pub const EDGES_MAX: usize = 1_000;

/// What a caller chooses for one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// The name of the diagram.
    pub title: String,
    /// The account that the diagram shows.
    pub account: LinkedAccount,
    pub filter: Filter,
    /// Types of components and groups that are left out, compared without case.
    pub exclude: Vec<String>,
    /// Whether components have names. Without names, their types are shown.
    pub labels: bool,
    /// Whether connectors are added.
    pub connections: bool,
    pub projection: Projection,
    pub theme: Theme,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkedAccount {
    pub id: String,
    /// The name of its cloud, such as aws.
    pub cloud: String,
}

/// Why an inventory was not laid out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{count} {what} are more than the maximum of {maximum}: leave some out")]
    TooMany { what: &'static str, count: usize, maximum: usize },
}

impl Choices {
    /// Everything, with names and connectors.
    #[must_use]
    pub fn of(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            account: LinkedAccount::default(),
            filter: Filter::default(),
            exclude: Vec::new(),
            labels: true,
            connections: true,
            projection: Projection::Isometric,
            theme: Theme::Light,
        }
    }

    fn excludes(&self, kind: &str) -> bool {
        self.exclude.iter().any(|excluded| excluded.eq_ignore_ascii_case(kind))
    }
}

/// Returns the member `data` of a diagram of the inventory.
pub fn diagram(inventory: &Inventory, choices: &Choices) -> Result<Value, Error> {
    let scene = Scene::of(inventory, choices);
    let subnets: usize = scene.networks.iter().map(|grounds| grounds.subnets.len()).sum();
    at_most(COMPONENTS_MAX, scene.components.len(), "resources")?;
    // The region is a group, too.
    at_most(GROUPS_MAX - 1, scene.networks.len() + subnets, "networks and subnets")?;
    Ok(content::of(&scene, &Arrangement::of(&scene), inventory, choices))
}

fn at_most(maximum: usize, count: usize, what: &'static str) -> Result<(), Error> {
    if count > maximum { Err(Error::TooMany { what, count, maximum }) } else { Ok(()) }
}
