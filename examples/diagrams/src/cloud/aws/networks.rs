//! VPCs, subnets and security groups.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::session::{Action, FormAction, Session};
use super::xml;
use crate::cloud::{GROUPS, NETWORKS, SUBNETS, ScanError};
use crate::inventory::{Inventory, Network, SecurityGroup, Subnet, Tags};

/// An action of EC2.
pub(super) const fn action(name: &'static str) -> FormAction {
    FormAction {
        action: Action { service: "ec2", name },
        version: "2016-11-15",
        // An instance with many interfaces, or a group with many rules, takes 15 kB: a page must fit into one response.
        page_size: Some(("MaxResults", "200")),
        next: "NextToken",
        next_path: "nextToken",
    }
}

pub(super) fn tags(node: Node<'_, '_>) -> Tags {
    xml::tags(node, "tagSet/item", ("key", "value"))
}

/// The tag `Name`, or else `otherwise`.
pub(super) fn name(tags: &Tags, otherwise: &str) -> String {
    tags.get("Name").filter(|name| !name.is_empty()).map_or(otherwise, String::as_str).to_owned()
}

pub(super) fn read(session: &Session<'_>, inventory: &mut Inventory) -> Result<(), ScanError> {
    session.pages(action("DescribeVpcs"), &[], |root| {
        xml::all(root, "vpcSet/item")
            .try_for_each(|item| NETWORKS.push(&mut inventory.networks, network(item)))
    })?;
    let mut subnets: BTreeMap<String, Vec<Subnet>> = BTreeMap::new();
    let mut count = Vec::new();
    session.pages(action("DescribeSubnets"), &[], |root| {
        xml::all(root, "subnetSet/item").try_for_each(|item| {
            SUBNETS.push(&mut count, ())?;
            subnets.entry(xml::text(item, "vpcId")).or_default().push(subnet(item));
            Ok(())
        })
    })?;
    for network in &mut inventory.networks {
        network.subnets = subnets.remove(&network.id).unwrap_or_default();
    }
    session.pages(action("DescribeSecurityGroups"), &[], |root| {
        xml::all(root, "securityGroupInfo/item")
            .try_for_each(|item| GROUPS.push(&mut inventory.groups, group(item)))
    })
}

fn network(item: Node<'_, '_>) -> Network {
    let (id, tags) = (xml::text(item, "vpcId"), tags(item));
    let name = name(&tags, &id);
    Network { id, name, range: xml::text(item, "cidrBlock"), tags, subnets: Vec::new() }
}

fn subnet(item: Node<'_, '_>) -> Subnet {
    let (id, tags) = (xml::text(item, "subnetId"), tags(item));
    let name = name(&tags, &id);
    let (range, zone) = (xml::text(item, "cidrBlock"), xml::text(item, "availabilityZone"));
    Subnet { id, name, range, zone, tags }
}

fn group(item: Node<'_, '_>) -> SecurityGroup {
    let rules = xml::all(item, "ipPermissions/item");
    let accepts_from = rules.flat_map(|rule| xml::texts(rule, "groups/item", "groupId")).collect();
    let (id, name) = (xml::text(item, "groupId"), xml::text(item, "groupName"));
    SecurityGroup { id, name, accepts_from }
}
