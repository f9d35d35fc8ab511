//! An inventory from resources of Azure.
//!
//! Ids of Azure are compared without case: the ids of an inventory are in lower case.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Row;
use crate::cloud::{GROUPS, NETWORKS, RESOURCES, SUBNETS, ScanError, TAGS_MAX, members, plain};
use crate::inventory::{Inventory, Network, Resource, SecurityGroup, Subnet, Tags};

const MACHINE: &str = "microsoft.compute/virtualmachines";
const INTERFACE: &str = "microsoft.network/networkinterfaces";
const NETWORK: &str = "microsoft.network/virtualnetworks";
const NETWORK_GROUP: &str = "microsoft.network/networksecuritygroups";
const APPLICATION_GROUP: &str = "microsoft.network/applicationsecuritygroups";
/// Types of resources, and those of their components. Others have the last part of their type.
const KINDS: [(&str, &str); 12] = [
    (MACHINE, "azurevm"),
    ("microsoft.compute/virtualmachinescalesets", "azurevmscaleset"),
    ("microsoft.network/loadbalancers", "azureloadbalancer"),
    ("microsoft.network/applicationgateways", "azureapplicationgateway"),
    ("microsoft.network/virtualnetworkgateways", "azurevpngateway"),
    ("microsoft.network/azurefirewalls", "azurefirewall"),
    ("microsoft.sql/servers/databases", "azuresqldatabase"),
    ("microsoft.documentdb/databaseaccounts", "azurecosmosdb"),
    ("microsoft.storage/storageaccounts", "azurestorage"),
    ("microsoft.keyvault/vaults", "azurekeyvault"),
    ("microsoft.containerservice/managedclusters", "azurekubernetes"),
    ("microsoft.cache/redis", "azurecache"),
];
/// Types whose resources are parts of others, or only administer them.
const PARTS: [&str; 14] = [
    INTERFACE,
    NETWORK,
    NETWORK_GROUP,
    APPLICATION_GROUP,
    "microsoft.compute/disks",
    "microsoft.compute/images",
    "microsoft.compute/restorepointcollections",
    "microsoft.compute/snapshots",
    "microsoft.compute/sshpublickeys",
    "microsoft.compute/virtualmachines/extensions",
    "microsoft.network/networkwatchers",
    "microsoft.network/networkwatchers/flowlogs",
    "microsoft.network/publicipaddresses",
    "microsoft.network/routetables",
];
/// The lists of configurations in which resources name their subnets.
const CONFIGURATIONS: [&str; 3] =
    ["/ipConfigurations", "/frontendIPConfigurations", "/gatewayIPConfigurations"];

/// What a network interface, or another resource, names.
#[derive(Debug, Default)]
struct Links {
    subnets: Vec<String>,
    groups: Vec<String>,
}

/// What resources of a region say about others.
#[derive(Default)]
struct Index {
    interfaces: BTreeMap<String, Links>,
    /// The machine of each network interface.
    machines: BTreeMap<String, String>,
    /// The security group of each subnet.
    groups: BTreeMap<String, String>,
}

/// The inventory of the rows that are in a subscription and a region.
pub(super) fn inventory(
    rows: &[Row],
    subscription: &str,
    region: &str,
) -> Result<Inventory, ScanError> {
    let of_region = |row: &&Row| {
        let location = row.location.as_deref().unwrap_or_default();
        location.replace(' ', "").eq_ignore_ascii_case(region)
            && row.subscription().eq_ignore_ascii_case(subscription)
    };
    let rows: Vec<(String, &Row)> =
        rows.iter().filter(of_region).map(|row| (row.kind.to_ascii_lowercase(), row)).collect();
    let (account, region) = (subscription.to_owned(), region.to_owned());
    let mut inventory = Inventory { account, region, ..Inventory::default() };
    let (mut index, mut subnets) = (Index::default(), Vec::new());
    for (kind, row) in &rows {
        index.add(kind, row);
    }
    for (kind, row) in &rows {
        match kind.as_str() {
            NETWORK => {
                let network = network(row);
                network.subnets.iter().try_for_each(|_| SUBNETS.push(&mut subnets, ()))?;
                NETWORKS.push(&mut inventory.networks, network)?;
            },
            NETWORK_GROUP | APPLICATION_GROUP => {
                let (id, name) = (key(&row.id), row.name());
                let group = SecurityGroup { id, name, accepts_from: Vec::new() };
                GROUPS.push(&mut inventory.groups, group)?;
            },
            part if PARTS.contains(&part) => {},
            kind => RESOURCES.push(&mut inventory.resources, index.resource(kind, row))?,
        }
    }
    let mut accepts = accepts(&rows);
    for group in &mut inventory.groups {
        group.accepts_from = accepts.remove(&group.id).unwrap_or_default();
    }
    Ok(inventory)
}

impl Row {
    fn subscription(&self) -> &str {
        let in_id = || self.id.split('/').nth(2).unwrap_or_default();
        self.subscription.as_deref().unwrap_or_else(in_id)
    }

    fn name(&self) -> String {
        plain(&self.name)
    }

    fn tags(&self) -> Tags {
        let text = |value: &Value| plain(value.as_str().unwrap_or(&value.to_string()));
        let tags = self.tags.iter().flatten().take(TAGS_MAX);
        tags.map(|(name, value)| (plain(name), text(value))).collect()
    }
}

impl Index {
    fn add(&mut self, kind: &str, row: &Row) {
        match kind {
            INTERFACE => {
                self.interfaces.insert(key(&row.id), Links::of(&row.properties));
                if let Some(machine) = id_at(&row.properties, "/virtualMachine/id") {
                    self.machines.insert(key(&row.id), machine);
                }
            },
            MACHINE => {
                for interface in interfaces(row) {
                    self.machines.insert(interface, key(&row.id));
                }
            },
            NETWORK => {
                for subnet in list(&row.properties, "/subnets") {
                    let group = id_at(subnet, "/properties/networkSecurityGroup/id");
                    if let Some((subnet, group)) = id_at(subnet, "/id").zip(group) {
                        self.groups.insert(subnet, group);
                    }
                }
            },
            _ => {},
        }
    }

    fn resource(&self, kind: &str, row: &Row) -> Resource {
        let mut links = Links::of(&row.properties);
        if kind == MACHINE {
            for interface in interfaces(row) {
                if let Some(its) = self.interfaces.get(&interface) {
                    links.subnets.extend(its.subnets.iter().cloned());
                    links.groups.extend(its.groups.iter().cloned());
                }
            }
        }
        let of_subnets = links.subnets.iter().filter_map(|subnet| self.groups.get(subnet));
        links.groups.extend(of_subnets.cloned().collect::<Vec<String>>());
        let network = links.subnets.first().and_then(|id| id.split_once("/subnets/"));
        let other = || kind.rsplit('/').next().unwrap_or(kind);
        Resource {
            id: key(&row.id),
            name: row.name(),
            kind: KINDS.iter().find(|row| row.0 == kind).map_or_else(other, |row| row.1).to_owned(),
            members: if kind == MACHINE { machine(row) } else { Map::new() },
            network: network.map(|(network, _)| network.to_owned()),
            subnets: links.subnets,
            groups: links.groups,
            forwards_to: self.targets(row),
            tags: row.tags(),
        }
    }

    /// The machines behind a load balancer or a gateway.
    fn targets(&self, row: &Row) -> Vec<String> {
        list(&row.properties, "/backendAddressPools")
            .flat_map(|pool| list(pool, "/properties/backendIPConfigurations"))
            .filter_map(|configuration| id_at(configuration, "/id"))
            .filter_map(|id| {
                let (interface, _) = id.split_once("/ipconfigurations/")?;
                self.machines.get(interface).cloned()
            })
            .collect()
    }
}

impl Links {
    fn of(properties: &Value) -> Self {
        let mut links = Self::default();
        links.groups.extend(id_at(properties, "/networkSecurityGroup/id"));
        links.subnets.extend(id_at(properties, "/subnet/id"));
        for configuration in CONFIGURATIONS.iter().flat_map(|path| list(properties, path)) {
            links.subnets.extend(id_at(configuration, "/properties/subnet/id"));
            let groups = list(configuration, "/properties/applicationSecurityGroups");
            links.groups.extend(groups.filter_map(|group| id_at(group, "/id")));
        }
        links
    }
}

fn network(row: &Row) -> Network {
    let ranges = list(&row.properties, "/addressSpace/addressPrefixes").filter_map(Value::as_str);
    let subnets = list(&row.properties, "/subnets").filter_map(|subnet| {
        let text = |path| subnet.pointer(path).and_then(Value::as_str);
        let range = text("/properties/addressPrefix").or(text("/properties/addressPrefixes/0"));
        Some(Subnet {
            id: id_at(subnet, "/id")?,
            name: plain(text("/name").unwrap_or_default()),
            range: plain(range.unwrap_or_default()),
            zone: String::new(),
            tags: Tags::new(),
        })
    });
    Network {
        id: key(&row.id),
        name: row.name(),
        range: plain(&ranges.collect::<Vec<&str>>().join(", ")),
        tags: row.tags(),
        subnets: subnets.collect(),
    }
}

/// The groups from which each group accepts connections. Rules of a network security group name application security
/// groups as sources; without such a group as destination, a rule is for all members of its own group.
fn accepts(rows: &[(String, &Row)]) -> BTreeMap<String, Vec<String>> {
    let mut accepts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, row) in rows.iter().filter(|(kind, _)| kind == NETWORK_GROUP) {
        for rule in list(&row.properties, "/securityRules") {
            let is = |path: &str, word: &str| {
                let text = rule.pointer(path).and_then(Value::as_str);
                text.is_some_and(|text| text.eq_ignore_ascii_case(word))
            };
            if !(is("/properties/direction", "inbound") && is("/properties/access", "allow")) {
                continue;
            }
            let ids = |path: &'static str| list(rule, path).filter_map(|group| id_at(group, "/id"));
            let mut to: Vec<String> =
                ids("/properties/destinationApplicationSecurityGroups").collect();
            if to.is_empty() {
                to.push(key(&row.id));
            }
            for group in to {
                let from = ids("/properties/sourceApplicationSecurityGroups");
                accepts.entry(group).or_default().extend(from);
            }
        }
    }
    accepts
}

/// The members of a machine. A size is a tier and an instance, such as `Standard_D2s_v3`.
fn machine(row: &Row) -> Map<String, Value> {
    let text =
        |path| plain(row.properties.pointer(path).and_then(Value::as_str).unwrap_or_default());
    let size = text("/hardwareProfile/vmSize");
    let (tier, instance) = size.split_once('_').unwrap_or(("", &size));
    members([
        ("resourceId", json!(plain(&row.id))),
        ("platform", json!(text("/storageProfile/osDisk/osType").to_lowercase())),
        ("tier", json!(tier)),
        ("instance", json!(instance.replace('_', ""))),
    ])
}

/// The ids of the network interfaces of a machine.
fn interfaces(row: &Row) -> impl Iterator<Item = String> {
    let interfaces = list(&row.properties, "/networkProfile/networkInterfaces");
    interfaces.filter_map(|interface| id_at(interface, "/id"))
}

fn list<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

fn id_at(value: &Value, path: &str) -> Option<String> {
    value.pointer(path).and_then(Value::as_str).map(key)
}

fn key(id: &str) -> String {
    plain(id).to_lowercase()
}
