//! Reads an account of AWS through a role in it.
//!
//! The credentials of this service only assume the role. All else is read with the temporary credentials of the role.

mod balancers;
mod buckets;
mod databases;
mod functions;
mod instances;
mod labels;
mod networks;
mod partition;
mod session;
mod signature;
mod xml;

use std::collections::BTreeMap;

use super::ScanError;
use super::settings::CloudSettings;
use crate::inventory::Inventory;
use instances::Addresses;
use partition::Partition;
use session::Session;

/// Reads an account. `role` is the ARN of the role and its external id.
pub(super) fn scan(
    role: (&str, &str),
    region: &str,
    settings: &CloudSettings,
) -> Result<Inventory, ScanError> {
    partition::require_region(region)?;
    let (partition, account) = Partition::of(role.0)?;
    let session = Session::assume(role, partition, region, settings)?;
    let (account, region) = (account.to_owned(), region.to_owned());
    let mut inventory = Inventory { account, region, ..Inventory::default() };
    let mut addresses = Addresses::default();
    networks::read(&session, &mut inventory)?;
    instances::read(&session, &mut inventory, &mut addresses)?;
    databases::read(&session, &mut inventory)?;
    functions::read(&session, &mut inventory)?;
    buckets::read(&session, partition, &mut inventory)?;
    balancers::read(&session, &mut inventory, &addresses)?;
    labels::read(&session, &mut inventory)?;
    place(&mut inventory);
    Ok(inventory)
}

/// Puts each resource into the network of its subnets: not every service names the network.
fn place(inventory: &mut Inventory) {
    let networks: BTreeMap<&str, &str> = inventory
        .networks
        .iter()
        .flat_map(|network| network.subnets.iter().map(|subnet| (&*subnet.id, &*network.id)))
        .collect();
    for resource in &mut inventory.resources {
        let network = resource.subnets.iter().find_map(|subnet| networks.get(subnet.as_str()));
        if let Some(network) = network {
            resource.network = Some((*network).to_owned());
        }
    }
}
