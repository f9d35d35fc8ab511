//! Load balancers, and the resources to which they forward requests.
//!
//! Classic load balancers are not read.

use std::collections::BTreeMap;

use roxmltree::Node;
use serde_json::json;

use super::instances::Addresses;
use super::session::{Action, FormAction, Session};
use super::xml;
use crate::cloud::{Bound, RESOURCES, ScanError, members};
use crate::inventory::{Inventory, Resource, Tags};

/// Each costs one request.
const TARGET_GROUPS: Bound = Bound { what: "target groups", maximum: 500 };

const BALANCERS: FormAction = FormAction {
    next_path: "DescribeLoadBalancersResult/NextMarker",
    ..action("DescribeLoadBalancers")
};
const GROUPS: FormAction = FormAction {
    next_path: "DescribeTargetGroupsResult/NextMarker",
    ..action("DescribeTargetGroups")
};
const TARGETS: FormAction = FormAction { page_size: None, ..action("DescribeTargetHealth") };

/// Some targets of load balancers.
struct TargetGroup {
    arn: String,
    balancers: Vec<String>,
    network: String,
}

const fn action(name: &'static str) -> FormAction {
    FormAction {
        action: Action { service: "elasticloadbalancing", name },
        version: "2015-12-01",
        page_size: Some(("PageSize", "400")),
        next: "Marker",
        next_path: "NextMarker",
    }
}

pub(super) fn read(
    session: &Session<'_>,
    inventory: &mut Inventory,
    addresses: &Addresses,
) -> Result<(), ScanError> {
    session.pages(BALANCERS, &[], |root| {
        xml::all(root, "DescribeLoadBalancersResult/LoadBalancers/member")
            .try_for_each(|item| RESOURCES.push(&mut inventory.resources, balancer(item)))
    })?;
    let mut groups = Vec::new();
    session.pages(GROUPS, &[], |root| {
        xml::all(root, "DescribeTargetGroupsResult/TargetGroups/member")
            .map(target_group)
            .filter(|group| !group.balancers.is_empty())
            .try_for_each(|group| TARGET_GROUPS.push(&mut groups, group))
    })?;
    let mut targets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for group in groups {
        let its = targets_of(session, &group, addresses)?;
        for balancer in group.balancers {
            targets.entry(balancer).or_default().extend(its.iter().cloned());
        }
    }
    for resource in &mut inventory.resources {
        if let Some(its) = targets.remove(&resource.id) {
            resource.forwards_to = its;
        }
    }
    Ok(())
}

fn balancer(item: Node<'_, '_>) -> Resource {
    Resource {
        id: xml::text(item, "LoadBalancerArn"),
        name: xml::text(item, "LoadBalancerName"),
        kind: "elb".to_owned(),
        members: members([("elbType", json!(xml::text(item, "Type")))]),
        network: Some(xml::text(item, "VpcId")).filter(|id| !id.is_empty()),
        subnets: xml::texts(item, "AvailabilityZones/member", "SubnetId"),
        groups: xml::own_texts(item, "SecurityGroups/member"),
        forwards_to: Vec::new(),
        tags: Tags::new(),
    }
}

fn target_group(item: Node<'_, '_>) -> TargetGroup {
    TargetGroup {
        arn: xml::text(item, "TargetGroupArn"),
        balancers: xml::own_texts(item, "LoadBalancerArns/member"),
        network: xml::text(item, "VpcId"),
    }
}

/// The ids of the targets, healthy or not. Addresses outside of EC2 are left out.
fn targets_of(
    session: &Session<'_>,
    group: &TargetGroup,
    addresses: &Addresses,
) -> Result<Vec<String>, ScanError> {
    let mut targets = Vec::new();
    session.pages(TARGETS, &[("TargetGroupArn", &group.arn)], |root| {
        let path = "DescribeTargetHealthResult/TargetHealthDescriptions/member";
        for target in xml::texts(root, path, "Target/Id") {
            let instance = addresses.get(&(group.network.clone(), target.clone()));
            targets.push(instance.cloned().unwrap_or_else(|| without_version(&target)));
        }
        Ok(())
    })?;
    Ok(targets)
}

/// The ARN of a function without its version or alias; other ids as they are.
fn without_version(id: &str) -> String {
    let parts: Vec<&str> = id.split(':').collect();
    match parts.as_slice() {
        [arn @ .., _version] if arn.len() == 7 && arn.get(2) == Some(&"lambda") => arn.join(":"),
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_function_in_any_version() {
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
        assert_eq!(without_version(function), function);
        assert_eq!(without_version(&format!("{function}:live")), function);
        assert_eq!(without_version("i-1234"), "i-1234");
        let balancer = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/a/b";
        assert_eq!(without_version(balancer), balancer);
    }
}
