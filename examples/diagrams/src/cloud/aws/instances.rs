//! Instances of EC2.

use std::collections::BTreeMap;

use roxmltree::Node;
use serde_json::json;

use super::networks::{action, name, tags};
use super::session::Session;
use super::xml;
use crate::cloud::{RESOURCES, ScanError, members};
use crate::inventory::{Inventory, Resource};

/// Words in the description of a platform, and the platform that each means.
const PLATFORMS: [(&str, &str); 3] = [("Windows", "mswin"), ("Red Hat", "rhel"), ("SUSE", "sles")];

/// Instances by VPC and private address.
pub(super) type Addresses = BTreeMap<(String, String), String>;

/// Adds the instances that are not terminated.
pub(super) fn read(
    session: &Session<'_>,
    inventory: &mut Inventory,
    addresses: &mut Addresses,
) -> Result<(), ScanError> {
    session.pages(action("DescribeInstances"), &[], |root| {
        let reservations = xml::all(root, "reservationSet/item");
        for item in reservations.flat_map(|reservation| xml::all(reservation, "instancesSet/item"))
        {
            let state = xml::text(item, "instanceState/name");
            if matches!(state.as_str(), "terminated" | "shutting-down") {
                continue;
            }
            let instance = instance(item);
            if let Some(network) = &instance.network {
                for address in private_addresses(item) {
                    addresses.insert((network.clone(), address), instance.id.clone());
                }
            }
            RESOURCES.push(&mut inventory.resources, instance)?;
        }
        Ok(())
    })
}

fn instance(item: Node<'_, '_>) -> Resource {
    let (id, tags) = (xml::text(item, "instanceId"), tags(item));
    let size = xml::text(item, "instanceType");
    let (family, size) = size.split_once('.').unwrap_or((&size, ""));
    let name = name(&tags, &id);
    Resource {
        name,
        kind: "ec2".to_owned(),
        members: members([
            ("platform", json!(platform(item))),
            ("instanceType", json!(family)),
            ("instanceSize", json!(size)),
        ]),
        network: Some(xml::text(item, "vpcId")).filter(|id| !id.is_empty()),
        subnets: Some(xml::text(item, "subnetId"))
            .filter(|id| !id.is_empty())
            .into_iter()
            .collect(),
        groups: xml::texts(item, "groupSet/item", "groupId"),
        forwards_to: Vec::new(),
        tags,
        id,
    }
}

fn platform(item: Node<'_, '_>) -> &'static str {
    if xml::text(item, "platform").eq_ignore_ascii_case("windows") {
        return "mswin";
    }
    let details = xml::text(item, "platformDetails");
    PLATFORMS.iter().find(|(word, _)| details.contains(word)).map_or("linux", |row| row.1)
}

fn private_addresses(item: Node<'_, '_>) -> Vec<String> {
    let mut addresses = vec![xml::text(item, "privateIpAddress")];
    for interface in xml::all(item, "networkInterfaceSet/item") {
        addresses.extend(xml::texts(interface, "privateIpAddressesSet/item", "privateIpAddress"));
    }
    addresses.retain(|address| !address.is_empty());
    addresses
}
