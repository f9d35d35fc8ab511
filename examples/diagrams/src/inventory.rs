//! What a scan of an account found, in a form that is the same for all clouds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The tags of a resource, by name.
pub type Tags = BTreeMap<String, String>;

/// The networks and resources of one account in one region.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// The AWS account, or the Azure subscription.
    pub account: String,
    pub region: String,
    pub networks: Vec<Network>,
    pub groups: Vec<SecurityGroup>,
    pub resources: Vec<Resource>,
}

/// A VPC, or a virtual network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    pub id: String,
    pub name: String,
    /// The range of addresses, such as 10.0.0.0/16.
    pub range: String,
    pub tags: Tags,
    pub subnets: Vec<Subnet>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Subnet {
    pub id: String,
    pub name: String,
    pub range: String,
    /// The availability zone; empty if the cloud has none.
    pub zone: String,
    pub tags: Tags,
}

/// A set of rules that names which connections its members accept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SecurityGroup {
    pub id: String,
    pub name: String,
    /// The groups from whose members a member accepts connections.
    pub accepts_from: Vec<String>,
}

/// One component of a diagram, such as an instance, a database or a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resource {
    /// Unique in the inventory: the ARN, or the id within the cloud.
    pub id: String,
    pub name: String,
    /// The type of its component in a diagram, such as `ec2` or `azurevm`.
    pub kind: String,
    /// Further members of its component, such as `instanceType`.
    pub members: Map<String, Value>,
    /// The network in which it is; `None` for resources outside of networks, such as buckets.
    pub network: Option<String>,
    /// The subnets in which it is.
    pub subnets: Vec<String>,
    /// Its security groups.
    pub groups: Vec<String>,
    /// The resources to which it forwards requests, such as the targets of a load balancer.
    pub forwards_to: Vec<String>,
    pub tags: Tags,
}
