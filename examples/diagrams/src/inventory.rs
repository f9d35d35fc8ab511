//! What a scan of an account found, in a form that is the same for all clouds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The tags of a resource, by name.
pub(crate) type Tags = BTreeMap<String, String>;

/// The networks and resources of one account in one region.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Inventory {
    /// The AWS account, or the Azure subscription.
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) networks: Vec<Network>,
    pub(crate) groups: Vec<SecurityGroup>,
    pub(crate) resources: Vec<Resource>,
}

/// A VPC, or a virtual network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Network {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The range of addresses, such as 10.0.0.0/16.
    pub(crate) range: String,
    pub(crate) tags: Tags,
    pub(crate) subnets: Vec<Subnet>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) range: String,
    /// The availability zone; empty if the cloud has none.
    pub(crate) zone: String,
    pub(crate) tags: Tags,
}

/// A set of rules that names which connections its members accept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct SecurityGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The groups from whose members a member accepts connections.
    pub(crate) accepts_from: Vec<String>,
}

/// One component of a diagram, such as an instance, a database or a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Resource {
    /// Unique in the inventory: the ARN, or the id within the cloud.
    pub(crate) id: String,
    pub(crate) name: String,
    /// The type of its component in a diagram, such as `ec2` or `azurevm`.
    pub(crate) kind: String,
    /// Further members of its component, such as `instanceType`.
    pub(crate) members: Map<String, Value>,
    /// The network in which it is; `None` for resources outside of networks, such as buckets.
    pub(crate) network: Option<String>,
    /// The subnets in which it is.
    pub(crate) subnets: Vec<String>,
    /// Its security groups.
    pub(crate) groups: Vec<String>,
    /// The resources to which it forwards requests, such as the targets of a load balancer.
    pub(crate) forwards_to: Vec<String>,
    pub(crate) tags: Tags,
}
