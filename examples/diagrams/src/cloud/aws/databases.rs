//! Databases of RDS.

use roxmltree::Node;
use serde_json::json;

use super::session::{Action, FormAction, Session};
use super::xml;
use crate::cloud::{RESOURCES, ScanError, members};
use crate::inventory::{Inventory, Resource};

const DESCRIBE: FormAction = FormAction {
    action: Action { service: "rds", name: "DescribeDBInstances" },
    version: "2014-10-31",
    page_size: Some(("MaxRecords", "100")),
    next: "Marker",
    next_path: "DescribeDBInstancesResult/Marker",
};

pub(super) fn read(session: &Session<'_>, inventory: &mut Inventory) -> Result<(), ScanError> {
    session.pages(DESCRIBE, &[], |root| {
        xml::all(root, "DescribeDBInstancesResult/DBInstances/DBInstance")
            .try_for_each(|item| RESOURCES.push(&mut inventory.resources, database(item)))
    })
}

/// A database is in all subnets of its subnet group.
fn database(item: Node<'_, '_>) -> Resource {
    let class = xml::text(item, "DBInstanceClass");
    let class = class.strip_prefix("db.").unwrap_or(&class);
    let is_serverless = class == "serverless";
    let (family, size) = class.split_once('.').unwrap_or(("", ""));
    let source = xml::text(item, "ReadReplicaSourceDBInstanceIdentifier");
    let role = match (is_serverless, source.is_empty()) {
        (true, _) => "serverless",
        (false, true) => "primary",
        (false, false) => "readReplica",
    };
    Resource {
        id: xml::text(item, "DBInstanceArn"),
        name: xml::text(item, "DBInstanceIdentifier"),
        kind: "rds".to_owned(),
        members: members([
            ("role", json!(role)),
            ("engine", json!(xml::text(item, "Engine"))),
            ("instanceType", json!(family)),
            ("instanceSize", json!(size)),
            ("multiAZ", json!(xml::text(item, "MultiAZ") == "true")),
        ]),
        network: Some(xml::text(item, "DBSubnetGroup/VpcId")).filter(|id| !id.is_empty()),
        subnets: xml::texts(item, "DBSubnetGroup/Subnets/Subnet", "SubnetIdentifier"),
        groups: xml::texts(
            item,
            "VpcSecurityGroups/VpcSecurityGroupMembership",
            "VpcSecurityGroupId",
        ),
        forwards_to: Vec::new(),
        tags: xml::tags(item, "TagList/Tag", ("Key", "Value")),
    }
}
