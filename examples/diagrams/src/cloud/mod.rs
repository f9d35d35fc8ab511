//! What is in a linked account of a cloud: read through the API of the cloud, or from an export.
//!
//! A scan has a maximum of time, of requests, of bytes and of resources. It fails at a maximum: an inventory is whole.

mod aws;
mod azure;
mod client;
mod settings;

use crate::inventory::Inventory;
use crate::store::records::CloudPlace;
pub use settings::{AwsCredentials, CloudSettings, CloudTimes, Endpoint, EndpointError};

/// The most responses to one request with pages.
const PAGES_MAX: usize = 100;
/// The most bytes of one response.
const RESPONSE_BYTES_MAX: u64 = 8 << 20;
/// The most bytes of all responses of a scan.
const SCAN_BYTES_MAX: u64 = 64 << 20;
/// How often a request is sent when the cloud does not serve it now.
const ATTEMPTS_MAX: u32 = 4;
/// Longer texts are cut.
const TEXT_CHARS_MAX: usize = 2048;
/// The most tags of a resource. AWS and Azure allow 50.
const TAGS_MAX: usize = 64;
const NETWORKS: Bound = Bound { what: "networks", maximum: 1000 };
const SUBNETS: Bound = Bound { what: "subnets", maximum: 5000 };
const GROUPS: Bound = Bound { what: "security groups", maximum: 5000 };
const RESOURCES: Bound = Bound { what: "resources", maximum: 2000 };

/// The most elements of a list, which an error names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bound {
    what: &'static str,
    maximum: usize,
}

/// Why an account could not be read. The texts are for the caller, and have no secret.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error(
        "the service has no credentials for AWS: its operator must set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials,
    #[error("AWS refused the credentials of the service ({code}): its operator must renew them")]
    CredentialsRefused { code: String },
    #[error(
        "AWS refused the role ({code}): check roleArn, and that the role trusts the account of the service with the externalId of this account"
    )]
    RoleRefused { code: String },
    #[error("roleArn names a part of AWS that is not supported: use one of {supported}")]
    Partition { supported: String },
    #[error("the account has no client secret: update it with clientSecret")]
    NoSecret,
    #[error(
        "Azure refused the application ({code}): check applicationId, directoryId and clientSecret"
    )]
    SecretRefused { code: String },
    #[error("the region is not in the form of {cloud}: use a region such as {example}")]
    Region { cloud: &'static str, example: &'static str },
    #[error("{action} was refused ({code}): check the permissions, and that the region is enabled")]
    Refused { action: String, code: String },
    #[error("{action} failed with status {status} ({code})")]
    Failed { action: String, status: u16, code: String },
    #[error("{action} is refused for now, because of too many requests: retry later")]
    Throttled { action: String },
    #[error("the host for {action} was not found: check the region")]
    HostNotFound { action: String },
    #[error("{action} could not be sent: {cause}: retry later")]
    NotReached { action: String, cause: String },
    #[error("{action} was not answered in time: retry later")]
    Slow { action: String },
    #[error("the response of {action} is not readable: {detail}")]
    Unreadable { action: String, detail: String },
    #[error("the response of {action} has more than {} MiB", .maximum >> 20)]
    TooLarge { action: String, maximum: u64 },
    #[error("all responses together have more than {} MiB", .maximum >> 20)]
    TooLargeTogether { maximum: u64 },
    #[error("{action} has more than {maximum} pages")]
    TooManyPages { action: String, maximum: usize },
    #[error("the account has more than {maximum} {what} in the region")]
    TooMany { what: &'static str, maximum: usize },
    #[error("the export of Azure is not readable: {detail}: its operator must replace it")]
    Export { detail: String },
}

/// Reads what is in an account in a region. `secret` is the client secret of an Azure account. Blocks for at most
/// [`CloudTimes::scan`] and the time of one connection.
///
/// All lists of the result are sorted, so that an unchanged account gives an equal inventory.
pub fn scan(
    place: &CloudPlace,
    secret: Option<&str>,
    region: &str,
    settings: &CloudSettings,
) -> Result<Inventory, ScanError> {
    let found = match place {
        CloudPlace::Aws { role_arn, external_id } => {
            aws::scan((role_arn, external_id), region, settings)
        },
        CloudPlace::Azure { application, directory, subscription, hint: _ } => {
            let credentials = azure::Application { id: application, directory, secret };
            azure::scan(&credentials, subscription, region, settings)
        },
    };
    found.map(sorted)
}

/// Sorts all lists, and removes what is listed twice or leads to nothing in the inventory.
fn sorted(mut inventory: Inventory) -> Inventory {
    let by_id = |ids: &mut Vec<String>| {
        ids.sort_unstable();
        ids.dedup();
    };
    for network in &mut inventory.networks {
        network.subnets.sort_by(|one, other| one.id.cmp(&other.id));
        network.subnets.dedup_by(|one, other| one.id == other.id);
    }
    inventory.networks.sort_by(|one, other| one.id.cmp(&other.id));
    inventory.networks.dedup_by(|one, other| one.id == other.id);
    for group in &mut inventory.groups {
        by_id(&mut group.accepts_from);
    }
    inventory.groups.sort_by(|one, other| one.id.cmp(&other.id));
    inventory.groups.dedup_by(|one, other| one.id == other.id);
    inventory.resources.sort_by(|one, other| one.id.cmp(&other.id));
    inventory.resources.dedup_by(|one, other| one.id == other.id);
    let ids: Vec<String> = inventory.resources.iter().map(|resource| resource.id.clone()).collect();
    for resource in &mut inventory.resources {
        by_id(&mut resource.subnets);
        by_id(&mut resource.groups);
        resource.forwards_to.retain(|id| ids.binary_search(id).is_ok());
        by_id(&mut resource.forwards_to);
    }
    inventory
}

/// A text of a cloud: without control characters, and cut at [`TEXT_CHARS_MAX`].
fn plain(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    let is_edge = |letter: char| letter.is_whitespace() || letter.is_control();
    text.trim_matches(is_edge).chars().take(TEXT_CHARS_MAX).map(clean).collect()
}

impl Bound {
    /// Adds an element to a list that has fewer than the maximum.
    fn push<T>(self, list: &mut Vec<T>, element: T) -> Result<(), ScanError> {
        let Self { what, maximum } = self;
        if list.len() >= maximum {
            return Err(ScanError::TooMany { what, maximum });
        }
        list.push(element);
        Ok(())
    }
}

/// Members of a component, without the empty ones.
fn members<const N: usize>(
    all: [(&str, serde_json::Value); N],
) -> serde_json::Map<String, serde_json::Value> {
    let given = all.into_iter().filter(|(_, value)| !value.is_null() && value != "");
    given.map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Resource;

    #[test]
    fn a_text_of_a_cloud_has_one_line_and_a_maximum() {
        assert_eq!(plain(" web\u{0}\n<script>\u{7f} "), "web  <script>");
        assert_eq!(plain(&"\u{e9}".repeat(TEXT_CHARS_MAX + 1)), "\u{e9}".repeat(TEXT_CHARS_MAX));
    }

    #[test]
    fn an_inventory_has_each_id_once_and_no_target_outside_of_it() {
        let resource = |id: &str, targets: &[&str]| Resource {
            id: id.to_owned(),
            forwards_to: targets.iter().map(|id| (*id).to_owned()).collect(),
            ..Resource::default()
        };
        let resources = vec![resource("b", &["gone", "c", "a", "c"]), resource("c", &[])];
        let both = [resources, vec![resource("a", &[]), resource("c", &[])]].concat();
        let inventory = sorted(Inventory { resources: both, ..Inventory::default() });
        let ids: Vec<&str> = inventory.resources.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(inventory.resources[1].forwards_to, ["a", "c"]);
    }

    #[test]
    fn a_list_has_a_maximum() {
        let mut list = vec![0; RESOURCES.maximum - 1];
        RESOURCES.push(&mut list, 0).unwrap();
        let error = RESOURCES.push(&mut list, 0).unwrap_err();
        assert_eq!(error.to_string(), "the account has more than 2000 resources in the region");
    }
}
